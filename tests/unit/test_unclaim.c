/* SPDX-License-Identifier: GPL-2.0-or-later */
/* understudy unclaim, at a store that is made of tables: whatever pool a claim on the server lies in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "cib_fixture.h"
#include "claim_store.h"
#include "cluster_fixture.h"
#include "gather.h"
#include "run.h"

#define CLIENT "10.0.2.12:0/7"

store_t *__wrap_store_open(const store_options_t *options, GError **error);
void __wrap_store_close(store_t *store);

store_t *__wrap_store_open(const store_options_t *options, GError **error)
{
    (void) options;
    (void) error;
    return (store_t *) &claim_store;
}

void __wrap_store_close(store_t *store)
{
    (void) store;
}

static const char *published_boot_id;

char *__wrap_config_key_get(store_t *store, const char *key, GError **error);

char *__wrap_config_key_get(store_t *store, const char *key, GError **error)
{
    (void) store;
    (void) error;
    assert_string_equal(key, "understudy/host/host2");
    return published_boot_id != NULL ? g_strdup_printf("{\"name\": \"host2\", \"store_addresses\": [\"10.0.2.12\"], \"boot_id\": \"%s\", \"at\": 1}",
                                                       published_boot_id)
                                     : NULL;
}

cluster_state_t *gather_cluster(GError **error)
{
    (void) error;
    return cluster_of(CIB_TEXT("1", CIB_IMAGE("db1"), CIB_TICKET("db1"), "", ""));
}

char **gather_run_image_names(const cluster_server_t *server, GError **error)
{
    (void) error;
    assert_string_equal(server->name, "db1");
    return g_strsplit("fast/run-db1-0", " ", -1);
}

exit_code_t exit_code_of(const GError *error)
{
    return error != NULL ? EXIT_OK + 1 : EXIT_OK;
}

static int setup(void **state)
{
    (void) state;
    crm_xml_init();
    claim_store_init();
    published_boot_id = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    claim_store_clear();
    return 0;
}

static void host2_has_it(const char *pool)
{
    g_hash_table_insert(claim_store.claims, g_strdup(pool), g_strdup("host2 b2 s2"));
    g_hash_table_insert(claim_store.clients, g_strdup(pool), g_strdup("s2 all " CLIENT));
    g_hash_table_insert(claim_store.places, g_strdup("s2"), g_strdup_printf("host2 b2 s2 %s/run-db1-0", pool));
}

/* "" or why not */
static char *unclaim(void)
{
    const command_line_t line = { .server = (char *) "db1" };
    g_autoptr(GError) error = NULL;
    gboolean done = run_unclaim(&line, &error) == EXIT_OK;

    return g_strdup(done ? "" : error->message);
}

static void unclaim_is(const char *outcome)
{
    g_autofree char *why = unclaim();

    if (outcome[0] == '\0' ? why[0] != '\0' : strstr(why, outcome) == NULL) {
        fail_msg("'%s' is not '%s'", why, outcome);
    }
}

static void test_in_either_pool(void **state)
{
    static const char *const pools[] = { "vm", "fast" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(pools); i++) {
        host2_has_it(pools[i]);
        g_string_truncate(claim_store.refused, 0);
        unclaim_is("");
        assert_string_equal(g_hash_table_lookup(claim_store.claims, pools[i]), "");
        assert_string_equal(claim_store.refused->str, CLIENT " ");
        assert_int_equal(g_hash_table_size(claim_store.places), 0);
    }
}

#define PARTLY_KNOWN "s2 some " CLIENT

/* As which clients it may write is not known: all of its host is asked for, unless it has ended there by its host's word or by
 * another boot. */
static void test_holder_has_ended(void **state)
{
    static const struct {
        const char *ended;
        const char *boot_id;
        const char *outcome;
    } cases[] = {
        { NULL, NULL, "host2 went while its start was under way" },
        { "s1", "b2", "host2 went while its start was under way" },
        { "s2", "b2", "" },
        { NULL, "b3", "" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        host2_has_it("fast");
        g_hash_table_insert(claim_store.clients, g_strdup("fast"), g_strdup(PARTLY_KNOWN));
        g_hash_table_remove_all(claim_store.ended);
        if (cases[i].ended != NULL) {
            g_hash_table_insert(claim_store.ended, g_strdup("fast"), g_strdup(cases[i].ended));
        }
        published_boot_id = cases[i].boot_id;
        unclaim_is(cases[i].outcome);
    }
}

/* Whatever pool the open image lies in. */
static void test_somebody_may_write(void **state)
{
    (void) state;
    host2_has_it("vm");
    claim_store.open_image = "vm/run-db1-0";
    unclaim_is("ceph osd blocklist add " CLIENT);
    assert_string_equal(g_hash_table_lookup(claim_store.claims, "vm"), "host2 b2 s2");
    assert_int_equal(g_hash_table_size(claim_store.places), 1);
    assert_string_equal(claim_store.refused->str, "");
}

static void test_silence(void **state)
{
    (void) state;
    host2_has_it("vm");
    claim_store.silent_pool = "vm";
    unclaim_is("a claim on db1 lies in pool vm: pool vm: no answer");
    assert_int_equal(g_hash_table_size(claim_store.places), 1);
    claim_store.silent_pool = NULL;
    claim_store.monitors_are_silent = TRUE;
    unclaim_is("the monitors: no answer");
    assert_string_equal(g_hash_table_lookup(claim_store.claims, "vm"), "host2 b2 s2");
}

/* By the operator's word alone. */
static void test_pool_gone_and_unreadable(void **state)
{
    (void) state;
    host2_has_it("vm");
    g_hash_table_remove(claim_store.claims, "vm");
    g_hash_table_insert(claim_store.places, g_strdup("s3"), g_strdup("host2 b2"));
    unclaim_is("");
    assert_int_equal(g_hash_table_size(claim_store.places), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_in_either_pool), TEST(test_holder_has_ended), TEST(test_somebody_may_write), TEST(test_silence), TEST(test_pool_gone_and_unreadable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
