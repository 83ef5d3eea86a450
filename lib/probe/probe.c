/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/probe.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Deadlines are looked at this often; a tick is cheap, a timer for each probe is not. */
#define TICK_MS 50
#define EVENTS_PER_TURN 64

static const probe_type_ops_t *const types[] = {
    [PROBE_TCP] = &probe_tcp_ops,
    [PROBE_ICMP] = &probe_icmp_ops,
    [PROBE_HTTP] = &probe_http_ops,
    [PROBE_PGSQL] = &probe_pgsql_ops,
    [PROBE_EXEC] = &probe_exec_ops,
};

static GQueue running = G_QUEUE_INIT;   /* probe_t*, through their own links */
static GQueue finished = G_QUEUE_INIT;
static guint tick_source;
static guint finish_source;
static int epoll_fd = -1;

const char *probe_answer_name(probe_answer_t answer)
{
    static const char *const names[PROBE_ANSWER_COUNT] = {
        [PROBE_UP] = "up", [PROBE_DOWN] = "down", [PROBE_UNKNOWN] = "unknown", [PROBE_REFUSED] = "down",
    };

    return names[answer];
}

/* To connect a socket of UDP sends nothing: it only looks the route up. */
gboolean probe_has_route(const char *address)
{
    g_autoptr(GSocketAddress) to = address != NULL ? g_inet_socket_address_new_from_string(address, 9) : NULL;
    g_autoptr(GSocket) socket = to != NULL ? g_socket_new(g_socket_address_get_family(to), G_SOCKET_TYPE_DATAGRAM,
                                                          G_SOCKET_PROTOCOL_UDP, NULL)
                                           : NULL;

    return socket == NULL || g_socket_connect(socket, to, NULL, NULL);
}

gint64 probe_now_ms(void)
{
    GSource *source = g_main_current_source();

    return (source != NULL ? g_source_get_time(source) : g_get_monotonic_time()) / 1000;
}

static void probe_free(probe_t *probe)
{
    if (probe->started) {
        probe->ops->stop(probe);
    }
    g_free(probe->reason);
    g_free(probe);
}

static gboolean call_finished(gpointer user_data)
{
    (void) user_data;
    finish_source = 0;
    while (!g_queue_is_empty(&finished)) {
        probe_t *probe = g_queue_pop_head_link(&finished)->data;
        probe_done_fn done = probe->done;
        gpointer done_data = probe->user_data;
        probe_answer_t answer = probe->answer;
        g_autofree char *reason = g_steal_pointer(&probe->reason);

        probe_free(probe);
        done(answer, reason, done_data);
    }
    return G_SOURCE_REMOVE;
}

void probe_finish(probe_t *probe, probe_answer_t answer, const char *reason)
{
    if (probe->finished) {
        return;
    }
    probe->finished = TRUE;
    probe->answer = answer;
    probe->reason = g_strdup(reason);
    g_queue_unlink(&running, &probe->link);
    g_queue_push_tail_link(&finished, &probe->link);
    if (finish_source == 0) {
        finish_source = g_idle_add_full(G_PRIORITY_DEFAULT, call_finished, NULL, NULL);
    }
}

/* Silence counts as down only of a server that was asked. */
static void finish_overdue(probe_t *probe)
{
    const char *unasked = probe->ops->unasked != NULL ? probe->ops->unasked(probe) : NULL;

    probe_finish(probe, unasked != NULL ? PROBE_UNKNOWN : PROBE_DOWN,
                 unasked != NULL ? unasked : "no answer in time");
}

static gboolean on_tick(gpointer user_data)
{
    gint64 now_ms = probe_now_ms();
    GList *next = NULL;

    (void) user_data;
    for (GList *link = running.head; link != NULL; link = next) {
        probe_t *probe = link->data;

        next = link->next;
        if (now_ms >= probe->deadline_ms) {
            finish_overdue(probe);
        }
    }
    if (g_queue_is_empty(&running)) {
        tick_source = 0;
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

probe_t *probe_start(const probe_spec_t *spec, guint timeout_ms, gboolean fresh, probe_done_fn done,
                     gpointer user_data)
{
    probe_t *probe = g_new0(probe_t, 1);
    g_autofree char *why_not = NULL;

    probe->spec = spec;
    probe->ops = types[spec->type];
    probe->done = done;
    probe->user_data = user_data;
    probe->fresh = fresh;
    probe->deadline_ms = probe_now_ms() + timeout_ms;
    probe->link.data = probe;
    g_queue_push_tail_link(&running, &probe->link);
    if (tick_source == 0) {
        /* Below the descriptors: an answer that has arrived counts, even if it is read late. */
        tick_source = g_timeout_add_full(G_PRIORITY_DEFAULT + 10, TICK_MS, on_tick, NULL, NULL);
    }
    why_not = probe->ops->start(probe);
    probe->started = why_not == NULL;
    if (why_not != NULL) {
        probe_finish(probe, PROBE_UNKNOWN, why_not);
    }
    return probe;
}

void probe_cancel(probe_t *probe)
{
    g_queue_unlink(probe->finished ? &finished : &running, &probe->link);
    probe_free(probe);
}

/* Descriptors -------------------------------------------------------------------*/

static gboolean on_epoll_ready(gint fd, GIOCondition condition, gpointer user_data)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(fd, events, EVENTS_PER_TURN, 0);

    (void) condition;
    (void) user_data;
    for (int i = 0; i < count; i++) {
        probe_fd_t *watch = events[i].data.ptr;

        watch->ready(events[i].events, watch->user_data);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean epoll_change(probe_fd_t *watch, int op, guint32 events)
{
    struct epoll_event event = { .events = events, .data = { .ptr = watch } };

    if (epoll_fd < 0) {
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (epoll_fd < 0) {
            return FALSE;
        }
        g_unix_fd_add(epoll_fd, G_IO_IN, on_epoll_ready, NULL);
    }
    return epoll_ctl(epoll_fd, op, watch->fd, &event) == 0;
}

gboolean probe_fd_add(probe_fd_t *watch, guint32 events)
{
    return epoll_change(watch, EPOLL_CTL_ADD, events);
}

gboolean probe_fd_change(probe_fd_t *watch, guint32 events)
{
    return epoll_change(watch, EPOLL_CTL_MOD, events);
}

void probe_fd_remove(probe_fd_t *watch)
{
    epoll_change(watch, EPOLL_CTL_DEL, 0);
}
