/* SPDX-License-Identifier: GPL-2.0-or-later */
/* on with method=blocklist: a host is let in again, what it had open stays out. */
#include <string.h>

#include "base/error.h"
#include "fence_private.h"

/* Pacemaker gives up a host whose unfencing has failed ten times (stonith-max-attempts): these must together last until
 * it can succeed, the host's monitor interval included. Not longer each: it makes no new decision while an action is
 * under way. */
#define UNFENCE_ATTEMPTS 8
/* A failed attempt ends all that Pacemaker was about to do. What the host is to say its word with, the capacity agent, is
 * started at the same time, and must have been by then: else each attempt ends it before it has begun. */
#define UNFENCE_PACE_MIN_MS 5000

static void pace_attempts(const fence_call_t *call)
{
    guint64 pace_ms = MAX(ocf_value_duration_ms(call->values, "start_timeout") / UNFENCE_ATTEMPTS, UNFENCE_PACE_MIN_MS);

    g_usleep((gulong) MIN(pace_ms, fence_remaining_ms(call)) * 1000);
}

/* FALSE with an error also if the host was fenced again, or unfenced by somebody else, since the records were read. */
static gboolean records_are_current(fence_call_t *call, const fence_records_t *records, GError **error)
{
    g_autoptr(fence_records_t) now = fence_records_read(call, error);
    g_autoptr(GPtrArray) begun = now != NULL ? fence_records_newer(now, records) : NULL;
    g_autoptr(GPtrArray) ended = now != NULL ? fence_records_newer(records, now) : NULL;

    if (now == NULL) {
        return FALSE;
    }
    if (begun->len > 0 || ended->len > 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "%s was fenced or unfenced by somebody else meanwhile: what this unfencing went by does not hold any more",
                    call->target->name);
        return FALSE;
    }
    return TRUE;
}

/* What a domain is destroyed by must hold when it is: libvirt may answer late, and this process may have stood still. */
typedef struct lift {
    fence_call_t *call;
    const fence_records_t *records;
} lift_t;

static gboolean lift_holds(gpointer user_data, GError **error)
{
    const lift_t *lift = user_data;

    return records_are_current(lift->call, lift->records, error)
           && fence_in_time(lift->call, "libvirt did not answer", error);
}

/* libvirt ends what it knows of. */
static gboolean domains_end(fence_call_t *call, const fence_records_t *records, GError **error)
{
    lift_t lift = { call, records };
    const planes_ops_t *planes = planes_load(error);
    plane_members_t *members = planes != NULL ? planes->members_read(error) : NULL;
    g_autofree char *address = NULL;
    g_autofree char *uri = NULL;
    g_autofree char *names = NULL;
    g_auto(GStrv) pools = fence_options_pools(call->values);
    g_auto(GStrv) destroyed = NULL;

    if (members == NULL) {
        return FALSE;
    }
    address = fence_management_address(call, members, call->target->name, error);
    planes->members_free(members);
    if (address == NULL) {
        return FALSE;
    }
    uri = fence_options_libvirt_uri(call->values, address);
    if (!planes->leftovers_destroy(uri, pools, fence_remaining_ms(call), lift_holds, &lift, &destroyed, error)) {
        g_prefix_error(error, "%s has not booted since it was fenced, and what runs there is not known: ",
                       call->target->name);
        return FALSE;
    }
    names = g_strjoinv(", ", destroyed);
    fence_say(call, FENCE_LOG_NOTICE, "domains left on %s that were destroyed: %s", call->target->name,
              names[0] != '\0' ? names : "none");
    return TRUE;
}

static gint64 start_timeout_s(const fence_records_t *records)
{
    g_autoptr(GPtrArray) fences = fence_records_in_force(records);
    gint64 longest_s = 0;

    for (guint i = 0; i < fences->len; i++) {
        const fence_record_t *record = g_ptr_array_index(fences, i);

        longest_s = MAX(longest_s, record->start_timeout_s);
    }
    return longest_s;
}

/* Without a new boot id nobody else knows what goes on there: a QEMU that libvirt has lost is seen by the host alone. */
static gboolean host_make_empty(fence_call_t *call, const fence_records_t *records, GError **error)
{
    if (fence_state(call->map, call->target) == FENCE_ON && fence_host_is_empty(records, call->target)) {
        return TRUE; /* it was let in without these records: what runs there now was started since */
    }
    if (!domains_end(call, records, error)) {
        return FALSE;
    }
    if (fence_host_is_empty(records, call->target)) {
        return TRUE;
    }
    pace_attempts(call);
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                "%s has not booted since it was fenced, and has not said yet that no QEMU is left on it: its "
                "ocf:understudy:capacity does so %" G_GINT64_FORMAT " s (start_timeout) after it has seen the fence, if it "
                "may run there (meta requires=quorum); see its log, or boot the host",
                call->target->name, start_timeout_s(records));
    return FALSE;
}

