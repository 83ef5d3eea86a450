/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "judge/verdict.h"

/* A server with three observers at a fixed time; each test sets what differs. */
typedef struct {
    server_config_t *config;
    verdict_record_t record;
    verdict_view_t view;
    verdict_decision_t decision;
} fixture_t;

#define NOW_MS 1000000

static server_config_t *config_new(const char *isolate)
{
    GHashTable *params = g_hash_table_new(g_str_hash, g_str_equal);
    server_config_t *config = NULL;

    g_hash_table_insert(params, (gpointer) "probes", (gpointer) "tcp:10.0.0.1:5432");
    g_hash_table_insert(params, (gpointer) "recover_probe", (gpointer) "tcp:10.1.0.1:5432");
    g_hash_table_insert(params, (gpointer) "isolate", (gpointer) isolate);
    config = server_config_parse("standby-db1", params, NULL);
    g_hash_table_unref(params);
    assert_non_null(config);
    return config;
}

/* Three votes as letters: u(p) m(issing) d(own) b(lind) n(one) r(efused), and ? for what could not be asked. */
static verdict_tally_t tally(const char *votes)
{
    verdict_tally_t result = { 0 };

    for (const char *vote = votes; *vote != '\0'; vote++) {
        switch (*vote) {
            case 'u': verdict_tally_add(&result, VOTE_UP); break;
            case 'm': verdict_tally_add(&result, VOTE_MISSING); break;
            case 'd': verdict_tally_add(&result, VOTE_DOWN); break;
            case 'b': verdict_tally_add(&result, VOTE_BLIND); break;
            case 'r': verdict_tally_add(&result, VOTE_REFUSED); break;
            case '?': verdict_tally_add(&result, VOTE_UNKNOWN); break;
            default: verdict_tally_add(&result, VOTE_NONE); break;
        }
    }
    return result;
}

static void fixture_init(fixture_t *fixture, verdict_t verdict, const char *isolate)
{
    *fixture = (fixture_t) { .config = config_new(isolate) };
    fixture->record = (verdict_record_t) { .epoch = 7, .verdict = verdict, .reason = g_strdup(""),
                                           .seen_probes = g_strdup(fixture->config->probes_digest) };
    fixture->view = (verdict_view_t) {
        .now_ms = NOW_MS,
        .config = fixture->config,
        .record = &fixture->record,
        .verdict_since_ms = NOW_MS,
        .record_since_ms = NOW_MS,
        .service = tally("uuu"),
        .management = tally("nnn"),
        .up_since_ms = VERDICT_NEVER,
        .returned_since_ms = VERDICT_NEVER,
        .gone_since_ms = VERDICT_NEVER,
        .round_asked_ms = VERDICT_NEVER,
        .isolation_result = ISOLATION_NONE,
        .isolation_unknown_since_ms = VERDICT_NEVER,
        .start_checked_ms = NOW_MS,
        .start_possible = TRUE,
        .image = IMAGE_VIEW_STOPPED,
        .image_stopped_since_ms = VERDICT_NEVER,
    };
}

static void fixture_clear(fixture_t *fixture)
{
    verdict_decision_clear(&fixture->decision);
    verdict_record_clear(&fixture->record);
    server_config_free(fixture->config);
}

static const verdict_decision_t *decide(fixture_t *fixture)
{
    verdict_decision_clear(&fixture->decision);
    verdict_decide(&fixture->view, &fixture->decision);
    return &fixture->decision;
}

static void assert_next(const verdict_decision_t *decision, verdict_t verdict)
{
    assert_true(decision->change);
    assert_int_equal(decision->next.epoch, 8);
    assert_string_equal(verdict_name(decision->next.verdict), verdict_name(verdict));
    assert_non_null(decision->next.reason);
}

static void assert_waits_for(fixture_t *fixture, const char *word)
{
    g_autofree char *sentence = verdict_waits_for(&fixture->view);

    if (word == NULL) {
        assert_null(sentence);
    } else {
        assert_non_null(sentence);
        assert_non_null(g_strstr_len(sentence, -1, word));
    }
}

static void round_is(fixture_t *fixture, gint64 asked_ms, gboolean complete, const char *service,
                     const char *management)
{
    fixture->view.round_asked_ms = asked_ms;
    fixture->view.round_complete = complete;
    fixture->view.round_service = tally(service);
    fixture->view.round_management = tally(management);
}

static void test_the_blind_and_the_silent_are_for_neither_side(void **state)
{
    static const struct {
        const char *votes;
        gboolean is_down;
        gboolean is_up;
    } cases[] = {
        { "uuu", FALSE, TRUE },  { "ddd", TRUE, FALSE },  { "ddu", TRUE, FALSE },
        { "duu", FALSE, TRUE },  { "bbb", FALSE, FALSE }, { "bbd", FALSE, FALSE },
        { "bbu", FALSE, FALSE }, { "bdu", FALSE, FALSE }, { "bdd", TRUE, FALSE },
        { "nnn", FALSE, FALSE }, { "nnd", FALSE, FALSE }, { "ndd", TRUE, FALSE },
        { "mmm", FALSE, FALSE },  { "mmd", FALSE, FALSE },  { "uum", FALSE, TRUE },
        { "d", TRUE, FALSE },     { "dn", FALSE, FALSE },  { "b", FALSE, FALSE },
        { "", FALSE, FALSE },
        { "???", FALSE, FALSE }, { "??d", FALSE, FALSE }, { "?dd", TRUE, FALSE },
        { "rrd", TRUE, FALSE },   { "ruu", FALSE, TRUE },
        { "??u", FALSE, FALSE }, { "?uu", FALSE, TRUE },  { "?du", FALSE, FALSE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        verdict_tally_t votes = tally(cases[i].votes);

        assert_int_equal(verdict_tally_is_down(&votes), cases[i].is_down);
        assert_int_equal(verdict_tally_is_up(&votes), cases[i].is_up);
    }
}

static void test_as_few_as_the_minimum_find_it_down(void **state)
{
    verdict_tally_t one = tally("d");
    verdict_tally_t two = tally("dd");

    (void) state;
    one.minimum = two.minimum = 2;
    assert_false(verdict_tally_is_down(&one));
    assert_true(verdict_tally_is_down(&two));
    one = tally("u");
    one.minimum = 2;
    assert_true(verdict_tally_is_up(&one)); /* nothing is done to a server that is up */
}

static void test_healthy_leaves_only_on_a_majority(void **state)
{
    static const struct {
        const char *votes;
        gboolean leaves;
    } cases[] = {
        { "uuu", FALSE }, { "duu", FALSE }, { "ddu", TRUE }, { "ddd", TRUE }, { "bbb", FALSE },
        { "bbu", FALSE }, { "bdu", FALSE }, { "bbd", FALSE }, { "nnd", FALSE }, { "mmm", FALSE },
        { "???", FALSE }, { "??d", FALSE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        fixture_t fixture;

        fixture_init(&fixture, VERDICT_HEALTHY, "required");
        fixture.view.service = tally(cases[i].votes);
        if (cases[i].leaves) {
            assert_next(decide(&fixture), VERDICT_SUSPECT);
        } else {
            assert_false(decide(&fixture)->change);
        }
        assert_int_equal(fixture.decision.ticket, TICKET_KEEP);
        fixture_clear(&fixture);
    }
}

static void test_seen_up_is_noted_once_the_image_has_been_stopped_for_long_enough(void **state)
{
    fixture_t fixture;
    gint64 settled_ms = 0;

    (void) state;
    fixture_init(&fixture, VERDICT_HEALTHY, "required");
    g_free(fixture.record.seen_probes);
    fixture.record.seen_probes = g_strdup("0123"); /* of other probes */
    assert_false(decide(&fixture)->change);        /* whether the image has stopped is not known */
    fixture.view.image_stopped_since_ms = NOW_MS;
    settled_ms = NOW_MS + 1000 + 1000 + VERDICT_STOPPED_SETTLE_MS;
    assert_false(decide(&fixture)->change);
    assert_int_equal(fixture.decision.wake_ms, settled_ms);
    fixture.view.now_ms = settled_ms;
    fixture.view.service = tally("udd");
    assert_false(decide(&fixture)->change);        /* no majority either way */
    fixture.view.service = tally("uud");
    assert_next(decide(&fixture), VERDICT_HEALTHY);
    assert_string_equal(fixture.decision.next.seen_probes, fixture.config->probes_digest);
    fixture_clear(&fixture);
}

static void test_never_seen_is_not_judged_unless_the_store_remembers(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_HEALTHY, "required");
    g_clear_pointer(&fixture.record.seen_probes, g_free);
    fixture.view.service = tally("ddd");
    assert_false(decide(&fixture)->change);
    fixture.view.stored_probes = "0123";
    assert_false(decide(&fixture)->change);
    fixture.view.stored_probes = fixture.config->probes_digest;
    fixture.view.management = tally("ddu"); /* gone: no gate counts there */
    assert_next(decide(&fixture), VERDICT_SUSPECT);
    g_free(fixture.record.seen_probes);
    fixture.record.seen_probes = g_strdup(fixture.config->probes_digest);
    assert_next(decide(&fixture), VERDICT_SUSPECT);
    assert_string_equal(fixture.decision.next.seen_probes, fixture.config->probes_digest); /* and kept */
    fixture_clear(&fixture);
}

static gint64 boot_time_ms(const fixture_t *fixture)
{
    return (gint64) (fixture->config->recover_after_ms + VERDICT_SERVE_GRACE_MS + fixture->config->gate_quiet_ms);
}

/* All observers were restarted, or the site had no power: what was returning is forgotten, and what boots has a gate. */
static void test_what_was_not_seen_up_since_the_first_record_has_time_for_its_gate(void **state)
{
    static const char *const management[] = { "uuu", "uud", "nnn", "bbd", "mmm" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(management); i++) {
        gboolean answers = management[i][0] == 'u';
        fixture_t fixture;
        g_autofree char *waits = NULL;

        fixture_init(&fixture, VERDICT_HEALTHY, "required");
        g_clear_pointer(&fixture.record.seen_probes, g_free);
        fixture.view.stored_probes = fixture.config->probes_digest;
        fixture.view.service = tally("ddd");
        fixture.view.management = tally(management[i]);
        fixture.view.verdict_since_ms = NOW_MS - 20000;
        fixture.view.returned_since_ms = answers ? NOW_MS - 5000 : VERDICT_NEVER;
        assert_false(decide(&fixture)->change);
        assert_int_equal(fixture.decision.wake_ms, NOW_MS - (answers ? 5000 : 20000) + boot_time_ms(&fixture));
        waits = verdict_waits_for(&fixture.view);
        assert_non_null(strstr(waits, "may be booting"));
        fixture.view.now_ms = fixture.decision.wake_ms;
        assert_next(decide(&fixture), VERDICT_SUSPECT);
        fixture_clear(&fixture);
    }
}

/* An image that was still stopping when all observers were restarted has answered the gate until then. */
static void test_a_gate_counts_from_the_end_of_the_image(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_HEALTHY, "required");
    g_clear_pointer(&fixture.record.seen_probes, g_free);
    fixture.view.stored_probes = fixture.config->probes_digest;
    fixture.view.service = tally("ddd");
    fixture.view.management = tally("uuu");
    fixture.view.verdict_since_ms = NOW_MS - boot_time_ms(&fixture);
    fixture.view.returned_since_ms = fixture.view.verdict_since_ms - 1000;
    fixture.view.image_stopped_since_ms = NOW_MS - 60000;
    assert_false(decide(&fixture)->change);
    assert_int_equal(fixture.decision.wake_ms, NOW_MS - 60000 + boot_time_ms(&fixture));
    fixture.view.now_ms = fixture.decision.wake_ms;
    assert_next(decide(&fixture), VERDICT_SUSPECT);
    /* One that is stopped again and again does not count for ever. */
    fixture.view.verdict_since_ms = NOW_MS - (VERDICT_BOOTS_MAX + 1) * boot_time_ms(&fixture);
    fixture.view.now_ms = fixture.view.image_stopped_since_ms = NOW_MS;
    assert_next(decide(&fixture), VERDICT_SUSPECT);
    fixture_clear(&fixture);
}

