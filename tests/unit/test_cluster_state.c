/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/names.h"
#include "cib_fixture.h"
#include "cluster_fixture.h"

#define NOT_RUNNING(server, host) CIB_HISTORY(server, CIB_OP(server, host, "monitor", "7", ""))
#define GRANTED "<tickets><ticket_state id='takeover-db1' granted='true' last-granted='1700000001'/></tickets>"

static const char running[] = CIB_TEXT(
    "1", CIB_IMAGE("db1") CIB_IMAGE("db2"), CIB_TICKET("db1") CIB_TICKET("db2"), GRANTED,
    CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1") NOT_RUNNING("db2", "host1"))
    CIB_STATE("2", "1", "", CIB_HISTORY("db1", CIB_OP("db1", "host2", "start", "0", "")) NOT_RUNNING("db2", "host2"))
    CIB_STATE("3", "no-store", "", NOT_RUNNING("db1", "host3") NOT_RUNNING("db2", "host3")));

static int score_of(const cluster_server_t *server, const char *host)
{
    return GPOINTER_TO_INT(g_hash_table_lookup(server->host_scores, host));
}

static void test_running_image(void **state)
{
    cluster_state_t *cluster = cluster_of(running);
    const cluster_server_t *db1 = cluster_state_server(cluster, "db1");
    const cluster_server_t *db2 = cluster_state_server(cluster, "db2");

    (void) state;
    assert_true(cluster->quorate);
    assert_true(cluster->balanced);
    assert_string_equal(cluster->dc, "host1");
    assert_int_equal(cluster->servers->len, 2);
    assert_int_equal(db1->image, IMAGE_RUNNING);
    assert_string_equal(db1->image_host, "host2");
    assert_true(db1->ticket_granted);
    assert_int_equal(db1->ticket_last_granted_s, 1700000001);
    assert_int_equal(db1->image_changed_s, 1700000000);
    assert_string_equal(g_hash_table_lookup(db1->params, "disks"), "images/db1");
    assert_int_equal(db2->image, IMAGE_STOPPED);
    assert_null(db2->image_host);
    assert_false(db2->ticket_granted);
    cluster_state_free(cluster);
}

static void test_hosts_and_what_they_have_left(void **state)
{
    cluster_state_t *cluster = cluster_of(running);
    const cluster_host_t *host2 = g_ptr_array_index(cluster->hosts, 1);
    const cluster_host_t *host3 = g_ptr_array_index(cluster->hosts, 2);

    (void) state;
    assert_int_equal(cluster->hosts->len, 3);
    assert_string_equal(host2->name, "host2");
    assert_true(host2->online);
    assert_int_equal(GPOINTER_TO_INT(g_hash_table_lookup(host2->remaining, "cpu")), 7);
    assert_int_equal(GPOINTER_TO_INT(g_hash_table_lookup(host2->remaining, "hv_memory")), 15360);
    assert_string_equal(g_hash_table_lookup(host2->utilization, "cpu"), "8");
    assert_int_equal(host2->images->len, 1);
    assert_string_equal(g_ptr_array_index(host2->images, 0), "db1");
    assert_int_equal(host2->resource_count, 1);
    assert_int_equal(host2->reach, HOST_REACH_ALL);
    assert_int_equal(host3->reach, HOST_REACH_NO_STORE);
    cluster_state_free(cluster);
}

