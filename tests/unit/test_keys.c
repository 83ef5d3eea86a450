/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What keys --apply asks of the monitors, and what it refuses; they are a table of one user's caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "base/error.h"
#include "run.h"
#include "store/store.h"

#define KEYRING "[client.understudy]\n\tkey = secret\n"

/* Of the tool's, command.c asks for no more. */
const command_t commands[] = { { .name = NULL } };

static struct {
    const char *answer;  /* to "auth get" of the hosts' user in JSON; NULL: there is no such user */
    guint changes;
} monitors;

exit_code_t exit_code_of(const GError *error)
{
    return error->code == UNDERSTUDY_ERROR_EXISTS ? EXIT_REFUSED : EXIT_FAILED;
}

store_t *__wrap_store_open(const store_options_t *options, GError **error);
void __wrap_store_close(store_t *store);
char *__wrap_store_monitor_ask(store_t *store, const char *command_json, GError **error);

store_t *__wrap_store_open(const store_options_t *options, GError **error)
{
    static char store;

    (void) options;
    (void) error;
    return (store_t *) &store;
}

void __wrap_store_close(store_t *store)
{
    (void) store;
}

static char *answer_get(const char *command_json, GError **error)
{
    gboolean is_hosts = strstr(command_json, "\"client.understudy\"") != NULL;

    if (strstr(command_json, "json") == NULL && monitors.changes > 0) {
        return g_strdup(KEYRING);
    }
    if (!is_hosts || monitors.answer == NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND, "there is no such user");
        return NULL;
    }
    return g_strdup(monitors.answer);
}

char *__wrap_store_monitor_ask(store_t *store, const char *command_json, GError **error)
{
    (void) store;
    if (strstr(command_json, "\"auth get\"") != NULL) {
        return answer_get(command_json, error);
    }
    monitors.changes++;
    return g_strdup("");
}

/* The command with these words, and a folder for the keyrings; its sentence is in *error. */
static exit_code_t run(const char *const *words, GError **error)
{
    static const command_option_t options[] = {
        { .name = "host", .arg = "ADDR", .repeated = TRUE }, { .name = "server-address", .arg = "ADDR", .repeated = TRUE },
        { .name = "pool", .arg = "POOL", .repeated = TRUE }, { .name = "apply" }, { .name = "replace" },
        { .name = "keyring-dir", .arg = "DIR" },             { .name = NULL },
    };
    static const command_t keys = { .name = "keys", .options = options };
    static const char *const files[] = { "", "-fence", "-unfence" };
    g_autofree char *folder = g_dir_make_tmp("understudy-keys-XXXXXX", NULL);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    command_line_t *line = NULL;
    gboolean help = FALSE;
    exit_code_t code = EXIT_FAILED;

    for (; *words != NULL; words++) {
        g_ptr_array_add(argv, (gpointer) *words);
    }
    g_ptr_array_add(argv, (gpointer) "--apply");
    g_ptr_array_add(argv, (gpointer) "--keyring-dir");
    g_ptr_array_add(argv, folder);
    g_ptr_array_add(argv, NULL);
    line = command_line_parse(&keys, (char **) argv->pdata, &help, error);
    assert_non_null(line);
    code = run_keys(line, error);
    command_line_free(line);
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_strconcat(folder, "/ceph.client.understudy", files[i], ".keyring", NULL);

        assert_int_equal(g_file_test(path, G_FILE_TEST_EXISTS), code == EXIT_OK);
        g_unlink(path);
    }
    g_rmdir(folder);
    return code;
}

static int set_up(void **state)
{
    (void) state;
    memset(&monitors, 0, sizeof monitors);
    return 0;
}

static void test_new_users(void **state)
{
    static const char *const words[] = { "--host", "10.0.0.11", NULL };

    (void) state;
    assert_int_equal(run(words, NULL), EXIT_OK);
    assert_int_equal(monitors.changes, 3);
}

static const char vm_and_db[] = "\n[{\"entity\":\"client.understudy\",\"key\":\"AQ==\",\"caps\":{\"mgr\":\"profile rbd\","
                                "\"mon\":\"allow command \\\"osd blocklist\\\" with blocklistop=add addr regex "
                                "\\\"^(10[.]0[.]0[.]12):0/[1-9][0-9]*$\\\"\",\"osd\":\"profile rbd pool=vm, profile rbd pool=db\"}}]";

static void test_what_would_be_lost_is_refused(void **state)
{
    static const char *const words[] = { "--host", "10.0.0.11", NULL };
    g_autoptr(GError) error = NULL;

    (void) state;
    monitors.answer = vm_and_db;
    assert_int_equal(run(words, &error), EXIT_REFUSED);
    assert_non_null(strstr(error->message, "client.understudy would lose"));
    assert_non_null(strstr(error->message, "--pool db, --host 10.0.0.12;"));
    assert_non_null(strstr(error->message, "--replace"));
    assert_int_equal(monitors.changes, 0);
}

static void test_what_is_given_again(void **state)
{
    static const char *const words[] = { "--host", "10.0.0.11", "--host", "10.0.0.12", "--pool", "db", "--pool", "vm", NULL };

    (void) state;
    monitors.answer = vm_and_db;
    assert_int_equal(run(words, NULL), EXIT_OK);
    assert_int_equal(monitors.changes, 3);
}

static void test_what_is_taken_away_on_purpose(void **state)
{
    static const char *const words[] = { "--host", "10.0.0.11", "--replace", NULL };

    (void) state;
    monitors.answer = vm_and_db;
    assert_int_equal(run(words, NULL), EXIT_OK);
    assert_int_equal(monitors.changes, 3);
}

static void test_an_answer_that_can_not_be_read(void **state)
{
    static const char *const answers[] = { "", "[]", "{}", "[{\"entity\":\"client.understudy\"}]", "[1]" };
    static const char *const words[] = { "--host", "10.0.0.11", NULL };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        g_autoptr(GError) error = NULL;

        monitors.answer = answers[i];
        assert_int_equal(run(words, &error), EXIT_FAILED);
        assert_non_null(strstr(error->message, "ceph auth get client.understudy"));
        assert_int_equal(monitors.changes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_new_users, set_up),
        cmocka_unit_test_setup(test_what_would_be_lost_is_refused, set_up),
        cmocka_unit_test_setup(test_what_is_given_again, set_up),
        cmocka_unit_test_setup(test_what_is_taken_away_on_purpose, set_up),
        cmocka_unit_test_setup(test_an_answer_that_can_not_be_read, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
