/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image agent as our own programs ask it: what it is given, and what its end means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "base/agent_call.h"

#define PATIENCE_MS 10000

static GHashTable *params_new(void)
{
    GHashTable *params = g_hash_table_new(g_str_hash, g_str_equal);

    g_hash_table_insert(params, (gpointer) "disks", (gpointer) "vm/db1 vm/db1-data");
    g_hash_table_insert(params, (gpointer) "CRM_meta_timeout", (gpointer) "1");
    return params;
}

/* Whoever asks may be the child of another agent. */
static void test_the_environment_is_the_images_own(void **state)
{
    const char *const own[] = { "PATH=/usr/bin", "OCF_RESKEY_ceph_conf=/etc/ceph/other.conf", "OCF_CHECK_LEVEL=10",
                                "OCF_RESOURCE_INSTANCE=understudy-observer", NULL };
    g_autoptr(GHashTable) params = params_new();
    g_auto(GStrv) environment = agent_boot_check_environment(own, "standby-db1", params, 5000);

    (void) state;
    assert_string_equal(g_environ_getenv(environment, "PATH"), "/usr/bin");
    assert_string_equal(g_environ_getenv(environment, "OCF_CHECK_LEVEL"), "20");
    assert_string_equal(g_environ_getenv(environment, "OCF_RESOURCE_INSTANCE"), "standby-db1");
    assert_string_equal(g_environ_getenv(environment, "OCF_RESKEY_disks"), "vm/db1 vm/db1-data");
    assert_string_equal(g_environ_getenv(environment, "OCF_RESKEY_CRM_meta_timeout"), "5000");
    assert_null(g_environ_getenv(environment, "OCF_RESKEY_ceph_conf"));
    assert_int_equal(g_strv_length(environment), 6);
}

/* Only the agent's own word that it is so on every host counts as that. */
static void test_what_an_end_means(void **state)
{
    const struct {
        program_result_t result;
        bootable_answer_t answer;
        const char *sentence;
    } cases[] = {
        { { .exit_status = 0, .reason = "" }, BOOTABLE_YES, NULL },
        { { .exit_status = 6, .reason = "a line for the log ocf-exit-reason:there is no recovery point" }, BOOTABLE_NO,
          "there is no recovery point" },
        { { .exit_status = 6, .reason = "ocf-exit-reason:one ocf-exit-reason:the last" }, BOOTABLE_NO, "the last" },
        { { .exit_status = 1, .reason = "ocf-exit-reason:no Ceph monitor answered" }, BOOTABLE_UNKNOWN,
          "no Ceph monitor answered" },
        { { .exit_status = 4, .reason = "ocf-exit-reason:refused" }, BOOTABLE_UNKNOWN, "refused" },
        { { .exit_status = 5, .reason = "ocf-exit-reason:no keyring" }, BOOTABLE_UNKNOWN, "no keyring" },
        { { .exit_status = 3, .reason = "usage" }, BOOTABLE_UNKNOWN, "usage" },
        { { .exit_status = -1, .overdue = TRUE, .reason = "it hung and was ended" }, BOOTABLE_UNKNOWN,
          "it hung and was ended" },
        { { .exit_status = -1, .missing = TRUE, .reason = "it can't be started" }, BOOTABLE_UNKNOWN, "it can't be started" },
    };

    (void) state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *sentence = NULL;

        assert_int_equal(agent_boot_check_judge(&cases[i].result, &sentence), cases[i].answer);
        if (cases[i].sentence == NULL) {
            assert_null(sentence);
        } else {
            assert_string_equal(sentence, cases[i].sentence);
        }
    }
}

/* An agent in a folder of its own. */
static char *agent_make(const char *text, char **folder)
{
    char *root = g_dir_make_tmp("agent-XXXXXX", NULL);
    g_autofree char *path = NULL;

    *folder = g_build_filename(root, "resource.d", "understudy", NULL);
    assert_int_equal(g_mkdir_with_parents(*folder, 0700), 0);
    path = g_build_filename(*folder, "image", NULL);
    assert_true(g_file_set_contents(path, text, -1, NULL));
    assert_int_equal(g_chmod(path, 0700), 0);
    g_setenv("OCF_ROOT", root, TRUE);
    return root;
}

static void agent_remove(char *root, char *folder)
{
    g_autofree char *path = g_build_filename(folder, "image", NULL);
    g_autofree char *middle = g_path_get_dirname(folder);

    g_unsetenv("OCF_ROOT");
    g_unlink(path);
    g_rmdir(folder);
    g_rmdir(middle);
    g_rmdir(root);
    g_free(folder);
    g_free(root);
}

static void ask(const char *text, guint timeout_ms, bootable_answer_t expected, const char *words)
{
    g_autoptr(GHashTable) params = params_new();
    g_autofree char *sentence = NULL;
    char *folder = NULL;
    char *root = agent_make(text, &folder);

    assert_int_equal(agent_boot_check_run("standby-db1", params, timeout_ms, &sentence), expected);
    if (words != NULL) {
        assert_non_null(g_strstr_len(sentence, -1, words));
    }
    agent_remove(root, folder);
}

static void test_it_is_run_to_its_end(void **state)
{
    (void) state;
    ask("#!/bin/sh\ntest \"$1 $OCF_CHECK_LEVEL $OCF_RESKEY_disks\" = 'validate-all 20 vm/db1 vm/db1-data'\n", PATIENCE_MS,
        BOOTABLE_YES, NULL);
    ask("#!/bin/sh\necho 'ocf-exit-reason:there is none' >&2\nexit 6\n", PATIENCE_MS, BOOTABLE_NO, "there is none");
    ask("#!/bin/sh\nexec sleep 60\n", 1, BOOTABLE_UNKNOWN, "hung");
    ask("#!/nowhere\n", PATIENCE_MS, BOOTABLE_UNKNOWN, "can't be started");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_environment_is_the_images_own),
        cmocka_unit_test(test_what_an_end_means),
        cmocka_unit_test(test_it_is_run_to_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
