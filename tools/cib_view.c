/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cib_view.h"

#include <string.h>

#include "base/names.h"
#include "cluster/xml.h"

xmlNode *cib_find_id(const xmlNode *parent, const char *id)
{
    for (xmlNode *node = parent != NULL ? parent->children : NULL; node != NULL; node = node->next) {
        xmlNode *inner = NULL;

        if (node->type != XML_ELEMENT_NODE) {
            continue;
        }
        if (g_strcmp0(xml_get(node, "id"), id) == 0) {
            return node;
        }
        inner = cib_find_id(node, id);
        if (inner != NULL) {
            return inner;
        }
    }
    return NULL;
}

/* The first set of this kind without a rule: with one it holds at times only, which is the operator's affair. One
 * that stands elsewhere (id-ref) may be shared. */
xmlNode *cib_plain_set(const xmlNode *parent, const char *kind)
{
    for (xmlNode *node = parent->children; node != NULL; node = node->next) {
        if (xml_is(node, kind) && xml_child(node, "rule") == NULL && xml_get(node, "id-ref") == NULL) {
            return node;
        }
    }
    return NULL;
}

xmlNode *cib_find_pair(const xmlNode *container, const char *name)
{
    for (xmlNode *node = container != NULL ? container->children : NULL; node != NULL; node = node->next) {
        if (xml_is(node, "nvpair") && xml_get(node, "id-ref") == NULL && g_strcmp0(xml_get(node, "name"), name) == 0) {
            return node;
        }
    }
    return NULL;
}

/* What a resource takes from where it says nothing itself; NULL if it names none. */
xmlNode *cib_template_of(const xmlNode *primitive)
{
    const char *id = xml_get(primitive, "template");
    const xmlNode *resources = primitive;

    while (resources != NULL && !xml_is(resources, "resources")) {
        resources = resources->parent;
    }
    return id != NULL && resources != NULL ? cib_find_id(resources, id) : NULL;
}

static const char *own_or_template(const xmlNode *primitive, const char *name)
{
    const xmlNode *template = xml_get(primitive, name) == NULL ? cib_template_of(primitive) : NULL;

    return xml_get(template != NULL ? template : primitive, name);
}

gboolean cib_is_primitive(const xmlNode *node, const char *provider, const char *type)
{
    return xml_is(node, "primitive") && g_strcmp0(own_or_template(node, "class"), "ocf") == 0
           && g_strcmp0(own_or_template(node, "provider"), provider) == 0
           && g_strcmp0(own_or_template(node, "type"), type) == 0;
}

gboolean cib_is_fence_device(const xmlNode *node, const char *agent)
{
    return xml_is(node, "primitive") && g_strcmp0(own_or_template(node, "class"), "stonith") == 0
           && g_strcmp0(own_or_template(node, "type"), agent) == 0;
}

/* A pair of the resource, or of its template. */
xmlNode *cib_effective_pair(const xmlNode *primitive, const char *kind, const char *name)
{
    xmlNode *pair = cib_find_pair(cib_plain_set(primitive, kind), name);
    const xmlNode *template = pair == NULL ? cib_template_of(primitive) : NULL;

    return template != NULL ? cib_find_pair(cib_plain_set(template, kind), name) : pair;
}

xmlNode *cib_find_primitive(const xmlNode *parent, const char *provider, const char *type)
{
    for (xmlNode *node = parent != NULL ? parent->children : NULL; node != NULL; node = node->next) {
        xmlNode *inner = cib_is_primitive(node, provider, type) ? node
                         : node->type == XML_ELEMENT_NODE ? cib_find_primitive(node, provider, type) : NULL;

        if (inner != NULL) {
            return inner;
        }
    }
    return NULL;
}

const char *cib_image_server(const xmlNode *primitive)
{
    const xmlNode *named = cib_effective_pair(primitive, "instance_attributes", "server");
    const char *name = named != NULL ? xml_get(named, "value") : NULL;

    return name != NULL && *name != '\0' ? name : resource_id_server(xml_get(primitive, "id"));
}

static gboolean is_image_of(const xmlNode *node, const char *server)
{
    const char *name = NULL;

    if (!cib_is_primitive(node, OCF_PROVIDER, "image")) {
        return FALSE;
    }
    name = cib_image_server(node);
    return g_strcmp0(name != NULL ? name : xml_get(node, "id"), server) == 0;
}

