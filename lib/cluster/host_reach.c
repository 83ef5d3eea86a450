/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/host_reach.h"

#include <glib.h>

static const struct {
    const char *value;
    const char *fault;
} rows[] = {
    [HOST_REACH_UNKNOWN] = { NULL, "service network not known yet" },
    [HOST_REACH_ALL] = { "1", "" }, /* as the location rule in the operator's CIB has it */
    [HOST_REACH_NO_SERVICE] = { "no-service", "service network down" },
    [HOST_REACH_NO_STORE] = { "no-store", "store out of reach" },
};

const char *host_reach_value(host_reach_t reach)
{
    return rows[reach].value;
}

host_reach_t host_reach_parse(const char *value)
{
    if (value == NULL || *value == '\0') {
        return HOST_REACH_UNKNOWN;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (g_strcmp0(rows[i].value, value) == 0) {
            return (host_reach_t) i;
        }
    }
    return HOST_REACH_NO_SERVICE;
}

const char *host_reach_fault(host_reach_t reach)
{
    return rows[reach].fault;
}
