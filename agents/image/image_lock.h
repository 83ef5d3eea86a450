/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_LOCK_H
#define UNDERSTUDY_IMAGE_LOCK_H

#include <glib.h>

/*
 * One action of a resource at a time on a host. Pacemaker sees to that for its own; a debug-start beside one of them, or
 * two by hand, would overwrite each other's record. The kernel takes the lock away with its process.
 */

/* The file of a resource's lock, around its name. */
#define IMAGE_LOCK_PREFIX "image-"
#define IMAGE_LOCK_SUFFIX ".lock"

/* Kept so that an action that does not get the lock can say so. */
#define IMAGE_LOCK_RESERVE_MS 2000

/*!
 * \brief Take the lock of a resource
 *
 * \param[in]  wait_ms  how long to wait for another action to end
 * \param[out] error    UNDERSTUDY_ERROR_BUSY: another action is under way still; _PERMISSION: the lock can't be made
 * \return for image_lock_release(), or -1
 */
int image_lock_take(const char *domain_name, guint wait_ms, GError **error);
void image_lock_release(int lock);

/* End the action that holds the lock, as Pacemaker ends one whose time is over: any may be killed at any moment. */
void image_lock_holder_end(const char *domain_name);

#endif
