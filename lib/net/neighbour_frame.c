/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ARP and neighbour discovery, frame by frame. */
#include "net/neighbour_frame.h"

#include <arpa/inet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define NEIGHBOUR_HOP_LIMIT 255 /* RFC 4861: anything less has crossed a router and is ignored */

typedef struct arp_frame {
    struct ether_header ethernet;
    struct ether_arp arp;
} __attribute__((packed)) arp_frame_t;

/* Advertisement and solicitation alike: a header, flags, a target. */
typedef struct discovery_frame {
    struct ether_header ethernet;
    struct ip6_hdr ip;
    struct nd_neighbor_advert message;
    struct nd_opt_hdr option;
    guint8 mac[NEIGHBOUR_MAC_BYTES];
} __attribute__((packed)) discovery_frame_t;

#define WITHOUT_OPTION offsetof(discovery_frame_t, option)

/* A question has another option behind that one. */
typedef struct question_frame {
    discovery_frame_t discovery;
    struct nd_opt_hdr option;
    guint8 nonce[6];
} __attribute__((packed)) question_frame_t;

#define OPTION_NONCE   14 /* RFC 3971 5.3.2; netinet/icmp6.h has no name for it */
#define OPTION_UNIT_BYTES 8

static const guint8 everybody_mac[NEIGHBOUR_MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const guint8 all_nodes_mac[NEIGHBOUR_MAC_BYTES] = { 0x33, 0x33, 0, 0, 0, 1 };

gboolean neighbour_mac_parse(const char *text, guint8 *mac)
{
    if (strlen(text) != NEIGHBOUR_MAC_TEXT_BYTES - 1) {
        return FALSE;
    }
    for (guint i = 0; i < NEIGHBOUR_MAC_BYTES; i++) {
        const char *byte = text + (gsize) 3 * i;

        if (!g_ascii_isxdigit(byte[0]) || !g_ascii_isxdigit(byte[1]) || (byte[2] != ':' && byte[2] != '\0')) {
            return FALSE;
        }
        mac[i] = (guint8) (g_ascii_xdigit_value(byte[0]) << 4 | g_ascii_xdigit_value(byte[1]));
    }
    return TRUE;
}

void neighbour_mac_format(const guint8 *mac, char *text)
{
    g_snprintf(text, NEIGHBOUR_MAC_TEXT_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
               mac[5]);
}

gboolean neighbour_address_parse(const char *text, neighbour_address_t *address)
{
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, address->bytes) == 1) {
        address->family = AF_INET;
    } else if (inet_pton(AF_INET6, text, address->bytes) == 1) {
        address->family = AF_INET6;
    }
    return address->family != 0;
}

/* --- ARP --------------------------------------------------------------------- */

static void arp_fill(arp_frame_t *frame, const guint8 *mac, guint16 operation)
{
    memset(frame, 0, sizeof *frame);
    memcpy(frame->ethernet.ether_dhost, everybody_mac, NEIGHBOUR_MAC_BYTES);
    memcpy(frame->ethernet.ether_shost, mac, NEIGHBOUR_MAC_BYTES);
    frame->ethernet.ether_type = htons(ETHERTYPE_ARP);
    frame->arp.ea_hdr.ar_hrd = htons(ARPHRD_ETHER);
    frame->arp.ea_hdr.ar_pro = htons(ETHERTYPE_IP);
    frame->arp.ea_hdr.ar_hln = NEIGHBOUR_MAC_BYTES;
    frame->arp.ea_hdr.ar_pln = sizeof frame->arp.arp_spa;
    frame->arp.ea_hdr.ar_op = htons(operation);
    memcpy(frame->arp.arp_sha, mac, NEIGHBOUR_MAC_BYTES);
}

static void frame_set(neighbour_frame_t *frame, const void *bytes, gsize length)
{
    memcpy(frame->bytes, bytes, length);
    frame->length = length;
}

