/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Servers that are well each for itself and not together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <gio/gio.h>

#include "cib_fixture.h"
#include "cluster/site_check.h"
#include "cluster_fixture.h"
#include "reference_check.h"

#define PAIR(id, name, value) "<nvpair id='" id "-" name "' name='" name "' value='" value "'/>"
#define IMAGE(id, pairs)                                                                     \
    "<primitive id='" id "' class='ocf' provider='understudy' type='image'>"                 \
    "<instance_attributes id='" id "-params'>" pairs "</instance_attributes></primitive>"

static cluster_state_t *state_of(const char *resources)
{
    g_auto(GStrv) parts = g_strsplit(CIB_TEXT("1", "RESOURCES", "", "", CIB_STATE("1", "1", "", "")), "RESOURCES", 2);
    g_autofree char *text = g_strjoinv(resources, parts);

    return cluster_of(text);
}

static GHashTable *faults_of(const char *resources)
{
    cluster_state_t *state = state_of(resources);
    GHashTable *faults = site_check(state);

    cluster_state_free(state);
    return faults;
}

/* db1, db2 and what is wrong with each; NULL: nothing. */
static void check(const char *resources, const char *db1, const char *db2)
{
    GHashTable *faults = faults_of(resources);
    const char *const names[] = { "db1", "db2" };
    const char *const want[] = { db1, db2 };

    for (guint i = 0; i < 2; i++) {
        const char *fault = g_hash_table_lookup(faults, names[i]);

        if (want[i] == NULL) {
            assert_null(fault);
        } else {
            assert_non_null(fault);
            assert_non_null(strstr(fault, want[i]));
        }
    }
    g_hash_table_unref(faults);
}

static void test_servers_that_share_nothing(void **state)
{
    (void) state;
    check(IMAGE("standby-db1", PAIR("1", "disks", "vm/db1 vm/db1-data") PAIR("1", "service_address", "10.0.3.201")
                PAIR("1", "store_address", "10.0.3.201") PAIR("1", "probes", "tcp:10.0.3.201:5432 icmp:10.0.1.1")
                PAIR("1", "recover_probe", "tcp:10.0.1.101:5432"))
          IMAGE("standby-db2", PAIR("2", "disks", "other/db1 vm/ns/db1") PAIR("2", "service_address", "10.0.3.202")
                PAIR("2", "probes", "pgsql:host=10.0.3.202")), NULL, NULL);
}

static void test_what_two_servers_share(void **state)
{
    (void) state;
    check(IMAGE("standby-db1", PAIR("1", "disks", "vm/a vm/b")) IMAGE("standby-db2", PAIR("2", "disks", "vm/c,vm/b")),
          "db2 has the image vm/b too", "db1 has the image vm/b too");
    check(IMAGE("standby-db1", PAIR("1", "service_address", "fd00::5"))
          IMAGE("standby-db2", PAIR("2", "service_address", "fd00:0::0005")), "fd00::5", "fd00::5");
    check(IMAGE("standby-db1", PAIR("1", "service_address", "10.0.0.5"))
          IMAGE("standby-db2", PAIR("2", "store_address", "10.0.0.5")), "10.0.0.5", "10.0.0.5");
    check(IMAGE("standby-db1", PAIR("1", "mac", "52:54:00:AA:00:01"))
          IMAGE("standby-db2", PAIR("2", "mac", "52:54:00:aa:00:01")), "MAC", "MAC");
}

static void test_one_server_twice(void **state)
{
    (void) state;
    check(IMAGE("standby-db1", PAIR("1", "disks", "vm/db1"))
          IMAGE("other", PAIR("2", "disks", "vm/db2") PAIR("2", "server", "db1")), "both for the server db1", NULL);
    check(IMAGE("standby-db1", PAIR("1", "disks", "vm/db1 vm/db1")), "named twice", NULL);
}

