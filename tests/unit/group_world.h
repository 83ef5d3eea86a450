/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GROUP_WORLD_H
#define GROUP_WORLD_H

#include "judge/group.h"

/*
 * A cluster of observers in one process with a clock of its own: messages are
 * delivered to all in one order, servers live and die, isolation takes its time,
 * the CIB grants, starts and stops. Invariants are looked at after every step.
 *
 * With a source of chance (world->random) each host gets what was sent, and what
 * happens to the ring, in the same order as all others of its partition, but in its own time,
 * and what the quorum service says is in no order with either.
 */
#define WORLD_HOSTS   3
#define WORLD_HOSTS_MAX 5
#define WORLD_SERVERS 3
#define WORLD_STEP_MS 50

typedef struct world world_t;

typedef struct world_server {
    char name[8];
    gboolean powered;        /* the management address answers */
    gboolean service_dead;   /* powered, but it does not serve */
    gboolean waits;          /* powered, but it lets the image keep the service address */
    gboolean store_open;     /* isolation can't even reach the store */
    gboolean switch_broken;  /* the power switch does not answer */
    gboolean without_effect; /* and it is known that it did nothing, nor will */
    gboolean not_asked;      /* and that is all that is known: nobody could be asked */
    gboolean switch_silent;  /* or it ended without an answer */
    gboolean switch_none;    /* isolation by the store alone: proved, but it stays powered */
    gboolean no_room;        /* no host can run its image */
    gboolean disabled;       /* its image is put aside in the CIB */
    gboolean refused;        /* the CIB has a start of its image that was refused for want of its ticket */
    gboolean clean_ups_fail;
    gboolean granted_while_refused;
    guint clean_ups;
    gboolean ticket;
    gboolean image_running;
    gint64 fencing_ends_ms;  /* what a daemon that is gone has begun: when it takes effect, 0: none is under way */
    gint64 image_change_ms;  /* when it starts or stops, 0: nothing under way */
    guint grants;
    guint isolations;
    guint starts;
    gboolean both_served;    /* an invariant was broken */
    gboolean held_takeover;  /* in the CIB */
    gboolean absent;         /* not in the CIB */
    const char *site_fault;  /* or NULL */
} world_server_t;

typedef struct world_host {
    world_t *world;
    guint32 node_id;
    char name[8];
    group_t *group;          /* NULL: its daemon does not run */
    guint partition;         /* 0: the main one */
    gboolean asleep;         /* its main loop does not run */
    gint64 asleep_ms;        /* since */
    gint64 quorum_late_ms;   /* it hears from the quorum service only then */
    gint64 cut_ms;           /* when its partition last lost quorum, 0: it has it */
    guint64 known;           /* generation, on its disk */
    GQueue *sent;            /* GBytes*: multicast, and not yet in the order of all messages */
    GQueue *events;          /* world_event_t*: of Corosync's group, in order */
    GQueue *quorum_events;   /* world_event_t* */
    gboolean in_standby;     /* not counted */
    gboolean service_cut;    /* does not reach the service network; its references neither */
    gboolean sees_nothing_of[WORLD_SERVERS]; /* has no way to the server, but is not blind */
    gboolean cib_is_late;    /* it does not get the CIB's changes now */
    gboolean knows[WORLD_SERVERS]; /* from the CIB as it has it */
    gint64 missed_since_ms[WORLD_SERVERS];
    gint64 isolation_ends_ms[WORLD_SERVERS]; /* 0: none runs */
    gint64 clock_ahead_ms;   /* of the world's time */
    gboolean only_looks[WORLD_SERVERS]; /* what runs there */
    gboolean store_was_read;
    gboolean looks_fencing;  /* to be answered at the next step */
    gboolean checks_start[WORLD_SERVERS]; /* to be answered at the next step */
    GQueue *rounds;          /* world_round_t*: to be answered at the next step */
} world_host_t;

struct world {
    gint64 now_ms;
    guint64 ring;
    const char *isolate;
    gboolean no_quorum;      /* of any partition */
    const char *probes;      /* of every server */
    gboolean hold;           /* of every server */
    const char *paused_until; /* of every server, or NULL */
    guint pause_ends;        /* how often a leader wanted to end it */
    gboolean cib_refuses;    /* to forget a pause, to note or forget what is held */
    gboolean store_is_silent;
    GHashTable *store;       /* what it remembers: server -> digest of probes */
    gint64 fencing_late_ms;  /* so much longer takes what was begun by a daemon that is killed */
    gboolean fencer_is_silent;
    guint host_count;
    world_host_t hosts[WORLD_HOSTS_MAX];
    world_server_t servers[WORLD_SERVERS];
    GRand *random;           /* the world's own, or NULL: all that is sent arrives in the same step */
    gsize part_bytes;        /* of the daemons that start from now on, 0: as they have it */
    guint transitions;
    guint64 messages;        /* delivered in order, once for all */
    char *violation;         /* the first invariant that was broken, or NULL */
};

world_t *world_new(const char *isolate);
/* With so many hosts, and a source of chance if the seed is not 0. */
world_t *world_new_sized(const char *isolate, guint hosts, guint32 seed);
void world_free(world_t *world);

/* Pass time. */
void world_run(world_t *world, gint64 duration_ms);
/* Pass time until the leader holds the server to be so; FALSE after the limit. */
gboolean world_run_until(world_t *world, guint server, verdict_t verdict, gint64 limit_ms);

void world_kill(world_t *world, guint host);   /* its daemon, -9 */
void world_start(world_t *world, guint host);
void world_cut_off(world_t *world, guint host);
void world_join(world_t *world, guint host);
/* Hosts with the same number are together from now on. */
void world_split(world_t *world, const guint *partitions);
void world_sleep(world_t *world, guint host);  /* its daemon, SIGSTOP */
void world_wake(world_t *world, guint host);   /* and SIGCONT */
gboolean world_has_quorum(const world_t *world, guint host); /* in truth, whatever it knows */

int world_leader(const world_t *world);        /* index, or -1 */
verdict_t world_verdict(const world_t *world, guint host, guint server);
gboolean world_request(world_t *world, guint host, guint server, verdict_request_t request);
/* All daemons that run in the main partition hold the same table. */
gboolean world_agrees(const world_t *world);

#endif
