/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "frame_fixture.h"
#include "net/announce.h"

#define MAC "52:54:00:12:34:56"
#define MAC_BYTES  0x52, 0x54, 0x00, 0x12, 0x34, 0x56
#define IPV4_BYTES 192, 0, 2, 7
#define IPV6_BYTES 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x07
#define ALL_NODES_MAC_BYTES 0x33, 0x33, 0x00, 0x00, 0x00, 0x01
#define ALL_NODES_BYTES     0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01

/* RFC 5227 2.3. */
static void test_arp(void **state)
{
    static const guint8 request[] = { ARP_REQUEST_FRAME(MAC_BYTES, IPV4_BYTES, IPV4_BYTES) };
    announce_frames_t frames;

    (void) state;
    assert_true(announce_build(MAC, "192.0.2.7", &frames));
    assert_int_equal(frames.count, 2);
    assert_int_equal(frames.frames[0].length, sizeof request);
    assert_memory_equal(frames.frames[0].bytes, request, sizeof request);
    /* The second one is a reply, addressed to ourselves. */
    assert_int_equal(frames.frames[1].length, sizeof request);
    assert_int_equal(frames.frames[1].bytes[21], 2);
    assert_memory_equal(frames.frames[1].bytes + 32, frames.frames[1].bytes + 22, NEIGHBOUR_MAC_BYTES);
}

/* RFC 4861 4.4 and 4.6.1. The checksum was computed apart from this code, over the pseudo-header and the message. */
static void test_neighbour_advertisement(void **state)
{
    static const guint8 frame[] = {
        DISCOVERY_HEADERS(ALL_NODES_MAC_BYTES, MAC_BYTES, 0x20, IPV6_BYTES, ALL_NODES_BYTES),
        0x88, 0x00, 0x74, 0x63, 0x20, 0x00, 0x00, 0x00,
        IPV6_BYTES,
        0x02, 0x01, MAC_BYTES,
    };
    announce_frames_t frames;

    (void) state;
    assert_true(announce_build(MAC, "2001:db8::7", &frames));
    assert_int_equal(frames.count, 1);
    assert_int_equal(frames.frames[0].length, sizeof frame);
    assert_memory_equal(frames.frames[0].bytes, frame, sizeof frame);
}

static void test_bad_input(void **state)
{
    announce_frames_t frames;

    (void) state;
    assert_false(announce_build("52:54:00:12:34", "192.0.2.7", &frames));
    assert_false(announce_build(MAC ":78", "192.0.2.7", &frames));
    assert_false(announce_build(MAC, "db1.example", &frames));
    assert_false(announce_build(MAC, "", &frames));
}

static void test_no_such_interface(void **state)
{
    announce_frames_t frames;
    GError *error = NULL;

    (void) state;
    assert_true(announce_build(MAC, "192.0.2.7", &frames));
    assert_false(announce_send(&frames, "no-such-bridge", &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE));
    g_error_free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arp),
        cmocka_unit_test(test_neighbour_advertisement),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_no_such_interface),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
