/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/group_private.h"

/* A HELLO that does not come is asked for this often. */
#define HELLO_ASK_MS 3000
/* A paced message: Corosync sends it in a dozen packets. */
#define PART_BYTES (16 * 1024)

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
    group->incarnation = ((guint64) g_random_int() << 32) | g_random_int();
    group->serial = group->incarnation;
    group->fencing_looked_ms = VERDICT_NEVER;
    group->part_bytes = PART_BYTES;
    group->outbox = g_queue_new();
    group->histories = g_queue_new();
    group->history_parts = g_queue_new();
    group->hello_asked_ms = VERDICT_NEVER;
    group->silent_said_ms = VERDICT_NEVER;
    group->pause_ended_ms = VERDICT_NEVER;
    group_sync_begin(group);
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
    group_sync_free(group);
    group_outbox_free(group);
    g_free(group->node_name);
    g_free(group);
}

void group_note(const group_t *group, const char *format, ...)
{
    g_autofree char *sentence = NULL;
    va_list args;

    va_start(args, format);
    sentence = g_strdup_vprintf(format, args);
    va_end(args);
    group->ops.note(sentence, group->user_data);
}

/* Members ---------------------------------------------------------------------*/

group_member_t *group_find_member(const group_t *group, guint32 node_id)
{
    for (guint i = 0; i < group->members->len; i++) {
        group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (member->node_id == node_id) {
            return member;
        }
    }
    return NULL;
}

gboolean group_is_quorate(const group_t *group)
{
    return group->ring_quorate && group->ring == group->quorum_ring;
}

const group_member_t *group_leader(const group_t *group)
{
    const group_member_t *best = NULL;

    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (member->hello && member->in_sync && !member->silent
            && (best == NULL || member->ability > best->ability)) {
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

void group_forget_leading_all(group_t *group)
{
    GHashTableIter iter;
    gpointer server = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &server)) {
        group_server_forget_leading(group, server);
    }
}

/* While it is agreed who is in sync nobody leads: who led before goes on with what he has under way. */
static void note_leader(group_t *group, gint64 now_ms)
{
    const group_member_t *now = group_leader(group);

    if (now == NULL || now->node_id == group->leader_noted) {
        return;
    }
    if (group->leader_noted == group->node_id) {
        group_forget_leading_all(group); /* another one goes on; what is isolated twice is isolated */
    }
    group->leader_noted = now->node_id;
    group->leader_heard_ms = now_ms;
    group_note(group, "%s leads the observers", now->name);
}

void group_follow_members(group_t *group, gint64 now_ms)
{
    refresh_all(group, now_ms);
    note_leader(group, now_ms);
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

void group_say_hello(group_t *group)
{
    group->hello_due = TRUE;
    group->all_votes_due = TRUE;
}

gboolean group_is_member_unknown(const group_t *group)
{
    for (guint i = 0; i < group->members->len; i++) {
        if (!g_array_index(group->members, group_member_t, i).hello) {
            return TRUE;
        }
    }
    return FALSE;
}

void group_on_members(group_t *group, const guint32 *node_ids, guint count, gint64 now_ms)
{
    for (guint i = group->members->len; i > 0; i--) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i - 1);

        if (!contains(node_ids, count, member->node_id)) {
            group_note(group, "The observer of %s has left", member->name != NULL ? member->name : "a host");
            drop_votes(group, member->node_id);
            group_sync_member_gone(group, member->node_id);
            g_array_remove_index(group->members, i - 1);
        }
    }
    for (guint i = 0; i < count; i++) {
        group_member_t joined = { .node_id = node_ids[i] };

        if (group_find_member(group, node_ids[i]) == NULL) {
            g_array_append_val(group->members, joined);
            group_say_hello(group);
        }
    }
    g_array_sort(group->members, compare_members);
    group->members_since_ms = now_ms;
    group_follow_members(group, now_ms);
}

