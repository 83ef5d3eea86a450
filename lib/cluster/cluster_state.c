/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/cluster_state.h"

#include <string.h>

#include <crm/common/util.h>
#include <crm/common/xml.h>
#include <crm/msg_xml.h>
#include <crm/pengine/complex.h>
#include <crm/pengine/rules.h>
#include <crm/pengine/status.h>

#include "base/error.h"
#include "base/names.h"
#include "cluster/cluster_index.h"
#include "cluster/fence_devices.h"
#include "cluster/xml.h"

#define SCORE_INFINITY 1000000 /* crm/crm.h, INFINITY */
/* Pacemaker does not say when a date_spec (such as "on weekdays") holds no more. */
#define RECHECK_MAX_S  30

static const char *const image_state_names[] = {
    [IMAGE_STOPPED] = "stopped", [IMAGE_STARTING] = "starting", [IMAGE_RUNNING] = "running",
    [IMAGE_STOPPING] = "stopping", [IMAGE_FAILED] = "failed", [IMAGE_UNKNOWN] = "unknown",
};

const char *image_state_name(image_state_t state)
{
    return image_state_names[state];
}

gboolean cluster_server_may_run(const cluster_server_t *server)
{
    return server->image != IMAGE_STOPPED && (server->image != IMAGE_UNKNOWN || server->image_host != NULL);
}

static void server_free(gpointer data)
{
    cluster_server_t *server = data;
    GHashTable *tables[] = { server->params, server->utilization, server->host_scores, server->host_failures,
                             server->refused_hosts, server->host_retries };

    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
        if (tables[i] != NULL) {
            g_hash_table_unref(tables[i]);
        }
    }
    g_free(server->name);
    g_free(server->resource_id);
    g_free(server->multiplied_by);
    g_free(server->group);
    g_free(server->waits_for_member);
    g_free(server->image_host);
    g_free(server->held_back);
    g_clear_pointer(&server->constraints, g_ptr_array_unref);
    g_free(server->image_fail_reason);
    g_free(server->image_fail_host);
    g_free(server);
}

static void constraint_free(gpointer data)
{
    cluster_constraint_t *constraint = data;

    g_free(constraint->id);
    g_free(constraint->node);
    g_free(constraint);
}

static void host_free(gpointer data)
{
    cluster_host_t *host = data;

    g_free(host->name);
    g_free(host->id);
    g_free(host->health_fault);
    g_clear_pointer(&host->utilization, g_hash_table_unref);
    g_clear_pointer(&host->remaining, g_hash_table_unref);
    g_clear_pointer(&host->images, g_ptr_array_unref);
    g_clear_pointer(&host->ended, g_hash_table_unref);
    g_free(host);
}

void cluster_state_free(cluster_state_t *state)
{
    if (state == NULL) {
        return;
    }
    g_free(state->dc);
    g_ptr_array_unref(state->servers);
    g_ptr_array_unref(state->hosts);
    fence_devices_clear(state);
    g_hash_table_unref(state->node_names);
    g_free(state);
}

const cluster_server_t *cluster_state_server(const cluster_state_t *state, const char *name)
{
    for (guint i = 0; i < state->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(state->servers, i);

        if (strcmp(server->name, name) == 0) {
            return server;
        }
    }
    return NULL;
}

char **cluster_state_voters(const cluster_state_t *state, const char *const *uncounted, guint *minimum)
{
    GPtrArray *names = g_ptr_array_new();
    guint nodes = 0;

    for (guint i = 0; i < state->hosts->len; i++) {
        const cluster_host_t *host = g_ptr_array_index(state->hosts, i);

        if (!host->full || (uncounted != NULL && g_strv_contains(uncounted, host->name))) {
            continue;
        }
        nodes++;
        if (host->member && !host->standby && !host->maintenance) {
            g_ptr_array_add(names, g_strdup(host->name));
        }
    }
    g_ptr_array_add(names, NULL);
    *minimum = (nodes >= 3) ? 2 : 1;
    return (char **) g_ptr_array_free(names, FALSE);
}

static GHashTable *copy_texts(GHashTable *texts)
{
    GHashTable *copy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    if (texts == NULL) {
        return copy;
    }
    g_hash_table_iter_init(&iter, texts);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        g_hash_table_insert(copy, g_strdup(name), g_strdup(value));
    }
    return copy;
}

/* As the scheduler reads a utilization: a whole number, clipped. */
static int utilization_value(const char *text)
{
    gint64 value = text != NULL ? g_ascii_strtoll(text, NULL, 10) : 0;

    return (int) CLAMP(value, G_MININT, G_MAXINT);
}

