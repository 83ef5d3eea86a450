/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "eligibility.h"

#include "base/error.h"
#include "cluster/cluster_state.h"
#include "cluster/placement.h"
#include "cluster/scheduler.h"

struct eligibility {
    cluster_state_t *state;
    GPtrArray *asked;                /* cluster_server_t*, in it */
    GPtrArray *promised;             /* likewise */
    GPtrArray *isolated;             /* likewise */
    scheduler_question_t *question;  /* NULL: it could not be asked */
    guint source;
    eligibility_told_fn told;
    gpointer user_data;
};

static void question_free(eligibility_t *question)
{
    g_clear_handle_id(&question->source, g_source_remove);
    g_ptr_array_unref(question->asked);
    g_ptr_array_unref(question->promised);
    g_ptr_array_unref(question->isolated);
    cluster_state_free(question->state);
    g_free(question);
}

static gboolean is_active(const cluster_server_t *server)
{
    return server->image_host != NULL && (server->image == IMAGE_RUNNING || server->image == IMAGE_STARTING);
}

/* The host, which lives as long as the question; NULL and *obstacle: none. Without a plan nobody else counts what was
 * given away before: it is taken from the host. */
static const char *place(eligibility_t *question, const cluster_server_t *server, const scheduler_plan_t *plan,
                         char **obstacle)
{
    g_autoptr(GPtrArray) placements = NULL;
    const cluster_host_t *host = NULL;

    if (is_active(server)) {
        return server->image_host;
    }
    *obstacle = placement_obstacle(question->state, server, plan);
    if (*obstacle != NULL) {
        return NULL;
    }
    placements = placement_rank(question->state, server, plan);
    host = ((const placement_t *) g_ptr_array_index(placements, 0))->host;
    if (plan == NULL) {
        placement_reserve(question->state, host->name, server);
    }
    return host->name;
}

/* What the scheduler gives them is not there for others. */
static void planned_reserve(eligibility_t *question, const GPtrArray *servers, const scheduler_plan_t *plan)
{
    for (guint i = 0; plan != NULL && i < servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(servers, i);
        g_autofree char *obstacle = NULL;
        const char *host = place(question, server, plan, &obstacle);

        if (host != NULL && !is_active(server)) {
            placement_reserve(question->state, host, server);
        }
    }
}

/* The first of them to whom the scheduler gives nothing, although there is room: somebody else gets it. One that would not find
 * any by itself is in nobody's way. NULL: there is none, or no plan, without which they come first. */
static const char *left_out_find(eligibility_t *question, const GPtrArray *servers, const scheduler_plan_t *plan)
{
    const char *left_out = NULL;

    for (guint i = 0; i < servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(servers, i);
        g_autofree char *planned_obstacle = NULL;
        g_autofree char *obstacle = NULL;

        if (plan != NULL && place(question, server, plan, &planned_obstacle) != NULL) {
            continue;
        }
        if (place(question, server, NULL, &obstacle) != NULL && plan != NULL && left_out == NULL) {
            left_out = server->name;
        }
    }
    return left_out;
}

/* Where somebody is left out, only what he and the others leave is there. */
static void tell_one(eligibility_t *question, const cluster_server_t *server, const scheduler_plan_t *plan,
                     const char *left_out)
{
    g_autofree char *obstacle = NULL;
    g_autofree char *rest_obstacle = NULL;
    const char *host = place(question, server, plan, &obstacle);

    if (host != NULL && left_out != NULL) {
        host = place(question, server, NULL, &rest_obstacle);
    }
    if (rest_obstacle != NULL) {
        obstacle = g_strdup_printf("%s, which failed before it, may need the room that is left", left_out);
    }
    question->told(server->name, host, obstacle, question->user_data);
}

static void tell_all(eligibility_t *question, const scheduler_plan_t *plan)
{
    eligibility_told_fn told = question->told;
    gpointer user_data = question->user_data;
    const char *isolated = NULL;
    const char *promised = NULL;

    planned_reserve(question, question->isolated, plan);
    planned_reserve(question, question->promised, plan);
    isolated = left_out_find(question, question->isolated, plan);
    promised = left_out_find(question, question->promised, plan);
    for (guint i = 0; i < question->asked->len; i++) {
        tell_one(question, g_ptr_array_index(question->asked, i), plan, isolated != NULL ? isolated : promised);
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

/* Those of the names that the cluster has; each is added to all_names, too. */
static GPtrArray *known_servers(const cluster_state_t *state, const char *const *names, GPtrArray *all_names)
{
    GPtrArray *known = g_ptr_array_new();

    for (; *names != NULL; names++) {
        const cluster_server_t *found = cluster_state_server(state, *names);

        if (found != NULL) {
            g_ptr_array_add(known, (gpointer) found);
            g_ptr_array_add(all_names, (gpointer) found->name);
        }
    }
    return known;
}

eligibility_t *eligibility_ask(xmlNode *cib_xml, const eligibility_servers_t *servers, guint timeout_ms,
                               eligibility_told_fn told, gpointer user_data, GError **error)
{
    cluster_state_t *state = cluster_state_parse(cib_xml, error);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    eligibility_t *question = NULL;

    if (state == NULL) {
        return NULL;
    }
    question = g_new0(eligibility_t, 1);
    question->state = state;
    question->asked = known_servers(state, servers->asked, names);
    question->promised = known_servers(state, servers->promised, names);
    question->isolated = known_servers(state, servers->isolated, names);
    question->told = told;
    question->user_data = user_data;
    if (question->asked->len == 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND, "the cluster's configuration has no image of %s",
                    servers->asked[0] != NULL ? servers->asked[0] : "any server");
        question_free(question);
        return NULL;
    }
    g_ptr_array_add(names, NULL);
    question->question = scheduler_ask(cib_xml, (const char *const *) names->pdata, timeout_ms, on_answered, question, NULL);
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
