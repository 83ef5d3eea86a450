/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_NEIGHBOUR_FRAME_H
#define UNDERSTUDY_NEIGHBOUR_FRAME_H

#include <glib.h>

/*
 * Ethernet frames about an address: ARP for IPv4 (RFC 826, RFC 5227), neighbour discovery for IPv6 (RFC 4861,
 * RFC 4862). Built here, and read here. Pure.
 */
#define NEIGHBOUR_MAC_BYTES 6
#define NEIGHBOUR_FRAME_MAX_BYTES 96
#define NEIGHBOUR_MAC_TEXT_BYTES 18 /* "52:54:00:12:34:56" */

typedef struct neighbour_frame {
    guint8 bytes[NEIGHBOUR_FRAME_MAX_BYTES];
    gsize length;
} neighbour_frame_t;

/* A numeric address of either family. */
typedef struct neighbour_address {
    int family; /* AF_INET or AF_INET6 */
    guint8 bytes[16];
} neighbour_address_t;

/* What a frame says of an address, from harmless to decisive. */
typedef enum {
    NEIGHBOUR_NOTHING,
    NEIGHBOUR_ASKS,    /* its sender asks whether it may take the address */
    NEIGHBOUR_HAS,     /* its sender has the address */
    NEIGHBOUR_ANSWERS, /* its sender has it, and has heard our question */
} neighbour_sight_t;

/* FALSE if the text is none. */
gboolean neighbour_mac_parse(const char *text, guint8 *mac);
void neighbour_mac_format(const guint8 *mac, char *text);
gboolean neighbour_address_parse(const char *text, neighbour_address_t *address);

/* IPv4 alone: an announcement, as a request (what RFC 5227 wants) or as a reply. */
void neighbour_build_arp_announcement(neighbour_frame_t *frame, const guint8 *mac, const neighbour_address_t *address,
                                      gboolean reply);
/* IPv6 alone: an unsolicited advertisement to all nodes. */
void neighbour_build_advertisement(neighbour_frame_t *frame, const guint8 *mac, const neighbour_address_t *address);

/*
 * Asks who has an address; the sender claims nothing by it. For IPv4 as duplicate address detection does. For IPv6 that would end
 * the address of a machine that has just begun to detect duplicates of it (RFC 4862 5.4.3; Linux never tries again): the
 * question comes from a link-local address of the MAC, as an ordinary one does, and has a nonce (RFC 3971 5.3.2), by which other
 * machines that ask so tell it from an ordinary one.
 */
void neighbour_build_question(neighbour_frame_t *frame, const guint8 *mac, const neighbour_address_t *address);

/* The multicast MAC that questions about an IPv6 address go to. */
void neighbour_solicited_mac(const neighbour_address_t *address, guint8 *mac);

/*!
 * \brief Tell what a received frame says of an address
 *
 * \param[in]  bytes    the frame from its Ethernet header on, as long or as short as it came
 * \param[in]  own_mac  what is sent from it is our own
 * \param[out] mac      the sender's MAC, if the result is not NEIGHBOUR_NOTHING
 */
neighbour_sight_t neighbour_read(const void *bytes, gsize length, const guint8 *own_mac,
                                 const neighbour_address_t *address, guint8 *mac);

#endif
