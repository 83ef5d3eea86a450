/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *text = fuzz_text(data, size_bytes);
    g_autofree char *again = NULL;
    GError *error = NULL;
    store_image_name_t *name = store_image_name_parse(text, &error);

    fuzz_check_outcome(name != NULL, error);
    if (name != NULL) {
        again = store_image_name_text(name);
        FUZZ_CHECK(g_strcmp0(again, text) == 0);
        store_image_name_free(name);
    }
    return 0;
}
