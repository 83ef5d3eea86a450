/* SPDX-License-Identifier: GPL-2.0-or-later */
/* understudy-observerd: one observer. Wires what it sees, its peers, the CIB and its operators to the group. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent_kinds.h"
#include "base/error.h"
#include "base/json_read.h"
#include "base/names.h"
#include "base/pidfile.h"
#include "clean_up.h"
#include "cluster.h"
#include "cluster/site_check.h"
#include "corosync.h"
#include "eligible.h"
#include "history_file.h"
#include "ipc_server.h"
#include "isolation.h"
#include "judge/group.h"
#include "log.h"
#include "observer_options.h"
#include "reach.h"
#include "seen.h"
#include "store_sight.h"
#include "upkeep.h"
#include "watch.h"

#define PROGRAM_NAME "understudy-observerd"
/* What comes in together is decided together, so that tickets due at the same time are granted in one change. */
#define RUN_DELAY_MS 5

typedef struct {
    GMainLoop *loop;
    corosync_t *corosync;
    group_t *group;
    watch_t *watch;
    cluster_t *cluster;
    agent_kinds_t *agent_kinds;
    eligible_t *eligible;
    clean_up_t *clean_up;
    GHashTable *asked_takeovers; /* request id (guint64*) -> server: answered when it is known whether a host has room */
    isolation_t *isolation;
    reach_t *reach;
    store_sight_t *store_sight;
    upkeep_t *upkeep;
    seen_t *seen;
    gboolean is_blind;
    gboolean has_lost_store;
    gboolean reaches_cib;
    history_file_t *history_file;
    ipc_server_t *ipc;
    GHashTable *faults_told; /* char* server -> char*: what site_check() found the last time */
    guint run_source;
    gint64 run_at_ms;
    int exit_status;
} observer_t;

static observer_options_t options;

static gint64 now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

/* Running the group -----------------------------------------------------------*/

static gboolean run_group(gpointer user_data);

static void run_at(observer_t *observer, gint64 at_ms)
{
    if (at_ms == VERDICT_NEVER || (observer->run_source != 0 && observer->run_at_ms <= at_ms)) {
        return;
    }
    g_clear_handle_id(&observer->run_source, g_source_remove);
    observer->run_at_ms = at_ms;
    observer->run_source = g_timeout_add((guint) CLAMP(at_ms - now_ms(), 0, G_MAXINT), run_group, observer);
}

static gboolean run_group(gpointer user_data)
{
    observer_t *observer = user_data;

    observer->run_source = 0;
    run_at(observer, group_run(observer->group, now_ms()));
    return G_SOURCE_REMOVE;
}

static void run_soon(observer_t *observer)
{
    run_at(observer, now_ms() + RUN_DELAY_MS);
}

/* Corosync to group -----------------------------------------------------------*/

static void on_members(const guint32 *node_ids, guint count, gpointer user_data)
{
    observer_t *observer = user_data;

    group_on_members(observer->group, node_ids, count, now_ms());
    run_soon(observer);
}

static void tell_neighbours(observer_t *observer)
{
    g_auto(GStrv) addresses = corosync_neighbours(observer->corosync);

    if (addresses[0] != NULL) {
        watch_set_neighbours(observer->watch, (const char *const *) addresses);
    }
}

static void on_ring(guint64 ring, gpointer user_data)
{
    observer_t *observer = user_data;

    tell_neighbours(observer); /* a host may be new, or have another address */
    group_on_ring(observer->group, ring, now_ms());
    run_soon(observer);
}

static void on_quorum(guint64 ring, gboolean quorate, gpointer user_data)
{
    observer_t *observer = user_data;

    group_on_quorum(observer->group, ring, quorate, now_ms());
    run_soon(observer);
}

static void on_message(guint32 node_id, const void *data, gsize size_bytes, gpointer user_data)
{
    observer_t *observer = user_data;

    group_on_message(observer->group, node_id, data, size_bytes, now_ms());
    run_soon(observer);
}

static void on_lost(const char *sentence, gpointer user_data)
{
    observer_t *observer = user_data;

    log_line(LOG_CRIT, "%s: ending, Pacemaker starts this observer again", sentence);
    observer->exit_status = EXIT_FAILURE;
    g_main_loop_quit(observer->loop);
}

static const corosync_callbacks_t corosync_callbacks = { on_members, on_ring, on_quorum, on_message, on_lost };

