/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/boolean.h"
#include "base/error.h"
#include "ocf.h"
#include "tables.h"

static const ocf_param_t *const tables[] = { image_params, observer_params, capacity_params };

static ocf_values_t *parse_one(const ocf_param_t *params, const char *name, const char *value, GError **error)
{
    GHashTable *texts = g_hash_table_new(g_str_hash, g_str_equal);
    ocf_values_t *values = NULL;

    g_hash_table_insert(texts, (gpointer) "disks", (gpointer) "vm/db1");
    if (name != NULL) {
        g_hash_table_insert(texts, (gpointer) name, (gpointer) value);
    }
    values = ocf_values_parse(params, texts, error);
    g_hash_table_unref(texts);
    return values;
}

static void test_every_default_is_right(void **state)
{
    (void) state;
    for (gsize t = 0; t < G_N_ELEMENTS(tables); t++) {
        for (const ocf_param_t *param = tables[t]; param->name != NULL; param++) {
            GError *error = NULL;

            if (param->default_text == NULL || param->default_text[0] == '\0') {
                continue;
            }
            ocf_values_free(parse_one(tables[t], param->name, param->default_text, &error));
            assert_null(error);
        }
    }
}

static void test_wrong_values_are_named(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } wrong[] = {
        { "server", "-x" }, { "disks", "" }, { "disks", "vm" }, { "disks", "vm/a/b/c" }, { "disks", "vm/a@b" },
        { "template", "relative.xml" }, { "vcpus", "0" }, { "vcpus", "2.5" }, { "memory_mib", "lots" },
        { "mac", "52:54:00:12:34" }, { "mac", "01:00:5e:00:00:01" }, { "mac", "52-54-00-12-34-56" },
        { "service_address", "db1" }, { "domain_type", "xen" }, { "ceph_conf", "ceph.conf" },
        { "boot_probe", "ping" }, { "store_timeout", "0" }, { "watcher_wait", "x" }, { "probes", "tcp:1" },
        { "recover_probe", "host" }, { "probe_interval", "1ms" }, { "probe_timeout", "1h" }, { "probe_misses", "0" },
        { "hold_down", "2h" }, { "recover_after", "soon" }, { "isolate", "yes" }, { "store_address", "10.0.0.256" },
        { "isolate_timeout", "10ms" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        GError *error = NULL;

        ocf_values_free(parse_one(image_params, wrong[i].name, wrong[i].value, &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        assert_true(g_str_has_prefix(error->message, wrong[i].name));
        g_error_free(error);
    }
}

static void test_values_are_read(void **state)
{
    ocf_values_t *values = parse_one(image_params, "hold_down", "1500ms", NULL);

    (void) state;
    assert_int_equal(ocf_value_duration_ms(values, "hold_down"), 1500);
    assert_int_equal(ocf_value_integer(values, "vcpus"), 1);
    assert_string_equal(ocf_value_string(values, "isolate"), "required");
    assert_null(ocf_value_string(values, "recover_probe"));
    ocf_values_free(values);
}

static void test_bad_value_reads_as_default(void **state)
{
    GError *error = NULL;
    ocf_values_t *values = parse_one(image_params, "vcpus", "none", &error);

    (void) state;
    assert_non_null(error);
    assert_int_equal(ocf_value_integer(values, "vcpus"), 1);
    ocf_values_free(values);
    g_error_free(error);
}

static void test_booleans(void **state)
{
    gboolean value = FALSE;

    (void) state;
    assert_true(boolean_parse("Yes", &value));
    assert_true(value);
    assert_true(boolean_parse("off", &value));
    assert_false(value);
    assert_false(boolean_parse("maybe", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_default_is_right),
        cmocka_unit_test(test_wrong_values_are_named),
        cmocka_unit_test(test_values_are_read),
        cmocka_unit_test(test_bad_value_reads_as_default),
        cmocka_unit_test(test_booleans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
