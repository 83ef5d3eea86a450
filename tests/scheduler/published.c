/* SPDX-License-Identifier: GPL-2.0-or-later */
/* published: what ocf:understudy:capacity publishes of a host with a lasting load, for test_capacity.py. */
#include <stdio.h>
#include <stdlib.h>

#include "capacity/capacity_logic.h"

static guint64 number(const char *text)
{
    return g_ascii_strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
    capacity_sample_t sample = { 0 };
    capacity_limits_t limits = { 0 };
    capacity_load_t load = { 0 };
    capacity_t capacity = { 0 };

    if (argc != 8) {
        fprintf(stderr, "usage: published CPUS MIB CPU_RESERVE RESERVE_MIB STEP_MIB LOAD_CPUS LOAD_MIB\n");
        return EXIT_FAILURE;
    }
    sample.cpu_count = (guint) number(argv[1]);
    sample.memory_total_mib = number(argv[2]);
    limits.cpu_reserve = (guint) number(argv[3]);
    limits.memory_reserve_mib = number(argv[4]);
    limits.memory_step_mib = number(argv[5]);
    load.cpus = g_ascii_strtod(argv[6], NULL);
    load.memory_mib = g_ascii_strtod(argv[7], NULL);
    capacity = capacity_compute(&sample, &load, &limits, NULL);
    printf("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", capacity.cpu, capacity.memory_mib,
           capacity.headroom);
    return EXIT_SUCCESS;
}
