/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/group_private.h"

/* What was sent and has not come back by then is sent again: the connection may have been renewed. */
#define RESEND_MS 5000
/* The CIB shows a ticket's change well within this time, or it did not work. */
#define TICKET_RETRY_MS 2000
/* Likewise what is noted of a hold: nobody waits for it. */
#define HELD_RETRY_MS 10000
/* A start that was refused is forgotten well within this time, or that did not work. A grant waits for it so long. */
#define CLEAN_UP_RETRY_MS 10000
#define CLEAN_UP_WAIT_MS  5000

static void vote_clear(gpointer vote)
{
    g_free(((group_vote_t *) vote)->reason);
}

group_server_t *group_server_new(const char *name)
{
    group_server_t *server = g_new0(group_server_t, 1);

    server->name = g_strdup(name);
    server->own_vote.server = server->name;
    server->votes = g_array_new(FALSE, TRUE, sizeof(group_vote_t));
    g_array_set_clear_func(server->votes, vote_clear);
    server->history = history_new();
    server->image_stopped_since_ms = VERDICT_NEVER;
    server->round_asked_ms = VERDICT_NEVER;
    server->up_since_ms = VERDICT_NEVER;
    server->returned_since_ms = VERDICT_NEVER;
    server->gone_since_ms = VERDICT_NEVER;
    server->proposed_ms = VERDICT_NEVER;
    server->asked_ms = VERDICT_NEVER;
    server->ticket_tried_ms = VERDICT_NEVER;
    server->pause_end_tried_ms = VERDICT_NEVER;
    server->held_tried_ms = VERDICT_NEVER;
    server->refused_since_ms = VERDICT_NEVER;
    server->clean_up_tried_ms = VERDICT_NEVER;
    server->start_checked_ms = VERDICT_NEVER;
    server->fencing_over_since_ms = VERDICT_NEVER;
    server->isolation_result = ISOLATION_NONE;
    server->isolation_unknown_since_ms = server->isolation_asked_ms = server->isolation_others_ms = VERDICT_NEVER;
    server->leads_anew = TRUE;
    return server;
}

void group_server_free(group_server_t *server)
{
    server_config_free(server->config);
    g_free(server->config_error);
    g_free(server->site_fault);
    g_free(server->image_host);
    verdict_record_clear(&server->record);
    g_array_unref(server->votes);
    history_free(server->history);
    g_free(server->started_host_sent);
    g_strfreev(server->refused_hosts);
    g_free(server->held_back);
    g_free(server->start_obstacle);
    g_free(server->isolation_sentence);
    g_free(server->own_reason);
    g_free(server->name);
    g_free(server);
}

group_server_t *group_server_find(const group_t *group, const char *name)
{
    return g_hash_table_lookup(group->servers, name);
}

group_server_t *group_server_get(group_t *group, const char *name)
{
    group_server_t *server = group_server_find(group, name);

    if (server == NULL) {
        server = group_server_new(name);
        g_hash_table_insert(group->servers, server->name, server);
    }
    return server;
}

/* Votes -----------------------------------------------------------------------*/

group_vote_t *group_server_vote(group_server_t *server, guint32 node_id)
{
    group_vote_t vote = { .node_id = node_id };

    for (guint i = 0; i < server->votes->len; i++) {
        group_vote_t *known = &g_array_index(server->votes, group_vote_t, i);

        if (known->node_id == node_id) {
            return known;
        }
    }
    g_array_append_val(server->votes, vote);
    return &g_array_index(server->votes, group_vote_t, server->votes->len - 1);
}

void group_server_drop_vote(group_server_t *server, guint32 node_id)
{
    for (guint i = 0; i < server->votes->len; i++) {
        if (g_array_index(server->votes, group_vote_t, i).node_id == node_id) {
            g_array_remove_index_fast(server->votes, i);
            return;
        }
    }
}