void neighbour_build_arp_announcement(neighbour_frame_t *frame, const guint8 *mac, const neighbour_address_t *address,
                                      gboolean reply)
{
    arp_frame_t arp;

    arp_fill(&arp, mac, reply ? ARPOP_REPLY : ARPOP_REQUEST);
    memcpy(arp.arp.arp_spa, address->bytes, sizeof arp.arp.arp_spa);
    memcpy(arp.arp.arp_tpa, address->bytes, sizeof arp.arp.arp_tpa);
    if (reply) {
        memcpy(arp.arp.arp_tha, mac, NEIGHBOUR_MAC_BYTES);
    }
    frame_set(frame, &arp, sizeof arp);
}

/* RFC 5227 1.1: a probe has no sender's address, so that nobody's cache is changed by it. */
static void arp_build_probe(neighbour_frame_t *frame, const guint8 *mac, const neighbour_address_t *address)
{
    arp_frame_t arp;

    arp_fill(&arp, mac, ARPOP_REQUEST);
    memcpy(arp.arp.arp_tpa, address->bytes, sizeof arp.arp.arp_tpa);
    frame_set(frame, &arp, sizeof arp);
}

static neighbour_sight_t arp_read(const void *bytes, gsize length, const guint8 *own_mac,
                                  const neighbour_address_t *address, guint8 *mac)
{
    static const guint8 no_address[4];
    arp_frame_t frame;

    if (length < sizeof frame) {
        return NEIGHBOUR_NOTHING;
    }
    memcpy(&frame, bytes, sizeof frame);
    if (frame.arp.ea_hdr.ar_hrd != htons(ARPHRD_ETHER) || frame.arp.ea_hdr.ar_pro != htons(ETHERTYPE_IP)
        || frame.arp.ea_hdr.ar_hln != NEIGHBOUR_MAC_BYTES || frame.arp.ea_hdr.ar_pln != sizeof no_address
        || memcmp(frame.arp.arp_sha, own_mac, NEIGHBOUR_MAC_BYTES) == 0) {
        return NEIGHBOUR_NOTHING;
    }
    memcpy(mac, frame.arp.arp_sha, NEIGHBOUR_MAC_BYTES);
    if (memcmp(frame.arp.arp_spa, address->bytes, sizeof no_address) == 0) {
        return frame.arp.ea_hdr.ar_op == htons(ARPOP_REPLY) && memcmp(frame.arp.arp_tha, own_mac, NEIGHBOUR_MAC_BYTES) == 0
                   ? NEIGHBOUR_ANSWERS
                   : NEIGHBOUR_HAS;
    }
    return frame.arp.ea_hdr.ar_op == htons(ARPOP_REQUEST)
                   && memcmp(frame.arp.arp_spa, no_address, sizeof no_address) == 0
                   && memcmp(frame.arp.arp_tpa, address->bytes, sizeof no_address) == 0
               ? NEIGHBOUR_ASKS
               : NEIGHBOUR_NOTHING;
}

/* --- neighbour discovery --------------------------------------------------------- */

static guint32 sum_words(guint32 sum, const void *data, gsize length)
{
    const guint8 *bytes = data;

    for (gsize i = 0; i < length; i += 2) {
        sum += (guint32) (bytes[i] << 8) | (i + 1 < length ? bytes[i + 1] : 0u);
    }
    return sum;
}

/* RFC 4443 2.3: over a pseudo-header and the message. */
static guint16 icmp6_checksum(const discovery_frame_t *frame, gsize message_bytes)
{
    guint32 sum = 0;

    sum = sum_words(sum, &frame->ip.ip6_src, sizeof frame->ip.ip6_src);
    sum = sum_words(sum, &frame->ip.ip6_dst, sizeof frame->ip.ip6_dst);
    sum += (guint32) message_bytes + IPPROTO_ICMPV6;
    sum = sum_words(sum, (const guint8 *) frame + offsetof(discovery_frame_t, message), message_bytes);
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return htons((guint16) ~sum);
}

