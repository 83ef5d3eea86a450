/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fencings and unfencings of one host that overlap, at a store that is made of tables: one of them stands still before each
 * of its operations in turn, while others are carried out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include <json-glib/json-glib.h>

#include "base/error.h"
#include "base/module.h"
#include "fence_private.h"

#define WHOLE "10.0.2.12:0/0"
#define CLIENT "10.0.2.12:0/7"

/* The store ------------------------------------------------------------------------*/

static GHashTable *keys;      /* char* -> char*: the config-key store */
static GHashTable *blocklist; /* char*: entries, all of them to last */
static GMutex lock;           /* of both: entries are asked for in threads */
static char *boot_id;         /* what host2 has published */
static gboolean says_empty;   /* host2 says of each fence, as soon as there is one, that nothing is left since */
static char **said_empty;     /* NULL, or of these alone */

/* What happens while the first action stands still. */
typedef void (*overlap_fn)(void);
static overlap_fn overlap;    /* NULL: nothing more */
static int stop_at;           /* before this operation of its */

static guint anew_count;      /* fences that have begun anew */
static gboolean is_let_in;    /* an unfencing has succeeded: images may be started on host2 */
static guint harmed_count;    /* domains that were destroyed all the same */

static void operation(void)
{
    overlap_fn now = NULL;

    g_mutex_lock(&lock);
    if (overlap != NULL && stop_at-- == 0) {
        now = overlap;
        overlap = NULL;
    }
    g_mutex_unlock(&lock);
    if (now != NULL) {
        now();
    }
}

store_t *__wrap_store_open(const store_options_t *options, GError **error);
void __wrap_store_close(store_t *store);
char *__wrap_store_own_address(store_t *store, GError **error);
gboolean __wrap_store_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error);
gboolean __wrap_store_blocklist_remove(store_t *store, const char *address, GError **error);
char *__wrap_store_monitor_ask(store_t *store, const char *command_json, GError **error);
gboolean __wrap_store_osd_map_wait(store_t *store, GError **error);
store_pool_watch_t *__wrap_store_pool_watch_open(store_t *store, const char *const *pools, GError **error);
void __wrap_store_pool_watch_close(store_pool_watch_t *watch);
guint __wrap_store_pool_watch_count(const store_pool_watch_t *watch);
GPtrArray *__wrap_store_pool_watch_look(store_pool_watch_t *watch, guint *refused_count, GError **error);
const planes_ops_t *__wrap_planes_load(GError **error);
MODULE_EXPORT void __wrap_g_usleep(gulong microseconds); /* GLib asks for it as well */

store_t *__wrap_store_open(const store_options_t *options, GError **error)
{
    (void) options;
    (void) error;
    return (store_t *) &keys;
}

void __wrap_store_close(store_t *store)
{
    (void) store;
}

char *__wrap_store_own_address(store_t *store, GError **error)
{
    (void) store;
    (void) error;
    return g_strdup("10.0.2.11:0/1");
}

gboolean __wrap_store_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error)
{
    (void) store;
    (void) duration_s;
    (void) error;
    operation();
    g_mutex_lock(&lock);
    g_hash_table_add(blocklist, g_strdup(address));
    g_mutex_unlock(&lock);
    return TRUE;
}

gboolean __wrap_store_blocklist_remove(store_t *store, const char *address, GError **error)
{
    (void) store;
    (void) error;
    operation();
    g_mutex_lock(&lock);
    g_hash_table_remove(blocklist, address);
    g_mutex_unlock(&lock);
    return TRUE;
}

static char *osd_dump(void)
{
    g_autoptr(GString) text = g_string_new("{\"epoch\":1,\"blocklist\":{");
    GHashTableIter iter;
    gpointer entry = NULL;
    const char *comma = "";

    g_hash_table_iter_init(&iter, blocklist);
    while (g_hash_table_iter_next(&iter, &entry, NULL)) {
        g_string_append_printf(text, "%s\"%s\":\"2099-01-01T00:00:00.000000+0000\"", comma, (char *) entry);
        comma = ",";
    }
    g_string_append(text, "}}");
    return g_strdup(text->str);
}