/* Group to the rest -------------------------------------------------------------*/

static void op_send(GBytes *bytes, gpointer user_data)
{
    corosync_send(((observer_t *) user_data)->corosync, bytes);
}

static void op_round_start(const char *server, guint64 epoch, guint32 round, gpointer user_data)
{
    watch_round(((observer_t *) user_data)->watch, server, epoch, round);
}

static void op_isolation_start(const server_config_t *config, gpointer user_data)
{
    log_line(LOG_NOTICE, "Server %s: isolating (isolate=%s)", config->name, isolate_policy_name(config->isolate));
    isolation_start(((observer_t *) user_data)->isolation, config);
}

static void op_isolation_look(const server_config_t *config, gpointer user_data)
{
    isolation_look(((observer_t *) user_data)->isolation, config);
}

static void op_fencing_look(gpointer user_data)
{
    isolation_look_fencing(((observer_t *) user_data)->isolation);
}

static void op_isolation_cancel(const char *server, gpointer user_data)
{
    isolation_cancel(((observer_t *) user_data)->isolation, server);
}

static void op_start_check(const char *server, gpointer user_data)
{
    eligible_ask(((observer_t *) user_data)->eligible, server);
}

static void op_starts_clean_up(const server_config_t *config, const char *const *hosts, gpointer user_data)
{
    for (; *hosts != NULL; hosts++) {
        clean_up_start(((observer_t *) user_data)->clean_up, config->resource_id, *hosts);
    }
}

static void op_tickets_set(const char *const *servers, gboolean granted, gpointer user_data)
{
    cluster_set_tickets(((observer_t *) user_data)->cluster, servers, granted);
}

static void op_pause_end(const server_config_t *config, gpointer user_data)
{
    cluster_end_pause(((observer_t *) user_data)->cluster, config);
}

static void op_held_takeover_set(const server_config_t *config, gboolean is_held, gpointer user_data)
{
    cluster_set_held_takeover(((observer_t *) user_data)->cluster, config, is_held);
}

static void op_record_applied(const char *server, const verdict_record_t *from, const verdict_record_t *to,
                              gpointer user_data)
{
    observer_t *observer = user_data;

    if (to == NULL) {
        log_line(LOG_NOTICE, "Server %s: no longer protected", server);
        return;
    }
    watch_set_management(observer->watch, server, group_asks_management(observer->group, server));
    if (from == NULL || from->verdict != to->verdict || verdict_may_lift(from) != verdict_may_lift(to)) {
        upkeep_on_verdict(observer->upkeep, server, to->verdict);
    }
    if (from == NULL || g_strcmp0(from->seen_probes, to->seen_probes) != 0) {
        seen_look(observer->seen);
    }
    if (from != NULL && from->verdict == to->verdict && g_strcmp0(from->reason, to->reason) == 0) {
        return; /* something noted that an operator need not know */
    }
    log_line(LOG_NOTICE, "Server %s: %s -> %s%s%s", server, from != NULL ? verdict_name(from->verdict) : "new",
           verdict_name(to->verdict), to->reason[0] != '\0' ? ": " : "", to->reason);
}

static void op_request_answered(guint64 request_id, const char *error, gpointer user_data)
{
    ipc_server_answer(((observer_t *) user_data)->ipc, request_id, ipc_answer_new(error));
}

static void op_event_stored(const char *server, gint64 started_ms, const history_event_t *event, gpointer user_data)
{
    observer_t *observer = user_data;

    if (observer->history_file != NULL) {
        history_file_append(observer->history_file, server, started_ms, event);
    }
}

/* So that a table which this host has lost is not taken for one that never was. */
static void op_generation_agreed(guint64 generation, gpointer user_data)
{
    g_autofree char *path = g_build_filename(options.state_dir, "generation", NULL);
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", generation);
    g_autoptr(GError) error = NULL;

    (void) user_data;
    if (!g_file_set_contents(path, text, -1, &error)) {
        log_line(LOG_ERR, "The generation of the table can't be kept (%s): make room on the disk", error->message);
    }
}

