/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A truth value as Pacemaker's tools write it. */
#include "base/boolean.h"

gboolean boolean_parse(const char *text, gboolean *value)
{
    static const char *const words[][5] = {
        { "0", "no", "false", "off", "n" },
        { "1", "yes", "true", "on", "y" },
    };

    for (int truth = 0; truth < 2; truth++) {
        for (gsize i = 0; i < G_N_ELEMENTS(words[truth]); i++) {
            if (g_ascii_strcasecmp(text, words[truth][i]) == 0) {
                *value = truth;
                return TRUE;
            }
        }
    }
    return FALSE;
}
