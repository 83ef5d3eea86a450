/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_CYCLE_H
#define UNDERSTUDY_CYCLE_H

#include "probe/probe.h"

/*
 * Several probes asked at once, and one answer of them all. One that is down decides for a server;
 * one that could not be asked leaves it unknown, unless another is down.
 */
typedef struct cycle cycle_t;

typedef enum {
    CYCLE_ALL, /* up if all are: a server */
    CYCLE_EACH, /* likewise, and all are heard before it is down: whether its machine lives matters, too */
    CYCLE_ANY, /* up if one is: references */
} cycle_mode_t;

/* Called once, from the main loop, as soon as the answer is known; the cycle is gone afterwards. `reason` names the
 * probe and says why it is not up: valid UTF-8, at most CYCLE_REASON_MAX_BYTES, valid during the call; NULL if it is up. */
typedef void (*cycle_done_fn)(probe_answer_t answer, const char *reason, gpointer user_data);
#define CYCLE_REASON_MAX_BYTES 200

/*!
 * \param[in] specs  probe_spec_t*, at least one; they must live until the cycle is done or cancelled
 */
cycle_t *cycle_start(probe_spec_t *const *specs, guint count, cycle_mode_t mode, guint timeout_ms, gboolean fresh,
                     cycle_done_fn done, gpointer user_data);
void cycle_cancel(cycle_t *cycle);

#endif
