/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/ticket_answer.h"

#include <string.h>

#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "base/error.h"

#define RESOURCE_PATH "//primitive[@id='%s']"
#define TICKET_PATH   "//ticket_state[@id='%s']"
#define IS_GRANTED    "[@granted='true'][not(@standby='true')]"
/* Something of the CIB that is always there as well, so that there is an answer if it has neither. */
#define QUESTION      "/cib/configuration/crm_config|/cib/configuration/resources" RESOURCE_PATH \
                      "|/cib/status/tickets" TICKET_PATH

char *ticket_question(const char *resource_id, const char *ticket_id, GError **error)
{
    if (strchr(resource_id, '\'') != NULL || strchr(ticket_id, '\'') != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "neither %s nor %s may have a quote in it",
                    resource_id, ticket_id);
        return NULL;
    }
    return g_strdup_printf(QUESTION, resource_id, ticket_id);
}

static gboolean has(xmlXPathContext *context, const char *path)
{
    xmlXPathObject *found = xmlXPathEval((const xmlChar *) path, context);
    gboolean any = found != NULL && !xmlXPathNodeSetIsEmpty(found->nodesetval);

    xmlXPathFreeObject(found);
    return any;
}

static gint64 number_of(xmlXPathContext *context, const char *path)
{
    xmlXPathObject *found = xmlXPathEval((const xmlChar *) path, context);
    gint64 number = 0;

    if (found == NULL || found->type != XPATH_STRING
        || !g_ascii_string_to_signed((const char *) found->stringval, 10, 0, G_MAXINT64, &number, NULL)) {
        number = 0;
    }
    xmlXPathFreeObject(found);
    return number;
}

gboolean ticket_answer_parse(const char *xml, const char *resource_id, const char *ticket_id, ticket_answer_t *answer,
                             GError **error)
{
    xmlDoc *document = xmlReadMemory(xml, (int) strlen(xml), NULL, NULL,
                                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlXPathContext *context = document != NULL ? xmlXPathNewContext(document) : NULL;
    g_autofree char *resource = g_strdup_printf(RESOURCE_PATH, resource_id);
    g_autofree char *granted = g_strdup_printf(TICKET_PATH IS_GRANTED, ticket_id);
    g_autofree char *granted_at = g_strdup_printf("string(" TICKET_PATH "/@last-granted)", ticket_id);
    gboolean read = context != NULL && has(context, "//crm_config");

    if (read) {
        answer->manages = has(context, resource);
        answer->granted = has(context, granted);
        answer->granted_at = number_of(context, granted_at);
    } else {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                            "cibadmin's answer is not a part of the cluster's configuration");
    }
    xmlXPathFreeContext(context);
    xmlFreeDoc(document);
    return read;
}
