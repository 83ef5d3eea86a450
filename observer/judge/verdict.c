/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/verdict.h"

static const char *const verdict_names[VERDICT_COUNT] = {
    [VERDICT_HEALTHY] = "healthy",
    [VERDICT_SUSPECT] = "suspect",
    [VERDICT_DOUBTED] = "doubted",
    [VERDICT_ISOLATING] = "isolating",
    [VERDICT_FAILED] = "failed",
    [VERDICT_RETURNING] = "returning",
};

static const char *const vote_names[VOTE_COUNT] = {
    [VOTE_NONE] = "none",
    [VOTE_UP] = "up",
    [VOTE_MISSING] = "missing",
    [VOTE_DOWN] = "down",
    [VOTE_BLIND] = "blind",
    [VOTE_UNKNOWN] = "unknown",
    [VOTE_REFUSED] = "refused",
};

const char *verdict_name(verdict_t verdict)
{
    return ((guint) verdict < VERDICT_COUNT) ? verdict_names[verdict] : "unknown";
}

gboolean verdict_parse(const char *text, verdict_t *verdict)
{
    for (guint i = 0; i < VERDICT_COUNT; i++) {
        if (g_strcmp0(text, verdict_names[i]) == 0) {
            *verdict = (verdict_t) i;
            return TRUE;
        }
    }
    return FALSE;
}

const char *vote_name(vote_t vote)
{
    return ((guint) vote < VOTE_COUNT) ? vote_names[vote] : "unknown";
}

/* Tallies -----------------------------------------------------------------*/

void verdict_tally_add(verdict_tally_t *tally, vote_t vote)
{
    tally->members++;
    if (vote == VOTE_REFUSED) {
        tally->refused++;
        vote = VOTE_DOWN;
    }
    tally->votes[(guint) vote < VOTE_COUNT ? vote : VOTE_NONE]++;
}

static gboolean is_majority(const verdict_tally_t *tally, guint votes)
{
    return votes * 2 > tally->members;
}

gboolean verdict_tally_is_down(const verdict_tally_t *tally)
{
    return is_majority(tally, tally->votes[VOTE_DOWN]) && tally->votes[VOTE_DOWN] >= tally->minimum;
}

gboolean verdict_tally_is_up(const verdict_tally_t *tally)
{
    return is_majority(tally, tally->votes[VOTE_UP]);
}

/* What could not be asked may live: most that refuse an answer do. A port that refuses shows a kernel that runs. */
static gboolean tally_has_life(const verdict_tally_t *tally)
{
    return tally->votes[VOTE_UP] + tally->votes[VOTE_MISSING] + tally->votes[VOTE_UNKNOWN] + tally->refused > 0;
}

/* Records -----------------------------------------------------------------*/

void verdict_record_clear(verdict_record_t *record)
{
    g_free(record->reason);
    g_free(record->seen_probes);
    *record = (verdict_record_t) { 0 };
}

void verdict_record_copy(verdict_record_t *to, const verdict_record_t *from)
{
    char *reason = g_strdup(from->reason);
    char *seen_probes = g_strdup(from->seen_probes);

    g_free(to->reason);
    g_free(to->seen_probes);
    *to = *from;
    to->reason = reason;
    to->seen_probes = seen_probes;
}

void verdict_decision_clear(verdict_decision_t *decision)
{
    verdict_record_clear(&decision->next);
    *decision = (verdict_decision_t) { 0 };
}

/* Decisions ---------------------------------------------------------------*/

static gboolean is_before_isolation(verdict_t verdict)
{
    return verdict == VERDICT_HEALTHY || verdict == VERDICT_SUSPECT || verdict == VERDICT_DOUBTED;
}

/* Takes the reason over. How often a takeover's return has failed is forgotten when the server is healthy. */
static void propose(const verdict_view_t *view, verdict_decision_t *decision, verdict_t verdict, char *reason)
{
    decision->change = TRUE;
    decision->next = (verdict_record_t) {
        .epoch = view->record->epoch + 1,
        .verdict = verdict,
        .since_wall_ms = view->record->since_wall_ms,
        .reason = reason,
        .seen_probes = g_strdup(view->record->seen_probes),
    };
    if (is_before_isolation(view->record->verdict) && is_before_isolation(verdict)) {
        decision->next.isolation = view->record->isolation;
    }
    if (verdict != VERDICT_HEALTHY) {
        decision->next.failed_returns = view->record->failed_returns;
        decision->next.operator_returns = view->record->operator_returns;
    }
}

/* The same verdict with something noted: what is not noted stays as it is. */
static void propose_note(const verdict_view_t *view, verdict_decision_t *decision, const char *reason)
{
    propose(view, decision, view->record->verdict, g_strdup(reason));
    decision->next.by_operator = view->record->by_operator;
    decision->next.seen_away = view->record->seen_away;
    decision->next.quiet_rounds = view->record->quiet_rounds;
    decision->next.isolation = view->record->isolation;
}

static void propose_by_operator(const verdict_view_t *view, verdict_decision_t *decision, verdict_t verdict,
                                const char *reason)
{
    propose(view, decision, verdict, g_strdup(reason));
    decision->next.by_operator = TRUE;
}

static void wake_at(verdict_decision_t *decision, gint64 at_ms)
{
    decision->wake_ms = MIN(decision->wake_ms, at_ms);
}

static gint64 later(gint64 since_ms, guint64 delay_ms)
{
    return (since_ms == VERDICT_NEVER) ? VERDICT_NEVER : since_ms + (gint64) delay_ms;
}

typedef enum {
    ROUND_WAIT,      /* none has been asked, or answers are missing and may still come */
    ROUND_ANSWERED,  /* by all */
    ROUND_OVERDUE,   /* some have not answered in time */
} round_state_t;

