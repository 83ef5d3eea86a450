/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the CIB says of a host that was fenced. */
#ifndef UNDERSTUDY_FENCED_STATE_H
#define UNDERSTUDY_FENCED_STATE_H

#include <glib.h>
#include <libxml/tree.h>

/*!
 * \brief Whether Pacemaker has fenced a host and has not let it in since; pure
 *
 * When a fencing has succeeded Pacemaker forgets what the host has done; it begins anew when the host joins. What a host
 * has done that has left by itself stays: something may run on there. No clock is asked.
 */
gboolean fenced_state_is_fenced(xmlNode *cib, const char *host);

#endif
