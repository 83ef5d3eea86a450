/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions about an address, and what the frames that come back say of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "frame_fixture.h"
#include "net/address_probe.h"
#include "net/neighbour_frame.h"

#define IPV4 "192.0.2.7"
#define IPV6 "2001:db8::1:207"

#define OWN_MAC_BYTES 0x02, 0x54, 0x00, 0x12, 0x34, 0x56
#define OTHER_MAC_BYTES 0x52, 0x54, 0x00, 0x12, 0x34, 0x57
#define OWN_LINK_LOCAL_BYTES 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x00, 0x54, 0x00, 0xff, 0xfe, 0x12, 0x34, 0x56
#define IPV4_BYTES    192, 0, 2, 7
#define NO_IPV4_BYTES 0, 0, 0, 0
#define NO_IPV6_BYTES 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define SOLICITED_MAC_BYTES 0x33, 0x33, 0xff, 0x01, 0x02, 0x07
#define SOLICITED_BYTES     0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff, 0x01, 0x02, 0x07

static const guint8 own_mac[NEIGHBOUR_MAC_BYTES] = { OWN_MAC_BYTES };
static const guint8 other_mac[NEIGHBOUR_MAC_BYTES] = { OTHER_MAC_BYTES };

static neighbour_address_t parsed(const char *text)
{
    neighbour_address_t address;

    assert_true(neighbour_address_parse(text, &address));
    return address;
}

static neighbour_sight_t sight_of(const neighbour_frame_t *frame, const char *address)
{
    neighbour_address_t looked_for = parsed(address);
    guint8 mac[NEIGHBOUR_MAC_BYTES];
    neighbour_sight_t sight = neighbour_read(frame->bytes, frame->length, own_mac, &looked_for, mac);

    if (sight != NEIGHBOUR_NOTHING) {
        assert_memory_equal(mac, other_mac, sizeof mac);
    }
    return sight;
}

/* RFC 5227 1.1: the sender's address is zero, else every cache on the network would be changed. */
static void test_the_question_for_an_ipv4_address(void **state)
{
    static const guint8 probe[] = { ARP_REQUEST_FRAME(OWN_MAC_BYTES, NO_IPV4_BYTES, IPV4_BYTES) };
    neighbour_address_t address = parsed(IPV4);
    neighbour_frame_t frame;

    (void) state;
    neighbour_build_question(&frame, own_mac, &address);
    assert_int_equal(frame.length, sizeof probe);
    assert_memory_equal(frame.bytes, probe, sizeof probe);
}

/* From a link-local address: from none, it would end the address of a machine that detects duplicates (RFC 4862 5.4.3). The
 * checksum was computed apart from this code, over the pseudo-header and the message. */
static void test_the_question_for_an_ipv6_address(void **state)
{
    static const guint8 solicitation[] = {
        DISCOVERY_HEADERS(SOLICITED_MAC_BYTES, OWN_MAC_BYTES, 0x28, OWN_LINK_LOCAL_BYTES, SOLICITED_BYTES),
        0x87, 0x00, 0x9a, 0x17, 0x00, 0x00, 0x00, 0x00,
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x02, 0x07,
        0x01, 0x01, OWN_MAC_BYTES,
        0x0e, 0x01, OWN_MAC_BYTES,
    };
    neighbour_address_t address = parsed(IPV6);
    neighbour_frame_t frame;

    (void) state;
    neighbour_build_question(&frame, own_mac, &address);
    assert_int_equal(frame.length, sizeof solicitation);
    assert_memory_equal(frame.bytes, solicitation, sizeof solicitation);
}

