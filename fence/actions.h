/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FENCE_ACTIONS_H
#define UNDERSTUDY_FENCE_ACTIONS_H

#include "options.h"

/* Exit codes of the fence agent API. */
typedef enum {
    FENCE_RC_OK = 0,     /* done and verified; status: the host is on */
    FENCE_RC_FAILED = 1, /* failed, or could not be verified; status: not known */
    FENCE_RC_OFF = 2,    /* status: the host is off */
} fence_rc_t;

typedef enum {
    FENCE_LOG_ERROR,    /* why the action fails */
    FENCE_LOG_NOTICE,   /* evidence and outcome */
    FENCE_LOG_STEP,     /* each step */
} fence_log_level_t;

/* Where the sentences go: stderr for the agent, the caller's log for the plugin. */
typedef void (*fence_log_fn)(fence_log_level_t level, const char *text);

/*!
 * \brief Carry out an action, its delay included
 *
 * \param[in] values  checked options
 * \param[in] action  any of the table but metadata
 */
fence_rc_t fence_run(const ocf_values_t *values, const fence_action_t *action, fence_log_fn log);

/* Milliseconds in which fence_run() ends, its delay included: the caller's watchdog. */
guint64 fence_deadline_ms(const ocf_values_t *values, const fence_action_t *action);

#endif
