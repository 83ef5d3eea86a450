/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "options.h"

static ocf_values_t *values_from(const char *text)
{
    GError *error = NULL;
    g_autoptr(GHashTable) texts = fence_options_from_text(text, strlen(text), &error);
    ocf_values_t *values = NULL;

    assert_null(error);
    values = fence_options_parse(texts, &error);
    assert_null(error);
    return values;
}

static void test_defaults(void **state)
{
    ocf_values_t *values = values_from("");

    (void) state;
    assert_string_equal(ocf_value_string(values, "action"), "off");
    assert_string_equal(ocf_value_string(values, "method"), FENCE_METHOD_BLOCKLIST);
    assert_null(ocf_value_string(values, "plug"));
    assert_int_equal(ocf_value_duration_ms(values, "power_timeout"), 25000);
    assert_int_equal(ocf_value_integer(values, "blocklist_time"), 157680000);
    ocf_values_free(values);
}

static void test_lines(void **state)
{
    ocf_values_t *values = values_from("# plug=a\n\n action = status \nport=old\nplug=\"b c\"\nnonsense\nunknown=1\n"
                                       "method='confirm'\nquiet=on\nhold_down=5s\nstorage_addrs=a:10.0.0.1;b:10.0.0.2");

    (void) state;
    assert_string_equal(ocf_value_string(values, "action"), "status");
    assert_string_equal(ocf_value_string(values, "plug"), "b c");
    assert_string_equal(ocf_value_string(values, "method"), "confirm");
    assert_true(ocf_value_boolean(values, "quiet"));
    assert_int_equal(ocf_value_duration_ms(values, "hold_down"), 5000);
    ocf_values_free(values);
}

static void test_old_name_of_plug(void **state)
{
    ocf_values_t *values = values_from("port=host2\n");

    (void) state;
    assert_string_equal(ocf_value_string(values, "plug"), "host2");
    ocf_values_free(values);
}

static void test_input_that_is_no_text(void **state)
{
    GError *error = NULL;

    (void) state;
    assert_null(fence_options_from_text("plug=\xff", 6, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
    g_clear_error(&error);
    assert_null(fence_options_from_text("a\0b", 3, &error));
    assert_non_null(error);
    g_clear_error(&error);
}

static void test_refused(void **state)
{
    static const char *const texts[] = {
        "power_timeout=x", "power_timeout=0", "power_timeout=14\nstore_timeout=5", "method=magic", "verbose=maybe",
        "blocklist_time=5", "pools=,", "storage_addrs=a", "mgmt_addrs=a:b c", "libvirt_uri=qemu:///system",
        "libvirt_port=70000",
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        GError *error = NULL;
        g_autoptr(GHashTable) read = fence_options_from_text(texts[i], strlen(texts[i]), NULL);
        ocf_values_t *values = fence_options_parse(read, &error);

        assert_null(values);
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        g_clear_error(&error);
    }
}

static void test_command_line(void **state)
{
    char *argv[] = { (char *) "fence_rbd", (char *) "-o", (char *) "status", (char *) "--plug=host2", (char *) "-v",
                     (char *) "--storage-addrs", (char *) "a:10.0.0.1", NULL };
    GError *error = NULL;
    g_autoptr(GHashTable) texts = fence_options_from_argv(G_N_ELEMENTS(argv) - 1, argv, &error);

    (void) state;
    assert_null(error);
    assert_string_equal(g_hash_table_lookup(texts, "action"), "status");
    assert_string_equal(g_hash_table_lookup(texts, "plug"), "host2");
    assert_string_equal(g_hash_table_lookup(texts, "verbose"), "true");
    assert_string_equal(g_hash_table_lookup(texts, "storage_addrs"), "a:10.0.0.1");
}

static void test_command_line_refused(void **state)
{
    static char *const words[] = { (char *) "--nothing", (char *) "-o", (char *) "-Z", (char *) "word", (char *) "-vZ" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        char *argv[] = { (char *) "fence_rbd", words[i], NULL };
        GError *error = NULL;

        assert_null(fence_options_from_argv(2, argv, &error));
        assert_non_null(error);
        assert_non_null(strstr(error->message, "see --help"));
        g_error_free(error);
    }
}

static void test_actions(void **state)
{
    static const char *const refused[] = { "reboot", "list", "", "off " };
    ocf_values_t *values = values_from("action=monitor");

    (void) state;
    assert_string_equal(fence_action_find(values, NULL)->name, "monitor");
    ocf_values_free(values);
    for (gsize i = 0; i < 2; i++) {
        g_autofree char *text = g_strconcat("action=", refused[i], NULL);
        GError *error = NULL;

        values = values_from(text);
        assert_null(fence_action_find(values, &error));
        /* The fencer recognizes a missing action by these words. */
        assert_non_null(strstr(error->message, "unsupported action"));
        g_error_free(error);
        ocf_values_free(values);
    }
}

static void test_pools_and_uri(void **state)
{
    ocf_values_t *values = values_from("pools=a, b,,c");
    g_auto(GStrv) pools = fence_options_pools(values);
    g_autofree char *v4 = fence_options_libvirt_uri(values, "10.0.0.1");
    g_autofree char *v6 = fence_options_libvirt_uri(values, "fd00::1");

    (void) state;
    assert_int_equal(g_strv_length(pools), 3);
    assert_string_equal(pools[2], "c");
    assert_string_equal(v4, "qemu+tcp://10.0.0.1/system");
    assert_string_equal(v6, "qemu+tcp://[fd00::1]/system");
    ocf_values_free(values);
}

/* Every option but the hidden ones is in the metadata, with the default that it really has. */
static void test_metadata_is_the_table(void **state)
{
    g_autofree char *xml = fence_metadata();

    (void) state;
    for (const fence_option_t *option = fence_option_table; option->name != NULL; option++) {
        g_autofree char *begin = g_strdup_printf("<parameter name=\"%s\" ", option->name);

        assert_int_equal(strstr(xml, begin) != NULL, !option->is_hidden);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_old_name_of_plug),
        cmocka_unit_test(test_input_that_is_no_text),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_command_line_refused),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_pools_and_uri),
        cmocka_unit_test(test_metadata_is_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
