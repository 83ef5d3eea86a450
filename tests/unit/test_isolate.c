/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an attempt to isolate a server proves, and which fence devices switch its power. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <libxml/parser.h>

#include "cluster/fence_devices.h"
#include "helpers/isolate_judge.h"
#include "store/registry.h"
#include "store/server_entry.h"

/* The ways --------------------------------------------------------------------------*/

static void test_only_power_isolates(void **state)
{
    (void) state;
    for (int power = 0; power < POWER_WAY_COUNT; power++) {
        for (int store = 0; store < STORE_WAY_COUNT; store++) {
            isolation_result_t result = isolation_judge((power_way_t) power, (store_way_t) store);

            assert_int_equal(result == ISOLATION_DONE, power == POWER_OFF);
            /* What was asked of the switch, and not denied by all, may have been done. */
            if (power == POWER_ENDED || power == POWER_UNKNOWN) {
                assert_true(isolation_may_have_effect(result));
            }
        }
    }
}

/* An unknown result counts as one that may have taken effect. */
static void test_what_may_have_taken_effect(void **state)
{
    static const struct {
        power_way_t power;
        store_way_t store;
        isolation_result_t result;
    } cases[] = {
        { POWER_NOT_ASKED, STORE_CLOSED_IDLE, ISOLATION_NOT_ASKED },
        { POWER_NOT_ASKED, STORE_CLOSED_USED, ISOLATION_NOT_CONFIRMED },
        { POWER_NOT_ASKED, STORE_OPEN, ISOLATION_NOT_ASKED_STORE_OPEN },
        { POWER_NOT_ASKED, STORE_OPEN_MAYBE, ISOLATION_STORE_OPEN },
        { POWER_NOT_ASKED, STORE_NO_ADDRESS, ISOLATION_NOT_ASKED },
        { POWER_ENDED, STORE_CLOSED_IDLE, ISOLATION_ENDED },
        { POWER_ENDED, STORE_CLOSED_USED, ISOLATION_NOT_CONFIRMED },
        { POWER_ENDED, STORE_OPEN, ISOLATION_ENDED_STORE_OPEN },
        { POWER_ENDED, STORE_OPEN_MAYBE, ISOLATION_STORE_OPEN },
        { POWER_ENDED, STORE_NO_ADDRESS, ISOLATION_ENDED },
        { POWER_NO_DEVICE, STORE_CLOSED_IDLE, ISOLATION_NO_EFFECT },
        { POWER_NO_DEVICE, STORE_CLOSED_USED, ISOLATION_NOT_CONFIRMED },
        { POWER_NO_DEVICE, STORE_NO_ADDRESS, ISOLATION_NO_EFFECT },
        { POWER_UNKNOWN, STORE_CLOSED_IDLE, ISOLATION_NOT_CONFIRMED },
        { POWER_UNKNOWN, STORE_OPEN, ISOLATION_STORE_OPEN },
        { POWER_UNKNOWN, STORE_NO_ADDRESS, ISOLATION_NOT_CONFIRMED },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        assert_int_equal(isolation_judge(cases[i].power, cases[i].store), cases[i].result);
    }
}

/* The devices ------------------------------------------------------------------------*/

#define DEVICE(id, agent, params) \
    "<primitive id='" id "' class='stonith' type='" agent "'><instance_attributes id='" id "-params'>" params \
    "</instance_attributes></primitive>"
#define PARAM(id, name, value) "<nvpair id='" id "' name='" name "' value='" value "'/>"
#define LEVEL(id, target, index, devices) \
    "<fencing-level id='" id "' " target " index='" index "' devices='" devices "'/>"
#define POWER_DB1 DEVICE("power-db1", "fence_ipmilan", PARAM("a1", "pcmk_host_list", "db1"))
#define DISABLED_DB1                                                                                  \
    "<primitive id='off-db1' class='stonith' type='fence_ipmilan'><meta_attributes id='m'>"           \
    "<nvpair id='m1' name='target-role' value='Stopped'/></meta_attributes></primitive>"
#define STORE_HOSTS DEVICE("store-fence", "fence_rbd", PARAM("b1", "pcmk_host_list", "host1 host2"))

static fence_agent_kind_t kind_of(const char *agent, gpointer user_data)
{
    (void) user_data;
    return fence_agent_kind_by_name(agent);
}