/* As the CIB has it: Pacemaker numbers the instances of what is in a clone. */
static const char *configured_id(const pe_resource_t *resource)
{
    return crm_element_value(resource->xml, XML_ATTR_ID);
}

/* Placement scores --------------------------------------------------------*/

static int rule_score(xmlNode *rule, const pe_node_t *node, pe_working_set_t *set)
{
    const char *attribute = crm_element_value(rule, XML_RULE_ATTR_SCORE_ATTRIBUTE);

    if (!pe_test_rule(rule, node->details->attrs, RSC_ROLE_UNKNOWN, set->now, NULL, NULL)) {
        return 0;
    }
    if (attribute != NULL) {
        const char *value = g_hash_table_lookup(node->details->attrs, attribute);

        return value != NULL ? char2score(value) : -SCORE_INFINITY;
    }
    return char2score(crm_element_value(rule, XML_RULE_ATTR_SCORE));
}

/* One rsc_location that names the resource itself (not a pattern or a set). */
static int location_score(xmlNode *location, const pe_node_t *node, pe_working_set_t *set)
{
    const char *node_name = crm_element_value(location, "node");
    int score = 0;

    if (node_name != NULL) {
        return strcmp(node_name, node->details->uname) == 0
               ? char2score(crm_element_value(location, XML_RULE_ATTR_SCORE)) : 0;
    }
    for (xmlNode *rule = location->children; rule != NULL; rule = rule->next) {
        if (xml_is(rule, XML_TAG_RULE)) {
            score = score_add(score, rule_score(rule, node, set));
        }
    }
    return score;
}

/* A failed start bans the host until it is cleaned up (start-failure-is-fatal). */
static int failure_score(const pe_resource_t *resource, const pe_node_t *node, const cluster_index_t *index)
{
    int failures = cluster_index_failures(index, configured_id(resource), node->details->uname);

    return failures > 0 && failures >= resource->migration_threshold ? -SCORE_INFINITY : 0;
}

static GHashTable *host_scores(const pe_resource_t *resource, pe_working_set_t *set, const cluster_index_t *index)
{
    GHashTable *scores = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const GPtrArray *locations = cluster_index_list(index->locations, configured_id(resource));

    for (GList *item = set->nodes; item != NULL; item = item->next) {
        const pe_node_t *node = item->data;
        gboolean mentioned = FALSE;
        int score = failure_score(resource, node, index);

        for (guint i = 0; locations != NULL && i < locations->len; i++) {
            int added = location_score(g_ptr_array_index(locations, i), node, set);

            mentioned = mentioned || added != 0;
            score = score_add(score, added);
        }
        if (!mentioned && !pcmk_is_set(set->flags, pe_flag_symmetric_cluster)) {
            score = -SCORE_INFINITY;
        }
        g_hash_table_insert(scores, g_strdup(node->details->uname), GINT_TO_POINTER(score));
    }
    return scores;
}

/* Servers -----------------------------------------------------------------*/

static char *failure_text(xmlNode *op)
{
    const char *reason = crm_element_value(op, XML_LRM_ATTR_EXIT_REASON);
    const char *task = crm_element_value(op, XML_LRM_ATTR_TASK);

    if (reason != NULL && *reason != '\0') {
        return g_strdup_printf("%s failed: %s", task, reason);
    }
    return g_strdup_printf("%s failed with code %s and gave no reason", task, crm_element_value(op, XML_LRM_ATTR_RC));
}

static gint compare_changes(gconstpointer a, gconstpointer b)
{
    gint64 first_s = attribute_integer(*(xmlNode *const *) a, XML_RSC_OP_LAST_CHANGE);
    gint64 second_s = attribute_integer(*(xmlNode *const *) b, XML_RSC_OP_LAST_CHANGE);

    return (first_s > second_s) - (first_s < second_s);
}

static gboolean is_refusal(xmlNode *op)
{
    const char *reason = crm_element_value(op, XML_LRM_ATTR_EXIT_REASON);

    return reason != NULL && g_str_has_prefix(reason, NO_TICKET_REASON_PREFIX)
           && g_strcmp0(crm_element_value(op, XML_LRM_ATTR_TASK), "start") == 0;
}

