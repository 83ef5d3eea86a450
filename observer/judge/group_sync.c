/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How all observers come to hold the same table, and stay so: group.h says how. */
#include "judge/group_private.h"

#include <string.h>

/* An agreement that does not come back is sent again; the next of those with the same table sends it if one does not. */
#define AGREE_MS 3000
/* A member that does not introduce itself may hold a newer table: Pacemaker's monitor ends a daemon that hangs sooner
 * than this. */
#define HANGS_MS 40000
/* A snapshot of which no part comes for so long is asked for again, of another member. */
#define WANT_MS 5000
/* What came back within this time was sent by a process that does not sleep: less than Corosync and the others need
 * to go on without us. */
#define AWAKE_MS 2000
/* The leader says this often that it lives. */
#define PULSE_MS 5000
/* A leader that says nothing for so long does not lead. */
#define SILENT_MS 16000

typedef struct {
    guint32 node_id;
    GBytes *bytes;
} group_held_t;

static void held_free(gpointer data)
{
    group_held_t *held = data;

    g_bytes_unref(held->bytes);
    g_free(held);
}

/* About what a server takes in a snapshot without its reason and takeover. */
#define ENTRY_BYTES 400

/* Stamps ----------------------------------------------------------------------*/

static int compare_servers(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const group_server_t *const *) a)->name, (*(const group_server_t *const *) b)->name);
}

/* Those with a record, by name; to be freed with g_ptr_array_unref(). */
static GPtrArray *table_servers(const group_t *group)
{
    GPtrArray *servers = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (((const group_server_t *) value)->record.epoch != 0) {
            g_ptr_array_add(servers, value);
        }
    }
    g_ptr_array_sort(servers, compare_servers);
    return servers;
}

static guint64 table_digest(const group_t *group)
{
    g_autoptr(GPtrArray) servers = table_servers(group);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);

    for (guint i = 0; i < servers->len; i++) {
        const group_server_t *server = g_ptr_array_index(servers, i);
        guchar request = (guchar) server->request;

        g_checksum_update(sum, (const guchar *) server->name, (gssize) strlen(server->name) + 1);
        message_record_digest(&server->record, sum);
        g_checksum_update(sum, &request, 1);
    }
    return message_digest_end(sum);
}

message_stamp_t group_stamp(const group_t *group)
{
    return (message_stamp_t) { group->generation, group->version, table_digest(group) };
}

static gboolean is_newer(const message_stamp_t *a, const message_stamp_t *b)
{
    return a->generation > b->generation || (a->generation == b->generation && a->version > b->version);
}

static gboolean is_same(const message_stamp_t *a, const message_stamp_t *b)
{
    return a->generation == b->generation && a->version == b->version && a->digest == b->digest;
}

/* In sync or not --------------------------------------------------------------*/

static void drop_want(group_t *group)
{
    group->want = 0;
    group->want_delivered = FALSE;
    g_clear_pointer(&group->snapshot, g_ptr_array_unref);
    g_clear_pointer(&group->held_back, g_ptr_array_unref);
}

static void fall_out(group_t *group)
{
    group_member_t *self = group_find_member(group, group->node_id);

    group->in_sync = FALSE;
    if (self != NULL) {
        self->in_sync = FALSE;
    }
    group->checked = 0;
    group->agree_sent_ms = VERDICT_NEVER;
    drop_want(group);
}

void group_sync_begin(group_t *group)
{
    fall_out(group);
    group->pulse_sent_ms = VERDICT_NEVER;
    group->awake_ms = VERDICT_NEVER;
}

void group_sync_lose(group_t *group)
{
    if (group->in_sync) {
        group_note(group, "Quorum is lost: nothing is decided here");
        group_say_hello(group);
    }
    group_forget_leading_all(group);
    group_sync_begin(group);
}

void group_sync_free(group_t *group)
{
    drop_want(group);
}

void group_sync_member_gone(group_t *group, guint32 node_id)
{
    if (group->want != 0 && group->want_source == node_id) {
        drop_want(group);
    }
}

static void become_in_sync(group_t *group)
{
    GHashTableIter iter;
    gpointer value = NULL;

    group->in_sync = TRUE;
    if (group->known != group->generation) {
        group->known = group->generation;
        group->ops.generation_agreed(group->generation, group->user_data);
    }
    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        group_server_t *server = value;

        /* What was on its way was of another generation. */
        server->proposed_ms = VERDICT_NEVER;
        server->asked_ms = VERDICT_NEVER;
    }
    group_say_hello(group);
    group_note(group, "In sync with the other observers");
}