static cluster_state_t *cluster_with(const char *devices, const char *levels)
{
    g_autofree char *text = g_strdup_printf(
        "<cib crm_feature_set='3.16.1' validate-with='pacemaker-3.9' epoch='1' num_updates='0' admin_epoch='0'>"
        "<configuration><crm_config/><nodes><node id='1' uname='host1'/></nodes><resources>%s</resources>"
        "<constraints/><fencing-topology>%s</fencing-topology></configuration><status/></cib>", devices, levels);
    xmlDoc *document = xmlReadMemory(text, (int) strlen(text), "cib", NULL, 0);
    cluster_state_t *state = cluster_state_parse(xmlDocGetRootElement(document), NULL);

    assert_non_null(state);
    xmlFreeDoc(document);
    return state;
}

static void assert_power(const char *devices, const char *levels, const char *server, fence_power_t expected,
                         const char *in_question)
{
    cluster_state_t *state = cluster_with(devices, levels);
    g_autofree char *leave_on = NULL;

    assert_int_equal(fence_power_of(state, server, kind_of, NULL, &leave_on), expected);
    assert_int_equal(leave_on != NULL, expected == FENCE_POWER_NOT_PROVED);
    if (in_question != NULL) {
        assert_string_equal(leave_on, in_question);
    }
    cluster_state_free(state);
}

static void test_devices_of_a_server(void **state)
{
    (void) state;
    assert_power(POWER_DB1 STORE_HOSTS, "", "db1", FENCE_POWER_PROVED, NULL);
    assert_power(POWER_DB1 STORE_HOSTS, "", "DB1", FENCE_POWER_PROVED, NULL);
    assert_power(POWER_DB1 STORE_HOSTS, "", "db2", FENCE_POWER_NO_DEVICE, NULL);
    assert_power("", "", "db1", FENCE_POWER_NO_DEVICE, NULL);
    assert_power(DISABLED_DB1 STORE_HOSTS, "", "db1", FENCE_POWER_NO_DEVICE, NULL);
    assert_power(DISABLED_DB1 POWER_DB1, "", "db1", FENCE_POWER_PROVED, NULL);
    assert_power(DISABLED_DB1, LEVEL("l1", "target='db1'", "1", "off-db1"), "db1", FENCE_POWER_NO_DEVICE, NULL);
    assert_power(DISABLED_DB1 POWER_DB1, LEVEL("l1", "target='db1'", "1", "power-db1,off-db1")
                 LEVEL("l2", "target='db1'", "2", "power-db1"), "db1", FENCE_POWER_PROVED, NULL);
    /* It names no targets: it may be the one that is used. */
    assert_power(POWER_DB1 DEVICE("scsi", "fence_scsi", ""), "", "db1", FENCE_POWER_NOT_PROVED, "scsi (fence_scsi)");
    assert_power(DEVICE("all", "fence_apc", ""), "", "db1", FENCE_POWER_PROVED, NULL);
    assert_power(POWER_DB1 DEVICE("store", "fence_rbd", PARAM("c1", "pcmk_host_map", "host1:1;db1:10.0.0.1")), "", "db1",
                 FENCE_POWER_NOT_PROVED, "store (fence_rbd)");
    assert_power(POWER_DB1 DEVICE("store", "fence_rbd", PARAM("c1", "pcmk_host_map", "host1:1;db10:10.0.0.1")), "", "db1",
                 FENCE_POWER_PROVED, NULL);
    assert_power(POWER_DB1 DEVICE("store", "fence_rbd", PARAM("c1", "pcmk_host_list", "host1")
                                                        PARAM("c2", "pcmk_host_check", "dynamic-list")),
                 "", "db1", FENCE_POWER_NOT_PROVED, NULL);
}

