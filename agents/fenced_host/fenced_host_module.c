/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module fenced_host.so: the hosts' registry, the CIB, and Pacemaker's fencer. */
#include "config.h"

#include "fenced_host/fenced_host.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <crm/common/results.h>
#include <crm/stonith-ng.h>

#include "base/error.h"
#include "base/module.h"
#include "base/names.h"
#include "base/program.h"
#include "cluster/cib.h"
#include "cluster/cluster_state.h"
#include "fenced_host/fence_history.h"
#include "fenced_host/fenced_state.h"
#include "fenced_host/host_leftovers.h"
#include "fenced_host/own_fence.h"
#include "run_dir.h"
#include "store/registry.h"
#include "store/store_address.h"

extern MODULE_EXPORT const fenced_host_ops_t understudy_fenced_host_ops;

/* Another host ------------------------------------------------------------------*/

static gboolean is_fenced(const char *name, GError **error)
{
    cib_connection_t *cib = cib_connection_open("understudy-fenced-host", error);
    xmlNode *xml = cib != NULL ? cib_connection_query(cib, error) : NULL;
    gboolean fenced = xml != NULL && fenced_state_is_fenced(xml, name);

    if (xml != NULL) {
        cib_xml_free(xml);
    }
    if (cib != NULL) {
        cib_connection_close(cib);
    }
    return fenced;
}

/* Where two hosts have published the address, the one that is there now may be the other. */
static char *fenced_host_at(GHashTable *hosts, const char *ip, GError **error)
{
    const char *host = registry_host_with_ip(hosts, ip, NULL);

    return host != NULL && registry_host_with_ip(hosts, ip, host) == NULL && is_fenced(host, error) ? g_strdup(host) : NULL;
}

static char *find(const store_options_t *options, const char *ip, GError **error)
{
    store_t *store = store_open(options, error);
    g_autoptr(GHashTable) hosts = store != NULL ? registry_hosts_read(store, error) : NULL;

    store_close(store);
    return hosts != NULL ? fenced_host_at(hosts, ip, error) : NULL;
}

static char **list(const store_options_t *options, GError **error)
{
    store_t *store = store_open(options, error);
    g_autoptr(GHashTable) values = store != NULL ? config_key_dump(store, REGISTRY_FENCE_PREFIX, error) : NULL;

    store_close(store);
    return values != NULL ? registry_fenced_hosts(values) : NULL;
}

/* This host ---------------------------------------------------------------------*/

#define HISTORY_TIMEOUT_S 10
#define NOTE_FILE UNDERSTUDY_RUN_DIR "/own-fence"
#define ATTRD_UPDATER "/usr/sbin/attrd_updater"
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

static gboolean successes_read(const char *name, char ***successes, GError **error)
{
    stonith_t *fencer = stonith_api_new();
    stonith_history_t *history = NULL;
    int rc = fencer != NULL ? stonith_api_connect_retry(fencer, "understudy", 1) : -ENOMEM;

    if (rc == pcmk_ok) {
        rc = fencer->cmds->history(fencer, st_opt_sync_call, name, &history, HISTORY_TIMEOUT_S);
        fencer->cmds->disconnect(fencer);
    }
    stonith_api_delete(fencer);
    if (rc != pcmk_ok) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "Pacemaker's fencer does not tell: %s",
                    pcmk_strerror(rc));
        return FALSE;
    }
    *successes = fence_history_successes(history);
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

/* registry_fence_t* of this host that are in force; NULL with an error. */
static GPtrArray *fences_read(store_t *store, const char *name, GError **error)
{
    g_autoptr(GHashTable) values = config_key_dump(store, REGISTRY_FENCE_PREFIX, error);

    return values != NULL ? registry_fences_in_force(values, name, error) : NULL;
}

static gboolean host_is_empty(GError **error)
{
    GError *look_error = NULL;
    g_autofree char *left = host_leftover_find(&look_error);

    if (left != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "this host is not unfenced as long as it has %s", left);
    } else if (look_error != NULL) {
        g_propagate_error(error, look_error);
    }
    return left == NULL && look_error == NULL;
}

