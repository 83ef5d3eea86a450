/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_GROUP_PRIVATE_H
#define UNDERSTUDY_GROUP_PRIVATE_H

#include "group.h"

/* group.c keeps the members and the table in step, group_server.c one server of it. */

typedef struct group_member {
    guint32 node_id;
    gboolean hello;       /* it has introduced itself; what follows is valid */
    char *name;
    guint64 incarnation;
    guint64 version;
    gboolean in_sync;
    group_ability_t ability;
    gboolean blind;
    guint64 served;       /* incarnation that a snapshot of ours is on its way to */
} group_member_t;

/* What one member holds of a server. */
typedef struct group_vote {
    guint32 node_id;
    vote_t service;
    vote_t management;
    gint64 first_miss_wall_ms;
    char *reason;
    guint probes_mark;    /* of what it was asked, as in server_config_t */
    /* its last answer to a round */
    guint64 answer_epoch;
    guint32 answer_round;
    vote_t answer_service;
    vote_t answer_management;
    guint answer_mark;
} group_vote_t;

typedef struct group_server {
    char *name;

    /* From the CIB of this host. */
    gboolean in_cib;
    server_config_t *config; /* the last good one */
    char *config_error;
    char **refused_hosts;    /* NULL: none */
    gint64 refused_since_ms;
    gint64 clean_up_tried_ms;
    char *held_back;
    char *site_fault;        /* of group_server_facts_t */
    gboolean ticket_granted;
    image_view_t image;
    gboolean image_running;
    char *image_host;
    gint64 image_stopped_since_ms;

    /* The same on all members, but for the clock. */
    verdict_record_t record;
    gint64 verdict_since_ms;
    gint64 record_since_ms;
    guint32 round;           /* the last one asked under this record */
    gint64 round_asked_ms;
    verdict_request_t request;
    GArray *votes;           /* group_vote_t */
    gint64 up_since_ms;
    gint64 returned_since_ms;
    gint64 gone_since_ms;
    history_t *history;

    /* What this host's probes say. */
    message_vote_t own_vote;
    gboolean own_vote_changed;
    char *own_reason;

    /* What this host has done as the leader. */
    gint64 proposed_ms;      /* a record is on its way; VERDICT_NEVER: none */
    gint64 asked_ms;         /* a question is on its way */
    gint64 ticket_tried_ms;
    guint events_sent;       /* bits of history_notes[] */
    char *started_host_sent;
    gboolean start_check_runs;
    gint64 start_checked_ms;
    gboolean start_possible;
    char *start_obstacle;
    gboolean isolation_running;
    guint isolation_attempts;
    gint64 isolation_ended_ms;
    isolation_result_t isolation_result;
    char *isolation_sentence;
} group_server_t;

struct group {
    guint32 node_id;
    char *node_name;
    group_ops_t ops;
    void *user_data;

    GHashTable *servers;     /* name -> group_server_t* */
    GHashTable *stored_probes; /* server -> digest, as the store remembers; NULL: not read yet */
    GArray *members;         /* group_member_t, by node id */
    char **voters;           /* names of the hosts that are counted, from the CIB */
    guint votes_minimum;
    gint64 members_since_ms;

    guint64 incarnation;
    gboolean in_sync;
    group_ability_t ability;
    gboolean blind;
    gboolean blind_changed;
    gboolean cluster_known;  /* the CIB has been read at least once */
    gboolean hello_due;
    gboolean hello_delivered;
    gboolean all_votes_due;

    guint64 ring;
    guint64 quorum_ring;
    gboolean ring_quorate;   /* as said of quorum_ring */

    GPtrArray *held_back;    /* GBytes*: what changed the table since this host's HELLO, until it is in sync */
    GPtrArray *snapshot;     /* message_entry_t*: parts so far, NULL: none begun */
    guint32 snapshot_node_id;
    guint32 leader_noted;
    guint32 rounds_asked;
};

/* group.c ---------------------------------------------------------------------*/
void group_send(group_t *group, const message_t *message);

/* group_server.c --------------------------------------------------------------*/
group_server_t *group_server_new(const char *name);
void group_server_free(group_server_t *server);
group_server_t *group_server_find(const group_t *group, const char *name);
group_server_t *group_server_get(group_t *group, const char *name);

group_vote_t *group_server_vote(group_server_t *server, guint32 node_id);
void group_server_drop_vote(group_server_t *server, guint32 node_id);
/* Recompute what follows from votes and members. */
void group_server_refresh(const group_t *group, group_server_t *server, gint64 now_ms);
/* As delivered: applied if it is the next one. */
void group_server_apply(group_t *group, group_server_t *server, const verdict_record_t *record, gint64 now_ms);
/* As a snapshot has it. */
void group_server_load(group_t *group, group_server_t *server, message_entry_t *entry, gint64 now_ms);
void group_server_add_event(group_t *group, group_server_t *server, const char *event, gint64 at_ms,
                            const char *host, const char *detail);
void group_server_forget_leading(group_t *group, group_server_t *server);

/*!
 * \brief Decide about one server and do it, as the leader
 *
 * \param[in,out] grant, revoke  names are added of servers whose ticket is due
 * \return when to look again
 */
gint64 group_server_lead(group_t *group, group_server_t *server, gint64 now_ms, GPtrArray *grant, GPtrArray *revoke);

/* It has probes, and was not seen up with them as far as is known here. */
gboolean group_server_is_unseen(const group_t *group, const group_server_t *server);
JsonObject *group_server_to_json(const group_t *group, const group_server_t *server);

#endif
