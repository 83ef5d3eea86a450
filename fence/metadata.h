/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FENCE_METADATA_H
#define UNDERSTUDY_FENCE_METADATA_H

/* What fence_rbd says of itself. */
#define FENCE_SHORTDESC "Fence agent that puts a host out of reach of its Ceph RBD images"
#define FENCE_LONGDESC \
    "fence_rbd is an I/O fencing agent for hosts that run virtual machines from Ceph RBD images. Fencing a host puts " \
    "its addresses on the blocklist of the Ceph cluster, waits for the OSD map that holds them, and succeeds only " \
    "when every OSD that keeps a header of an image in the protected pools has answered with that map or a later one, " \
    "and names no watcher from the host that the map does not refuse. The host itself stays " \
    "powered: it can't read or write an image any more, but may still answer on its other networks. Use it alone " \
    "where there is no power switch, or together with a power fence in a topology.\n" \
    "\n" \
    "Addresses come from what each host publishes in the key store of the Ceph monitors, or from storage_addrs, never " \
    "from the watchers that are there at the time. Unfencing takes off the host's addresses that a fence has recorded, " \
    "once the host has booted or no virtual machine with an image in the protected pools is left on it; entries of " \
    "single clients stay until the host has booted and no header lists the client.\n" \
    "\n" \
    "With method=confirm nothing is changed: the action succeeds only if two rounds, hold_down apart, find the host " \
    "dead in Corosync's membership, on the management network and among the watchers of all images."

#endif
