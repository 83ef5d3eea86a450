/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adoption.h"

#include <string.h>

#include <libxml/parser.h>

#include "base/error.h"
#include "base/names.h"
#include "cib_view.h"
#include "cluster/xml.h"
#include "tables.h"

#define STICKINESS "1000"
/* So long a host is not tried again after a start that failed there. More than a start may take, so that the other hosts
 * come first; no more, because the store may have been away for a minute only. */
#define FAILURE_TIMEOUT "5min"
/* Of the observers and of capacity: nobody acts while they are away, and to try again costs nothing. */
#define SERVICE_FAILURE_TIMEOUT "60s"

/* XML helpers -------------------------------------------------------------*/

static xmlNode *section(xmlNode *cib, const char *name)
{
    return xml_child_or_new(xml_child_or_new(cib, "configuration"), name);
}

/* With an id that nothing else in the configuration has, as near to the wanted one as can be: an operator may have
 * given that to something of his own, and the CIB manager would refuse the change. */
static xmlNode *add_element(xmlNode *parent, const char *name, const char *wanted_id)
{
    const xmlNode *configuration = xml_child(xmlDocGetRootElement(parent->doc), "configuration");
    g_autofree char *id = g_strdup(wanted_id);

    for (guint number = 1; cib_find_id(configuration, id) != NULL; number++) {
        g_free(id);
        id = g_strdup_printf("%s-%u", wanted_id, number);
    }
    return xml_add(parent, name, id);
}

/* Value NULL takes the pair away. Returns TRUE if anything was changed. */
static gboolean set_nvpair(xmlNode *parent, const char *kind, const char *name, const char *value)
{
    xmlNode *container = cib_plain_set(parent, kind);
    xmlNode *pair = cib_find_pair(container, name);
    g_autofree char *id = NULL;

    if (value == NULL) {
        if (pair != NULL) {
            xmlUnlinkNode(pair);
            xmlFreeNode(pair);
        }
        return pair != NULL;
    }
    if (pair != NULL) {
        if (g_strcmp0(xml_get(pair, "value"), value) == 0) {
            return FALSE;
        }
        xml_set(pair, "value", value);
        return TRUE;
    }
    if (container == NULL) {
        g_autofree char *container_id = g_strdup_printf("%s-%s", xml_get(parent, "id"), kind);

        container = add_element(parent, kind, container_id);
    }
    id = g_strdup_printf("%s-%s", xml_get(container, "id"), name);
    pair = add_element(container, "nvpair", id);
    xml_set(pair, "name", name);
    xml_set(pair, "value", value);
    return TRUE;
}

static gboolean is_our_primitive(const xmlNode *node, const char *type)
{
    return cib_is_primitive(node, OCF_PROVIDER, type);
}

static xmlNode *find_primitive(const xmlNode *parent, const char *type)
{
    return cib_find_primitive(parent, OCF_PROVIDER, type);
}

/* Operations --------------------------------------------------------------*/

static void operation_free(gpointer data)
{
    operation_t *operation = data;

    g_free(operation->name);
    g_free(operation->timeout);
    g_free(operation->interval);
    g_free(operation->depth);
    g_free(operation);
}

static gint compare_operations(gconstpointer a, gconstpointer b)
{
    const operation_t *first = *(operation_t *const *) a;
    const operation_t *second = *(operation_t *const *) b;
    int by_name = strcmp(first->name, second->name);

    return by_name != 0 ? by_name : g_strcmp0(first->depth, second->depth);
}

