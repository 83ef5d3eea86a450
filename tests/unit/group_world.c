/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "group_world.h"

#include <stdarg.h>
#include <string.h>

#include "judge/group_private.h"

#define ISOLATION_MS    300
#define IMAGE_START_MS  200
#define IMAGE_STOP_MS   300
#define PROBE_MISSES_MS 3000

typedef enum {
    EVENT_MESSAGE,
    EVENT_MEMBERS,
    EVENT_RING,
    EVENT_QUORUM,
} world_event_type_t;

typedef struct {
    world_event_type_t type;
    guint32 from;
    GBytes *bytes;
    guint32 node_ids[WORLD_HOSTS_MAX];
    guint count;
    guint64 ring;
    gboolean quorate;
} world_event_t;

typedef struct {
    guint server;
    guint64 epoch;
    guint32 round;
} world_round_t;

static guint server_index(const char *name)
{
    return (guint) (name[2] - '1');
}

/* What a host sees -------------------------------------------------------------*/

static gboolean original_serves(const world_server_t *server)
{
    return server->powered && !server->service_dead && !(server->waits && server->image_running);
}

static gboolean service_answers(const world_host_t *host, guint index)
{
    const world_server_t *server = &host->world->servers[index];

    return (original_serves(server) || server->image_running) && !host->service_cut && !host->sees_nothing_of[index];
}

static gboolean management_answers(const world_host_t *host, guint index)
{
    return host->world->servers[index].powered && !host->sees_nothing_of[index];
}

static vote_t standing_vote(const world_host_t *host, gboolean answers, gint64 missed_since_ms)
{
    if (answers) {
        return VOTE_UP;
    }
    if (host->world->now_ms - missed_since_ms < PROBE_MISSES_MS) {
        return VOTE_MISSING;
    }
    return host->service_cut ? VOTE_BLIND : VOTE_DOWN;
}

static void host_probe(world_host_t *host)
{
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        gboolean answers = service_answers(host, i);
        vote_t management = !group_asks_management(host->group, host->world->servers[i].name) ? VOTE_NONE
                            : management_answers(host, i)                                    ? VOTE_UP
                                                                                            : VOTE_DOWN;

        if (!host->knows[i]) {
            continue;
        }
        if (answers) {
            host->missed_since_ms[i] = 0;
        } else if (host->missed_since_ms[i] == 0) {
            host->missed_since_ms[i] = host->world->now_ms;
        }
        group_vote(host->group, host->world->servers[i].name,
                   standing_vote(host, answers, host->missed_since_ms[i]), management, host->missed_since_ms[i]);
    }
    group_set_blind(host->group, host->service_cut);
    while (!g_queue_is_empty(host->rounds)) {
        world_round_t *round = g_queue_pop_head(host->rounds);
        vote_t down = host->service_cut ? VOTE_BLIND : VOTE_DOWN;

        group_answer(host->group, host->world->servers[round->server].name, round->epoch, round->round,
                     service_answers(host, round->server) ? VOTE_UP : down,
                     management_answers(host, round->server) ? VOTE_UP : VOTE_DOWN);
        g_free(round);
    }
}

/* Invariants -------------------------------------------------------------------------*/

/* Corosync and the rest need longer than this to go on without a host. */
#define CUT_GRACE_MS 2500

