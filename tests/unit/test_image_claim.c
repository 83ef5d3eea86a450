/* SPDX-License-Identifier: GPL-2.0-or-later */
/* That a server has one claim, in whatever pool the parameters of a start would have it: at a store that is made of tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "claim.h"
#include "error.h"
#include "fenced_host.h"
#include "image_actions.h"
#include "image_claim.h"
#include "image_openers.h"

static GHashTable *claims;    /* char* pool -> char* holder; no entry: there is no such pool */
static GHashTable *clients;   /* char* pool -> char* what is kept beside the claim of clients */
static GHashTable *places;    /* char* start id -> char* text */
static const char *silent_pool;
static const char *ended_start;
static gboolean host_is_clean;
static GString *looked;       /* images whose openers were looked at */
static GString *refused;      /* clients */

gboolean __wrap_store_claim_read(store_t *store, const char *pool, const char *server, char **holder, GError **error);
gboolean __wrap_store_claim_note_read(store_t *store, const char *pool, const char *server, const char *key, char **value,
                                      GError **error);
gboolean __wrap_store_claim_note_set(store_t *store, const char *pool, const char *server, const char *holder,
                                     const char *key, const char *value, GError **error);
gboolean __wrap_store_claim_swap(store_t *store, const char *pool, const char *server, const char *expected,
                                 const char *desired, GError **error);
gboolean __wrap_store_claim_swap_state(store_t *store, const char *pool, const char *server,
                                       const store_claim_state_t *expected, const store_claim_state_t *desired,
                                       GError **error);
GPtrArray *__wrap_store_image_lock_owners(store_t *store, const char *const *images, GError **error);
gboolean __wrap_store_clients_refuse(store_t *store, const GPtrArray *addresses, GError **error);
gboolean __wrap_store_pool_exists(store_t *store, const char *pool, GError **error);
GHashTable *__wrap_store_claim_places(store_t *store, const char *server, GError **error);
gboolean __wrap_store_claim_place_set(store_t *store, const char *server, const char *start_id, const char *text,
                                      GError **error);
char *__wrap_store_own_address(store_t *store, GError **error);
GHashTable *__wrap_store_blocklist_list(store_t *store, GError **error);

gboolean __wrap_store_pool_exists(store_t *store, const char *pool, GError **error)
{
    gboolean is_silent = g_strcmp0(silent_pool, pool) == 0;

    (void) store;
    if (is_silent || !g_hash_table_contains(claims, pool)) {
        g_set_error(error, UNDERSTUDY_ERROR, is_silent ? UNDERSTUDY_ERROR_TIMEOUT : UNDERSTUDY_ERROR_NOT_FOUND, "pool %s: %s",
                    pool, is_silent ? "no answer" : "none");
        return FALSE;
    }
    return TRUE;
}

gboolean __wrap_store_claim_read(store_t *store, const char *pool, const char *server, char **holder, GError **error)
{
    const char *text = g_hash_table_lookup(claims, pool);

    (void) server;
    *holder = text != NULL && text[0] != '\0' ? g_strdup(text) : NULL;
    return __wrap_store_pool_exists(store, pool, error);
}

gboolean __wrap_store_claim_note_read(store_t *store, const char *pool, const char *server, const char *key, char **value,
                                      GError **error)
{
    (void) server;
    *value = strcmp(key, STORE_CLAIM_CLIENTS_KEY) == 0 ? g_strdup(g_hash_table_lookup(clients, pool)) : NULL;
    return __wrap_store_pool_exists(store, pool, error);
}

gboolean __wrap_store_claim_note_set(store_t *store, const char *pool, const char *server, const char *holder,
                                     const char *key, const char *value, GError **error)
{
    (void) server;
    (void) key;
    (void) value;
    assert_string_equal(g_hash_table_lookup(claims, pool), holder);
    return __wrap_store_pool_exists(store, pool, error);
}

gboolean __wrap_store_claim_swap(store_t *store, const char *pool, const char *server, const char *expected,
                                 const char *desired, GError **error)
{
    (void) server;
    assert_string_equal(g_hash_table_lookup(claims, pool), expected != NULL ? expected : "");
    g_hash_table_insert(claims, g_strdup(pool), g_strdup(desired != NULL ? desired : ""));
    return __wrap_store_pool_exists(store, pool, error);
}

gboolean __wrap_store_claim_swap_state(store_t *store, const char *pool, const char *server,
                                       const store_claim_state_t *expected, const store_claim_state_t *desired,
                                       GError **error)
{
    return __wrap_store_claim_swap(store, pool, server, expected->holder, desired->holder, error);
}

