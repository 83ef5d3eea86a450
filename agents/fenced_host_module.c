/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module fenced_host.so: the hosts' registry, and Pacemaker's fencer. */
#include "fenced_host.h"

#include <errno.h>

#include <crm/common/results.h>
#include <crm/stonith-ng.h>

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

const fenced_host_ops_t understudy_fenced_host_ops = { .find = find, .outlived = outlived, .fence = fence };