/* Its machine was silent while it booted, and answers before it is isolated. */
static void test_a_machine_that_comes_back_before_its_isolation_has_time_for_its_gate(void **state)
{
    static const verdict_t verdicts[] = { VERDICT_SUSPECT, VERDICT_DOUBTED };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(verdicts); i++) {
        fixture_t fixture;

        fixture_init(&fixture, verdicts[i], "required");
        g_clear_pointer(&fixture.record.seen_probes, g_free);
        fixture.view.stored_probes = fixture.config->probes_digest;
        fixture.view.service = tally("ddd");
        fixture.view.management = tally("uuu");
        fixture.view.returned_since_ms = NOW_MS;
        fixture.view.verdict_since_ms = NOW_MS - 60000;
        round_is(&fixture, NOW_MS, TRUE, "ddd", "uuu");
        assert_next(decide(&fixture), VERDICT_HEALTHY);
        fixture.record.seen_probes = g_strdup(fixture.config->probes_digest); /* it was up: that is a failure */
        assert_false(decide(&fixture)->change && fixture.decision.next.verdict == VERDICT_HEALTHY);
        fixture_clear(&fixture);
    }
}

/* That it was on all the time while it had its time to boot is no coming back. */
static void test_a_machine_that_was_on_all_the_time_does_not_boot(void **state)
{
    static const verdict_t verdicts[] = { VERDICT_SUSPECT, VERDICT_DOUBTED };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(verdicts); i++) {
        fixture_t fixture;

        fixture_init(&fixture, verdicts[i], "required");
        g_clear_pointer(&fixture.record.seen_probes, g_free);
        fixture.view.stored_probes = fixture.config->probes_digest;
        fixture.view.service = tally("ddd");
        fixture.view.management = tally("uuu");
        fixture.view.returned_since_ms = NOW_MS - 20000;
        fixture.view.verdict_since_ms = NOW_MS - 10000;
        round_is(&fixture, NOW_MS, TRUE, "ddd", "uuu");
        assert_next(decide(&fixture), verdicts[i] == VERDICT_SUSPECT ? VERDICT_DOUBTED : VERDICT_ISOLATING);
        fixture_clear(&fixture);
    }
}

/* With other probes: an operator's word for the new ones is enough. */
static void test_what_was_seen_up_with_other_probes_is_not_waited_for(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_HEALTHY, "required");
    g_free(fixture.record.seen_probes);
    fixture.record.seen_probes = g_strdup("0123");
    fixture.view.stored_probes = fixture.config->probes_digest;
    fixture.view.service = tally("ddd");
    assert_next(decide(&fixture), VERDICT_SUSPECT);
    fixture_clear(&fixture);
}

/* Nor does one whose address comes and goes boot for ever. */
static void test_a_boot_ends(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_HEALTHY, "required");
    g_clear_pointer(&fixture.record.seen_probes, g_free);
    fixture.view.stored_probes = fixture.config->probes_digest;
    fixture.view.service = tally("ddd");
    fixture.view.management = tally("uuu");
    fixture.view.returned_since_ms = NOW_MS - 1000;
    fixture.view.verdict_since_ms = NOW_MS - (VERDICT_BOOTS_MAX + 1) * boot_time_ms(&fixture) + 1;
    assert_false(decide(&fixture)->change);
    assert_int_equal(fixture.decision.wake_ms, NOW_MS + 1);
    fixture.view.now_ms++;
    assert_next(decide(&fixture), VERDICT_SUSPECT);
    fixture_clear(&fixture);
}

/* The management address is asked as long as what it says matters. */
static void test_the_management_address_is_asked_until_it_is_seen_up(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_HEALTHY, "required");
    assert_false(verdict_asks_management(fixture.config, &fixture.record));
    fixture.record.verdict = VERDICT_FAILED;
    assert_true(verdict_asks_management(fixture.config, &fixture.record));
    fixture.record.verdict = VERDICT_HEALTHY;
    g_clear_pointer(&fixture.record.seen_probes, g_free);
    assert_true(verdict_asks_management(fixture.config, &fixture.record));
    g_ptr_array_set_size(fixture.config->probes, 0); /* never judged */
    assert_false(verdict_asks_management(fixture.config, &fixture.record));
    fixture_clear(&fixture);
}

/* All observers were restarted: what they had begun may be under way. */
static void fixture_init_first(fixture_t *fixture)
{
    fixture_init(fixture, VERDICT_HEALTHY, "required");
    verdict_record_clear(&fixture->record);
    verdict_record_first(&fixture->record, fixture->config, FALSE);
    fixture->record.epoch = 7;
    fixture->view.stored_probes = fixture->config->probes_digest;
    fixture->view.image_stopped_since_ms = NOW_MS - 60000;
    fixture->view.fencing_over_since_ms = VERDICT_NEVER;
}

static void test_nothing_is_judged_before_the_fencer_was_asked(void **state)
{
    static const char *const service[] = { "uuu", "ddd" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(service); i++) {
        fixture_t fixture;

        fixture_init_first(&fixture);
        fixture.view.service = tally(service[i]);
        fixture.view.management = tally("ddd");
        assert_true(decide(&fixture)->look_fencing);
        assert_false(fixture.decision.change);
        assert_false(verdict_may_lift(&fixture.record));
        fixture.view.fencing_pending = TRUE;
        assert_next(decide(&fixture), VERDICT_HEALTHY);
        assert_true(fixture.decision.look_fencing);
        assert_non_null(strstr(fixture.decision.next.reason, "may still be switched off"));
        assert_int_equal(fixture.decision.next.isolation, ISOLATION_STATE_BEGUN);
        verdict_record_copy(&fixture.record, &fixture.decision.next);
        assert_false(decide(&fixture)->change);
        /* One that is down is not left alone for ever. */
        fixture.view.now_ms = NOW_MS + VERDICT_FENCING_MAX_MS;
        assert_int_equal(decide(&fixture)->change, service[i][0] == 'd');
        fixture_clear(&fixture);
    }
}

static void test_what_is_up_after_the_fencing_may_be_lifted(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init_first(&fixture);
    fixture.view.fencing_over_since_ms = NOW_MS + VERDICT_EFFECT_SHOWS_MS;
    assert_false(decide(&fixture)->change);
    assert_false(fixture.decision.look_fencing);
    fixture.view.now_ms = fixture.decision.wake_ms;
    assert_true(fixture.view.now_ms > NOW_MS + VERDICT_EFFECT_SHOWS_MS + (gint64) fixture.config->probe_interval_ms);
    assert_next(decide(&fixture), VERDICT_HEALTHY);
    assert_string_equal(fixture.decision.next.seen_probes, fixture.config->probes_digest);
    assert_true(verdict_may_lift(&fixture.decision.next));
    fixture_clear(&fixture);
}