/* Agreement: nobody is in sync ------------------------------------------------*/

static gboolean is_own_hello_delivered(const group_t *group)
{
    const group_member_t *self = group_find_member(group, group->node_id);

    return self != NULL && self->hello;
}

/* The newest table that any host here has held. */
static guint64 newest_known(const group_t *group)
{
    guint64 newest = group->known;

    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);

        newest = member->hello ? MAX(newest, member->known) : newest;
    }
    return newest;
}

/* The hosts that are here decided more than this table has, and have lost it: it must not come back. What the CIB
 * says of the tickets is newer. */
static void discard_table(group_t *group, gint64 now_ms)
{
    GHashTableIter iter;
    gpointer value = NULL;

    group_note(group, "The table of this observer is older than what this cluster has decided since: it begins anew");
    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        group_server_load(group, value, NULL, now_ms);
    }
    group->generation = 0;
    group->version = 0;
    group_say_hello(group);
}

/* When this member is to say which table it is; VERDICT_NEVER: another one has a newer one. */
static gint64 agree_due_ms(const group_t *group)
{
    message_stamp_t own = group_stamp(group);
    gint64 due_ms = group->members_since_ms;

    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (!member->hello || member->node_id == group->node_id) {
            continue;
        }
        if (is_newer(&member->stamp, &own)) {
            return VERDICT_NEVER; /* or it is about to discard it */
        }
        /* Of those with the same stamp the lowest begins, even if what they hold differs. */
        if (member->node_id < group->node_id && !is_newer(&own, &member->stamp)) {
            if (!is_same(&own, &member->stamp)) {
                return VERDICT_NEVER;
            }
            due_ms += AGREE_MS;
        }
    }
    return due_ms;
}

static gint64 agree(group_t *group, gint64 now_ms)
{
    gint64 due_ms = VERDICT_NEVER;
    message_t message = { .type = MESSAGE_AGREE, .ring = group->ring, .stamp = group_stamp(group) };

    if (group_is_member_unknown(group) && now_ms < group->members_since_ms + HANGS_MS) {
        return group->members_since_ms + HANGS_MS;
    }
    if (group->generation != 0 && group->generation < newest_known(group)) {
        discard_table(group, now_ms);
        return VERDICT_NEVER;
    }
    due_ms = agree_due_ms(group);
    if (group->agree_sent_ms != VERDICT_NEVER) {
        due_ms = MAX(due_ms, group->agree_sent_ms + AGREE_MS);
    }
    if (now_ms < due_ms) {
        return due_ms;
    }
    group->agree_sent_ms = now_ms;
    group_send(group, &message);
    return now_ms + AGREE_MS;
}

void group_sync_on_agree(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    message_stamp_t own = group_stamp(group);

    (void) node_id;
    if (message->ring != group->ring || group->in_sync || !is_own_hello_delivered(group)
        || !is_same(&message->stamp, &own)) {
        return;
    }
    drop_want(group);
    if (group->generation < group->ring) {
        group->generation = group->ring;
        group->version = 1;
    } else {
        group->version++; /* quorum was lost and is back in the same ring */
    }
    become_in_sync(group);
    group_follow_members(group, now_ms);
}

/* Snapshots: others are in sync -----------------------------------------------*/

/* First the leader, then the one after the one that was asked last. */
static const group_member_t *next_source(const group_t *group)
{
    const group_member_t *first = NULL;

    if (group->want_source == 0) {
        return group_leader(group);
    }
    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (member->hello && member->in_sync && !member->silent && member->node_id != group->node_id) {
            if (member->node_id > group->want_source) {
                return member;
            }
            first = (first != NULL) ? first : member;
        }
    }
    return first;
}

static gint64 want_snapshot(group_t *group, gint64 now_ms)
{
    const group_member_t *source = NULL;
    message_t message = { .type = MESSAGE_WANT };

    if (group->want != 0 && now_ms < group->want_ms + WANT_MS) {
        return group->want_ms + WANT_MS;
    }
    source = next_source(group);
    if (source == NULL) {
        return VERDICT_NEVER;
    }
    drop_want(group);
    group->want = ((guint64) g_random_int() << 32) | g_random_int() | 1;
    group->want_source = source->node_id;
    group->want_ms = now_ms;
    message.want = group->want;
    message.member = source->node_id;
    group_send(group, &message);
    return group->want_ms + WANT_MS;
}

