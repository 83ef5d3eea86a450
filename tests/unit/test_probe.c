/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes against real sockets, processes and a real HTTP server, in a network namespace of its own. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <gio/gio.h>
#include <libsoup/soup.h>
#include <sched.h>
#include <unistd.h>

#include "cycle.h"
#include "probe.h"

#define TIMEOUT_MS 400        /* for those that are to miss */
#define PATIENCE_MS 8000      /* for those that are to answer, on a busy machine */
#define LIMIT_MS   20000

/* An address on a link whose other end is not there: silence. */
#define SILENT "192.0.2.1"
static gboolean has_namespace;

static gboolean run_ip(const char *words)
{
    g_auto(GStrv) argv = g_strsplit(words, " ", -1);
    int status = 0;

    return g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL)
           && g_spawn_check_wait_status(status, NULL);
}

static void make_namespace(void)
{
    has_namespace = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && run_ip("ip link set lo up")
                    && run_ip("ip link add silent0 type veth peer name silent1") && run_ip("ip link set silent0 up")
                    && run_ip("ip link set silent1 up") && run_ip("ip addr add 192.0.2.2/24 dev silent0");
}

typedef struct {
    guint pending;
    guint answered;
    gint64 longest_ms;
    gint64 begun_ms;
} outcome_t;

static void on_done(gboolean answered, gpointer user_data)
{
    outcome_t *outcome = user_data;

    outcome->pending--;
    outcome->answered += answered ? 1 : 0;
    outcome->longest_ms = MAX(outcome->longest_ms, probe_now_ms() - outcome->begun_ms);
}

static gboolean on_limit(gpointer user_data)
{
    *(gboolean *) user_data = TRUE;
    return G_SOURCE_REMOVE;
}

static void wait_for(const outcome_t *outcome)
{
    gboolean is_over = FALSE;
    guint limit = g_timeout_add(LIMIT_MS, on_limit, &is_over);

    while (outcome->pending > 0) {
        g_main_context_iteration(NULL, TRUE);
        assert_false(is_over);
    }
    g_source_remove(limit);
}

static outcome_t run_many(const char *text, guint count, guint timeout_ms)
{
    probe_spec_t *spec = probe_spec_parse(text, NULL);
    outcome_t outcome = { .pending = count, .begun_ms = probe_now_ms() };

    assert_non_null(spec);
    for (guint i = 0; i < count; i++) {
        probe_start(spec, timeout_ms, FALSE, on_done, &outcome);
        assert_int_equal(outcome.pending, count); /* never from within */
    }
    wait_for(&outcome);
    probe_spec_free(spec);
    return outcome;
}

static gboolean answers(const char *text)
{
    return run_many(text, 1, PATIENCE_MS).answered == 1;
}

static gboolean misses(const char *text)
{
    return run_many(text, 1, TIMEOUT_MS).answered == 0;
}

/* A listener that accepts in the kernel alone, as a busy server does. */
static GSocket *listener(const char *address, guint16 *port)
{
    g_autoptr(GSocketAddress) wanted = g_inet_socket_address_new_from_string(address, 0);
    g_autoptr(GSocketAddress) bound = NULL;
    GSocket *socket = g_socket_new(g_socket_address_get_family(wanted), G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP,
                                   NULL);

    g_socket_set_listen_backlog(socket, 1024);
    if (!g_socket_bind(socket, wanted, TRUE, NULL) || !g_socket_listen(socket, NULL)) {
        g_object_unref(socket);
        return NULL;
    }
    bound = g_socket_get_local_address(socket, NULL);
    *port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
    return socket;
}

static void test_tcp(void **state)
{
    guint16 port = 0;
    GSocket *socket = listener("127.0.0.1", &port);
    g_autofree char *text = g_strdup_printf("tcp:127.0.0.1:%u", port);

    (void) state;
    assert_true(answers(text));
    g_socket_close(socket, NULL);
    g_object_unref(socket);
    assert_true(misses(text));
}

