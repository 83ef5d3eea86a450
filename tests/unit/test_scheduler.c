/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What crm_simulate says, and who has the last word; that it is asked rightly is shown by tests/scheduler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <crm/common/xml.h>

#include "base/error.h"
#include "cib_fixture.h"
#include "cluster/cib.h"
#include "cluster/placement.h"
#include "eligibility.h"

#define NOT_RUNNING(server, host) CIB_HISTORY(server, CIB_OP(server, host, "monitor", "7", ""))
#define RESULT(inner) "<pacemaker-result api-version='2.25' request='crm_simulate'>" inner "</pacemaker-result>"
#define SCORE(host, score) \
    "<node_weight function='f' node='" host "' score='" score "' id='standby-db1'/>"

static const char site[] = CIB_TEXT("1", CIB_IMAGE("db1"), CIB_TICKET("db1"), "",
                                    CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1"))
                                    CIB_STATE("2", "1", "", NOT_RUNNING("db1", "host2"))
                                    CIB_STATE("3", "1", "", NOT_RUNNING("db1", "host3")));

static xmlNode *xml_of(const char *text)
{
    crm_xml_init();
    return string2xml(text);
}

static scheduler_plan_t *plan_of(const char *text)
{
    GError *error = NULL;
    scheduler_plan_t *plan = scheduler_plan_parse(text, strlen(text), &error);

    assert_null(error);
    assert_non_null(plan);
    return plan;
}

static void test_starts_ends_and_scores_are_read(void **state)
{
    scheduler_plan_t *plan = plan_of(RESULT(
        "<allocations>" SCORE("host1", "0") SCORE("host1", "-INFINITY") SCORE("host2", "100000") "</allocations>"
        "<actions><rsc_action action='start' resource='standby-db1' node='host2'/>"
        "<rsc_action action='start' resource='standby-db2' node='host1' reason='no quorum' blocked='true'/>"
        "<rsc_action action='stop' resource='power' node='host1'/><rsc_action action='restart' resource='standby-db3'/>"
        "<rsc_action action='migrate' resource='standby-db4'/><rsc_action action='reload' resource='standby-db5'/>"
        "</actions>"));
    const scheduler_start_t *first = g_hash_table_lookup(plan->starts, "standby-db1");
    const scheduler_start_t *second = g_hash_table_lookup(plan->starts, "standby-db2");
    GHashTable *scores = g_hash_table_lookup(plan->scores, "standby-db1");

    (void) state;
    assert_string_equal(first->host, "host2");
    assert_null(first->blocked);
    assert_string_equal(second->blocked, "no quorum");
    assert_int_equal(g_hash_table_size(plan->starts), 2);
    assert_string_equal(g_hash_table_lookup(plan->ends, "power"), "stop");
    assert_string_equal(g_hash_table_lookup(plan->ends, "standby-db3"), "restart");
    assert_int_equal(g_hash_table_size(plan->ends), 2);
    assert_int_equal(GPOINTER_TO_INT(g_hash_table_lookup(scores, "host1")), -SCHEDULER_SCORE_INFINITY);
    assert_int_equal(GPOINTER_TO_INT(g_hash_table_lookup(scores, "host2")), 100000);
    scheduler_plan_free(plan);
}

static void test_what_is_no_answer_is_none(void **state)
{
    static const char *const texts[] = { "", "crm_simulate: no such option", "<cib/>", "<pacemaker-result>", NULL };

    (void) state;
    for (const char *const *text = texts; *text != NULL; text++) {
        g_autoptr(GError) error = NULL;

        assert_null(scheduler_plan_parse(*text, strlen(*text), &error));
        assert_non_null(error);
    }
}

