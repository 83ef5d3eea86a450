/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <libxml/parser.h>

#include "adoption.h"
#include "base/error.h"
#include "cluster/xml.h"
#include "setup_faults.h"

static const char metadata[] =
    "<resource-agent name='x'><actions>"
    "<action name='stop' timeout='90s'/><action name='start' timeout='120s'/>"
    "<action name='monitor' timeout='20s' interval='5s' depth='0'/>"
    "<action name='monitor' timeout='30s' interval='60s' depth='10'/>"
    "<action name='meta-data' timeout='5s'/><action name='validate-all' timeout='20s'/></actions></resource-agent>";

typedef struct fixture {
    adoption_t adoption;
    xmlDoc *doc;
} fixture_t;

static void give(fixture_t *fixture, const char *name, const char *value)
{
    g_hash_table_insert(fixture->adoption.params, g_strdup(name), g_strdup(value));
}

static int setup(void **state)
{
    fixture_t *fixture = g_new0(fixture_t, 1);

    fixture->adoption.server = "db1";
    fixture->adoption.params = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    fixture->adoption.image_operations = operations_parse(metadata, strlen(metadata), NULL);
    fixture->adoption.observer_operations = operations_parse(metadata, strlen(metadata), NULL);
    fixture->adoption.capacity_operations = operations_parse(metadata, strlen(metadata), NULL);
    fixture->doc = xmlNewDoc((const xmlChar *) "1.0");
    xmlDocSetRootElement(fixture->doc, xmlNewDocNode(fixture->doc, NULL, (const xmlChar *) "cib", NULL));
    give(fixture, "disks", "vm/db1");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;

    g_hash_table_unref(fixture->adoption.params);
    g_ptr_array_unref(fixture->adoption.image_operations);
    g_ptr_array_unref(fixture->adoption.observer_operations);
    g_ptr_array_unref(fixture->adoption.capacity_operations);
    xmlFreeDoc(fixture->doc);
    g_free(fixture);
    return 0;
}

static gboolean apply(fixture_t *fixture)
{
    gboolean changed = FALSE;
    GError *error = NULL;
    gboolean done = adoption_apply(&fixture->adoption, xmlDocGetRootElement(fixture->doc), &changed, &error);

    if (error != NULL) {
        print_error("%s\n", error->message);
        g_error_free(error);
    }
    assert_true(done);
    return changed;
}

static const char *param(const fixture_t *fixture, const char *name)
{
    return adoption_param(xmlDocGetRootElement(fixture->doc), "db1", name);
}

static char *text_of(const fixture_t *fixture)
{
    xmlChar *dumped = NULL;
    int length = 0;
    char *text = NULL;

    xmlDocDumpMemory(fixture->doc, &dumped, &length);
    text = g_strdup((const char *) dumped);
    xmlFree(dumped);
    return text;
}

static void test_twice_is_once(void **state)
{
    fixture_t *fixture = *state;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    assert_true(apply(fixture));
    first = text_of(fixture);
    assert_false(apply(fixture));
    second = text_of(fixture);
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "id=\"ticket-standby-db1\" rsc=\"standby-db1\" ticket=\"takeover-db1\" "
                                  "loss-policy=\"stop\""));
    assert_non_null(strstr(first, "<clone id=\"understudy-observer-clone\">"));
    assert_non_null(strstr(first, "name=\"placement-strategy\" value=\"balanced\""));
}

static void test_other_options_change_exactly_those(void **state)
{
    fixture_t *fixture = *state;

    give(fixture, "memory_mib", "2048");
    give(fixture, "hold_down", "9s");
    assert_true(apply(fixture));
    g_hash_table_remove_all(fixture->adoption.params);
    give(fixture, "hold_down", "3s");
    assert_true(apply(fixture));
    assert_string_equal(param(fixture, "hold_down"), "3s");
    assert_string_equal(param(fixture, "memory_mib"), "2048");
    assert_string_equal(param(fixture, "disks"), "vm/db1");
}

static void test_defaults_are_not_written(void **state)
{
    fixture_t *fixture = *state;
    g_autofree char *text = NULL;

    give(fixture, "bridge", "br0");
    give(fixture, "vcpus", "1");
    assert_true(apply(fixture));
    text = text_of(fixture);
    assert_null(strstr(text, "name=\"bridge\""));
    assert_null(strstr(text, "name=\"vcpus\""));
    give(fixture, "bridge", "br7");
    assert_true(apply(fixture));
    assert_string_equal(param(fixture, "bridge"), "br7");
    give(fixture, "bridge", "");
    assert_true(apply(fixture));
    assert_string_equal(param(fixture, "bridge"), "br0");
}

