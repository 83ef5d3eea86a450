/* SPDX-License-Identifier: GPL-2.0-or-later */
/* off and status with method=blocklist. */
#include <string.h>

#include "base/error.h"
#include "fence_private.h"

#define POLL_INTERVAL_US (200 * 1000)
/* How long a fence waits for the clients' exact addresses: more than a healthy store takes. */
#define FORELOOK_MS      500

/* off --------------------------------------------------------------------------------*/

static void text_replace(char **field, const char *text)
{
    g_free(*field);
    *field = g_strdup(text != NULL ? text : "");
}

/* What the host's own word, or its next boot, must be of. */
static void record_be_new(const fence_call_t *call, fence_record_t *record)
{
    g_free(record->id);
    record->id = g_uuid_string_random();
    text_replace(&record->boot_id, call->target->boot_id);
    record->at_s = g_get_real_time() / G_USEC_PER_SEC;
}

/* The record as it will be after this fence: what earlier ones have added, one that was killed too, is in it. *old: those. */
static gboolean record_begin(fence_call_t *call, fence_record_t **record, fence_records_t **old, GError **error)
{
    *old = fence_records_read(call, error);
    if (*old == NULL) {
        return FALSE;
    }
    if ((*old)->unreadable != NULL) {
        fence_say(call, FENCE_LOG_NOTICE, "%s; it is written anew", (*old)->unreadable);
    }
    *record = fence_records_merge(*old, NULL);
    fence_record_take_in(*record, *old);
    record_be_new(call, *record);
    text_replace(&(*record)->by, call->site.own_name);
    (*record)->start_timeout_s = (gint64) (ocf_value_duration_ms(call->values, "start_timeout") / 1000);
    (void) fence_clients_note(call, *record);
    return TRUE;
}

/* Records do not pile up while a host is fenced again and again. One goes when a fence that was there before this one had
 * taken it in already: the fence that it is of is over then. What stays harms nobody. */
static void records_tidy(fence_call_t *call, fence_records_t *old)
{
    g_autoptr(GError) error = NULL;
    gboolean good = TRUE;

    if (old->superseded->len > 0) {
        good = fence_call_open_unfence(call, &error) && fence_records_drop(call, old->superseded, &error);
    }
    g_ptr_array_set_size(old->superseded, 0);
    /* This fence itself goes on as who may fence, and no more. */
    store_close(g_steal_pointer(&call->unfence_store));
    if (!good) {
        fence_say(call, FENCE_LOG_STEP, "records of earlier fences of %s stay: %s", call->target->name, error->message);
    }
}

/* Clients that were not seen before the fence. */
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
           || (fence_entries_put(call, record, entries, error) && fence_entries_verify(call, entries, error));
}