/* The newest failed action of the resource on each host, and of all. */
static void read_failures(cluster_server_t *server, const pe_resource_t *resource, const cluster_index_t *index)
{
    g_autoptr(GPtrArray) ops = g_ptr_array_new();
    const GPtrArray *failed = cluster_index_list(index->failed, configured_id(resource));

    server->host_retries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    server->host_failures = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; failed != NULL && i < failed->len; i++) {
        g_ptr_array_add(ops, g_ptr_array_index(failed, i));
    }
    g_ptr_array_sort(ops, compare_changes);
    server->refused_hosts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < ops->len; i++) {
        xmlNode *op = g_ptr_array_index(ops, i);
        const char *host = crm_element_value(op, XML_ATTR_UNAME);

        g_hash_table_insert(server->host_failures, g_strdup(host), failure_text(op));
        if (is_refusal(op)) {
            g_hash_table_add(server->refused_hosts, g_strdup(host));
        } else {
            g_hash_table_remove(server->refused_hosts, host);
        }
        if (resource->failure_timeout > 0) {
            g_hash_table_insert(server->host_retries, g_strdup(host),
                                GSIZE_TO_POINTER((gsize) attribute_integer(op, XML_RSC_OP_LAST_CHANGE)
                                                 + (gsize) resource->failure_timeout));
        }
    }
    if (ops->len > 0) {
        server->image_fail_host = g_strdup(crm_element_value(g_ptr_array_index(ops, ops->len - 1), XML_ATTR_UNAME));
        server->image_fail_reason = g_strdup(g_hash_table_lookup(server->host_failures, server->image_fail_host));
    }
}

static gboolean is_pending(const pe_resource_t *resource, const char *task)
{
    return g_strcmp0(resource->pending_task, task) == 0;
}

static const pe_node_t *image_node(const pe_resource_t *resource)
{
    if (resource->pending_node != NULL) {
        return resource->pending_node;
    }
    return resource->running_on != NULL ? resource->running_on->data : NULL;
}

/* What its history says was so when it was last heard of. */
static gboolean is_lost(const pe_node_t *node)
{
    return node != NULL && (node->details->unclean || !node->details->online);
}

/* Of one that Pacemaker neither recovers nor stops nobody knows how it ends: it may run on after a monitor or stop that failed. */
static image_state_t read_unmanaged_state(const pe_resource_t *resource)
{
    return resource->running_on != NULL && !pcmk_is_set(resource->flags, pe_rsc_failed)
           && !pcmk_is_set(resource->flags, pe_rsc_block) ? IMAGE_RUNNING : IMAGE_UNKNOWN;
}

static image_state_t read_image_state(const pe_resource_t *resource)
{
    if (is_lost(image_node(resource))) {
        return IMAGE_UNKNOWN;
    }
    if (is_pending(resource, "stop")) {
        return IMAGE_STOPPING;
    }
    if (is_pending(resource, "start") || is_pending(resource, "migrate_to") || is_pending(resource, "migrate_from")) {
        return IMAGE_STARTING;
    }
    if (!pcmk_is_set(resource->flags, pe_rsc_managed)) {
        return read_unmanaged_state(resource);
    }
    if (resource->running_on != NULL) {
        return pcmk_is_set(resource->flags, pe_rsc_failed) ? IMAGE_FAILED : IMAGE_RUNNING;
    }
    /* Before the first probe has ended nobody knows. */
    return resource->known_on != NULL && g_hash_table_size(resource->known_on) > 0 ? IMAGE_STOPPED : IMAGE_UNKNOWN;
}

/* What holds an image back ----------------------------------------------------*/

/* The resource itself, or the group or clone that it is in. */
static gboolean names_resource(const char *id, const pe_resource_t *resource, pe_working_set_t *set)
{
    const pe_tag_t *tag = id != NULL && set->tags != NULL ? g_hash_table_lookup(set->tags, id) : NULL;

    for (; id != NULL && resource != NULL; resource = resource->parent) {
        if (strcmp(resource->id, id) == 0) {
            return TRUE;
        }
        for (GList *item = tag != NULL ? tag->refs : NULL; item != NULL; item = item->next) {
            if (strcmp(item->data, resource->id) == 0) {
                return TRUE;
            }
        }
    }
    return FALSE;
}

static gboolean pattern_names(const char *pattern, const char *id)
{
    return pattern != NULL && g_regex_match_simple(pattern, id, 0, 0);
}

