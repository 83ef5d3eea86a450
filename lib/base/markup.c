/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/markup.h"

void markup_append(GString *xml, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_markup_vprintf_escaped(format, args);
    va_end(args);
    g_string_append(xml, text);
}

void troff_append(GString *page, const char *text)
{
    gboolean at_start = TRUE;

    for (const char *c = text; *c != '\0'; c++) {
        if (at_start && (*c == '.' || *c == '\'')) {
            g_string_append(page, "\\&");
        }
        if (*c == '\n' && c[1] == '\n') {
            g_string_append(page, "\n.PP");
            continue;
        }
        if (*c == '\\') {
            g_string_append(page, "\\e");
        } else if (*c == '-') {
            g_string_append(page, "\\-");
        } else {
            g_string_append_c(page, *c);
        }
        at_start = *c == '\n';
    }
    g_string_append_c(page, '\n');
}
