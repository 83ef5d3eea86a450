/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "group_private.h"

#include <string.h>

/* Corosync fragments what is longer than about 1 MiB; a part of a snapshot stays well below. */
#define SNAPSHOT_PART_BYTES (256 * 1024)

static void member_clear(gpointer data)
{
    g_free(((group_member_t *) data)->name);
}

group_t *group_new(guint32 node_id, const char *node_name, const group_ops_t *ops, gpointer user_data)
{
    group_t *group = g_new0(group_t, 1);

    group->node_id = node_id;
    group->node_name = g_strdup(node_name);
    group->ops = *ops;
    group->user_data = user_data;
    group->servers = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) group_server_free);
    group->members = g_array_new(FALSE, TRUE, sizeof(group_member_t));
    g_array_set_clear_func(group->members, member_clear);
    group->voters = g_new0(char *, 1);
    group->held_back = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
    group->incarnation = ((guint64) g_random_int() << 32) | g_random_int();
    return group;
}

void group_free(group_t *group)
{
    if (group == NULL) {
        return;
    }
    g_hash_table_unref(group->servers);
    g_clear_pointer(&group->stored_probes, g_hash_table_unref);
    g_array_unref(group->members);
    g_strfreev(group->voters);
    g_ptr_array_unref(group->held_back);
    g_clear_pointer(&group->snapshot, g_ptr_array_unref);
    g_free(group->node_name);
    g_free(group);
}

static void note(const group_t *group, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void note(const group_t *group, const char *format, ...)
{
    g_autofree char *sentence = NULL;
    va_list args;

    va_start(args, format);
    sentence = g_strdup_vprintf(format, args);
    va_end(args);
    group->ops.note(sentence, group->user_data);
}

void group_send(group_t *group, const message_t *message)
{
    g_autoptr(GBytes) bytes = message_encode(message);

    group->ops.send(bytes, group->user_data);
}

/* Members ---------------------------------------------------------------------*/

static group_member_t *find_member(const group_t *group, guint32 node_id)
{
    for (guint i = 0; i < group->members->len; i++) {
        group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (member->node_id == node_id) {
            return member;
        }
    }
    return NULL;
}

static gboolean is_quorate(const group_t *group)
{
    return group->ring_quorate && group->ring == group->quorum_ring;
}

/* The lowest member in sync: it tells its table to those who are not. */
static const group_member_t *sync_source(const group_t *group)
{
    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (member->hello && member->in_sync) {
            return member;
        }
    }
    return NULL;
}

/* Of the members in sync, the lowest of those that can do most. */
static const group_member_t *leader(const group_t *group)
{
    const group_member_t *best = NULL;

    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (member->hello && member->in_sync && (best == NULL || member->ability > best->ability)) {
            best = member;
        }
    }
    return best;
}

static void refresh_all(group_t *group, gint64 now_ms)
{
    GHashTableIter iter;
    gpointer server = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &server)) {
        group_server_refresh(group, server, now_ms);
    }
}

static void forget_leading_all(group_t *group)
{
    GHashTableIter iter;
    gpointer server = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &server)) {
        group_server_forget_leading(group, server);
    }
}

static void note_leader(group_t *group)
{
    const group_member_t *now = leader(group);
    guint32 node_id = (now != NULL) ? now->node_id : 0;

    if (node_id == group->leader_noted) {
        return;
    }
    if (group->leader_noted == group->node_id) {
        forget_leading_all(group); /* another one goes on; what is isolated twice is isolated */
    }
    group->leader_noted = node_id;
    if (now != NULL) {
        note(group, "%s leads the observers", now->name);
    } else {
        note(group, "The observers have no leader: nothing is decided until a majority of the hosts is in sync");
    }
}

static void drop_votes(group_t *group, guint32 node_id)
{
    GHashTableIter iter;
    gpointer server = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &server)) {
        group_server_drop_vote(server, node_id);
    }
}

static gboolean contains(const guint32 *node_ids, guint count, guint32 node_id)
{
    for (guint i = 0; i < count; i++) {
        if (node_ids[i] == node_id) {
            return TRUE;
        }
    }
    return FALSE;
}