const group_vote_t *group_server_vote_of(const group_server_t *server, guint32 node_id)
{
    static const group_vote_t none = { 0 };

    for (guint i = 0; i < server->votes->len; i++) {
        const group_vote_t *vote = &g_array_index(server->votes, group_vote_t, i);

        if (vote->node_id == node_id) {
            return vote;
        }
    }
    return &none;
}

/* The observer on a host that is counted; NULL: none that is in sync, the host is silent. */
static const group_member_t *voting_member(const group_t *group, const char *host)
{
    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);

        if (member->hello && member->in_sync && g_strcmp0(member->name, host) == 0) {
            return member;
        }
    }
    return NULL;
}

static guint probes_mark(const group_server_t *server)
{
    return server->config != NULL ? server->config->probes_mark : 0;
}

/* On other probes than this host's, while a change of them is on its way: none. */
static vote_t service_vote(const group_server_t *server, const group_vote_t *vote)
{
    return vote->probes_mark == probes_mark(server) ? vote->service : VOTE_NONE;
}

static vote_t service_answer(const group_server_t *server, const group_vote_t *vote)
{
    return vote->answer_mark == probes_mark(server) ? vote->answer_service : VOTE_NONE;
}

/* The standing votes of the hosts that are counted. */
static void tally_votes(const group_t *group, const group_server_t *server, verdict_tally_t *service,
                        verdict_tally_t *management)
{
    *service = *management = (verdict_tally_t) { .minimum = group->votes_minimum };
    for (char **host = group->voters; *host != NULL; host++) {
        const group_member_t *member = voting_member(group, *host);
        const group_vote_t *vote = (member != NULL) ? group_server_vote_of(server, member->node_id) : NULL;

        verdict_tally_add(service, vote != NULL ? service_vote(server, vote) : VOTE_NONE);
        verdict_tally_add(management, vote != NULL ? vote->management : VOTE_NONE);
    }
}

/* Complete when all have answered who can: a host without an observer is silent, and not waited for. */
static void tally_answers(const group_t *group, const group_server_t *server, verdict_view_t *view)
{
    view->round_service = view->round_management = (verdict_tally_t) { .minimum = group->votes_minimum };
    view->round_complete = TRUE;
    for (char **host = group->voters; *host != NULL; host++) {
        const group_member_t *member = voting_member(group, *host);
        const group_vote_t *vote = (member != NULL) ? group_server_vote_of(server, member->node_id) : NULL;
        gboolean answered = vote != NULL && vote->answer_epoch == server->record.epoch
                            && vote->answer_round == server->round;

        verdict_tally_add(&view->round_service, answered ? service_answer(server, vote) : VOTE_NONE);
        verdict_tally_add(&view->round_management, answered ? vote->answer_management : VOTE_NONE);
        view->round_complete = view->round_complete && (answered || vote == NULL);
    }
}

static void set_since(gint64 *since_ms, gboolean is_so, gint64 now_ms)
{
    if (!is_so) {
        *since_ms = VERDICT_NEVER;
    } else if (*since_ms == VERDICT_NEVER) {
        *since_ms = now_ms;
    }
}

void group_server_refresh(const group_t *group, group_server_t *server, gint64 now_ms)
{
    verdict_tally_t service = { 0 };
    verdict_tally_t management = { 0 };

    tally_votes(group, server, &service, &management);
    set_since(&server->up_since_ms, verdict_tally_is_up(&service), now_ms);
    set_since(&server->returned_since_ms, verdict_tally_is_up(&management), now_ms);
    set_since(&server->gone_since_ms, verdict_tally_is_down(&management), now_ms);
}

/* History ---------------------------------------------------------------------*/

static const char *const verdict_events[VERDICT_COUNT] = {
    [VERDICT_HEALTHY] = "healthy",
    [VERDICT_SUSPECT] = "suspect",
    [VERDICT_DOUBTED] = "doubted",
    [VERDICT_ISOLATING] = "isolating",
    [VERDICT_FAILED] = "isolated",
    [VERDICT_RETURNING] = "returning",
};

