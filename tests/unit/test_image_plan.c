/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "image/image_plan.h"

static char *points_2_1[] = { "point-2", "point-1", NULL };
static char *points_9_1[] = { "point-9", "point-1", NULL };
static char *points_3[] = { "point-3", NULL };
static char *no_points[] = { NULL };

static disk_facts_t absent(const char *name, char **points)
{
    return (disk_facts_t) { .run_name = name, .points = points };
}

static disk_facts_t untouched(const char *name, const char *point, char **points)
{
    return (disk_facts_t) { .run_name = name, .exists = TRUE, .complete = TRUE, .cloned_point = (char *) point,
                            .points = points };
}

static disk_facts_t half_made(const char *name, const char *point, char **points)
{
    disk_facts_t facts = untouched(name, point, points);

    facts.complete = FALSE;
    return facts;
}

static disk_facts_t written(const char *name, const char *point)
{
    disk_facts_t facts = untouched(name, point, NULL);

    facts.written = TRUE;
    return facts;
}

static void assert_plan(const disk_facts_t *facts, guint count, const char *point, const disk_step_t *steps)
{
    disk_step_t made[4];
    const char *made_point = NULL;
    GError *error = NULL;

    assert_true(image_plan_make(facts, count, made, &made_point, &error));
    assert_null(error);
    if (point == NULL) {
        assert_null(made_point);
    } else {
        assert_string_equal(made_point, point);
    }
    for (guint i = 0; i < count; i++) {
        assert_int_equal(made[i], steps[i]);
    }
}

static void assert_refused(const disk_facts_t *facts, guint count, const char *word)
{
    disk_step_t steps[4];
    const char *point = NULL;
    GError *error = NULL;

    assert_false(image_plan_make(facts, count, steps, &point, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
    assert_non_null(strstr(error->message, word));
    g_error_free(error);
}

static void test_first_takeover(void **state)
{
    const disk_facts_t facts[] = { absent("vm/run-0", points_2_1), absent("vm/run-1", points_2_1) };
    const disk_step_t steps[] = { DISK_CLONE, DISK_CLONE };

    (void) state;
    assert_plan(facts, 2, "point-2", steps);
}

static void test_point_of_one_disk_alone_is_none(void **state)
{
    const disk_facts_t facts[] = { absent("vm/run-0", points_2_1), absent("vm/run-1", points_9_1) };
    const disk_facts_t nothing_in_common[] = { absent("vm/run-0", points_2_1), absent("vm/run-1", points_3) };
    const disk_facts_t none[] = { absent("vm/run-0", no_points) };
    const disk_step_t steps[] = { DISK_CLONE, DISK_CLONE };

    (void) state;
    assert_plan(facts, 2, "point-1", steps);
    assert_refused(nothing_in_common, 2, "recovery point");
    assert_refused(none, 1, "recovery point");
}

static void test_what_was_written_is_kept(void **state)
{
    disk_facts_t facts[] = { written("vm/run-0", "point-1"), untouched("vm/run-1", "point-1", NULL) };
    const disk_step_t steps[] = { DISK_KEEP, DISK_KEEP };

    (void) state;
    assert_plan(facts, 2, NULL, steps);
    /* An operator's own image: no mark, no parent, but data. */
    facts[0].complete = FALSE;
    facts[0].cloned_point = NULL;
    assert_plan(facts, 2, NULL, steps);
}

static void test_half_of_what_was_written_is_refused(void **state)
{
    const disk_facts_t missing[] = { written("vm/run-0", "point-1"), absent("vm/run-1", NULL) };
    const disk_facts_t cut_off[] = { half_made("vm/run-0", "point-1", NULL), written("vm/run-1", "point-1") };

    (void) state;
    assert_refused(missing, 2, "vm/run-1 is missing");
    assert_refused(cut_off, 2, "vm/run-0 is missing");
}

static void test_untouched_clones_give_way(void **state)
{
    const disk_facts_t facts[] = { untouched("vm/run-0", "point-2", points_2_1),
                                   untouched("vm/run-1", "point-1", points_2_1),
                                   half_made("vm/run-2", "point-2", points_2_1), absent("vm/run-3", points_2_1) };
    const disk_facts_t orphan[] = { untouched("vm/run-0", NULL, points_2_1) };
    const disk_step_t steps[] = { DISK_KEEP, DISK_REPLACE, DISK_REPLACE, DISK_CLONE };
    disk_facts_t foreign[] = { untouched("vm/run-0", "point-2", points_2_1) };
    const disk_step_t replace[] = { DISK_REPLACE };

    (void) state;
    assert_plan(facts, 4, "point-2", steps);
    /* Of a template that has another name now, or whose point of that name was made anew. */
    foreign[0].is_foreign = TRUE;
    assert_plan(foreign, 1, "point-2", replace);
    assert_plan(orphan, 1, "point-2", replace);
}

/* The original has gone on since: the point is booted, and nothing of what the standby wrote is lost. */
static void test_superseded_is_set_aside(void **state)
{
    disk_facts_t facts[] = { written("vm/run-0", "point-1"), untouched("vm/run-1", "point-1", points_2_1) };
    const disk_step_t steps[] = { DISK_SET_ASIDE, DISK_REPLACE };
    const disk_step_t again[] = { DISK_KEEP, DISK_SET_ASIDE };
    disk_facts_t cut_off[] = { untouched("vm/run-0", "point-2", points_2_1), written("vm/run-1", "point-1") };

    (void) state;
    facts[0].points = points_2_1;
    facts[0].superseded = TRUE;
    assert_plan(facts, 2, "point-2", steps);
    /* A start that was killed on the way goes on. */
    cut_off[1].points = points_2_1;
    cut_off[1].superseded = TRUE;
    assert_plan(cut_off, 2, "point-2", again);
}

static void test_match(void **state)
{
    const char *const ab[] = { "vm/a", "vm/b" };
    const char *const parents_ba[] = { "vm/b", "vm/a" };
    const char *const parents_b[] = { "vm/b", NULL };
    const char *const parents_c[] = { "vm/a", "vm/c" };
    const gboolean all[] = { TRUE, TRUE };
    const gboolean none[] = { FALSE, FALSE };
    guint slots[2];
    GError *error = NULL;

    (void) state;
    assert_true(image_plan_match(ab, parents_ba, all, 2, slots, NULL));
    assert_int_equal(slots[0], 1);
    assert_int_equal(slots[1], 0);
    assert_true(image_plan_match(ab, parents_b, all, 2, slots, NULL));
    assert_int_equal(slots[0], 1);
    assert_int_equal(slots[1], 0);
    assert_true(image_plan_match(ab, parents_c, none, 2, slots, NULL));
    assert_int_equal(slots[1], 1);
    assert_false(image_plan_match(ab, parents_c, all, 2, slots, &error));
    assert_non_null(strstr(error->message, "vm/c"));
    g_error_free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_takeover),
        cmocka_unit_test(test_point_of_one_disk_alone_is_none),
        cmocka_unit_test(test_what_was_written_is_kept),
        cmocka_unit_test(test_half_of_what_was_written_is_refused),
        cmocka_unit_test(test_untouched_clones_give_way),
        cmocka_unit_test(test_superseded_is_set_aside),
        cmocka_unit_test(test_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