GPtrArray *__wrap_store_image_lock_owners(store_t *store, const char *const *images, GError **error)
{
    (void) store;
    (void) images;
    (void) error;
    return g_ptr_array_new_with_free_func(g_free);
}

gboolean __wrap_store_clients_refuse(store_t *store, const GPtrArray *addresses, GError **error)
{
    (void) store;
    (void) error;
    for (guint i = 0; i < addresses->len; i++) {
        g_string_append_printf(refused, "%s ", (const char *) addresses->pdata[i]);
    }
    return TRUE;
}

GHashTable *__wrap_store_claim_places(store_t *store, const char *server, GError **error)
{
    GHashTable *copy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer start_id = NULL;
    gpointer text = NULL;

    (void) store;
    (void) server;
    (void) error;
    g_hash_table_iter_init(&iter, places);
    while (g_hash_table_iter_next(&iter, &start_id, &text)) {
        g_hash_table_insert(copy, g_strdup(start_id), g_strdup(text));
    }
    return copy;
}

gboolean __wrap_store_claim_place_set(store_t *store, const char *server, const char *start_id, const char *text,
                                      GError **error)
{
    (void) store;
    (void) server;
    (void) error;
    if (text != NULL) {
        g_hash_table_insert(places, g_strdup(start_id), g_strdup(text));
    } else {
        g_hash_table_remove(places, start_id);
    }
    return TRUE;
}

char *__wrap_store_own_address(store_t *store, GError **error)
{
    (void) store;
    (void) error;
    return g_strdup("10.0.2.11:0/1");
}

