/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_PLACEMENT_H
#define UNDERSTUDY_PLACEMENT_H

#include "cluster_state.h"

/*
 * Where Pacemaker would start the next image, and why. Pure. The comparison is
 * the scheduler's own: score, then (placement-strategy=balanced) a vote of the
 * utilization attributes by what is left, then the number of resources, then the
 * name: compare_nodes() in Pacemaker's pcmk_sched_nodes.c. What it knows of
 * constraints: location constraints, bans after failed starts, utilization; not
 * colocations and node health.
 */
typedef struct placement {
    const cluster_host_t *host;  /* in the state that was ranked */
    guint rank;                  /* 1 is chosen first; 0 if not eligible */
    gboolean eligible;
    int score;
    char *reason;                /* what is free there, or why not there */
} placement_t;

/*!
 * \brief Rank the hosts for a server's image
 *
 * \param[in] state   the cluster; must outlive the result
 * \param[in] server  whose image is to start; NULL: any image, the smallest need of all
 *
 * \return placement_t*, best first, those that are not eligible at the end; frees its elements
 */
GPtrArray *placement_rank(const cluster_state_t *state, const cluster_server_t *server);

#endif
