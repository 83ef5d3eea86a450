/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_LOG_H
#define UNDERSTUDY_LOG_H

#include <glib.h>
#include <syslog.h>

/*
 * The daemon's own log: to syslog, to a file and, in the foreground, to stderr.
 * libqb carries it, as it carries Pacemaker's libraries' messages; those are kept
 * out: libpe_status tells every failed action again at every look at the CIB.
 */

/*!
 * \param[in] path  log file as well, "" for none
 */
void log_open(const char *program, const char *path, gboolean to_stderr);
void log_close(void);

/* priority: LOG_CRIT ... LOG_NOTICE of syslog.h; less than a notice is not written. */
void log_line(int priority, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
