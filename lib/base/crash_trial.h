/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_CRASH_TRIAL_H
#define UNDERSTUDY_CRASH_TRIAL_H

#include <glib.h>

/*
 * Tries in a child what may abort the whole program: somebody else's library, at an input that it does not expect.
 */
typedef enum {
    CRASH_TRIAL_PASSED,
    CRASH_TRIAL_CRASHED,  /* the child aborted, or died of a fault of its own */
    CRASH_TRIAL_UNKNOWN,  /* it could not be made, was killed by somebody, or did not end in time: nothing is known */
} crash_trial_t;

/*!
 * \brief Run a function in a child, and wait for its end
 *
 * The child has the caller's memory, writes nothing to stderr and leaves no core. What the function returns is not looked at.
 *
 * \param[in] timeout_ms  then the child is killed
 */
crash_trial_t crash_trial_run(void (*body)(gconstpointer data), gconstpointer data, guint timeout_ms);

#endif
