/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "command.h"
#include "run.h"

/* The table names the commands' functions; nothing is run here. */
#define NOT_RUN(function)                                                   \
    exit_code_t function(const command_line_t *line, GError **error)        \
    {                                                                       \
        (void) line;                                                        \
        (void) error;                                                       \
        return EXIT_FAILED;                                                 \
    }
NOT_RUN(run_adopt)
NOT_RUN(run_forget)
NOT_RUN(run_unclaim)
NOT_RUN(run_status)
NOT_RUN(run_hosts)
NOT_RUN(run_takeover)
NOT_RUN(run_pause)
NOT_RUN(run_resume)
NOT_RUN(run_hold)
NOT_RUN(run_release)
NOT_RUN(run_history)
NOT_RUN(run_keys)

static command_line_t *parse(const char *command, const char *words, GError **error)
{
    g_auto(GStrv) argv = *words != '\0' ? g_strsplit(words, " ", -1) : g_new0(char *, 1);
    gboolean help = FALSE;

    return command_line_parse(command_find(command), argv, &help, error);
}

static void test_options_and_server(void **state)
{
    command_line_t *line = parse("adopt", "--probe=icmp:10.0.0.1 db1 --probe tcp:10.0.0.1:1 --vcpus 2 --no-store", NULL);

    (void) state;
    assert_non_null(line);
    assert_string_equal(line->server, "db1");
    assert_int_equal(command_line_values(line, "probe")->len, 2);
    assert_string_equal(g_ptr_array_index(command_line_values(line, "probe"), 1), "tcp:10.0.0.1:1");
    assert_string_equal(command_line_value(line, "vcpus"), "2");
    assert_true(command_line_has(line, "no-store"));
    assert_false(command_line_has(line, "print"));
    command_line_free(line);

    line = parse("status", "", NULL);
    assert_non_null(line);
    assert_null(line->server);
    command_line_free(line);
}

static void test_wrong_lines_are_refused(void **state)
{
    static const struct {
        const char *command;
        const char *words;
        const char *named;
    } wrong[] = {
        { "forget", "", "SERVER" }, { "adopt", "db1 db2", "db2" }, { "adopt", "a/b", "a/b" },
        { "adopt", "db1 --vcpus 1 --vcpus 2", "vcpus" }, { "adopt", "db1 --print html", "html" },
        { "status", "--jsonn", "jsonn" }, { "hosts", "db1", "db1" }, { "adopt", "db1 --probe", "probe" },
        { "forget", "db1 --force=no", "--force takes no value" }, { "hold", "--off=false db1", "--off takes no value" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        GError *error = NULL;

        assert_null(parse(wrong[i].command, wrong[i].words, &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        assert_non_null(strstr(error->message, wrong[i].named));
        g_error_free(error);
    }
}

static void test_every_option_is_in_help_man_and_completion(void **state)
{
    g_autofree char *man = command_man_page();
    g_autofree char *completion = command_completion();

    (void) state;
    for (const command_t *command = commands; command->name != NULL; command++) {
        g_autofree char *help = command_help(command);

        assert_non_null(strstr(man, command->name));
        for (const command_option_t *option = command->options; option != NULL && option->name != NULL; option++) {
            g_autofree char *dashed = g_strconcat("--", option->name, NULL);
            g_auto(GStrv) parts = g_strsplit(option->name, "-", -1);
            g_autofree char *escaped = g_strjoinv("\\-", parts);

            assert_non_null(strstr(help, dashed));
            assert_non_null(strstr(completion, dashed));
            assert_non_null(strstr(man, escaped));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_and_server),
        cmocka_unit_test(test_wrong_lines_are_refused),
        cmocka_unit_test(test_every_option_is_in_help_man_and_completion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
