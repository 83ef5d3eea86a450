/* SPDX-License-Identifier: GPL-2.0-or-later */
/* icmp:ADDR: an echo request is answered; silence is down, a request that this host can't send is unknown. One raw
 * socket per address family serves all probes. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/probe.h"

#define PACKET_BYTES      64
#define RECEIVE_BYTES     1500
#define BUFFER_BYTES      (1024 * 1024) /* hundreds of answers may come at once */

typedef struct {
    guint16 id;
    guint16 sequence;
} echo_t;

typedef struct family {
    int domain;
    int protocol;
    probe_fd_t watch;
    gboolean is_open;
} family_t;

typedef struct {
    guint16 sequence;
    struct in6_addr address; /* IPv4 as mapped address */
} icmp_state_t;

static family_t families[] = {
    { .domain = AF_INET, .protocol = IPPROTO_ICMP },
    { .domain = AF_INET6, .protocol = IPPROTO_ICMPV6 },
};
static GHashTable *waiting; /* sequence -> probe_t* */
static guint16 own_id;
static guint16 last_sequence;

static void map_ipv4(const struct in_addr *address, struct in6_addr *mapped)
{
    memset(mapped, 0, sizeof(*mapped));
    mapped->s6_addr[10] = mapped->s6_addr[11] = 0xff;
    memcpy(&mapped->s6_addr[12], address, sizeof(*address));
}

static void answer(const echo_t *echo, const struct in6_addr *from)
{
    probe_t *probe = NULL;
    const icmp_state_t *state = NULL;

    if (ntohs(echo->id) != own_id) {
        return; /* somebody else's ping */
    }
    probe = g_hash_table_lookup(waiting, GUINT_TO_POINTER(ntohs(echo->sequence)));
    if (probe == NULL || probe->finished) {
        return;
    }
    state = probe->state;
    if (memcmp(&state->address, from, sizeof(*from)) == 0) {
        probe_finish(probe, PROBE_UP, NULL);
    }
}

static void read_ipv4(const guint8 *packet, gsize size_bytes, const struct sockaddr_in *from)
{
    struct in6_addr mapped;
    struct iphdr header;
    struct icmphdr icmp;
    echo_t echo;
    gsize offset = 0;

    if (size_bytes < sizeof(header)) {
        return;
    }
    memcpy(&header, packet, sizeof(header));
    offset = header.ihl * 4U;
    if (size_bytes < offset + sizeof(icmp)) {
        return;
    }
    memcpy(&icmp, packet + offset, sizeof(icmp));
    echo = (echo_t) { icmp.un.echo.id, icmp.un.echo.sequence };
    map_ipv4(&from->sin_addr, &mapped);
    if (icmp.type == ICMP_ECHOREPLY) {
        answer(&echo, &mapped);
    }
}

static void read_ipv6(const guint8 *packet, gsize size_bytes, const struct sockaddr_in6 *from)
{
    struct icmp6_hdr icmp;
    echo_t echo;

    if (size_bytes < sizeof(icmp)) {
        return;
    }
    memcpy(&icmp, packet, sizeof(icmp));
    echo = (echo_t) { icmp.icmp6_id, icmp.icmp6_seq };
    if (icmp.icmp6_type == ICMP6_ECHO_REPLY) {
        answer(&echo, &from->sin6_addr);
    }
}

static void on_ready(guint32 events, gpointer user_data)
{
    const family_t *family = user_data;
    guint8 packet[RECEIVE_BYTES];
    struct sockaddr_storage from;
    socklen_t from_bytes = sizeof(from);
    ssize_t size_bytes = 0;

    (void) events;
    while ((size_bytes = recvfrom(family->watch.fd, packet, sizeof(packet), 0, (struct sockaddr *) &from,
                                  &from_bytes)) >= 0) {
        if (family->domain == AF_INET) {
            read_ipv4(packet, (gsize) size_bytes, (const struct sockaddr_in *) &from);
        } else {
            read_ipv6(packet, (gsize) size_bytes, (const struct sockaddr_in6 *) &from);
        }
        from_bytes = sizeof(from);
    }
}

/* Only echo replies are for us: the kernel leaves out the rest. */
static void filter_replies(const family_t *family, int fd)
{
    struct icmp_filter filter = { .data = ~(1U << ICMP_ECHOREPLY) };
    struct icmp6_filter filter6;

    if (family->domain == AF_INET) {
        setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
    } else {
        ICMP6_FILTER_SETBLOCKALL(&filter6);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
        setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof(filter6));
    }
}

