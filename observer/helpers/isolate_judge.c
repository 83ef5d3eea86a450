/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "helpers/isolate_judge.h"

isolation_result_t isolation_judge(power_way_t power, store_way_t store)
{
    gboolean is_closed = store != STORE_OPEN && store != STORE_OPEN_MAYBE;
    gboolean has_effect = power == POWER_UNKNOWN || store == STORE_CLOSED_USED || store == STORE_OPEN_MAYBE;

    if (power == POWER_OFF) {
        return ISOLATION_DONE;
    }
    if (has_effect) {
        return is_closed ? ISOLATION_NOT_CONFIRMED : ISOLATION_STORE_OPEN;
    }
    if (power == POWER_ENDED) {
        return is_closed ? ISOLATION_ENDED : ISOLATION_ENDED_STORE_OPEN;
    }
    if (power == POWER_NOT_ASKED) {
        return is_closed ? ISOLATION_NOT_ASKED : ISOLATION_NOT_ASKED_STORE_OPEN;
    }
    return is_closed ? ISOLATION_NO_EFFECT : ISOLATION_NO_EFFECT_STORE_OPEN;
}
