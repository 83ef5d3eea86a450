/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

#include <string.h>

#include "base/json_read.h"
#include "base/names.h"
#include "cluster/fence_devices.h"
#include "cluster/placement.h"
#include "cluster/site_check.h"
#include "params/server_config.h"
#include "setup_faults.h"
#include "store/store.h"
#include "text_table.h"

static const char *const capacity_names[] = { UTILIZATION_CPU, UTILIZATION_MEMORY, UTILIZATION_HEADROOM, NULL };

void run_image_free(run_image_t *run_image)
{
    if (run_image == NULL) {
        return;
    }
    g_free(run_image->name);
    g_free(run_image->point);
    g_clear_pointer(&run_image->kept, g_ptr_array_unref);
    g_free(run_image->trouble);
    g_free(run_image->warning);
    g_clear_pointer(&run_image->refused, g_ptr_array_unref);
    g_free(run_image->admitted);
    g_free(run_image->entry_fault);
    g_free(run_image->address_fault);
    g_free(run_image->claim);
    g_free(run_image);
}

void run_image_set_claim(run_image_t *run_image, const char *server, const char *host, const char *pool)
{
    g_free(run_image->claim);
    run_image->claim = host != NULL
        ? g_strdup_printf("its claim by %s lies in pool %s, where its run images were when it was started: no other start "
                          "goes on before it is stopped there ('understudy unclaim %s' if that can't be)", host, pool, server)
        : g_strdup_printf("where a claim on it lies can't be read: no start goes on; if its image runs nowhere, run "
                          "'understudy unclaim %s'", server);
}

void run_image_set_claim_left(run_image_t *run_image, const char *server, const char *host, const char *target,
                              gboolean has_ended)
{
    if (target == NULL && has_ended) {
        return;
    }
    g_free(run_image->claim);
    run_image->claim = target != NULL
        ? g_strdup_printf("a migration of its image from %s to %s may not have ended: no start goes on elsewhere before a stop of "
                          "the resource on %s, or a fence or boot of that host, has settled it", host, target, target)
        : g_strdup_printf("its image does not run, and is claimed by %s, which does not say that it has ended there: no start "
                          "goes on elsewhere unless that host is down or has booted since ('understudy unclaim %s' if it will "
                          "not be back)", host, server);
}

static void kept_image_free(gpointer data)
{
    kept_image_t *kept = data;

    g_free(kept->name);
    g_free(kept);
}

void run_image_add_kept(run_image_t *run_image, const char *name, guint64 bytes)
{
    kept_image_t *kept = g_new0(kept_image_t, 1);

    kept->name = g_strdup(name);
    kept->bytes = bytes;
    if (run_image->kept == NULL) {
        run_image->kept = g_ptr_array_new_with_free_func(kept_image_free);
    }
    g_ptr_array_add(run_image->kept, kept);
}

/* JSON helpers ---------------------------------------------------------------*/

static guint length_of(JsonArray *array)
{
    return array != NULL ? json_array_get_length(array) : 0;
}

static void set_text_or_null(JsonObject *object, const char *name, const char *text)
{
    if (text != NULL && *text != '\0') {
        json_object_set_string_member(object, name, text);
    } else {
        json_object_set_null_member(object, name);
    }
}

/* Why an image does not run --------------------------------------------------*/

/* The ticket is granted and the image is not there. */
static char *not_running_reason(const report_sources_t *sources, const cluster_server_t *server)
{
    const scheduler_start_t *start = sources->plan != NULL ? g_hash_table_lookup(sources->plan->starts,
                                                                                server->resource_id) : NULL;
    char *obstacle = placement_obstacle(sources->cluster, server, sources->plan);

    if (obstacle != NULL) {
        return obstacle;
    }
    if (server->image_fail_reason != NULL) {
        return g_strdup_printf("%s on %s; another host is being tried", server->image_fail_reason,
                               server->image_fail_host);
    }
    if (start != NULL) {
        return g_strdup_printf("the start on %s is about to begin", start->host);
    }
    return g_strdup("the start is about to begin");
}

/* Of a takeover that was: the next one goes to another host until it is forgotten. */
static char *old_failure(const cluster_server_t *server)
{
    g_autofree char *retry = NULL;

    if (server->image_fail_reason == NULL) {
        return NULL;
    }
    retry = placement_retry_text(server, server->image_fail_host);
    return g_strdup_printf("%s on %s; %s", server->image_fail_reason, server->image_fail_host, retry);
}

