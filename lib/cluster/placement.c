/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/placement.h"

#include <string.h>

#include "base/names.h"

static void placement_free(gpointer data)
{
    placement_t *placement = data;

    g_free(placement->reason);
    g_free(placement);
}

static int table_integer(GHashTable *table, const char *name)
{
    return GPOINTER_TO_INT(g_hash_table_lookup(table, name));
}

/* What an image asks for: char* -> GINT_TO_POINTER. Of any image the smallest, attribute by attribute. */
static GHashTable *image_need(const cluster_state_t *state, const cluster_server_t *server)
{
    GHashTable *need = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < state->servers->len; i++) {
        const cluster_server_t *one = g_ptr_array_index(state->servers, i);
        GHashTableIter iter;
        gpointer name = NULL;
        gpointer value = NULL;

        if (server != NULL && one != server) {
            continue;
        }
        g_hash_table_iter_init(&iter, one->utilization);
        while (g_hash_table_iter_next(&iter, &name, &value)) {
            int asked = (int) CLAMP(g_ascii_strtoll(value, NULL, 10), G_MININT, G_MAXINT);

            if (!g_hash_table_contains(need, name) || asked < table_integer(need, name)) {
                g_hash_table_insert(need, g_strdup(name), GINT_TO_POINTER(asked));
            }
        }
    }
    return need;
}

/* The first attribute, by name, that the host has too little of; NULL if the image fits. */
static const char *short_of(const cluster_host_t *host, GHashTable *need)
{
    g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(need), (GCompareFunc) strcmp);

    for (GList *item = names; item != NULL; item = item->next) {
        if (table_integer(host->remaining, item->data) < table_integer(need, item->data)) {
            return item->data;
        }
    }
    return NULL;
}

static char *no_room_reason(const cluster_host_t *host, GHashTable *need, const char *attribute)
{
    if (!g_hash_table_contains(host->remaining, attribute)) {
        if (strcmp(attribute, UTILIZATION_CPU) != 0 && strcmp(attribute, UTILIZATION_MEMORY) != 0
            && strcmp(attribute, UTILIZATION_HEADROOM) != 0) {
            return g_strdup_printf("no room: the image asks for %s, and the host has none", attribute);
        }
        return g_strdup_printf("no room: its %s is not published; see that " CAPACITY_RESOURCE_ID " runs there",
                               attribute);
    }
    return g_strdup_printf("no room: %s %d < %d", attribute, table_integer(host->remaining, attribute),
                           table_integer(need, attribute));
}

static char *free_reason(const cluster_host_t *host)
{
    const char *fault = host_reach_fault(host->reach);
    GString *text = g_string_new(fault);
    g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(host->remaining), (GCompareFunc) strcmp);

    g_string_append(text, *fault != '\0' ? "; free: " : "free: ");
    for (GList *item = names; item != NULL; item = item->next) {
        g_string_append_printf(text, "%s%s %d", item == names ? "" : ", ", (const char *) item->data,
                               table_integer(host->remaining, item->data));
    }
    if (names == NULL) {
        g_string_append(text, "not published");
    }
    return g_string_free(text, FALSE);
}

/* Without a server: what the shipped location rule gives. */
static int host_score(const cluster_host_t *host, const cluster_server_t *server, GHashTable *scores)
{
    gpointer score = NULL;

    if (server == NULL) {
        return host->reach == HOST_REACH_ALL ? (int) g_ascii_strtoll(REACH_SCORE, NULL, 10) : 0;
    }
    if (scores == NULL) {
        return table_integer(server->host_scores, host->name);
    }
    /* A host that the scheduler does not mention is not among those that may run it. */
    return g_hash_table_lookup_extended(scores, host->name, NULL, &score) ? GPOINTER_TO_INT(score)
                                                                          : -SCHEDULER_SCORE_INFINITY;
}

/* The ids of the constraints that may be about the host; NULL if there are none. */
static char *constraints_text(const cluster_host_t *host, const cluster_server_t *server)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; server != NULL && i < server->constraints->len; i++) {
        const cluster_constraint_t *constraint = g_ptr_array_index(server->constraints, i);

        if (constraint->node == NULL || g_ascii_strcasecmp(constraint->node, host->name) == 0) {
            g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", constraint->id);
        }
    }
    return g_string_free(text, text->len == 0);
}

char *placement_retry_text(const cluster_server_t *server, const char *host)
{
    gsize at_s = GPOINTER_TO_SIZE(g_hash_table_lookup(server->host_retries, host));
    g_autoptr(GDateTime) at = at_s != 0 ? g_date_time_new_from_unix_local((gint64) at_s) : NULL;
    g_autofree char *clock = at != NULL ? g_date_time_format(at, "%F %T") : NULL;

    if (clock != NULL) {
        return g_strdup_printf("%s is tried again at %s, or after crm_resource --cleanup --resource %s", host, clock,
                               server->resource_id);
    }
    return g_strdup_printf("%s is not tried again: when it is mended, run crm_resource --cleanup --resource %s", host,
                           server->resource_id);
}