void group_on_ring(group_t *group, guint64 ring, gint64 now_ms)
{
    if (group->ring == ring) {
        return;
    }
    group->ring = ring;
    /* What was said in another ring may be of before a partition. */
    for (guint i = 0; i < group->members->len; i++) {
        group_member_t *member = &g_array_index(group->members, group_member_t, i);

        member->hello = FALSE;
        member->in_sync = FALSE;
    }
    group->members_since_ms = now_ms;
    group_sync_begin(group);
    group_say_hello(group);
    group_follow_members(group, now_ms);
}

void group_on_quorum(group_t *group, guint64 ring, gboolean quorate, gint64 now_ms)
{
    if (quorate && !group->ring_quorate) {
        group_note(group, "The cluster has quorum");
    }
    group->quorum_ring = ring;
    group->ring_quorate = quorate;
    if (!quorate) {
        group_sync_lose(group); /* whatever ring it is said of: it may be said late */
        group_follow_members(group, now_ms);
    }
}

/* Introductions -----------------------------------------------------------------*/

static void send_hello(group_t *group, gboolean asks_who)
{
    message_t message = { .type = MESSAGE_HELLO, .node = group->node_name, .ring = group->ring,
                          .incarnation = group->incarnation, .stamp = group_stamp(group), .known = group->known,
                          .in_sync = group->in_sync,
                          .ability = group->ability, .asks_who = asks_who, .blind = group->blind };

    group->hello_due = FALSE;
    group->blind_changed = FALSE;
    group_send(group, &message);
}

static void on_hello(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    group_member_t *member = group_find_member(group, node_id);

    if (member == NULL || message->ring != group->ring) {
        return; /* it has left already, or says it again in this ring */
    }
    if (node_id == group->node_id && message->incarnation != group->incarnation) {
        return; /* of the process before this one */
    }
    if (member->incarnation != message->incarnation) {
        group_sync_member_gone(group, node_id);
        member->silent = FALSE;
    }
    /* A new process does not know us yet, even if its predecessor did. */
    if (node_id != group->node_id
        && (!member->hello || member->incarnation != message->incarnation || message->asks_who)) {
        group_say_hello(group);
    }
    g_free(member->name);
    member->name = g_strdup(message->node);
    member->hello = TRUE;
    member->silent = FALSE;
    member->in_sync = message->in_sync && (node_id != group->node_id || group->in_sync);
    member->incarnation = message->incarnation;
    member->stamp = message->stamp;
    member->known = message->known;
    member->ability = (group_ability_t) MIN(message->ability, (guint) GROUP_ABLE);
    member->blind = message->blind;
    group_follow_members(group, now_ms);
}

/* Somebody's HELLO may have been lost between two rings. */
static gint64 ask_who(group_t *group, gint64 now_ms)
{
    for (guint i = 0; i < group->members->len; i++) {
        if (!g_array_index(group->members, group_member_t, i).hello) {
            if (group->hello_asked_ms == VERDICT_NEVER || now_ms >= group->hello_asked_ms + HELLO_ASK_MS) {
                group->hello_asked_ms = now_ms;
                send_hello(group, TRUE);
            }
            return group->hello_asked_ms + HELLO_ASK_MS;
        }
    }
    group->hello_asked_ms = VERDICT_NEVER;
    return VERDICT_NEVER;
}

/* Messages --------------------------------------------------------------------*/

