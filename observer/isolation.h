/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_ISOLATION_H
#define UNDERSTUDY_ISOLATION_H

#include <glib.h>

#include "agent_kinds.h"
#include "judge/verdict.h"
#include "params/server_config.h"

/* Attempts to put originals out of the way, each in a helper process of its own
 * that may block on the store and on the fencer. */
typedef struct isolation isolation_t;

typedef void (*isolation_ended_fn)(const char *server, isolation_result_t result, const char *sentence,
                                   gpointer user_data);

/* pending: the names of the servers with a fencing under way; NULL: the fencer did not say. */
typedef void (*isolation_fencing_fn)(const char *const *pending, gpointer user_data);

/* Paths and names may not be NULL; helper: path of the `isolate` program. agent_kinds must outlive it. */
isolation_t *isolation_new(const char *helper, const char *ceph_conf, const char *ceph_user,
                           const agent_kinds_t *agent_kinds, isolation_ended_fn ended, isolation_fencing_fn fencing_looked,
                           gpointer user_data);
/* Ends the helpers that run. */
void isolation_free(isolation_t *isolation);

/* ended() follows, at the latest when the configured deadline is over. One attempt a server at a time. */
void isolation_start(isolation_t *isolation, const server_config_t *config);
/* Likewise, but only to find out whether a fencing of the server is still under way: nothing is tried. */
void isolation_look(isolation_t *isolation, const server_config_t *config);
/* Find out which servers a fencing is under way of: fencing_looked() follows. One look at a time. */
void isolation_look_fencing(isolation_t *isolation);
/* End an attempt; ended() does not follow. What it has done stays done. */
void isolation_cancel(isolation_t *isolation, const char *server);

#endif
