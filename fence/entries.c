/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the blocklist: put on, taken off, and looked for in the OSD map. */
#include "base/error.h"
#include "fence_private.h"

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
    return store_map_entry_lasts(call->map, entry, (guint64) ocf_value_integer(call->values, "blocklist_time"));
}

gboolean fence_entry_is_good(const fence_call_t *call, const char *entry)
{
    return fence_entry_is_whole(entry) ? fence_entry_lasts(call, entry)
                                       : g_hash_table_contains(call->map->blocklist, entry);
}

const char *fence_entries_missing(const fence_call_t *call, char **entries)
{
    for (char **entry = entries; *entry != NULL; entry++) {
        if (!fence_entry_is_good(call, *entry)) {
            return *entry;
        }
    }
    return NULL;
}

/* That the monitors said yes is not enough: the OSD map must say it. */
gboolean fence_entries_verify(fence_call_t *call, char **entries, GError **error)
{
    const char *missing = NULL;

    if (!fence_map_refresh(call, error)) {
        return FALSE;
    }
    missing = fence_entries_missing(call, entries);
    if (missing != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "OSD map %" G_GINT64_FORMAT " does not hold %s for long enough: did somebody remove it?",
                    call->map->epoch, missing);
        return FALSE;
    }
    fence_say(call, FENCE_LOG_STEP, "OSD map %" G_GINT64_FORMAT " holds the entries", call->map->epoch);
    return TRUE;
}

gboolean fence_entries_renew(fence_call_t *call, const GPtrArray *entries, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_auto(GStrv) all = NULL;

    for (guint i = 0; i < entries->len; i++) {
        g_strv_builder_add(builder, g_ptr_array_index(entries, i));
    }
    all = g_strv_builder_end(builder);
    return entries->len == 0
           || (fence_entries_remove(call, entries, error) && fence_entries_add(call, entries, error)
               && fence_entries_verify(call, all, error));
}

gboolean fence_is_brief(const fence_call_t *call)
{
    g_auto(GStrv) wholes = fence_entries(call->target);

    for (char **whole = wholes; *whole != NULL; whole++) {
        if (g_hash_table_contains(call->map->blocklist, *whole) && !fence_entry_lasts(call, *whole)) {
            return TRUE;
        }
    }
    return FALSE;
}

guint fence_clients_note(const fence_call_t *call, fence_record_t *record)
{
    g_autoptr(GPtrArray) present = fence_clients_in(call->map, call->target);

    return fence_record_note_clients(record, present, call->target->boot_id);
}

/* All clients of the target that have an entry of their own, which an hour's of Ceph's would end for. */
static gboolean clients_renew(fence_call_t *call, fence_record_t *record, GError **error)
{
    g_autoptr(GPtrArray) brief = NULL;

    if (!fence_map_refresh(call, error)) {
        return FALSE;
    }
    brief = fence_clients_in(call->map, call->target);
    for (guint i = brief->len; i > 0; i--) {
        if (fence_entry_lasts(call, g_ptr_array_index(brief, i - 1))) {
            g_ptr_array_remove_index(brief, i - 1);
        } else {
            fence_record_add(record, g_ptr_array_index(brief, i - 1));
        }
    }
    return brief->len == 0 || (fence_record_write(call, record, error) && fence_entries_renew(call, brief, error));
}

/* What can't be taken off is an operator's still. */
static void record_give_back(fence_call_t *call, fence_record_t *record, const GPtrArray *entries)
{
    for (guint i = 0; i < entries->len; i++) {
        fence_record_remove(record, g_ptr_array_index(entries, i));
    }
    (void) fence_record_write(call, record, NULL);
}

static void prefix_brief(const fence_call_t *call, GError **error)
{
    g_prefix_error(error, "%s is on the blocklist already, but for too short a time; take it off with 'ceph osd blocklist rm' "
                   "and fence again: ", call->target->name);
}

/* Nothing but the two changes of the map lies between the address's leaving and its coming back. */
static gboolean wholes_replace(fence_call_t *call, fence_record_t *record, const GPtrArray *brief, GError **error)
{
    g_autoptr(GPtrArray) added = g_ptr_array_new();

    if (!clients_renew(call, record, error)) {
        prefix_brief(call, error);
        return FALSE;
    }
    for (guint i = 0; i < brief->len; i++) {
        if (fence_record_add(record, g_ptr_array_index(brief, i))) {
            g_ptr_array_add(added, g_ptr_array_index(brief, i));
        }
    }
    if (!fence_record_write(call, record, error)) {
        return FALSE;
    }
    if (!fence_entries_remove(call, brief, error)) {
        record_give_back(call, record, added);
        prefix_brief(call, error);
        return FALSE;
    }
    return fence_entries_add(call, brief, error);
}

gboolean fence_entries_put(fence_call_t *call, fence_record_t *record, char **entries, GError **error)
{
    g_autoptr(GPtrArray) missing = g_ptr_array_new();
    g_autoptr(GPtrArray) brief = g_ptr_array_new();

    for (char **entry = entries; *entry != NULL; entry++) {
        if (fence_entry_is_good(call, *entry)) {
            continue;
        }
        if (g_hash_table_contains(call->map->blocklist, *entry)) {
            g_ptr_array_add(brief, *entry);
        } else {
            g_ptr_array_add(missing, *entry);
            fence_record_add(record, *entry);
        }
    }
    /* Also without a new entry: the boot id and the time are of this fence. */
    return fence_record_write(call, record, error) && fence_entries_add(call, missing, error)
           && (brief->len == 0 || wholes_replace(call, record, brief, error));
}
