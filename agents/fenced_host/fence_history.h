/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FENCE_HISTORY_H
#define UNDERSTUDY_FENCE_HISTORY_H

#include <crm/stonith-ng.h>
#include <glib.h>

/*!
 * \brief The successful fencings of a host that the fencer here remembers; pure
 *
 * Each as a text that only tells it from others: each fencer notes the time by its own clock. Unfencing ("on") is none.
 *
 * \return to be freed with g_strfreev()
 */
char **fence_history_successes(const stonith_history_t *history);

#endif
