/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/duration.h"

#include <errno.h>

static const struct {
    const char *name;
    guint64 ms;
} duration_units[] = {
    { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "sec", 1000 },
    { "m", 60000 }, { "min", 60000 }, { "h", 3600000 }, { "hr", 3600000 },
};

#define DURATION_MAX_MS (365ULL * 24 * 3600000)

gboolean duration_parse(const char *text, guint64 *duration_ms)
{
    char *unit = NULL;
    guint64 number = 0;

    if (text == NULL || !g_ascii_isdigit(text[0])) {
        return FALSE;
    }
    errno = 0;
    number = g_ascii_strtoull(text, &unit, 10);
    if (errno != 0) {
        return FALSE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(duration_units); i++) {
        if (g_ascii_strcasecmp(unit, duration_units[i].name) != 0) {
            continue;
        }
        if (number > DURATION_MAX_MS / duration_units[i].ms) {
            return FALSE;
        }
        *duration_ms = number * duration_units[i].ms;
        return TRUE;
    }
    return FALSE;
}
