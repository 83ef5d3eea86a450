/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_GROUP_PRIVATE_H
#define UNDERSTUDY_GROUP_PRIVATE_H

#include "judge/group.h"

/* group.c keeps the members and takes what comes in, group_sync.c keeps the table the same on all, group_outbox.c
 * sends, group_server.c keeps one server of the table,
 * group_pause.c how long an operator's pause of it lasts. */

typedef struct group_member {
    guint32 node_id;
    gboolean hello;       /* it has introduced itself; what follows is valid */
    char *name;
    guint64 incarnation;
    message_stamp_t stamp;
    guint64 known;
    gboolean in_sync;     /* it says so itself */
    group_ability_t ability;
    gboolean blind;
    gboolean silent;      /* the others say so */
} group_member_t;

/* What one member holds of a server. */
typedef struct group_vote {
    guint32 node_id;
    vote_t service;
    vote_t management;
    gint64 first_miss_wall_ms;
    char *reason;
    guint probes_mark;    /* of what it was asked, as in server_config_t */
    gint64 pause_from_ms; /* of message_vote_t */
    gint64 paused_until_ms;
    /* its last answer to a round */
    guint64 answer_epoch;
    guint32 answer_round;
    vote_t answer_service;
    vote_t answer_management;
    guint answer_mark;
} group_vote_t;

/* An operator's pause as this host keeps it. */
typedef struct group_pause {
    gint64 from_ms;          /* of server_config_t: tell one pause from another */
    gint64 until_ms;         /* 0: none */
    gint64 end_ms;           /* by this host's monotonic clock; 0: there is none, VERDICT_NEVER: until it is resumed */
    gboolean begin_known;    /* somebody in this group has seen it begin: it does not end later than it should */
} group_pause_t;

typedef struct group_server {
    char *name;

    /* From the CIB of this host. */
    gboolean in_cib;
    gboolean was_in_cib;     /* when it was read before */
    gboolean held_is_old;    /* what the CIB says of a held takeover was there when the server appeared in it: of another time */
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

    group_pause_t pause;       /* as the CIB has it */
    group_pause_t pause_heard; /* as a snapshot has it: the CIB may say so here only later */
    gint64 pause_heard_ms;     /* when */

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
    gint64 pause_end_tried_ms;
    gint64 held_tried_ms;    /* when the CIB was last asked to note, or to forget, that a takeover is held */
    guint events_sent;       /* bits of history_notes[] */
    char *started_host_sent;
    gboolean wants_fencing_look;
    gboolean in_fencing_look; /* it wanted to know when the look began that is under way */
    gboolean fencing_pending;
    gint64 fencing_over_since_ms;
    gboolean start_check_runs;
    gboolean start_check_is_old; /* the room that it is asked about was taken since it was asked */
    gint64 start_checked_ms;
    gboolean start_possible;
    char *start_obstacle;
    gboolean isolation_running;
    guint isolation_attempts;
    gint64 isolation_ended_ms;
    isolation_result_t isolation_result;
    gint64 isolation_unknown_since_ms;
    gint64 isolation_asked_ms; /* the end of the last attempt that asked for something and does not know what comes of it */
    gboolean leads_anew;     /* it was not led from here since its verdict began */
    gint64 isolation_others_ms; /* what another leader has asked for was asked by then; VERDICT_NEVER: nothing that may come */
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
    group_ability_t ability;
    gboolean blind;
    gboolean blind_changed;
    gboolean cluster_known;  /* the CIB has been read at least once */
    gboolean hello_due;
    gint64 hello_asked_ms;   /* when somebody's HELLO was asked for last */
    gboolean all_votes_due;
    guint32 leader_noted;
    guint32 rounds_asked;
    gint64 pause_ended_ms;   /* when the CIB was last asked to forget a pause of any server */
    gboolean fencing_look_runs;
    gint64 fencing_looked_ms; /* when the last look began, VERDICT_NEVER: none yet */

    guint64 ring;
    guint64 quorum_ring;
    gboolean ring_quorate;   /* as said of quorum_ring */

    /* The table: group_sync.c */
    gboolean in_sync;
    guint64 generation;
    guint64 version;
    guint64 known;           /* the last generation of this host, whatever became of its table */
    gint64 agree_sent_ms;    /* VERDICT_NEVER: not in this ring */

    guint64 want;            /* the question for a snapshot, 0: none was asked */
    guint32 want_source;     /* who was asked last */
    gboolean want_delivered; /* from here on what changes the table is held back */
    gint64 want_ms;          /* when it was asked, or its last part came */
    guint32 want_part;       /* the next one */
    GPtrArray *snapshot;     /* message_entry_t*: parts so far */
    GPtrArray *held_back;    /* group_held_t* */

    guint64 pulse;           /* the last one sent */
    gint64 pulse_sent_ms;    /* VERDICT_NEVER: none is on its way */
    gint64 awake_ms;         /* when the last one that came back was sent; VERDICT_NEVER: none in this ring */
    gint64 leader_heard_ms;
    gint64 silent_said_ms;
    guint32 checked_member;  /* whose pulse the digest was taken at */
    guint64 checked;
    guint64 checked_digest;

    /* What is sent: group_outbox.c */
    GQueue *outbox;          /* outbox_item_t*: paced */
    GQueue *histories;       /* char*: names of servers whose histories somebody lacks */
    GQueue *history_parts;   /* GBytes*, with their serials */
    gint64 history_next_ms;
    guint64 serial;          /* the last one given */
    guint64 serial_on_way;   /* 0: nothing is on its way */
    gint64 serial_sent_ms;
    gsize part_bytes;        /* a paced message is not much larger */
    guint64 bytes_sent;
};

