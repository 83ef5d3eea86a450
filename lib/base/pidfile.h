/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_PIDFILE_H
#define UNDERSTUDY_PIDFILE_H

#include <glib.h>
#include <sys/types.h>

/*
 * A pid file that its process keeps locked (fcntl) as long as it lives: the
 * kernel takes the lock away with the process, so that a number left over in a
 * file is never taken for somebody else's process.
 */

/*!
 * \brief Which process holds the lock of a pid file
 *
 * \param[in]  path   the file
 * \param[out] owner  its pid; 0: the file is not there or nobody holds it
 * \param[out] error  UNDERSTUDY_ERROR_FAILED: it can't be known
 */
gboolean pidfile_owner(const char *path, pid_t *owner, GError **error);

/*!
 * \brief Take a pid file for this process
 *
 * The lock is not inherited by fork(): take it in the process that keeps it.
 *
 * \return file descriptor to be kept open, or -1: UNDERSTUDY_ERROR_EXISTS if another
 *         process holds it, else UNDERSTUDY_ERROR_PERMISSION
 */
int pidfile_acquire(const char *path, GError **error);

#endif