/* It is said where it was last known; what holds it back says mostly what is to be done about that. */
static char *unknown_reason(const cluster_state_t *cluster, const cluster_server_t *server)
{
    if (server->held_back != NULL && server->image_host != NULL
        && g_strcmp0(server->image_fail_host, server->image_host) == 0) {
        return g_strdup_printf("%s on %s; %s", server->image_fail_reason, server->image_fail_host, server->held_back);
    }
    if (server->held_back != NULL) {
        return g_strdup(server->held_back);
    }
    if (!cluster->quorate) {
        return g_strdup("no quorum: the image's state is not known");
    }
    if (server->image_host != NULL) {
        return g_strdup_printf("whether the image still runs on %s is not known: that host is offline, or is to be fenced (pcs "
                               "status nodes, pcs stonith history show %s)", server->image_host, server->image_host);
    }
    return g_strdup("no host has reported the image's state yet, or it is not managed");
}

static char *image_reason(const report_sources_t *sources, const cluster_server_t *server)
{
    switch (server->image) {
        case IMAGE_STOPPED:
            return server->ticket_granted ? not_running_reason(sources, server) : old_failure(server);
        case IMAGE_STARTING:
            return g_strdup_printf("the image starts on %s", server->image_host);
        case IMAGE_STOPPING:
            return g_strdup_printf("the image stops on %s", server->image_host);
        case IMAGE_FAILED:
            return g_strdup_printf("%s on %s", server->image_fail_reason != NULL ? server->image_fail_reason
                                                                                  : "the image has failed",
                                   server->image_host);
        case IMAGE_UNKNOWN:
            return unknown_reason(sources->cluster, server);
        case IMAGE_RUNNING:
            /* Pacemaker's monitor is content, and nobody would do anything if it were not. */
            return server->is_unmanaged ? g_strdup(server->held_back) : NULL;
        default:
            return NULL;
    }
}

static void append_reason(GString *reason, const char *more)
{
    if (more != NULL && *more != '\0') {
        g_string_append_printf(reason, "%s%s", reason->len > 0 ? "; " : "", more);
    }
}

/* Servers --------------------------------------------------------------------*/

static JsonObject *observed(const report_sources_t *sources, const char *name)
{
    return json_read_named(sources->observers, "servers", name);
}

static JsonObject *votes_json(JsonObject *seen)
{
    JsonObject *from = json_read_object(seen, "votes");
    JsonObject *votes = json_object_new();

    json_object_set_int_member(votes, "up", json_read_integer(from, "up", 0));
    json_object_set_int_member(votes, "down", json_read_integer(from, "down", 0));
    json_object_set_int_member(votes, "blind", json_read_integer(from, "blind", 0));
    json_object_set_int_member(votes, "unknown", json_read_integer(from, "unknown", 0));
    return votes;
}

/* By the host whose observer votes down, or can't ask. */
static JsonObject *vote_reasons_json(JsonObject *seen)
{
    JsonObject *from = json_read_object(seen, "vote_reasons");
    JsonObject *reasons = json_object_new();
    g_autoptr(GList) hosts = from != NULL ? json_object_get_members(from) : NULL;

    for (GList *host = hosts; host != NULL; host = host->next) {
        json_object_set_string_member(reasons, host->data, json_read_text(from, host->data));
    }
    return reasons;
}

static JsonArray *kept_json(const run_image_t *run_image)
{
    JsonArray *array = json_array_new();

    for (guint i = 0; run_image != NULL && run_image->kept != NULL && i < run_image->kept->len; i++) {
        const kept_image_t *kept = g_ptr_array_index(run_image->kept, i);
        JsonObject *object = json_object_new();

        json_object_set_string_member(object, "name", kept->name);
        json_object_set_int_member(object, "bytes", (gint64) kept->bytes);
        json_array_add_object_element(array, object);
    }
    return array;
}

/* It takes room in the store until an operator has looked at it. */
static char *kept_reason(const run_image_t *run_image)
{
    const kept_image_t *first = run_image != NULL && run_image->kept != NULL ? g_ptr_array_index(run_image->kept, 0) : NULL;

    if (first == NULL) {
        return NULL;
    }
    return g_strdup_printf("what a standby wrote in an earlier takeover is kept as %s%s: save what you need of it, then "
                           "'rbd rm' it", first->name, run_image->kept->len > 1 ? " and others" : "");
}