/* What an earlier version asks with, and a machine that detects duplicates; and one that wants to talk to the address. */
static void test_who_detects_duplicates_asks_and_who_wants_to_talk_does_not(void **state)
{
    static const guint8 detection[] = {
        DISCOVERY_HEADERS(SOLICITED_MAC_BYTES, OTHER_MAC_BYTES, 0x18, NO_IPV6_BYTES, SOLICITED_BYTES),
        0x87, 0x00, 0x48, 0xdf, 0x00, 0x00, 0x00, 0x00,
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x02, 0x07,
    };
    neighbour_frame_t frame = { .length = sizeof detection };

    (void) state;
    memcpy(frame.bytes, detection, sizeof detection);
    assert_int_equal(sight_of(&frame, IPV6), NEIGHBOUR_ASKS);
    frame.bytes[22] = 0xfe; /* its source */
    assert_int_equal(sight_of(&frame, IPV6), NEIGHBOUR_NOTHING);
    frame.bytes[sizeof detection] = 1; /* the option with its MAC */
    frame.bytes[sizeof detection + 1] = 1;
    frame.length = sizeof detection + 8;
    assert_int_equal(sight_of(&frame, IPV6), NEIGHBOUR_NOTHING);
    frame.bytes[sizeof detection + 1] = 0; /* an option without a length ends nowhere */
    frame.length = sizeof frame.bytes;
    assert_int_equal(sight_of(&frame, IPV6), NEIGHBOUR_NOTHING);
}

/* Only that proves that questions arrive where the answers come from. */
static void test_an_answer_to_us_is_told_from_what_is_said_to_all(void **state)
{
    neighbour_address_t ipv4 = parsed(IPV4);
    neighbour_address_t ipv6 = parsed(IPV6);
    neighbour_frame_t frame;

    (void) state;
    neighbour_build_arp_announcement(&frame, other_mac, &ipv4, TRUE);
    assert_int_equal(sight_of(&frame, IPV4), NEIGHBOUR_HAS);
    memcpy(frame.bytes + 32, own_mac, sizeof own_mac); /* who is told */
    assert_int_equal(sight_of(&frame, IPV4), NEIGHBOUR_ANSWERS);
    frame.bytes[21] = 1; /* a request */
    assert_int_equal(sight_of(&frame, IPV4), NEIGHBOUR_HAS);

    neighbour_build_advertisement(&frame, other_mac, &ipv6);
    memcpy(frame.bytes, own_mac, sizeof own_mac);
    assert_int_equal(sight_of(&frame, IPV6), NEIGHBOUR_HAS);
    frame.bytes[58] |= 0x40; /* solicited */
    assert_int_equal(sight_of(&frame, IPV6), NEIGHBOUR_ANSWERS);
    memcpy(frame.bytes, other_mac, sizeof other_mac);
    assert_int_equal(sight_of(&frame, IPV6), NEIGHBOUR_HAS);
}

static void test_a_question_from_elsewhere_is_no_answer(void **state)
{
    static const char *const addresses[] = { IPV4, IPV6 };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(addresses); i++) {
        neighbour_address_t address = parsed(addresses[i]);
        neighbour_frame_t frame;

        neighbour_build_question(&frame, other_mac, &address);
        assert_int_equal(sight_of(&frame, addresses[i]), NEIGHBOUR_ASKS);
        /* One that comes back, by a loop in the network, is nobody's. */
        neighbour_build_question(&frame, own_mac, &address);
        assert_int_equal(sight_of(&frame, addresses[i]), NEIGHBOUR_NOTHING);
    }
    {
        neighbour_address_t address = parsed("192.0.2.8");
        neighbour_frame_t frame;

        neighbour_build_question(&frame, other_mac, &address);
        assert_int_equal(sight_of(&frame, IPV4), NEIGHBOUR_NOTHING);
    }
}

