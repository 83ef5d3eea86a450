/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "adoption.h"
#include "fuzz.h"
#include "fuzz_cib.h"
#include "setup_faults.h"

#define SERVER "db1"

static const char metadata[] =
    "<resource-agent name='x'><actions><action name='start' timeout='120s'/><action name='stop' timeout='90s'/>"
    "<action name='monitor' timeout='30s' interval='60s' depth='10'/></actions></resource-agent>";

static GPtrArray *operations(void)
{
    return operations_parse(metadata, strlen(metadata), NULL);
}

/* The schema ignores blanks around an id, Pacemaker takes them for a part of the name: nobody has such ids. */
static void strip_attributes(xmlNode *node)
{
    for (xmlAttr *attribute = node->properties; attribute != NULL; attribute = attribute->next) {
        xmlChar *value = xmlNodeGetContent((xmlNode *) attribute);

        xmlSetProp(node, attribute->name, (xmlChar *) g_strstrip((char *) value));
        xmlFree(value);
    }
    for (xmlNode *child = xmlFirstElementChild(node); child != NULL; child = xmlNextElementSibling(child)) {
        strip_attributes(child);
    }
}

/* The commands and the XML that `adopt --print` shows. */
static void print_all(xmlNode *before, xmlNode *cib)
{
    xmlNode *extract = adoption_extract(SERVER, before, cib);
    g_autofree char *pcs = snippet_pcs(extract);
    g_autofree char *crm = snippet_crm(extract);
    g_autofree char *xml = snippet_xml(extract);

    FUZZ_CHECK(strstr(pcs, "standby-" SERVER) != NULL);
    FUZZ_CHECK(strstr(crm, "standby-" SERVER) != NULL);
    FUZZ_CHECK(strstr(xml, "standby-" SERVER) != NULL);
    xmlFreeDoc(extract->doc);
}

/* The values of the attributes below a node: of those called id, or of all others. */
static void collect_values(const xmlNode *node, gboolean ids, GHashTable *values)
{
    for (const xmlAttr *attribute = node->properties; attribute != NULL; attribute = attribute->next) {
        if (g_str_equal(attribute->name, "id") == ids) {
            xmlChar *value = xmlNodeGetContent((const xmlNode *) attribute);

            g_hash_table_add(values, g_strdup((const char *) value));
            xmlFree(value);
        }
    }
    for (const xmlNode *child = xmlFirstElementChild((xmlNode *) node); child != NULL;
         child = xmlNextElementSibling((xmlNode *) child)) {
        collect_values(child, ids, values);
    }
}

static GHashTable *values_new(const xmlNode *cib, gboolean ids)
{
    GHashTable *values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    collect_values(cib, ids, values);
    return values;
}

/* Where something else refers into what is taken away, the CIB manager refuses to do that. */
static gboolean refers_to_lost(GHashTable *ids_before, const xmlNode *cib)
{
    g_autoptr(GHashTable) ids = values_new(cib, TRUE);
    g_autoptr(GHashTable) references = values_new(cib, FALSE);
    GHashTableIter iter;
    gpointer id = NULL;

    g_hash_table_iter_init(&iter, ids_before);
    while (g_hash_table_iter_next(&iter, &id, NULL)) {
        if (!g_str_equal(id, "standby-" SERVER) && !g_hash_table_contains(ids, id)
            && g_hash_table_contains(references, id)) {
            return TRUE;
        }
    }
    return FALSE;
}

static void forget(xmlNode *cib)
{
    g_autoptr(GHashTable) ids_before = values_new(cib, TRUE);

    FUZZ_CHECK(adoption_remove(SERVER, cib));
    FUZZ_CHECK(!adoption_exists(cib, SERVER));
    FUZZ_CHECK(fuzz_cib_is_valid(cib) || refers_to_lost(ids_before, cib));
}

static void upgrade(const adoption_t *adoption, xmlNode *cib)
{
    g_ptr_array_unref(setup_faults_find(adoption, cib));
    adoption_upgrade(adoption, cib);
    FUZZ_CHECK(fuzz_cib_is_valid(cib));
    FUZZ_CHECK(!adoption_upgrade(adoption, cib));
}

/* A CIB that is valid stays so when a server is adopted and forgotten; adopting it again changes nothing. */
static void adopt(const adoption_t *adoption, xmlNode *cib)
{
    xmlDoc *before = xmlCopyDoc(cib->doc, 1);
    gboolean changed = FALSE;
    GError *error = NULL;
    gboolean good = adoption_apply(adoption, cib, &changed, &error);

    fuzz_check_outcome(good, error);
    FUZZ_CHECK(fuzz_cib_is_valid(cib));
    if (good) {
        FUZZ_CHECK(adoption_exists(cib, SERVER));
        print_all(xmlDocGetRootElement(before), cib);
        FUZZ_CHECK(adoption_apply(adoption, cib, &changed, NULL) && !changed);
        upgrade(adoption, cib);
        forget(cib);
    }
    xmlFreeDoc(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    xmlDoc *document = xmlReadMemory((const char *) data, (int) size_bytes, NULL, NULL,
                                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    adoption_t adoption = { .server = SERVER };

    if (document != NULL && fuzz_cib_is_valid(xmlDocGetRootElement(document))) {
        strip_attributes(xmlDocGetRootElement(document));
        adoption.params = g_hash_table_new(g_str_hash, g_str_equal);
        g_hash_table_insert(adoption.params, (gpointer) "disks", (gpointer) "images/db1");
        adoption.image_operations = operations();
        adoption.observer_operations = operations();
        adoption.capacity_operations = operations();
        adopt(&adoption, xmlDocGetRootElement(document));
        g_ptr_array_unref(adoption.image_operations);
        g_ptr_array_unref(adoption.observer_operations);
        g_ptr_array_unref(adoption.capacity_operations);
        g_hash_table_unref(adoption.params);
    }
    xmlFreeDoc(document);
    return 0;
}
