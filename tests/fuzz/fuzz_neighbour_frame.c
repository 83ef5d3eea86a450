/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "net/neighbour_frame.h"

/* The input is a frame as the network brings it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char *const addresses[] = { "192.0.2.7", "2001:db8::7" };
    static const guint8 own_mac[NEIGHBOUR_MAC_BYTES] = { 0x02, 0, 0, 0, 0, 1 };

    for (gsize i = 0; i < G_N_ELEMENTS(addresses); i++) {
        neighbour_address_t address;
        guint8 mac[NEIGHBOUR_MAC_BYTES] = { 0 };

        FUZZ_CHECK(neighbour_address_parse(addresses[i], &address));
        if (neighbour_read(data, size_bytes, own_mac, &address, mac) != NEIGHBOUR_NOTHING) {
            char text[NEIGHBOUR_MAC_TEXT_BYTES];
            guint8 again[NEIGHBOUR_MAC_BYTES];

            neighbour_mac_format(mac, text);
            FUZZ_CHECK(neighbour_mac_parse(text, again));
        }
    }
    return 0;
}
