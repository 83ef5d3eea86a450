/* SPDX-License-Identifier: GPL-2.0-or-later */
/* off and on with method=blocklist. */
#include <string.h>

#include "error.h"
#include "fence_private.h"

#define POLL_INTERVAL_US (200 * 1000)
/* An entry that somebody else made is good enough if it lasts nearly as long as ours would. */
#define SPARE_TIME_S     86400

/* off --------------------------------------------------------------------------------*/

/* The record as it will be after this fence: what an earlier one that was killed has added stays in it. */
static gboolean record_begin(fence_call_t *call, fence_record_t **record, GError **error)
{
    g_autoptr(GError) parse_error = NULL;

    if (!fence_record_read(call, record, &parse_error)) {
        if (!g_error_matches(parse_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG)
            && !g_error_matches(parse_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED)) {
            g_propagate_error(error, g_steal_pointer(&parse_error));
            return FALSE;
        }
        fence_say(call, FENCE_LOG_NOTICE, "%s; it is written anew", parse_error->message);
    }
    if (*record == NULL) {
        *record = fence_record_new(call->target->name);
    }
    g_free((*record)->boot_id);
    (*record)->boot_id = g_strdup(call->target->boot_id != NULL ? call->target->boot_id : "");
    g_free((*record)->by);
    (*record)->by = g_strdup(call->site.own_name);
    (*record)->at_s = g_get_real_time() / G_USEC_PER_SEC;
    return TRUE;
}

static gint64 wanted_until_s(const fence_call_t *call)
{
    return g_get_real_time() / G_USEC_PER_SEC + ocf_value_integer(call->values, "blocklist_time") - SPARE_TIME_S;
}

/* Entries that are missing or end too soon are ours to add; an operator's own that last are left to him. */
static gboolean entries_add(fence_call_t *call, fence_record_t *record, char **entries, GError **error)
{
    guint64 duration_s = (guint64) ocf_value_integer(call->values, "blocklist_time");
    g_autoptr(GPtrArray) missing = g_ptr_array_new();

    for (char **entry = entries; *entry != NULL; entry++) {
        if (store_map_entry_until_s(call->map, *entry) < wanted_until_s(call)) {
            g_ptr_array_add(missing, *entry);
            fence_record_add(record, *entry);
        }
    }
    /* Also without a new entry: the boot id and the time are of this fence. */
    if (!fence_record_write(call, record, error)) {
        return FALSE;
    }
    for (guint i = 0; i < missing->len; i++) {
        if (!store_blocklist_add(call->store, g_ptr_array_index(missing, i), duration_s, error)) {
            return FALSE;
        }
        fence_say(call, FENCE_LOG_STEP, "%s is on the blocklist", (const char *) g_ptr_array_index(missing, i));
    }
    return TRUE;
}

/* That the monitors said yes is not enough: the OSD map must say it. */
static gboolean entries_verify(fence_call_t *call, char **entries, GError **error)
{
    if (!fence_map_refresh(call, error)) {
        return FALSE;
    }
    for (char **entry = entries; *entry != NULL; entry++) {
        if (store_map_entry_until_s(call->map, *entry) < wanted_until_s(call)) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                        "OSD map %" G_GINT64_FORMAT " does not hold %s for long enough: did somebody remove it?",
                        call->map->epoch, *entry);
            return FALSE;
        }
    }
    fence_say(call, FENCE_LOG_STEP, "OSD map %" G_GINT64_FORMAT " holds the entries", call->map->epoch);
    return TRUE;
}

/* Each exact client too: should the whole address be taken off by mistake, an old QEMU stays refused. */
static gboolean instances_add(fence_call_t *call, fence_record_t *record, const GPtrArray *instances, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_auto(GStrv) entries = NULL;

    for (guint i = 0; i < instances->len; i++) {
        const char *instance = g_ptr_array_index(instances, i);

        if (!g_hash_table_contains(call->map->blocklist, instance)) {
            g_strv_builder_add(builder, instance);
        }
    }
    entries = g_strv_builder_end(builder);
    return entries[0] == NULL
           || (entries_add(call, record, entries, error) && entries_verify(call, entries, error));
}

