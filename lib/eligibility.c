/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "eligibility.h"

#include "cluster_state.h"
#include "error.h"
#include "placement.h"
#include "scheduler.h"

struct eligibility {
    cluster_state_t *state;
    const cluster_server_t *server;  /* in it */
    scheduler_question_t *question;  /* NULL: it could not be asked */
    guint source;
    eligibility_told_fn told;
    gpointer user_data;
};

static void question_free(eligibility_t *question)
{
    g_clear_handle_id(&question->source, g_source_remove);
    cluster_state_free(question->state);
    g_free(question);
}

static gboolean is_active(const cluster_server_t *server)
{
    return server->image_host != NULL && (server->image == IMAGE_RUNNING || server->image == IMAGE_STARTING);
}

static void tell(const eligibility_t *question, const scheduler_plan_t *plan)
{
    g_autofree char *obstacle = NULL;
    g_autoptr(GPtrArray) placements = NULL;

    if (is_active(question->server)) {
        question->told(question->server->image_host, NULL, question->user_data);
        return;
    }
    obstacle = placement_obstacle(question->state, question->server, plan);
    if (obstacle != NULL) {
        question->told(NULL, obstacle, question->user_data);
        return;
    }
    placements = placement_rank(question->state, question->server, plan);
    question->told(((const placement_t *) g_ptr_array_index(placements, 0))->host->name, NULL, question->user_data);
}

static void on_answered(const scheduler_plan_t *plan, const GError *error, gpointer user_data)
{
    eligibility_t *question = user_data;

    (void) error;
    question->question = NULL;
    tell(question, plan);
    question_free(question);
}

static gboolean on_not_asked(gpointer user_data)
{
    eligibility_t *question = user_data;

    question->source = 0;
    tell(question, NULL);
    question_free(question);
    return G_SOURCE_REMOVE;
}

eligibility_t *eligibility_ask(xmlNode *cib_xml, const char *server, guint timeout_ms, eligibility_told_fn told,
                               gpointer user_data, GError **error)
{
    cluster_state_t *state = cluster_state_parse(cib_xml, error);
    const cluster_server_t *known = state != NULL ? cluster_state_server(state, server) : NULL;
    eligibility_t *question = NULL;

    if (known == NULL) {
        if (state != NULL) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND,
                        "the cluster's configuration has no image of %s", server);
        }
        cluster_state_free(state);
        return NULL;
    }
    question = g_new0(eligibility_t, 1);
    question->state = state;
    question->server = known;
    question->told = told;
    question->user_data = user_data;
    question->question = scheduler_ask(cib_xml, server, timeout_ms, on_answered, question, NULL);
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