static void violate(world_t *world, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void violate(world_t *world, const char *format, ...)
{
    va_list args;

    if (world->violation == NULL) {
        va_start(args, format);
        world->violation = g_strdup_vprintf(format, args);
        va_end(args);
    }
}

gboolean world_has_quorum(const world_t *world, guint host)
{
    guint together = 0;

    for (guint i = 0; i < world->host_count; i++) {
        together += world->hosts[i].partition == world->hosts[host].partition ? 1 : 0;
    }
    return together * 2 > world->host_count && !world->no_quorum;
}

static gboolean is_up_to_date(const world_host_t *host)
{
    return host->group != NULL && !host->asleep && g_queue_is_empty(host->events)
           && g_queue_is_empty(host->quorum_events) && group_in_sync(host->group)
           && world_has_quorum(host->world, host->node_id - 1);
}

/* Who acts on a server has quorum, and knows no less of it than anybody in sync. */
static void check_act(const world_host_t *host, guint index, const char *act)
{
    world_t *world = host->world;
    const verdict_record_t *own = group_record(host->group, world->servers[index].name);

    if (!world_has_quorum(world, host->node_id - 1) && world->now_ms > host->cut_ms + CUT_GRACE_MS) {
        violate(world, "%" G_GINT64_FORMAT ": %s %s %s without quorum", world->now_ms, host->name, act,
                world->servers[index].name);
    }
    for (guint i = 0; i < world->host_count; i++) {
        const world_host_t *other = &world->hosts[i];
        const verdict_record_t *record = NULL;

        if (other == host || other->partition != host->partition || !is_up_to_date(other)) {
            continue;
        }
        record = group_record(other->group, world->servers[index].name);
        if (record != NULL && (own == NULL || own->epoch < record->epoch)) {
            violate(world, "%" G_GINT64_FORMAT ": %s %s %s at epoch %" G_GUINT64_FORMAT ", %s has %" G_GUINT64_FORMAT,
                    world->now_ms, host->name, act, world->servers[index].name, own != NULL ? own->epoch : 0,
                    other->name, record->epoch);
        }
    }
}

/* While a fencing is under way that nobody waits for, nobody takes its entry for one that is over. */
static void check_entries(const world_host_t *host)
{
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        const world_server_t *server = &host->world->servers[i];
        const verdict_record_t *record = group_record(host->group, server->name);

        if (server->fencing_ends_ms != 0 && is_up_to_date(host) && record != NULL && verdict_may_lift(record)) {
            violate(host->world, "%" G_GINT64_FORMAT ": %s lets the entry of %s come off, which is being fenced",
                    host->world->now_ms, host->name, server->name);
        }
    }
}

/* What the observers do ----------------------------------------------------------*/

static void op_send(GBytes *bytes, gpointer user_data)
{
    g_queue_push_tail(((world_host_t *) user_data)->sent, g_bytes_ref(bytes));
}

static void op_round_start(const char *server, guint64 epoch, guint32 round, gpointer user_data)
{
    world_host_t *host = user_data;
    world_round_t *due = g_new0(world_round_t, 1);

    *due = (world_round_t) { server_index(server), epoch, round };
    g_queue_push_tail(host->rounds, due);
}

static void op_isolation_start(const server_config_t *config, gpointer user_data)
{
    world_host_t *host = user_data;
    guint index = server_index(config->name);

    check_act(host, index, "isolates");
    host->world->servers[index].isolations++;
    host->isolation_ends_ms[index] = host->world->now_ms + ISOLATION_MS;
    host->only_looks[index] = FALSE;
}

static void op_isolation_look(const server_config_t *config, gpointer user_data)
{
    world_host_t *host = user_data;
    guint index = server_index(config->name);

    host->isolation_ends_ms[index] = host->world->now_ms + ISOLATION_MS;
    host->only_looks[index] = TRUE;
}

static void op_fencing_look(gpointer user_data)
{
    ((world_host_t *) user_data)->looks_fencing = TRUE;
}

static void op_isolation_cancel(const char *server, gpointer user_data)
{
    world_host_t *host = user_data;

    host->isolation_ends_ms[server_index(server)] = 0;
}

static void op_start_check(const char *server, gpointer user_data)
{
    world_host_t *host = user_data;

    host->checks_start[server_index(server)] = TRUE;
}

static void op_starts_clean_up(const server_config_t *config, const char *const *hosts, gpointer user_data)
{
    world_host_t *host = user_data;
    world_server_t *server = &host->world->servers[server_index(config->name)];

    g_assert_cmpstr(hosts[0], ==, "host3");
    server->clean_ups++;
    server->refused = server->refused && server->clean_ups_fail;
}

static void op_tickets_set(const char *const *servers, gboolean granted, gpointer user_data)
{
    world_host_t *host = user_data;

    for (; *servers != NULL; servers++) {
        world_server_t *server = &host->world->servers[server_index(*servers)];

        check_act(host, server_index(*servers), granted ? "grants" : "revokes");
        if (server->ticket != granted) {
            server->ticket = granted;
            server->grants += granted ? 1 : 0;
            server->granted_while_refused = server->granted_while_refused || (granted && server->refused);
        }
    }
}