static int compare_members(gconstpointer a, gconstpointer b)
{
    guint32 id_a = ((const group_member_t *) a)->node_id;
    guint32 id_b = ((const group_member_t *) b)->node_id;

    return (id_a > id_b) - (id_a < id_b);
}

static void say_hello(group_t *group)
{
    group->hello_due = TRUE;
    group->all_votes_due = TRUE;
}

void group_on_members(group_t *group, const guint32 *node_ids, guint count, gint64 now_ms)
{
    for (guint i = group->members->len; i > 0; i--) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i - 1);

        if (!contains(node_ids, count, member->node_id)) {
            note(group, "The observer of %s has left", member->name != NULL ? member->name : "a host");
            drop_votes(group, member->node_id);
            g_array_remove_index(group->members, i - 1);
        }
    }
    for (guint i = 0; i < count; i++) {
        group_member_t joined = { .node_id = node_ids[i] };

        if (find_member(group, node_ids[i]) == NULL) {
            g_array_append_val(group->members, joined);
            say_hello(group);
        }
    }
    g_array_sort(group->members, compare_members);
    group->members_since_ms = now_ms;
    refresh_all(group, now_ms);
    note_leader(group);
}

/* Quorum ----------------------------------------------------------------------*/

static void on_ring_settled(group_t *group)
{
    if (group->ring != group->quorum_ring || group->ring_quorate || !group->in_sync) {
        return;
    }
    /* Without quorum the others may decide without us: what we hold is history. */
    note(group, "Quorum is lost: nothing is decided here");
    group->in_sync = FALSE;
    group->incarnation++;
    group->hello_delivered = FALSE;
    g_ptr_array_set_size(group->held_back, 0);
    forget_leading_all(group);
    say_hello(group);
}

void group_on_ring(group_t *group, guint64 ring, gint64 now_ms)
{
    (void) now_ms;
    group->ring = ring;
    on_ring_settled(group);
}

void group_on_quorum(group_t *group, guint64 ring, gboolean quorate, gint64 now_ms)
{
    (void) now_ms;
    if (quorate && !group->ring_quorate) {
        note(group, "The cluster has quorum");
    }
    group->quorum_ring = ring;
    group->ring_quorate = quorate;
    on_ring_settled(group);
}

/* Synchronization -------------------------------------------------------------*/

static guint64 table_version(const group_t *group)
{
    guint64 version = 0;
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        version += ((const group_server_t *) value)->record.epoch;
    }
    return version;
}

static void send_hello(group_t *group)
{
    message_t message = { .type = MESSAGE_HELLO, .node = group->node_name, .incarnation = group->incarnation,
                          .version = table_version(group), .in_sync = group->in_sync, .ability = group->ability,
                          .blind = group->blind };

    group->hello_due = FALSE;
    group->blind_changed = FALSE;
    group_send(group, &message);
}

static GPtrArray *copy_takeovers(const history_t *history)
{
    const GPtrArray *takeovers = history_takeovers(history);
    GPtrArray *copies = g_ptr_array_new_with_free_func((GDestroyNotify) history_takeover_free);

    for (guint i = 0; i < takeovers->len; i++) {
        const history_takeover_t *takeover = g_ptr_array_index(takeovers, i);
        history_takeover_t *copy = history_takeover_new();

        for (guint j = 0; j < takeover->events->len; j++) {
            const history_event_t *event = g_ptr_array_index(takeover->events, j);

            history_takeover_append(copy, event->event, event->at_ms, event->host, event->detail);
        }
        copy->latched = takeover->latched;
        copy->closed = takeover->closed;
        g_ptr_array_add(copies, copy);
    }
    return copies;
}

static gsize entry_size_bytes(const message_entry_t *entry)
{
    gsize size_bytes = 128 + strlen(entry->record.reason != NULL ? entry->record.reason : "");

    for (guint i = 0; i < entry->takeovers->len; i++) {
        const history_takeover_t *takeover = g_ptr_array_index(entry->takeovers, i);

        size_bytes += 16;
        for (guint j = 0; j < takeover->events->len; j++) {
            const history_event_t *event = g_ptr_array_index(takeover->events, j);

            size_bytes += 48 + strlen(event->detail);
        }
    }
    return size_bytes;
}