/* A topology's levels replace the devices that are not in them, and each level alone is a success. */
static void test_topology_of_a_server(void **state)
{
    static const char devices[] = POWER_DB1 DEVICE("cut", "fence_brocade", PARAM("d1", "pcmk_host_list", "db1 db2"));

    (void) state;
    assert_power(devices, "", "db1", FENCE_POWER_NOT_PROVED, "cut (fence_brocade)");
    assert_power(devices, LEVEL("l1", "target='db1'", "1", "power-db1"), "db1", FENCE_POWER_PROVED, NULL);
    assert_power(devices, LEVEL("l1", "target='db1'", "1", "cut,power-db1"), "db1", FENCE_POWER_PROVED, NULL);
    assert_power(devices, LEVEL("l1", "target='db1'", "1", "power-db1") LEVEL("l2", "target='db1'", "2", "cut"), "db1",
                 FENCE_POWER_NOT_PROVED, "cut (fence_brocade)");
    assert_power(devices, LEVEL("l1", "target-pattern='db[0-9]'", "1", "cut"), "db1", FENCE_POWER_NOT_PROVED, NULL);
    assert_power(devices, LEVEL("l1", "target='db2'", "1", "power-db1"), "db1", FENCE_POWER_NOT_PROVED, NULL);
    assert_power(devices, LEVEL("l1", "target='db1'", "1", "missing"), "db1", FENCE_POWER_NO_DEVICE, NULL);
}

/* What keeps a server with isolate=required from being touched at all. */
static void test_what_required_lacks(void **state)
{
    static const struct {
        const char *devices;
        const char *isolate;
        const char *lacks; /* or NULL */
    } cases[] = {
        { POWER_DB1 STORE_HOSTS, NULL, NULL },
        { STORE_HOSTS, NULL, "no fence device names it" },
        { STORE_HOSTS, "required", "no fence device names it" },
        { STORE_HOSTS, "confirmed", NULL },
        { STORE_HOSTS, "best-effort", NULL },
        { DEVICE("cut", "fence_brocade", PARAM("d1", "pcmk_host_list", "db1")), "required", "cut (fence_brocade)" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        cluster_state_t *cluster = cluster_with(cases[i].devices, "");
        g_autoptr(GHashTable) params = g_hash_table_new(g_str_hash, g_str_equal);
        cluster_server_t server = { .name = (char *) "db1", .params = params };
        g_autofree char *obstacle = NULL;

        if (cases[i].isolate != NULL) {
            g_hash_table_insert(params, (gpointer) "isolate", (gpointer) cases[i].isolate);
        }
        obstacle = fence_required_obstacle(cluster, &server, kind_of, NULL);
        assert_int_equal(obstacle != NULL, cases[i].lacks != NULL);
        if (obstacle != NULL) {
            assert_non_null(strstr(obstacle, cases[i].lacks));
        }
        cluster_state_free(cluster);
    }
}

static void test_agents_by_their_metadata(void **state)
{
    static const char power[] = "<resource-agent><actions><action name='off'/><action name='reboot'/></actions></resource-agent>";
    static const char fabric[] = "<resource-agent><actions><action name='off'/></actions></resource-agent>";

    (void) state;
    assert_int_equal(fence_agent_kind_by_metadata("fence_x", power), FENCE_AGENT_POWER);
    assert_int_equal(fence_agent_kind_by_metadata("fence_x", fabric), FENCE_AGENT_FABRIC);
    assert_int_equal(fence_agent_kind_by_metadata("fence_x", NULL), FENCE_AGENT_UNKNOWN);
    assert_int_equal(fence_agent_kind_by_metadata("fence_x", "no XML"), FENCE_AGENT_UNKNOWN);
    /* It says that it can reboot, and only asks whether others answer. */
    assert_int_equal(fence_agent_kind_by_metadata("fence_heuristics_ping", power), FENCE_AGENT_FABRIC);
    assert_int_equal(fence_agent_kind_by_metadata("external/ipmi", NULL), FENCE_AGENT_POWER);
    assert_int_equal(fence_agent_kind_by_metadata("rbd", NULL), FENCE_AGENT_FABRIC);
}

/* The address on the blocklist ----------------------------------------------------------*/

#define WHOLE  "10.0.2.101:0/0"
#define CLIENT "10.0.2.101:0/7"

/* Entries that last for so many hours; 0: there is none. */
static store_map_t *map_of(gint whole_hours, gint client_hours)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autoptr(GDateTime) whole_end = g_date_time_add_hours(now, whole_hours);
    g_autoptr(GDateTime) client_end = g_date_time_add_hours(now, client_hours);
    g_autofree char *whole_text = g_date_time_format_iso8601(whole_end);
    g_autofree char *client_text = g_date_time_format_iso8601(client_end);
    g_autofree char *dump = g_strdup_printf("{\"epoch\":1,\"blocklist\":{\"%s\":\"%s\",\"%s\":\"%s\"}}", WHOLE, whole_text, CLIENT,
                                            client_text);
    store_map_t *map = store_map_parse(dump, NULL, NULL);

    assert_non_null(map);
    if (whole_hours == 0) {
        g_hash_table_remove(map->blocklist, WHOLE);
    }
    if (client_hours == 0) {
        g_hash_table_remove(map->blocklist, CLIENT);
    }
    return map;
}