GPtrArray *operations_parse(const char *metadata, gsize length, GError **error)
{
    xmlDoc *doc = xmlReadMemory(metadata, (int) length, "metadata", NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlNode *actions = doc != NULL ? xml_child(xmlDocGetRootElement(doc), "actions") : NULL;
    GPtrArray *operations = NULL;

    if (actions == NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                            "the agent's metadata has no actions: install the agents again");
        xmlFreeDoc(doc);
        return NULL;
    }
    operations = g_ptr_array_new_with_free_func(operation_free);
    for (xmlNode *action = actions->children; action != NULL; action = action->next) {
        const char *name = xml_is(action, "action") ? xml_get(action, "name") : NULL;
        const char *depth = name != NULL ? xml_get(action, "depth") : NULL;
        operation_t *operation = NULL;

        if (name == NULL || strcmp(name, "meta-data") == 0 || strcmp(name, "validate-all") == 0) {
            continue;
        }
        operation = g_new0(operation_t, 1);
        operation->name = g_strdup(name);
        operation->timeout = g_strdup(xml_get(action, "timeout"));
        operation->interval = g_strdup(xml_get(action, "interval") != NULL ? xml_get(action, "interval") : "0s");
        operation->depth = depth != NULL && strcmp(depth, "0") != 0 ? g_strdup(depth) : NULL;
        g_ptr_array_add(operations, operation);
    }
    g_ptr_array_sort(operations, compare_operations);
    xmlFreeDoc(doc);
    return operations;
}

static void add_operations(xmlNode *primitive, const GPtrArray *operations)
{
    xmlNode *container = xml_child_or_new(primitive, "operations");

    for (guint i = 0; i < operations->len; i++) {
        const operation_t *operation = g_ptr_array_index(operations, i);
        g_autofree char *id = g_strdup_printf("%s-%s-interval-%s", xml_get(primitive, "id"), operation->name,
                                              operation->interval);
        xmlNode *op = add_element(container, "op", id);

        xml_set(op, "name", operation->name);
        xml_set(op, "interval", operation->interval);
        xml_set(op, "timeout", operation->timeout);
        if (operation->depth != NULL) {
            set_nvpair(op, "instance_attributes", "OCF_CHECK_LEVEL", operation->depth);
        }
    }
}

static xmlNode *add_primitive(xmlNode *parent, const char *id, const char *type, const GPtrArray *operations)
{
    xmlNode *primitive = add_element(parent, "primitive", id);

    xml_set(primitive, "class", "ocf");
    xml_set(primitive, "provider", OCF_PROVIDER);
    xml_set(primitive, "type", type);
    add_operations(primitive, operations);
    return primitive;
}

/* adopt -------------------------------------------------------------------*/

static const char *default_of(const char *name)
{
    for (const ocf_param_t *param = image_params; param->name != NULL; param++) {
        if (strcmp(param->name, name) == 0) {
            return param->default_text;
        }
    }
    return NULL;
}

static gboolean is_known_param(const char *name)
{
    for (const ocf_param_t *param = image_params; param->name != NULL; param++) {
        if (strcmp(param->name, name) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean check_names(GHashTable *params, GError **error)
{
    GHashTableIter iter;
    gpointer name = NULL;

    g_hash_table_iter_init(&iter, params);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        if (!is_known_param(name)) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "ocf:understudy:image has no parameter '%s': see man ocf_understudy_image",
                        (const char *) name);
            return FALSE;
        }
    }
    return TRUE;
}

static void merge_pairs(GHashTable *merged, const xmlNode *resource)
{
    const xmlNode *container = resource != NULL ? cib_plain_set(resource, "instance_attributes") : NULL;

    for (xmlNode *pair = container != NULL ? container->children : NULL; pair != NULL; pair = pair->next) {
        if (xml_is(pair, "nvpair") && xml_get(pair, "name") != NULL) {
            g_hash_table_insert(merged, g_strdup(xml_get(pair, "name")), g_strdup(xml_get(pair, "value")));
        }
    }
}

/* What the resource will have: what stands there or in its template, and over it what was given. */
static GHashTable *merged_params(const xmlNode *primitive, GHashTable *given)
{
    GHashTable *merged = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    merge_pairs(merged, primitive != NULL ? cib_template_of(primitive) : NULL);
    merge_pairs(merged, primitive);
    g_hash_table_iter_init(&iter, given);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        if (*(const char *) value == '\0') {
            g_hash_table_remove(merged, name);
        } else {
            g_hash_table_insert(merged, g_strdup(name), g_strdup(value));
        }
    }
    return merged;
}

