/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fenced_host/fenced_state.h"

#include <string.h>

static xmlNode *child_find(xmlNode *parent, const char *element)
{
    for (xmlNode *child = parent != NULL ? parent->children : NULL; child != NULL; child = child->next) {
        if (child->type == XML_ELEMENT_NODE && strcmp((const char *) child->name, element) == 0) {
            return child;
        }
    }
    return NULL;
}

static gboolean attribute_is(xmlNode *xml, const char *name, const char *value)
{
    xmlChar *text = xmlGetProp(xml, (const xmlChar *) name);
    gboolean is = text != NULL && strcmp((const char *) text, value) == 0;

    xmlFree(text);
    return is;
}

static xmlNode *state_find(xmlNode *cib, const char *host)
{
    xmlNode *status = child_find(cib, "status");

    for (xmlNode *state = status != NULL ? status->children : NULL; state != NULL; state = state->next) {
        if (state->type == XML_ELEMENT_NODE && attribute_is(state, "uname", host)) {
            return state;
        }
    }
    return NULL;
}

/* Before Pacemaker 3.0 in_ccm is a boolean, then it is the time since when, or 0. */
static gboolean is_outside(xmlNode *state)
{
    return (attribute_is(state, "in_ccm", "false") || attribute_is(state, "in_ccm", "0"))
           && attribute_is(state, "join", "down") && attribute_is(state, "expected", "down");
}

gboolean fenced_state_is_fenced(xmlNode *cib, const char *host)
{
    xmlNode *state = state_find(cib, host);

    return state != NULL && is_outside(state) && child_find(child_find(child_find(state, "lrm"), "lrm_resources"),
                                                            "lrm_resource") == NULL;
}
