/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_GROUP_H
#define UNDERSTUDY_GROUP_H

#include <glib.h>
#include <json-glib/json-glib.h>

#include "judge/history.h"
#include "judge/message.h"
#include "judge/verdict.h"

/*
 * One observer as a member of the group: the replicated table, who is in sync,
 * who leads, and what the leader has done. Pure: what is multicast, isolated or
 * published goes through the operations below; messages, membership and time
 * are arguments. All members that get the same messages in the same order hold
 * the same table.
 *
 * Times are milliseconds of this host's monotonic clock, except wall times.
 *
 * How the table stays the same on all:
 *
 * A table has a stamp: a generation, a version and a digest. The generation is
 * the last ring in which observers with quorum agreed on the table. Corosync's
 * rings only go up, and any two majorities have a host in common, so a table
 * of a partition without quorum is never newer than one of a partition with
 * it. The version grows with every message that changes the table.
 *
 * Ring. In a new ring nobody is in sync. Each member says HELLO with its stamp.
 * When all are known, the lowest of those with the newest table says AGREE with
 * its stamp. Whose table has that very stamp is in sync when AGREE comes back,
 * and the ring is its generation from then on. A member that says nothing may
 * hold a newer table: it is waited for as long as Pacemaker needs to end it.
 *
 * Joining. Who is not in sync, while others are, says WANT to one of them. That
 * one sends the table as it was when WANT was delivered, in numbered SNAPSHOT
 * parts. The joiner holds back what changes the table after its WANT, loads the
 * parts, applies what it held back, and says HELLO: in sync. Nobody counts it in
 * before. A part that is missing, a source that has gone, or 5 s of silence
 * lead to another WANT, of another member.
 *
 * Quorum. Every notification that quorum is lost puts a member out of sync,
 * whatever ring it is said of: such notifications may come late.
 *
 * Acting. The leader does nothing before a PULSE of its own that it sent within
 * the last 2 s has come back: so all that happened while its process slept has
 * come to it first. Records, rounds and FORGET carry the generation in which
 * they were sent, and are ignored in another. A leader that says nothing for
 * 16 s is called SILENT by another member, and does not lead until it speaks.
 *
 * Checking. At each PULSE of the leader all take the digest of their tables; the
 * next PULSE says what the leader's was. Who differs asks for the table again.
 *
 * Memory. The generation is kept on disk. If all who agreed on the newest table
 * have lost it, an older one does not come back: all begin anew from the tickets.
 *
 * Pauses. An operator's pause is in the CIB as an interval of the clock of the host where it was typed: the observers
 * use only how long that is. Each keeps the end on its own monotonic clock, counted from where it first read that
 * pause; who joins is told by the snapshot how much longer it lasts. No two hosts' clocks are compared, and
 * a clock that is set changes nothing. A pause holds as long as the CIB has it: when its time is over, the leader
 * takes that very pause out, and judges the server when his CIB shows that. So one that has ended never holds
 * again. If all observers were started in the middle of it, it lasts its whole time again, and status says so.
 * A vote says which pause its sender keeps, so that everybody knows when the leader does.
 *
 * Pace. Votes, snapshots and histories are cut into messages of about 16 KiB, and
 * the next is sent when the one before has come back. Histories are no part of
 * a snapshot, but for a takeover that is under way: a joiner tells the digests of what it has
 * (HISTORY_ASK), and is sent what it lacks, with pauses (HISTORY).
 */
typedef struct group group_t;

typedef struct group_ops {
    /* Multicast to all members, this one included. */
    void (*send)(GBytes *bytes, gpointer user_data);
    /* Probe the server at once and call group_answer() with what was found. */
    void (*round_start)(const char *server, guint64 epoch, guint32 round, gpointer user_data);
    /* Isolate the original and call group_isolation_ended(). */
    void (*isolation_start)(const server_config_t *config, gpointer user_data);
    /* Likewise, but nothing is tried: it only tells whether a fencing is still under way. */
    void (*isolation_look)(const server_config_t *config, gpointer user_data);
    /* Ask Pacemaker's fencer which servers a fencing is under way of, and call group_fencing_looked(). */
    void (*fencing_look)(gpointer user_data);
    void (*isolation_cancel)(const char *server, gpointer user_data);
    /* Ask whether a host would run the server's image if its ticket were granted, and call group_start_checked(). */
    void (*start_check)(const char *server, gpointer user_data);
    /* Have Pacemaker forget the failed starts of the server's image on these hosts. Tried again while the CIB has them. */
    void (*starts_clean_up)(const server_config_t *config, const char *const *hosts, gpointer user_data);
    /* Grant or revoke tickets in one change of the CIB. Tried again while the CIB does not show it. */
    void (*tickets_set)(const char *const *servers, gboolean granted, gpointer user_data);
    /* Take the server's pause out of the CIB if it is still the one of this configuration: its time is over. Tried again
     * while the CIB has it. */
    void (*pause_end)(const server_config_t *config, gpointer user_data);
    /* Note in the CIB that the server's hold is of a takeover, or forget it. Tried again while the CIB does not show it. */
    void (*held_takeover_set)(const server_config_t *config, gboolean is_held, gpointer user_data);
    /* A record was applied; `from` is NULL for a new server, `to` for one that is forgotten. */
    void (*record_applied)(const char *server, const verdict_record_t *from, const verdict_record_t *to,
                           gpointer user_data);
    /* A request of this host's operator was accepted (error NULL) or refused. */
    void (*request_answered)(guint64 request_id, const char *error, gpointer user_data);
    /* An event became part of the history of a takeover that began at `started_ms`. */
    void (*event_stored)(const char *server, gint64 started_ms, const history_event_t *event, gpointer user_data);
    /* The table was agreed on in this generation: to be kept for group_set_known() over a restart. */
    void (*generation_agreed)(guint64 generation, gpointer user_data);
    /* For the log: who leads, who is in sync. */
    void (*note)(const char *sentence, gpointer user_data);
    gint64 (*wall_ms)(gpointer user_data);
} group_ops_t;

