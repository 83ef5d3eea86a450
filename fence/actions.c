/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "actions.h"

#include <string.h>

#include "base/error.h"
#include "fence_private.h"

static gboolean method_is(const ocf_values_t *values, const char *method)
{
    return strcmp(ocf_value_string(values, "method"), method) == 0;
}

static guint64 action_ms(const ocf_values_t *values, const fence_action_t *action)
{
    guint64 ms = ocf_value_duration_ms(values, "power_timeout");

    if (method_is(values, FENCE_METHOD_CONFIRM) && strcmp(action->name, "off") == 0) {
        ms += ocf_value_duration_ms(values, "watch_timeout") + ocf_value_duration_ms(values, "hold_down");
    }
    return ms;
}

static guint64 delay_ms(const ocf_values_t *values, const fence_action_t *action)
{
    return strcmp(action->name, "off") == 0 ? ocf_value_duration_ms(values, "delay") : 0;
}

guint64 fence_deadline_ms(const ocf_values_t *values, const fence_action_t *action)
{
    return action_ms(values, action) + delay_ms(values, action);
}

static fence_rc_t run_off(fence_call_t *call, GError **error)
{
    gboolean good = method_is(call->values, FENCE_METHOD_CONFIRM) ? fence_confirm(call, error) : fence_off(call, error);

    return good ? FENCE_RC_OK : FENCE_RC_FAILED;
}

/* confirm has changed nothing, so there is nothing to undo. */
static fence_rc_t run_on(fence_call_t *call, GError **error)
{
    return method_is(call->values, FENCE_METHOD_CONFIRM) || fence_on(call, error) ? FENCE_RC_OK : FENCE_RC_FAILED;
}

static fence_rc_t run_status(fence_call_t *call, GError **error)
{
    return method_is(call->values, FENCE_METHOD_CONFIRM) ? fence_confirm_status(call, error)
                                                         : fence_status(call, error);
}

/* What a fence would be refused for, long before it is needed. */
static void doubles_say(const fence_call_t *call)
{
    GHashTableIter iter;
    gpointer name = NULL;

    g_hash_table_iter_init(&iter, call->site.hosts);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        g_autofree char *sentence = registry_double_text(call->site.hosts, name);

        if (sentence != NULL) {
            fence_say(call, FENCE_LOG_NOTICE, "%s", sentence);
        }
    }
}

/* The store answers, the registry and the map can be read, the pools are there. */
static fence_rc_t run_monitor(fence_call_t *call, GError **error)
{
    g_auto(GStrv) pools = fence_options_pools(call->values);

    if (!fence_call_open(call, error)) {
        return FENCE_RC_FAILED;
    }
    for (char **pool = pools; *pool != NULL; pool++) {
        if (!store_pool_exists(call->store, *pool, error)) {
            return FENCE_RC_FAILED;
        }
    }
    doubles_say(call);
    return FENCE_RC_OK;
}

/* The options are checked before any action. */
static fence_rc_t run_validate(fence_call_t *call, GError **error)
{
    (void) call;
    (void) error;
    return FENCE_RC_OK;
}

static const struct {
    const char *name;
    fence_rc_t (*run)(fence_call_t *call, GError **error);
} runners[] = {
    { "off", run_off },         { "on", run_on },         { "status", run_status },
    { "monitor", run_monitor }, { "validate-all", run_validate },
};

fence_rc_t fence_run(const ocf_values_t *values, const fence_action_t *action, fence_log_fn log)
{
    g_autoptr(GError) error = NULL;
    fence_call_t call;
    fence_rc_t rc = FENCE_RC_FAILED;

    memset(&call, 0, sizeof call);
    call.values = values;
    call.log = log;
    g_usleep((gulong) delay_ms(values, action) * 1000);
    call.deadline_us = g_get_monotonic_time() + (gint64) action_ms(values, action) * 1000;
    for (gsize i = 0; i < G_N_ELEMENTS(runners); i++) {
        if (strcmp(runners[i].name, action->name) == 0) {
            rc = runners[i].run(&call, &error);
        }
    }
    if (error != NULL) {
        fence_say(&call, FENCE_LOG_ERROR, "%s", error->message);
    }
    fence_call_clear(&call);
    return rc;
}
