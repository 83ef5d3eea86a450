/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_MARKUP_H
#define UNDERSTUDY_MARKUP_H

#include <glib.h>

/* Add to an XML text; what takes the place of the format's %s and so on is escaped. */
void markup_append(GString *xml, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Add text and a newline to a man page: backslashes and minus signs are escaped, no line begins with a control
 * character, an empty line begins a new paragraph. */
void troff_append(GString *page, const char *text);

#endif