static JsonObject *image_json(const cluster_server_t *server, const run_image_t *run_image)
{
    JsonObject *image = json_object_new();

    json_object_set_string_member(image, "state", server != NULL ? image_state_name(server->image) : "unknown");
    set_text_or_null(image, "host", server != NULL ? server->image_host : NULL);
    set_text_or_null(image, "run_image", run_image != NULL ? run_image->name : NULL);
    set_text_or_null(image, "point", run_image != NULL ? run_image->point : NULL);
    json_object_set_array_member(image, "kept", kept_json(run_image));
    if (run_image != NULL && run_image->trouble == NULL) {
        json_object_set_int_member(image, "unreturned_bytes", (gint64) run_image->unreturned_bytes);
    } else {
        json_object_set_null_member(image, "unreturned_bytes");
    }
    return image;
}

/* NULL: those of the whole site. */
static void append_setup_faults(GString *reason, const GPtrArray *faults, const char *server)
{
    for (guint i = 0; faults != NULL && i < faults->len; i++) {
        const setup_fault_t *fault = g_ptr_array_index(faults, i);

        if (g_strcmp0(fault->server, server) == 0) {
            append_reason(reason, fault->sentence);
        }
    }
}

/* A failed server is kept out of the store on purpose; one that serves could not use it when it needs to. */
static void append_entries(GString *reason, const run_image_t *run_image, const char *verdict)
{
    for (guint i = 0; strcmp(verdict, "healthy") == 0 && run_image->refused != NULL && i < run_image->refused->len; i++) {
        const char *entry = g_ptr_array_index(run_image->refused, i);
        g_autofree char *sentence = g_strdup_printf(
            "the store refuses its address %.*s: if that stays so, and it was booted since, run 'ceph osd blocklist rm %s'",
            (int) (strrchr(entry, ':') - entry), entry, entry);

        append_reason(reason, sentence);
    }
    if (strcmp(verdict, "failed") == 0 && run_image->admitted != NULL) {
        g_autofree char *sentence = g_strdup_printf(
            "the store does not refuse its address: if that stays so, run 'ceph osd blocklist add %s %d', and look at the "
            "leading observer's log ('understudy keys --server-address' prints the caps that it needs)",
            run_image->admitted, STORE_CLIENT_BLOCK_S);

        append_reason(reason, sentence);
    }
    append_reason(reason, run_image->entry_fault);
    append_reason(reason, run_image->address_fault);
}

static JsonObject *server_json(const report_sources_t *sources, const char *name, const cluster_server_t *server,
                               const char *fault)
{
    JsonObject *seen = observed(sources, name);
    const run_image_t *run_image = sources->run_images != NULL ? g_hash_table_lookup(sources->run_images, name)
                                                               : NULL;
    const char *verdict = json_read_text(seen, "verdict");
    g_autofree char *image = server != NULL ? image_reason(sources, server) : NULL;
    g_autofree char *kept = kept_reason(run_image);
    GString *reason = g_string_new(NULL);
    JsonObject *object = json_object_new();

    append_reason(reason, fault);
    if (fault == NULL || strstr(json_read_text(seen, "reason"), fault) == NULL) {
        append_reason(reason, json_read_text(seen, "reason"));
    }
    append_reason(reason, json_read_text(seen, "waits_for"));
    append_setup_faults(reason, sources->setup_faults, name);
    append_reason(reason, image);
    append_reason(reason, run_image != NULL ? run_image->trouble : NULL);
    append_reason(reason, run_image != NULL ? run_image->warning : NULL);
    append_reason(reason, run_image != NULL ? run_image->claim : NULL);
    if (run_image != NULL) {
        append_entries(reason, run_image, verdict);
    }
    append_reason(reason, kept);
    json_object_set_string_member(object, "name", name);
    json_object_set_string_member(object, "verdict", *verdict != '\0' ? verdict : "unknown");
    json_object_set_int_member(object, "since_ms", json_read_integer(seen, "since_ms", 0));
    json_object_set_boolean_member(object, "ticket", server != NULL && server->ticket_granted);
    json_object_set_object_member(object, "votes", votes_json(seen));
    json_object_set_object_member(object, "vote_reasons", vote_reasons_json(seen));
    set_text_or_null(object, "probes_seen", json_read_text(seen, "probes_seen"));
    json_object_set_object_member(object, "image", image_json(server, run_image));
    json_object_set_string_member(object, "reason", reason->str);
    g_string_free(reason, TRUE);
    return object;
}

