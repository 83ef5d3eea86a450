/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether servers can be taken over: asked of Pacemaker one question at a time, for all servers that wait for an answer, and
 * of the image agent meanwhile. */
#include "eligible.h"

#include "bootable.h"
#include "cluster/cib.h"
#include "eligibility.h"
#include "promises.h"

/* The scheduler needs seconds for 1,000 servers; after this time our own ranking answers. */
#define SCHEDULER_TIMEOUT_MS 12000

struct eligible {
    cluster_t *cluster;
    agent_kinds_t *kinds;
    eligible_told_fn told;
    eligible_others_fn others;
    gpointer user_data;
    GHashTable *waiting;     /* names: for the next question */
    GHashTable *asked;       /* names: in the question under way, not answered yet */
    GHashTable *looked_at;   /* names: whether what the store holds of them can be booted is not answered yet */
    bootable_t *bootable;
    eligibility_t *question; /* or NULL */
    guint source;
};

static void ask_later(eligible_t *eligible);

/* One of the two answers: told if it is an obstacle, or the last. */
static void answer(eligible_t *eligible, const char *server, const char *obstacle)
{
    if (obstacle != NULL) {
        g_hash_table_remove(eligible->asked, server);
        g_hash_table_remove(eligible->looked_at, server);
    }
    if (!g_hash_table_contains(eligible->asked, server) && !g_hash_table_contains(eligible->looked_at, server)) {
        eligible->told(server, obstacle, eligible->user_data);
    }
}

static void on_looked(const char *server, const char *obstacle, gpointer user_data)
{
    eligible_t *eligible = user_data;

    if (g_hash_table_remove(eligible->looked_at, server)) {
        answer(eligible, server, obstacle);
    }
}

/* Whoever is left was not answered. */
static void tell_rest(eligible_t *eligible, const char *obstacle)
{
    g_autoptr(GHashTable) rest = g_steal_pointer(&eligible->asked);
    GHashTableIter iter;
    gpointer server = NULL;

    eligible->asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_iter_init(&iter, rest);
    while (g_hash_table_iter_next(&iter, &server, NULL)) {
        answer(eligible, server, obstacle);
    }
}

static void on_told(const char *server, const char *host, const char *reason, gpointer user_data)
{
    eligible_t *eligible = user_data;

    if (server == NULL) {
        eligible->question = NULL; /* that was all */
        tell_rest(eligible, "the cluster's configuration has no image of it");
        ask_later(eligible);
    } else if (g_hash_table_remove(eligible->asked, server)) {
        answer(eligible, server, host != NULL ? NULL : reason);
    }
}

static eligibility_t *question_new(eligible_t *eligible, xmlNode *cib_xml, GError **error)
{
    g_auto(GStrv) isolated = eligible->others(TRUE, eligible->user_data);
    g_auto(GStrv) told = eligible->others(FALSE, eligible->user_data);
    g_autoptr(promises_t) promises = promises_new(eligible->asked, eligible->looked_at, (const char *const *) isolated,
                                                  (const char *const *) told);
    const eligibility_servers_t servers = { .asked = (const char *const *) promises->asked,
                                            .promised = (const char *const *) promises->promised,
                                            .isolated = (const char *const *) promises->isolated };

    return eligibility_ask(cib_xml, &servers, SCHEDULER_TIMEOUT_MS, on_told, eligible, error);
}

/* An image that runs is the proof itself. */
static gboolean may_have_to_boot(const cluster_server_t *server)
{
    return server->image != IMAGE_RUNNING && server->image != IMAGE_STARTING;
}

/* Nothing is to be done to one that nothing could isolate as it must be: it is told so at once. */
static void look_at(eligible_t *eligible, const cluster_state_t *state, const cluster_server_t *server)
{
    g_autofree char *obstacle = fence_required_obstacle(state, server, agent_kinds_get, eligible->kinds);

    if (obstacle != NULL) {
        answer(eligible, server->name, obstacle);
    } else if (may_have_to_boot(server)) {
        g_hash_table_add(eligible->looked_at, g_strdup(server->name));
        bootable_ask(eligible->bootable, server->name, server->resource_id, server->params);
    }
}

static void look_at_all(eligible_t *eligible, xmlNode *cib_xml)
{
    cluster_state_t *state = cluster_state_parse(cib_xml, NULL);
    guint count = 0;
    g_autofree gpointer *names = g_hash_table_get_keys_as_array(eligible->asked, &count);

    for (guint i = 0; state != NULL && i < count; i++) {
        const cluster_server_t *server = cluster_state_server(state, names[i]);

        if (server != NULL) {
            look_at(eligible, state, server);
        }
    }
    cluster_state_free(state);
}

static gboolean ask_now(gpointer user_data)
{
    eligible_t *eligible = user_data;
    g_autoptr(GError) error = NULL;
    g_autofree char *obstacle = NULL;
    xmlNode *cib_xml = NULL;

    eligible->source = 0;
    g_hash_table_unref(eligible->asked);
    eligible->asked = g_steal_pointer(&eligible->waiting);
    eligible->waiting = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    cib_xml = cluster_query(eligible->cluster, &error);
    if (cib_xml != NULL) {
        look_at_all(eligible, cib_xml);
    }
    if (cib_xml != NULL && g_hash_table_size(eligible->asked) == 0) {
        cib_xml_free(cib_xml);
        ask_later(eligible);
        return G_SOURCE_REMOVE;
    }
    if (cib_xml != NULL) {
        eligible->question = question_new(eligible, cib_xml, &error);
        cib_xml_free(cib_xml);
    }
    if (eligible->question == NULL) {
        obstacle = g_strdup_printf("whether a host would run its image is not known: %s", error->message);
        tell_rest(eligible, obstacle);
        ask_later(eligible);
    }
    return G_SOURCE_REMOVE;
}

/* Not from within a call of ours: the answer comes from the main loop. */
static void ask_later(eligible_t *eligible)
{
    if (eligible->question == NULL && eligible->source == 0 && g_hash_table_size(eligible->waiting) > 0) {
        eligible->source = g_idle_add(ask_now, eligible);
    }
}

void eligible_ask(eligible_t *eligible, const char *server)
{
    if (!g_hash_table_contains(eligible->asked, server) && !g_hash_table_contains(eligible->looked_at, server)) {
        g_hash_table_add(eligible->waiting, g_strdup(server));
        ask_later(eligible);
    }
}

eligible_t *eligible_new(cluster_t *cluster, agent_kinds_t *kinds, eligible_told_fn told, eligible_others_fn others, gpointer user_data)
{
    eligible_t *eligible = g_new0(eligible_t, 1);

    eligible->cluster = cluster;
    eligible->kinds = kinds;
    eligible->told = told;
    eligible->others = others;
    eligible->user_data = user_data;
    eligible->waiting = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    eligible->asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    eligible->looked_at = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    eligible->bootable = bootable_new(on_looked, eligible);
    return eligible;
}

void eligible_free(eligible_t *eligible)
{
    if (eligible == NULL) {
        return;
    }
    g_clear_handle_id(&eligible->source, g_source_remove);
    g_clear_pointer(&eligible->question, eligibility_cancel);
    g_hash_table_unref(eligible->waiting);
    g_hash_table_unref(eligible->asked);
    bootable_free(eligible->bootable);
    g_hash_table_unref(eligible->looked_at);
    g_free(eligible);
}