static gboolean constraint_names(xmlNode *node, const pe_resource_t *resource, pe_working_set_t *set)
{
    static const char *const references[] = { "rsc", "with-rsc", "first", "then", NULL };

    for (const char *const *name = references; *name != NULL; name++) {
        if (names_resource(crm_element_value(node, *name), resource, set)) {
            return TRUE;
        }
    }
    if (pattern_names(crm_element_value(node, "rsc-pattern"), resource->id)) {
        return TRUE;
    }
    for (xmlNode *inner = node->children; inner != NULL; inner = inner->next) {
        if (inner->type != XML_ELEMENT_NODE) {
            continue;
        }
        if (xmlStrEqual(inner->name, (const xmlChar *) "resource_ref")) {
            if (names_resource(crm_element_value(inner, XML_ATTR_ID), resource, set)) {
                return TRUE;
            }
        } else if (xmlStrEqual(inner->name, (const xmlChar *) "resource_set")
                   && constraint_names(inner, resource, set)) {
            return TRUE;
        }
    }
    return FALSE;
}

/* It names the resource itself, as adopt writes it, or its group, a set that it is in, or a tag. */
static gboolean has_ticket_constraint(const pe_resource_t *resource, pe_working_set_t *set, const cluster_index_t *index,
                                      const char *ticket_id)
{
    const GPtrArray *tickets = cluster_index_list(index->tickets, configured_id(resource));

    for (guint i = 0; tickets != NULL && i < tickets->len; i++) {
        if (g_strcmp0(crm_element_value(g_ptr_array_index(tickets, i), XML_TICKET_ATTR_TICKET), ticket_id) == 0) {
            return TRUE;
        }
    }
    for (xmlNode *node = index->constraints != NULL ? index->constraints->children : NULL; node != NULL; node = node->next) {
        if (xml_is(node, XML_CONS_TAG_RSC_TICKET)
            && g_strcmp0(crm_element_value(node, XML_TICKET_ATTR_TICKET), ticket_id) == 0
            && constraint_names(node, resource, set)) {
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean prefers_node(xmlNode *node)
{
    return crm_element_value(node, "node") != NULL && char2score(crm_element_value(node, XML_RULE_ATTR_SCORE)) >= 0;
}

/* Of the kinds that can keep an image from a host; adopt's own are known by their ids, or by the ticket. */
static gboolean is_foreign_constraint(xmlNode *node, const char *own_ticket)
{
    static const char *const kinds[] = { "rsc_location", "rsc_colocation", "rsc_order", "rsc_ticket", NULL };
    const char *id = node->type == XML_ELEMENT_NODE ? crm_element_value(node, XML_ATTR_ID) : NULL;

    return id != NULL && g_strv_contains(kinds, (const char *) node->name)
           && !g_str_has_prefix(id, REACH_CONSTRAINT_PREFIX) && !g_str_has_prefix(id, MEMBERS_CONSTRAINT_PREFIX) && !prefers_node(node)
           && g_strcmp0(crm_element_value(node, "ticket"), own_ticket) != 0;
}

static GPtrArray *foreign_constraints(const pe_resource_t *resource, pe_working_set_t *set, xmlNode *constraints,
                                      const char *own_ticket)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(constraint_free);

    for (xmlNode *node = constraints != NULL ? constraints->children : NULL; node != NULL; node = node->next) {
        if (is_foreign_constraint(node, own_ticket) && constraint_names(node, resource, set)) {
            cluster_constraint_t *constraint = g_new0(cluster_constraint_t, 1);

            constraint->id = g_strdup(crm_element_value(node, XML_ATTR_ID));
            constraint->node = g_strdup(crm_element_value(node, "node"));
            g_ptr_array_add(found, constraint);
        }
    }
    return found;
}

static gboolean meta_is(const pe_resource_t *resource, const char *name, const char *value)
{
    const char *set = g_hash_table_lookup(resource->meta, name);

    return set != NULL && g_ascii_strcasecmp(set, value) == 0;
}

static char *unmanaged_text(const pe_resource_t *resource)
{
    if (pcmk_is_set(resource->flags, pe_rsc_block)) {
        return g_strdup_printf("%s is blocked after an action that failed: mend it, then run crm_resource --cleanup "
                               "--resource %s", resource->id, resource->id);
    }
    if (pcmk_is_set(resource->flags, pe_rsc_maintenance)) {
        return g_strdup_printf("%s is in maintenance (its meta attribute maintenance, its group's or rsc_defaults'): "
                               "pcs resource meta %s maintenance=false ends it", resource->id, resource->id);
    }
    return g_strdup_printf("%s is not managed (is-managed=false): pcs resource manage %s ends it", resource->id,
                           resource->id);
}

/* It is no machine: its resource is restarted. */
static gboolean is_guest(const pe_node_t *node)
{
    return node->details->remote_rsc != NULL && node->details->remote_rsc->container != NULL;
}

/* A node that has to be fenced, and is not yet. */
static const pe_node_t *unclean_node(const pe_working_set_t *set)
{
    for (const GList *item = set->nodes; item != NULL; item = item->next) {
        const pe_node_t *node = item->data;

        if (node->details->unclean && !is_guest(node)) {
            return node;
        }
    }
    return NULL;
}

/* Pacemaker's default, requires=fencing: nothing starts before all nodes that failed are fenced. The scheduler's simulation
 * does not show it, for there each fencing succeeds. */
static char *fencing_to_wait_for(const pe_resource_t *resource, const pe_working_set_t *set)
{
    const pe_node_t *node = NULL;

    if (!pcmk_all_flags_set(set->flags, pe_flag_stonith_enabled | pe_flag_have_quorum)
        || meta_is(resource, XML_RSC_ATTR_REQUIRES, "quorum") || meta_is(resource, XML_RSC_ATTR_REQUIRES, "nothing")) {
        return NULL;
    }
    node = unclean_node(set);
    return node == NULL ? NULL
                        : g_strdup_printf("Pacemaker starts nothing before %s is fenced (pcs stonith history show %s): if that "
                                          "can't be, and it is known to be off, pcs stonith confirm %s ends it",
                                          node->details->uname, node->details->uname, node->details->uname);
}

/* What an operator has said of the whole cluster: it stands over what he has said of the image. */
static char *cluster_command_text(const pe_working_set_t *set)
{
    if (pcmk_is_set(set->flags, pe_flag_stop_everything)) {
        return g_strdup("the cluster's property stop-all-resources is set: pcs property set stop-all-resources=false "
                        "ends it");
    }
    if (pcmk_is_set(set->flags, pe_flag_maintenance_mode)) {
        return g_strdup("the whole cluster is in maintenance (property maintenance-mode): pcs property set "
                        "maintenance-mode=false ends it");
    }
    return NULL;
}

static char *image_command_text(const pe_resource_t *resource, const pe_ticket_t *ticket)
{
    if (!pcmk_is_set(resource->flags, pe_rsc_managed)) {
        return unmanaged_text(resource);
    }
    if (meta_is(resource, XML_RSC_ATTR_TARGET_ROLE, "Stopped")) {
        return g_strdup_printf("%s is disabled (target-role=Stopped, its own, its group's or rsc_defaults'): pcs "
                               "resource enable %s ends it", resource->id, resource->id);
    }
    if (ticket != NULL && ticket->standby) {
        return g_strdup_printf("the ticket %s is in standby: crm_ticket --ticket %s --activate ends it", ticket->id,
                               ticket->id);
    }
    return NULL;
}

static char *fencing_text(const pe_resource_t *resource, const pe_working_set_t *set)
{
    if (pcmk_is_set(set->flags, pe_flag_stonith_enabled)
        && !pcmk_is_set(set->flags, pe_flag_have_stonith_resource)) {
        return g_strdup("the cluster has no fence device, and Pacemaker starts nothing without one: see fencing in "
                        "Understudy's documentation");
    }
    return fencing_to_wait_for(resource, set);
}

static void read_held_back(cluster_server_t *server, const pe_resource_t *resource, const pe_ticket_t *ticket,
                           const pe_working_set_t *set)
{
    char *own = NULL;

    server->held_back = cluster_command_text(set);
    if (server->held_back == NULL) {
        own = image_command_text(resource, ticket);
        server->held_back = own != NULL ? own : fencing_text(resource, set);
    }
    server->is_held_back_with_others = server->held_back != NULL && own == NULL;
}

/* The outermost clone or bundle around a resource, or NULL. */
static const pe_resource_t *multiplier(const pe_resource_t *resource)
{
    const pe_resource_t *found = NULL;

    for (resource = resource->parent; resource != NULL; resource = resource->parent) {
        if (resource->variant == pe_clone || resource->variant == pe_container) {
            found = resource;
        }
    }
    return found;
}

static gboolean is_image(const pe_resource_t *resource)
{
    return resource->variant == pe_native
           && g_strcmp0(crm_element_value(resource->xml, XML_AGENT_ATTR_CLASS), "ocf") == 0
           && g_strcmp0(crm_element_value(resource->xml, XML_AGENT_ATTR_PROVIDER), OCF_PROVIDER) == 0
           && g_strcmp0(crm_element_value(resource->xml, XML_ATTR_TYPE), "image") == 0;
}

/* The group around a resource, or NULL. */
static const pe_resource_t *group_of(const pe_resource_t *resource)
{
    return resource->parent != NULL && resource->parent->variant == pe_group ? resource->parent : NULL;
}

/* A ticket constraint of the member alone: one that names the image too, say by its group, is the operator's own wish. */
static gboolean needs_other_ticket(const pe_resource_t *member, const pe_resource_t *image, pe_working_set_t *set,
                                   xmlNode *constraints, const char *own_ticket)
{
    for (xmlNode *node = constraints != NULL ? constraints->children : NULL; node != NULL; node = node->next) {
        if (xml_is(node, XML_CONS_TAG_RSC_TICKET)
            && g_strcmp0(crm_element_value(node, XML_TICKET_ATTR_TICKET), own_ticket) != 0
            && constraint_names(node, member, set) && !constraint_names(node, image, set)) {
            return TRUE;
        }
    }
    return FALSE;
}

/* Pacemaker starts a member of a group only beside those before it. Another image among them is a fault of its own. */
static char *find_member_to_wait_for(const pe_resource_t *image, pe_working_set_t *set, xmlNode *constraints,
                                     const char *own_ticket)
{
    const pe_resource_t *group = group_of(image);

    for (const GList *item = group != NULL ? group->children : NULL; item != NULL && item->data != image; item = item->next) {
        if (!is_image(item->data) && needs_other_ticket(item->data, image, set, constraints, own_ticket)) {
            return g_strdup(configured_id(item->data));
        }
    }
    return NULL;
}

static cluster_server_t *read_server(pe_resource_t *resource, pe_working_set_t *set, const cluster_index_t *index)
{
    cluster_server_t *server = g_new0(cluster_server_t, 1);
    const pe_node_t *node = image_node(resource);
    const pe_ticket_t *ticket = NULL;
    g_autofree char *ticket_id = NULL;
    const pe_resource_t *many = multiplier(resource);
    const char *id = configured_id(resource);
    const char *name = NULL;

    server->resource_id = g_strdup(id);
    server->multiplied_by = many != NULL ? g_strdup(many->id) : NULL;
    server->params = copy_texts(pe_rsc_params(resource, NULL, set));
    name = g_hash_table_lookup(server->params, "server");
    if (name == NULL || *name == '\0') {
        name = resource_id_server(id);
    }
    server->name = g_strdup(name != NULL ? name : id);
    server->utilization = copy_texts(resource->utilization);
    server->host_scores = host_scores(resource, set, index);
    ticket_id = server_ticket_id(server->name);
    ticket = g_hash_table_lookup(set->tickets, ticket_id);
    if (ticket != NULL) {
        server->ticket_granted = ticket->granted;
        server->ticket_last_granted_s = MAX(ticket->last_granted, 0);
    }
    server->image = read_image_state(resource);
    server->image_host = node != NULL ? g_strdup(node->details->uname) : NULL;
    server->image_changed_s = cluster_index_last_change_s(index, id);
    server->is_unmanaged = !pcmk_is_set(resource->flags, pe_rsc_managed);
    read_held_back(server, resource, ticket, set);
    server->constraints = foreign_constraints(resource, set, index->constraints, ticket_id);
    server->group = group_of(resource) != NULL ? g_strdup(configured_id(resource->parent)) : NULL;
    server->waits_for_member = find_member_to_wait_for(resource, set, index->constraints, ticket_id);
    server->ticket_bound = has_ticket_constraint(resource, set, index, ticket_id);
    read_failures(server, resource, index);
    return server;
}

static gboolean is_active(const pe_resource_t *resource)
{
    return resource->running_on != NULL || resource->pending_task != NULL;
}

/* Of the instances of one image the one that runs, if any does. */
static void add_instance(GPtrArray *images, pe_resource_t *resource)
{
    for (guint i = 0; i < images->len; i++) {
        pe_resource_t *other = g_ptr_array_index(images, i);

        if (g_strcmp0(configured_id(other), configured_id(resource)) == 0) {
            if (is_active(resource) && !is_active(other)) {
                images->pdata[i] = resource;
            }
            return;
        }
    }
    g_ptr_array_add(images, resource);
}

/* Pacemaker makes one instance at least, whatever clone-max says; those above it count as orphans. */
static void collect_instances(GList *resources, GPtrArray *images)
{
    for (GList *item = resources; item != NULL; item = item->next) {
        pe_resource_t *resource = item->data;

        if (is_image(resource)) {
            add_instance(images, resource);
        } else {
            collect_instances(resource->children, images);
        }
    }
}

/* Images stand alone or, if an operator likes it so, each in a group of its own. One in a clone or bundle, or in a group with
 * another, is a server as well, though nobody can protect it so: site_check() says it. */
static void collect_images(GList *resources, GPtrArray *images)
{
    for (GList *item = resources; item != NULL; item = item->next) {
        pe_resource_t *resource = item->data;

        if (pcmk_is_set(resource->flags, pe_rsc_orphan)) {
            continue;
        }
        if (is_image(resource)) {
            g_ptr_array_add(images, resource);
        } else if (resource->variant == pe_group) {
            collect_images(resource->children, images);
        } else {
            g_autoptr(GPtrArray) instances = g_ptr_array_new();

            collect_instances(resource->children, instances);
            for (guint i = 0; i < instances->len; i++) {
                g_ptr_array_add(images, g_ptr_array_index(instances, i));
            }
        }
    }
}

/* Hosts -------------------------------------------------------------------*/

static gint compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static void subtract_utilization(GHashTable *remaining, GHashTable *utilization)
{
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    if (utilization == NULL) {
        return;
    }
    g_hash_table_iter_init(&iter, utilization);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        gpointer old = NULL;

        if (g_hash_table_lookup_extended(remaining, name, NULL, &old)) {
            g_hash_table_insert(remaining, g_strdup(name),
                                GINT_TO_POINTER(GPOINTER_TO_INT(old) - utilization_value(value)));
        }
    }
}

static GHashTable *read_remaining(const pe_node_t *node)
{
    GHashTable *remaining = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, node->details->utilization);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        g_hash_table_insert(remaining, g_strdup(name), GINT_TO_POINTER(utilization_value(value)));
    }
    for (GList *item = node->details->running_rsc; item != NULL; item = item->next) {
        subtract_utilization(remaining, ((const pe_resource_t *) item->data)->utilization);
    }
    return remaining;
}