static void test_what_an_operator_has_tuned_stays(void **state)
{
    fixture_t *fixture = *state;
    static const char text[] =
        "<cib><configuration><crm_config><cluster_property_set id='mine'><nvpair id='p' name='placement-strategy'"
        " value='utilization'/></cluster_property_set></crm_config><resources>"
        "<primitive id='standby-db1' class='ocf' provider='understudy' type='image'>"
        "<instance_attributes id='odd'><nvpair id='odder' name='disks' value='vm/db1'/></instance_attributes>"
        "<utilization id='u'><nvpair id='uc' name='cpu' value='7'/></utilization>"
        "<operations><op id='o' name='monitor' interval='33s' timeout='44s'/></operations></primitive>"
        "</resources><constraints><rsc_ticket id='t' rsc='standby-db1' ticket='takeover-db1' loss-policy='stop'/>"
        "</constraints></configuration></cib>";
    g_autofree char *after = NULL;

    xmlFreeDoc(fixture->doc);
    fixture->doc = xmlReadMemory(text, (int) strlen(text), "cib", NULL, 0);
    assert_true(apply(fixture));
    after = text_of(fixture);
    assert_non_null(strstr(after, "interval=\"33s\" timeout=\"44s\""));
    assert_non_null(strstr(after, "name=\"cpu\" value=\"7\""));
    assert_non_null(strstr(after, "value=\"utilization\""));
    assert_null(strstr(after, "ticket-standby-db1"));
    assert_null(strstr(after, "value=\"balanced\""));
    assert_false(apply(fixture));
    assert_string_equal(cib_placement_strategy(xmlDocGetRootElement(fixture->doc)), "utilization");
}

static void test_wrong_parameters_touch_nothing(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } wrong[] = { { "vcpus", "many" }, { "mac", "x" }, { "probes", "tcp:" }, { "no_such", "1" }, { "disks", "" } };
    fixture_t *fixture = *state;
    g_autofree char *before = text_of(fixture);

    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *after = NULL;
        GError *error = NULL;
        gboolean changed = FALSE;

        g_hash_table_remove_all(fixture->adoption.params);
        give(fixture, "disks", "vm/db1");
        give(fixture, wrong[i].name, wrong[i].value);
        assert_false(adoption_apply(&fixture->adoption, xmlDocGetRootElement(fixture->doc), &changed, &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        assert_non_null(strstr(error->message, wrong[i].name));
        g_error_free(error);
        after = text_of(fixture);
        assert_string_equal(before, after);
    }
}

static void test_an_id_in_use_is_refused(void **state)
{
    fixture_t *fixture = *state;
    static const char text[] = "<cib><configuration><resources><primitive id='standby-db1' class='ocf'"
                               " provider='pacemaker' type='Dummy'/></resources></configuration></cib>";
    GError *error = NULL;
    gboolean changed = FALSE;

    xmlFreeDoc(fixture->doc);
    fixture->doc = xmlReadMemory(text, (int) strlen(text), "cib", NULL, 0);
    assert_false(adoption_apply(&fixture->adoption, xmlDocGetRootElement(fixture->doc), &changed, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS));
    g_error_free(error);
    assert_false(adoption_remove("db1", xmlDocGetRootElement(fixture->doc)));
}

static void test_headroom_is_the_lesser_share(void **state)
{
    fixture_t *fixture = *state;
    g_autofree char *text = NULL;

    give(fixture, "vcpus", "4");
    give(fixture, "memory_mib", "2048");
    assert_true(apply(fixture));
    text = text_of(fixture);
    assert_non_null(strstr(text, "name=\"headroom\" value=\"50\""));
    assert_non_null(strstr(text, "name=\"cpu\" value=\"4\""));
    assert_non_null(strstr(text, "name=\"hv_memory\" value=\"2048\""));
}

static void test_removal_leaves_no_trace_of_it_and_all_of_the_others(void **state)
{
    fixture_t *fixture = *state;
    xmlNode *cib = xmlDocGetRootElement(fixture->doc);
    g_autofree char *text = NULL;
    xmlNode *constraints = NULL;
    xmlNode *set = NULL;

    assert_true(apply(fixture));
    fixture->adoption.server = "db2";
    give(fixture, "disks", "vm/db2");
    assert_true(apply(fixture));
    constraints = xml_child(xml_child(cib, "configuration"), "constraints");
    xml_set(xml_add(constraints, "rsc_location", "ban"), "rsc", "standby-db1");
    set = xml_add(xml_add(constraints, "rsc_colocation", "apart"), "resource_set", "apart-set");
    xml_add(set, "resource_ref", "standby-db1");
    xml_add(set, "resource_ref", "standby-db2");
    assert_true(adoption_exists(cib, "db1"));
    assert_true(adoption_remove("db1", cib));
    text = text_of(fixture);
    assert_null(strstr(text, "db1"));
    assert_non_null(strstr(text, "ticket-standby-db2"));
    assert_non_null(strstr(text, "reach-standby-db2"));
    assert_non_null(strstr(text, "<resource_ref id=\"standby-db2\"/>"));
    assert_non_null(strstr(text, "understudy-observer-clone"));
    assert_false(adoption_exists(cib, "db1"));
    assert_false(adoption_remove("db1", cib));
}

