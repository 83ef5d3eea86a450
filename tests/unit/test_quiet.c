/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Only silence without a gap lets a server take its address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quiet.h"

#define NEEDED_MS    10000
#define ROUND_MS     1000
#define ROUND_MAX_MS 2500

/* How many rounds of silence it takes from here. */
static guint rounds_until_free(quiet_t *quiet, gint64 *now_ms)
{
    for (guint count = 1; count < 100; count++) {
        gint64 began_ms = *now_ms;

        *now_ms += ROUND_MS;
        if (quiet_step(quiet, began_ms, *now_ms, ROUND_SILENT)) {
            return count;
        }
    }
    return G_MAXUINT;
}

static void test_silence_must_last(void **state)
{
    gint64 now_ms = 5000;
    quiet_t quiet;

    (void) state;
    quiet_init(&quiet, NEEDED_MS, ROUND_MAX_MS);
    assert_int_equal(rounds_until_free(&quiet, &now_ms), 10);
}

static void test_whatever_is_not_silence_begins_it_anew(void **state)
{
    (void) state;
    for (round_t round = ROUND_NO_CARRIER; round <= ROUND_IN_USE; round++) {
        gint64 now_ms = 0;
        quiet_t quiet;

        quiet_init(&quiet, NEEDED_MS, ROUND_MAX_MS);
        for (guint i = 0; i < 9; i++, now_ms += ROUND_MS) {
            assert_false(quiet_step(&quiet, now_ms, now_ms + ROUND_MS, ROUND_SILENT));
        }
        assert_false(quiet_step(&quiet, now_ms, now_ms + ROUND_MS, round));
        now_ms += ROUND_MS;
        assert_int_equal(rounds_until_free(&quiet, &now_ms), 10);
        assert_non_null(round_fact(round));
        assert_non_null(round_doing(round));
    }
}

/* Whoever was stopped between two rounds, or within one, has not asked all the time. */
static void test_a_gap_begins_it_anew(void **state)
{
    gint64 now_ms = 0;
    quiet_t quiet;

    (void) state;
    quiet_init(&quiet, NEEDED_MS, ROUND_MAX_MS);
    for (guint i = 0; i < 9; i++, now_ms += ROUND_MS) {
        assert_false(quiet_step(&quiet, now_ms, now_ms + ROUND_MS, ROUND_SILENT));
    }
    now_ms += 60000;
    assert_int_equal(rounds_until_free(&quiet, &now_ms), 10);

    quiet_init(&quiet, NEEDED_MS, ROUND_MAX_MS);
    assert_false(quiet_step(&quiet, now_ms, now_ms + 60000, ROUND_SILENT));
    now_ms += 60000;
    assert_int_equal(rounds_until_free(&quiet, &now_ms), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence_must_last),
        cmocka_unit_test(test_whatever_is_not_silence_begins_it_anew),
        cmocka_unit_test(test_a_gap_begins_it_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
