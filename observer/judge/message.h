/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_MESSAGE_H
#define UNDERSTUDY_MESSAGE_H

#include <glib.h>

#include "judge/history.h"
#include "judge/verdict.h"

/*
 * What the observers multicast to their CPG group. Pure.
 *
 * A message is GLib's GVariant serialization, little endian: a version, a type
 * and a dictionary (a{sv}). A record, a vote, an entry of a snapshot and an
 * event are dictionaries of their own. So all of them can grow while hosts are
 * upgraded one by one:
 * - a key that the reader does not know is ignored;
 * - a key that is missing has its default: zero, FALSE or no text. A default is
 *   never sent. Choose the meaning of a new field so that its default is what
 *   an observer that does not know it does.
 * - a vote that the reader does not know is VOTE_NONE: neither up nor down. A
 *   verdict or a request that it does not know makes the message unusable.
 * A new field is a member of its structure and a row in message.c's tables.
 */
typedef enum {
    MESSAGE_HELLO = 1,   /* who I am and what table I have; sent by all when the group changes, and when it changes itself */
    MESSAGE_AGREE,       /* in this ring the table that has this stamp is the table */
    MESSAGE_WANT,        /* the sender is out of sync and asks one member for its table */
    MESSAGE_SNAPSHOT,    /* a part of the table as it was when it was asked for */
    MESSAGE_PULSE,       /* the sender is awake; what its table was at its last pulse */
    MESSAGE_SILENT,      /* a member has said nothing for long: it does not lead */
    MESSAGE_VOTES,       /* some votes of the sender */
    MESSAGE_ASK,         /* a round: everybody probes the server at once */
    MESSAGE_ANSWER,      /* to a round */
    MESSAGE_RECORD,      /* a transition, or something noted */
    MESSAGE_EVENT,       /* for the history */
    MESSAGE_REQUEST,     /* of an operator, from any host */
    MESSAGE_FORGET,      /* the server is no longer in the configuration */
    MESSAGE_HISTORY_ASK, /* digests of the histories that the sender has: one member sends it what is missing */
    MESSAGE_HISTORY,     /* takeovers of one server */
} message_type_t;
#define MESSAGE_TYPE_COUNT (MESSAGE_HISTORY + 1)

/* Longer texts are cut when they are sent, so that a table has a size that is known. */
#define MESSAGE_TEXT_MAX_BYTES 500

/* Which of two tables is the newer one, and whether two are the same: see group.h. */
typedef struct message_stamp {
    guint64 generation; /* the last ring with quorum in which the table was agreed on; 0: there is none */
    guint64 version;    /* grows with each change of it since */
    guint64 digest;     /* of its content */
} message_stamp_t;

typedef struct message_vote {
    const char *server;
    vote_t service;
    vote_t management;
    gint64 first_miss_wall_ms; /* 0: it answers */
    const char *reason;        /* why it is down or unknown, or "" */
    guint probes_mark;         /* server_config_t's: what it was asked; 0: not told */
    gint64 pause_from_ms;      /* which pause the sender keeps, as in server_config_t; it may be over */
    gint64 paused_until_ms;    /* 0: none */
} message_vote_t;

typedef struct message_entry {
    char *server;
    verdict_record_t record;
    gint64 age_ms;         /* how long the verdict has lasted */
    verdict_request_t request; /* of an operator, not yet carried out */
    history_takeover_t *takeover; /* that is under way, or NULL */
    gint64 pause_from_ms;  /* which pause the sender keeps, as in server_config_t */
    gint64 paused_until_ms; /* 0: none */
    gint64 pause_rest_ms;  /* how much longer it lasts; 0: it is over, or lasts until it is resumed */
    gboolean pause_begin_known;
} message_entry_t;

typedef struct message_history {
    const char *server;
    guint64 digest; /* of what happened, see history_digest() */
} message_history_t;

/* Which members are used depends on the type. Texts of a decoded message live as
 * long as the message does, those of an entry as long as the entry. */
typedef struct message {
    message_type_t type;
    const char *server;             /* ASK, ANSWER, RECORD, EVENT, REQUEST, FORGET, HISTORY */
    guint64 serial;                 /* VOTES, SNAPSHOT, HISTORY_ASK, HISTORY: the sender's own count of what is paced */
    guint32 member;                 /* WANT, HISTORY_ASK: who is asked; SILENT: who it is */
    message_stamp_t stamp;          /* HELLO, AGREE, SNAPSHOT: of the table; ASK, RECORD, FORGET: the generation alone */
    guint64 incarnation;            /* HELLO, PULSE, SILENT: a number for as long as the process lives */

    const char *node;               /* HELLO */
    guint64 ring;                   /* HELLO, AGREE: as the sender knows it */
    guint64 known;                  /* HELLO: the last generation that an observer of this host has agreed on */
    gboolean in_sync;               /* HELLO */
    guint ability;                  /* HELLO: what it could do as the leader, the more the higher */
    gboolean asks_who;              /* HELLO: the sender lacks somebody's */
    gboolean blind;                 /* HELLO, VOTES */

    guint64 want;                   /* WANT, SNAPSHOT: tells one question from the next */
    guint32 part;                   /* SNAPSHOT: its number, from 0 */
    gboolean last;                  /* SNAPSHOT: the last part */
    GPtrArray *entries;             /* SNAPSHOT: message_entry_t* */

    guint64 pulse;                  /* PULSE: its number */
    guint64 checked;                /* PULSE: an earlier pulse, 0: none */
    guint64 digest;                 /* PULSE: of the sender's table when that pulse came back to it */

    GArray *votes;                  /* VOTES: message_vote_t */

    guint64 epoch;                  /* ASK, ANSWER */
    guint32 round;                  /* ASK, ANSWER */
    vote_t service;                 /* ANSWER */
    vote_t management;              /* ANSWER */
    guint probes_mark;              /* ANSWER: as in a vote */

    verdict_record_t record;        /* RECORD */

    const char *event;              /* EVENT */
    gint64 at_ms;                   /* EVENT */
    const char *host;               /* EVENT */
    const char *detail;             /* EVENT */

    verdict_request_t request;      /* REQUEST */
    guint64 request_id;             /* REQUEST: tells the sender which question it answers */

    GArray *histories;              /* HISTORY_ASK: message_history_t */
    GPtrArray *takeovers;           /* HISTORY: history_takeover_t* */

    GVariant *body;                 /* of a decoded message: holds its texts */
} message_t;

GBytes *message_encode(const message_t *message);

/*!
 * \brief Read a message from another host, which may be of another version or damaged
 *
 * \param[out] error  UNDERSTUDY_ERROR_FAILED with a sentence
 * \return message, to be freed with message_free(), or NULL
 */
message_t *message_decode(gconstpointer data, gsize size_bytes, GError **error);
void message_free(message_t *message);

message_entry_t *message_entry_new(const char *server, const verdict_record_t *record, gint64 age_ms);
void message_entry_free(message_entry_t *entry);

/* A number that two tables (or two records) of the same content have in common: every field of a record is in it.
 * Members of two releases that send different fields would never agree; a release that adds one and can run beside
 * the one before leaves it out of the digest. */
void message_record_digest(const verdict_record_t *record, GChecksum *sum);
guint64 message_digest_end(GChecksum *sum);

#endif
