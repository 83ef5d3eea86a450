/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Modules that are not there, or not ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/module.h"

static void assert_refused(const char *folder, const char *file, const char *sentence)
{
    g_autoptr(GError) error = NULL;

    g_setenv(MODULE_DIR_VARIABLE, folder, TRUE);
    assert_null(module_load(file, "cos", &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE));
    assert_non_null(strstr(error->message, sentence));
}

static void test_one_that_is_missing(void **state)
{
    (void) state;
    assert_refused("/nonexistent", "store.so", "/nonexistent/store.so");
}

/* It has the symbol that is asked for, but no version of ours. */
static void test_one_of_another_version(void **state)
{
    (void) state;
    assert_refused("", "libm.so.6", "is of version unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_is_missing),
        cmocka_unit_test(test_one_of_another_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
