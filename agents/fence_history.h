/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FENCE_HISTORY_H
#define UNDERSTUDY_FENCE_HISTORY_H

#include <crm/stonith-ng.h>
#include <glib.h>

/* What the cluster's fencer remembers of one host. Pure. The history holds unfencing ("on") too: that is no fencing. */

/* Unix time of the last successful fencing, 0 if there was none. */
gint64 fence_history_fenced_s(const stonith_history_t *history);

/*!
 * \brief Whether what has run on the host since some moment has outlived a fencing
 *
 * \param[in] since_s  Unix time
 * \return TRUE if the host was fenced then or later, and has not been unfenced since
 */
gboolean fence_history_outlived(const stonith_history_t *history, gint64 since_s);

#endif