static gboolean set_params(xmlNode *primitive, GHashTable *given)
{
    g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(given), (GCompareFunc) strcmp);
    gboolean changed = FALSE;

    for (GList *item = names; item != NULL; item = item->next) {
        const char *value = g_hash_table_lookup(given, item->data);

        const xmlNode *template = cib_template_of(primitive);
        const xmlNode *under = template != NULL ? cib_find_pair(cib_plain_set(template, "instance_attributes"), item->data)
                                                : NULL;

        /* A default is not written: a later version may know a better one. */
        if (*value == '\0' || g_strcmp0(value, under != NULL ? xml_get(under, "value") : default_of(item->data)) == 0) {
            value = NULL;
        }
        changed = set_nvpair(primitive, "instance_attributes", item->data, value) || changed;
    }
    return changed;
}

/* The smaller of the two shares, so that a host that is short of either has
 * little headroom: it decides when cpu and hv_memory disagree. A sum of minima is
 * never more than the minimum of the sums, so it never refuses what fits. */
static gint64 headroom(gint64 vcpus, gint64 memory_mib)
{
    return MAX(1, MIN(100 * vcpus, 100 * memory_mib / 4096));
}

static gboolean set_utilization(xmlNode *primitive, const ocf_values_t *values, gboolean overwrite)
{
    gint64 vcpus = ocf_value_integer(values, "vcpus");
    gint64 memory_mib = ocf_value_integer(values, "memory_mib");
    const struct {
        const char *name;
        gint64 value;
    } uses[] = {
        { UTILIZATION_CPU, vcpus },
        { UTILIZATION_HEADROOM, headroom(vcpus, memory_mib) },
        { UTILIZATION_MEMORY, memory_mib },
    };
    gboolean changed = FALSE;

    for (gsize i = 0; i < G_N_ELEMENTS(uses); i++) {
        g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, uses[i].value);

        if (overwrite || cib_effective_pair(primitive, "utilization", uses[i].name) == NULL) {
            changed = set_nvpair(primitive, "utilization", uses[i].name, text) || changed;
        }
    }
    return changed;
}

static gboolean add_ticket_constraint(xmlNode *constraints, const char *server, const xmlNode *primitive)
{
    const char *resource_id = xml_get(primitive, "id");
    g_autofree char *ticket_id = server_ticket_id(server);
    g_autofree char *id = g_strconcat(TICKET_CONSTRAINT_PREFIX, server, NULL);
    xmlNode *node = cib_find_ticket_constraint(constraints, primitive, ticket_id);
    gboolean changed = FALSE;

    while (node != NULL && !cib_ticket_stops(node)) {
        xml_set(node, "loss-policy", "stop");
        changed = TRUE;
        node = cib_find_ticket_constraint(constraints, primitive, ticket_id);
    }
    if (node == NULL) {
        node = add_element(constraints, "rsc_ticket", id);
        xml_set(node, "rsc", resource_id);
        xml_set(node, "ticket", ticket_id);
        xml_set(node, "loss-policy", "stop");
        changed = TRUE;
    }
    return changed;
}

static xmlNode *find_reach_constraint(const xmlNode *constraints, const char *resource_id)
{
    for (xmlNode *node = constraints->children; node != NULL; node = node->next) {
        const xmlNode *rule = xml_is(node, "rsc_location") ? xml_child(node, "rule") : NULL;
        const xmlNode *expression = rule != NULL ? xml_child(rule, "expression") : NULL;

        if (expression != NULL && g_strcmp0(xml_get(node, "rsc"), resource_id) == 0
            && g_strcmp0(xml_get(expression, "attribute"), REACH_ATTRIBUTE) == 0) {
            return node;
        }
    }
    return NULL;
}

