/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_MESSAGE_H
#define UNDERSTUDY_MESSAGE_H

#include <glib.h>

#include "history.h"
#include "verdict.h"

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
    MESSAGE_HELLO = 1,  /* who I am; sent by all when the group changes, and when it changes itself */
    MESSAGE_VOTES,      /* some votes of the sender */
    MESSAGE_ASK,        /* a round: everybody probes the server at once */
    MESSAGE_ANSWER,     /* to a round */
    MESSAGE_RECORD,     /* a transition, or something noted */
    MESSAGE_EVENT,      /* for the history */
    MESSAGE_REQUEST,    /* of an operator, from any host */
    MESSAGE_SNAPSHOT,   /* the table, in one or more parts */
    MESSAGE_FORGET,     /* the server is no longer in the configuration */
} message_type_t;
#define MESSAGE_TYPE_COUNT (MESSAGE_FORGET + 1)

typedef struct message_vote {
    const char *server;
    vote_t service;
    vote_t management;
    gint64 first_miss_wall_ms; /* 0: it answers */
    const char *reason;        /* why it is down or unknown, or "" */
    guint probes_mark;         /* server_config_t's: what it was asked; 0: not told */
} message_vote_t;

typedef struct message_entry {
    char *server;
    verdict_record_t record;
    gint64 age_ms;         /* how long the verdict has lasted */
    GPtrArray *takeovers;  /* history_takeover_t*, or NULL */
} message_entry_t;

/* Which members are used depends on the type. Texts of a decoded message live as
 * long as the message does, those of an entry as long as the entry. */
typedef struct message {
    message_type_t type;
    const char *server;             /* ASK, ANSWER, RECORD, EVENT, REQUEST, FORGET */

    const char *node;               /* HELLO */
    guint64 incarnation;            /* HELLO: a number for as long as the sender keeps its table */
    guint64 version;                /* HELLO: of the sender's table */
    gboolean in_sync;               /* HELLO */
    guint ability;                  /* HELLO: what it could do as the leader, the more the higher */
    gboolean blind;                 /* HELLO, VOTES */

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

    GArray *targets;                /* SNAPSHOT: guint64, incarnations that are in sync with it */
    gboolean first;                 /* SNAPSHOT: the first part */
    gboolean last;                  /* SNAPSHOT: the last part */
    GPtrArray *entries;             /* SNAPSHOT: message_entry_t* */

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

#endif
