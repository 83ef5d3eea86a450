/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pgsql:CONNINFO: a query is answered. Refused, closed or silent is down; a server that gives an error is there, unless
 * the error says that it is broken. libpq's non-blocking calls only: PostgreSQL's manual, "Asynchronous Command
 * Processing" and PQconnectStartParams(). */
#include <errno.h>
#include <gio/gio.h>
#include <libpq-fe.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "probe/probe.h"

#define QUERY "SELECT 1"
/* A connection is kept for the next probe, which is cheaper for both; but a server
 * that no longer accepts connections must be found out soon. */
#define CONNECTION_KEEP_MS 10000

typedef struct connection {
    PGconn *pg;
    gint64 opened_ms;
} connection_t;

typedef struct {
    connection_t *connection;
    probe_fd_t watch;
    gboolean is_watched;
    gboolean was_kept;
    gboolean is_connected;
    gboolean is_good;      /* answered: keep the connection */
    gboolean has_spoken;   /* the last thing that came was data, no end of the connection */
    char *why_not;         /* a kept connection was gone, and a new one can't be made */
} pgsql_state_t;

static GHashTable *kept; /* conninfo -> connection_t*: idle ones */

static void connection_free(connection_t *connection)
{
    PQfinish(connection->pg);
    g_free(connection);
}

static connection_t *take_kept(const probe_t *probe)
{
    connection_t *connection = NULL;
    char *conninfo = NULL;

    if (kept == NULL || !g_hash_table_steal_extended(kept, probe->spec->target, (gpointer *) &conninfo,
                                                     (gpointer *) &connection)) {
        return NULL;
    }
    g_free(conninfo);
    if (probe->fresh || probe_now_ms() > connection->opened_ms + CONNECTION_KEEP_MS) {
        connection_free(connection);
        return NULL;
    }
    return connection;
}

static void keep(const probe_t *probe, connection_t *connection)
{
    if (kept == NULL) {
        kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) connection_free);
    }
    g_hash_table_replace(kept, g_strdup(probe->spec->target), connection);
}

/* Judging ---------------------------------------------------------------------*/

/* Classes of SQLSTATE with which a server says that it is broken itself. With any other error (a login, a database, too
 * many connections, a start that is under way) it is there: what starts says so, and what ends is refused soon. */
static const char *const broken_classes[] = { "58", "XX" };

static gboolean is_broken(const char *sqlstate)
{
    for (gsize i = 0; i < G_N_ELEMENTS(broken_classes); i++) {
        if (g_str_has_prefix(sqlstate, broken_classes[i])) {
            return TRUE;
        }
    }
    return FALSE;
}

