/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_LIBVIRTD_PROCESS_H
#define UNDERSTUDY_LIBVIRTD_PROCESS_H

#include <glib.h>

/* The libvirtd (or virtqemud) of this host as a process, for when it does not answer. */

/* TRUE if it runs and is not stopped. It may still not answer. */
gboolean libvirtd_is_alive(void);

/*!
 * \brief End it, with what it was about to make into a QEMU
 *
 * The guests that run go on: the next libvirtd finds them again. After this, nothing comes any more of what this
 * libvirtd was asked for, but a QEMU that it has made may be there.
 *
 * \param[in]  timeout_ms  for its end
 * \param[out] error       UNDERSTUDY_ERROR_FAILED: it does not end, or that can't be known
 * \return TRUE if it has ended, or does not run
 */
gboolean libvirtd_end(guint timeout_ms, GError **error);

/* End what an earlier libvirtd, that is gone, was about to make into a QEMU. */
gboolean libvirtd_orphans_end(guint timeout_ms, GError **error);

#endif