static void test_names(void **state)
{
    GHashTable *faults = faults_of(
        IMAGE("standby-HOST2", PAIR("1", "disks", "vm/a")) IMAGE("standby-far", PAIR("2", "disks", "vm/b"))
        IMAGE("standby-db1", PAIR("3", "disks", "vm/c")) IMAGE("standby-DB1", PAIR("4", "disks", "vm/d"))
        "<primitive id='FAR' class='ocf' provider='pacemaker' type='remote'/>");

    (void) state;
    assert_non_null(strstr(g_hash_table_lookup(faults, "HOST2"), "is the name of a cluster node"));
    assert_non_null(strstr(g_hash_table_lookup(faults, "far"), "is the name of a cluster node"));
    assert_non_null(strstr(g_hash_table_lookup(faults, "db1"), "differ in case only"));
    assert_non_null(strstr(g_hash_table_lookup(faults, "DB1"), "differ in case only"));
    g_hash_table_unref(faults);
}

static void test_run_images_are_not_recovery_images(void **state)
{
    (void) state;
    check(IMAGE("standby-db1", PAIR("1", "disks", "vm/run-db2-0")) IMAGE("standby-db2", PAIR("2", "disks", "vm/run-x")),
          "named like a run image", NULL);
}

static void test_a_recover_probe_that_the_image_answers(void **state)
{
    static const char *const recover[] = { "icmp:fd00:0::5", "tcp:[fd00::5]:22", "http://[fd00::5]/",
                                           "pgsql:user=x host=fd00::5", "pgsql:host=db hostaddr=fd00::5",
                                           "pgsql:postgresql://u:p@[fd00::5]/db", NULL };

    (void) state;
    for (const char *const *probe = recover; *probe != NULL; probe++) {
        g_autofree char *resources = g_strdup_printf(
            IMAGE("standby-db1", PAIR("1", "service_address", "fd00::5") PAIR("1", "recover_probe", "%s")), *probe);

        check(resources, "asks the service address", NULL);
    }
    check(IMAGE("standby-db1", PAIR("1", "probes", "tcp:[fd00::5]:22 icmp:10.0.0.1")
                PAIR("1", "recover_probe", "tcp:[fd00:0::5]:22"))
          IMAGE("standby-db2", PAIR("2", "service_address", "10.0.0.2") PAIR("2", "recover_probe", "exec:/bin/true")),
          "is one of the probes", NULL);
}

static void test_probes_that_say_nothing_of_the_server(void **state)
{
    static const char *const own[] = { "tcp:127.0.0.1:22", "icmp:::1", "http://localhost/", "pgsql:user=x", NULL };

    (void) state;
    for (const char *const *probe = own; *probe != NULL; probe++) {
        g_autofree char *probes = g_strdup_printf(
            IMAGE("standby-db1", PAIR("1", "probes", "icmp:10.0.0.1 %s")) IMAGE("standby-db2", PAIR("2", "disks", "vm/b")),
            *probe);
        g_autofree char *recover = g_strdup_printf(
            IMAGE("standby-db1", PAIR("1", "recover_probe", "%s")) IMAGE("standby-db2", PAIR("2", "disks", "vm/b")), *probe);

        check(probes, "asks the host that it runs on", NULL);
        check(recover, "asks the host that it runs on", NULL);
    }
    check(IMAGE("standby-db1", PAIR("1", "service_address", "10.0.3.1") PAIR("1", "probes", "tcp:10.0.3.2:22"))
          IMAGE("standby-db2", PAIR("2", "service_address", "10.0.3.2") PAIR("2", "probes", "tcp:10.0.3.2:22")),
          "asks the service address of db2", NULL);
    check(IMAGE("standby-db1", PAIR("1", "service_address", "10.0.3.1") PAIR("1", "probes", "icmp:10.0.3.1"))
          IMAGE("standby-db2", PAIR("2", "service_address", "10.0.3.2") PAIR("2", "recover_probe", "icmp:10.0.3.1")), NULL,
          "asks the service address of db1");
}

/* References ------------------------------------------------------------------*/

