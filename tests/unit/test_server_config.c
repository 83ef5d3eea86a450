/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/duration.h"
#include "base/error.h"
#include "params/server_config.h"

static server_config_t *parse_one(const char *name, const char *value, GError **error)
{
    GHashTable *params = g_hash_table_new(g_str_hash, g_str_equal);
    server_config_t *config = NULL;

    g_hash_table_insert(params, (gpointer) "probes", (gpointer) "tcp:10.0.0.1:5432");
    if (name != NULL) {
        g_hash_table_insert(params, (gpointer) name, (gpointer) value);
    }
    config = server_config_parse("standby-db1", params, error);
    g_hash_table_unref(params);
    return config;
}

static void test_defaults(void **state)
{
    server_config_t *config = parse_one(NULL, NULL, NULL);

    (void) state;
    assert_non_null(config);
    assert_string_equal(config->name, "db1");
    assert_int_equal(config->probe_interval_ms, 1000);
    assert_int_equal(config->probe_misses, 3);
    assert_int_equal(config->hold_down_ms, 5000);
    assert_int_equal(config->recover_after_ms, 10000);
    assert_int_equal(config->isolate, ISOLATE_REQUIRED);
    assert_null(config->recover_probe);
    server_config_free(config);
}

static void test_wrong_values_name_the_parameter(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } wrong[] = {
        { "server", "a/b" }, { "probe_interval", "0" }, { "probe_interval", "soon" }, { "probe_misses", "0" },
        { "probe_misses", "many" }, { "hold_down", "-1" }, { "recover_after", "5 parsecs" }, { "isolate", "maybe" },
        { "store_address", "db1" }, { "recover_probe", "tcp:10.0.0.1:5432" }, { "isolate_timeout", "1ms" },
        { "probe_unknown", "up" },
        { "paused_until", "soon" },
        { "paused_until", "2026-01-31T18:00:00Z/2026-01-31T18:00:00Z" }, { "paused_until", "/2026-01-31T18:00:00Z" },
        { "paused_until", "2026-01-31T18:00:00Z/" }, { "paused_until", "resumed/resumed" }, { "hold", "perhaps" },
        { "held_takeover", "perhaps" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        GError *error = NULL;

        assert_null(parse_one(wrong[i].name, wrong[i].value, &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        assert_non_null(g_strstr_len(error->message, -1, wrong[i].name));
        g_error_free(error);
    }
}

static void test_equal_sees_every_parameter(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } changes[] = {
        { "server", "other" }, { "probes", "icmp:10.0.0.1" }, { "probe_interval", "2s" }, { "probe_timeout", "2s" },
        { "probe_misses", "4" }, { "hold_down", "6s" }, { "recover_after", "1s" }, { "isolate", "best-effort" },
        { "store_address", "10.0.0.9" }, { "recover_probe", "icmp:10.1.0.1" }, { "isolate_timeout", "5s" },
        { "probe_unknown", "down" },
    };
    server_config_t *plain = parse_one(NULL, NULL, NULL);
    server_config_t *same = parse_one(NULL, NULL, NULL);

    (void) state;
    assert_true(server_config_equal(plain, same));
    for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
        server_config_t *changed = parse_one(changes[i].name, changes[i].value, NULL);

        assert_non_null(changed);
        assert_false(server_config_equal(plain, changed));
        server_config_free(changed);
    }
    server_config_free(plain);
    server_config_free(same);
}

static void test_words_of_an_operator(void **state)
{
    static const struct {
        const char *text;
        gint64 from_ms;
        gint64 until_ms;
    } cases[] = {
        { "resumed", 0, SERVER_PAUSED_UNTIL_RESUMED }, { "2026-01-31T18:00:00Z", 0, 1769882400000 },
        { "2026-01-31T18:00:00", 0, 1769882400000 }, { "2026-01-31T19:00:00+01:00", 0, 1769882400000 },
        { "2026-01-31T17:00:00Z/2026-01-31T18:00:00Z", 1769878800000, 1769882400000 },
        { "2026-01-31T18:00:00+01:00/2026-01-31T18:00:00", 1769878800000, 1769882400000 },
    };
    server_config_t *config = parse_one("hold", "true", NULL);

    (void) state;
    assert_true(config->hold);
    assert_int_equal(config->paused_until_ms, 0);
    server_config_free(config);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = NULL;
        gint64 from_ms = -1;
        gint64 again_ms = 0;

        config = parse_one("paused_until", cases[i].text, NULL);
        assert_int_equal(config->paused_until_ms, cases[i].until_ms);
        assert_int_equal(config->pause_from_ms, cases[i].from_ms);
        text = paused_until_text(config->pause_from_ms, config->paused_until_ms);
        assert_true(paused_until_parse(text, &from_ms, &again_ms));
        assert_int_equal(from_ms, cases[i].from_ms);
        assert_int_equal(again_ms, cases[i].until_ms);
        server_config_free(config);
    }
}

static void test_digest_is_of_the_probes_and_of_nothing_else(void **state)
{
    server_config_t *plain = parse_one("probes", "tcp:10.0.0.1:22 icmp:10.0.0.1", NULL);
    server_config_t *turned = parse_one("probes", "icmp:10.0.0.1  tcp:10.0.0.1:22", NULL);
    server_config_t *other = parse_one("probes", "icmp:10.0.0.1 tcp:10.0.0.1:23", NULL);
    server_config_t *fewer = parse_one("probes", "icmp:10.0.0.1", NULL);

    (void) state;
    assert_string_equal(plain->probes_digest, turned->probes_digest);
    assert_int_equal(plain->probes_mark, turned->probes_mark);
    assert_string_not_equal(plain->probes_digest, other->probes_digest);
    assert_int_not_equal(plain->probes_mark, other->probes_mark);
    assert_string_not_equal(plain->probes_digest, fewer->probes_digest);
    server_config_free(plain);
    server_config_free(turned);
    server_config_free(other);
    server_config_free(fewer);
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        guint64 ms;
    } good[] = { { "500ms", 500 }, { "5", 5000 }, { "5s", 5000 }, { "2min", 120000 }, { "1H", 3600000 }, { "0", 0 } };
    static const char *const bad[] = { "", "s", "-1", " 5", "5 s", "5x", "1.5s", "99999999999999999999", "9999999h" };
    guint64 ms = 0;

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        assert_true(duration_parse(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        assert_false(duration_parse(bad[i], &ms));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_wrong_values_name_the_parameter),
        cmocka_unit_test(test_equal_sees_every_parameter),
        cmocka_unit_test(test_words_of_an_operator),
        cmocka_unit_test(test_digest_is_of_the_probes_and_of_nothing_else),
        cmocka_unit_test(test_durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
