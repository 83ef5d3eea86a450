/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch.h"

#include "judge/vote.h"
#include "net/networks.h"
#include "probe/cycle.h"
#include "sight.h"

/* Probes that are due are begun in batches on this tick. */
#define TICK_MS 50

typedef struct {
    cycle_t *cycle;          /* NULL: none runs */
    gint64 due_ms;
    gint64 sent_wall_ms;
    vote_state_t state;
    char *reason;            /* why it was not up, the last time */
} plane_t;

typedef struct {
    watch_t *watch;
    char *name;
    server_config_t *config;
    gboolean watches_management;
    sight_t *management_sight; /* of the network of its management address; the watch's */
    plane_t service;
    plane_t management;
    GSList *rounds;          /* round_t* */
    vote_t service_told;
    vote_t management_told;
    gint64 first_miss_told;
    char *reason_told;
} watched_t;

typedef struct {
    watched_t *server;
    guint64 epoch;
    guint32 round;
    guint pending;
    gint64 sent_wall_ms;
    cycle_t *service_cycle;
    cycle_t *management_cycle;
    sight_t *service_sight;        /* by which it is judged, whatever comes meanwhile */
    sight_t *management_sight;     /* likewise */
    cycle_t *service_reference_cycle;
    cycle_t *management_reference_cycle;
    probe_answer_t service_answer;
    probe_answer_t management_answer;
    char *service_reason;
    char *management_reason;
    gboolean service_reference_answered;
    gboolean management_reference_answered;
} round_t;

struct watch {
    watch_callbacks_t callbacks;
    gpointer user_data;
    GHashTable *servers;     /* name -> watched_t* */
    guint servers_added;
    sight_t *sight;          /* of the service network */
    GPtrArray *old_sights;   /* of the service network: rounds that began before it had other references */
    gboolean blind_told;
    GHashTable *sights;      /* char* the references' texts -> sight_t*: of the management networks */
    char **service_references;    /* as written */
    char **management_references; /* as written */
    char **neighbours;       /* addresses of the cluster's other members */
    GPtrArray *networks;     /* that this host has an address in */
    guint tick_source;
};

static gint64 wall_ms(void)
{
    return g_get_real_time() / 1000;
}

/* Votes -----------------------------------------------------------------------*/

/* Only the reason of a standing vote is worth telling: a single miss passes. */
static const char *plane_reason(const plane_t *plane, vote_t vote)
{
    return vote == VOTE_DOWN || vote == VOTE_UNKNOWN ? plane->reason : NULL;
}

static const char *management_reason(const watched_t *server, vote_t vote)
{
    if (vote == VOTE_BLIND && !sight_has_references(server->management_sight)) {
        return "that its management address is silent proves nothing: this host knows nobody else on that network; name "
               "somebody who answers there with understudy adopt --management-reference";
    }
    return vote == VOTE_BLIND ? "nobody else on the network of its management address answers this host"
                              : plane_reason(&server->management, vote);
}

static void publish(watched_t *server)
{
    watch_t *watch = server->watch;
    gint64 now_ms = probe_now_ms();
    vote_t service = vote_state_vote(&server->service.state, server->config->probe_misses, sight_seen(watch->sight), now_ms);
    vote_t management = VOTE_NONE;
    const char *reason = NULL;

    if (server->watches_management) {
        management = vote_state_vote(&server->management.state, server->config->probe_misses,
                                     sight_seen(server->management_sight), now_ms);
    }
    reason = plane_reason(&server->service, service);
    reason = reason != NULL ? reason : management_reason(server, management);
    if (service == server->service_told && management == server->management_told
        && server->service.state.first_miss_wall_ms == server->first_miss_told
        && g_strcmp0(reason, server->reason_told) == 0) {
        return;
    }
    server->service_told = service;
    server->management_told = management;
    server->first_miss_told = server->service.state.first_miss_wall_ms;
    g_free(server->reason_told);
    server->reason_told = g_strdup(reason);
    watch->callbacks.vote(server->name, service, management, server->first_miss_told, reason, watch->user_data);
}

