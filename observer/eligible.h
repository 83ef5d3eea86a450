/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether hosts would run images: asked of Pacemaker one question at a time, for all servers that wait for an answer. */
#ifndef UNDERSTUDY_ELIGIBLE_H
#define UNDERSTUDY_ELIGIBLE_H

#include "cluster.h"

typedef struct eligible eligible_t;

/* obstacle: why no host would run the server's image, or why that is not known; NULL: one would. */
typedef void (*eligible_told_fn)(const char *server, const char *obstacle, gpointer user_data);
/* Servers whose images will need a host as well, NULL-terminated, g_strfreev(): what they take is not there for others. */
typedef char **(*eligible_others_fn)(gpointer user_data);

/* cluster: must outlive it. */
eligible_t *eligible_new(cluster_t *cluster, eligible_told_fn told, eligible_others_fn others, gpointer user_data);
/* told() does not come any more. */
void eligible_free(eligible_t *eligible);

/* told() follows, at the latest after half a minute, and once however often it was asked for meanwhile. */
void eligible_ask(eligible_t *eligible, const char *server);

#endif