static guint64 read_generation(void)
{
    g_autofree char *path = g_build_filename(options.state_dir, "generation", NULL);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

static void op_note(const char *sentence, gpointer user_data)
{
    (void) user_data;
    log_line(LOG_NOTICE, "%s", sentence);
}

static gint64 op_wall_ms(gpointer user_data)
{
    (void) user_data;
    return g_get_real_time() / 1000;
}

static const group_ops_t group_ops = {
    op_send, op_round_start, op_isolation_start, op_isolation_look, op_fencing_look, op_isolation_cancel, op_start_check,
    op_starts_clean_up, op_tickets_set, op_pause_end, op_held_takeover_set, op_record_applied, op_request_answered,
    op_event_stored, op_generation_agreed, op_note,
    op_wall_ms,
};

/* What is seen to group -----------------------------------------------------------*/

static void on_vote(const char *server, vote_t service, vote_t management, gint64 first_miss_wall_ms,
                    const char *reason, gpointer user_data)
{
    observer_t *observer = user_data;

    if (service == VOTE_UNKNOWN) {
        log_line(LOG_WARNING, "Server %s: can't be asked: %s", server, reason);
    }
    group_vote(observer->group, server, service, management, first_miss_wall_ms);
    group_vote_reason(observer->group, server, reason);
    run_soon(observer);
}

static void on_answer(const char *server, guint64 epoch, guint32 round, vote_t service, vote_t management,
                      gpointer user_data)
{
    group_answer(((observer_t *) user_data)->group, server, epoch, round, service, management);
}

static void tell_reach(observer_t *observer)
{
    reach_set(observer->reach, observer->is_blind          ? HOST_REACH_NO_SERVICE
                               : observer->has_lost_store ? HOST_REACH_NO_STORE
                                                          : HOST_REACH_ALL);
}

static void tell_ability(observer_t *observer)
{
    group_set_ability(observer->group, !observer->reaches_cib     ? GROUP_NO_CIB
                                       : observer->has_lost_store ? GROUP_NO_STORE
                                                                  : GROUP_ABLE);
    run_soon(observer);
}

static void on_store_sight(gboolean reached, gpointer user_data)
{
    observer_t *observer = user_data;

    log_line(LOG_NOTICE, reached ? "A monitor of the store answers again"
                                 : "No monitor of the store answers: images leave this host if another one reaches it");
    observer->has_lost_store = !reached;
    tell_reach(observer);
    tell_ability(observer);
}

static void on_blind(gboolean blind, gpointer user_data)
{
    observer_t *observer = user_data;

    log_line(LOG_NOTICE, blind ? "No reference answers: this host is blind, it votes on nothing"
                             : "A reference answers again: this host sees");
    observer->is_blind = blind;
    tell_reach(observer);
    group_set_blind(observer->group, blind);
    run_soon(observer);
}

static void on_seen_loaded(GHashTable *stored, gpointer user_data)
{
    observer_t *observer = user_data;

    group_set_stored_probes(observer->group, stored);
    run_soon(observer);
}

static GHashTable *on_seen_unstored(gpointer user_data)
{
    return group_unstored_probes(((observer_t *) user_data)->group);
}

static gboolean on_seen_wanted(gpointer user_data)
{
    return group_has_unseen(((observer_t *) user_data)->group);
}

static const seen_callbacks_t seen_callbacks = { on_seen_loaded, on_seen_unstored, on_seen_wanted };

static const watch_callbacks_t watch_callbacks = { on_vote, on_answer, on_blind };

static void on_isolated(const char *server, isolation_result_t result, const char *sentence, gpointer user_data)
{
    observer_t *observer = user_data;

    log_line(result == ISOLATION_DONE ? LOG_NOTICE : LOG_WARNING, "Server %s: %s: %s", server,
           result == ISOLATION_DONE ? "isolated" : "not isolated", sentence);
    if (result == ISOLATION_DONE) {
        upkeep_on_off(observer->upkeep, server);
    }
    group_isolation_ended(observer->group, server, result, sentence, now_ms());
    run_soon(observer);
}

static void on_fencing_looked(const char *const *pending, gpointer user_data)
{
    observer_t *observer = user_data;

    group_fencing_looked(observer->group, pending, now_ms());
    run_soon(observer);
}

static gboolean on_upkeep_leads(gpointer user_data)
{
    const observer_t *observer = user_data;

    return group_is_leader(observer->group) && group_in_sync(observer->group);
}

static const verdict_record_t *on_upkeep_record(const char *server, gpointer user_data)
{
    return group_record(((observer_t *) user_data)->group, server);
}

static void on_upkeep_said(const char *sentence, gpointer user_data)
{
    (void) user_data;
    log_line(LOG_NOTICE, "Blocklist: %s", sentence);
}

static const upkeep_ops_t upkeep_ops = { on_upkeep_leads, on_upkeep_record, on_upkeep_said };

/* CIB to group ----------------------------------------------------------------------*/

static image_view_t view_image(const cluster_server_t *server)
{
    if (cluster_server_may_run(server)) {
        return IMAGE_VIEW_ACTIVE;
    }
    return server->image == IMAGE_STOPPED ? IMAGE_VIEW_STOPPED : IMAGE_VIEW_UNKNOWN;
}

static void follow_server(observer_t *observer, const cluster_server_t *found, const char *fault)
{
    g_autoptr(GError) error = NULL;
    g_autofree const char **refused_hosts = (const char **) g_hash_table_get_keys_as_array(found->refused_hosts, NULL);
    group_server_facts_t facts = {
        .config = server_config_parse(found->resource_id, found->params, &error),
        .site_fault = fault,
        .config_error = (error != NULL) ? error->message : NULL,
        .name = found->name,
        /* Without the constraint Pacemaker would only start it once more. */
        .refused_hosts = found->ticket_bound ? refused_hosts : NULL,
        .held_back = found->held_back,
        .ticket_granted = found->ticket_granted,
        .image = view_image(found),
        .image_running = found->image == IMAGE_RUNNING,
        /* Of one that is lost with its host no start is to be noted there. */
        .image_host = found->image != IMAGE_UNKNOWN ? found->image_host : NULL,
    };

    if (facts.config != NULL) {
        /* The group and the probes each keep their own. */
        watch_set_server(observer->watch, server_config_parse(found->resource_id, found->params, NULL));
        upkeep_set_server(observer->upkeep, found->name, facts.config->store_address, facts.config->disks);
    }
    group_cluster_server(observer->group, &facts, now_ms());
    watch_set_management(observer->watch, found->name, group_asks_management(observer->group, found->name));
}

static void follow_voters(observer_t *observer, const cluster_state_t *state)
{
    g_auto(GStrv) uncounted = g_strsplit_set(options.uncounted, " \t,", -1);
    guint minimum = 0;
    g_auto(GStrv) voters = cluster_state_voters(state, (const char *const *) uncounted, &minimum);

    group_cluster_voters(observer->group, (const char *const *) voters, minimum);
}

static gboolean is_active(const cluster_server_t *server)
{
    return view_image(server) == IMAGE_VIEW_ACTIVE;
}

/* Of two resources for one server (they stand side by side) the one whose image is active is followed. */
static gboolean is_shadowed(const cluster_state_t *state, guint index)
{
    const cluster_server_t *server = g_ptr_array_index(state->servers, index);

    for (guint i = 0; i < state->servers->len; i++) {
        const cluster_server_t *other = g_ptr_array_index(state->servers, i);

        if (i != index && strcmp(other->name, server->name) == 0
            && (is_active(other) > is_active(server) || (is_active(other) == is_active(server) && i < index))) {
            return TRUE;
        }
    }
    return FALSE;
}

/* Once for each fault. */
static void tell_faults(observer_t *observer, GHashTable *faults)
{
    GHashTableIter iter;
    gpointer server = NULL;
    gpointer sentence = NULL;

    g_hash_table_iter_init(&iter, faults);
    while (g_hash_table_iter_next(&iter, &server, &sentence)) {
        if (g_strcmp0(g_hash_table_lookup(observer->faults_told, server), sentence) != 0) {
            log_line(LOG_ERR, "Server %s is not judged: %s", (const char *) server, (const char *) sentence);
        }
    }
    g_hash_table_unref(observer->faults_told);
    observer->faults_told = g_hash_table_ref(faults);
}

static void on_cluster_read(const cluster_state_t *state, gpointer user_data)
{
    observer_t *observer = user_data;
    g_autoptr(GList) watched = watch_servers(observer->watch);
    g_autoptr(GHashTable) faults = site_check(state);

    tell_faults(observer, faults);
    agent_kinds_look(observer->agent_kinds, state);
    group_cluster_begin(observer->group);
    follow_voters(observer, state);
    for (guint i = 0; i < state->servers->len; i++) {
        const cluster_server_t *found = g_ptr_array_index(state->servers, i);

        const char *fault = g_hash_table_lookup(faults, found->name);

        if (server_name_is_valid(found->name) && (fault == NULL || !is_shadowed(state, i))) {
            follow_server(observer, found, fault);
        }
    }
    for (GList *link = watched; link != NULL; link = link->next) {
        if (cluster_state_server(state, link->data) == NULL) {
            watch_remove_server(observer->watch, link->data);
            upkeep_remove_server(observer->upkeep, link->data);
        }
    }
    group_cluster_end(observer->group, now_ms());
    run_soon(observer);
}

static void on_able(gboolean able, gpointer user_data)
{
    observer_t *observer = user_data;

    observer->reaches_cib = able;
    tell_ability(observer);
}

static const cluster_callbacks_t cluster_callbacks = { on_cluster_read, on_able };

/* Operators ---------------------------------------------------------------------------*/

/* An operator who has ended his command meanwhile, say because he named the wrong server, wants nothing isolated any more. */
static void take_over(observer_t *observer, const char *server, guint64 request_id, const char *obstacle)
{
    g_autofree char *refusal = NULL;

    if (!ipc_server_waits(observer->ipc, request_id)) {
        log_line(LOG_NOTICE, "Server %s: no takeover is begun, since the command that asked for it has ended", server);
        return;
    }
    refusal = obstacle != NULL ? g_strdup_printf("Server %s is not taken over: %s", server, obstacle)
                               : group_request(observer->group, server, VERDICT_REQUEST_TAKEOVER, request_id, now_ms());
    if (refusal != NULL) {
        ipc_server_answer(observer->ipc, request_id, ipc_answer_new(refusal));
    }
}

/* It is asked first, because isolating the server is what can't be taken back. */
static JsonObject *answer_takeover(observer_t *observer, const char *server, guint64 request_id)
{
    g_autofree char *refusal = group_request_refusal(observer->group, server, VERDICT_REQUEST_TAKEOVER, now_ms());

    if (refusal != NULL) {
        return ipc_answer_new(refusal);
    }
    g_hash_table_insert(observer->asked_takeovers, g_memdup2(&request_id, sizeof(request_id)), g_strdup(server));
    eligible_ask(observer->eligible, server);
    return NULL;
}

static void on_eligible(const char *server, const char *obstacle, gpointer user_data)
{
    observer_t *observer = user_data;
    GHashTableIter iter;
    gpointer request_id = NULL;
    gpointer asked = NULL;

    group_start_checked(observer->group, server, obstacle, now_ms());
    g_hash_table_iter_init(&iter, observer->asked_takeovers);
    while (g_hash_table_iter_next(&iter, &request_id, &asked)) {
        if (g_strcmp0(asked, server) == 0) {
            take_over(observer, server, *(const guint64 *) request_id, obstacle);
            g_hash_table_iter_remove(&iter);
        }
    }
    run_soon(observer);
}

static char **on_others(gboolean are_isolated, gpointer user_data)
{
    return group_servers_to_start(((observer_t *) user_data)->group, are_isolated, now_ms());
}

static JsonObject *answer_status(observer_t *observer)
{
    JsonObject *answer = ipc_answer_new(NULL);

    group_status_to_json(observer->group, now_ms(), answer);
    return answer;
}

static JsonObject *answer_history(observer_t *observer, const char *server)
{
    const history_t *history = group_history(observer->group, server);
    g_autofree char *refusal = NULL;
    JsonObject *answer = NULL;

    if (history == NULL) {
        refusal = verdict_request_refusal(VERDICT_REQUEST_NONE, server, NULL);
        return ipc_answer_new(refusal);
    }
    answer = ipc_answer_new(NULL);
    json_object_set_array_member(answer, "takeovers", history_to_json(history));
    return answer;
}

static JsonObject *answer_request(observer_t *observer, const char *server, verdict_request_t request,
                                  guint64 request_id)
{
    g_autofree char *refusal = group_request(observer->group, server, request, request_id, now_ms());

    return (refusal != NULL) ? ipc_answer_new(refusal) : NULL;
}

static JsonObject *answer_reload(observer_t *observer, JsonObject *question)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) references = probe_spec_list_parse(json_read_text(question, "references"), &error);
    GPtrArray *management_references = references != NULL
                                           ? probe_spec_list_parse(json_read_text(question, "management_references"), &error)
                                           : NULL;

    if (management_references == NULL) {
        return ipc_answer_new(error->message);
    }
    log_line(LOG_NOTICE, "The references are now: %s; on the management network: %s", json_read_text(question, "references"),
             json_read_text(question, "management_references"));
    watch_set_references(observer->watch, g_steal_pointer(&references), management_references);
    run_soon(observer);
    return ipc_answer_new(NULL);
}

