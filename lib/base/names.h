/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_NAMES_H
#define UNDERSTUDY_NAMES_H

#include <glib.h>

/* Names that several parts and the operator's CIB must agree on. */
#define OCF_PROVIDER              "understudy"
#define IMAGE_RESOURCE_PREFIX     "standby-"
#define TICKET_PREFIX             "takeover-"
#define TICKET_CONSTRAINT_PREFIX  "ticket-standby-"
/* How the exit reason of a start begins that was refused for want of its ticket: no fault of the host's, and no reason
 * to keep the image away from it once the ticket is granted. */
#define NO_TICKET_REASON_PREFIX   "no ticket: "
#define REACH_CONSTRAINT_PREFIX   "reach-standby-"
#define MEMBERS_CONSTRAINT_PREFIX "members-"   /* keeps a resource to the cluster's full members */
#define RUN_IMAGE_PREFIX          "run-"
#define POINT_PREFIX              "point-"     /* snapshots that are recovery points */
#define OBSERVER_CLONE_ID         "understudy-observer-clone"
#define OBSERVER_RESOURCE_ID      "understudy-observer"
#define CAPACITY_CLONE_ID         "understudy-capacity-clone"
#define CAPACITY_RESOURCE_ID      "understudy-capacity"
/* Transient node attribute, "1" while the host reaches what an image needs; host_reach.h has the rest. */
#define REACH_ATTRIBUTE           "understudy-reach"
/* Transient node attribute ...SERVER: the start of its image that has ended on that host, when the store could not be told. */
#define ENDED_ATTRIBUTE_PREFIX    "understudy-ended-"
/* More than the images' stickiness, so that an image leaves a host that its
 * clients can't reach; not INFINITY, so that it stays if no host is reached. */
#define REACH_SCORE               "100000"
#define UTILIZATION_CPU           "cpu"        /* as ocf:heartbeat:VirtualDomain and NodeUtilization name it */
#define UTILIZATION_MEMORY        "hv_memory"  /* MiB, likewise */
#define UTILIZATION_HEADROOM      "headroom"   /* breaks the tie when cpu and hv_memory disagree */
#define OBSERVER_IPC_NAME         "understudy" /* libqb IPC service of the observer daemon */
/* Another one whenever observers of two releases can't understand each other (0.1 had "understudy"). */
#define OBSERVER_CPG_GROUP        "understudy-2"

/* What the helper that tries probes is given: not on its command line, which all can read. */
#define TRY_PROBES_VARIABLE          "UNDERSTUDY_TRY_PROBES"
#define TRY_RECOVER_PROBE_VARIABLE   "UNDERSTUDY_TRY_RECOVER_PROBE"
#define TRY_SERVICE_ADDRESS_VARIABLE "UNDERSTUDY_TRY_SERVICE_ADDRESS"

/* Longest server name: libvirt, RBD and Pacemaker take more, people do not. */
#define SERVER_NAME_MAX 63

/*!
 * \brief Tell whether a text can be the name of a server
 *
 * Letters, digits, '.', '_' and '-', beginning with a letter or a digit: what
 * is valid as a CIB id, an RBD image name and a libvirt domain name alike.
 */
gboolean server_name_is_valid(const char *name);

/* Each returns a new string; free with g_free(). */
char *server_resource_id(const char *server);      /* standby-SERVER */
char *server_ticket_id(const char *server);        /* takeover-SERVER */
char *server_run_image_name(const char *server, unsigned disk_index); /* run-SERVER-N */
char *kept_image_name(const char *run_image, unsigned generation);    /* run-SERVER-N.G: set aside, from 1 */
/* Whether an image is one that was set aside of this run image, and which. */
gboolean kept_image_generation(const char *image, const char *run_image, unsigned *generation);

/* The server that a resource id or a ticket id is about, inside the argument;
 * NULL if it is not one of ours. */
const char *resource_id_server(const char *resource_id);
const char *ticket_id_server(const char *ticket_id);

#endif