static void op_pause_end(const server_config_t *config, gpointer user_data)
{
    world_t *world = ((world_host_t *) user_data)->world;

    check_act(user_data, server_index(config->name), "ends a pause of");
    world->pause_ends++;
    if (!world->cib_refuses && g_strcmp0(world->paused_until, config->paused_until) == 0) {
        world->paused_until = NULL;
    }
}

static void op_held_takeover_set(const server_config_t *config, gboolean is_held, gpointer user_data)
{
    world_t *world = ((world_host_t *) user_data)->world;

    check_act(user_data, server_index(config->name), is_held ? "notes a hold of" : "forgets a hold of");
    if (!world->cib_refuses) {
        world->servers[server_index(config->name)].held_takeover = is_held && world->hold;
    }
}

static void op_record_applied(const char *server, const verdict_record_t *from, const verdict_record_t *to,
                              gpointer user_data)
{
    (void) server;
    (void) from;
    (void) to;
    ((world_host_t *) user_data)->world->transitions++;
}

static void op_request_answered(guint64 request_id, const char *error, gpointer user_data)
{
    (void) request_id;
    (void) error;
    (void) user_data;
}

static void op_event_stored(const char *server, gint64 started_ms, const history_event_t *event, gpointer user_data)
{
    (void) server;
    (void) started_ms;
    (void) event;
    (void) user_data;
}

static void op_generation_agreed(guint64 generation, gpointer user_data)
{
    ((world_host_t *) user_data)->known = generation;
}

static void op_note(const char *sentence, gpointer user_data)
{
    const world_host_t *host = user_data;

    if (g_getenv("WORLD_VERBOSE") != NULL) {
        g_printerr("%8" G_GINT64_FORMAT " %s: %s\n", host->world->now_ms, host->name, sentence);
    }
}

static gint64 op_wall_ms(gpointer user_data)
{
    const world_host_t *host = user_data;

    return host->world->now_ms + host->clock_ahead_ms;
}

static const group_ops_t ops = {
    op_send, op_round_start, op_isolation_start, op_isolation_look, op_fencing_look, op_isolation_cancel, op_start_check,
    op_starts_clean_up, op_tickets_set, op_pause_end, op_held_takeover_set, op_record_applied, op_request_answered,
    op_event_stored, op_generation_agreed, op_note, op_wall_ms,
};

/* The CIB and the servers ----------------------------------------------------------*/

static server_config_t *config_new(const world_t *world, const char *name, gboolean held_takeover)
{
    g_autoptr(GHashTable) params = g_hash_table_new(g_str_hash, g_str_equal);

    g_hash_table_insert(params, (gpointer) "server", (gpointer) name);
    g_hash_table_insert(params, (gpointer) "probes", (gpointer) world->probes);
    g_hash_table_insert(params, (gpointer) "recover_probe", (gpointer) "tcp:10.1.0.1:5432");
    g_hash_table_insert(params, (gpointer) "isolate", (gpointer) world->isolate);
    g_hash_table_insert(params, (gpointer) "gate_quiet", (gpointer) "0");
    g_hash_table_insert(params, (gpointer) "hold", (gpointer) (world->hold ? "true" : "false"));
    g_hash_table_insert(params, (gpointer) "held_takeover", (gpointer) (held_takeover ? "true" : "false"));
    if (world->paused_until != NULL) {
        g_hash_table_insert(params, (gpointer) "paused_until", (gpointer) world->paused_until);
    }
    return server_config_parse("standby-x", params, NULL);
}

/* Corosync runs on every host, whatever becomes of the daemon. */
static void host_read_voters(world_host_t *host)
{
    const char *names[WORLD_HOSTS_MAX + 1] = { NULL };
    guint count = 0;

    for (guint i = 0; i < host->world->host_count; i++) {
        const world_host_t *other = &host->world->hosts[i];

        if (other->partition == host->partition && !other->in_standby) {
            names[count++] = other->name;
        }
    }
    group_cluster_voters(host->group, names, host->world->host_count >= 3 ? 2 : 1);
}

