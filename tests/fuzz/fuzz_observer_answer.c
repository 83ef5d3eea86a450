/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/observer_client.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    GError *error = NULL;
    g_autoptr(JsonObject) answer = observer_answer_parse((const char *) data, size_bytes, &error);

    fuzz_check_outcome(answer != NULL, error);
    return 0;
}
