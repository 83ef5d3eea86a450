/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cib_change.h"

#include <string.h>

#include <crm/msg_xml.h>

#include "cluster/xml.h"

/* Names in a notification that are in Pacemaker's private headers: include/crm/cib/internal.h. */
#define NOTIFICATION_RC       "cib_rc"
#define NOTIFICATION_PATCHSET "cib_update_result"
#define PATCHSET_FORMAT       "2" /* lib/common/patchset.c: <change operation= path=> */

#define NODE_STATE "/" XML_TAG_CIB "/" XML_CIB_TAG_STATUS "/" XML_CIB_TAG_STATE
#define HISTORY    NODE_STATE "/" XML_CIB_TAG_LRM "/" XML_LRM_TAG_RESOURCES "/" XML_LRM_TAG_RESOURCE
#define ATTRIBUTES NODE_STATE "/" XML_TAG_TRANSIENT_NODEATTRS

/* One change, with what it creates counted as part of the place. */
typedef struct {
    xmlNode *xml;
    xmlNode *created;        /* the element, if the change creates one */
    const char *operation;
    const char *path;        /* /cib/status/node_state[@id='1']/...; of a creation, the path of the parent */
    char *elements;          /* /cib/status/node_state/...: the place without the ids */
} change_t;

/* Harmless, if ----------------------------------------------------------------*/

typedef gboolean (*judge_fn)(const change_t *change, GHashTable *image_ids);

static gboolean always(const change_t *change, GHashTable *image_ids)
{
    (void) change;
    (void) image_ids;
    return TRUE;
}

/* Only what says who wrote last, and how often, has been modified. */
static gboolean only_bookkeeping(const change_t *change, GHashTable *image_ids)
{
    static const char *const names[] = {
        XML_ATTR_GENERATION, XML_ATTR_NUMUPDATES, XML_CIB_ATTR_WRITTEN, XML_ATTR_UPDATE_ORIG, XML_ATTR_UPDATE_CLIENT,
        XML_ATTR_UPDATE_USER, XML_ATTR_ORIGIN, NULL,
    };
    xmlNode *list = xml_child(change->xml, XML_DIFF_LIST);

    (void) image_ids;
    if (g_strcmp0(change->operation, "modify") != 0 || xml_child(list, XML_DIFF_ATTR) == NULL) {
        return FALSE;
    }
    for (xmlNode *one = xmlFirstElementChild(list); one != NULL; one = one->next) {
        const char *name = xml_get(one, XML_NVPAIR_ATTR_NAME);

        if (one->type == XML_ELEMENT_NODE && (name == NULL || !g_strv_contains(names, name))) {
            return FALSE;
        }
    }
    return TRUE;
}

/* The history of a resource that is none of ours. */
static gboolean other_resource(const change_t *change, GHashTable *image_ids)
{
    static const char mark[] = "/" XML_LRM_TAG_RESOURCE "[@" XML_ATTR_ID "='";
    const char *found = strstr(change->path, mark);
    const char *begin = found != NULL ? found + strlen(mark) : NULL;
    const char *end = begin != NULL ? strstr(begin, "']") : NULL;
    g_autofree char *id = end != NULL ? g_strndup(begin, (gsize) (end - begin))
                                      : g_strdup(xml_get(change->created, XML_ATTR_ID));

    return id != NULL && !g_hash_table_contains(image_ids, id);
}

/* What fails and expires is counted in attributes: fail-count-RESOURCE#start_0. */
static gboolean counts_failures_of_image(const char *name, GHashTable *image_ids)
{
    static const char *const prefixes[] = { "fail-count-", "last-failure-" };

    for (gsize i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        if (g_str_has_prefix(name, prefixes[i])) {
            const char *resource = name + strlen(prefixes[i]);
            g_autofree char *id = g_strndup(resource, strcspn(resource, "#"));

            return g_hash_table_contains(image_ids, id);
        }
    }
    return FALSE;
}

/* A transient attribute that does not change what Pacemaker takes a host or an image for. Those that have a meaning of
 * their own: lib/pengine/unpack.c. */
