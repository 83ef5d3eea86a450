/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module fenced_host.so: the hosts' registry, and Pacemaker's fencer. */
#include "fenced_host.h"

#include <crm/stonith-ng.h>

#include "registry.h"

/* A watch outlives its client by 30 s (osd_client_watch_timeout). A host that was fenced less than that ago may be
 * up again; what it has opened since can't be told from what it had before, and costs nobody data when it goes. */
#define WATCH_LIFETIME_S 40

extern const fenced_host_ops_t understudy_fenced_host_ops;

static registry_host_t *host_of_address(store_t *store, const char *ip, GError **error)
{
    g_autoptr(GHashTable) values = config_key_dump(store, REGISTRY_HOST_PREFIX, error);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer json = NULL;

    if (values == NULL) {
        return NULL;
    }
    g_hash_table_iter_init(&iter, values);
    while (g_hash_table_iter_next(&iter, &name, &json)) {
        g_autoptr(registry_host_t) host = registry_host_parse(name, json, NULL);

        if (host != NULL && g_strv_contains((const char *const *) host->store_addresses, ip)) {
            return g_steal_pointer(&host);
        }
    }
    return NULL;
}

static gboolean is_fenced(const registry_host_t *host)
{
    gint64 fenced_s = (gint64) stonith_api_time(0, host->name, false);
    gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;

    return fenced_s > 0 && (fenced_s >= host->at_s || now_s - fenced_s <= WATCH_LIFETIME_S);
}

static char *find(const store_options_t *options, const char *ip, GError **error)
{
    g_autoptr(registry_host_t) host = NULL;
    store_t *store = store_open(options, error);

    if (store != NULL) {
        host = host_of_address(store, ip, error);
    }
    store_close(store);
    return host != NULL && is_fenced(host) ? g_strdup(host->name) : NULL;
}

const fenced_host_ops_t understudy_fenced_host_ops = { .find = find };
