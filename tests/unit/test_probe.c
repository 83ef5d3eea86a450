/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes against real sockets, processes and a real HTTP server, in a network namespace of its own. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <libsoup/soup.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "image/boot_probe.h"
#include "probe/cycle.h"
#include "probe/probe.h"
#include "sight.h"
#include "watch.h"

#define TIMEOUT_MS 400        /* for those that are to miss */
#define PATIENCE_MS 8000      /* for those that are to answer, on a busy machine */
#define LIMIT_MS   20000

/* An address on a link whose other end is not there: silence. */
#define SILENT "192.0.2.1"
static gboolean has_namespace;
static gboolean names_are_silent;

static gboolean run_ip(const char *words)
{
    g_auto(GStrv) argv = g_strsplit(words, " ", -1);
    int status = 0;

    return g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL)
           && g_spawn_check_wait_status(status, NULL);
}

/* A name server that never answers, for this process alone. */
static gboolean silence_names(void)
{
    char path[] = "/tmp/understudy-resolv-XXXXXX";
    int fd = g_mkstemp(path);
    gboolean done = fd >= 0 && g_file_set_contents(path, "nameserver " SILENT "\n", -1, NULL)
                    && mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;

    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    return done;
}

static void make_namespace(void)
{
    has_namespace = geteuid() == 0 && unshare(CLONE_NEWNET | CLONE_NEWNS) == 0
                    && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && run_ip("ip link set lo up")
                    && run_ip("ip link add silent0 type veth peer name silent1") && run_ip("ip link set silent0 up")
                    && run_ip("ip link set silent1 up") && run_ip("ip addr add 192.0.2.2/24 dev silent0");
    names_are_silent = has_namespace && silence_names();
}

typedef struct {
    guint pending;
    guint answered;
    guint unknown;
    guint refused;    /* down, but its machine has answered */
    char reason[256]; /* of the last one */
    gint64 longest_ms;
    gint64 begun_ms;
} outcome_t;