group_t *group_new(guint32 node_id, const char *node_name, const group_ops_t *ops, gpointer user_data);
void group_free(group_t *group);

/* What comes in --------------------------------------------------------------*/

/* Members of the CPG group, this one among them. */
void group_on_members(group_t *group, const guint32 *node_ids, guint count, gint64 now_ms);
/* Corosync's ring, as CPG and as the quorum service tell it: what the latter says
 * counts only for the ring it was said of. */
void group_on_ring(group_t *group, guint64 ring, gint64 now_ms);
void group_on_quorum(group_t *group, guint64 ring, gboolean quorate, gint64 now_ms);
void group_on_message(group_t *group, guint32 node_id, const void *data, gsize size_bytes, gint64 now_ms);

/* What this host's probes say. Sent by the next group_run(). */
void group_vote(group_t *group, const char *server, vote_t service, vote_t management, gint64 first_miss_wall_ms);
/* Why that vote is down or unknown, for operators; NULL: it is neither. */
void group_vote_reason(group_t *group, const char *server, const char *reason);
void group_set_blind(group_t *group, gboolean blind);
void group_answer(group_t *group, const char *server, guint64 epoch, guint32 round, vote_t service,
                  vote_t management);

/* What the CIB says. A server that is not named between begin and end is gone. */
typedef struct group_server_facts {
    const char *name;
    server_config_t *config;   /* taken over; NULL: it can't be used, see config_error */
    const char *config_error;
    const char *const *refused_hosts; /* where starts were refused that need not have been tried; NULL: nowhere */
    const char *held_back;     /* what keeps the image from every host, or NULL */
    const char *site_fault;    /* why it must not be isolated, however well its own parameters read; or NULL */
    gboolean ticket_granted;
    image_view_t image;
    gboolean image_running;
    const char *image_host;    /* or NULL */
} group_server_facts_t;
void group_cluster_begin(group_t *group);
/* The hosts whose votes are counted, by name, whether their observers run or not; `minimum`: of verdict_tally_t. */
void group_cluster_voters(group_t *group, const char *const *names, guint minimum);
void group_cluster_server(group_t *group, const group_server_facts_t *facts, gint64 now_ms);
void group_cluster_end(group_t *group, gint64 now_ms);
/* What this member could do as the leader; the lowest of those that can do most leads. */
typedef enum {
    GROUP_NO_CIB,   /* it can neither read nor write the CIB */
    GROUP_NO_STORE, /* it can put no server on the store's blocklist */
    GROUP_ABLE,
} group_ability_t;
void group_set_ability(group_t *group, group_ability_t ability);

/* What the store remembers: server -> digest of the probes with which it was seen up. Copied. Until it has been
 * read, it is not known whether a server was ever seen. */
void group_set_stored_probes(group_t *group, GHashTable *stored);
/* What is to be written there: server -> digest; empty unless this member leads and has read it. unref. */
GHashTable *group_unstored_probes(const group_t *group);
/* Whether a server with probes was not seen up yet, so that what the store remembers is worth reading again. */
gboolean group_has_unseen(const group_t *group);

/* Whether what a server's management address says matters now. */
gboolean group_asks_management(const group_t *group, const char *server);

void group_isolation_ended(group_t *group, const char *server, isolation_result_t result, const char *sentence,
                           gint64 now_ms);

/* pending: the names of those with a fencing under way; NULL: the fencer did not say. */
void group_fencing_looked(group_t *group, const char *const *pending, gint64 now_ms);

/* obstacle: NULL if a host would run it; else why not, or why it is not known. */
void group_start_checked(group_t *group, const char *server, const char *obstacle, gint64 now_ms);
/* Servers whose images need a host soon: those that are isolated, or those that may be, since they were told that they
 * would find one, and nothing that an operator has to mend or end keeps them from it. NULL-terminated; g_strfreev(). */
char **group_servers_to_start(const group_t *group, gboolean are_isolated, gint64 now_ms);

/* Why a wish of an operator on this host can't be granted now, to be g_free()d; NULL: it can. */
char *group_request_refusal(const group_t *group, const char *server, verdict_request_t request, gint64 now_ms);
/* A wish of an operator on this host: NULL, and ops->request_answered() follows; or why not, to be g_free()d. */
char *group_request(group_t *group, const char *server, verdict_request_t request, guint64 request_id, gint64 now_ms);

/* The last generation that an observer of this host has agreed on, as kept; 0: none. */
void group_set_known(group_t *group, guint64 generation);

/* History read from a file at start; takes the takeover over. */
void group_load_takeover(group_t *group, const char *server, history_takeover_t *takeover);

/* What goes out --------------------------------------------------------------*/

/*!
 * \brief Do what is due
 *
 * \return when to call again at the latest, VERDICT_NEVER if only after something came in
 */
gint64 group_run(group_t *group, gint64 now_ms);

gboolean group_is_leader(const group_t *group);
gboolean group_in_sync(const group_t *group);
const verdict_record_t *group_record(const group_t *group, const char *server);
const history_t *group_history(const group_t *group, const char *server);

/* For observer_client.h. */
void group_status_to_json(const group_t *group, gint64 now_ms, JsonObject *object);

/* A member that does not introduce itself within this time is left out. */
#define GROUP_HELLO_TIMEOUT_MS 3000

#endif
