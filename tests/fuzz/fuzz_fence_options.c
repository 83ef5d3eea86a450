/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "options.h"

/* What Pacemaker's fencer, or an operator, writes to the agent's standard input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    GError *error = NULL;
    g_autofree char *text = fuzz_text(data, size_bytes);
    g_autoptr(GHashTable) texts = fence_options_from_text(text, strlen(text), &error);
    ocf_values_t *values = NULL;

    fuzz_check_outcome(texts != NULL, error);
    if (texts == NULL) {
        return 0;
    }
    error = NULL;
    values = fence_options_parse(texts, &error);
    fuzz_check_outcome(values != NULL, error);
    if (values != NULL) {
        const fence_action_t *action = NULL;
        g_auto(GStrv) pools = fence_options_pools(values);
        g_autofree char *uri = fence_options_libvirt_uri(values, "10.0.0.1");

        error = NULL;
        action = fence_action_find(values, &error);
        fuzz_check_outcome(action != NULL, error);
        FUZZ_CHECK(pools != NULL && uri != NULL);
        ocf_values_free(values);
    }
    return 0;
}
