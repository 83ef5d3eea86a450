/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <qb/qblog.h>

/* libqb filters by source file: all our lines come from this one. */
#define SOURCE "understudy/log"

static void enable(gint32 target, const char *format)
{
    qb_log_format_set(target, format);
    qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, SOURCE, LOG_NOTICE);
    qb_log_ctl(target, QB_LOG_CONF_ENABLED, QB_TRUE);
}

void log_open(const char *program, const char *path, gboolean to_stderr)
{
    g_autofree char *directory = g_path_get_dirname(path);
    gint32 target = -1;

    qb_log_init(program, LOG_DAEMON, LOG_EMERG);
    enable(QB_LOG_SYSLOG, "%b");
    if (to_stderr) {
        enable(QB_LOG_STDERR, "%t %b");
    }
    if (path[0] == '\0') {
        return;
    }
    g_mkdir_with_parents(directory, 0755);
    target = qb_log_file_open(path);
    if (target < 0) {
        log_line(LOG_ERR, "The log %s can't be written: %s", path, g_strerror(-target));
        return;
    }
    enable(target, "%t %H [%P] %p %b");
}

void log_close(void)
{
    qb_log_fini();
}

void log_line(int priority, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    qb_log_from_external_source("log_line", SOURCE, "%s", (uint8_t) priority, 0, 0, text);
}
