/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "cib_change.h"
#include "fuzz.h"

/* A notification of the CIB manager. One that says that the change failed is never skipped. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    xmlDoc *document = xmlReadMemory((const char *) data, (int) size_bytes, NULL, NULL,
                                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlNode *root = document != NULL ? xmlDocGetRootElement(document) : NULL;

    if (root != NULL) {
        g_autoptr(GHashTable) image_ids = g_hash_table_new(g_str_hash, g_str_equal);

        g_hash_table_add(image_ids, (gpointer) "standby-db1");
        (void) cib_change_touches_servers(root, image_ids);
        xmlSetProp(root, (const xmlChar *) "cib_rc", (const xmlChar *) "-203");
        FUZZ_CHECK(cib_change_touches_servers(root, image_ids));
    }
    xmlFreeDoc(document);
    return 0;
}
