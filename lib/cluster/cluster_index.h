/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_CLUSTER_INDEX_H
#define UNDERSTUDY_CLUSTER_INDEX_H

#include <glib.h>
#include <libxml/tree.h>

#include <crm/pengine/status.h>

/*
 * What a CIB says of each resource and node, found in one pass: at 1,000 servers on 32 hosts a search of the whole
 * document for each of them takes half a minute. Pure. All nodes are the document's own.
 */
typedef struct cluster_index {
    xmlNode *constraints;   /* the section, or NULL */
    GHashTable *locations;  /* char* resource -> GPtrArray of xmlNode*: rsc_location that name it themselves */
    GHashTable *tickets;    /* char* resource -> GPtrArray of xmlNode*: rsc_ticket that name it themselves */
    GHashTable *failed;     /* char* resource -> GPtrArray of xmlNode*: its failed operations */
    GHashTable *changes_s;  /* char* resource -> gint64*: see cluster_index_last_change_s() */
    GHashTable *states;     /* char* node id -> xmlNode*: its node_state */
    GHashTable *failures;   /* char* resource -> GHashTable of char* node name -> GINT_TO_POINTER(fail count) */
} cluster_index_t;

/* To be freed with cluster_index_free(), before the working set is. */
cluster_index_t *cluster_index_new(const pe_working_set_t *set);
void cluster_index_free(cluster_index_t *index);

/* The list of a resource in one of the tables, or NULL: it has none there. */
const GPtrArray *cluster_index_list(GHashTable *table, const char *resource_id);

/* Unix time of the last start or stop of the resource that ended well; 0: there was none. */
gint64 cluster_index_last_change_s(const cluster_index_t *index, const char *resource_id);

/* How often the resource has failed on the node, up to PCMK's infinity of 1,000,000. */
int cluster_index_failures(const cluster_index_t *index, const char *resource_id, const char *node_name);

/* As the scheduler adds scores. */
int score_add(int a, int b);

/* The number in an attribute, 0 if it is not there. */
gint64 attribute_integer(xmlNode *xml, const char *name);

#endif