static void test_the_scheduler_has_the_last_word(void **state)
{
    xmlNode *xml = xml_of(site);
    cluster_state_t *cluster = cluster_state_parse(xml, NULL);
    const cluster_server_t *db1 = cluster_state_server(cluster, "db1");
    scheduler_plan_t *third = plan_of(RESULT(
        "<allocations>" SCORE("host1", "0") SCORE("host2", "-INFINITY") SCORE("host3", "0") "</allocations>"
        "<actions><rsc_action action='start' resource='standby-db1' node='host3'/></actions>"));
    scheduler_plan_t *blocked = plan_of(RESULT(
        "<actions><rsc_action action='start' resource='standby-db1' node='host3' blocked='true' reason='a fence'/>"
        "</actions>"));
    scheduler_plan_t *nothing = plan_of(RESULT(""));
    g_autofree char *own = placement_obstacle(cluster, db1, NULL);
    g_autofree char *no_obstacle = placement_obstacle(cluster, db1, third);
    g_autofree char *waits = placement_obstacle(cluster, db1, blocked);
    g_autofree char *nowhere = placement_obstacle(cluster, db1, nothing);
    g_autoptr(GPtrArray) placements = placement_rank(cluster, db1, third);

    (void) state;
    assert_null(own);
    assert_null(no_obstacle);
    assert_string_equal(((placement_t *) g_ptr_array_index(placements, 0))->host->name, "host3");
    assert_string_equal(((placement_t *) g_ptr_array_index(placements, 1))->host->name, "host1");
    assert_false(((placement_t *) g_ptr_array_index(placements, 2))->eligible);
    assert_string_equal(waits, "Pacemaker holds the start back: a fence");
    assert_true(g_str_has_prefix(nowhere, "no host can run the image: "));
    scheduler_plan_free(third);
    scheduler_plan_free(blocked);
    scheduler_plan_free(nothing);
    cluster_state_free(cluster);
    cib_xml_free(xml);
}

typedef struct {
    gboolean told;
    char *host;
    char *reason;
} told_t;

static void on_told(const char *server, const char *host, const char *reason, gpointer user_data)
{
    told_t *told = user_data;

    if (server == NULL) {
        told->told = TRUE;
        return;
    }
    told->host = g_strdup(host);
    told->reason = g_strdup(reason);
}

static const char *const nobody[] = { NULL };

static told_t ask_servers(const char *text, const eligibility_servers_t *servers)
{
    xmlNode *xml = xml_of(text);
    told_t told = { FALSE, NULL, NULL };

    assert_non_null(eligibility_ask(xml, servers, 60000, on_told, &told, NULL));
    while (!told.told) {
        g_main_context_iteration(NULL, TRUE);
    }
    cib_xml_free(xml);
    return told;
}

/* crm_simulate itself is asked. */
static told_t ask(const char *text, const char *server)
{
    const char *const asked[] = { server, NULL };

    return ask_servers(text, &(eligibility_servers_t) { .asked = asked, .promised = nobody, .isolated = nobody });
}

static void told_clear(told_t *told)
{
    g_free(told->host);
    g_free(told->reason);
}

static void test_where_it_would_run_or_why_not(void **state)
{
    g_auto(GStrv) parts = g_strsplit(site, "<nvpair id='o1'", 2);
    g_autofree char *stopped = g_strjoinv("<nvpair id='o0' name='stop-all-resources' value='true'/><nvpair id='o1'",
                                          parts);
    told_t good = ask(site, "db1");
    told_t bad = ask(stopped, "db1");

    (void) state;
    assert_string_equal(good.host, "host2");
    assert_null(good.reason);
    assert_null(bad.host);
    assert_non_null(strstr(bad.reason, "stop-all-resources"));
    told_clear(&good);
    told_clear(&bad);
}

/* Three hosts that have room for one image each, and four images. */
#define SMALL_NODE(id)                                                                                      \
    "<node id='" id "' uname='host" id "'><utilization id='u" id "'><nvpair id='u" id "c' name='cpu' value='1'/>" \
    "<nvpair id='u" id "m' name='hv_memory' value='1024'/></utilization></node>"
#define ALL_NOT_RUNNING(host)                                                                               \
    NOT_RUNNING("db1", host) NOT_RUNNING("db2", host) NOT_RUNNING("db3", host) NOT_RUNNING("db4", host)