static void test_hundreds_at_once(void **state)
{
    guint16 port = 0;
    GSocket *socket = listener("127.0.0.1", &port);
    g_autofree char *text = g_strdup_printf("tcp:127.0.0.1:%u", port);

    (void) state;
    assert_int_equal(run_many(text, 500, PATIENCE_MS).answered, 500);
    g_object_unref(socket);
}

static void test_a_silent_address_is_a_miss_at_the_deadline(void **state)
{
    outcome_t outcome = { 0 };

    (void) state;
    if (!has_namespace) {
        skip(); /* needs root */
    }
    outcome = run_many("tcp:" SILENT ":9", 300, TIMEOUT_MS);
    assert_int_equal(outcome.answered, 0);
    assert_in_range(outcome.longest_ms, 0, TIMEOUT_MS + 300);
}

static void test_icmp(void **state)
{
    (void) state;
    if (!has_namespace) {
        skip(); /* needs root */
    }
    assert_int_equal(run_many("icmp:127.0.0.1", 300, PATIENCE_MS).answered, 300);
    assert_true(answers("icmp:127.0.0.2"));
    assert_true(misses("icmp:" SILENT));
    if (g_file_test("/proc/net/if_inet6", G_FILE_TEST_EXISTS)) {
        assert_true(answers("icmp:::1"));
    }
}

static void test_exec(void **state)
{
    outcome_t outcome = { 0 };

    (void) state;
    assert_true(answers("exec:/bin/true"));
    assert_true(misses("exec:/bin/false"));
    assert_true(misses("exec:/does/not/exist"));
    outcome = run_many("exec:/bin/sleep 60", 3, TIMEOUT_MS);
    assert_int_equal(outcome.answered, 0);
    assert_in_range(outcome.longest_ms, TIMEOUT_MS, TIMEOUT_MS + 2000);
}

static void test_exec_kills_the_whole_group(void **state)
{
    g_autofree char *directory = g_dir_make_tmp("understudy-XXXXXX", NULL);
    g_autofree char *script = g_build_filename(directory, "probe", NULL);
    g_autofree char *pid_file = g_build_filename(directory, "pid", NULL);
    g_autofree char *text = g_strdup_printf("exec:%s", script);
    g_autofree char *body = g_strdup_printf("#!/bin/sh\nsleep 60 & echo $! > %s\nwait\n", pid_file);
    g_autofree char *pid_text = NULL;
    g_autofree char *proc = NULL;
    g_autofree char *stat = NULL;

    (void) state;
    assert_true(g_file_set_contents(script, body, -1, NULL));
    assert_int_equal(chmod(script, 0700), 0);
    assert_int_equal(run_many(text, 1, 2000).answered, 0);
    assert_true(g_file_get_contents(pid_file, &pid_text, NULL, NULL));
    proc = g_strdup_printf("/proc/%d/stat", atoi(pid_text));
    for (guint i = 0; i < 100 && g_file_get_contents(proc, &stat, NULL, NULL) && g_strstr_len(stat, -1, ") Z") == NULL;
         i++) {
        g_clear_pointer(&stat, g_free);
        g_usleep(20000);
    }
    assert_true(stat == NULL || g_strstr_len(stat, -1, ") Z") != NULL); /* gone, or waits to be reaped */
    unlink(pid_file);
    unlink(script);
    rmdir(directory);
}

static guint http_status;
static guint http_requests;

static void on_request(SoupServer *server, SoupServerMessage *message, const char *path, GHashTable *query,
                       gpointer user_data)
{
    (void) server;
    (void) path;
    (void) query;
    (void) user_data;
    http_requests++;
    if (http_status >= 300 && http_status < 400) {
        soup_message_headers_append(soup_server_message_get_response_headers(message), "Location",
                                    "http://" SILENT "/elsewhere");
    }
    soup_server_message_set_status(message, http_status, NULL);
}

