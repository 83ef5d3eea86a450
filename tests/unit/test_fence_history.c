/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fencer's history says of a host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fence_history.h"

/* Newest first, as the fencer gives it. */
#define EVENT(name, at_s, how, older) \
    { .action = (char *) (name), .state = (how), .completed = (at_s), .next = (older) }

static void test_nothing_has_happened(void **state)
{
    (void) state;
    assert_int_equal(fence_history_fenced_s(NULL), 0);
    assert_false(fence_history_outlived(NULL, 0));
}

static void test_unfencing_is_no_fencing(void **state)
{
    stonith_history_t unfenced = EVENT("on", 200, st_done, NULL);

    (void) state;
    assert_int_equal(fence_history_fenced_s(&unfenced), 0);
    assert_false(fence_history_outlived(&unfenced, 100));
}

static void test_success_alone_counts(void **state)
{
    stonith_history_t pending = EVENT("off", 0, st_exec, NULL);
    stonith_history_t failed = EVENT("reboot", 300, st_failed, &pending);
    stonith_history_t fenced = EVENT("reboot", 200, st_done, &failed);

    (void) state;
    assert_int_equal(fence_history_fenced_s(&failed), 0);
    assert_false(fence_history_outlived(&failed, 100));
    assert_int_equal(fence_history_fenced_s(&fenced), 200);
}

static void test_who_is_older_than_the_fencing_has_outlived_it(void **state)
{
    stonith_history_t fenced = EVENT("off", 200, st_done, NULL);

    (void) state;
    assert_true(fence_history_outlived(&fenced, 100));
    assert_true(fence_history_outlived(&fenced, 200));
    assert_false(fence_history_outlived(&fenced, 201));
}

static void test_who_was_unfenced_since_is_welcome(void **state)
{
    stonith_history_t before = EVENT("on", 50, st_done, NULL);
    stonith_history_t fenced = EVENT("off", 200, st_done, &before);
    stonith_history_t failed = EVENT("on", 250, st_failed, &fenced);
    stonith_history_t unfenced = EVENT("on", 300, st_done, &failed);

    (void) state;
    assert_true(fence_history_outlived(&failed, 100));
    assert_false(fence_history_outlived(&unfenced, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_has_happened),
        cmocka_unit_test(test_unfencing_is_no_fencing),
        cmocka_unit_test(test_success_alone_counts),
        cmocka_unit_test(test_who_is_older_than_the_fencing_has_outlived_it),
        cmocka_unit_test(test_who_was_unfenced_since_is_welcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
