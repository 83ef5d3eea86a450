/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A truth value as Pacemaker's tools write it. */
#ifndef UNDERSTUDY_BOOLEAN_H
#define UNDERSTUDY_BOOLEAN_H

#include <glib.h>

/* true, yes, on, y, 1 and their opposites, in any case; FALSE if it is none of them. */
gboolean boolean_parse(const char *text, gboolean *value);

#endif
