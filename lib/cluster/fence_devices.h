/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cluster's fence devices could do to a server: switch its power off, or only keep it from something. */
#ifndef UNDERSTUDY_FENCE_DEVICES_H
#define UNDERSTUDY_FENCE_DEVICES_H

#include <glib.h>

#include "cluster/cluster_state.h"

typedef enum {
    FENCE_AGENT_POWER,   /* its success says that the target has no power, or had none for a moment */
    FENCE_AGENT_FABRIC,  /* it keeps the target from a store or a network; the target goes on running */
    FENCE_AGENT_UNKNOWN, /* it can't be told */
} fence_agent_kind_t;

typedef fence_agent_kind_t (*fence_agent_kind_fn)(const char *agent, gpointer user_data);

/* By the agent's name alone: fabric if it is known to be, else power. */
fence_agent_kind_t fence_agent_kind_by_name(const char *agent);

/* TRUE if the name alone is enough: it need not be asked for its metadata. */
gboolean fence_agent_is_well_known(const char *agent);

/*!
 * \brief Tell an agent by what it says of itself
 *
 * By the fence agents' API an agent that only cuts its target off has no "reboot". Those that are not of that API
 * (cluster-glue's) say nothing of their actions: they are told by their name.
 *
 * \param[in] metadata  its XML, or NULL if it could not be read
 */
fence_agent_kind_t fence_agent_kind_by_metadata(const char *agent, const char *metadata);

typedef enum {
    FENCE_POWER_PROVED,     /* whatever fences it with success switches its power off */
    FENCE_POWER_NOT_PROVED, /* a success may be that of devices that leave it running */
    FENCE_POWER_NO_DEVICE,  /* no device is configured that could fence it */
} fence_power_t;

/*!
 * \brief What a successful fencing of a server proves
 *
 * By the devices and the topology that the CIB has, wherever they may run. A device whose targets the CIB does not name
 * may fence anything.
 *
 * \param[in]  kind       tells an agent; called at most once for each device
 * \param[out] leave_on   FENCE_POWER_NOT_PROVED: names of the devices in question; g_free(). Else NULL. May be NULL.
 */
fence_power_t fence_power_of(const cluster_state_t *state, const char *server, fence_agent_kind_fn kind,
                             gpointer user_data, char **leave_on);

/*!
 * \brief Say why a server with isolate=required could be isolated by nothing that its cluster has
 *
 * \return a clause that names what is to be done, to be freed with g_free(); NULL if something proves it, or the server
 *         has another policy
 */
char *fence_required_obstacle(const cluster_state_t *state, const cluster_server_t *server, fence_agent_kind_fn kind,
                              gpointer user_data);

/* For cluster_state.c: fills in state->fence_devices and fence_levels. */
struct pe_working_set_s;
void fence_devices_read(cluster_state_t *state, struct pe_working_set_s *set);
void fence_devices_clear(cluster_state_t *state);

#endif