/* Ask a round if none was asked since `from_ms`, and tell how the last one stands. */
static round_state_t round_run(const verdict_view_t *view, verdict_decision_t *decision, gint64 from_ms)
{
    gint64 deadline_ms = 0;

    if (view->round_asked_ms == VERDICT_NEVER || view->round_asked_ms < from_ms) {
        decision->ask_round = TRUE;
        return ROUND_WAIT;
    }
    if (view->round_complete) {
        return ROUND_ANSWERED;
    }
    deadline_ms = view->round_asked_ms + (gint64) view->config->probe_timeout_ms + VERDICT_ROUND_GRACE_MS;
    if (view->now_ms >= deadline_ms) {
        return ROUND_OVERDUE;
    }
    wake_at(decision, deadline_ms);
    return ROUND_WAIT;
}

static char *tally_sentence(const char *prefix, const verdict_tally_t *tally)
{
    g_autofree char *unknown = tally->votes[VOTE_UNKNOWN] > 0
                                   ? g_strdup_printf(", %u can't ask it", tally->votes[VOTE_UNKNOWN]) : g_strdup("");

    return g_strdup_printf("%s: %u of %u hosts find it down, %u up, %u blind%s", prefix,
                           tally->votes[VOTE_DOWN], tally->members,
                           tally->votes[VOTE_UP] + tally->votes[VOTE_MISSING], tally->votes[VOTE_BLIND], unknown);
}

static gboolean start_is_known(const verdict_view_t *view)
{
    gint64 valid_ms = view->start_possible ? VERDICT_START_VALID_MS : VERDICT_START_RETRY_MS;

    return view->start_checked_ms != VERDICT_NEVER && view->now_ms < view->start_checked_ms + valid_ms;
}

/* Isolating a server whose image then runs nowhere would do nothing but harm. TRUE if a host would run it. Otherwise
 * the record says why not, and it is asked again until the reason is gone. */
static gboolean may_isolate(const verdict_view_t *view, verdict_decision_t *decision)
{
    const char *obstacle = view->held_back;
    g_autofree char *reason = NULL;

    if (view->is_paused || view->site_fault != NULL) {
        return FALSE; /* status says so as long as it is so */
    }
    if (obstacle == NULL) {
        decision->check_start = !start_is_known(view);
        if (view->start_checked_ms == VERDICT_NEVER) {
            return FALSE;
        }
        if (view->start_possible) {
            return start_is_known(view);
        }
        obstacle = view->start_obstacle;
        wake_at(decision, view->start_checked_ms + VERDICT_START_RETRY_MS);
    }
    reason = g_strdup_printf("not taken over: %s", obstacle);
    if (g_strcmp0(reason, view->record->reason) != 0) {
        propose_note(view, decision, reason);
    }
    return FALSE;
}

/* Isolation by an operator's wish needs no confirmation: he knows that it is up. */
static gboolean decide_takeover_request(const verdict_view_t *view, verdict_decision_t *decision)
{
    if (view->request != VERDICT_REQUEST_TAKEOVER || view->site_fault != NULL) {
        return FALSE;
    }
    propose_by_operator(view, decision, VERDICT_ISOLATING, "takeover asked for by the operator");
    return TRUE;
}

static gboolean decide_release_request(const verdict_view_t *view, verdict_decision_t *decision)
{
    if (view->request != VERDICT_REQUEST_RELEASE) {
        return FALSE;
    }
    propose_by_operator(view, decision, VERDICT_RETURNING, "release asked for by the operator");
    return TRUE;
}

/* Seen up ---------------------------------------------------------------------*/

gboolean verdict_is_seen(const server_config_t *config, const verdict_record_t *record, const char *stored_probes)
{
    return g_strcmp0(config->probes_digest, record->seen_probes) == 0
           || g_strcmp0(config->probes_digest, stored_probes) == 0;
}

static gboolean is_seen(const verdict_view_t *view)
{
    return verdict_is_seen(view->config, view->record, view->stored_probes);
}

/* All observers were ended, and what they had begun may be under way. */
static gboolean has_earlier_isolation(const verdict_record_t *record)
{
    return is_before_isolation(record->verdict) && record->isolation == ISOLATION_STATE_BEGUN;
}

/* In the CIB, and so over an end of all observers. Without the second a hold says nothing of a takeover: an operator may
 * have asked for it beforehand. */
static gboolean is_held(const server_config_t *config)
{
    return config->hold && config->held_takeover;
}

gboolean verdict_resumes_hold(const server_config_t *config, const verdict_record_t *record)
{
    return record->verdict == VERDICT_HEALTHY && has_earlier_isolation(record) && is_held(config);
}

void verdict_record_first(verdict_record_t *record, const server_config_t *config, gboolean ticket_granted)
{
    *record = (verdict_record_t) { .epoch = 1, .verdict = VERDICT_HEALTHY, .isolation = ISOLATION_STATE_BEGUN,
                                   .reason = g_strdup("") };
    if (ticket_granted && (config->probes->len > 0 || is_held(config))) {
        /* Latched: its original may not run again only because our memory is lost. */
        record->verdict = VERDICT_FAILED;
        record->isolation = ISOLATION_STATE_NOT_BEGUN;
        g_free(record->reason);
        record->reason = g_strdup("its ticket was granted when the observers started");
    }
}

gboolean verdict_may_lift(const verdict_record_t *record)
{
    return record->verdict == VERDICT_HEALTHY && !has_earlier_isolation(record);
}

/* An answer that still stands may be the image's own until every probe has been sent anew after it stopped; or of before
 * an earlier isolation took effect. */
