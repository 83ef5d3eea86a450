/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the blocklist: put on, taken off, and looked for in the OSD map. */
#include "error.h"
#include "fence_private.h"

/* An entry that somebody else made is good enough if it lasts nearly as long as ours would. */
#define SPARE_TIME_S 86400

static gint64 wanted_until_s(const fence_call_t *call)
{
    return g_get_real_time() / G_USEC_PER_SEC + ocf_value_integer(call->values, "blocklist_time") - SPARE_TIME_S;
}

/* One entry, in a thread: entries that are asked for at once get into one OSD map, and each map takes up to a
 * second (paxos_propose_interval). */
typedef struct change {
    store_t *store;
    const char *entry;
    guint64 duration_s;   /* 0: take it off */
    GError *error;
} change_t;

static gpointer change_run(gpointer data)
{
    change_t *change = data;

    if (change->duration_s > 0) {
        (void) store_blocklist_add(change->store, change->entry, change->duration_s, &change->error);
    } else {
        (void) store_blocklist_remove(change->store, change->entry, &change->error);
    }
    return NULL;
}

static gboolean changes_run(fence_call_t *call, store_t *store, const GPtrArray *entries, guint64 duration_s,
                            GError **error)
{
    g_autofree change_t *changes = g_new0(change_t, entries->len + 1);
    g_autofree GThread **threads = g_new0(GThread *, entries->len + 1);
    gboolean good = TRUE;

    for (guint i = 0; i < entries->len; i++) {
        changes[i].store = store;
        changes[i].entry = g_ptr_array_index(entries, i);
        changes[i].duration_s = duration_s;
        threads[i] = g_thread_new("blocklist", change_run, &changes[i]);
    }
    for (guint i = 0; i < entries->len; i++) {
        g_thread_join(threads[i]);
        if (changes[i].error == NULL) {
            fence_say(call, FENCE_LOG_STEP, "%s is %s the blocklist", changes[i].entry, duration_s > 0 ? "on" : "off");
        } else if (good) {
            g_propagate_error(error, changes[i].error);
            good = FALSE;
        } else {
            g_error_free(changes[i].error);
        }
    }
    return good;
}

gboolean fence_entries_add(fence_call_t *call, const GPtrArray *entries, GError **error)
{
    return changes_run(call, call->store, entries, (guint64) ocf_value_integer(call->values, "blocklist_time"), error);
}

gboolean fence_entries_remove(fence_call_t *call, const GPtrArray *entries, GError **error)
{
    g_autoptr(GPtrArray) present = g_ptr_array_new();

    for (guint i = 0; i < entries->len; i++) {
        char *entry = g_ptr_array_index(entries, i);

        if (g_hash_table_contains(call->map->blocklist, entry)) {
            g_ptr_array_add(present, entry);
        }
    }
    return changes_run(call, call->unfence_store != NULL ? call->unfence_store : call->store, present, 0, error);
}

gboolean fence_entry_lasts(const fence_call_t *call, const char *entry)
{
    return store_map_entry_until_s(call->map, entry) >= wanted_until_s(call);
}

gboolean fence_entry_is_good(const fence_call_t *call, const char *entry)
{
    return fence_entry_is_whole(entry) ? fence_entry_lasts(call, entry)
                                       : g_hash_table_contains(call->map->blocklist, entry);
}

/* That the monitors said yes is not enough: the OSD map must say it. */
gboolean fence_entries_verify(fence_call_t *call, char **entries, GError **error)
{
    if (!fence_map_refresh(call, error)) {
        return FALSE;
    }
    for (char **entry = entries; *entry != NULL; entry++) {
        if (!fence_entry_is_good(call, *entry)) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                        "OSD map %" G_GINT64_FORMAT " does not hold %s for long enough: did somebody remove it?",
                        call->map->epoch, *entry);
            return FALSE;
        }
    }
    fence_say(call, FENCE_LOG_STEP, "OSD map %" G_GINT64_FORMAT " holds the entries", call->map->epoch);
    return TRUE;
}

