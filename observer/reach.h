/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_REACH_H
#define UNDERSTUDY_REACH_H

#include <glib.h>

#include "cluster/host_reach.h"

/* Publishes REACH_ATTRIBUTE of this host, so that no image is placed where no
 * client reaches it, or it the store. There is no public C call for it: attrd_updater is
 * run, again and again until it has worked, and from time to time after that:
 * the attribute is lost with Pacemaker's membership, and an equal value costs nothing. */
typedef struct reach reach_t;

reach_t *reach_new(void);
void reach_free(reach_t *reach);
void reach_set(reach_t *reach, host_reach_t value);

#endif