static void test_a_granted_ticket_is_seen(void **state)
{
    fixture_t *fixture = *state;
    xmlNode *cib = xmlDocGetRootElement(fixture->doc);
    xmlNode *ticket = NULL;

    assert_false(adoption_ticket_is_granted(cib, "db1"));
    ticket = xml_add(xml_add(xml_add(cib, "status", NULL), "tickets", NULL), "ticket_state", "takeover-db1");
    assert_false(adoption_ticket_is_granted(cib, "db1"));
    xml_set(ticket, "granted", "true");
    assert_true(adoption_ticket_is_granted(cib, "db1"));
    assert_false(adoption_ticket_is_granted(cib, "db2"));
}

static void test_snippets_quote(void **state)
{
    fixture_t *fixture = *state;
    xmlNode *cib = xmlDocGetRootElement(fixture->doc);
    xmlNode *configuration = NULL;
    g_autofree char *pcs = NULL;
    g_autofree char *crm = NULL;
    g_autofree char *xml = NULL;

    give(fixture, "probes", "'pgsql:host=10.0.0.1 user=x'");
    assert_true(apply(fixture));
    configuration = adoption_extract("db1", NULL, cib);
    pcs = snippet_pcs(configuration);
    crm = snippet_crm(configuration);
    xml = snippet_xml(configuration);
    xmlFreeDoc(configuration->doc);
    assert_non_null(strstr(pcs, "probes=''\\''pgsql:host=10.0.0.1 user=x'\\'''"));
    assert_non_null(strstr(pcs, "constraint ticket add takeover-db1 standby-db1 loss-policy=stop"));
    assert_non_null(strstr(crm, "probes=\"'pgsql:host=10.0.0.1 user=x'\""));
    assert_non_null(strstr(crm, "op monitor interval=60s timeout=30s OCF_CHECK_LEVEL=10"));
    assert_non_null(strstr(xml, "understudy-capacity-clone"));
}

static void test_snippet_leaves_out_what_is_there(void **state)
{
    fixture_t *fixture = *state;
    xmlNode *cib = xmlDocGetRootElement(fixture->doc);
    xmlNode *configuration = NULL;
    g_autofree char *pcs = NULL;

    assert_true(apply(fixture));
    configuration = adoption_extract("db1", cib, cib);
    pcs = snippet_pcs(configuration);
    xmlFreeDoc(configuration->doc);
    assert_null(strstr(pcs, "understudy-observer"));
    assert_null(strstr(pcs, "property"));
    assert_non_null(strstr(pcs, "resource create standby-db1"));
}

static void use_cib(fixture_t *fixture, const char *text)
{
    xmlFreeDoc(fixture->doc);
    fixture->doc = xmlReadMemory(text, (int) strlen(text), NULL, NULL, XML_PARSE_NONET);
    assert_non_null(fixture->doc);
}

/* The CIB that comes of an adoption in this one; g_free(). */
static char *adopted_in(fixture_t *fixture, const char *text)
{
    use_cib(fixture, text);
    assert_true(apply(fixture));
    return text_of(fixture);
}

/* The faults that are found in the fixture's CIB, one a line; g_free(). */
static char *faults_of(const fixture_t *fixture)
{
    g_autoptr(GPtrArray) faults = setup_faults_find(&fixture->adoption, xmlDocGetRootElement(fixture->doc));
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < faults->len; i++) {
        const setup_fault_t *fault = g_ptr_array_index(faults, i);

        g_string_append_printf(text, "%s: %s\n", fault->server != NULL ? fault->server : "site", fault->sentence);
    }
    return g_string_free(text, FALSE);
}

static xmlNode *by_id(const xmlNode *parent, const char *id)
{
    for (xmlNode *node = parent->children; node != NULL; node = node->next) {
        xmlNode *inner = node->type != XML_ELEMENT_NODE ? NULL
                         : g_strcmp0(xml_get(node, "id"), id) == 0 ? node : by_id(node, id);

        if (inner != NULL) {
            return inner;
        }
    }
    return NULL;
}

static xmlNode *element(const fixture_t *fixture, const char *id)
{
    xmlNode *node = by_id(xmlDocGetRootElement(fixture->doc), id);

    assert_non_null(node);
    return node;
}

static void drop(const fixture_t *fixture, const char *id)
{
    xmlNode *node = element(fixture, id);

    xmlUnlinkNode(node);
    xmlFreeNode(node);
}

#define ALL_THERE ""

