/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "core.h"

/* host1 ... host3 published; host4 only mapped. */
typedef struct fixture {
    fence_site_t site;
    GHashTable *daemon_ips;
} fixture_t;

static registry_host_t *host_new(const char *name, const char *address, const char *boot_id)
{
    registry_host_t *host = g_new0(registry_host_t, 1);

    host->name = g_strdup(name);
    host->store_addresses = g_strsplit(address, ",", -1);
    host->boot_id = g_strdup(boot_id);
    return host;
}

static void publish(fixture_t *fixture, const char *name, const char *address)
{
    registry_host_t *host = host_new(name, address, "boot-1");

    g_hash_table_replace(fixture->site.hosts, host->name, host);
}

static int set_up(void **state)
{
    fixture_t *fixture = g_new0(fixture_t, 1);

    fixture->site.hosts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) registry_host_free);
    fixture->site.mapped = fence_map_parse("host4:10.0.0.14", NULL);
    fixture->site.own_name = g_strdup("host1");
    fixture->site.own_ip = g_strdup("10.0.0.11");
    fixture->daemon_ips = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_insert(fixture->daemon_ips, g_strdup("10.0.0.5"), g_strdup("monitor a"));
    publish(fixture, "host1", "10.0.0.11");
    publish(fixture, "host2", "10.0.0.12");
    publish(fixture, "host3", "10.0.0.13,fd00::13");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;

    g_hash_table_unref(fixture->site.hosts);
    g_hash_table_unref(fixture->site.mapped);
    g_hash_table_unref(fixture->daemon_ips);
    g_free(fixture->site.own_name);
    g_free(fixture->site.own_ip);
    g_free(fixture);
    return 0;
}

static fence_target_t *resolve(const fixture_t *fixture, const char *plug, const char *nodename)
{
    GError *error = NULL;
    fence_target_t *target = fence_target_resolve(&fixture->site, plug, nodename, &error);

    assert_null(error);
    assert_non_null(target);
    return target;
}

static void assert_refused(GError *error, const char *words)
{
    assert_non_null(error);
    assert_non_null(strstr(error->message, words));
    g_error_free(error);
}

/* Addresses ---------------------------------------------------------------------*/

static void assert_addresses(const char *text, const char *joined)
{
    GError *error = NULL;
    g_auto(GStrv) addresses = fence_addresses_parse(text, &error);
    g_autofree char *found = addresses != NULL ? g_strjoinv(" ", addresses) : NULL;

    if (joined == NULL) {
        assert_null(addresses);
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        g_error_free(error);
    } else {
        assert_null(error);
        assert_string_equal(found, joined);
    }
}

static void test_addresses(void **state)
{
    (void) state;
    assert_addresses("10.0.0.1", "10.0.0.1");
    assert_addresses(" 10.0.0.1, 10.0.0.2,10.0.0.1", "10.0.0.1 10.0.0.2");
    assert_addresses("fd00:0:0::5,FD00::5", "fd00::5");
    assert_addresses("", NULL);
    assert_addresses(",", NULL);
    assert_addresses("store1", NULL);
    assert_addresses("10.0.0.1:0/7", NULL);
    assert_addresses("10.0.0.0/24", NULL);
}

static void test_map(void **state)
{
    GError *error = NULL;
    g_autoptr(GHashTable) map = fence_map_parse("a:10.0.0.1,10.0.0.2; b:fd00::1 ;", &error);
    char **addresses = NULL;

    (void) state;
    assert_null(error);
    assert_int_equal(g_hash_table_size(map), 2);
    addresses = g_hash_table_lookup(map, "a");
    assert_string_equal(addresses[1], "10.0.0.2");
    addresses = g_hash_table_lookup(map, "b");
    assert_string_equal(addresses[0], "fd00::1");
}

