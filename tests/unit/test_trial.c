/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "trial.h"

static void test_what_can_not_be_asked_is_refused_and_what_is_down_is_said(void **state)
{
    static const struct {
        const char *answer;
        gboolean trusted;
        gboolean good;
        guint warnings;
    } cases[] = {
        { "up", FALSE, TRUE, 0 },       { "down", FALSE, TRUE, 1 }, { "unknown", FALSE, FALSE, 0 },
        { "never", FALSE, FALSE, 0 },   { "down", TRUE, TRUE, 1 },  { "unknown", TRUE, TRUE, 1 },
        { "never", TRUE, FALSE, 0 },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *json = g_strdup_printf("{\"probes\":[{\"probe\":\"pgsql\",\"recover\":false,\"answer\":\"up\"},"
                                                "{\"probe\":\"exec:/x\",\"recover\":true,\"answer\":\"%s\","
                                                "\"reason\":\"because\"}]}", cases[i].answer);
        g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GError) error = NULL;
        gboolean all_up = FALSE;

        assert_int_equal(trial_judge(json, cases[i].trusted, &all_up, warnings, &error), cases[i].good);
        assert_int_equal(all_up, strcmp(cases[i].answer, "up") == 0);
        assert_int_equal(warnings->len, cases[i].warnings);
        assert_int_equal(error != NULL, !cases[i].good);
        if (error != NULL) {
            assert_non_null(strstr(error->message, "recover-probe 'exec:/x'"));
            assert_non_null(strstr(error->message, "because"));
        }
    }
}

static void test_an_answer_that_can_not_be_read_is_no_success(void **state)
{
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    gboolean all_up = FALSE;

    (void) state;
    assert_false(trial_judge("", FALSE, &all_up, warnings, &error));
    assert_non_null(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_can_not_be_asked_is_refused_and_what_is_down_is_said),
        cmocka_unit_test(test_an_answer_that_can_not_be_read_is_no_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
