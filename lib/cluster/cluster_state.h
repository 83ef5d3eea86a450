/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_CLUSTER_STATE_H
#define UNDERSTUDY_CLUSTER_STATE_H

#include <glib.h>
#include <libxml/tree.h>

#include "cluster/host_reach.h"

/*
 * What a CIB says about our servers, hosts and images, read through Pacemaker's
 * own pe_status library, so that it agrees with crm_mon. Pure: XML in, structures out.
 */
typedef enum {
    IMAGE_STOPPED,
    IMAGE_STARTING,
    IMAGE_RUNNING,
    IMAGE_STOPPING,
    IMAGE_FAILED,
    IMAGE_UNKNOWN, /* no host has reported yet, or it is not managed, or its host (image_host) does not say any more */
} image_state_t;

/* A location, colocation or order constraint that is not one of ours. */
typedef struct cluster_constraint {
    char *id;
    char *node;              /* what a location constraint is about, or NULL */
} cluster_constraint_t;

typedef struct cluster_server {
    char *name;
    char *resource_id;       /* as the CIB has it, also where Pacemaker numbers its instances */
    char *multiplied_by;     /* id of the clone or bundle that it is in, which may run it on many hosts at once; or NULL */
    char *group;             /* id of the group that it is in, or NULL */
    char *waits_for_member;  /* id of a member of that group, no image, that stands before it and needs another ticket; or NULL */
    GHashTable *params;      /* char* -> char*: instance attributes, rules evaluated */
    GHashTable *utilization; /* char* -> char* */
    GHashTable *host_scores; /* char* host -> GINT_TO_POINTER: location constraints and failed starts; -1000000 bans */
    gboolean ticket_granted;
    gint64 ticket_last_granted_s; /* Unix time, 0 if never */
    image_state_t image;
    char *image_host;        /* where it runs or starts or stops, or did when it was last known; or NULL */
    gint64 image_changed_s;  /* Unix time of the last start or stop that ended, 0 if unknown */
    GHashTable *host_failures; /* char* host -> char*: newest failed action of the image there, with its reason */
    gboolean ticket_bound;   /* the constraint is there that keeps it stopped without its ticket */
    GHashTable *refused_hosts; /* set of char*: where a start was refused for want of the ticket, and fails since */
    GHashTable *host_retries;  /* char* host -> GSIZE_TO_POINTER: Unix time at which a failure there is forgotten; only
                                * where the resource has a failure-timeout */
    gboolean is_unmanaged;   /* Pacemaker neither starts, recovers nor stops it: held_back says why */
    char *held_back;         /* what keeps the image from being started on any host, by name, and what ends it; or NULL */
    gboolean is_held_back_with_others; /* that is the whole cluster's, and no image's own */
    GPtrArray *constraints;  /* cluster_constraint_t*: an operator's, that name the image */
    char *image_fail_reason; /* newest exit reason of a failed action of the image, or NULL */
    char *image_fail_host;
} cluster_server_t;

typedef struct cluster_host {
    char *name;
    char *id;                /* node id in the CIB */
    gboolean full;           /* runs Corosync: neither remote nor a guest */
    gboolean member;         /* of Corosync's membership, whether Pacemaker has let it in yet or not */
    gboolean online;         /* may run resources: member, not pending, not unclean */
    gboolean standby;
    gboolean maintenance;
    char *health_fault;      /* node health attributes that are not green, if the cluster minds them; or NULL */
    GHashTable *utilization; /* char* -> char*: published capacity */
    GHashTable *remaining;   /* char* -> GINT_TO_POINTER: capacity less what runs there */
    guint resource_count;    /* all resources that run there, ours or not */
    GPtrArray *images;       /* char*: names of the servers whose images are there, by name */
    host_reach_t reach;
    gboolean clean;          /* down, and nothing is left to be fenced: neither pending nor unclean */
    GHashTable *ended;       /* char* server -> char*: start of its image that the host has published as ended */
} cluster_host_t;

/* A fence device, and a level of the fencing topology: see fence_devices.h. */
typedef struct cluster_fence_device {
    char *id;
    char *agent;             /* fence_ipmilan, external/ipmi ... */
    gboolean disabled;       /* target-role=Stopped: the fencer does not use it */
    GHashTable *params;      /* char* -> char* */
} cluster_fence_device_t;

typedef struct cluster_fence_level {
    char *target;            /* or NULL */
    char *pattern;           /* target-pattern, or NULL */
    char **devices;          /* their ids */
} cluster_fence_level_t;

typedef struct cluster_state {
    gboolean quorate;
    gboolean balanced;       /* placement-strategy=balanced */
    gboolean counts_capacity; /* any placement-strategy but the default one */
    gboolean opt_in;         /* symmetric-cluster=false: resources run only where a constraint lets them */
    char *dc;                /* name, or NULL */
    GPtrArray *servers;      /* cluster_server_t*, by name */
    GPtrArray *hosts;        /* cluster_host_t*, by name; full members only, no remote or guest nodes */
    GPtrArray *fence_devices; /* cluster_fence_device_t* */
    GPtrArray *fence_levels;  /* cluster_fence_level_t* */
    GHashTable *node_names;  /* char*: of all nodes, remote and guest ones too, in lower case */
    gint64 recheck_s;        /* Unix time at which the same CIB may say something else, by its rules on the time; to be read
                              * anew then. 0: it has no such rules */
} cluster_state_t;

/*!
 * \brief Read a CIB
 *
 * \param[in] cib_xml  the <cib> element; not changed, not kept
 * \return state, to be freed with cluster_state_free(), or NULL with an error
 */
cluster_state_t *cluster_state_parse(xmlNode *cib_xml, GError **error);
void cluster_state_free(cluster_state_t *state);

/*!
 * \brief The hosts whose votes are counted when a server is judged
 *
 * The full members of the cluster, but for those in standby or maintenance.
 *
 * \param[in]  uncounted  names of members to leave out, or NULL
 * \param[out] minimum    so many votes are needed at least: two as soon as the cluster has three full nodes, in it or not
 * \return NULL-terminated names; g_strfreev()
 */
char **cluster_state_voters(const cluster_state_t *state, const char *const *uncounted, guint *minimum);

const cluster_server_t *cluster_state_server(const cluster_state_t *state, const char *name);
const char *image_state_name(image_state_t state);

/* Somewhere, as far as is known: it runs, starts, stops or has failed, or was last seen on a host that says nothing now. What is
 * not known is never taken for stopped. */
gboolean cluster_server_may_run(const cluster_server_t *server);

#endif