static gboolean add_reach_constraint(xmlNode *constraints, const char *server, const char *resource_id)
{
    g_autofree char *id = g_strconcat(REACH_CONSTRAINT_PREFIX, server, NULL);
    g_autofree char *rule_id = g_strconcat(id, "-rule", NULL);
    g_autofree char *expression_id = g_strconcat(rule_id, "-expr", NULL);
    xmlNode *node = NULL;

    if (find_reach_constraint(constraints, resource_id) != NULL) {
        return FALSE;
    }
    node = add_element(constraints, "rsc_location", id);
    xml_set(node, "rsc", resource_id);
    node = add_element(node, "rule", rule_id);
    xml_set(node, "score", REACH_SCORE);
    node = add_element(node, "expression", expression_id);
    xml_set(node, "attribute", REACH_ATTRIBUTE);
    xml_set(node, "operation", "eq");
    xml_set(node, "value", "1");
    return TRUE;
}

/* An operator may replace it by his own. */
static gboolean add_members_constraint(xmlNode *cib, const xmlNode *primitive)
{
    const char *resource_id = primitive != NULL ? xml_get(cib_outermost(primitive), "id") : NULL;
    gboolean opt_in = cib_is_opt_in(cib);
    g_autofree char *id = g_strconcat(MEMBERS_CONSTRAINT_PREFIX, resource_id, NULL);
    g_autofree char *rule_id = g_strconcat(id, "-rule", NULL);
    g_autofree char *expression_id = g_strconcat(rule_id, "-expr", NULL);
    xmlNode *node = NULL;

    if (!cib_lacks_members_constraint(cib, primitive) || !cib_wants_members_constraints(cib)) {
        return FALSE;
    }
    node = add_element(section(cib, "constraints"), "rsc_location", id);
    xml_set(node, "rsc", resource_id);
    node = add_element(node, "rule", rule_id);
    xml_set(node, "score", opt_in ? "0" : "-INFINITY");
    node = add_element(node, "expression", expression_id);
    xml_set(node, "attribute", "#kind");
    xml_set(node, "operation", opt_in ? "eq" : "ne");
    xml_set(node, "value", "cluster");
    return TRUE;
}

static gboolean add_clone(xmlNode *resources, const char *clone_id, const char *id, const char *type,
                          const GPtrArray *operations)
{
    xmlNode *clone = NULL;

    if (find_primitive(resources, type) != NULL) {
        return FALSE;
    }
    clone = add_element(resources, "clone", clone_id);
    add_primitive(clone, id, type, operations);
    set_nvpair(clone, "meta_attributes", "interleave", "true");
    return TRUE;
}

const char *cib_placement_strategy(xmlNode *cib)
{
    xmlNode *pair = cib_find_property(cib, "placement-strategy");

    return pair != NULL ? xml_get(pair, "value") : NULL;
}

/* An operator who has chosen another strategy keeps it. */
static gboolean set_placement_strategy(xmlNode *cib)
{
    xmlNode *crm_config = section(cib, "crm_config");
    xmlNode *container = cib_plain_set(crm_config, "cluster_property_set");
    xmlNode *pair = NULL;
    g_autofree char *id = NULL;

    if (cib_find_property(cib, "placement-strategy") != NULL) {
        return FALSE;
    }
    if (container == NULL) {
        container = add_element(crm_config, "cluster_property_set", "cib-bootstrap-options");
    }
    id = g_strdup_printf("%s-placement-strategy", xml_get(container, "id"));
    pair = add_element(container, "nvpair", id);
    xml_set(pair, "name", "placement-strategy");
    xml_set(pair, "value", "balanced");
    return TRUE;
}

/* Without it, a start that has failed once keeps a resource from that host until somebody cleans it up. */
static gboolean add_failure_timeout(xmlNode *primitive, const char *timeout)
{
    return primitive != NULL && cib_effective_pair(primitive, "meta_attributes", "failure-timeout") == NULL
           && set_nvpair(primitive, "meta_attributes", "failure-timeout", timeout);
}

/* NULL: as they are. */
static gboolean set_references(xmlNode *resources, const char *name, const char *references)
{
    return references != NULL
           && set_nvpair(find_primitive(resources, "observer"), "instance_attributes", name,
                         *references != '\0' ? references : NULL);
}

