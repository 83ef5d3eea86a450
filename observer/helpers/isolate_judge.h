/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the ways of an attempt to isolate a server prove together. Pure. */
#ifndef UNDERSTUDY_ISOLATE_JUDGE_H
#define UNDERSTUDY_ISOLATE_JUDGE_H

#include "judge/verdict.h"

typedef enum {
    POWER_OFF,       /* proved */
    POWER_NOT_ASKED, /* the fencer could not be asked for anything */
    POWER_ENDED,     /* the fencer has tried without success, and is at nothing more: what the device got is not known */
    POWER_UNKNOWN,   /* its answer did not come, or does not say whether the power is off */
    POWER_NO_DEVICE, /* no host has a device for it */
    POWER_WAY_COUNT
} power_way_t;

typedef enum {
    STORE_CLOSED_IDLE, /* its address is on the blocklist, and had no client in the store */
    STORE_CLOSED_USED, /* likewise, and had one, or may have had */
    STORE_OPEN,        /* it is not on the blocklist */
    STORE_OPEN_MAYBE,  /* whether it is, or will be, is not known */
    STORE_NO_ADDRESS,
    STORE_WAY_COUNT
} store_way_t;

/* The store is one thing more: only without power a server can't serve. */
isolation_result_t isolation_judge(power_way_t power, store_way_t store);

#endif