static void send_snapshot_part(group_t *group, message_t *message)
{
    group_send(group, message);
    g_ptr_array_set_size(message->entries, 0);
    message->first = FALSE;
}

/* The table as it stands at this point of the stream of messages. */
static void send_snapshot(group_t *group, GArray *targets, gint64 now_ms)
{
    message_t message = { .type = MESSAGE_SNAPSHOT, .targets = targets, .first = TRUE,
                          .entries = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free) };
    gsize part_bytes = 0;
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const group_server_t *server = value;
        message_entry_t *entry = NULL;

        if (server->record.epoch == 0) {
            continue;
        }
        entry = message_entry_new(server->name, &server->record, MAX(0, now_ms - server->verdict_since_ms));
        entry->takeovers = copy_takeovers(server->history);
        if (part_bytes + entry_size_bytes(entry) > SNAPSHOT_PART_BYTES && message.entries->len > 0) {
            send_snapshot_part(group, &message);
            part_bytes = 0;
        }
        part_bytes += entry_size_bytes(entry);
        g_ptr_array_add(message.entries, entry);
    }
    message.last = TRUE;
    send_snapshot_part(group, &message);
    g_ptr_array_unref(message.entries);
}

/* Who begins if nobody is in sync: the newest table, then the lowest node id. */
static const group_member_t *elect(const group_t *group, gint64 now_ms)
{
    const group_member_t *best = NULL;

    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (!member->hello) {
            if (now_ms < group->members_since_ms + GROUP_HELLO_TIMEOUT_MS) {
                return NULL; /* it may know more */
            }
            continue;
        }
        if (best == NULL || member->version > best->version) {
            best = member;
        }
    }
    return best;
}

static void bring_into_sync(group_t *group, gint64 now_ms)
{
    const group_member_t *source = NULL;
    g_autoptr(GArray) targets = NULL;

    if (!is_quorate(group) || !group->hello_delivered) {
        return;
    }
    source = sync_source(group);
    if (source == NULL) {
        source = elect(group, now_ms);
    }
    if (source == NULL || source->node_id != group->node_id) {
        return;
    }
    targets = g_array_new(FALSE, FALSE, sizeof(guint64));
    for (guint i = 0; i < group->members->len; i++) {
        group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (member->hello && !member->in_sync && member->served != member->incarnation) {
            member->served = member->incarnation;
            g_array_append_val(targets, member->incarnation);
        }
    }
    if (targets->len > 0) {
        send_snapshot(group, targets, now_ms);
    }
}

/* What hangs on who is a member and in sync. */
static void follow_members(group_t *group, gint64 now_ms)
{
    refresh_all(group, now_ms);
    note_leader(group);
    bring_into_sync(group, now_ms);
}

static gboolean is_target(const message_t *message, guint64 incarnation)
{
    for (guint i = 0; i < message->targets->len; i++) {
        if (g_array_index(message->targets, guint64, i) == incarnation) {
            return TRUE;
        }
    }
    return FALSE;
}

static void dispatch(group_t *group, guint32 node_id, message_t *message, gint64 now_ms);

static void replay_held_back(group_t *group, gint64 now_ms)
{
    g_autoptr(GPtrArray) held_back = g_steal_pointer(&group->held_back);

    group->held_back = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
    for (guint i = 0; i < held_back->len; i++) {
        gsize size_bytes = 0;
        gconstpointer data = g_bytes_get_data(g_ptr_array_index(held_back, i), &size_bytes);
        message_t *message = message_decode(data, size_bytes, NULL);

        if (message != NULL) {
            dispatch(group, 0, message, now_ms);
            message_free(message);
        }
    }
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

static void keep_snapshot_part(group_t *group, guint32 node_id, message_t *message)
{
    if (message->first || group->snapshot == NULL || group->snapshot_node_id != node_id) {
        g_clear_pointer(&group->snapshot, g_ptr_array_unref);
        if (!message->first) {
            return; /* its beginning was for others */
        }
        group->snapshot = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free);
        group->snapshot_node_id = node_id;
    }
    while (message->entries->len > 0) {
        g_ptr_array_add(group->snapshot, g_ptr_array_steal_index(message->entries, 0));
    }
}