static void test_what_is_not_as_it_was_set_up_is_said(void **state)
{
    fixture_t *fixture = *state;
    g_autofree char *whole = NULL;
    g_autofree char *faults = NULL;

    assert_true(apply(fixture));
    whole = faults_of(fixture);
    assert_string_equal(whole, ALL_THERE);
    drop(fixture, "ticket-standby-db1");
    drop(fixture, "standby-db1-monitor-interval-5s");
    xml_set(element(fixture, "standby-db1-start-interval-0s"), "timeout", "20s");
    drop(fixture, "understudy-observer-clone");
    xml_set(xml_add(xml_child(element(fixture, "understudy-capacity-clone"), "meta_attributes"), "nvpair", "off"), "name",
            "target-role");
    xml_set(element(fixture, "off"), "value", "Stopped");
    faults = faults_of(fixture);
    assert_non_null(strstr(faults, "db1: nothing keeps its image stopped while it serves"));
    assert_non_null(strstr(faults, "db1: standby-db1 has no monitor operation that runs"));
    assert_non_null(strstr(faults, "db1: the start operation of standby-db1 ends after 20s"));
    assert_non_null(strstr(faults, "op start interval=0s timeout=120s"));
    assert_non_null(strstr(faults, "site: no ocf:understudy:observer is configured"));
    assert_non_null(strstr(faults, "site: understudy-capacity-clone is disabled"));
}

static void test_a_ticket_that_stops_nothing_is_said(void **state)
{
    fixture_t *fixture = *state;
    g_autofree char *freezes = NULL;
    g_autofree char *role = NULL;
    g_autofree char *fences = NULL;

    assert_true(apply(fixture));
    xml_set(element(fixture, "ticket-standby-db1"), "loss-policy", "freeze");
    freezes = faults_of(fixture);
    assert_non_null(strstr(freezes, "loss-policy=freeze; run understudy adopt db1"));
    xml_set(element(fixture, "ticket-standby-db1"), "loss-policy", "fence");
    fences = faults_of(fixture);
    assert_non_null(strstr(fences, "the host of its image is fenced"));
    assert_true(apply(fixture));
    assert_string_equal(xml_get(element(fixture, "ticket-standby-db1"), "loss-policy"), "stop");
    xml_set(element(fixture, "ticket-standby-db1"), "rsc-role", "Promoted");
    role = faults_of(fixture);
    assert_non_null(strstr(role, "nothing keeps its image stopped"));
    assert_true(apply(fixture));
    g_free(role);
    role = faults_of(fixture);
    assert_string_equal(role, ALL_THERE);
}

/* Pacemaker obeys each constraint, whichever stands first. */
static void test_a_second_constraint_of_the_ticket_is_looked_at(void **state)
{
    fixture_t *fixture = *state;
    g_autofree char *faults = NULL;
    xmlNode *second = NULL;

    assert_true(apply(fixture));
    second = xmlCopyNode(element(fixture, "ticket-standby-db1"), 1);
    xml_set(second, "id", "second");
    xml_set(second, "loss-policy", "fence");
    xmlAddChild(element(fixture, "ticket-standby-db1")->parent, second);
    faults = faults_of(fixture);
    assert_non_null(strstr(faults, "the constraint second has loss-policy=fence"));
    assert_true(apply(fixture));
    assert_string_equal(xml_get(element(fixture, "second"), "loss-policy"), "stop");
    g_free(faults);
    faults = faults_of(fixture);
    assert_string_equal(faults, ALL_THERE);
}

/* A ticket constraint on a set, a group or a tag is one. */
static void test_a_ticket_constraint_is_known_in_other_forms(void **state)
{
    static const char *const forms[] = {
        "<rsc_ticket id='t' ticket='takeover-db1'><resource_set id='s'><resource_ref id='standby-db1'/></resource_set>"
        "</rsc_ticket>",
        "<rsc_ticket id='t' ticket='takeover-db1' rsc='g' loss-policy='stop'/>",
        "<rsc_ticket id='t' ticket='takeover-db1' rsc='all' rsc-role='Started'/>", NULL };
    fixture_t *fixture = *state;

    for (const char *const *form = forms; *form != NULL; form++) {
        g_autofree char *faults = NULL;
        g_autofree char *text = g_strdup_printf(
            "<cib><configuration><resources><group id='g'><primitive id='standby-db1' class='ocf' provider='understudy' "
            "type='image'/></group></resources><constraints>%s</constraints><tags><tag id='all'><obj_ref "
            "id='standby-db1'/></tag></tags></configuration></cib>", *form);

        use_cib(fixture, text);
        faults = faults_of(fixture);
        assert_null(strstr(faults, "ticket"));
    }
}

