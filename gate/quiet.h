/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_QUIET_H
#define UNDERSTUDY_QUIET_H

#include <glib.h>

/*
 * How long a network has been silent about an address without a gap. Pure: times are arguments, in milliseconds of
 * a clock that never stops.
 */

/* What was found in one round of asking, from silence to an answer. Only silence lets the time run on. */
typedef enum {
    ROUND_SILENT,         /* asked, on a network that carries, and nobody has the address or wants it */
    ROUND_NO_CARRIER,     /* the cable is out, or the interface is down */
    ROUND_NOT_ASKED,      /* the question did not leave, or answers may have been lost */
    ROUND_NO_REFERENCE,   /* the reference does not answer: this may not be the service network at all */
    ROUND_ASKED_BY_OTHER, /* another machine asks whether it may take the address */
    ROUND_IN_USE,         /* another machine has it */
} round_t;

typedef struct quiet {
    gint64 needed_ms;      /* how long silence must last */
    gint64 round_max_ms;   /* how long a round and what comes before it may take; after that nobody asked for a while */
    gint64 since_ms;       /* when this silence began; QUIET_NEVER: there is none */
    gint64 last_ms;        /* when the last round ended */
} quiet_t;

#define QUIET_NEVER (-1)

void quiet_init(quiet_t *quiet, gint64 needed_ms, gint64 round_max_ms);

/* A round that began and ended at these times. TRUE: the address is free. */
gboolean quiet_step(quiet_t *quiet, gint64 began_ms, gint64 ended_ms, round_t round);

/* What a person reads of a round, after the address: what was found, and what the gate does about it while it waits. */
const char *round_fact(round_t round);
const char *round_doing(round_t round);

#endif