/* Two hosts of the membership, one in standby by its attribute; a third that is not there. */
static void test_whose_votes_are_counted(void **state)
{
    static const char *const none[] = { NULL };
    static const char *const two_left_out[] = { "host1", "host2", NULL };
    static const struct {
        const char *state_of_2;
        const char *state_of_3;
        const char *const *uncounted;
        const char *voters;
        guint minimum;
    } cases[] = {
        { CIB_STATE("2", "1", "", ""), CIB_STATE("3", "1", "", ""), none, "host1 host2 host3", 2 },
        { CIB_STATE("2", "1", "", ""), CIB_STATE("3", "1", "", ""), two_left_out, "host3", 1 },
        { CIB_STATE("2", "1", "", ""), "", NULL, "host1 host2", 2 },
        { CIB_STATE("2", "1", "<nvpair id='s' name='standby' value='on'/>", ""), "", NULL, "host1", 2 },
        { CIB_STATE("2", "1", "<nvpair id='s' name='maintenance' value='true'/>", ""), "", NULL, "host1", 2 },
        /* Corosync runs there and Pacemaker does not: it counts, and is silent. */
        { "<node_state id='2' uname='host2' in_ccm='1700000000' crmd='offline' join='down' expected='member'/>",
          "<node_state id='3' uname='host3' in_ccm='0' crmd='offline' join='down' expected='down'/>", NULL,
          "host1 host2", 2 },
        { "<node_state id='r' uname='remote1' remote_node='true' in_ccm='true' crmd='online' join='member'"
          " expected='member'/>", "", NULL, "host1", 2 },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *states = g_strconcat(CIB_STATE("1", "1", "", ""), cases[i].state_of_2, cases[i].state_of_3,
                                              NULL);
        g_autofree char *text = g_strdup_printf(CIB_TEXT("1", "", "", "", "%s"), states);
        cluster_state_t *cluster = cluster_of(text);
        guint minimum = 0;
        g_auto(GStrv) voters = cluster_state_voters(cluster, cases[i].uncounted, &minimum);
        g_autofree char *names = g_strjoinv(" ", voters);

        assert_string_equal(names, cases[i].voters);
        assert_int_equal(minimum, cases[i].minimum);
        cluster_state_free(cluster);
    }
}

static void test_reach_is_a_score(void **state)
{
    cluster_state_t *cluster = cluster_of(running);
    const cluster_server_t *db2 = cluster_state_server(cluster, "db2");

    (void) state;
    assert_int_equal(score_of(db2, "host1"), 100000);
    assert_int_equal(score_of(db2, "host3"), 0);
    cluster_state_free(cluster);
}

static void test_what_a_host_reaches_reads_as_written(void **state)
{
    static const host_reach_t all[] = { HOST_REACH_UNKNOWN, HOST_REACH_ALL, HOST_REACH_NO_SERVICE, HOST_REACH_NO_STORE };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        assert_int_equal(host_reach_parse(host_reach_value(all[i])), all[i]);
    }
    assert_int_equal(host_reach_parse(""), HOST_REACH_UNKNOWN);
    assert_int_equal(host_reach_parse("of a later version"), HOST_REACH_NO_SERVICE);
}

static void test_failed_start_bans_and_says_why(void **state)
{
    cluster_state_t *cluster = cluster_of(CIB_TEXT(
        "1", CIB_IMAGE("db1"), CIB_TICKET("db1"), GRANTED,
        CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1"))
        CIB_STATE("2", "1", "<nvpair id='f' name='fail-count-standby-db1#start_0' value='INFINITY'/>",
                  CIB_HISTORY("db1",
                              "<lrm_rsc_op id='standby-db1_last_failure_0' operation_key='standby-db1_start_0'"
                              " operation='start' crm-debug-origin='test' crm_feature_set='3.16.1'"
                              " transition-key='1:1:0:2668bbeb-06d5-40f9-936d-24cb7f87006a'"
                              " transition-magic='0:1;1:1:0:2668bbeb-06d5-40f9-936d-24cb7f87006a' on_node='host2'"
                              " call-id='2' rc-code='1' op-status='0' interval='0' last-rc-change='1700000000'"
                              " exec-time='1' queue-time='0' exit-reason='10.0.0.9 has the image open'/>"
                              CIB_OP("db1", "host2", "stop", "0", "")))));
    const cluster_server_t *db1 = cluster_state_server(cluster, "db1");

    (void) state;
    assert_int_equal(score_of(db1, "host2"), -1000000);
    assert_int_equal(score_of(db1, "host1"), 100000);
    assert_non_null(db1->image_fail_reason);
    assert_non_null(strstr(db1->image_fail_reason, "10.0.0.9 has the image open"));
    assert_string_equal(db1->image_fail_host, "host2");
    cluster_state_free(cluster);
}