/* Who the store refuses is nobody, however long a header lists it. */
static void ghosts_say(const fence_call_t *call, const fence_look_t *look)
{
    g_autofree char *ghosts = fence_texts_join(look->ghosts);

    if (look->ghosts->len > 0) {
        fence_say(call, FENCE_LOG_STEP, "listed still, but refused by OSD map %" G_GINT64_FORMAT ": %s",
                  call->map->epoch, ghosts);
    }
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

/* A look before the fence ----------------------------------------------------------------*/

/* Opening the headers takes round trips to OSDs that may be ill: it must not hold up the fence. */
typedef struct forelook {
    fence_call_t *call;
    GThread *thread;
    GAsyncQueue *ended;        /* gets one element when the thread has done its work */
    gboolean is_over;          /* that element was taken */
    store_pool_watch_t *watch; /* NULL: not opened */
    fence_look_t *look;        /* NULL: not seen */
    GError *error;
} forelook_t;

static gpointer forelook_run(gpointer data)
{
    forelook_t *forelook = data;
    guint refused_count = 0;

    forelook->watch = fence_headers_open(forelook->call, &forelook->error);
    if (forelook->watch != NULL) {
        forelook->look = fence_headers_glance(forelook->call, forelook->watch, &refused_count, &forelook->error);
    }
    g_async_queue_push(forelook->ended, forelook);
    return NULL;
}

static void forelook_start(forelook_t *forelook, fence_call_t *call)
{
    memset(forelook, 0, sizeof *forelook);
    forelook->call = call;
    forelook->ended = g_async_queue_new();
    forelook->thread = g_thread_new("forelook", forelook_run, forelook);
}

static gboolean forelook_wait(forelook_t *forelook, guint timeout_ms)
{
    if (!forelook->is_over) {
        forelook->is_over = g_async_queue_timeout_pop(forelook->ended, (guint64) timeout_ms * 1000) != NULL;
    }
    return forelook->is_over;
}

/* How long it may be waited for. What is under way then has the store's time-out: its end is waited for, too. */
static guint forelook_patience_ms(const fence_call_t *call)
{
    guint store_ms = (guint) ocf_value_duration_ms(call->values, "store_timeout");
    guint left_ms = fence_remaining_ms(call);

    return left_ms > store_ms ? left_ms - store_ms : 0;
}

/* Every operation of the store has its deadline: this ends. */
static void forelook_end(forelook_t *forelook)
{
    g_thread_join(forelook->thread);
    g_async_queue_unref(forelook->ended);
    store_pool_watch_close(forelook->watch);
    fence_look_free(forelook->look);
    g_clear_error(&forelook->error);
}

/* Each exact client too: should the whole address be taken off by mistake, an old QEMU stays refused. */
static char **all_entries(const fence_call_t *call, const fence_look_t *look)
{
    g_auto(GStrv) whole = fence_entries(call->target);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    g_strv_builder_addv(builder, (const char **) whole);
    for (guint i = 0; look != NULL && i < look->instances->len; i++) {
        g_strv_builder_add(builder, g_ptr_array_index(look->instances, i));
    }
    return g_strv_builder_end(builder);
}

/* Confirmation ---------------------------------------------------------------------------*/

/* One round. Headers whose OSD refuses us speak for themselves when we are the target. */
static gboolean headers_round(fence_call_t *call, forelook_t *forelook, fence_record_t *record, GError **error)
{
    guint refused_count = 0;
    g_autoptr(fence_look_t) look = NULL;

    if (forelook->watch == NULL) { /* the OSDs did not answer then */
        forelook->watch = fence_headers_open(call, error);
    }
    look = forelook->watch != NULL ? fence_headers_look(call, forelook->watch, &refused_count, error) : NULL;
    if (look == NULL) {
        return FALSE;
    }
    if (refused_count > 0 && g_strcmp0(call->site.own_name, call->target->name) != 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "this host is on Ceph's blocklist itself and can't see the images' watchers");
        return FALSE;
    }
    ghosts_say(call, look);
    return instances_add(call, record, look->instances, error) && headers_are_clear(look, error);
}