/* From the cluster, or from the observers if the cluster can't be asked. `faults`: as site_check() returns them, or NULL. */
static JsonArray *servers_json(const report_sources_t *sources, GHashTable *faults, const char *only)
{
    JsonArray *array = json_array_new();
    JsonArray *seen = json_read_array(sources->observers, "servers");

    for (guint i = 0; sources->cluster != NULL && i < sources->cluster->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(sources->cluster->servers, i);

        if (only == NULL || strcmp(only, server->name) == 0) {
            json_array_add_object_element(array, server_json(sources, server->name, server,
                                                             g_hash_table_lookup(faults, server->name)));
        }
    }
    for (guint i = 0; sources->cluster == NULL && i < length_of(seen); i++) {
        const char *name = json_read_text(json_array_get_object_element(seen, i), "name");

        if (only == NULL || strcmp(only, name) == 0) {
            json_array_add_object_element(array, server_json(sources, name, NULL, NULL));
        }
    }
    return array;
}

/* Hosts ----------------------------------------------------------------------*/

/* What is free; null where nothing is published. */
static void set_capacities(JsonObject *object, const cluster_host_t *host)
{
    for (const char *const *name = capacity_names; *name != NULL; name++) {
        if (g_hash_table_contains(host->remaining, *name)) {
            json_object_set_int_member(object, *name, GPOINTER_TO_INT(g_hash_table_lookup(host->remaining, *name)));
        } else {
            json_object_set_null_member(object, *name);
        }
    }
}

static JsonObject *host_json(const cluster_host_t *host)
{
    JsonObject *object = json_object_new();
    JsonObject *capacity = json_object_new();
    JsonArray *images = json_array_new();

    json_object_set_string_member(object, "name", host->name);
    json_object_set_boolean_member(object, "online", host->online);
    json_object_set_boolean_member(object, "standby", host->standby);
    json_object_set_boolean_member(object, "maintenance", host->maintenance);
    if (host->reach == HOST_REACH_UNKNOWN) {
        json_object_set_null_member(object, "reach");
    } else {
        json_object_set_boolean_member(object, "reach", host->reach == HOST_REACH_ALL);
    }
    json_object_set_string_member(object, "reach_fault", host_reach_fault(host->reach));
    set_capacities(object, host);
    for (const char *const *name = capacity_names; *name != NULL; name++) {
        const char *text = g_hash_table_lookup(host->utilization, *name);

        if (text != NULL) {
            json_object_set_int_member(capacity, *name, g_ascii_strtoll(text, NULL, 10));
        }
    }
    json_object_set_object_member(object, "capacity", capacity);
    for (guint i = 0; i < host->images->len; i++) {
        json_array_add_string_element(images, g_ptr_array_index(host->images, i));
    }
    json_object_set_array_member(object, "images", images);
    return object;
}

JsonObject *report_hosts(const cluster_state_t *cluster, const cluster_server_t *server, const scheduler_plan_t *plan)
{
    g_autoptr(GPtrArray) placements = placement_rank(cluster, server, plan);
    JsonObject *report = json_object_new();
    JsonArray *hosts = json_array_new();

    for (guint i = 0; i < placements->len; i++) {
        const placement_t *placement = g_ptr_array_index(placements, i);
        JsonObject *host = json_object_new();

        json_object_set_string_member(host, "name", placement->host->name);
        json_object_set_int_member(host, "rank", placement->rank);
        json_object_set_boolean_member(host, "eligible", placement->eligible);
        set_capacities(host, placement->host);
        json_object_set_string_member(host, "reason", placement->reason);
        json_array_add_object_element(hosts, host);
    }
    json_object_set_array_member(report, "hosts", hosts);
    return report;
}

/* The whole ------------------------------------------------------------------*/

static void add_trouble(JsonArray *troubles, const char *trouble)
{
    if (trouble != NULL) {
        json_array_add_string_element(troubles, trouble);
    }
}

static fence_agent_kind_t agent_kind(const char *agent, gpointer user_data)
{
    (void) user_data;
    return fence_agent_kind_by_name(agent);
}

char *report_isolation_trouble(const cluster_state_t *cluster, const cluster_server_t *server)
{
    g_autofree char *obstacle = fence_required_obstacle(cluster, server, agent_kind, NULL);

    return obstacle != NULL ? g_strdup_printf("%s is not taken over: %s", server->name, obstacle) : NULL;
}

static void add_isolation_troubles(JsonArray *troubles, const cluster_state_t *cluster, const char *only)
{
    for (guint i = 0; i < cluster->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(cluster->servers, i);
        g_autofree char *trouble = only == NULL || strcmp(only, server->name) == 0
                                       ? report_isolation_trouble(cluster, server) : NULL;

        add_trouble(troubles, trouble);
    }
}