/* What host2 publishes at this moment. */
static void host_publish(void)
{
    registry_host_t *host = g_new0(registry_host_t, 1);
    GStrvBuilder *ids = g_strv_builder_new();

    host->name = g_strdup("host2");
    host->store_addresses = g_strsplit("10.0.2.12", ",", -1);
    host->boot_id = g_strdup(boot_id);
    if (says_empty) {
        GHashTableIter iter;
        gpointer key = NULL;
        gpointer json = NULL;

        g_hash_table_iter_init(&iter, keys);
        while (g_hash_table_iter_next(&iter, &key, &json)) {
            registry_fence_t *fence = g_str_has_prefix(key, REGISTRY_FENCE_PREFIX) ? registry_fence_parse(key, json, NULL) : NULL;

            if (fence != NULL) {
                g_strv_builder_add(ids, fence->id);
                registry_fence_free(fence);
            }
        }
    }
    host->empty_fences = said_empty != NULL ? g_strdupv(said_empty) : g_strv_builder_end(ids);
    g_strv_builder_unref(ids);
    g_hash_table_insert(keys, g_strdup(REGISTRY_HOST_PREFIX "host2"), registry_host_json(host));
    registry_host_free(host);
}

static char *dump(const char *prefix)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    GHashTableIter iter;
    gpointer key = NULL;
    gpointer value = NULL;

    json_builder_begin_object(builder);
    g_hash_table_iter_init(&iter, keys);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        if (g_str_has_prefix(key, prefix)) {
            json_builder_set_member_name(builder, key);
            json_builder_add_string_value(builder, value);
        }
    }
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    return json_to_string(root, FALSE);
}

static char *key_command(JsonObject *command, const char *prefix)
{
    const char *key = json_object_get_string_member(command, "key");

    if (strcmp(prefix, "config-key dump") == 0) {
        host_publish();
        return dump(key);
    }
    if (strcmp(prefix, "config-key set") == 0) {
        g_hash_table_insert(keys, g_strdup(key), g_strdup(json_object_get_string_member(command, "val")));
    } else if (strcmp(prefix, "config-key rm") == 0) {
        g_hash_table_remove(keys, key);
    } else {
        fail_msg("%s is not known here", prefix);
    }
    return g_strdup("");
}

char *__wrap_store_monitor_ask(store_t *store, const char *command_json, GError **error)
{
    g_autoptr(JsonNode) root = json_from_string(command_json, NULL);
    JsonObject *command = json_node_get_object(root);
    const char *prefix = json_object_get_string_member(command, "prefix");
    char *answer = NULL;

    (void) store;
    (void) error;
    operation();
    g_mutex_lock(&lock);
    answer = strcmp(prefix, "osd dump") == 0   ? osd_dump()
             : strcmp(prefix, "mon dump") == 0 ? g_strdup("{\"mons\":[]}")
                                               : key_command(command, prefix);
    g_mutex_unlock(&lock);
    return answer;
}

gboolean __wrap_store_osd_map_wait(store_t *store, GError **error)
{
    (void) store;
    (void) error;
    return TRUE;
}

store_pool_watch_t *__wrap_store_pool_watch_open(store_t *store, const char *const *pools, GError **error)
{
    (void) store;
    (void) pools;
    (void) error;
    return (store_pool_watch_t *) &keys;
}

void __wrap_store_pool_watch_close(store_pool_watch_t *watch)
{
    (void) watch;
}

guint __wrap_store_pool_watch_count(const store_pool_watch_t *watch)
{
    (void) watch;
    return 1;
}

/* A QEMU of host2 that is listed for ever. */
GPtrArray *__wrap_store_pool_watch_look(store_pool_watch_t *watch, guint *refused_count, GError **error)
{
    GPtrArray *clients = g_ptr_array_new_with_free_func(g_free);
    store_client_t *client = g_new0(store_client_t, 1);

    (void) watch;
    (void) error;
    *refused_count = 0;
    *client = (store_client_t) { (char *) "vm/run-db1-0", (char *) CLIENT, (char *) "10.0.2.12", TRUE };
    g_ptr_array_add(clients, client);
    return clients;
}

void __wrap_g_usleep(gulong microseconds)
{
    (void) microseconds;
}

/* libvirt -----------------------------------------------------------------------------*/

static plane_members_t *members_read(GError **error)
{
    plane_members_t *members = g_new0(plane_members_t, 1);

    (void) error;
    members->members = g_ptr_array_new();
    return members;
}

static void members_free(plane_members_t *members)
{
    g_ptr_array_unref(members->members);
    g_free(members);
}

