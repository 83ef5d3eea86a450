/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent_kinds.h"

#include "base/program.h"
#include "log.h"

/* An agent's metadata comes within a second or two, from a host that is busy later. */
#define HELPER_TIMEOUT_MS 30000
#define RETRY_MS          30000

struct agent_kinds {
    const char *helper;
    GHashTable *known;   /* char* agent -> fence_agent_kind_t, never unknown */
    GQueue *waiting;     /* char*: to be asked */
    char *asked;         /* who is being asked, or NULL */
    program_t *program;
    guint source;        /* the next question after one that failed */
};

static gboolean ask_next(gpointer user_data);

static void on_ended(const program_result_t *result, gpointer user_data)
{
    agent_kinds_t *kinds = user_data;
    g_autofree char *agent = g_steal_pointer(&kinds->asked);
    gboolean is_told = result->exit_status == FENCE_AGENT_POWER || result->exit_status == FENCE_AGENT_FABRIC;

    kinds->program = NULL;
    if (is_told) {
        g_hash_table_insert(kinds->known, g_steal_pointer(&agent), GINT_TO_POINTER(result->exit_status));
    } else {
        log_line(LOG_WARNING, "Whether the fence agent %s switches the power is not known: it does not tell its actions (%s)",
                 agent, result->reason);
        g_queue_push_tail(kinds->waiting, g_steal_pointer(&agent));
    }
    kinds->source = g_timeout_add(is_told ? 0 : RETRY_MS, ask_next, kinds);
}

static gboolean ask_next(gpointer user_data)
{
    agent_kinds_t *kinds = user_data;

    kinds->source = 0;
    if (kinds->program == NULL && !g_queue_is_empty(kinds->waiting)) {
        const char *argv[] = { kinds->helper, "--agent", NULL, NULL };

        kinds->asked = g_queue_pop_head(kinds->waiting);
        argv[2] = kinds->asked;
        kinds->program = program_start(argv, HELPER_TIMEOUT_MS, on_ended, kinds);
    }
    return G_SOURCE_REMOVE;
}

static gboolean is_waiting(const agent_kinds_t *kinds, const char *agent)
{
    return g_strcmp0(kinds->asked, agent) == 0
           || g_queue_find_custom(kinds->waiting, agent, (GCompareFunc) g_strcmp0) != NULL;
}

void agent_kinds_look(agent_kinds_t *kinds, const cluster_state_t *state)
{
    for (guint i = 0; i < state->fence_devices->len; i++) {
        const cluster_fence_device_t *device = g_ptr_array_index(state->fence_devices, i);

        if (device->agent != NULL && !fence_agent_is_well_known(device->agent)
            && !g_hash_table_contains(kinds->known, device->agent) && !is_waiting(kinds, device->agent)) {
            g_queue_push_tail(kinds->waiting, g_strdup(device->agent));
        }
    }
    if (kinds->source == 0 && kinds->program == NULL && !g_queue_is_empty(kinds->waiting)) {
        kinds->source = g_timeout_add(0, ask_next, kinds);
    }
}

fence_agent_kind_t agent_kinds_get(const char *agent, gpointer user_data)
{
    const agent_kinds_t *kinds = user_data;
    gpointer kind = NULL;

    if (fence_agent_is_well_known(agent)) {
        return fence_agent_kind_by_name(agent);
    }
    return g_hash_table_lookup_extended(kinds->known, agent, NULL, &kind) ? (fence_agent_kind_t) GPOINTER_TO_INT(kind)
                                                                           : FENCE_AGENT_UNKNOWN;
}

char *agent_kinds_power(const agent_kinds_t *kinds)
{
    GString *text = g_string_new(NULL);
    GHashTableIter iter;
    gpointer agent = NULL;
    gpointer kind = NULL;

    g_hash_table_iter_init(&iter, kinds->known);
    while (g_hash_table_iter_next(&iter, &agent, &kind)) {
        if (GPOINTER_TO_INT(kind) == FENCE_AGENT_POWER) {
            g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "", (const char *) agent);
        }
    }
    return g_string_free(text, FALSE);
}

agent_kinds_t *agent_kinds_new(const char *helper)
{
    agent_kinds_t *kinds = g_new0(agent_kinds_t, 1);

    kinds->helper = helper;
    kinds->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    kinds->waiting = g_queue_new();
    return kinds;
}

void agent_kinds_free(agent_kinds_t *kinds)
{
    if (kinds == NULL) {
        return;
    }
    g_clear_handle_id(&kinds->source, g_source_remove);
    g_clear_pointer(&kinds->program, program_cancel);
    g_queue_free_full(kinds->waiting, g_free);
    g_hash_table_unref(kinds->known);
    g_free(kinds->asked);
    g_free(kinds);
}