/* The site was without power while an operator held the image: the original may serve by now, with older data. */
static void test_a_held_takeover_goes_on_after_all_observers_were_ended(void **state)
{
    static const struct {
        gboolean hold;
        gboolean held_takeover;
        gboolean resumes;
    } cases[] = {
        { FALSE, FALSE, FALSE }, { TRUE, FALSE, FALSE }, { FALSE, TRUE, FALSE }, { TRUE, TRUE, TRUE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        fixture_t fixture;

        fixture_init_first(&fixture);
        fixture.view.fencing_over_since_ms = NOW_MS - 60000;
        fixture.config->hold = cases[i].hold;
        fixture.config->held_takeover = cases[i].held_takeover;
        assert_int_equal(verdict_resumes_hold(fixture.config, &fixture.record), cases[i].resumes);
        assert_next(decide(&fixture), cases[i].resumes ? VERDICT_ISOLATING : VERDICT_HEALTHY);
        assert_int_equal(fixture.decision.next.by_operator, cases[i].resumes);
        if (cases[i].resumes) {
            assert_waits_for(&fixture, "understudy hold db1 --off");
            fixture.view.is_paused = TRUE;
            assert_false(decide(&fixture)->change);
            fixture.view.is_paused = FALSE;
            fixture.view.start_possible = FALSE;
            fixture.view.start_obstacle = "no host has room";
            assert_next(decide(&fixture), VERDICT_HEALTHY);
            assert_string_equal(fixture.decision.next.reason, "not taken over: no host has room");
            assert_true(verdict_resumes_hold(fixture.config, &fixture.decision.next));
        }
        fixture_clear(&fixture);
    }
}

/* A ticket that outlived the observers is latched, also where nobody says whether the server is up. */
static void test_a_held_ticket_is_latched_without_probes(void **state)
{
    fixture_t fixture;

    (void) state;
    for (guint held = 0; held < 2; held++) {
        fixture_init(&fixture, VERDICT_HEALTHY, "required");
        g_ptr_array_set_size(fixture.config->probes, 0);
        fixture.config->hold = fixture.config->held_takeover = held == 1;
        verdict_record_clear(&fixture.record);
        verdict_record_first(&fixture.record, fixture.config, TRUE);
        assert_int_equal(fixture.record.verdict, held == 1 ? VERDICT_FAILED : VERDICT_HEALTHY);
        fixture_clear(&fixture);
    }
}

static void test_what_is_noted_of_a_hold(void **state)
{
    static const struct {
        verdict_t verdict;
        isolation_state_t isolation;
        gboolean hold;
        gboolean held_takeover;
        held_action_t action;
    } cases[] = {
        { VERDICT_FAILED, ISOLATION_STATE_NOT_BEGUN, TRUE, FALSE, HELD_NOTE },
        { VERDICT_FAILED, ISOLATION_STATE_NOT_BEGUN, TRUE, TRUE, HELD_KEEP },
        { VERDICT_FAILED, ISOLATION_STATE_NOT_BEGUN, FALSE, FALSE, HELD_KEEP },
        { VERDICT_FAILED, ISOLATION_STATE_NOT_BEGUN, FALSE, TRUE, HELD_FORGET },
        { VERDICT_ISOLATING, ISOLATION_STATE_BEGUN, TRUE, FALSE, HELD_KEEP },
        { VERDICT_ISOLATING, ISOLATION_STATE_BEGUN, TRUE, TRUE, HELD_KEEP },
        { VERDICT_RETURNING, ISOLATION_STATE_NOT_BEGUN, TRUE, TRUE, HELD_FORGET },
        { VERDICT_HEALTHY, ISOLATION_STATE_NOT_BEGUN, TRUE, FALSE, HELD_KEEP },
        { VERDICT_HEALTHY, ISOLATION_STATE_NOT_BEGUN, TRUE, TRUE, HELD_FORGET },
        { VERDICT_HEALTHY, ISOLATION_STATE_BEGUN, TRUE, TRUE, HELD_KEEP },
        { VERDICT_HEALTHY, ISOLATION_STATE_BEGUN, FALSE, TRUE, HELD_FORGET },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        fixture_t fixture;

        fixture_init(&fixture, cases[i].verdict, "required");
        fixture.record.isolation = cases[i].isolation;
        fixture.config->hold = cases[i].hold;
        fixture.config->held_takeover = cases[i].held_takeover;
        assert_int_equal(decide(&fixture)->held, cases[i].action);
        fixture_clear(&fixture);
    }
}

/* Neither is what is only doubted, and what was not seen up. */
static void test_what_is_down_after_the_fencing_keeps_its_entry_until_it_is_up(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init_first(&fixture);
    fixture.view.fencing_over_since_ms = NOW_MS;
    fixture.view.service = tally("ddd");
    fixture.view.management = tally("ddd");
    assert_next(decide(&fixture), VERDICT_SUSPECT);
    assert_int_equal(fixture.decision.next.isolation, ISOLATION_STATE_BEGUN);
    verdict_record_copy(&fixture.record, &fixture.decision.next);
    fixture.record.epoch = 7;
    fixture.view.service = tally("uuu");
    assert_next(decide(&fixture), VERDICT_HEALTHY);
    assert_false(verdict_may_lift(&fixture.decision.next));
    fixture.record.verdict = VERDICT_DOUBTED;
    fixture.view.service = tally("ddd");
    fixture.view.verdict_since_ms = NOW_MS - 60000;
    round_is(&fixture, NOW_MS, TRUE, "ddd", "ddd");
    assert_next(decide(&fixture), VERDICT_ISOLATING);
    assert_int_equal(fixture.decision.next.isolation, ISOLATION_STATE_NOT_BEGUN);
    fixture_clear(&fixture);
}

/* Nobody can say whether it is up. */
static void test_without_probes_the_fencers_word_is_enough(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init_first(&fixture);
    g_ptr_array_set_size(fixture.config->probes, 0);
    assert_true(decide(&fixture)->look_fencing);
    assert_false(fixture.decision.change);
    fixture.view.fencing_over_since_ms = NOW_MS;
    assert_next(decide(&fixture), VERDICT_HEALTHY);
    assert_true(verdict_may_lift(&fixture.decision.next));
    fixture_clear(&fixture);
}

/* New probes find it down, and nobody has seen it up with them: the failure was the old ones'. */
static void test_other_probes_end_a_suspicion(void **state)
{
    static const verdict_t verdicts[] = { VERDICT_SUSPECT, VERDICT_DOUBTED };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(verdicts); i++) {
        fixture_t fixture;

        fixture_init(&fixture, verdicts[i], "required");
        g_free(fixture.record.seen_probes);
        fixture.record.seen_probes = g_strdup("0123");
        fixture.view.service = tally("ddd");
        round_is(&fixture, NOW_MS, TRUE, "ddd", "nnn");
        assert_next(decide(&fixture), VERDICT_HEALTHY);
        fixture_clear(&fixture);
    }
}

static void test_ticket_granted_by_hand_beside_a_healthy_original_is_revoked(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_HEALTHY, "required");
    fixture.view.ticket_granted = TRUE;
    assert_int_equal(decide(&fixture)->ticket, TICKET_REVOKE);
    /* The image has its address for as long as it runs. */
    fixture.view.image = IMAGE_VIEW_ACTIVE;
    fixture.view.service = tally("ddd");
    assert_false(decide(&fixture)->change);
    fixture.view.image = IMAGE_VIEW_STOPPED;
    assert_next(decide(&fixture), VERDICT_SUSPECT);
    /* Without probes nobody judges it: the ticket is the operator's. */
    g_ptr_array_set_size(fixture.config->probes, 0);
    assert_int_equal(decide(&fixture)->ticket, TICKET_KEEP);
    assert_false(decide(&fixture)->change);
    fixture_clear(&fixture);
}

static void test_suspect_asks_round_1_and_waits_for_it(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_SUSPECT, "required");
    fixture.view.service = tally("ddd");
    assert_true(decide(&fixture)->ask_round);
    assert_false(fixture.decision.change);

    round_is(&fixture, NOW_MS - 10, FALSE, "dnn", "nnn");
    assert_false(decide(&fixture)->ask_round);
    assert_false(fixture.decision.change);
    assert_int_equal(fixture.decision.wake_ms, NOW_MS - 10 + 1000 + VERDICT_ROUND_GRACE_MS);
    fixture_clear(&fixture);
}

static void test_rounds_are_judged_by_majority(void **state)
{
    static const struct {
        const char *answers;
        gboolean complete;
        gboolean overdue;
        const char *next; /* or NULL: no change */
        gboolean ask;
    } cases[] = {
        { "ddd", TRUE, FALSE, "confirmed", FALSE }, { "ddu", TRUE, FALSE, "confirmed", FALSE },
        { "duu", TRUE, FALSE, "healthy", FALSE },   { "bbb", TRUE, FALSE, "healthy", FALSE },
        { "bdu", TRUE, FALSE, "healthy", FALSE },   { "bbd", TRUE, FALSE, "healthy", FALSE },
        { "ddn", FALSE, FALSE, NULL, FALSE },       { "ddn", FALSE, TRUE, "confirmed", FALSE },
        { "dnn", FALSE, TRUE, NULL, TRUE },         { "nnn", FALSE, TRUE, NULL, TRUE },
    };
    static const struct {
        verdict_t from;
        verdict_t confirmed;
    } rounds[] = { { VERDICT_SUSPECT, VERDICT_DOUBTED }, { VERDICT_DOUBTED, VERDICT_ISOLATING } };

    (void) state;
    for (gsize r = 0; r < G_N_ELEMENTS(rounds); r++) {
        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
            fixture_t fixture;

            fixture_init(&fixture, rounds[r].from, "required");
            fixture.view.verdict_since_ms = NOW_MS - 60000;
            fixture.view.service = tally("ddd");
            round_is(&fixture, NOW_MS - (cases[i].overdue ? 2000 : 100), cases[i].complete, cases[i].answers, "nnn");
            decide(&fixture);
            assert_int_equal(fixture.decision.change, cases[i].next != NULL);
            assert_int_equal(fixture.decision.ask_round, cases[i].ask);
            if (cases[i].next != NULL) {
                gboolean confirmed = g_strcmp0(cases[i].next, "confirmed") == 0;

                assert_next(&fixture.decision, confirmed ? rounds[r].confirmed : VERDICT_HEALTHY);
            }
            fixture_clear(&fixture);
        }
    }
}

static void test_recovery_before_isolation_returns_to_healthy(void **state)
{
    static const verdict_t verdicts[] = { VERDICT_SUSPECT, VERDICT_DOUBTED };
    static const char *const recovered[] = { "uuu", "duu", "umm", "bbb", "mmm" };

    (void) state;
    for (gsize v = 0; v < G_N_ELEMENTS(verdicts); v++) {
        for (gsize i = 0; i < G_N_ELEMENTS(recovered); i++) {
            fixture_t fixture;

            fixture_init(&fixture, verdicts[v], "required");
            fixture.view.service = tally(recovered[i]);
            assert_next(decide(&fixture), VERDICT_HEALTHY);
            assert_false(fixture.decision.start_isolation);
            fixture_clear(&fixture);
        }
    }
}

