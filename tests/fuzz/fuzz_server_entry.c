/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "store/server_entry.h"

/* What an isolation has recorded, as the monitors give it back: what is read is written and read again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *text = fuzz_text(data, size_bytes);
    GError *error = NULL;
    g_autoptr(server_entry_t) entry = server_entry_parse("db1", text, &error);
    g_autoptr(server_entry_t) again = NULL;
    g_autofree char *json = NULL;

    fuzz_check_outcome(entry != NULL, error);
    if (entry == NULL) {
        return 0;
    }
    for (guint i = 0; i < entry->clients->len; i++) {
        FUZZ_CHECK(strpbrk(g_ptr_array_index(entry->clients, i), "\"\\\n ") == NULL);
    }
    json = server_entry_json(entry);
    again = server_entry_parse("db1", json, NULL);
    FUZZ_CHECK(again != NULL && strcmp(again->address, entry->address) == 0 && again->is_known == entry->is_known
               && again->is_off == entry->is_off && again->clients->len == entry->clients->len);
    return 0;
}
