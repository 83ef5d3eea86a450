/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_PLACEMENT_H
#define UNDERSTUDY_PLACEMENT_H

#include "cluster/cluster_state.h"
#include "cluster/scheduler.h"

/*
 * Where Pacemaker would start the next image, and why. Pure. Which hosts may run a server's image, and which is first,
 * is the scheduler's word (scheduler.h) where it is given; the order of the others is by its rules: score, then
 * (placement-strategy=balanced) a vote of the utilization attributes by what is left, then the number of resources,
 * then the name: compare_nodes() in Pacemaker's pcmk_sched_nodes.c. Without that word, plain location constraints,
 * bans after failed starts and utilization are looked at.
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
 * \param[in] plan    what the scheduler would do with the server's ticket granted, or NULL
 *
 * \return placement_t*, best first, those that are not eligible at the end; frees its elements
 */
GPtrArray *placement_rank(const cluster_state_t *state, const cluster_server_t *server, const scheduler_plan_t *plan);

/* From now on a host of the state has so much less room as the server's image needs. */
void placement_reserve(cluster_state_t *state, const char *host, const cluster_server_t *server);

/* When a host on which the image has failed is tried again: by itself, or what makes it so. g_free(). */
char *placement_retry_text(const cluster_server_t *server, const char *host);

/*!
 * \brief Why no host would start a server's image that is stopped, whatever its ticket
 *
 * \param[in] plan  what the scheduler would do with the server's ticket granted, or NULL
 *
 * \return a sentence with what holds it back, by name, to be freed with g_free(); NULL if a host would start it
 */
char *placement_obstacle(const cluster_state_t *state, const cluster_server_t *server, const scheduler_plan_t *plan);

#endif