/* A doubt is kept in memory only until isolation begins: most of them pass. */
static void store_events(group_t *group, group_server_t *server, gboolean was_latched)
{
    const GPtrArray *takeovers = history_takeovers(server->history);
    const history_takeover_t *takeover = NULL;
    const history_event_t *first = NULL;

    if (takeovers->len == 0) {
        return;
    }
    takeover = g_ptr_array_index(takeovers, takeovers->len - 1);
    if (!takeover->latched) {
        return;
    }
    first = g_ptr_array_index(takeover->events, 0);
    for (guint i = was_latched ? takeover->events->len - 1 : 0; i < takeover->events->len; i++) {
        group->ops.event_stored(server->name, first->at_ms, g_ptr_array_index(takeover->events, i),
                                group->user_data);
    }
}

void group_server_add_event(group_t *group, group_server_t *server, const char *event, gint64 at_ms,
                            const char *host, const char *detail)
{
    const GPtrArray *takeovers = history_takeovers(server->history);
    const history_takeover_t *before = NULL;
    gboolean was_latched = FALSE;

    if (takeovers->len > 0) {
        before = g_ptr_array_index(takeovers, takeovers->len - 1);
        was_latched = before->latched;
    }
    if (history_add(server->history, event, at_ms, host, detail)) {
        gboolean is_same = takeovers->len > 0 && g_ptr_array_index(takeovers, takeovers->len - 1) == before;

        store_events(group, server, was_latched && is_same);
    }
}

/* Records ---------------------------------------------------------------------*/

static void forget_isolation(group_t *group, group_server_t *server)
{
    if (server->isolation_running) {
        group->ops.isolation_cancel(server->name, group->user_data);
    }
    server->isolation_running = FALSE;
    server->isolation_attempts = 0;
    server->isolation_result = ISOLATION_NONE;
    server->isolation_unknown_since_ms = server->isolation_asked_ms = server->isolation_others_ms = VERDICT_NEVER;
    server->leads_anew = TRUE;
    g_clear_pointer(&server->isolation_sentence, g_free);
}

void group_server_forget_leading(group_t *group, group_server_t *server)
{
    forget_isolation(group, server);
    server->proposed_ms = VERDICT_NEVER;
    server->asked_ms = VERDICT_NEVER;
    server->ticket_tried_ms = VERDICT_NEVER;
    server->pause_end_tried_ms = VERDICT_NEVER;
    server->held_tried_ms = VERDICT_NEVER;
    server->events_sent = 0;
    g_clear_pointer(&server->started_host_sent, g_free);
}

/* Takes neither; `record` may be NULL. */
static void set_record(group_t *group, group_server_t *server, const verdict_record_t *record, gint64 verdict_since_ms,
                       gint64 now_ms)
{
    verdict_record_t old = server->record;
    gboolean changed = FALSE;

    server->record = (verdict_record_t) { 0 };
    if (record != NULL) {
        verdict_record_copy(&server->record, record);
    }
    changed = record == NULL || old.epoch == 0 || old.verdict != record->verdict;
    server->record_since_ms = now_ms;
    server->round = 0;
    server->round_asked_ms = VERDICT_NEVER;
    if (changed) {
        server->verdict_since_ms = verdict_since_ms;
        group_server_forget_leading(group, server);
    }
    if (changed && server->record.verdict == VERDICT_HEALTHY) {
        server->start_checked_ms = VERDICT_NEVER; /* what was answered was for this failure */
    }
    if (server->record.isolation == ISOLATION_STATE_BEGUN && old.isolation != ISOLATION_STATE_BEGUN) {
        server->isolation_result = ISOLATION_NONE; /* what is known is of the attempts before */
    }
    if (old.epoch == 0 || old.isolation != ISOLATION_STATE_BEGUN) {
        server->in_fencing_look = server->fencing_pending = FALSE;
        server->fencing_over_since_ms = VERDICT_NEVER;
    }
    server->proposed_ms = VERDICT_NEVER;
    if (changed && old.verdict == VERDICT_ISOLATING && server->record.verdict == VERDICT_FAILED) {
        server->request = VERDICT_REQUEST_NONE; /* a release came too late: it is off, and its image is all that serves */
    }
    if (server->request != VERDICT_REQUEST_NONE) {
        g_autofree char *refusal = verdict_request_refusal(server->request, server->name, &server->record);

        if (refusal != NULL) {
            server->request = VERDICT_REQUEST_NONE;
        }
    }
    if (old.epoch != 0 || record != NULL) {
        group->ops.record_applied(server->name, old.epoch != 0 ? &old : NULL, record, group->user_data);
    }
    verdict_record_clear(&old);
}