static void on_votes(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    group_member_t *member = group_find_member(group, node_id);

    if (member == NULL) {
        return;
    }
    member->blind = message->blind;
    for (guint i = 0; i < message->votes->len; i++) {
        const message_vote_t *vote = &g_array_index(message->votes, message_vote_t, i);
        group_server_t *server = group_server_get(group, vote->server); /* our CIB may show it only later */
        group_vote_t *known = NULL;

        if (vote->service == VOTE_NONE && vote->management == VOTE_NONE && vote->paused_until_ms == 0) {
            group_server_drop_vote(server, node_id); /* the sender no longer watches it */
            group_server_refresh(group, server, now_ms);
            continue;
        }
        known = group_server_vote(server, node_id);
        known->service = vote->service;
        known->management = vote->management;
        known->first_miss_wall_ms = vote->first_miss_wall_ms;
        known->probes_mark = vote->probes_mark;
        known->pause_from_ms = vote->pause_from_ms;
        known->paused_until_ms = vote->paused_until_ms;
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
    if (server == NULL || group_find_member(group, node_id) == NULL) {
        return;
    }
    vote = group_server_vote(server, node_id);
    vote->answer_epoch = message->epoch;
    vote->answer_round = message->round;
    vote->answer_service = message->service;
    vote->answer_management = message->management;
    vote->answer_mark = message->probes_mark;
}

/* The answers that there is room did not know of this one. */
static void forget_room(group_t *group, const group_server_t *taken_by)
{
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        group_server_t *server = value;

        if (server == taken_by) {
            continue;
        }
        server->start_check_is_old = server->start_check_runs;
        if (server->start_possible) {
            server->start_checked_ms = VERDICT_NEVER;
        }
    }
}

static void on_record(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    group_server_t *server = group_server_get(group, message->server);
    verdict_t before = server->record.verdict;

    (void) node_id;
    group_server_apply(group, server, &message->record, now_ms);
    /* An operator's takeover is asked about on any host, and nobody has kept its room until now. */
    if (server->record.verdict == VERDICT_ISOLATING && before != VERDICT_ISOLATING && server->record.by_operator) {
        forget_room(group, server);
    }
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

/* Something to tell the others of. */
static gboolean has_vote(const group_server_t *server)
{
    return server->own_vote.service != VOTE_NONE || server->own_vote.paused_until_ms != 0;
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
    server->own_vote_changed = has_vote(server);
    if (!server->in_cib) {
        g_hash_table_remove(group->servers, server->name);
    }
}

static const struct {
    gboolean is_change;     /* of the table: held back until we are in sync */
    gboolean of_generation; /* ignored in another one than that in which it was sent */
    gboolean is_paced;
    void (*handle)(group_t *group, guint32 node_id, message_t *message, gint64 now_ms);
} handlers[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] = { FALSE, FALSE, FALSE, on_hello },
    [MESSAGE_AGREE] = { FALSE, FALSE, FALSE, group_sync_on_agree },
    [MESSAGE_WANT] = { FALSE, FALSE, FALSE, group_sync_on_want },
    [MESSAGE_SNAPSHOT] = { FALSE, FALSE, TRUE, group_sync_on_snapshot },
    [MESSAGE_PULSE] = { FALSE, FALSE, FALSE, group_on_pulse },
    [MESSAGE_SILENT] = { FALSE, FALSE, FALSE, group_on_silent },
    [MESSAGE_VOTES] = { FALSE, FALSE, TRUE, on_votes },
    [MESSAGE_ASK] = { TRUE, TRUE, FALSE, on_ask },
    [MESSAGE_ANSWER] = { FALSE, FALSE, FALSE, on_answer },
    [MESSAGE_RECORD] = { TRUE, TRUE, FALSE, on_record },
    [MESSAGE_EVENT] = { TRUE, FALSE, FALSE, on_event },
    [MESSAGE_REQUEST] = { TRUE, FALSE, FALSE, on_request },
    [MESSAGE_FORGET] = { TRUE, TRUE, FALSE, on_forget },
    [MESSAGE_HISTORY_ASK] = { FALSE, FALSE, TRUE, group_on_history_ask },
    [MESSAGE_HISTORY] = { FALSE, FALSE, TRUE, group_on_history },
};

void group_dispatch(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    if (handlers[message->type].is_change) {
        group->version++;
    }
    if (!handlers[message->type].of_generation || message->stamp.generation == group->generation) {
        handlers[message->type].handle(group, node_id, message, now_ms);
    }
}