/* As loud as what does not answer: of the site, and of the servers that are shown. */
static void add_setup_troubles(JsonArray *troubles, const GPtrArray *faults, const char *only)
{
    for (guint i = 0; faults != NULL && i < faults->len; i++) {
        const setup_fault_t *fault = g_ptr_array_index(faults, i);
        g_autofree char *sentence = g_strconcat(fault->server != NULL ? fault->server : "",
                                                fault->server != NULL ? ": " : "", fault->sentence, NULL);

        if (only == NULL || fault->server == NULL || strcmp(fault->server, only) == 0) {
            add_trouble(troubles, sentence);
        }
    }
}

/* For as long as it stays so, nobody isolates the server. */
static void add_server_trouble(JsonArray *troubles, const cluster_server_t *server, const char *fault)
{
    g_autofree char *sentence = fault != NULL ? g_strdup_printf("%s: %s", server->name, fault) : NULL;
    g_autofree char *unreadable = NULL;
    g_autoptr(GError) error = NULL;

    add_trouble(troubles, sentence);
    server_config_free(server_config_parse(server->resource_id, server->params, &error));
    if (error != NULL) {
        unreadable = g_strdup_printf("%s: a parameter of %s can't be read, and what it was changed to does not hold: %s",
                                     server->name, server->resource_id, error->message);
    }
    add_trouble(troubles, unreadable);
}

/* `status` shows that already, and it is meant. */
static gboolean is_paused(const cluster_server_t *server)
{
    const char *text = g_hash_table_lookup(server->params, "paused_until");
    gint64 from_ms = 0;
    gint64 until_ms = 0;

    return text != NULL && *text != '\0' && paused_until_parse(text, &from_ms, &until_ms);
}

static char *held_back_trouble(const cluster_server_t *server)
{
    if (server->is_held_back_with_others) {
        return g_strdup_printf("no image can be started, so that no server is taken over: %s", server->held_back);
    }
    if (server->ticket_granted) {
        return g_strdup_printf("the image of %s can't be started: %s", server->name, server->held_back);
    }
    return g_strdup_printf("%s can't be taken over: %s", server->name, server->held_back);
}

/* A server looks healthy meanwhile. What is the whole cluster's is said once. */
static void add_held_back_troubles(JsonArray *troubles, const cluster_state_t *cluster, const char *only)
{
    g_autoptr(GHashTable) said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < cluster->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(cluster->servers, i);
        g_autofree char *trouble = NULL;

        if (server->held_back == NULL || is_paused(server) || (only != NULL && strcmp(only, server->name) != 0)) {
            continue;
        }
        trouble = held_back_trouble(server);
        if (!g_hash_table_contains(said, trouble)) {
            add_trouble(troubles, trouble);
            g_hash_table_add(said, g_steal_pointer(&trouble));
        }
    }
}

/* Of the servers that are shown. */
static void add_server_troubles(JsonArray *troubles, const cluster_state_t *cluster, GHashTable *faults, const char *only)
{
    for (guint i = 0; i < cluster->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(cluster->servers, i);

        if (only == NULL || strcmp(only, server->name) == 0) {
            add_server_trouble(troubles, server, g_hash_table_lookup(faults, server->name));
        }
    }
}