static void send_part(group_t *group, message_t *message)
{
    group_send_paced(group, message);
    g_ptr_array_set_size(message->entries, 0);
    message->part++;
}

/* The table as it stands at this point of the stream of messages. */
static void send_snapshot(group_t *group, guint64 want, gint64 now_ms)
{
    g_autoptr(GPtrArray) servers = table_servers(group);
    message_t message = { .type = MESSAGE_SNAPSHOT, .want = want, .stamp = group_stamp(group),
                          .entries = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free) };
    gsize size_bytes = 0;

    for (guint i = 0; i < servers->len; i++) {
        const group_server_t *server = g_ptr_array_index(servers, i);
        message_entry_t *entry = message_entry_new(server->name, &server->record,
                                                   MAX(0, now_ms - server->verdict_since_ms));

        entry->request = server->request;
        group_pause_tell(server, entry, now_ms);
        if (history_current(server->history) != NULL) {
            entry->takeover = history_takeover_copy(history_current(server->history));
            size_bytes += group_takeover_bytes(entry->takeover);
        }
        g_ptr_array_add(message.entries, entry);
        size_bytes += ENTRY_BYTES + group_text_bytes(server->record.reason);
        if (size_bytes >= group->part_bytes && i + 1 < servers->len) {
            send_part(group, &message);
            size_bytes = 0;
        }
    }
    message.last = TRUE;
    send_part(group, &message);
    g_ptr_array_unref(message.entries);
}

void group_sync_on_want(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    if (node_id == group->node_id && message->want == group->want) {
        group->want_delivered = TRUE;
        group->want_part = 0;
        group->snapshot = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free);
        group->held_back = g_ptr_array_new_with_free_func(held_free);
    }
    if (message->member == group->node_id && node_id != group->node_id && group->in_sync) {
        send_snapshot(group, message->want, now_ms);
    }
}

void group_sync_hold_back(group_t *group, guint32 node_id, gconstpointer data, gsize size_bytes)
{
    group_held_t *held = NULL;

    if (!group->want_delivered) {
        return; /* what is asked for later has it already */
    }
    held = g_new0(group_held_t, 1);
    held->node_id = node_id;
    held->bytes = g_bytes_new(data, size_bytes);
    g_ptr_array_add(group->held_back, held);
}

static void load_snapshot(group_t *group, gint64 now_ms)
{
    GHashTableIter iter;
    gpointer value = NULL;
    g_autoptr(GHashTable) loaded = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < group->snapshot->len; i++) {
        message_entry_t *entry = g_ptr_array_index(group->snapshot, i);
        group_server_t *server = group_server_get(group, entry->server);

        group_server_load(group, server, entry, now_ms);
        g_hash_table_add(loaded, server->name);
    }
    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        group_server_t *server = value;

        if (!g_hash_table_contains(loaded, server->name) && server->record.epoch != 0) {
            group_server_load(group, server, NULL, now_ms);
        }
    }
}

static void replay(group_t *group, const GPtrArray *held_back, gint64 now_ms)
{
    for (guint i = 0; i < held_back->len; i++) {
        const group_held_t *held = g_ptr_array_index(held_back, i);
        gsize size_bytes = 0;
        gconstpointer data = g_bytes_get_data(held->bytes, &size_bytes);
        message_t *message = message_decode(data, size_bytes, NULL);

        if (message != NULL) {
            group_dispatch(group, held->node_id, message, now_ms);
            message_free(message);
        }
    }
}

/* All parts are here. What was held back changes it as it has changed the others'. */
static void use_snapshot(group_t *group, const message_stamp_t *stamp, gint64 now_ms)
{
    g_autoptr(GPtrArray) held_back = g_steal_pointer(&group->held_back);
    guint32 source = group->want_source;

    load_snapshot(group, now_ms);
    drop_want(group);
    group->generation = stamp->generation;
    group->version = stamp->version;
    become_in_sync(group);
    replay(group, held_back, now_ms);
    group->want_source = 0;
    group_history_ask(group, source);
    group_follow_members(group, now_ms);
}