static char *ban_reason(const cluster_state_t *state, const cluster_host_t *host, const cluster_server_t *server)
{
    const char *failure = server != NULL ? g_hash_table_lookup(server->host_failures, host->name) : NULL;
    g_autofree char *constraints = constraints_text(host, server);

    if (failure != NULL) {
        g_autofree char *retry = placement_retry_text(server, host->name);

        return g_strdup_printf("%s; %s", failure, retry);
    }
    if (host->health_fault != NULL) {
        return g_strdup_printf("the cluster keeps resources off it for its health: %s", host->health_fault);
    }
    if (constraints != NULL) {
        return g_strdup_printf("a constraint forbids it (%s)", constraints);
    }
    if (state->opt_in) {
        return g_strdup("no location constraint lets the image run there, and the cluster asks for one "
                        "(symmetric-cluster=false)");
    }
    return g_strdup("the scheduler keeps the image off it: see crm_simulate --live-check --show-scores");
}

static placement_t *judge(const cluster_state_t *state, const cluster_host_t *host, const cluster_server_t *server,
                          GHashTable *need, GHashTable *scores)
{
    placement_t *placement = g_new0(placement_t, 1);
    const char *attribute = NULL;

    placement->host = host;
    placement->score = host_score(host, server, scores);
    if (!host->online) {
        placement->reason = g_strdup("offline");
    } else if (host->standby) {
        placement->reason = g_strdup("standby");
    } else if (host->maintenance) {
        placement->reason = g_strdup("maintenance");
    } else if (placement->score < 0) {
        placement->reason = ban_reason(state, host, server);
    } else if (state->counts_capacity && (attribute = short_of(host, need)) != NULL) {
        placement->reason = no_room_reason(host, need, attribute);
    } else {
        placement->eligible = TRUE;
        placement->reason = free_reason(host);
    }
    return placement;
}

/* >0 if a has more left of more attributes; an attribute that a host has not counts as 0. */
static int capacity_vote(const cluster_host_t *a, const cluster_host_t *b)
{
    GHashTableIter iter;
    gpointer name = NULL;
    int vote = 0;

    g_hash_table_iter_init(&iter, a->remaining);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        int left_a = table_integer(a->remaining, name);
        int left_b = table_integer(b->remaining, name);

        vote += (left_a > left_b) - (left_a < left_b);
    }
    g_hash_table_iter_init(&iter, b->remaining);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        if (!g_hash_table_contains(a->remaining, name)) {
            int left_b = table_integer(b->remaining, name);

            vote += (0 > left_b) - (0 < left_b);
        }
    }
    return vote;
}

static gint compare_placements(gconstpointer a, gconstpointer b, gpointer user_data)
{
    const placement_t *first = *(placement_t *const *) a;
    const placement_t *second = *(placement_t *const *) b;
    const cluster_state_t *state = user_data;

    if (first->eligible != second->eligible) {
        return first->eligible ? -1 : 1;
    }
    if (!first->eligible) {
        return strcmp(first->host->name, second->host->name);
    }
    if (first->score != second->score) {
        return first->score > second->score ? -1 : 1;
    }
    if (state->balanced) {
        int vote = capacity_vote(first->host, second->host);

        if (vote != 0) {
            return vote > 0 ? -1 : 1;
        }
    }
    if (first->host->resource_count != second->host->resource_count) {
        return first->host->resource_count < second->host->resource_count ? -1 : 1;
    }
    return strcmp(first->host->name, second->host->name);
}

/* Where the scheduler would start the image comes first, whatever the rules say that are written here. */
static void put_first(GPtrArray *placements, const char *host)
{
    for (guint i = 0; i < placements->len; i++) {
        placement_t *placement = g_ptr_array_index(placements, i);

        if (strcmp(placement->host->name, host) == 0) {
            placement->eligible = TRUE;
            g_ptr_array_insert(placements, 0, g_ptr_array_steal_index(placements, i));
            return;
        }
    }
}

/* From all hosts that could run something. */
static void take_away(GPtrArray *placements, const char *reason)
{
    for (guint i = 0; i < placements->len; i++) {
        placement_t *placement = g_ptr_array_index(placements, i);

        if (placement->host->online && !placement->host->standby && !placement->host->maintenance) {
            placement->eligible = FALSE;
            g_free(placement->reason);
            placement->reason = g_strdup(reason);
        }
    }
}