static gboolean runs_observer(JsonObject *observers, const char *host)
{
    JsonArray *members = json_read_array(observers, "members");

    for (guint i = 0; i < length_of(members); i++) {
        if (strcmp(json_read_text(json_array_get_object_element(members, i), "node"), host) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

/* A host without an observer is silent, and silent is not down. Observers of an earlier version don't say who is counted; those
 * without quorum decide nothing in any case. */
static char *silent_hosts_trouble(JsonObject *observers)
{
    JsonObject *voters = json_read_object(observers, "voters");
    JsonArray *hosts = json_read_array(voters, "hosts");
    gint64 enough = json_read_integer(voters, "enough", 0);
    g_autoptr(GString) silent = g_string_new(NULL);
    guint running = 0;

    for (guint i = 0; i < length_of(hosts); i++) {
        const char *host = json_array_get_string_element(hosts, i);

        if (runs_observer(observers, host)) {
            running++;
        } else {
            g_string_append_printf(silent, "%s%s", silent->len > 0 ? ", " : "", host);
        }
    }
    if (silent->len == 0 || running >= enough || !json_read_boolean(observers, "quorate", FALSE)) {
        return NULL;
    }
    return g_strdup_printf("observers run on %u of the %u hosts that are counted, and %" G_GINT64_FORMAT " are needed to find a "
                           "server down: none is taken over until they run on %s; crm_mon -1 says why they do not", running,
                           length_of(hosts), enough, silent->str);
}

JsonObject *report_status(const report_sources_t *sources, const char *server)
{
    g_autoptr(GHashTable) faults = sources->cluster != NULL ? site_check(sources->cluster) : NULL;
    g_autofree char *silent_hosts = silent_hosts_trouble(sources->observers);
    JsonObject *status = json_object_new();
    JsonArray *troubles = json_array_new();
    JsonArray *hosts = json_array_new();
    gboolean quorate = sources->cluster != NULL ? sources->cluster->quorate
                       : sources->observers != NULL
                         && json_read_boolean(sources->observers, "quorate", FALSE);

    json_object_set_boolean_member(status, "quorate", quorate);
    set_text_or_null(status, "leader", json_read_text(sources->observers, "leader"));
    add_trouble(troubles, sources->cluster_trouble);
    add_trouble(troubles, sources->observers_trouble);
    add_trouble(troubles, silent_hosts);
    add_trouble(troubles, sources->store_trouble);
    if (sources->cluster != NULL) {
        add_held_back_troubles(troubles, sources->cluster, server);
        add_isolation_troubles(troubles, sources->cluster, server);
        add_server_troubles(troubles, sources->cluster, faults, server);
    }
    add_setup_troubles(troubles, sources->setup_faults, server);
    json_object_set_array_member(status, "troubles", troubles);
    json_object_set_array_member(status, "servers", servers_json(sources, faults, server));
    for (guint i = 0; sources->cluster != NULL && i < sources->cluster->hosts->len; i++) {
        json_array_add_object_element(hosts, host_json(g_ptr_array_index(sources->cluster->hosts, i)));
    }
    json_object_set_array_member(status, "hosts", hosts);
    return status;
}

/* For people -----------------------------------------------------------------*/

static char *number_or_dash(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    if (node == NULL || JSON_NODE_HOLDS_NULL(node)) {
        return g_strdup("-");
    }
    return g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
}

static char *votes_text(JsonObject *server)
{
    JsonObject *votes = json_read_object(server, "votes");

    return g_strdup_printf("%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT,
                           json_read_integer(votes, "up", 0), json_read_integer(votes, "down", 0),
                           json_read_integer(votes, "blind", 0), json_read_integer(votes, "unknown", 0));
}

static char *image_text(JsonObject *server)
{
    JsonObject *image = json_read_object(server, "image");
    JsonNode *host = json_object_get_member(image, "host");

    if (host == NULL || JSON_NODE_HOLDS_NULL(host)) {
        return g_strdup(json_read_text(image, "state"));
    }
    return g_strdup_printf("%s on %s", json_read_text(image, "state"), json_read_text(image, "host"));
}

static char *written_text(JsonObject *server)
{
    JsonObject *image = json_read_object(server, "image");
    JsonNode *bytes = json_object_get_member(image, "unreturned_bytes");
    JsonNode *name = json_object_get_member(image, "run_image");

    if (bytes == NULL || JSON_NODE_HOLDS_NULL(bytes) || name == NULL || JSON_NODE_HOLDS_NULL(name)) {
        return g_strdup("-");
    }
    return g_strdup_printf("%.1f MiB", (double) json_node_get_int(bytes) / (1024 * 1024));
}

static void append_servers(GString *out, JsonArray *servers)
{
    text_table_t *table = text_table_new();

    text_table_row(table, "SERVER", "VERDICT", "TICKET", "UP/DOWN/BLIND/UNKNOWN", "IMAGE", "WRITTEN", "REASON", NULL);
    for (guint i = 0; i < length_of(servers); i++) {
        JsonObject *server = json_array_get_object_element(servers, i);
        g_autofree char *votes = votes_text(server);
        g_autofree char *image = image_text(server);
        g_autofree char *written = written_text(server);

        text_table_row(table, json_read_text(server, "name"), json_read_text(server, "verdict"),
                       json_object_get_boolean_member(server, "ticket") ? "granted" : "-", votes, image, written,
                       json_read_text(server, "reason"), NULL);
    }
    text_table_append(table, out);
}

static char *host_state_text(JsonObject *host)
{
    const char *fault = json_read_text(host, "reach_fault");

    if (!json_object_get_boolean_member(host, "online")) {
        return g_strdup("offline");
    }
    if (json_object_get_boolean_member(host, "standby")) {
        return g_strdup("standby");
    }
    if (json_object_get_boolean_member(host, "maintenance")) {
        return g_strdup("maintenance");
    }
    return g_strconcat("online", *fault != '\0' ? ", " : "", fault, NULL);
}

static char *names_text(JsonArray *names)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < length_of(names); i++) {
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "", json_array_get_string_element(names, i));
    }
    return g_string_free(text, FALSE);
}

