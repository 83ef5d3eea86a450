/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_HISTORY_FILE_H
#define UNDERSTUDY_HISTORY_FILE_H

#include "judge/history.h"

/* The history of all servers on disk, a JSON object a line, so that it outlives a restart of all observers. */
typedef struct history_file history_file_t;

typedef void (*history_file_takeover_fn)(const char *server, history_takeover_t *takeover, gpointer user_data);

/* Takeovers found are given to `found`, oldest first, which takes them over. A line that can't be read is left out. */
history_file_t *history_file_open(const char *path, history_file_takeover_fn found, gpointer user_data,
                                  GError **error);
void history_file_close(history_file_t *file);

/* The reading of it, apart; pure. */
void history_text_read(const char *text, history_file_takeover_fn found, gpointer user_data);

/* started_ms: time of the takeover's first event, which tells takeovers apart. */
void history_file_append(history_file_t *file, const char *server, gint64 started_ms, const history_event_t *event);

#endif
