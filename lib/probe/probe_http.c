/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http(s)://...: an answer of 2xx or 3xx, whose redirection is not followed: the server has answered. 5xx is its own
 * word that it can't serve; any other answer says that the question was wrong, not that nobody is there. */
#include <libsoup/soup.h>

#include "probe/probe.h"

#define CONNECTIONS_MAX 2048
#define IDLE_TIMEOUT_S  10

typedef struct {
    probe_t *probe; /* NULL: it has been stopped */
    SoupMessage *message;
    GCancellable *cancellable;
    gboolean ended; /* on_sent() has come */
    gboolean asked; /* the server itself: its address is known, or a connection was kept */
    gboolean looked_up;
} http_state_t;

/* Statuses of 500 and more that are not the server's word on itself. */
static const guint foreign_statuses[] = {
    501, /* it does not know GET */
    505, /* it does not know this version of HTTP */
    511, /* a network that wants a login has answered in its place */
};

static probe_answer_t judge_status(guint status)
{
    if (status >= 200 && status < 400) {
        return PROBE_UP;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(foreign_statuses); i++) {
        if (status == foreign_statuses[i]) {
            return PROBE_UNKNOWN;
        }
    }
    return status >= 500 && status < 600 ? PROBE_REFUSED : PROBE_UNKNOWN;
}

/* Errors that tell of a server that was asked and is not there. */
static const struct {
    gint code;
    probe_answer_t answer;
} down_errors[] = {
    { G_IO_ERROR_CONNECTION_REFUSED, PROBE_REFUSED }, { G_IO_ERROR_CONNECTION_CLOSED, PROBE_REFUSED },
    { G_IO_ERROR_PARTIAL_INPUT, PROBE_REFUSED },      { G_IO_ERROR_TIMED_OUT, PROBE_DOWN },
    { G_IO_ERROR_HOST_UNREACHABLE, PROBE_DOWN },
};

static probe_answer_t judge_error(const probe_spec_t *spec, const GError *error)
{
    g_autofree char *host = probe_spec_host(spec);

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE) && !probe_has_route(host)) {
        return PROBE_UNKNOWN;
    }
    if (g_error_matches(error, G_TLS_ERROR, G_TLS_ERROR_EOF)
        || g_error_matches(error, SOUP_SESSION_ERROR, SOUP_SESSION_ERROR_TOO_MANY_RESTARTS)) {
        return PROBE_REFUSED; /* closed in the middle; closed again and again */
    }
    for (gsize i = 0; error->domain == G_IO_ERROR && i < G_N_ELEMENTS(down_errors); i++) {
        if (error->code == down_errors[i].code) {
            return down_errors[i].answer;
        }
    }
    return PROBE_UNKNOWN; /* a name, a certificate, no route, no HTTP */
}

/* A session keeps the addresses of a name for ever while it is used: one for names lasts so long. */
#define NAMES_KEEP_MS   10000

static SoupSession *session_new(void)
{
    /* No proxy, whatever the environment says: it is the server that is to answer. */
    return soup_session_new_with_options("max-conns", CONNECTIONS_MAX, "max-conns-per-host", 8, "idle-timeout",
                                         IDLE_TIMEOUT_S, "user-agent", "understudy", "proxy-resolver", NULL, NULL);
}

static SoupSession *get_session(SoupMessage *message)
{
    static SoupSession *for_addresses;
    static SoupSession *for_names;
    static gint64 for_names_until_ms;

    if (g_hostname_is_ip_address(g_uri_get_host(soup_message_get_uri(message)))) {
        if (for_addresses == NULL) {
            for_addresses = session_new();
        }
        return for_addresses;
    }
    if (for_names == NULL || probe_now_ms() >= for_names_until_ms) {
        g_clear_object(&for_names); /* requests that are under way hold it */
        for_names = session_new();
        for_names_until_ms = probe_now_ms() + NAMES_KEEP_MS;
    }
    return for_names;
}

static void state_free(http_state_t *state)
{
    g_signal_handlers_disconnect_by_data(state->message, state);
    g_object_unref(state->cancellable);
    g_object_unref(state->message);
    g_free(state);
}

static void finish_sent(probe_t *probe, guint status, const GError *error)
{
    g_autofree char *reason = NULL;
    probe_answer_t answer = PROBE_UNKNOWN;

    if (error != NULL) {
        probe_finish(probe, judge_error(probe->spec, error), error->message);
        return;
    }
    answer = judge_status(status);
    reason = answer != PROBE_UP ? g_strdup_printf("HTTP status %u", status) : NULL;
    probe_finish(probe, answer, reason);
}

/* Comes once for every request, after http_stop() too. */
static void on_sent(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GInputStream) stream G_GNUC_UNUSED = soup_session_send_finish(SOUP_SESSION(source), result, &error);
    http_state_t *state = user_data;

    state->ended = TRUE;
    if (state->probe != NULL) {
        finish_sent(state->probe, soup_message_get_status(state->message), error);
        return; /* http_stop() follows */
    }
    state_free(state);
}

static void on_network_event(SoupMessage *message, GSocketClientEvent event, GIOStream *stream, gpointer user_data)
{
    http_state_t *state = user_data;

    (void) message;
    (void) stream;
    state->looked_up = state->looked_up || event == G_SOCKET_CLIENT_RESOLVING;
    state->asked = state->asked || event == G_SOCKET_CLIENT_CONNECTING;
}

static void on_starting(SoupMessage *message, gpointer user_data)
{
    (void) message;
    ((http_state_t *) user_data)->asked = TRUE;
}

static const char *http_unasked(const probe_t *probe)
{
    const http_state_t *state = probe->state;

    if (state->asked) {
        return NULL;
    }
    return state->looked_up ? "its name was not looked up in time: no name server answers"
                            : "no connection was free in time";
}

static char *http_start(probe_t *probe)
{
    SoupMessage *message = soup_message_new(SOUP_METHOD_GET, probe->spec->target);
    http_state_t *state = NULL;

    if (message == NULL) {
        return g_strdup("its URL can't be read");
    }
    soup_message_add_flags(message, SOUP_MESSAGE_NO_REDIRECT | (probe->fresh ? SOUP_MESSAGE_NEW_CONNECTION : 0));
    state = g_new0(http_state_t, 1);
    state->probe = probe;
    state->message = message;
    state->cancellable = g_cancellable_new();
    probe->state = state;
    g_signal_connect(message, "network-event", G_CALLBACK(on_network_event), state);
    g_signal_connect(message, "starting", G_CALLBACK(on_starting), state);
    soup_session_send_async(get_session(message), message, G_PRIORITY_DEFAULT, state->cancellable, on_sent, state);
    return NULL;
}

static void http_stop(probe_t *probe)
{
    http_state_t *state = probe->state;

    state->probe = NULL;
    if (state->ended) {
        state_free(state);
    } else {
        g_cancellable_cancel(state->cancellable);
    }
}

const probe_type_ops_t probe_http_ops = { http_start, http_stop, http_unasked };