static gboolean headers_are_clear(const fence_look_t *look, GError **error)
{
    g_autofree char *watching = fence_texts_join(look->watching);
    g_autofree char *strangers = fence_texts_join(look->strangers);

    if (look->watching->len > 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "still open: %s", watching);
        return FALSE;
    }
    if (look->strangers->len > 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "%s: no known host has that address, so the registry or storage_addrs is wrong", strangers);
        return FALSE;
    }
    return TRUE;
}

/* One round. Headers whose OSD refuses us speak for themselves when we are the target. */
static gboolean headers_round(fence_call_t *call, store_pool_watch_t *watch, fence_record_t *record, GError **error)
{
    guint refused_count = 0;
    g_autoptr(fence_look_t) look = fence_headers_look(call, watch, &refused_count, error);

    if (look == NULL) {
        return FALSE;
    }
    if (refused_count > 0 && g_strcmp0(call->site.own_name, call->target->name) != 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "this host is on Ceph's blocklist itself and can't see the images' watchers");
        return FALSE;
    }
    return instances_add(call, record, look->instances, error) && headers_are_clear(look, error);
}

static gboolean headers_wait(fence_call_t *call, store_pool_watch_t *watch, fence_record_t *record, GError **error)
{
    GError *round_error = NULL;

    while (!headers_round(call, watch, record, &round_error)) {
        if (fence_remaining_ms(call) * 1000LL < POLL_INTERVAL_US) {
            g_propagate_prefixed_error(error, round_error, "%s is on the blocklist, but its end is not confirmed "
                                       "within power_timeout: ", call->target->name);
            return FALSE;
        }
        fence_say(call, FENCE_LOG_STEP, "%s", round_error->message);
        g_clear_error(&round_error);
        g_usleep(POLL_INTERVAL_US);
    }
    return TRUE;
}

static gboolean watchers_confirm(fence_call_t *call, fence_record_t *record, store_pool_watch_t *own_watch,
                                 GError **error)
{
    store_pool_watch_t *watch = own_watch;
    gboolean good = FALSE;

    if (watch == NULL) {
        watch = fence_headers_open(call, error);
    }
    good = watch != NULL && headers_wait(call, watch, record, error);
    if (good) {
        fence_say(call, FENCE_LOG_NOTICE,
                  "%s is fenced: OSD map %" G_GINT64_FORMAT " refuses it and none of %u images has a watcher from it; "
                  "the host may still be powered", call->target->name, call->map->epoch,
                  store_pool_watch_count(watch));
    }
    store_pool_watch_close(watch);
    return good;
}

gboolean fence_off(fence_call_t *call, GError **error)
{
    g_autoptr(fence_record_t) record = NULL;
    g_auto(GStrv) entries = NULL;
    gboolean is_self = FALSE;
    store_pool_watch_t *own_watch = NULL;

    if (!fence_call_open(call, FALSE, error) || !fence_call_find_target(call, error)
        || !fence_target_check(&call->site, call->target, call->map->daemon_ips, error)
        || !record_begin(call, &record, error)) {
        return FALSE;
    }
    entries = fence_entries(call->target);
    is_self = g_strcmp0(call->site.own_name, call->target->name) == 0;
    if (is_self) {
        /* Afterwards this host can't open them any more. */
        own_watch = fence_headers_open(call, error);
    }
    if ((is_self && own_watch == NULL) || !entries_add(call, record, entries, error)
        || !entries_verify(call, entries, error)) {
        store_pool_watch_close(own_watch);
        return FALSE;
    }
    return watchers_confirm(call, record, own_watch, error);
}

/* on ----------------------------------------------------------------------------------*/

