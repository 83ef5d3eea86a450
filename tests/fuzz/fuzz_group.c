/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "judge/group.h"
#include "judge/group_private.h"

/*
 * One observer, and peers that say anything at all at any time. The input is a
 * script: a byte for each step, followed by what that step takes.
 */
#define OWN_NODE 1
#define NODES    4

static const char *const servers[] = { "db1", "db2", "db3" };
static const char *const events[] = { "first_miss", "suspect", "isolating", "isolated", "granted", "healthy", "x", "" };

typedef struct {
    const uint8_t *data;
    size_t left_bytes;
    group_t *group;
    GQueue *bus;         /* GBytes*: what this host has multicast and not got yet */
    gint64 now_ms;
} script_t;

static guint8 next(script_t *script)
{
    if (script->left_bytes == 0) {
        return 0;
    }
    script->left_bytes--;
    return *script->data++;
}

static const char *next_server(script_t *script)
{
    return servers[next(script) % G_N_ELEMENTS(servers)];
}

static gint64 next_time(script_t *script)
{
    return (gint64) next(script) << (next(script) % 56);
}

/* Operations of the group ------------------------------------------------------*/

static void op_send(GBytes *bytes, gpointer user_data)
{
    g_queue_push_tail(((script_t *) user_data)->bus, g_bytes_ref(bytes));
}

static void op_round_start(const char *server, guint64 epoch, guint32 round, gpointer user_data)
{
    group_answer(((script_t *) user_data)->group, server, epoch, round, VOTE_DOWN, VOTE_DOWN);
}

static void op_isolation_start(const server_config_t *config, gpointer user_data)
{
    (void) user_data;
    FUZZ_CHECK(config != NULL && config->name != NULL);
}

static void op_isolation_cancel(const char *server, gpointer user_data)
{
    (void) user_data;
    FUZZ_CHECK(server != NULL);
}

static void op_tickets_set(const char *const *names, gboolean granted, gpointer user_data)
{
    const script_t *script = user_data;

    FUZZ_CHECK(names[0] != NULL);
    for (; granted && *names != NULL; names++) {
        const verdict_record_t *record = group_record(script->group, *names);

        /* A ticket is for an original that is held failed, and for no other. */
        FUZZ_CHECK(record != NULL && record->verdict == VERDICT_FAILED);
    }
}

static void op_pause_end(const server_config_t *config, gpointer user_data)
{
    (void) user_data;
    FUZZ_CHECK(config->paused_until != NULL && config->pause_from_ms != 0);
}

static void op_record_applied(const char *server, const verdict_record_t *from, const verdict_record_t *to,
                              gpointer user_data)
{
    (void) user_data;
    FUZZ_CHECK(server != NULL && (from != NULL || to != NULL));
}

static void op_request_answered(guint64 request_id, const char *error, gpointer user_data)
{
    (void) request_id;
    (void) user_data;
    FUZZ_CHECK(error == NULL || error[0] != '\0');
}

static void op_event_stored(const char *server, gint64 started_ms, const history_event_t *event, gpointer user_data)
{
    (void) started_ms;
    (void) user_data;
    FUZZ_CHECK(server != NULL && event->event != NULL);
}

static void op_generation_agreed(guint64 generation, gpointer user_data)
{
    FUZZ_CHECK(generation == ((const script_t *) user_data)->group->generation);
}

static void op_note(const char *sentence, gpointer user_data)
{
    (void) user_data;
    FUZZ_CHECK(sentence[0] != '\0');
}

static gint64 op_wall_ms(gpointer user_data)
{
    return 1700000000000 + ((const script_t *) user_data)->now_ms;
}

static void op_fencing_look(gpointer user_data)
{
    FUZZ_CHECK(((const script_t *) user_data)->group->fencing_look_runs);
}

static const group_ops_t ops = {
    .send = op_send,
    .round_start = op_round_start,
    .isolation_start = op_isolation_start,
    .isolation_look = op_isolation_start,
    .fencing_look = op_fencing_look,
    .isolation_cancel = op_isolation_cancel,
    .tickets_set = op_tickets_set,
    .pause_end = op_pause_end,
    .record_applied = op_record_applied,
    .request_answered = op_request_answered,
    .event_stored = op_event_stored,
    .generation_agreed = op_generation_agreed,
    .note = op_note,
    .wall_ms = op_wall_ms,
};

/* Messages of peers --------------------------------------------------------------*/

static verdict_record_t next_record(script_t *script)
{
    return (verdict_record_t) {
        .epoch = 1 + next(script) % 16,
        .verdict = (verdict_t) (next(script) % VERDICT_COUNT),
        .since_wall_ms = next_time(script),
        .reason = (char *) "a peer says so",
        .by_operator = (next(script) & 1) != 0,
        .seen_away = (next(script) & 1) != 0,
        .quiet_rounds = next(script),
    };
}

