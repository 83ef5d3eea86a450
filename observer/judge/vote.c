/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/vote.h"

void vote_state_answer(vote_state_t *state)
{
    *state = (vote_state_t) { .known = TRUE, .vote = VOTE_UP };
}

void vote_state_unknown(vote_state_t *state)
{
    state->known = TRUE;
    state->unknown = TRUE;
    state->proved = FALSE;
}

void vote_state_miss(vote_state_t *state, gint64 now_ms, gint64 sent_wall_ms)
{
    state->known = TRUE;
    state->unknown = FALSE;
    if (state->misses == 0) {
        state->first_miss_wall_ms = sent_wall_ms;
    }
    state->misses++;
    state->last_miss_ms = now_ms;
}

static vote_t vote_after_misses(vote_state_t *state, const vote_sight_t *sight, gint64 now_ms)
{
    if (!sight->has_references) {
        return VOTE_DOWN;
    }
    if (sight->blind) {
        state->proved = FALSE;
        return VOTE_BLIND;
    }
    if (state->proved || sight->reference_answered_ms >= state->last_miss_ms) {
        state->proved = TRUE;
        return VOTE_DOWN;
    }
    if (now_ms - sight->reference_answered_ms > VOTE_REFERENCE_SILENCE_MS) {
        return VOTE_BLIND;
    }
    return (state->vote == VOTE_BLIND) ? VOTE_BLIND : VOTE_MISSING; /* the references have been asked */
}

vote_t vote_state_vote(vote_state_t *state, guint probe_misses, const vote_sight_t *sight, gint64 now_ms)
{
    if (!state->known) {
        state->vote = VOTE_NONE;
    } else if (state->unknown) {
        state->vote = (sight->has_references && sight->blind) ? VOTE_BLIND : VOTE_UNKNOWN;
    } else if (state->misses == 0) {
        state->vote = VOTE_UP;
    } else if (state->misses < probe_misses) {
        state->vote = (sight->has_references && sight->blind) ? VOTE_BLIND : VOTE_MISSING;
    } else {
        state->vote = vote_after_misses(state, sight, now_ms);
    }
    return state->vote;
}
