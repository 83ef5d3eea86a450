/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order in which a fence changes the blocklist, at a store that is made of a table: what it says is taken off is off at
 * once, an entry that is there is not extended, as in Ceph 16.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/error.h"
#include "fence_private.h"
#include "options.h"

#define WHOLE "10.0.2.12:0/0"
#define HOUR_S 3600
#define YEARS_S 157680000

static GHashTable *blocklist; /* char* entry -> gint64* seconds that it lasts */
static char *recorded;        /* the fence's record, as it was written last */
static gboolean may_remove;
static GString *gap;          /* who was refused by a lasting entry of his own while the whole host was not */
static gboolean is_broken;    /* something was done too early */

gboolean __wrap_store_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error);
gboolean __wrap_store_blocklist_remove(store_t *store, const char *address, GError **error);
char *__wrap_store_monitor_ask(store_t *store, const char *command_json, GError **error);
gboolean __wrap_store_osd_map_wait(store_t *store, GError **error);

static GMutex lock; /* entries are asked for in threads */

static void entry_set(const char *entry, gint64 seconds)
{
    gint64 *value = g_new(gint64, 1);

    *value = seconds;
    g_hash_table_insert(blocklist, g_strdup(entry), value);
}

gboolean __wrap_store_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error)
{
    (void) store;
    (void) error;
    g_mutex_lock(&lock);
    if (!g_hash_table_contains(blocklist, address)) {
        entry_set(address, (gint64) duration_s);
    }
    g_mutex_unlock(&lock);
    return TRUE;
}

static void gap_note(void)
{
    GHashTableIter iter;
    gpointer entry = NULL;
    gpointer seconds = NULL;

    g_hash_table_iter_init(&iter, blocklist);
    while (g_hash_table_iter_next(&iter, &entry, &seconds)) {
        if (*(gint64 *) seconds > HOUR_S) {
            g_string_append_printf(gap, "%s ", (char *) entry);
        }
    }
}

gboolean __wrap_store_blocklist_remove(store_t *store, const char *address, GError **error)
{
    (void) store;
    if (!may_remove) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_PERMISSION, "Permission denied");
        return FALSE;
    }
    g_mutex_lock(&lock);
    if (strcmp(address, WHOLE) == 0) {
        is_broken |= strstr(recorded, WHOLE) == NULL;
        gap_note();
    } else {
        is_broken |= !g_hash_table_contains(blocklist, WHOLE); /* a client's only while its host is refused */
    }
    g_hash_table_remove(blocklist, address);
    g_mutex_unlock(&lock);
    return TRUE;
}

static char *osd_dump(void)
{
    g_autoptr(GString) text = g_string_new("{\"epoch\":1,\"blocklist\":{");
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    const char *comma = "";
    GHashTableIter iter;
    gpointer entry = NULL;
    gpointer seconds = NULL;

    g_hash_table_iter_init(&iter, blocklist);
    while (g_hash_table_iter_next(&iter, &entry, &seconds)) {
        g_autoptr(GDateTime) until = g_date_time_add_seconds(now, (double) *(gint64 *) seconds);
        g_autofree char *until_text = g_date_time_format_iso8601(until);

        g_string_append_printf(text, "%s\"%s\":\"%s\"", comma, (char *) entry, until_text);
        comma = ",";
    }
    g_string_append(text, "}}");
    return g_strdup(text->str);
}

char *__wrap_store_monitor_ask(store_t *store, const char *command_json, GError **error)
{
    (void) store;
    (void) error;
    if (strstr(command_json, "osd dump") != NULL) {
        return osd_dump();
    }
    if (strstr(command_json, "config-key") != NULL) {
        g_free(recorded);
        recorded = g_strdup(command_json);
    }
    return g_strdup("{\"mons\":[]}");
}

gboolean __wrap_store_osd_map_wait(store_t *store, GError **error)
{
    (void) store;
    (void) error;
    return TRUE;
}

