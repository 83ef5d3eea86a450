/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ocf.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/error.h"

#define REASON_PREFIX_DEFAULT "ocf-exit-reason:"

/* The watchdog must end the action a little before Pacemaker does, so that the
 * reason is read. */
#define WATCHDOG_MARGIN_MS 500

static char watchdog_message[256];
static int watchdog_rc = OCF_RC_GENERIC;

void ocf_log(const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    fprintf(stderr, "%s\n", text);
}

void ocf_exit_reason(const char *format, ...)
{
    const char *prefix = g_getenv("OCF_EXIT_REASON_PREFIX");
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_strdelimit(text, "\n", ' ');
    fprintf(stderr, "%s%s\n", prefix != NULL ? prefix : REASON_PREFIX_DEFAULT, text);
}

static ocf_rc_t error_rc(const GError *error)
{
    static const ocf_rc_t rcs[] = {
        [UNDERSTUDY_ERROR_FAILED] = OCF_RC_GENERIC,
        [UNDERSTUDY_ERROR_CONFIG] = OCF_RC_CONFIGURED,
        [UNDERSTUDY_ERROR_NOT_HERE] = OCF_RC_INSTALLED,
        [UNDERSTUDY_ERROR_PERMISSION] = OCF_RC_PERM,
        [UNDERSTUDY_ERROR_TIMEOUT] = OCF_RC_GENERIC,
        [UNDERSTUDY_ERROR_NOT_FOUND] = OCF_RC_CONFIGURED,
        [UNDERSTUDY_ERROR_EXISTS] = OCF_RC_GENERIC,
        [UNDERSTUDY_ERROR_BUSY] = OCF_RC_GENERIC,
    };

    if (error->domain == UNDERSTUDY_ERROR && error->code >= 0 && (gsize) error->code < G_N_ELEMENTS(rcs)) {
        return rcs[error->code];
    }
    return OCF_RC_GENERIC;
}

ocf_rc_t ocf_fail(GError *error)
{
    ocf_rc_t rc = error_rc(error);

    ocf_exit_reason("%s", error->message);
    g_error_free(error);
    return rc;
}

guint ocf_call_remaining_ms(const ocf_call_t *call, guint reserve_ms)
{
    gint64 left_ms = (call->deadline_us - g_get_monotonic_time()) / 1000 - reserve_ms;

    return left_ms > 0 ? (guint) left_ms : 0;
}

/* Only async-signal-safe calls: the main thread may hold any lock. */
static void watchdog_expired(int signal_number)
{
    (void) signal_number;
    if (write(STDERR_FILENO, watchdog_message, strlen(watchdog_message)) < 0) {
        _exit(watchdog_rc);
    }
    _exit(watchdog_rc);
}

/* A library that hangs (libvirtd stopped, a monitor that does not answer)
 * must not end the action in silence. */
static void watchdog_arm(const ocf_call_t *call)
{
    const char *prefix = g_getenv("OCF_EXIT_REASON_PREFIX");
    guint margin_ms = MIN(WATCHDOG_MARGIN_MS, call->timeout_ms / 10);
    guint left_ms = MAX(ocf_call_remaining_ms(call, margin_ms), 1);
    struct itimerval timer = { .it_value = { .tv_sec = left_ms / 1000, .tv_usec = (left_ms % 1000) * 1000 } };
    struct sigaction action = { .sa_handler = watchdog_expired };

    g_snprintf(watchdog_message, sizeof(watchdog_message),
               "%s%s did not end within %u s: look for a hung libvirtd or a store without quorum\n",
               prefix != NULL ? prefix : REASON_PREFIX_DEFAULT, call->action, (call->timeout_ms + 999) / 1000);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static const ocf_action_t *find_action(const ocf_agent_t *agent, const char *name, guint depth)
{
    const ocf_action_t *found = NULL;

    for (const ocf_action_t *action = agent->actions; action->name != NULL; action++) {
        if (strcmp(action->name, name) == 0 && (found == NULL || action->depth == depth)) {
            found = action;
        }
    }
    return found;
}

/* Parameters come as OCF_RESKEY_name. */
static GHashTable *params_from_environment(const ocf_param_t *params)
{
    GHashTable *texts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);

    for (const ocf_param_t *param = params; param->name != NULL; param++) {
        g_autofree char *variable = g_strconcat("OCF_RESKEY_", param->name, NULL);
        const char *value = g_getenv(variable);

        if (value != NULL) {
            g_hash_table_insert(texts, (gpointer) param->name, g_strdup(value));
        }
    }
    return texts;
}