static void test_doubted_waits_for_the_hold_down(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_DOUBTED, "required");
    fixture.view.service = tally("ddd");
    fixture.view.verdict_since_ms = NOW_MS - 4999;
    assert_false(decide(&fixture)->change);
    assert_false(fixture.decision.ask_round);
    assert_int_equal(fixture.decision.wake_ms, NOW_MS + 1);

    fixture.view.verdict_since_ms = NOW_MS - 5000;
    assert_true(decide(&fixture)->ask_round);
    /* An answer from before the end of the hold-down is no round 2. */
    round_is(&fixture, NOW_MS - 100, TRUE, "ddd", "nnn");
    assert_true(decide(&fixture)->ask_round);
    assert_false(fixture.decision.change);
    fixture_clear(&fixture);
}

static void isolating_init(fixture_t *fixture, isolation_state_t isolation)
{
    fixture_init(fixture, VERDICT_ISOLATING, "required");
    fixture->record.isolation = isolation;
    fixture->view.image_stopped_since_ms = NOW_MS - 3600000;
}

static void test_an_attempt_is_noted_before_it_begins(void **state)
{
    fixture_t fixture;

    (void) state;
    isolating_init(&fixture, ISOLATION_STATE_NOT_BEGUN);
    assert_next(decide(&fixture), VERDICT_ISOLATING);
    assert_int_equal(fixture.decision.next.isolation, ISOLATION_STATE_BEGUN);
    assert_false(fixture.decision.start_isolation);
    fixture.record.isolation = ISOLATION_STATE_BEGUN;
    assert_true(decide(&fixture)->start_isolation);
    assert_false(fixture.decision.change);
    fixture_clear(&fixture);
}

static void test_isolating_is_latched_once_it_may_have_taken_effect(void **state)
{
    fixture_t fixture;

    (void) state;
    isolating_init(&fixture, ISOLATION_STATE_BEGUN);
    fixture.view.service = tally("uuu");
    fixture.view.management = tally("uuu");
    fixture.view.up_since_ms = NOW_MS - 3600000;
    assert_true(decide(&fixture)->start_isolation);
    assert_false(fixture.decision.change);
    assert_int_equal(fixture.decision.ticket, TICKET_KEEP);
    fixture.view.isolation_running = TRUE;
    assert_false(decide(&fixture)->start_isolation);
    assert_false(fixture.decision.change);
    fixture_clear(&fixture);
}

static void test_what_recovers_before_anything_took_effect_is_healthy(void **state)
{
    static const isolation_state_t states[] = { ISOLATION_STATE_NOT_BEGUN, ISOLATION_STATE_WITHOUT_EFFECT };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(states); i++) {
        fixture_t fixture;

        isolating_init(&fixture, states[i]);
        fixture.view.service = tally("uud");
        fixture.view.up_since_ms = NOW_MS - 4999;
        /* It has to last, and nothing is tried meanwhile. */
        assert_false(decide(&fixture)->change);
        assert_false(fixture.decision.start_isolation);
        assert_false(fixture.decision.ask_round);
        assert_int_equal(fixture.decision.wake_ms, NOW_MS + 1);
        fixture.view.up_since_ms = NOW_MS - 5000;
        assert_true(decide(&fixture)->ask_round);
        round_is(&fixture, NOW_MS, TRUE, "uud", "uuu");
        assert_next(decide(&fixture), VERDICT_HEALTHY);
        /* Not if the round says otherwise, nor if an operator wants it out of the way. */
        round_is(&fixture, NOW_MS, TRUE, "udb", "uuu");
        assert_next(decide(&fixture), VERDICT_ISOLATING);
        assert_int_equal(fixture.decision.next.isolation, ISOLATION_STATE_BEGUN);
        round_is(&fixture, NOW_MS, TRUE, "uuu", "uuu");
        fixture.record.by_operator = TRUE;
        assert_next(decide(&fixture), VERDICT_ISOLATING);
        fixture.record.by_operator = FALSE;
        /* Nor if it may be its image that answers. */
        fixture.view.image_stopped_since_ms = VERDICT_NEVER;
        assert_next(decide(&fixture), VERDICT_ISOLATING);
        fixture_clear(&fixture);
    }
}

static void test_an_attempt_without_effect_unlatches(void **state)
{
    fixture_t fixture;

    (void) state;
    isolating_init(&fixture, ISOLATION_STATE_BEGUN);
    g_free(fixture.record.reason);
    fixture.record.reason = g_strdup("not isolated: no");
    fixture.view.isolation_attempts = 1;
    fixture.view.isolation_ended_ms = NOW_MS - 60000;
    fixture.view.isolation_result = ISOLATION_NO_EFFECT;
    fixture.view.isolation_sentence = "no";
    /* While it is down the next attempt is what matters. */
    assert_true(decide(&fixture)->start_isolation);
    fixture.view.service = tally("uuu");
    fixture.view.up_since_ms = NOW_MS - 1;
    assert_next(decide(&fixture), VERDICT_ISOLATING);
    assert_int_equal(fixture.decision.next.isolation, ISOLATION_STATE_WITHOUT_EFFECT);
    assert_false(fixture.decision.start_isolation);
    /* What an attempt that runs now will have done is not known. */
    fixture.view.isolation_running = TRUE;
    assert_false(decide(&fixture)->change);
    fixture_clear(&fixture);
}

/* A switch that did not say that it has done it: whether it has shows in whether the original answers from then on. */
static void test_an_attempt_that_ended_is_judged_by_the_original(void **state)
{
    fixture_t fixture;

    (void) state;
    isolating_init(&fixture, ISOLATION_STATE_BEGUN);
    g_free(fixture.record.reason);
    fixture.record.reason = g_strdup("not isolated: no");
    fixture.view.isolation_attempts = 1;
    fixture.view.isolation_ended_ms = NOW_MS - VERDICT_EFFECT_SHOWS_MS - 4999;
    fixture.view.isolation_result = ISOLATION_ENDED;
    fixture.view.isolation_sentence = "no";
    assert_true(decide(&fixture)->start_isolation); /* it is down */
    fixture.view.service = tally("uuu");
    fixture.view.up_since_ms = NOW_MS - 60000;
    round_is(&fixture, NOW_MS - 1000, TRUE, "uuu", "uuu"); /* before it shows */
    assert_false(decide(&fixture)->change);
    assert_false(fixture.decision.start_isolation);
    assert_int_equal(fixture.decision.wake_ms, NOW_MS + 1);
    fixture.view.isolation_ended_ms--;
    fixture.view.isolation_ended_ms--;
    assert_true(decide(&fixture)->ask_round);
    round_is(&fixture, NOW_MS, TRUE, "uuu", "uuu");
    assert_next(decide(&fixture), VERDICT_HEALTHY);
    round_is(&fixture, NOW_MS, TRUE, "ddd", "ddd");
    assert_true(decide(&fixture)->start_isolation);
    fixture_clear(&fixture);
}

static void test_isolation_results_by_policy(void **state)
{
    static const struct {
        const char *isolate;
        isolation_result_t result;
        gboolean taken_over;
    } cases[] = {
        { "required", ISOLATION_DONE, TRUE },
        { "required", ISOLATION_NOT_CONFIRMED, FALSE },
        { "required", ISOLATION_STORE_OPEN, FALSE },
        { "required", ISOLATION_ENDED, FALSE },
        { "confirmed", ISOLATION_ENDED, FALSE },
        { "best-effort", ISOLATION_ENDED, TRUE },
        { "required", ISOLATION_NO_EFFECT, FALSE },
        { "required", ISOLATION_NO_EFFECT_STORE_OPEN, FALSE },
        { "confirmed", ISOLATION_DONE, TRUE },
        { "confirmed", ISOLATION_NOT_CONFIRMED, FALSE },
        { "confirmed", ISOLATION_STORE_OPEN, FALSE },
        { "confirmed", ISOLATION_NO_EFFECT, FALSE },
        { "confirmed", ISOLATION_NO_EFFECT_STORE_OPEN, FALSE },
        { "best-effort", ISOLATION_DONE, TRUE },
        { "best-effort", ISOLATION_NOT_CONFIRMED, TRUE },
        { "best-effort", ISOLATION_STORE_OPEN, TRUE },
        { "best-effort", ISOLATION_NO_EFFECT, TRUE },
        { "best-effort", ISOLATION_NO_EFFECT_STORE_OPEN, TRUE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        fixture_t fixture;

        fixture_init(&fixture, VERDICT_ISOLATING, cases[i].isolate);
        fixture.record.isolation = ISOLATION_STATE_BEGUN;
        fixture.view.isolation_attempts = 1;
        fixture.view.isolation_ended_ms = NOW_MS;
        fixture.view.isolation_result = cases[i].result;
        fixture.view.isolation_sentence = "the power switch says hello";
        decide(&fixture);
        assert_true(fixture.decision.change);
        assert_next(&fixture.decision, cases[i].taken_over ? VERDICT_FAILED : VERDICT_ISOLATING);
        assert_non_null(g_strstr_len(fixture.decision.next.reason, -1, "the power switch says hello"));
        if (cases[i].result != ISOLATION_DONE) {
            assert_non_null(g_strstr_len(fixture.decision.next.reason, -1, cases[i].taken_over ? "NOT ISOLATED"
                                                                                               : "not isolated"));
        }
        assert_int_equal(fixture.decision.ticket, TICKET_KEEP);
        fixture_clear(&fixture);
    }
}

static void test_isolation_is_retried_with_growing_pauses(void **state)
{
    static const gint64 pauses_ms[] = { 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000 };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(pauses_ms); i++) {
        fixture_t fixture;

        isolating_init(&fixture, ISOLATION_STATE_BEGUN);
        g_free(fixture.record.reason);
        fixture.record.reason = g_strdup("not isolated: no");
        fixture.view.isolation_result = ISOLATION_NOT_CONFIRMED;
        fixture.view.isolation_sentence = "no";
        fixture.view.isolation_attempts = (guint) i + 1;
        fixture.view.isolation_ended_ms = NOW_MS - pauses_ms[i] + 1;
        assert_false(decide(&fixture)->start_isolation);
        assert_int_equal(fixture.decision.wake_ms, NOW_MS + 1);
        fixture.view.isolation_ended_ms = NOW_MS - pauses_ms[i];
        assert_true(decide(&fixture)->start_isolation);
        fixture_clear(&fixture);
    }
}

