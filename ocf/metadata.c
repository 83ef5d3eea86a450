/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdarg.h>
#include <string.h>

#include "base/markup.h"
#include "ocf.h"

/*
 * OCF 1.1 metadata. The document type's internal subset adds to the 1.0 DTD,
 * which ocf-tester still uses, what 1.1 brought: so it is valid for ocf-tester,
 * the 1.1 schema and pcs alike. GLib's markup escaping makes the text; the
 * structure is fixed.
 */
static const char metadata_head[] =
    "<?xml version=\"1.0\"?>\n"
    "<!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\" [\n"
    "<!ATTLIST parameter reloadable (1|0) \"0\" unique-group CDATA #IMPLIED>\n"
    "<!ATTLIST action name NMTOKEN #REQUIRED>\n"
    "]>\n";

static const char *const type_names[] = {
    [OCF_TYPE_STRING] = "string",
    [OCF_TYPE_INTEGER] = "integer",
    [OCF_TYPE_BOOLEAN] = "boolean",
    /* "select" is OCF 1.1 only, and the 1.0 DTD can't be taught it. */
    [OCF_TYPE_SELECT] = "string",
    [OCF_TYPE_DURATION] = "string",
};

static void append_descriptions(GString *xml, const char *indent, const char *longdesc, const char *shortdesc)
{
    markup_append(xml, "%s<longdesc lang=\"en\">%s</longdesc>\n", indent, longdesc);
    markup_append(xml, "%s<shortdesc lang=\"en\">%s</shortdesc>\n", indent, shortdesc);
}

static void append_content(GString *xml, const ocf_param_t *param)
{
    markup_append(xml, "      <content type=\"%s\"", type_names[param->type]);
    if (param->default_text != NULL) {
        markup_append(xml, " default=\"%s\"", param->default_text);
    }
    g_string_append(xml, "/>\n");
}

static void append_param(GString *xml, const ocf_param_t *param)
{
    markup_append(xml, "    <parameter name=\"%s\"", param->name);
    if (param->unique_group != NULL) {
        markup_append(xml, " unique-group=\"%s\"", param->unique_group);
    }
    markup_append(xml, " required=\"%d\" reloadable=\"%d\">\n", param->required ? 1 : 0, param->reloadable ? 1 : 0);
    append_descriptions(xml, "      ", param->longdesc, param->shortdesc);
    append_content(xml, param);
    g_string_append(xml, "    </parameter>\n");
}

static void append_action(GString *xml, const ocf_action_t *action)
{
    markup_append(xml, "    <action name=\"%s\" timeout=\"%us\"", action->name, action->timeout_s);
    if (action->interval_s != 0) {
        markup_append(xml, " interval=\"%us\"", action->interval_s);
    }
    if (strcmp(action->name, "monitor") == 0) {
        markup_append(xml, " depth=\"%u\"", action->depth);
    }
    g_string_append(xml, "/>\n");
}

char *ocf_metadata(const ocf_agent_t *agent)
{
    GString *xml = g_string_new(metadata_head);

    markup_append(xml, "<resource-agent name=\"%s\" version=\"%s\">\n", agent->name, PACKAGE_VERSION);
    g_string_append(xml, "  <version>1.1</version>\n");
    append_descriptions(xml, "  ", agent->longdesc, agent->shortdesc);
    g_string_append(xml, "  <parameters>\n");
    for (const ocf_param_t *param = agent->params; param->name != NULL; param++) {
        append_param(xml, param);
    }
    g_string_append(xml, "  </parameters>\n  <actions>\n");
    for (const ocf_action_t *action = agent->actions; action->name != NULL; action++) {
        append_action(xml, action);
    }
    g_string_append(xml, "  </actions>\n</resource-agent>\n");
    return g_string_free(xml, FALSE);
}