void group_sync_on_snapshot(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    if (group->in_sync || !group->want_delivered || message->want != group->want || node_id != group->want_source) {
        return;
    }
    if (message->part != group->want_part) {
        drop_want(group); /* asked for again */
        return;
    }
    group->want_part++;
    group->want_ms = now_ms;
    while (message->entries->len > 0) {
        g_ptr_array_add(group->snapshot, g_ptr_array_steal_index(message->entries, 0));
    }
    if (message->last) {
        use_snapshot(group, &message->stamp, now_ms);
    }
}

static gboolean is_anybody_in_sync(const group_t *group)
{
    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (member->hello && member->in_sync) {
            return TRUE;
        }
    }
    return FALSE;
}

gint64 group_sync_run(group_t *group, gint64 now_ms)
{
    if (group->in_sync || !is_own_hello_delivered(group)) {
        return VERDICT_NEVER;
    }
    return is_anybody_in_sync(group) ? want_snapshot(group, now_ms) : agree(group, now_ms);
}

/* Pulses: who sleeps, and whose table differs ---------------------------------*/

gboolean group_is_awake(const group_t *group, gint64 now_ms)
{
    return group->awake_ms != VERDICT_NEVER && now_ms < group->awake_ms + AWAKE_MS;
}

gint64 group_wake(group_t *group, gint64 now_ms)
{
    message_t message = { .type = MESSAGE_PULSE, .incarnation = group->incarnation };

    if (group->pulse_sent_ms == VERDICT_NEVER || now_ms >= group->pulse_sent_ms + AWAKE_MS) {
        message.pulse = ++group->pulse;
        message.checked = (group->checked_member == group->node_id) ? group->checked : 0;
        message.digest = group->checked_digest;
        group->pulse_sent_ms = now_ms;
        group_send(group, &message);
    }
    return group->pulse_sent_ms + AWAKE_MS;
}

gint64 group_pulse_run(group_t *group, gint64 now_ms)
{
    const group_member_t *now = group_leader(group);
    gint64 due_ms = VERDICT_NEVER;

    if (!group->in_sync || now == NULL) {
        return VERDICT_NEVER;
    }
    if (now->node_id == group->node_id) {
        due_ms = group->leader_heard_ms + PULSE_MS;
        return (now_ms < due_ms) ? due_ms : group_wake(group, now_ms);
    }
    due_ms = group->leader_heard_ms + SILENT_MS;
    if (group->silent_said_ms != VERDICT_NEVER) {
        due_ms = MAX(due_ms, group->silent_said_ms + AWAKE_MS);
    }
    if (now_ms < due_ms) {
        return due_ms;
    }
    if (!group_is_awake(group, now_ms)) {
        return group_wake(group, now_ms); /* it may be us who slept */
    }
    group->silent_said_ms = now_ms;
    group_send(group, &(message_t) { .type = MESSAGE_SILENT, .member = now->node_id,
                                     .incarnation = now->incarnation });
    return now_ms + AWAKE_MS;
}

static void check_table(group_t *group, guint32 node_id, const message_t *message, gint64 now_ms)
{
    gboolean differs = message->checked != 0 && message->checked == group->checked && node_id == group->checked_member
                       && message->digest != group->checked_digest;

    if (differs && node_id != group->node_id) {
        group_note(group, "The table of this observer differs from the leader's: it is asked for again");
        fall_out(group);
        group->want_source = 0;
        group_say_hello(group);
        group_follow_members(group, now_ms);
        return;
    }
    group->checked = message->pulse;
    group->checked_member = node_id;
    group->checked_digest = table_digest(group);
}

void group_on_pulse(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    const group_member_t *now = group_leader(group);

    if (node_id == group->node_id && message->incarnation == group->incarnation && message->pulse == group->pulse
        && group->pulse_sent_ms != VERDICT_NEVER) {
        group->awake_ms = group->pulse_sent_ms;
        group->pulse_sent_ms = VERDICT_NEVER;
    }
    if (now == NULL || now->node_id != node_id || now->incarnation != message->incarnation) {
        return;
    }
    group->leader_heard_ms = now_ms;
    if (group->in_sync) {
        check_table(group, node_id, message, now_ms);
    }
}

void group_on_silent(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    group_member_t *member = group_find_member(group, message->member);

    (void) node_id;
    if (member == NULL || member->incarnation != message->incarnation) {
        return;
    }
    if (member->node_id == group->node_id) {
        group_say_hello(group); /* we are awake again */
    }
    group_note(group, "The observer of %s says nothing: it does not lead", member->name);
    member->silent = TRUE;
    group_follow_members(group, now_ms);
}
