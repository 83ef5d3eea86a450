/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"
#include "registry.h"
#include "store_map.h"

static void test_host_round_trip(void **state)
{
    GError *error = NULL;
    g_autoptr(registry_host_t) host =
        registry_host_parse("h1", "{\"name\":\"h1\",\"store_addresses\":[\"10.0.0.1\",\"fd00::1\"],"
                                  "\"boot_id\":\"b\",\"at\":12}", &error);
    g_autofree char *json = NULL;
    g_autoptr(registry_host_t) again = NULL;

    (void) state;
    assert_null(error);
    json = registry_host_json(host);
    again = registry_host_parse("h1", json, &error);
    assert_null(error);
    assert_string_equal(again->store_addresses[1], "fd00::1");
    assert_string_equal(again->boot_id, "b");
    assert_int_equal(again->at_s, 12);
}

/* An octal escape makes a byte that is no UTF-8, and what is written of it could not be read again. */
static void test_host_with_a_bad_string(void **state)
{
    static const char boot_id[] = "{\"name\":\"host1\",\"store_addresses\":[\"10.0.0.11\"],\"boot_id\":\"7c\\667\",\"at\":1}";
    static const char address[] = "{\"name\":\"host1\",\"store_addresses\":[\"10.0.0.11\",\"\\667\"],\"at\":1}";
    g_autoptr(registry_host_t) host = registry_host_parse("host1", boot_id, NULL);

    (void) state;
    assert_non_null(host);
    assert_null(host->boot_id);
    /* An address that was left out would not be fenced. */
    assert_null(registry_host_parse("host1", address, NULL));
}

static void test_host_refused(void **state)
{
    static const char *const texts[] = {
        "", "x", "[]", "{}", "{\"name\":\"h2\",\"store_addresses\":[\"10.0.0.1\"]}",
        "{\"name\":\"h1\",\"store_addresses\":[]}", "{\"name\":\"h1\",\"store_addresses\":\"10.0.0.1\"}",
        "{\"name\":\"h1\",\"store_addresses\":[\"store1\"]}", "{\"name\":\"h1\",\"store_addresses\":[\"10.0.0.1:0/0\"]}",
        "{\"name\":\"h1\",\"store_addresses\":[\"10.0.0.0/24\"]}", "{\"name\":7,\"store_addresses\":[7]}",
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        GError *error = NULL;

        assert_null(registry_host_parse("h1", texts[i], &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        assert_non_null(strstr(error->message, "understudy/host/h1"));
        g_error_free(error);
    }
}

/* A host may have been fenced by two at once; an earlier version knows the first one. */
static void test_a_hosts_word_of_its_fences(void **state)
{
    g_autoptr(registry_host_t) old = registry_host_parse(
        "h1", "{\"name\":\"h1\",\"store_addresses\":[\"10.0.0.1\"],\"empty_fence\":\"host1 12\"}", NULL);
    g_autoptr(registry_host_t) again = NULL;
    g_autoptr(registry_host_t) copy = NULL;
    g_autofree char *json = NULL;

    (void) state;
    assert_int_equal(g_strv_length(old->empty_fences), 1);
    assert_string_equal(old->empty_fences[0], "host1 12");
    g_strfreev(old->empty_fences);
    old->empty_fences = g_strsplit("a,b", ",", -1);
    json = registry_host_json(old);
    assert_non_null(strstr(json, "\"empty_fence\":\"a\""));
    again = registry_host_parse("h1", json, NULL);
    copy = registry_host_copy(again);
    assert_int_equal(g_strv_length(copy->empty_fences), 2);
    assert_string_equal(copy->empty_fences[1], "b");
}

#define ENTRIES ",\"entries\":[\"10.0.0.12:0/0\"]}"

/* What an earlier version has recorded, two fences at once, what one has taken in, and what is over. */
static void test_the_fences_of_a_host(void **state)
{
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) fences = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) hosts = NULL;

    (void) state;
    g_hash_table_insert(values, (gpointer) "host2", (gpointer) "{\"id\":\"old\"" ENTRIES);
    g_hash_table_insert(values, (gpointer) "host2/1", (gpointer) "{\"id\":\"a\"" ENTRIES);
    g_hash_table_insert(values, (gpointer) "host2/2", (gpointer) "{\"id\":\"b\",\"before\":[\"host2/1\",\"host2/2\"]" ENTRIES);
    g_hash_table_insert(values, (gpointer) "host2/3", (gpointer) "{\"id\":\"c\",\"entries\":[]}");
    g_hash_table_insert(values, (gpointer) "host22/1", (gpointer) "{\"id\":\"d\"" ENTRIES);
    g_hash_table_insert(values, (gpointer) "host3/1", (gpointer) "{\"id\":\"e\",\"entries\":[]}");
    fences = registry_fences_in_force(values, "host2", NULL);
    assert_int_equal(fences->len, 2);
    assert_string_equal(((registry_fence_t *) g_ptr_array_index(fences, 0))->id, "old");
    assert_string_equal(((registry_fence_t *) g_ptr_array_index(fences, 1))->id, "b");
    hosts = registry_fenced_hosts(values);
    assert_int_equal(g_strv_length(hosts), 2);
    assert_true(g_strv_contains((const char *const *) hosts, "host2") && g_strv_contains((const char *const *) hosts, "host22"));

    g_hash_table_insert(values, (gpointer) "host2/4", (gpointer) "no record");
    assert_null(registry_fences_in_force(values, "host2", &error));
    assert_non_null(strstr(error->message, "host2/4"));
}