static void host_read_cib(world_host_t *host)
{
    static const char *const refused_hosts[] = { "host3", NULL };

    if (host->cib_is_late) {
        return;
    }
    group_cluster_begin(host->group);
    host_read_voters(host);
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        const world_server_t *server = &host->world->servers[i];
        gboolean active = server->image_running || server->image_change_ms != 0;
        group_server_facts_t facts = {
            .name = server->name,
            .config = config_new(host->world, server->name, server->held_takeover),
            .refused_hosts = server->refused ? refused_hosts : NULL,
            .held_back = server->disabled ? "it is disabled" : NULL,
            .site_fault = server->site_fault,
            .ticket_granted = server->ticket,
            .image = active ? IMAGE_VIEW_ACTIVE : IMAGE_VIEW_STOPPED,
            .image_running = server->image_running,
            .image_host = active ? "host2" : NULL,
        };

        if (host->knows[i] && server->absent) {
            group_vote(host->group, server->name, VOTE_NONE, VOTE_NONE, 0);
        }
        host->knows[i] = !server->absent;
        if (server->absent) {
            server_config_free(facts.config);
            continue;
        }
        group_cluster_server(host->group, &facts, host->world->now_ms);
    }
    group_cluster_end(host->group, host->world->now_ms);
}

/* As the daemon's helper does: writes what is due, and reads all, at the start and when that may help. */
static void host_ask_store(world_host_t *host)
{
    GHashTable *store = host->world->store;
    g_autoptr(GHashTable) unstored = group_unstored_probes(host->group);
    GHashTableIter iter;
    gpointer server = NULL;
    gpointer digest = NULL;

    if (host->world->store_is_silent
        || (host->store_was_read && g_hash_table_size(unstored) == 0 && !group_has_unseen(host->group))) {
        return;
    }
    g_hash_table_iter_init(&iter, unstored);
    while (g_hash_table_iter_next(&iter, &server, &digest)) {
        g_hash_table_replace(store, g_strdup(server), g_strdup(digest));
    }
    host->store_was_read = TRUE;
    group_set_stored_probes(host->group, store);
}

static void servers_step(world_t *world)
{
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        world_server_t *server = &world->servers[i];

        if (server->image_change_ms == 0 && server->ticket != server->image_running) {
            server->image_change_ms = world->now_ms + (server->ticket ? IMAGE_START_MS : IMAGE_STOP_MS);
        } else if (server->image_change_ms != 0 && world->now_ms >= server->image_change_ms) {
            server->image_change_ms = 0;
            server->starts += server->image_running ? 0 : 1;
            server->image_running = !server->image_running;
        }
        if (server->fencing_ends_ms != 0 && world->now_ms >= server->fencing_ends_ms) {
            server->fencing_ends_ms = 0;
            server->powered = server->powered && (server->switch_broken || server->switch_none || server->store_open);
        }
        if (server->image_running && original_serves(server)) {
            server->both_served = TRUE;
        }
    }
}

static void host_look_fencing(world_host_t *host)
{
    const char *pending[WORLD_SERVERS + 1] = { NULL };
    guint count = 0;

    if (!host->looks_fencing) {
        return;
    }
    host->looks_fencing = FALSE;
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        if (host->world->servers[i].fencing_ends_ms != 0) {
            pending[count++] = host->world->servers[i].name;
        }
    }
    group_fencing_looked(host->group, host->world->fencer_is_silent ? NULL : pending, host->world->now_ms);
}

static void host_answer_checks(world_host_t *host)
{
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        const world_server_t *server = &host->world->servers[i];

        if (host->checks_start[i]) {
            host->checks_start[i] = FALSE;
            group_start_checked(host->group, server->name, server->no_room ? "no host has room" : NULL,
                                host->world->now_ms);
        }
    }
}

static void host_end_isolations(world_host_t *host)
{
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        world_server_t *server = &host->world->servers[i];
        isolation_result_t result = ISOLATION_DONE;

        if (host->isolation_ends_ms[i] == 0 || host->world->now_ms < host->isolation_ends_ms[i]) {
            continue;
        }
        if (host->asleep) {
            continue; /* reported when it wakes up */
        }
        host->isolation_ends_ms[i] = 0;
        if (!host->only_looks[i]) {
            server->fencing_ends_ms = 0; /* the fencer has taken both for one */
        }
        if (host->only_looks[i]) {
            result = server->switch_broken && !server->switch_silent ? ISOLATION_STORE_OPEN : ISOLATION_ENDED_STORE_OPEN;
        } else if (server->store_open) {
            result = ISOLATION_STORE_OPEN;
        } else if (server->switch_broken) {
            result = server->not_asked         ? ISOLATION_NOT_ASKED
                     : server->without_effect  ? ISOLATION_NO_EFFECT
                     : server->switch_silent ? ISOLATION_ENDED
                                             : ISOLATION_NOT_CONFIRMED;
        } else if (!server->switch_none) {
            server->powered = FALSE;
        }
        group_isolation_ended(host->group, server->name, result, "says the world", host->world->now_ms);
    }
}

