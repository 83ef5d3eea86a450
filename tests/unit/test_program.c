/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that are run: how they end, and that each ends. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>

#include "base/error.h"
#include "base/program.h"

#define PATIENCE_MS 10000

typedef struct {
    unsigned times;
    int exit_status;
    gboolean overdue;
    char *output;
    char *reason;
} seen_t;

static void on_ended(const program_result_t *result, gpointer user_data)
{
    seen_t *seen = user_data;

    seen->times++;
    seen->exit_status = result->exit_status;
    seen->overdue = result->overdue;
    seen->output = g_strdup(result->output);
    seen->reason = g_strdup(result->reason);
}

static void seen_clear(seen_t *seen)
{
    g_free(seen->output);
    g_free(seen->reason);
}

static gboolean wake(gpointer user_data)
{
    *(gboolean *) user_data = TRUE;
    return G_SOURCE_REMOVE;
}

static void run_until_ended(const seen_t *seen)
{
    gboolean is_late = FALSE;
    guint source = g_timeout_add(PATIENCE_MS, wake, &is_late);

    while (seen->times == 0 && !is_late) {
        g_main_context_iteration(NULL, TRUE);
    }
    assert_false(is_late);
    g_source_remove(source);
}

static seen_t run(const char *const *argv, guint timeout_ms)
{
    seen_t seen = { 0 };

    program_start(argv, timeout_ms, on_ended, &seen);
    assert_int_equal(seen.times, 0);
    run_until_ended(&seen);
    return seen;
}

static void test_output_of_a_success(void **state)
{
    const char *argv[] = { "/bin/sh", "-c", "echo two; echo lines; echo noise >&2", NULL };
    seen_t seen = run(argv, PATIENCE_MS);

    (void) state;
    assert_int_equal(seen.exit_status, 0);
    assert_false(seen.overdue);
    assert_string_equal(seen.output, "two lines");
    seen_clear(&seen);
}

static void test_reason_of_a_failure(void **state)
{
    const struct {
        const char *argv[4];
        int exit_status;
        const char *reason;
    } cases[] = {
        { { "/bin/sh", "-c", "echo no; echo route >&2; exit 3", NULL }, 3, "route" },
        { { "/bin/sh", "-c", "exit 4", NULL }, 4, "it gave no reason for exit status 4" },
        { { "/bin/sh", "-c", "kill -9 $$", NULL }, -1, "signal 9 ended it" },
        { { "/bin/sh", "-c", "printf '\\377'; exit 5", NULL }, 5, "it gave no reason for exit status 5" },
    };

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        seen_t seen = run(cases[i].argv, PATIENCE_MS);

        assert_int_equal(seen.exit_status, cases[i].exit_status);
        assert_string_equal(seen.reason, cases[i].reason);
        seen_clear(&seen);
    }
}

static void test_what_is_not_there(void **state)
{
    const char *argv[] = { "/nonexistent/program", NULL };
    seen_t seen = run(argv, PATIENCE_MS);

    (void) state;
    assert_int_equal(seen.exit_status, -1);
    assert_non_null(g_strstr_len(seen.reason, -1, "it can't be started: "));
    assert_non_null(g_strstr_len(seen.reason, -1, "/nonexistent/program"));
    seen_clear(&seen);
}

static void test_deadline(void **state)
{
    const char *argv[] = { "/bin/sh", "-c", "echo begun; exec sleep 60", NULL };
    seen_t seen = run(argv, 100);

    (void) state;
    assert_true(seen.overdue);
    assert_int_equal(seen.exit_status, -1);
    assert_string_equal(seen.reason, "it hung and was ended");
    seen_clear(&seen);
}

static void test_deadline_of_what_its_child_outlives(void **state)
{
    g_autofree char *path = g_strdup_printf("/tmp/test_program.%d", (int) getpid());
    g_autofree char *script = g_strdup_printf("sleep 60 & echo $! >%s; wait", path);
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    g_autofree char *text = NULL;
    seen_t seen = run(argv, 500);
    pid_t child = g_file_get_contents(path, &text, NULL, NULL) ? (pid_t) g_ascii_strtoll(text, NULL, 10) : 0;

    (void) state;
    unlink(path);
    assert_true(child > 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_true(seen.overdue);
    assert_string_equal(seen.reason, "it hung and was ended");
    seen_clear(&seen);
}

static void test_cancelled(void **state)
{
    g_autofree char *path = g_strdup_printf("/tmp/test_program.%d", (int) getpid());
    g_autofree char *script = g_strdup_printf("echo $$ >%s.new; mv %s.new %s; exec sleep 60", path, path, path);
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    const char *no_program[] = { "/nonexistent/program", NULL };
    g_autofree char *text = NULL;
    gboolean is_late = FALSE;
    seen_t seen = { 0 };
    program_t *program = program_start(argv, PATIENCE_MS, on_ended, &seen);
    guint source = g_timeout_add(PATIENCE_MS, wake, &is_late);

    (void) state;
    while (!g_file_get_contents(path, &text, NULL, NULL) && !is_late) {
        g_main_context_iteration(NULL, FALSE);
    }
    unlink(path);
    program_cancel(program);
    program_cancel(program_start(no_program, PATIENCE_MS, on_ended, &seen));
    while (text != NULL && kill((pid_t) g_ascii_strtoll(text, NULL, 10), 0) == 0 && !is_late) {
        g_main_context_iteration(NULL, FALSE);
    }
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    assert_false(is_late);
    g_source_remove(source);
    assert_int_equal(seen.times, 0);
}

static void test_run_to_its_end(void **state)
{
    const struct {
        const char *argv[4];
        guint timeout_ms;
        const char *output; /* NULL: it fails */
        int code;
        const char *reason;
    } cases[] = {
        { { "/bin/sh", "-c", "echo two; echo lines", NULL }, PATIENCE_MS, "two lines", 0, NULL },
        { { "sh", "-c", "echo no; echo route >&2; exit 3", NULL }, PATIENCE_MS, NULL, UNDERSTUDY_ERROR_FAILED, "route" },
        { { "/nonexistent/program", NULL }, PATIENCE_MS, NULL, UNDERSTUDY_ERROR_NOT_HERE, "/nonexistent/program" },
        { { "/bin/sh", "-c", "exec sleep 60", NULL }, 100, NULL, UNDERSTUDY_ERROR_TIMEOUT, "hung" },
    };

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *output = NULL;
        g_autoptr(GError) error = NULL;

        assert_int_equal(program_run(cases[i].argv, cases[i].timeout_ms, &output, &error), cases[i].output != NULL);
        if (cases[i].output != NULL) {
            assert_string_equal(output, cases[i].output);
        } else {
            assert_null(output);
            assert_true(g_error_matches(error, UNDERSTUDY_ERROR, cases[i].code));
            assert_non_null(g_strstr_len(error->message, -1, cases[i].reason));
        }
    }
    assert_true(program_run(cases[0].argv, PATIENCE_MS, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_of_a_success), cmocka_unit_test(test_reason_of_a_failure),
        cmocka_unit_test(test_what_is_not_there),   cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_deadline_of_what_its_child_outlives), cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_run_to_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
