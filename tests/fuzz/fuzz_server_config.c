/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/names.h"
#include "fuzz.h"
#include "params/server_config.h"

/* One line NAME=VALUE a parameter; resource= is the resource's id. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autoptr(GHashTable) params = fuzz_pairs(data, size_bytes);
    const char *id = g_hash_table_lookup(params, "resource");
    GError *error = NULL;
    server_config_t *config = server_config_parse(id != NULL ? id : "standby-db1", params, &error);
    server_config_t *again = NULL;

    fuzz_check_outcome(config != NULL, error);
    if (config == NULL) {
        return 0;
    }
    again = server_config_parse(config->resource_id, params, NULL);
    FUZZ_CHECK(server_name_is_valid(config->name));
    FUZZ_CHECK(config->probe_misses > 0 && config->probe_interval_ms > 0 && config->probe_timeout_ms > 0);
    FUZZ_CHECK(isolate_policy_name(config->isolate) != NULL);
    FUZZ_CHECK(again != NULL && server_config_equal(config, again));
    server_config_free(again);
    server_config_free(config);
    return 0;
}
