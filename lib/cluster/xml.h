/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shorthands for libxml2's tree, for what reads or writes the CIB. Pure. */
#ifndef UNDERSTUDY_XML_H
#define UNDERSTUDY_XML_H

#include <glib.h>
#include <libxml/tree.h>

/* NULL if it is not set, or there is no node; what is returned is inside the node. */
const char *xml_get(const xmlNode *node, const char *name);
void xml_set(xmlNode *node, const char *name, const char *value);
gboolean xml_is(const xmlNode *node, const char *name);
/* The first one of that name, or NULL; there is none if there is no parent. */
xmlNode *xml_child(const xmlNode *parent, const char *name);
/* Likewise the first one with this value of an attribute. */
xmlNode *xml_child_with(const xmlNode *parent, const char *name, const char *attribute, const char *value);
xmlNode *xml_child_or_new(xmlNode *parent, const char *name);
xmlNode *xml_add(xmlNode *parent, const char *name, const char *id); /* id may be NULL */

#endif
