/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "caps.h"

static GPtrArray *list(const char *a, const char *b)
{
    GPtrArray *texts = g_ptr_array_new();

    if (a != NULL) {
        g_ptr_array_add(texts, (gpointer) a);
    }
    if (b != NULL) {
        g_ptr_array_add(texts, (gpointer) b);
    }
    return texts;
}

static GPtrArray *make(const char *base, const char *pool, const char *host, const char *server, GError **error)
{
    g_autoptr(GPtrArray) pools = list(pool, NULL);
    g_autoptr(GPtrArray) hosts = list("10.0.0.11", host);
    g_autoptr(GPtrArray) servers = list(server, NULL);

    return caps_make(base, pools, hosts, servers, error);
}

static void test_users(void **state)
{
    GError *error = NULL;
    g_autoptr(GPtrArray) users = make("understudy", "vm", "fd00:0::0012", "10.0.0.101", &error);
    const ceph_user_t *host = NULL;
    const ceph_user_t *fence = NULL;
    const ceph_user_t *unfence = NULL;

    (void) state;
    assert_null(error);
    assert_int_equal(users->len, 3);
    host = g_ptr_array_index(users, 0);
    fence = g_ptr_array_index(users, 1);
    unfence = g_ptr_array_index(users, 2);
    /* What a start needs besides the images: its host's boot, and that of a claim's holder. */
    assert_non_null(strstr(host->mon, "allow command \"config-key get\" with key prefix understudy/,"));
    assert_non_null(strstr(host->mon, "allow command \"config-key set\" with key prefix understudy/host/"));
    assert_null(strstr(host->mon, "profile rbd"));
    assert_non_null(strstr(host->osd, "profile rbd pool=vm"));
    assert_string_equal(fence->entity, "client.understudy-fence");
    assert_non_null(strstr(host->mon, "blocklistop=add addr regex \"^(10[.]0[.]0[.]11|[[]fd00::12[]]):0/[1-9][0-9]*$\""));
    assert_non_null(strstr(host->mon, "blocklistop=rm addr regex \"^(10[.]0[.]0[.]101):0/"));
    assert_non_null(strstr(fence->mon, "blocklistop=add addr regex \"^(10[.]0[.]0[.]11|[[]fd00::12[]]):0/[0-9]+$\""));
    assert_null(strstr(fence->mon, "blocklistop=rm"));
    assert_null(strstr(unfence->mon, "blocklistop=add"));
    assert_null(unfence->osd);
    assert_null(strstr(fence->osd, "rbd_data"));
    assert_null(strstr(fence->osd, "object_prefix rbd_,"));
}

static void test_without_servers(void **state)
{
    g_autoptr(GPtrArray) users = make("understudy", "vm", NULL, NULL, NULL);
    const ceph_user_t *host = g_ptr_array_index(users, 0);

    (void) state;
    /* An empty pattern would match any address. */
    assert_null(strstr(host->mon, "^()"));
    assert_null(strstr(host->mon, "blocklistop=rm"));
}

/* Whatever goes into the caps comes from a command line: it may not add to them. */
static void test_refused(void **state)
{
    static const char *const words[][4] = {
        { "a, allow *", "vm", NULL, NULL }, { "a", "vm, allow *", NULL, NULL }, { "a", "vm", "10.0.0.1|.*", NULL },
        { "a", "vm", ".*", NULL },          { "a", "vm", NULL, "10.0.0.0/8" },  { "a", "vm", NULL, "store1" },
        { "", "vm", NULL, NULL },           { "a", "", NULL, NULL },            { "a", "vm", "", NULL },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        GError *error = NULL;

        assert_null(make(words[i][0], words[i][1], words[i][2], words[i][3], &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        g_error_free(error);
    }
}

/* Isolating the server would keep that host out of the store, however the address is spelled. */
static void test_an_address_of_a_host_and_a_server(void **state)
{
    static const char *const pairs[][2] = { { "10.0.2.11", "10.0.2.11" }, { "fd00::5", "fd00:0::05" } };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
        g_autoptr(GError) error = NULL;

        assert_null(make("understudy", "vm", pairs[i][0], pairs[i][1], &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        assert_non_null(strstr(error->message, pairs[i][1]));
    }
}

static void test_command(void **state)
{
    g_autoptr(GPtrArray) users = make("u", "vm", NULL, NULL, NULL);
    g_autofree char *command = caps_command(g_ptr_array_index(users, 1), "/etc/ceph");
    g_auto(GStrv) argv = NULL;

    (void) state;
    assert_true(g_shell_parse_argv(command, NULL, &argv, NULL));
    assert_string_equal(argv[3], "client.u-fence");
    assert_string_equal(argv[4], "mon");
    assert_string_equal(argv[6], "osd");
    assert_string_equal(argv[9], "/etc/ceph/ceph.client.u-fence.keyring");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_without_servers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_an_address_of_a_host_and_a_server),
        cmocka_unit_test(test_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
