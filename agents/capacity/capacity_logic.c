/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capacity/capacity_logic.h"

#include <math.h>

#define HEADROOM_STEP 25

/* A CPU counts as free when at least half of it is: the published number is whole. */
#define CPU_ROUNDING 0.5

/* The same for all hosts, so that it decides nothing: as much as the rounding of the
 * other two can exceed what is really free (half a CPU and a quarter for hysteresis),
 * plus a step of headroom's own and its hysteresis. Without it headroom would refuse
 * an image that fits by CPUs and memory, and it is there to rank only. */
#define HEADROOM_ROUNDING 125

/* Part of a step by which a measure must leave the published step to change it. */
#define STEP_HYSTERESIS 0.25

static double counter_difference(guint64 before, guint64 now)
{
    return now > before ? (double) (now - before) : 0.0;
}

static double unmanaged_cpus(const capacity_sample_t *before, const capacity_sample_t *now)
{
    double wall_us = (double) (now->at_us - before->at_us);
    double busy_us = counter_difference(before->cpu_busy_us, now->cpu_busy_us);
    double managed_us = counter_difference(before->managed_cpu_us, now->managed_cpu_us);

    if (wall_us <= 0.0 || busy_us <= managed_us) {
        return 0.0;
    }
    return fmin((busy_us - managed_us) / wall_us, (double) now->cpu_count);
}

static double unmanaged_memory_mib(const capacity_sample_t *now)
{
    return counter_difference(now->managed_memory_mib, now->memory_used_mib);
}

void capacity_load_update(const capacity_sample_t *before, const capacity_sample_t *now,
                          const capacity_limits_t *limits, capacity_load_t *load)
{
    double weight = 1.0;

    if (before == NULL) {
        load->cpus = 0.0;
        load->memory_mib = unmanaged_memory_mib(now);
        return;
    }
    if (limits->settle_ms > 0) {
        weight = 1.0 - exp(-(double) (now->at_us - before->at_us) / 1000.0 / (double) limits->settle_ms);
    }
    load->memory_mib += weight * (unmanaged_memory_mib(now) - load->memory_mib);
    /* A guest came or went in between: its CPU time since then is unknown. */
    if (before->managed_count == now->managed_count && before->cpu_count == now->cpu_count) {
        load->cpus += weight * (unmanaged_cpus(before, now) - load->cpus);
    }
}

static gint64 round_to_step(double measure, double step, const gint64 *published)
{
    double margin = step * STEP_HYSTERESIS;
    gint64 rounded = (gint64) (floor(fmax(measure, 0.0) / step) * step);

    if (published != NULL && fmod((double) *published, step) == 0.0
        && measure >= (double) *published - margin && measure < (double) *published + step + margin) {
        return *published;
    }
    return rounded;
}

capacity_t capacity_compute(const capacity_sample_t *now, const capacity_load_t *load,
                            const capacity_limits_t *limits, const capacity_t *published)
{
    double free_cpus = (double) now->cpu_count - limits->cpu_reserve - load->cpus;
    double free_mib = (double) now->memory_total_mib - (double) limits->memory_reserve_mib - load->memory_mib;
    double headroom = HEADROOM_ROUNDING
                      + 100.0 * fmax(fmin(free_cpus, free_mib / HEADROOM_MEMORY_PER_CPU_MIB), 0.0);
    capacity_t capacity = {
        .cpu = round_to_step(free_cpus + CPU_ROUNDING, 1.0, published != NULL ? &published->cpu : NULL),
        .memory_mib = round_to_step(free_mib, (double) limits->memory_step_mib,
                                    published != NULL ? &published->memory_mib : NULL),
        .headroom = round_to_step(headroom, HEADROOM_STEP, published != NULL ? &published->headroom : NULL),
    };

    return capacity;
}

gboolean capacity_is_withheld(const capacity_t *published)
{
    return published->cpu == 0 && published->memory_mib == 0 && published->headroom == 0;
}

capacity_t capacity_decide(const capacity_sample_t *now, const capacity_load_t *load, const capacity_limits_t *limits,
                           const capacity_t *published, gboolean is_refused, gboolean *is_urgent)
{
    gboolean was_withheld = published != NULL && capacity_is_withheld(published);

    *is_urgent = is_refused || was_withheld;
    if (is_refused) {
        return (capacity_t) { 0 };
    }
    return capacity_compute(now, load, limits, was_withheld ? NULL : published);
}

gboolean capacity_equal(const capacity_t *a, const capacity_t *b)
{
    return a->cpu == b->cpu && a->memory_mib == b->memory_mib && a->headroom == b->headroom;
}
