/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/import_mark.h"

static void test_what_was_written_is_read(void **state)
{
    g_autofree char *text = import_mark_text("10f3a6b8b4567", "an-import");

    (void) state;
    assert_string_equal(import_mark_import(text, "10f3a6b8b4567"), "an-import");
}

/* A copy or a clone has the metadata of its original, and an id of its own. */
static void test_of_another_image(void **state)
{
    g_autofree char *text = import_mark_text("10f3a6b8b4567", "an-import");

    (void) state;
    assert_null(import_mark_import(text, "10f3a6b8b4568"));
    assert_null(import_mark_import(text, "10f3a6b8b456"));
    assert_null(import_mark_import(text, "10f3a6b8b45670"));
    assert_null(import_mark_import(text, ""));
}

static void test_what_is_no_mark(void **state)
{
    static const char *const texts[] = { "", " ", "10f3", "10f3 ", " an-import", "x10f3 an-import" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        assert_null(import_mark_import(texts[i], "10f3"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_of_another_image),
        cmocka_unit_test(test_what_is_no_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
