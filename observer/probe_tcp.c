/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp:ADDR:PORT: a connection is accepted. */
#include <errno.h>
#include <gio/gio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe.h"

/* A connection that was refused or reset reports EPOLLERR and EPOLLHUP beside EPOLLOUT. */
static void on_ready(guint32 events, gpointer user_data)
{
    probe_t *probe = user_data;

    probe_finish(probe, (events & (EPOLLERR | EPOLLHUP)) == 0);
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

static gboolean tcp_start(probe_t *probe)
{
    /* Closed by a reset, before the handshake's last packet was sent, as HAProxy's
     * connect checks are: the listener has answered, the service need not start a
     * session or log one that says nothing, and no port waits for a minute. */
    static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    static const int no_quick_ack = 0;
    struct sockaddr_storage address;
    socklen_t size_bytes = 0;
    probe_fd_t *watch = NULL;
    int fd = -1;

    if (!get_address(probe->spec, &address, &size_bytes)) {
        return FALSE;
    }
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return FALSE;
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &no_quick_ack, sizeof(no_quick_ack));
    if (connect(fd, (struct sockaddr *) &address, size_bytes) != 0 && errno != EINPROGRESS) {
        close(fd);
        return FALSE;
    }
    watch = g_new0(probe_fd_t, 1);
    *watch = (probe_fd_t) { .fd = fd, .ready = on_ready, .user_data = probe };
    if (!probe_fd_add(watch, EPOLLOUT | EPOLLONESHOT)) {
        close(fd);
        g_free(watch);
        return FALSE;
    }
    probe->state = watch;
    return TRUE;
}

static void tcp_stop(probe_t *probe)
{
    probe_fd_t *watch = probe->state;

    close(watch->fd); /* which takes it out of the epoll set: nobody else has the descriptor */
    g_free(watch);
}

const probe_type_ops_t probe_tcp_ops = { tcp_start, tcp_stop };
