/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module fenced_host.so: the hosts' registry, and Pacemaker's fencer. */
#include "fenced_host.h"

#include <errno.h>

#include <crm/common/results.h>
#include <crm/stonith-ng.h>

#include "cib.h"
#include "cluster_state.h"
#include "error.h"
#include "fence_history.h"
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

#define HISTORY_TIMEOUT_S 10

/* *history: to be freed with stonith_history_free(), NULL if the host was never fenced. */
static gboolean history_read(const char *name, stonith_history_t **history, GError **error)
{
    stonith_t *fencer = stonith_api_new();
    int rc = fencer != NULL ? stonith_api_connect_retry(fencer, "understudy", 1) : -ENOMEM;

    *history = NULL;
    if (rc == pcmk_ok) {
        rc = fencer->cmds->history(fencer, st_opt_sync_call, name, history, HISTORY_TIMEOUT_S);
        fencer->cmds->disconnect(fencer);
    }
    stonith_api_delete(fencer);
    if (rc != pcmk_ok) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "Pacemaker's fencer does not tell: %s",
                    pcmk_strerror(rc));
    }
    return rc == pcmk_ok;
}

static gboolean is_fenced(const registry_host_t *host, GError **error)
{
    stonith_history_t *history = NULL;
    gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
    gint64 fenced_s = 0;

    if (!history_read(host->name, &history, error)) {
        return FALSE;
    }
    fenced_s = fence_history_fenced_s(history);
    stonith_history_free(history);
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
    return host != NULL && is_fenced(host, error) ? g_strdup(host->name) : NULL;
}

static gboolean outlived(const char *name, gint64 since_s, gboolean *has, GError **error)
{
    stonith_history_t *history = NULL;

    if (!history_read(name, &history, error)) {
        return FALSE;
    }
    *has = fence_history_outlived(history, since_s);
    stonith_history_free(history);
    return TRUE;
}

static gboolean fence(const char *name, guint timeout_s, GError **error)
{
    int rc = stonith_api_kick(0, name, (int) timeout_s, false);

    if (rc != pcmk_ok) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "%s could not be fenced: %s", name,
                    pcmk_strerror(rc));
    }
    return rc == pcmk_ok;
}

static gboolean publish(const char *name, const store_options_t *options, GError **error)
{
    return registry_publish(name, options, FALSE, error);
}

static gboolean boot_id_find(const store_options_t *options, const char *name, char **boot_id, GError **error)
{
    g_autofree char *key = g_strconcat(REGISTRY_HOST_PREFIX, name, NULL);
    g_autofree char *json = NULL;
    g_autoptr(registry_host_t) host = NULL;
    g_autoptr(GError) get_error = NULL;
    store_t *store = store_open(options, error);

    if (store == NULL) {
        return FALSE;
    }
    json = config_key_get(store, key, &get_error);
    store_close(store);
    if (json == NULL && !g_error_matches(get_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&get_error));
        return FALSE;
    }
    host = json != NULL ? registry_host_parse(name, json, NULL) : NULL;
    *boot_id = host != NULL ? g_strdup(host->boot_id) : NULL;
    return TRUE;
}

static cluster_state_t *cluster_read(GError **error)
{
    cib_connection_t *cib = cib_connection_open("understudy", error);
    xmlNode *xml = cib != NULL ? cib_connection_query(cib, error) : NULL;
    cluster_state_t *cluster = xml != NULL ? cluster_state_parse(xml, error) : NULL;

    cib_xml_free(xml);
    cib_connection_close(cib);
    return cluster;
}

static gboolean holder(const store_options_t *options, const char *name, const char *server, char **boot_id,
                       char **ended_start, gboolean *clean, GError **error)
{
    cluster_state_t *cluster = NULL;
    gboolean known = FALSE;

    if (!boot_id_find(options, name, boot_id, error)) {
        return FALSE;
    }
    cluster = cluster_read(error);
    for (guint i = 0; cluster != NULL && i < cluster->hosts->len; i++) {
        const cluster_host_t *host = g_ptr_array_index(cluster->hosts, i);

        if (g_strcmp0(host->name, name) == 0) {
            *clean = cluster->quorate && host->clean;
            *ended_start = g_strdup(g_hash_table_lookup(host->ended, server));
        }
    }
    known = cluster != NULL;
    cluster_state_free(cluster);
    return known;
}

const fenced_host_ops_t understudy_fenced_host_ops = {
    .find = find, .outlived = outlived, .fence = fence, .publish = publish, .holder = holder,
};
