/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FUZZ_CIB_H
#define UNDERSTUDY_FUZZ_CIB_H

#include <stdlib.h>
#include <string.h>

#include <glib.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <crm/common/xml.h>
#include <crm/msg_xml.h>

/* What the CIB manager asks of a CIB before it takes it. Without a schema of Pacemaker's, or with validation switched
 * off, anything would be valid: that is none of ours. */
static inline gboolean fuzz_cib_is_valid(xmlNode *cib)
{
    const char *schema = crm_element_value(cib, XML_ATTR_VALIDATION);
    xmlDoc *sent = NULL;
    char *text = NULL;
    gboolean valid = FALSE;

    crm_xml_init(); /* reads the schemas, once */
    if (schema == NULL || !g_str_has_prefix(schema, "pacemaker-")) {
        return FALSE;
    }
    /* As it would arrive there: libxml2 keeps the ids of a document's earlier validations. */
    text = dump_xml_unformatted(cib);
    sent = xmlReadMemory(text, (int) strlen(text), NULL, NULL, XML_PARSE_NONET);
    valid = sent != NULL && validate_xml(xmlDocGetRootElement(sent), NULL, FALSE);
    xmlFreeDoc(sent);
    free(text);
    return valid;
}

#endif
