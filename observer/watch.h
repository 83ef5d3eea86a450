/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_WATCH_H
#define UNDERSTUDY_WATCH_H

#include <glib.h>

#include "server_config.h"
#include "verdict.h"

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
 * \param[in] references  probe_spec_t*: taken over; empty: this host is never blind
 */
watch_t *watch_new(GPtrArray *references, const watch_callbacks_t *callbacks, gpointer user_data);
void watch_free(watch_t *watch);

/* Watch a server, or watch it with another configuration, which is taken over. */
void watch_set_server(watch_t *watch, server_config_t *config);
void watch_remove_server(watch_t *watch, const char *server);
/* The servers that are watched; free the container only. */
GList *watch_servers(const watch_t *watch);

/* The management address is asked only while somebody wants to know. */
void watch_set_management(watch_t *watch, const char *server, gboolean is_watched);

/* Ask every plane of a server at once, over fresh connections, and the references; callbacks->answer() follows. */
void watch_round(watch_t *watch, const char *server, guint64 epoch, guint32 round);

/* How often the references are asked, and how long each may take. */
#define WATCH_REFERENCE_INTERVAL_MS 1000
#define WATCH_REFERENCE_TIMEOUT_MS  1000
/* No reference has answered for this long: the host is blind. */
#define WATCH_BLIND_AFTER_MS        3000

#endif