static gboolean family_open(family_t *family)
{
    int buffer_bytes = BUFFER_BYTES;
    int fd = -1;

    if (family->is_open) {
        return TRUE;
    }
    if (waiting == NULL) {
        waiting = g_hash_table_new(NULL, NULL);
        own_id = (guint16) g_random_int();
        last_sequence = (guint16) g_random_int();
    }
    fd = socket(family->domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, family->protocol);
    if (fd < 0) {
        return FALSE;
    }
    filter_replies(family, fd);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
    family->watch = (probe_fd_t) { .fd = fd, .ready = on_ready, .user_data = family };
    family->is_open = probe_fd_add(&family->watch, EPOLLIN);
    if (!family->is_open) {
        close(fd);
    }
    return family->is_open;
}

static guint16 checksum(const guint8 *packet, gsize size_bytes)
{
    guint32 sum = 0;

    for (gsize i = 0; i + 1 < size_bytes; i += 2) {
        sum += ((guint32) packet[i] << 8) | packet[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum += sum >> 16;
    return htons((guint16) ~sum);
}

static gboolean take_sequence(probe_t *probe, guint16 *sequence)
{
    for (guint i = 0; i <= G_MAXUINT16; i++) {
        last_sequence++;
        if (!g_hash_table_contains(waiting, GUINT_TO_POINTER(last_sequence))) {
            *sequence = last_sequence;
            g_hash_table_insert(waiting, GUINT_TO_POINTER(last_sequence), probe);
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean send_ipv4(const family_t *family, const struct in_addr *address, guint16 sequence)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = *address };
    guint8 packet[PACKET_BYTES] = { 0 };
    struct icmphdr icmp = { .type = ICMP_ECHO };

    icmp.un.echo.id = htons(own_id);
    icmp.un.echo.sequence = htons(sequence);
    memcpy(packet, &icmp, sizeof(icmp));
    icmp.checksum = checksum(packet, sizeof(packet));
    memcpy(packet, &icmp, sizeof(icmp));
    return sendto(family->watch.fd, packet, sizeof(packet), 0, (struct sockaddr *) &to, sizeof(to)) > 0;
}

static gboolean send_ipv6(const family_t *family, const struct in6_addr *address, guint16 sequence)
{
    struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = *address };
    guint8 packet[PACKET_BYTES] = { 0 };
    struct icmp6_hdr icmp = { .icmp6_type = ICMP6_ECHO_REQUEST }; /* the kernel adds the checksum */

    icmp.icmp6_id = htons(own_id);
    icmp.icmp6_seq = htons(sequence);
    memcpy(packet, &icmp, sizeof(icmp));
    return sendto(family->watch.fd, packet, sizeof(packet), 0, (struct sockaddr *) &to, sizeof(to)) > 0;
}

static void icmp_stop(probe_t *probe)
{
    icmp_state_t *state = probe->state;

    g_hash_table_remove(waiting, GUINT_TO_POINTER(state->sequence));
    g_free(state);
}

static char *icmp_start(probe_t *probe)
{
    struct in_addr ipv4;
    gboolean is_ipv4 = inet_pton(AF_INET, probe->spec->address, &ipv4) == 1;
    family_t *family = &families[is_ipv4 ? 0 : 1];
    icmp_state_t *state = g_new0(icmp_state_t, 1);

    if (is_ipv4) {
        map_ipv4(&ipv4, &state->address);
    }
    if ((!is_ipv4 && inet_pton(AF_INET6, probe->spec->address, &state->address) != 1) || !family_open(family)
        || !take_sequence(probe, &state->sequence)) {
        g_free(state);
        return g_strdup_printf("no raw socket on this host: %s", g_strerror(errno));
    }
    probe->state = state;
    if (!(is_ipv4 ? send_ipv4(family, &ipv4, state->sequence) : send_ipv6(family, &state->address, state->sequence))) {
        int code = errno;

        icmp_stop(probe);
        return g_strdup_printf("it can't be asked from this host: %s", g_strerror(code));
    }
    return NULL;
}

const probe_type_ops_t probe_icmp_ops = { icmp_start, icmp_stop, NULL };
