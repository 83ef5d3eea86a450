/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_WATCH_H
#define UNDERSTUDY_WATCH_H

#include <glib.h>

#include "judge/verdict.h"
#include "params/server_config.h"

/* What this host sees: probes every server and its own references, and votes. */
typedef struct watch watch_t;

typedef struct watch_callbacks {
    /* `reason` says why the service is not up, or else the management address; NULL if both are, or not known. */
    void (*vote)(const char *server, vote_t service, vote_t management, gint64 first_miss_wall_ms,
                 const char *reason, gpointer user_data);
    void (*answer)(const char *server, guint64 epoch, guint32 round, vote_t service, vote_t management,
                   gpointer user_data);
    void (*blind)(gboolean blind, gpointer user_data);
} watch_callbacks_t;

/*!
 * \param[in] references             probe_spec_t* on the service network: taken over; empty: this host is never blind there
 * \param[in] management_references  likewise on the servers' management networks, beside whom it finds there itself
 */
watch_t *watch_new(GPtrArray *references, GPtrArray *management_references, const watch_callbacks_t *callbacks,
                   gpointer user_data);
void watch_free(watch_t *watch);

/* Watch a server, or watch it with another configuration, which is taken over. */
void watch_set_server(watch_t *watch, server_config_t *config);
void watch_remove_server(watch_t *watch, const char *server);
/* The servers that are watched; free the container only. */
GList *watch_servers(const watch_t *watch);

/* The management address is asked only while somebody wants to know. */
void watch_set_management(watch_t *watch, const char *server, gboolean is_watched);

/* Numeric addresses of the cluster's other members. Those on the network of a server's management address are references
 * there: while none answers, that address can't be judged. */
void watch_set_neighbours(watch_t *watch, const char *const *addresses);

/* Other references from now on, both taken over; they are asked at once. */
void watch_set_references(watch_t *watch, GPtrArray *references, GPtrArray *management_references);

/* Ask every plane of a server at once, over fresh connections, and the references; callbacks->answer() follows. */
void watch_round(watch_t *watch, const char *server, guint64 epoch, guint32 round);

#endif
