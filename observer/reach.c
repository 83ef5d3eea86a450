/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reach.h"

#include <gio/gio.h>

#include "log.h"
#include "names.h"

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
    GSubprocess *process;
    guint kill_source;
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

static gboolean on_overdue(gpointer user_data)
{
    reach_t *reach = user_data;

    reach->kill_source = 0;
    g_subprocess_force_exit(reach->process);
    return G_SOURCE_REMOVE;
}

static void on_ended(GObject *source, GAsyncResult *result, gpointer user_data)
{
    reach_t *reach = user_data;
    g_autoptr(GError) error = NULL;
    gboolean done = g_subprocess_wait_check_finish(G_SUBPROCESS(source), result, &error);

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        return;
    }
    g_clear_handle_id(&reach->kill_source, g_source_remove);
    g_clear_object(&reach->process);
    if (!reach->published) {
        publish(reach); /* it has changed meanwhile */
        return;
    }
    if (!done && !reach->failure_logged) {
        log_line(LOG_WARNING, "Attribute " REACH_ATTRIBUTE " can't be published (%s): tried again", error->message);
    }
    reach->failure_logged = !done;
    reach->timer_source = g_timeout_add(done ? REPEAT_MS : RETRY_MS, on_timer, reach);
}

static void publish(reach_t *reach)
{
    const char *argv[] = { ATTRD_UPDATER, "-n", REACH_ATTRIBUTE, "-B", host_reach_value(reach->value), "-d", DAMPENING_S, NULL };

    g_clear_handle_id(&reach->timer_source, g_source_remove);
    reach->published = TRUE;
    reach->process = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                                       NULL);
    if (reach->process == NULL) {
        reach->timer_source = g_timeout_add(RETRY_MS, on_timer, reach);
        return;
    }
    reach->kill_source = g_timeout_add(TIMEOUT_MS, on_overdue, reach);
    g_subprocess_wait_check_async(reach->process, NULL, on_ended, reach);
}

void reach_set(reach_t *reach, host_reach_t value)
{
    if (reach->value == value) {
        return;
    }
    reach->value = value;
    reach->published = FALSE;
    if (reach->process == NULL) {
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
    g_clear_handle_id(&reach->kill_source, g_source_remove);
    g_clear_object(&reach->process);
    g_free(reach); /* at the end of the process only: on_ended() must not come after it */
}
