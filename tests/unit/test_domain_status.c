/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/domain_status.h"

#define DOMAIN "<domain type='kvm' id='3'><name>standby-db1</name><uuid>7c9e6679</uuid></domain>"

static gboolean parse(const char *text, domain_status_t *status)
{
    return domain_status_parse(text, strlen(text), status);
}

static void test_running(void **state)
{
    domain_status_t status;

    (void) state;
    assert_true(parse("<!-- kept by libvirtd -->\n<domstatus state='paused' reason='ioerror' pid='4711'>\n"
                      "<taint flag='x'/>" DOMAIN "</domstatus>", &status));
    assert_string_equal(status.name, "standby-db1");
    assert_string_equal(status.uuid, "7c9e6679");
    assert_string_equal(status.state, "paused");
    assert_string_equal(status.reason, "ioerror");
    assert_int_equal(status.pid, 4711);
    domain_status_clear(&status);
}

static void test_job(void **state)
{
    static const struct {
        const char *element;
        const char *job;
    } rows[] = {
        { "", NULL },
        { "<job type='none' async='none'/>", NULL },
        { "<job type='modify'/>", NULL },
        { "<job type='none' async='migration out' phase='perform3' flags='0x1'><disk dev='vda'/></job>", "migration out" },
        { "<taint flag='x'/><job type='none' async='migration in' phase='prepare'/>", "migration in" },
        { "<vcpus><job async='save'/></vcpus>", NULL },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf("<domstatus state='running' pid='4711'>%s" DOMAIN "</domstatus>",
                                                rows[i].element);
        domain_status_t status;

        assert_true(parse(text, &status));
        assert_int_equal(g_strcmp0(status.job, rows[i].job), 0);
        domain_status_clear(&status);
    }
}

static void assert_refused(const char *text)
{
    domain_status_t status;

    assert_false(parse(text, &status));
    assert_null(status.name);
    assert_null(status.uuid);
    assert_null(status.state);
}

static void test_no_status_file(void **state)
{
    (void) state;
    assert_refused("");
    assert_refused("<domstatus state='running' pid='4711'><domain><name>half");
    assert_refused("<domstatus state='running' pid='0'>" DOMAIN "</domstatus>");
    assert_refused("<other state='running' pid='4711'>" DOMAIN "</other>");
    assert_refused("<domstatus pid='4711'>" DOMAIN "</domstatus>");
}

/* Not XML, but GMarkup goes on: what was read first stands, and nothing leaks. */
static void test_second_root_is_not_read(void **state)
{
    (void) state;
    assert_refused("<other state='running'/><domstatus state='running' pid='4711'>" DOMAIN "</domstatus>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_running),
        cmocka_unit_test(test_job),
        cmocka_unit_test(test_no_status_file),
        cmocka_unit_test(test_second_root_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