static char *small_site(void)
{
    static const char text[] = CIB_TEXT(
        "1", CIB_IMAGE("db1") CIB_IMAGE("db2") CIB_IMAGE("db3") CIB_IMAGE("db4"),
        CIB_TICKET("db1") CIB_TICKET("db2") CIB_TICKET("db3") CIB_TICKET("db4"), "",
        CIB_STATE("1", "1", "", ALL_NOT_RUNNING("host1")) CIB_STATE("2", "1", "", ALL_NOT_RUNNING("host2"))
        CIB_STATE("3", "1", "", ALL_NOT_RUNNING("host3")));
    g_auto(GStrv) before = g_strsplit(text, "<nodes>", 2);
    g_auto(GStrv) after = g_strsplit(before[1], "</nodes>", 2);

    return g_strconcat(before[0], "<nodes>" SMALL_NODE("1") SMALL_NODE("2") SMALL_NODE("3") "</nodes>", after[1], NULL);
}

static void assert_room(const char *text, const char *const *asked, const char *const *promised, const char *const *isolated,
                        const char *reason)
{
    told_t told = ask_servers(text, &(eligibility_servers_t) { .asked = asked, .promised = promised, .isolated = isolated });

    assert_int_equal(told.host != NULL, reason == NULL);
    assert_true(reason == NULL || strstr(told.reason, reason) != NULL);
    told_clear(&told);
}

/* Of several that fail one after the other no more are told that there is room than find some. */
static void test_room_that_was_promised_is_not_promised_again(void **state)
{
    static const char *const db1[] = { "db1", NULL };
    static const char *const db4[] = { "db4", NULL };
    static const char *const two[] = { "db2", "db3", NULL };
    static const char *const three[] = { "db1", "db2", "db3", NULL };
    static const char *const last_three[] = { "db2", "db3", "db4", NULL };
    g_autofree char *text = small_site();
    g_auto(GStrv) parts = g_strsplit(text, "<nvpair id='standby-db4-mem' name='hv_memory' value='1024'/>", 2);
    g_autofree char *large = g_strjoinv("<nvpair id='standby-db4-mem' name='hv_memory' value='4096'/>", parts);

    (void) state;
    assert_non_null(parts[1]);
    for (guint i = 0; i < 2; i++) { /* the scheduler's answer, and without it our own */
        assert_room(text, db4, two, nobody, NULL);
        assert_room(text, db4, nobody, two, NULL);
        assert_room(text, db4, nobody, three, "no");
        assert_room(text, db4, three, nobody, "no");
        /* It would be placed first, and take the room of another. */
        assert_room(text, db1, last_three, nobody, i == 0 ? "may need the room that is left" : "no room");
        assert_room(text, db1, nobody, last_three, i == 0 ? "may need the room that is left" : "no room");
        /* One that finds no room in any case takes none. */
        assert_room(large, db1, db4, nobody, NULL);
        assert_room(large, db1, nobody, db4, NULL);
        assert_true(g_setenv("PATH", "/nonexistent", TRUE));
    }
}

static void test_a_question_can_be_taken_back(void **state)
{
    xmlNode *xml = xml_of(site);
    static const char *const db1[] = { "db1", NULL };
    static const char *const unknown[] = { "unknown", NULL };
    const eligibility_servers_t one = { .asked = db1, .promised = nobody, .isolated = nobody };
    const eligibility_servers_t none = { .asked = unknown, .promised = nobody, .isolated = db1 };
    told_t told = { FALSE, NULL, NULL };
    g_autoptr(GError) error = NULL;

    (void) state;
    eligibility_cancel(eligibility_ask(xml, &one, 60000, on_told, &told, NULL));
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    assert_false(told.told);
    assert_null(eligibility_ask(xml, &none, 60000, on_told, &told, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND));
    cib_xml_free(xml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_ends_and_scores_are_read),
        cmocka_unit_test(test_what_is_no_answer_is_none),
        cmocka_unit_test(test_the_scheduler_has_the_last_word),
        cmocka_unit_test(test_where_it_would_run_or_why_not),
        cmocka_unit_test(test_a_question_can_be_taken_back),
        cmocka_unit_test(test_room_that_was_promised_is_not_promised_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