static gboolean apply_site(const adoption_t *adoption, xmlNode *cib)
{
    xmlNode *resources = section(cib, "resources");
    gboolean changed = add_clone(resources, OBSERVER_CLONE_ID, OBSERVER_RESOURCE_ID, "observer",
                                 adoption->observer_operations);

    changed = add_clone(resources, CAPACITY_CLONE_ID, CAPACITY_RESOURCE_ID, "capacity",
                        adoption->capacity_operations) || changed;
    /* It speaks for a host that is to be unfenced: it must not wait for that itself. */
    changed = set_nvpair(find_primitive(resources, "capacity"), "meta_attributes", "requires", "quorum") || changed;
    changed = add_failure_timeout(find_primitive(resources, "observer"), SERVICE_FAILURE_TIMEOUT) || changed;
    changed = add_failure_timeout(find_primitive(resources, "capacity"), SERVICE_FAILURE_TIMEOUT) || changed;
    changed = set_references(resources, "references", adoption->references) || changed;
    changed = set_references(resources, "management_references", adoption->management_references) || changed;
    changed = add_members_constraint(cib, find_primitive(resources, "observer")) || changed;
    changed = add_members_constraint(cib, find_primitive(resources, "capacity")) || changed;
    return set_placement_strategy(cib) || changed;
}

static gboolean apply_image(const adoption_t *adoption, xmlNode *cib, const ocf_values_t *values)
{
    xmlNode *resources = section(cib, "resources");
    xmlNode *constraints = section(cib, "constraints");
    xmlNode *primitive = cib_find_image(cib, adoption->server);
    gboolean is_new = primitive == NULL;
    gboolean size_given = g_hash_table_contains(adoption->params, "vcpus")
                          || g_hash_table_contains(adoption->params, "memory_mib");
    gboolean changed = is_new;

    if (is_new) {
        g_autofree char *resource_id = server_resource_id(adoption->server);

        primitive = add_primitive(resources, resource_id, "image", adoption->image_operations);
        set_nvpair(primitive, "meta_attributes", "resource-stickiness", STICKINESS);
        set_nvpair(primitive, "meta_attributes", "failure-timeout", FAILURE_TIMEOUT);
    }
    changed = add_members_constraint(cib, primitive) || changed;
    changed = set_params(primitive, adoption->params) || changed;
    changed = set_utilization(primitive, values, is_new || size_given) || changed;
    changed = add_ticket_constraint(constraints, adoption->server, primitive) || changed;
    return add_reach_constraint(constraints, adoption->server, xml_get(primitive, "id")) || changed;
}

/* The server whose image it will be: TRUE if that is the one that is adopted. */
static gboolean stays_its_image(const adoption_t *adoption, const xmlNode *existing, GHashTable *merged, GError **error)
{
    g_autofree char *usual_id = server_resource_id(adoption->server);
    const char *resource_id = existing != NULL ? xml_get(existing, "id") : usual_id;
    const char *named = g_hash_table_lookup(merged, "server");

    named = named != NULL && *named != '\0' ? named : NULL;
    if (g_strcmp0(named != NULL ? named : resource_id_server(resource_id), adoption->server) == 0) {
        return TRUE;
    }
    if (named != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "server=%s does not fit the resource %s, whose ticket is of %s: leave the parameter out", named,
                    resource_id, adoption->server);
    } else {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "the resource %s names its server by the parameter alone: that has to be server=%s", resource_id,
                    adoption->server);
    }
    return FALSE;
}

gboolean adoption_apply(const adoption_t *adoption, xmlNode *cib, gboolean *changed, GError **error)
{
    g_autofree char *resource_id = server_resource_id(adoption->server);
    const xmlNode *existing = cib_find_image(cib, adoption->server);
    g_autoptr(GHashTable) merged = NULL;
    ocf_values_t *values = NULL;
    GError *failure = NULL;
    gboolean changed_site = FALSE;

    if (existing == NULL && cib_find_id(xml_child(cib, "configuration"), resource_id) != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS,
                    "the cluster has something else with the id '%s': rename it, or choose another name for the server",
                    resource_id);
        return FALSE;
    }
    if (!check_names(adoption->params, error)) {
        return FALSE;
    }
    merged = merged_params(existing, adoption->params);
    if (!stays_its_image(adoption, existing, merged, error)) {
        return FALSE;
    }
    values = ocf_values_parse(image_params, merged, &failure);
    if (failure != NULL) {
        g_propagate_error(error, failure);
        ocf_values_free(values);
        return FALSE;
    }
    changed_site = apply_site(adoption, cib);
    *changed = apply_image(adoption, cib, values) || changed_site;
    ocf_values_free(values);
    return TRUE;
}

