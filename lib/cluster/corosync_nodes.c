/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists the nodes that Corosync is configured with, and their addresses. */
#include "cluster/corosync_nodes.h"

#include <corosync/cfg.h>
#include <corosync/cmap.h>
#include <gio/gio.h>
#include <stdlib.h>

/* Of one host: Corosync has eight links at most. */
#define ADDRESSES_MAX 8

static void node_free(gpointer data)
{
    corosync_node_t *node = data;

    g_free(node->name);
    g_strfreev(node->addresses);
    g_free(node);
}

static char **node_addresses(corosync_cfg_handle_t cfg, guint32 node_id)
{
    corosync_cfg_node_address_t addresses[ADDRESSES_MAX];
    g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
    int count = 0;

    if (corosync_cfg_get_node_addrs(cfg, node_id, ADDRESSES_MAX, &count, addresses) != CS_OK) {
        count = 0;
    }
    for (int i = 0; i < MIN(count, ADDRESSES_MAX); i++) {
        g_autoptr(GSocketAddress) address = g_socket_address_new_from_native(addresses[i].address,
                                                                             (gsize) addresses[i].address_length);

        if (address != NULL && G_IS_INET_SOCKET_ADDRESS(address)) {
            g_autofree char *text = g_inet_address_to_string(
                g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address)));

            g_strv_builder_add(texts, text);
        }
    }
    return g_strv_builder_end(texts);
}

static char *node_name(cmap_handle_t cmap, guint index)
{
    char key[CMAP_KEYNAME_MAXLEN + 1];
    char *name = NULL;
    char *copy = NULL;

    g_snprintf(key, sizeof(key), "nodelist.node.%u.name", index);
    if (cmap_get_string(cmap, key, &name) == CS_OK) {
        copy = g_strdup(name);
        free(name); /* libcmap's own malloc */
    }
    return copy;
}

static void add_nodes(cmap_handle_t cmap, corosync_cfg_handle_t cfg, GPtrArray *nodes)
{
    char key[CMAP_KEYNAME_MAXLEN + 1];
    uint32_t node_id = 0;

    for (guint i = 0;; i++) {
        corosync_node_t *node = NULL;

        g_snprintf(key, sizeof(key), "nodelist.node.%u.nodeid", i);
        if (cmap_get_uint32(cmap, key, &node_id) != CS_OK) {
            return;
        }
        node = g_new0(corosync_node_t, 1);
        node->id = node_id;
        node->name = node_name(cmap, i);
        node->addresses = node_addresses(cfg, node_id);
        g_ptr_array_add(nodes, node);
    }
}

GPtrArray *corosync_nodes_list(void)
{
    GPtrArray *nodes = g_ptr_array_new_with_free_func(node_free);
    cmap_handle_t cmap = 0;
    corosync_cfg_handle_t cfg = 0;

    if (cmap_initialize(&cmap) == CS_OK) {
        if (corosync_cfg_initialize(&cfg, NULL) == CS_OK) {
            add_nodes(cmap, cfg, nodes);
            corosync_cfg_finalize(cfg);
        }
        cmap_finalize(cmap);
    }
    return nodes;
}