static gboolean free_attribute(const change_t *change, GHashTable *image_ids)
{
    static const char *const names[] = {
        XML_CIB_ATTR_SHUTDOWN, "terminate", "standby", "maintenance", "probe_complete", XML_NODE_ATTR_RSC_DISCOVERY,
        NULL,
    };
    xmlNode *result = change->created != NULL ? change->created
                      : xmlFirstElementChild(xml_child(change->xml, XML_DIFF_RESULT));
    const char *name = xml_get(result, XML_NVPAIR_ATTR_NAME);

    return name != NULL && name[0] != '#' && !g_strv_contains(names, name)
           && !counts_failures_of_image(name, image_ids);
}

static const struct {
    const char *elements;
    gboolean below;         /* as well as the place itself */
    judge_fn is_harmless;
} places[] = {
    { "/" XML_TAG_CIB, FALSE, only_bookkeeping },
    { "/" XML_TAG_CIB "/" XML_CIB_TAG_CONFIGURATION "/" XML_CIB_TAG_NODES "/" XML_CIB_TAG_NODE "/" XML_TAG_UTILIZATION,
      TRUE, always },
    { NODE_STATE, FALSE, only_bookkeeping },
    { HISTORY, TRUE, other_resource },
    { ATTRIBUTES "/" XML_TAG_ATTR_SETS "/" XML_CIB_TAG_NVPAIR, FALSE, free_attribute },
    { ATTRIBUTES "/" XML_TAG_UTILIZATION, TRUE, always },
};

/* Reading -----------------------------------------------------------------------*/

/* Ids hold no slash and no quote: each step is NAME or NAME[@id='ID'] (lib/common/xml.c, pcmk__element_xpath()). */
static char *path_elements(const char *path, const xmlNode *created)
{
    g_auto(GStrv) steps = g_strsplit(path, "/", -1);
    g_autofree char *elements = NULL;

    for (char **step = steps; *step != NULL; step++) {
        (*step)[strcspn(*step, "[")] = '\0';
    }
    elements = g_strjoinv("/", steps);
    return created != NULL ? g_strconcat(elements, "/", (const char *) created->name, NULL)
                           : g_steal_pointer(&elements);
}

static gboolean place_matches(const char *place, gboolean below, const char *elements)
{
    gsize length = strlen(place);

    return strncmp(elements, place, length) == 0
           && (elements[length] == '\0' || (below && elements[length] == '/'));
}

static gboolean change_is_harmless(xmlNode *xml, GHashTable *image_ids)
{
    change_t change = { .xml = xml, .operation = xml_get(xml, XML_DIFF_OP), .path = xml_get(xml, XML_DIFF_PATH) };
    gboolean harmless = FALSE;

    if (change.operation == NULL || change.path == NULL) {
        return FALSE;
    }
    change.created = strcmp(change.operation, "create") == 0 ? xmlFirstElementChild(xml) : NULL;
    change.elements = path_elements(change.path, change.created);
    for (gsize i = 0; i < G_N_ELEMENTS(places) && !harmless; i++) {
        harmless = place_matches(places[i].elements, places[i].below, change.elements)
                   && places[i].is_harmless(&change, image_ids);
    }
    g_free(change.elements);
    return harmless;
}

gboolean cib_change_touches_servers(xmlNode *notification, GHashTable *image_ids)
{
    xmlNode *patchset = xml_child(xml_child(notification, NOTIFICATION_PATCHSET), XML_TAG_DIFF);
    gboolean understood = FALSE;

    if (g_strcmp0(xml_get(notification, NOTIFICATION_RC), "0") != 0
        || g_strcmp0(xml_get(patchset, "format"), PATCHSET_FORMAT) != 0) {
        return TRUE;
    }
    for (xmlNode *one = xmlFirstElementChild(patchset); one != NULL; one = one->next) {
        if (one->type != XML_ELEMENT_NODE || strcmp((const char *) one->name, XML_DIFF_VERSION) == 0) {
            continue;
        }
        if (strcmp((const char *) one->name, XML_DIFF_CHANGE) != 0 || !change_is_harmless(one, image_ids)) {
            return TRUE;
        }
        understood = TRUE;
    }
    return !understood;
}
