/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec:PATH ARGS: exit status 0 is up. Started without a shell, in a process group of its own
 * that is killed when the time is up, so that its children do not stay either. */
#include <gio/gio.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe/probe.h"

typedef struct {
    probe_t *probe; /* NULL: it has been stopped */
    GSubprocess *process;
    pid_t pid;
    gboolean ended; /* on_ended() has come */
} exec_state_t;

static void lead_group(gpointer user_data)
{
    (void) user_data;
    setpgid(0, 0);
}

static void state_free(exec_state_t *state)
{
    g_object_unref(state->process);
    g_free(state);
}

/* Statuses that say that the program did not come to ask; any other but 0 is its word that the service is down. */
static const struct {
    gint first;
    gint last;
    const char *meaning;
} unknown_statuses[] = {
    { 3, 3, "unknown, to a monitoring plugin" },           /* so too pg_isready: nothing was tried */
    { 64, 68, "it was called in a wrong way" },            /* sysexits.h */
    { 70, 78, "it, or this host, is at fault" },           /* sysexits.h, without 69: service unavailable */
    { 126, 127, "a program was not found, or can't be run" },
};

static const char *unknown_status(gint status)
{
    for (gsize i = 0; i < G_N_ELEMENTS(unknown_statuses); i++) {
        if (status >= unknown_statuses[i].first && status <= unknown_statuses[i].last) {
            return unknown_statuses[i].meaning;
        }
    }
    return NULL;
}

static void finish_ended(probe_t *probe, GSubprocess *process)
{
    gboolean exited = g_subprocess_get_if_exited(process);
    gint status = exited ? g_subprocess_get_exit_status(process) : 0;
    const char *meaning = exited ? unknown_status(status) : NULL;
    g_autofree char *reason = NULL;

    if (!exited) {
        reason = g_strdup_printf("signal %d ended it", g_subprocess_get_term_sig(process));
    } else if (meaning != NULL) {
        reason = g_strdup_printf("exit status %d (%s)", status, meaning);
    } else if (status != 0) {
        reason = g_strdup_printf("exit status %d", status);
    }
    probe_finish(probe, exited && status == 0 ? PROBE_UP : !exited || meaning != NULL ? PROBE_UNKNOWN : PROBE_DOWN,
                 reason);
}

/* Comes once for every process, after exec_stop() too. */
static void on_ended(GObject *source, GAsyncResult *result, gpointer user_data)
{
    GSubprocess *process = G_SUBPROCESS(source);
    exec_state_t *state = user_data;
    gboolean waited = g_subprocess_wait_finish(process, result, NULL);

    state->ended = TRUE;
    if (state->probe != NULL && waited) {
        finish_ended(state->probe, process);
        return; /* exec_stop() follows */
    }
    if (state->probe != NULL) {
        probe_finish(state->probe, PROBE_UNKNOWN, "its end can't be waited for");
        return;
    }
    state_free(state);
}

static char *exec_start(probe_t *probe)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_SILENCE
                                                                        | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    GSubprocess *process = NULL;
    exec_state_t *state = NULL;
    const char *identifier = NULL;
    g_autoptr(GError) error = NULL;

    g_subprocess_launcher_set_child_setup(launcher, lead_group, NULL, NULL);
    process = g_subprocess_launcher_spawnv(launcher, (const char *const *) probe->spec->argv, &error);
    if (process == NULL) {
        return g_strdup(error->message);
    }
    state = g_new0(exec_state_t, 1);
    state->probe = probe;
    state->process = process;
    identifier = g_subprocess_get_identifier(process);
    state->pid = (identifier != NULL) ? (pid_t) g_ascii_strtoll(identifier, NULL, 10) : 0;
    probe->state = state;
    g_subprocess_wait_async(process, NULL, on_ended, state);
    return NULL;
}

static void exec_stop(probe_t *probe)
{
    exec_state_t *state = probe->state;

    state->probe = NULL;
    if (state->ended) {
        state_free(state);
    } else if (state->pid > 1 && g_subprocess_get_identifier(state->process) != NULL) {
        /* No identifier: it has been reaped, and its number may be somebody else's. */
        kill(-state->pid, SIGKILL);
    }
}

const probe_type_ops_t probe_exec_ops = { exec_start, exec_stop, NULL };
