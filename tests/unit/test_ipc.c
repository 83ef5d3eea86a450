/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE /* unshare() */
/* The observer's IPC between two processes: a real libqb server and its client. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "cluster/observer_client.h"
#include "ipc_server.h"

#define SERVER_UP_TIMEOUT_MS 10000
#define ANSWER_TIMEOUT_MS    10000

#define POLL_US              10000

static pid_t server_pid;

/* In the server's process: */
static ipc_server_t *ipc;
static guint64 later_id; /* of the question that was asked to be answered later */

static JsonObject *answer_of_later(const char *op)
{
    JsonObject *answer = ipc_answer_new(NULL);

    if (strcmp(op, "answer") == 0) {
        ipc_server_answer(ipc, later_id, ipc_answer_new(NULL));
    }
    json_object_set_boolean_member(answer, "waits", ipc_server_waits(ipc, later_id));
    return answer;
}

/* The "server" of a question is how many bytes its answer has, and some. */
static JsonObject *on_ask(const char *op, const char *server, JsonObject *question, guint64 request_id, gpointer user_data)
{
    JsonObject *answer = NULL;
    guint64 length = g_ascii_strtoull(server, NULL, 10);
    g_autofree char *text = g_strnfill(length, 'x');

    (void) question;
    (void) user_data;
    if (strcmp(op, "later") == 0) {
        later_id = request_id;
        return NULL;
    }
    if (strcmp(op, "waits") == 0 || strcmp(op, "answer") == 0) {
        return answer_of_later(op);
    }
    answer = ipc_answer_new(NULL);
    json_object_set_string_member(answer, "op", op);
    json_object_set_string_member(answer, "text", text);
    return answer;
}

static _Noreturn void serve(void)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ipc = ipc_server_new(on_ask, NULL, NULL);
    if (ipc == NULL) {
        _exit(1);
    }
    g_main_loop_run(loop);
    _exit(0);
}

static JsonObject *ask(const char *length, GError **error)
{
    return observer_client_ask("status", length, ANSWER_TIMEOUT_MS, error);
}

/* libqb's names belong to a network namespace: in one of its own no observer of this machine is asked. Needs root. */
static int start(void **state)
{
    gint64 deadline_us = g_get_monotonic_time() + SERVER_UP_TIMEOUT_MS * 1000LL;

    (void) state;
    if (unshare(CLONE_NEWNET) != 0) {
        return 0;
    }
    server_pid = fork();
    if (server_pid == 0) {
        serve();
    }
    while (g_get_monotonic_time() < deadline_us) {
        JsonObject *answer = ask("1", NULL);

        if (answer != NULL) {
            json_object_unref(answer);
            return 0;
        }
        g_usleep(POLL_US);
    }
    return -1;
}

static int end(void **state)
{
    (void) state;
    if (server_pid > 0) {
        kill(server_pid, SIGKILL);
        waitpid(server_pid, NULL, 0);
    }
    return 0;
}

static void assert_answered_with(const char *length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonObject) answer = NULL;

    if (server_pid <= 0) {
        skip(); /* not root */
    }
    answer = ask(length, &error);
    assert_null(error);
    assert_int_equal(strlen(json_object_get_string_member(answer, "text")), g_ascii_strtoull(length, NULL, 10));
}

static void test_short_answer(void **state)
{
    (void) state;
    assert_answered_with("10");
}

static void test_answer_of_about_a_short_message(void **state)
{
    (void) state;
    for (int off = -64; off <= 64; off += 8) {
        g_autofree char *length = g_strdup_printf("%d", OBSERVER_IPC_MESSAGE_BYTES + off);

        assert_answered_with(length);
    }
}

/* As of a thousand servers. */
static void test_long_answer(void **state)
{
    (void) state;
    assert_answered_with("3000000");
}

static void test_answer_that_never_fits(void **state)
{
    g_autoptr(GError) error = NULL;

    (void) state;
    if (server_pid <= 0) {
        skip();
    }
    assert_null(ask("5000000", &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TOO_LONG));
    assert_non_null(strstr(error->message, "too long"));
    assert_answered_with("10");
}

/* Questions that are answered later ------------------------------------------------*/

/* A command of its own, which can be killed: ends with 0 once it is answered. */
static pid_t ask_later(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(observer_client_ask("later", "db1", ANSWER_TIMEOUT_MS, NULL) != NULL ? 0 : 1);
    }
    return pid;
}

static gboolean waits_after(const char *op)
{
    g_autoptr(JsonObject) answer = observer_client_ask(op, NULL, ANSWER_TIMEOUT_MS, NULL);

    assert_non_null(answer);
    return json_object_get_boolean_member(answer, "waits");
}

static gboolean comes_to_wait(gboolean wanted)
{
    gint64 deadline_us = g_get_monotonic_time() + ANSWER_TIMEOUT_MS * 1000LL;

    while (g_get_monotonic_time() < deadline_us) {
        if (waits_after("waits") == wanted) {
            return TRUE;
        }
        g_usleep(POLL_US);
    }
    return FALSE;
}

static void test_who_has_gone_waits_no_more(void **state)
{
    pid_t asker = 0;

    (void) state;
    if (server_pid <= 0) {
        skip();
    }
    asker = ask_later();
    assert_true(comes_to_wait(TRUE));
    kill(asker, SIGINT);
    waitpid(asker, NULL, 0);
    assert_true(comes_to_wait(FALSE));
    assert_false(waits_after("answer")); /* nobody is there to be told */
}

static void test_who_was_answered_waits_no_more(void **state)
{
    pid_t asker = 0;
    int status = 0;

    (void) state;
    if (server_pid <= 0) {
        skip();
    }
    asker = ask_later();
    assert_true(comes_to_wait(TRUE));
    assert_false(waits_after("answer"));
    waitpid(asker, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_answer),
        cmocka_unit_test(test_answer_of_about_a_short_message),
        cmocka_unit_test(test_long_answer),
        cmocka_unit_test(test_answer_that_never_fits),
        cmocka_unit_test(test_who_has_gone_waits_no_more),
        cmocka_unit_test(test_who_was_answered_waits_no_more),
    };

    return cmocka_run_group_tests(tests, start, end);
}