static gboolean is_up_without_image(const verdict_view_t *view, verdict_decision_t *decision)
{
    gint64 from_ms = has_earlier_isolation(view->record) ? MAX(view->image_stopped_since_ms, view->fencing_over_since_ms)
                                                         : view->image_stopped_since_ms;
    gint64 settled_ms = later(from_ms, view->config->probe_interval_ms
                                                                + view->config->probe_timeout_ms
                                                                + VERDICT_STOPPED_SETTLE_MS);

    if (!verdict_tally_is_up(&view->service) || settled_ms == VERDICT_NEVER) {
        return FALSE;
    }
    if (view->now_ms < settled_ms) {
        wake_at(decision, settled_ms);
    }
    return view->now_ms >= settled_ms;
}

/* Whatever its probes were then. The record, other than the store, does not outlive a restart of all observers. */
static gboolean was_up_since_first(const verdict_record_t *record)
{
    return record->seen_probes != NULL && record->seen_probes[0] != '\0';
}

gboolean verdict_asks_management(const server_config_t *config, const verdict_record_t *record)
{
    return record->verdict != VERDICT_HEALTHY
           || (config->probes->len > 0 && !was_up_since_first(record));
}

/* How long a machine that is on may need until its service answers, with a gate that counts. */
static gint64 boot_ms(const verdict_view_t *view)
{
    return (gint64) (view->config->recover_after_ms + VERDICT_SERVE_GRACE_MS + view->config->gate_quiet_ms);
}

/* HEALTHY: until when a server that nobody has seen up since all observers began may be booting well: after a power
 * failure of the site, or when what was under way was forgotten with its return. One that a majority finds gone from its
 * management address has no gate that counts. One whose address comes and goes does not boot for ever. */
static gint64 gate_over_ms(const verdict_view_t *view)
{
    gint64 first_ms = view->verdict_since_ms;
    gint64 last_ms = first_ms + VERDICT_BOOTS_MAX * boot_ms(view);
    gint64 from_ms = first_ms;

    if (was_up_since_first(view->record) || verdict_tally_is_down(&view->management)) {
        return G_MININT64;
    }
    if (view->returned_since_ms != VERDICT_NEVER) {
        from_ms = CLAMP(view->returned_since_ms, first_ms, last_ms);
    }
    if (view->image_stopped_since_ms != VERDICT_NEVER) {
        from_ms = CLAMP(view->image_stopped_since_ms, from_ms, last_ms); /* until then the image answered its gate */
    }
    return from_ms + boot_ms(view);
}

/* TRUE: that it does not serve is no failure yet. */
static gboolean gate_may_count(const verdict_view_t *view, verdict_decision_t *decision)
{
    gint64 over_ms = gate_over_ms(view);

    if (view->now_ms < over_ms) {
        wake_at(decision, over_ms);
    }
    return view->now_ms < over_ms;
}

/* SUSPECT, DOUBTED: it boots, for its machine has come back since it was found gone. One that has answered there all the
 * time has had its time. */
static gboolean has_come_back(const verdict_view_t *view)
{
    return !was_up_since_first(view->record) && view->returned_since_ms != VERDICT_NEVER
           && view->returned_since_ms + VERDICT_ROUND_GRACE_MS >= view->verdict_since_ms;
}

/* TRUE if it is noted now, for a new leader and for the store. */
static gboolean decide_seen(const verdict_view_t *view, verdict_decision_t *decision)
{
    if ((g_strcmp0(view->config->probes_digest, view->record->seen_probes) == 0 && !has_earlier_isolation(view->record))
        || !is_up_without_image(view, decision)) {
        return FALSE;
    }
    propose_note(view, decision, view->record->reason);
    decision->next.isolation = ISOLATION_STATE_NOT_BEGUN;
    g_free(decision->next.seen_probes);
    decision->next.seen_probes = g_strdup(view->config->probes_digest);
    return TRUE;
}

/* TRUE if it is proposed now. */
static gboolean note_fencing(const verdict_view_t *view, verdict_decision_t *decision, gboolean is_pending)
{
    g_autofree char *reason = g_strdup_printf("a fencing of it from before all observers were restarted is under way, or "
                                              "Pacemaker's fencer does not say: it may still be switched off, and is not "
                                              "judged until that is over; look at stonith_admin --history %s",
                                              view->config->name);
    gboolean is_noted = g_strcmp0(reason, view->record->reason) == 0;

    if (is_noted != is_pending) {
        propose_note(view, decision, is_pending ? reason : "");
    }
    return is_noted != is_pending;
}

/* TRUE: it is not judged now. What was begun before the first record may switch a server off that is up, and one that is
 * down is being switched off already. */
static gboolean decide_earlier_isolation(const verdict_view_t *view, verdict_decision_t *decision)
{
    gint64 until_ms = view->verdict_since_ms + VERDICT_FENCING_MAX_MS;

    if (!has_earlier_isolation(view->record)) {
        return FALSE;
    }
    if (view->fencing_over_since_ms == VERDICT_NEVER) {
        decision->look_fencing = TRUE;
        if (view->now_ms < until_ms) {
            wake_at(decision, until_ms);
        }
        return (view->fencing_pending && note_fencing(view, decision, TRUE)) || view->now_ms < until_ms
               || !verdict_tally_is_down(&view->service);
    }
    if (view->config->probes->len == 0) {
        propose_note(view, decision, ""); /* nobody can say whether it is up */
        decision->next.isolation = ISOLATION_STATE_NOT_BEGUN;
        return TRUE;
    }
    return note_fencing(view, decision, FALSE);
}

/* TRUE: nothing else is to be decided now. Its ticket is lost with the cluster's status, and its original may have booted: it
 * would serve what is older than the image's data. */
