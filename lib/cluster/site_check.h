/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong with the servers of a site only when they are looked at together, and with the cluster's nodes. */
#ifndef UNDERSTUDY_SITE_CHECK_H
#define UNDERSTUDY_SITE_CHECK_H

#include "cluster/cluster_state.h"

/*!
 * \brief Look at all servers together. Pure
 *
 * Two resources for one server, two servers with one image, one address or one MAC address, names that a fence device
 * or the cluster takes for one, a recover_probe that the image answers, and an image that can't run without another
 * server's. A server with such a fault must not be adopted, nor isolated: it could be another machine that is powered off,
 * another image that is written, or nobody who takes its place.
 *
 * \return char* server -> char*: a sentence on what is wrong and how to mend it; servers without a fault are not in it.
 *         g_hash_table_unref()
 */
GHashTable *site_check(const cluster_state_t *state);

#endif