enum { AN_HOUR = 1, YEARS = 40000 };

static gboolean may_lift(const char *json, gint client_hours)
{
    g_autoptr(server_entry_t) entry = server_entry_parse("db1", json, NULL);
    g_autoptr(store_map_t) map = map_of(YEARS, client_hours);

    assert_non_null(entry);
    return server_entry_may_lift(entry, map);
}

/* It comes off when nothing from before the isolation can write again. */
static void test_when_an_address_comes_off(void **state)
{
    (void) state;
    assert_true(may_lift("{\"address\":\"10.0.2.101\",\"known\":true,\"clients\":[]}", 0));
    assert_false(may_lift("{\"address\":\"10.0.2.101\",\"known\":false,\"clients\":[]}", 0));
    assert_false(may_lift("{\"address\":\"10.0.2.101\",\"known\":true,\"clients\":[\"" CLIENT "\"]}", 0));
    assert_false(may_lift("{\"address\":\"10.0.2.101\",\"known\":true,\"clients\":[\"" CLIENT "\"]}", AN_HOUR));
    assert_true(may_lift("{\"address\":\"10.0.2.101\",\"known\":true,\"clients\":[\"" CLIENT "\"]}", YEARS));
    assert_true(may_lift("{\"address\":\"10.0.2.101\",\"off\":true,\"clients\":[\"" CLIENT "\"]}", 0));
}

static GString *changes; /* of the blocklist: "+ENTRY -ENTRY " */

gboolean __wrap_store_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error);
gboolean __wrap_store_blocklist_remove(store_t *store, const char *address, GError **error);

gboolean __wrap_store_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error)
{
    (void) store;
    (void) error;
    assert_int_equal(duration_s, STORE_CLIENT_BLOCK_S);
    g_string_append_printf(changes, "+%s ", address);
    return TRUE;
}

gboolean __wrap_store_blocklist_remove(store_t *store, const char *address, GError **error)
{
    (void) store;
    (void) error;
    g_string_append_printf(changes, "-%s ", address);
    return TRUE;
}

/* Ceph does not extend an entry: it goes for a moment, in which another refuses the client. */
static void test_no_client_is_let_in_when_an_entry_is_made_to_last(void **state)
{
    static const struct {
        gint whole_hours;
        gint client_hours;
        const char *changes;
    } cases[] = {
        { 0, 0, "+" WHOLE " +" CLIENT " " },
        { 0, AN_HOUR, "+" WHOLE " " },
        { YEARS, 0, "+" CLIENT " " },
        { YEARS, YEARS, "" },
        { AN_HOUR, 0, "+" CLIENT " -" WHOLE " +" WHOLE " " },
        { AN_HOUR, YEARS, "-" WHOLE " +" WHOLE " " },
        { AN_HOUR, AN_HOUR, "-" CLIENT " +" CLIENT " -" WHOLE " +" WHOLE " " },
    };
    g_autoptr(server_entry_t) entry = server_entry_parse(
        "db1", "{\"address\":\"10.0.2.101\",\"known\":true,\"clients\":[\"" CLIENT "\"]}", NULL);

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(store_map_t) map = map_of(cases[i].whole_hours, cases[i].client_hours);

        changes = g_string_new(NULL);
        assert_true(server_entry_put(NULL, map, entry, NULL));
        assert_string_equal(changes->str, cases[i].changes);
        g_string_free(changes, TRUE);
    }
}