static gboolean say_empty(const char *name, const store_options_t *options, own_fence_note_t *note, GError **error)
{
    g_autofree char *ids = g_strjoinv("\n", note->fence_ids);

    if (!host_is_empty(error) || !g_file_set_contents(REGISTRY_EMPTY_FILE, ids, -1, error)
        || !registry_publish(name, options, TRUE, NULL, error)) {
        return FALSE;
    }
    note->is_said = TRUE;
    return TRUE;
}

static gint64 boottime_s(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec;
}

typedef struct {
    const char *name;
    const store_options_t *options;
    const char *executor;
    char *boot_id;
    char **events;
} own_t;

/* The blocklist itself, for an operator may have taken off what a fence has recorded. */
static void refusal_take(store_t *store, guint fences, own_fence_note_t *note)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *address = fences > 0 ? store_own_address(store, &error) : NULL;
    g_autoptr(GHashTable) entries = address != NULL ? store_blocklist_list(store, &error) : NULL;
    gboolean is_listed = entries != NULL && store_blocklist_covers(entries, address);

    own_fence_take_refusal(note, fences, entries != NULL ? &is_listed : NULL);
    if (error != NULL) {
        g_message("whether the store refuses this host can't be known: %s", error->message);
    }
}

static gboolean step_take(const own_t *own, own_fence_note_t *note, own_fence_step_t *step, GError **error)
{
    store_t *store = store_open(own->options, error);
    g_autoptr(GPtrArray) fences = store != NULL ? fences_read(store, own->name, error) : NULL;

    if (fences != NULL) {
        *step = own_fence_step(note, fences, own->boot_id, own->executor, own->events, boottime_s());
        refusal_take(store, fences->len, note);
    }
    store_close(store);
    return fences != NULL;
}

/* What this makes of the record is known afterwards: once for each fence of somebody else's. */
static gboolean fence_again(const own_t *own, own_fence_note_t *note, guint timeout_s, GError **error)
{
    own_fence_step_t step = OWN_FENCE_NONE;

    return fence(own->name, timeout_s, error) && step_take(own, note, &step, error);
}

static gboolean look_and_act(const own_t *own, own_fence_note_t *note, guint timeout_s, GError **error)
{
    own_fence_step_t step = OWN_FENCE_NONE;

    if (!step_take(own, note, &step, error)) {
        return FALSE;
    }
    switch (step) {
        case OWN_FENCE_OUTLIVED:
            g_message("%s was fenced while it was frozen or cut off, and Pacemaker here was not told: having it fenced "
                      "again", own->name);
            return fence_again(own, note, timeout_s, error);
        case OWN_FENCE_SAY_EMPTY:
            return say_empty(own->name, own->options, note, error);
        default:
            return TRUE;
    }
}

static gboolean look(const char *name, const store_options_t *options, const char *executor, guint timeout_s,
                     gboolean *is_refused, GError **error)
{
    own_t own = { .name = name, .options = options, .executor = executor };
    g_autofree char *text = NULL;
    g_autofree char *after = NULL;
    g_autoptr(own_fence_note_t) note = NULL;
    g_auto(GStrv) events = NULL;
    g_autofree char *boot_id = NULL;
    gboolean good = TRUE;

    (void) g_file_get_contents(NOTE_FILE, &text, NULL, NULL);
    note = own_fence_note_parse(text != NULL ? text : "");
    *is_refused = note->is_refused;
    if (!successes_read(name, &events, error) || !g_file_get_contents(BOOT_ID_FILE, &boot_id, NULL, error)) {
        return FALSE;
    }
    if (!own_fence_must_look(note, executor, events)) {
        return TRUE;
    }
    own.events = events;
    own.boot_id = g_strstrip(boot_id);
    good = look_and_act(&own, note, timeout_s, error);
    *is_refused = note->is_refused;
    after = own_fence_note_text(note);
    g_mkdir_with_parents(UNDERSTUDY_RUN_DIR, 0755);
    return g_file_set_contents(NOTE_FILE, after, -1, good ? error : NULL) && good;
}

