/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the references of one network, so that this host knows whether it hears anybody there. */
#include "sight.h"

struct sight {
    GPtrArray *references; /* probe_spec_t* */
    sight_changed_fn changed;
    gpointer user_data;
    cycle_t *cycle;        /* NULL: none runs */
    gint64 due_ms;
    gint64 begun_ms;
    vote_sight_t seen;
};

static void set_blind(sight_t *sight, gboolean blind)
{
    if (sight->seen.blind != blind) {
        sight->seen.blind = blind;
        sight->changed(sight, sight->user_data);
    }
}

void sight_answered(sight_t *sight)
{
    sight->seen.reference_answered_ms = probe_now_ms();
    sight->seen.blind = FALSE;
    sight->changed(sight, sight->user_data);
}

/* Of a reference only an answer counts: one that can't be asked shows no more than one that is silent. */
static void on_done(probe_answer_t answer, const char *reason, gpointer user_data)
{
    sight_t *sight = user_data;

    (void) reason;
    sight->cycle = NULL;
    if (answer == PROBE_UP) {
        sight_answered(sight);
    }
}

cycle_t *sight_ask(sight_t *sight, cycle_done_fn done, gpointer user_data)
{
    if (sight->references->len == 0) {
        return NULL;
    }
    return cycle_start((probe_spec_t *const *) sight->references->pdata, sight->references->len, CYCLE_ANY,
                       SIGHT_REFERENCE_TIMEOUT_MS, TRUE, done, user_data);
}

void sight_ask_now(sight_t *sight)
{
    if (sight->cycle == NULL) {
        sight->due_ms = probe_now_ms() + SIGHT_REFERENCE_INTERVAL_MS;
        sight->cycle = sight_ask(sight, on_done, sight);
    }
}

void sight_tick(sight_t *sight, gint64 now_ms)
{
    if (sight->references->len == 0) {
        return;
    }
    if (now_ms >= sight->due_ms) {
        sight_ask_now(sight);
    }
    if (now_ms - MAX(sight->seen.reference_answered_ms, sight->begun_ms) > SIGHT_BLIND_AFTER_MS) {
        set_blind(sight, TRUE);
    }
}

const vote_sight_t *sight_seen(const sight_t *sight)
{
    return &sight->seen;
}

gboolean sight_has_references(const sight_t *sight)
{
    return sight->references->len > 0;
}

sight_t *sight_new(GPtrArray *references, gboolean needs_them, sight_changed_fn changed, gpointer user_data)
{
    sight_t *sight = g_new0(sight_t, 1);

    sight->references = references;
    sight->changed = changed;
    sight->user_data = user_data;
    sight->seen.has_references = references->len > 0 || needs_them;
    sight->seen.blind = references->len == 0 && needs_them;
    sight->begun_ms = probe_now_ms(); /* nobody has been heard yet: that proves nothing of what was missed before */
    return sight;
}

void sight_free(sight_t *sight)
{
    if (sight == NULL) {
        return;
    }
    g_clear_pointer(&sight->cycle, cycle_cancel);
    g_ptr_array_unref(sight->references);
    g_free(sight);
}
