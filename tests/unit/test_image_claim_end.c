/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a claim is left or taken back after its image has ended on this host: at a store that is made of tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/error.h"
#include "claim_store.h"
#include "fenced_host/fenced_host.h"
#include "image/image_claim.h"
#include "image/image_lock.h"
#include "image/image_openers.h"
#include "image/qemu_process.h"

#define OWN_CLAIM "host1 b1 s1"

static gboolean is_open_elsewhere;
static const char *unanswered;   /* of the record */
static pid_t qemu_pid;
static GString *published;       /* starts */
static gboolean cluster_is_silent;
static gboolean is_given_up;     /* the record has let go of its start */

store_t *__wrap_store_open(const store_options_t *options, GError **error);
void __wrap_store_close(store_t *store);

store_t *__wrap_store_open(const store_options_t *options, GError **error)
{
    static char store;

    (void) options;
    (void) error;
    return (store_t *) &store;
}

void __wrap_store_close(store_t *store)
{
    (void) store;
}

gboolean image_openers_elsewhere(store_t *store, char **run_names, const image_record_t *record, char **address,
                                 GError **error)
{
    (void) store;
    (void) run_names;
    (void) record;
    (void) error;
    *address = is_open_elsewhere ? g_strdup("10.0.2.12:0/7") : NULL;
    return TRUE;
}

gboolean image_openers_wait_free(store_t *store, const store_options_t *options, char **run_names,
                                 const image_record_t *record, guint wait_ms, GError **error)
{
    (void) store;
    (void) options;
    (void) run_names;
    (void) record;
    (void) wait_ms;
    if (is_open_elsewhere) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "it is open");
    }
    return !is_open_elsewhere;
}

gboolean fenced_host_tell_ended(const char *server, const char *start_id, guint timeout_ms, GError **error)
{
    (void) server;
    (void) timeout_ms;
    g_string_append_printf(published, "%s ", start_id);
    if (cluster_is_silent) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "the cluster: no answer");
    }
    return !cluster_is_silent;
}

gboolean qemu_process_find(const char *domain_name, const char *domain_uuid, pid_t *pid, GError **error)
{
    (void) domain_name;
    (void) domain_uuid;
    (void) error;
    *pid = qemu_pid;
    return TRUE;
}

int image_lock_take(const char *domain_name, guint wait_ms, GError **error)
{
    (void) domain_name;
    (void) wait_ms;
    (void) error;
    return 0;
}

void image_lock_release(int lock)
{
    (void) lock;
}

gboolean image_identity_init(image_identity_t *identity, const char *instance, const char *server, GError **error)
{
    (void) error;
    *identity = (image_identity_t) { .server = g_strdup(server), .domain_name = g_strdup(instance) };
    return TRUE;
}

void image_identity_clear(image_identity_t *identity)
{
    g_clear_pointer(&identity->server, g_free);
    g_clear_pointer(&identity->domain_name, g_free);
}

image_record_t *image_record_load(const char *domain_name)
{
    image_record_t *record = g_new0(image_record_t, 1);

    (void) domain_name;
    record->run_images = g_strsplit("vm/run-db1-0", " ", -1);
    record->server = g_strdup("db1");
    record->start_id = g_strdup("s1");
    record->unanswered = g_strdup(unanswered);
    return record;
}

void image_record_free(image_record_t *record)
{
    if (record != NULL) {
        g_strfreev(record->run_images);
        g_free(record->server);
        g_free(record->start_id);
        g_free(record->unanswered);
        g_free(record);
    }
}

gboolean image_record_save(const image_record_t *record, const char *domain_name, GError **error)
{
    is_given_up = record->start_id == NULL;
    (void) domain_name;
    (void) error;
    return TRUE;
}

gboolean image_record_create_is_unanswered(const image_record_t *record)
{
    return g_strcmp0(record->unanswered, RECORD_REQUEST_CREATE) == 0;
}

char **image_record_list(void)
{
    return g_strsplit("db1-image", " ", -1);
}

/* -------------------------------------------------------------------------------*/

static int setup(void **state)
{
    (void) state;
    claim_store_init();
    g_hash_table_insert(claim_store.claims, g_strdup("vm"), g_strdup(OWN_CLAIM));
    is_open_elsewhere = FALSE;
    unanswered = NULL;
    qemu_pid = 0;
    published = g_string_new(NULL);
    cluster_is_silent = FALSE;
    is_given_up = FALSE;
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    claim_store_clear();
    g_string_free(published, TRUE);
    return 0;
}

#define MOVING "s1 all 10.0.2.11:0/3 to host2 i u some 10.0.2.12:0/0"

/* "": it is not */
static char *used_elsewhere(void)
{
    const image_identity_t identity = { .server = (char *) "db1" };
    image_record_t *record = image_record_load("db1-image");
    char *who = NULL;

    assert_true(image_claim_is_used_elsewhere(NULL, &identity, record, &who, NULL));
    image_record_free(record);
    return who != NULL ? who : g_strdup("");
}