#define FAILED_START(host, reason, at)                                                       \
    "<lrm_rsc_op id='standby-db1_last_failure_0' operation_key='standby-db1_start_0'"        \
    " operation='start' crm-debug-origin='test' crm_feature_set='3.16.1'"                    \
    " transition-key='1:1:0:2668bbeb-06d5-40f9-936d-24cb7f87006a'"                           \
    " transition-magic='0:1;1:1:0:2668bbeb-06d5-40f9-936d-24cb7f87006a' on_node='" host "'"  \
    " call-id='2' rc-code='1' op-status='0' interval='0' last-rc-change='" at "'"            \
    " exec-time='1' queue-time='0' exit-reason='" reason "'/>"

static void test_where_a_start_was_refused_for_want_of_its_ticket(void **state)
{
    static const char text[] = CIB_TEXT(
        "1", CIB_IMAGE("db1") CIB_IMAGE("db2"), CIB_TICKET("db1"), "",
        CIB_STATE("1", "1", "", CIB_HISTORY("db1", FAILED_START("host1", "no room", "1700000000")))
        CIB_STATE("2", "1", "", CIB_HISTORY("db1", FAILED_START("host2", NO_TICKET_REASON_PREFIX "takeover-db1 is not",
                                                                "1700000000"))));
    cluster_state_t *cluster = cluster_of(text);
    const cluster_server_t *db1 = cluster_state_server(cluster, "db1");
    const cluster_server_t *db2 = cluster_state_server(cluster, "db2");

    (void) state;
    assert_int_equal(g_hash_table_size(db1->refused_hosts), 1);
    assert_true(g_hash_table_contains(db1->refused_hosts, "host2"));
    assert_true(db1->ticket_bound);
    assert_int_equal(g_hash_table_size(db2->refused_hosts), 0);
    assert_false(db2->ticket_bound);
    cluster_state_free(cluster);
}

