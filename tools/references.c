/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "references.h"

#include <gio/gio.h>

#include "base/names.h"
#include "cib_view.h"
#include "cluster/corosync_nodes.h"
#include "cluster/xml.h"
#include "net/networks.h"
#include "reference_check.h"

/* A name server that is away must not hold up who asks for the status. */
#define LOOK_UP_MS 1000

const char *references_of(xmlNode *cib, const char *name)
{
    xmlNode *resources = xml_child(xml_child(cib, "configuration"), "resources");
    const xmlNode *observer = cib_find_primitive(resources, OCF_PROVIDER, "observer");
    const xmlNode *pair = observer != NULL ? cib_effective_pair(observer, "instance_attributes", name) : NULL;

    return pair != NULL ? xml_get(pair, "value") : NULL;
}

/* Names ------------------------------------------------------------------------*/

typedef struct look_up {
    GHashTable *found; /* char* name -> char** */
    guint pending;
} look_up_t;

typedef struct question {
    look_up_t *look_up;
    char *name;
} question_t;

static void on_resolved(GObject *source, GAsyncResult *result, gpointer user_data)
{
    question_t *question = user_data;
    GList *addresses = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, NULL);
    g_autoptr(GStrvBuilder) texts = g_strv_builder_new();

    for (GList *item = addresses; item != NULL; item = item->next) {
        g_autofree char *text = g_inet_address_to_string(item->data);

        g_strv_builder_add(texts, text);
    }
    if (addresses != NULL) {
        g_hash_table_insert(question->look_up->found, g_strdup(question->name), g_strv_builder_end(texts));
    }
    g_resolver_free_addresses(addresses);
    question->look_up->pending--;
    g_free(question->name);
    g_free(question);
}

static gboolean on_time_over(gpointer cancellable)
{
    g_cancellable_cancel(cancellable);
    return G_SOURCE_REMOVE;
}

/* All at once. What was not resolved in time is not in it. */
static GHashTable *names_look_up(const GPtrArray *names)
{
    look_up_t look_up = { .found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_strfreev),
                          .pending = names->len };
    GMainContext *context = names->len > 0 ? g_main_context_new() : NULL;
    g_autoptr(GResolver) resolver = context != NULL ? g_resolver_get_default() : NULL;
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    GSource *timer = NULL;

    if (context == NULL) {
        return look_up.found;
    }
    g_main_context_push_thread_default(context);
    timer = g_timeout_source_new(LOOK_UP_MS);
    g_source_set_callback(timer, on_time_over, cancellable, NULL);
    g_source_attach(timer, context);
    for (guint i = 0; i < names->len; i++) {
        question_t *question = g_new0(question_t, 1);

        question->look_up = &look_up;
        question->name = g_strdup(g_ptr_array_index(names, i));
        g_resolver_lookup_by_name_async(resolver, question->name, cancellable, on_resolved, question);
    }
    while (look_up.pending > 0) {
        g_main_context_iteration(context, TRUE);
    }
    g_source_destroy(timer);
    g_source_unref(timer);
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
    return look_up.found;
}

/* Hosts ------------------------------------------------------------------------*/

/* This host's addresses are known whether Corosync uses them or not. */
static GHashTable *host_addresses(void)
{
    GHashTable *addresses = networks_own_addresses();
    g_autoptr(GPtrArray) nodes = corosync_nodes_list();

    for (guint i = 0; i < nodes->len; i++) {
        const corosync_node_t *node = g_ptr_array_index(nodes, i);

        for (char **address = node->addresses; node->name != NULL && *address != NULL; address++) {
            g_hash_table_insert(addresses, g_strdup(*address), g_strdup(node->name));
        }
    }
    return addresses;
}

GPtrArray *references_faults(xmlNode *cib, const cluster_state_t *cluster)
{
    const char *references = references_of(cib, "references");
    const char *management_references = references_of(cib, "management_references");
    g_autoptr(GPtrArray) names = reference_names(references, management_references);
    g_autoptr(GPtrArray) networks = NULL;
    g_autoptr(GHashTable) resolved = NULL;
    g_autoptr(GHashTable) hosts = NULL;
    reference_view_t view = { .cluster = cluster };

    if (references == NULL && management_references == NULL) {
        return g_ptr_array_new_with_free_func(g_free);
    }
    networks = networks_of_this_host();
    resolved = names_look_up(names);
    hosts = host_addresses();
    view.networks = networks;
    view.host_addresses = hosts;
    view.names = resolved;
    return reference_check(&view, references, management_references);
}