/* Membership -------------------------------------------------------------------------*/

static void event_free(gpointer data)
{
    world_event_t *event = data;

    g_clear_pointer(&event->bytes, g_bytes_unref);
    g_free(event);
}

static void push_event(GQueue *queue, const world_event_t *event)
{
    world_event_t *copy = g_memdup2(event, sizeof(*event));

    if (copy->bytes != NULL) {
        g_bytes_ref(copy->bytes);
    }
    g_queue_push_tail(queue, copy);
}

static void tell_members(world_t *world, guint partition)
{
    world_event_t event = { .type = EVENT_MEMBERS };

    for (guint i = 0; i < world->host_count; i++) {
        if (world->hosts[i].partition == partition && world->hosts[i].group != NULL) {
            event.node_ids[event.count++] = world->hosts[i].node_id;
        }
    }
    for (guint i = 0; i < world->host_count; i++) {
        if (world->hosts[i].partition == partition && world->hosts[i].group != NULL) {
            push_event(world->hosts[i].events, &event);
        }
    }
}

/* Corosync runs on, whatever becomes of the daemon. */
static void tell_ring(world_host_t *host)
{
    world_event_t event = { .type = EVENT_RING, .ring = host->world->ring };

    if (host->group == NULL) {
        return;
    }
    push_event(host->events, &event);
    event.type = EVENT_QUORUM;
    event.quorate = world_has_quorum(host->world, host->node_id - 1);
    push_event(host->quorum_events, &event);
}

static void new_ring(world_t *world)
{
    world->ring += 4;
    for (guint partition = 0; partition < world->host_count; partition++) {
        tell_members(world, partition);
    }
    for (guint i = 0; i < world->host_count; i++) {
        world_host_t *host = &world->hosts[i];

        tell_ring(host);
        if (world_has_quorum(world, i)) {
            host->cut_ms = 0;
        } else if (host->cut_ms == 0) {
            host->cut_ms = world->now_ms;
        }
    }
}

static void handle_event(world_host_t *host, GQueue *queue)
{
    world_event_t *event = g_queue_pop_head(queue);
    gint64 now_ms = host->world->now_ms;
    gsize size_bytes = 0;
    gconstpointer data = NULL;

    switch (event->type) {
        case EVENT_MESSAGE:
            data = g_bytes_get_data(event->bytes, &size_bytes);
            group_on_message(host->group, event->from, data, size_bytes, now_ms);
            break;
        case EVENT_MEMBERS:
            group_on_members(host->group, event->node_ids, event->count, now_ms);
            break;
        case EVENT_RING:
            group_on_ring(host->group, event->ring, now_ms);
            break;
        case EVENT_QUORUM:
            group_on_quorum(host->group, event->ring, event->quorate, now_ms);
            break;
    }
    event_free(event);
}

/* Puts the next message of a host into the order of all messages of its partition. */
static gboolean order_one(world_t *world, guint index)
{
    world_host_t *sender = &world->hosts[index];
    world_event_t event = { .type = EVENT_MESSAGE, .from = sender->node_id };

    if (g_queue_is_empty(sender->sent)) {
        return FALSE;
    }
    event.bytes = g_queue_pop_head(sender->sent);
    for (guint i = 0; i < world->host_count; i++) {
        if (world->hosts[i].group != NULL && world->hosts[i].partition == sender->partition) {
            push_event(world->hosts[i].events, &event);
        }
    }
    g_bytes_unref(event.bytes);
    world->messages++;
    return TRUE;
}

static void handle_events(world_host_t *host, guint limit)
{
    if (host->group == NULL || host->asleep) {
        return;
    }
    if (host->world->now_ms >= host->quorum_late_ms) {
        while (!g_queue_is_empty(host->quorum_events)) {
            handle_event(host, host->quorum_events);
        }
    }
    for (guint i = 0; i < limit && !g_queue_is_empty(host->events); i++) {
        handle_event(host, host->events);
    }
}

