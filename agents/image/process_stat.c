/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/process_stat.h"

#include <string.h>

/* Counted from behind the name in brackets, which may hold blanks and brackets. What stands there before the first blank
 * is empty. */
#define STATE_FIELD   1
#define THREADS_FIELD 18
#define START_FIELD   20

gboolean process_stat_parse(const char *text, process_stat_t *stat)
{
    const char *bracket = strrchr(text, ')');
    g_auto(GStrv) fields = g_strsplit(bracket != NULL ? bracket + 1 : "", " ", -1);

    if (g_strv_length(fields) <= START_FIELD) {
        return FALSE;
    }
    stat->state = fields[STATE_FIELD][0];
    stat->threads = g_ascii_strtoull(fields[THREADS_FIELD], NULL, 10);
    stat->start_ticks = g_ascii_strtoull(fields[START_FIELD], NULL, 10);
    return TRUE;
}

static gboolean file_read(const char *path, process_stat_t *stat)
{
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) && process_stat_parse(text, stat);
}

gboolean process_stat_read(pid_t pid, process_stat_t *stat)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int) pid);

    return file_read(path, stat);
}

gboolean process_stat_read_thread(pid_t pid, const char *thread, process_stat_t *stat)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%s/stat", (int) pid, thread);

    return file_read(path, stat);
}
