/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fenced_host/fence_history.h"

char **fence_history_successes(const stonith_history_t *history)
{
    static const char *const fencing[] = { "off", "reboot", "poweroff", NULL };
    GPtrArray *successes = g_ptr_array_new();

    for (const stonith_history_t *event = history; event != NULL; event = event->next) {
        if (event->state == st_done && event->action != NULL && g_strv_contains(fencing, event->action)) {
            g_ptr_array_add(successes, g_strdup_printf("%s %" G_GINT64_FORMAT ".%ld", event->action,
                                                       (gint64) event->completed, event->completed_nsec));
        }
    }
    g_ptr_array_add(successes, NULL);
    return (char **) g_ptr_array_free(successes, FALSE);
}
