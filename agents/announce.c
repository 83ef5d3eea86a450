/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "announce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"

#define NEIGHBOUR_HOP_LIMIT 255 /* RFC 4861: anything less has crossed a router and is ignored */

typedef struct neighbour_advertisement {
    struct ether_header ethernet;
    struct ip6_hdr ip;
    struct nd_neighbor_advert advert;
    struct nd_opt_hdr option;
    guint8 mac[ANNOUNCE_MAC_BYTES];
} __attribute__((packed)) neighbour_advertisement_t;

typedef struct arp_announcement {
    struct ether_header ethernet;
    struct ether_arp arp;
} __attribute__((packed)) arp_announcement_t;

static gboolean mac_parse(const char *text, guint8 *mac)
{
    if (strlen(text) != 3 * ANNOUNCE_MAC_BYTES - 1) {
        return FALSE;
    }
    for (guint i = 0; i < ANNOUNCE_MAC_BYTES; i++) {
        const char *byte = text + (gsize) 3 * i;

        if (!g_ascii_isxdigit(byte[0]) || !g_ascii_isxdigit(byte[1]) || (byte[2] != ':' && byte[2] != '\0')) {
            return FALSE;
        }
        mac[i] = (guint8) (g_ascii_xdigit_value(byte[0]) << 4 | g_ascii_xdigit_value(byte[1]));
    }
    return TRUE;
}

static void frame_add(announce_frames_t *frames, const void *bytes, gsize length)
{
    memcpy(frames->frames[frames->count].bytes, bytes, length);
    frames->frames[frames->count].length = length;
    frames->count++;
}

/* A request is what RFC 5227 wants; some stacks take an unasked change from a reply alone. */
static void arp_add(announce_frames_t *frames, const guint8 *mac, const struct in_addr *address, guint16 operation)
{
    arp_announcement_t frame;

    memset(&frame, 0, sizeof frame);
    memset(frame.ethernet.ether_dhost, 0xff, sizeof frame.ethernet.ether_dhost);
    memcpy(frame.ethernet.ether_shost, mac, ANNOUNCE_MAC_BYTES);
    frame.ethernet.ether_type = htons(ETHERTYPE_ARP);
    frame.arp.ea_hdr.ar_hrd = htons(ARPHRD_ETHER);
    frame.arp.ea_hdr.ar_pro = htons(ETHERTYPE_IP);
    frame.arp.ea_hdr.ar_hln = ANNOUNCE_MAC_BYTES;
    frame.arp.ea_hdr.ar_pln = sizeof *address;
    frame.arp.ea_hdr.ar_op = htons(operation);
    memcpy(frame.arp.arp_sha, mac, ANNOUNCE_MAC_BYTES);
    memcpy(frame.arp.arp_spa, address, sizeof *address);
    memcpy(frame.arp.arp_tpa, address, sizeof *address);
    if (operation == ARPOP_REPLY) {
        memcpy(frame.arp.arp_tha, mac, ANNOUNCE_MAC_BYTES);
    }
    frame_add(frames, &frame, sizeof frame);
}

static guint32 sum_words(guint32 sum, const void *data, gsize length)
{
    const guint8 *bytes = data;

    for (gsize i = 0; i < length; i += 2) {
        sum += (guint32) (bytes[i] << 8) | (i + 1 < length ? bytes[i + 1] : 0u);
    }
    return sum;
}

/* RFC 4443 2.3: over a pseudo-header and the message. */
static guint16 icmp6_checksum(const neighbour_advertisement_t *frame, gsize message_bytes)
{
    guint32 sum = 0;

    sum = sum_words(sum, &frame->ip.ip6_src, sizeof frame->ip.ip6_src);
    sum = sum_words(sum, &frame->ip.ip6_dst, sizeof frame->ip.ip6_dst);
    sum += (guint32) message_bytes + IPPROTO_ICMPV6;
    sum = sum_words(sum, &frame->advert, message_bytes);
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return htons((guint16) ~sum);
}

static void advertisement_add(announce_frames_t *frames, const guint8 *mac, const struct in6_addr *address)
{
    static const guint8 all_nodes_mac[ANNOUNCE_MAC_BYTES] = { 0x33, 0x33, 0, 0, 0, 1 };
    const gsize message_bytes = sizeof(neighbour_advertisement_t) - offsetof(neighbour_advertisement_t, advert);
    neighbour_advertisement_t frame;

    memset(&frame, 0, sizeof frame);
    memcpy(frame.ethernet.ether_dhost, all_nodes_mac, ANNOUNCE_MAC_BYTES);
    memcpy(frame.ethernet.ether_shost, mac, ANNOUNCE_MAC_BYTES);
    frame.ethernet.ether_type = htons(ETHERTYPE_IPV6);
    frame.ip.ip6_flow = htonl(6u << 28);
    frame.ip.ip6_plen = htons((guint16) message_bytes);
    frame.ip.ip6_nxt = IPPROTO_ICMPV6;
    frame.ip.ip6_hlim = NEIGHBOUR_HOP_LIMIT;
    frame.ip.ip6_src = *address;
    inet_pton(AF_INET6, "ff02::1", &frame.ip.ip6_dst);
    frame.advert.nd_na_type = ND_NEIGHBOR_ADVERT;
    frame.advert.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
    frame.advert.nd_na_target = *address;
    frame.option.nd_opt_type = ND_OPT_TARGET_LINKADDR;
    frame.option.nd_opt_len = 1; /* in units of 8 bytes */
    memcpy(frame.mac, mac, ANNOUNCE_MAC_BYTES);
    frame.advert.nd_na_cksum = icmp6_checksum(&frame, message_bytes);
    frame_add(frames, &frame, sizeof frame);
}

gboolean announce_build(const char *mac, const char *address, announce_frames_t *frames)
{
    guint8 mac_bytes[ANNOUNCE_MAC_BYTES];
    struct in_addr ipv4;
    struct in6_addr ipv6;

    memset(frames, 0, sizeof *frames);
    if (!mac_parse(mac, mac_bytes)) {
        return FALSE;
    }
    if (inet_pton(AF_INET, address, &ipv4) == 1) {
        arp_add(frames, mac_bytes, &ipv4, ARPOP_REQUEST);
        arp_add(frames, mac_bytes, &ipv4, ARPOP_REPLY);
    } else if (inet_pton(AF_INET6, address, &ipv6) == 1) {
        advertisement_add(frames, mac_bytes, &ipv6);
    }
    return frames->count > 0;
}

static gboolean frames_write(const announce_frames_t *frames, int fd, int interface_index)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = interface_index };

    for (guint i = 0; i < frames->count; i++) {
        if (sendto(fd, frames->frames[i].bytes, frames->frames[i].length, 0, (struct sockaddr *) &to, sizeof to) < 0) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean announce_send(const announce_frames_t *frames, const char *interface, GError **error)
{
    unsigned index = if_nametoindex(interface);
    int fd = -1;
    gboolean sent = FALSE;

    if (index == 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE, "there is no bridge %s on this host",
                    interface);
        return FALSE;
    }
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    sent = fd >= 0 && frames_write(frames, fd, (int) index);
    if (!sent) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "can't announce the service address on %s: %s",
                    interface, g_strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return sent;
}