/* adopt finds the constraint there, and leaves it as the operator has written it. */
static void test_a_ticket_constraint_may_name_the_image_by_its_group_a_set_or_a_tag(void **state)
{
    static const struct {
        const char *constraint;
        gboolean is_bound;
    } cases[] = {
        { "<rsc_ticket id='t' rsc='standby-db1' ticket='takeover-db1'/>", TRUE },
        { "<rsc_ticket id='t' rsc='g' ticket='takeover-db1'/>", TRUE },
        { "<rsc_ticket id='t' ticket='takeover-db1'><resource_set id='s'><resource_ref id='standby-db1'/></resource_set>"
          "</rsc_ticket>", TRUE },
        { "<rsc_ticket id='t' rsc='marked' ticket='takeover-db1'/>", TRUE },
        { "<rsc_ticket id='t' rsc='g' ticket='takeover-db2'/>", FALSE },
        { "<rsc_ticket id='t' rsc='other' ticket='takeover-db1'/>", FALSE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *with = g_strdup_printf(
            CIB_TEXT("1", "<group id='g'>" CIB_IMAGE("db1") "</group><primitive id='other' class='ocf' provider='pacemaker' "
                     "type='Dummy'/>", "%s", "", ""), cases[i].constraint);
        g_auto(GStrv) halves = g_strsplit(with, "</constraints>", 2);
        g_autofree char *text = g_strconcat(halves[0], "</constraints><tags><tag id='marked'><obj_ref id='standby-db1'/></tag>"
                                            "</tags>", halves[1], NULL);
        cluster_state_t *cluster = cluster_of(text);

        assert_int_equal(cluster_state_server(cluster, "db1")->ticket_bound, cases[i].is_bound);
        cluster_state_free(cluster);
    }
}

static void test_pending_start_and_no_report(void **state)
{
    cluster_state_t *cluster = cluster_of(CIB_TEXT(
        "0", CIB_IMAGE("db1") CIB_IMAGE("db2"), CIB_TICKET("db1"), GRANTED,
        CIB_STATE("1", "1", "", CIB_HISTORY("db1",
            "<lrm_rsc_op id='standby-db1_last_0' operation_key='standby-db1_start_0' operation='start'"
            " crm-debug-origin='test' crm_feature_set='3.16.1'"
            " transition-key='1:1:0:2668bbeb-06d5-40f9-936d-24cb7f87006a'"
            " transition-magic='-1:193;1:1:0:2668bbeb-06d5-40f9-936d-24cb7f87006a' on_node='host1' call-id='-1'"
            " rc-code='193' op-status='-1' interval='0' last-rc-change='1700000000' exec-time='0'/>"))));

    (void) state;
    assert_false(cluster->quorate);
    assert_int_equal(cluster_state_server(cluster, "db1")->image, IMAGE_STARTING);
    assert_string_equal(cluster_state_server(cluster, "db1")->image_host, "host1");
    assert_int_equal(cluster_state_server(cluster, "db2")->image, IMAGE_UNKNOWN);
    assert_false(((cluster_host_t *) g_ptr_array_index(cluster->hosts, 1))->online);
    cluster_state_free(cluster);
}

/* db_1's operations have keys that begin like those of db's. */
static void test_a_failure_is_of_the_image_that_failed(void **state)
{
    cluster_state_t *cluster = cluster_of(CIB_TEXT(
        "1", CIB_IMAGE("db") CIB_IMAGE("db_1"), CIB_TICKET("db") CIB_TICKET("db_1"), "",
        CIB_STATE("1", "1", "", NOT_RUNNING("db", "host1")
                  CIB_HISTORY("db_1", CIB_OP("db_1", "host1", "start", "1", "exit-reason='it is open elsewhere'")))));

    (void) state;
    assert_null(cluster_state_server(cluster, "db")->image_fail_reason);
    assert_int_equal(g_hash_table_size(cluster_state_server(cluster, "db")->host_failures), 0);
    assert_string_equal(cluster_state_server(cluster, "db_1")->image_fail_reason, "start failed: it is open elsewhere");
    cluster_state_free(cluster);
}

static void test_remote_and_guest_nodes_are_no_hosts(void **state)
{
    cluster_state_t *cluster = cluster_of(CIB_TEXT(
        "1", CIB_IMAGE("db1")
        "<primitive id='far' class='ocf' provider='pacemaker' type='remote'/>"
        "<primitive id='vm' class='ocf' provider='heartbeat' type='VirtualDomain'><meta_attributes id='vm-m'>"
        "<nvpair id='vm-n' name='remote-node' value='guest'/></meta_attributes></primitive>",
        CIB_TICKET("db1"), "", CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1"))));

    (void) state;
    assert_int_equal(cluster->hosts->len, 3);
    for (guint i = 0; i < cluster->hosts->len; i++) {
        assert_true(g_str_has_prefix(((cluster_host_t *) g_ptr_array_index(cluster->hosts, i))->name, "host"));
    }
    cluster_state_free(cluster);
}

/* Its image is in maintenance until then: "date" is attributes of the date_expression. */
static cluster_state_t *parse_in_window(const char *date)
{
    static const char text[] = CIB_TEXT(
        "1",
        "<primitive id='standby-db1' class='ocf' provider='understudy' type='image'><meta_attributes id='w'>"
        "<rule id='w-rule' score='INFINITY'><date_expression id='w-date' DATE/></rule>"
        "<nvpair id='w-maintenance' name='maintenance' value='true'/></meta_attributes></primitive>",
        CIB_TICKET("db1"), "",
        CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1")) CIB_DOWN("2") CIB_DOWN("3"));
    g_auto(GStrv) parts = g_strsplit(text, "DATE", 2);
    g_autofree char *whole = g_strjoinv(date, parts);

    return cluster_of(whole);
}

static char *iso_time(gint64 time_s)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(time_s);

    return g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ");
}

static void test_a_rule_on_the_time_is_looked_at_again(void **state)
{
    const struct {
        const char *form; /* of the date_expression, with the time */
        int ends_s;       /* from now */
        gboolean is_held_back;
        int within_s;     /* so soon it is to be read anew */
    } rows[] = {
        { "operation='lt' end='%s'", 10, TRUE, 10 },
        { "operation='lt' end='%s'", 3600, TRUE, 30 },
        { "operation='lt' end='%s'", -10, FALSE, 30 },
        { "operation='gt' start='%s'", 10, FALSE, 11 },
        { "operation='gt' start='%s'", -10, TRUE, 30 },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        gint64 before_s = g_get_real_time() / G_USEC_PER_SEC;
        g_autofree char *time = iso_time(before_s + rows[i].ends_s);
        g_auto(GStrv) halves = g_strsplit(rows[i].form, "%s", 2);
        g_autofree char *date = g_strjoinv(time, halves);
        cluster_state_t *cluster = parse_in_window(date);
        gint64 after_s = g_get_real_time() / G_USEC_PER_SEC;

        assert_int_equal(cluster_state_server(cluster, "db1")->held_back != NULL, rows[i].is_held_back);
        assert_in_range(cluster->recheck_s, before_s + rows[i].within_s - 1, after_s + rows[i].within_s);
        cluster_state_free(cluster);
    }
}

/* Whatever Pacemaker makes of them, none is left out. */
static void test_an_image_that_is_multiplied_is_a_server_still(void **state)
{
    static const struct {
        const char *resources;
        const char *by;
    } cases[] = {
        { CIB_IMAGE("db1"), NULL },
        { "<group id='g'>" CIB_IMAGE("db1") "</group>", NULL },
        { "<clone id='c'>" CIB_IMAGE("db1") "</clone>", "c" },
        { "<clone id='c'><meta_attributes id='m'><nvpair id='n' name='globally-unique' value='true'/></meta_attributes>"
          CIB_IMAGE("db1") "</clone>", "c" },
        { "<clone id='c'><meta_attributes id='m'><nvpair id='n' name='clone-max' value='0'/></meta_attributes>"
          CIB_IMAGE("db1") "</clone>", "c" },
        { "<clone id='c'><group id='g'><primitive id='other' class='ocf' provider='pacemaker' type='Dummy'/>"
          CIB_IMAGE("db1") "</group></clone>", "c" },
        { "<master id='c'>" CIB_IMAGE("db1") "</master>", "c" },
        { "<bundle id='b'><podman image='i' replicas='2'/><network control-port='3121' ip-range-start='10.0.3.9'/>"
          CIB_IMAGE("db1") "</bundle>", "b" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf(
            CIB_TEXT("1", "%s", CIB_TICKET("db1"), GRANTED,
                     CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1"))
                     CIB_STATE("2", "1", "", CIB_HISTORY("db1", CIB_OP("db1", "host2", "start", "0", "")))), cases[i].resources);
        cluster_state_t *cluster = cluster_of(text);
        const cluster_server_t *db1 = cluster_state_server(cluster, "db1");

        assert_int_equal(cluster->servers->len, 1);
        assert_non_null(db1);
        assert_string_equal(db1->resource_id, "standby-db1");
        assert_string_equal(g_hash_table_lookup(db1->params, "disks"), "images/db1");
        assert_true(db1->ticket_granted);
        if (cases[i].by == NULL) {
            assert_null(db1->multiplied_by);
        } else {
            assert_string_equal(db1->multiplied_by, cases[i].by);
        }
        cluster_state_free(cluster);
    }
}

static void test_without_rules_on_the_time_only_changes_count(void **state)
{
    cluster_state_t *cluster = cluster_of(running);

    (void) state;
    assert_int_equal(cluster->recheck_s, 0);
    cluster_state_free(cluster);
}

/* On a host that is not the first. */
static void test_an_image_in_a_clone_is_seen_to_run(void **state)
{
    cluster_state_t *cluster = cluster_of(CIB_TEXT(
        "1", "<clone id='c'>" CIB_IMAGE("db1") "</clone>", CIB_TICKET("db1"), GRANTED,
        CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1"))
        CIB_STATE("2", "1", "", NOT_RUNNING("db1", "host2"))
        CIB_STATE("3", "1", "", CIB_HISTORY("db1", CIB_OP("db1", "host3", "start", "0", "")))));

    (void) state;
    assert_int_equal(cluster_state_server(cluster, "db1")->image, IMAGE_RUNNING);
    assert_string_equal(cluster_state_server(cluster, "db1")->image_host, "host3");
    cluster_state_free(cluster);
}

#define STATE_OF_2(in_ccm, crmd, join, expected, history)                                                                    \
    "<node_state id='2' uname='host2' in_ccm='" in_ccm "' crmd='" crmd "' join='" join "' expected='" expected "'"            \
    " crm-debug-origin='test'><lrm id='2'><lrm_resources>" history "</lrm_resources></lrm></node_state>"
#define STARTED CIB_HISTORY("db1", CIB_OP("db1", "host2", "start", "0", ""))
#define FAILED_OP(task, interval)                                                                                             \
    CIB_HISTORY("db1", CIB_OP("db1", "host2", "start", "0", "")                                                               \
                "<lrm_rsc_op id='standby-db1_last_failure_0' operation_key='standby-db1_" task "_" interval "'"               \
                " operation='" task "' crm-debug-origin='test' crm_feature_set='3.16.1'"                                      \
                " transition-key='2:1:0:2668bbeb-06d5-40f9-936d-24cb7f87006a'"                                                \
                " transition-magic='0:1;2:1:0:2668bbeb-06d5-40f9-936d-24cb7f87006a' on_node='host2' call-id='3' rc-code='1'"  \
                " op-status='0' interval='" interval "' last-rc-change='1700000009' exec-time='1' queue-time='0'/>")
#define META(name, value) "<meta_attributes id='m'><nvpair id='m-r' name='" name "' value='" value "'/></meta_attributes>"
#define BLOCKING "<operations><op id='o-stop' name='stop' interval='0' on-fail='block'/></operations>"

/* Whoever does not know where the image is says so; nobody takes that for stopped. */
static void test_an_image_of_which_nothing_is_heard_any_more(void **state)
{
    static const struct {
        const char *state_of_2;
        const char *meta;
        image_state_t image;
        const char *held_back; /* or NULL */
    } cases[] = {
        { STATE_OF_2("true", "online", "member", "member", STARTED), "", IMAGE_RUNNING, NULL },
        /* Gone, and not fenced yet. */
        { STATE_OF_2("false", "offline", "down", "member", STARTED), "", IMAGE_UNKNOWN, "before host2 is fenced" },
        { STATE_OF_2("false", "offline", "down", "member", STARTED), META("requires", "quorum"), IMAGE_UNKNOWN, NULL },
        { STATE_OF_2("false", "offline", "down", "member", STARTED), META("is-managed", "false"), IMAGE_UNKNOWN,
          "is-managed=false" },
        /* Fenced. */
        { STATE_OF_2("false", "offline", "down", "down", ""), "", IMAGE_STOPPED, NULL },
        /* Its stop has failed, so that the host is to be fenced. */
        { STATE_OF_2("true", "online", "member", "member", FAILED_OP("stop", "0")), "", IMAGE_UNKNOWN, "before host2 is fenced" },
        { STATE_OF_2("true", "online", "member", "member", FAILED_OP("monitor", "10000")), "", IMAGE_FAILED, NULL },
        /* Nobody recovers it. */
        { STATE_OF_2("true", "online", "member", "member", STARTED), META("is-managed", "false"), IMAGE_RUNNING,
          "is-managed=false" },
        { STATE_OF_2("true", "online", "member", "member", FAILED_OP("monitor", "10000")), META("is-managed", "false"), IMAGE_UNKNOWN,
          "is-managed=false" },
        { STATE_OF_2("true", "online", "member", "member", FAILED_OP("stop", "0")), BLOCKING, IMAGE_UNKNOWN, "is blocked" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) text = g_string_new(CIB_TEXT("1", CIB_IMAGE("db1"), CIB_TICKET("db1"), GRANTED,
                                                        CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1")) CIB_DOWN("3")
                                                        "STATE2"));
        cluster_state_t *cluster = NULL;
        const cluster_server_t *db1 = NULL;

        g_string_replace(text, "STATE2", cases[i].state_of_2, 1);
        g_string_replace(text, "</utilization></primitive>", "</utilization>META</primitive>", 1);
        g_string_replace(text, "META", cases[i].meta, 1);
        cluster = cluster_of(text->str);
        db1 = cluster_state_server(cluster, "db1");
        assert_int_equal(db1->image, cases[i].image);
        assert_int_equal(db1->held_back != NULL, cases[i].held_back != NULL);
        assert_true(db1->held_back == NULL || strstr(db1->held_back, cases[i].held_back) != NULL);
        assert_int_equal(cluster_server_may_run(db1), cases[i].image != IMAGE_STOPPED);
        if (cases[i].image != IMAGE_STOPPED) {
            assert_string_equal(db1->image_host, "host2");
        }
        cluster_state_free(cluster);
    }
}

/* Pacemaker's requires=fencing: the scheduler's simulation lets each fencing succeed, and does not show that. */
static void test_nothing_starts_before_a_host_that_failed_is_fenced(void **state)
{
    static const char gone[] = "<node_state id='3' uname='host3' in_ccm='false' crmd='offline' join='down' expected='%s'"
                               " crm-debug-origin='test'/>";
    static const struct {
        const char *expected;
        const char *quorum;
        const char *requires;
        gboolean is_held_back;
    } cases[] = {
        { "member", "1", "fencing", TRUE },
        { "down", "1", "fencing", FALSE },    /* it has left in order, or was fenced */
        { "member", "0", "fencing", FALSE },  /* nobody is fenced, nothing started: the quorum is the reason */
        { "member", "1", "quorum", FALSE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *host3 = g_strdup_printf(gone, cases[i].expected);
        g_autofree char *meta = g_strdup_printf("<meta_attributes id='m'><nvpair id='m-r' name='requires' value='%s'/>"
                                                "</meta_attributes></primitive>", cases[i].requires);
        g_autoptr(GString) text = g_string_new(CIB_TEXT("QUORUM", CIB_IMAGE("db1"), CIB_TICKET("db1"), "",
                                                        CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1"))
                                                        CIB_STATE("2", "1", "", NOT_RUNNING("db1", "host2")) "HOST3"));
        cluster_state_t *cluster = NULL;
        const char *held_back = NULL;

        g_string_replace(text, "QUORUM", cases[i].quorum, 1);
        g_string_replace(text, "HOST3", host3, 1);
        g_string_replace(text, "</utilization></primitive>", "</utilization>META", 1);
        g_string_replace(text, "META", meta, 1);
        cluster = cluster_of(text->str);
        held_back = cluster_state_server(cluster, "db1")->held_back;
        assert_int_equal(held_back != NULL, cases[i].is_held_back);
        assert_true(held_back == NULL || strstr(held_back, "before host3 is fenced") != NULL);
        cluster_state_free(cluster);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_running_image),
        cmocka_unit_test(test_hosts_and_what_they_have_left),
        cmocka_unit_test(test_whose_votes_are_counted),
        cmocka_unit_test(test_reach_is_a_score),
        cmocka_unit_test(test_what_a_host_reaches_reads_as_written),
        cmocka_unit_test(test_failed_start_bans_and_says_why),
        cmocka_unit_test(test_where_a_start_was_refused_for_want_of_its_ticket),
        cmocka_unit_test(test_a_ticket_constraint_may_name_the_image_by_its_group_a_set_or_a_tag),
        cmocka_unit_test(test_pending_start_and_no_report),
        cmocka_unit_test(test_a_failure_is_of_the_image_that_failed),
        cmocka_unit_test(test_remote_and_guest_nodes_are_no_hosts),
        cmocka_unit_test(test_a_rule_on_the_time_is_looked_at_again),
        cmocka_unit_test(test_without_rules_on_the_time_only_changes_count),
        cmocka_unit_test(test_an_image_that_is_multiplied_is_a_server_still),
        cmocka_unit_test(test_an_image_in_a_clone_is_seen_to_run),
        cmocka_unit_test(test_nothing_starts_before_a_host_that_failed_is_fenced),
        cmocka_unit_test(test_an_image_of_which_nothing_is_heard_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