static void confirmed_init(fixture_t *fixture, guint quiet_rounds)
{
    fixture_init(fixture, VERDICT_ISOLATING, "confirmed");
    fixture->record.isolation = ISOLATION_STATE_BEGUN;
    g_free(fixture->record.reason);
    fixture->record.reason = g_strdup("not isolated: no");
    fixture->record.quiet_rounds = quiet_rounds;
    fixture->view.isolation_result = ISOLATION_NOT_CONFIRMED;
    fixture->view.isolation_sentence = "no";
    fixture->view.isolation_attempts = 1;
    fixture->view.isolation_ended_ms = NOW_MS - 100;
    fixture->view.record_since_ms = NOW_MS - 100;
}

static void test_confirmed_needs_two_quiet_rounds_a_hold_down_apart(void **state)
{
    fixture_t fixture;

    (void) state;
    confirmed_init(&fixture, 0);
    assert_true(decide(&fixture)->ask_round);
    round_is(&fixture, NOW_MS - 50, TRUE, "ddd", "ddd");
    assert_next(decide(&fixture), VERDICT_ISOLATING);
    assert_int_equal(fixture.decision.next.quiet_rounds, 1);
    fixture_clear(&fixture);

    confirmed_init(&fixture, 1);
    assert_false(decide(&fixture)->ask_round);
    assert_false(fixture.decision.change);
    fixture.view.record_since_ms = NOW_MS - 5000;
    assert_true(decide(&fixture)->ask_round);
    round_is(&fixture, NOW_MS, TRUE, "ddd", "ddd");
    assert_next(decide(&fixture), VERDICT_FAILED);
    fixture_clear(&fixture);
}

static void test_confirmed_sees_life_on_any_plane(void **state)
{
    static const struct {
        const char *service;
        const char *management;
    } cases[] = {
        { "ddu", "ddd" }, { "ddd", "ddu" }, { "ddd", "ddm" }, { "bbb", "bbb" }, { "ddd", "nnn" }, { "nnn", "ddd" },
        { "dd?", "ddd" }, { "ddd", "dd?" }, { "ddr", "ddd" }, { "ddd", "ddr" }, { "rrr", "ddd" }, { "ddd", "rrr" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (guint quiet_rounds = 0; quiet_rounds < 2; quiet_rounds++) {
            fixture_t fixture;

            confirmed_init(&fixture, quiet_rounds);
            fixture.view.record_since_ms = NOW_MS - 5000;
            round_is(&fixture, NOW_MS, TRUE, cases[i].service, cases[i].management);
            decide(&fixture);
            if (quiet_rounds > 0) {
                assert_next(&fixture.decision, VERDICT_ISOLATING);
                assert_int_equal(fixture.decision.next.quiet_rounds, 0);
            } else {
                assert_false(fixture.decision.change);
            }
            fixture_clear(&fixture);
        }
    }
}

/* Nothing leads to a takeover while an operator has it put aside; what was seen before is not counted afterwards. */
static void test_confirmed_counts_nothing_while_it_is_put_aside(void **state)
{
    (void) state;
    for (guint quiet_rounds = 0; quiet_rounds < 2; quiet_rounds++) {
        for (guint paused = 0; paused < 2; paused++) {
            fixture_t fixture;

            confirmed_init(&fixture, quiet_rounds);
            fixture.view.record_since_ms = NOW_MS - 60000;
            fixture.view.held_back = paused == 0 ? "the cluster is in maintenance mode" : NULL;
            fixture.view.is_paused = paused == 1;
            round_is(&fixture, NOW_MS - 5000, TRUE, "ddd", "ddd");
            decide(&fixture);
            assert_false(fixture.decision.ask_round);
            assert_int_equal(fixture.decision.change, quiet_rounds > 0);
            if (quiet_rounds > 0) {
                assert_next(&fixture.decision, VERDICT_ISOLATING);
                assert_int_equal(fixture.decision.next.quiet_rounds, 0);
            }
            fixture_clear(&fixture);
        }
    }
}

static void test_confirmed_counts_nothing_while_the_store_is_open(void **state)
{
    static const isolation_result_t results[] = { ISOLATION_STORE_OPEN, ISOLATION_NO_EFFECT_STORE_OPEN,
                                                  ISOLATION_ENDED_STORE_OPEN, ISOLATION_NONE };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(results); i++) {
        fixture_t fixture;

        confirmed_init(&fixture, 1);
        fixture.view.isolation_result = results[i];
        fixture.view.record_since_ms = NOW_MS - 60000;
        round_is(&fixture, NOW_MS, TRUE, "ddd", "ddd");
        decide(&fixture);
        assert_false(fixture.decision.change && fixture.decision.next.verdict == VERDICT_FAILED);
        fixture_clear(&fixture);
    }
}

static void test_failed_grants_until_granted(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_FAILED, "required");
    assert_int_equal(decide(&fixture)->ticket, TICKET_GRANT);
    fixture.view.ticket_granted = TRUE;
    assert_int_equal(decide(&fixture)->ticket, TICKET_KEEP);
    assert_false(fixture.decision.change);
    fixture_clear(&fixture);
}

static void test_only_failed_ever_grants(void **state)
{
    (void) state;
    for (guint verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        fixture_t fixture;

        fixture_init(&fixture, (verdict_t) verdict, "best-effort");
        fixture.view.service = tally("ddd");
        fixture.view.management = tally("ddd");
        fixture.view.now_ms += 3600000;
        assert_int_equal(decide(&fixture)->ticket == TICKET_GRANT, verdict == VERDICT_FAILED);
        fixture_clear(&fixture);
    }
}

static void test_failed_returns_after_recover_after(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_FAILED, "required");
    fixture.view.ticket_granted = TRUE;
    fixture.record.seen_away = TRUE;
    fixture.view.management = tally("uuu");
    fixture.view.returned_since_ms = NOW_MS - 9999;
    assert_false(decide(&fixture)->change);
    assert_int_equal(fixture.decision.wake_ms, NOW_MS + 1);
    fixture.view.returned_since_ms = NOW_MS - 10000;
    assert_next(decide(&fixture), VERDICT_RETURNING);
    assert_false(fixture.decision.next.by_operator);
    fixture_clear(&fixture);
}

static void failed_and_back_init(fixture_t *fixture)
{
    fixture_init(fixture, VERDICT_FAILED, "required");
    fixture->record.seen_away = TRUE;
    fixture->view.ticket_granted = TRUE;
    fixture->view.image = IMAGE_VIEW_ACTIVE;
    fixture->view.management = tally("uuu");
    fixture->view.returned_since_ms = NOW_MS - 10000;
}

static void set_recover_probe(fixture_t *fixture, const char *text)
{
    probe_spec_free(fixture->config->recover_probe);
    fixture->config->recover_probe = probe_spec_parse(text, NULL);
    assert_non_null(fixture->config->recover_probe);
}

static void test_an_image_is_not_stopped_for_a_machine_that_is_merely_on(void **state)
{
    static const struct {
        const char *recover_probe;
        gboolean says_ready;
    } cases[] = {
        { "icmp:10.1.0.1", FALSE }, { "tcp:10.1.0.1:5432", TRUE }, { "http://10.1.0.1/", TRUE },
        { "pgsql:host=10.1.0.1", TRUE }, { "exec:/bin/true", TRUE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        fixture_t fixture;

        failed_and_back_init(&fixture);
        set_recover_probe(&fixture, cases[i].recover_probe);
        assert_int_equal(decide(&fixture)->change, cases[i].says_ready);
        assert_int_equal(fixture.decision.ticket, TICKET_KEEP);
        assert_waits_for(&fixture, cases[i].says_ready ? NULL : "understudy release db1");
        /* The operator's word, and an image that does not run anyway, are enough. */
        fixture.view.request = VERDICT_REQUEST_RELEASE;
        assert_next(decide(&fixture), VERDICT_RETURNING);
        fixture.view.request = VERDICT_REQUEST_NONE;
        fixture.view.ticket_granted = FALSE;
        fixture.view.image = IMAGE_VIEW_STOPPED;
        assert_next(decide(&fixture), VERDICT_RETURNING);
        fixture_clear(&fixture);
    }
}

static void test_hold_keeps_the_image(void **state)
{
    fixture_t fixture;

    (void) state;
    failed_and_back_init(&fixture);
    fixture.config->hold = TRUE;
    assert_false(decide(&fixture)->change);
    assert_waits_for(&fixture, "understudy hold db1 --off");
    fixture.view.request = VERDICT_REQUEST_RELEASE;
    assert_next(decide(&fixture), VERDICT_RETURNING);
    fixture_clear(&fixture);
}

/* Nobody serves, and it says so, with what ends that. */
static void test_an_empty_place_is_said_aloud(void **state)
{
    (void) state;
    for (guint held = 0; held < 2; held++) {
        fixture_t fixture;
        g_autofree char *waits = NULL;

        fixture_init(&fixture, VERDICT_FAILED, "required");
        fixture.record.seen_away = TRUE;
        fixture.record.operator_returns = held == 0;
        fixture.config->hold = held == 1;
        fixture.view.service = tally("ddd");
        fixture.view.management = tally("uuu");
        fixture.view.returned_since_ms = NOW_MS - 600000;
        fixture.view.image_stopped_since_ms = NOW_MS - 600000;
        decide(&fixture);
        assert_false(fixture.decision.change);
        assert_int_equal(fixture.decision.ticket, TICKET_KEEP); /* two would serve when it does */
        waits = verdict_waits_for(&fixture.view);
        assert_true(g_str_has_prefix(waits, "NOBODY SERVES"));
        assert_non_null(g_strstr_len(waits, -1, "understudy release"));
        fixture.view.service = tally("uuu");
        fixture.view.up_since_ms = NOW_MS - 4999;
        assert_false(decide(&fixture)->change);
        assert_int_equal(fixture.decision.wake_ms, NOW_MS + 1);
        fixture.view.up_since_ms = NOW_MS - 5000;
        assert_next(decide(&fixture), VERDICT_RETURNING);
        fixture_clear(&fixture);
    }
}

static void test_each_further_return_waits_longer(void **state)
{
    fixture_t fixture;

    (void) state;
    failed_and_back_init(&fixture);
    fixture.record.failed_returns = 2;
    assert_false(decide(&fixture)->change);
    assert_int_equal(fixture.decision.wake_ms, NOW_MS + 30000);
    fixture.view.returned_since_ms = NOW_MS - 40000;
    assert_next(decide(&fixture), VERDICT_RETURNING);
    assert_int_equal(fixture.decision.next.failed_returns, 2);
    fixture.record.failed_returns = 1000;
    fixture.view.returned_since_ms = NOW_MS - (10000LL << VERDICT_RETURN_DOUBLINGS_MAX);
    assert_next(decide(&fixture), VERDICT_RETURNING);
    fixture_clear(&fixture);
}

static void test_who_came_back_and_did_not_serve_waits_for_the_operator(void **state)
{
    fixture_t fixture;

    (void) state;
    failed_and_back_init(&fixture);
    fixture.record.operator_returns = TRUE;
    fixture.view.returned_since_ms = NOW_MS - 3600000;
    assert_false(decide(&fixture)->change);
    assert_waits_for(&fixture, "did not serve");
    fixture.view.request = VERDICT_REQUEST_RELEASE;
    assert_next(decide(&fixture), VERDICT_RETURNING);
    assert_true(fixture.decision.next.operator_returns);
    fixture_clear(&fixture);
}

static void test_a_paused_server_is_not_isolated(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_DOUBTED, "required");
    fixture.view.service = tally("ddd");
    fixture.view.verdict_since_ms = NOW_MS - 5000;
    round_is(&fixture, NOW_MS, TRUE, "ddd", "ddd");
    fixture.view.is_paused = TRUE;
    fixture.view.pause_end_ms = VERDICT_NEVER;
    assert_false(decide(&fixture)->change);
    assert_false(fixture.decision.ask_round);
    assert_int_equal(fixture.decision.wake_ms, VERDICT_NEVER);
    assert_waits_for(&fixture, "understudy resume db1");
    fixture.view.pause_end_ms = NOW_MS + 2000;
    assert_false(decide(&fixture)->change);
    assert_waits_for(&fixture, "no takeover for another 1 min, or until understudy resume db1");
    fixture.view.pause_begin_unknown = TRUE;
    assert_waits_for(&fixture, "its whole time again");
    /* It ends when it is out of the configuration, not before. */
    fixture.view.pause_end_ms = NOW_MS;
    assert_waits_for(&fixture, "its time is over");
    assert_false(decide(&fixture)->change);
    fixture.view.is_paused = FALSE;
    assert_waits_for(&fixture, NULL);
    assert_next(decide(&fixture), VERDICT_ISOLATING);
    /* And it may recover at any time. */
    fixture.view.is_paused = TRUE;
    fixture.view.service = tally("uud");
    assert_next(decide(&fixture), VERDICT_HEALTHY);
    fixture_clear(&fixture);
}

