/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_XML_UTIL_H
#define UNDERSTUDY_XML_UTIL_H

#include <glib.h>
#include <libxml/tree.h>

/* Shorthands for libxml2's tree. Parents may be NULL: then there is no child. */
const char *xml_get(const xmlNode *node, const char *name); /* NULL if not set; inside the node */
void xml_set(xmlNode *node, const char *name, const char *value);
gboolean xml_is(const xmlNode *node, const char *name);
xmlNode *xml_child(const xmlNode *parent, const char *name); /* the first one of that name */
xmlNode *xml_child_or_new(xmlNode *parent, const char *name);
xmlNode *xml_add(xmlNode *parent, const char *name, const char *id); /* id may be NULL */

#endif
