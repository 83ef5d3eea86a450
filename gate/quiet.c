/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When silence has lasted long enough to take an address. */
#include "quiet.h"

void quiet_init(quiet_t *quiet, gint64 needed_ms, gint64 round_max_ms)
{
    quiet->needed_ms = needed_ms;
    quiet->round_max_ms = round_max_ms;
    quiet->since_ms = QUIET_NEVER;
    quiet->last_ms = QUIET_NEVER;
}

gboolean quiet_step(quiet_t *quiet, gint64 began_ms, gint64 ended_ms, round_t round)
{
    /* Somebody may have come and gone while this machine was stopped or too busy to ask. */
    gboolean gap = quiet->last_ms != QUIET_NEVER && ended_ms - quiet->last_ms > quiet->round_max_ms;

    quiet->last_ms = ended_ms;
    if (round != ROUND_SILENT || ended_ms - began_ms > quiet->round_max_ms) {
        quiet->since_ms = QUIET_NEVER;
        return FALSE;
    }
    if (gap || quiet->since_ms == QUIET_NEVER) {
        quiet->since_ms = began_ms;
    }
    return ended_ms - quiet->since_ms >= quiet->needed_ms;
}

static const struct {
    const char *fact;
    const char *doing;
} round_words[] = {
    [ROUND_SILENT] = { "nobody answers for it", "waiting whether that lasts" },
    [ROUND_NO_CARRIER] = { "the interface has no carrier, or is down", "waiting for it" },
    [ROUND_NOT_ASKED] = { "it can't be asked for, or answers were lost", "asking again" },
    [ROUND_NO_REFERENCE] = { "the reference does not answer, so silence says nothing", "waiting for it" },
    [ROUND_ASKED_BY_OTHER] = { "another machine is about to take it", "waiting" },
    [ROUND_IN_USE] = { "it is in use by another machine", "waiting until it is free" },
};

const char *round_fact(round_t round)
{
    return round_words[round].fact;
}

const char *round_doing(round_t round)
{
    return round_words[round].doing;
}