/* Its vote may change without an answer: with what the references say. */
static gboolean plane_is_doubtful(const plane_t *plane)
{
    return plane->state.misses > 0 || plane->state.unknown;
}

static void publish_missed(watch_t *watch)
{
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, watch->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        watched_t *server = value;

        if (plane_is_doubtful(&server->service) || plane_is_doubtful(&server->management)) {
            publish(server);
        }
    }
}

/* References ------------------------------------------------------------------*/

static void on_sight(sight_t *sight, gpointer user_data)
{
    watch_t *watch = user_data;

    if (sight == watch->sight && watch->blind_told != sight_seen(sight)->blind) {
        watch->blind_told = sight_seen(sight)->blind;
        watch->callbacks.blind(watch->blind_told, watch->user_data);
    }
    publish_missed(watch);
}

static char *spec_host(const char *text)
{
    probe_spec_t *spec = probe_spec_parse(text, NULL);
    char *host = spec != NULL ? probe_spec_host(spec) : NULL;

    probe_spec_free(spec);
    return host;
}

/* Those that the operator names for it, and whoever else is known on the network of this address. */
static GPtrArray *management_reference_texts(const watch_t *watch, const char *address)
{
    GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; watch->management_references[i] != NULL; i++) {
        g_ptr_array_add(texts, g_strdup(watch->management_references[i]));
    }
    for (guint i = 0; watch->service_references[i] != NULL; i++) {
        g_autofree char *host = spec_host(watch->service_references[i]);

        if (networks_share(watch->networks, address, host)) {
            g_ptr_array_add(texts, g_strdup(watch->service_references[i]));
        }
    }
    for (guint i = 0; watch->neighbours[i] != NULL; i++) {
        if (networks_share(watch->networks, address, watch->neighbours[i])) {
            g_ptr_array_add(texts, g_strdup_printf("icmp:%s", watch->neighbours[i]));
        }
    }
    return texts;
}

static sight_t *sight_of(watch_t *watch, GPtrArray *texts)
{
    GPtrArray *references = g_ptr_array_new_with_free_func((GDestroyNotify) probe_spec_free);
    g_autofree char *key = NULL;
    sight_t *sight = NULL;

    g_ptr_array_add(texts, NULL);
    key = g_strjoinv("\n", (char **) texts->pdata);
    sight = g_hash_table_lookup(watch->sights, key);
    if (sight != NULL) {
        g_ptr_array_unref(references);
        return sight;
    }
    for (guint i = 0; texts->pdata[i] != NULL; i++) {
        probe_spec_t *spec = probe_spec_parse(texts->pdata[i], NULL);

        if (spec != NULL) {
            g_ptr_array_add(references, spec);
        }
    }
    sight = sight_new(references, TRUE, on_sight, watch);
    g_hash_table_insert(watch->sights, g_steal_pointer(&key), sight);
    return sight;
}

