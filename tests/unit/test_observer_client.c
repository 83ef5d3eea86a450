/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "cluster/observer_client.h"

static void assert_refused(const char *text, const char *sentence_part)
{
    GError *error = NULL;

    assert_null(observer_answer_parse(text, strlen(text), &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED));
    assert_non_null(strstr(error->message, sentence_part));
    g_error_free(error);
}

static void test_answer(void **state)
{
    const char *text = "{\"ok\":true,\"node\":\"host1\"}";
    g_autoptr(JsonObject) answer = observer_answer_parse(text, strlen(text), NULL);

    (void) state;
    assert_non_null(answer);
    assert_string_equal(json_object_get_string_member(answer, "node"), "host1");
}

static void test_refusal(void **state)
{
    (void) state;
    assert_refused("{\"ok\":false,\"error\":\"db1 is not known\"}", "db1 is not known");
    assert_refused("{\"ok\":false}", "does not say why");
    assert_refused("{\"ok\":false,\"error\":\"\"}", "does not say why");
    assert_refused("{\"ok\":false,\"error\":7}", "does not say why");
    assert_refused("{\"ok\":false,\"error\":{}}", "does not say why");
    assert_refused("{\"ok\":[]}", "does not say why");
}

static void test_no_answer_at_all(void **state)
{
    (void) state;
    assert_refused("", "the observer's answer is no ");
    assert_refused("[true]", "the observer's answer is no ");
    assert_refused("{\"ok\":true", "the observer's answer is no ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_no_answer_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
