/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/xml.h"

#include <string.h>

/* libxml2's own xmlGetProp() copies. */
const char *xml_get(const xmlNode *node, const char *name)
{
    const xmlAttr *attribute = xmlHasProp(node, (const xmlChar *) name);

    return attribute != NULL && attribute->children != NULL ? (const char *) attribute->children->content : NULL;
}

void xml_set(xmlNode *node, const char *name, const char *value)
{
    xmlSetProp(node, (const xmlChar *) name, (const xmlChar *) value);
}

gboolean xml_is(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *) node->name, name) == 0;
}

xmlNode *xml_child(const xmlNode *parent, const char *name)
{
    for (xmlNode *node = parent != NULL ? parent->children : NULL; node != NULL; node = node->next) {
        if (xml_is(node, name)) {
            return node;
        }
    }
    return NULL;
}

xmlNode *xml_child_with(const xmlNode *parent, const char *name, const char *attribute, const char *value)
{
    xmlNode *node = xml_child(parent, name);

    while (node != NULL && !(xml_is(node, name) && g_strcmp0(xml_get(node, attribute), value) == 0)) {
        node = node->next;
    }
    return node;
}

xmlNode *xml_add(xmlNode *parent, const char *name, const char *id)
{
    xmlNode *node = xmlNewChild(parent, NULL, (const xmlChar *) name, NULL);

    if (id != NULL) {
        xml_set(node, "id", id);
    }
    return node;
}

xmlNode *xml_child_or_new(xmlNode *parent, const char *name)
{
    xmlNode *node = xml_child(parent, name);

    return node != NULL ? node : xml_add(parent, name, NULL);
}