static gboolean decide_held(const verdict_view_t *view, verdict_decision_t *decision)
{
    if (!verdict_resumes_hold(view->config, view->record)) {
        return FALSE;
    }
    if (may_isolate(view, decision)) {
        propose_by_operator(view, decision, VERDICT_ISOLATING,
                            "held by an operator when all observers were ended: its image is to go on");
    }
    return TRUE;
}

static void decide_healthy(const verdict_view_t *view, verdict_decision_t *decision)
{
    if (view->ticket_granted && view->config->probes->len > 0) {
        /* Granted by hand beside a healthy original: two would serve. */
        decision->ticket = TICKET_REVOKE;
    }
    if (decide_takeover_request(view, decision) || decide_held(view, decision) || decide_earlier_isolation(view, decision)) {
        return;
    }
    if (view->config->probes->len == 0) {
        return; /* never judged: its ticket is the operator's own */
    }
    if (decide_seen(view, decision)) {
        return;
    }
    /* An image that runs beside it has taken its address: it may be well, and must not be powered off for that. */
    if (view->site_fault == NULL && is_seen(view) && view->image != IMAGE_VIEW_ACTIVE && verdict_tally_is_down(&view->service)
        && !gate_may_count(view, decision)) {
        propose(view, decision, VERDICT_SUSPECT, tally_sentence("votes", &view->service));
    }
}

/* Both rounds: from `from_ms` on, every observer is asked; a majority must say down. */
static void decide_by_round(const verdict_view_t *view, verdict_decision_t *decision, gint64 from_ms,
                            const char *round_name, verdict_t confirmed)
{
    switch (round_run(view, decision, from_ms)) {
        case ROUND_WAIT:
            return;
        case ROUND_ANSWERED:
        case ROUND_OVERDUE:
            break;
    }
    if (verdict_tally_is_down(&view->round_service)) {
        propose(view, decision, confirmed, tally_sentence(round_name, &view->round_service));
    } else if (view->round_complete) {
        propose(view, decision, VERDICT_HEALTHY, tally_sentence(round_name, &view->round_service));
    } else {
        decision->ask_round = TRUE; /* silence proves nothing either way */
    }
}

static gboolean decide_recovered(const verdict_view_t *view, verdict_decision_t *decision)
{
    if (!is_seen(view)) {
        propose(view, decision, VERDICT_HEALTHY, g_strdup("its probes were changed"));
        return TRUE;
    }
    if (verdict_tally_is_down(&view->service)) {
        if (!has_come_back(view)) {
            return FALSE;
        }
        propose(view, decision, VERDICT_HEALTHY,
                g_strdup("its machine has come back: its service has time to begin"));
        return TRUE;
    }
    propose(view, decision, VERDICT_HEALTHY, tally_sentence("recovered", &view->service));
    return TRUE;
}

static void decide_suspect(const verdict_view_t *view, verdict_decision_t *decision)
{
    if (decide_takeover_request(view, decision) || decide_recovered(view, decision)) {
        return;
    }
    /* It may take seconds: so that the answer is there when it is needed. */
    decision->check_start = view->held_back == NULL && !start_is_known(view);
    decide_by_round(view, decision, G_MININT64, "round 1", VERDICT_DOUBTED);
}

static void decide_doubted(const verdict_view_t *view, verdict_decision_t *decision)
{
    gint64 hold_down_over_ms = later(view->verdict_since_ms, view->config->hold_down_ms);

    if (decide_takeover_request(view, decision) || decide_recovered(view, decision)) {
        return;
    }
    if (view->now_ms < hold_down_over_ms) {
        decision->check_start = view->held_back == NULL && !start_is_known(view);
        wake_at(decision, hold_down_over_ms);
        return;
    }
    if (!may_isolate(view, decision)) {
        return;
    }
    decide_by_round(view, decision, hold_down_over_ms, "round 2", VERDICT_ISOLATING);
}

gboolean isolation_may_have_effect(isolation_result_t result)
{
    return result != ISOLATION_NO_EFFECT && result != ISOLATION_NO_EFFECT_STORE_OPEN && !isolation_knows_nothing(result);
}

gboolean isolation_knows_nothing(isolation_result_t result)
{
    return result == ISOLATION_NOT_ASKED || result == ISOLATION_NOT_ASKED_STORE_OPEN;
}

gboolean isolation_effect_shows(isolation_result_t result)
{
    return result == ISOLATION_ENDED || result == ISOLATION_ENDED_STORE_OPEN;
}

gboolean isolation_closes_store(isolation_result_t result)
{
    return result == ISOLATION_DONE || result == ISOLATION_NOT_CONFIRMED || result == ISOLATION_NO_EFFECT
           || result == ISOLATION_ENDED || result == ISOLATION_NOT_ASKED;
}

static gint64 next_attempt_ms(const verdict_view_t *view)
{
    guint doublings = CLAMP(view->isolation_attempts, 1, 6) - 1;

    if (view->isolation_attempts == 0) {
        return view->now_ms;
    }
    return view->isolation_ended_ms + MIN(1000 << doublings, VERDICT_ISOLATION_PAUSE_MAX_MS);
}

static gboolean round_is_quiet(const verdict_view_t *view)
{
    if (tally_has_life(&view->round_service) || tally_has_life(&view->round_management)
        || !verdict_tally_is_down(&view->round_service)) {
        return FALSE;
    }
    return view->config->recover_probe == NULL || verdict_tally_is_down(&view->round_management);
}

