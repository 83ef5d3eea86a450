/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_VOTE_H
#define UNDERSTUDY_VOTE_H

#include <glib.h>

#include "judge/verdict.h"

/*
 * From single answers and misses to a vote, with hysteresis. Pure. What could not be asked is
 * neither: it ends no row of misses and is none of them, and while it is the last that is known,
 * the vote is "unknown". So "down" is always the word of a server that has just been asked.
 */
typedef struct vote_state {
    gboolean known;            /* at least one probe has ended */
    guint misses;              /* in a row */
    gint64 first_miss_wall_ms; /* when the first of them was sent, Unix time */
    gint64 last_miss_ms;       /* when the last of them was judged, monotonic */
    gboolean unknown;          /* it could not be asked, the last time */
    gboolean proved;           /* a reference has answered after the misses: it is not us */
    vote_t vote;
} vote_state_t;

/* What this host can see at all. */
typedef struct vote_sight {
    gboolean has_references;
    gboolean blind;               /* no reference has answered for a while */
    gint64 reference_answered_ms; /* last time, monotonic */
} vote_sight_t;

void vote_state_answer(vote_state_t *state);
void vote_state_unknown(vote_state_t *state);
void vote_state_miss(vote_state_t *state, gint64 now_ms, gint64 sent_wall_ms);

/*!
 * \brief The vote as it stands
 *
 * Down only if a reference answered after the last miss: a host whose own link
 * is cut must not vote down even for a moment.
 */
vote_t vote_state_vote(vote_state_t *state, guint probe_misses, const vote_sight_t *sight, gint64 now_ms);

/* References are asked at once after a miss: silence for this long means that they do not answer. */
#define VOTE_REFERENCE_SILENCE_MS 1500

#endif