/* "FATAL:  28P01: password authentication failed", among others, in libpq's verbose messages. */
static char *find_error(const char *message, char **sqlstate)
{
    g_autoptr(GRegex) regex = g_regex_new("^.*: {2}([0-9A-Z]{5}): (.*)$", G_REGEX_MULTILINE | G_REGEX_RAW, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;

    if (!g_regex_match(regex, message, 0, &match)) {
        return NULL;
    }
    *sqlstate = g_match_info_fetch(match, 1);
    return g_match_info_fetch(match, 2);
}

/* libpq has only words for what the network says. Whatever else ended a connection, its machine has answered. */
static gboolean is_silence(const char *message)
{
    static const int codes[] = { EHOSTUNREACH, ETIMEDOUT, EHOSTDOWN, ENETUNREACH };

    for (gsize i = 0; i < G_N_ELEMENTS(codes); i++) {
        if (strstr(message, g_strerror(codes[i])) != NULL) {
            return TRUE;
        }
    }
    return FALSE;
}

/* No SQLSTATE comes with a connection that libpq could not make or lost. */
static void finish_failed(probe_t *probe)
{
    const pgsql_state_t *state = probe->state;
    const char *message = PQerrorMessage(state->connection->pg);
    g_autofree char *sqlstate = NULL;
    g_autofree char *reason = find_error(message, &sqlstate);

    if (state->why_not != NULL) {
        probe_finish(probe, PROBE_UNKNOWN, state->why_not);
        return;
    }
    if (sqlstate != NULL) {
        probe_finish(probe, is_broken(sqlstate) ? PROBE_REFUSED : PROBE_UNKNOWN, reason);
        return;
    }
    reason = g_strchomp(g_strdup(message));
    /* It has said something that this client can't go on with: a password is asked for, no TLS, a certificate. */
    probe_finish(probe, state->has_spoken ? PROBE_UNKNOWN : is_silence(message) ? PROBE_DOWN : PROBE_REFUSED, reason);
}

/* Looks without taking: libpq tells an end of the connection from a refusal by words alone. Not while it connects,
 * because that would take the error away from it. */
static void look_at_socket(pgsql_state_t *state)
{
    char byte = 0;

    if (PQstatus(state->connection->pg) != CONNECTION_STARTED) {
        ssize_t size_bytes = recv(PQsocket(state->connection->pg), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

        state->has_spoken = size_bytes > 0 || (size_bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)
                                               && state->has_spoken);
    }
}

/* Connections -----------------------------------------------------------------*/

/* libpq looks names up with getaddrinfo(), which blocks. */
static gboolean needs_lookup(const char *conninfo)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    gboolean has_address = FALSE;
    gboolean has_name = FALSE;

    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (option->val == NULL || option->val[0] == '\0') {
            continue;
        }
        if (strcmp(option->keyword, "hostaddr") == 0) {
            has_address = TRUE;
        } else if (strcmp(option->keyword, "host") == 0) {
            has_name = option->val[0] != '/' && !g_hostname_is_ip_address(option->val);
        }
    }
    PQconninfoFree(options);
    return options == NULL || (has_name && !has_address);
}

gboolean probe_conninfo_is_usable(const char *conninfo)
{
    return !needs_lookup(conninfo);
}

/* NULL, and why it can't be asked. */
static connection_t *connection_new(const char *conninfo, char **why_not)
{
    /* What stands later wins: the operator's own conninfo over our defaults. */
    static const char *const keywords[] = { "gssencmode", "fallback_application_name", "dbname", NULL };
    const char *const values[] = { "disable", "understudy", conninfo, NULL };
    connection_t *connection = NULL;
    PGconn *pg = NULL;

    if (needs_lookup(conninfo)) {
        *why_not = g_strdup("its conninfo can't be read, or has a name: give its address as hostaddr=");
        return NULL;
    }
    pg = PQconnectStartParams(keywords, values, 1);
    if (pg == NULL || PQstatus(pg) == CONNECTION_BAD) {
        *why_not = g_strchomp(g_strdup(pg != NULL ? PQerrorMessage(pg) : "no memory"));
        PQfinish(pg);
        return NULL;
    }
    PQsetErrorVerbosity(pg, PQERRORS_VERBOSE); /* with the SQLSTATE, which is the same in all languages */
    connection = g_new0(connection_t, 1);
    connection->pg = pg;
    connection->opened_ms = probe_now_ms();
    return connection;
}

static void watch_none(pgsql_state_t *state)
{
    if (state->is_watched) {
        probe_fd_remove(&state->watch);
        state->is_watched = FALSE;
    }
}

/* libpq may change its socket while it connects. */
static gboolean watch_for(pgsql_state_t *state, guint32 events)
{
    int fd = PQsocket(state->connection->pg);

    if (fd < 0) {
        return FALSE;
    }
    if (state->is_watched && state->watch.fd == fd && probe_fd_change(&state->watch, events)) {
        return TRUE;
    }
    state->watch.fd = fd;
    state->is_watched = probe_fd_add(&state->watch, events) || probe_fd_change(&state->watch, events);
    return state->is_watched;
}