static void on_snapshot(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    gboolean is_for_us = !group->in_sync && group->hello_delivered && is_target(message, group->incarnation);

    if (is_for_us && node_id != group->node_id) {
        keep_snapshot_part(group, node_id, message);
        is_for_us = group->snapshot != NULL;
    }
    if (!message->last) {
        return;
    }
    for (guint i = 0; i < group->members->len; i++) {
        group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (member->hello && is_target(message, member->incarnation)) {
            member->in_sync = TRUE;
        }
    }
    if (is_for_us) {
        group->in_sync = TRUE;
        if (group->snapshot != NULL) {
            load_snapshot(group, now_ms);
            g_clear_pointer(&group->snapshot, g_ptr_array_unref);
        }
        replay_held_back(group, now_ms);
        note(group, "In sync with the other observers");
    }
    follow_members(group, now_ms);
}

static void on_hello(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    group_member_t *member = find_member(group, node_id);

    if (member == NULL) {
        return; /* it has left already */
    }
    if (node_id == group->node_id && message->incarnation == group->incarnation) {
        group->hello_delivered = TRUE;
    }
    if (node_id != group->node_id && (!member->hello || member->incarnation != message->incarnation)) {
        say_hello(group); /* a new process does not know us yet, even if its predecessor did */
    }
    g_free(member->name);
    member->name = g_strdup(message->node);
    member->in_sync = message->in_sync
                      || (member->hello && member->in_sync && member->incarnation == message->incarnation);
    member->hello = TRUE;
    member->incarnation = message->incarnation;
    member->version = message->version;
    member->ability = (group_ability_t) MIN(message->ability, (guint) GROUP_ABLE);
    member->blind = message->blind;
    follow_members(group, now_ms);
}

/* Messages --------------------------------------------------------------------*/

static void on_votes(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    group_member_t *member = find_member(group, node_id);

    if (member == NULL) {
        return;
    }
    member->blind = message->blind;
    for (guint i = 0; i < message->votes->len; i++) {
        const message_vote_t *vote = &g_array_index(message->votes, message_vote_t, i);
        group_server_t *server = group_server_get(group, vote->server); /* our CIB may show it only later */
        group_vote_t *known = NULL;

        if (vote->service == VOTE_NONE && vote->management == VOTE_NONE) {
            group_server_drop_vote(server, node_id); /* the sender no longer watches it */
            group_server_refresh(group, server, now_ms);
            continue;
        }
        known = group_server_vote(server, node_id);
        known->service = vote->service;
        known->management = vote->management;
        known->first_miss_wall_ms = vote->first_miss_wall_ms;
        known->probes_mark = vote->probes_mark;
        g_free(known->reason);
        known->reason = g_strdup(vote->reason);
        group_server_refresh(group, server, now_ms);
    }
}

static void on_ask(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    group_server_t *server = group_server_find(group, message->server);

    (void) node_id;
    if (server == NULL) {
        return;
    }
    server->asked_ms = VERDICT_NEVER;
    if (message->epoch != server->record.epoch) {
        return; /* of a leader that was superseded */
    }
    server->round = message->round;
    server->round_asked_ms = now_ms;
    group->ops.round_start(server->name, message->epoch, message->round, group->user_data);
}

static void on_answer(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    group_server_t *server = group_server_find(group, message->server);
    group_vote_t *vote = NULL;

    (void) now_ms;
    if (server == NULL || find_member(group, node_id) == NULL) {
        return;
    }
    vote = group_server_vote(server, node_id);
    vote->answer_epoch = message->epoch;
    vote->answer_round = message->round;
    vote->answer_service = message->service;
    vote->answer_management = message->management;
    vote->answer_mark = message->probes_mark;
}

static void on_record(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    (void) node_id;
    group_server_apply(group, group_server_get(group, message->server), &message->record, now_ms);
}

static void on_event(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    group_server_t *server = group_server_find(group, message->server);

    (void) node_id;
    (void) now_ms;
    if (server != NULL) {
        group_server_add_event(group, server, message->event, message->at_ms, message->host, message->detail);
    }
}