static void test_an_upgrade_adds_what_is_missing_alone(void **state)
{
    fixture_t *fixture = *state;
    xmlNode *cib = NULL;
    g_autofree char *faults = NULL;
    g_autofree char *text = NULL;

    use_cib(fixture, "<cib><configuration><resources><primitive id='standby-db1' class='ocf' provider='understudy' "
                     "type='image'><operations><op id='o' name='monitor' interval='33s' timeout='44s'/></operations>"
                     "</primitive><primitive id='standby-db2' class='ocf' provider='understudy' type='image'>"
                     "<meta_attributes id='m'><nvpair id='f' name='failure-timeout' value='1h'/></meta_attributes>"
                     "</primitive></resources></configuration></cib>");
    cib = xmlDocGetRootElement(fixture->doc);
    assert_true(adoption_upgrade(&fixture->adoption, cib));
    assert_false(adoption_upgrade(&fixture->adoption, cib));
    faults = faults_of(fixture);
    assert_string_equal(faults, ALL_THERE);
    text = text_of(fixture);
    assert_non_null(strstr(text, "interval=\"33s\" timeout=\"44s\""));
    assert_null(strstr(text, "id=\"standby-db1-monitor-interval-5s\""));
    assert_non_null(strstr(text, "id=\"standby-db1-monitor-interval-60s\""));
    assert_non_null(strstr(text, "id=\"standby-db2-start-interval-0s\""));
    assert_non_null(strstr(text, "id=\"f\" name=\"failure-timeout\" value=\"1h\""));
    assert_non_null(strstr(text, "name=\"failure-timeout\" value=\"5min\""));
    assert_non_null(strstr(text, "ticket=\"takeover-db2\""));
}

static void test_a_template_is_part_of_the_resource(void **state)
{
    fixture_t *fixture = *state;
    xmlNode *cib = NULL;

    use_cib(fixture, "<cib><configuration><resources><template id='tpl' class='ocf' provider='understudy' type='image'>"
                     "<instance_attributes id='a'><nvpair id='d' name='disks' value='vm/db1'/><nvpair id='v' name='vcpus' "
                     "value='4'/></instance_attributes></template><primitive id='standby-db1' template='tpl'/></resources>"
                     "</configuration></cib>");
    cib = xmlDocGetRootElement(fixture->doc);
    assert_string_equal(param(fixture, "disks"), "vm/db1");
    g_hash_table_remove_all(fixture->adoption.params);
    assert_true(apply(fixture));
    assert_string_equal(param(fixture, "vcpus"), "4");
    assert_string_equal(xml_get(element(fixture, "standby-db1-utilization-cpu"), "value"), "4");
    give(fixture, "vcpus", "1"); /* the default, but not the template's */
    assert_true(apply(fixture));
    assert_string_equal(param(fixture, "vcpus"), "1");
    assert_true(adoption_remove("db1", cib));
    assert_false(adoption_exists(cib, "db1"));
    element(fixture, "tpl");
}

static void test_what_a_template_holds_can_be_ended(void **state)
{
    fixture_t *fixture = *state;
    gboolean changed = FALSE;
    xmlNode *cib = NULL;

    use_cib(fixture, "<cib><configuration><resources><template id='tpl' class='ocf' provider='understudy' type='image'>"
                     "<instance_attributes id='a'><nvpair id='h' name='hold' value='true'/></instance_attributes></template>"
                     "<primitive id='standby-db1' template='tpl'/></resources></configuration></cib>");
    cib = xmlDocGetRootElement(fixture->doc);
    assert_string_equal(param(fixture, "hold"), "true");
    assert_true(adoption_set_param(cib, "db1", "hold", "", &changed, NULL));
    assert_true(changed);
    assert_string_equal(param(fixture, "hold"), "");
    assert_true(adoption_set_param(cib, "db1", "hold", "", &changed, NULL));
    assert_false(changed);
    element(fixture, "tpl");
}

static void test_a_property_set_with_a_rule_holds_at_times(void **state)
{
    fixture_t *fixture = *state;
    static const char text[] =
        "<cib><configuration><crm_config><cluster_property_set id='night'><rule id='r'/><nvpair id='n' "
        "name='placement-strategy' value='minimal'/></cluster_property_set><cluster_property_set id='always'/>"
        "</crm_config></configuration></cib>";

    use_cib(fixture, text);
    assert_true(apply(fixture));
    assert_string_equal(xml_get(element(fixture, "always-placement-strategy"), "value"), "balanced");
    assert_string_equal(xml_get(element(fixture, "n"), "value"), "minimal");
}