void group_server_apply(group_t *group, group_server_t *server, const verdict_record_t *record, gint64 now_ms)
{
    gboolean is_new = server->record.epoch == 0;
    gboolean changed = is_new || server->record.verdict != record->verdict;

    if (record->epoch != server->record.epoch + 1) {
        return; /* another leader was first */
    }
    set_record(group, server, record, now_ms, now_ms);
    if (is_new && record->verdict == VERDICT_HEALTHY) {
        history_close(server->history); /* of a takeover that was under way when all observers were ended */
    } else if (changed) {
        group_server_add_event(group, server, verdict_events[record->verdict], record->since_wall_ms, "",
                               record->reason);
    }
}

void group_server_load(group_t *group, group_server_t *server, message_entry_t *entry, gint64 now_ms)
{
    set_record(group, server, entry != NULL ? &entry->record : NULL, now_ms - (entry != NULL ? entry->age_ms : 0),
               now_ms);
    server->verdict_since_ms = now_ms - (entry != NULL ? entry->age_ms : 0);
    server->request = (entry != NULL) ? entry->request : VERDICT_REQUEST_NONE;
    if (entry != NULL) {
        group_pause_hear(server, entry, now_ms);
    }
    group_history_resume(group, server, entry != NULL ? g_steal_pointer(&entry->takeover) : NULL);
}

/* Leading ---------------------------------------------------------------------*/

static void propose(group_t *group, group_server_t *server, const verdict_record_t *record, gint64 now_ms)
{
    message_t message = { .type = MESSAGE_RECORD, .server = server->name, .stamp.generation = group->generation,
                          .record = *record };

    if (server->record.epoch == 0 || server->record.verdict != record->verdict) {
        message.record.since_wall_ms = group->ops.wall_ms(group->user_data);
    }
    server->proposed_ms = now_ms;
    group_send(group, &message);
}

static void send_event(group_t *group, const group_server_t *server, const char *event, gint64 at_ms,
                       const char *host, const char *detail)
{
    message_t message = { .type = MESSAGE_EVENT, .server = server->name, .event = event, .at_ms = at_ms,
                          .host = host, .detail = detail };

    group_send(group, &message);
}

static gboolean service_answers(const group_t *group, const group_server_t *server)
{
    verdict_tally_t service = { 0 };
    verdict_tally_t management = { 0 };

    tally_votes(group, server, &service, &management);
    return server->image_running && verdict_tally_is_up(&service);
}

static gboolean is_granted(const group_t *group, const group_server_t *server)
{
    (void) group;
    return server->ticket_granted;
}

static gboolean is_starting(const group_t *group, const group_server_t *server)
{
    (void) group;
    return server->ticket_granted && server->image == IMAGE_VIEW_ACTIVE && !server->image_running
           && server->image_host != NULL;
}

static gboolean is_revoked(const group_t *group, const group_server_t *server)
{
    (void) group;
    return !server->ticket_granted;
}

static gboolean is_stopped(const group_t *group, const group_server_t *server)
{
    (void) group;
    return server->image_stopped_since_ms != VERDICT_NEVER;
}

/* What the leader notes once under a verdict. */
static const struct {
    verdict_t verdict;
    const char *event;
    gboolean (*is_so)(const group_t *group, const group_server_t *server);
} history_notes[] = {
    { VERDICT_FAILED, "granted", is_granted },
    { VERDICT_FAILED, "starting", is_starting },
    { VERDICT_FAILED, "answering", service_answers },
    { VERDICT_RETURNING, "revoked", is_revoked },
    { VERDICT_RETURNING, "stopped", is_stopped },
};