static xmlNode *find_image(const xmlNode *parent, const char *server)
{
    for (xmlNode *node = parent != NULL ? parent->children : NULL; node != NULL; node = node->next) {
        xmlNode *found = node->type != XML_ELEMENT_NODE ? NULL
                         : is_image_of(node, server) ? node : find_image(node, server);

        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

xmlNode *cib_find_image(xmlNode *cib, const char *server)
{
    const xmlNode *resources = xml_child(xml_child(cib, "configuration"), "resources");
    g_autofree char *usual_id = server_resource_id(server);
    xmlNode *usual = cib_find_id(resources, usual_id);

    return usual != NULL && is_image_of(usual, server) ? usual : find_image(resources, server);
}

/* The id is the resource's, of the group or clone that it is in, or of a tag that has one of these. */
static gboolean id_is_of(const char *id, const xmlNode *primitive)
{
    const xmlNode *configuration = primitive;

    while (configuration != NULL && !xml_is(configuration, "configuration")) {
        configuration = configuration->parent;
    }
    for (const xmlNode *node = primitive; id != NULL && node != NULL && !xml_is(node, "resources"); node = node->parent) {
        const xmlNode *tag = cib_find_id(xml_child(configuration, "tags"), id);

        if (g_strcmp0(xml_get(node, "id"), id) == 0
            || (tag != NULL && xml_is(tag, "tag") && cib_find_id(tag, xml_get(node, "id")) != NULL)) {
            return TRUE;
        }
    }
    return FALSE;
}

/* As its rsc, or in one of its sets. */
static gboolean constraint_is_about(const xmlNode *constraint, const xmlNode *primitive)
{
    if (id_is_of(xml_get(constraint, "rsc"), primitive)) {
        return TRUE;
    }
    for (const xmlNode *set = constraint->children; set != NULL; set = set->next) {
        for (const xmlNode *ref = xml_is(set, "resource_set") ? set->children : NULL; ref != NULL; ref = ref->next) {
            if (xml_is(ref, "resource_ref") && id_is_of(xml_get(ref, "id"), primitive)) {
                return TRUE;
            }
        }
    }
    return FALSE;
}

/* One that holds for every role. */
xmlNode *cib_find_ticket_constraint(const xmlNode *constraints, const xmlNode *primitive, const char *ticket_id)
{
    xmlNode *first = NULL;

    for (xmlNode *node = constraints != NULL ? constraints->children : NULL; node != NULL; node = node->next) {
        const char *role = xml_is(node, "rsc_ticket") ? xml_get(node, "rsc-role") : NULL;

        if (!xml_is(node, "rsc_ticket") || g_strcmp0(xml_get(node, "ticket"), ticket_id) != 0
            || (role != NULL && g_ascii_strcasecmp(role, "Started") != 0) || !constraint_is_about(node, primitive)) {
            continue;
        }
        if (!cib_ticket_stops(node)) {
            return node;
        }
        first = first != NULL ? first : node;
    }
    return first;
}

/* Without the ticket the image is stopped, and nothing else is done: with "fence" each return of a server would fence the host
 * that ran its image, with all the others there. */
gboolean cib_ticket_stops(const xmlNode *constraint)
{
    const char *policy = xml_get(constraint, "loss-policy");

    return policy == NULL || strcmp(policy, "stop") == 0; /* the default is stop */
}

/* In a set that always holds: what has a rule holds at times. */
xmlNode *cib_find_property(xmlNode *cib, const char *name)
{
    xmlNode *crm_config = xml_child(xml_child(cib, "configuration"), "crm_config");

    for (xmlNode *node = crm_config != NULL ? crm_config->children : NULL; node != NULL; node = node->next) {
        xmlNode *pair = xml_is(node, "cluster_property_set") && xml_child(node, "rule") == NULL
                        ? cib_find_pair(node, name) : NULL;

        if (pair != NULL) {
            return pair;
        }
    }
    return NULL;
}

/* Where the nodes are not all full members, or nothing runs without being let ---*/

static gboolean has_remote_nodes(const xmlNode *node)
{
    for (const xmlNode *inner = node != NULL ? node->children : NULL; inner != NULL; inner = inner->next) {
        if (inner->type != XML_ELEMENT_NODE) {
            continue;
        }
        if (cib_is_primitive(inner, "pacemaker", "remote")
            || (xml_is(inner, "nvpair") && g_strcmp0(xml_get(inner, "name"), "remote-node") == 0)
            || (xml_is(inner, "bundle") && xml_child(inner, "primitive") != NULL)
            || (xml_is(inner, "node") && g_strcmp0(xml_get(inner, "type"), "remote") == 0) || has_remote_nodes(inner)) {
            return TRUE;
        }
    }
    return FALSE;
}

/* symmetric-cluster=false: a resource runs only where a location constraint lets it. */
gboolean cib_is_opt_in(xmlNode *cib)
{
    const xmlNode *pair = cib_find_property(cib, "symmetric-cluster");
    const char *value = pair != NULL ? xml_get(pair, "value") : NULL;
    static const char *const no[] = { "false", "off", "no", "n", "0", NULL };
    g_autofree char *folded = value != NULL ? g_ascii_strdown(value, -1) : NULL;

    return folded != NULL && g_strv_contains(no, folded);
}

static const xmlNode *find_attribute_test(const xmlNode *node, const char *attribute)
{
    for (const xmlNode *inner = node->children; inner != NULL; inner = inner->next) {
        const xmlNode *found = NULL;

        if (inner->type != XML_ELEMENT_NODE) {
            continue;
        }
        if (xml_is(inner, "expression") && g_strcmp0(xml_get(inner, "attribute"), attribute) == 0) {
            return inner;
        }
        found = find_attribute_test(inner, attribute);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

/* The constraint that keeps a resource to full members (#kind), or in an opt-in cluster anyone that lets it run
 * somewhere but for the one on what its clients reach, which lets it run where it is good for them only. */
xmlNode *cib_find_members_constraint(const xmlNode *constraints, const xmlNode *primitive, gboolean opt_in)
{
    for (xmlNode *node = constraints != NULL ? constraints->children : NULL; node != NULL; node = node->next) {
        if (xml_is(node, "rsc_location") && constraint_is_about(node, primitive)
            && (find_attribute_test(node, "#kind") != NULL
                || (opt_in && find_attribute_test(node, REACH_ATTRIBUTE) == NULL))) {
            return node;
        }
    }
    return NULL;
}

const xmlNode *cib_outermost(const xmlNode *primitive)
{
    while (primitive->parent != NULL && !xml_is(primitive->parent, "resources")) {
        primitive = primitive->parent;
    }
    return primitive;
}

gboolean cib_wants_members_constraints(xmlNode *cib)
{
    const xmlNode *configuration = xml_child(cib, "configuration");

    return cib_is_opt_in(cib) || has_remote_nodes(xml_child(configuration, "nodes"))
           || has_remote_nodes(xml_child(configuration, "resources"));
}

gboolean cib_lacks_members_constraint(xmlNode *cib, const xmlNode *primitive)
{
    const xmlNode *constraints = xml_child(xml_child(cib, "configuration"), "constraints");

    return primitive != NULL && xml_get(cib_outermost(primitive), "id") != NULL
           && cib_find_members_constraint(constraints, primitive, cib_is_opt_in(cib)) == NULL;
}

/* In the resource or in its template: same name, and the depth of a check that goes deeper. */
static xmlNode *find_operation(const xmlNode *resource, const operation_t *operation)
{
    const xmlNode *container = xml_child(resource, "operations");

    for (xmlNode *op = container != NULL ? container->children : NULL; op != NULL; op = op->next) {
        const xmlNode *depth = xml_is(op, "op") ? cib_find_pair(cib_plain_set(op, "instance_attributes"), "OCF_CHECK_LEVEL")
                                                : NULL;

        if (xml_is(op, "op") && g_strcmp0(xml_get(op, "name"), operation->name) == 0
            && g_strcmp0(depth != NULL ? xml_get(depth, "value") : NULL, operation->depth) == 0) {
            return op;
        }
    }
    return NULL;
}

xmlNode *cib_effective_operation(const xmlNode *primitive, const operation_t *operation)
{
    xmlNode *op = find_operation(primitive, operation);
    const xmlNode *template = op == NULL ? cib_template_of(primitive) : NULL;

    return template != NULL ? find_operation(template, operation) : op;
}
