/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_SIGHT_H
#define UNDERSTUDY_SIGHT_H

#include <glib.h>

#include "judge/vote.h"
#include "probe/cycle.h"

/*
 * What this host hears on one network, as its references there say. The silence of a server proves something only
 * where somebody else on the same network was heard.
 */
typedef struct sight sight_t;

/* What votes are judged by has changed. */
typedef void (*sight_changed_fn)(sight_t *sight, gpointer user_data);

/*!
 * \param[in] references  probe_spec_t*: taken over
 * \param[in] needs_them  TRUE: without any it is blind, FALSE: without any it never is
 */
sight_t *sight_new(GPtrArray *references, gboolean needs_them, sight_changed_fn changed, gpointer user_data);
void sight_free(sight_t *sight);

const vote_sight_t *sight_seen(const sight_t *sight);
gboolean sight_has_references(const sight_t *sight);

/* Again and again: asks the references when it is time to, and tells when none has answered for long. */
void sight_tick(sight_t *sight, gint64 now_ms);
/* After a miss: at once. */
void sight_ask_now(sight_t *sight);
/* For a round, which tells sight_answered() itself; NULL: there is nobody to ask. */
cycle_t *sight_ask(sight_t *sight, cycle_done_fn done, gpointer user_data);
void sight_answered(sight_t *sight);

/* How often the references are asked, and how long each may take. */
#define SIGHT_REFERENCE_INTERVAL_MS 1000
#define SIGHT_REFERENCE_TIMEOUT_MS  1000
/* No reference has answered for this long: the host is blind on that network. */
#define SIGHT_BLIND_AFTER_MS        3000

#endif
