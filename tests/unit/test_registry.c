/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "base/json_read.h"
#include "store/registry.h"
#include "store/store_map.h"

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

/* Publishing, to a config-key store that is a table ------------------------------*/

static GHashTable *keys;
static guint opened_count;
static gboolean dump_is_silent;

store_t *__wrap_store_open(const store_options_t *options, GError **error);
void __wrap_store_close(store_t *store);
char *__wrap_store_own_address(store_t *store, GError **error);
char *__wrap_store_monitor_ask(store_t *store, const char *command_json, GError **error);

store_t *__wrap_store_open(const store_options_t *options, GError **error)
{
    static char store;

    (void) options;
    (void) error;
    opened_count++;
    return (store_t *) &store;
}

void __wrap_store_close(store_t *store)
{
    (void) store;
}

char *__wrap_store_own_address(store_t *store, GError **error)
{
    (void) store;
    (void) error;
    return g_strdup("10.0.2.11:0/4711");
}

static char *dump(GError **error)
{
    g_autoptr(JsonObject) object = json_object_new();
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    GHashTableIter iter;
    gpointer key = NULL;
    gpointer value = NULL;

    if (dump_is_silent) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "the monitors: no answer");
        return NULL;
    }
    g_hash_table_iter_init(&iter, keys);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        json_object_set_string_member(object, key, value);
    }
    json_node_set_object(node, object);
    return json_to_string(node, FALSE);
}

char *__wrap_store_monitor_ask(store_t *store, const char *command_json, GError **error)
{
    g_autoptr(JsonObject) command = json_read_object_text(command_json, "a command", NULL);

    (void) store;
    if (strcmp(json_read_string(command, "prefix"), "config-key dump") == 0) {
        return dump(error);
    }
    assert_string_equal(json_read_string(command, "prefix"), "config-key set");
    g_hash_table_insert(keys, g_strdup(json_read_string(command, "key")), g_strdup(json_read_string(command, "val")));
    return g_strdup("");
}

#define OLD_KEY   REGISTRY_HOST_PREFIX "old1"
#define OLD_ENTRY "{\"name\":\"old1\",\"store_addresses\":[\"10.0.2.11\"],\"boot_id\":\"b\"}"

static int publishing_begin(void **state)
{
    (void) state;
    keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_insert(keys, g_strdup(REGISTRY_HOST_PREFIX "host2"),
                        g_strdup("{\"name\":\"host2\",\"store_addresses\":[\"10.0.2.12\"]}"));
    opened_count = 0;
    dump_is_silent = FALSE;
    (void) g_unlink(NOTE_DIR "/registry");
    return 0;
}

static int publishing_end(void **state)
{
    (void) state;
    (void) g_unlink(NOTE_DIR "/registry");
    (void) g_rmdir(NOTE_DIR);
    g_hash_table_unref(keys);
    return 0;
}

static char *publish(gboolean always)
{
    g_autoptr(GError) error = NULL;
    char *double_text = NULL;

    assert_true(registry_publish("host1", NULL, always, &double_text, &error));
    return double_text;
}

/* Once, if nothing is the matter. */
static void test_publish(void **state)
{
    g_autofree char *first = publish(FALSE);
    g_autofree char *second = publish(FALSE);
    const char *entry = g_hash_table_lookup(keys, REGISTRY_HOST_PREFIX "host1");

    (void) state;
    assert_null(first);
    assert_null(second);
    assert_int_equal(opened_count, 1);
    assert_non_null(strstr(entry, "\"10.0.2.11\""));
}

/* This host was old1 once, or has taken its place: said until that entry is gone, which only an operator may remove. */
static void test_publish_beside_an_old_name(void **state)
{
    g_autofree char *alone = publish(FALSE);

    (void) state;
    assert_null(alone);
    g_hash_table_insert(keys, g_strdup(OLD_KEY), g_strdup(OLD_ENTRY));
    for (guint i = 0; i < 3; i++) {
        g_autofree char *text = publish(i == 0);

        assert_non_null(strstr(text, "'ceph config-key rm " OLD_KEY "'"));
        assert_non_null(strstr(text, "10.0.2.11 of host1"));
        assert_string_equal(g_hash_table_lookup(keys, OLD_KEY), OLD_ENTRY);
        assert_non_null(g_hash_table_lookup(keys, REGISTRY_HOST_PREFIX "host1"));
    }
    g_hash_table_remove(keys, OLD_KEY);
    alone = publish(FALSE);
    assert_null(alone);
    alone = publish(FALSE);
    assert_int_equal(opened_count, 5);
}

/* Who else has the address is not known: asked again. */
static void test_publish_unseen(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    (void) state;
    dump_is_silent = TRUE;
    assert_false(registry_publish("host1", NULL, FALSE, NULL, &error));
    assert_non_null(error);
    g_hash_table_insert(keys, g_strdup(OLD_KEY), g_strdup(OLD_ENTRY));
    dump_is_silent = FALSE;
    text = publish(FALSE);
    assert_non_null(text);
}

static void test_double(void **state)
{
    g_autoptr(GHashTable) hosts = NULL;
    g_autofree char *of_new = NULL;
    g_autofree char *of_old = NULL;

    (void) state;
    g_hash_table_insert(keys, g_strdup(OLD_KEY), g_strdup(OLD_ENTRY));
    g_hash_table_insert(keys, g_strdup(REGISTRY_HOST_PREFIX "host1"),
                        g_strdup("{\"name\":\"host1\",\"store_addresses\":[\"10.0.3.11\",\"10.0.2.11\"]}"));
    g_hash_table_insert(keys, g_strdup(REGISTRY_HOST_PREFIX "host3"), g_strdup("nonsense"));
    hosts = registry_hosts_read(NULL, NULL);
    assert_int_equal(g_hash_table_size(hosts), 3);
    of_new = registry_double_text(hosts, "host1");
    assert_true(g_str_has_prefix(of_new, "old1 has published the storage address 10.0.2.11 of host1, too"));
    of_old = registry_double_text(hosts, "old1");
    assert_true(g_str_has_prefix(of_old, "host1 has published the storage address 10.0.2.11 of old1, too"));
    assert_null(registry_double_text(hosts, "host2"));
    assert_null(registry_double_text(hosts, "host3"));
}

#define PUBLISHING(function) cmocka_unit_test_setup_teardown(function, publishing_begin, publishing_end)

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
        PUBLISHING(test_publish),
        PUBLISHING(test_publish_beside_an_old_name),
        PUBLISHING(test_publish_unseen),
        PUBLISHING(test_double),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