/* One domain is there, whoever started it. */
static gboolean leftovers_destroy(const char *uri, char **pools, guint timeout_ms, planes_may_fn may_destroy, void *user_data,
                                  char ***destroyed, GError **error)
{
    (void) uri;
    (void) pools;
    (void) timeout_ms;
    operation();
    if (!may_destroy(user_data, error)) {
        return FALSE;
    }
    harmed_count += is_let_in ? 1 : 0;
    *destroyed = g_strsplit("standby-db1", ",", -1);
    return TRUE;
}

static const planes_ops_t planes = { .members_read = members_read, .members_free = members_free,
                                     .leftovers_destroy = leftovers_destroy };

const planes_ops_t *__wrap_planes_load(GError **error)
{
    (void) error;
    return &planes;
}

/* Actions -------------------------------------------------------------------------------*/

static void on_log(fence_log_level_t level, const char *text)
{
    if (g_getenv("UNDERSTUDY_TEST_VERBOSE") != NULL) {
        print_message("%d %s\n", level, text);
    }
    anew_count += strstr(text, "once more") != NULL && level != FENCE_LOG_ERROR ? 1 : 0;
}

static ocf_values_t *options(const char *action)
{
    g_autofree char *text = g_strdup_printf("action=%s\nplug=host2\npools=vm\nmgmt_addrs=host2:10.0.9.12\n", action);
    g_autoptr(GHashTable) texts = fence_options_from_text(text, strlen(text), NULL);
    ocf_values_t *values = fence_options_parse(texts, NULL);

    assert_non_null(values);
    return values;
}

static gboolean carry_out(const char *action)
{
    ocf_values_t *values = options(action);
    gboolean good = FALSE;

    good = fence_run(values, fence_action_find(values, NULL), on_log) == FENCE_RC_OK;
    ocf_values_free(values);
    return good;
}

static gboolean off(void)
{
    gboolean good = carry_out("off");

    is_let_in = is_let_in && !good;
    return good;
}

static gboolean on(void)
{
    gboolean good = carry_out("on");

    is_let_in = is_let_in || good;
    return good;
}

static void boot(const char *id)
{
    g_free(boot_id);
    boot_id = g_strdup(id);
}

static GPtrArray *records(void)
{
    GPtrArray *found = g_ptr_array_new();
    GHashTableIter iter;
    gpointer key = NULL;

    g_hash_table_iter_init(&iter, keys);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        if (g_str_has_prefix(key, REGISTRY_FENCE_PREFIX)) {
            g_ptr_array_add(found, key);
        }
    }
    return found;
}

/* A record has this entry. */
static gboolean is_recorded(const char *entry)
{
    g_autoptr(GPtrArray) found = records();

    for (guint i = 0; i < found->len; i++) {
        if (strstr(g_hash_table_lookup(keys, g_ptr_array_index(found, i)), entry) != NULL) {
            return TRUE;
        }
    }
    return FALSE;
}

static void store_begin(void)
{
    keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    blocklist = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    boot_id = g_strdup("boot-1");
    overlap = NULL;
    says_empty = FALSE;
    anew_count = 0;
    is_let_in = FALSE;
    harmed_count = 0;
}

static void store_end(void)
{
    g_hash_table_unref(keys);
    g_hash_table_unref(blocklist);
    g_clear_pointer(&boot_id, g_free);
    g_clear_pointer(&said_empty, g_strfreev);
}

/* Refused, by a record that the next unfencing goes by: that one leaves single clients alone. */
static void assert_fenced(int at)
{
    if (!g_hash_table_contains(blocklist, WHOLE) || !g_hash_table_contains(blocklist, CLIENT) || !is_recorded(WHOLE)) {
        fail_msg("stopped at %d: the host is not fenced", at);
    }
    boot("boot-last");
    if (!on() || g_hash_table_contains(blocklist, WHOLE) || is_recorded(WHOLE)) {
        fail_msg("stopped at %d: the host can't be let in any more", at);
    }
    assert_true(g_hash_table_contains(blocklist, CLIENT) && is_recorded(CLIENT));
}

/* Tests -----------------------------------------------------------------------------------*/

static gboolean overlap_succeeds;

static void fence_it(void)
{
    overlap_succeeds = off();
}

static void let_it_in(void)
{
    overlap_succeeds = on();
}

static void let_it_in_and_fence_it(void)
{
    (void) on();
    overlap_succeeds = off();
}

static void fence_it_and_let_it_in(void)
{
    (void) off();
    overlap_succeeds = on();
}

