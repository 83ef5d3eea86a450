/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setup_faults.h"

#include <string.h>

#include "base/duration.h"
#include "base/names.h"
#include "cib_view.h"
#include "cluster/xml.h"
#include "store/registry.h"

void setup_faults_add(GPtrArray *faults, const char *server, char *sentence)
{
    setup_fault_t *fault = g_new0(setup_fault_t, 1);

    fault->server = g_strdup(server);
    fault->sentence = sentence;
    g_ptr_array_add(faults, fault);
}

static void setup_fault_free(gpointer data)
{
    setup_fault_t *fault = data;

    g_free(fault->server);
    g_free(fault->sentence);
    g_free(fault);
}

/* What Pacemaker gives an operation that names no timeout. */
static const char *default_timeout(xmlNode *cib)
{
    const xmlNode *defaults = xml_child(xml_child(cib, "configuration"), "op_defaults");
    const xmlNode *pair = defaults != NULL ? cib_find_pair(cib_plain_set(defaults, "meta_attributes"), "timeout") : NULL;

    return pair != NULL ? xml_get(pair, "value") : "20s";
}

static void check_operation(xmlNode *cib, const xmlNode *primitive, const operation_t *operation, const char *server,
                            GPtrArray *faults)
{
    const xmlNode *op = cib_effective_operation(primitive, operation);
    const char *id = xml_get(primitive, "id");
    const char *timeout = op != NULL ? xml_get(op, "timeout") : NULL;
    guint64 has_ms = 0;
    guint64 wants_ms = 0;

    if (op == NULL || g_strcmp0(xml_get(op, "enabled"), "false") == 0) {
        if (strcmp(operation->name, "monitor") == 0) {
            setup_faults_add(faults, server, g_strdup_printf(
                "%s has no monitor operation%s%s that runs, so that nobody sees it fail: %s", id,
                operation->depth != NULL ? " of depth " : "", operation->depth != NULL ? operation->depth : "",
                op == NULL ? "run understudy adopt --all --upgrade" : "enable it"));
        }
        return;
    }
    timeout = timeout != NULL ? timeout : default_timeout(cib);
    if (duration_parse(timeout, &has_ms) && duration_parse(operation->timeout, &wants_ms) && has_ms < wants_ms) {
        setup_faults_add(faults, server, g_strdup_printf(
            "the %s operation of %s ends after %s, before the agent's own deadlines: run pcs resource update %s op %s "
            "interval=%s timeout=%s", operation->name, id, timeout, id, operation->name,
            xml_get(op, "interval") != NULL ? xml_get(op, "interval") : operation->interval, operation->timeout));
    }
}

static void check_operations(xmlNode *cib, const xmlNode *primitive, const GPtrArray *operations, const char *server,
                             GPtrArray *faults)
{
    for (guint i = 0; operations != NULL && i < operations->len; i++) {
        check_operation(cib, primitive, g_ptr_array_index(operations, i), server, faults);
    }
}

/* `wanted`: cib_wants_members_constraints(), which is asked once for all. */
static void check_members(xmlNode *cib, gboolean wanted, const xmlNode *primitive, const char *server, GPtrArray *faults)
{
    if (wanted && cib_lacks_members_constraint(cib, primitive)) {
        setup_faults_add(faults, server, g_strdup_printf(
            cib_is_opt_in(cib) ? "%s runs nowhere: the cluster has symmetric-cluster=false, and no location constraint lets it "
                             "run; run understudy adopt --all --upgrade"
                           : "nothing keeps %s off remote and guest nodes: run understudy adopt --all --upgrade",
            xml_get(cib_outermost(primitive), "id")));
    }
}

static void check_ticket(xmlNode *cib, const xmlNode *primitive, const char *server, GPtrArray *faults)
{
    const xmlNode *constraints = xml_child(xml_child(cib, "configuration"), "constraints");
    g_autofree char *ticket_id = server_ticket_id(server);
    const xmlNode *constraint = cib_find_ticket_constraint(constraints, primitive, ticket_id);

    if (constraint == NULL) {
        setup_faults_add(faults, server, g_strdup_printf(
            "nothing keeps its image stopped while it serves: the constraint on the ticket %s is missing; run "
            "understudy adopt %s", ticket_id, server));
    } else if (!cib_ticket_stops(constraint)) {
        const char *policy = xml_get(constraint, "loss-policy");
        gboolean fences = strcmp(policy, "fence") == 0;

        setup_faults_add(faults, server, g_strdup_printf(
            "%s when the ticket %s is revoked: the constraint %s has loss-policy=%s; run understudy adopt %s",
            fences ? "the host of its image is fenced with all that runs there" : "its image is not stopped", ticket_id,
            xml_get(constraint, "id"), policy, server));
    }
}