/* In every other cluster there is no such constraint. */
static void test_full_members_only(void **state)
{
    static const char *const sites[] = {
        "<crm_config><cluster_property_set id='p'><nvpair id='q' name='symmetric-cluster' value='false'/>"
        "</cluster_property_set></crm_config>",
        "<resources><primitive id='far' class='ocf' provider='pacemaker' type='remote'/></resources>",
        "<resources><primitive id='vm' class='ocf' provider='heartbeat' type='VirtualDomain'><meta_attributes id='m'>"
        "<nvpair id='r' name='remote-node' value='guest'/></meta_attributes></primitive></resources>", NULL };
    fixture_t *fixture = *state;

    for (const char *const *site = sites; *site != NULL; site++) {
        g_autofree char *text = g_strdup_printf("<cib><configuration>%s</configuration></cib>", *site);
        g_autofree char *faults = NULL;
        g_autofree char *missing = NULL;
        g_autofree char *pcs = NULL;
        xmlNode *configuration = NULL;

        use_cib(fixture, text);
        assert_true(apply(fixture));
        assert_string_equal(xml_get(element(fixture, "members-understudy-observer-clone"), "rsc"),
                            "understudy-observer-clone");
        assert_string_equal(xml_get(element(fixture, "members-standby-db1-rule"), "score"),
                            site == sites ? "0" : "-INFINITY");
        faults = faults_of(fixture);
        assert_string_equal(faults, ALL_THERE);
        assert_false(apply(fixture));
        configuration = adoption_extract("db1", NULL, xmlDocGetRootElement(fixture->doc));
        pcs = snippet_pcs(configuration);
        xmlFreeDoc(configuration->doc);
        assert_non_null(strstr(pcs, site == sites ? "score=0 '#kind' eq cluster" : "score=-INFINITY '#kind' ne cluster"));
        drop(fixture, "members-understudy-capacity-clone");
        missing = faults_of(fixture);
        assert_non_null(strstr(missing, site == sites ? "understudy-capacity-clone runs nowhere"
                                                      : "nothing keeps understudy-capacity-clone off remote"));
    }
}

static void test_who_else_writes_capacities_is_named(void **state)
{
    fixture_t *fixture = *state;
    g_autofree char *faults = NULL;
    g_autofree char *quiet = NULL;

    use_cib(fixture, "<cib><configuration><resources><clone id='c'><primitive id='nu' class='ocf' provider='heartbeat' "
                     "type='NodeUtilization'/></clone></resources></configuration></cib>");
    assert_true(apply(fixture));
    faults = faults_of(fixture);
    assert_non_null(strstr(faults, "site: nu (ocf:heartbeat:NodeUtilization) writes the hosts' cpu and hv_memory too"));
    use_cib(fixture, "<cib><configuration><resources><primitive id='nu' class='ocf' provider='heartbeat' "
                     "type='NodeUtilization'><instance_attributes id='i'><nvpair id='a' name='utilization_cpu' value="
                     "'false'/><nvpair id='b' name='utilization_hv_memory' value='false'/></instance_attributes></primitive>"
                     "</resources></configuration></cib>");
    assert_true(apply(fixture));
    quiet = faults_of(fixture);
    assert_string_equal(quiet, ALL_THERE);
}

/* A host that was fenced says after the fence's start_timeout that nothing is left on it: no start may take longer. */
static void test_a_start_that_outlasts_a_fence_is_named(void **state)
{
#define FENCE(more) "<primitive id='f' class='stonith' type='fence_rbd'>" more "</primitive>"
#define START_TIMEOUT(value) "<instance_attributes id='fi'><nvpair id='ft' name='start_timeout' value='" value "'/></instance_attributes>"
    static const struct {
        const char *fences;
        const char *timeout; /* the start operation's */
        const char *named;   /* or NULL */
    } cases[] = {
        { "", "300s", NULL },
        { FENCE(""), "120s", NULL },
        { FENCE(""), "300s", "db1: the start of standby-db1 may take 300s, longer than a fence by f" },
        { FENCE(START_TIMEOUT("5min")), "300s", NULL },
        { FENCE(START_TIMEOUT("150")), "300s", "pcs stonith update f start_timeout=300" },
        { FENCE(START_TIMEOUT("300")) "<clone id='c'><primitive id='g' class='stonith' type='rbd'/></clone>", "300s",
          "by g waits" },
    };
    fixture_t *fixture = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf("<cib><configuration><resources>%s</resources></configuration></cib>",
                                                cases[i].fences);
        g_autofree char *faults = NULL;
        g_autofree char *late = NULL;

        use_cib(fixture, text);
        assert_true(apply(fixture));
        xml_set(element(fixture, "standby-db1-start-interval-0s"), "timeout", cases[i].timeout);
        faults = faults_of(fixture);
        late = setup_late_start(&fixture->adoption, xmlDocGetRootElement(fixture->doc), "db1");
        if (cases[i].named == NULL) {
            assert_string_equal(faults, ALL_THERE);
        } else {
            assert_non_null(strstr(faults, cases[i].named));
        }
        assert_int_equal(late != NULL, cases[i].named != NULL);
    }
}