/* isolate=confirmed and no way could be carried out: two rounds without life, a hold-down apart. */
static void decide_quiet_rounds(const verdict_view_t *view, verdict_decision_t *decision)
{
    guint quiet_rounds = view->record->quiet_rounds;
    gint64 from_ms = view->record_since_ms;
    gint64 again_ms = 0;

    if (quiet_rounds > 0) {
        from_ms = later(view->record_since_ms, view->config->hold_down_ms);
        if (view->now_ms < from_ms) {
            wake_at(decision, from_ms);
            return;
        }
    }
    if (round_run(view, decision, from_ms) == ROUND_WAIT) {
        return;
    }
    if (round_is_quiet(view)) {
        if (quiet_rounds + 1 >= 2) {
            propose(view, decision, VERDICT_FAILED,
                    g_strdup_printf("confirmed without life on any plane in two rounds; %s",
                                    view->isolation_sentence != NULL ? view->isolation_sentence : ""));
            return;
        }
        propose_note(view, decision, view->record->reason);
        decision->next.quiet_rounds = quiet_rounds + 1;
        return;
    }
    if (quiet_rounds > 0) {
        propose_note(view, decision, "not isolated, and the original still shows life");
        decision->next.quiet_rounds = 0;
        return;
    }
    again_ms = view->round_asked_ms + (gint64) MAX(view->config->hold_down_ms, 1000);
    if (view->now_ms >= again_ms) {
        decision->ask_round = TRUE;
    } else {
        wake_at(decision, again_ms);
    }
}

static gboolean decide_isolation_result(const verdict_view_t *view, verdict_decision_t *decision)
{
    const char *sentence = view->isolation_sentence != NULL ? view->isolation_sentence : "no reason was given";
    g_autofree char *reason = NULL;

    if (view->isolation_result == ISOLATION_NONE) {
        return FALSE;
    }
    if (view->isolation_result == ISOLATION_DONE) {
        propose(view, decision, VERDICT_FAILED, g_strdup_printf("isolated: %s", sentence));
        decision->next.by_operator = view->record->by_operator;
        return TRUE;
    }
    if (view->config->isolate == ISOLATE_BEST_EFFORT) {
        propose(view, decision, VERDICT_FAILED,
                g_strdup_printf("NOT ISOLATED, taken over all the same (isolate=best-effort), "
                                "the original may still serve: %s", sentence));
        decision->next.by_operator = view->record->by_operator;
        return TRUE;
    }
    reason = g_strdup_printf("not isolated: %s", sentence);
    /* A note begins a new record and with it the rounds anew: not between two quiet rounds. */
    if (view->record->quiet_rounds == 0 && g_strcmp0(reason, view->record->reason) != 0) {
        propose_note(view, decision, reason);
        return TRUE;
    }
    return FALSE;
}

/* Noted before an attempt begins, and when the original is up after one that did nothing: every leader then knows
 * whether one may have. */
static gboolean note_isolation(const verdict_view_t *view, verdict_decision_t *decision, isolation_state_t isolation)
{
    if (view->record->isolation == isolation) {
        return FALSE;
    }
    propose_note(view, decision, view->record->reason);
    decision->next.isolation = isolation;
    return TRUE;
}

/* The original itself is found up by a majority, since; VERDICT_NEVER: it is not, or that may be its image. */
static gint64 recovered_since_ms(const verdict_view_t *view)
{
    if (view->image_stopped_since_ms == VERDICT_NEVER || view->up_since_ms == VERDICT_NEVER) {
        return VERDICT_NEVER;
    }
    return MAX(view->up_since_ms, view->image_stopped_since_ms + VERDICT_STOPPED_SETTLE_MS);
}

/* Since when the original shows that the last attempt has not touched it, if it is up. */
static gint64 untouched_since_ms(const verdict_view_t *view)
{
    if (!isolation_effect_shows(view->isolation_result)) {
        return recovered_since_ms(view);
    }
    return MAX(recovered_since_ms(view), view->isolation_ended_ms + VERDICT_EFFECT_SHOWS_MS);
}

/* TRUE: a majority finds it up before anything has taken effect. Nothing is tried while that is so, and if it lasts
 * and a round says the same, it is healthy. An operator who asked for the takeover knows that it is up. */
static gboolean decide_unharmed(const verdict_view_t *view, verdict_decision_t *decision)
{
    gint64 lasting_ms = later(untouched_since_ms(view), view->config->hold_down_ms);

    if (view->record->by_operator || view->isolation_running || recovered_since_ms(view) == VERDICT_NEVER) {
        return FALSE;
    }
    if (!isolation_may_have_effect(view->isolation_result) && note_isolation(view, decision, ISOLATION_STATE_WITHOUT_EFFECT)) {
        return TRUE;
    }
    if (view->record->isolation == ISOLATION_STATE_BEGUN && !isolation_effect_shows(view->isolation_result)) {
        return FALSE;
    }
    if (view->now_ms < lasting_ms) {
        wake_at(decision, lasting_ms);
        return TRUE;
    }
    if (round_run(view, decision, MAX(lasting_ms, view->record_since_ms)) == ROUND_WAIT) {
        return TRUE;
    }
    if (!verdict_tally_is_up(&view->round_service)) {
        return FALSE;
    }
    propose(view, decision, VERDICT_HEALTHY, g_strdup("recovered before anything was done to it"));
    return TRUE;
}

/* TRUE: what the last attempt has done shows by now, or will never be told: a host that has died with a fencing of its own
 * under way leaves it in the histories of the others for good. */
static gboolean effect_is_over(const verdict_view_t *view)
{
    return isolation_effect_shows(view->isolation_result)
           || (view->isolation_unknown_since_ms != VERDICT_NEVER
               && view->now_ms >= later(view->isolation_unknown_since_ms, VERDICT_FENCING_MAX_MS));
}

static gboolean note_release(const verdict_view_t *view, verdict_decision_t *decision)
{
    g_autofree char *reason = g_strdup_printf("release asked for by the operator, but its power may still be switched off: "
                                              "look at stonith_admin --history %s; it is released once nothing is under "
                                              "way there", view->config->name);

    if (g_strcmp0(reason, view->record->reason) == 0) {
        return FALSE;
    }
    propose_note(view, decision, reason);
    decision->next.quiet_rounds = 0;
    return TRUE;
}

