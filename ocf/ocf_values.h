/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_OCF_VALUES_H
#define UNDERSTUDY_OCF_VALUES_H

#include "ocf.h"

/* "1", "yes", "true", "on" and their opposites, in any case, as Pacemaker reads them. */
gboolean ocf_boolean_parse(const char *text, gboolean *value);

#endif