/* Before how many operations an action can be stopped; each time `begin` first, and `check` afterwards. */
static int each_stop(void (*begin)(void), gboolean (*action)(void), overlap_fn during, void (*check)(int at, gboolean good))
{
    int at = 0;

    for (gboolean is_over = FALSE; !is_over; at++) {
        gboolean good = FALSE;

        store_begin();
        begin();
        anew_count = 0;
        stop_at = at;
        overlap_succeeds = FALSE;
        overlap = during;
        good = action();
        is_over = overlap != NULL; /* it has ended before */
        overlap = NULL;
        if (!is_over) {
            check(at, good);
        }
        store_end();
    }
    return at;
}

static void fenced_before_its_boot(void)
{
    assert_true(off());
    boot("boot-2");
}

static void fenced_and_empty(void)
{
    g_autoptr(registry_host_t) host = NULL;

    assert_true(off());
    says_empty = TRUE;
    host_publish();
    host = registry_host_parse("host2", g_hash_table_lookup(keys, REGISTRY_HOST_PREFIX "host2"), NULL);
    said_empty = g_strdupv(host->empty_fences);
}

static void fenced_and_empty_each_time(void)
{
    assert_true(off());
    says_empty = TRUE;
}

static void fenced_by_an_earlier_version(void)
{
    g_hash_table_insert(keys, g_strdup(REGISTRY_FENCE_PREFIX "host2"),
                        g_strdup("{\"id\":\"old\",\"boot_id\":\"boot-1\",\"entries\":[\"" WHOLE "\",\"" CLIENT "\"]}"));
    g_hash_table_add(blocklist, g_strdup(WHOLE));
    g_hash_table_add(blocklist, g_strdup(CLIENT));
    boot("boot-2");
}

static void boot_and_be_fenced(void)
{
    boot("boot-2");
    overlap_succeeds = off();
}

static gboolean was_refused;

static void boot_alone(void)
{
    was_refused = g_hash_table_contains(blocklist, WHOLE);
    boot("boot-2");
}

static void fenced(void)
{
    assert_true(off());
}

static void not_fenced(void)
{
}

/* Whatever the unfencing does when it goes on, the host that has been fenced stays so, and it does not say that it is let in. */
static void check_fenced(int at, gboolean good)
{
    assert_true(overlap_succeeds);
    if (good) {
        fail_msg("stopped at %d: unfenced a host that was fenced since", at);
    }
    assert_fenced(at);
}

static void test_an_unfencing_that_a_fence_overtakes(void **state)
{
    (void) state;
    assert_true(each_stop(fenced_before_its_boot, on, fence_it, check_fenced) > 10);
    assert_true(each_stop(fenced_and_empty, on, fence_it, check_fenced) > 10);
    assert_true(each_stop(fenced_by_an_earlier_version, on, fence_it, check_fenced) > 10);
    assert_true(each_stop(fenced_before_its_boot, on, let_it_in_and_fence_it, check_fenced) > 10);
    assert_true(each_stop(fenced_and_empty, on, let_it_in_and_fence_it, check_fenced) > 10);
    assert_true(each_stop(fenced, on, boot_and_be_fenced, check_fenced) > 3);
}

/* The fence is one of the boot that it has found there last: a boot of before is no new one. */
static void check_booted(int at, gboolean good)
{
    g_autoptr(GPtrArray) found = records();
    gboolean is_of_boot = FALSE;

    assert_true(good);
    for (guint i = 0; i < found->len; i++) {
        is_of_boot = is_of_boot || strstr(g_hash_table_lookup(keys, g_ptr_array_index(found, i)), "\"boot-2\"") != NULL;
    }
    assert_true(is_of_boot || was_refused);
    assert_fenced(at);
}

static void test_a_host_that_boots_while_it_is_fenced(void **state)
{
    (void) state;
    assert_true(each_stop(not_fenced, off, boot_alone, check_booted) > 8);
}

/* A fence whose map an unfencing has made old before it wrote its record may fail; the fencer tries again. */
static void check_success_is_fenced(int at, gboolean good)
{
    assert_true(good || off());
    assert_fenced(at);
}

