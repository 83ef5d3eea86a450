/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_BOOT_PROBE_H
#define UNDERSTUDY_BOOT_PROBE_H

#include "params/probe_spec.h"

/* TRUE for the types that boot_probe_ask() can carry out: tcp and icmp. */
gboolean boot_probe_is_usable(const probe_spec_t *probe);

/* As for the observers' probes: silence is the guest's, what this host can't send says nothing of the guest. */
typedef enum {
    BOOT_PROBE_ANSWERED,
    BOOT_PROBE_MISSED,
    BOOT_PROBE_NOT_ASKED, /* errno says why */
} boot_probe_t;

/* One try, within timeout_ms. */
boot_probe_t boot_probe_ask(const probe_spec_t *probe, guint timeout_ms);

#endif
