/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_DOMAIN_STATE_H
#define UNDERSTUDY_DOMAIN_STATE_H

#include <glib.h>

/* What libvirt's state and reason mean for a monitor. Pure. */
typedef enum {
    DOMAIN_RUNS,      /* or is on its way, up or down */
    DOMAIN_DEGRADED,  /* is there, and serves nobody because an operator wants it so */
    DOMAIN_FAILED,    /* is there, and will not serve again by itself */
    DOMAIN_STOPPED,
} domain_verdict_t;

/*!
 * \param[in]  state    virDomainState
 * \param[in]  reason   its virDomain...Reason
 * \param[out] meaning  a sentence for the operator, or NULL for a healthy state
 */
domain_verdict_t domain_state_judge(int state, int reason, const char **meaning);

#endif