static void test_http(void **state)
{
    static const struct {
        guint status;
        gboolean answered;
    } cases[] = { { 200, TRUE }, { 204, TRUE }, { 302, TRUE }, { 404, FALSE }, { 503, FALSE } };
    SoupServer *server = soup_server_new("server-header", "test", NULL);
    g_autofree char *text = NULL;
    GSList *uris = NULL;

    (void) state;
    soup_server_add_handler(server, NULL, on_request, NULL, NULL);
    assert_true(soup_server_listen_local(server, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, NULL));
    uris = soup_server_get_uris(server);
    text = g_uri_to_string(uris->data);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        http_status = cases[i].status;
        assert_int_equal(answers(text), cases[i].answered);
    }
    assert_int_equal(http_requests, G_N_ELEMENTS(cases));
    g_slist_free_full(uris, (GDestroyNotify) g_uri_unref);
    g_object_unref(server);
    assert_true(misses(text));
}

static void test_http_that_never_answers(void **state)
{
    guint16 port = 0;
    GSocket *socket = listener("127.0.0.1", &port);
    g_autofree char *text = g_strdup_printf("http://127.0.0.1:%u/", port);

    (void) state;
    assert_int_equal(run_many(text, 20, TIMEOUT_MS).answered, 0);
    g_object_unref(socket);
}

static void test_pgsql_failures(void **state)
{
    guint16 port = 0;
    GSocket *socket = listener("127.0.0.1", &port);
    g_autofree char *silent = g_strdup_printf("pgsql:host=127.0.0.1 port=%u user=x", port);

    (void) state;
    assert_int_equal(run_many(silent, 50, TIMEOUT_MS).answered, 0);
    g_socket_close(socket, NULL);
    g_object_unref(socket);
    assert_true(misses(silent)); /* refused */
    assert_true(misses("pgsql:host=db1.example user=x")); /* a name would block */
    assert_true(misses("pgsql:nonsense"));
}

static void test_cancelled_probes_call_nobody(void **state)
{
    static const char *const texts[] = { "tcp:" SILENT ":9", "icmp:" SILENT, "exec:/bin/sleep 60",
                                         "http://" SILENT "/", "pgsql:host=" SILENT };
    outcome_t outcome = { .pending = G_MAXUINT };

    (void) state;
    if (!has_namespace) {
        skip(); /* needs root */
    }
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        probe_spec_t *spec = probe_spec_parse(texts[i], NULL);
        probe_t *probe = probe_start(spec, TIMEOUT_MS, FALSE, on_done, &outcome);

        g_main_context_iteration(NULL, FALSE);
        if (outcome.pending == G_MAXUINT) {
            probe_cancel(probe);
        }
        outcome.pending = G_MAXUINT; /* one without a route has ended by itself */
        for (guint turn = 0; turn < 20; turn++) {
            g_main_context_iteration(NULL, FALSE);
        }
        assert_int_equal(outcome.pending, G_MAXUINT);
        probe_spec_free(spec);
    }
}

static void test_cycle_needs_all_or_any(void **state)
{
    guint16 port = 0;
    GSocket *socket = listener("127.0.0.1", &port);
    g_autofree char *texts = g_strdup_printf("tcp:127.0.0.1:%u exec:/bin/false tcp:127.0.0.1:1", port);
    GPtrArray *specs = probe_spec_list_parse(texts, NULL);
    outcome_t outcome = { .pending = 1, .begun_ms = probe_now_ms() };

    (void) state;
    cycle_start((probe_spec_t *const *) specs->pdata, specs->len, CYCLE_ALL, TIMEOUT_MS, FALSE, on_done, &outcome);
    wait_for(&outcome);
    assert_int_equal(outcome.answered, 0);
    outcome = (outcome_t) { .pending = 1, .begun_ms = probe_now_ms() };
    cycle_start((probe_spec_t *const *) specs->pdata, specs->len, CYCLE_ANY, PATIENCE_MS, FALSE, on_done, &outcome);
    wait_for(&outcome);
    assert_int_equal(outcome.answered, 1);
    g_ptr_array_unref(specs);
    g_object_unref(socket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_hundreds_at_once),
        cmocka_unit_test(test_a_silent_address_is_a_miss_at_the_deadline),
        cmocka_unit_test(test_icmp),
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_exec_kills_the_whole_group),
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_http_that_never_answers),
        cmocka_unit_test(test_pgsql_failures),
        cmocka_unit_test(test_cancelled_probes_call_nobody),
        cmocka_unit_test(test_cycle_needs_all_or_any),
    };

    make_namespace();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
