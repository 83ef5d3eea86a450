/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/duration.h"
#include "fuzz.h"

#define YEAR_MS (365ULL * 24 * 3600 * 1000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *text = fuzz_text(data, size_bytes);
    g_autofree char *again = NULL;
    guint64 duration_ms = 0;
    guint64 again_ms = 0;

    if (!duration_parse(text, &duration_ms)) {
        return 0;
    }
    FUZZ_CHECK(duration_ms <= YEAR_MS);
    again = g_strdup_printf("%" G_GUINT64_FORMAT "ms", duration_ms);
    FUZZ_CHECK(duration_parse(again, &again_ms) && again_ms == duration_ms);
    return 0;
}
