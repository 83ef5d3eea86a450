/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/boot_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ECHO_BYTES 64

typedef union endpoint {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
} endpoint_t;

static socklen_t endpoint_init(endpoint_t *endpoint, const char *address, guint16 port)
{
    memset(endpoint, 0, sizeof *endpoint);
    if (inet_pton(AF_INET, address, &endpoint->ipv4.sin_addr) == 1) {
        endpoint->ipv4.sin_family = AF_INET;
        endpoint->ipv4.sin_port = htons(port);
        return sizeof endpoint->ipv4;
    }
    if (inet_pton(AF_INET6, address, &endpoint->ipv6.sin6_addr) == 1) {
        endpoint->ipv6.sin6_family = AF_INET6;
        endpoint->ipv6.sin6_port = htons(port);
        return sizeof endpoint->ipv6;
    }
    return 0;
}

static gboolean wait_for(int fd, short events, gint64 deadline_us)
{
    struct pollfd wait = { .fd = fd, .events = events };
    gint64 left_ms = (deadline_us - g_get_monotonic_time()) / 1000;

    return left_ms > 0 && poll(&wait, 1, (int) left_ms) > 0;
}

static boot_probe_t tcp_ask(const probe_spec_t *probe, gint64 deadline_us)
{
    endpoint_t endpoint;
    socklen_t length = endpoint_init(&endpoint, probe->address, probe->port);
    int fd = socket(endpoint.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = -1;
    socklen_t result_length = sizeof result;

    if (fd < 0) {
        return BOOT_PROBE_NOT_ASKED;
    }
    result = connect(fd, &endpoint.any, length) == 0 ? 0 : errno;
    if (result != 0 && result != EINPROGRESS && result != ECONNREFUSED) {
        close(fd);
        errno = result;
        return BOOT_PROBE_NOT_ASKED;
    }
    if (result == EINPROGRESS && wait_for(fd, POLLOUT, deadline_us)) {
        result = -1;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &result_length) != 0) {
            result = -1;
        }
    }
    close(fd);
    return result == 0 ? BOOT_PROBE_ANSWERED : BOOT_PROBE_MISSED;
}

/* RFC 1071. For ICMPv6 the kernel does it. */
static guint16 checksum(const guint8 *bytes, gsize length)
{
    guint32 sum = 0;

    for (gsize i = 0; i + 1 < length; i += 2) {
        guint16 word = 0;

        memcpy(&word, bytes + i, sizeof word);
        sum += word;
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (guint16) ~sum;
}

/* Both families have the same layout: type, code, checksum, id, sequence. */
static void echo_build(guint8 *packet, gboolean is_ipv6, guint16 id)
{
    struct icmphdr *header = (struct icmphdr *) packet;

    memset(packet, 0, ECHO_BYTES);
    header->type = is_ipv6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    header->un.echo.id = id;
    header->un.echo.sequence = htons(1);
    header->checksum = is_ipv6 ? 0 : checksum(packet, ECHO_BYTES);
}

/* A raw IPv4 socket delivers the IP header too; an IPv6 one does not. */
static gboolean is_reply(const guint8 *packet, gsize length, gboolean is_ipv6, guint16 id)
{
    gsize offset = is_ipv6 ? 0 : (gsize) (packet[0] & 0x0f) * 4;
    struct icmphdr header;

    if (length < offset + sizeof header) {
        return FALSE;
    }
    memcpy(&header, packet + offset, sizeof header);
    return header.type == (is_ipv6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) && header.un.echo.id == id;
}

static boot_probe_t icmp_wait(int fd, gboolean is_ipv6, guint16 id, gint64 deadline_us)
{
    while (wait_for(fd, POLLIN, deadline_us)) {
        guint8 reply[512];
        ssize_t count = recv(fd, reply, sizeof reply, 0);

        if (count > 0 && is_reply(reply, (gsize) count, is_ipv6, id)) {
            return BOOT_PROBE_ANSWERED;
        }
    }
    return BOOT_PROBE_MISSED;
}

static boot_probe_t icmp_ask(const probe_spec_t *probe, gint64 deadline_us)
{
    endpoint_t endpoint;
    socklen_t length = endpoint_init(&endpoint, probe->address, 0);
    gboolean is_ipv6 = endpoint.any.sa_family == AF_INET6;
    int fd = socket(endpoint.any.sa_family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    is_ipv6 ? (int) IPPROTO_ICMPV6 : (int) IPPROTO_ICMP);
    guint16 id = htons((guint16) getpid());
    guint8 packet[ECHO_BYTES];
    boot_probe_t answer = BOOT_PROBE_NOT_ASKED;
    int code = 0;

    if (fd < 0) {
        return BOOT_PROBE_NOT_ASKED;
    }
    echo_build(packet, is_ipv6, id);
    /* Connected, the socket takes packets of this address alone. */
    if (connect(fd, &endpoint.any, length) == 0 && send(fd, packet, sizeof packet, 0) == (ssize_t) sizeof packet) {
        answer = icmp_wait(fd, is_ipv6, id, deadline_us);
    }
    code = errno;
    close(fd);
    errno = code;
    return answer;
}

gboolean boot_probe_is_usable(const probe_spec_t *probe)
{
    return probe->type == PROBE_TCP || probe->type == PROBE_ICMP;
}

boot_probe_t boot_probe_ask(const probe_spec_t *probe, guint timeout_ms)
{
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;

    return probe->type == PROBE_TCP ? tcp_ask(probe, deadline_us) : icmp_ask(probe, deadline_us);
}