/* Who has the images open now. *is_seen: FALSE if some OSD refuses this host itself. */
static fence_look_t *clients_look(fence_call_t *call, gboolean *is_seen, GError **error)
{
    store_pool_watch_t *watch = fence_headers_open(call, error);
    guint refused_count = 0;
    fence_look_t *look = watch != NULL ? fence_headers_look(call, watch, &refused_count, error) : NULL;

    store_pool_watch_close(watch);
    *is_seen = refused_count == 0;
    return look;
}

/* While all of the host is refused: an entry that Ceph has made for an hour is made to last. */
static gboolean clients_refuse(fence_call_t *call, const fence_record_t *record, GError **error)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new();

    for (guint i = 0; i < record->clients->len; i++) {
        const fence_client_t *client = g_ptr_array_index(record->clients, i);

        if (!fence_entry_lasts(call, client->entry)) {
            g_ptr_array_add(entries, client->entry);
        }
    }
    return fence_entries_renew(call, entries, error);
}

/* What stays of the fences when they are over: the clients, in a record of their own. */
static gboolean rest_write(fence_call_t *call, const fence_record_t *record, GError **error)
{
    g_autoptr(fence_record_t) rest = record->clients->len > 0 ? fence_record_rest(record) : NULL;

    return rest == NULL || fence_record_write(call, rest, error);
}

/* What stays is recorded before the entries go, and the fences' own records go after them: one that is killed in between
 * goes on from those. *gone: entries of clients that may go as well. */
static gboolean record_split(fence_call_t *call, fence_record_t *record, GPtrArray **gone, GError **error)
{
    gboolean is_seen = FALSE;
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    g_autoptr(fence_look_t) look = clients_look(call, &is_seen, error);
    gboolean is_refused = look != NULL && fence_state(call->map, call->target) == FENCE_OFF;

    if (look == NULL) {
        g_prefix_error(error, "which clients of %s the images' headers list is not known: ", call->target->name);
        return FALSE;
    }
    /* Once an address of it is let in, a client may be a new one. */
    fence_record_keep_clients(record, is_refused ? look->instances : none);
    (void) fence_clients_note(call, record);
    *gone = fence_record_take_gone(record, is_seen ? call->target->boot_id : NULL, look->listed);
    return rest_write(call, record, error) && (!is_refused || clients_refuse(call, record, error));
}

/* The host was fenced again while its entries were taken off. That fence makes sure of them before it says that the host is
 * fenced; but it may have said so already. */
static gboolean newer_fence_keep(fence_call_t *call, const fence_records_t *records, GError **error)
{
    g_autoptr(fence_records_t) now = fence_records_read(call, error);
    g_autoptr(GPtrArray) begun = now != NULL ? fence_records_newer(now, records) : NULL;
    g_auto(GStrv) entries = fence_entries(call->target);
    g_autoptr(fence_record_t) again = NULL;

    if (now == NULL) {
        return FALSE;
    }
    if (begun->len == 0) {
        return TRUE; /* nobody has fenced it */
    }
    again = fence_record_like(g_ptr_array_index(begun, 0));
    if (!fence_entries_put(call, again, entries, error) || !fence_entries_verify(call, entries, error)) {
        g_prefix_error(error, "%s was fenced again while it was unfenced, and could not be refused again: fence it once more: ",
                       call->target->name);
        return FALSE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                "%s was fenced again while it was unfenced: it stays fenced", call->target->name);
    return FALSE;
}

/* The records of the fences go last, those first that others have taken in. */
static gboolean records_end(fence_call_t *call, const fence_records_t *records, GError **error)
{
    g_autoptr(GPtrArray) rest = g_ptr_array_new();

    for (guint i = 0; i < records->keys->len; i++) {
        char *key = g_ptr_array_index(records->keys, i);

        if (!g_ptr_array_find_with_equal_func(records->superseded, key, g_str_equal, NULL)) {
            g_ptr_array_add(rest, key);
        }
    }
    return fence_records_drop(call, records->superseded, error) && fence_records_drop(call, rest, error);
}

