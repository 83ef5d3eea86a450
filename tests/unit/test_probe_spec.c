/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "params/probe_spec.h"

static void test_each_type_is_read(void **state)
{
    static const struct {
        const char *text;
        probe_type_t type;
        const char *address;
        guint16 port;
        const char *target;
    } cases[] = {
        { "tcp:10.0.0.1:5432", PROBE_TCP, "10.0.0.1", 5432, NULL },
        { "tcp:[fd00::1]:80", PROBE_TCP, "fd00::1", 80, NULL },
        { "icmp:10.0.0.1", PROBE_ICMP, "10.0.0.1", 0, NULL },
        { "icmp:fd00::1", PROBE_ICMP, "fd00::1", 0, NULL },
        { "http://10.0.0.1:8080/health", PROBE_HTTP, NULL, 0, "http://10.0.0.1:8080/health" },
        { "https://db1.example/", PROBE_HTTP, NULL, 0, "https://db1.example/" },
        { "pgsql:host=10.0.0.1 user=monitor", PROBE_PGSQL, NULL, 0, "host=10.0.0.1 user=monitor" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        probe_spec_t *spec = probe_spec_parse(cases[i].text, &error);

        assert_null(error);
        assert_non_null(spec);
        assert_int_equal(spec->type, cases[i].type);
        assert_int_equal(g_strcmp0(spec->address, cases[i].address), 0);
        assert_int_equal(spec->port, cases[i].port);
        assert_int_equal(g_strcmp0(spec->target, cases[i].target), 0);
        probe_spec_free(spec);
    }
}

static void test_exec_keeps_arguments_apart(void **state)
{
    probe_spec_t *spec = probe_spec_parse("exec:/usr/bin/check 'two words' $(id)", NULL);

    (void) state;
    assert_non_null(spec);
    assert_string_equal(spec->argv[0], "/usr/bin/check");
    assert_string_equal(spec->argv[1], "two words");
    assert_string_equal(spec->argv[2], "$(id)");
    assert_null(spec->argv[3]);
    probe_spec_free(spec);
}

static void test_wrong_probes_are_refused(void **state)
{
    static const char *const wrong[] = {
        "", "tcp:", "tcp:10.0.0.1", "tcp:10.0.0.1:0", "tcp:10.0.0.1:65536", "tcp:db1:5432", "icmp:", "icmp:db1",
        "http://", "http:///x", "exec:", "exec:relative", "exec:'/open", "ftp://10.0.0.1/", "10.0.0.1",
        /* What reads well and never works, or means another machine on each host. */
        "icmp:fe80::1%lo", "icmp:fe80::1", "icmp:[::1]", "icmp:::ffff:192.0.2.1", "icmp:::", "icmp:0.0.0.0", "icmp:224.0.0.1",
        "icmp:ff02::1", "icmp:255.255.255.255", "tcp:[fe80::1%25eth0]:80", "tcp:[::ffff:192.0.2.1]:80",
        "tcp:0.0.0.0:80", "http://0.0.0.0/", "http://[::ffff:192.0.2.1]/", "http://[::]/",
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        GError *error = NULL;

        assert_null(probe_spec_parse(wrong[i], &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        assert_non_null(g_strstr_len(error->message, -1, wrong[i]));
        g_error_free(error);
    }
}

/* libpq would take some of these for nothing, look others up at each probe, and take a zone that each host has anew. */
static void test_conninfos_that_never_work_are_refused(void **state)
{
    static const char *const wrong[] = {
        "", "not a conninfo", "10.0.0.1", "host=db1.example", "host=db1,db2", "user=x host=fe80::1%lo", "hostaddr=0.0.0.0",
        "host='::ffff:192.0.2.1'", "host=10.0.0.1 hostaddr=224.0.0.1", "postgresql://x:y@db1.example/z",
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *text = g_strdup_printf("pgsql:%s%spassword=secret", wrong[i],
                                                strstr(wrong[i], "://") != NULL ? "?" : " ");
        GError *error = NULL;

        /* The empty one would be a conninfo with a password alone. */
        assert_null(probe_spec_parse(*wrong[i] != '\0' ? text : "pgsql:", &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        assert_null(strstr(error->message, "secret"));
        g_error_free(error);
    }
}

static void test_who_is_asked(void **state)
{
    static const struct {
        const char *text;
        gboolean is_this_host;
    } cases[] = {
        { "tcp:127.0.0.1:22", TRUE }, { "icmp:127.1.2.3", TRUE }, { "icmp:::1", TRUE }, { "tcp:[::1]:22", TRUE },
        { "http://localhost/", TRUE }, { "http://[::1]:80/", TRUE }, { "pgsql:user=x", TRUE },
        { "pgsql:host=/run/postgresql", TRUE }, { "pgsql:host=@socket", TRUE }, { "pgsql:postgresql:///x", TRUE },
        { "pgsql:hostaddr=127.0.0.1 host=db1", TRUE },
        { "tcp:10.0.0.1:22", FALSE }, { "icmp:fd00::1", FALSE }, { "http://db1.example/", FALSE },
        { "pgsql:host=10.0.0.1", FALSE }, { "pgsql:service=db1", FALSE }, { "pgsql:host=db1 hostaddr=10.0.0.1", FALSE },
        { "pgsql:postgresql:///x?host=10.0.0.1", FALSE }, { "exec:/bin/true", FALSE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        probe_spec_t *spec = probe_spec_parse(cases[i].text, NULL);

        assert_non_null(spec);
        assert_int_equal(probe_spec_asks_this_host(spec), cases[i].is_this_host);
        probe_spec_free(spec);
    }
}

static void test_label_has_no_secret(void **state)
{
    static const struct {
        const char *text;
        const char *label;
    } cases[] = {
        { "tcp:10.0.0.1:22", "tcp:10.0.0.1:22" },
        { "icmp:10.0.0.1", "icmp:10.0.0.1" },
        { "https://me:secret@10.0.0.1/health?token=secret#x", "https://10.0.0.1/health" },
        { "pgsql:host=10.0.0.1 password=secret", "pgsql" },
        { "exec:/bin/ask --password secret", "exec:/bin/ask" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        probe_spec_t *spec = probe_spec_parse(cases[i].text, NULL);
        g_autofree char *label = probe_spec_label(spec);

        assert_string_equal(label, cases[i].label);
        probe_spec_free(spec);
    }
}

static void test_list_splits_as_a_shell(void **state)
{
    GPtrArray *list = probe_spec_list_parse(" tcp:10.0.0.1:22  'pgsql:host=10.0.0.1 user=x' ", NULL);
    const probe_spec_t *second = NULL;

    (void) state;
    assert_non_null(list);
    assert_int_equal(list->len, 2);
    second = g_ptr_array_index(list, 1);
    assert_string_equal(second->target, "host=10.0.0.1 user=x");
    g_ptr_array_unref(list);

    list = probe_spec_list_parse("", NULL);
    assert_non_null(list);
    assert_int_equal(list->len, 0);
    g_ptr_array_unref(list);

    assert_null(probe_spec_list_parse("tcp:10.0.0.1:22 'open", NULL));
    assert_null(probe_spec_list_parse("tcp:10.0.0.1:22 nonsense", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_type_is_read),
        cmocka_unit_test(test_exec_keeps_arguments_apart),
        cmocka_unit_test(test_wrong_probes_are_refused),
        cmocka_unit_test(test_conninfos_that_never_work_are_refused),
        cmocka_unit_test(test_who_is_asked),
        cmocka_unit_test(test_label_has_no_secret),
        cmocka_unit_test(test_list_splits_as_a_shell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