static void on_request(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    group_server_t *server = group_server_find(group, message->server);
    g_autofree char *refusal = verdict_request_refusal(message->request, message->server,
                                                       server != NULL ? &server->record : NULL);

    (void) now_ms;
    if (refusal == NULL && server != NULL) {
        server->request = message->request;
    }
    if (node_id == group->node_id) {
        group->ops.request_answered(message->request_id, refusal, group->user_data);
    }
}

static void on_forget(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    group_server_t *server = group_server_find(group, message->server);

    (void) node_id;
    if (server == NULL) {
        return;
    }
    group_server_load(group, server, NULL, now_ms);
    history_free(server->history);
    server->history = history_new();
    /* Some members drop the server here and some have it anew: votes begin anew for all. */
    g_array_set_size(server->votes, 0);
    server->own_vote_changed = server->own_vote.service != VOTE_NONE;
    if (!server->in_cib) {
        g_hash_table_remove(group->servers, server->name);
    }
}

static const struct {
    gboolean needs_sync; /* changes the table: held back until we are in sync */
    void (*handle)(group_t *group, guint32 node_id, message_t *message, gint64 now_ms);
} handlers[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] = { FALSE, on_hello },
    [MESSAGE_VOTES] = { FALSE, on_votes },
    [MESSAGE_ASK] = { TRUE, on_ask },
    [MESSAGE_ANSWER] = { FALSE, on_answer },
    [MESSAGE_RECORD] = { TRUE, on_record },
    [MESSAGE_EVENT] = { TRUE, on_event },
    [MESSAGE_REQUEST] = { TRUE, on_request },
    [MESSAGE_SNAPSHOT] = { FALSE, on_snapshot },
    [MESSAGE_FORGET] = { TRUE, on_forget },
};

static void dispatch(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    handlers[message->type].handle(group, node_id, message, now_ms);
}

void group_on_message(group_t *group, guint32 node_id, const void *data, gsize size_bytes, gint64 now_ms)
{
    g_autoptr(GError) error = NULL;
    message_t *message = message_decode(data, size_bytes, &error);

    if (message == NULL) {
        note(group, "%s", error->message);
        return;
    }
    if (!handlers[message->type].needs_sync || group->in_sync) {
        dispatch(group, node_id, message, now_ms);
    } else if (group->hello_delivered) {
        g_ptr_array_add(group->held_back, g_bytes_new(data, size_bytes));
    }
    message_free(message);
}

/* This host -------------------------------------------------------------------*/

void group_vote(group_t *group, const char *name, vote_t service, vote_t management, gint64 first_miss_wall_ms)
{
    group_server_t *server = group_server_get(group, name);
    message_vote_t *vote = &server->own_vote;

    if (vote->service == service && vote->management == management
        && vote->first_miss_wall_ms == first_miss_wall_ms) {
        return;
    }
    vote->service = service;
    vote->management = management;
    vote->first_miss_wall_ms = first_miss_wall_ms;
    server->own_vote_changed = TRUE;
}

void group_vote_reason(group_t *group, const char *name, const char *reason)
{
    group_server_t *server = group_server_get(group, name);

    if (g_strcmp0(server->own_reason, reason) != 0) {
        g_free(server->own_reason);
        server->own_reason = g_strdup(reason);
        server->own_vote.reason = server->own_reason;
        server->own_vote_changed = TRUE;
    }
}

void group_set_blind(group_t *group, gboolean blind)
{
    group->blind_changed = group->blind_changed || group->blind != blind;
    group->blind = blind;
}

static void send_votes(group_t *group)
{
    message_t message = { .type = MESSAGE_VOTES, .blind = group->blind,
                          .votes = g_array_new(FALSE, FALSE, sizeof(message_vote_t)) };
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        group_server_t *server = value;

        if (server->own_vote_changed || (group->all_votes_due && server->own_vote.service != VOTE_NONE)) {
            server->own_vote.probes_mark = server->config != NULL ? server->config->probes_mark : 0;
            g_array_append_val(message.votes, server->own_vote);
            server->own_vote_changed = FALSE;
        }
    }
    group->all_votes_due = FALSE;
    if (message.votes->len > 0 || group->blind_changed) {
        group->blind_changed = FALSE;
        group_send(group, &message);
    }
    g_array_unref(message.votes);
}

