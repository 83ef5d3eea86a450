/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Duplicate address detection over a packet socket. */
#include "net/address_probe.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

struct address_probe {
    neighbour_address_t address;
    guint8 mac[NEIGHBOUR_MAC_BYTES];
    neighbour_frame_t question;
    struct sockaddr_ll link;
    int fd;
};

static gboolean fail(const char *interface, const char *what, GError **error)
{
    int code = errno;

    g_set_error(error, UNDERSTUDY_ERROR,
                code == EPERM || code == EACCES ? UNDERSTUDY_ERROR_PERMISSION : UNDERSTUDY_ERROR_FAILED,
                "can't %s on %s: %s", what, interface, g_strerror(code));
    return FALSE;
}

static gboolean read_own_mac(address_probe_t *probe, const char *interface, GError **error)
{
    struct ifreq request;

    memset(&request, 0, sizeof request);
    g_strlcpy(request.ifr_name, interface, sizeof request.ifr_name);
    if (ioctl(probe->fd, SIOCGIFHWADDR, &request) != 0) {
        return fail(interface, "read the MAC address", error);
    }
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE,
                    "%s is no Ethernet interface: nobody can be asked for an address there", interface);
        return FALSE;
    }
    memcpy(probe->mac, request.ifr_hwaddr.sa_data, NEIGHBOUR_MAC_BYTES);
    return TRUE;
}

static gboolean join(address_probe_t *probe, unsigned short type, const guint8 *mac)
{
    struct packet_mreq request = { .mr_ifindex = probe->link.sll_ifindex, .mr_type = type,
                                   .mr_alen = NEIGHBOUR_MAC_BYTES };

    memcpy(request.mr_address, mac, NEIGHBOUR_MAC_BYTES);
    return setsockopt(probe->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) == 0;
}

/* What the card would otherwise keep to itself: answers to our own MAC, and what IPv6 sends to groups. */
static gboolean join_all(address_probe_t *probe)
{
    static const guint8 all_nodes_mac[NEIGHBOUR_MAC_BYTES] = { 0x33, 0x33, 0, 0, 0, 1 };
    guint8 solicited_mac[NEIGHBOUR_MAC_BYTES];

    if (!join(probe, PACKET_MR_UNICAST, probe->mac)) {
        return FALSE;
    }
    if (probe->address.family == AF_INET) {
        return TRUE;
    }
    neighbour_solicited_mac(&probe->address, solicited_mac);
    return join(probe, PACKET_MR_MULTICAST, all_nodes_mac) && join(probe, PACKET_MR_MULTICAST, solicited_mac);
}

static gboolean start_listening(address_probe_t *probe, const char *interface, const guint8 *mac, GError **error)
{
    guint16 protocol = probe->address.family == AF_INET ? ETHERTYPE_ARP : ETHERTYPE_IPV6;

    /* Bound before it listens: a socket of protocol 0 hears nothing, so no other interface's frames get in. */
    probe->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe->fd < 0) {
        return fail(interface, "listen", error);
    }
    if (!read_own_mac(probe, interface, error)) {
        return FALSE;
    }
    if (mac != NULL) {
        memcpy(probe->mac, mac, NEIGHBOUR_MAC_BYTES);
    }
    probe->link.sll_family = AF_PACKET;
    probe->link.sll_protocol = g_htons(protocol);
    if (bind(probe->fd, (struct sockaddr *) &probe->link, sizeof probe->link) != 0 || !join_all(probe)) {
        return fail(interface, "listen", error);
    }
    return TRUE;
}

address_probe_t *address_probe_open(const char *interface, const char *address, const guint8 *mac, GError **error)
{
    address_probe_t *probe = g_new0(address_probe_t, 1);

    probe->fd = -1;
    probe->link.sll_ifindex = (int) if_nametoindex(interface);
    if (probe->link.sll_ifindex == 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE, "there is no interface %s", interface);
    } else if (!neighbour_address_parse(address, &probe->address)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "'%s' is no IPv4 or IPv6 address", address);
    } else if (start_listening(probe, interface, mac, error)) {
        neighbour_build_question(&probe->question, probe->mac, &probe->address);
        return probe;
    }
    address_probe_close(probe);
    return NULL;
}

gboolean address_probe_ask(address_probe_t *probe, GError **error)
{
    if (sendto(probe->fd, probe->question.bytes, probe->question.length, 0, (struct sockaddr *) &probe->link,
               sizeof probe->link) == (ssize_t) probe->question.length) {
        return TRUE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "can't ask for the address: %s", g_strerror(errno));
    return FALSE;
}

int address_probe_fd(const address_probe_t *probe)
{
    return probe->fd;
}

static gboolean frames_were_lost(const address_probe_t *probe)
{
    struct tpacket_stats stats = { 0 };
    socklen_t length = sizeof stats;

    /* Reading them sets them to 0. */
    return getsockopt(probe->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0 || stats.tp_drops > 0;
}

neighbour_sight_t address_probe_hear(address_probe_t *probe, char *mac, gboolean *lost)
{
    neighbour_sight_t strongest = NEIGHBOUR_NOTHING;
    gboolean broken = FALSE;

    for (;;) {
        guint8 bytes[NEIGHBOUR_FRAME_MAX_BYTES];
        guint8 sender[NEIGHBOUR_MAC_BYTES];
        struct sockaddr_ll from = { .sll_pkttype = PACKET_HOST };
        socklen_t from_length = sizeof from;
        neighbour_sight_t sight = NEIGHBOUR_NOTHING;
        ssize_t length = recvfrom(probe->fd, bytes, sizeof bytes, 0, (struct sockaddr *) &from, &from_length);

        if (length < 0) {
            broken = errno != EAGAIN && errno != EINTR;
            break;
        }
        if (from.sll_pkttype == PACKET_OUTGOING) {
            continue;
        }
        sight = neighbour_read(bytes, (gsize) length, probe->mac, &probe->address, sender);
        if (sight > strongest) {
            strongest = sight;
            if (mac != NULL) {
                neighbour_mac_format(sender, mac);
            }
        }
    }
    if (lost != NULL) {
        *lost = frames_were_lost(probe) || broken;
    }
    return strongest;
}

void address_probe_close(address_probe_t *probe)
{
    if (probe == NULL) {
        return;
    }
    if (probe->fd >= 0) {
        close(probe->fd);
    }
    g_free(probe);
}