static JsonObject *on_ask(const char *op, const char *server, JsonObject *question, guint64 request_id, gpointer user_data)
{
    observer_t *observer = user_data;

    if (g_strcmp0(op, "ping") == 0) {
        return ipc_answer_new(NULL);
    }
    if (g_strcmp0(op, "status") == 0) {
        return answer_status(observer);
    }
    if (g_strcmp0(op, "history") == 0) {
        return answer_history(observer, server);
    }
    if (g_strcmp0(op, "takeover") == 0) {
        return answer_takeover(observer, server, request_id);
    }
    if (g_strcmp0(op, "reload") == 0) {
        return answer_reload(observer, question);
    }
    if (g_strcmp0(op, "release") == 0) {
        return answer_request(observer, server, VERDICT_REQUEST_RELEASE, request_id);
    }
    return ipc_answer_new("The question is not known: run the same version of all parts");
}

/* Starting and ending -------------------------------------------------------------------*/

static void on_takeover_found(const char *server, history_takeover_t *takeover, gpointer user_data)
{
    group_load_takeover(((observer_t *) user_data)->group, server, takeover);
}

static gboolean observer_start(observer_t *observer, GError **error)
{
    g_autofree char *node_name = NULL;
    g_autofree char *history_path = g_build_filename(options.state_dir, "history.jsonl", NULL);
    g_autoptr(GError) history_error = NULL;
    g_autoptr(GPtrArray) references = probe_spec_list_parse(options.references, error);
    GPtrArray *management_references = references != NULL ? probe_spec_list_parse(options.management_references, error)
                                                          : NULL;

    if (management_references == NULL) {
        return FALSE;
    }
    observer->watch = watch_new(g_steal_pointer(&references), management_references, &watch_callbacks, observer);
    observer->corosync = corosync_open(OBSERVER_CPG_GROUP, &corosync_callbacks, observer, error);
    if (observer->corosync == NULL) {
        return FALSE;
    }
    node_name = (options.node != NULL) ? g_strdup(options.node) : corosync_node_name(observer->corosync);
    observer->group = group_new(corosync_node_id(observer->corosync), node_name, &group_ops, observer);
    group_set_known(observer->group, read_generation());
    observer->history_file = history_file_open(history_path, on_takeover_found, observer, &history_error);
    if (observer->history_file == NULL) {
        log_line(LOG_ERR, "%s", history_error->message);
    }
    observer->agent_kinds = agent_kinds_new(options.isolate_helper);
    observer->isolation = isolation_new(options.isolate_helper, options.ceph_conf, options.ceph_user,
                                        observer->agent_kinds, on_isolated, on_fencing_looked, observer);
    observer->reach = reach_new();
    tell_reach(observer);
    observer->store_sight = store_sight_new(options.monitors_helper, options.ceph_conf, options.ceph_user,
                                            on_store_sight, observer);
    observer->upkeep = upkeep_new(options.entries_helper, options.ceph_conf, options.ceph_user, &upkeep_ops, observer);
    observer->seen = seen_new(options.seen_helper, options.ceph_conf, options.ceph_user, &seen_callbacks, observer);
    observer->cluster = cluster_new(&cluster_callbacks, observer);
    observer->asked_takeovers = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    observer->clean_up = clean_up_new();
    observer->eligible = eligible_new(observer->cluster, observer->agent_kinds, on_eligible, on_others, observer);
    observer->ipc = ipc_server_new(on_ask, observer, error);
    return observer->ipc != NULL && corosync_join(observer->corosync, error);
}