/* TRUE if a meta attribute of the resource, or of what it is in, says so. */
static gboolean meta_says(const xmlNode *primitive, const char *name, const char *value)
{
    for (const xmlNode *node = primitive; node != NULL && !xml_is(node, "resources"); node = node->parent) {
        const xmlNode *pair = cib_effective_pair(node, "meta_attributes", name);

        if (pair != NULL) {
            return g_ascii_strcasecmp(xml_get(pair, "value") != NULL ? xml_get(pair, "value") : "", value) == 0;
        }
    }
    return FALSE;
}

static void check_clone(xmlNode *cib, gboolean wanted, const char *type, const char *why, const GPtrArray *operations,
                        GPtrArray *faults)
{
    const xmlNode *primitive = cib_find_primitive(xml_child(xml_child(cib, "configuration"), "resources"), OCF_PROVIDER, type);
    const char *id = primitive != NULL ? xml_get(cib_outermost(primitive), "id") : NULL;
    const xmlNode *limit = NULL;

    if (primitive == NULL) {
        setup_faults_add(faults, NULL, g_strdup_printf("no ocf:understudy:%s is configured, so that %s: run understudy "
                                                      "adopt --all --upgrade", type, why));
        return;
    }
    limit = cib_effective_pair(cib_outermost(primitive), "meta_attributes", "clone-max");
    if (!xml_is(cib_outermost(primitive), "clone")) {
        setup_faults_add(faults, NULL, g_strdup_printf("%s is no clone and runs on one host only, so that %s: run pcs "
                                                      "resource clone %s interleave=true", id, why, id));
    } else if (limit != NULL) {
        setup_faults_add(faults, NULL, g_strdup_printf("%s does not run on every host (clone-max=%s), so that %s: run pcs "
                                                      "resource meta %s clone-max=", id, xml_get(limit, "value"), why,
                                                      id));
    }
    if (meta_says(primitive, "target-role", "Stopped")) {
        setup_faults_add(faults, NULL, g_strdup_printf("%s is disabled, so that %s: run pcs resource enable %s", id, why,
                                                      id));
    }
    if (meta_says(primitive, "is-managed", "false")) {
        setup_faults_add(faults, NULL, g_strdup_printf("%s is not managed: run pcs resource manage %s", id, id));
    }
    check_members(cib, wanted, primitive, NULL, faults);
    check_operations(cib, primitive, operations, NULL, faults);
}

static gboolean is_no(const xmlNode *primitive, const char *name)
{
    const xmlNode *pair = cib_effective_pair(primitive, "instance_attributes", name);
    static const char *const no[] = { "false", "no", "0", "off", NULL };

    return pair != NULL && xml_get(pair, "value") != NULL && g_strv_contains(no, xml_get(pair, "value"));
}

char *setup_capacity_rival(xmlNode *cib)
{
    xmlNode *resources = xml_child(xml_child(cib, "configuration"), "resources");
    const xmlNode *rival = cib_find_primitive(resources, "heartbeat", "NodeUtilization");

    if (rival == NULL || (is_no(rival, "utilization_cpu") && is_no(rival, "utilization_hv_memory"))) {
        return NULL;
    }
    return g_strdup_printf("%s (ocf:heartbeat:NodeUtilization) writes the hosts' cpu and hv_memory too, and over what "
                           CAPACITY_RESOURCE_ID " publishes: images may be moved or stopped for it; run pcs resource "
                           "update %s utilization_cpu=false utilization_hv_memory=false", xml_get(rival, "id"),
                           xml_get(rival, "id"));
}

/* Fence devices ----------------------------------------------------------------*/

/* The agents that let a host in again by its own word; the second is cluster-glue's plugin of the same core. */
static const char *const store_fence_agents[] = { "fence_rbd", "rbd", NULL };

static gboolean is_store_fence(const xmlNode *node)
{
    for (const char *const *agent = store_fence_agents; *agent != NULL; agent++) {
        if (cib_is_fence_device(node, *agent)) {
            return TRUE;
        }
    }
    return FALSE;
}

static guint64 fence_start_timeout_ms(const xmlNode *device)
{
    const xmlNode *pair = cib_effective_pair(device, "instance_attributes", "start_timeout");
    guint64 timeout_ms = 0;

    return pair != NULL && duration_parse(xml_get(pair, "value"), &timeout_ms) ? timeout_ms : REGISTRY_START_TIMEOUT_S * 1000;
}

