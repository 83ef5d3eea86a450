/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "cib_fixture.h"
#include "cluster/cluster_state.h"
#include "fuzz.h"
#include "fuzz_cib.h"

static void check(const cluster_state_t *state)
{
    for (guint i = 0; i < state->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(state->servers, i);

        FUZZ_CHECK(server->name != NULL && server->resource_id != NULL);
        FUZZ_CHECK(server->params != NULL && server->utilization != NULL && server->host_scores != NULL);
        FUZZ_CHECK(image_state_name(server->image) != NULL);
        FUZZ_CHECK(cluster_state_server(state, server->name) != NULL);
    }
    for (guint i = 0; i < state->hosts->len; i++) {
        const cluster_host_t *host = g_ptr_array_index(state->hosts, i);

        FUZZ_CHECK(host->name != NULL && host->utilization != NULL && host->remaining != NULL);
        FUZZ_CHECK(host->images->len <= state->servers->len);
    }
}

/* The status section is written by Pacemaker alone and stands in no schema; its own library relies on that, and ends
 * the process if it does not hold. */
static void status_replace(xmlNode *cib)
{
    static const char text[] = "<status><tickets><ticket_state id='takeover-db1' granted='true' last-granted='1'/></tickets>"
        CIB_STATE("1", "1", "", CIB_HISTORY("db2", CIB_OP("db2", "host1", "start", "1", "exit-reason='no room'")))
        CIB_STATE("2", "1", "<nvpair id='f' name='fail-count-standby-db2#start_0' value='INFINITY'/>",
                  CIB_HISTORY("db1", CIB_OP("db1", "host2", "start", "0", "")))
        "</status>";
    xmlDoc *status = xmlReadMemory(text, (int) strlen(text), NULL, NULL, XML_PARSE_NONET);
    xmlNode *old = first_named_child(cib, "status");

    if (old != NULL) {
        xmlUnlinkNode(old);
        xmlFreeNode(old);
    }
    xmlAddChild(cib, xmlDocCopyNode(xmlDocGetRootElement(status), cib->doc, 1));
    xmlFreeDoc(status);
}

/* A CIB. Only what its schema allows reaches us: the CIB manager refuses the rest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    xmlDoc *document = xmlReadMemory((const char *) data, (int) size_bytes, NULL, NULL,
                                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    cluster_state_t *state = NULL;
    GError *error = NULL;

    if (document != NULL && fuzz_cib_is_valid(xmlDocGetRootElement(document))) {
        status_replace(xmlDocGetRootElement(document));
        state = cluster_state_parse(xmlDocGetRootElement(document), &error);
        fuzz_check_outcome(state != NULL, error);
        if (state != NULL) {
            check(state);
        }
        cluster_state_free(state);
    }
    xmlFreeDoc(document);
    return 0;
}
