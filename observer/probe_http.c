/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http(s)://...: an answer of 2xx or 3xx, whose redirection is not followed: the server has answered. */
#include <libsoup/soup.h>

#include "probe.h"

#define CONNECTIONS_MAX 2048
#define IDLE_TIMEOUT_S  10

typedef struct {
    probe_t *probe; /* NULL: it has been stopped */
    SoupMessage *message;
    GCancellable *cancellable;
    gboolean ended; /* on_sent() has come */
} http_state_t;

static SoupSession *get_session(void)
{
    static SoupSession *session;

    if (session == NULL) {
        /* No proxy, whatever the environment says: it is the server that is to answer. */
        session = soup_session_new_with_options("max-conns", CONNECTIONS_MAX, "max-conns-per-host", 8,
                                                "idle-timeout", IDLE_TIMEOUT_S, "user-agent", "understudy",
                                                "proxy-resolver", NULL, NULL);
    }
    return session;
}

static void state_free(http_state_t *state)
{
    g_object_unref(state->cancellable);
    g_object_unref(state->message);
    g_free(state);
}

/* Comes once for every request, after http_stop() too. */
static void on_sent(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GInputStream) stream = soup_session_send_finish(SOUP_SESSION(source), result, NULL);
    http_state_t *state = user_data;
    guint status = soup_message_get_status(state->message);

    state->ended = TRUE;
    if (state->probe != NULL) {
        probe_finish(state->probe, stream != NULL && status >= 200 && status < 400);
        return; /* http_stop() follows */
    }
    state_free(state);
}

static gboolean http_start(probe_t *probe)
{
    SoupMessage *message = soup_message_new(SOUP_METHOD_GET, probe->spec->target);
    http_state_t *state = NULL;

    if (message == NULL) {
        return FALSE;
    }
    soup_message_add_flags(message, SOUP_MESSAGE_NO_REDIRECT | (probe->fresh ? SOUP_MESSAGE_NEW_CONNECTION : 0));
    state = g_new0(http_state_t, 1);
    state->probe = probe;
    state->message = message;
    state->cancellable = g_cancellable_new();
    probe->state = state;
    soup_session_send_async(get_session(), message, G_PRIORITY_DEFAULT, state->cancellable, on_sent, state);
    return TRUE;
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

const probe_type_ops_t probe_http_ops = { http_start, http_stop };