static void note_events(group_t *group, group_server_t *server)
{
    gint64 wall_ms = group->ops.wall_ms(group->user_data);

    for (guint i = 0; i < G_N_ELEMENTS(history_notes); i++) {
        if (server->record.verdict == history_notes[i].verdict && (server->events_sent & (1U << i)) == 0
            && !history_has(server->history, history_notes[i].event, NULL)
            && history_notes[i].is_so(group, server)) {
            server->events_sent |= 1U << i;
            send_event(group, server, history_notes[i].event, wall_ms, server->image_host, NULL);
        }
    }
    if (server->record.verdict == VERDICT_FAILED && server->image_running && server->image_host != NULL
        && g_strcmp0(server->started_host_sent, server->image_host) != 0
        && !history_has(server->history, "started", server->image_host)) {
        g_free(server->started_host_sent);
        server->started_host_sent = g_strdup(server->image_host);
        send_event(group, server, "started", wall_ms, server->image_host, NULL);
    }
}

static void note_first_miss(group_t *group, const group_server_t *server)
{
    gint64 first_ms = G_MAXINT64;

    for (guint i = 0; i < server->votes->len; i++) {
        const group_vote_t *vote = &g_array_index(server->votes, group_vote_t, i);

        if (vote->service == VOTE_DOWN && vote->first_miss_wall_ms > 0) {
            first_ms = MIN(first_ms, vote->first_miss_wall_ms);
        }
    }
    if (first_ms != G_MAXINT64) {
        send_event(group, server, "first_miss", first_ms, NULL, NULL);
    }
}

static const char *stored_probes(const group_t *group, const group_server_t *server)
{
    return group->stored_probes != NULL ? g_hash_table_lookup(group->stored_probes, server->name) : NULL;
}

static void fill_view(const group_t *group, const group_server_t *server, gint64 now_ms, verdict_view_t *view)
{
    *view = (verdict_view_t) {
        .now_ms = now_ms,
        .config = server->config,
        .record = &server->record,
        .verdict_since_ms = server->verdict_since_ms,
        .record_since_ms = server->record_since_ms,
        .request = server->request,
        .up_since_ms = server->up_since_ms,
        .returned_since_ms = server->returned_since_ms,
        .gone_since_ms = server->gone_since_ms,
        .round_asked_ms = server->round_asked_ms,
        .isolation_running = server->isolation_running,
        .isolation_attempts = server->isolation_attempts,
        .isolation_ended_ms = server->isolation_ended_ms,
        .isolation_result = server->isolation_result,
        .isolation_unknown_since_ms = server->isolation_unknown_since_ms,
        .isolation_sentence = server->isolation_sentence,
        .fencing_pending = server->fencing_pending,
        .fencing_over_since_ms = server->fencing_over_since_ms,
        .start_checked_ms = server->start_checked_ms,
        .start_possible = server->start_possible,
        .start_obstacle = server->start_obstacle,
        .site_fault = server->site_fault,
        .held_back = server->held_back,
        .is_paused = group_pause_is_on(server, now_ms),
        .pause_end_ms = group_pause_end_ms(server),
        .pause_begin_unknown = server->pause.until_ms != 0 && !server->pause.begin_known,
        .ticket_granted = server->ticket_granted,
        .image = server->image,
        .image_stopped_since_ms = server->image_stopped_since_ms,
        .stored_probes = stored_probes(group, server),
    };
    tally_votes(group, server, &view->service, &view->management);
    if (server->round_asked_ms != VERDICT_NEVER) {
        tally_answers(group, server, view);
    }
}

static gboolean is_on_its_way(gint64 *sent_ms, gint64 now_ms)
{
    if (*sent_ms != VERDICT_NEVER && now_ms >= *sent_ms + RESEND_MS) {
        *sent_ms = VERDICT_NEVER;
    }
    return *sent_ms != VERDICT_NEVER;
}