void group_answer(group_t *group, const char *server, guint64 epoch, guint32 round, vote_t service,
                  vote_t management)
{
    const group_server_t *known = group_server_find(group, server);
    message_t message = { .type = MESSAGE_ANSWER, .server = server, .epoch = epoch, .round = round,
                          .service = service, .management = management,
                          .probes_mark = known != NULL && known->config != NULL ? known->config->probes_mark : 0 };

    group_send(group, &message);
}

char *group_request_refusal(const group_t *group, const char *server, verdict_request_t request)
{
    const group_server_t *known = group_server_find(group, server);
    char *refusal = NULL;

    if (!group->in_sync || !is_quorate(group)) {
        return g_strdup("This host has no quorum, or its observer is not in sync yet: nothing can be decided here");
    }
    refusal = verdict_request_refusal(request, server, known != NULL ? &known->record : NULL);
    if (refusal == NULL && known != NULL && known->config == NULL) {
        refusal = g_strdup_printf("Server %s: %s", server,
                                  known->config_error != NULL ? known->config_error : "it has no configuration");
    }
    if (refusal == NULL && request == VERDICT_REQUEST_TAKEOVER && known != NULL && known->config != NULL
        && known->config->paused_until_ms > group->ops.wall_ms(group->user_data)) {
        refusal = g_strdup_printf("Server %s is paused: end that with understudy resume %s first", server, server);
    }
    if (refusal == NULL && known != NULL && known->site_fault != NULL && request == VERDICT_REQUEST_TAKEOVER) {
        refusal = g_strdup_printf("Server %s: %s", server, known->site_fault);
    }
    return refusal;
}

char *group_request(group_t *group, const char *server, verdict_request_t request, guint64 request_id)
{
    message_t message = { .type = MESSAGE_REQUEST, .server = server, .request = request, .request_id = request_id };
    char *refusal = group_request_refusal(group, server, request);

    if (refusal == NULL) {
        group_send(group, &message);
    }
    return refusal;
}

/* What the store remembers -------------------------------------------------------*/

void group_set_stored_probes(group_t *group, GHashTable *stored)
{
    GHashTableIter iter;
    gpointer server = NULL;
    gpointer digest = NULL;

    g_clear_pointer(&group->stored_probes, g_hash_table_unref);
    group->stored_probes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_iter_init(&iter, stored);
    while (g_hash_table_iter_next(&iter, &server, &digest)) {
        g_hash_table_insert(group->stored_probes, g_strdup(server), g_strdup(digest));
    }
}

GHashTable *group_unstored_probes(const group_t *group)
{
    GHashTable *unstored = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer value = NULL;

    if (!group_is_leader(group) || group->stored_probes == NULL) {
        return unstored;
    }
    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const group_server_t *server = value;
        const char *seen = server->record.seen_probes;

        if (server->in_cib && seen != NULL && seen[0] != '\0'
            && g_strcmp0(seen, g_hash_table_lookup(group->stored_probes, server->name)) != 0) {
            g_hash_table_insert(unstored, g_strdup(server->name), g_strdup(seen));
        }
    }
    return unstored;
}

gboolean group_has_unseen(const group_t *group)
{
    GHashTableIter iter;
    gpointer server = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &server)) {
        if (((const group_server_t *) server)->in_cib && group_server_is_unseen(group, server)) {
            return TRUE;
        }
    }
    return FALSE;
}

void group_load_takeover(group_t *group, const char *server, history_takeover_t *takeover)
{
    history_append_takeover(group_server_get(group, server)->history, takeover);
}

/* The CIB ---------------------------------------------------------------------*/

void group_cluster_begin(group_t *group)
{
    GHashTableIter iter;
    gpointer server = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &server)) {
        ((group_server_t *) server)->in_cib = FALSE;
    }
}

void group_cluster_voters(group_t *group, const char *const *names, guint minimum)
{
    g_strfreev(group->voters);
    group->voters = g_strdupv((char **) names);
    group->votes_minimum = minimum;
}