static gboolean send_query(pgsql_state_t *state)
{
    state->is_connected = TRUE;
    return PQsetnonblocking(state->connection->pg, 1) == 0 && PQsendQuery(state->connection->pg, QUERY) == 1
           && watch_for(state, PQflush(state->connection->pg) == 1 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* FALSE: it has failed. */
static gboolean go_on_connecting(pgsql_state_t *state)
{
    switch (PQconnectPoll(state->connection->pg)) {
        case PGRES_POLLING_READING:
            return watch_for(state, EPOLLIN);
        case PGRES_POLLING_WRITING:
            return watch_for(state, EPOLLOUT);
        case PGRES_POLLING_OK:
            return send_query(state);
        default:
            return FALSE;
    }
}

static gboolean go_on_reading(probe_t *probe, pgsql_state_t *state)
{
    PGconn *pg = state->connection->pg;
    gboolean answered = FALSE;
    PGresult *result = NULL;

    if (PQflush(pg) < 0 || PQconsumeInput(pg) != 1) {
        return FALSE;
    }
    if (PQisBusy(pg)) {
        return watch_for(state, EPOLLIN);
    }
    while ((result = PQgetResult(pg)) != NULL) {
        answered = PQresultStatus(result) == PGRES_TUPLES_OK;
        PQclear(result); /* what it says of an error is the connection's message, too */
        if (PQisBusy(pg)) {
            break;
        }
    }
    if (!answered) {
        return FALSE;
    }
    state->is_good = PQtransactionStatus(pg) == PQTRANS_IDLE;
    probe_finish(probe, PROBE_UP, NULL);
    return TRUE;
}

/* A server that was restarted has closed the connection from before: that is no miss. */
static gboolean start_anew(const probe_t *probe, pgsql_state_t *state)
{
    connection_t *connection = connection_new(probe->spec->target, &state->why_not);

    state->was_kept = FALSE;
    state->has_spoken = FALSE;
    state->is_connected = FALSE;
    if (connection == NULL) {
        return FALSE;
    }
    watch_none(state);
    connection_free(state->connection);
    state->connection = connection;
    return watch_for(state, EPOLLOUT);
}

static void on_ready(guint32 events, gpointer user_data)
{
    probe_t *probe = user_data;
    pgsql_state_t *state = probe->state;
    gboolean goes_on = FALSE;

    (void) events;
    if (probe->finished) {
        return;
    }
    look_at_socket(state);
    goes_on = state->is_connected ? go_on_reading(probe, state) : go_on_connecting(state);
    if (!goes_on && state->was_kept) {
        goes_on = start_anew(probe, state);
    }
    if (!goes_on) {
        watch_none(state);
        finish_failed(probe);
    }
}

static void pgsql_stop(probe_t *probe)
{
    pgsql_state_t *state = probe->state;

    watch_none(state);
    if (state->is_good) {
        keep(probe, state->connection);
    } else {
        connection_free(state->connection);
    }
    g_free(state->why_not);
    g_free(state);
}

static char *pgsql_start(probe_t *probe)
{
    pgsql_state_t *state = NULL;
    connection_t *connection = take_kept(probe);
    gboolean was_kept = connection != NULL;
    gboolean goes_on = FALSE;
    char *why_not = NULL;

    if (connection == NULL) {
        connection = connection_new(probe->spec->target, &why_not);
    }
    if (connection == NULL) {
        return why_not;
    }
    state = g_new0(pgsql_state_t, 1);
    state->connection = connection;
    state->was_kept = was_kept;
    state->watch = (probe_fd_t) { .fd = -1, .ready = on_ready, .user_data = probe };
    probe->state = state;
    goes_on = was_kept ? send_query(state) : watch_for(state, EPOLLOUT);
    if (!goes_on && was_kept) {
        goes_on = start_anew(probe, state);
    }
    if (!goes_on) {
        why_not = g_strdup(state->why_not != NULL ? state->why_not : "its socket can't be watched");
        pgsql_stop(probe);
        return why_not;
    }
    return NULL;
}

const probe_type_ops_t probe_pgsql_ops = { pgsql_start, pgsql_stop, NULL };
