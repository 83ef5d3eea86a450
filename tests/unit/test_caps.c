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

/* The hosts' user, or another by its index, of a site with these pools, hosts and servers, separated by spaces. */
static ceph_user_t *user_of(GPtrArray **users, guint index, const char *pools, const char *hosts, const char *servers)
{
    GStrv texts[] = { g_strsplit(pools, " ", -1), g_strsplit(hosts, " ", -1), g_strsplit(servers, " ", -1) };
    GPtrArray *lists[G_N_ELEMENTS(texts)];

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        lists[i] = g_ptr_array_new();
        for (char **text = texts[i]; *text != NULL; text++) {
            if (**text != '\0') {
                g_ptr_array_add(lists[i], *text);
            }
        }
    }
    *users = caps_make("understudy", lists[0], lists[1], lists[2], NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_ptr_array_free(lists[i], TRUE);
        g_strfreev(texts[i]);
    }
    assert_non_null(*users);
    return g_ptr_array_index(*users, index);
}

static void test_what_is_not_given_again_is_lost(void **state)
{
    static const struct {
        const char *pools;
        const char *hosts;
        const char *servers;
        const char *lost[3];   /* by the user of the hosts, of fence and of unfence */
    } cases[] = {
        { "vm db", "10.0.0.11 fd00::12", "10.0.0.101", { NULL, NULL, NULL } },
        { "db vm more", "10.0.0.13 fd00:0::0012 10.0.0.11", "10.0.0.102 10.0.0.101", { NULL, NULL, NULL } },
        { "vm", "10.0.0.11 fd00::12", "10.0.0.101", { "--pool db", "--pool db", NULL } },
        { "vm db", "10.0.0.11", "10.0.0.101", { "--host fd00::12", "--host fd00::12", "--host fd00::12" } },
        { "vm db", "10.0.0.11 fd00::12", "", { "--server-address 10.0.0.101", NULL, NULL } },
        { "db2", "10.0.0.1 fd00::12", "10.0.0.10",
          { "--pool vm, --pool db, --host 10.0.0.11, --server-address 10.0.0.101", "--pool vm, --pool db, --host 10.0.0.11",
            "--host 10.0.0.11" } },
        /* A server that becomes a host: it can be isolated no more. */
        { "vm db", "10.0.0.11 fd00::12 10.0.0.101", "", { "--server-address 10.0.0.101", NULL, NULL } },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (guint user = 0; user < G_N_ELEMENTS(cases[i].lost); user++) {
            g_autoptr(GPtrArray) before = NULL;
            g_autoptr(GPtrArray) after = NULL;
            const ceph_user_t *had = user_of(&before, user, "vm db", "10.0.0.11 fd00::12", "10.0.0.101");
            const ceph_user_t *gets = user_of(&after, user, cases[i].pools, cases[i].hosts, cases[i].servers);
            g_autofree char *lost = caps_lost(had, gets);

            if (cases[i].lost[user] == NULL) {
                assert_null(lost);
            } else {
                assert_non_null(lost);
                assert_string_equal(lost, cases[i].lost[user]);
            }
        }
    }
}

static void test_what_somebody_else_has_written(void **state)
{
    static const struct {
        const char *mon;
        const char *osd;
        const char *lost;
    } cases[] = {
        { NULL, NULL, NULL },
        { "profile rbd", "profile rbd pool=vm", NULL },
        { "profile rbd", "profile rbd pool=vm, profile rbd-read-only pool=\"templates\"", "--pool templates" },
        { "allow r", "allow class-read object_prefix rbd_children; allow rwx pool db", "--pool db" },
        { "allow *", "allow *", "all other pools" },
        { "profile rbd", "profile rbd, profile rbd pool=vm", "all other pools" },
        { "allow command \"osd blocklist\" with blocklistop=add addr regex \"^(10[.]0[.]0[.][0-9]+):0/[0-9]+$\"", NULL,
          "addresses like 10[.]0[.]0[.][0-9]+" },
        { "allow command \"osd blocklist\" with addr regex \"^(10\\.0\\.0\\.9):0/[0-9]+$\"", NULL,
          "--server-address 10.0.0.9" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) after = NULL;
        const ceph_user_t *gets = user_of(&after, 0, "vm", "10.0.0.11", "");
        ceph_user_t had = { .mon = (char *) cases[i].mon, .osd = (char *) cases[i].osd };
        g_autofree char *lost = caps_lost(&had, gets);

        assert_true(g_strcmp0(lost, cases[i].lost) == 0);
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
        cmocka_unit_test(test_what_is_not_given_again_is_lost),
        cmocka_unit_test(test_what_somebody_else_has_written),
        cmocka_unit_test(test_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