/* "true", or since Pacemaker 2.1.7 the time at which it became a member. */
static gboolean is_member(const cluster_index_t *index, const char *node_id)
{
    xmlNode *state = g_hash_table_lookup(index->states, node_id);
    const char *value = state != NULL ? crm_element_value(state, XML_NODE_IN_CLUSTER) : NULL;

    return crm_is_true(value) || (value != NULL && g_ascii_strtoll(value, NULL, 10) > 0);
}

/* By Pacemaker's rules they count by the cluster's strategy; here they explain what the scheduler decided. */
static char *health_fault(const pe_node_t *node, const pe_working_set_t *set)
{
    const char *strategy = set->config_hash != NULL ? g_hash_table_lookup(set->config_hash, "node-health-strategy")
                                                    : NULL;
    g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    if (strategy == NULL || strcmp(strategy, "none") == 0) {
        return NULL;
    }
    g_hash_table_iter_init(&iter, node->details->attrs);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        if (g_str_has_prefix(name, "#health") && g_ascii_strcasecmp(value, "green") != 0) {
            g_ptr_array_add(faults, g_strdup_printf("%s is %s", (const char *) name, (const char *) value));
        }
    }
    if (faults->len == 0) {
        return NULL;
    }
    g_ptr_array_sort(faults, compare_texts);
    g_ptr_array_add(faults, NULL);
    return g_strjoinv(", ", (char **) faults->pdata);
}

