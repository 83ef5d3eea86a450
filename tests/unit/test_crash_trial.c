/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is tried in a child: that it crashes, and that nothing is known, are two things. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>

#include "base/crash_trial.h"

#define PATIENCE_MS 60000

static void end(gconstpointer data)
{
    _exit(GPOINTER_TO_INT(data));
}

static void die(gconstpointer data)
{
    (void) signal(GPOINTER_TO_INT(data), SIG_DFL);
    (void) raise(GPOINTER_TO_INT(data));
}

static void hang(gconstpointer data)
{
    (void) data;
    (void) signal(SIGALRM, SIG_IGN);
    for (;;) {
        (void) pause();
    }
}

static void test_it_ends(void **state)
{
    (void) state;
    assert_int_equal(crash_trial_run(end, GINT_TO_POINTER(0), PATIENCE_MS), CRASH_TRIAL_PASSED);
    assert_int_equal(crash_trial_run(end, GINT_TO_POINTER(7), PATIENCE_MS), CRASH_TRIAL_PASSED);
}

static void test_it_crashes(void **state)
{
    (void) state;
    assert_int_equal(crash_trial_run(die, GINT_TO_POINTER(SIGABRT), PATIENCE_MS), CRASH_TRIAL_CRASHED);
    assert_int_equal(crash_trial_run(die, GINT_TO_POINTER(SIGSEGV), PATIENCE_MS), CRASH_TRIAL_CRASHED);
}

/* No proof that it would have crashed, nor that it would not. */
static void test_nothing_is_known(void **state)
{
    (void) state;
    assert_int_equal(crash_trial_run(hang, NULL, 50), CRASH_TRIAL_UNKNOWN);
    assert_int_equal(crash_trial_run(die, GINT_TO_POINTER(SIGALRM), PATIENCE_MS), CRASH_TRIAL_UNKNOWN);
    assert_int_equal(crash_trial_run(die, GINT_TO_POINTER(SIGKILL), PATIENCE_MS), CRASH_TRIAL_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_ends),
        cmocka_unit_test(test_it_crashes),
        cmocka_unit_test(test_nothing_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