/* upgrade -----------------------------------------------------------------*/

static gboolean add_missing_operations(xmlNode *primitive, const GPtrArray *operations)
{
    g_autoptr(GPtrArray) missing = g_ptr_array_new();

    for (guint i = 0; primitive != NULL && i < operations->len; i++) {
        if (cib_effective_operation(primitive, g_ptr_array_index(operations, i)) == NULL) {
            g_ptr_array_add(missing, g_ptr_array_index(operations, i));
        }
    }
    if (missing->len > 0) {
        add_operations(primitive, missing);
    }
    return missing->len > 0;
}

static gboolean upgrade_image(const adoption_t *adoption, xmlNode *cib, xmlNode *primitive)
{
    xmlNode *constraints = section(cib, "constraints");
    g_autofree char *server = g_strdup(cib_image_server(primitive));
    gboolean changed = add_missing_operations(primitive, adoption->image_operations);

    changed = add_failure_timeout(primitive, FAILURE_TIMEOUT) || changed;
    changed = add_members_constraint(cib, primitive) || changed;
    if (server != NULL) {
        changed = add_ticket_constraint(constraints, server, primitive) || changed;
        changed = add_reach_constraint(constraints, server, xml_get(primitive, "id")) || changed;
    }
    return changed;
}

static gboolean upgrade_images(const adoption_t *adoption, xmlNode *cib, xmlNode *parent)
{
    gboolean changed = FALSE;

    for (xmlNode *node = parent->children; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE) {
            continue;
        }
        changed = (is_our_primitive(node, "image") ? upgrade_image(adoption, cib, node)
                                                   : upgrade_images(adoption, cib, node)) || changed;
    }
    return changed;
}

gboolean adoption_upgrade(const adoption_t *adoption, xmlNode *cib)
{
    xmlNode *resources = section(cib, "resources");
    gboolean changed = apply_site(adoption, cib);

    changed = add_missing_operations(find_primitive(resources, "observer"), adoption->observer_operations) || changed;
    changed = add_missing_operations(find_primitive(resources, "capacity"), adoption->capacity_operations) || changed;
    return upgrade_images(adoption, cib, resources) || changed;
}

gboolean adoption_exists(xmlNode *cib, const char *server)
{
    return cib_find_image(cib, server) != NULL;
}

const char *adoption_param(xmlNode *cib, const char *server, const char *name)
{
    const xmlNode *primitive = cib_find_image(cib, server);
    xmlNode *pair = primitive != NULL ? cib_effective_pair(primitive, "instance_attributes", name) : NULL;

    return pair != NULL ? xml_get(pair, "value") : default_of(name);
}

GHashTable *adoption_params(xmlNode *cib, const char *server)
{
    GHashTable *params = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);

    for (const ocf_param_t *param = image_params; param->name != NULL; param++) {
        const char *value = adoption_param(cib, server, param->name);

        if (value != NULL) {
            g_hash_table_insert(params, (gpointer) param->name, g_strdup(value));
        }
    }
    return params;
}

gboolean adoption_set_param(xmlNode *cib, const char *server, const char *name, const char *value, gboolean *changed,
                            GError **error)
{
    xmlNode *primitive = cib_find_image(cib, server);

    if (primitive == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND, "no server '%s' is protected", server);
        return FALSE;
    }
    if (*value == '\0' && g_strcmp0(adoption_param(cib, server, name), "") == 0) {
        *changed = FALSE; /* it was ended before, over a template's */
        return TRUE;
    }
    *changed = set_nvpair(primitive, "instance_attributes", name, *value != '\0' ? value : NULL);
    if (*value == '\0' && cib_effective_pair(primitive, "instance_attributes", name) != NULL) {
        /* A template, or a set that others refer to, has it: an empty one of its own stands over it. */
        *changed = set_nvpair(primitive, "instance_attributes", name, "");
    }
    return TRUE;
}

