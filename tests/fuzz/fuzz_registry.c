/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "store/registry.h"

static void check_host(const char *json)
{
    GError *error = NULL;
    g_autoptr(registry_host_t) host = registry_host_parse("host1", json, &error);
    g_autoptr(registry_host_t) again = NULL;
    g_autofree char *again_json = NULL;

    fuzz_check_outcome(host != NULL, error);
    if (host == NULL) {
        return;
    }
    FUZZ_CHECK(host->store_addresses != NULL && host->store_addresses[0] != NULL);
    again_json = registry_host_json(host);
    again = registry_host_parse("host1", again_json, NULL);
    FUZZ_CHECK(again != NULL && g_strv_equal((const char *const *) host->store_addresses,
                                             (const char *const *) again->store_addresses));
    FUZZ_CHECK(g_strcmp0(host->boot_id, again->boot_id) == 0);
    FUZZ_CHECK(g_strv_equal((const char *const *) host->empty_fences, (const char *const *) again->empty_fences));
}

/* A host's entry, or the monitors' dump of them all. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *text = fuzz_text(data, size_bytes);
    GError *error = NULL;
    g_autoptr(GHashTable) values = config_key_dump_parse(text, REGISTRY_HOST_PREFIX, &error);

    fuzz_check_outcome(values != NULL, error);
    check_host(text);
    return 0;
}
