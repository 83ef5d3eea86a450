/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/announce.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

gboolean announce_build(const char *mac, const char *address, announce_frames_t *frames)
{
    guint8 mac_bytes[NEIGHBOUR_MAC_BYTES];
    neighbour_address_t parsed;

    memset(frames, 0, sizeof *frames);
    if (!neighbour_mac_parse(mac, mac_bytes) || !neighbour_address_parse(address, &parsed)) {
        return FALSE;
    }
    if (parsed.family == AF_INET) {
        /* A request is what RFC 5227 wants; some stacks take an unasked change from a reply alone. */
        neighbour_build_arp_announcement(&frames->frames[0], mac_bytes, &parsed, FALSE);
        neighbour_build_arp_announcement(&frames->frames[1], mac_bytes, &parsed, TRUE);
        frames->count = 2;
    } else {
        neighbour_build_advertisement(&frames->frames[0], mac_bytes, &parsed);
        frames->count = 1;
    }
    return TRUE;
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
