/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a fenced host may have an image open, or may open one yet, as the host itself sees it. */
#ifndef UNDERSTUDY_HOST_LEFTOVERS_H
#define UNDERSTUDY_HOST_LEFTOVERS_H

#include <glib.h>

/*!
 * \brief Look for a QEMU with a disk in the store, an image that libvirtd may still make, an action of an image that is
 *        under way
 *
 * \param[out] error  it can't be known
 * \return the first one, as the end of a sentence with what to do; NULL without an error: there is none. g_free().
 */
char *host_leftover_find(GError **error);

/* The same of the notes under /run/understudy alone: all that libvirt and QEMU don't show yet. */
char *host_leftover_noted(GError **error);

#endif