/* forget ------------------------------------------------------------------*/

/* A constraint that names the resource anywhere: as rsc, with-rsc, first, then or in a set. */
static gboolean constraint_names(const xmlNode *node, const char *resource_id)
{
    static const char *const references[] = { "rsc", "with-rsc", "first", "then", NULL };

    for (const char *const *name = references; *name != NULL; name++) {
        if (g_strcmp0(xml_get(node, *name), resource_id) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

static void remove_node(xmlNode *node)
{
    xmlUnlinkNode(node);
    xmlFreeNode(node);
}

static void remove_constraints(xmlNode *constraints, const char *resource_id)
{
    xmlNode *next = NULL;

    for (xmlNode *node = constraints != NULL ? constraints->children : NULL; node != NULL; node = next) {
        next = node->next;
        if (node->type == XML_ELEMENT_NODE && constraint_names(node, resource_id)) {
            remove_node(node);
        }
    }
}

/* References to the resource in sets and tags. A set that is left empty would not be valid, nor a constraint that has
 * lost the sets that it was about. */
static void remove_references(xmlNode *node, const char *resource_id)
{
    xmlNode *next = NULL;

    for (xmlNode *inner = node != NULL ? node->children : NULL; inner != NULL; inner = next) {
        gboolean had_sets = FALSE;

        next = inner->next;
        if (inner->type != XML_ELEMENT_NODE) {
            continue;
        }
        if ((xml_is(inner, "resource_ref") || xml_is(inner, "obj_ref"))
            && g_strcmp0(xml_get(inner, "id"), resource_id) == 0) {
            remove_node(inner);
            continue;
        }
        had_sets = xml_child(inner, "resource_set") != NULL;
        remove_references(inner, resource_id);
        if ((xml_is(inner, "resource_set") && xmlFirstElementChild(inner) == NULL)
            || (had_sets && xml_child(inner, "resource_set") == NULL)) {
            remove_node(inner);
        }
    }
}

static void remove_permissions(xmlNode *acls, const char *resource_id)
{
    xmlNode *next = NULL;

    for (xmlNode *role = acls != NULL ? acls->children : NULL; role != NULL; role = role->next) {
        for (xmlNode *permission = role->children; permission != NULL; permission = next) {
            next = permission->next;
            if (xml_is(permission, "acl_permission")
                && g_strcmp0(xml_get(permission, "reference"), resource_id) == 0) {
                remove_node(permission);
            }
        }
    }
}

static xmlNode *find_empty_tag(xmlNode *tags)
{
    for (xmlNode *tag = tags != NULL ? tags->children : NULL; tag != NULL; tag = tag->next) {
        if (xml_is(tag, "tag") && xmlFirstElementChild(tag) == NULL) {
            return tag;
        }
    }
    return NULL;
}

/* Whatever names an id that is gone; the CIB manager would refuse the rest. */
static void remove_mentions(xmlNode *configuration, const char *id)
{
    xmlNode *constraints = xml_child(configuration, "constraints");
    xmlNode *tags = xml_child(configuration, "tags");

    remove_constraints(constraints, id);
    remove_references(constraints, id);
    remove_permissions(xml_child(configuration, "acls"), id);
    remove_references(tags, id);
    for (xmlNode *tag = find_empty_tag(tags); tag != NULL; tag = find_empty_tag(tags)) {
        g_autofree char *tag_id = g_strdup(xml_get(tag, "id"));

        remove_node(tag);
        remove_mentions(configuration, tag_id);
    }
}

gboolean adoption_ticket_is_granted(xmlNode *cib, const char *server)
{
    xmlNode *tickets = xml_child(xml_child(cib, "status"), "tickets");
    g_autofree char *ticket_id = server_ticket_id(server);
    const xmlNode *ticket = tickets != NULL ? cib_find_id(tickets, ticket_id) : NULL;

    return ticket != NULL && g_strcmp0(xml_get(ticket, "granted"), "true") == 0;
}

/* With all that names it. Returns the element that it stood in. */
static xmlNode *remove_resource(xmlNode *configuration, xmlNode *resource)
{
    g_autofree char *id = g_strdup(xml_get(resource, "id"));
    xmlNode *parent = resource->parent;

    remove_node(resource);
    remove_mentions(configuration, id);
    return parent;
}

/* A group or clone whose only resource was taken out. */
static gboolean is_empty_collection(const xmlNode *node)
{
    return (xml_is(node, "group") || xml_is(node, "clone") || xml_is(node, "master"))
           && xml_child(node, "primitive") == NULL && xml_child(node, "group") == NULL;
}

gboolean adoption_remove(const char *server, xmlNode *cib)
{
    xmlNode *configuration = xml_child(cib, "configuration");
    xmlNode *primitive = cib_find_image(cib, server);
    xmlNode *parent = NULL;

    if (primitive == NULL) {
        return FALSE;
    }
    parent = remove_resource(configuration, primitive);
    while (is_empty_collection(parent)) {
        parent = remove_resource(configuration, parent);
    }
    return TRUE;
}

/* Extract -----------------------------------------------------------------*/

static void copy_into(xmlNode *parent, xmlNode *node)
{
    if (node != NULL) {
        xmlAddChild(parent, xmlDocCopyNode(node, parent->doc, 1));
    }
}

/* If there is one. */
static void copy_members_constraint(xmlNode *constraints, xmlNode *cib, const xmlNode *primitive)
{
    const xmlNode *from = xml_child(xml_child(cib, "configuration"), "constraints");

    if (primitive != NULL) {
        copy_into(constraints, cib_find_members_constraint(from, primitive, cib_is_opt_in(cib)));
    }
}

static void copy_site(xmlNode *before, xmlNode *after, xmlNode *crm_config, xmlNode *resources, xmlNode *constraints)
{
    static const char *const types[] = { "observer", "capacity", NULL };
    xmlNode *old = before != NULL ? xml_child(xml_child(before, "configuration"), "resources") : NULL;

    for (const char *const *type = types; *type != NULL; type++) {
        xmlNode *primitive = find_primitive(xml_child(xml_child(after, "configuration"), "resources"), *type);

        if (find_primitive(old, *type) == NULL && primitive != NULL) {
            copy_into(resources, primitive->parent);
            copy_members_constraint(constraints, after, primitive);
        }
    }
    if (before == NULL || cib_placement_strategy(before) == NULL) {
        xmlNode *pair = cib_find_property(after, "placement-strategy");
        xmlNode *container = xml_add(crm_config, "cluster_property_set", xml_get(pair->parent, "id"));

        copy_into(container, pair);
    }
}

xmlNode *adoption_extract(const char *server, xmlNode *before, xmlNode *after)
{
    xmlDoc *doc = xmlNewDoc((const xmlChar *) "1.0");
    xmlNode *configuration = xmlNewDocNode(doc, NULL, (const xmlChar *) "configuration", NULL);
    xmlNode *crm_config = NULL;
    xmlNode *resources = NULL;
    xmlNode *constraints = NULL;
    xmlNode *from = xml_child(xml_child(after, "configuration"), "constraints");
    xmlNode *primitive = NULL;
    g_autofree char *ticket_id = server_ticket_id(server);

    xmlDocSetRootElement(doc, configuration);
    crm_config = xml_add(configuration, "crm_config", NULL);
    resources = xml_add(configuration, "resources", NULL);
    constraints = xml_add(configuration, "constraints", NULL);
    primitive = cib_find_image(after, server);
    copy_site(before, after, crm_config, resources, constraints);
    copy_into(resources, primitive);
    copy_members_constraint(constraints, after, primitive);
    copy_into(constraints, cib_find_ticket_constraint(from, primitive, ticket_id));
    copy_into(constraints, find_reach_constraint(from, xml_get(primitive, "id")));
    if (crm_config->children == NULL) {
        remove_node(crm_config);
    }
    return configuration;
}
