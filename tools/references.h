/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The observers' references as a CIB has them, looked at from this host. */
#ifndef UNDERSTUDY_REFERENCES_H
#define UNDERSTUDY_REFERENCES_H

#include <glib.h>
#include <libxml/tree.h>

#include "cluster/cluster_state.h"

/* What the observers have as "references" or "management_references", or NULL. Inside the CIB. */
const char *references_of(xmlNode *cib, const char *name);

/*!
 * \brief The references that can never tell whether a network works
 *
 * Asks this host and Corosync for the hosts' addresses; names are resolved, for a second at most. Asks nobody if there
 * are no references.
 *
 * \return char*, frees its elements: as reference_check() returns them
 */
GPtrArray *references_faults(xmlNode *cib, const cluster_state_t *cluster);

#endif
