/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fence_history.h"

static gint64 last_success_s(const stonith_history_t *history, const char *const *actions)
{
    gint64 last_s = 0;

    for (const stonith_history_t *event = history; event != NULL; event = event->next) {
        if (event->state == st_done && event->action != NULL && g_strv_contains(actions, event->action)) {
            last_s = MAX(last_s, (gint64) event->completed);
        }
    }
    return last_s;
}

gint64 fence_history_fenced_s(const stonith_history_t *history)
{
    static const char *const fencing[] = { "off", "reboot", "poweroff", NULL };

    return last_success_s(history, fencing);
}

gboolean fence_history_outlived(const stonith_history_t *history, gint64 since_s)
{
    static const char *const unfencing[] = { "on", NULL };
    gint64 fenced_s = fence_history_fenced_s(history);

    return fenced_s > 0 && fenced_s >= since_s && last_success_s(history, unfencing) < fenced_s;
}