static void used_elsewhere_is(const char *who)
{
    g_autofree char *found = used_elsewhere();

    assert_string_equal(found, who);
}

static void test_used_elsewhere(void **state)
{
    (void) state;
    is_open_elsewhere = TRUE;
    used_elsewhere_is(""); /* there was no guest yet: a stranger */
    g_hash_table_insert(claim_store.clients, g_strdup("vm"), g_strdup("s1 all 10.0.2.11:0/3"));
    used_elsewhere_is("10.0.2.12:0/7");
    /* A target that sleeps has no watch any more. */
    is_open_elsewhere = FALSE;
    g_hash_table_insert(claim_store.clients, g_strdup("vm"), g_strdup(MOVING));
    used_elsewhere_is("host2");
    /* The target has taken it over: there is nothing to give back. */
    is_open_elsewhere = TRUE;
    g_hash_table_insert(claim_store.claims, g_strdup("vm"), g_strdup("host2 b2 s2"));
    used_elsewhere_is("");
}

static void test_give_back_moving(void **state)
{
    const image_identity_t identity = { .server = (char *) "db1" };
    image_record_t *record = image_record_load("db1-image");
    g_autoptr(GError) error = NULL;

    (void) state;
    g_hash_table_insert(claim_store.clients, g_strdup("vm"), g_strdup(MOVING));
    assert_false(image_claim_give_back(NULL, &identity, record, &error));
    assert_non_null(strstr(error->message, "host2 may run the image of db1"));
    assert_string_equal(g_hash_table_lookup(claim_store.claims, "vm"), OWN_CLAIM);
    g_hash_table_remove_all(claim_store.clients);
    assert_true(image_claim_give_back(NULL, &identity, record, NULL));
    assert_string_equal(g_hash_table_lookup(claim_store.claims, "vm"), "");
    image_record_free(record);
}

static const char *claim_after_look(void)
{
    image_claim_end_leftover("db1-image", 1000);
    return g_hash_table_lookup(claim_store.claims, "vm");
}

/* Whose answer never came: it is over when there is no QEMU here and nobody else has the images. */
static void test_migration_unanswered(void **state)
{
    (void) state;
    unanswered = RECORD_REQUEST_MIGRATE;
    qemu_pid = 42;
    assert_string_equal(claim_after_look(), OWN_CLAIM);
    qemu_pid = 0;
    is_open_elsewhere = TRUE;
    assert_string_equal(claim_after_look(), OWN_CLAIM);
    is_open_elsewhere = FALSE;
    assert_string_equal(claim_after_look(), "");
}

/* Nobody has it open now; the target may be asleep. */
static void test_left_behind_moving(void **state)
{
    (void) state;
    unanswered = RECORD_REQUEST_MIGRATE;
    g_hash_table_insert(claim_store.clients, g_strdup("vm"), g_strdup(MOVING));
    claim_store.takes_no_notes = TRUE;
    assert_string_equal(claim_after_look(), OWN_CLAIM);
    assert_true(g_str_has_prefix(published->str, "s1 "));
    assert_false(is_given_up); /* the cluster may forget it: it is told later */
    claim_store.takes_no_notes = FALSE;
    cluster_is_silent = TRUE;
    assert_string_equal(claim_after_look(), OWN_CLAIM);
    assert_string_equal(g_hash_table_lookup(claim_store.ended, "vm"), "s1");
    assert_true(is_given_up);
}

/* Of a stop. */
static void test_note_ended(void **state)
{
    const image_identity_t identity = { .server = (char *) "db1" };
    image_record_t *record = image_record_load("db1-image");

    (void) state;
    claim_store.takes_no_notes = TRUE;
    assert_false(image_claim_note_ended(NULL, &identity, record));
    claim_store.takes_no_notes = FALSE;
    assert_true(image_claim_note_ended(NULL, &identity, record));
    assert_string_equal(g_hash_table_lookup(claim_store.ended, "vm"), "s1");
    /* Of a claim that is another's nothing is said. */
    g_hash_table_remove_all(claim_store.ended);
    g_hash_table_insert(claim_store.claims, g_strdup("vm"), g_strdup("host2 b2 s2"));
    assert_true(image_claim_note_ended(NULL, &identity, record));
    assert_int_equal(g_hash_table_size(claim_store.ended), 0);
    image_record_free(record);
}

/* It may be carried out yet. */
static void test_create_unanswered(void **state)
{
    (void) state;
    unanswered = RECORD_REQUEST_CREATE;
    assert_string_equal(claim_after_look(), OWN_CLAIM);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_used_elsewhere),
        TEST(test_give_back_moving),
        TEST(test_left_behind_moving),
        TEST(test_migration_unanswered),
        TEST(test_create_unanswered),
        TEST(test_note_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
