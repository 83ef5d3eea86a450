/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ocf:understudy:observer: runs the observer daemon on its host. */
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/pidfile.h"
#include "cluster/observer_client.h"
#include "ocf.h"
#include "run_dir.h"
#include "tables.h"

static const char daemon_path[] = SBINDIR "/understudy-observerd";
#define PID_FILE UNDERSTUDY_RUN_DIR "/observer.pid"
#define PING_TIMEOUT_MS 2000
#define POLL_MS 50

/* Kept for the SIGKILL after a SIGTERM that did not end it. */
#define KILL_RESERVE_MS 3000

typedef gboolean (*condition_fn)(pid_t pid, GError **error);

static gboolean daemon_answers(pid_t pid, GError **error)
{
    JsonObject *answer = observer_client_ask("ping", NULL, PING_TIMEOUT_MS, error);

    (void) pid;
    if (answer == NULL) {
        return FALSE;
    }
    json_object_unref(answer);
    return TRUE;
}

static gboolean daemon_is_gone(pid_t pid, GError **error)
{
    pid_t owner = 0;

    return pidfile_owner(PID_FILE, &owner, error) && owner != pid;
}

/* Polls until the condition holds; *error is that of the last look. */
static gboolean wait_until(condition_fn condition, pid_t pid, guint timeout_ms, GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;

    for (;;) {
        g_clear_error(error);
        if (condition(pid, error)) {
            return TRUE;
        }
        if (g_get_monotonic_time() >= deadline_us) {
            return FALSE;
        }
        g_usleep(POLL_MS * 1000);
    }
}

static gboolean daemon_spawn(const ocf_call_t *call, GError **error)
{
    const char *argv[] = {
        daemon_path,
        "--references", ocf_value_string(call->values, "references"),
        "--management-references", ocf_value_string(call->values, "management_references"),
        "--ceph-conf", ocf_value_string(call->values, "ceph_conf"),
        "--ceph-user", ocf_value_string(call->values, "ceph_user"),
        "--uncounted", ocf_value_string(call->values, "uncounted"),
        "--daemonize", NULL,
    };
    g_autoptr(GError) spawn_error = NULL;
    g_autofree char *message = NULL;
    int status = 0;

    if (g_mkdir_with_parents(UNDERSTUDY_RUN_DIR, 0755) != 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_PERMISSION, "%s can't be made: %s",
                    UNDERSTUDY_RUN_DIR, g_strerror(errno));
        return FALSE;
    }
    if (!g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &message, &status,
                      &spawn_error)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE, "%s can't be started: is it installed? (%s)",
                    argv[0], spawn_error->message);
        return FALSE;
    }
    if (!g_spawn_check_wait_status(status, NULL)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "the observer did not start: %s",
                    g_strstrip(message));
        return FALSE;
    }
    return TRUE;
}

static ocf_rc_t observer_start(const ocf_call_t *call)
{
    GError *error = NULL;

    if (daemon_answers(0, NULL)) {
        return OCF_RC_SUCCESS;
    }
    if (!daemon_spawn(call, &error) || !wait_until(daemon_answers, 0, ocf_call_remaining_ms(call, 1000), &error)) {
        return ocf_fail(error);
    }
    return OCF_RC_SUCCESS;
}

static ocf_rc_t observer_stop(const ocf_call_t *call)
{
    GError *error = NULL;
    pid_t pid = 0;

    if (!pidfile_owner(PID_FILE, &pid, &error)) {
        return ocf_fail(error);
    }
    if (pid == 0) {
        return OCF_RC_SUCCESS;
    }
    kill(pid, SIGTERM);
    if (!wait_until(daemon_is_gone, pid, ocf_call_remaining_ms(call, KILL_RESERVE_MS), &error)) {
        ocf_log("observer %d did not end on SIGTERM: killing it", (int) pid);
        kill(pid, SIGKILL);
        if (!wait_until(daemon_is_gone, pid, ocf_call_remaining_ms(call, 1000), &error)) {
            g_clear_error(&error);
            ocf_exit_reason("the observer (pid %d) can't be killed: look for a hung disk under it", (int) pid);
            return OCF_RC_GENERIC;
        }
    }
    g_clear_error(&error);
    return OCF_RC_SUCCESS;
}

static ocf_rc_t observer_monitor(const ocf_call_t *call)
{
    GError *error = NULL;
    pid_t pid = 0;

    (void) call;
    if (!pidfile_owner(PID_FILE, &pid, &error)) {
        return ocf_fail(error);
    }
    if (pid == 0) {
        return OCF_RC_NOT_RUNNING;
    }
    return daemon_answers(pid, &error) ? OCF_RC_SUCCESS : ocf_fail(error);
}

static ocf_rc_t observer_validate(const ocf_call_t *call)
{
    if (call->check_level >= 10 && !g_file_test(daemon_path, G_FILE_TEST_IS_EXECUTABLE)) {
        ocf_exit_reason("%s is missing: install understudy on this host", daemon_path);
        return OCF_RC_INSTALLED;
    }
    return OCF_RC_SUCCESS;
}

/* What the daemon forgets when it is restarted, all observers at once, is what they know of every server. */
static ocf_rc_t observer_reload(const ocf_call_t *call)
{
    static const char *const names[] = { "references", "management_references" };
    g_autoptr(JsonObject) question = json_object_new();
    JsonObject *answer = NULL;
    GError *error = NULL;

    if (call->params_error != NULL) {
        return ocf_reload_nothing(call);
    }
    json_object_set_string_member(question, "op", "reload");
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        json_object_set_string_member(question, names[i], ocf_value_string(call->values, names[i]));
    }
    answer = observer_client_request(question, ocf_call_remaining_ms(call, 1000), &error);
    if (answer == NULL) {
        return ocf_fail(error);
    }
    json_object_unref(answer);
    return OCF_RC_SUCCESS;
}

static const ocf_action_t observer_actions[] = {
    { .name = "start", .timeout_s = 30, .run = observer_start },
    { .name = "stop", .timeout_s = 20, .run = observer_stop, .takes_bad_params = TRUE },
    { .name = "monitor", .timeout_s = 20, .interval_s = 10, .run = observer_monitor, .takes_bad_params = TRUE },
    { .name = "reload-agent", .timeout_s = 20, .run = observer_reload, .takes_bad_params = TRUE },
    { .name = "meta-data", .timeout_s = 5 },
    { .name = "validate-all", .timeout_s = 20, .run = observer_validate },
    { .name = NULL }
};

static const ocf_agent_t observer_agent = {
    .name = "observer",
    .shortdesc = "Watches the protected servers and decides with its peers which have failed",
    .longdesc = "Run as a clone on every cloud host. Each observer probes the servers that have an ocf:understudy:image "
                "resource, and all agree over a Corosync process group on each server's state. When a majority finds a "
                "server down twice and it has been put out of the way, its ticket is granted and Pacemaker starts its "
                "standby image; when it is back, the ticket is revoked. Each also publishes whether its host reaches its "
                "clients' network and the store (node attribute understudy-reach), for images to keep away from it "
                "otherwise.",
    .params = observer_params,
    .actions = observer_actions,
};

int main(int argc, char **argv)
{
    return ocf_agent_main(&observer_agent, argc, argv);
}