static void discovery_fill(discovery_frame_t *frame, const guint8 *mac, const guint8 *to_mac, guint8 type,
                           const neighbour_address_t *target)
{
    memset(frame, 0, sizeof *frame);
    memcpy(frame->ethernet.ether_dhost, to_mac, NEIGHBOUR_MAC_BYTES);
    memcpy(frame->ethernet.ether_shost, mac, NEIGHBOUR_MAC_BYTES);
    frame->ethernet.ether_type = htons(ETHERTYPE_IPV6);
    frame->ip.ip6_flow = htonl(6u << 28);
    frame->ip.ip6_nxt = IPPROTO_ICMPV6;
    frame->ip.ip6_hlim = NEIGHBOUR_HOP_LIMIT;
    frame->message.nd_na_type = type;
    memcpy(&frame->message.nd_na_target, target->bytes, sizeof frame->message.nd_na_target);
}

/* length: with all options. */
static void discovery_finish(neighbour_frame_t *out, discovery_frame_t *frame, gsize length)
{
    gsize message_bytes = length - offsetof(discovery_frame_t, message);

    frame->ip.ip6_plen = htons((guint16) message_bytes);
    frame->message.nd_na_cksum = icmp6_checksum(frame, message_bytes);
    frame_set(out, frame, length);
}

static void option_fill(discovery_frame_t *frame, guint8 type, const guint8 *mac)
{
    frame->option.nd_opt_type = type;
    frame->option.nd_opt_len = 1; /* in units of 8 bytes */
    memcpy(frame->mac, mac, NEIGHBOUR_MAC_BYTES);
}

void neighbour_build_advertisement(neighbour_frame_t *out, const guint8 *mac, const neighbour_address_t *address)
{
    discovery_frame_t frame;

    discovery_fill(&frame, mac, all_nodes_mac, ND_NEIGHBOR_ADVERT, address);
    memcpy(&frame.ip.ip6_src, address->bytes, sizeof frame.ip.ip6_src);
    inet_pton(AF_INET6, "ff02::1", &frame.ip.ip6_dst);
    frame.message.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
    option_fill(&frame, ND_OPT_TARGET_LINKADDR, mac);
    discovery_finish(out, &frame, sizeof frame);
}

void neighbour_solicited_mac(const neighbour_address_t *address, guint8 *mac)
{
    const guint8 solicited[NEIGHBOUR_MAC_BYTES] = { 0x33, 0x33, 0xff, address->bytes[13], address->bytes[14],
                                                    address->bytes[15] };

    memcpy(mac, solicited, sizeof solicited);
}

/* RFC 4291, appendix A. */
static void link_local_of(const guint8 *mac, struct in6_addr *address)
{
    const guint8 bytes[] = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5] };

    memcpy(address, bytes, sizeof bytes);
}

static void discovery_build_solicitation(neighbour_frame_t *out, const guint8 *mac, const neighbour_address_t *address)
{
    guint8 to_mac[NEIGHBOUR_MAC_BYTES];
    struct in6_addr source;
    question_frame_t frame;

    memset(&frame, 0, sizeof frame);
    neighbour_solicited_mac(address, to_mac);
    discovery_fill(&frame.discovery, mac, to_mac, ND_NEIGHBOR_SOLICIT, address);
    link_local_of(mac, &source);
    memcpy(&frame.discovery.ip.ip6_src, &source, sizeof source);
    inet_pton(AF_INET6, "ff02::1:ff00:0", &frame.discovery.ip.ip6_dst);
    memcpy((guint8 *) &frame.discovery.ip.ip6_dst + 13, address->bytes + 13, 3);
    option_fill(&frame.discovery, ND_OPT_SOURCE_LINKADDR, mac);
    frame.option.nd_opt_type = OPTION_NONCE;
    frame.option.nd_opt_len = 1;
    memcpy(frame.nonce, mac, sizeof frame.nonce);
    discovery_finish(out, &frame.discovery, sizeof frame);
}