static void test_whoever_speaks_as_the_address_has_it(void **state)
{
    neighbour_address_t ipv4 = parsed(IPV4);
    neighbour_address_t ipv6 = parsed(IPV6);
    neighbour_frame_t frame;

    (void) state;
    neighbour_build_arp_announcement(&frame, other_mac, &ipv4, FALSE);
    assert_int_equal(sight_of(&frame, IPV4), NEIGHBOUR_HAS);
    neighbour_build_arp_announcement(&frame, other_mac, &ipv4, TRUE);
    assert_int_equal(sight_of(&frame, IPV4), NEIGHBOUR_HAS);
    assert_int_equal(sight_of(&frame, "192.0.2.8"), NEIGHBOUR_NOTHING);
    /* It asks for a third machine: that is its own address in the packet all the same. */
    frame.bytes[41] = 200;
    assert_int_equal(sight_of(&frame, IPV4), NEIGHBOUR_HAS);

    neighbour_build_advertisement(&frame, other_mac, &ipv6);
    assert_int_equal(sight_of(&frame, IPV6), NEIGHBOUR_HAS);
    assert_int_equal(sight_of(&frame, "2001:db8::1:208"), NEIGHBOUR_NOTHING);
    /* Any packet of it, say TCP. */
    frame.bytes[20] = 6;
    assert_int_equal(sight_of(&frame, IPV6), NEIGHBOUR_HAS);
    /* An advertisement that has crossed a router is no neighbour's. */
    neighbour_build_advertisement(&frame, other_mac, &ipv6);
    frame.bytes[22] = 0xfe; /* from another source */
    frame.bytes[21] = 254;
    assert_int_equal(sight_of(&frame, IPV6), NEIGHBOUR_NOTHING);
}

static void test_cut_and_foreign_frames_say_nothing(void **state)
{
    neighbour_address_t ipv4 = parsed(IPV4);
    neighbour_address_t ipv6 = parsed(IPV6);
    neighbour_frame_t arp;
    neighbour_frame_t advertisement;

    (void) state;
    neighbour_build_arp_announcement(&arp, other_mac, &ipv4, TRUE);
    neighbour_build_advertisement(&advertisement, other_mac, &ipv6);
    assert_int_equal(sight_of(&arp, IPV6), NEIGHBOUR_NOTHING);
    assert_int_equal(sight_of(&advertisement, IPV4), NEIGHBOUR_NOTHING);
    for (gsize length = 0; length < 42; length++) {
        arp.length = length;
        assert_int_equal(sight_of(&arp, IPV4), NEIGHBOUR_NOTHING);
        advertisement.length = length;
        assert_int_equal(sight_of(&advertisement, IPV6), NEIGHBOUR_NOTHING);
    }
}

static void test_texts(void **state)
{
    char text[NEIGHBOUR_MAC_TEXT_BYTES];
    neighbour_address_t address;
    guint8 mac[NEIGHBOUR_MAC_BYTES];

    (void) state;
    assert_true(neighbour_mac_parse("52:54:00:12:34:57", mac));
    assert_memory_equal(mac, other_mac, sizeof mac);
    neighbour_mac_format(mac, text);
    assert_string_equal(text, "52:54:00:12:34:57");
    assert_false(neighbour_mac_parse("52:54:00:12:34", mac));
    assert_false(neighbour_mac_parse("52:54:00:12:34:5g", mac));
    assert_false(neighbour_address_parse("192.0.2.7/24", &address));
    assert_false(neighbour_address_parse("", &address));
}

static void test_it_asks_on_ethernet_alone(void **state)
{
    GError *error = NULL;

    (void) state;
    assert_null(address_probe_open("no-such-card", IPV4, NULL, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE));
    g_clear_error(&error);
    assert_null(address_probe_open("lo", "db1.example", NULL, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
    g_clear_error(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_question_for_an_ipv4_address),
        cmocka_unit_test(test_the_question_for_an_ipv6_address),
        cmocka_unit_test(test_who_detects_duplicates_asks_and_who_wants_to_talk_does_not),
        cmocka_unit_test(test_an_answer_to_us_is_told_from_what_is_said_to_all),
        cmocka_unit_test(test_a_question_from_elsewhere_is_no_answer),
        cmocka_unit_test(test_whoever_speaks_as_the_address_has_it),
        cmocka_unit_test(test_cut_and_foreign_frames_say_nothing),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_it_asks_on_ethernet_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
