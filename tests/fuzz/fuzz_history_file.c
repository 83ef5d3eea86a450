/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/names.h"
#include "fuzz.h"
#include "history_file.h"
#include "judge/message.h"

/* What was read is shown to operators and sent to the other observers. */
static void on_found(const char *server, history_takeover_t *takeover, gpointer user_data)
{
    g_autoptr(GPtrArray) takeovers = g_ptr_array_new_with_free_func((GDestroyNotify) history_takeover_free);
    message_t message = { .type = MESSAGE_HISTORY, .server = server, .serial = 1, .takeovers = takeovers };
    history_t *history = history_new();
    g_autoptr(GBytes) bytes = NULL;

    (void) user_data;
    FUZZ_CHECK(server_name_is_valid(server));
    FUZZ_CHECK(takeover->events->len > 0);
    g_ptr_array_add(takeovers, history_takeover_copy(takeover));
    history_append_takeover(history, takeover);
    json_array_unref(history_to_json(history));
    bytes = message_encode(&message);
    FUZZ_CHECK(bytes != NULL);
    history_free(history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *text = fuzz_text(data, size_bytes);

    history_text_read(text, on_found, NULL);
    return 0;
}
