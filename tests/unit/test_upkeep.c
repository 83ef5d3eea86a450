/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the leader asks of the helper that keeps servers' entries, and what it makes of its answer: a shell script that
 * notes its arguments is the helper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include <string.h>

#include "upkeep.h"

#define WAIT_MS 10000

typedef struct world {
    char *directory;
    char *helper;
    char *asked;      /* file to which the helper adds its arguments, a line a run */
    upkeep_t *upkeep;
    verdict_record_t db1;
    verdict_record_t db2;
    GPtrArray *said;  /* char* */
} world_t;

static gboolean on_leads(gpointer user_data)
{
    (void) user_data;
    return TRUE;
}

static const verdict_record_t *on_record(const char *server, gpointer user_data)
{
    world_t *world = user_data;

    return strcmp(server, "db1") == 0 ? &world->db1 : &world->db2;
}

static void on_said(const char *sentence, gpointer user_data)
{
    g_ptr_array_add(((world_t *) user_data)->said, g_strdup(sentence));
}

static const upkeep_ops_t ops = { on_leads, on_record, on_said };

/* The helper answers `answer` and ends with `status`. */
static void helper_answers(world_t *world, const char *answer, int status)
{
    g_autofree char *text = g_strdup_printf("#!/bin/sh\necho \"$*\" >>%s\necho '%s'\nexit %d\n", world->asked, answer, status);

    assert_true(g_file_set_contents(world->helper, text, -1, NULL));
    assert_int_equal(g_chmod(world->helper, 0700), 0);
}

static int setup(void **state)
{
    world_t *world = g_new0(world_t, 1);

    world->directory = g_dir_make_tmp("test-upkeep-XXXXXX", NULL);
    world->helper = g_build_filename(world->directory, "helper", NULL);
    world->asked = g_build_filename(world->directory, "asked", NULL);
    world->said = g_ptr_array_new_with_free_func(g_free);
    world->upkeep = upkeep_new(world->helper, "/c", "u", &ops, world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    upkeep_free(world->upkeep);
    g_unlink(world->helper);
    g_unlink(world->asked);
    g_rmdir(world->directory);
    g_ptr_array_unref(world->said);
    g_free(world->helper);
    g_free(world->asked);
    g_free(world->directory);
    g_free(world);
    return 0;
}

static gboolean on_late(gpointer user_data)
{
    (void) user_data;
    fail_msg("the helper was not run, or its answer was not taken");
    return G_SOURCE_REMOVE;
}

static guint asked_count(const world_t *world)
{
    g_autofree char *text = NULL;
    guint count = 0;

    for (const char *c = g_file_get_contents(world->asked, &text, NULL, NULL) ? text : ""; *c != '\0'; c++) {
        count += *c == '\n' ? 1 : 0;
    }
    return count;
}

/* Tell a verdict, and let the helper be asked and answer. What it was asked, g_free(). */
static char *verdict_told(world_t *world, const char *server, verdict_t verdict)
{
    guint before = asked_count(world);
    guint late = g_timeout_add(WAIT_MS, on_late, NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    ((verdict_record_t *) on_record(server, world))->verdict = verdict;
    upkeep_on_verdict(world->upkeep, server, verdict);
    while (asked_count(world) == before || upkeep_is_running(world->upkeep)) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_source_remove(late);
    assert_true(g_file_get_contents(world->asked, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    return g_strdup(lines[before]);
}

/* What it had may be on the blocklist: a return takes it off, though the server has no address now. */
static void test_a_server_whose_address_was_taken_away_is_lifted(void **state)
{
    world_t *world = *state;
    g_autofree char *held = NULL;
    g_autofree char *lifted = NULL;

    helper_answers(world, "- ", 0);
    upkeep_set_server(world->upkeep, "db1", "10.0.2.101", "vm/db1");
    held = verdict_told(world, "db1", VERDICT_FAILED);
    assert_non_null(strstr(held, "--hold db1=10.0.2.101=vm/db1"));
    upkeep_set_server(world->upkeep, "db1", NULL, "vm/db1");
    lifted = verdict_told(world, "db1", VERDICT_HEALTHY);
    assert_non_null(strstr(lifted, "--lift db1"));
}

/* All observers were restarted: a fencing that they had begun may be under way. */
static void test_what_may_still_be_switched_off_is_not_lifted(void **state)
{
    world_t *world = *state;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    helper_answers(world, "- ", 0);
    upkeep_set_server(world->upkeep, "db1", "10.0.2.101", NULL);
    upkeep_set_server(world->upkeep, "db2", "10.0.2.102", NULL);
    world->db1.isolation = ISOLATION_STATE_BEGUN;
    world->db1.verdict = VERDICT_HEALTHY;
    first = verdict_told(world, "db2", VERDICT_HEALTHY);
    assert_true(strstr(first, "--lift db1") == NULL && strstr(first, "--lift db2") != NULL);
    world->db1.isolation = ISOLATION_STATE_NOT_BEGUN;
    second = verdict_told(world, "db1", VERDICT_HEALTHY);
    assert_non_null(strstr(second, "--lift db1"));
}

/* One server that can't be seen to is tried again, and holds up no other. */
static void test_a_server_that_can_not_be_seen_to_holds_up_no_other(void **state)
{
    world_t *world = *state;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    upkeep_set_server(world->upkeep, "db1", "10.0.2.101", NULL);
    upkeep_set_server(world->upkeep, "db2", "10.0.2.102", NULL);
    helper_answers(world, "db1 db1: Permission denied", 0);
    world->db2.verdict = VERDICT_HEALTHY;
    first = verdict_told(world, "db1", VERDICT_HEALTHY);
    assert_true(strstr(first, "--lift db1") != NULL && strstr(first, "--lift db2") != NULL);
    second = verdict_told(world, "db1", VERDICT_HEALTHY);
    assert_true(strstr(second, "--lift db1") != NULL && strstr(second, "--lift db2") == NULL);
    assert_int_equal(world->said->len, 1); /* not twice */
    assert_string_equal(world->said->pdata[0], "db1: Permission denied");
}

/* A helper that could try nothing has done nothing. */
static void test_without_the_store_all_is_tried_again(void **state)
{
    world_t *world = *state;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    upkeep_set_server(world->upkeep, "db1", "10.0.2.101", NULL);
    upkeep_set_server(world->upkeep, "db2", "10.0.2.102", NULL);
    helper_answers(world, "", 1);
    world->db2.verdict = VERDICT_HEALTHY;
    first = verdict_told(world, "db1", VERDICT_HEALTHY);
    second = verdict_told(world, "db1", VERDICT_HEALTHY);
    assert_string_equal(first, second);
    assert_non_null(strstr(second, "--lift db2"));
}

/* That a server was switched off is of that attempt: the next one may leave it on. */
static void test_switched_off_is_of_one_attempt(void **state)
{
    world_t *world = *state;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    upkeep_set_server(world->upkeep, "db1", "10.0.2.101", NULL);
    helper_answers(world, "", 1);
    upkeep_on_off(world->upkeep, "db1");
    first = verdict_told(world, "db1", VERDICT_FAILED);
    assert_non_null(strstr(first, "--off db1"));
    upkeep_on_verdict(world->upkeep, "db1", VERDICT_ISOLATING);
    second = verdict_told(world, "db1", VERDICT_FAILED);
    assert_null(strstr(second, "--off"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_server_whose_address_was_taken_away_is_lifted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_may_still_be_switched_off_is_not_lifted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_server_that_can_not_be_seen_to_holds_up_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_the_store_all_is_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_switched_off_is_of_one_attempt, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
