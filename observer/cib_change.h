/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_CIB_CHANGE_H
#define UNDERSTUDY_CIB_CHANGE_H

#include <glib.h>
#include <libxml/tree.h>

/*
 * What a change of the CIB touches, from the patchset with which the CIB manager tells of it, so that a daemon need
 * not read a large CIB because something else has changed. Pure.
 */

/*!
 * \brief Whether a change may touch what cluster_state_parse() says of the servers
 *
 * That is, of their resources, tickets and images; not of the hosts' capacity, attributes and scores.
 *
 * \param[in] notification  of the CIB manager, as it comes
 * \param[in] image_ids     ids of the image resources, a set of char*
 *
 * \return FALSE only if it is certain that nothing is touched; whatever is not understood touches
 */
gboolean cib_change_touches_servers(xmlNode *notification, GHashTable *image_ids);

#endif
