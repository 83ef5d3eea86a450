/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a change of the configuration would interrupt images that serve. */
#ifndef UNDERSTUDY_INTERRUPTION_H
#define UNDERSTUDY_INTERRUPTION_H

#include <glib.h>
#include <libxml/tree.h>

/*!
 * \brief Refuse a change with which Pacemaker would stop, restart or move an image that runs
 *
 * Its scheduler is asked, and only while an image runs. What it would do to an image without the change, too, is not
 * the change's.
 *
 * \param[in]  before  the <cib> element as it is
 * \param[in]  after   as it is to be
 * \param[out] error   UNDERSTUDY_ERROR_EXISTS: an image runs and would be interrupted; or the scheduler could not be asked
 * \return TRUE if all images run on
 */
gboolean interruption_check(xmlNode *before, xmlNode *after, GError **error);

#endif