/* Before the address comes off. */
static void test_clients_of_an_hour_are_made_to_last(void **state)
{
    static const struct {
        gint client_hours;
        const char *changes;
    } cases[] = { { 0, "" }, { AN_HOUR, "-" CLIENT " +" CLIENT " " }, { YEARS, "" } };
    g_autoptr(server_entry_t) entry = server_entry_parse(
        "db1", "{\"address\":\"10.0.2.101\",\"known\":true,\"clients\":[\"" CLIENT "\"]}", NULL);

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(store_map_t) map = map_of(YEARS, cases[i].client_hours);

        changes = g_string_new(NULL);
        assert_true(server_entry_renew_clients(NULL, map, entry, NULL));
        assert_string_equal(changes->str, cases[i].changes);
        g_string_free(changes, TRUE);
    }
}

/* Whose address it is, is said; else that machine would be kept out of the store with all its images. */
static void test_another_machines_address_is_refused(void **state)
{
    static const struct {
        const char *address;
        const char *whose; /* NULL: nobody else's */
    } cases[] = {
        { "10.0.2.101", NULL },       { "fd00::101", NULL },
        { "10.0.2.11", "host1" },     { "fd00:0::11", "host1" },
        { "10.0.2.5", "monitor a" },  { "10.0.2.6", "osd.3" },
        { "db1", "'db1' is no address" },
    };
    g_autoptr(GHashTable) hosts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                                        (GDestroyNotify) registry_host_free);
    g_autoptr(GHashTable) daemon_ips = g_hash_table_new(g_str_hash, g_str_equal);
    registry_host_t *host = registry_host_parse("host1", "{\"name\":\"host1\",\"store_addresses\":[\"10.0.2.11\","
                                                         "\"fd00::11\"]}", NULL);

    (void) state;
    assert_non_null(host);
    g_hash_table_insert(hosts, (gpointer) "host1", host);
    g_hash_table_insert(daemon_ips, (gpointer) "10.0.2.5", (gpointer) "monitor a");
    g_hash_table_insert(daemon_ips, (gpointer) "10.0.2.6", (gpointer) "osd.3");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        assert_int_equal(server_entry_address_check(cases[i].address, hosts, daemon_ips, &error), cases[i].whose == NULL);
        assert_true(cases[i].whose == NULL || strstr(error->message, cases[i].whose) != NULL);
    }
}

static void test_entries_are_kept(void **state)
{
    g_autoptr(server_entry_t) entry = server_entry_new("db1", "10.0.2.101");
    g_autoptr(server_entry_t) again = NULL;
    g_autofree char *json = NULL;
    static const char *const bad[] = { "", "{}", "{\"address\":\"db1\"}",
                                       "{\"address\":\"10.0.2.101\",\"clients\":[\"clear\"]}",
                                       "{\"address\":\"10.0.2.101\",\"clients\":[\"10.0.2.1:0/0\"]}" };

    (void) state;
    entry->is_known = TRUE;
    assert_true(server_entry_is_idle(entry));
    g_ptr_array_add(entry->clients, g_strdup("10.0.2.101:0/7"));
    assert_false(server_entry_is_idle(entry));
    json = server_entry_json(entry);
    again = server_entry_parse("db1", json, NULL);
    assert_true(again->is_known && !again->is_off && again->clients->len == 1);
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *error = NULL;

        assert_null(server_entry_parse("db1", bad[i], &error));
        assert_non_null(error);
        g_error_free(error);
    }
}

/* What the store keeps of servers: a record for each address, an earlier version's too; a bad one hides no other. */
static void test_records_of_all_servers(void **state)
{
    static const char *const keys[][2] = {
        { "db1/seen", "0123" },
        { "db1/blocklist", "{\"address\":\"10.0.2.101\",\"known\":true,\"clients\":[]}" },
        { "db1/blocklist/10.0.2.109", "{\"address\":\"10.0.2.109\",\"known\":false,\"clients\":[]}" },
        { "db2/blocklist/10.0.2.102", "no JSON" },
        { "db3/blocklist/fd00::3", "{\"address\":\"fd00:0::3\",\"off\":true,\"clients\":[]}" },
        { "db4/blocklisted", "{\"address\":\"10.0.2.104\"}" },
    };
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) faults = NULL;
    g_autoptr(GPtrArray) entries = NULL;
    g_autofree char *key = server_entry_key("db3", "fd00:0::3");

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_hash_table_insert(values, (gpointer) keys[i][0], (gpointer) keys[i][1]);
    }
    entries = server_entries_of(values, &faults);
    assert_int_equal(entries->len, 3);
    assert_string_equal(server_entries_find(entries, "db1", "10.0.2.101")->key, "understudy/server/db1/blocklist");
    assert_false(server_entries_find(entries, "db1", "10.0.2.109")->is_known);
    assert_string_equal(server_entries_find(entries, "db3", "fd00::3")->key, key);
    assert_null(server_entries_find(entries, "db2", "10.0.2.101"));
    assert_int_equal(g_hash_table_size(faults), 1);
    assert_non_null(strstr(g_hash_table_lookup(faults, "db2"), "understudy/server/db2/blocklist"));
}