static void doubted_init(fixture_t *fixture)
{
    fixture_init(fixture, VERDICT_DOUBTED, "required");
    fixture->view.service = tally("ddd");
    fixture->view.verdict_since_ms = NOW_MS - 5000;
    round_is(fixture, NOW_MS, TRUE, "ddd", "ddd");
}

static void test_nobody_is_isolated_for_an_image_that_runs_nowhere(void **state)
{
    fixture_t fixture;

    (void) state;
    doubted_init(&fixture);
    assert_next(decide(&fixture), VERDICT_ISOLATING);
    fixture.view.start_possible = FALSE;
    fixture.view.start_obstacle = "no host has room";
    assert_next(decide(&fixture), VERDICT_DOUBTED);
    assert_string_equal(fixture.decision.next.reason, "not taken over: no host has room");
    g_free(fixture.record.reason);
    fixture.record.reason = g_strdup("not taken over: no host has room");
    assert_false(decide(&fixture)->change);
    assert_false(fixture.decision.check_start);
    assert_int_equal(fixture.decision.wake_ms, NOW_MS + VERDICT_START_RETRY_MS);
    /* It is asked again, and goes on by itself. */
    fixture.view.start_checked_ms = NOW_MS - VERDICT_START_RETRY_MS;
    assert_true(decide(&fixture)->check_start);
    assert_false(fixture.decision.change);
    fixture.view.start_possible = TRUE;
    assert_next(decide(&fixture), VERDICT_ISOLATING);
    fixture_clear(&fixture);
}

static void test_an_answer_that_has_not_come_or_is_old_is_waited_for(void **state)
{
    static const gint64 checked_ms[] = { VERDICT_NEVER, NOW_MS - VERDICT_START_VALID_MS };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(checked_ms); i++) {
        fixture_t fixture;

        doubted_init(&fixture);
        fixture.view.start_checked_ms = checked_ms[i];
        assert_true(decide(&fixture)->check_start);
        assert_false(fixture.decision.change);
        /* It is asked early enough to be there after the hold-down. */
        fixture.view.verdict_since_ms = NOW_MS;
        assert_true(decide(&fixture)->check_start);
        fixture.record.verdict = VERDICT_SUSPECT;
        assert_true(decide(&fixture)->check_start);
        assert_next(&fixture.decision, VERDICT_DOUBTED);
        fixture_clear(&fixture);
    }
}

static void test_what_is_put_aside_in_the_cib_is_not_isolated(void **state)
{
    fixture_t fixture;

    (void) state;
    doubted_init(&fixture);
    fixture.view.held_back = "standby-db1 is disabled";
    assert_next(decide(&fixture), VERDICT_DOUBTED);
    assert_false(fixture.decision.check_start);
    assert_non_null(g_strstr_len(fixture.decision.next.reason, -1, "standby-db1 is disabled"));
    fixture.view.service = tally("uuu");
    assert_next(decide(&fixture), VERDICT_HEALTHY);
    /* Nor is another attempt made, unless an operator asked for it. */
    fixture.record.verdict = VERDICT_ISOLATING;
    fixture.record.isolation = ISOLATION_STATE_BEGUN;
    assert_false(decide(&fixture)->start_isolation);
    fixture.record.by_operator = TRUE;
    assert_true(decide(&fixture)->start_isolation);
    fixture_clear(&fixture);
}

static void test_service_answers_do_not_return_it(void **state)
{
    fixture_t fixture;

    (void) state;
    /* The service address belongs to the image now. */
    fixture_init(&fixture, VERDICT_FAILED, "required");
    fixture.view.ticket_granted = TRUE;
    fixture.record.seen_away = TRUE;
    fixture.view.service = tally("uuu");
    fixture.view.management = tally("ddd");
    fixture.view.now_ms += 3600000;
    assert_false(decide(&fixture)->change);
    assert_int_equal(fixture.decision.ticket, TICKET_KEEP);
    fixture_clear(&fixture);
}

static void test_original_that_never_went_away_does_not_return(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_FAILED, "required");
    fixture.view.ticket_granted = TRUE;
    fixture.view.management = tally("uuu");
    fixture.view.returned_since_ms = NOW_MS - 3600000;
    assert_false(decide(&fixture)->change);
    /* A probe that is lost is no absence. */
    fixture.view.returned_since_ms = VERDICT_NEVER;
    fixture.view.management = tally("mmm");
    assert_false(decide(&fixture)->change);
    fixture.view.management = tally("dmm");
    assert_false(decide(&fixture)->change);
    fixture.view.management = tally("ddu");
    assert_next(decide(&fixture), VERDICT_FAILED);
    assert_true(fixture.decision.next.seen_away);
    fixture_clear(&fixture);
}

static void test_no_second_grant_once_the_original_is_back(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_FAILED, "required");
    fixture.record.seen_away = TRUE;
    fixture.view.management = tally("uuu");
    fixture.view.returned_since_ms = NOW_MS - 10;
    assert_int_equal(decide(&fixture)->ticket, TICKET_KEEP);
    fixture_clear(&fixture);
}

static void returning_init(fixture_t *fixture)
{
    fixture_init(fixture, VERDICT_RETURNING, "required");
    fixture->view.management = tally("uuu");
    fixture->view.image_stopped_since_ms = NOW_MS - VERDICT_STOPPED_SETTLE_MS;
    fixture->view.verdict_since_ms = fixture->view.image_stopped_since_ms;
}

static void test_returning_revokes_and_waits_for_the_image(void **state)
{
    fixture_t fixture;

    (void) state;
    returning_init(&fixture);
    fixture.view.ticket_granted = TRUE;
    fixture.view.image = IMAGE_VIEW_ACTIVE;
    fixture.view.image_stopped_since_ms = VERDICT_NEVER;
    round_is(&fixture, NOW_MS - 10, TRUE, "uuu", "uuu"); /* it is the image that answers */
    assert_int_equal(decide(&fixture)->ticket, TICKET_REVOKE);
    assert_false(fixture.decision.change);
    fixture.view.ticket_granted = FALSE;
    assert_int_equal(decide(&fixture)->ticket, TICKET_KEEP);
    assert_false(fixture.decision.change);
    fixture.view.image = IMAGE_VIEW_UNKNOWN;
    assert_false(decide(&fixture)->change);
    fixture_clear(&fixture);
}

static void test_returning_asks_anew_after_the_stop(void **state)
{
    fixture_t fixture;

    (void) state;
    returning_init(&fixture);
    round_is(&fixture, NOW_MS - 10, TRUE, "uuu", "uuu"); /* from before the stop had settled */
    assert_true(decide(&fixture)->ask_round);
    assert_false(fixture.decision.change);
    fixture.view.now_ms += 10;
    round_is(&fixture, NOW_MS + 5, TRUE, "uuu", "uuu");
    assert_next(decide(&fixture), VERDICT_HEALTHY);
    fixture_clear(&fixture);

    returning_init(&fixture);
    fixture.view.now_ms += 10;
    round_is(&fixture, NOW_MS + 5, TRUE, "ddu", "uuu");
    assert_false(decide(&fixture)->change);
    assert_int_equal(fixture.decision.wake_ms, NOW_MS + 5 + 1000);
    fixture.view.now_ms = NOW_MS + 5 + 1000;
    assert_true(decide(&fixture)->ask_round);
    fixture_clear(&fixture);
}

