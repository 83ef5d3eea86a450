/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/domain_state.h"

#include <libvirt/libvirt.h>

#define ANY_REASON (-1)

static const struct {
    int state;
    int reason;
    domain_verdict_t verdict;
    const char *meaning;
} meanings[] = {
    { VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY_FAILED, DOMAIN_FAILED,
      "a live migration was cut off in its post-copy phase and part of the memory is lost" },
    { VIR_DOMAIN_RUNNING, ANY_REASON, DOMAIN_RUNS, NULL },
    { VIR_DOMAIN_BLOCKED, ANY_REASON, DOMAIN_RUNS, NULL },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, DOMAIN_FAILED,
      "the guest is paused by an I/O error: look at Ceph, and whether this host is on its blocklist" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_CRASHED, DOMAIN_FAILED, "the guest is paused because it has crashed" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_WATCHDOG, DOMAIN_FAILED, "the guest is paused by its watchdog" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY_FAILED, DOMAIN_FAILED,
      "the guest is paused because its live migration failed in the post-copy phase" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_UNKNOWN, DOMAIN_FAILED,
      "the guest is paused and libvirt does not know why" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, DOMAIN_DEGRADED,
      "the guest was paused by hand: resume it with virsh resume" },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SHUTTING_DOWN, DOMAIN_RUNS, NULL },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, DOMAIN_RUNS, NULL },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, DOMAIN_RUNS, NULL },
    { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY, DOMAIN_RUNS, NULL },
    { VIR_DOMAIN_PAUSED, ANY_REASON, DOMAIN_DEGRADED,
      "the guest is paused for a save, dump or snapshot: resume it with virsh resume" },
    { VIR_DOMAIN_SHUTDOWN, ANY_REASON, DOMAIN_RUNS, NULL },
    { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED, DOMAIN_STOPPED, "the guest or its QEMU has crashed" },
    { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED, DOMAIN_STOPPED, "the guest failed to start" },
    { VIR_DOMAIN_SHUTOFF, ANY_REASON, DOMAIN_STOPPED, NULL },
    { VIR_DOMAIN_CRASHED, ANY_REASON, DOMAIN_STOPPED, "the guest has crashed" },
    { VIR_DOMAIN_PMSUSPENDED, ANY_REASON, DOMAIN_DEGRADED,
      "the guest has suspended itself: wake it with virsh dompmwakeup" },
};

domain_verdict_t domain_state_judge(int state, int reason, const char **meaning)
{
    for (gsize i = 0; i < G_N_ELEMENTS(meanings); i++) {
        if (meanings[i].state == state && (meanings[i].reason == reason || meanings[i].reason == ANY_REASON)) {
            *meaning = meanings[i].meaning;
            return meanings[i].verdict;
        }
    }
    *meaning = "libvirt reports a state that this agent does not know";
    return DOMAIN_DEGRADED;
}
