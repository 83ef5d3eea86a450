/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_VERDICT_H
#define UNDERSTUDY_VERDICT_H

#include <glib.h>

#include "params/server_config.h"

/*
 * The verdict on one server: what the leader of the observers proposes next.
 * Pure: no clock (times are arguments, in milliseconds of this host's monotonic
 * clock), no socket, no global. The same view always gives the same decision, so a
 * new leader goes on where the old one was killed: it looks at the same record.
 */
typedef enum {
    VERDICT_HEALTHY,
    VERDICT_SUSPECT,    /* a majority votes down; round 1 is under way */
    VERDICT_DOUBTED,    /* round 1 said the same; the hold-down, then round 2 */
    VERDICT_ISOLATING,  /* the original is being put out of the way: latched once that may have taken effect */
    VERDICT_FAILED,     /* the ticket is granted, the image runs */
    VERDICT_RETURNING,  /* the ticket is revoked, the image stops, the original serves */
} verdict_t;
#define VERDICT_COUNT 6

const char *verdict_name(verdict_t verdict);
gboolean verdict_parse(const char *text, verdict_t *verdict);

/* What one observer holds of a server on one plane. */
typedef enum {
    VOTE_NONE,    /* nothing is known yet, or the plane is not watched now */
    VOTE_UP,
    VOTE_MISSING, /* misses, but fewer than probe_misses in a row */
    VOTE_DOWN,
    VOTE_BLIND,   /* it misses the server, and its own references too */
    VOTE_UNKNOWN, /* the server could not be asked, or does not say: a fault of the probe. Never counted as down */
    VOTE_REFUSED, /* in an answer to a round: down, but its machine has answered */
} vote_t;
#define VOTE_COUNT 7

const char *vote_name(vote_t vote);

/* One vote of each host that counts: the cluster's members, whether an observer runs there or not. */
typedef struct verdict_tally {
    guint members;
    guint minimum;          /* so many votes at least find a server down, however few members there are */
    guint votes[VOTE_COUNT];
    guint refused;          /* of those that are down: its machine has answered them */
} verdict_tally_t;

void verdict_tally_add(verdict_tally_t *tally, vote_t vote);

/* Majorities of the members. One that is blind or has not voted counts for neither side: what was not seen is no
 * proof, and an observer that has lost the others to a fault of theirs does not decide alone. */
gboolean verdict_tally_is_down(const verdict_tally_t *tally);
gboolean verdict_tally_is_up(const verdict_tally_t *tally);

/* How far the isolation of an original has come. */
typedef enum {
    ISOLATION_STATE_NOT_BEGUN,
    ISOLATION_STATE_BEGUN,          /* a way may have taken effect: one whose result is not known is one that may have */
    ISOLATION_STATE_WITHOUT_EFFECT, /* all attempts so far have ended and are proved to have done nothing */
} isolation_state_t;
#define ISOLATION_STATE_COUNT 3

/* What is replicated of a server. Each change has the next epoch; a proposal is
 * applied only if it is the next one, so two leaders for a moment do no harm. */
typedef struct verdict_record {
    guint64 epoch;           /* 0: no record yet */
    verdict_t verdict;
    gint64 since_wall_ms;    /* when the verdict began, Unix time of the leader */
    char *reason;            /* a sentence, or "" */
    gboolean by_operator;    /* an operator asked for this takeover or this return */
    gboolean seen_away;      /* FAILED: a majority has held the original down on its management address since */
    char *seen_probes;       /* digest of the probes with which it was last seen up, or "" */
    guint quiet_rounds;      /* ISOLATING, isolate=confirmed: rounds without life so far */
    /* ISOLATING. HEALTHY, SUSPECT, DOUBTED: BEGUN if an isolation of before the first record may be under way, and what it
     * put on the blocklist stands */
    isolation_state_t isolation;
    guint failed_returns;    /* of this takeover: each further one waits longer */
    gboolean operator_returns; /* it came back and did not serve: only an operator lets it return */
} verdict_record_t;

void verdict_record_copy(verdict_record_t *to, const verdict_record_t *from);
void verdict_record_clear(verdict_record_t *record);

typedef enum {
    VERDICT_REQUEST_NONE,
    VERDICT_REQUEST_TAKEOVER,
    VERDICT_REQUEST_RELEASE,
} verdict_request_t;
#define VERDICT_REQUEST_COUNT 3