/* Released while it was being isolated: no image ever ran, so that none has stopped lately. */
static void test_returning_without_an_image_gets_its_time_to_serve(void **state)
{
    fixture_t fixture;

    (void) state;
    returning_init(&fixture);
    fixture.view.image_stopped_since_ms = NOW_MS - 3600000;
    round_is(&fixture, NOW_MS - 10, TRUE, "ddd", "uuu");
    assert_false(decide(&fixture)->change);
    fixture_clear(&fixture);
}

/* Its gate may be counting, and the network that is silent may be the hosts' own: it is given its time to serve. */
static void test_returning_isolates_again_what_went_away(void **state)
{
    fixture_t fixture;

    (void) state;
    returning_init(&fixture);
    fixture.view.management = tally("ddd");
    fixture.view.gone_since_ms = NOW_MS;
    fixture.view.now_ms = fixture.view.image_stopped_since_ms + 10000 + VERDICT_SERVE_GRACE_MS
                          + (gint64) fixture.config->gate_quiet_ms - 1;
    round_is(&fixture, fixture.view.now_ms - 10, TRUE, "ddd", "ddd");
    assert_false(decide(&fixture)->change);
    assert_int_equal(fixture.decision.wake_ms, fixture.view.now_ms + 1);
    fixture.view.now_ms++;
    fixture.view.start_checked_ms = fixture.view.now_ms;
    assert_next(decide(&fixture), VERDICT_ISOLATING); /* never straight to failed: it had been let back */
    assert_int_equal(fixture.decision.next.failed_returns, 1);
    assert_false(fixture.decision.next.operator_returns);
    /* Nobody is isolated without a round, nor against one. */
    round_is(&fixture, fixture.view.now_ms - 10, TRUE, "bbd", "ddd");
    assert_false(decide(&fixture)->change);
    fixture.view.round_asked_ms = VERDICT_NEVER;
    assert_true(decide(&fixture)->ask_round);
    assert_false(fixture.decision.change);
    /* It is there, or has been silent for a moment only: somebody works on it. */
    round_is(&fixture, fixture.view.now_ms - 10, TRUE, "ddd", "duu");
    assert_true(decide(&fixture)->next.operator_returns);
    round_is(&fixture, fixture.view.now_ms - 10, TRUE, "ddd", "ddd");
    fixture.view.gone_since_ms = fixture.view.now_ms - 4999;
    assert_true(decide(&fixture)->next.operator_returns);
    fixture.view.is_paused = TRUE;
    assert_false(decide(&fixture)->change);
    fixture_clear(&fixture);
}

static void test_returning_gives_up_on_a_service_that_does_not_start(void **state)
{
    static const struct {
        const char *service;
        gboolean gives_up;
    } cases[] = {
        { "ddd", TRUE }, { "ddu", TRUE }, { "bbd", FALSE }, { "nnd", FALSE }, { "bbb", FALSE }, { "bdu", FALSE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (guint failed = 0; failed < 3; failed++) {
            fixture_t fixture;

            returning_init(&fixture);
            fixture.record.failed_returns = failed;
            fixture.view.now_ms = fixture.view.image_stopped_since_ms
                                  + ((10000 + VERDICT_SERVE_GRACE_MS) << failed)
                                  + (gint64) fixture.config->gate_quiet_ms - 1;
            round_is(&fixture, fixture.view.now_ms - 10, TRUE, cases[i].service, "uuu");
            assert_false(decide(&fixture)->change);
            fixture.view.now_ms++;
            fixture.view.start_checked_ms = fixture.view.now_ms;
            decide(&fixture);
            assert_int_equal(fixture.decision.change, cases[i].gives_up);
            if (cases[i].gives_up) {
                assert_next(&fixture.decision, VERDICT_ISOLATING);
                assert_int_equal(fixture.decision.next.failed_returns, failed + 1);
                assert_true(fixture.decision.next.operator_returns);
            }
            fixture_clear(&fixture);
        }
    }
}

/* The server is ready, the image has stopped, and its gate waits as long as it must: that is no failure of the service. */
static void test_returning_leaves_the_gate_its_time(void **state)
{
    fixture_t fixture;

    (void) state;
    returning_init(&fixture);
    assert_int_equal(fixture.config->gate_quiet_ms, 180000);
    fixture.view.now_ms = fixture.view.image_stopped_since_ms + 180000;
    round_is(&fixture, fixture.view.now_ms - 10, TRUE, "ddd", "uuu");
    assert_false(decide(&fixture)->change);
    fixture.config->gate_quiet_ms = 0;
    fixture.view.start_checked_ms = fixture.view.now_ms;
    assert_next(decide(&fixture), VERDICT_ISOLATING);
    fixture_clear(&fixture);
}

static void test_a_return_that_succeeds_begins_anew(void **state)
{
    fixture_t fixture;

    (void) state;
    returning_init(&fixture);
    fixture.record.failed_returns = 3;
    fixture.record.operator_returns = TRUE;
    fixture.view.now_ms += 10;
    round_is(&fixture, NOW_MS + 5, TRUE, "uuu", "uuu");
    assert_next(decide(&fixture), VERDICT_HEALTHY);
    assert_int_equal(fixture.decision.next.failed_returns, 0);
    assert_false(fixture.decision.next.operator_returns);
    fixture_clear(&fixture);
}

static void test_requests(void **state)
{
    static const struct {
        verdict_request_t request;
        verdict_t verdict;
        gboolean changes;
        verdict_t next;
    } cases[] = {
        { VERDICT_REQUEST_TAKEOVER, VERDICT_HEALTHY, TRUE, VERDICT_ISOLATING },
        { VERDICT_REQUEST_TAKEOVER, VERDICT_SUSPECT, TRUE, VERDICT_ISOLATING },
        { VERDICT_REQUEST_TAKEOVER, VERDICT_DOUBTED, TRUE, VERDICT_ISOLATING },
        { VERDICT_REQUEST_TAKEOVER, VERDICT_ISOLATING, FALSE, VERDICT_ISOLATING },
        { VERDICT_REQUEST_TAKEOVER, VERDICT_FAILED, FALSE, VERDICT_FAILED },
        { VERDICT_REQUEST_TAKEOVER, VERDICT_RETURNING, TRUE, VERDICT_ISOLATING },
        { VERDICT_REQUEST_RELEASE, VERDICT_HEALTHY, FALSE, VERDICT_HEALTHY },
        { VERDICT_REQUEST_RELEASE, VERDICT_ISOLATING, TRUE, VERDICT_RETURNING },
        { VERDICT_REQUEST_RELEASE, VERDICT_FAILED, TRUE, VERDICT_RETURNING },
        { VERDICT_REQUEST_RELEASE, VERDICT_RETURNING, FALSE, VERDICT_RETURNING },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *refusal = NULL;
        fixture_t fixture;

        fixture_init(&fixture, cases[i].verdict, "required");
        fixture.record.isolation = cases[i].request == VERDICT_REQUEST_RELEASE ? ISOLATION_STATE_WITHOUT_EFFECT
                                                                               : ISOLATION_STATE_BEGUN;
        fixture.view.request = cases[i].request;
        decide(&fixture);
        assert_int_equal(fixture.decision.change, cases[i].changes);
        if (cases[i].changes) {
            assert_next(&fixture.decision, cases[i].next);
            assert_true(fixture.decision.next.by_operator);
        }
        refusal = verdict_request_refusal(cases[i].request, "db1", &fixture.record);
        assert_int_equal(refusal == NULL, cases[i].changes);
        fixture_clear(&fixture);
    }
}

/* What a fencing that is still under way does to a server that was let back is done to a healthy server. */
static void test_a_release_waits_for_the_attempt(void **state)
{
    static const struct {
        isolation_result_t result;
        gint64 ended_ms;
        verdict_t next;
        gboolean is_noted; /* that it waits; else nothing is proposed if it stays isolating */
    } cases[] = {
        { ISOLATION_NONE, 0, VERDICT_ISOLATING, TRUE },
        { ISOLATION_NOT_CONFIRMED, NOW_MS, VERDICT_ISOLATING, TRUE },
        { ISOLATION_STORE_OPEN, NOW_MS, VERDICT_ISOLATING, TRUE },
        { ISOLATION_NO_EFFECT, NOW_MS, VERDICT_RETURNING, FALSE },
        { ISOLATION_ENDED, NOW_MS - VERDICT_EFFECT_SHOWS_MS + 1, VERDICT_ISOLATING, FALSE },
        { ISOLATION_ENDED_STORE_OPEN, NOW_MS - VERDICT_EFFECT_SHOWS_MS, VERDICT_RETURNING, FALSE },
        { ISOLATION_DONE, NOW_MS, VERDICT_FAILED, FALSE },
    };
    static const char *const policies[] = { "required", "confirmed", "best-effort" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases) * G_N_ELEMENTS(policies); i++) {
        gsize c = i / G_N_ELEMENTS(policies);
        fixture_t fixture;

        fixture_init(&fixture, VERDICT_ISOLATING, policies[i % G_N_ELEMENTS(policies)]);
        fixture.record.isolation = ISOLATION_STATE_BEGUN;
        fixture.record.quiet_rounds = 1;
        fixture.view.request = VERDICT_REQUEST_RELEASE;
        fixture.view.isolation_result = cases[c].result;
        fixture.view.isolation_ended_ms = cases[c].ended_ms;
        fixture.view.isolation_attempts = cases[c].result != ISOLATION_NONE ? 1 : 0;
        round_is(&fixture, NOW_MS, TRUE, "ddd", "ddd");
        if (cases[c].next != VERDICT_ISOLATING || cases[c].is_noted) {
            assert_next(decide(&fixture), cases[c].next);
        } else {
            assert_false(decide(&fixture)->change);
            assert_int_equal(fixture.decision.wake_ms, cases[c].ended_ms + VERDICT_EFFECT_SHOWS_MS);
        }
        if (cases[c].is_noted) {
            assert_non_null(strstr(fixture.decision.next.reason, "its power may still be switched off"));
            assert_int_equal(fixture.decision.next.isolation, ISOLATION_STATE_BEGUN);
            assert_int_equal(fixture.decision.next.quiet_rounds, 0);
            /* Said once; and while an attempt runs nothing else goes on. */
            g_free(fixture.record.reason);
            fixture.record.reason = g_strdup(fixture.decision.next.reason);
            fixture.view.isolation_running = TRUE;
            assert_false(decide(&fixture)->change);
            assert_false(fixture.decision.start_look);
            /* Afterwards it is only looked whether it is over, in growing pauses, and whatever keeps the image from
             * every host: another attempt could hit the server when nobody waits for it any more. */
            fixture.view.isolation_running = FALSE;
            fixture.view.isolation_ended_ms = NOW_MS - 1000;
            fixture.view.held_back = "the cluster is in maintenance mode";
            assert_false(decide(&fixture)->change);
            assert_true(fixture.decision.start_look);
            assert_false(fixture.decision.start_isolation);
            fixture.view.isolation_attempts = 2;
            assert_false(decide(&fixture)->start_look);
            assert_int_equal(fixture.decision.wake_ms, NOW_MS + 1000);
        }
        assert_false(fixture.decision.start_isolation);
        fixture_clear(&fixture);
    }
}

