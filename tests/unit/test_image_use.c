/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a later start makes of what is known of a run image's last use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/image_use.h"

#define FIRST  1700000001
#define SECOND 1700086401

static void test_text(void **state)
{
    static const char *const nonsense[] = { "", "17", "runs 17", "runs x 1", "gone 1 1", "runs 1 -1", "runs 1 1 1", NULL };
    const image_use_t use = { .state = IMAGE_USE_ENDED, .point_id = 17, .takeover = FIRST };
    g_autofree char *text = image_use_text(&use);
    image_use_t read = { 0 };

    (void) state;
    assert_true(image_use_parse(text, &read));
    assert_int_equal(read.state, use.state);
    assert_int_equal(read.point_id, 17);
    assert_int_equal(read.takeover, FIRST);
    for (gsize i = 0; i < G_N_ELEMENTS(nonsense); i++) {
        assert_false(image_use_parse(nonsense[i], &read));
    }
}

static void test_what_was_stopped(void **state)
{
    const image_use_t ended = { .state = IMAGE_USE_ENDED, .point_id = 17, .takeover = FIRST };

    (void) state;
    assert_true(image_use_is_before(&ended, SECOND, 18));
    assert_false(image_use_is_before(&ended, SECOND, 17));
    assert_false(image_use_is_before(&ended, SECOND, 16));
    /* Started by hand, without a ticket. */
    assert_true(image_use_is_before(&ended, 0, 18));
    /* It is the same takeover: the original has not served in between, whatever made the point. */
    assert_false(image_use_is_before(&ended, FIRST, 18));
}

/* Its host has lost its power. */
static void test_what_nobody_has_seen_end(void **state)
{
    const image_use_t runs = { .state = IMAGE_USE_RUNS, .point_id = 17, .takeover = FIRST };
    const image_use_t unknown = { .state = IMAGE_USE_RUNS, .point_id = 17 };

    (void) state;
    assert_false(image_use_is_before(&runs, FIRST, 18));
    assert_true(image_use_is_before(&runs, SECOND, 18));
    assert_false(image_use_is_before(&runs, SECOND, 17));
    assert_false(image_use_is_before(&runs, 0, 18));
    assert_false(image_use_is_before(&unknown, SECOND, 18));
    assert_false(image_use_is_before(NULL, SECOND, 18));
}

static void test_a_start_that_was_killed_goes_on(void **state)
{
    const image_use_t superseded = { .state = IMAGE_USE_SUPERSEDED, .point_id = 17, .takeover = FIRST };

    (void) state;
    assert_true(image_use_is_before(&superseded, FIRST, 17));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_what_was_stopped),
        cmocka_unit_test(test_what_nobody_has_seen_end),
        cmocka_unit_test(test_a_start_that_was_killed_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
