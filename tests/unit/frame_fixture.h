/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FRAME_FIXTURE_H
#define UNDERSTUDY_FRAME_FIXTURE_H

/* Frames about an address, byte for byte, for tests to compare with. Each argument is a list of bytes. */

/* RFC 826: Ethernet, then ARP. */
#define ARP_REQUEST_FRAME(mac, sender, target)                                                                   \
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, mac, 0x08, 0x06,                                                         \
    0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, mac, sender, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, target

/* RFC 4861: Ethernet, then the header of IPv6 with ICMPv6 of that length in it, sent by a neighbour. */
#define DISCOVERY_HEADERS(to_mac, mac, length, source, destination)                                              \
    to_mac, mac, 0x86, 0xdd, 0x60, 0x00, 0x00, 0x00, 0x00, length, 0x3a, 0xff, source, destination

#endif
