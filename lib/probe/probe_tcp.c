/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp:ADDR:PORT: a connection is accepted. Refused, reset, or no way to the host is down; what fails on this host
 * (no route, no descriptor, a firewall of its own) is unknown. */
#include <errno.h>
#include <gio/gio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/probe.h"

/* What a connection ended with: the server's word, the network's, or a fault on the way there. That nobody answers for
 * its address (ARP) comes as "no route to host", too, but a route there is. */
static void finish_failed(probe_t *probe, int code)
{
    gboolean is_no_route = code == ENETUNREACH || (code == EHOSTUNREACH && !probe_has_route(probe->spec->address));
    gboolean is_refused = code == ECONNREFUSED || code == ECONNRESET;

    probe_finish(probe, is_no_route ? PROBE_UNKNOWN : is_refused ? PROBE_REFUSED : PROBE_DOWN,
                 is_no_route ? "there is no route to it" : g_strerror(code));
}

/* A connection that was refused or reset reports EPOLLERR and EPOLLHUP beside EPOLLOUT. */
static void on_ready(guint32 events, gpointer user_data)
{
    probe_t *probe = user_data;
    const probe_fd_t *watch = probe->state;
    int code = 0;
    socklen_t size_bytes = sizeof(code);

    if ((events & (EPOLLERR | EPOLLHUP)) == 0) {
        probe_finish(probe, PROBE_UP, NULL);
        return;
    }
    if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &code, &size_bytes) != 0 || code == 0) {
        code = ECONNRESET;
    }
    finish_failed(probe, code);
}

static gboolean get_address(const probe_spec_t *spec, struct sockaddr_storage *native, socklen_t *size_bytes)
{
    g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string(spec->address, spec->port);

    if (address == NULL || !g_socket_address_to_native(address, native, sizeof(*native), NULL)) {
        return FALSE;
    }
    *size_bytes = (socklen_t) g_socket_address_get_native_size(address);
    return TRUE;
}

static char *tcp_start(probe_t *probe)
{
    /* Closed by a reset, before the handshake's last packet was sent, as HAProxy's
     * connect checks are: the listener has answered, the service need not start a
     * session or log one that says nothing, and no port waits for a minute. */
    static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    static const int no_quick_ack = 0;
    struct sockaddr_storage address;
    socklen_t size_bytes = 0;
    probe_fd_t *watch = NULL;
    int code = 0;
    int fd = -1;

    if (!get_address(probe->spec, &address, &size_bytes)) {
        return g_strdup("its address can't be used");
    }
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return g_strdup_printf("no socket on this host: %s", g_strerror(errno));
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &no_quick_ack, sizeof(no_quick_ack));
    code = connect(fd, (struct sockaddr *) &address, size_bytes) != 0 ? errno : 0;
    if (code != 0 && code != EINPROGRESS && code != ECONNREFUSED) {
        close(fd);
        return g_strdup_printf("it can't be asked from this host: %s", g_strerror(code));
    }
    watch = g_new0(probe_fd_t, 1);
    *watch = (probe_fd_t) { .fd = fd, .ready = on_ready, .user_data = probe };
    if (!probe_fd_add(watch, EPOLLOUT | EPOLLONESHOT)) {
        close(fd);
        g_free(watch);
        return g_strdup("its socket can't be watched");
    }
    probe->state = watch;
    if (code == ECONNREFUSED) {
        finish_failed(probe, code);
    }
    return NULL;
}

static void tcp_stop(probe_t *probe)
{
    probe_fd_t *watch = probe->state;

    close(watch->fd); /* which takes it out of the epoll set: nobody else has the descriptor */
    g_free(watch);
}

const probe_type_ops_t probe_tcp_ops = { tcp_start, tcp_stop, NULL };