/* How an attempt to isolate ended. The values are the helper's exit statuses. */
typedef enum {
    ISOLATION_DONE = 0,         /* proved: the original can't serve */
    /* Not proved. A way may have taken effect all the same, or may yet: its answer did not come. */
    ISOLATION_NOT_CONFIRMED = 1,/* the store keeps it out if it has a store address */
    ISOLATION_STORE_OPEN = 2,   /* its store address is not known to be on the blocklist */
    /* For certain no way has taken effect, nor will: the original is as it was before. Otherwise like the two above. */
    ISOLATION_NO_EFFECT = 3,
    ISOLATION_NO_EFFECT_STORE_OPEN = 4,
    /* The power switch was asked and did not say that it has done it; nothing is under way any more. Whether it has shows
     * in whether the original answers afterwards. */
    ISOLATION_ENDED = 5,
    ISOLATION_ENDED_STORE_OPEN = 6,
    /* Like the two of no effect, but nobody could be asked for anything, nor whether an earlier request is under way. */
    ISOLATION_NOT_ASKED = 7,
    ISOLATION_NOT_ASKED_STORE_OPEN = 8,
    ISOLATION_NONE = 255,       /* no attempt has ended yet */
} isolation_result_t;

/* FALSE only if it is certain that the attempt has not touched the original. */
gboolean isolation_may_have_effect(isolation_result_t result);
/* TRUE if it says nothing of what was asked for before it. */
gboolean isolation_knows_nothing(isolation_result_t result);
/* TRUE if the original itself shows whether the attempt has touched it: it answers from VERDICT_EFFECT_SHOWS_MS after
 * the attempt's end on, or not. */
gboolean isolation_effect_shows(isolation_result_t result);
/* TRUE if the store refuses the original, or does not know it. */
gboolean isolation_closes_store(isolation_result_t result);

typedef enum {
    IMAGE_VIEW_UNKNOWN,
    IMAGE_VIEW_STOPPED,
    IMAGE_VIEW_ACTIVE,   /* starts, runs or stops somewhere */
} image_view_t;

#define VERDICT_NEVER G_MAXINT64

/* All that a decision may look at. Times that are "not so now" are VERDICT_NEVER. */
typedef struct verdict_view {
    gint64 now_ms;
    const server_config_t *config;
    const verdict_record_t *record;
    gint64 verdict_since_ms;        /* when this verdict was applied here */
    gint64 record_since_ms;         /* when the record last changed here */
    verdict_request_t request;

    verdict_tally_t service;        /* standing votes on the probes */
    verdict_tally_t management;     /* standing votes on the recover_probe */
    gint64 up_since_ms;             /* a majority sees the service, without a miss, since */
    gint64 returned_since_ms;       /* a majority sees the management address, without a miss, since */
    gint64 gone_since_ms;           /* a majority holds the management address down since */

    /* The last round that was asked under this record. */
    gint64 round_asked_ms;
    gboolean round_complete;        /* all members have answered */
    verdict_tally_t round_service;
    verdict_tally_t round_management;

    /* This host's attempts under this verdict. */
    gboolean isolation_running;
    guint isolation_attempts;       /* ended ones */
    gint64 isolation_ended_ms;
    isolation_result_t isolation_result;
    gint64 isolation_unknown_since_ms; /* the last one that asked for anything has ended, and nobody tells what comes of it;
                                        * VERDICT_NEVER: that is told */
    const char *isolation_sentence; /* of the last attempt, or NULL */

    /* Fencing that was begun before the first record, as this host's looks at the fencer found it. */
    gboolean fencing_pending;       /* at the last look it was under way, or the fencer did not say */
    gint64 fencing_over_since_ms;   /* none is under way, and the server shows what there was; VERDICT_NEVER: not known */

    const char *stored_probes;      /* as the store remembers record->seen_probes, or NULL */
    /* Whether a host would run the image if its ticket were granted: Pacemaker's answer to this host's last question. */
    gint64 start_checked_ms;        /* VERDICT_NEVER: none yet */
    gboolean start_possible;
    const char *start_obstacle;     /* a sentence, if it is not */

    /* From the CIB. */
    const char *site_fault;         /* another machine, or another server's image, could be hit: a sentence, or NULL */
    const char *held_back;          /* what keeps the image from every host: a sentence, or NULL */
    gboolean is_paused;             /* by an operator: nothing that would lead to an isolation is begun */
    gint64 pause_end_ms;            /* when its time is over, and it is to be taken out; VERDICT_NEVER: it lasts until resumed */
    gboolean pause_begin_unknown;   /* it may have begun before, and end sooner */
    gboolean ticket_granted;
    image_view_t image;
    gint64 image_stopped_since_ms;  /* ticket not granted and image stopped, since */
} verdict_view_t;

typedef enum {
    TICKET_KEEP,
    TICKET_GRANT,
    TICKET_REVOKE,
} ticket_action_t;

/* Of server_config_t's held_takeover, in the CIB. */
typedef enum {
    HELD_KEEP,
    HELD_NOTE,
    HELD_FORGET,
} held_action_t;