void group_cluster_server(group_t *group, const group_server_facts_t *facts, gint64 now_ms)
{
    group_server_t *server = group_server_get(group, facts->name);
    gboolean stopped = !facts->ticket_granted && facts->image == IMAGE_VIEW_STOPPED;

    server->in_cib = TRUE;
    if (facts->config != NULL) {
        server_config_free(server->config);
        server->config = facts->config;
    }
    if (g_strcmp0(server->config_error, facts->config_error) != 0) {
        g_free(server->config_error);
        server->config_error = g_strdup(facts->config_error);
    }
    g_clear_pointer(&server->refused_hosts, g_strfreev);
    if (facts->refused_hosts != NULL && facts->refused_hosts[0] != NULL) {
        server->refused_hosts = g_strdupv((char **) facts->refused_hosts);
        server->refused_since_ms = MIN(server->refused_since_ms, now_ms);
    } else {
        server->refused_since_ms = server->clean_up_tried_ms = VERDICT_NEVER;
    }
    if (g_strcmp0(server->held_back, facts->held_back) != 0) {
        g_free(server->held_back);
        server->held_back = g_strdup(facts->held_back);
        server->start_checked_ms = VERDICT_NEVER; /* whatever was said of it before */
    }
    if (g_strcmp0(server->site_fault, facts->site_fault) != 0) {
        g_free(server->site_fault);
        server->site_fault = g_strdup(facts->site_fault);
    }
    server->ticket_granted = facts->ticket_granted;
    server->image = facts->image;
    server->image_running = facts->image_running;
    if (g_strcmp0(server->image_host, facts->image_host) != 0) {
        g_free(server->image_host);
        server->image_host = g_strdup(facts->image_host);
    }
    if (!stopped) {
        server->image_stopped_since_ms = VERDICT_NEVER;
    } else if (server->image_stopped_since_ms == VERDICT_NEVER) {
        server->image_stopped_since_ms = now_ms;
    }
}

void group_cluster_end(group_t *group, gint64 now_ms)
{
    GHashTableIter iter;
    gpointer value = NULL;

    group->cluster_known = TRUE;
    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        group_server_t *server = value;

        group_server_refresh(group, server, now_ms); /* who is counted may have changed */
        if (!server->in_cib) {
            g_clear_pointer(&server->config, server_config_free);
            g_clear_pointer(&server->config_error, g_free);
            g_clear_pointer(&server->site_fault, g_free);
            if (server->record.epoch == 0 && server->votes->len == 0 && !server->own_vote_changed) {
                g_hash_table_iter_remove(&iter);
            }
        }
    }
}

void group_set_ability(group_t *group, group_ability_t ability)
{
    if (group->ability != ability) {
        group->ability = ability;
        group->hello_due = TRUE;
    }
}

void group_isolation_ended(group_t *group, const char *name, isolation_result_t result, const char *sentence,
                           gint64 now_ms)
{
    group_server_t *server = group_server_find(group, name);

    if (server == NULL || !server->isolation_running || server->record.verdict != VERDICT_ISOLATING) {
        return; /* another verdict, or another leader */
    }
    server->isolation_running = FALSE;
    server->isolation_attempts++;
    server->isolation_ended_ms = now_ms;
    server->isolation_result = result;
    g_free(server->isolation_sentence);
    server->isolation_sentence = g_strdup(sentence);
}

void group_start_checked(group_t *group, const char *name, const char *obstacle, gint64 now_ms)
{
    group_server_t *server = group_server_find(group, name);

    if (server == NULL || !server->start_check_runs) {
        return;
    }
    server->start_check_runs = FALSE;
    server->start_checked_ms = now_ms;
    server->start_possible = obstacle == NULL;
    g_free(server->start_obstacle);
    server->start_obstacle = g_strdup(obstacle);
}

char **group_servers_isolating(const group_t *group)
{
    GPtrArray *names = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const group_server_t *server = value;

        if (server->in_cib && server->record.epoch != 0 && server->record.verdict == VERDICT_ISOLATING) {
            g_ptr_array_add(names, g_strdup(server->name));
        }
    }
    g_ptr_array_add(names, NULL);
    return (char **) g_ptr_array_free(names, FALSE);
}

/* Running ---------------------------------------------------------------------*/