/* This host is on 10.0.1.0/24 (management), 10.0.2.0/24 (store) and 10.0.3.0/24 (service), or on the first alone. */
static void check_references(const char *resources, gboolean is_on_service, const char *references,
                             const char *management_references, const char *want)
{
    static const char *const networks[] = { "10.0.1.0/24", "10.0.2.0/24", "127.0.0.0/8", "10.0.3.0/24", "fd00:3::/64" };
    cluster_state_t *state = state_of(resources);
    g_autoptr(GPtrArray) masks = g_ptr_array_new_with_free_func(g_object_unref);
    g_autoptr(GHashTable) hosts = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    const char *const gate[] = { "10.0.3.1", NULL };
    const char *const self[] = { "10.0.3.1", "127.0.1.1", NULL };
    const reference_view_t view = { .cluster = state, .networks = masks, .host_addresses = hosts, .names = names };
    g_autoptr(GPtrArray) faults = NULL;

    for (gsize i = 0; i < (is_on_service ? G_N_ELEMENTS(networks) : 3); i++) {
        g_ptr_array_add(masks, g_inet_address_mask_new_from_string(networks[i], NULL));
    }
    g_hash_table_insert(hosts, (gpointer) "10.0.3.11", (gpointer) "host1");
    g_hash_table_insert(hosts, (gpointer) "10.0.1.11", (gpointer) "host1");
    g_hash_table_insert(names, (gpointer) "gate.example", (gpointer) gate);
    g_hash_table_insert(names, (gpointer) "self.example", (gpointer) self);
    faults = reference_check(&view, references, management_references);
    assert_int_equal(faults->len, want != NULL ? 1 : 0);
    if (want != NULL) {
        assert_non_null(strstr(g_ptr_array_index(faults, 0), want));
    }
    cluster_state_free(state);
}

#define SITE                                                                                                           \
    IMAGE("standby-db1", PAIR("1", "disks", "vm/db1") PAIR("1", "service_address", "10.0.3.201")                       \
          PAIR("1", "store_address", "10.0.2.101") PAIR("1", "recover_probe", "tcp:10.0.1.101:5432"))                  \
    IMAGE("standby-db2", PAIR("2", "disks", "vm/db2") PAIR("2", "probes", "tcp:10.0.3.202:5432"))

static void test_references_that_can_serve(void **state)
{
    (void) state;
    check_references(SITE, TRUE, NULL, NULL, NULL);
    check_references(SITE, TRUE, "icmp:10.0.3.1 tcp:10.0.3.2:22 http://gate.example/ http://nowhere.example/",
                     "icmp:10.0.1.1", NULL);
    /* Beyond a router nobody here knows which network is which. */
    check_references(SITE, FALSE, "icmp:10.0.3.1 icmp:10.0.9.1", NULL, NULL);
    /* No management address: nothing to be on one network with. */
    check_references(IMAGE("standby-db2", PAIR("2", "service_address", "10.0.3.202")), TRUE, NULL, "icmp:10.0.7.1", NULL);
}

static void test_references_that_answer_without_the_network(void **state)
{
    (void) state;
    check_references(SITE, TRUE, "icmp:10.0.3.1 icmp:127.0.0.1", NULL, "'icmp:127.0.0.1' asks the host that it runs on");
    check_references(SITE, TRUE, "icmp:10.0.3.11", NULL, "an address of the host host1");
    check_references(SITE, TRUE, "http://localhost/", NULL, "asks the host that it runs on");
    check_references(SITE, TRUE, "http://self.example/", NULL, "asks the host that it runs on");
    check_references(SITE, TRUE, NULL, "icmp:10.0.1.11", "management reference 'icmp:10.0.1.11' is an address of the host");
    check_references(SITE, TRUE, NULL, "tcp:[::1]:22", "asks the host that it runs on");
}

static void test_references_on_another_network(void **state)
{
    (void) state;
    check_references(SITE, TRUE, "icmp:10.0.1.1", NULL, "on another network than the servers' service addresses");
    check_references(SITE, TRUE, "icmp:10.0.9.1", NULL, "on another network than the servers' service addresses");
    check_references(SITE, TRUE, "icmp:fd00:3::1", NULL, "on another network");
    check_references(SITE, FALSE, "icmp:10.0.1.1", NULL, "on another network");
    check_references(SITE, TRUE, NULL, "icmp:10.0.3.1", "on another network than the servers' management addresses");
}

static void test_references_that_fall_silent_with_a_server(void **state)
{
    (void) state;
    check_references(SITE, TRUE, "icmp:10.0.3.201", NULL, "is the service address of db1");
    check_references(SITE, TRUE, NULL, "tcp:10.0.1.101:22", "is the management address of db1");
    check_references(SITE, TRUE, "icmp:10.0.2.101", NULL, "is the store address of db1");
}

