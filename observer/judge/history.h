/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_HISTORY_H
#define UNDERSTUDY_HISTORY_H

#include <glib.h>
#include <json-glib/json-glib.h>

/*
 * What happened to one server: its last takeovers, each a list of events in
 * order. Pure. A doubt that passes without isolation is no takeover and is dropped.
 */
typedef struct history_event {
    char *event;    /* first_miss, suspect, doubted, isolating, isolated, granted, started, answering, ... */
    gint64 at_ms;   /* Unix time */
    char *host;     /* or "" */
    char *detail;   /* or "" */
} history_event_t;

typedef struct history_takeover {
    GPtrArray *events; /* history_event_t* */
    gboolean latched;  /* isolation was begun */
    gboolean closed;   /* nothing more can happen in it */
} history_takeover_t;

#define HISTORY_TAKEOVERS_MAX 20
#define HISTORY_EVENTS_MAX    64

typedef struct history history_t;

history_t *history_new(void);
void history_free(history_t *history);

/*!
 * \brief Add an event
 *
 * \return FALSE if it is known already (same event on the same host in this
 *         takeover) or belongs to no takeover
 */
gboolean history_add(history_t *history, const char *event, gint64 at_ms, const char *host, const char *detail);

/* Nothing more can happen in the takeover that was under way, if there was one. */
void history_close(history_t *history);

/* TRUE if the takeover that is under way has the event, on that host if it is not NULL. */
gboolean history_has(const history_t *history, const char *event, const char *host);

/* history_takeover_t*, oldest first; the history's own. */
const GPtrArray *history_takeovers(const history_t *history);

/* A whole takeover, as a file has it: takes the takeover over. */
void history_append_takeover(history_t *history, history_takeover_t *takeover);

/*!
 * \brief Add what another member knows of a takeover
 *
 * \param[in] takeover  taken over
 * \param[in] added     called for each event that was not known, or NULL
 */
typedef void (*history_added_fn)(gint64 started_ms, const history_event_t *event, gpointer user_data);
void history_merge(history_t *history, history_takeover_t *takeover, history_added_fn added, gpointer user_data);

/* The takeover that is under way, or NULL; the history's own. */
const history_takeover_t *history_current(const history_t *history);

/* As history_merge() with the takeover that is under way as another member has it, which is the only one; NULL: none is. */
void history_resume(history_t *history, history_takeover_t *takeover, history_added_fn added, gpointer user_data);

history_takeover_t *history_takeover_copy(const history_takeover_t *takeover);

/* A number that two histories in which the same happened have in common; 0: nothing happened. */
guint64 history_digest(const history_t *history);

history_takeover_t *history_takeover_new(void);
void history_takeover_free(history_takeover_t *takeover);
void history_takeover_append(history_takeover_t *takeover, const char *event, gint64 at_ms, const char *host,
                             const char *detail);

/* [{"events":[{"event","at_ms","host"?,"detail"?}]}] for takeovers that reached isolation. */
JsonArray *history_to_json(const history_t *history);

#endif