static history_takeover_t *next_takeover(script_t *script);

static message_entry_t *next_entry(script_t *script)
{
    const char *server = next_server(script);
    verdict_record_t record = next_record(script);
    message_entry_t *entry = message_entry_new(server, &record, next_time(script));

    entry->request = (verdict_request_t) (next(script) % VERDICT_REQUEST_COUNT);
    entry->takeover = (next(script) & 1) != 0 ? next_takeover(script) : NULL;
    entry->paused_until_ms = (next(script) & 1) != 0 ? SERVER_PAUSED_UNTIL_RESUMED : next_time(script);
    entry->pause_rest_ms = next_time(script);
    return entry;
}

static history_takeover_t *next_takeover(script_t *script)
{
    history_takeover_t *takeover = history_takeover_new();

    for (guint8 count = next(script) % 4; count > 0; count--) {
        const char *event = events[next(script) % G_N_ELEMENTS(events)];

        history_takeover_append(takeover, event, next_time(script), "host2", "");
    }
    return takeover;
}

static message_stamp_t next_stamp(script_t *script)
{
    message_stamp_t own = group_stamp(script->group);

    if ((next(script) & 1) != 0) {
        return own;
    }
    return (message_stamp_t) { next(script) % 4, next(script), (next(script) & 1) != 0 ? own.digest : 1 };
}

static void fill_body(script_t *script, message_t *message)
{
    message->node = "host2";
    message->incarnation = next(script);
    message->stamp = next_stamp(script);
    message->ring = next(script) % 4;
    message->known = next(script) % 4;
    message->in_sync = (next(script) & 1) != 0;
    message->ability = next(script) & 3;
    message->blind = (next(script) & 1) != 0;
    message->member = 1 + next(script) % NODES;
    message->want = (next(script) & 1) != 0 ? script->group->want : next(script);
    message->want |= (message->want == 0);
    message->part = (next(script) & 3) != 0 ? script->group->want_part : next(script);
    message->last = (next(script) & 1) != 0;
    message->pulse = next(script) % 4;
    message->checked = next(script) % 4;
    message->digest = next(script);
    message->epoch = next(script);
    message->round = next(script) % 8;
    message->service = (vote_t) (next(script) % VOTE_COUNT);
    message->management = (vote_t) (next(script) % VOTE_COUNT);
    message->event = events[next(script) % (G_N_ELEMENTS(events) - 1)];
    message->at_ms = next_time(script);
    message->host = "host3";
    message->detail = "";
    message->request = (next(script) & 1) != 0 ? VERDICT_REQUEST_TAKEOVER : VERDICT_REQUEST_RELEASE;
}

static void peer_says(script_t *script)
{
    guint32 from = 1 + next(script) % NODES;
    message_t message = { .type = (message_type_t) (MESSAGE_HELLO + next(script) % (MESSAGE_TYPE_COUNT - 1)),
                          .server = next_server(script) };
    message_history_t history = { next_server(script), next(script) };
    message_vote_t vote = { next_server(script), (vote_t) (next(script) % VOTE_COUNT),
                            (vote_t) (next(script) % VOTE_COUNT), next_time(script), .paused_until_ms = next(script) % 3 };
    g_autoptr(GBytes) bytes = NULL;
    gsize size_bytes = 0;
    gconstpointer data = NULL;

    fill_body(script, &message);
    message.record = next_record(script);
    message.votes = g_array_new(FALSE, FALSE, sizeof(message_vote_t));
    g_array_append_val(message.votes, vote);
    message.histories = g_array_new(FALSE, FALSE, sizeof(message_history_t));
    g_array_append_val(message.histories, history);
    message.takeovers = g_ptr_array_new_with_free_func((GDestroyNotify) history_takeover_free);
    for (guint8 count = message.type == MESSAGE_HISTORY ? next(script) % 4 : 0; count > 0; count--) {
        g_ptr_array_add(message.takeovers, next_takeover(script));
    }
    message.entries = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free);
    for (guint8 count = message.type == MESSAGE_SNAPSHOT ? next(script) % 4 : 0; count > 0; count--) {
        g_ptr_array_add(message.entries, next_entry(script));
    }
    bytes = message_encode(&message);
    data = g_bytes_get_data(bytes, &size_bytes);
    group_on_message(script->group, from, data, size_bytes, script->now_ms);
    g_array_unref(message.votes);
    g_array_unref(message.histories);
    g_ptr_array_unref(message.takeovers);
    g_ptr_array_unref(message.entries);
}

/* What the host itself sees --------------------------------------------------------*/

static void members_change(script_t *script)
{
    guint8 mask = next(script);
    guint32 ids[NODES] = { OWN_NODE };
    guint count = 1;

    for (guint32 id = OWN_NODE + 1; id <= NODES; id++) {
        if ((mask & (1 << id)) != 0) {
            ids[count++] = id;
        }
    }
    group_on_members(script->group, ids, count, script->now_ms);
}

