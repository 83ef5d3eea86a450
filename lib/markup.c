/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "markup.h"

void markup_append(GString *xml, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_markup_vprintf_escaped(format, args);
    va_end(args);
    g_string_append(xml, text);
}
