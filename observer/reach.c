/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reach.h"

#include "base/names.h"
#include "base/program.h"
#include "log.h"

#define ATTRD_UPDATER "/usr/sbin/attrd_updater"
#define RETRY_MS      2000
#define REPEAT_MS     60000
#define TIMEOUT_MS    10000
/* The attribute daemon keeps a change back for so long, and writes with it what other hosts have changed meanwhile: a
 * switch that restarts is not seen by all in the same instant, and the image of the first to see it would be moved. */
#define DAMPENING_S   "5"

struct reach {
    host_reach_t value; /* HOST_REACH_UNKNOWN until it is set */
    gboolean published; /* this value */
    gboolean failure_logged;
    program_t *updater;
    guint timer_source;
};

static void publish(reach_t *reach);

static gboolean on_timer(gpointer user_data)
{
    reach_t *reach = user_data;

    reach->timer_source = 0;
    publish(reach);
    return G_SOURCE_REMOVE;
}

static void on_ended(const program_result_t *result, gpointer user_data)
{
    reach_t *reach = user_data;
    gboolean done = result->exit_status == 0;

    reach->updater = NULL;
    if (!reach->published) {
        publish(reach); /* it has changed meanwhile */
        return;
    }
    if (!done && !reach->failure_logged) {
        log_line(LOG_WARNING, "Attribute " REACH_ATTRIBUTE " can't be published: %s failed (%s): tried again",
                 ATTRD_UPDATER, result->reason);
    }
    reach->failure_logged = !done;
    reach->timer_source = g_timeout_add(done ? REPEAT_MS : RETRY_MS, on_timer, reach);
}

static void publish(reach_t *reach)
{
    const char *argv[] = { ATTRD_UPDATER, "-n", REACH_ATTRIBUTE, "-B", host_reach_value(reach->value), "-d", DAMPENING_S, NULL };

    g_clear_handle_id(&reach->timer_source, g_source_remove);
    reach->published = TRUE;
    reach->updater = program_start(argv, TIMEOUT_MS, on_ended, reach);
}

void reach_set(reach_t *reach, host_reach_t value)
{
    if (reach->value == value) {
        return;
    }
    reach->value = value;
    reach->published = FALSE;
    if (reach->updater == NULL) {
        publish(reach);
    }
}

reach_t *reach_new(void)
{
    return g_new0(reach_t, 1);
}

void reach_free(reach_t *reach)
{
    if (reach == NULL) {
        return;
    }
    g_clear_handle_id(&reach->timer_source, g_source_remove);
    g_clear_pointer(&reach->updater, program_cancel);
    g_free(reach);
}
