/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_NETWORKS_H
#define UNDERSTUDY_NETWORKS_H

#include <glib.h>

/*!
 * \brief The networks that this host has an address in
 *
 * \return GInetAddressMask*, in an array that frees them; empty if they can't be read
 */
GPtrArray *networks_of_this_host(void);

/* Its own addresses: char* numeric -> char* the host's name; g_hash_table_unref(). */
GHashTable *networks_own_addresses(void);

/*!
 * \brief Whether two addresses are in one of the networks
 *
 * \param[in] networks  as networks_of_this_host() returns them
 * \param[in] one       numeric; anything else, or NULL, is in none
 * \param[in] other     likewise
 */
gboolean networks_share(const GPtrArray *networks, const char *one, const char *other);

#endif