static void on_done(probe_answer_t answer, const char *reason, gpointer user_data)
{
    outcome_t *outcome = user_data;

    outcome->pending--;
    outcome->answered += answer == PROBE_UP ? 1 : 0;
    outcome->unknown += answer == PROBE_UNKNOWN ? 1 : 0;
    outcome->refused += answer == PROBE_REFUSED ? 1 : 0;
    assert_int_equal(reason == NULL, answer == PROBE_UP);
    g_strlcpy(outcome->reason, reason != NULL ? reason : "", sizeof(outcome->reason));
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

/* Asked, and not there. */
static gboolean misses(const char *text)
{
    outcome_t outcome = run_many(text, 1, TIMEOUT_MS);

    return outcome.answered == 0 && outcome.unknown == 0;
}

static const char *judge(const char *text, guint timeout_ms)
{
    outcome_t outcome = run_many(text, 1, timeout_ms);

    return outcome.answered == 1 ? "up" : outcome.unknown == 1 ? "unknown" : "down";
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
    outcome = run_many("exec:/bin/sleep 60", 3, TIMEOUT_MS);
    assert_int_equal(outcome.answered, 0);
    assert_in_range(outcome.longest_ms, TIMEOUT_MS, TIMEOUT_MS + 2000);
}

static void test_exec_that_did_not_come_to_ask_is_unknown(void **state)
{
    static const struct {
        const char *text;
        const char *answer;
    } cases[] = {
        { "exec:/bin/sh -c 'exit 0'", "up" },        { "exec:/bin/sh -c 'exit 1'", "down" },
        { "exec:/bin/sh -c 'exit 2'", "down" },      { "exec:/bin/sh -c 'exit 3'", "unknown" },
        { "exec:/bin/sh -c 'exit 69'", "down" },     { "exec:/bin/sh -c 'exit 78'", "unknown" },
        { "exec:/bin/sh -c /no/such", "unknown" },   { "exec:/bin/sh -c 'kill -9 $$'", "unknown" },
        { "exec:/does/not/exist", "unknown" },       { "exec:/etc/passwd", "unknown" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        assert_string_equal(judge(cases[i].text, PATIENCE_MS), cases[i].answer);
    }
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
        const char *answer;
    } cases[] = {
        { 200, "up" },      { 204, "up" },      { 302, "up" },      { 500, "down" },    { 502, "down" },
        { 503, "down" },    { 504, "down" },    { 401, "unknown" }, { 403, "unknown" }, { 404, "unknown" },
        { 429, "unknown" }, { 501, "unknown" }, { 511, "unknown" },
    };
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
        assert_string_equal(judge(text, PATIENCE_MS), cases[i].answer);
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

/* What a thread of the server may still read when the test has gone on: lives as long as the service does. */
typedef struct {
    gboolean is_pgsql;
    GBytes *answer;
} speech_t;

/* A server that says a few bytes, whatever it is asked, and closes. */
typedef struct {
    GSocketService *service;
    guint16 port;
} talker_t;

static void speech_free(gpointer data, GClosure *closure)
{
    speech_t *speech = data;

    (void) closure;
    g_bytes_unref(speech->answer);
    g_free(speech);
}

/* SSLRequest, which libpq sends first unless told otherwise, is refused as by a server without TLS. */
static gboolean on_incoming(GThreadedSocketService *service, GSocketConnection *connection, GObject *source,
                            gpointer user_data)
{
    const speech_t *speech = user_data;
    GInputStream *in = g_io_stream_get_input_stream(G_IO_STREAM(connection));
    GOutputStream *out = g_io_stream_get_output_stream(G_IO_STREAM(connection));
    guint8 buffer[4096];
    gssize size_bytes = g_input_stream_read(in, buffer, sizeof(buffer), NULL, NULL);

    (void) service;
    (void) source;
    if (speech->is_pgsql && size_bytes == 8 && g_output_stream_write_all(out, "N", 1, NULL, NULL, NULL)) {
        size_bytes = g_input_stream_read(in, buffer, sizeof(buffer), NULL, NULL);
    }
    if (size_bytes > 0 && g_bytes_get_size(speech->answer) > 0) {
        g_output_stream_write_bytes(out, speech->answer, NULL, NULL);
    }
    g_io_stream_close(G_IO_STREAM(connection), NULL, NULL);
    return TRUE;
}

static void talker_start(talker_t *talker, gboolean is_pgsql, gconstpointer answer, gsize size_bytes)
{
    g_autoptr(GSocketAddress) wanted = g_inet_socket_address_new_from_string("127.0.0.1", 0);
    g_autoptr(GSocketAddress) bound = NULL;

    speech_t *speech = g_new(speech_t, 1);

    *speech = (speech_t) { .is_pgsql = is_pgsql, .answer = g_bytes_new(answer, size_bytes) };
    *talker = (talker_t) { .service = g_threaded_socket_service_new(4) };
    assert_true(g_socket_listener_add_address(G_SOCKET_LISTENER(talker->service), wanted, G_SOCKET_TYPE_STREAM,
                                              G_SOCKET_PROTOCOL_TCP, NULL, &bound, NULL));
    talker->port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
    g_signal_connect_data(talker->service, "run", G_CALLBACK(on_incoming), speech, speech_free, G_CONNECT_DEFAULT);
    g_socket_service_start(talker->service);
}

static void talker_stop(talker_t *talker)
{
    g_socket_service_stop(talker->service);
    g_socket_listener_close(G_SOCKET_LISTENER(talker->service));
    g_object_unref(talker->service);
}

static void test_http_of_servers_that_talk_badly(void **state)
{
    static const struct {
        const char *scheme;
        const char *words;
        const char *answer;
    } cases[] = {
        { "http", "HTTP/1.0 200 OK\r\n\r\nhello", "up" },
        { "http", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "up" },
        { "http", "SSH-2.0-OpenSSH_9.2\r\n", "unknown" },
        { "http", "", "down" },             /* closed without a word */
        { "https", "HTTP/1.0 400 Bad Request\r\n\r\n", "unknown" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = NULL;
        talker_t talker;

        talker_start(&talker, FALSE, cases[i].words, strlen(cases[i].words));
        text = g_strdup_printf("%s://127.0.0.1:%u/", cases[i].scheme, talker.port);
        assert_string_equal(judge(text, PATIENCE_MS), cases[i].answer);
        talker_stop(&talker);
    }
}

static void test_http_of_a_name_that_is_not_found_in_time_is_unknown(void **state)
{
    outcome_t outcome = { 0 };

    (void) state;
    if (!names_are_silent) {
        skip(); /* needs root */
    }
    outcome = run_many("http://db1.example.test/", 1, TIMEOUT_MS);
    assert_int_equal(outcome.unknown, 1);
    assert_non_null(strstr(outcome.reason, "name server"));
}

static GByteArray *pgsql_error(const char *sqlstate)
{
    GByteArray *message = g_byte_array_new();
    g_autofree char *text = g_strdup_printf("SFATAL\nVFATAL\nC%s\nMno, says the server\n\n", sqlstate);
    gsize size_bytes = strlen(text);
    guint32 length = GUINT32_TO_BE((guint32) size_bytes + 4);

    g_byte_array_append(message, (const guint8 *) "E", 1);
    g_byte_array_append(message, (const guint8 *) &length, sizeof(length));
    g_byte_array_append(message, (const guint8 *) g_strdelimit(text, "\n", '\0'), (guint) size_bytes);
    return message;
}

static outcome_t ask_pgsql(gconstpointer words, gsize size_bytes)
{
    g_autofree char *text = NULL;
    outcome_t outcome;
    talker_t talker;

    talker_start(&talker, TRUE, words, size_bytes);
    text = g_strdup_printf("pgsql:host=127.0.0.1 port=%u user=x passfile=/does/not/exist", talker.port);
    outcome = run_many(text, 1, PATIENCE_MS);
    talker_stop(&talker);
    return outcome;
}

static void test_pgsql_that_gives_an_error_is_there(void **state)
{
    static const struct {
        const char *sqlstate;
        gboolean is_unknown;
    } cases[] = {
        { "28P01", TRUE },  /* password */
        { "28000", TRUE },  /* pg_hba.conf */
        { "3D000", TRUE },  /* no such database */
        { "53300", TRUE },  /* too many connections */
        { "57P03", TRUE },  /* starting up */
        { "58030", FALSE }, /* I/O error */
        { "XX000", FALSE }, /* internal error */
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) words = pgsql_error(cases[i].sqlstate);
        outcome_t outcome = ask_pgsql(words->data, words->len);

        assert_int_equal(outcome.answered, 0);
        assert_int_equal(outcome.unknown, cases[i].is_unknown ? 1 : 0);
        assert_int_equal(outcome.refused, cases[i].is_unknown ? 0 : 1);
        assert_string_equal(outcome.reason, "no, says the server");
    }
}

static void test_pgsql_that_can_not_be_understood_is_there(void **state)
{
    static const guint8 wants_password[] = { 'R', 0, 0, 0, 8, 0, 0, 0, 3 };

    (void) state;
    assert_int_equal(ask_pgsql(wants_password, sizeof(wants_password)).unknown, 1);
    assert_int_equal(ask_pgsql("SSH-2.0\r\n", 9).unknown, 1);
    assert_int_equal(ask_pgsql("", 0).refused, 1); /* closed without a word */
}

static void test_pgsql_failures(void **state)
{
    guint16 port = 0;
    GSocket *socket = listener("127.0.0.1", &port);
    g_autofree char *silent = g_strdup_printf("pgsql:host=127.0.0.1 port=%u user=x", port);
    outcome_t outcome = { 0 };

    (void) state;
    assert_int_equal(run_many(silent, 50, TIMEOUT_MS).answered, 0);
    assert_true(misses(silent));
    g_socket_close(socket, NULL);
    g_object_unref(socket);
    assert_true(misses(silent)); /* refused */
    outcome = run_many("pgsql:postgresql:///x?host=db1.example", 1, TIMEOUT_MS); /* a name would block */
    assert_int_equal(outcome.unknown, 1);
    assert_non_null(strstr(outcome.reason, "hostaddr"));
    assert_string_equal(judge("pgsql:nonsense=1", TIMEOUT_MS), "unknown");
}

static void test_what_this_host_can_not_send_is_unknown(void **state)
{
    static const char *const texts[] = { "tcp:198.51.100.1:9", "icmp:198.51.100.1", "http://198.51.100.1/",
                                         "pgsql:host=198.51.100.1 user=x" };

    (void) state;
    if (!has_namespace) {
        skip(); /* needs root: there the address has no route */
    }
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        assert_string_equal(judge(texts[i], PATIENCE_MS), "unknown");
    }
}

/* A machine that refuses lives; one that is silent may not. */
static void test_who_refuses_lives(void **state)
{
    static const char *const formats[] = { "tcp:127.0.0.1:%u", "http://127.0.0.1:%u/", "pgsql:host=127.0.0.1 port=%u user=x" };
    static const char *const silent[] = { "tcp:" SILENT ":9", "icmp:" SILENT, "http://" SILENT "/",
                                          "pgsql:host=" SILENT " user=x" };
    guint16 port = 0;
    GSocket *socket = listener("127.0.0.1", &port);

    (void) state;
    g_socket_close(socket, NULL);
    g_object_unref(socket);
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        g_autofree char *text = g_strdup_printf(formats[i], port);
#pragma GCC diagnostic pop

        assert_int_equal(run_many(text, 1, PATIENCE_MS).refused, 1);
    }
    if (!has_namespace) {
        skip(); /* needs root */
    }
    for (gsize i = 0; i < G_N_ELEMENTS(silent); i++) {
        assert_int_equal(run_many(silent[i], 1, TIMEOUT_MS).refused, 0);
        assert_true(misses(silent[i]));
    }
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

static outcome_t run_cycle(const char *texts, cycle_mode_t mode)
{
    GPtrArray *specs = probe_spec_list_parse(texts, NULL);
    outcome_t outcome = { .pending = 1, .begun_ms = probe_now_ms() };

    cycle_start((probe_spec_t *const *) specs->pdata, specs->len, mode, PATIENCE_MS, FALSE, on_done, &outcome);
    wait_for(&outcome);
    g_ptr_array_unref(specs);
    return outcome;
}

#define UP      "exec:/bin/true"
#define DOWN    "exec:/bin/false"
#define UNKNOWN "exec:/does/not/exist"

static void test_cycle_needs_all_or_any(void **state)
{
    static const struct {
        const char *texts;
        const char *all;
        const char *any;
    } cases[] = {
        { UP " " UP, "up", "up" },
        { UP " " DOWN, "down", "up" },
        { UP " " UNKNOWN, "unknown", "up" },
        { UNKNOWN " " DOWN, "down", "unknown" },
        { DOWN " " UNKNOWN " " UP, "down", "up" },
        { DOWN " " DOWN, "down", "down" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        outcome_t all = run_cycle(cases[i].texts, CYCLE_ALL);
        outcome_t any = run_cycle(cases[i].texts, CYCLE_ANY);

        assert_string_equal(all.answered ? "up" : all.unknown ? "unknown" : "down", cases[i].all);
        assert_string_equal(any.answered ? "up" : any.unknown ? "unknown" : "down", cases[i].any);
    }
}

/* A first miss does not keep what the others say from being heard. */
static void test_cycle_that_hears_each_finds_life(void **state)
{
    static const struct {
        const char *texts;
        gboolean refused;
    } cases[] = {
        { DOWN, FALSE },
        { DOWN " " DOWN, FALSE },
        { DOWN " 'exec:/bin/sh -c \"sleep 0.2\"'", TRUE },
        { DOWN " " UNKNOWN, TRUE },
        { DOWN " tcp:127.0.0.1:1", TRUE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        outcome_t outcome = run_cycle(cases[i].texts, CYCLE_EACH);

        assert_int_equal(outcome.answered + outcome.unknown, 0);
        assert_int_equal(outcome.refused, cases[i].refused ? 1 : 0);
    }
}

static void test_reason_names_the_probe_and_is_bounded(void **state)
{
    g_autofree char *path = g_strnfill(400, 'x');
    g_autofree char *text = g_strdup_printf("'exec:/%s --password=hidden'", path);
    outcome_t outcome = run_cycle("'exec:/does/not/exist --password=hidden'", CYCLE_ALL);

    (void) state;
    assert_true(g_str_has_prefix(outcome.reason, "exec:/does/not/exist: "));
    assert_null(strstr(outcome.reason, "hidden"));
    outcome = run_cycle(text, CYCLE_ALL);
    assert_in_range(strlen(outcome.reason), 100, CYCLE_REASON_MAX_BYTES);
}

/* The agent's own ---------------------------------------------------------------*/

static boot_probe_t ask_booted(const char *text, guint timeout_ms)
{
    probe_spec_t *spec = probe_spec_parse(text, NULL);
    boot_probe_t answer = boot_probe_ask(spec, timeout_ms);

    probe_spec_free(spec);
    return answer;
}

static void test_boot_probe_that_this_host_can_not_send_is_no_miss(void **state)
{
    guint16 port = 0;
    GSocket *socket = listener("127.0.0.1", &port);
    g_autofree char *text = g_strdup_printf("tcp:127.0.0.1:%u", port);

    (void) state;
    assert_int_equal(ask_booted(text, PATIENCE_MS), BOOT_PROBE_ANSWERED);
    g_object_unref(socket);
    assert_int_equal(ask_booted(text, PATIENCE_MS), BOOT_PROBE_MISSED);
    if (!has_namespace) {
        skip(); /* needs root */
    }
    assert_int_equal(ask_booted("icmp:127.0.0.1", PATIENCE_MS), BOOT_PROBE_ANSWERED);
    assert_int_equal(ask_booted("icmp:" SILENT, TIMEOUT_MS), BOOT_PROBE_MISSED);
    assert_int_equal(ask_booted("tcp:" SILENT ":9", TIMEOUT_MS), BOOT_PROBE_MISSED);
    assert_int_equal(ask_booted("icmp:198.51.100.1", TIMEOUT_MS), BOOT_PROBE_NOT_ASKED);
    assert_int_equal(ask_booted("tcp:198.51.100.1:9", TIMEOUT_MS), BOOT_PROBE_NOT_ASKED);
}

/* What the observer makes of it ------------------------------------------------*/

typedef struct {
    vote_t vote;
    gboolean was_down;
    char *reason;
} watched_vote_t;

static void on_vote(const char *server, vote_t service, vote_t management, gint64 first_miss_wall_ms,
                    const char *reason, gpointer user_data)
{
    watched_vote_t *watched = user_data;

    (void) server;
    (void) management;
    (void) first_miss_wall_ms;
    watched->vote = service;
    watched->was_down = watched->was_down || service == VOTE_DOWN;
    g_free(watched->reason);
    watched->reason = g_strdup(reason);
}

static void on_round(const char *server, guint64 epoch, guint32 round, vote_t service, vote_t management,
                     gpointer user_data)
{
    (void) server;
    (void) epoch;
    (void) round;
    (void) management;
    ((watched_vote_t *) user_data)->vote = service;
}

static server_config_t *watched_config(const char *probe_unknown)
{
    g_autoptr(GHashTable) params = g_hash_table_new(g_str_hash, g_str_equal);

    g_hash_table_insert(params, (gpointer) "probes", (gpointer) UNKNOWN);
    g_hash_table_insert(params, (gpointer) "probe_interval", (gpointer) "100ms");
    g_hash_table_insert(params, (gpointer) "probe_unknown", (gpointer) probe_unknown);
    return server_config_parse("standby-db1", params, NULL);
}

static void wait_for_vote(const watched_vote_t *watched, vote_t vote)
{
    gboolean is_over = FALSE;
    guint limit = g_timeout_add(LIMIT_MS, on_limit, &is_over);

    while (watched->vote != vote) {
        g_main_context_iteration(NULL, TRUE);
        assert_false(is_over);
    }
    g_source_remove(limit);
}

static void test_unknown_is_down_only_where_it_is_wanted(void **state)
{
    static const watch_callbacks_t callbacks = { on_vote, on_round, NULL };
    watched_vote_t watched = { 0 };
    watch_t *watch = watch_new(g_ptr_array_new(), g_ptr_array_new(), &callbacks, &watched);

    (void) state;
    watch_set_server(watch, watched_config("ignore"));
    wait_for_vote(&watched, VOTE_UNKNOWN);
    assert_true(g_str_has_prefix(watched.reason, UNKNOWN ": "));
    watched.vote = VOTE_NONE;
    watch_round(watch, "db1", 1, 1);
    wait_for_vote(&watched, VOTE_UNKNOWN);
    assert_false(watched.was_down);

    watch_set_server(watch, watched_config("down"));
    wait_for_vote(&watched, VOTE_DOWN);
    assert_true(g_str_has_prefix(watched.reason, UNKNOWN ": "));
    watched.vote = VOTE_NONE;
    watch_round(watch, "db1", 1, 2);
    wait_for_vote(&watched, VOTE_DOWN);
    watch_free(watch);
    g_free(watched.reason);
}

/* A management address that is silent, while a reference on the service network answers all the time. */
typedef struct {
    vote_t standing;
    vote_t answer;
    gboolean is_asked;
    gboolean was_down;
    char *reason;
} managed_t;

static void on_management_vote(const char *server, vote_t service, vote_t management, gint64 first_miss_wall_ms,
                               const char *reason, gpointer user_data)
{
    managed_t *managed = user_data;

    (void) server;
    (void) service;
    (void) first_miss_wall_ms;
    managed->standing = management;
    managed->was_down = managed->was_down || management == VOTE_DOWN;
    g_free(managed->reason);
    managed->reason = g_strdup(reason);
}

static void on_management_answer(const char *server, guint64 epoch, guint32 round, vote_t service, vote_t management,
                                 gpointer user_data)
{
    managed_t *managed = user_data;

    (void) server;
    (void) epoch;
    (void) round;
    (void) service;
    managed->answer = management;
    managed->is_asked = TRUE;
}

static void on_blind(gboolean blind, gpointer user_data)
{
    (void) user_data;
    assert_false(blind); /* of the service network alone */
}

static void until(const gboolean *is_so)
{
    gboolean is_over = FALSE;
    guint limit = g_timeout_add(LIMIT_MS, on_limit, &is_over);

    while (!*is_so) {
        g_main_context_iteration(NULL, TRUE);
        assert_false(is_over);
    }
    g_source_remove(limit);
}

static void assert_management(const char *reference, const char *neighbour, const char *recover_probe, vote_t expected,
                              const char *reason)
{
    static const watch_callbacks_t callbacks = { on_management_vote, on_management_answer, on_blind };
    g_autoptr(GHashTable) params = g_hash_table_new(g_str_hash, g_str_equal);
    const char *neighbours[] = { neighbour, NULL };
    managed_t managed = { 0 };
    g_autoptr(GError) error = NULL;
    server_config_t *config = NULL;
    watch_t *watch = watch_new(probe_spec_list_parse("exec:/bin/true", NULL), probe_spec_list_parse(reference, NULL),
                               &callbacks, &managed);
    gboolean is_over = FALSE;
    guint limit = g_timeout_add(LIMIT_MS, on_limit, &is_over);

    g_hash_table_insert(params, (gpointer) "probes", (gpointer) "exec:/bin/true");
    g_hash_table_insert(params, (gpointer) "recover_probe", (gpointer) recover_probe);
    g_hash_table_insert(params, (gpointer) "probe_interval", (gpointer) "100ms");
    watch_set_neighbours(watch, neighbours);
    config = server_config_parse("standby-db1", params, &error);
    assert_string_equal(error != NULL ? error->message : "", "");
    watch_set_server(watch, config);
    watch_set_management(watch, "db1", TRUE);
    while (managed.standing != expected) {
        g_main_context_iteration(NULL, TRUE);
        assert_false(is_over);
    }
    g_source_remove(limit);
    if (reason != NULL) {
        assert_non_null(managed.reason);
        assert_non_null(strstr(managed.reason, reason));
    }
    watch_round(watch, "db1", 1, 1);
    until(&managed.is_asked);
    assert_string_equal(vote_name(managed.answer), vote_name(expected));
    assert_int_equal(managed.was_down, expected == VOTE_DOWN);
    watch_free(watch);
    g_free(managed.reason);
}

static void test_a_management_address_is_down_only_where_somebody_else_is_heard(void **state)
{
    (void) state;
    /* Nobody is known on its network. */
    assert_management("", NULL, "exec:/bin/false", VOTE_BLIND, "--management-reference");
    assert_management("", "127.0.0.1", "exec:/bin/false", VOTE_BLIND, "--management-reference");
    /* Who is known there does not answer, though the service network does. */
    assert_management("exec:/bin/false", NULL, "exec:/bin/false", VOTE_BLIND, "nobody else");
    assert_management("exec:/bin/true", NULL, "exec:/bin/false", VOTE_DOWN, "exec:/bin/false");
    assert_management("exec:/bin/true", NULL, "exec:/bin/true up", VOTE_UP, NULL);
}

static gboolean on_patience_end(gpointer user_data)
{
    *(gboolean *) user_data = TRUE;
    return G_SOURCE_REMOVE;
}

/* Takes the marks away that a reference leaves where it is asked. */
static gboolean was_asked(const char *directory)
{
    GDir *dir = g_dir_open(directory, 0, NULL);
    const char *name = NULL;
    gboolean found = FALSE;

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(directory, name, NULL);

        found = g_unlink(path) == 0;
    }
    g_dir_close(dir);
    return found;
}

/* Within the time of two questions. */
static gboolean is_asked(const char *directory)
{
    gboolean is_over = FALSE;
    guint patience = g_timeout_add(2 * SIGHT_REFERENCE_INTERVAL_MS, on_patience_end, &is_over);

    while (!is_over && !was_asked(directory)) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (is_over) {
        return FALSE;
    }
    g_source_remove(patience);
    return TRUE;
}

static void test_references_that_no_server_needs_any_more_are_not_asked(void **state)
{
    static const watch_callbacks_t callbacks = { on_management_vote, on_management_answer, on_blind };
    g_autoptr(GHashTable) params = g_hash_table_new(g_str_hash, g_str_equal);
    g_autofree char *directory = g_dir_make_tmp("references-XXXXXX", NULL);
    g_autofree char *text = g_strdup_printf("'exec:/bin/mktemp --tmpdir=%s'", directory);
    managed_t managed = { 0 };
    watch_t *watch = watch_new(probe_spec_list_parse("exec:/bin/true", NULL), probe_spec_list_parse(text, NULL),
                               &callbacks, &managed);

    (void) state;
    g_hash_table_insert(params, (gpointer) "probes", (gpointer) "exec:/bin/true");
    g_hash_table_insert(params, (gpointer) "recover_probe", (gpointer) "exec:/bin/true up");
    watch_set_server(watch, server_config_parse("standby-db1", params, NULL));
    watch_round(watch, "db1", 1, 1);
    assert_true(is_asked(directory));
    watch_remove_server(watch, "db1");
    is_asked(directory); /* one that was on its way */
    assert_false(is_asked(directory));
    watch_free(watch);
    assert_int_equal(g_rmdir(directory), 0);
    g_free(managed.reason);
}

/* References that change while the server is down, and while a round is under way. */
typedef struct {
    vote_t standing;
    vote_t answer;
    gboolean is_asked;
    gboolean blind;
} referred_t;

static void on_referred_vote(const char *server, vote_t service, vote_t management, gint64 first_miss_wall_ms,
                             const char *reason, gpointer user_data)
{
    (void) server;
    (void) management;
    (void) first_miss_wall_ms;
    (void) reason;
    ((referred_t *) user_data)->standing = service;
}

static void on_referred_answer(const char *server, guint64 epoch, guint32 round, vote_t service, vote_t management,
                               gpointer user_data)
{
    referred_t *referred = user_data;

    (void) server;
    (void) epoch;
    (void) round;
    (void) management;
    referred->answer = service;
    referred->is_asked = TRUE;
}

static void on_referred_blind(gboolean blind, gpointer user_data)
{
    ((referred_t *) user_data)->blind = blind;
}

static void refer(watch_t *watch, const char *references, const char *management_references)
{
    watch_set_references(watch, probe_spec_list_parse(references, NULL),
                         probe_spec_list_parse(management_references, NULL));
}

static void until_vote(const referred_t *referred, vote_t vote)
{
    gboolean is_over = FALSE;
    guint limit = g_timeout_add(LIMIT_MS, on_limit, &is_over);

    while (referred->standing != vote) {
        g_main_context_iteration(NULL, TRUE);
        assert_false(is_over);
    }
    g_source_remove(limit);
}

static void test_other_references_are_taken_in_the_middle_of_a_round(void **state)
{
    static const watch_callbacks_t callbacks = { on_referred_vote, on_referred_answer, on_referred_blind };
    g_autoptr(GHashTable) params = g_hash_table_new(g_str_hash, g_str_equal);
    referred_t referred = { 0 };
    watch_t *watch = watch_new(probe_spec_list_parse("exec:/bin/true", NULL), g_ptr_array_new(), &callbacks, &referred);

    (void) state;
    g_hash_table_insert(params, (gpointer) "probes", (gpointer) "exec:/bin/false");
    g_hash_table_insert(params, (gpointer) "recover_probe", (gpointer) "tcp:127.0.0.1:9");
    g_hash_table_insert(params, (gpointer) "probe_interval", (gpointer) "100ms");
    watch_set_server(watch, server_config_parse("standby-db1", params, NULL));
    watch_set_management(watch, "db1", TRUE);
    until_vote(&referred, VOTE_DOWN);
    /* Judged by those that were asked in it. */
    watch_round(watch, "db1", 1, 1);
    refer(watch, "exec:/bin/false", "exec:/bin/false");
    until(&referred.is_asked);
    assert_string_equal(vote_name(referred.answer), vote_name(VOTE_DOWN));
    /* And by the others from then on. */
    until(&referred.blind);
    until_vote(&referred, VOTE_BLIND);
    refer(watch, "exec:/bin/true", "");
    until_vote(&referred, VOTE_DOWN);
    assert_false(referred.blind);
    watch_round(watch, "db1", 1, 2);
    refer(watch, "exec:/bin/false", "");
    watch_free(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_hundreds_at_once),
        cmocka_unit_test(test_a_silent_address_is_a_miss_at_the_deadline),
        cmocka_unit_test(test_icmp),
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_exec_that_did_not_come_to_ask_is_unknown),
        cmocka_unit_test(test_exec_kills_the_whole_group),
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_http_that_never_answers),
        cmocka_unit_test(test_http_of_servers_that_talk_badly),
        cmocka_unit_test(test_http_of_a_name_that_is_not_found_in_time_is_unknown),
        cmocka_unit_test(test_pgsql_that_gives_an_error_is_there),
        cmocka_unit_test(test_pgsql_that_can_not_be_understood_is_there),
        cmocka_unit_test(test_pgsql_failures),
        cmocka_unit_test(test_what_this_host_can_not_send_is_unknown),
        cmocka_unit_test(test_who_refuses_lives),
        cmocka_unit_test(test_cancelled_probes_call_nobody),
        cmocka_unit_test(test_cycle_needs_all_or_any),
        cmocka_unit_test(test_cycle_that_hears_each_finds_life),
        cmocka_unit_test(test_reason_names_the_probe_and_is_bounded),
        cmocka_unit_test(test_boot_probe_that_this_host_can_not_send_is_no_miss),
        cmocka_unit_test(test_other_references_are_taken_in_the_middle_of_a_round),
        cmocka_unit_test(test_unknown_is_down_only_where_it_is_wanted),
        cmocka_unit_test(test_a_management_address_is_down_only_where_somebody_else_is_heard),
        cmocka_unit_test(test_references_that_no_server_needs_any_more_are_not_asked),
    };

    make_namespace();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