/* The host that asked for a fencing has died, and what it asked for stands in the histories of the others for good. */
static void test_a_release_does_not_wait_for_ever(void **state)
{
    fixture_t fixture;

    (void) state;
    fixture_init(&fixture, VERDICT_ISOLATING, "required");
    fixture.record.isolation = ISOLATION_STATE_BEGUN;
    fixture.view.request = VERDICT_REQUEST_RELEASE;
    fixture.view.isolation_result = ISOLATION_STORE_OPEN;
    fixture.view.isolation_attempts = 3;
    fixture.view.isolation_ended_ms = NOW_MS - 2 * VERDICT_EFFECT_SHOWS_MS;
    fixture.view.isolation_unknown_since_ms = NOW_MS - VERDICT_FENCING_MAX_MS + 1;
    assert_next(decide(&fixture), VERDICT_ISOLATING);
    fixture.view.isolation_unknown_since_ms--;
    assert_next(decide(&fixture), VERDICT_RETURNING);
    fixture_clear(&fixture);
}

/* Put aside in the middle of something: what goes on all the same is said, and a hold that would keep nothing is none. */
static void test_who_puts_a_server_aside_is_told_what_is_under_way(void **state)
{
    (void) state;
    for (guint i = 0; i < VERDICT_COUNT; i++) {
        g_autofree char *refusal = verdict_hold_refusal((verdict_t) i, "db1");
        gboolean is_under_way = i == VERDICT_ISOLATING || i == VERDICT_FAILED || i == VERDICT_RETURNING;

        assert_int_equal(verdict_pause_note((verdict_t) i) != NULL, is_under_way);
        assert_int_equal(verdict_hold_note((verdict_t) i) != NULL, i == VERDICT_ISOLATING);
        assert_int_equal(refusal != NULL, i == VERDICT_RETURNING);
        assert_true(refusal == NULL || strstr(refusal, "understudy takeover db1") != NULL);
    }
}

static void test_unknown_server_is_refused(void **state)
{
    g_autofree char *refusal = verdict_request_refusal(VERDICT_REQUEST_TAKEOVER, "db9", NULL);

    (void) state;
    assert_non_null(g_strstr_len(refusal, -1, "db9"));
}

static void test_names_are_read_back(void **state)
{
    verdict_t verdict = VERDICT_HEALTHY;

    (void) state;
    for (guint i = 0; i < VERDICT_COUNT; i++) {
        assert_true(verdict_parse(verdict_name((verdict_t) i), &verdict));
        assert_int_equal(verdict, i);
    }
    assert_false(verdict_parse("dead", &verdict));
    assert_false(verdict_parse(NULL, &verdict));
}

static void test_a_release_that_is_lost(void **state)
{
    static const struct {
        verdict_t began;
        verdict_t now;
        gint64 since_ms;
        gboolean is_lost;
    } cases[] = {
        { VERDICT_FAILED, VERDICT_FAILED, 1000, FALSE },       { VERDICT_FAILED, VERDICT_RETURNING, 2000, FALSE },
        { VERDICT_FAILED, VERDICT_HEALTHY, 2000, FALSE },      { VERDICT_FAILED, VERDICT_DOUBTED, 2000, FALSE },
        { VERDICT_FAILED, VERDICT_ISOLATING, 2000, TRUE },     { VERDICT_FAILED, VERDICT_FAILED, 2000, TRUE },
        { VERDICT_ISOLATING, VERDICT_ISOLATING, 1000, FALSE }, { VERDICT_ISOLATING, VERDICT_FAILED, 2000, FALSE },
        { VERDICT_ISOLATING, VERDICT_ISOLATING, 2000, TRUE },  { VERDICT_ISOLATING, VERDICT_RETURNING, 2000, FALSE },
        { VERDICT_RETURNING, VERDICT_ISOLATING, 2000, TRUE },  { VERDICT_RETURNING, VERDICT_FAILED, 2000, TRUE },
        { VERDICT_HEALTHY, VERDICT_ISOLATING, 2000, TRUE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        assert_int_equal(verdict_release_is_lost(cases[i].began, 1000, cases[i].now, cases[i].since_ms), cases[i].is_lost);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_blind_and_the_silent_are_for_neither_side),
        cmocka_unit_test(test_as_few_as_the_minimum_find_it_down),
        cmocka_unit_test(test_healthy_leaves_only_on_a_majority),
        cmocka_unit_test(test_seen_up_is_noted_once_the_image_has_been_stopped_for_long_enough),
        cmocka_unit_test(test_never_seen_is_not_judged_unless_the_store_remembers),
        cmocka_unit_test(test_what_was_not_seen_up_since_the_first_record_has_time_for_its_gate),
        cmocka_unit_test(test_a_gate_counts_from_the_end_of_the_image),
        cmocka_unit_test(test_a_machine_that_comes_back_before_its_isolation_has_time_for_its_gate),
        cmocka_unit_test(test_a_machine_that_was_on_all_the_time_does_not_boot),
        cmocka_unit_test(test_what_was_seen_up_with_other_probes_is_not_waited_for),
        cmocka_unit_test(test_a_boot_ends),
        cmocka_unit_test(test_the_management_address_is_asked_until_it_is_seen_up),
        cmocka_unit_test(test_nothing_is_judged_before_the_fencer_was_asked),
        cmocka_unit_test(test_what_is_up_after_the_fencing_may_be_lifted),
        cmocka_unit_test(test_a_held_takeover_goes_on_after_all_observers_were_ended),
        cmocka_unit_test(test_a_held_ticket_is_latched_without_probes),
        cmocka_unit_test(test_what_is_noted_of_a_hold),
        cmocka_unit_test(test_what_is_down_after_the_fencing_keeps_its_entry_until_it_is_up),
        cmocka_unit_test(test_without_probes_the_fencers_word_is_enough),
        cmocka_unit_test(test_other_probes_end_a_suspicion),
        cmocka_unit_test(test_ticket_granted_by_hand_beside_a_healthy_original_is_revoked),
        cmocka_unit_test(test_suspect_asks_round_1_and_waits_for_it),
        cmocka_unit_test(test_rounds_are_judged_by_majority),
        cmocka_unit_test(test_recovery_before_isolation_returns_to_healthy),
        cmocka_unit_test(test_doubted_waits_for_the_hold_down),
        cmocka_unit_test(test_an_attempt_is_noted_before_it_begins),
        cmocka_unit_test(test_isolating_is_latched_once_it_may_have_taken_effect),
        cmocka_unit_test(test_what_recovers_before_anything_took_effect_is_healthy),
        cmocka_unit_test(test_an_attempt_without_effect_unlatches),
        cmocka_unit_test(test_an_attempt_that_ended_is_judged_by_the_original),
        cmocka_unit_test(test_isolation_results_by_policy),
        cmocka_unit_test(test_isolation_is_retried_with_growing_pauses),
        cmocka_unit_test(test_confirmed_needs_two_quiet_rounds_a_hold_down_apart),
        cmocka_unit_test(test_confirmed_sees_life_on_any_plane),
        cmocka_unit_test(test_confirmed_counts_nothing_while_it_is_put_aside),
        cmocka_unit_test(test_confirmed_counts_nothing_while_the_store_is_open),
        cmocka_unit_test(test_failed_grants_until_granted),
        cmocka_unit_test(test_only_failed_ever_grants),
        cmocka_unit_test(test_failed_returns_after_recover_after),
        cmocka_unit_test(test_an_image_is_not_stopped_for_a_machine_that_is_merely_on),
        cmocka_unit_test(test_hold_keeps_the_image),
        cmocka_unit_test(test_an_empty_place_is_said_aloud),
        cmocka_unit_test(test_each_further_return_waits_longer),
        cmocka_unit_test(test_who_came_back_and_did_not_serve_waits_for_the_operator),
        cmocka_unit_test(test_a_paused_server_is_not_isolated),
        cmocka_unit_test(test_nobody_is_isolated_for_an_image_that_runs_nowhere),
        cmocka_unit_test(test_an_answer_that_has_not_come_or_is_old_is_waited_for),
        cmocka_unit_test(test_what_is_put_aside_in_the_cib_is_not_isolated),
        cmocka_unit_test(test_service_answers_do_not_return_it),
        cmocka_unit_test(test_original_that_never_went_away_does_not_return),
        cmocka_unit_test(test_no_second_grant_once_the_original_is_back),
        cmocka_unit_test(test_returning_revokes_and_waits_for_the_image),
        cmocka_unit_test(test_returning_asks_anew_after_the_stop),
        cmocka_unit_test(test_returning_without_an_image_gets_its_time_to_serve),
        cmocka_unit_test(test_returning_isolates_again_what_went_away),
        cmocka_unit_test(test_returning_gives_up_on_a_service_that_does_not_start),
        cmocka_unit_test(test_returning_leaves_the_gate_its_time),
        cmocka_unit_test(test_a_return_that_succeeds_begins_anew),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_a_release_waits_for_the_attempt),
        cmocka_unit_test(test_a_release_does_not_wait_for_ever),
        cmocka_unit_test(test_who_puts_a_server_aside_is_told_what_is_under_way),
        cmocka_unit_test(test_unknown_server_is_refused),
        cmocka_unit_test(test_names_are_read_back),
        cmocka_unit_test(test_a_release_that_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
