/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration as an operator would type it for pcs or crm. */
#include <string.h>

#include <libxml/xmlsave.h>

#include "adoption.h"
#include "cluster/xml.h"

/* Both tools read words as a shell does. */
static gboolean is_plain(const char *text)
{
    return *text != '\0'
           && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=+@%") == strlen(text);
}

static char *quote_shell(const char *text)
{
    return is_plain(text) ? g_strdup(text) : g_shell_quote(text);
}

/* crm knows "..." with \" in it. */
static char *quote_crm(const char *text)
{
    GString *out = NULL;

    if (is_plain(text)) {
        return g_strdup(text);
    }
    out = g_string_new("\"");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            g_string_append_c(out, '\\');
        }
        g_string_append_c(out, *c);
    }
    g_string_append_c(out, '"');
    return g_string_free(out, FALSE);
}

/* " name=value" for each pair of the set; with a lead-in (" meta") if there are any. */
static void append_pairs(GString *out, const xmlNode *set, const char *lead, char *(*quote)(const char *))
{
    gboolean first = TRUE;

    for (const xmlNode *pair = set != NULL ? set->children : NULL; pair != NULL; pair = pair->next) {
        const char *text = xml_is(pair, "nvpair") ? xml_get(pair, "value") : NULL;
        g_autofree char *value = NULL;

        if (!xml_is(pair, "nvpair") || xml_get(pair, "name") == NULL) {
            continue; /* a reference to a pair of something else has neither */
        }
        value = quote(text != NULL ? text : "");
        g_string_append_printf(out, "%s %s=%s", first ? lead : "", xml_get(pair, "name"), value);
        first = FALSE;
    }
}

/* pcs ---------------------------------------------------------------------*/

#define PCS "pcs -f understudy.cib"

static void append_pcs_primitive(GString *out, const xmlNode *primitive, const xmlNode *clone)
{
    const xmlNode *utilization = xml_child(primitive, "utilization");

    g_string_append_printf(out, PCS " resource create %s ocf:%s:%s", xml_get(primitive, "id"), xml_get(primitive, "provider"),
                           xml_get(primitive, "type"));
    append_pairs(out, xml_child(primitive, "instance_attributes"), "", quote_shell);
    append_pairs(out, xml_child(primitive, "meta_attributes"), " meta", quote_shell);
    if (clone != NULL) {
        g_string_append_printf(out, " clone %s", xml_get(clone, "id"));
        append_pairs(out, xml_child(clone, "meta_attributes"), "", quote_shell);
    }
    g_string_append_c(out, '\n');
    if (utilization != NULL) {
        g_string_append_printf(out, PCS " resource utilization %s", xml_get(primitive, "id"));
        append_pairs(out, utilization, "", quote_shell);
        g_string_append_c(out, '\n');
    }
}

static void append_pcs_constraint(GString *out, const xmlNode *constraint)
{
    const xmlNode *rule = xml_child(constraint, "rule");
    const xmlNode *expression = xml_child(rule, "expression");

    g_autofree char *attribute = expression != NULL ? quote_shell(xml_get(expression, "attribute")) : NULL;

    if (xml_is(constraint, "rsc_ticket")) {
        g_string_append_printf(out, PCS " constraint ticket add %s %s loss-policy=%s id=%s\n",
                               xml_get(constraint, "ticket"), xml_get(constraint, "rsc"), xml_get(constraint, "loss-policy"),
                               xml_get(constraint, "id"));
    } else if (expression != NULL) {
        g_string_append_printf(out, PCS " constraint location %s rule id=%s constraint-id=%s score=%s %s %s %s\n",
                               xml_get(constraint, "rsc"), xml_get(rule, "id"), xml_get(constraint, "id"), xml_get(rule, "score"),
                               attribute, xml_get(expression, "operation"), xml_get(expression, "value"));
    }
}

char *snippet_pcs(xmlNode *configuration)
{
    GString *out = g_string_new("# All of it takes effect at once: an image without its ticket constraint would start.\n"
                                "pcs cluster cib understudy.cib\n"
                                "cp understudy.cib understudy.cib.orig\n");
    const xmlNode *resources = xml_child(configuration, "resources");
    const xmlNode *constraints = xml_child(configuration, "constraints");
    const xmlNode *properties = xml_child(xml_child(configuration, "crm_config"), "cluster_property_set");

    if (properties != NULL) {
        g_string_append(out, PCS " property set");
        append_pairs(out, properties, "", quote_shell);
        g_string_append_c(out, '\n');
    }
    for (const xmlNode *node = resources->children; node != NULL; node = node->next) {
        if (xml_is(node, "clone")) {
            append_pcs_primitive(out, xml_child(node, "primitive"), node);
        } else if (xml_is(node, "primitive")) {
            append_pcs_primitive(out, node, NULL);
        }
    }
    for (const xmlNode *node = constraints->children; node != NULL; node = node->next) {
        append_pcs_constraint(out, node);
    }
    g_string_append(out, "pcs cluster cib-push understudy.cib diff-against=understudy.cib.orig\n");
    return g_string_free(out, FALSE);
}

