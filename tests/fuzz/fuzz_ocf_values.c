/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "ocf.h"
#include "tables.h"

static void read_all(const ocf_param_t *params, const ocf_values_t *values)
{
    for (const ocf_param_t *param = params; param->name != NULL; param++) {
        const char *text = ocf_value_string(values, param->name);

        FUZZ_CHECK(text != NULL || param->default_text == NULL);
        if (text != NULL && (param->type == OCF_TYPE_INTEGER || param->type == OCF_TYPE_DURATION)) {
            gint64 number = ocf_value_integer(values, param->name);

            FUZZ_CHECK(number >= param->min && number <= param->max);
        }
    }
}

/* One line NAME=VALUE a parameter, for the agents' tables. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    const ocf_param_t *const tables[] = { image_params, observer_params, capacity_params };
    g_autoptr(GHashTable) texts = fuzz_pairs(data, size_bytes);

    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
        GError *error = NULL;
        ocf_values_t *values = ocf_values_parse(tables[i], texts, &error);

        FUZZ_CHECK(values != NULL);
        fuzz_check_outcome(error == NULL, error);
        read_all(tables[i], values);
        ocf_values_free(values);
    }
    return 0;
}