/* The CIB manager would refuse two elements with one id. */
static void test_ids_of_an_operator_are_not_taken_again(void **state)
{
    fixture_t *fixture = *state;
    g_autofree char *text = adopted_in(fixture,
        "<cib><configuration><resources><primitive id='understudy-observer' class='ocf' provider='heartbeat' "
        "type='Dummy'/></resources><constraints><rsc_order id='ticket-standby-db1' first='x' then='y'/>"
        "</constraints></configuration></cib>");

    assert_non_null(strstr(text, "<rsc_order id=\"ticket-standby-db1\""));
    assert_non_null(strstr(text, "<rsc_ticket id=\"ticket-standby-db1-1\" rsc=\"standby-db1\""));
    assert_non_null(strstr(text, "<primitive id=\"understudy-observer-1\""));
    assert_false(apply(fixture));
}

/* One that stands elsewhere may be another resource's too, and has no place for our values. */
static void test_sets_by_reference_are_left_alone(void **state)
{
    fixture_t *fixture = *state;
    g_autofree char *text = adopted_in(fixture,
        "<cib><configuration><resources><primitive id='standby-db1' class='ocf' provider='understudy' "
        "type='image'><utilization id-ref='shared'/><instance_attributes id='a'><nvpair id-ref='b' "
        "name='disks'/></instance_attributes></primitive></resources></configuration></cib>");

    assert_non_null(strstr(text, "<utilization id-ref=\"shared\"/>"));
    assert_non_null(strstr(text, "<nvpair id-ref=\"b\" name=\"disks\"/>"));
    assert_string_equal(param(fixture, "disks"), "vm/db1");
}

/* What names it would make the CIB invalid: nothing could be forgotten then. */
static void test_removal_takes_what_is_about_it_alone(void **state)
{
    fixture_t *fixture = *state;
    g_autofree char *text = NULL;

    use_cib(fixture, "<cib><configuration><resources><clone id='c'><group id='g'><primitive id='standby-db1' class='ocf' "
                     "provider='understudy' type='image'/></group></clone><primitive id='other'/></resources><constraints>"
                     "<rsc_colocation id='c1'><resource_set id='s1'><resource_ref id='standby-db1'/></resource_set>"
                     "</rsc_colocation><rsc_ticket id='c2' ticket='x'><resource_set id='s2'><resource_ref id='standby-db1'/>"
                     "<resource_ref id='other'/></resource_set></rsc_ticket><rsc_location id='c3' rsc='t' node='h' score='1'/>"
                     "<rsc_order id='c4' first='c' then='other'/></constraints><tags><tag id='t'><obj_ref id='g'/></tag></tags>"
                     "<acls><acl_role id='r'><acl_permission id='p' kind='read' reference='standby-db1'/>"
                     "<acl_permission id='q' kind='read' reference='other'/></acl_role></acls></configuration></cib>");
    assert_true(adoption_remove("db1", xmlDocGetRootElement(fixture->doc)));
    text = text_of(fixture);
    assert_string_equal(strstr(text, "<cib>"),
                        "<cib><configuration><resources><primitive id=\"other\"/></resources><constraints>"
                        "<rsc_ticket id=\"c2\" ticket=\"x\"><resource_set id=\"s2\"><resource_ref id=\"other\"/>"
                        "</resource_set></rsc_ticket></constraints><tags/><acls><acl_role id=\"r\">"
                        "<acl_permission id=\"q\" kind=\"read\" reference=\"other\"/></acl_role></acls>"
                        "</configuration></cib>\n");
}

static void test_snippets_of_pairs_without_a_value(void **state)
{
    fixture_t *fixture = *state;
    xmlNode *configuration = NULL;
    g_autofree char *pcs = NULL;
    g_autofree char *crm = NULL;

    use_cib(fixture, "<cib><configuration><resources><primitive id='standby-db1' class='ocf' provider='understudy' "
                     "type='image'><instance_attributes id='a'><nvpair id='b' name='template'/><nvpair id='c' name='mac' "
                     "value=''/><nvpair id-ref='d'/></instance_attributes></primitive></resources></configuration></cib>");
    assert_true(apply(fixture));
    configuration = adoption_extract("db1", NULL, xmlDocGetRootElement(fixture->doc));
    pcs = snippet_pcs(configuration);
    crm = snippet_crm(configuration);
    xmlFreeDoc(configuration->doc);
    assert_non_null(strstr(pcs, " template='' mac='' disks=vm/db1"));
    assert_non_null(strstr(crm, " template=\"\" mac=\"\" disks=vm/db1"));
}

