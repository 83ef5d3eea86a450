/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/cycle.h"

#include <string.h>

typedef struct {
    cycle_t *cycle;
    const probe_spec_t *spec;
    probe_t *probe; /* NULL: it has ended */
} part_t;

struct cycle {
    cycle_mode_t mode;
    cycle_done_fn done;
    gpointer user_data;
    guint pending;
    guint count;
    gboolean lives;        /* some part has had an answer of the machine, or may have had */
    probe_answer_t answer; /* so far; its reason is that of the first part that said so */
    char *reason;
    part_t parts[];
};

static void cycle_free(cycle_t *cycle)
{
    for (guint i = 0; i < cycle->count; i++) {
        if (cycle->parts[i].probe != NULL) {
            probe_cancel(cycle->parts[i].probe);
        }
    }
    g_free(cycle->reason);
    g_free(cycle);
}

/* Which of two answers goes for both, by mode: the one with the higher weight. */
static const guint weights[][PROBE_ANSWER_COUNT] = {
    [CYCLE_ALL] = { [PROBE_UP] = 0, [PROBE_UNKNOWN] = 1, [PROBE_DOWN] = 2, [PROBE_REFUSED] = 2 },
    [CYCLE_EACH] = { [PROBE_UP] = 0, [PROBE_UNKNOWN] = 1, [PROBE_DOWN] = 2, [PROBE_REFUSED] = 2 },
    [CYCLE_ANY] = { [PROBE_DOWN] = 0, [PROBE_REFUSED] = 0, [PROBE_UNKNOWN] = 1, [PROBE_UP] = 2 },
};
#define WEIGHT_MAX 2

/* One line that names the probe. */
static char *make_reason(const probe_spec_t *spec, const char *reason)
{
    g_autofree char *label = probe_spec_label(spec);
    g_autofree char *line = g_strndup(reason, strcspn(reason, "\r\n"));
    g_autofree char *text = g_strdup_printf("%s: %s", label, line);
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    const char *end = valid + MIN(strlen(valid), CYCLE_REASON_MAX_BYTES);

    if (*end != '\0') {
        end = g_utf8_find_prev_char(valid, end + 1);
    }
    return g_strndup(valid, (gsize) (end - valid));
}

static void cycle_add(cycle_t *cycle, const part_t *part, probe_answer_t answer, const char *reason)
{
    gboolean is_first = cycle->pending + 1 == cycle->count;

    if (is_first || weights[cycle->mode][answer] > weights[cycle->mode][cycle->answer]) {
        cycle->answer = answer;
        g_free(cycle->reason);
        cycle->reason = reason != NULL ? make_reason(part->spec, reason) : NULL;
    }
}

static void on_probe_done(probe_answer_t answer, const char *reason, gpointer user_data)
{
    part_t *part = user_data;
    cycle_t *cycle = part->cycle;
    cycle_done_fn done = cycle->done;
    gpointer done_data = cycle->user_data;

    part->probe = NULL;
    cycle->pending--;
    cycle_add(cycle, part, answer, reason);
    cycle->lives = cycle->lives || answer != PROBE_DOWN;
    if ((weights[cycle->mode][answer] == WEIGHT_MAX && cycle->mode != CYCLE_EACH) || cycle->pending == 0) {
        probe_answer_t whole = cycle->answer == PROBE_DOWN && cycle->lives ? PROBE_REFUSED : cycle->answer;
        g_autofree char *why = g_steal_pointer(&cycle->reason);

        cycle_free(cycle);
        done(whole, why, done_data);
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
        cycle->parts[i].spec = specs[i];
        cycle->parts[i].probe = probe_start(specs[i], timeout_ms, fresh, on_probe_done, &cycle->parts[i]);
    }
    return cycle;
}

void cycle_cancel(cycle_t *cycle)
{
    cycle_free(cycle);
}