static void test_an_image_on_many_hosts(void **state)
{
    (void) state;
    check("<clone id='c'>" IMAGE("standby-db1", "") "</clone>" IMAGE("standby-db2", ""), "run pcs resource unclone c", NULL);
    check("<clone id='c'><group id='g'>" IMAGE("standby-db1", "") IMAGE("standby-db2", "") "</group></clone>",
          "run pcs resource unclone c", "run pcs resource unclone c");
}

#define DUMMY(id) "<primitive id='" id "' class='ocf' provider='pacemaker' type='Dummy'/>"

static void test_images_in_one_group(void **state)
{
    (void) state;
    check("<group id='g'>" IMAGE("standby-db1", "") IMAGE("standby-db2", "") "</group>",
          "run pcs resource group remove g standby-db1", "run pcs resource group remove g standby-db2");
    check("<group id='g'>" IMAGE("standby-db1", "") DUMMY("x") IMAGE("standby-x", "") IMAGE("standby-db2", "") "</group>",
          "standby-db1 and standby-x are in one group", "standby-db2 and standby-db1 are in one group");
    check("<group id='g'>" IMAGE("standby-db1", "") DUMMY("x") "</group><group id='h'>" DUMMY("y") IMAGE("standby-db2", "")
          "</group>", NULL, NULL);
}

#define TICKET(attributes, inner) "<rsc_ticket id='t' loss-policy='stop' " attributes ">" inner "</rsc_ticket>"
#define SET(members) "<resource_set id='s'>" members "</resource_set>"
#define REF(id) "<resource_ref id='" id "'/>"

/* Members of its group with a ticket of their own. */
static void test_an_image_behind_another_ticket(void **state)
{
    static const struct {
        const char *before;
        const char *behind;
        const char *constraint;
        gboolean is_fault;
    } cases[] = {
        { DUMMY("x"), "", TICKET("rsc='x' ticket='other'", ""), TRUE },
        { DUMMY("x"), "", TICKET("ticket='other'", SET(REF("x"))), TRUE },
        { DUMMY("x"), "", TICKET("rsc='x' ticket='takeover-db1'", ""), FALSE },
        { "", DUMMY("x"), TICKET("rsc='x' ticket='other'", ""), FALSE },
        { DUMMY("x"), "", TICKET("rsc='g' ticket='other'", ""), FALSE },
        { DUMMY("x"), "", TICKET("ticket='other'", SET(REF("x") REF("standby-db1"))), FALSE },
        { DUMMY("x"), "", TICKET("rsc='power' ticket='other'", ""), FALSE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf(
            CIB_TEXT("1", "<group id='g'>%s" CIB_IMAGE("db1") "%s</group>", CIB_TICKET("db1") "%s", "",
                     CIB_STATE("1", "1", "", "")),
            cases[i].before, cases[i].behind, cases[i].constraint);
        cluster_state_t *cluster = cluster_of(text);
        g_autoptr(GHashTable) faults = site_check(cluster);
        const char *fault = g_hash_table_lookup(faults, "db1");

        assert_int_equal(fault != NULL, cases[i].is_fault);
        assert_true(fault == NULL || strstr(fault, "stands behind x in the group g") != NULL);
        cluster_state_free(cluster);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_servers_that_share_nothing),
        cmocka_unit_test(test_what_two_servers_share),
        cmocka_unit_test(test_one_server_twice),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_run_images_are_not_recovery_images),
        cmocka_unit_test(test_a_recover_probe_that_the_image_answers),
        cmocka_unit_test(test_probes_that_say_nothing_of_the_server),
        cmocka_unit_test(test_references_that_can_serve),
        cmocka_unit_test(test_references_that_answer_without_the_network),
        cmocka_unit_test(test_references_on_another_network),
        cmocka_unit_test(test_references_that_fall_silent_with_a_server),
        cmocka_unit_test(test_an_image_on_many_hosts),
        cmocka_unit_test(test_images_in_one_group),
        cmocka_unit_test(test_an_image_behind_another_ticket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
