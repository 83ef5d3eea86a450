/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_ANNOUNCE_H
#define UNDERSTUDY_ANNOUNCE_H

#include <glib.h>

#include "net/neighbour_frame.h"

/*
 * Tells the service network where an address is now: gratuitous ARP (RFC 5227)
 * or an unsolicited neighbour advertisement (RFC 4861). A stale entry at a
 * client costs half a minute otherwise. The frames carry the image's MAC address
 * as their sender, so that switches learn its port too.
 */
typedef struct announce_frames {
    guint count;
    neighbour_frame_t frames[2];
} announce_frames_t;

/*!
 * \brief Build the frames for an address; pure
 *
 * \param[in]  mac      "52:54:00:12:34:56"
 * \param[in]  address  numeric IPv4 or IPv6
 * \return FALSE if either is none
 */
gboolean announce_build(const char *mac, const char *address, announce_frames_t *frames);

/* Send them on an interface (the bridge). UNDERSTUDY_ERROR_NOT_HERE: there is no such interface. */
gboolean announce_send(const announce_frames_t *frames, const char *interface, GError **error);

#endif
