/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: in which pool each start's claim on a server lies, in the monitors' config-key store. */
#include "store/claim.h"
#include "store/config_key.h"
#include "store/registry.h"
#include "store/store_private.h"

static char *key_prefix(const char *server)
{
    return g_strconcat(REGISTRY_SERVER_PREFIX, server, CLAIM_PLACE_KEY_PART, NULL);
}

GHashTable *store_do_claim_places(store_t *store, const char *server, GError **error)
{
    g_autofree char *prefix = key_prefix(server);
    g_autofree char *command = config_key_command("config-key dump", prefix, NULL);
    g_autofree char *json = NULL;

    if (!store_monitor_command(store, command, &json, error)) {
        return NULL;
    }
    return config_key_dump_parse(json, prefix, error);
}

gboolean store_do_claim_place_set(store_t *store, const char *server, const char *start_id, const char *text,
                                  GError **error)
{
    g_autofree char *prefix = key_prefix(server);
    g_autofree char *key = g_strconcat(prefix, start_id, NULL);
    g_autofree char *command = config_key_command(text != NULL ? "config-key set" : "config-key rm", key, text);

    return store_monitor_command(store, command, NULL, error);
}
