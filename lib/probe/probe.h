/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_PROBE_H
#define UNDERSTUDY_PROBE_H

#include <glib.h>

#include "params/probe_spec.h"

/*
 * One probe under way. Nothing here blocks: hundreds run at once in the default
 * main context. To add a type: a file probe_TYPE.c with a probe_type_ops_t, and a
 * row in probe.c.
 */
typedef struct probe probe_t;

/*
 * "Down" needs a server that was asked and is not there. What could not be asked,
 * or refuses to say, is a fault of the probe. doc/configure.md has the table.
 */
typedef enum {
    PROBE_UP,
    PROBE_DOWN,
    PROBE_UNKNOWN,
    PROBE_REFUSED, /* down, but its machine has answered: it has refused, reset, closed, or said that it can't serve */
} probe_answer_t;
#define PROBE_ANSWER_COUNT 4

/* "down" of both */
const char *probe_answer_name(probe_answer_t answer);

/* Called once, never from within probe_start(); the probe is gone afterwards. `reason` says why
 * it is not up, without secrets, and is valid during the call; NULL if it is. */
typedef void (*probe_done_fn)(probe_answer_t answer, const char *reason, gpointer user_data);

/*!
 * \brief Begin a probe
 *
 * \param[in] spec        what to ask; must live until the probe is done or cancelled
 * \param[in] timeout_ms  no answer by then is PROBE_DOWN, if it had been asked by then
 * \param[in] fresh       TRUE: over a new connection, even if one is kept from before
 */
probe_t *probe_start(const probe_spec_t *spec, guint timeout_ms, gboolean fresh, probe_done_fn done,
                     gpointer user_data);
/* Give up without calling done. */
void probe_cancel(probe_t *probe);

/* FALSE: this host has no route to the numeric address, so that "no way to the host" is its own word. A name, or NULL, is
 * taken to have one. */
gboolean probe_has_route(const char *address);

/* FALSE: a pgsql: probe with it can never ask, because it can't be read or has a name without an address. */
gboolean probe_conninfo_is_usable(const char *conninfo);

/* What time it was when this turn of the main loop began, in ms: probes need no finer clock. */
gint64 probe_now_ms(void);

/* For the types ------------------------------------------------------------------*/

typedef struct probe_type_ops {
    /* Begin: set probe->state, and return NULL; or why it can't be asked, to be g_free()d: there is no route, say. */
    char *(*start)(probe_t *probe);
    /* Let go of probe->state. Called once after every start() that returned NULL. */
    void (*stop)(probe_t *probe);
    /* Optional. The time is up: NULL if the server has been asked, or why it could not be asked. */
    const char *(*unasked)(const probe_t *probe);
} probe_type_ops_t;

struct probe {
    const probe_spec_t *spec;
    const probe_type_ops_t *ops;
    probe_done_fn done;
    gpointer user_data;
    gint64 deadline_ms;
    gboolean fresh;
    gboolean started;
    gboolean finished;
    probe_answer_t answer;
    char *reason;
    GList link;      /* in the list of those that run */
    gpointer state;  /* the type's own */
};

/* The answer is known: ops->stop() and done() follow from the main loop. The reason is copied; NULL with PROBE_UP. */
void probe_finish(probe_t *probe, probe_answer_t answer, const char *reason);

/*
 * File descriptors of probes in one epoll set of their own: GLib's main loop
 * polls all of its descriptors and looks at all of its sources at every turn,
 * which is too much for a thousand that live for a millisecond.
 */
typedef void (*probe_fd_fn)(guint32 events, gpointer user_data);
typedef struct probe_fd {
    int fd;
    probe_fd_fn ready;
    gpointer user_data;
} probe_fd_t;

/* `watch` stays the caller's and must live until probe_fd_remove(). Events as in epoll_ctl(2). */
gboolean probe_fd_add(probe_fd_t *watch, guint32 events);
gboolean probe_fd_change(probe_fd_t *watch, guint32 events);
void probe_fd_remove(probe_fd_t *watch);

extern const probe_type_ops_t probe_tcp_ops;
extern const probe_type_ops_t probe_icmp_ops;
extern const probe_type_ops_t probe_http_ops;
extern const probe_type_ops_t probe_pgsql_ops;
extern const probe_type_ops_t probe_exec_ops;

#endif
