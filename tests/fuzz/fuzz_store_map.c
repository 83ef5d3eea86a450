/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "store/store.h"
#include "store/store_map.h"

/* The answer to "osd dump", a line "---", the answer to "mon dump". */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *text = fuzz_text(data, size_bytes);
    g_auto(GStrv) dumps = g_strsplit(text, "\n---\n", 2);
    const char *osd_dump = dumps[0] != NULL ? dumps[0] : "";
    GError *error = NULL;
    store_map_t *map = store_map_parse(osd_dump, dumps[0] != NULL ? dumps[1] : NULL, &error);
    GHashTableIter iter;
    gpointer entry = NULL;

    fuzz_check_outcome(map != NULL, error);
    if (map == NULL) {
        return 0;
    }
    g_hash_table_iter_init(&iter, map->blocklist);
    while (g_hash_table_iter_next(&iter, &entry, NULL)) {
        (void) store_map_entry_until_s(map, entry);
        FUZZ_CHECK(store_blocklist_covers(map->blocklist, entry));
    }
    store_map_free(map);
    return 0;
}