static void append_status_hosts(GString *out, JsonArray *hosts)
{
    text_table_t *table = text_table_new();

    text_table_row(table, "HOST", "STATE", "FREE CPU", "FREE MIB", "HEADROOM", "IMAGES", NULL);
    for (guint i = 0; i < length_of(hosts); i++) {
        JsonObject *host = json_array_get_object_element(hosts, i);
        g_autofree char *cpu = number_or_dash(host, UTILIZATION_CPU);
        g_autofree char *memory = number_or_dash(host, UTILIZATION_MEMORY);
        g_autofree char *headroom = number_or_dash(host, UTILIZATION_HEADROOM);
        g_autofree char *images = names_text(json_read_array(host, "images"));
        g_autofree char *state = host_state_text(host);

        text_table_row(table, json_read_text(host, "name"), state, cpu, memory, headroom, images, NULL);
    }
    text_table_append(table, out);
}

char *report_status_text(JsonObject *status)
{
    GString *out = g_string_new(NULL);
    JsonArray *troubles = json_read_array(status, "troubles");
    JsonArray *servers = json_read_array(status, "servers");
    JsonArray *hosts = json_read_array(status, "hosts");
    const char *leader = json_read_string(status, "leader");

    g_string_append_printf(out, "Quorum: %s   Leading observer: %s\n",
                           json_object_get_boolean_member(status, "quorate") ? "yes" : "NO",
                           leader != NULL ? leader : "none");
    for (guint i = 0; i < length_of(troubles); i++) {
        g_string_append_printf(out, "! %s\n", json_array_get_string_element(troubles, i));
    }
    if (length_of(servers) > 0) {
        g_string_append_c(out, '\n');
        append_servers(out, servers);
    } else {
        g_string_append(out, "\nNo server is protected yet: see understudy adopt --help\n");
    }
    if (length_of(hosts) > 0) {
        g_string_append_c(out, '\n');
        append_status_hosts(out, hosts);
    }
    return g_string_free(out, FALSE);
}

char *report_hosts_text(JsonObject *report)
{
    GString *out = g_string_new(NULL);
    text_table_t *table = text_table_new();
    JsonArray *hosts = json_read_array(report, "hosts");

    text_table_row(table, "RANK", "HOST", "FREE CPU", "FREE MIB", "HEADROOM", "WHY", NULL);
    for (guint i = 0; i < length_of(hosts); i++) {
        JsonObject *host = json_array_get_object_element(hosts, i);
        gint64 place = json_read_integer(host, "rank", 0);
        g_autofree char *rank = place > 0 ? g_strdup_printf("%" G_GINT64_FORMAT, place) : g_strdup("-");
        g_autofree char *cpu = number_or_dash(host, UTILIZATION_CPU);
        g_autofree char *memory = number_or_dash(host, UTILIZATION_MEMORY);
        g_autofree char *headroom = number_or_dash(host, UTILIZATION_HEADROOM);

        text_table_row(table, rank, json_read_text(host, "name"), cpu, memory, headroom,
                       json_read_text(host, "reason"), NULL);
    }
    text_table_append(table, out);
    return g_string_free(out, FALSE);
}

/* History --------------------------------------------------------------------*/

#define MARKS_MAX 4

/* A phase lasts from the first event of one kind to the first of another; the
 * names stand in the order of preference. */
static const struct {
    const char *phase;
    const char *from[MARKS_MAX];
    const char *to[MARKS_MAX];
} phases[] = {
    { "detection", { "first_miss" }, { "suspect" } },
    { "confirmation", { "suspect" }, { "isolating" } },
    { "isolation", { "isolating" }, { "isolated", "failed", "granted" } },
    { "placement", { "granted", "isolated" }, { "starting" } },
    { "start", { "starting", "granted" }, { "started" } },
    { "boot", { "started" }, { "answering" } },
    { "stop", { "revoked" }, { "stopped" } },
    { "return", { "returning" }, { "healthy" } },
};

static JsonObject *find_event(JsonArray *events, const char *const *names)
{
    for (guint n = 0; n < MARKS_MAX && names[n] != NULL; n++) {
        for (guint i = 0; i < length_of(events); i++) {
            JsonObject *event = json_array_get_object_element(events, i);

            if (strcmp(json_read_text(event, "event"), names[n]) == 0) {
                return event;
            }
        }
    }
    return NULL;
}