static gboolean headers_wait(fence_call_t *call, forelook_t *forelook, fence_record_t *record, GError **error)
{
    GError *round_error = NULL;

    if (!forelook_wait(forelook, forelook_patience_ms(call))) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT,
                    "%s is on the blocklist, but the OSDs do not tell who has the images open", call->target->name);
        return FALSE;
    }
    for (gint64 begun_us = g_get_monotonic_time(); !headers_round(call, forelook, record, &round_error);
         begun_us = g_get_monotonic_time()) {
        gint64 took_us = g_get_monotonic_time() - begun_us;

        /* A round takes as long as the one before: seconds, if an OSD does not answer. */
        if (fence_remaining_ms(call) * 1000LL < POLL_INTERVAL_US + took_us) {
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

static gboolean has_record(const fence_records_t *records, const fence_record_t *record)
{
    for (guint i = 0; i < records->keys->len; i++) {
        if (strcmp(g_ptr_array_index(records->keys, i), record->key) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

/* Entries and record as this fence has made them, by the newest map that it has read. An unfencing that was under way when
 * it began may have taken them away since; and a host that has booted since was not refused from its boot on. */
static gboolean fence_stands(fence_call_t *call, const fence_record_t *record, char **entries, gboolean *stands,
                             GError **error)
{
    g_autoptr(fence_records_t) now = NULL;

    *stands = FALSE;
    if (fence_entries_missing(call, entries) != NULL) {
        return TRUE;
    }
    now = fence_call_read_boot(call, error) ? fence_records_read(call, error) : NULL;
    if (now == NULL) {
        return FALSE;
    }
    *stands = has_record(now, record)
              && strcmp(record->boot_id, call->target->boot_id != NULL ? call->target->boot_id : "") == 0;
    return TRUE;
}

/* The map is read again: the record may have told it, and the map is of before. */
static gboolean fence_begin_anew(fence_call_t *call, fence_record_t *record, GError **error)
{
    if (!fence_in_time(call, "unfenced or booted while it was fenced, and not fenced once more", error)) {
        g_prefix_error(error, "%s was ", call->target->name);
        return FALSE;
    }
    fence_say(call, FENCE_LOG_NOTICE, "%s was unfenced or booted while it was fenced: it is fenced once more",
              call->target->name);
    record_be_new(call, record);
    return fence_map_refresh(call, error);
}

/* Until an unfencing has not come in between: who was let in for a moment may have opened an image again. Another fence
 * has a record of its own. */
static gboolean fence_make_stand(fence_call_t *call, forelook_t *forelook, fence_record_t *record, char **entries,
                                 fence_records_t *old, GError **error)
{
    gboolean stands = FALSE;

    while (!stands) {
        if (!fence_entries_put(call, record, entries, error) || !fence_entries_verify(call, entries, error)) {
            return FALSE;
        }
        records_tidy(call, old);
        if (!headers_wait(call, forelook, record, error) || !fence_stands(call, record, entries, &stands, error)
            || (!stands && !fence_begin_anew(call, record, error))) {
            return FALSE;
        }
    }
    fence_say(call, FENCE_LOG_NOTICE,
              "%s is fenced: OSD map %" G_GINT64_FORMAT " refuses it, and by that map none of %u images has a watcher "
              "from it that can write; the host may still be powered", call->target->name, call->map->epoch,
              store_pool_watch_count(forelook->watch));
    return TRUE;
}

static gboolean off_with_forelook(fence_call_t *call, forelook_t *forelook, GError **error)
{
    gboolean is_self = g_strcmp0(call->site.own_name, call->target->name) == 0;
    gboolean is_brief = fence_is_brief(call);
    gboolean has_looked = forelook_wait(forelook, is_self || is_brief ? forelook_patience_ms(call) : FORELOOK_MS);
    g_autoptr(fence_record_t) record = NULL;
    g_autoptr(fence_records_t) old = NULL;
    g_auto(GStrv) entries = NULL;

    if (is_self && forelook->look == NULL) {
        /* Afterwards this host could not see them any more. */
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "this host does not fence itself: it could not see its end%s%s", has_looked ? ": " : "",
                    has_looked && forelook->error != NULL ? forelook->error->message : "");
        return FALSE;
    }
    if (is_brief && (!has_looked || forelook->look == NULL)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "%s is on the blocklist for too short a time, and is not put there anew while it is not known who of it "
                    "has images open%s%s", call->target->name, has_looked ? ": " : "",
                    has_looked && forelook->error != NULL ? forelook->error->message : "");
        return FALSE;
    }
    entries = all_entries(call, has_looked ? forelook->look : NULL);
    return record_begin(call, &record, &old, error) && fence_make_stand(call, forelook, record, entries, old, error);
}

/* Who is refused could write the entries, but never confirm them: better to fail at once and let another host do it. */
static gboolean own_sight_check(const fence_call_t *call, GError **error)
{
    g_autofree char *own_entry = g_strconcat(call->site.own_ip, ":0/0", NULL);

    if (!g_hash_table_contains(call->map->blocklist, own_entry)
        || g_strcmp0(call->site.own_name, call->target->name) == 0) {
        return TRUE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                "this host is on Ceph's blocklist itself and can't see the images' watchers: unfence it, or restart "
                "Pacemaker on it");
    return FALSE;
}

gboolean fence_off(fence_call_t *call, GError **error)
{
    forelook_t forelook;
    gboolean good = FALSE;

    if (!fence_call_open(call, error) || !fence_call_find_target(call, error) || !own_sight_check(call, error)
        || !fence_target_check(&call->site, call->target, call->map->daemon_ips, error)) {
        return FALSE;
    }
    forelook_start(&forelook, call);
    good = off_with_forelook(call, &forelook, error);
    forelook_end(&forelook);
    return good;
}

/* status ------------------------------------------------------------------------------*/

fence_rc_t fence_status(fence_call_t *call, GError **error)
{
    static const fence_rc_t rcs[] = { [FENCE_ON] = FENCE_RC_OK, [FENCE_OFF] = FENCE_RC_OFF, [FENCE_MIXED] = FENCE_RC_FAILED };
    fence_state_t state = FENCE_MIXED;

    if (!fence_call_open(call, error) || !fence_call_find_target(call, error)) {
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