static void test_map_refused(void **state)
{
    static const char *const texts[] = { "a", "a:", ":10.0.0.1", "a:x", "a:10.0.0.1;a:10.0.0.2", "10.0.0.1" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        GError *error = NULL;

        assert_null(fence_map_parse(texts[i], &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        g_error_free(error);
    }
}

/* The target -----------------------------------------------------------------------*/

static void test_target_from_registry(void **state)
{
    g_autoptr(fence_target_t) target = resolve(*state, "host2", NULL);

    assert_string_equal(target->name, "host2");
    assert_string_equal(target->addresses[0], "10.0.0.12");
    assert_string_equal(target->boot_id, "boot-1");
}

static void test_target_from_map(void **state)
{
    g_autoptr(fence_target_t) target = resolve(*state, NULL, "host4");

    assert_string_equal(target->addresses[0], "10.0.0.14");
    assert_null(target->boot_id);
}

static void test_target_from_alias(void **state)
{
    g_autoptr(fence_target_t) target = resolve(*state, "10.0.0.12,10.0.1.12", "host2");
    g_autoptr(fence_target_t) unnamed = resolve(*state, "10.0.0.13,fd00::13", NULL);

    assert_string_equal(target->name, "host2");
    assert_string_equal(target->addresses[1], "10.0.1.12");
    assert_string_equal(unnamed->name, "host3");
}

static void test_target_unknown(void **state)
{
    const fixture_t *fixture = *state;
    GError *error = NULL;

    assert_null(fence_target_resolve(&fixture->site, "host9", NULL, &error));
    assert_refused(error, "host9 is not known");
    error = NULL;
    assert_null(fence_target_resolve(&fixture->site, NULL, NULL, &error));
    assert_refused(error, "plug is not set");
}

static void test_target_contradicted(void **state)
{
    const fixture_t *fixture = *state;
    GError *error = NULL;

    /* The alias leaves out an address that the host has published. */
    assert_null(fence_target_resolve(&fixture->site, "10.0.0.13", "host3", &error));
    assert_refused(error, "correct the one that is wrong");
}

static void assert_check(const fixture_t *fixture, const char *plug, const char *nodename, const char *words)
{
    g_autoptr(fence_target_t) target = resolve(fixture, plug, nodename);
    GError *error = NULL;
    gboolean good = fence_target_check(&fixture->site, target, fixture->daemon_ips, &error);

    if (words == NULL) {
        assert_null(error);
        assert_true(good);
    } else {
        assert_false(good);
        assert_refused(error, words);
    }
}

static void test_target_checks(void **state)
{
    fixture_t *fixture = *state;

    assert_check(fixture, "host2", NULL, NULL);
    assert_check(fixture, "host3", NULL, NULL);
    assert_check(fixture, "host1", NULL, NULL); /* itself, asked for by name */
    assert_check(fixture, "10.0.0.13,10.0.0.12", "host2", "also that of host3");
    assert_check(fixture, "10.0.0.12", "host9", "if host2 is no host any more, run 'ceph config-key rm understudy/host/host2'");
    assert_check(fixture, "10.0.0.14", "host9", "also that of host4: correct the registry or storage_addrs");
    assert_check(fixture, "10.0.0.5", "host9", "of monitor a of the store");
    assert_check(fixture, "127.0.0.1", "host9", "to itself");
    assert_check(fixture, "0.0.0.0", "host9", "to itself");
    assert_check(fixture, "::1", "host9", "to itself");
    assert_check(fixture, "ff02::1", "host9", "to itself");
    g_hash_table_remove(fixture->site.hosts, "host1");
    assert_check(fixture, "10.0.0.11", "host9", "this host's own");
}

/* The blocklist ---------------------------------------------------------------------*/

static store_map_t *map_with(const char *entries)
{
    g_autofree char *json = g_strdup_printf("{\"epoch\":7,\"blocklist\":{%s},\"osds\":[]}", entries);
    store_map_t *map = store_map_parse(json, NULL, NULL);

    assert_non_null(map);
    return map;
}

static void assert_state(const fixture_t *fixture, const char *entries, fence_state_t expected)
{
    g_autoptr(fence_target_t) target = resolve(fixture, "host3", NULL);
    g_autoptr(store_map_t) map = map_with(entries);

    assert_int_equal(fence_state(map, target), expected);
}

static void test_state(void **state)
{
    assert_state(*state, "", FENCE_ON);
    assert_state(*state, "\"10.0.0.12:0/0\":\"x\"", FENCE_ON);
    assert_state(*state, "\"10.0.0.13:0/77\":\"x\"", FENCE_ON); /* one client of it, not the host */
    assert_state(*state, "\"10.0.0.13:0/0\":\"x\"", FENCE_MIXED);
    assert_state(*state, "\"10.0.0.13:0/0\":\"x\",\"[fd00::13]:0/0\":\"x\"", FENCE_OFF);
}

static void test_record(void **state)
{
    g_autoptr(fence_record_t) record = fence_record_new("host2");
    g_autoptr(fence_record_t) again = NULL;
    g_autofree char *json = NULL;

    (void) state;
    assert_true(fence_record_add(record, "10.0.0.12:0/0"));
    assert_false(fence_record_add(record, "10.0.0.12:0/0"));
    assert_true(fence_record_add(record, "10.0.0.12:0/77"));
    record->at_s = 1234;
    json = fence_record_json(record);
    again = fence_record_parse("host2", json, NULL);
    assert_non_null(again);
    assert_int_equal(again->entries->len, 2);
    assert_true(fence_record_has(again, "10.0.0.12:0/77"));
    assert_int_equal(again->at_s, 1234);
}

/* What a fence leaves when its host is let in: its address goes, its clients' entries stay until they are gone. */
static void test_record_of_a_host_that_is_let_in(void **state)
{
    g_autoptr(fence_record_t) record = fence_record_new("host2");
    g_autoptr(GPtrArray) listed = g_ptr_array_new();
    g_autoptr(GPtrArray) gone = NULL;
    g_autoptr(fence_record_t) again = NULL;
    g_autofree char *json = NULL;

    (void) state;
    g_free(record->boot_id);
    record->boot_id = g_strdup("boot-1");
    fence_record_add(record, "10.0.0.12:0/77");
    fence_record_add(record, "10.0.0.12:0/0");
    fence_record_add(record, "10.0.0.12:0/78");
    g_ptr_array_add(listed, (gpointer) "10.0.0.12:0/78");
    g_ptr_array_add(listed, (gpointer) "10.0.0.12:0/79"); /* a ghost that was refused with its whole address alone */
    fence_record_keep_clients(record, listed);
    assert_int_equal(record->entries->len, 1);
    assert_true(fence_record_has(record, "10.0.0.12:0/0"));
    assert_int_equal(record->clients->len, 3);

    json = fence_record_json(record);
    again = fence_record_parse("host2", json, NULL);
    assert_int_equal(again->clients->len, 3);
    assert_false(fence_record_may_shrink(again, "boot-1"));
    assert_false(fence_record_may_shrink(again, NULL));
    assert_true(fence_record_may_shrink(again, "boot-2"));

    gone = fence_record_take_gone(again, "boot-1", listed);
    assert_int_equal(gone->len, 0);
    g_ptr_array_unref(gone);
    gone = fence_record_take_gone(again, "boot-2", listed);
    assert_int_equal(gone->len, 1);
    assert_string_equal(g_ptr_array_index(gone, 0), "10.0.0.12:0/77");
    assert_int_equal(again->clients->len, 2);
}

/* What an image's agent or librbd has put on goes as well, once the boot has passed in which it was first seen. */
static void test_entries_of_others_go_with_their_boot(void **state)
{
    char *addresses[] = { (char *) "10.0.0.12", (char *) "fd00::12", NULL };
    const fence_target_t target = { .name = (char *) "host2", .addresses = addresses };
    g_autoptr(store_map_t) map = store_map_parse(
        "{\"epoch\":1,\"blocklist\":{\"10.0.0.12:0/0\":\"\",\"10.0.0.12:0/77\":\"\",\"[fd00::12]:0/78\":\"\","
        "\"10.0.0.11:0/79\":\"\",\"10.0.0.12:0/80\":\"\"},\"range_blocklist\":{\"10.0.0.12:0/24\":\"\"}}", NULL, NULL);
    g_autoptr(GPtrArray) found = fence_clients_in(map, &target);
    g_autoptr(fence_record_t) record = fence_record_new("host2");
    g_autoptr(GPtrArray) listed = g_ptr_array_new();
    g_autoptr(GPtrArray) gone = NULL;

    (void) state;
    assert_int_equal(found->len, 3);
    assert_int_equal(fence_record_note_clients(record, found, NULL), 0);
    assert_int_equal(fence_record_note_clients(record, found, "boot-1"), 3);
    assert_int_equal(fence_record_note_clients(record, found, "boot-2"), 0);
    assert_false(fence_record_may_shrink(record, "boot-1"));
    g_ptr_array_add(listed, (gpointer) "10.0.0.12:0/80");
    gone = fence_record_take_gone(record, "boot-2", listed);
    assert_int_equal(gone->len, 2);
    assert_int_equal(record->clients->len, 1);
}

/* Of a boot that nobody knows it can't be said that it is over. */
static void test_record_of_an_unknown_boot(void **state)
{
    g_autoptr(fence_record_t) record = fence_record_new("host2");
    g_autoptr(GPtrArray) listed = g_ptr_array_new();
    g_autoptr(GPtrArray) gone = NULL;

    (void) state;
    fence_record_add(record, "10.0.0.12:0/77");
    fence_record_keep_clients(record, listed);
    gone = fence_record_take_gone(record, "boot-2", listed);
    assert_int_equal(gone->len, 0);
    assert_int_equal(record->clients->len, 1);
}

static void test_record_refused(void **state)
{
    static const char *const texts[] = { "", "[]", "{\"entries\":[\"clear\"]}", "{\"entries\":[\"10.0.0.1\"]}",
                                         "{\"entries\":[],\"clients\":[{\"entry\":\"clear\"}]}",
                                         "{\"entries\":[],\"clients\":[{}]}", "{\"entries\":[],\"clients\":[7]}",
                                         "{\"entries\":[\"10.0.0.1:0/0\\\"}\"]}" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        GError *error = NULL;

        assert_null(fence_record_parse("host2", texts[i], &error));
        assert_non_null(error);
        g_error_free(error);
    }
}

/* Clients ------------------------------------------------------------------------------*/

static void client_add(GPtrArray *clients, const char *image, const char *ip, gboolean watches)
{
    store_client_t *client = g_new0(store_client_t, 1);

    client->image = (char *) image;
    client->ip = (char *) ip;
    client->address = g_strdup_printf("%s:0/%u", ip, clients->len + 1);
    client->watches = watches;
    g_ptr_array_add(clients, client);
}

static void client_free(gpointer data)
{
    store_client_t *client = data;

    g_free(client->address);
    g_free(client);
}

static void test_look(void **state)
{
    const fixture_t *fixture = *state;
    g_autoptr(GHashTable) nobody_refused = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func(client_free);
    g_autoptr(fence_target_t) target = resolve(fixture, "host2", NULL);
    g_autoptr(fence_look_t) look = NULL;

    client_add(clients, "vm/run-db1-0", "10.0.0.12", TRUE);  /* watches */
    client_add(clients, "vm/run-db2-0", "10.0.0.12", FALSE); /* only holds the lock */
    client_add(clients, "vm/run-db3-0", "10.0.0.13", TRUE);  /* another host's */
    client_add(clients, "vm/db3", "10.0.0.99", TRUE);        /* a stranger, but no run image */
    client_add(clients, "vm/run-db4-0", "10.0.0.99", TRUE);  /* a stranger */
    client_add(clients, "vm/run-db5-0", "10.0.0.98", FALSE); /* a stranger's old lock */
    look = fence_look_judge(&fixture->site, target, clients, nobody_refused);
    assert_int_equal(look->watching->len, 1);
    assert_string_equal(g_ptr_array_index(look->watching, 0), "vm/run-db1-0 from 10.0.0.12:0/1");
    assert_int_equal(look->instances->len, 2);
    assert_int_equal(look->strangers->len, 1);
    assert_string_equal(g_ptr_array_index(look->strangers, 0), "vm/run-db4-0 from 10.0.0.99:0/5");
}

/* A watcher that the store refuses stays listed for ever: it is nobody's sign of life, and its address is kept. */
static void test_look_at_ghosts(void **state)
{
    const fixture_t *fixture = *state;
    g_autoptr(store_map_t) map = map_with("\"10.0.0.12:0/0\":\"x\",\"10.0.0.99:0/3\":\"x\"");
    g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func(client_free);
    g_autoptr(fence_target_t) target = resolve(fixture, "host2", NULL);
    g_autoptr(fence_look_t) look = NULL;

    client_add(clients, "vm/run-db1-0", "10.0.0.12", TRUE);  /* the target's, refused with all of its address */
    client_add(clients, "vm/run-db2-0", "10.0.0.12", FALSE); /* a lock that it held */
    client_add(clients, "vm/run-db3-0", "10.0.0.99", TRUE);  /* a stranger, refused exactly */
    client_add(clients, "vm/run-db4-0", "10.0.0.99", TRUE);  /* a stranger that could write */
    look = fence_look_judge(&fixture->site, target, clients, map->blocklist);
    assert_int_equal(look->watching->len, 0);
    assert_int_equal(look->instances->len, 2);
    assert_int_equal(look->ghosts->len, 2);
    assert_int_equal(look->listed->len, 1);
    assert_string_equal(g_ptr_array_index(look->listed, 0), "10.0.0.12:0/1");
    assert_string_equal(g_ptr_array_index(look->ghosts, 0), "vm/run-db1-0 from 10.0.0.12:0/1");
    assert_int_equal(look->strangers->len, 1);
    assert_string_equal(g_ptr_array_index(look->strangers, 0), "vm/run-db4-0 from 10.0.0.99:0/4");
}

/* Unfencing -------------------------------------------------------------------------------*/

/* Records as they are kept: pairs of key and JSON. */
static fence_records_t *records_of(const char *const *pairs)
{
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);

    for (; *pairs != NULL; pairs += 2) {
        g_hash_table_insert(values, (gpointer) pairs[0], (gpointer) pairs[1]);
    }
    return fence_records_parse("host2", values);
}

#define FENCE(id, boot, more) "{\"id\":\"" id "\",\"boot_id\":\"" boot "\",\"entries\":[\"10.0.0.12:0/0\"]" more "}"

static void assert_lift(const fixture_t *fixture, const char *record_boot_id, fence_state_t state, fence_lift_t expected)
{
    g_autoptr(fence_target_t) target = resolve(fixture, "host2", NULL);
    g_autofree char *json = record_boot_id != NULL ? g_strdup_printf(FENCE("f", "%s", ""), record_boot_id) : NULL;
    g_autoptr(fence_records_t) records = records_of((const char *[]) { json != NULL ? "host2/1" : NULL, json, NULL });

    assert_int_equal(fence_lift_decide(records, target, state), expected);
}

static void test_lift(void **state)
{
    assert_lift(*state, NULL, FENCE_ON, FENCE_LIFT_NOTHING);
    assert_lift(*state, NULL, FENCE_OFF, FENCE_LIFT_FOREIGN);
    assert_lift(*state, NULL, FENCE_MIXED, FENCE_LIFT_FOREIGN);
    assert_lift(*state, "boot-0", FENCE_OFF, FENCE_LIFT_NEW_BOOT);
    assert_lift(*state, "boot-1", FENCE_OFF, FENCE_LIFT_EMPTY_HOST);
    assert_lift(*state, "", FENCE_OFF, FENCE_LIFT_EMPTY_HOST);      /* not known then: not proved now */
    assert_lift(*state, "boot-1", FENCE_ON, FENCE_LIFT_EMPTY_HOST); /* killed after the entries had gone */
}

/* What is left of an earlier fence is no fence. */
static void test_lift_of_a_record_of_clients(void **state)
{
    static const char *const pairs[] = { "host2", "{\"entries\":[],\"clients\":[{\"entry\":\"10.0.0.12:0/77\"}]}", NULL };
    g_autoptr(fence_target_t) target = resolve(*state, "host2", NULL);
    g_autoptr(fence_records_t) records = records_of(pairs);

    assert_int_equal(fence_lift_decide(records, target, FENCE_ON), FENCE_LIFT_NOTHING);
    assert_int_equal(fence_lift_decide(records, target, FENCE_OFF), FENCE_LIFT_FOREIGN);
}

/* Two hosts have fenced it at once, or an earlier version has: each fence must be over. */
static void test_lift_of_two_fences(void **state)
{
    static const char *const pairs[] = { "host2", FENCE("a", "boot-0", ""), "host2/1", FENCE("b", "boot-1", ""),
                                         "host22/1", FENCE("c", "boot-1", ""), NULL };
    static const char *const over[] = { "host2", FENCE("a", "boot-0", ""), "host2/1", FENCE("b", "boot-0", ""), NULL };
    g_autoptr(fence_target_t) target = resolve(*state, "host2", NULL);
    g_autoptr(fence_records_t) records = records_of(pairs);
    g_autoptr(fence_records_t) ended = records_of(over);

    assert_int_equal(records->keys->len, 2);
    assert_int_equal(fence_lift_decide(records, target, FENCE_OFF), FENCE_LIFT_EMPTY_HOST);
    assert_int_equal(fence_lift_decide(ended, target, FENCE_OFF), FENCE_LIFT_NEW_BOOT);
    assert_false(fence_host_is_empty(records, target));
    target->empty_fences = g_strsplit("a", " ", -1);
    assert_false(fence_host_is_empty(records, target));
    g_strfreev(target->empty_fences);
    target->empty_fences = g_strsplit("z b", " ", -1);
    assert_true(fence_host_is_empty(records, target)); /* of the other one it has booted since */
}

/* What a later fence has taken in is proved with it, even if it can't be read. */
static void test_a_fence_that_has_taken_others_in(void **state)
{
    static const char *const pairs[] = { "host2/1", FENCE("a", "boot-1", ""), "host2/2", "no record",
                                         "host2/3", FENCE("b", "boot-0", ",\"before\":[\"host2/1\",\"host2/2\",\"host2/3\"]"),
                                         NULL };
    static const char *const bad[] = { "host2/1", FENCE("a", "boot-1", ""), "host2/2", "no record", NULL };
    g_autoptr(fence_target_t) target = resolve(*state, "host2", NULL);
    g_autoptr(fence_records_t) records = records_of(pairs);
    g_autoptr(fence_records_t) unreadable = records_of(bad);
    g_autoptr(fence_record_t) next = fence_records_merge(records, NULL);
    g_autoptr(GPtrArray) newer = fence_records_newer(records, unreadable);
    g_autoptr(GPtrArray) ended = fence_records_newer(unreadable, records);

    assert_null(records->unreadable);
    assert_non_null(strstr(unreadable->unreadable, "host2/2"));
    assert_int_equal(records->keys->len, 3);
    assert_int_equal(records->superseded->len, 2);
    assert_int_equal(fence_lift_decide(records, target, FENCE_OFF), FENCE_LIFT_NEW_BOOT);
    assert_int_equal(newer->len, 1); /* it has begun since */
    assert_int_equal(ended->len, 0); /* it is there still */
    fence_record_take_in(next, records);
    assert_int_equal(next->before->len, 1);
    assert_string_equal(g_ptr_array_index(next->before, 0), "host2/3");
    assert_string_equal(next->boot_id, "boot-0");
    assert_true(fence_record_has(next, "10.0.0.12:0/0"));
}

/* Hosts are upgraded one by one: the one that fences may be of an earlier version, which knows one record of each host. */
static void test_a_fence_that_an_earlier_version_has_written_over_another(void **state)
{
    static const char *const first[] = { "host2", FENCE("a", "boot-1", ""), NULL };
    static const char *const second[] = { "host2", FENCE("b", "boot-1", ""), NULL };
    g_autoptr(fence_records_t) then = records_of(first);
    g_autoptr(fence_records_t) now = records_of(second);
    g_autoptr(GPtrArray) begun = fence_records_newer(now, then);
    g_autoptr(GPtrArray) ended = fence_records_newer(then, now);
    g_autoptr(GPtrArray) same = fence_records_newer(now, now);

    (void) state;
    assert_int_equal(begun->len, 1);
    assert_int_equal(ended->len, 1);
    assert_int_equal(same->len, 0);
}

/* Single clients keep the boot that they were of, whatever else was fenced since. */
static void test_records_are_merged(void **state)
{
    static const char *const pairs[] = {
        "host2/1", "{\"id\":\"a\",\"boot_id\":\"boot-0\",\"entries\":[\"10.0.0.12:0/0\",\"10.0.0.12:0/7\"]}",
        "host2/2", "{\"id\":\"b\",\"boot_id\":\"boot-1\",\"entries\":[\"10.0.0.12:0/0\",\"10.0.0.12:0/8\"]}",
        "host2/3", "{\"entries\":[],\"clients\":[{\"entry\":\"10.0.0.12:0/9\",\"boot_id\":\"boot-9\"}]}", NULL };
    g_autoptr(fence_records_t) records = records_of(pairs);
    g_autoptr(fence_record_t) merged = fence_records_merge(records, "boot-2");
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    g_autoptr(GPtrArray) gone = NULL;
    g_autoptr(fence_record_t) rest = NULL;

    (void) state;
    assert_string_equal(merged->boot_id, "boot-2");
    assert_int_equal(merged->entries->len, 3);
    fence_record_keep_boots(merged, records);
    fence_record_keep_clients(merged, none);
    assert_int_equal(merged->entries->len, 1);
    assert_int_equal(merged->clients->len, 3);
    rest = fence_record_rest(merged);
    assert_int_equal(rest->entries->len, 0);
    gone = fence_record_take_gone(rest, "boot-1", none);
    assert_int_equal(gone->len, 2);
    assert_string_equal(((fence_client_t *) g_ptr_array_index(rest->clients, 0))->entry, "10.0.0.12:0/8");
}

/* Only the host itself can say it, and only of this very fence. */
static void test_a_hosts_own_word(void **state)
{
    static const char *const pairs[] = { "host2/1", "{\"id\":\"f2\",\"entries\":[\"10.0.0.12:0/0\"]}", NULL };
    static const char *const nameless[] = { "host2/1", "{\"id\":\"\",\"entries\":[\"10.0.0.12:0/0\"]}", NULL };
    g_autoptr(fence_target_t) target = resolve(*state, "host2", NULL);
    g_autoptr(fence_records_t) records = records_of(pairs);
    g_autoptr(fence_records_t) none = records_of(nameless);
    g_autoptr(fence_record_t) old = fence_record_parse("host2", "{\"by\":\"host1\",\"at\":12,\"entries\":[]}", NULL);
    const fence_record_t *record = g_ptr_array_index(records->records, 0);

    assert_false(fence_host_is_empty(records, target));
    target->empty_fences = g_strsplit("f1", " ", -1);
    assert_false(fence_host_is_empty(records, target));
    g_strfreev(target->empty_fences);
    target->empty_fences = g_strsplit("f2", " ", -1);
    assert_true(fence_host_is_empty(records, target));
    assert_int_equal(record->start_timeout_s, 120);
    /* A record without an id has one all the same. */
    assert_string_equal(old->id, "host1 12");
    g_free(target->empty_fences[0]);
    target->empty_fences[0] = g_strdup("");
    assert_false(fence_host_is_empty(none, target));
}

/* Confirmation --------------------------------------------------------------------------------*/

static void test_evidence(void **state)
{
    static const plane_t planes[] = { PLANE_SILENT, PLANE_ALIVE, PLANE_BLIND };

    (void) state;
    for (gsize m = 0; m < G_N_ELEMENTS(planes); m++) {
        for (gsize l = 0; l < G_N_ELEMENTS(planes); l++) {
            for (gsize s = 0; s < G_N_ELEMENTS(planes); s++) {
                const fence_evidence_t evidence = { planes[m], planes[l], planes[s], "corosync", "libvirt", "store" };
                GError *error = NULL;
                gboolean is_death = fence_evidence_is_death(&evidence, &error);

                assert_int_equal(is_death, m == 0 && l == 0 && s == 0);
                assert_int_equal(error == NULL, is_death);
                assert_true(is_death || (strstr(error->message, "corosync") != NULL) == (m != 0));
                g_clear_error(&error);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_map_refused),
        cmocka_unit_test_setup_teardown(test_target_from_registry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_target_from_map, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_target_from_alias, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_target_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_target_contradicted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_target_checks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_state, set_up, tear_down),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_record_of_a_host_that_is_let_in),
        cmocka_unit_test(test_entries_of_others_go_with_their_boot),
        cmocka_unit_test(test_record_of_an_unknown_boot),
        cmocka_unit_test(test_record_refused),
        cmocka_unit_test_setup_teardown(test_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_look_at_ghosts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lift, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lift_of_a_record_of_clients, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lift_of_two_fences, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_fence_that_has_taken_others_in, set_up, tear_down),
        cmocka_unit_test(test_a_fence_that_an_earlier_version_has_written_over_another),
        cmocka_unit_test(test_records_are_merged),
        cmocka_unit_test_setup_teardown(test_a_hosts_own_word, set_up, tear_down),
        cmocka_unit_test(test_evidence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