/* Where an entry was away somebody may have come in; who was off is gone. */
static void test_a_newer_record_keeps_what_an_earlier_one_says(void **state)
{
    static const struct {
        const char *earlier;
        guint client_count;
        gboolean is_known;
    } cases[] = {
        { "{\"address\":\"10.0.2.101\",\"known\":true,\"clients\":[\"10.0.2.101:0/7\",\"10.0.2.101:0/8\"]}", 2, TRUE },
        { "{\"address\":\"10.0.2.101\",\"known\":false,\"clients\":[]}", 1, FALSE },
        { "{\"address\":\"10.0.2.101\",\"known\":false,\"off\":true,\"clients\":[\"10.0.2.101:0/7\"]}", 1, TRUE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(server_entry_t) earlier = server_entry_parse("db1", cases[i].earlier, NULL);
        g_autoptr(server_entry_t) entry = server_entry_new("db1", "10.0.2.101");

        entry->is_known = TRUE;
        g_ptr_array_add(entry->clients, g_strdup("10.0.2.101:0/8"));
        server_entry_merge(entry, earlier);
        assert_int_equal(entry->clients->len, cases[i].client_count);
        assert_int_equal(entry->is_known, cases[i].is_known);
        assert_false(entry->is_off);
    }
}

/* Of a server that is kept out and was switched off: that stays so, unless somebody was seen to have come in since. */
static void test_a_held_server_that_was_off_is_off_still(void **state)
{
    static const struct {
        gboolean was_off;
        gboolean is_known;
        gboolean is_off;
    } cases[] = { { TRUE, FALSE, TRUE }, { TRUE, TRUE, FALSE }, { FALSE, FALSE, FALSE } };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(server_entry_t) earlier = server_entry_new("db1", "10.0.2.101");
        g_autoptr(server_entry_t) entry = server_entry_new("db1", "10.0.2.101");

        earlier->is_off = cases[i].was_off;
        entry->is_known = cases[i].is_known;
        server_entry_merge(entry, earlier);
        server_entry_keep_off(entry, earlier);
        assert_int_equal(entry->is_off, cases[i].is_off);
    }
}

/* An address that has gone to another server, which is kept out by it now. */
static void test_an_address_that_another_server_needs(void **state)
{
    static const char *const lifted[] = { "db1", NULL };
    static const char *const both_lifted[] = { "db1", "db2", NULL };
    static const char *const own_hold[] = { "db1=10.0.2.101=vm/db1", NULL };
    static const char *const hold[] = { "db4=10.0.2.104=vm/db4", "db3=10.0.2.101=vm/db3", NULL };
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify) server_entry_free);
    const server_entry_t *entry = NULL;
    g_autofree char *by_record = NULL;
    g_autofree char *by_hold = NULL;

    (void) state;
    g_ptr_array_add(entries, server_entry_new("db1", "10.0.2.101"));
    g_ptr_array_add(entries, server_entry_new("db2", "10.0.2.102"));
    entry = g_ptr_array_index(entries, 0);
    assert_null(server_entry_needed_by(entries, entry, lifted, NULL));
    assert_null(server_entry_needed_by(entries, entry, lifted, own_hold));
    by_hold = server_entry_needed_by(entries, entry, lifted, hold);
    assert_string_equal(by_hold, "db3");
    g_ptr_array_add(entries, server_entry_new("db2", "10.0.2.101"));
    by_record = server_entry_needed_by(entries, entry, lifted, NULL);
    assert_string_equal(by_record, "db2");
    assert_null(server_entry_needed_by(entries, entry, both_lifted, NULL));
}