static void test_one_parameter_alone_is_set(void **state)
{
    fixture_t *fixture = *state;
    xmlNode *cib = xmlDocGetRootElement(fixture->doc);
    gboolean changed = FALSE;
    g_autoptr(GError) error = NULL;

    assert_false(adoption_set_param(cib, "db1", "hold", "true", &changed, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND));
    assert_true(adoption_apply(&fixture->adoption, cib, &changed, NULL));
    assert_true(adoption_set_param(cib, "db1", "hold", "true", &changed, NULL));
    assert_true(changed);
    assert_string_equal(adoption_param(cib, "db1", "hold"), "true");
    assert_true(adoption_set_param(cib, "db1", "hold", "true", &changed, NULL));
    assert_false(changed);
    /* adopt leaves it as it is, and it goes when it is not wanted any more. */
    assert_true(adoption_apply(&fixture->adoption, cib, &changed, NULL));
    assert_false(changed);
    assert_true(adoption_set_param(cib, "db1", "hold", "", &changed, NULL));
    assert_true(changed);
    assert_string_equal(adoption_param(cib, "db1", "hold"), "false");
}

/* By the parameter `server`, as `status` finds it. */
static void test_an_image_of_another_id_is_the_servers(void **state)
{
    fixture_t *fixture = *state;
    xmlNode *cib = NULL;
    xmlNode *configuration = NULL;
    gboolean changed = FALSE;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    g_autofree char *rest = NULL;
    g_autofree char *pcs = NULL;

    use_cib(fixture, "<cib><configuration><resources><group id='g'><primitive id='app-db1' class='ocf' provider='understudy' "
                     "type='image'><instance_attributes id='a'><nvpair id='b' name='server' value='db1'/><nvpair id='c' "
                     "name='disks' value='vm/old'/></instance_attributes></primitive><primitive id='standby-db9' class='ocf' "
                     "provider='understudy' type='image'/></group></resources></configuration></cib>");
    cib = xmlDocGetRootElement(fixture->doc);
    assert_true(adoption_exists(cib, "db1"));
    assert_false(adoption_exists(cib, "app-db1"));
    assert_string_equal(param(fixture, "disks"), "vm/old");
    assert_true(adoption_set_param(cib, "db1", "hold", "true", &changed, NULL));
    assert_true(changed);
    assert_string_equal(param(fixture, "hold"), "true");
    assert_true(apply(fixture));
    assert_false(apply(fixture));
    assert_string_equal(param(fixture, "disks"), "vm/db1");
    text = text_of(fixture);
    assert_null(strstr(text, "\"standby-db1\""));
    assert_non_null(strstr(text, "rsc=\"app-db1\" ticket=\"takeover-db1\""));
    configuration = adoption_extract("db1", NULL, cib);
    pcs = snippet_pcs(configuration);
    xmlFreeDoc(configuration->doc);
    assert_non_null(strstr(pcs, "resource create app-db1 "));
    /* It would be nobody's image without. */
    give(fixture, "server", "");
    assert_false(adoption_apply(&fixture->adoption, cib, &changed, &error));
    assert_non_null(strstr(error->message, "app-db1"));
    assert_true(adoption_remove("db1", cib));
    rest = text_of(fixture);
    assert_null(strstr(rest, "app-db1"));
    assert_non_null(strstr(rest, "standby-db9"));
    assert_false(adoption_exists(cib, "db1"));
}

static void test_the_usual_id_with_another_servers_image(void **state)
{
    fixture_t *fixture = *state;
    gboolean changed = FALSE;
    g_autoptr(GError) error = NULL;

    use_cib(fixture, "<cib><configuration><resources><primitive id='standby-db1' class='ocf' provider='understudy' "
                     "type='image'><instance_attributes id='a'><nvpair id='b' name='server' value='db2'/>"
                     "</instance_attributes></primitive></resources></configuration></cib>");
    assert_false(adoption_exists(xmlDocGetRootElement(fixture->doc), "db1"));
    assert_true(adoption_exists(xmlDocGetRootElement(fixture->doc), "db2"));
    assert_false(adoption_remove("db1", xmlDocGetRootElement(fixture->doc)));
    assert_false(adoption_apply(&fixture->adoption, xmlDocGetRootElement(fixture->doc), &changed, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_twice_is_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_options_change_exactly_those, setup, teardown),
        cmocka_unit_test_setup_teardown(test_defaults_are_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_an_operator_has_tuned_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_parameters_touch_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_id_in_use_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headroom_is_the_lesser_share, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removal_leaves_no_trace_of_it_and_all_of_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_granted_ticket_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snippets_quote, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snippet_leaves_out_what_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_of_an_operator_are_not_taken_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sets_by_reference_are_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_as_it_was_set_up_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_ticket_that_stops_nothing_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_second_constraint_of_the_ticket_is_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_ticket_constraint_is_known_in_other_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_upgrade_adds_what_is_missing_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_template_is_part_of_the_resource, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_template_holds_can_be_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_property_set_with_a_rule_holds_at_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_members_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_start_that_outlasts_a_fence_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_else_writes_capacities_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removal_takes_what_is_about_it_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snippets_of_pairs_without_a_value, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_parameter_alone_is_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_image_of_another_id_is_the_servers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_usual_id_with_another_servers_image, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
