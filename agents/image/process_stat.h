/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_PROCESS_STAT_H
#define UNDERSTUDY_PROCESS_STAT_H

#include <glib.h>
#include <sys/types.h>

/* What the kernel says of a process, or of one of its threads: proc(5), /proc/PID/stat. */
typedef struct process_stat {
    char state;          /* T and t: stopped; Z and X: dead; D: in the kernel */
    guint64 threads;
    guint64 start_ticks; /* since the host's boot; with the pid: no two processes of a boot have both */
} process_stat_t;

/* Pure. FALSE if the text is none. */
gboolean process_stat_parse(const char *text, process_stat_t *stat);

/* FALSE: the process has gone, or that can't be read. */
gboolean process_stat_read(pid_t pid, process_stat_t *stat);
gboolean process_stat_read_thread(pid_t pid, const char *thread, process_stat_t *stat);

#endif