/* Without a new boot id nobody knows what goes on there: wait for starts that were under way, then look. */
static gboolean host_make_empty(fence_call_t *call, const fence_record_t *record, GError **error)
{
    guint start_timeout_s = (guint) (ocf_value_duration_ms(call->values, "start_timeout") / 1000);
    gint64 wait_s = fence_lift_wait_s(record, g_get_real_time() / G_USEC_PER_SEC, start_timeout_s);
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
    if (wait_s * 1000 >= (gint64) fence_remaining_ms(call)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "%s has not booted since it was fenced, and a start of an image may still be under way there for "
                    "%" G_GINT64_FORMAT " s (start_timeout): unfence it then, or boot it", call->target->name, wait_s);
        return FALSE;
    }
    g_usleep((gulong) (wait_s * G_USEC_PER_SEC));
    uri = fence_options_libvirt_uri(call->values, address);
    if (!planes->leftovers_destroy(uri, pools, fence_remaining_ms(call), &destroyed, error)) {
        g_prefix_error(error, "%s has not booted since it was fenced, and what runs there is not known: ",
                       call->target->name);
        return FALSE;
    }
    names = g_strjoinv(", ", destroyed);
    fence_say(call, FENCE_LOG_NOTICE, "domains left on %s that were destroyed: %s", call->target->name,
              names[0] != '\0' ? names : "none");
    return TRUE;
}

static gboolean entries_remove(fence_call_t *call, const fence_record_t *record, GError **error)
{
    for (guint i = 0; i < record->entries->len; i++) {
        const char *entry = g_ptr_array_index(record->entries, i);

        if (g_hash_table_contains(call->map->blocklist, entry)
            && !store_blocklist_remove(call->store, entry, error)) {
            return FALSE;
        }
        fence_say(call, FENCE_LOG_STEP, "%s is off the blocklist", entry);
    }
    if (!fence_map_refresh(call, error)) {
        return FALSE;
    }
    if (fence_state(call->map, call->target) != FENCE_ON) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "OSD map %" G_GINT64_FORMAT " still refuses %s, by an entry that no fence has recorded: see "
                    "'ceph osd blocklist ls'", call->map->epoch, call->target->name);
        return FALSE;
    }
    return TRUE;
}

static gboolean foreign_entries(const fence_call_t *call, GError **error)
{
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                "%s is on the blocklist, but by no fence of this agent: if it may be taken off, do so with "
                "'ceph osd blocklist rm'", call->target->name);
    return FALSE;
}

gboolean fence_on(fence_call_t *call, GError **error)
{
    g_autoptr(fence_record_t) record = NULL;
    fence_lift_t lift = FENCE_LIFT_NOTHING;

    if (!fence_call_open(call, TRUE, error) || !fence_call_find_target(call, error)
        || !fence_record_read(call, &record, error)) {
        return FALSE;
    }
    lift = fence_lift_decide(record, call->target, fence_state(call->map, call->target));
    if (lift == FENCE_LIFT_FOREIGN) {
        return foreign_entries(call, error);
    }
    if (lift == FENCE_LIFT_NOTHING) {
        fence_say(call, FENCE_LOG_STEP, "%s is not fenced", call->target->name);
        return TRUE;
    }
    if ((lift == FENCE_LIFT_EMPTY_HOST && !host_make_empty(call, record, error))
        || !entries_remove(call, record, error) || !fence_record_drop(call, error)) {
        return FALSE;
    }
    fence_say(call, FENCE_LOG_NOTICE, "%s is unfenced (%s): OSD map %" G_GINT64_FORMAT " does not refuse it",
              call->target->name, lift == FENCE_LIFT_NEW_BOOT ? "it has booted since" : "nothing of ours is left on it",
              call->map->epoch);
    return TRUE;
}

/* status ------------------------------------------------------------------------------*/

fence_rc_t fence_status(fence_call_t *call, GError **error)
{
    static const fence_rc_t rcs[] = { [FENCE_ON] = FENCE_RC_OK, [FENCE_OFF] = FENCE_RC_OFF, [FENCE_MIXED] = FENCE_RC_FAILED };
    fence_state_t state = FENCE_MIXED;

    if (!fence_call_open(call, FALSE, error) || !fence_call_find_target(call, error)) {
        return FENCE_RC_FAILED;
    }
    state = fence_state(call->map, call->target);
    if (state == FENCE_MIXED) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "only some addresses of %s are on the blocklist: fence it again, or unfence it",
                    call->target->name);
    }
    return rcs[state];
}
