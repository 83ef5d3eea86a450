/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which changes of the CIB make an observer read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libxml/parser.h>

#include "cib_change.h"

#define NOTIFICATION(rc, format, changes)                                                                          \
    "<notify t='cib_notify' subt='cib_diff_notify' cib_op='cib_modify' cib_rc='" rc "'><cib_update_result>"        \
    "<diff format='" format "'><version><source admin_epoch='0' epoch='9' num_updates='1'/>"                       \
    "<target admin_epoch='0' epoch='9' num_updates='2'/></version>" changes "</diff></cib_update_result></notify>"

#define MODIFY(path, names, result)                                                                                \
    "<change operation='modify' path=\"" path "\"><change-list>" names "</change-list>"                            \
    "<change-result>" result "</change-result></change>"
#define CREATE(path, element) "<change operation='create' path=\"" path "\" position='3'>" element "</change>"
#define DELETE(path)          "<change operation='delete' path=\"" path "\"/>"
#define MOVE(path)            "<change operation='move' path=\"" path "\" position='1'/>"
#define SET(name)             "<change-attr name='" name "' operation='set' value='7'/>"

#define COUNTED    MODIFY("/cib", SET("num_updates"), "<cib epoch='9' num_updates='2'/>")
#define WRITTEN    MODIFY("/cib", SET("epoch") SET("num_updates") SET("cib-last-written") SET("update-origin") \
                          SET("update-client") SET("update-user"), "<cib epoch='9'/>")
#define STATE      "/cib/status/node_state[@id='1']"
#define ATTRIBUTES STATE "/transient_attributes[@id='1']"
#define SETS       ATTRIBUTES "/instance_attributes[@id='status-1']"
#define HISTORY    STATE "/lrm[@id='1']/lrm_resources"
#define NVPAIR(name) "<nvpair id='status-1-x' name='" name "' value='7'/>"
#define PATH_OF(id)  HISTORY "/lrm_resource[@id='" id "']"
#define OP_OF(id)    PATH_OF(id) "/lrm_rsc_op[@id='" id "_last_0']"
#define CAPACITY   "/cib/configuration/nodes/node[@id='1']/utilization[@id='nodes-1-utilization']"

static gboolean touches(const char *text)
{
    g_autoptr(GHashTable) image_ids = g_hash_table_new(g_str_hash, g_str_equal);
    xmlDoc *doc = xmlReadMemory(text, (int) strlen(text), "notification.xml", NULL, XML_PARSE_NONET);
    gboolean answer = FALSE;

    assert_non_null(doc);
    g_hash_table_add(image_ids, (gpointer) "standby-db1");
    g_hash_table_add(image_ids, (gpointer) "standby-db2");
    answer = cib_change_touches_servers(xmlDocGetRootElement(doc), image_ids);
    xmlFreeDoc(doc);
    return answer;
}

#define assert_skipped(changes) assert_false(touches(NOTIFICATION("0", "2", changes)))
#define assert_read(changes)    assert_true(touches(NOTIFICATION("0", "2", changes)))

static void test_attributes_of_hosts(void **state)
{
    (void) state;
    assert_skipped(COUNTED MODIFY(SETS "/nvpair[@id='status-1-load']", SET("value"), NVPAIR("load")));
    assert_skipped(COUNTED CREATE(SETS, NVPAIR("understudy-reach")));
    assert_skipped(COUNTED CREATE(ATTRIBUTES "/utilization[@id='status-1-u']", NVPAIR("cpu")));
    assert_skipped(WRITTEN MODIFY(CAPACITY "/nvpair[@id='nodes-1-cpu']", SET("value"), NVPAIR("cpu")));
    assert_skipped(WRITTEN CREATE("/cib/configuration/nodes/node[@id='1']", "<utilization id='u'/>"));
    assert_skipped(WRITTEN DELETE(CAPACITY "/nvpair[@id='nodes-1-cpu']"));
    /* Those that Pacemaker itself reads. */
    assert_read(COUNTED CREATE(SETS, NVPAIR("fail-count-standby-db1#start_0")));
    assert_read(COUNTED MODIFY(SETS "/nvpair[@id='x']", SET("value"), NVPAIR("last-failure-standby-db2#monitor_10000")));
    assert_read(COUNTED CREATE(SETS, NVPAIR("fail-count-standby-db1")));
    assert_skipped(COUNTED CREATE(SETS, NVPAIR("fail-count-standby-db11#start_0")));
    assert_skipped(COUNTED MODIFY(SETS "/nvpair[@id='x']", SET("value"), NVPAIR("last-failure-webfarm#monitor_10000")));
    assert_read(COUNTED MODIFY(SETS "/nvpair[@id='x']", SET("value"), NVPAIR("shutdown")));
    assert_read(COUNTED MODIFY(SETS "/nvpair[@id='x']", SET("value"), NVPAIR("#health-disk")));
    assert_read(WRITTEN MODIFY("/cib/configuration/nodes/node[@id='1']/instance_attributes[@id='nodes-1']"
                               "/nvpair[@id='nodes-1-standby']", SET("value"), NVPAIR("standby")));
    /* A removed attribute's name can't be seen. */
    assert_read(COUNTED DELETE(SETS "/nvpair[@id='status-1-load']"));
    assert_read(COUNTED DELETE(ATTRIBUTES));
    assert_read(COUNTED CREATE(STATE, "<transient_attributes id='1'/>"));
}