static void on_log(fence_log_level_t level, const char *text)
{
    (void) level;
    (void) text;
}

/* Fences 10.0.2.12, of which a look has shown one client; `brief`: entries that are there for an hour. */
static gboolean put(const char *const *brief, fence_record_t *record)
{
    char *addresses[] = { (char *) "10.0.2.12", NULL };
    char *entries[] = { (char *) WHOLE, (char *) "10.0.2.12:0/7", NULL };
    fence_target_t target = { .name = (char *) "host2", .addresses = addresses };
    g_autoptr(GHashTable) texts = fence_options_from_text("", 0, NULL);
    ocf_values_t *values = fence_options_parse(texts, NULL);
    fence_call_t call = { .log = on_log, .target = &target, .values = values,
                          .deadline_us = g_get_monotonic_time() + 60 * G_USEC_PER_SEC };
    gboolean good = FALSE;

    for (const char *const *entry = brief; *entry != NULL; entry++) {
        entry_set(*entry, HOUR_S);
    }
    assert_true(fence_map_refresh(&call, NULL));
    good = fence_entries_put(&call, record, entries, NULL);
    store_map_free(call.map);
    ocf_values_free(values);
    return good;
}

static int setup(void **state)
{
    (void) state;
    blocklist = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    recorded = g_strdup("");
    gap = g_string_new(NULL);
    may_remove = TRUE;
    is_broken = FALSE;
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    g_hash_table_unref(blocklist);
    g_free(recorded);
    g_string_free(gap, TRUE);
    return 0;
}

static gint64 lasts_s(const char *entry)
{
    const gint64 *value = g_hash_table_lookup(blocklist, entry);

    return value != NULL ? *value : 0;
}

/* While the address is off each client that is known is refused for years: those seen, and those with an hour of Ceph's. */
static void test_a_short_entry_is_replaced_behind_the_clients_own(void **state)
{
    static const char *const brief[] = { WHOLE, "10.0.2.12:0/8", "10.0.2.13:0/9", NULL };
    g_autoptr(fence_record_t) record = fence_record_new("host2");

    (void) state;
    assert_true(put(brief, record));
    assert_true(strstr(gap->str, "10.0.2.12:0/7 ") != NULL && strstr(gap->str, "10.0.2.12:0/8 ") != NULL);
    assert_false(is_broken);
    assert_int_equal(lasts_s(WHOLE), YEARS_S);
    assert_true(fence_record_has(record, WHOLE) && fence_record_has(record, "10.0.2.12:0/8"));
    assert_int_equal(lasts_s("10.0.2.13:0/9"), HOUR_S); /* another host's */
}

/* Who may not take an entry off leaves it to whom it is of, and says so. */
static void test_a_short_entry_that_may_not_be_removed_is_not_recorded(void **state)
{
    static const char *const brief[] = { WHOLE, NULL };
    g_autoptr(fence_record_t) record = fence_record_new("host2");

    (void) state;
    may_remove = FALSE;
    assert_false(put(brief, record));
    assert_int_equal(lasts_s(WHOLE), HOUR_S);
    assert_null(strstr(recorded, WHOLE));
    assert_false(fence_record_has(record, WHOLE));
    assert_int_equal(lasts_s("10.0.2.12:0/7"), YEARS_S);
}

/* Without one nothing is taken off. */
static void test_what_is_missing_is_put_on(void **state)
{
    static const char *const none[] = { NULL };
    g_autoptr(fence_record_t) record = fence_record_new("host2");

    (void) state;
    may_remove = FALSE;
    assert_true(put(none, record));
    assert_int_equal(lasts_s(WHOLE), YEARS_S);
    assert_int_equal(lasts_s("10.0.2.12:0/7"), YEARS_S);
    assert_non_null(strstr(recorded, WHOLE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_short_entry_is_replaced_behind_the_clients_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_short_entry_that_may_not_be_removed_is_not_recorded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_missing_is_put_on, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