static void quorum_changes(script_t *script)
{
    guint64 ring = next(script) % 4;

    group_on_ring(script->group, ring, script->now_ms);
    group_on_quorum(script->group, ring, (next(script) & 3) != 0, script->now_ms);
}

static server_config_t *config_new(const char *name, guint8 policy)
{
    g_autoptr(GHashTable) params = g_hash_table_new(g_str_hash, g_str_equal);
    g_autofree char *id = g_strconcat("standby-", name, NULL);

    g_hash_table_insert(params, (gpointer) "probes", (gpointer) "tcp:10.0.0.1:5432");
    g_hash_table_insert(params, (gpointer) "recover_probe", (gpointer) "tcp:10.1.0.1:22");
    if ((policy & 4) != 0) {
        g_hash_table_insert(params, (gpointer) "paused_until",
                            (gpointer) (policy >= 128 ? "resumed" : "2026-01-31T17:00:00Z/2026-01-31T18:00:00Z"));
    }
    g_hash_table_insert(params, (gpointer) "isolate", (gpointer) isolate_policy_name((isolate_policy_t) (policy % 3)));
    return server_config_parse(id, params, NULL);
}

static void cluster_changes(script_t *script)
{
    group_cluster_begin(script->group);
    for (guint8 count = next(script) % (G_N_ELEMENTS(servers) + 1); count > 0; count--) {
        guint8 flags = next(script);
        group_server_facts_t facts = { .name = next_server(script), .ticket_granted = (flags & 1) != 0,
                                       .image = (image_view_t) (next(script) % (IMAGE_VIEW_ACTIVE + 1)),
                                       .image_running = (flags & 2) != 0,
                                       .image_host = (flags & 4) != 0 ? "host2" : NULL };

        if ((flags & 24) != 0) {
            facts.config = config_new(facts.name, flags >> 5);
        } else {
            facts.config_error = "its probes can't be read";
        }
        group_cluster_server(script->group, &facts, script->now_ms);
    }
    group_cluster_end(script->group, script->now_ms);
}

static void probes_say(script_t *script)
{
    const char *server = next_server(script);
    vote_t service = (vote_t) (next(script) % VOTE_COUNT);

    group_vote(script->group, server, service, (vote_t) (next(script) % VOTE_COUNT), next_time(script));
    group_set_blind(script->group, (next(script) & 3) == 3);
    group_set_ability(script->group, (group_ability_t) (next(script) % (GROUP_ABLE + 1)));
}

static void isolation_ends(script_t *script)
{
    static const isolation_result_t results[] = { ISOLATION_DONE, ISOLATION_NOT_CONFIRMED, ISOLATION_STORE_OPEN };
    const char *server = next_server(script);

    group_isolation_ended(script->group, server, results[next(script) % G_N_ELEMENTS(results)], "as it went",
                          script->now_ms);
}

static void operator_asks(script_t *script)
{
    const char *server = next_server(script);
    verdict_request_t request = (next(script) & 1) != 0 ? VERDICT_REQUEST_TAKEOVER : VERDICT_REQUEST_RELEASE;

    g_free(group_request(script->group, server, request, next(script), script->now_ms));
}

static void own_messages_arrive(script_t *script)
{
    for (guint8 count = next(script); count > 0 && !g_queue_is_empty(script->bus); count--) {
        g_autoptr(GBytes) bytes = g_queue_pop_head(script->bus);
        gsize size_bytes = 0;
        gconstpointer data = g_bytes_get_data(bytes, &size_bytes);

        group_on_message(script->group, OWN_NODE, data, size_bytes, script->now_ms);
    }
}

static void time_passes(script_t *script)
{
    script->now_ms += next(script) * 50;
    FUZZ_CHECK(group_run(script->group, script->now_ms) >= 0);
}

static void status_is_asked(script_t *script)
{
    g_autoptr(JsonObject) object = json_object_new();
    const history_t *history = group_history(script->group, next_server(script));

    group_status_to_json(script->group, script->now_ms, object);
    FUZZ_CHECK(json_object_has_member(object, "servers"));
    if (history != NULL) {
        json_array_unref(history_to_json(history));
    }
}

static void (*const steps[])(script_t *script) = {
    time_passes, own_messages_arrive, peer_says, members_change, quorum_changes, cluster_changes, probes_say,
    isolation_ends, operator_asks, status_is_asked,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    script_t script = { .data = data, .left_bytes = size_bytes, .bus = g_queue_new(), .now_ms = 1000 };

    script.group = group_new(OWN_NODE, "host1", &ops, &script);
    while (script.left_bytes > 0) {
        steps[next(&script) % G_N_ELEMENTS(steps)](&script);
    }
    group_free(script.group);
    g_queue_free_full(script.bus, (GDestroyNotify) g_bytes_unref);
    return 0;
}