/* Options from there to the end, each with its length. */
static gboolean has_nonce(const guint8 *options, gsize length)
{
    while (length >= OPTION_UNIT_BYTES) {
        gsize option_bytes = (gsize) options[1] * OPTION_UNIT_BYTES;

        if (options[0] == OPTION_NONCE) {
            return TRUE;
        }
        if (option_bytes == 0 || option_bytes > length) {
            return FALSE;
        }
        options += option_bytes;
        length -= option_bytes;
    }
    return FALSE;
}

/* Who wants to take the address, not who wants to talk to whoever has it. */
static gboolean asks_whether_it_is_free(const discovery_frame_t *frame, const guint8 *bytes, gsize length)
{
    static const guint8 unspecified[16];

    return frame->message.nd_na_type == ND_NEIGHBOR_SOLICIT
           && (memcmp(&frame->ip.ip6_src, unspecified, sizeof unspecified) == 0
               || has_nonce(bytes + WITHOUT_OPTION, length - WITHOUT_OPTION));
}

static neighbour_sight_t discovery_read(const guint8 *bytes, gsize length, const guint8 *own_mac,
                                        const neighbour_address_t *address, guint8 *mac)
{
    discovery_frame_t frame;
    gboolean is_discovery = FALSE;
    gboolean is_target = FALSE;

    if (length < WITHOUT_OPTION) {
        return NEIGHBOUR_NOTHING;
    }
    memcpy(&frame, bytes, WITHOUT_OPTION);
    if (memcmp(frame.ethernet.ether_shost, own_mac, NEIGHBOUR_MAC_BYTES) == 0) {
        return NEIGHBOUR_NOTHING;
    }
    memcpy(mac, frame.ethernet.ether_shost, NEIGHBOUR_MAC_BYTES);
    is_discovery = frame.ip.ip6_nxt == IPPROTO_ICMPV6 && frame.ip.ip6_hlim == NEIGHBOUR_HOP_LIMIT;
    is_target = memcmp(&frame.message.nd_na_target, address->bytes, sizeof frame.message.nd_na_target) == 0;
    if (is_discovery && is_target && frame.message.nd_na_type == ND_NEIGHBOR_ADVERT) {
        return (frame.message.nd_na_flags_reserved & ND_NA_FLAG_SOLICITED) != 0
                       && memcmp(frame.ethernet.ether_dhost, own_mac, NEIGHBOUR_MAC_BYTES) == 0
                   ? NEIGHBOUR_ANSWERS
                   : NEIGHBOUR_HAS;
    }
    if (memcmp(&frame.ip.ip6_src, address->bytes, sizeof frame.ip.ip6_src) == 0) {
        return NEIGHBOUR_HAS;
    }
    return is_discovery && is_target && asks_whether_it_is_free(&frame, bytes, length) ? NEIGHBOUR_ASKS : NEIGHBOUR_NOTHING;
}

/* --- either ----------------------------------------------------------------------- */

void neighbour_build_question(neighbour_frame_t *frame, const guint8 *mac, const neighbour_address_t *address)
{
    if (address->family == AF_INET) {
        arp_build_probe(frame, mac, address);
    } else {
        discovery_build_solicitation(frame, mac, address);
    }
}

neighbour_sight_t neighbour_read(const void *bytes, gsize length, const guint8 *own_mac,
                                 const neighbour_address_t *address, guint8 *mac)
{
    struct ether_header ethernet;

    if (length < sizeof ethernet) {
        return NEIGHBOUR_NOTHING;
    }
    memcpy(&ethernet, bytes, sizeof ethernet);
    if (ethernet.ether_type == htons(ETHERTYPE_ARP) && address->family == AF_INET) {
        return arp_read(bytes, length, own_mac, address, mac);
    }
    if (ethernet.ether_type == htons(ETHERTYPE_IPV6) && address->family == AF_INET6) {
        return discovery_read(bytes, length, own_mac, address, mac);
    }
    return NEIGHBOUR_NOTHING;
}
