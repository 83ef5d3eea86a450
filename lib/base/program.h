/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_PROGRAM_H
#define UNDERSTUDY_PROGRAM_H

#include <glib.h>

/* A program beside the main loop, because it blocks; with a deadline. */
typedef struct program program_t;

typedef struct {
    int exit_status;    /* -1: it was not started, a signal ended it, or it was overdue */
    gboolean missing;   /* it could not be started */
    gboolean overdue;   /* it was ended at its deadline */
    const char *output; /* what it wrote to stdout, as one line; never NULL */
    const char *reason; /* why exit_status is not 0, a line: what it wrote to stderr if it ended by itself */
} program_result_t;

typedef void (*program_ended_fn)(const program_result_t *result, gpointer user_data);

/*
 * argv: path and arguments, up to NULL. ended() comes once, from the main loop and never from in here, at the
 * latest shortly after timeout_ms; what it is given is valid for the call. The program_t is gone then.
 */
program_t *program_start(const char *const *argv, guint timeout_ms, program_ended_fn ended, gpointer user_data);

/* Likewise, with an environment of its own ("NAME=VALUE", NULL-terminated; NULL: this program's). */
program_t *program_start_in(const char *const *argv, char **environment, guint timeout_ms, program_ended_fn ended,
                            gpointer user_data);

/* Ends it; ended() does not come, and the program_t is gone. */
void program_cancel(program_t *program);

/*!
 * \brief Run a program to its end, in the default main context
 *
 * \param[in]  argv    path or name, and arguments, up to NULL
 * \param[out] output  what it wrote to stdout, as one line, to be freed with g_free(); or NULL
 * \param[out] error   why it did not end with exit status 0: UNDERSTUDY_ERROR_NOT_HERE if it can't be started,
 *                     _TIMEOUT if it was overdue, _FAILED
 */
gboolean program_run(const char *const *argv, guint timeout_ms, char **output, GError **error);

#endif