/* The one that waits the shortest time for a start from before the fence; NULL: there is none. */
static const xmlNode *hastiest_fence(const xmlNode *parent)
{
    const xmlNode *hastiest = NULL;

    for (const xmlNode *node = parent != NULL ? parent->children : NULL; node != NULL; node = node->next) {
        const xmlNode *found = is_store_fence(node) ? node : node->type == XML_ELEMENT_NODE ? hastiest_fence(node) : NULL;

        if (found != NULL && (hastiest == NULL || fence_start_timeout_ms(found) < fence_start_timeout_ms(hastiest))) {
            hastiest = found;
        }
    }
    return hastiest;
}

static const operation_t *start_operation(const GPtrArray *operations)
{
    for (guint i = 0; operations != NULL && i < operations->len; i++) {
        const operation_t *operation = g_ptr_array_index(operations, i);

        if (strcmp(operation->name, "start") == 0) {
            return operation;
        }
    }
    return NULL;
}

/* `fence`: hastiest_fence(), which is asked once for all; or NULL. */
static char *late_start(xmlNode *cib, const xmlNode *fence, const xmlNode *primitive, const operation_t *operation)
{
    const xmlNode *op = operation != NULL ? cib_effective_operation(primitive, operation) : NULL;
    const char *timeout = op != NULL ? xml_get(op, "timeout") : NULL;
    guint64 takes_ms = 0;

    timeout = timeout != NULL ? timeout : default_timeout(cib);
    if (fence == NULL || !duration_parse(timeout, &takes_ms) || takes_ms <= fence_start_timeout_ms(fence)) {
        return NULL;
    }
    return g_strdup_printf("the start of %s may take %s, longer than a fence by %s waits for it before it lets a host in again "
                           "that has not booted: run pcs stonith update %s start_timeout=%" G_GUINT64_FORMAT,
                           xml_get(primitive, "id"), timeout, xml_get(fence, "id"), xml_get(fence, "id"),
                           (takes_ms + 999) / 1000);
}

char *setup_late_start(const adoption_t *adoption, xmlNode *cib, const char *server)
{
    const xmlNode *resources = xml_child(xml_child(cib, "configuration"), "resources");
    const xmlNode *image = cib_find_image(cib, server);

    return image != NULL ? late_start(cib, hastiest_fence(resources), image, start_operation(adoption->image_operations))
                         : NULL;
}

/* All --------------------------------------------------------------------------*/

/* What is looked up once for all images. */
typedef struct {
    const adoption_t *adoption;
    xmlNode *cib;
    gboolean members_wanted;       /* cib_wants_members_constraints() */
    const xmlNode *fence;          /* hastiest_fence() */
    const operation_t *start;
    GPtrArray *faults;
} images_check_t;

static void check_image(const images_check_t *check, const xmlNode *primitive)
{
    const char *server = cib_image_server(primitive);
    char *late = NULL;

    if (server == NULL) {
        return;
    }
    check_ticket(check->cib, primitive, server, check->faults);
    check_members(check->cib, check->members_wanted, primitive, server, check->faults);
    check_operations(check->cib, primitive, check->adoption->image_operations, server, check->faults);
    late = late_start(check->cib, check->fence, primitive, check->start);
    if (late != NULL) {
        setup_faults_add(check->faults, server, late);
    }
}

/* Returns how many images there are. */
static guint check_images(const images_check_t *check, const xmlNode *parent)
{
    guint count = 0;

    for (const xmlNode *node = parent != NULL ? parent->children : NULL; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE) {
            continue;
        }
        if (cib_is_primitive(node, OCF_PROVIDER, "image")) {
            check_image(check, node);
            count++;
        } else {
            count += check_images(check, node);
        }
    }
    return count;
}

GPtrArray *setup_faults_find(const adoption_t *adoption, xmlNode *cib)
{
    GPtrArray *faults = g_ptr_array_new_with_free_func(setup_fault_free);
    const xmlNode *resources = xml_child(xml_child(cib, "configuration"), "resources");
    gboolean wanted = cib_wants_members_constraints(cib);
    const images_check_t check = { .adoption = adoption, .cib = cib, .members_wanted = wanted,
                                   .fence = hastiest_fence(resources),
                                   .start = start_operation(adoption->image_operations), .faults = faults };
    char *rival = NULL;

    if (check_images(&check, resources) == 0) {
        return faults; /* nothing is protected yet */
    }
    check_clone(cib, wanted, "observer", "servers are not watched there", adoption->observer_operations, faults);
    check_clone(cib, wanted, "capacity", "images find no room there", adoption->capacity_operations, faults);
    rival = setup_capacity_rival(cib);
    if (rival != NULL) {
        setup_faults_add(faults, NULL, rival);
    }
    return faults;
}
