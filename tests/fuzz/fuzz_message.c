/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/names.h"
#include "fuzz.h"
#include "judge/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    GError *error = NULL;
    message_t *message = message_decode(data, size_bytes, &error);

    fuzz_check_outcome(message != NULL, error);
    if (message == NULL) {
        return 0;
    }
    FUZZ_CHECK(message->type >= MESSAGE_HELLO && message->type < MESSAGE_TYPE_COUNT);
    FUZZ_CHECK(message->server == NULL || server_name_is_valid(message->server));
    {
        /* What was understood can be sent on, and is understood there. */
        g_autoptr(GBytes) bytes = message_encode(message);
        gsize again_bytes = 0;
        gconstpointer again_data = g_bytes_get_data(bytes, &again_bytes);
        message_t *again = message_decode(again_data, again_bytes, NULL);

        FUZZ_CHECK(again != NULL && again->type == message->type);
        FUZZ_CHECK(g_strcmp0(again->server, message->server) == 0);
        message_free(again);
    }
    message_free(message);
    return 0;
}