static GHashTable *read_ended(const pe_node_t *node)
{
    GHashTable *ended = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, node->details->attrs);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        if (g_str_has_prefix(name, ENDED_ATTRIBUTE_PREFIX)) {
            g_hash_table_insert(ended, g_strdup((const char *) name + strlen(ENDED_ATTRIBUTE_PREFIX)), g_strdup(value));
        }
    }
    return ended;
}

static cluster_host_t *read_host(const pe_node_t *node, const pe_working_set_t *set, const cluster_index_t *index)
{
    cluster_host_t *host = g_new0(cluster_host_t, 1);

    host->name = g_strdup(node->details->uname);
    host->id = g_strdup(node->details->id);
    host->full = node->details->type == node_member;
    host->member = host->full && is_member(index, node->details->id);
    host->online = node->details->online && !node->details->pending && !node->details->unclean
                   && !node->details->shutdown;
    host->standby = node->details->standby || node->details->standby_onfail;
    host->maintenance = node->details->maintenance;
    host->health_fault = health_fault(node, set);
    host->utilization = copy_texts(node->details->utilization);
    host->remaining = read_remaining(node);
    host->resource_count = g_list_length(node->details->running_rsc);
    host->reach = host_reach_parse(g_hash_table_lookup(node->details->attrs, REACH_ATTRIBUTE));
    host->clean = !node->details->online && !node->details->pending && !node->details->unclean;
    host->ended = read_ended(node);
    host->images = g_ptr_array_new_with_free_func(g_free);
    return host;
}

