/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes are taken for a domain's QEMU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/process_stat.h"
#include "image/qemu_process.h"

#define UUID "7c9e6679-7425-40de-944b-e07fc1f90ae7"

/* A string constant has a NUL of its own: the last argument's. */
#define PARSE(text, shown) qemu_command_line_parse(text, sizeof text, shown)

static void test_command_line_of_libvirt(void **state)
{
    qemu_shown_t shown;

    (void) state;
    assert_true(PARSE("/usr/bin/qemu-system-x86_64\0-name\0guest=standby-db1,debug-threads=on\0-S\0-uuid\0" UUID "\0-m\0" "128",
                      &shown));
    assert_string_equal(shown.name, "standby-db1");
    assert_string_equal(shown.uuid, UUID);
    qemu_shown_clear(&shown);
    assert_true(PARSE("qemu\0-name\0process=x,guest=standby-db1", &shown));
    assert_string_equal(shown.name, "standby-db1");
    assert_null(shown.uuid);
    qemu_shown_clear(&shown);
}

/* Those who look for a QEMU have its name in an argument of their own. */
static void test_others(void **state)
{
    qemu_shown_t shown;

    (void) state;
    assert_false(PARSE("pgrep\0-f\0guest=standby-db1,", &shown));
    assert_false(PARSE("sh\0-c\0qemu -name guest=standby-db1", &shown));
    assert_false(PARSE("find\0-name\0standby-db1", &shown));
    assert_false(PARSE("qemu\0-name", &shown));
    assert_false(qemu_command_line_parse("", 0, &shown));
    assert_null(shown.name);
}

/* Not ended by a NUL: a process may write over its own arguments. */
static void test_cut_short(void **state)
{
    static const char bytes[] = { 'q', '\0', '-', 'u', 'u', 'i', 'd', '\0', '7', 'c' };
    qemu_shown_t shown;

    (void) state;
    assert_true(qemu_command_line_parse(bytes, sizeof bytes, &shown));
    assert_string_equal(shown.uuid, "7c");
    qemu_shown_clear(&shown);
}

static void test_images(void **state)
{
    qemu_shown_t shown;

    (void) state;
    assert_true(PARSE("qemu\0-name\0guest=x\0-blockdev\0{\"driver\":\"rbd\",\"pool\":\"vm\",\"image\":\"run-db1-0\"}",
                      &shown));
    assert_true(qemu_shown_has_image(&shown, "run-db1-0"));
    assert_false(qemu_shown_has_image(&shown, "run-db1"));
    assert_false(qemu_shown_has_image(&shown, "db1-0"));
    qemu_shown_clear(&shown);
    assert_true(PARSE("qemu\0-name\0guest=x\0-drive\0file=rbd:vm/run-db1-0:id=a", &shown));
    assert_true(qemu_shown_has_image(&shown, "run-db1-0"));
    qemu_shown_clear(&shown);
    assert_true(PARSE("qemu\0-name\0guest=x\0-drive\0rbd:vm/run-db1-0", &shown));
    assert_true(qemu_shown_has_image(&shown, "run-db1-0"));
    assert_false(qemu_shown_has_image(&shown, "run-db1-01"));
    qemu_shown_clear(&shown);
}

static void test_list(void **state)
{
    g_autoptr(GPtrArray) list = qemu_process_list(NULL);
    pid_t pid = -1;

    (void) state;
    assert_non_null(list);
    assert_true(qemu_process_find("no-such-domain", UUID, &pid, NULL));
    assert_int_equal(pid, 0);
}

/* What a process calls itself is its own choice. */
static void test_stat(void **state)
{
    process_stat_t stat;

    (void) state;
    assert_true(process_stat_parse("47 (a) T (b) D 1 47 47 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 9 0 123456 0 0", &stat));
    assert_int_equal(stat.state, 'D');
    assert_int_equal(stat.threads, 9);
    assert_int_equal(stat.start_ticks, 123456);
    assert_false(process_stat_parse("47 (a) D 1 47", &stat));
    assert_false(process_stat_parse("", &stat));
    assert_true(process_stat_read(getpid(), &stat));
    assert_true(stat.threads > 0 && stat.start_ticks > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_line_of_libvirt),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_stat),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