static void observer_end(observer_t *observer)
{
    /* First what calls back, then what is called. */
    ipc_server_free(observer->ipc);
    eligible_free(observer->eligible);
    clean_up_free(observer->clean_up);
    g_clear_pointer(&observer->asked_takeovers, g_hash_table_unref);
    cluster_free(observer->cluster);
    corosync_close(observer->corosync);
    watch_free(observer->watch);
    isolation_free(observer->isolation);
    agent_kinds_free(observer->agent_kinds);
    store_sight_free(observer->store_sight);
    seen_free(observer->seen);
    upkeep_free(observer->upkeep);
    g_clear_handle_id(&observer->run_source, g_source_remove);
    group_free(observer->group);
    reach_free(observer->reach);
    g_hash_table_unref(observer->faults_told);
    history_file_close(observer->history_file);
    g_main_loop_unref(observer->loop);
}

static gboolean on_signal(gpointer user_data)
{
    observer_t *observer = user_data;

    log_line(LOG_NOTICE, "Ending on a signal");
    g_main_loop_quit(observer->loop);
    return G_SOURCE_CONTINUE;
}

/* Writes to the process that started the daemon: empty if all is well. */
static void tell_parent(int *fd, const char *sentence)
{
    if (*fd >= 0) {
        if (sentence != NULL && write(*fd, sentence, strlen(sentence)) < 0) {
            log_line(LOG_ERR, "%s", sentence);
        }
        close(*fd);
        *fd = -1;
    } else if (sentence != NULL) {
        fprintf(stderr, "%s\n", sentence);
    }
}