static void propose_first(group_t *group, group_server_t *server, gint64 now_ms)
{
    verdict_record_t record = { 0 };

    verdict_record_first(&record, server->config, server->ticket_granted);
    propose(group, server, &record, now_ms);
    verdict_record_clear(&record);
}

/* A start that was refused for want of the ticket says nothing of its host, and must not ban it from the takeover. */
static gint64 clean_up_refusals(group_t *group, group_server_t *server, gint64 now_ms)
{
    if (server->refused_hosts == NULL) {
        return VERDICT_NEVER;
    }
    if (server->clean_up_tried_ms == VERDICT_NEVER || now_ms >= server->clean_up_tried_ms + CLEAN_UP_RETRY_MS) {
        server->clean_up_tried_ms = now_ms;
        group->ops.starts_clean_up(server->config, (const char *const *) server->refused_hosts, group->user_data);
    }
    return server->clean_up_tried_ms + CLEAN_UP_RETRY_MS;
}

static gboolean grant_waits(const group_server_t *server, gint64 now_ms)
{
    return server->refused_hosts != NULL && now_ms < server->refused_since_ms + CLEAN_UP_WAIT_MS;
}

/* When to look again. */
static gint64 note_held_takeover(group_t *group, group_server_t *server, held_action_t action, gint64 now_ms)
{
    if (action == HELD_NOTE) {
        server->held_is_old = FALSE; /* it says so of now */
    } else if (server->held_is_old) {
        action = HELD_FORGET;
    }
    if (action == HELD_KEEP) {
        server->held_tried_ms = VERDICT_NEVER;
        return VERDICT_NEVER;
    }
    if (server->held_tried_ms == VERDICT_NEVER || now_ms >= server->held_tried_ms + HELD_RETRY_MS) {
        server->held_tried_ms = now_ms;
        group->ops.held_takeover_set(server->config, action == HELD_NOTE, group->user_data);
    }
    return server->held_tried_ms + HELD_RETRY_MS;
}

static gint64 carry_out(group_t *group, group_server_t *server, const verdict_decision_t *decision, gint64 now_ms,
                        GPtrArray *grant, GPtrArray *revoke)
{
    gint64 wake_ms = MIN(decision->wake_ms, clean_up_refusals(group, server, now_ms));

    wake_ms = MIN(wake_ms, note_held_takeover(group, server, decision->held, now_ms));
    if (decision->ticket == TICKET_GRANT && grant_waits(server, now_ms)) {
        wake_ms = MIN(wake_ms, server->refused_since_ms + CLEAN_UP_WAIT_MS);
    } else if (decision->ticket != TICKET_KEEP) {
        if (server->ticket_tried_ms == VERDICT_NEVER || now_ms >= server->ticket_tried_ms + TICKET_RETRY_MS) {
            server->ticket_tried_ms = now_ms;
            g_ptr_array_add(decision->ticket == TICKET_GRANT ? grant : revoke, server->name);
        }
        wake_ms = MIN(wake_ms, server->ticket_tried_ms + TICKET_RETRY_MS);
    } else {
        server->ticket_tried_ms = VERDICT_NEVER;
    }
    server->wants_fencing_look = decision->look_fencing;
    if (decision->check_start && !server->start_check_runs) {
        server->start_check_runs = TRUE;
        server->start_check_is_old = FALSE;
        group->ops.start_check(server->name, group->user_data);
    }
    if (decision->start_isolation && !decision->change) {
        server->isolation_running = TRUE;
        server->isolation_unknown_since_ms = VERDICT_NEVER; /* what is asked for now is as new as this */
        group->ops.isolation_start(server->config, group->user_data);
    }
    if (decision->start_look && !decision->change) {
        server->isolation_running = TRUE;
        group->ops.isolation_look(server->config, group->user_data);
    }
    if (decision->change) {
        if (decision->next.verdict == VERDICT_SUSPECT) {
            note_first_miss(group, server);
        }
        propose(group, server, &decision->next, now_ms);
        return now_ms + RESEND_MS;
    }
    if (decision->ask_round && !is_on_its_way(&server->asked_ms, now_ms)) {
        message_t message = { .type = MESSAGE_ASK, .server = server->name,
                              .stamp.generation = group->generation, .epoch = server->record.epoch,
                              .round = (guint32) group->incarnation + ++group->rounds_asked };

        server->asked_ms = now_ms;
        group_send(group, &message);
        wake_ms = MIN(wake_ms, now_ms + RESEND_MS);
    }
    return wake_ms;
}

