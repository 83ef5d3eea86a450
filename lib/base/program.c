/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/program.h"

#include <gio/gio.h>

#include "base/error.h"

struct program {
    GSubprocess *process;   /* NULL: it could not be started */
    char *start_failure;
    GCancellable *waiting;  /* for its end and for its output */
    guint source;           /* its deadline, or the report that it was not started */
    gboolean overdue;
    program_ended_fn ended; /* NULL: cancelled */
    gpointer user_data;
};

static void program_free(program_t *program)
{
    g_clear_handle_id(&program->source, g_source_remove);
    g_clear_object(&program->process);
    g_clear_object(&program->waiting);
    g_free(program->start_failure);
    g_free(program);
}

/* A child that it leaves could hold its output open, and a process in the kernel outlives SIGKILL: neither is waited for. */
static void end(const program_t *program)
{
    g_subprocess_force_exit(program->process);
    g_cancellable_cancel(program->waiting);
}

static gboolean on_overdue(gpointer user_data)
{
    program_t *program = user_data;

    program->source = 0;
    program->overdue = TRUE;
    end(program);
    return G_SOURCE_REMOVE;
}

static gboolean on_not_started(gpointer user_data)
{
    program_t *program = user_data;
    const program_result_t result = { .exit_status = -1, .missing = TRUE, .output = "",
                                      .reason = program->start_failure };

    program->source = 0;
    program->ended(&result, program->user_data);
    program_free(program);
    return G_SOURCE_REMOVE;
}

static void make_one_line(char *text)
{
    g_strdelimit(g_strstrip(text), "\n", ' ');
}

/* Of a process that has ended. */
static char *reason_new(const program_t *program, const char *complaint)
{
    if (program->overdue) {
        return g_strdup("it hung and was ended");
    }
    if (g_subprocess_get_if_signaled(program->process)) {
        return g_strdup_printf("signal %d ended it", g_subprocess_get_term_sig(program->process));
    }
    if (complaint[0] == '\0') {
        return g_strdup_printf("it gave no reason for exit status %d", g_subprocess_get_exit_status(program->process));
    }
    return g_strdup(complaint);
}

static void tell(const program_t *program, char *output, char *complaint)
{
    gboolean is_judged = !program->overdue && g_subprocess_get_if_exited(program->process);
    g_autofree char *reason = NULL;

    make_one_line(output);
    make_one_line(complaint);
    reason = reason_new(program, complaint);
    program->ended(&(program_result_t) { .exit_status = is_judged ? g_subprocess_get_exit_status(program->process) : -1,
                                         .overdue = program->overdue, .output = output, .reason = reason },
                   program->user_data);
}

/* Comes once for every process, after program_cancel() too. */
static void on_ended(GObject *source, GAsyncResult *result, gpointer user_data)
{
    program_t *program = user_data;
    g_autofree char *output = NULL;
    g_autofree char *complaint = NULL;

    g_subprocess_communicate_utf8_finish(G_SUBPROCESS(source), result, &output, &complaint, NULL);
    if (program->ended != NULL) {
        output = output != NULL ? output : g_strdup("");
        complaint = complaint != NULL ? complaint : g_strdup("");
        tell(program, output, complaint);
    }
    program_free(program);
}

program_t *program_start_in(const char *const *argv, char **environment, guint timeout_ms, program_ended_fn ended,
                            gpointer user_data)
{
    program_t *program = g_new0(program_t, 1);
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE
                                                                        | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_autoptr(GError) error = NULL;

    program->ended = ended;
    program->user_data = user_data;
    if (environment != NULL) {
        g_subprocess_launcher_set_environ(launcher, environment);
    }
    program->process = g_subprocess_launcher_spawnv(launcher, argv, &error);
    if (program->process == NULL) {
        program->start_failure = g_strdup_printf("it can't be started: %s", error->message);
        program->source = g_idle_add(on_not_started, program);
        return program;
    }
    program->source = g_timeout_add(timeout_ms, on_overdue, program);
    program->waiting = g_cancellable_new();
    g_subprocess_communicate_utf8_async(program->process, NULL, program->waiting, on_ended, program);
    return program;
}

program_t *program_start(const char *const *argv, guint timeout_ms, program_ended_fn ended, gpointer user_data)
{
    return program_start_in(argv, NULL, timeout_ms, ended, user_data);
}

void program_cancel(program_t *program)
{
    if (program->process == NULL) {
        program_free(program);
        return;
    }
    program->ended = NULL;
    g_clear_handle_id(&program->source, g_source_remove);
    end(program); /* on_ended() frees it */
}

/* To its end ------------------------------------------------------------------*/

typedef struct {
    gboolean ended;
    char *output;
    GError *error;
} run_t;

static void on_run_ended(const program_result_t *result, gpointer user_data)
{
    run_t *run = user_data;
    understudy_error_t code = result->missing   ? UNDERSTUDY_ERROR_NOT_HERE
                              : result->overdue ? UNDERSTUDY_ERROR_TIMEOUT
                                                : UNDERSTUDY_ERROR_FAILED;

    run->ended = TRUE;
    if (result->exit_status == 0) {
        run->output = g_strdup(result->output);
    } else {
        run->error = g_error_new_literal(UNDERSTUDY_ERROR, (gint) code, result->reason);
    }
}

gboolean program_run(const char *const *argv, guint timeout_ms, char **output, GError **error)
{
    run_t run = { 0 };

    program_start(argv, timeout_ms, on_run_ended, &run);
    while (!run.ended) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (run.error != NULL) {
        g_propagate_error(error, run.error);
        return FALSE;
    }
    if (output != NULL) {
        *output = run.output;
    } else {
        g_free(run.output);
    }
    return TRUE;
}