/* The whole ---------------------------------------------------------------*/

static gint compare_servers(gconstpointer a, gconstpointer b)
{
    return strcmp((*(cluster_server_t *const *) a)->name, (*(cluster_server_t *const *) b)->name);
}

static gint compare_hosts(gconstpointer a, gconstpointer b)
{
    return strcmp((*(cluster_host_t *const *) a)->name, (*(cluster_host_t *const *) b)->name);
}

static void list_images_of_hosts(cluster_state_t *state)
{
    for (guint i = 0; i < state->hosts->len; i++) {
        cluster_host_t *host = g_ptr_array_index(state->hosts, i);

        for (guint j = 0; j < state->servers->len; j++) {
            const cluster_server_t *server = g_ptr_array_index(state->servers, j);

            if (g_strcmp0(server->image_host, host->name) == 0) {
                g_ptr_array_add(host->images, g_strdup(server->name));
            }
        }
    }
}

static gboolean has_time_rules(xmlNode *node)
{
    for (; node != NULL; node = node->next) {
        if (xmlStrEqual(node->name, (const xmlChar *) "date_expression") || has_time_rules(node->children)) {
            return TRUE;
        }
    }
    return FALSE;
}

static gint64 recheck_time_s(const pe_working_set_t *set)
{
    gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
    gint64 latest_s = now_s + RECHECK_MAX_S;
    xmlNode *configuration = first_named_child(set->input, XML_CIB_TAG_CONFIGURATION);

    if (configuration == NULL || !has_time_rules(configuration->children)) {
        return 0;
    }
    return set->recheck_by > now_s ? MIN(set->recheck_by, latest_s) : latest_s;
}

