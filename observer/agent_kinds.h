/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of the cluster's fence agents switch the power: asked of themselves once, long before anything is fenced. */
#ifndef UNDERSTUDY_AGENT_KINDS_H
#define UNDERSTUDY_AGENT_KINDS_H

#include "cluster/fence_devices.h"

typedef struct agent_kinds agent_kinds_t;

/* helper: asks one agent; must outlive it. */
agent_kinds_t *agent_kinds_new(const char *helper);
void agent_kinds_free(agent_kinds_t *kinds);

/* Ask those of the cluster's agents whose names alone do not tell and that have not answered yet. */
void agent_kinds_look(agent_kinds_t *kinds, const cluster_state_t *state);

/* A fence_agent_kind_fn, with the agent_kinds_t as user_data: what is known now. */
fence_agent_kind_t agent_kinds_get(const char *agent, gpointer kinds);

/* Names of those that were found to switch the power, separated by blanks; g_free(). */
char *agent_kinds_power(const agent_kinds_t *kinds);

#endif