/* crm ---------------------------------------------------------------------*/

static void append_crm_operations(GString *out, const xmlNode *operations)
{
    for (const xmlNode *op = operations != NULL ? operations->children : NULL; op != NULL; op = op->next) {
        if (!xml_is(op, "op")) {
            continue;
        }
        g_string_append_printf(out, " \\\n    op %s interval=%s timeout=%s", xml_get(op, "name"), xml_get(op, "interval"),
                               xml_get(op, "timeout"));
        append_pairs(out, xml_child(op, "instance_attributes"), "", quote_crm);
    }
}

static void append_crm_primitive(GString *out, const xmlNode *primitive)
{
    g_string_append_printf(out, "primitive %s ocf:%s:%s", xml_get(primitive, "id"), xml_get(primitive, "provider"),
                           xml_get(primitive, "type"));
    append_pairs(out, xml_child(primitive, "instance_attributes"), " \\\n    params", quote_crm);
    append_pairs(out, xml_child(primitive, "meta_attributes"), " \\\n    meta", quote_crm);
    append_pairs(out, xml_child(primitive, "utilization"), " \\\n    utilization", quote_crm);
    append_crm_operations(out, xml_child(primitive, "operations"));
    g_string_append_c(out, '\n');
}

static void append_crm_constraint(GString *out, const xmlNode *constraint)
{
    const xmlNode *rule = xml_child(constraint, "rule");
    const xmlNode *expression = xml_child(rule, "expression");

    if (xml_is(constraint, "rsc_ticket")) {
        g_string_append_printf(out, "rsc_ticket %s %s: %s loss-policy=%s\n", xml_get(constraint, "id"),
                               xml_get(constraint, "ticket"), xml_get(constraint, "rsc"), xml_get(constraint, "loss-policy"));
    } else if (expression != NULL) {
        g_string_append_printf(out, "location %s %s rule $id=%s %s: %s %s %s\n", xml_get(constraint, "id"),
                               xml_get(constraint, "rsc"), xml_get(rule, "id"), xml_get(rule, "score"),
                               xml_get(expression, "attribute"), xml_get(expression, "operation"), xml_get(expression, "value"));
    }
}

char *snippet_crm(xmlNode *configuration)
{
    GString *out = g_string_new(NULL);
    const xmlNode *resources = xml_child(configuration, "resources");
    const xmlNode *constraints = xml_child(configuration, "constraints");
    const xmlNode *properties = xml_child(xml_child(configuration, "crm_config"), "cluster_property_set");

    for (const xmlNode *node = resources->children; node != NULL; node = node->next) {
        if (xml_is(node, "clone")) {
            append_crm_primitive(out, xml_child(node, "primitive"));
            g_string_append_printf(out, "clone %s %s", xml_get(node, "id"), xml_get(xml_child(node, "primitive"), "id"));
            append_pairs(out, xml_child(node, "meta_attributes"), " \\\n    meta", quote_crm);
            g_string_append_c(out, '\n');
        } else if (xml_is(node, "primitive")) {
            append_crm_primitive(out, node);
        }
    }
    for (const xmlNode *node = constraints->children; node != NULL; node = node->next) {
        append_crm_constraint(out, node);
    }
    if (properties != NULL) {
        g_string_append_printf(out, "property %s:", xml_get(properties, "id"));
        append_pairs(out, properties, "", quote_crm);
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}

/* XML ---------------------------------------------------------------------*/

char *snippet_xml(xmlNode *configuration)
{
    xmlBuffer *buffer = xmlBufferCreate();
    xmlSaveCtxt *context = xmlSaveToBuffer(buffer, "UTF-8", XML_SAVE_FORMAT | XML_SAVE_NO_DECL);
    char *text = NULL;

    xmlSaveTree(context, configuration);
    xmlSaveClose(context);
    text = g_strconcat((const char *) xmlBufferContent(buffer), "\n", NULL);
    xmlBufferFree(buffer);
    return text;
}