void group_on_message(group_t *group, guint32 node_id, const void *data, gsize size_bytes, gint64 now_ms)
{
    g_autoptr(GError) error = NULL;
    message_t *message = message_decode(data, size_bytes, &error);

    if (message == NULL) {
        group_note(group, "%s", error->message);
        return;
    }
    if (handlers[message->type].is_paced && node_id == group->node_id) {
        group_outbox_delivered(group, message->serial);
    }
    if (!handlers[message->type].is_change || group->in_sync) {
        group_dispatch(group, node_id, message, now_ms);
    } else {
        group_sync_hold_back(group, node_id, data, size_bytes);
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

/* About what one vote without its reason takes in a message. */
#define VOTE_BYTES 160

static void send_votes(group_t *group)
{
    message_t message = { .type = MESSAGE_VOTES, .blind = group->blind,
                          .votes = g_array_new(FALSE, FALSE, sizeof(message_vote_t)) };
    GHashTableIter iter;
    gpointer value = NULL;
    gsize size_bytes = 0;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        group_server_t *server = value;

        if (!server->own_vote_changed && !(group->all_votes_due && has_vote(server))) {
            continue;
        }
        server->own_vote.probes_mark = server->config != NULL ? server->config->probes_mark : 0;
        g_array_append_val(message.votes, server->own_vote);
        server->own_vote_changed = FALSE;
        size_bytes += VOTE_BYTES + group_text_bytes(server->own_vote.reason);
        if (size_bytes >= group->part_bytes) {
            group_send_paced(group, &message);
            g_array_set_size(message.votes, 0);
            size_bytes = 0;
        }
    }
    group->all_votes_due = FALSE;
    if (message.votes->len > 0 || group->blind_changed) {
        group->blind_changed = FALSE;
        group_send_paced(group, &message);
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

char *group_request_refusal(const group_t *group, const char *server, verdict_request_t request, gint64 now_ms)
{
    const group_server_t *known = group_server_find(group, server);
    char *refusal = NULL;

    if (!group->in_sync || !group_is_quorate(group)) {
        return g_strdup("This host has no quorum, or its observer is not in sync yet: nothing can be decided here");
    }
    refusal = verdict_request_refusal(request, server, known != NULL ? &known->record : NULL);
    if (request == VERDICT_REQUEST_RELEASE && known != NULL && known->config != NULL
        && verdict_resumes_hold(known->config, &known->record)) {
        g_free(refusal);
        refusal = g_strdup_printf("Server %s: its held image has not been started again yet; understudy hold %s --off lets "
                                  "the original serve instead", server, server);
    }
    if (refusal == NULL && known != NULL && known->config == NULL) {
        refusal = g_strdup_printf("Server %s: %s", server,
                                  known->config_error != NULL ? known->config_error : "it has no configuration");
    }
    if (refusal == NULL && request == VERDICT_REQUEST_TAKEOVER && known != NULL && group_pause_is_on(known, now_ms)) {
        refusal = g_strdup_printf("Server %s is paused: end that with understudy resume %s first", server, server);
    }
    if (refusal == NULL && known != NULL && known->site_fault != NULL && request == VERDICT_REQUEST_TAKEOVER) {
        refusal = g_strdup_printf("Server %s: %s", server, known->site_fault);
    }
    return refusal;
}

char *group_request(group_t *group, const char *server, verdict_request_t request, guint64 request_id, gint64 now_ms)
{
    message_t message = { .type = MESSAGE_REQUEST, .server = server, .request = request, .request_id = request_id };
    char *refusal = group_request_refusal(group, server, request, now_ms);

    if (refusal == NULL) {
        group_send(group, &message);
    }
    return refusal;
}

void group_set_known(group_t *group, guint64 generation)
{
    group->known = generation;
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

/* A server that is adopted again, say by an old configuration, was not held when all observers were ended: nothing of it was
 * known then. */
static void read_held_takeover(const group_t *group, group_server_t *server, server_config_t *config)
{
    if (!config->held_takeover) {
        server->held_is_old = FALSE;
    } else if (group->cluster_known && !server->was_in_cib) {
        server->held_is_old = TRUE;
    }
    if (server->held_is_old) {
        config->held_takeover = FALSE;
    }
}

void group_cluster_server(group_t *group, const group_server_facts_t *facts, gint64 now_ms)
{
    group_server_t *server = group_server_get(group, facts->name);
    gboolean was_read = server->config != NULL;
    gboolean stopped = !facts->ticket_granted && facts->image == IMAGE_VIEW_STOPPED;

    server->in_cib = TRUE;
    if (facts->config != NULL) {
        if (server->config != NULL && server->config->probes_mark != facts->config->probes_mark
            && server->own_vote.service != VOTE_NONE) {
            /* On other probes: it says nothing of these. */
            server->own_vote.service = VOTE_NONE;
            server->own_vote_changed = TRUE;
        }
        server_config_free(server->config);
        server->config = facts->config;
        read_held_takeover(group, server, server->config);
        group_pause_read(group, server, was_read, now_ms);
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

        server->was_in_cib = server->in_cib;
        group_server_refresh(group, server, now_ms); /* who is counted may have changed */
        if (!server->in_cib) {
            g_clear_pointer(&server->config, server_config_free);
            g_clear_pointer(&server->config_error, g_free);
            g_clear_pointer(&server->site_fault, g_free);
            group_pause_forget(server);
            if (group->stored_probes != NULL) {
                g_hash_table_remove(group->stored_probes, server->name); /* who forgets it forgets that, too */
            }
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

/* When something was asked for of which nobody has told the end; VERDICT_NEVER: nothing that may come yet. */
static gint64 earlier_asked_ms(const group_server_t *server, gint64 now_ms)
{
    gint64 asked_ms = server->isolation_asked_ms != VERDICT_NEVER ? server->isolation_asked_ms : server->isolation_others_ms;

    return asked_ms != VERDICT_NEVER && now_ms < asked_ms + VERDICT_FENCING_MAX_MS ? asked_ms : VERDICT_NEVER;
}

/* What an attempt that asked for nothing says of those before it: nothing, if it could ask nobody; else that nothing is
 * under way any more, and whether they have had an effect shows. */
static isolation_result_t result_of_all(isolation_result_t result)
{
    if (isolation_knows_nothing(result)) {
        return isolation_closes_store(result) ? ISOLATION_NOT_CONFIRMED : ISOLATION_STORE_OPEN;
    }
    return isolation_closes_store(result) ? ISOLATION_ENDED : ISOLATION_ENDED_STORE_OPEN;
}

static void note_unknown(group_server_t *server, isolation_result_t result, gint64 now_ms)
{
    gint64 asked_ms = isolation_may_have_effect(result) ? VERDICT_NEVER : earlier_asked_ms(server, now_ms);

    server->isolation_result = asked_ms != VERDICT_NEVER ? result_of_all(result) : result;
    if (asked_ms != VERDICT_NEVER && isolation_knows_nothing(result)) {
        server->isolation_unknown_since_ms = asked_ms;
        return;
    }
    server->isolation_others_ms = VERDICT_NEVER;
    if (!isolation_may_have_effect(result) || isolation_effect_shows(result)) {
        server->isolation_unknown_since_ms = server->isolation_asked_ms = VERDICT_NEVER;
        return;
    }
    server->isolation_asked_ms = now_ms;
    if (server->isolation_unknown_since_ms == VERDICT_NEVER) {
        server->isolation_unknown_since_ms = now_ms;
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
    note_unknown(server, result, now_ms);
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
    if (server->start_check_is_old && obstacle == NULL) {
        return; /* asked again when it is wanted */
    }
    server->start_checked_ms = now_ms;
    server->start_possible = obstacle == NULL;
    g_free(server->start_obstacle);
    server->start_obstacle = g_strdup(obstacle);
}

/* It was told that there is room for it, and may have a takeover yet. One that is put aside keeps none: while it is, it is
 * not asked again whether it would find some, and nobody else would get any. */
static gboolean is_promised(const group_server_t *server, gint64 now_ms)
{
    verdict_t verdict = server->record.verdict;

    return (verdict == VERDICT_SUSPECT || verdict == VERDICT_DOUBTED || verdict == VERDICT_RETURNING
            || (server->config != NULL && verdict_resumes_hold(server->config, &server->record)))
           && server->start_checked_ms != VERDICT_NEVER && server->start_possible
           && now_ms < server->start_checked_ms + VERDICT_START_VALID_MS && !group_pause_is_on(server, now_ms)
           && server->site_fault == NULL && server->held_back == NULL;
}

/* Its image needs a host that is not taken yet. */
static gboolean is_to_start(const group_server_t *server, gboolean is_isolated, gint64 now_ms)
{
    verdict_t verdict = server->record.verdict;

    if (!server->in_cib || server->record.epoch == 0) {
        return FALSE;
    }
    if (is_isolated) {
        return verdict == VERDICT_ISOLATING
               || (verdict == VERDICT_FAILED && !server->ticket_granted
                   && !(server->record.seen_away && server->returned_since_ms != VERDICT_NEVER));
    }
    return is_promised(server, now_ms);
}

char **group_servers_to_start(const group_t *group, gboolean are_isolated, gint64 now_ms)
{
    GPtrArray *names = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const group_server_t *server = value;

        if (is_to_start(server, are_isolated, now_ms)) {
            g_ptr_array_add(names, g_strdup(server->name));
        }
    }
    g_ptr_array_add(names, NULL);
    return (char **) g_ptr_array_free(names, FALSE);
}

/* Running ---------------------------------------------------------------------*/

gboolean group_is_leader(const group_t *group)
{
    const group_member_t *now = group_leader(group);

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

/* So often while a fencing is under way. */
#define FENCING_LOOK_MS 2000

/* One look for all who want to know. */
static gint64 look_fencing(group_t *group, gint64 now_ms)
{
    GHashTableIter iter;
    gpointer value = NULL;
    gboolean is_wanted = FALSE;

    g_hash_table_iter_init(&iter, group->servers);
    while (!is_wanted && g_hash_table_iter_next(&iter, NULL, &value)) {
        is_wanted = ((const group_server_t *) value)->wants_fencing_look;
    }
    if (!is_wanted || group->fencing_look_runs) {
        return VERDICT_NEVER;
    }
    if (group->fencing_looked_ms != VERDICT_NEVER && now_ms < group->fencing_looked_ms + FENCING_LOOK_MS) {
        return group->fencing_looked_ms + FENCING_LOOK_MS;
    }
    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        group_server_t *server = value;

        server->in_fencing_look = server->wants_fencing_look;
    }
    group->fencing_look_runs = TRUE;
    group->fencing_looked_ms = now_ms;
    group->ops.fencing_look(group->user_data);
    return VERDICT_NEVER;
}

/* A fence device may take a name in any case, and what was asked for by hand stands in the history as it was typed. */
static gboolean names_contain(const char *const *names, const char *name)
{
    while (*names != NULL && g_ascii_strcasecmp(*names, name) != 0) {
        names++;
    }
    return *names != NULL;
}

void group_fencing_looked(group_t *group, const char *const *pending, gint64 now_ms)
{
    GHashTableIter iter;
    gpointer value = NULL;

    group->fencing_look_runs = FALSE;
    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        group_server_t *server = value;

        if (!server->in_fencing_look) {
            continue;
        }
        server->in_fencing_look = FALSE;
        if (pending == NULL || names_contain(pending, server->name)) {
            server->fencing_pending = TRUE;
        } else if (server->fencing_over_since_ms == VERDICT_NEVER) {
            /* What the power switch was told at the end has not shown yet. */
            server->fencing_over_since_ms = now_ms + (server->fencing_pending ? VERDICT_EFFECT_SHOWS_MS : 0);
            server->fencing_pending = FALSE;
        }
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
    return MIN(wake_ms, look_fencing(group, now_ms));
}

gint64 group_run(group_t *group, gint64 now_ms)
{
    gint64 wake_ms = VERDICT_NEVER;

    if (group->members->len == 0 || group->ring != group->quorum_ring) {
        return VERDICT_NEVER; /* what holds of this ring is not known yet */
    }
    if (group->hello_due) {
        send_hello(group, FALSE);
    }
    if (now_ms >= group->members_since_ms + GROUP_HELLO_TIMEOUT_MS) {
        wake_ms = ask_who(group, now_ms);
    } else {
        wake_ms = group->members_since_ms + GROUP_HELLO_TIMEOUT_MS;
    }
    send_votes(group);
    if (group_is_quorate(group)) {
        wake_ms = MIN(wake_ms, group_sync_run(group, now_ms));
        wake_ms = MIN(wake_ms, group_pulse_run(group, now_ms));
    }
    if (group_is_quorate(group) && group_is_leader(group) && (!group_is_member_unknown(group) || now_ms >= group->members_since_ms + GROUP_HELLO_TIMEOUT_MS)) {
        wake_ms = MIN(wake_ms, group_is_awake(group, now_ms) ? lead(group, now_ms) : group_wake(group, now_ms));
    }
    return MIN(wake_ms, group_outbox_run(group, now_ms));
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

gboolean group_asks_management(const group_t *group, const char *name)
{
    const group_server_t *server = group_server_find(group, name);

    return server != NULL && server->config != NULL && server->record.epoch != 0
           && verdict_asks_management(server->config, &server->record);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return g_strcmp0(*(const char *const *) a, *(const char *const *) b);
}

static JsonArray *servers_to_json(const group_t *group, gint64 now_ms)
{
    JsonArray *servers = json_array_new();
    guint count = 0;
    g_autofree gpointer *names = g_hash_table_get_keys_as_array(group->servers, &count);

    qsort(names, count, sizeof(gpointer), compare_names);
    for (guint i = 0; i < count; i++) {
        const group_server_t *server = group_server_find(group, names[i]);

        if (server->in_cib || server->record.epoch != 0) {
            json_array_add_object_element(servers, group_server_to_json(group, server, now_ms));
        }
    }
    return servers;
}

/* So many of them are needed to find a server down. */
static JsonObject *voters_to_json(const group_t *group)
{
    JsonObject *object = json_object_new();
    JsonArray *hosts = json_array_new();
    guint count = g_strv_length(group->voters);

    for (guint i = 0; i < count; i++) {
        json_array_add_string_element(hosts, group->voters[i]);
    }
    json_object_set_array_member(object, "hosts", hosts);
    json_object_set_int_member(object, "enough", MAX(count / 2 + 1, group->votes_minimum));
    return object;
}

void group_status_to_json(const group_t *group, gint64 now_ms, JsonObject *object)
{
    JsonArray *members = json_array_new();
    const group_member_t *now = group_leader(group);

    json_object_set_string_member(object, "node", group->node_name);
    json_object_set_string_member(object, "leader", (group->in_sync && now != NULL) ? now->name : "");
    json_object_set_boolean_member(object, "in_sync", group->in_sync);
    json_object_set_boolean_member(object, "quorate", group_is_quorate(group));
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
    json_object_set_object_member(object, "voters", voters_to_json(group));
    json_object_set_array_member(object, "servers", servers_to_json(group, now_ms));
}