static gboolean server_uses_sight(const watched_t *server, const sight_t *sight)
{
    if (server->management_sight == sight) {
        return TRUE;
    }
    for (const GSList *item = server->rounds; item != NULL; item = item->next) {
        const round_t *round = item->data;

        if (round->management_sight == sight || round->service_sight == sight) {
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean sight_is_unused(gpointer key, gpointer sight, gpointer watch)
{
    GHashTableIter iter;
    gpointer server = NULL;

    (void) key;
    g_hash_table_iter_init(&iter, ((watch_t *) watch)->servers);
    while (g_hash_table_iter_next(&iter, NULL, &server)) {
        if (server_uses_sight(server, sight)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* References of a network that no server is judged by any more are not asked any more. */
static void drop_unused_sights(watch_t *watch)
{
    g_hash_table_foreach_remove(watch->sights, sight_is_unused, watch);
    for (guint i = watch->old_sights->len; i > 0; i--) {
        if (sight_is_unused(NULL, g_ptr_array_index(watch->old_sights, i - 1), watch)) {
            g_ptr_array_remove_index_fast(watch->old_sights, i - 1);
        }
    }
}

/* Whom it knows there it does not forget because an interface has lost its address. */
static void server_find_sight(watched_t *server)
{
    watch_t *watch = server->watch;
    g_autofree char *address = server->config->recover_probe != NULL ? probe_spec_host(server->config->recover_probe) : NULL;
    g_autoptr(GPtrArray) texts = management_reference_texts(watch, address);

    if (server->management_sight == NULL || texts->len > 0) {
        server->management_sight = sight_of(watch, texts);
    }
}

/* Planes ----------------------------------------------------------------------*/

static void plane_set_reason(plane_t *plane, const char *reason)
{
    if (g_strcmp0(plane->reason, reason) != 0) {
        g_free(plane->reason);
        plane->reason = g_strdup(reason);
    }
}

static void plane_reset(plane_t *plane)
{
    plane->state = (vote_state_t) { 0 };
    plane_set_reason(plane, NULL);
}

static void plane_judge(watched_t *server, plane_t *plane, probe_answer_t answer, const char *reason,
                        gint64 sent_wall_ms)
{
    gboolean was_up = plane->state.vote == VOTE_UP && !plane_is_doubtful(plane);

    plane_set_reason(plane, reason);
    switch (answer) {
        case PROBE_UP:
            vote_state_answer(&plane->state);
            if (was_up) {
                return; /* nearly always */
            }
            break;
        case PROBE_DOWN:
        case PROBE_REFUSED:
            vote_state_miss(&plane->state, probe_now_ms(), sent_wall_ms);
            sight_ask_now(plane == &server->management ? server->management_sight : server->watch->sight);
            break;
        case PROBE_UNKNOWN:
            vote_state_unknown(&plane->state);
            break;
    }
    publish(server);
}

/* What the configuration makes of a service that could not be asked. */
static probe_answer_t service_answer(const watched_t *server, probe_answer_t answer)
{
    return answer == PROBE_UNKNOWN && server->config->unknown_is_down ? PROBE_DOWN : answer;
}

static void on_service_done(probe_answer_t answer, const char *reason, gpointer user_data)
{
    watched_t *server = user_data;

    server->service.cycle = NULL;
    plane_judge(server, &server->service, service_answer(server, answer), reason, server->service.sent_wall_ms);
}

static void on_management_done(probe_answer_t answer, const char *reason, gpointer user_data)
{
    watched_t *server = user_data;

    server->management.cycle = NULL;
    plane_judge(server, &server->management, answer, reason, server->management.sent_wall_ms);
}

/* In a round, where its silence may be all that there is to go by, all that it says counts. */
static cycle_t *ask_service(watched_t *server, gboolean fresh, cycle_done_fn done, gpointer user_data)
{
    return cycle_start((probe_spec_t *const *) server->config->probes->pdata, server->config->probes->len,
                       fresh && server->config->isolate == ISOLATE_CONFIRMED ? CYCLE_EACH : CYCLE_ALL, (guint) server->config->probe_timeout_ms, fresh, done, user_data);
}

static cycle_t *ask_management(watched_t *server, gboolean fresh, cycle_done_fn done, gpointer user_data)
{
    return cycle_start(&server->config->recover_probe, 1, CYCLE_ALL, (guint) server->config->probe_timeout_ms, fresh,
                       done, user_data);
}

static gboolean plane_is_due(plane_t *plane, const server_config_t *config, gint64 now_ms)
{
    gint64 interval_ms = (gint64) config->probe_interval_ms;

    if (plane->cycle != NULL || now_ms < plane->due_ms) {
        return FALSE;
    }
    /* In step with its phase, whatever was late. */
    plane->due_ms += interval_ms * ((now_ms - plane->due_ms) / interval_ms + 1);
    plane->sent_wall_ms = wall_ms();
    return TRUE;
}

static void server_tick(watched_t *server, gint64 now_ms)
{
    const server_config_t *config = server->config;

    if (config->probes->len > 0 && plane_is_due(&server->service, config, now_ms)) {
        server->service.cycle = ask_service(server, FALSE, on_service_done, server);
    }
    if (server->watches_management && config->recover_probe != NULL
        && plane_is_due(&server->management, config, now_ms)) {
        server->management.cycle = ask_management(server, FALSE, on_management_done, server);
    }
    if (plane_is_doubtful(&server->service) || plane_is_doubtful(&server->management)) {
        publish(server);
    }
}

static gboolean on_tick(gpointer user_data)
{
    watch_t *watch = user_data;
    gint64 now_ms = probe_now_ms();
    GHashTableIter iter;
    gpointer value = NULL;

    sight_tick(watch->sight, now_ms);
    g_hash_table_iter_init(&iter, watch->sights);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        sight_tick(value, now_ms);
    }
    g_hash_table_iter_init(&iter, watch->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        server_tick(value, now_ms);
    }
    return G_SOURCE_CONTINUE;
}

/* Rounds ----------------------------------------------------------------------*/

static void round_free(round_t *round)
{
    g_clear_pointer(&round->service_cycle, cycle_cancel);
    g_clear_pointer(&round->management_cycle, cycle_cancel);
    g_clear_pointer(&round->service_reference_cycle, cycle_cancel);
    g_clear_pointer(&round->management_reference_cycle, cycle_cancel);
    g_free(round->service_reason);
    g_free(round->management_reason);
    g_free(round);
}

static vote_t round_vote(gboolean is_asked, probe_answer_t answer, const sight_t *sight, gboolean reference_answered)
{
    if (!is_asked) {
        return VOTE_NONE;
    }
    if (answer == PROBE_UP) {
        return VOTE_UP;
    }
    if (sight_seen(sight)->has_references && !reference_answered) {
        return VOTE_BLIND;
    }
    return answer == PROBE_DOWN ? VOTE_DOWN : answer == PROBE_REFUSED ? VOTE_REFUSED : VOTE_UNKNOWN;
}

static void round_end_part(round_t *round)
{
    watched_t *server = round->server;
    gboolean has_service = server->config->probes->len > 0;
    gboolean has_management = server->config->recover_probe != NULL;

    round->pending--;
    if (round->pending > 0) {
        return;
    }
    server->watch->callbacks.answer(server->name, round->epoch, round->round,
                                    round_vote(has_service, round->service_answer, round->service_sight,
                                               round->service_reference_answered),
                                    round_vote(has_management, round->management_answer, round->management_sight,
                                               round->management_reference_answered),
                                    server->watch->user_data);
    if (has_service) {
        plane_judge(server, &server->service, round->service_answer, round->service_reason, round->sent_wall_ms);
    }
    if (has_management) {
        plane_judge(server, &server->management, round->management_answer, round->management_reason,
                    round->sent_wall_ms);
    }
    server->rounds = g_slist_remove(server->rounds, round);
    round_free(round);
    if (server->watch->old_sights->len > 0) {
        drop_unused_sights(server->watch);
    }
}

static void on_round_service(probe_answer_t answer, const char *reason, gpointer user_data)
{
    round_t *round = user_data;

    round->service_cycle = NULL;
    round->service_answer = service_answer(round->server, answer);
    round->service_reason = g_strdup(reason);
    round_end_part(round);
}

static void on_round_management(probe_answer_t answer, const char *reason, gpointer user_data)
{
    round_t *round = user_data;

    round->management_cycle = NULL;
    round->management_answer = answer;
    round->management_reason = g_strdup(reason);
    round_end_part(round);
}

static void on_round_service_references(probe_answer_t answer, const char *reason, gpointer user_data)
{
    round_t *round = user_data;

    (void) reason;
    round->service_reference_cycle = NULL;
    round->service_reference_answered = answer == PROBE_UP;
    if (round->service_reference_answered) {
        sight_answered(round->service_sight);
    }
    round_end_part(round);
}

static void on_round_management_references(probe_answer_t answer, const char *reason, gpointer user_data)
{
    round_t *round = user_data;

    (void) reason;
    round->management_reference_cycle = NULL;
    round->management_reference_answered = answer == PROBE_UP;
    if (round->management_reference_answered) {
        sight_answered(round->management_sight);
    }
    round_end_part(round);
}

void watch_round(watch_t *watch, const char *name, guint64 epoch, guint32 number)
{
    watched_t *server = g_hash_table_lookup(watch->servers, name);
    round_t *round = NULL;

    if (server == NULL || (server->config->probes->len == 0 && server->config->recover_probe == NULL)) {
        watch->callbacks.answer(name, epoch, number, VOTE_NONE, VOTE_NONE, watch->user_data);
        return;
    }
    round = g_new0(round_t, 1);
    round->server = server;
    round->epoch = epoch;
    round->round = number;
    round->sent_wall_ms = wall_ms();
    server->rounds = g_slist_prepend(server->rounds, round);
    if (server->config->probes->len > 0) {
        round->pending++;
        round->service_cycle = ask_service(server, TRUE, on_round_service, round);
    }
    if (server->config->recover_probe != NULL) {
        round->pending++;
        round->management_cycle = ask_management(server, TRUE, on_round_management, round);
        round->management_sight = server->management_sight;
        round->management_reference_cycle = sight_ask(round->management_sight, on_round_management_references, round);
        round->pending += round->management_reference_cycle != NULL;
    }
    round->service_sight = watch->sight;
    round->service_reference_cycle = sight_ask(round->service_sight, on_round_service_references, round);
    round->pending += round->service_reference_cycle != NULL;
}

/* Servers ---------------------------------------------------------------------*/

static void server_stop(watched_t *server)
{
    g_clear_pointer(&server->service.cycle, cycle_cancel);
    g_clear_pointer(&server->management.cycle, cycle_cancel);
    g_slist_free_full(g_steal_pointer(&server->rounds), (GDestroyNotify) round_free);
}

static void server_free(watched_t *server)
{
    server_stop(server);
    server_config_free(server->config);
    g_free(server->service.reason);
    g_free(server->management.reason);
    g_free(server->reason_told);
    g_free(server->name);
    g_free(server);
}

/* Spread the servers over the interval: the golden ratio puts any number of them far apart. */
static gint64 phase_ms(const watch_t *watch, guint64 interval_ms)
{
    gdouble fraction = watch->servers_added * 0.6180339887498949;

    return (gint64) ((fraction - (gdouble) (guint64) fraction) * (gdouble) interval_ms);
}

void watch_set_server(watch_t *watch, server_config_t *config)
{
    watched_t *server = g_hash_table_lookup(watch->servers, config->name);
    gint64 now_ms = probe_now_ms();

    if (server != NULL && server_config_equal(server->config, config)) {
        server_config_free(config);
        return;
    }
    if (server == NULL) {
        server = g_new0(watched_t, 1);
        server->watch = watch;
        server->name = g_strdup(config->name);
        g_hash_table_insert(watch->servers, server->name, server);
        watch->servers_added++;
    } else {
        server_stop(server);
        server_config_free(server->config);
    }
    server->config = config;
    server->management_sight = NULL;
    server_find_sight(server);
    drop_unused_sights(watch);
    plane_reset(&server->service);
    plane_reset(&server->management);
    server->service.due_ms = server->management.due_ms = now_ms + phase_ms(watch, config->probe_interval_ms);
    publish(server);
}

void watch_remove_server(watch_t *watch, const char *name)
{
    if (g_hash_table_contains(watch->servers, name)) {
        watch->callbacks.vote(name, VOTE_NONE, VOTE_NONE, 0, NULL, watch->user_data);
        g_hash_table_remove(watch->servers, name);
        drop_unused_sights(watch);
    }
}

GList *watch_servers(const watch_t *watch)
{
    return g_hash_table_get_keys(watch->servers);
}

void watch_set_management(watch_t *watch, const char *name, gboolean is_watched)
{
    watched_t *server = g_hash_table_lookup(watch->servers, name);

    if (server == NULL || server->watches_management == is_watched) {
        return;
    }
    server->watches_management = is_watched;
    plane_reset(&server->management);
    server->management.due_ms = probe_now_ms();
    if (!is_watched) {
        g_clear_pointer(&server->management.cycle, cycle_cancel);
    }
    publish(server);
}

void watch_set_neighbours(watch_t *watch, const char *const *addresses)
{
    GHashTableIter iter;
    gpointer server = NULL;

    g_strfreev(watch->neighbours);
    watch->neighbours = g_strdupv((char **) addresses);
    g_ptr_array_unref(watch->networks);
    watch->networks = networks_of_this_host();
    g_hash_table_iter_init(&iter, watch->servers);
    while (g_hash_table_iter_next(&iter, NULL, &server)) {
        server_find_sight(server);
    }
    drop_unused_sights(watch);
}

static char **spec_texts(const GPtrArray *specs)
{
    char **texts = g_new0(char *, specs->len + 1);

    for (guint i = 0; i < specs->len; i++) {
        texts[i] = g_strdup(((const probe_spec_t *) specs->pdata[i])->text);
    }
    return texts;
}

void watch_set_references(watch_t *watch, GPtrArray *references, GPtrArray *management_references)
{
    GHashTableIter iter;
    gpointer value = NULL;

    g_strfreev(watch->service_references);
    watch->service_references = spec_texts(references);
    g_strfreev(watch->management_references);
    watch->management_references = spec_texts(management_references);
    g_ptr_array_unref(management_references);
    g_ptr_array_add(watch->old_sights, watch->sight);
    watch->sight = sight_new(references, FALSE, on_sight, watch);
    sight_ask_now(watch->sight);
    g_hash_table_iter_init(&iter, watch->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        watched_t *server = value;

        server->management_sight = NULL;
        server_find_sight(server);
        sight_ask_now(server->management_sight);
    }
    drop_unused_sights(watch);
    on_sight(watch->sight, watch);
}

watch_t *watch_new(GPtrArray *references, GPtrArray *management_references, const watch_callbacks_t *callbacks,
                   gpointer user_data)
{
    watch_t *watch = g_new0(watch_t, 1);

    watch->callbacks = *callbacks;
    watch->user_data = user_data;
    watch->service_references = spec_texts(references);
    watch->management_references = spec_texts(management_references);
    g_ptr_array_unref(management_references);
    watch->neighbours = g_new0(char *, 1);
    watch->networks = networks_of_this_host();
    watch->servers = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) server_free);
    watch->sight = sight_new(references, FALSE, on_sight, watch);
    watch->old_sights = g_ptr_array_new_with_free_func((GDestroyNotify) sight_free);
    watch->sights = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) sight_free);
    watch->tick_source = g_timeout_add(TICK_MS, on_tick, watch);
    return watch;
}

void watch_free(watch_t *watch)
{
    if (watch == NULL) {
        return;
    }
    g_source_remove(watch->tick_source);
    g_hash_table_unref(watch->servers);
    g_hash_table_unref(watch->sights);
    sight_free(watch->sight);
    g_ptr_array_unref(watch->old_sights);
    g_strfreev(watch->service_references);
    g_strfreev(watch->management_references);
    g_strfreev(watch->neighbours);
    g_ptr_array_unref(watch->networks);
    g_free(watch);
}
