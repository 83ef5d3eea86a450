/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose room is taken when the scheduler is asked whether there is room for others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "promises.h"

#define NOBODY { NULL }

static GHashTable *set_of(const char *const *names)
{
    GHashTable *set = g_hash_table_new(g_str_hash, g_str_equal);

    for (; *names != NULL; names++) {
        g_hash_table_add(set, (gpointer) *names);
    }
    return set;
}

typedef struct promises_case {
    const char *asked[4];
    const char *looked_at[4];
    const char *isolated[4];
    const char *told[4];
    const char *is_isolated[4];
    const char *is_promised[4];
} promises_case_t;

static const promises_case_t cases[] = {
    { { "db1" }, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY },
    /* Who was told keeps the room, and so does who will be told when the store has answered. */
    { { "db1" }, NOBODY, NOBODY, { "db2" }, NOBODY, { "db2" } },
    { { "db1" }, { "db3" }, NOBODY, { "db2" }, NOBODY, { "db2", "db3" } },
    { { "db1" }, { "db2" }, NOBODY, { "db2" }, NOBODY, { "db2" } },
    /* Whoever is asked for takes no room beside itself. */
    { { "db1", "db2" }, { "db1", "db2" }, NOBODY, { "db2" }, NOBODY, NOBODY },
    { { "db1" }, { "db1" }, { "db1", "db2" }, NOBODY, { "db2" }, NOBODY },
    /* One that is being isolated takes its room once. */
    { { "db1" }, { "db2" }, { "db2" }, { "db2", "db3" }, { "db2" }, { "db3" } },
};

static void assert_names(char **names, const char *const *expected)
{
    assert_int_equal(g_strv_length(names), g_strv_length((char **) expected));
    for (; *expected != NULL; expected++) {
        assert_true(g_strv_contains((const char *const *) names, *expected));
    }
}

static void test_each_server_takes_its_room_once(void **state)
{
    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GHashTable) asked = set_of(cases[i].asked);
        g_autoptr(GHashTable) looked_at = set_of(cases[i].looked_at);
        g_autoptr(promises_t) promises = promises_new(asked, looked_at, cases[i].isolated, cases[i].told);

        assert_names(promises->asked, cases[i].asked);
        assert_names(promises->isolated, cases[i].is_isolated);
        assert_names(promises->promised, cases[i].is_promised);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_server_takes_its_room_once) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
