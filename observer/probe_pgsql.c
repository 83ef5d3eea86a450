/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pgsql:CONNINFO: a query is answered. libpq's non-blocking calls only: PostgreSQL's manual, "Asynchronous
 * Command Processing" and PQconnectStartParams(). */
#include <gio/gio.h>
#include <libpq-fe.h>
#include <string.h>
#include <sys/epoll.h>

#include "probe.h"

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

static connection_t *connection_new(const char *conninfo)
{
    /* What stands later wins: the operator's own conninfo over our defaults. */
    static const char *const keywords[] = { "gssencmode", "fallback_application_name", "dbname", NULL };
    const char *const values[] = { "disable", "understudy", conninfo, NULL };
    connection_t *connection = NULL;
    PGconn *pg = NULL;

    if (needs_lookup(conninfo)) {
        return NULL;
    }
    pg = PQconnectStartParams(keywords, values, 1);
    if (pg == NULL || PQstatus(pg) == CONNECTION_BAD) {
        PQfinish(pg);
        return NULL;
    }
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
        PQclear(result);
        if (PQisBusy(pg)) {
            break;
        }
    }
    if (!answered) {
        return FALSE;
    }
    state->is_good = PQtransactionStatus(pg) == PQTRANS_IDLE;
    probe_finish(probe, TRUE);
    return TRUE;
}

/* A server that was restarted has closed the connection from before: that is no miss. */
static gboolean start_anew(const probe_t *probe, pgsql_state_t *state)
{
    connection_t *connection = connection_new(probe->spec->target);

    state->was_kept = FALSE;
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
    goes_on = state->is_connected ? go_on_reading(probe, state) : go_on_connecting(state);
    if (!goes_on && state->was_kept) {
        goes_on = start_anew(probe, state);
    }
    if (!goes_on) {
        watch_none(state);
        probe_finish(probe, FALSE);
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
    g_free(state);
}

static gboolean pgsql_start(probe_t *probe)
{
    pgsql_state_t *state = NULL;
    connection_t *connection = take_kept(probe);
    gboolean was_kept = connection != NULL;
    gboolean goes_on = FALSE;

    if (connection == NULL) {
        connection = connection_new(probe->spec->target);
    }
    if (connection == NULL) {
        return FALSE;
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
        pgsql_stop(probe);
    }
    return goes_on;
}

const probe_type_ops_t probe_pgsql_ops = { pgsql_start, pgsql_stop };