/* group.c ---------------------------------------------------------------------*/
group_member_t *group_find_member(const group_t *group, guint32 node_id);
gboolean group_is_quorate(const group_t *group);
/* Of the members in sync, the lowest of those that can do most; NULL: there is none. */
const group_member_t *group_leader(const group_t *group);
/* Somebody has not introduced himself in this ring. */
gboolean group_is_member_unknown(const group_t *group);
/* To be said by the next group_run(). */
void group_say_hello(group_t *group);
/* After a change of who is a member, or in sync. */
void group_follow_members(group_t *group, gint64 now_ms);
void group_forget_leading_all(group_t *group);
void group_dispatch(group_t *group, guint32 node_id, message_t *message, gint64 now_ms);
void group_note(const group_t *group, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* group_sync.c ----------------------------------------------------------------*/
message_stamp_t group_stamp(const group_t *group);
/* Another ring: what the table is is agreed on anew. */
void group_sync_begin(group_t *group);
/* Without quorum the others may decide without us: what we hold is history. */
void group_sync_lose(group_t *group);
/* Another process is, or may be, behind a member: what was asked of it won't come. */
void group_sync_member_gone(group_t *group, guint32 node_id);
/* Send what is due; returns when to call again. */
gint64 group_sync_run(group_t *group, gint64 now_ms);
void group_sync_hold_back(group_t *group, guint32 node_id, gconstpointer data, gsize size_bytes);
void group_sync_on_agree(group_t *group, guint32 node_id, message_t *message, gint64 now_ms);
void group_sync_on_want(group_t *group, guint32 node_id, message_t *message, gint64 now_ms);
void group_sync_on_snapshot(group_t *group, guint32 node_id, message_t *message, gint64 now_ms);
void group_sync_free(group_t *group);

/* A message of our own, sent a moment ago, has come back: nothing that others did before it is unknown here. */
gboolean group_is_awake(const group_t *group, gint64 now_ms);
/* Make sure of that; returns when to look again. */
gint64 group_wake(group_t *group, gint64 now_ms);
/* As the leader: say that we live, and what our table is. As another: say if the leader does not. */
gint64 group_pulse_run(group_t *group, gint64 now_ms);
void group_on_pulse(group_t *group, guint32 node_id, message_t *message, gint64 now_ms);
void group_on_silent(group_t *group, guint32 node_id, message_t *message, gint64 now_ms);

/* group_outbox.c --------------------------------------------------------------*/
/* At once, in the order of the calls. */
void group_send(group_t *group, const message_t *message);
/* Small enough for one message, and only when the one before has come back: Corosync has
 * no room for all that 1,000 servers have to say, and gives up its token. */
void group_send_paced(group_t *group, message_t *message);
/* Send what is due; returns when to call again. */
gint64 group_outbox_run(group_t *group, gint64 now_ms);
/* A paced message of our own has come back. */
void group_outbox_delivered(group_t *group, guint64 serial);
void group_outbox_free(group_t *group);
/* About what a takeover, and a text, take in a message. */
gsize group_takeover_bytes(const history_takeover_t *takeover);
gsize group_text_bytes(const char *text);
/* Ask a member for what our histories lack. */
void group_history_ask(group_t *group, guint32 node_id);
/* Go on with the takeover that is under way as a snapshot has it, or NULL; taken over. */
void group_history_resume(group_t *group, const group_server_t *server, history_takeover_t *takeover);
void group_on_history_ask(group_t *group, guint32 node_id, message_t *message, gint64 now_ms);
void group_on_history(group_t *group, guint32 node_id, message_t *message, gint64 now_ms);

/* group_pause.c ---------------------------------------------------------------*/
/* After the configuration was read; `was_read`: not for the first time. */
void group_pause_read(const group_t *group, group_server_t *server, gboolean was_read, gint64 now_ms);
/* The server is no longer in the configuration. */
void group_pause_forget(group_server_t *server);
/* As a snapshot has it. */
void group_pause_hear(group_server_t *server, const message_entry_t *entry, gint64 now_ms);
/* What a snapshot says of it. */
void group_pause_tell(const group_server_t *server, message_entry_t *entry, gint64 now_ms);
gboolean group_pause_is_on(const group_server_t *server, gint64 now_ms);
/* When its time is over, as in verdict_view_t. */
gint64 group_pause_end_ms(const group_server_t *server);
/* As the leader: have a pause whose time is over taken out of the CIB; returns when to look again. */
gint64 group_pause_lead(group_t *group, group_server_t *server, gint64 now_ms);
/* For status, and NULL: there is none. */
JsonObject *group_pause_to_json(const group_t *group, const group_server_t *server, gint64 now_ms);

/* group_server.c --------------------------------------------------------------*/
group_server_t *group_server_new(const char *name);
void group_server_free(group_server_t *server);
group_server_t *group_server_find(const group_t *group, const char *name);
group_server_t *group_server_get(group_t *group, const char *name);

group_vote_t *group_server_vote(group_server_t *server, guint32 node_id);
/* What it holds, all zero if nothing. */
const group_vote_t *group_server_vote_of(const group_server_t *server, guint32 node_id);
void group_server_drop_vote(group_server_t *server, guint32 node_id);
/* Recompute what follows from votes and members. */
void group_server_refresh(const group_t *group, group_server_t *server, gint64 now_ms);
/* As delivered: applied if it is the next one. */
void group_server_apply(group_t *group, group_server_t *server, const verdict_record_t *record, gint64 now_ms);
/* As a snapshot has it; NULL: it has no record. */
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
JsonObject *group_server_to_json(const group_t *group, const group_server_t *server, gint64 now_ms);

#endif
