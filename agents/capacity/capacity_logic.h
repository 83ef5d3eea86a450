/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_CAPACITY_LOGIC_H
#define UNDERSTUDY_CAPACITY_LOGIC_H

#include <glib.h>

/*
 * What a host publishes as its capacity, from what it measures. Pure.
 *
 * Published is total - reserve - the load that Pacemaker does not manage, never
 * the measured free amount: Pacemaker subtracts its own images itself, and would
 * subtract them twice. In coarse steps with hysteresis, because every change of
 * the CIB makes Pacemaker think again.
 */

/* One look at the host. Counters only grow between two looks. */
typedef struct capacity_sample {
    gint64 at_us;             /* monotonic time */
    guint cpu_count;
    guint64 cpu_busy_us;      /* all CPUs, since boot */
    guint64 managed_cpu_us;   /* of it: guests that Pacemaker manages and that run now */
    guint managed_count;      /* how many those are; another count: managed_cpu_us can't be compared */
    guint64 memory_total_mib;
    guint64 memory_used_mib;  /* total - available */
    guint64 managed_memory_mib;
    gboolean managed_is_known; /* FALSE: libvirt has not told which guests those are */
} capacity_sample_t;

/* Load that Pacemaker does not manage, smoothed. */
typedef struct capacity_load {
    double cpus;
    double memory_mib;
} capacity_load_t;

typedef struct capacity_limits {
    guint cpu_reserve;
    guint64 memory_reserve_mib;
    guint64 memory_step_mib;
    guint64 settle_ms;
} capacity_limits_t;

typedef struct capacity {
    gint64 cpu;
    gint64 memory_mib;
    gint64 headroom;          /* hundredths of a CPU or of its share of memory, whichever is scarcer; and a constant */
} capacity_t;

/* Memory that goes with one CPU on a usual virtualization host: how the two
 * are compared in `headroom`. An image's own headroom is capacity_image_headroom(). */
#define HEADROOM_MEMORY_PER_CPU_MIB 4096

/*!
 * \brief Load that Pacemaker does not manage, from two looks
 *
 * \param[in]     before  the look before this one, or NULL: then CPU load counts as none
 * \param[in]     now     this look
 * \param[in]     limits  how long a load must last (time constant of the smoothing)
 * \param[in,out] load    smoothed load; zeroed with before == NULL
 */
void capacity_load_update(const capacity_sample_t *before, const capacity_sample_t *now,
                          const capacity_limits_t *limits, capacity_load_t *load);

/*!
 * \brief What to publish
 *
 * \param[in] published  what is published now, or NULL; kept as long as it is nearly right
 */
capacity_t capacity_compute(const capacity_sample_t *now, const capacity_load_t *load,
                            const capacity_limits_t *limits, const capacity_t *published);

/* TRUE if that is of a host that the store refused: nothing, and no other host publishes so little. */
gboolean capacity_is_withheld(const capacity_t *published);

/*!
 * \brief What to publish, or nothing while the store refuses this host
 *
 * An image that was placed here would wait until the host is let in, while others are free.
 *
 * \param[out] is_urgent  room goes, or is back: also in the middle of a takeover, which it is for
 */
capacity_t capacity_decide(const capacity_sample_t *now, const capacity_load_t *load, const capacity_limits_t *limits,
                           const capacity_t *published, gboolean is_refused, gboolean *is_urgent);

gboolean capacity_equal(const capacity_t *a, const capacity_t *b);

#endif