static void deliver_all(world_t *world)
{
    gboolean more = TRUE;

    while (more) {
        more = FALSE;
        for (guint i = 0; i < world->host_count; i++) {
            more = order_one(world, i) || more;
        }
        for (guint i = 0; i < world->host_count; i++) {
            handle_events(&world->hosts[i], G_MAXUINT);
        }
    }
}

/* Some of what was sent, some of what has arrived: no two hosts are equally far. */
static void deliver_some(world_t *world)
{
    for (guint i = 0; i < 30; i++) {
        order_one(world, (guint) g_rand_int_range(world->random, 0, (gint32) world->host_count));
    }
    for (guint i = 0; i < world->host_count; i++) {
        handle_events(&world->hosts[i], (guint) g_rand_int_range(world->random, 0, 60));
    }
}

static void deliver(world_t *world)
{
    if (world->random != NULL) {
        deliver_some(world);
    } else {
        deliver_all(world);
    }
}

void world_start(world_t *world, guint index)
{
    world_host_t *host = &world->hosts[index];

    host->group = group_new(host->node_id, host->name, &ops, host);
    if (world->part_bytes != 0) {
        host->group->part_bytes = world->part_bytes;
    }
    group_set_known(host->group, host->known);
    group_set_ability(host->group, GROUP_ABLE);
    tell_ring(host);
    tell_members(world, host->partition);
    if (world->random == NULL) {
        handle_events(host, G_MAXUINT);
    }
}

void world_kill(world_t *world, guint index)
{
    world_host_t *host = &world->hosts[index];

    g_clear_pointer(&host->group, group_free);
    g_queue_clear_full(host->rounds, g_free);
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        if (host->isolation_ends_ms[i] != 0 && !host->only_looks[i]) {
            world->servers[i].fencing_ends_ms = host->isolation_ends_ms[i] + world->fencing_late_ms;
        }
    }
    host->looks_fencing = FALSE;
    memset(host->isolation_ends_ms, 0, sizeof(host->isolation_ends_ms));
    memset(host->missed_since_ms, 0, sizeof(host->missed_since_ms));
    memset(host->knows, 0, sizeof(host->knows));
    host->store_was_read = FALSE;
    memset(host->checks_start, 0, sizeof(host->checks_start));
    host->asleep = FALSE;
    /* What it sent and nobody has got yet is lost with it: the hardest case. */
    g_queue_clear_full(host->sent, (GDestroyNotify) g_bytes_unref);
    g_queue_clear_full(host->events, event_free);
    g_queue_clear_full(host->quorum_events, event_free);
    tell_members(world, host->partition);
}

void world_cut_off(world_t *world, guint index)
{
    world->hosts[index].partition = 1;
    new_ring(world);
}

void world_join(world_t *world, guint index)
{
    deliver(world);
    world->hosts[index].partition = 0;
    new_ring(world);
}

void world_split(world_t *world, const guint *partitions)
{
    for (guint i = 0; i < world->host_count; i++) {
        world->hosts[i].partition = partitions[i];
    }
    new_ring(world);
}

void world_sleep(world_t *world, guint index)
{
    world_host_t *host = &world->hosts[index];

    if (!host->asleep) {
        host->asleep = TRUE;
        host->asleep_ms = world->now_ms;
    }
}

/* The worst order: its timers are due before it reads what has happened. */
void world_wake(world_t *world, guint index)
{
    world_host_t *host = &world->hosts[index];

    host->asleep = FALSE;
    if (host->group != NULL) {
        group_run(host->group, world->now_ms);
    }
}

/* Running ------------------------------------------------------------------------------*/

world_t *world_new(const char *isolate)
{
    return world_new_sized(isolate, WORLD_HOSTS, 0);
}