/* What is to be done now. Everything but `next` may be asked for again by a new leader. */
typedef struct verdict_decision {
    gboolean change;          /* propose `next` */
    verdict_record_t next;    /* its epoch is the record's plus one; since_wall_ms is left to the caller */
    gboolean ask_round;
    gboolean check_start;     /* ask Pacemaker whether a host would run the image */
    gboolean start_isolation;
    gboolean start_look;      /* only ask whether a fencing is still under way: the server is to be let back */
    gboolean look_fencing;    /* ask the fencer what is under way, for all servers that want to know at once */
    ticket_action_t ticket;
    held_action_t held;
    gint64 wake_ms;           /* look again then at the latest, VERDICT_NEVER: when something changes */
} verdict_decision_t;

/*!
 * \brief Decide what the leader does next about one server
 *
 * To be called only on the leader, in sync, in a quorate partition.
 *
 * \param[in]  view      what is known
 * \param[out] decision  to be cleared with verdict_decision_clear()
 */
void verdict_decide(const verdict_view_t *view, verdict_decision_t *decision);
void verdict_decision_clear(verdict_decision_t *decision);

/* The record of a server that nobody has one of: it is new, or all observers were ended. */
void verdict_record_first(verdict_record_t *record, const server_config_t *config, gboolean ticket_granted);
/* TRUE if all observers were ended while an operator held the image of a takeover: it is to be taken over again, whatever
 * its original says meanwhile. */
gboolean verdict_resumes_hold(const server_config_t *config, const verdict_record_t *record);
/* TRUE if what an isolation has put on the blocklist for the server may come off. */
gboolean verdict_may_lift(const verdict_record_t *record);

/*!
 * \brief Say what keeps a server's verdict as it is, if it is not simply well
 *
 * For people: an operator's pause or hold, or a return that waits for his word.
 *
 * \return a sentence to be freed with g_free(), or NULL
 */
char *verdict_waits_for(const verdict_view_t *view);

/* What is under way with a server that an operator pauses, and that the pause does not undo; NULL: nothing. */
const char *verdict_pause_note(verdict_t verdict);
/* Likewise of a hold. */
const char *verdict_hold_note(verdict_t verdict);
/* TRUE if a server that was released is being taken over anew, or has been: the release does not hold. From the verdict and
 * its time when the release was asked for, or when the server was last seen on its way back, and from those of now. */
gboolean verdict_release_is_lost(verdict_t began, gint64 began_since_ms, verdict_t now, gint64 since_ms);
/* Why a hold would keep nothing, with what does; g_free(), or NULL. */
char *verdict_hold_refusal(verdict_t verdict, const char *server);

/*!
 * \brief Whether the server was seen up with the probes that it has now
 *
 * Until then nothing is judged by them: a mistyped port is no server that is down.
 *
 * \param[in] stored_probes  digest that the store remembers, or NULL
 */
gboolean verdict_is_seen(const server_config_t *config, const verdict_record_t *record, const char *stored_probes);

/* Whether what the server's management address says matters now: it is not healthy, or was not seen up since all observers
 * began. */
gboolean verdict_asks_management(const server_config_t *config, const verdict_record_t *record);

/*!
 * \brief Say why a request can't be granted now
 *
 * \return a sentence to be freed with g_free(), or NULL if it can
 */
char *verdict_request_refusal(verdict_request_t request, const char *server, const verdict_record_t *record);

/* Pacemaker's answer holds for so long; one that says no is asked for again that often. */
#define VERDICT_START_VALID_MS 30000
#define VERDICT_START_RETRY_MS 10000
/* How long a round waits for answers: a probe's time limit and a second for the way. */
#define VERDICT_ROUND_GRACE_MS 1000
/* Pause before the next attempt to isolate: 1 s, doubled up to this. */
#define VERDICT_ISOLATION_PAUSE_MAX_MS 30000
/* What a power switch was told before an attempt ended has taken effect by then. */
#define VERDICT_EFFECT_SHOWS_MS 5000
/* A fencing that was begun under a record that is lost holds the judgement of a server that is down up for so long: an
 * attempt that is listed for longer is one that the fencer has forgotten. */
#define VERDICT_FENCING_MAX_MS 600000
/* A start that was on its way when the ticket was revoked may show up this late. */
#define VERDICT_STOPPED_SETTLE_MS 1000
/* The original may need this much longer than recover_after to serve again. */
#define VERDICT_SERVE_GRACE_MS 30000
/* A machine whose management address comes and goes is waited for so many boots more, at most. */
#define VERDICT_BOOTS_MAX 2
/* Each failed return doubles how long the next one waits, so many times at most. */
#define VERDICT_RETURN_DOUBLINGS_MAX 6

#endif
