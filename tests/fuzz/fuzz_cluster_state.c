/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <crm/common/xml.h>

#include "cluster_state.h"
#include "fuzz.h"
#include "placement.h"

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

/* A CIB. Only what its schema allows reaches us: the CIB manager refuses the rest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    xmlDoc *document = xmlReadMemory((const char *) data, (int) size_bytes, NULL, NULL,
                                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    cluster_state_t *state = NULL;
    GError *error = NULL;

    if (document != NULL && validate_xml(xmlDocGetRootElement(document), NULL, FALSE)) {
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
