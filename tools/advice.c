/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advice.h"

#include <stdio.h>

#include "cluster/cluster_state.h"
#include "references.h"
#include "report.h"

static const char *param(const cluster_server_t *server, const char *name)
{
    const char *value = g_hash_table_lookup(server->params, name);

    return value != NULL && *value != '\0' ? value : NULL;
}

/* No agent on a host can see to that. */
static void tell_of_gate(const cluster_server_t *server)
{
    const char *address = param(server, "service_address");

    fprintf(stderr, "understudy: %s must not have %s while its image has it, not even after a boot: install the gate on %s, "
                    "see understudy-gate(8)\n", server->name, address != NULL ? address : "its service address",
            server->name);
}

static void tell_of_probes(const cluster_server_t *server)
{
    if (param(server, "probes") == NULL) {
        fprintf(stderr, "understudy: %s has no probe: nobody finds it down, and it is taken over on your word alone: give "
                        "--probe\n", server->name);
    }
}

/* Without one, the failure of a switch that all hosts share looks like the failure of every server. */
static void tell_of_references(xmlNode *cib_xml)
{
    const char *references = references_of(cib_xml, "references");

    if (references == NULL || *references == '\0') {
        fputs("understudy: no reference is named: when the hosts' own part of the service network fails, they take its "
              "servers for down and isolate them: name a router or a client there with adopt --reference\n", stderr);
    }
}

static void tell_of_isolation(const cluster_state_t *cluster, const cluster_server_t *server)
{
    g_autofree char *trouble = report_isolation_trouble(cluster, server);

    if (trouble != NULL) {
        fprintf(stderr, "understudy: %s\n", trouble);
    }
}

void advice_print(xmlNode *cib_xml, const char *server, gboolean strategy_is_new)
{
    cluster_state_t *cluster = cluster_state_parse(cib_xml, NULL);
    const cluster_server_t *adopted = cluster != NULL ? cluster_state_server(cluster, server) : NULL;

    if (adopted != NULL) {
        tell_of_gate(adopted);
        tell_of_probes(adopted);
        if (param(adopted, "probes") != NULL) {
            tell_of_references(cib_xml);
        }
        tell_of_isolation(cluster, adopted);
    }
    if (strategy_is_new) {
        fputs("understudy: placement-strategy=balanced was set, and holds for all resources of the cluster: those with "
              "utilization attributes are placed by them from now on\n", stderr);
    }
    cluster_state_free(cluster);
}