static void test_dump(void **state)
{
    GError *error = NULL;
    g_autoptr(GHashTable) values = config_key_dump_parse(
        "{\"understudy/host/a\":\"1\",\"understudy/hostile\":\"2\",\"understudy/host/b\":3}", REGISTRY_HOST_PREFIX, &error);

    (void) state;
    assert_null(error);
    assert_int_equal(g_hash_table_size(values), 1);
    assert_string_equal(g_hash_table_lookup(values, "a"), "1");
    assert_null(config_key_dump_parse("[]", "", &error));
    assert_non_null(error);
    g_error_free(error);
}

static const char osd_dump[] =
    "{\"epoch\":15,\"osds\":[{\"osd\":3,\"public_addrs\":{\"addrvec\":[{\"type\":\"v2\",\"addr\":\"10.0.0.5:6800\","
    "\"nonce\":1}]},\"cluster_addrs\":{\"addrvec\":[{\"addr\":\"10.0.1.5:6802\"}]}}],"
    "\"blocklist\":{\"10.0.0.12:0/0\":\"2031-11-21T04:58:13.218758+0000\",\"10.0.0.9:0/7\":\"soon\"},"
    "\"range_blocklist\":{\"10.1.0.0:0/24\":\"2031-11-21T04:58:13.218758+0000\"}}";
static const char mon_dump[] =
    "{\"mons\":[{\"name\":\"a\",\"public_addrs\":{\"addrvec\":[{\"addr\":\"10.0.0.6:3300\"},{\"addr\":\"[fd00::6]:6789\"}]}}]}";

static void test_map(void **state)
{
    GError *error = NULL;
    g_autoptr(store_map_t) map = store_map_parse(osd_dump, mon_dump, &error);

    (void) state;
    assert_null(error);
    assert_int_equal(map->epoch, 15);
    assert_int_equal(g_hash_table_size(map->blocklist), 3);
    assert_string_equal(g_hash_table_lookup(map->daemon_ips, "10.0.0.5"), "osd.3");
    assert_string_equal(g_hash_table_lookup(map->daemon_ips, "10.0.1.5"), "osd.3");
    assert_string_equal(g_hash_table_lookup(map->daemon_ips, "10.0.0.6"), "monitor a");
    assert_string_equal(g_hash_table_lookup(map->daemon_ips, "fd00::6"), "monitor a");
    assert_int_equal(store_map_entry_until_s(map, "10.0.0.12:0/0"), 1953003493);
    assert_int_equal(store_map_entry_until_s(map, "10.0.0.9:0/7"), 0);
    assert_int_equal(store_map_entry_until_s(map, "10.0.0.1:0/0"), 0);
}

static void test_map_full_pools(void **state)
{
    static const char text[] = "{\"epoch\":1,\"blocklist\":{},\"pools\":["
                               "{\"pool_name\":\"vm\",\"flags_names\":\"hashpspool,selfmanaged_snaps\"},"
                               "{\"pool_name\":\"q\",\"flags_names\":\"hashpspool,full,full_quota\"},"
                               "{\"pool_name\":\"f\",\"flags_names\":\"full\"},{\"flags_names\":\"full\"},{}]}";
    g_autoptr(store_map_t) map = store_map_parse(text, NULL, NULL);

    (void) state;
    assert_int_equal(g_hash_table_size(map->full_pools), 2);
    assert_non_null(strstr(g_hash_table_lookup(map->full_pools, "q"), "quota"));
    assert_non_null(strstr(g_hash_table_lookup(map->full_pools, "f"), "OSDs"));
}

/* An answer that says nothing of the blocklist must not pass for an empty one. */
static void test_map_refused(void **state)
{
    static const char *const texts[] = { "", "{}", "{\"epoch\":1}", "{\"blocklist\":{}}",
                                         "{\"epoch\":0,\"blocklist\":{}}", "{\"epoch\":1,\"blocklist\":[]}" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        GError *error = NULL;

        assert_null(store_map_parse(texts[i], NULL, &error));
        assert_non_null(error);
        g_error_free(error);
    }
    assert_null(store_map_parse(osd_dump, "{}", NULL));
}

static void test_what_was_seen_of_a_server_has_a_key_of_its_own(void **state)
{
    g_autofree char *key = registry_seen_key("db1");
    g_autofree char *server = registry_seen_server(key + strlen(REGISTRY_SERVER_PREFIX));
    g_autofree char *other = registry_seen_server("db1/something");
    g_autofree char *bad = registry_seen_server("a=b c/probes-seen");

    (void) state;
    assert_string_equal(key, "understudy/server/db1/probes-seen"); /* below what the caps allow */
    assert_string_equal(server, "db1");
    assert_null(other);
    assert_null(bad);
    assert_true(registry_digest_is_valid("0123456789abcdef"));
    assert_false(registry_digest_is_valid(""));
    assert_false(registry_digest_is_valid("0123 db2=4567"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_seen_of_a_server_has_a_key_of_its_own),
        cmocka_unit_test(test_host_round_trip), cmocka_unit_test(test_host_with_a_bad_string),
        cmocka_unit_test(test_host_refused),    cmocka_unit_test(test_dump),
        cmocka_unit_test(test_map),             cmocka_unit_test(test_map_refused),
        cmocka_unit_test(test_map_full_pools),
        cmocka_unit_test(test_a_hosts_word_of_its_fences),
        cmocka_unit_test(test_the_fences_of_a_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
