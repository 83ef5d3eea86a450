/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_KERNEL_MAPPING_H
#define UNDERSTUDY_KERNEL_MAPPING_H

#include <glib.h>

/* Where the kernel lists what 'rbd map' has mapped on this host. */
#ifndef KERNEL_MAPPING_DIR
#define KERNEL_MAPPING_DIR "/sys/bus/rbd/devices"
#endif

/*!
 * \brief Find the kernel's mapping of an image through which a client of this host has it open
 *
 * The kernel has one client for all mappings and CephFS mounts of the host that use one user.
 *
 * \param[in]  directory  KERNEL_MAPPING_DIR
 * \param[in]  image      "pool/image" or "pool/namespace/image"
 * \param[in]  address    the client's, "10.0.0.11:0/123"
 * \param[out] device     "/dev/rbd0", NULL: there is none; g_free()
 * \return FALSE with UNDERSTUDY_ERROR_FAILED if it can't be known
 */
gboolean kernel_mapping_find(const char *directory, const char *image, const char *address, char **device, GError **error);

#endif
