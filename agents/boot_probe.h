/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_BOOT_PROBE_H
#define UNDERSTUDY_BOOT_PROBE_H

#include "probe_spec.h"

/* TRUE for the types that boot_probe_answers() can carry out: tcp and icmp. */
gboolean boot_probe_is_usable(const probe_spec_t *probe);

/* One try: TRUE if the guest answers within timeout_ms. */
gboolean boot_probe_answers(const probe_spec_t *probe, guint timeout_ms);

#endif
