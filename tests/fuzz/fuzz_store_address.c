/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "store/store.h"
#include "store/store_address.h"

/* The first line is a client's address, each other an entry of the blocklist. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *text = fuzz_text(data, size_bytes);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GHashTable) entries = g_hash_table_new(g_str_hash, g_str_equal);
    const char *client = lines[0] != NULL ? lines[0] : "";
    g_autofree char *ip = store_address_ip(client);
    GError *error = NULL;
    g_autofree char *entry = store_address_blocklist_text(client, &error);

    fuzz_check_outcome(entry != NULL, error);
    FUZZ_CHECK(entry == NULL || ip != NULL);
    /* It stands in a command to the monitors. */
    FUZZ_CHECK(entry == NULL || entry[strspn(entry, "0123456789abcdef.:/[]")] == '\0');
    for (char **line = lines; *line != NULL && line[1] != NULL; line++) {
        g_hash_table_add(entries, line[1]);
    }
    if (store_blocklist_covers(entries, client)) {
        FUZZ_CHECK(ip != NULL || g_hash_table_contains(entries, client));
    }
    if (ip != NULL) {
        g_autofree char *whole = store_address_blocklist_text(ip, NULL);

        /* Whoever blocks an IP blocks each client there. */
        FUZZ_CHECK(whole != NULL);
        g_hash_table_add(entries, whole);
        FUZZ_CHECK(store_blocklist_covers(entries, client));
        g_hash_table_remove(entries, whole);
    }
    return 0;
}