static void test_histories(void **state)
{
    (void) state;
    assert_skipped(COUNTED MODIFY(STATE, SET("crm-debug-origin"), "<node_state id='1'/>")
                   MODIFY(OP_OF("webfarm"), SET("call-id") SET("rc-code"), "<lrm_rsc_op id='webfarm_last_0'/>"));
    assert_skipped(COUNTED CREATE(HISTORY, "<lrm_resource id='webfarm' type='Dummy'/>"));
    assert_skipped(COUNTED CREATE(PATH_OF("webfarm"), "<lrm_rsc_op id='webfarm_monitor_10000'/>"));
    assert_skipped(COUNTED DELETE(PATH_OF("webfarm")));
    assert_skipped(COUNTED MOVE(OP_OF("webfarm")));
    assert_read(COUNTED MODIFY(OP_OF("standby-db2"), SET("rc-code"), "<lrm_rsc_op id='standby-db2_last_0'/>"));
    assert_read(COUNTED CREATE(HISTORY, "<lrm_resource id='standby-db1' type='image'/>"));
    assert_read(COUNTED CREATE(PATH_OF("standby-db1"), "<lrm_rsc_op id='standby-db1_monitor_10000'/>"));
    assert_read(COUNTED DELETE(PATH_OF("standby-db1")));
    assert_read(COUNTED DELETE(OP_OF("standby-db1")));
    /* One of many is enough, wherever it stands. */
    assert_read(COUNTED MODIFY(OP_OF("webfarm"), SET("call-id"), "<lrm_rsc_op id='webfarm_last_0'/>")
                MODIFY(OP_OF("standby-db1"), SET("call-id"), "<lrm_rsc_op id='standby-db1_last_0'/>"));
    /* A whole host's at once. */
    assert_read(COUNTED DELETE(STATE "/lrm[@id='1']"));
    assert_read(COUNTED CREATE(STATE, "<lrm id='1'><lrm_resources/></lrm>"));
    assert_read(COUNTED CREATE(STATE "/lrm[@id='1']", "<lrm_resources/>"));
}

static void test_the_rest_is_read(void **state)
{
    (void) state;
    assert_skipped(COUNTED);
    assert_read(COUNTED MODIFY(STATE, SET("crm-debug-origin") SET("join"), "<node_state id='1'/>"));
    assert_read(COUNTED MODIFY("/cib", SET("num_updates") SET("have-quorum"), "<cib/>"));
    assert_read(MODIFY("/cib", SET("num_updates") SET("admin_epoch"), "<cib/>"));
    assert_read(COUNTED MODIFY("/cib/status/tickets/ticket_state[@id='takeover-db1']", SET("granted"),
                               "<ticket_state id='takeover-db1'/>"));
    assert_read(COUNTED CREATE("/cib/status", "<node_state id='2'/>"));
    assert_read(COUNTED CREATE("/cib/status", "<tickets/>"));
    assert_read(COUNTED DELETE(STATE));
    assert_read(WRITTEN CREATE("/cib/configuration/resources", "<primitive id='standby-db3'/>"));
    assert_read(WRITTEN MODIFY("/cib/configuration/resources/primitive[@id='standby-db1']/instance_attributes[@id='p']"
                               "/nvpair[@id='n']", SET("value"), NVPAIR("probes")));
    assert_read(WRITTEN CREATE("/cib/configuration/resources/primitive[@id='standby-db1']", "<utilization id='u'/>"));
    assert_read(WRITTEN DELETE("/cib/configuration/nodes/node[@id='1']"));
    assert_read(COUNTED MOVE("/cib/configuration"));
}

static void test_replacement(void **state)
{
    (void) state;
    assert_read(CREATE("/", "<cib epoch='1'><configuration/><status/></cib>"));
    assert_read(DELETE("/cib/configuration") CREATE("/cib", "<configuration/>"));
    assert_read(DELETE("/cib/status") CREATE("/cib", "<status/>"));
    assert_read(DELETE("/cib"));
}

static void test_what_is_not_understood_is_read(void **state)
{
    static const char *const texts[] = {
        NOTIFICATION("0", "1", COUNTED), NOTIFICATION("-62", "2", COUNTED), NOTIFICATION("0", "2", ""),
        NOTIFICATION("0", "2", COUNTED "<other/>"), NOTIFICATION("0", "2", "<change operation='modify'/>"),
        NOTIFICATION("0", "2", "<change path='/cib'/>"), NOTIFICATION("0", "2", MODIFY("/cib", "", "")),
        NOTIFICATION("0", "2", MODIFY("/cib", "<change-attr/>", "")),
        NOTIFICATION("0", "2", MODIFY("/cib", "<else/>", "")), NOTIFICATION("0", "2", DELETE("")),
        NOTIFICATION("0", "2", CREATE(HISTORY, "")), NOTIFICATION("0", "2", CREATE(HISTORY, "<lrm_resource/>")),
        NOTIFICATION("0", "2", DELETE(HISTORY "/lrm_resource")), NOTIFICATION("0", "2", CREATE(SETS, "<nvpair/>")),
        NOTIFICATION("0", "2", DELETE(HISTORY "/lrm_resource[@id='cut")),
        NOTIFICATION("0", "2", DELETE(HISTORY "/lrm_resource[@id=']")),
        NOTIFICATION("0", "2", DELETE(HISTORY "/lrm_resources[@id='x']")), "<notify cib_rc='0'/>",
        "<notify cib_rc='0'><cib_update_result/></notify>", "<notify/>",
    };
    g_autoptr(GHashTable) none = g_hash_table_new(g_str_hash, g_str_equal);

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        assert_true(touches(texts[i]));
    }
    assert_true(cib_change_touches_servers(NULL, none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attributes_of_hosts),
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_the_rest_is_read),
        cmocka_unit_test(test_replacement),
        cmocka_unit_test(test_what_is_not_understood_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