GHashTable *__wrap_store_blocklist_list(store_t *store, GError **error)
{
    (void) store;
    (void) error;
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

/* What knows of hosts, and of who has an image open -----------------------------*/

gboolean fenced_host_publish(const char *name, const store_options_t *options, GError **error)
{
    (void) name;
    (void) options;
    (void) error;
    return TRUE;
}

void fenced_host_holder(const store_options_t *options, const char *host, const char *server, char **boot_id, char **ended,
                        gboolean *clean, gboolean *fenced)
{
    (void) options;
    (void) host;
    (void) server;
    *boot_id = NULL;
    *ended = g_strdup(ended_start);
    *clean = host_is_clean;
    *fenced = FALSE;
}

gboolean image_openers_wait_free(store_t *store, const store_options_t *options, char **run_names,
                                 const image_record_t *record, guint wait_ms, GError **error)
{
    g_autofree char *names = g_strjoinv(" ", run_names);

    (void) store;
    (void) options;
    (void) record;
    (void) wait_ms;
    (void) error;
    g_string_append_printf(looked, "%s ", names);
    return TRUE;
}

gboolean image_openers_have_all(store_t *store, char **run_names, gboolean *watched, GError **error)
{
    (void) store;
    (void) run_names;
    (void) error;
    *watched = FALSE;
    return TRUE;
}

GPtrArray *image_openers_own(store_t *store, char **run_names, GError **error)
{
    (void) store;
    (void) run_names;
    (void) error;
    return NULL;
}

gboolean image_record_start_is_known(const char *start_id)
{
    (void) start_id;
    return FALSE;
}

store_options_t image_store_options(const ocf_call_t *call)
{
    (void) call;
    return (store_options_t) { .user = "understudy" };
}

/* -------------------------------------------------------------------------------*/

static GHashTable *table_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static int setup(void **state)
{
    (void) state;
    claims = table_new();
    clients = table_new();
    places = table_new();
    looked = g_string_new(NULL);
    refused = g_string_new(NULL);
    silent_pool = NULL;
    ended_start = NULL;
    host_is_clean = FALSE;
    g_hash_table_insert(claims, g_strdup("vm"), g_strdup(""));
    g_hash_table_insert(claims, g_strdup("fast"), g_strdup(""));
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    g_hash_table_unref(claims);
    g_hash_table_unref(clients);
    g_hash_table_unref(places);
    g_string_free(looked, TRUE);
    g_string_free(refused, TRUE);
    return 0;
}

/* A start of db1 on this host whose parameters name this run image; "" or why it may not. */
static char *start_on(const char *node, const char *run_image, const char *start_id)
{
    char *run_images[] = { (char *) run_image, NULL };
    const ocf_call_t call = { .node = node };
    const image_identity_t identity = { .server = (char *) "db1" };
    image_record_t record = { .run_images = run_images, .start_id = (char *) start_id };
    g_autoptr(GError) error = NULL;

    return g_strdup(image_claim_take(&call, NULL, &identity, &record, 0, &error) ? "" : error->message);
}

static void start_is(const char *node, const char *run_image, const char *start_id, const char *outcome)
{
    g_autofree char *why = start_on(node, run_image, start_id);

    if (outcome[0] == '\0' ? why[0] != '\0' : strstr(why, outcome) == NULL) {
        fail_msg("'%s' is not '%s'", why, outcome);
    }
}

/* Host2 has started it with the disks in pool vm; then the parameters were changed. */
static void host2_has_it(void)
{
    start_is("host2", "vm/run-db1-0", "s2", "");
    g_hash_table_insert(clients, g_strdup("vm"), g_strdup("s2 all 10.0.2.12:0/7"));
}

static void test_other_parameters(void **state)
{
    (void) state;
    host2_has_it();
    start_is("host1", "fast/run-db1-0", "s1", "db1 is claimed by host2: stop it there");
    start_is("host1", "vm/run-db1-0", "s1", "db1 is claimed by host2: stop it there");
    assert_true(g_str_has_prefix(g_hash_table_lookup(claims, "vm"), "host2 "));
}

static void test_host_down_and_clean(void **state)
{
    (void) state;
    host2_has_it();
    host_is_clean = TRUE;
    start_is("host1", "fast/run-db1-0", "s1", "");
    assert_non_null(strstr(looked->str, "vm/run-db1-0"));
    assert_non_null(strstr(refused->str, "10.0.2.12:0/7"));
    assert_string_equal(g_hash_table_lookup(claims, "vm"), "");
    assert_false(g_hash_table_contains(places, "s2"));
    assert_true(g_hash_table_contains(places, "s1"));
}

/* Who may write under the earlier claim is not known: it stands. */
static void test_clients_unknown(void **state)
{
    (void) state;
    host2_has_it();
    g_hash_table_insert(clients, g_strdup("vm"), g_strdup("s2 some 10.0.2.12:0/7"));
    host_is_clean = TRUE;
    start_is("host1", "fast/run-db1-0", "s1", "host2 went while its start was under way, and may write");
    assert_true(g_hash_table_contains(places, "s2"));
}

/* A stop that had no time left to say that the claim lies there no more. */
static void test_given_back(void **state)
{
    (void) state;
    host2_has_it();
    g_hash_table_insert(claims, g_strdup("vm"), g_strdup(""));
    start_is("host1", "fast/run-db1-0", "s1", "");
    assert_false(g_hash_table_contains(places, "s2"));
    assert_true(g_hash_table_contains(places, "s1"));
}

static void test_silent_pool(void **state)
{
    (void) state;
    host2_has_it();
    host_is_clean = TRUE;
    silent_pool = "vm";
    start_is("host1", "fast/run-db1-0", "s1", "a claim on db1 lies in pool vm: pool vm: no answer");
    assert_true(g_hash_table_contains(places, "s2"));
}

/* What a host that is only down and clean runs may go on; one that says that it has ended has. */
static void test_pool_gone(void **state)
{
    (void) state;
    host2_has_it();
    g_hash_table_remove(claims, "vm");
    host_is_clean = TRUE;
    start_is("host1", "fast/run-db1-0", "s1", "in pool vm, which is not there any more");
    assert_true(g_hash_table_contains(places, "s2"));
    ended_start = "s2";
    start_is("host1", "fast/run-db1-0", "s1", "");
    assert_false(g_hash_table_contains(places, "s2"));
}

static void test_unreadable(void **state)
{
    (void) state;
    g_hash_table_insert(places, g_strdup("s2"), g_strdup("host2 b2"));
    start_is("host1", "fast/run-db1-0", "s1", "understudy/server/db1/claim/s2");
}

/* Two starts at once, with two pools: not both. */
static void test_at_once(void **state)
{
    (void) state;
    start_is("host1", "fast/run-db1-0", "s1", "");
    start_is("host2", "vm/run-db1-0", "s2", "db1 is claimed by host1");
}

/* A claim that an image took before claims had places: its monitor says where it lies. */
static void test_older_claim(void **state)
{
    char *run_images[] = { (char *) "vm/run-db1-0", NULL };
    const ocf_call_t call = { .node = "host2" };
    const image_identity_t identity = { .server = (char *) "db1" };
    image_record_t record = { .run_images = run_images, .start_id = (char *) "s2" };
    g_autoptr(GError) error = NULL;

    (void) state;
    host2_has_it();
    g_hash_table_remove_all(places);
    start_is("host1", "vm/run-db1-0", "s1", "db1 is claimed by host2");
    assert_true(image_claim_take_over(&call, NULL, &identity, &record, NULL, &error));
    start_is("host1", "fast/run-db1-0", "s1", "db1 is claimed by host2");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_other_parameters), TEST(test_host_down_and_clean), TEST(test_clients_unknown), TEST(test_given_back),
        TEST(test_silent_pool),      TEST(test_pool_gone),           TEST(test_unreadable),      TEST(test_at_once),
        TEST(test_older_claim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