/* A descriptor for each probe under way: the usual limit of 1024 is for programs that use select(2). */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int run_observer(int parent_fd)
{
    observer_t observer = { .loop = g_main_loop_new(NULL, FALSE),
                            .faults_told = g_hash_table_new(g_str_hash, g_str_equal) };
    g_autoptr(GError) error = NULL;
    int pid_fd = pidfile_acquire(options.pid_file, &error);

    if (pid_fd < 0) {
        tell_parent(&parent_fd, error->message);
        return EXIT_FAILURE;
    }
    log_open(PROGRAM_NAME, options.log_file, !options.daemonize);
    raise_descriptor_limit();
    if (!observer_start(&observer, &error)) {
        log_line(LOG_CRIT, "%s", error->message);
        tell_parent(&parent_fd, error->message);
        observer.exit_status = EXIT_FAILURE;
    } else {
        log_line(LOG_NOTICE, "Observing");
        tell_parent(&parent_fd, NULL);
        g_unix_signal_add(SIGTERM, on_signal, &observer);
        g_unix_signal_add(SIGINT, on_signal, &observer);
        g_main_loop_run(observer.loop);
    }
    observer_end(&observer);
    log_close();
    close(pid_fd);
    return observer.exit_status;
}

/* In the process that was started: wait until the daemon answers or says why not. */
static int wait_for_daemon(int fd)
{
    char sentence[1024];
    ssize_t size_bytes = 0;
    gsize total_bytes = 0;

    while ((size_bytes = read(fd, sentence + total_bytes, sizeof(sentence) - 1 - total_bytes)) > 0) {
        total_bytes += (gsize) size_bytes;
    }
    sentence[total_bytes] = '\0';
    if (total_bytes > 0) {
        fprintf(stderr, "%s\n", sentence);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static int daemonize(void)
{
    int fds[2] = { -1, -1 };
    int null_fd = -1;
    pid_t pid = -1;

    if (pipe(fds) != 0 || (pid = fork()) < 0) {
        fprintf(stderr, "No process can be started: %s\n", g_strerror(errno));
        return EXIT_FAILURE;
    }
    if (pid > 0) {
        close(fds[1]);
        return wait_for_daemon(fds[0]);
    }
    close(fds[0]);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    setsid();
    if (chdir("/") != 0) {
        return EXIT_FAILURE;
    }
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null_fd, STDIN_FILENO);
    dup2(null_fd, STDOUT_FILENO);
    dup2(null_fd, STDERR_FILENO);
    return run_observer(fds[1]);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *run_dir = NULL;

    if (!observer_options_parse(argc, argv, &options, &error)) {
        fprintf(stderr, "%s; see --help\n", error->message);
        return EXIT_FAILURE;
    }
    if (options.version) {
        printf("%s %s\n", PROGRAM_NAME, PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    if (options.man) {
        g_autofree char *page = observer_man_page();

        fputs(page, stdout);
        return EXIT_SUCCESS;
    }
    run_dir = g_path_get_dirname(options.pid_file);
    g_mkdir_with_parents(run_dir, 0755);
    return options.daemonize ? daemonize() : run_observer(-1);
}