static gboolean is_released(const verdict_view_t *view)
{
    return view->request == VERDICT_REQUEST_RELEASE && view->isolation_result != ISOLATION_DONE;
}

/* TRUE: nothing else is to be decided now. A fencing that is still under way would hit a server that was let back. */
static gboolean decide_release_isolating(const verdict_view_t *view, verdict_decision_t *decision)
{
    gint64 shows_ms = view->now_ms;

    if (!is_released(view)) {
        return FALSE;
    }
    if (view->isolation_running) {
        note_release(view, decision);
        return TRUE;
    }
    if (view->record->isolation == ISOLATION_STATE_BEGUN && isolation_may_have_effect(view->isolation_result)) {
        if (!effect_is_over(view)) {
            return note_release(view, decision);
        }
        shows_ms = later(view->isolation_ended_ms, VERDICT_EFFECT_SHOWS_MS);
    }
    if (view->now_ms < shows_ms) {
        wake_at(decision, shows_ms);
        return TRUE;
    }
    return decide_release_request(view, decision);
}

static void decide_isolating(const verdict_view_t *view, verdict_decision_t *decision)
{
    gint64 attempt_ms = next_attempt_ms(view);
    gboolean is_held_back = view->site_fault != NULL
                            || (!view->record->by_operator && (view->is_paused || view->held_back != NULL));

    if (decide_release_isolating(view, decision) || (!is_released(view) && decide_isolation_result(view, decision))) {
        return;
    }
    if (decide_unharmed(view, decision)) {
        return;
    }
    if (is_released(view)) {
        if (view->now_ms < attempt_ms) {
            wake_at(decision, attempt_ms);
        } else {
            decision->start_look = !view->isolation_running;
        }
        return;
    }
    if (!view->isolation_running && !is_held_back) {
        if (view->now_ms < attempt_ms) {
            wake_at(decision, attempt_ms);
        } else if (note_isolation(view, decision, ISOLATION_STATE_BEGUN)) {
            return;
        } else {
            decision->start_isolation = TRUE;
        }
    }
    /* With the store still open to it, a quiet original could wake up and write. */
    if (view->config->isolate != ISOLATE_CONFIRMED || !isolation_closes_store(view->isolation_result)) {
        return;
    }
    if (!is_held_back) {
        decide_quiet_rounds(view, decision);
    } else if (view->record->quiet_rounds > 0) {
        propose_note(view, decision, view->record->reason); /* what was seen until then is old when it goes on */
        decision->next.quiet_rounds = 0;
    }
}

/* The original answers on its management address, and has been away before. */
static gboolean is_back(const verdict_view_t *view)
{
    return view->config->recover_probe != NULL && view->record->seen_away && view->returned_since_ms != VERDICT_NEVER;
}

/* What a ping says is that the machine is on, not that its service only waits for the address. */
static gboolean says_ready(const server_config_t *config)
{
    return config->recover_probe->type != PROBE_ICMP;
}

static guint64 doubled(const verdict_view_t *view, guint64 delay_ms)
{
    return delay_ms << MIN(view->record->failed_returns, VERDICT_RETURN_DOUBLINGS_MAX);
}

/* Why an original that is back must not take its place again by itself; NULL: it may. */
static const char *return_obstacle(const verdict_view_t *view)
{
    if (view->config->hold) {
        return "held by an operator";
    }
    if (view->record->operator_returns) {
        return "the original came back before and did not serve";
    }
    /* With no image to go on, nothing is lost by letting it try. */
    if (!says_ready(view->config) && (view->ticket_granted || view->image != IMAGE_VIEW_STOPPED)) {
        return "the original's machine is on, but a ping does not say that its service is ready";
    }
    return NULL;
}

/* The ticket was lost, say with the quorum, and is not granted beside an original that is back. */
static gboolean is_vacant(const verdict_view_t *view)
{
    return is_back(view) && !view->ticket_granted && view->image == IMAGE_VIEW_STOPPED;
}

/* The original has taken its place by itself. That ends what keeps its image. */
static gboolean decide_occupied(const verdict_view_t *view, verdict_decision_t *decision)
{
    gint64 lasting_ms = is_vacant(view) ? later(recovered_since_ms(view), view->config->hold_down_ms) : VERDICT_NEVER;

    if (view->now_ms < lasting_ms) {
        wake_at(decision, lasting_ms);
        return FALSE;
    }
    propose(view, decision, VERDICT_RETURNING, g_strdup("the original serves, and its image has stopped"));
    return TRUE;
}

static void decide_failed(const verdict_view_t *view, verdict_decision_t *decision)
{
    gint64 returned_ms = later(view->returned_since_ms, doubled(view, view->config->recover_after_ms));

    if (decide_release_request(view, decision)) {
        return;
    }
    /* Not granted again once the original is back, say after an outage of the quorum. */
    if (!view->ticket_granted && !is_back(view)) {
        decision->ticket = TICKET_GRANT;
    }
    if (!view->record->seen_away && view->config->recover_probe != NULL
        && verdict_tally_is_down(&view->management)) {
        /* Only an original that was away can return: one that was isolated from the store alone has answered all the
         * time, but for a probe that was lost here and there. */
        propose_note(view, decision, view->record->reason);
        decision->next.seen_away = TRUE;
        return;
    }
    if (!is_back(view) || decide_occupied(view, decision) || return_obstacle(view) != NULL) {
        return;
    }
    if (view->now_ms >= returned_ms) {
        propose(view, decision, VERDICT_RETURNING, g_strdup("the original answers on its management address"));
    } else {
        wake_at(decision, returned_ms);
    }
}

