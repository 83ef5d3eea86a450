/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pass over a CIB and its working set, for cluster_state.c. */
#include "cluster/cluster_index.h"

#include <string.h>

#include <crm/common/util.h>
#include <crm/common/xml.h>
#include <crm/msg_xml.h>

#include "cluster/xml.h"

#define SCORE_INFINITY    1000000 /* crm/crm.h, INFINITY */
#define FAIL_COUNT_PREFIX "fail-count-" /* fail-count-RESOURCE#start_0 */

int score_add(int a, int b)
{
    if (a <= -SCORE_INFINITY || b <= -SCORE_INFINITY) {
        return -SCORE_INFINITY;
    }
    if (a >= SCORE_INFINITY || b >= SCORE_INFINITY) {
        return SCORE_INFINITY;
    }
    return CLAMP(a + b, -SCORE_INFINITY, SCORE_INFINITY);
}

gint64 attribute_integer(xmlNode *xml, const char *name)
{
    const char *text = crm_element_value(xml, name);

    return text != NULL ? g_ascii_strtoll(text, NULL, 10) : 0;
}

static void list_add(GHashTable *table, const char *key, xmlNode *node)
{
    GPtrArray *list = key != NULL ? g_hash_table_lookup(table, key) : NULL;

    if (key == NULL) {
        return;
    }
    if (list == NULL) {
        list = g_ptr_array_new();
        g_hash_table_insert(table, g_strdup(key), list);
    }
    g_ptr_array_add(list, node);
}

static void read_constraints(cluster_index_t *index)
{
    for (xmlNode *one = index->constraints != NULL ? index->constraints->children : NULL; one != NULL; one = one->next) {
        if (xml_is(one, XML_CONS_TAG_RSC_LOCATION)) {
            list_add(index->locations, crm_element_value(one, XML_LOC_ATTR_SOURCE), one);
        } else if (xml_is(one, XML_CONS_TAG_RSC_TICKET)) {
            list_add(index->tickets, crm_element_value(one, XML_COLOC_ATTR_SOURCE), one);
        }
    }
}

/* Whose it is by the whole id: that of db_1's image begins like that of db's. */
static void read_failed(cluster_index_t *index, xmlNode *failed)
{
    for (xmlNode *op = failed != NULL ? failed->children : NULL; op != NULL; op = op->next) {
        char *resource_id = NULL;

        if (op->type == XML_ELEMENT_NODE && crm_element_value(op, XML_ATTR_UNAME) != NULL
            && parse_op_key(crm_element_value(op, XML_LRM_ATTR_TASK_KEY), &resource_id, NULL, NULL)) {
            list_add(index->failed, resource_id, op);
        }
        free(resource_id);
    }
}

static gboolean is_change(xmlNode *op)
{
    const char *task = crm_element_value(op, XML_LRM_ATTR_TASK);

    return (g_strcmp0(task, "start") == 0 || g_strcmp0(task, "stop") == 0)
           && attribute_integer(op, XML_LRM_ATTR_RC) == 0 && attribute_integer(op, XML_LRM_ATTR_OPSTATUS) == 0;
}

static void read_changes(cluster_index_t *index, xmlNode *resource)
{
    const char *id = crm_element_value(resource, XML_ATTR_ID);

    for (xmlNode *op = resource->children; id != NULL && op != NULL; op = op->next) {
        if (xml_is(op, XML_LRM_TAG_RSC_OP) && is_change(op)) {
            gint64 at_s = MAX(attribute_integer(op, XML_RSC_OP_LAST_CHANGE), cluster_index_last_change_s(index, id));

            g_hash_table_insert(index->changes_s, g_strdup(id), g_memdup2(&at_s, sizeof(at_s)));
        }
    }
}

static void read_states(cluster_index_t *index, xmlNode *status)
{
    for (xmlNode *state = status != NULL ? status->children : NULL; state != NULL; state = state->next) {
        const char *id = xml_is(state, XML_CIB_TAG_STATE) ? crm_element_value(state, XML_ATTR_ID) : NULL;
        xmlNode *resources = xml_child(xml_child(state, XML_CIB_TAG_LRM), XML_LRM_TAG_RESOURCES);

        if (id != NULL && !g_hash_table_contains(index->states, id)) {
            g_hash_table_insert(index->states, g_strdup(id), state);
        }
        for (xmlNode *one = resources != NULL ? resources->children : NULL; one != NULL; one = one->next) {
            if (xml_is(one, XML_LRM_TAG_RESOURCE)) {
                read_changes(index, one);
            }
        }
    }
}

static void failures_add(cluster_index_t *index, const char *resource_id, const char *node_name, int failures)
{
    GHashTable *nodes = g_hash_table_lookup(index->failures, resource_id);

    if (nodes == NULL) {
        nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_hash_table_insert(index->failures, g_strdup(resource_id), nodes);
    }
    failures = score_add(failures, GPOINTER_TO_INT(g_hash_table_lookup(nodes, node_name)));
    g_hash_table_insert(nodes, g_strdup(node_name), GINT_TO_POINTER(failures));
}

static void read_failures(cluster_index_t *index, const pe_node_t *node)
{
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, node->details->attrs);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        const char *resource = g_str_has_prefix(name, FAIL_COUNT_PREFIX)
                               ? (const char *) name + strlen(FAIL_COUNT_PREFIX) : NULL;
        const char *end = resource != NULL ? strchr(resource, '#') : NULL; /* no id has one in it */

        if (end != NULL) {
            g_autofree char *resource_id = g_strndup(resource, (gsize) (end - resource));

            failures_add(index, resource_id, node->details->uname, char2score(value));
        }
    }
}

static GHashTable *table_new(GDestroyNotify value_free)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, value_free);
}

cluster_index_t *cluster_index_new(const pe_working_set_t *set)
{
    cluster_index_t *index = g_new0(cluster_index_t, 1);

    index->constraints = xml_child(xml_child(set->input, XML_CIB_TAG_CONFIGURATION), XML_CIB_TAG_CONSTRAINTS);
    index->locations = table_new((GDestroyNotify) g_ptr_array_unref);
    index->tickets = table_new((GDestroyNotify) g_ptr_array_unref);
    index->failed = table_new((GDestroyNotify) g_ptr_array_unref);
    index->changes_s = table_new(g_free);
    index->states = table_new(NULL);
    index->failures = table_new((GDestroyNotify) g_hash_table_unref);
    read_constraints(index);
    read_failed(index, set->failed);
    read_states(index, xml_child(set->input, XML_CIB_TAG_STATUS));
    for (GList *item = set->nodes; item != NULL; item = item->next) {
        read_failures(index, item->data);
    }
    return index;
}

void cluster_index_free(cluster_index_t *index)
{
    GHashTable *tables[] = { index->locations, index->tickets, index->failed, index->changes_s, index->states,
                             index->failures };

    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
        g_hash_table_unref(tables[i]);
    }
    g_free(index);
}

const GPtrArray *cluster_index_list(GHashTable *table, const char *resource_id)
{
    return g_hash_table_lookup(table, resource_id);
}

gint64 cluster_index_last_change_s(const cluster_index_t *index, const char *resource_id)
{
    const gint64 *at_s = g_hash_table_lookup(index->changes_s, resource_id);

    return at_s != NULL ? *at_s : 0;
}

int cluster_index_failures(const cluster_index_t *index, const char *resource_id, const char *node_name)
{
    GHashTable *nodes = g_hash_table_lookup(index->failures, resource_id);

    return nodes != NULL ? GPOINTER_TO_INT(g_hash_table_lookup(nodes, node_name)) : 0;
}
