/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "eligibility.h"

#include "cluster_state.h"
#include "error.h"
#include "placement.h"
#include "scheduler.h"

struct eligibility {
    cluster_state_t *state;
    GPtrArray *servers;              /* cluster_server_t*, in it */
    scheduler_question_t *question;  /* NULL: it could not be asked */
    guint source;
    eligibility_told_fn told;
    gpointer user_data;
};

static void question_free(eligibility_t *question)
{
    g_clear_handle_id(&question->source, g_source_remove);
    g_ptr_array_unref(question->servers);
    cluster_state_free(question->state);
    g_free(question);
}

static gboolean is_active(const cluster_server_t *server)
{
    return server->image_host != NULL && (server->image == IMAGE_RUNNING || server->image == IMAGE_STARTING);
}

static void tell_one(const eligibility_t *question, const cluster_server_t *server, const scheduler_plan_t *plan)
{
    g_autofree char *obstacle = NULL;
    g_autoptr(GPtrArray) placements = NULL;

    if (is_active(server)) {
        question->told(server->name, server->image_host, NULL, question->user_data);
        return;
    }
    obstacle = placement_obstacle(question->state, server, plan);
    if (obstacle != NULL) {
        question->told(server->name, NULL, obstacle, question->user_data);
        return;
    }
    placements = placement_rank(question->state, server, plan);
    question->told(server->name, ((const placement_t *) g_ptr_array_index(placements, 0))->host->name, NULL,
                   question->user_data);
}

static void tell_all(eligibility_t *question, const scheduler_plan_t *plan)
{
    eligibility_told_fn told = question->told;
    gpointer user_data = question->user_data;

    for (guint i = 0; i < question->servers->len; i++) {
        tell_one(question, g_ptr_array_index(question->servers, i), plan);
    }
    question_free(question);
    told(NULL, NULL, NULL, user_data);
}

static void on_answered(const scheduler_plan_t *plan, const GError *error, gpointer user_data)
{
    eligibility_t *question = user_data;

    (void) error;
    question->question = NULL;
    tell_all(question, plan);
}

static gboolean on_not_asked(gpointer user_data)
{
    eligibility_t *question = user_data;

    question->source = 0;
    tell_all(question, NULL);
    return G_SOURCE_REMOVE;
}

eligibility_t *eligibility_ask(xmlNode *cib_xml, const char *const *servers, guint timeout_ms,
                               eligibility_told_fn told, gpointer user_data, GError **error)
{
    cluster_state_t *state = cluster_state_parse(cib_xml, error);
    g_autoptr(GPtrArray) known = g_ptr_array_new();
    eligibility_t *question = NULL;

    for (const char *const *server = servers; state != NULL && *server != NULL; server++) {
        const cluster_server_t *found = cluster_state_server(state, *server);

        if (found != NULL) {
            g_ptr_array_add(known, (gpointer) found);
        }
    }
    if (known->len == 0) {
        if (state != NULL) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND,
                        "the cluster's configuration has no image of %s", servers[0] != NULL ? servers[0] : "any server");
        }
        cluster_state_free(state);
        return NULL;
    }
    question = g_new0(eligibility_t, 1);
    question->state = state;
    question->servers = g_ptr_array_ref(known);
    question->told = told;
    question->user_data = user_data;
    question->question = scheduler_ask(cib_xml, servers, timeout_ms, on_answered, question, NULL);
    if (question->question == NULL) {
        question->source = g_idle_add(on_not_asked, question);
    }
    return question;
}

void eligibility_cancel(eligibility_t *question)
{
    if (question->question != NULL) {
        scheduler_cancel(question->question);
    }
    question_free(question);
}