static guint64 environment_number(const char *name, guint64 fallback)
{
    const char *text = g_getenv(name);
    guint64 number = 0;

    if (text == NULL || !g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT, &number, NULL)) {
        return fallback;
    }
    return number;
}

static const char *environment_text(const char *name, const char *fallback)
{
    const char *text = g_getenv(name);

    return (text != NULL && text[0] != '\0') ? text : fallback;
}

static void call_init(ocf_call_t *call, const ocf_agent_t *agent, const ocf_action_t *action)
{
    call->agent = agent;
    call->action = action->name;
    call->instance = environment_text("OCF_RESOURCE_INSTANCE", "");
    call->node = environment_text("OCF_RESKEY_CRM_meta_on_node", g_get_host_name());
    call->is_probe = strcmp(action->name, "monitor") == 0
                     && environment_number("OCF_RESKEY_CRM_meta_interval", 0) == 0;
    call->check_level = (guint) environment_number("OCF_CHECK_LEVEL", 0);
    call->timeout_ms = (guint) environment_number("OCF_RESKEY_CRM_meta_timeout", action->timeout_s * 1000ULL);
    if (call->timeout_ms == 0) {
        call->timeout_ms = action->timeout_s * 1000;
    }
    call->deadline_us = g_get_monotonic_time() + call->timeout_ms * 1000LL;
}

/* From this OCF_CHECK_LEVEL on validate-all tells whether a start could be carried out. */
#define CHECK_LEVEL_START 20

/* Only the observers go by them, and go on with what they had: a slip in one must not end an image that serves. */
static void observers_faults_drop(const ocf_param_t *params, GHashTable *texts)
{
    for (const ocf_param_t *param = params; param->name != NULL; param++) {
        g_autoptr(GError) error = NULL;

        if (param->is_for_observers && !ocf_value_check(param, g_hash_table_lookup(texts, param->name), &error)) {
            ocf_log("%s: the observers do not take it, and nothing here goes by it", error->message);
            g_hash_table_remove(texts, param->name);
        }
    }
}

static gboolean is_check_of_parameters(const ocf_action_t *action)
{
    return strcmp(action->name, "validate-all") == 0 && environment_number("OCF_CHECK_LEVEL", 0) < CHECK_LEVEL_START;
}

ocf_rc_t ocf_reload_nothing(const ocf_call_t *call)
{
    if (call->params_error != NULL) {
        ocf_log("%s: what runs goes on with what it has", call->params_error->message);
    }
    return OCF_RC_SUCCESS;
}

static int run_action(const ocf_agent_t *agent, const ocf_action_t *action)
{
    g_autoptr(GHashTable) texts = params_from_environment(agent->params);
    g_autoptr(GError) error = NULL;
    ocf_values_t *values = NULL;
    ocf_call_t call = { 0 };
    ocf_rc_t rc = OCF_RC_SUCCESS;

    if (!is_check_of_parameters(action)) {
        observers_faults_drop(agent->params, texts);
    }
    values = ocf_values_parse(agent->params, texts, &error);
    call.values = values;
    call.params_error = error;
    call_init(&call, agent, action);
    if (error != NULL && !action->takes_bad_params) {
        rc = ocf_fail(g_steal_pointer(&error));
    } else if (action->run != NULL) {
        watchdog_arm(&call);
        rc = action->run(&call);
    }
    ocf_values_free(values);
    return rc;
}

static void print_usage(const ocf_agent_t *agent, FILE *stream)
{
    fprintf(stream, "usage: %s ", agent->name);
    for (const ocf_action_t *action = agent->actions; action->name != NULL; action++) {
        if (action == agent->actions || strcmp(action->name, action[-1].name) != 0) {
            fprintf(stream, "%s%s", action == agent->actions ? "" : "|", action->name);
        }
    }
    fprintf(stream, "\nParameters are OCF_RESKEY_NAME in the environment; see \"%s meta-data\".\n", agent->name);
}

int ocf_agent_main(const ocf_agent_t *agent, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    const ocf_action_t *action = NULL;

    if (strcmp(name, "meta-data") == 0) {
        g_autofree char *metadata = ocf_metadata(agent);

        return fputs(metadata, stdout) == EOF ? OCF_RC_GENERIC : OCF_RC_SUCCESS;
    }
    if (strcmp(name, "usage") == 0 || strcmp(name, "help") == 0) {
        print_usage(agent, stdout);
        return OCF_RC_SUCCESS;
    }
    action = find_action(agent, name, (guint) environment_number("OCF_CHECK_LEVEL", 0));
    if (action == NULL) {
        print_usage(agent, stderr);
        return OCF_RC_UNIMPLEMENTED;
    }
    return run_action(agent, action);
}
