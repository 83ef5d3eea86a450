/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "store/store.h"
#include "store/store_address.h"

static void assert_ip(const char *address, const char *ip)
{
    g_autofree char *found = store_address_ip(address);

    if (ip == NULL) {
        assert_null(found);
    } else {
        assert_non_null(found);
        assert_string_equal(found, ip);
    }
}

static void test_ip(void **state)
{
    (void) state;
    assert_ip("10.0.0.5:0/3853293677", "10.0.0.5");
    assert_ip("10.0.0.5", "10.0.0.5");
    assert_ip("[fd00::5]:0/12", "fd00::5");
    assert_ip("fd00::5", "fd00::5");
    assert_ip("[fd00::5", NULL);
    assert_ip("fd00:0:0::05", "fd00::5");
    assert_ip("::ffff:10.0.0.5", "::ffff:10.0.0.5");
    assert_ip("[::ffff:10.0.0.5]:0/7", "::ffff:10.0.0.5");
    assert_ip("[10.0.0.5]:0/7", NULL);
    assert_ip("store1", NULL);
    assert_ip("", NULL);
}

static void assert_entry(const char *address, const char *entry)
{
    GError *error = NULL;
    g_autofree char *text = store_address_blocklist_text(address, &error);

    if (entry == NULL) {
        assert_null(text);
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        g_error_free(error);
    } else {
        assert_null(error);
        assert_string_equal(text, entry);
    }
}

static void test_blocklist_text(void **state)
{
    (void) state;
    assert_entry("10.0.0.5", "10.0.0.5:0/0");
    assert_entry("10.0.0.5:0/7", "10.0.0.5:0/7");
    assert_entry("fd00::5", "[fd00::5]:0/0");
    assert_entry("[fd00::5]:0/7", "[fd00::5]:0/7");
    /* As the OSD map will list it, or a fence would wait for ever to see it there. */
    assert_entry("fd00:0:0::05", "[fd00::5]:0/0");
    assert_entry("[FD00::5]:0/7", "[fd00::5]:0/7");
    assert_entry("::ffff:10.0.0.5", "[::ffff:10.0.0.5]:0/0");
    /* It becomes part of a command to the monitors. */
    assert_entry("10.0.0.5:0/7\",\"x\":\"", NULL);
    assert_entry("[fd00::5]x/7", NULL);
    assert_entry("10.0.0.5:65536/7", NULL);
    assert_entry("10.0.0.5:\v00/07", "10.0.0.5:0/7"); /* GLib's number has a gap here */
    assert_entry("10.0.0.5:0", NULL);
    assert_entry("db1", NULL);
    assert_entry("", NULL);
}

static GHashTable *blocklist(const char *entry)
{
    GHashTable *entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    g_hash_table_insert(entries, g_strdup(entry), g_strdup("2030-01-01"));
    return entries;
}

static void test_covers(void **state)
{
    static const struct {
        const char *entry;
        const char *client;
        gboolean covered;
    } cases[] = {
        { "10.0.0.5:0/0", "10.0.0.5:0/7", TRUE },
        { "10.0.0.5:0/0", "10.0.0.50:0/7", FALSE },
        { "10.0.0.5:0/7", "10.0.0.5:0/7", TRUE },
        { "10.0.0.5:0/7", "10.0.0.5:0/8", FALSE },
        { "[fd00::5]:0/0", "[fd00:0::5]:0/7", TRUE },
        { "[fd00::5]:0/0", "[fd00::6]:0/7", FALSE },
        { "cidr:10.0.0.0:0/29", "10.0.0.7:0/7", TRUE },
        { "cidr:10.0.0.0:0/29", "10.0.0.8:0/7", FALSE },
        { "cidr:10.0.0.0:0/0", "192.168.0.8:0/7", TRUE },
        { "cidr:10.0.0.0:0/33", "10.0.0.0:0/7", FALSE },
        /* One client of port 0 and nonce 24, not a range. */
        { "10.0.0.0:0/24", "10.0.0.8:0/7", FALSE },
        { "10.0.0.5:0/0", "no address", FALSE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GHashTable) entries = blocklist(cases[i].entry);

        assert_int_equal(store_blocklist_covers(entries, cases[i].client), cases[i].covered);
    }
}

static void test_module_missing(void **state)
{
    store_options_t options = { .user = "understudy" };
    GError *error = NULL;

    (void) state;
    g_setenv("UNDERSTUDY_MODULE_DIR", "/nonexistent", TRUE);
    assert_null(store_open(&options, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE));
    assert_non_null(strstr(error->message, "/nonexistent/store.so"));
    g_error_free(error);
}

/* A start waits for a store that is silent, and a stop has the cluster told; a store that refuses is another matter. However
 * late the network says that nothing went through. */
static void test_silence(void **state)
{
    static const int silent[] = { ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, ENETRESET, ECONNREFUSED,
                                  ECONNRESET, ECONNABORTED, EADDRNOTAVAIL };
    static const int answers[] = { ESHUTDOWN, EACCES, EPERM, ENOENT, EEXIST, EBUSY, EINVAL, EIO, ENOSPC };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(silent); i++) {
        assert_int_equal(understudy_error_of_errno(silent[i]), UNDERSTUDY_ERROR_TIMEOUT);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        assert_int_not_equal(understudy_error_of_errno(answers[i]), UNDERSTUDY_ERROR_TIMEOUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ip),
        cmocka_unit_test(test_blocklist_text),
        cmocka_unit_test(test_covers),
        cmocka_unit_test(test_module_missing),
        cmocka_unit_test(test_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