static JsonArray *phases_json(JsonArray *events)
{
    JsonArray *array = json_array_new();

    for (gsize i = 0; i < G_N_ELEMENTS(phases); i++) {
        JsonObject *from = find_event(events, phases[i].from);
        JsonObject *to = find_event(events, phases[i].to);
        JsonObject *phase = NULL;

        if (from == NULL || to == NULL) {
            continue;
        }
        phase = json_object_new();
        json_object_set_string_member(phase, "phase", phases[i].phase);
        /* Clocks of two hosts may differ a little. */
        json_object_set_int_member(phase, "duration_ms",
                                   MAX(0, json_read_integer(to, "at_ms", 0) - json_read_integer(from, "at_ms", 0)));
        json_array_add_object_element(array, phase);
    }
    return array;
}

static const char *takeover_host(JsonArray *events)
{
    const char *host = "";

    for (guint i = 0; i < length_of(events); i++) {
        JsonObject *event = json_array_get_object_element(events, i);
        const char *name = json_read_text(event, "event");

        if (strcmp(name, "started") == 0 || strcmp(name, "starting") == 0) {
            host = json_read_text(event, "host");
        }
    }
    return host;
}

JsonObject *report_history(const char *server, JsonObject *answer)
{
    JsonObject *report = json_object_new();
    JsonArray *takeovers = json_read_array(answer, "takeovers");
    JsonArray *array = json_array_new();

    for (guint i = 0; i < length_of(takeovers); i++) {
        JsonArray *events = json_read_array(json_array_get_object_element(takeovers, i), "events");
        JsonObject *takeover = json_object_new();

        json_object_set_int_member(takeover, "began_ms",
                                   length_of(events) > 0
                                   ? json_read_integer(json_array_get_object_element(events, 0), "at_ms", 0) : 0);
        set_text_or_null(takeover, "host", takeover_host(events));
        json_object_set_array_member(takeover, "phases", phases_json(events));
        json_object_set_array_member(takeover, "events", events != NULL ? json_array_ref(events) : json_array_new());
        json_array_add_object_element(array, takeover);
    }
    json_object_set_string_member(report, "server", server);
    json_object_set_array_member(report, "takeovers", array);
    return report;
}

static char *time_text(gint64 at_ms)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(at_ms / 1000);
    g_autoptr(GDateTime) local = utc != NULL ? g_date_time_to_local(utc) : NULL;

    return local != NULL ? g_date_time_format(local, "%Y-%m-%d %H:%M:%S") : g_strdup("?");
}

static void append_takeover(GString *out, guint number, JsonObject *takeover)
{
    g_autofree char *began = time_text(json_read_integer(takeover, "began_ms", 0));
    JsonArray *done = json_read_array(takeover, "phases");
    JsonArray *events = json_read_array(takeover, "events");
    text_table_t *table = text_table_new();
    gint64 first_ms = json_read_integer(takeover, "began_ms", 0);

    g_string_append_printf(out, "%sTakeover %u: %s\n", number > 1 ? "\n" : "", number, began);
    for (guint i = 0; i < length_of(done); i++) {
        JsonObject *phase = json_array_get_object_element(done, i);
        g_autofree char *duration = g_strdup_printf("%8.2f s",
                                                    (double) json_read_integer(phase, "duration_ms", 0) / 1000);

        text_table_row(table, " ", json_read_text(phase, "phase"), duration, NULL);
    }
    text_table_append(table, out);
    g_string_append_c(out, '\n');
    table = text_table_new();
    for (guint i = 0; i < length_of(events); i++) {
        JsonObject *event = json_array_get_object_element(events, i);
        g_autofree char *at = g_strdup_printf("+%.2f s",
                                              (double) (json_read_integer(event, "at_ms", 0) - first_ms) / 1000);

        text_table_row(table, " ", at, json_read_text(event, "event"), json_read_text(event, "host"),
                       json_read_text(event, "detail"), NULL);
    }
    text_table_append(table, out);
}

char *report_history_text(JsonObject *report)
{
    GString *out = g_string_new(NULL);
    JsonArray *takeovers = json_read_array(report, "takeovers");

    for (guint i = 0; i < length_of(takeovers); i++) {
        append_takeover(out, i + 1, json_array_get_object_element(takeovers, i));
    }
    if (length_of(takeovers) == 0) {
        g_string_append_printf(out, "%s has had no takeover since its observers started\n",
                               json_read_text(report, "server"));
    }
    return g_string_free(out, FALSE);
}