/* The holder of a claim ---------------------------------------------------------*/

static gboolean publish(const char *name, const store_options_t *options, GError **error)
{
    return registry_publish(name, options, FALSE, NULL, error);
}

/* NULL in *host without an error: it has published nothing that can be read. */
static gboolean host_find(const store_options_t *options, const char *name, registry_host_t **host, GError **error)
{
    g_autofree char *key = g_strconcat(REGISTRY_HOST_PREFIX, name, NULL);
    g_autofree char *json = NULL;
    g_autoptr(GError) get_error = NULL;
    store_t *store = store_open(options, error);

    *host = NULL;
    if (store == NULL) {
        return FALSE;
    }
    json = config_key_get(store, key, &get_error);
    store_close(store);
    if (json == NULL && !g_error_matches(get_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&get_error));
        return FALSE;
    }
    *host = json != NULL ? registry_host_parse(name, json, NULL) : NULL;
    return TRUE;
}

static gboolean boot_id_find(const store_options_t *options, const char *name, char **boot_id, GError **error)
{
    g_autoptr(registry_host_t) host = NULL;

    if (!host_find(options, name, &host, error)) {
        return FALSE;
    }
    *boot_id = host != NULL ? g_strdup(host->boot_id) : NULL;
    return TRUE;
}

static gboolean where(const store_options_t *options, const char *name, char ***addresses, GError **error)
{
    g_autoptr(registry_host_t) host = NULL;
    GPtrArray *texts = NULL;

    if (!host_find(options, name, &host, error)) {
        return FALSE;
    }
    texts = g_ptr_array_new();
    for (char **ip = host != NULL ? host->store_addresses : NULL; ip != NULL && *ip != NULL; ip++) {
        char *text = store_address_blocklist_text(*ip, NULL);

        if (text != NULL) {
            g_ptr_array_add(texts, text);
        }
    }
    g_ptr_array_add(texts, NULL);
    *addresses = (char **) g_ptr_array_free(texts, FALSE);
    return TRUE;
}

static cluster_state_t *cluster_read(const char *host, gboolean *fenced, GError **error)
{
    cib_connection_t *cib = cib_connection_open("understudy", error);
    xmlNode *xml = cib != NULL ? cib_connection_query(cib, error) : NULL;
    cluster_state_t *cluster = xml != NULL ? cluster_state_parse(xml, error) : NULL;

    *fenced = cluster != NULL && fenced_state_is_fenced(xml, host);
    cib_xml_free(xml);
    cib_connection_close(cib);
    return cluster;
}

static gboolean holder(const store_options_t *options, const char *name, const char *server, char **boot_id,
                       char **ended_start, gboolean *clean, gboolean *fenced, GError **error)
{
    cluster_state_t *cluster = NULL;
    gboolean known = FALSE;

    if (!boot_id_find(options, name, boot_id, error)) {
        return FALSE;
    }
    cluster = cluster_read(name, fenced, error);
    for (guint i = 0; cluster != NULL && i < cluster->hosts->len; i++) {
        const cluster_host_t *host = g_ptr_array_index(cluster->hosts, i);

        if (g_strcmp0(host->name, name) == 0) {
            *clean = cluster->quorate && host->clean;
            *fenced = *fenced && *clean;
            *ended_start = g_strdup(g_hash_table_lookup(host->ended, server));
        }
    }
    known = cluster != NULL;
    cluster_state_free(cluster);
    return known;
}

static gboolean tell_ended(const char *server, const char *start_id, guint timeout_ms, GError **error)
{
    g_autofree char *attribute = g_strconcat(ENDED_ATTRIBUTE_PREFIX, server, NULL);
    const char *argv[] = { ATTRD_UPDATER, "-n", attribute, "-U", start_id, NULL };

    return program_run(argv, timeout_ms, NULL, error);
}

const fenced_host_ops_t understudy_fenced_host_ops = {
    .find = find, .list = list, .look = look, .publish = publish, .holder = holder, .where = where,
    .tell_ended = tell_ended,
};
