/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether servers can be taken over: asked of Pacemaker one question at a time, for all servers that wait for an answer, and
 * of the image agent meanwhile. */
#ifndef UNDERSTUDY_ELIGIBLE_H
#define UNDERSTUDY_ELIGIBLE_H

#include "agent_kinds.h"
#include "cluster.h"

typedef struct eligible eligible_t;

/* obstacle: why the server can't be taken over (nothing could isolate it as it must be, no host would run its image,
 * or what the store holds of it can't be booted), or why that is not known; NULL: it can. */
typedef void (*eligible_told_fn)(const char *server, const char *obstacle, gpointer user_data);
/* Servers whose images will need a host as well, NULL-terminated, g_strfreev(): what they take is not there for others.
 * are_isolated: those that are isolated now; else those that were told that they can be taken over, and may be soon. */
typedef char **(*eligible_others_fn)(gboolean are_isolated, gpointer user_data);

/* cluster and kinds must outlive it. */
eligible_t *eligible_new(cluster_t *cluster, agent_kinds_t *kinds, eligible_told_fn told, eligible_others_fn others, gpointer user_data);
/* told() does not come any more. */
void eligible_free(eligible_t *eligible);

/* told() follows, at the latest after half a minute, and once however often it was asked for meanwhile. */
void eligible_ask(eligible_t *eligible, const char *server);

#endif
