/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_CAPACITY_HOST_H
#define UNDERSTUDY_CAPACITY_HOST_H

#include "capacity/capacity_logic.h"

/*!
 * \brief Look at this host: /proc/stat, /proc/meminfo, and libvirt for the guests that Pacemaker manages
 *
 * Those are our images, and the domains of ocf:heartbeat:VirtualDomain. If libvirt does not answer in time, what they use is
 * not known.
 *
 * \param[out] sample  the look
 * \param[out] error   /proc can't be read
 */
gboolean capacity_host_sample(capacity_sample_t *sample, GError **error);

#endif
