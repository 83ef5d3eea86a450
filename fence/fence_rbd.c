/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fence agent: options in, exit code out. What it does is in actions.c. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "actions.h"

/* The actions keep their deadline by themselves; a library that hangs does not. */
#define WATCHDOG_MARGIN_MS 1000

static gboolean is_verbose;
static gboolean is_quiet;
static char watchdog_message[128];

static void log_line(fence_log_level_t level, const char *text)
{
    if (level == FENCE_LOG_ERROR || (level == FENCE_LOG_NOTICE && !is_quiet) || is_verbose) {
        fprintf(stderr, "%s\n", text);
    }
}

static void watchdog_expired(int signal_number)
{
    (void) signal_number;
    if (write(STDERR_FILENO, watchdog_message, strlen(watchdog_message)) < 0) {
        _exit(FENCE_RC_FAILED);
    }
    _exit(FENCE_RC_FAILED);
}

static void watchdog_arm(const char *action, guint64 deadline_ms)
{
    struct itimerval timer = { .it_value = { .tv_sec = (time_t) ((deadline_ms + WATCHDOG_MARGIN_MS) / 1000) } };
    struct sigaction handler = { .sa_handler = watchdog_expired };

    g_snprintf(watchdog_message, sizeof watchdog_message,
               "%s did not end within %" G_GUINT64_FORMAT " s: look for a store that does not answer\n", action,
               (deadline_ms + 999) / 1000);
    sigaction(SIGALRM, &handler, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static int fail(GError *error)
{
    fprintf(stderr, "%s\n", error->message);
    g_error_free(error);
    return FENCE_RC_FAILED;
}

static int print(char *text)
{
    gboolean good = fputs(text, stdout) >= 0 && fflush(stdout) == 0;

    g_free(text);
    return good ? FENCE_RC_OK : FENCE_RC_FAILED;
}

static gboolean flag_is_set(GHashTable *texts, const char *name)
{
    return g_strcmp0(g_hash_table_lookup(texts, name), "true") == 0;
}

/* What needs no valid options. */
static gboolean answered(GHashTable *texts, int *rc)
{
    const char *action = g_hash_table_lookup(texts, "action");

    if (flag_is_set(texts, "help")) {
        *rc = print(fence_help("fence_rbd"));
    } else if (flag_is_set(texts, "version")) {
        *rc = print(g_strdup(PACKAGE_VERSION "\n"));
    } else if (g_strcmp0(action, "metadata") == 0 || g_strcmp0(action, "meta-data") == 0) {
        *rc = print(fence_metadata());
    } else {
        return FALSE;
    }
    return TRUE;
}

static int carry_out(const ocf_values_t *values)
{
    static const char *const status_words[] = { [FENCE_RC_OK] = "ON", [FENCE_RC_OFF] = "OFF" };
    GError *error = NULL;
    const fence_action_t *action = fence_action_find(values, &error);
    fence_rc_t rc = FENCE_RC_FAILED;

    if (action == NULL) {
        return fail(error);
    }
    if (action->needs_target && ocf_value_string(values, "plug") == NULL
        && ocf_value_string(values, "nodename") == NULL) {
        fprintf(stderr, "plug is not set: name the host that is meant\n");
        return FENCE_RC_FAILED;
    }
    is_verbose = ocf_value_boolean(values, "verbose");
    is_quiet = ocf_value_boolean(values, "quiet");
    watchdog_arm(action->name, fence_deadline_ms(values, action));
    rc = fence_run(values, action, log_line);
    if (strcmp(action->name, "status") == 0 && rc != FENCE_RC_FAILED && !is_quiet) {
        printf("Status: %s\n", status_words[rc]);
    }
    return (int) rc;
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    g_autoptr(GHashTable) texts = argc > 1 ? fence_options_from_argv(argc, argv, &error)
                                           : fence_options_from_fd(STDIN_FILENO, &error);
    ocf_values_t *values = NULL;
    int rc = FENCE_RC_FAILED;

    if (texts == NULL) {
        return fail(error);
    }
    if (answered(texts, &rc)) {
        return rc;
    }
    values = fence_options_parse(texts, &error);
    if (values == NULL) {
        return fail(error);
    }
    rc = carry_out(values);
    ocf_values_free(values);
    fflush(NULL);
    /* No exit handlers: a thread may still wait for a libvirt that does not answer. */
    _exit(rc);
}
