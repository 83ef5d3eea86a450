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

/* Beside another record of the host, which it may have taken in. */
static void check_records(char *text)
{
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(fence_records_t) records = NULL;
    g_autoptr(fence_record_t) merged = NULL;
    g_autoptr(GPtrArray) fences = NULL;

    g_hash_table_insert(values, (gpointer) "host1/1", (gpointer) "{\"id\":\"a\",\"entries\":[\"10.0.0.11:0/0\"]}");
    g_hash_table_insert(values, (gpointer) "host1/2", text);
    records = fence_records_parse("host1", values);
    merged = fence_records_merge(records, NULL);
    fence_record_keep_boots(merged, records);
    fence_record_take_in(merged, records);
    fences = fence_records_in_force(records);
    FUZZ_CHECK(records->keys->len == 2 && fence_record_has(merged, "10.0.0.11:0/0"));
    FUZZ_CHECK(records->superseded->len < 2 && merged->before->len + records->superseded->len == 2);
    FUZZ_CHECK(records->unreadable == NULL || records->records->len == 1);
    FUZZ_CHECK(fences->len <= records->records->len);
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
    check_records(text);
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
