/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge/vote.h"

#define MISSES 3

static void assert_vote(vote_state_t *state, const vote_sight_t *sight, gint64 now_ms, vote_t expected)
{
    assert_string_equal(vote_name(vote_state_vote(state, MISSES, sight, now_ms)), vote_name(expected));
}

static void test_hysteresis_without_references(void **state)
{
    vote_state_t vote = { 0 };
    vote_sight_t sight = { 0 };

    (void) state;
    assert_vote(&vote, &sight, 0, VOTE_NONE);
    vote_state_miss(&vote, 1000, 90900);
    assert_vote(&vote, &sight, 1000, VOTE_MISSING);
    vote_state_miss(&vote, 2000, 91900);
    assert_vote(&vote, &sight, 2000, VOTE_MISSING);
    vote_state_miss(&vote, 3000, 92900);
    assert_vote(&vote, &sight, 3000, VOTE_DOWN);
    assert_int_equal(vote.first_miss_wall_ms, 90900);
    vote_state_answer(&vote);
    assert_vote(&vote, &sight, 4000, VOTE_UP);
    assert_int_equal(vote.first_miss_wall_ms, 0);
    vote_state_miss(&vote, 5000, 94900);
    assert_vote(&vote, &sight, 5000, VOTE_MISSING);
    vote_state_answer(&vote);
    vote_state_miss(&vote, 7000, 96900);
    vote_state_miss(&vote, 8000, 97900);
    assert_vote(&vote, &sight, 8000, VOTE_MISSING); /* not in a row */
}

static void miss_times(vote_state_t *vote, const vote_sight_t *sight, gint64 *now_ms, guint times)
{
    for (guint i = 0; i < times; i++) {
        *now_ms += 1000;
        vote_state_miss(vote, *now_ms, *now_ms);
        assert_int_not_equal(vote_state_vote(vote, MISSES, sight, *now_ms), VOTE_DOWN);
    }
}

static void test_down_only_after_a_reference_answered_after_the_last_miss(void **state)
{
    vote_state_t vote = { 0 };
    vote_sight_t sight = { .has_references = TRUE, .reference_answered_ms = 2500 };
    gint64 now_ms = 0;

    (void) state;
    miss_times(&vote, &sight, &now_ms, MISSES);
    assert_vote(&vote, &sight, 3000, VOTE_MISSING); /* asked, not yet answered */
    sight.reference_answered_ms = 3004;
    assert_vote(&vote, &sight, 3004, VOTE_DOWN);
    /* And it stays so while it misses and the references answer. */
    vote_state_miss(&vote, 4000, 4000);
    assert_vote(&vote, &sight, 4000, VOTE_DOWN);
}

static void test_own_link_cut_is_never_down(void **state)
{
    vote_state_t vote = { 0 };
    vote_sight_t sight = { .has_references = TRUE, .reference_answered_ms = 500 };

    (void) state;
    /* Server and references fall silent together; no moment of "down". */
    for (gint64 now_ms = 1000; now_ms <= 60000; now_ms += 50) {
        if (now_ms % 1000 == 0) {
            vote_state_miss(&vote, now_ms, now_ms);
        }
        sight.blind = now_ms - sight.reference_answered_ms > 3000;
        assert_int_not_equal(vote_state_vote(&vote, MISSES, &sight, now_ms), VOTE_DOWN);
    }
    assert_vote(&vote, &sight, 60000, VOTE_BLIND);
    /* The link is back: the reference answers first, the server is asked again. */
    sight.blind = FALSE;
    sight.reference_answered_ms = 60010;
    vote_state_answer(&vote);
    assert_vote(&vote, &sight, 60020, VOTE_UP);
}

static void test_down_becomes_blind_when_the_link_is_cut_later(void **state)
{
    vote_state_t vote = { 0 };
    vote_sight_t sight = { .has_references = TRUE };
    gint64 now_ms = 0;

    (void) state;
    miss_times(&vote, &sight, &now_ms, MISSES);
    sight.reference_answered_ms = now_ms + 1;
    assert_vote(&vote, &sight, now_ms + 1, VOTE_DOWN);
    sight.blind = TRUE;
    assert_vote(&vote, &sight, now_ms + 5000, VOTE_BLIND);
    /* It sees again: down has to be proved anew. */
    vote_state_miss(&vote, now_ms + 6000, 0);
    sight.blind = FALSE;
    sight.reference_answered_ms = now_ms + 5900;
    assert_vote(&vote, &sight, now_ms + 6000, VOTE_BLIND);
    sight.reference_answered_ms = now_ms + 6001;
    assert_vote(&vote, &sight, now_ms + 6001, VOTE_DOWN);
}

static void test_what_could_not_be_asked_is_no_miss_and_ends_no_row(void **state)
{
    vote_state_t vote = { 0 };
    vote_sight_t sight = { 0 };

    (void) state;
    for (gint64 now_ms = 1000; now_ms <= 10000; now_ms += 1000) {
        vote_state_unknown(&vote);
        assert_vote(&vote, &sight, now_ms, VOTE_UNKNOWN); /* however often */
    }
    vote_state_answer(&vote);
    assert_vote(&vote, &sight, 11000, VOTE_UP);
    vote_state_miss(&vote, 12000, 12000);
    vote_state_miss(&vote, 13000, 13000);
    vote_state_unknown(&vote);
    assert_vote(&vote, &sight, 14000, VOTE_UNKNOWN);
    vote_state_miss(&vote, 15000, 15000);
    assert_vote(&vote, &sight, 15000, VOTE_DOWN);
    /* Down is the word of a server that has just been asked. */
    vote_state_unknown(&vote);
    assert_vote(&vote, &sight, 16000, VOTE_UNKNOWN);
}

static void test_what_could_not_be_asked_needs_a_new_proof(void **state)
{
    vote_state_t vote = { 0 };
    vote_sight_t sight = { .has_references = TRUE, .reference_answered_ms = 3000 };

    (void) state;
    for (gint64 now_ms = 1000; now_ms <= 3000; now_ms += 1000) {
        vote_state_miss(&vote, now_ms, now_ms);
    }
    assert_vote(&vote, &sight, 3000, VOTE_DOWN);
    vote_state_unknown(&vote);
    assert_vote(&vote, &sight, 4000, VOTE_UNKNOWN);
    vote_state_miss(&vote, 5000, 5000);
    assert_int_not_equal(vote_state_vote(&vote, MISSES, &sight, 5000), VOTE_DOWN);
    sight.blind = TRUE;
    vote_state_unknown(&vote);
    assert_vote(&vote, &sight, 6000, VOTE_BLIND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hysteresis_without_references),
        cmocka_unit_test(test_down_only_after_a_reference_answered_after_the_last_miss),
        cmocka_unit_test(test_own_link_cut_is_never_down),
        cmocka_unit_test(test_down_becomes_blind_when_the_link_is_cut_later),
        cmocka_unit_test(test_what_could_not_be_asked_is_no_miss_and_ends_no_row),
        cmocka_unit_test(test_what_could_not_be_asked_needs_a_new_proof),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
