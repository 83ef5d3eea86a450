/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "history_file.h"
#include "message.h"
#include "names.h"

/* What was read is shown to operators and sent to the other observers. */
static void on_found(const char *server, history_takeover_t *takeover, gpointer user_data)
{
    verdict_record_t record = { .epoch = 1, .reason = (char *) "" };
    message_t message = { .type = MESSAGE_SNAPSHOT, .targets = g_array_new(FALSE, FALSE, sizeof(guint64)),
                          .entries = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free) };
    message_entry_t *entry = message_entry_new(server, &record, 0);
    history_t *history = history_new();
    g_autoptr(GBytes) bytes = NULL;

    (void) user_data;
    FUZZ_CHECK(server_name_is_valid(server));
    FUZZ_CHECK(takeover->events->len > 0);
    history_append_takeover(history, takeover);
    json_array_unref(history_to_json(history));
    entry->takeovers = g_ptr_array_ref((GPtrArray *) history_takeovers(history));
    g_ptr_array_add(message.entries, entry);
    bytes = message_encode(&message);
    FUZZ_CHECK(bytes != NULL);
    g_ptr_array_unref(message.entries);
    g_array_unref(message.targets);
    history_free(history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *text = fuzz_text(data, size_bytes);

    history_text_read(text, on_found, NULL);
    return 0;
}