static void test_a_fence_that_an_unfencing_overtakes(void **state)
{
    (void) state;
    assert_true(each_stop(fenced_before_its_boot, off, let_it_in, check_success_is_fenced) > 10);
    assert_true(each_stop(fenced_and_empty_each_time, off, let_it_in, check_success_is_fenced) > 10);
    assert_true(each_stop(fenced_and_empty_each_time, off, fence_it_and_let_it_in, check_success_is_fenced) > 10);
    assert_true(each_stop(fenced_by_an_earlier_version, off, let_it_in, check_success_is_fenced) > 10);
}

/* Each has its own record: neither takes the other for an unfencing. */
static void check_two_fences(int at, gboolean good)
{
    assert_true(good && overlap_succeeds);
    assert_int_equal(anew_count, 0);
    assert_fenced(at);
}

static void test_two_fences_at_once(void **state)
{
    (void) state;
    assert_true(each_stop(not_fenced, off, fence_it, check_two_fences) > 8);
    assert_true(each_stop(fenced_before_its_boot, off, fence_it, check_two_fences) > 8);
}

static int let_in_count;

/* As often as it is fenced. A fence without a deadline would win in the end. */
static void let_it_in_again(void)
{
    (void) on();
    if (++let_in_count < 1000) {
        stop_at = 9;
        overlap = let_it_in_again;
    }
}

static void test_a_fence_that_is_undone_again_and_again_ends(void **state)
{
    ocf_values_t *values = options("off");
    fence_call_t call = { .values = values, .log = on_log, .deadline_us = g_get_monotonic_time() + G_USEC_PER_SEC / 5 };
    g_autoptr(GError) error = NULL;

    (void) state;
    store_begin();
    says_empty = TRUE;
    let_in_count = 0;
    stop_at = 8;
    overlap = let_it_in_again;
    assert_false(fence_off(&call, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT));
    assert_true(let_in_count > 1);
    fence_call_clear(&call);
    ocf_values_free(values);
    store_end();
}

/* Two that let it in: whoever is later destroys nothing that may have been started since. */
static void check_unharmed(int at, gboolean good)
{
    (void) good;
    if (harmed_count > 0) {
        fail_msg("stopped at %d: a domain was destroyed on a host that was let in", at);
    }
    assert_true(overlap_succeeds);
    assert_false(g_hash_table_contains(blocklist, WHOLE) || is_recorded(WHOLE));
}

static void test_two_unfencings_at_once(void **state)
{
    (void) state;
    assert_true(each_stop(fenced_and_empty, on, let_it_in, check_unharmed) > 10);
    assert_true(each_stop(fenced_before_its_boot, on, let_it_in, check_unharmed) > 10);
}

/* A fence that is tried again and again leaves what one leaves, and so does what follows. */
static void test_records_do_not_pile_up(void **state)
{
    g_autoptr(GPtrArray) fenced = NULL;
    g_autoptr(GPtrArray) ended = NULL;

    (void) state;
    store_begin();
    for (int i = 0; i < 10; i++) {
        assert_true(off());
    }
    fenced = records();
    assert_int_equal(fenced->len, 2); /* the one before is left: its fence may still be under way */
    boot("boot-2");
    assert_true(on());
    assert_true(on());
    ended = records();
    assert_int_equal(ended->len, 1); /* of the client that is still listed */
    assert_true(g_hash_table_contains(blocklist, CLIENT));
    store_end();
}

/* A cluster whose hosts are upgraded one by one: an earlier version must not go by its own record of a fence before. */
static void test_an_earlier_versions_record_becomes_that_of_the_new_fence(void **state)
{
    g_autoptr(fence_record_t) old = NULL;

    (void) state;
    store_begin();
    fenced_by_an_earlier_version();
    assert_true(off());
    old = fence_record_parse("host2", g_hash_table_lookup(keys, REGISTRY_FENCE_PREFIX "host2"), NULL);
    assert_string_equal(old->boot_id, "boot-2");
    assert_true(fence_record_has(old, WHOLE));
    assert_string_not_equal(old->id, "old");
    assert_fenced(0);
    store_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unfencing_that_a_fence_overtakes),
        cmocka_unit_test(test_a_host_that_boots_while_it_is_fenced),
        cmocka_unit_test(test_a_fence_that_an_unfencing_overtakes),
        cmocka_unit_test(test_two_fences_at_once),
        cmocka_unit_test(test_a_fence_that_is_undone_again_and_again_ends),
        cmocka_unit_test(test_two_unfencings_at_once),
        cmocka_unit_test(test_records_do_not_pile_up),
        cmocka_unit_test(test_an_earlier_versions_record_becomes_that_of_the_new_fence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
