/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of hosts; that it is the scheduler's is shown by tests/scheduler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cib_fixture.h"
#include "cluster/placement.h"
#include "cluster_fixture.h"

#define NOT_RUNNING(server, host) CIB_HISTORY(server, CIB_OP(server, host, "monitor", "7", ""))

typedef struct fixture {
    cluster_state_t *cluster;
    GPtrArray *placements;
} fixture_t;

static fixture_t rank(const char *text, const char *server)
{
    fixture_t fixture = { .cluster = cluster_of(text) };

    fixture.placements = placement_rank(fixture.cluster, server != NULL
                                        ? cluster_state_server(fixture.cluster, server) : NULL, NULL);
    return fixture;
}

static const placement_t *at(const fixture_t *fixture, guint index)
{
    return g_ptr_array_index(fixture->placements, index);
}

static void clear(fixture_t *fixture)
{
    g_ptr_array_unref(fixture->placements);
    cluster_state_free(fixture->cluster);
}

static void test_most_left_is_first(void **state)
{
    fixture_t fixture = rank(CIB_TEXT("1", CIB_IMAGE("db1"), CIB_TICKET("db1"), "",
                                      CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1"))
                                      CIB_STATE("2", "1", "", NOT_RUNNING("db1", "host2"))
                                      CIB_STATE("3", "1", "", NOT_RUNNING("db1", "host3"))), "db1");

    (void) state;
    assert_string_equal(at(&fixture, 0)->host->name, "host2");
    assert_string_equal(at(&fixture, 1)->host->name, "host1");
    assert_string_equal(at(&fixture, 2)->host->name, "host3");
    assert_int_equal(at(&fixture, 0)->rank, 1);
    assert_int_equal(at(&fixture, 2)->rank, 3);
    assert_string_equal(at(&fixture, 0)->reason, "free: cpu 8, hv_memory 16384");
    clear(&fixture);
}

static void test_reach_comes_before_room(void **state)
{
    fixture_t fixture = rank(CIB_TEXT("1", CIB_IMAGE("db1"), CIB_TICKET("db1"), "",
                                      CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1"))
                                      CIB_STATE("2", "no-service", "", NOT_RUNNING("db1", "host2"))
                                      CIB_STATE("3", "no-store", "", NOT_RUNNING("db1", "host3"))), NULL);

    (void) state;
    assert_string_equal(at(&fixture, 0)->host->name, "host1");
    assert_string_equal(at(&fixture, 1)->host->name, "host2");
    assert_string_equal(at(&fixture, 2)->host->name, "host3");
    assert_true(at(&fixture, 1)->eligible);
    assert_true(at(&fixture, 2)->eligible);
    assert_true(g_str_has_prefix(at(&fixture, 1)->reason, "service network down; free: "));
    assert_true(g_str_has_prefix(at(&fixture, 2)->reason, "store out of reach; free: "));
    clear(&fixture);
}

static void test_those_that_can_not_say_why(void **state)
{
    static const char text[] = CIB_TEXT(
        "1", CIB_IMAGE("db1"), CIB_TICKET("db1"), "",
        CIB_STATE("1", "1", "<nvpair id='s' name='standby' value='on'/>", NOT_RUNNING("db1", "host1"))
        CIB_STATE("2", "1", "", NOT_RUNNING("db1", "host2")) CIB_DOWN("3"));
    /* Four times the memory of an image, more than host2 has. */
    g_auto(GStrv) parts = g_strsplit(text, "name='hv_memory' value='1024'", -1);
    g_autofree char *large = g_strjoinv("name='hv_memory' value='65536'", parts);
    fixture_t fixture = rank(large, "db1");

    (void) state;
    for (guint i = 0; i < 3; i++) {
        const placement_t *placement = at(&fixture, i);

        assert_false(placement->eligible);
        assert_int_equal(placement->rank, 0);
    }
    assert_string_equal(at(&fixture, 0)->reason, "standby");
    assert_string_equal(at(&fixture, 1)->reason, "no room: hv_memory 16384 < 65536");
    assert_string_equal(at(&fixture, 2)->reason, "offline");
    clear(&fixture);
}

static void test_a_host_that_publishes_nothing(void **state)
{
    static const char text[] = CIB_TEXT("1", CIB_IMAGE("db1"), CIB_TICKET("db1"), "",
                                        CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1")) CIB_DOWN("2") CIB_DOWN("3"));
    g_auto(GStrv) parts = g_strsplit(text, "name='cpu' value='4'", -1);
    g_autofree char *without = g_strjoinv("name='other' value='4'", parts);
    fixture_t fixture = rank(without, "db1");

    (void) state;
    assert_string_equal(at(&fixture, 0)->host->name, "host1");
    assert_false(at(&fixture, 0)->eligible);
    assert_non_null(strstr(at(&fixture, 0)->reason, "cpu is not published"));
    clear(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_most_left_is_first),
        cmocka_unit_test(test_reach_comes_before_room),
        cmocka_unit_test(test_those_that_can_not_say_why),
        cmocka_unit_test(test_a_host_that_publishes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
