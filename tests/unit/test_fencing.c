/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of fencings that are under way, and when a server may be forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cib_fixture.h"
#include "cluster_fixture.h"
#include "fencing.h"

static cluster_state_t *site(void)
{
    static const char text[] = CIB_TEXT("1", CIB_IMAGE("db1") CIB_IMAGE("db2"), CIB_TICKET("db1") CIB_TICKET("db2"), "",
                                        CIB_STATE("1", "1", "", ""));

    return cluster_of(text);
}

static void test_a_fencing_of_a_server_that_nobody_protects_is_named(void **state)
{
    static const char *const nobody[] = { "", NULL };
    static const char *const known[] = { "db1", "HOST2", "", NULL };
    static const char *const stray[] = { "db1", "db9", "host1", "db9", "", NULL };
    cluster_state_t *cluster = site();
    g_autoptr(GPtrArray) of_nobody = fencing_strays(cluster, nobody);
    g_autoptr(GPtrArray) of_known = fencing_strays(cluster, known);
    g_autoptr(GPtrArray) of_stray = fencing_strays(cluster, stray);

    (void) state;
    assert_int_equal(of_nobody->len, 0);
    assert_int_equal(of_known->len, 0);
    assert_int_equal(of_stray->len, 1);
    assert_non_null(strstr(g_ptr_array_index(of_stray, 0), "db9 is not protected"));
    assert_non_null(strstr(g_ptr_array_index(of_stray, 0), "stonith_admin --history db9"));
    cluster_state_free(cluster);
}

static void test_a_server_that_is_being_isolated_is_not_forgotten(void **state)
{
    static const char *const none[] = { "", NULL };
    static const char *const other[] = { "db2", "host1", NULL };
    static const char *const itself[] = { "db2", "DB1", NULL };
    const struct {
        const char *verdict;
        const char *const *names;
        const char *why_not; /* part of it, or NULL: it may */
    } rows[] = {
        { "healthy", none, NULL },        { "healthy", other, NULL },
        { "failed", none, NULL },         { NULL, none, NULL },
        { "isolating", none, "isolated" }, { "isolating", NULL, "isolated" },
        { "healthy", itself, "isolated" }, { NULL, itself, "isolated" },
        { "healthy", NULL, "not known" },  { NULL, NULL, "not known" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *why_not = fencing_keeps("db1", rows[i].verdict, rows[i].names);

        assert_int_equal(why_not != NULL, rows[i].why_not != NULL);
        if (why_not != NULL) {
            assert_non_null(strstr(why_not, rows[i].why_not));
            assert_non_null(strstr(why_not, "--force"));
        }
    }
}

static void test_what_is_not_listed_yet_may_come(void **state)
{
    (void) state;
    assert_true(fencing_may_come("isolating"));
    assert_true(fencing_may_come("doubted"));
    assert_false(fencing_may_come("healthy"));
    assert_false(fencing_may_come("failed"));
    assert_false(fencing_may_come(""));
    assert_false(fencing_may_come(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fencing_of_a_server_that_nobody_protects_is_named),
        cmocka_unit_test(test_a_server_that_is_being_isolated_is_not_forgotten),
        cmocka_unit_test(test_what_is_not_listed_yet_may_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
