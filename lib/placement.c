/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "placement.h"

#include <string.h>

#include "names.h"

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
static int host_score(const cluster_host_t *host, const cluster_server_t *server)
{
    if (server == NULL) {
        return host->reach == HOST_REACH_ALL ? (int) g_ascii_strtoll(REACH_SCORE, NULL, 10) : 0;
    }
    return table_integer(server->host_scores, host->name);
}

static char *ban_reason(const cluster_host_t *host, const cluster_server_t *server)
{
    const char *failure = server != NULL ? g_hash_table_lookup(server->host_failures, host->name) : NULL;

    if (failure != NULL) {
        return g_strdup_printf("%s; when it is mended, run crm_resource --cleanup --resource %s", failure,
                               server->resource_id);
    }
    return g_strdup("a location constraint forbids it");
}

static placement_t *judge(const cluster_host_t *host, const cluster_server_t *server, GHashTable *need)
{
    placement_t *placement = g_new0(placement_t, 1);
    const char *attribute = NULL;

    placement->host = host;
    placement->score = host_score(host, server);
    if (!host->online) {
        placement->reason = g_strdup("offline");
    } else if (host->standby) {
        placement->reason = g_strdup("standby");
    } else if (host->maintenance) {
        placement->reason = g_strdup("maintenance");
    } else if (placement->score < 0) {
        placement->reason = ban_reason(host, server);
    } else if ((attribute = short_of(host, need)) != NULL) {
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

GPtrArray *placement_rank(const cluster_state_t *state, const cluster_server_t *server)
{
    GPtrArray *placements = g_ptr_array_new_with_free_func(placement_free);
    GHashTable *need = image_need(state, server);

    for (guint i = 0; i < state->hosts->len; i++) {
        g_ptr_array_add(placements, judge(g_ptr_array_index(state->hosts, i), server, need));
    }
    g_ptr_array_sort_with_data(placements, compare_placements, (gpointer) state);
    for (guint i = 0; i < placements->len; i++) {
        placement_t *placement = g_ptr_array_index(placements, i);

        placement->rank = placement->eligible ? i + 1 : 0;
    }
    g_hash_table_unref(need);
    return placements;
}
