/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core.h"
#include "fuzz.h"

static void check_entries(const fence_record_t *record, const fence_record_t *again)
{
    FUZZ_CHECK(record->entries->len == again->entries->len);
    for (guint i = 0; i < record->entries->len; i++) {
        const char *entry = g_ptr_array_index(record->entries, i);

        FUZZ_CHECK(strpbrk(entry, "\"\\\n ") == NULL);
        FUZZ_CHECK(fence_record_has(again, entry));
    }
}

/* What a fence has recorded, as the monitors give it back: what is read is written and read again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *text = fuzz_text(data, size_bytes);
    GError *error = NULL;
    g_autoptr(fence_record_t) record = fence_record_parse("host1", text, &error);
    g_autoptr(fence_record_t) again = NULL;
    g_autofree char *again_json = NULL;

    fuzz_check_outcome(record != NULL, error);
    if (record == NULL) {
        return 0;
    }
    again_json = fence_record_json(record);
    again = fence_record_parse("host1", again_json, NULL);
    FUZZ_CHECK(again != NULL && again->at_s == record->at_s && g_strcmp0(again->boot_id, record->boot_id) == 0
               && g_strcmp0(again->by, record->by) == 0);
    check_entries(record, again);
    return 0;
}
