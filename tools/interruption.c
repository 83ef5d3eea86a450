/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which parameters restart a resource, and whom a changed size drives away, is Pacemaker's to say. */
#include "interruption.h"

#include "base/error.h"
#include "cluster/cluster_state.h"
#include "cluster/scheduler.h"

/* A start without its ticket is refused by the agent: who sets the ticket constraint right ends nothing by it. */
static gboolean is_on(const cluster_server_t *server)
{
    return server->image == IMAGE_RUNNING || (server->image == IMAGE_STARTING && server->ticket_granted)
           || (server->image == IMAGE_UNKNOWN && cluster_server_may_run(server));
}

static GPtrArray *images_that_are_on(const cluster_state_t *state)
{
    GPtrArray *servers = g_ptr_array_new();

    for (guint i = 0; i < state->servers->len; i++) {
        if (is_on(g_ptr_array_index(state->servers, i))) {
            g_ptr_array_add(servers, g_ptr_array_index(state->servers, i));
        }
    }
    return servers;
}

/* What the plan says of the first of them whom it ends; NULL: it ends none. */
static const cluster_server_t *first_ended(const scheduler_plan_t *plan, const scheduler_plan_t *without,
                                           const GPtrArray *servers)
{
    for (guint i = 0; i < servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(servers, i);

        if (g_hash_table_contains(plan->ends, server->resource_id)
            && (without == NULL || !g_hash_table_contains(without->ends, server->resource_id))) {
            return server;
        }
    }
    return NULL;
}

static gboolean refuse(const cluster_server_t *server, const scheduler_plan_t *plan, GError **error)
{
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS,
                "the image of %s runs on %s, and with this change Pacemaker would %s it: make the change when the image "
                "has stopped, or say with --restart that it may be interrupted",
                server->name, server->image_host != NULL ? server->image_host : "a host",
                (const char *) g_hash_table_lookup(plan->ends, server->resource_id));
    return FALSE;
}

/* The plan without the change is only made where it matters. */
static gboolean all_run_on(const GPtrArray *servers, xmlNode *before, xmlNode *after, GError **error)
{
    scheduler_plan_t *plan = scheduler_ask_now(after, NULL, SCHEDULER_TIMEOUT_MS, error);
    scheduler_plan_t *without = NULL;
    const cluster_server_t *ended = plan != NULL ? first_ended(plan, NULL, servers) : NULL;
    gboolean known = plan != NULL;

    if (ended != NULL) {
        without = scheduler_ask_now(before, NULL, SCHEDULER_TIMEOUT_MS, error);
        known = without != NULL;
        ended = known ? first_ended(plan, without, servers) : NULL;
    }
    if (!known) {
        g_prefix_error(error, "whether images that run would be interrupted is not known (--restart does not ask): ");
    }
    known = known && (ended == NULL || refuse(ended, plan, error));
    scheduler_plan_free(plan);
    scheduler_plan_free(without);
    return known;
}

gboolean interruption_check(xmlNode *before, xmlNode *after, GError **error)
{
    cluster_state_t *state = cluster_state_parse(before, error);
    g_autoptr(GPtrArray) servers = state != NULL ? images_that_are_on(state) : NULL;
    gboolean done = servers != NULL && (servers->len == 0 || all_run_on(servers, before, after, error));

    cluster_state_free(state);
    return done;
}