/* What the scheduler would do, or what holds the image back, stands over the ranking. NULL of both: nothing is known. */
static const scheduler_start_t *planned_start(const cluster_server_t *server, const scheduler_plan_t *plan)
{
    return server != NULL && plan != NULL ? g_hash_table_lookup(plan->starts, server->resource_id) : NULL;
}

/* As far as is known; what may run somewhere is moved by the scheduler, or recovered, and not started. */
static gboolean is_stopped(const cluster_server_t *server)
{
    return server != NULL && !cluster_server_may_run(server);
}

/* What keeps the image from every host alike; NULL if nothing does. */
static char *common_obstacle(const cluster_state_t *state, const cluster_server_t *server, const scheduler_plan_t *plan)
{
    const scheduler_start_t *start = planned_start(server, plan);

    if (server == NULL || (start != NULL && start->blocked == NULL)) {
        return NULL;
    }
    if (server->held_back != NULL) {
        return g_strdup(server->held_back);
    }
    if (!state->quorate && (plan == NULL || start != NULL)) {
        return g_strdup("no quorum: nothing is started until a majority of the hosts is back");
    }
    if (start != NULL) {
        return g_strdup_printf("Pacemaker holds the start back: %s", start->blocked);
    }
    return NULL;
}

static gboolean has_eligible(const GPtrArray *placements)
{
    return placements->len > 0 && ((const placement_t *) g_ptr_array_index(placements, 0))->eligible;
}

static void obey(const cluster_state_t *state, const cluster_server_t *server, const scheduler_plan_t *plan,
                 GPtrArray *placements)
{
    const scheduler_start_t *start = planned_start(server, plan);
    g_autofree char *obstacle = is_stopped(server) ? common_obstacle(state, server, plan) : NULL;

    if (obstacle != NULL) {
        take_away(placements, obstacle);
    } else if (start != NULL && start->host != NULL) {
        put_first(placements, start->host);
    } else if (plan != NULL && is_stopped(server) && has_eligible(placements)) {
        take_away(placements, "the scheduler starts the image nowhere: see crm_simulate --live-check --show-scores");
    }
}

static const cluster_host_t *host_find(const cluster_state_t *state, const char *name)
{
    for (guint i = 0; i < state->hosts->len; i++) {
        const cluster_host_t *host = g_ptr_array_index(state->hosts, i);

        if (strcmp(host->name, name) == 0) {
            return host;
        }
    }
    return NULL;
}

void placement_reserve(cluster_state_t *state, const char *host, const cluster_server_t *server)
{
    const cluster_host_t *found = host_find(state, host);
    GHashTable *need = image_need(state, server);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer asked = NULL;

    g_hash_table_iter_init(&iter, need);
    while (found != NULL && g_hash_table_iter_next(&iter, &name, &asked)) {
        int left = table_integer(found->remaining, name) - GPOINTER_TO_INT(asked);

        g_hash_table_insert(found->remaining, g_strdup(name), GINT_TO_POINTER(left));
    }
    g_hash_table_unref(need);
}

GPtrArray *placement_rank(const cluster_state_t *state, const cluster_server_t *server, const scheduler_plan_t *plan)
{
    GPtrArray *placements = g_ptr_array_new_with_free_func(placement_free);
    GHashTable *scores = server != NULL && plan != NULL ? g_hash_table_lookup(plan->scores, server->resource_id) : NULL;
    GHashTable *need = image_need(state, server);

    for (guint i = 0; i < state->hosts->len; i++) {
        g_ptr_array_add(placements, judge(state, g_ptr_array_index(state->hosts, i), server, need, scores));
    }
    g_ptr_array_sort_with_data(placements, compare_placements, (gpointer) state);
    obey(state, server, plan, placements);
    for (guint i = 0; i < placements->len; i++) {
        placement_t *placement = g_ptr_array_index(placements, i);

        placement->rank = placement->eligible ? i + 1 : 0;
    }
    g_hash_table_unref(need);
    return placements;
}

char *placement_obstacle(const cluster_state_t *state, const cluster_server_t *server, const scheduler_plan_t *plan)
{
    g_autofree char *common = common_obstacle(state, server, plan);
    g_autoptr(GPtrArray) placements = NULL;
    GString *text = NULL;

    if (common != NULL) {
        return g_steal_pointer(&common);
    }
    placements = placement_rank(state, server, plan);
    text = g_string_new("no host can run the image: ");
    for (guint i = 0; i < placements->len; i++) {
        const placement_t *placement = g_ptr_array_index(placements, i);

        if (placement->eligible) {
            g_string_free(text, TRUE);
            return NULL;
        }
        g_string_append_printf(text, "%s%s: %s", i > 0 ? "; " : "", placement->host->name, placement->reason);
    }
    if (placements->len == 0) {
        g_string_append(text, "the cluster has none");
    }
    return g_string_free(text, FALSE);
}