typedef enum {
    SERVES_NOT_KNOWN, /* the image has not stopped yet, or nobody could say */
    SERVES_DECIDED,   /* it does: proposed */
    SERVES_NOT,       /* a majority was asked after the image had stopped, and says no */
} serves_t;

static serves_t decide_serves(const verdict_view_t *view, verdict_decision_t *decision)
{
    gint64 settled_ms = later(view->image_stopped_since_ms, VERDICT_STOPPED_SETTLE_MS);
    gint64 again_ms = 0;

    if (view->ticket_granted || view->image != IMAGE_VIEW_STOPPED || settled_ms == VERDICT_NEVER) {
        return SERVES_NOT_KNOWN;
    }
    if (view->now_ms < settled_ms) {
        wake_at(decision, settled_ms);
        return SERVES_NOT_KNOWN;
    }
    if (view->config->probes->len == 0) {
        propose(view, decision, VERDICT_HEALTHY, g_strdup("the image has stopped"));
        return SERVES_DECIDED;
    }
    /* A standing vote may still be the image's: ask anew now that it has stopped. */
    if (round_run(view, decision, settled_ms) == ROUND_WAIT) {
        return SERVES_NOT_KNOWN;
    }
    if (verdict_tally_is_up(&view->round_service)) {
        propose(view, decision, VERDICT_HEALTHY, g_strdup("the original serves again"));
        return SERVES_DECIDED;
    }
    again_ms = view->round_asked_ms + (gint64) view->config->probe_interval_ms;
    if (view->now_ms >= again_ms) {
        decision->ask_round = TRUE;
    } else {
        wake_at(decision, again_ms);
    }
    return verdict_tally_is_down(&view->round_service) ? SERVES_NOT : SERVES_NOT_KNOWN;
}

/* It had been let back: nothing less than a new isolation is safe. FALSE: it has to wait. */
static gboolean propose_again(const verdict_view_t *view, verdict_decision_t *decision, const char *reason)
{
    if (!may_isolate(view, decision)) {
        return FALSE;
    }
    decision->ticket = TICKET_KEEP;
    decision->ask_round = FALSE;
    propose(view, decision, VERDICT_ISOLATING, g_strdup(reason));
    decision->next.failed_returns++;
    return TRUE;
}

/* In the round in which a majority found that it does not serve, every plane was asked. One that is gone may return
 * again; one that is there and does not serve is worked on, or has to be: it is not powered off again and again. On an
 * operator's word only the service counts. */
static void isolate_again(const verdict_view_t *view, verdict_decision_t *decision)
{
    gboolean is_gone = !view->record->by_operator && verdict_tally_is_down(&view->round_management)
                       && view->now_ms >= later(view->gone_since_ms, view->config->hold_down_ms);

    if (propose_again(view, decision,
                      is_gone ? "the original went away again while it returned"
                              : "the original came back but does not serve, although its image has stopped")) {
        decision->next.operator_returns = !is_gone;
    }
}

static void decide_returning(const verdict_view_t *view, verdict_decision_t *decision)
{
    /* Its gate begins to count when the image has fallen silent; where none ran, its time begins with the verdict. */
    gint64 serve_ms = later(MAX(view->image_stopped_since_ms, view->verdict_since_ms),
                            doubled(view, view->config->recover_after_ms + VERDICT_SERVE_GRACE_MS)
                                + view->config->gate_quiet_ms);
    serves_t serves = SERVES_NOT_KNOWN;

    if (decide_takeover_request(view, decision)) {
        return;
    }
    if (view->ticket_granted) {
        decision->ticket = TICKET_REVOKE;
    }
    serves = decide_serves(view, decision);
    if (serves == SERVES_DECIDED) {
        return;
    }
    if (serve_ms == VERDICT_NEVER || view->config->probes->len == 0) {
        return;
    }
    /* Until then its gate may be counting: that its management address is silent may be that network's fault, and while
     * its image has stopped nobody is harmed by waiting. */
    if (view->now_ms < serve_ms) {
        wake_at(decision, serve_ms);
    } else if (serves == SERVES_NOT) {
        isolate_again(view, decision);
    }
}

/* Noted while an operator holds the image; forgotten when that takeover has ended, whatever becomes of the hold. */
static held_action_t decide_held_takeover(const verdict_view_t *view)
{
    verdict_t verdict = view->record->verdict;
    gboolean has_ended = verdict == VERDICT_RETURNING
                         || (verdict == VERDICT_HEALTHY && !has_earlier_isolation(view->record));

    if (view->config->held_takeover) {
        return has_ended || !view->config->hold ? HELD_FORGET : HELD_KEEP;
    }
    return verdict == VERDICT_FAILED && view->config->hold ? HELD_NOTE : HELD_KEEP;
}

static void (*const deciders[VERDICT_COUNT])(const verdict_view_t *view, verdict_decision_t *decision) = {
    [VERDICT_HEALTHY] = decide_healthy,
    [VERDICT_SUSPECT] = decide_suspect,
    [VERDICT_DOUBTED] = decide_doubted,
    [VERDICT_ISOLATING] = decide_isolating,
    [VERDICT_FAILED] = decide_failed,
    [VERDICT_RETURNING] = decide_returning,
};

void verdict_decide(const verdict_view_t *view, verdict_decision_t *decision)
{
    *decision = (verdict_decision_t) { .wake_ms = VERDICT_NEVER };
    deciders[view->record->verdict](view, decision);
    decision->held = decide_held_takeover(view);
}

/* For people --------------------------------------------------------------*/

#define MS_PER_MINUTE 60000