/* An entry of an hour is none: one rule for hosts, servers and single clients. */
static void test_how_long_an_entry_must_last(void **state)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autoptr(GDateTime) soon = g_date_time_add_hours(now, 1);
    g_autoptr(GDateTime) late = g_date_time_add_years(now, 4);
    g_autofree char *soon_text = g_date_time_format_iso8601(soon);
    g_autofree char *late_text = g_date_time_format_iso8601(late);
    g_autofree char *dump = g_strdup_printf("{\"epoch\":1,\"blocklist\":{\"10.0.2.101:0/0\":\"%s\",\"10.0.2.102:0/0\":\"%s\"}}",
                                            soon_text, late_text);
    g_autoptr(store_map_t) map = store_map_parse(dump, NULL, NULL);

    (void) state;
    assert_non_null(map);
    assert_false(store_map_entry_lasts(map, "10.0.2.101:0/0", STORE_CLIENT_BLOCK_S));
    assert_true(store_map_entry_lasts(map, "10.0.2.102:0/0", STORE_CLIENT_BLOCK_S));
    assert_false(store_map_entry_lasts(map, "10.0.2.103:0/0", STORE_CLIENT_BLOCK_S));
}

/* Ceph does not extend a client's entry; one of its whole address that lasts covers it, whatever becomes of that. */
static void test_a_client_that_is_refused_twice(void **state)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autoptr(GDateTime) soon = g_date_time_add_hours(now, 1);
    g_autoptr(GDateTime) late = g_date_time_add_years(now, 4);
    g_autofree char *soon_text = g_date_time_format_iso8601(soon);
    g_autofree char *late_text = g_date_time_format_iso8601(late);
    g_autofree char *dump = g_strdup_printf("{\"epoch\":1,\"blocklist\":{\"10.0.2.11:0/7\":\"%s\",\"10.0.2.12:0/7\":\"%s\","
                                            "\"10.0.2.12:0/0\":\"%s\",\"10.0.2.13:0/7\":\"%s\",\"10.0.2.13:0/0\":\"%s\","
                                            "\"10.0.2.14:0/7\":\"%s\",\"[fd00::15]:0/7\":\"%s\",\"[fd00::15]:0/0\":\"%s\"}}",
                                            soon_text, soon_text, late_text, soon_text, soon_text, late_text, soon_text,
                                            late_text);
    g_autoptr(store_map_t) map = store_map_parse(dump, NULL, NULL);
    static const struct {
        const char *client;
        gboolean stays_out;
    } cases[] = {
        { "10.0.2.11:0/7", FALSE }, { "10.0.2.12:0/7", TRUE }, { "10.0.2.13:0/7", FALSE },  { "10.0.2.14:0/7", TRUE },
        { "10.0.2.14:0/8", FALSE }, { "[fd00::15]:0/7", TRUE },
        { "10.0.2.12:0/8", FALSE }, /* it gets an entry of its own */
    };

    (void) state;
    assert_non_null(map);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        assert_int_equal(store_map_client_stays_out(map, cases[i].client, STORE_CLIENT_BLOCK_S), cases[i].stays_out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_power_isolates),
        cmocka_unit_test(test_what_may_have_taken_effect),
        cmocka_unit_test(test_devices_of_a_server),
        cmocka_unit_test(test_topology_of_a_server),
        cmocka_unit_test(test_what_required_lacks),
        cmocka_unit_test(test_agents_by_their_metadata),
        cmocka_unit_test(test_when_an_address_comes_off),
        cmocka_unit_test(test_another_machines_address_is_refused),
        cmocka_unit_test(test_entries_are_kept),
        cmocka_unit_test(test_records_of_all_servers),
        cmocka_unit_test(test_a_newer_record_keeps_what_an_earlier_one_says),
        cmocka_unit_test(test_a_held_server_that_was_off_is_off_still),
        cmocka_unit_test(test_an_address_that_another_server_needs),
        cmocka_unit_test(test_how_long_an_entry_must_last),
        cmocka_unit_test(test_a_client_that_is_refused_twice),
        cmocka_unit_test(test_no_client_is_let_in_when_an_entry_is_made_to_last),
        cmocka_unit_test(test_clients_of_an_hour_are_made_to_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
