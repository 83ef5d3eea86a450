/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_CLUSTER_H
#define UNDERSTUDY_CLUSTER_H

#include <glib.h>

#include "cluster/cluster_state.h"
#include "params/server_config.h"

/* The CIB as the observer follows it: opened, read after each change, opened again when Pacemaker has restarted. */
typedef struct cluster cluster_t;

typedef struct cluster_callbacks {
    /* It has been read; `state` lives as long as the call. */
    void (*read)(const cluster_state_t *state, gpointer user_data);
    /* It can be reached, or no longer. */
    void (*able)(gboolean able, gpointer user_data);
} cluster_callbacks_t;

cluster_t *cluster_new(const cluster_callbacks_t *callbacks, gpointer user_data);
void cluster_free(cluster_t *cluster);

/* The CIB as it is now; cib_xml_free(). NULL with an error. */
xmlNode *cluster_query(cluster_t *cluster, GError **error);

/* Grant or revoke tickets in one change; says in the log what happened. */
void cluster_set_tickets(cluster_t *cluster, const char *const *servers, gboolean granted);

/* Take the server's pause out of the configuration if it is still the one of `config`; says in the log what happened. */
void cluster_end_pause(cluster_t *cluster, const server_config_t *config);

/* Note that the server's hold is of a takeover, or take that note out; says in the log what happened. */
void cluster_set_held_takeover(cluster_t *cluster, const server_config_t *config, gboolean is_held);

#endif