gboolean group_is_leader(const group_t *group)
{
    const group_member_t *now = leader(group);

    return group->in_sync && now != NULL && now->node_id == group->node_id;
}

gboolean group_in_sync(const group_t *group)
{
    return group->in_sync;
}

static void set_tickets(group_t *group, GPtrArray *names, gboolean granted)
{
    if (names->len > 0) {
        g_ptr_array_add(names, NULL);
        group->ops.tickets_set((const char *const *) names->pdata, granted, group->user_data);
    }
}

static gint64 lead(group_t *group, gint64 now_ms)
{
    g_autoptr(GPtrArray) grant = g_ptr_array_new();
    g_autoptr(GPtrArray) revoke = g_ptr_array_new();
    gint64 wake_ms = VERDICT_NEVER;
    GHashTableIter iter;
    gpointer server = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &server)) {
        wake_ms = MIN(wake_ms, group_server_lead(group, server, now_ms, grant, revoke));
    }
    /* What is due together is one change, so that Pacemaker spreads the images. */
    set_tickets(group, revoke, FALSE);
    set_tickets(group, grant, TRUE);
    return wake_ms;
}

/* TRUE if no member is left that may still introduce itself. */
static gboolean are_members_known(const group_t *group, gint64 now_ms)
{
    for (guint i = 0; i < group->members->len; i++) {
        if (!g_array_index(group->members, group_member_t, i).hello) {
            return now_ms >= group->members_since_ms + GROUP_HELLO_TIMEOUT_MS;
        }
    }
    return TRUE;
}

gint64 group_run(group_t *group, gint64 now_ms)
{
    if (group->members->len == 0 || group->ring != group->quorum_ring) {
        return VERDICT_NEVER; /* what holds of this ring is not known yet */
    }
    if (group->hello_due) {
        send_hello(group);
    }
    send_votes(group);
    if (!is_quorate(group)) {
        return VERDICT_NEVER;
    }
    bring_into_sync(group, now_ms);
    if (!are_members_known(group, now_ms)) {
        return group->members_since_ms + GROUP_HELLO_TIMEOUT_MS;
    }
    if (!group_is_leader(group)) {
        return VERDICT_NEVER;
    }
    return lead(group, now_ms);
}

const verdict_record_t *group_record(const group_t *group, const char *name)
{
    const group_server_t *server = group_server_find(group, name);

    return (server != NULL && server->record.epoch != 0) ? &server->record : NULL;
}

const history_t *group_history(const group_t *group, const char *name)
{
    const group_server_t *server = group_server_find(group, name);

    return (server != NULL) ? server->history : NULL;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return g_strcmp0(*(const char *const *) a, *(const char *const *) b);
}

static JsonArray *servers_to_json(const group_t *group)
{
    JsonArray *servers = json_array_new();
    guint count = 0;
    g_autofree gpointer *names = g_hash_table_get_keys_as_array(group->servers, &count);

    qsort(names, count, sizeof(gpointer), compare_names);
    for (guint i = 0; i < count; i++) {
        const group_server_t *server = group_server_find(group, names[i]);

        if (server->in_cib || server->record.epoch != 0) {
            json_array_add_object_element(servers, group_server_to_json(group, server));
        }
    }
    return servers;
}

void group_status_to_json(const group_t *group, JsonObject *object)
{
    JsonArray *members = json_array_new();
    const group_member_t *now = leader(group);

    json_object_set_string_member(object, "node", group->node_name);
    json_object_set_string_member(object, "leader", (group->in_sync && now != NULL) ? now->name : "");
    json_object_set_boolean_member(object, "in_sync", group->in_sync);
    json_object_set_boolean_member(object, "quorate", is_quorate(group));
    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);
        JsonObject *element = NULL;

        if (!member->hello) {
            continue;
        }
        element = json_object_new();
        json_object_set_string_member(element, "node", member->name);
        json_object_set_boolean_member(element, "blind", member->blind);
        json_object_set_boolean_member(element, "in_sync", member->in_sync);
        json_array_add_object_element(members, element);
    }
    json_object_set_array_member(object, "members", members);
    json_object_set_array_member(object, "servers", servers_to_json(group));
}