/* An attempt that is noted, and was not begun here, may have asked for something until now. */
static void begin_to_lead(group_server_t *server, gint64 now_ms)
{
    if (server->leads_anew && server->record.verdict == VERDICT_ISOLATING
        && server->record.isolation == ISOLATION_STATE_BEGUN) {
        server->isolation_others_ms = now_ms;
    }
    server->leads_anew = FALSE;
}

gint64 group_server_lead(group_t *group, group_server_t *server, gint64 now_ms, GPtrArray *grant, GPtrArray *revoke)
{
    verdict_view_t view = { 0 };
    verdict_decision_t decision = { 0 };
    gint64 wake_ms = VERDICT_NEVER;

    server->wants_fencing_look = FALSE;
    begin_to_lead(server, now_ms);
    if (is_on_its_way(&server->proposed_ms, now_ms)) {
        return server->proposed_ms + RESEND_MS;
    }
    if (!group->cluster_known) {
        return VERDICT_NEVER;
    }
    if (!server->in_cib) {
        message_t message = { .type = MESSAGE_FORGET, .server = server->name, .stamp.generation = group->generation };

        if (server->record.epoch != 0) {
            server->proposed_ms = now_ms;
            group_send(group, &message);
        }
        return VERDICT_NEVER;
    }
    if (server->config == NULL) {
        return VERDICT_NEVER;
    }
    if (server->record.epoch == 0) {
        propose_first(group, server, now_ms);
        return now_ms + RESEND_MS;
    }
    fill_view(group, server, now_ms, &view);
    verdict_decide(&view, &decision);
    wake_ms = MIN(carry_out(group, server, &decision, now_ms, grant, revoke), group_pause_lead(group, server, now_ms));
    verdict_decision_clear(&decision);
    note_events(group, server);
    return wake_ms;
}

/* Status ----------------------------------------------------------------------*/

static const char *vote_key(vote_t vote)
{
    switch (vote) {
        case VOTE_UP:
        case VOTE_MISSING:
            return "up";
        case VOTE_DOWN:
            return "down";
        case VOTE_BLIND:
            return "blind";
        case VOTE_UNKNOWN:
            return "unknown";
        default:
            return NULL;
    }
}

static JsonObject *tally_to_json(const verdict_tally_t *tally)
{
    JsonObject *votes = json_object_new();

    json_object_set_int_member(votes, "up", tally->votes[VOTE_UP] + tally->votes[VOTE_MISSING]);
    json_object_set_int_member(votes, "down", tally->votes[VOTE_DOWN]);
    json_object_set_int_member(votes, "blind", tally->votes[VOTE_BLIND]);
    json_object_set_int_member(votes, "unknown", tally->votes[VOTE_UNKNOWN]);
    return votes;
}

/* Why nothing is judged by its probes, or NULL: also while it is taken over, when nothing is. */
static const char *unseen_reason(const group_t *group, const group_server_t *server)
{
    if (server->record.verdict == VERDICT_FAILED || !group_server_is_unseen(group, server)) {
        return NULL;
    }
    return group->stored_probes != NULL
               ? "never seen up with these probes, so it is not judged by them: see that they answer, or, if the server "
                 "is down, run understudy adopt with --trust-probes"
               : "whether it was ever seen up with these probes is not known, so it is not judged by them: the store has "
                 "not answered yet and is asked again";
}