world_t *world_new_sized(const char *isolate, guint hosts, guint32 seed)
{
    world_t *world = g_new0(world_t, 1);

    world->isolate = isolate;
    world->probes = "tcp:10.0.0.1:5432";
    world->store = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    world->now_ms = 1000000;
    world->ring = 4;
    world->host_count = hosts;
    if (seed != 0) {
        world->random = g_rand_new_with_seed(seed);
        world->part_bytes = 1; /* a part for each server */
    }
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        g_snprintf(world->servers[i].name, sizeof(world->servers[i].name), "db%u", i + 1);
        world->servers[i].powered = TRUE;
        world->servers[i].waits = TRUE;
    }
    for (guint i = 0; i < world->host_count; i++) {
        world_host_t *host = &world->hosts[i];

        host->world = world;
        host->node_id = i + 1;
        host->rounds = g_queue_new();
        host->sent = g_queue_new();
        host->events = g_queue_new();
        host->quorum_events = g_queue_new();
        g_snprintf(host->name, sizeof(host->name), "host%u", i + 1);
    }
    for (guint i = 0; i < world->host_count; i++) {
        world_start(world, i);
    }
    return world;
}

void world_free(world_t *world)
{
    for (guint i = 0; i < world->host_count; i++) {
        group_free(world->hosts[i].group);
        g_queue_free_full(world->hosts[i].rounds, g_free);
        g_queue_free_full(world->hosts[i].sent, (GDestroyNotify) g_bytes_unref);
        g_queue_free_full(world->hosts[i].events, event_free);
        g_queue_free_full(world->hosts[i].quorum_events, event_free);
    }
    g_hash_table_unref(world->store);
    if (world->random != NULL) {
        g_rand_free(world->random);
    }
    g_free(world->violation);
    g_free(world);
}

static void world_step(world_t *world)
{
    world->now_ms += WORLD_STEP_MS;
    servers_step(world);
    for (guint i = 0; i < world->host_count; i++) {
        if (world->hosts[i].group != NULL && !world->hosts[i].asleep) {
            host_read_cib(&world->hosts[i]);
            host_probe(&world->hosts[i]);
            host_end_isolations(&world->hosts[i]);
            host_ask_store(&world->hosts[i]);
            host_answer_checks(&world->hosts[i]);
            host_look_fencing(&world->hosts[i]);
            check_entries(&world->hosts[i]);
        }
    }
    deliver(world);
    for (guint i = 0; i < world->host_count; i++) {
        if (world->hosts[i].group != NULL && !world->hosts[i].asleep) {
            group_run(world->hosts[i].group, world->now_ms);
        }
    }
}

void world_run(world_t *world, gint64 duration_ms)
{
    for (gint64 end_ms = world->now_ms + duration_ms; world->now_ms < end_ms;) {
        world_step(world);
    }
}

int world_leader(const world_t *world)
{
    for (guint i = 0; i < world->host_count; i++) {
        if (world->hosts[i].group != NULL && world->hosts[i].partition == 0 && !world->hosts[i].asleep
            && group_is_leader(world->hosts[i].group)) {
            return (int) i;
        }
    }
    return -1;
}

verdict_t world_verdict(const world_t *world, guint host, guint server)
{
    const verdict_record_t *record = NULL;

    if (world->hosts[host].group != NULL) {
        record = group_record(world->hosts[host].group, world->servers[server].name);
    }
    return (record != NULL) ? record->verdict : VERDICT_COUNT;
}

gboolean world_run_until(world_t *world, guint server, verdict_t verdict, gint64 limit_ms)
{
    for (gint64 end_ms = world->now_ms + limit_ms; world->now_ms < end_ms;) {
        int leads = world_leader(world);

        if (leads >= 0 && world_verdict(world, (guint) leads, server) == verdict) {
            return TRUE;
        }
        world_step(world);
    }
    return FALSE;
}

gboolean world_request(world_t *world, guint host, guint server, verdict_request_t request)
{
    g_autofree char *refusal = group_request(world->hosts[host].group, world->servers[server].name, request, 1,
                                               world->now_ms);

    return refusal == NULL;
}

gboolean world_agrees(const world_t *world)
{
    for (guint server = 0; server < WORLD_SERVERS; server++) {
        const verdict_record_t *first = NULL;

        for (guint i = 0; i < world->host_count; i++) {
            const world_host_t *host = &world->hosts[i];
            const verdict_record_t *record = NULL;

            if (host->group == NULL || host->partition != 0) {
                continue;
            }
            record = group_record(host->group, world->servers[server].name);
            if (record == NULL || !group_in_sync(host->group)) {
                return FALSE;
            }
            first = (first != NULL) ? first : record;
            if (record->epoch != first->epoch || record->verdict != first->verdict) {
                return FALSE;
            }
        }
    }
    return TRUE;
}