static gboolean host_let_in(fence_call_t *call, const fence_records_t *records, fence_record_t *record, GError **error)
{
    g_autoptr(GPtrArray) gone = NULL;

    if (!record_split(call, record, &gone, error) || !records_are_current(call, records, error)
        || !fence_entries_remove(call, record->entries, error) || !fence_entries_remove(call, gone, error)
        || !fence_map_refresh(call, error) || !newer_fence_keep(call, records, error)) {
        return FALSE;
    }
    if (fence_state(call->map, call->target) != FENCE_ON) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "OSD map %" G_GINT64_FORMAT " still refuses %s, by an entry that no fence has recorded: see "
                    "'ceph osd blocklist ls'", call->map->epoch, call->target->name);
        return FALSE;
    }
    return records_end(call, records, error) && newer_fence_keep(call, records, error);
}

/* Entries of single clients do not pile up. What stays until the next time harms nobody. */
static gboolean clients_tidy(fence_call_t *call, const fence_records_t *records, fence_record_t *record, GError **error)
{
    gboolean is_changed = fence_clients_note(call, record) > 0 || records->keys->len > 1;
    g_autoptr(fence_look_t) look = NULL;
    g_autoptr(GPtrArray) gone = NULL;
    gboolean is_seen = FALSE;

    if (fence_record_may_shrink(record, call->target->boot_id)) {
        look = clients_look(call, &is_seen, error);
        if (look == NULL) {
            return FALSE;
        }
    }
    if (is_seen) {
        gone = fence_record_take_gone(record, call->target->boot_id, look->listed);
        is_changed |= gone->len > 0;
    }
    return !is_changed
           || (rest_write(call, record, error) && (gone == NULL || fence_entries_remove(call, gone, error))
               && records_end(call, records, error));
}

static void clients_tidy_or_say(fence_call_t *call, const fence_records_t *records, fence_record_t *record)
{
    g_autoptr(GError) error = NULL;

    if (!clients_tidy(call, records, record, &error)) {
        fence_say(call, FENCE_LOG_NOTICE, "entries of clients that %s had before it booted stay on the blocklist: %s",
                  call->target->name, error->message);
    }
}

static gboolean foreign_entries(const fence_call_t *call, GError **error)
{
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                "%s is on the blocklist, but by no fence of this agent: if it may be taken off, do so with "
                "'ceph osd blocklist rm'", call->target->name);
    return FALSE;
}

/* The records, and only then the boot: one that differs from theirs is a later one. */
static fence_records_t *records_read(fence_call_t *call, GError **error)
{
    g_autoptr(fence_records_t) records = fence_records_read(call, error);

    if (records != NULL && records->unreadable != NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, records->unreadable);
        return NULL;
    }
    return records != NULL && fence_call_read_boot(call, error) ? g_steal_pointer(&records) : NULL;
}

gboolean fence_on(fence_call_t *call, GError **error)
{
    g_autoptr(fence_records_t) records = NULL;
    g_autoptr(fence_record_t) record = NULL;
    fence_lift_t lift = FENCE_LIFT_NOTHING;

    if (!fence_call_open(call, error) || !fence_call_open_unfence(call, error) || !fence_call_find_target(call, error)) {
        return FALSE;
    }
    records = records_read(call, error);
    if (records == NULL) {
        return FALSE;
    }
    lift = fence_lift_decide(records, call->target, fence_state(call->map, call->target));
    if (lift == FENCE_LIFT_FOREIGN) {
        return foreign_entries(call, error);
    }
    record = fence_records_merge(records, call->target->boot_id);
    fence_record_keep_boots(record, records);
    if (lift == FENCE_LIFT_NOTHING) {
        fence_say(call, FENCE_LOG_STEP, "%s is not fenced", call->target->name);
        clients_tidy_or_say(call, records, record);
        return TRUE;
    }
    if ((lift == FENCE_LIFT_EMPTY_HOST && !host_make_empty(call, records, error))
        || !host_let_in(call, records, record, error)) {
        return FALSE;
    }
    fence_say(call, FENCE_LOG_NOTICE, "%s is unfenced (%s): OSD map %" G_GINT64_FORMAT " does not refuse it; single "
              "clients that stay refused: %u",
              call->target->name, lift == FENCE_LIFT_NEW_BOOT ? "it has booted since" : "nothing of ours is left on it",
              call->map->epoch, record->clients->len);
    return TRUE;
}