static char *pause_sentence(const verdict_view_t *view)
{
    gint64 minutes = 0;

    if (view->pause_end_ms == VERDICT_NEVER) {
        return g_strdup_printf("paused: no takeover until understudy resume %s", view->config->name);
    }
    if (view->now_ms >= view->pause_end_ms) {
        return g_strdup("paused: its time is over, and the leading observer is to take it out of the configuration; until then "
                        "there is no takeover");
    }
    minutes = (view->pause_end_ms - view->now_ms + MS_PER_MINUTE - 1) / MS_PER_MINUTE;
    return g_strdup_printf("paused: no takeover for another %" G_GINT64_FORMAT " min%s, or until understudy resume %s", minutes,
                           view->pause_begin_unknown ? " (its whole time again: the observers were started after it had "
                                                       "begun, and don't know how long it has lasted)" : "",
                           view->config->name);
}

char *verdict_waits_for(const verdict_view_t *view)
{
    verdict_t verdict = view->record->verdict;
    const char *obstacle = NULL;

    if (view->is_paused && verdict != VERDICT_FAILED) {
        return pause_sentence(view);
    }
    if (view->site_fault != NULL && (verdict == VERDICT_ISOLATING || verdict == VERDICT_RETURNING)) {
        return g_strdup("it is not isolated, and its image not started, until that fault is mended");
    }
    if (verdict_resumes_hold(view->config, view->record)) {
        return g_strdup_printf("held: its image ran when all observers were ended, so it is isolated and its image started "
                               "again as soon as a host can run it; understudy hold %s --off lets it serve instead",
                               view->config->name);
    }
    if (verdict == VERDICT_HEALTHY && is_seen(view) && view->config->probes->len > 0
        && verdict_tally_is_down(&view->service) && view->now_ms < gate_over_ms(view)) {
        return g_strdup_printf("it does not serve, and nobody has seen it up since the observers began: it may be booting, "
                               "and is not isolated for %" G_GINT64_FORMAT " s more",
                               (gate_over_ms(view) - view->now_ms + 999) / 1000);
    }
    if (verdict != VERDICT_FAILED) {
        return NULL;
    }
    obstacle = is_back(view) ? return_obstacle(view) : NULL;
    if (is_vacant(view) && obstacle != NULL) {
        return g_strdup_printf("NOBODY SERVES: its image has stopped without its ticket, and the original is back, but %s: "
                               "let it serve with understudy release %s; if it does not, it is isolated and the image "
                               "started", obstacle, view->config->name);
    }
    if (view->config->hold) {
        return g_strdup_printf("held: the image goes on until understudy release %s, or understudy hold %s --off",
                               view->config->name, view->config->name);
    }
    if (view->config->recover_probe != NULL && !view->record->seen_away
        && view->returned_since_ms != VERDICT_NEVER) {
        return g_strdup_printf("the original answers on its management address and has not been away: end the takeover "
                               "with understudy release %s", view->config->name);
    }
    return obstacle != NULL ? g_strdup_printf("%s: the image goes on until understudy release %s", obstacle,
                                              view->config->name)
                            : NULL;
}

static const char *const pause_notes[VERDICT_COUNT] = {
    [VERDICT_ISOLATING] = "its takeover is under way: what its power switch was told already may still be done, and a takeover "
                          "that an operator asked for goes on; nothing else is tried until the pause is over",
    [VERDICT_FAILED] = "its image runs in its place, and goes on",
    [VERDICT_RETURNING] = "it is returning: its image stops or has stopped, and if the original does not serve, nobody does "
                          "until the pause is over",
};

static const char *const hold_notes[VERDICT_COUNT] = {
    [VERDICT_ISOLATING] = "its takeover is under way: if its image starts, that goes on",
};

const char *verdict_pause_note(verdict_t verdict)
{
    return pause_notes[verdict];
}

const char *verdict_hold_note(verdict_t verdict)
{
    return hold_notes[verdict];
}

gboolean verdict_release_is_lost(verdict_t began, gint64 began_since_ms, verdict_t now, gint64 since_ms)
{
    if ((now != VERDICT_ISOLATING && now != VERDICT_FAILED) || since_ms == began_since_ms) {
        return FALSE;
    }
    /* An attempt that was under way has ended: the release is carried out now. */
    return began != VERDICT_ISOLATING || now != VERDICT_FAILED;
}

char *verdict_hold_refusal(verdict_t verdict, const char *server)
{
    return verdict == VERDICT_RETURNING
               ? g_strdup_printf("%s is returning: its image stops or has stopped already, so there is none to hold; "
                                 "understudy takeover %s switches the original off and starts the image again, and it can "
                                 "be held then", server, server)
               : NULL;
}

/* Requests ----------------------------------------------------------------*/

/* Why not: by request and verdict; NULL where it can be done. */
static const char *const refusals[][VERDICT_COUNT] = {
    [VERDICT_REQUEST_TAKEOVER] = {
        [VERDICT_ISOLATING] = "its takeover is under way already",
        [VERDICT_FAILED] = "it is taken over already",
    },
    [VERDICT_REQUEST_RELEASE] = {
        [VERDICT_HEALTHY] = "it is not taken over",
        [VERDICT_SUSPECT] = "it is not taken over",
        [VERDICT_DOUBTED] = "it is not taken over",
        [VERDICT_RETURNING] = "it is returning already",
    },
};

char *verdict_request_refusal(verdict_request_t request, const char *server, const verdict_record_t *record)
{
    const char *refusal = NULL;

    if (record == NULL || record->epoch == 0) {
        return g_strdup_printf("The observers know no server %s: see `understudy status`", server);
    }
    if (request != VERDICT_REQUEST_NONE) {
        refusal = refusals[request][record->verdict];
    }
    return (refusal != NULL) ? g_strdup_printf("Server %s: %s", server, refusal) : NULL;
}