/* Of those who can't ask it: the first one's reason. */
static char *unknown_reason(const group_t *group, const group_server_t *server)
{
    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);
        const group_vote_t *vote = group_server_vote_of(server, member->node_id);

        if (member->hello && (vote->service == VOTE_UNKNOWN || vote->management == VOTE_UNKNOWN)) {
            return g_strdup_printf("%s can't ask it: %s", member->name, vote->reason != NULL ? vote->reason : "");
        }
    }
    return NULL;
}

static char *whole_reason(const group_t *group, const group_server_t *server)
{
    g_autofree char *unknown = unknown_reason(group, server);
    const char *const reasons[] = { server->site_fault,
                                    server->config_error != NULL ? server->config_error : server->record.reason,
                                    unseen_reason(group, server), unknown };
    GString *text = g_string_new(NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(reasons); i++) {
        if (reasons[i] != NULL && reasons[i][0] != '\0') {
            g_string_append_printf(text, "%s%s", text->len > 0 ? "; " : "", reasons[i]);
        }
    }
    return g_string_free(text, FALSE);
}

gboolean group_server_is_unseen(const group_t *group, const group_server_t *server)
{
    return server->config != NULL && server->config->probes->len > 0
           && !verdict_is_seen(server->config, &server->record, stored_probes(group, server));
}

static const char *seen_key(const group_t *group, const group_server_t *server)
{
    return !group_server_is_unseen(group, server) ? "yes" : group->stored_probes != NULL ? "no" : "unknown";
}

JsonObject *group_server_to_json(const group_t *group, const group_server_t *server, gint64 now_ms)
{
    JsonObject *object = json_object_new();
    JsonObject *pause = group_pause_to_json(group, server, now_ms);
    JsonObject *by_member = json_object_new();
    g_autofree char *waits = NULL;
    verdict_view_t view = { 0 };
    JsonObject *reasons = json_object_new();
    g_autofree char *reason = whole_reason(group, server);
    verdict_tally_t service = { 0 };
    verdict_tally_t management = { 0 };

    if (server->config != NULL && server->record.epoch != 0) {
        fill_view(group, server, now_ms, &view);
        waits = verdict_waits_for(&view);
    }
    tally_votes(group, server, &service, &management);
    json_object_set_string_member(object, "name", server->name);
    json_object_set_string_member(object, "verdict",
                                  server->record.epoch != 0 ? verdict_name(server->record.verdict) : "unknown");
    json_object_set_int_member(object, "since_ms", server->record.since_wall_ms);
    /* By this host's clock alone, which the leader's may differ from. */
    json_object_set_int_member(object, "age_ms", server->record.epoch != 0 ? now_ms - server->verdict_since_ms : 0);
    json_object_set_string_member(object, "reason", reason);
    json_object_set_string_member(object, "probes_seen", seen_key(group, server));
    json_object_set_string_member(object, "waits_for", waits != NULL ? waits : "");
    json_object_set_object_member(object, "votes", tally_to_json(&service));
    json_object_set_object_member(object, "management_votes", tally_to_json(&management));
    for (guint i = 0; i < group->members->len; i++) {
        const group_member_t *member = &g_array_index(group->members, group_member_t, i);
        const group_vote_t *vote = group_server_vote_of(server, member->node_id);

        if (member->hello && vote_key(vote->service) != NULL) {
            json_object_set_string_member(by_member, member->name, vote_key(vote->service));
        }
        if (member->hello && vote->reason != NULL && vote->reason[0] != '\0') {
            json_object_set_string_member(reasons, member->name, vote->reason);
        }
    }
    json_object_set_object_member(object, "votes_by_member", by_member);
    json_object_set_object_member(object, "vote_reasons", reasons);
    if (pause != NULL) {
        json_object_set_object_member(object, "pause", pause);
    }
    if (server->config_error != NULL) {
        json_object_set_string_member(object, "config_error", server->config_error);
    }
    return object;
}
