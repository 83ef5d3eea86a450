/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_DURATION_H
#define UNDERSTUDY_DURATION_H

#include <glib.h>

/*!
 * \brief Read a duration as operators write it in a CIB: 500ms, 5, 5s, 2min, 1h
 *
 * A number without a unit is seconds, as everywhere in Pacemaker.
 *
 * \param[in]  text         the duration
 * \param[out] duration_ms  the result in milliseconds
 * \return TRUE, or FALSE if the text is no duration or more than a year
 */
gboolean duration_parse(const char *text, guint64 *duration_ms);

#endif