static cluster_state_t *read_state(pe_working_set_t *set)
{
    cluster_state_t *state = g_new0(cluster_state_t, 1);
    cluster_index_t *index = cluster_index_new(set);
    g_autoptr(GPtrArray) images = g_ptr_array_new();

    state->quorate = pcmk_is_set(set->flags, pe_flag_have_quorum);
    state->balanced = g_strcmp0(set->placement_strategy, "balanced") == 0;
    state->counts_capacity = set->placement_strategy != NULL && strcmp(set->placement_strategy, "default") != 0;
    state->opt_in = !pcmk_is_set(set->flags, pe_flag_symmetric_cluster);
    state->dc = set->dc_node != NULL ? g_strdup(set->dc_node->details->uname) : NULL;
    state->servers = g_ptr_array_new_with_free_func(server_free);
    state->hosts = g_ptr_array_new_with_free_func(host_free);
    state->node_names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    collect_images(set->resources, images);
    for (guint i = 0; i < images->len; i++) {
        g_ptr_array_add(state->servers, read_server(g_ptr_array_index(images, i), set, index));
    }
    for (GList *item = set->nodes; item != NULL; item = item->next) {
        const pe_node_t *node = item->data;

        g_hash_table_add(state->node_names, g_ascii_strdown(node->details->uname, -1));
        /* No image, observer or claim lives on a remote or guest node. */
        if (node->details->type == node_member) {
            g_ptr_array_add(state->hosts, read_host(node, set, index));
        }
    }
    g_ptr_array_sort(state->servers, compare_servers);
    g_ptr_array_sort(state->hosts, compare_hosts);
    list_images_of_hosts(state);
    fence_devices_read(state, set);
    cluster_index_free(index);
    state->recheck_s = recheck_time_s(set); /* reading may have met further rules */
    return state;
}

cluster_state_t *cluster_state_parse(xmlNode *cib_xml, GError **error)
{
    pe_working_set_t *set = NULL;
    cluster_state_t *state = NULL;
    xmlNode *input = NULL;

    crm_xml_init();
    input = copy_xml(cib_xml);
    /* pe_status reads the current schema; only an old CIB needs the costly upgrade. */
    if (!g_str_has_prefix(crm_element_value(input, XML_ATTR_VALIDATION) != NULL
                          ? crm_element_value(input, XML_ATTR_VALIDATION) : "", "pacemaker-3")
        && !cli_config_update(&input, NULL, FALSE)) {
        free_xml(input);
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "the cluster's configuration is older than Pacemaker can read: run cibadmin --upgrade");
        return NULL;
    }
    set = pe_new_working_set();
    set->input = input;
    set->flags |= pe_flag_no_counts | pe_flag_no_compat;
    if (!cluster_status(set)) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                            "the cluster's configuration can't be understood: check it with crm_verify --live-check");
    } else {
        state = read_state(set);
    }
    pe_free_working_set(set); /* and the input */
    return state;
}
