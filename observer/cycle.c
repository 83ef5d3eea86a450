/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cycle.h"

typedef struct {
    cycle_t *cycle;
    probe_t *probe; /* NULL: it has ended */
} part_t;

struct cycle {
    cycle_mode_t mode;
    cycle_done_fn done;
    gpointer user_data;
    guint pending;
    guint count;
    part_t parts[];
};

static void cycle_free(cycle_t *cycle)
{
    for (guint i = 0; i < cycle->count; i++) {
        if (cycle->parts[i].probe != NULL) {
            probe_cancel(cycle->parts[i].probe);
        }
    }
    g_free(cycle);
}

static void on_probe_done(gboolean answered, gpointer user_data)
{
    part_t *part = user_data;
    cycle_t *cycle = part->cycle;
    cycle_done_fn done = cycle->done;
    gpointer done_data = cycle->user_data;
    gboolean is_decided = (cycle->mode == CYCLE_ALL) ? !answered : answered;

    part->probe = NULL;
    cycle->pending--;
    if (is_decided || cycle->pending == 0) {
        cycle_free(cycle);
        done(answered, done_data);
    }
}

cycle_t *cycle_start(probe_spec_t *const *specs, guint count, cycle_mode_t mode, guint timeout_ms, gboolean fresh,
                     cycle_done_fn done, gpointer user_data)
{
    cycle_t *cycle = g_malloc0(sizeof(cycle_t) + count * sizeof(part_t));

    cycle->mode = mode;
    cycle->done = done;
    cycle->user_data = user_data;
    cycle->pending = count;
    cycle->count = count;
    for (guint i = 0; i < count; i++) {
        cycle->parts[i].cycle = cycle;
        cycle->parts[i].probe = probe_start(specs[i], timeout_ms, fresh, on_probe_done, &cycle->parts[i]);
    }
    return cycle;
}

void cycle_cancel(cycle_t *cycle)
{
    cycle_free(cycle);
}
