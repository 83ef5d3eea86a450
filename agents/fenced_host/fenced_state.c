/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fenced_host/fenced_state.h"

#include "cluster/xml.h"

static gboolean attribute_is(const xmlNode *xml, const char *name, const char *value)
{
    return g_strcmp0(xml_get(xml, name), value) == 0;
}

/* Before Pacemaker 3.0 in_ccm is a boolean, then it is the time since when, or 0. */
static gboolean is_outside(const xmlNode *state)
{
    return (attribute_is(state, "in_ccm", "false") || attribute_is(state, "in_ccm", "0"))
           && attribute_is(state, "join", "down") && attribute_is(state, "expected", "down");
}

gboolean fenced_state_is_fenced(xmlNode *cib, const char *host)
{
    const xmlNode *state = xml_child_with(xml_child(cib, "status"), "node_state", "uname", host);

    return state != NULL && is_outside(state) && xml_child(xml_child(xml_child(state, "lrm"), "lrm_resources"), "lrm_resource") == NULL;
}
