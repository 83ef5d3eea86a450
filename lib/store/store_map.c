/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/store_map.h"

#include "base/error.h"
#include "base/json_read.h"
#include "store/store_address.h"

static void entries_read(GHashTable *entries, JsonObject *members, const char *prefix)
{
    g_autoptr(GList) names = members != NULL ? json_object_get_members(members) : NULL;

    for (GList *name = names; name != NULL; name = name->next) {
        const char *text = name->data;
        const char *until = json_read_string(members, text);

        g_hash_table_insert(entries, g_strconcat(g_str_has_prefix(text, prefix) ? "" : prefix, text, NULL),
                            g_strdup(until != NULL ? until : ""));
    }
}

/* "addrvec": [{"type":"v2","addr":"10.0.0.1:6800","nonce":1}, ...] */
static void addresses_read(GHashTable *ips, JsonObject *addresses, const char *who)
{
    JsonArray *list = json_read_array(addresses, "addrvec");

    for (guint i = 0; list != NULL && i < json_array_get_length(list); i++) {
        const char *address = json_read_string(json_read_element(list, i), "addr");
        char *ip = address != NULL ? store_address_ip(address) : NULL;

        if (ip != NULL) {
            g_hash_table_insert(ips, ip, g_strdup(who));
        }
    }
}

static void osds_read(GHashTable *ips, JsonArray *osds)
{
    static const char *const members[] = { "public_addrs", "cluster_addrs" };

    for (guint i = 0; osds != NULL && i < json_array_get_length(osds); i++) {
        JsonObject *osd = json_read_element(osds, i);
        g_autofree char *who = g_strdup_printf("osd.%" G_GINT64_FORMAT, json_read_integer(osd, "osd", -1));

        for (gsize k = 0; k < G_N_ELEMENTS(members); k++) {
            addresses_read(ips, json_read_object(osd, members[k]), who);
        }
    }
}

/* "flags_names": "hashpspool,full,selfmanaged_snaps,full_quota" */
static void full_pools_read(GHashTable *full_pools, JsonArray *pools)
{
    for (guint i = 0; pools != NULL && i < json_array_get_length(pools); i++) {
        JsonObject *pool = json_read_element(pools, i);
        const char *name = json_read_string(pool, "pool_name");
        const char *flags = json_read_string(pool, "flags_names");
        g_auto(GStrv) words = g_strsplit(flags != NULL ? flags : "", ",", -1);

        if (name == NULL) {
            continue;
        }
        if (g_strv_contains((const char *const *) words, "full_quota")) {
            g_hash_table_insert(full_pools, g_strdup(name), (gpointer) "its quota is used up");
        } else if (g_strv_contains((const char *const *) words, "full")) {
            g_hash_table_insert(full_pools, g_strdup(name), (gpointer) "the store's OSDs are full");
        }
    }
}

static gboolean monitors_read(GHashTable *ips, const char *mon_dump, GError **error)
{
    g_autoptr(JsonObject) dump = json_read_object_text(mon_dump, "the monitors' answer to 'mon dump'", error);
    JsonArray *monitors = json_read_array(dump, "mons");

    if (dump == NULL) {
        return FALSE;
    }
    if (monitors == NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                            "the monitors' answer to 'mon dump' names no monitors");
        return FALSE;
    }
    for (guint i = 0; i < json_array_get_length(monitors); i++) {
        JsonObject *monitor = json_read_element(monitors, i);
        const char *name = json_read_string(monitor, "name");
        g_autofree char *who = g_strconcat("monitor ", name != NULL ? name : "?", NULL);

        addresses_read(ips, json_read_object(monitor, "public_addrs"), who);
    }
    return TRUE;
}

store_map_t *store_map_parse(const char *osd_dump, const char *mon_dump, GError **error)
{
    g_autoptr(JsonObject) dump = json_read_object_text(osd_dump, "the monitors' answer to 'osd dump'", error);
    g_autoptr(store_map_t) map = NULL;

    if (dump == NULL) {
        return NULL;
    }
    map = g_new0(store_map_t, 1);
    map->blocklist = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    map->daemon_ips = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    map->full_pools = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    map->epoch = json_read_integer(dump, "epoch", 0);
    /* An answer without a blocklist must not read like an empty one. */
    if (map->epoch <= 0 || json_read_object(dump, "blocklist") == NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                            "the monitors' answer to 'osd dump' has no epoch or no blocklist");
        return NULL;
    }
    entries_read(map->blocklist, json_read_object(dump, "blocklist"), "");
    entries_read(map->blocklist, json_read_object(dump, "range_blocklist"), STORE_RANGE_PREFIX);
    osds_read(map->daemon_ips, json_read_array(dump, "osds"));
    full_pools_read(map->full_pools, json_read_array(dump, "pools"));
    if (mon_dump != NULL && !monitors_read(map->daemon_ips, mon_dump, error)) {
        return NULL;
    }
    return g_steal_pointer(&map);
}

void store_map_free(store_map_t *map)
{
    if (map != NULL) {
        g_hash_table_unref(map->blocklist);
        g_hash_table_unref(map->full_pools);
        g_hash_table_unref(map->daemon_ips);
        g_free(map);
    }
}

gint64 store_map_entry_until_s(const store_map_t *map, const char *entry)
{
    const char *until = g_hash_table_lookup(map->blocklist, entry);
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) time = until != NULL ? g_date_time_new_from_iso8601(until, utc) : NULL;

    return time != NULL ? g_date_time_to_unix(time) : 0;
}

gboolean store_map_entry_lasts(const store_map_t *map, const char *entry, guint64 duration_s)
{
    return store_map_entry_until_s(map, entry) >= g_get_real_time() / G_USEC_PER_SEC + (gint64) (duration_s / 2);
}

gboolean store_map_client_stays_out(const store_map_t *map, const char *client, guint64 duration_s)
{
    g_autofree char *ip = store_address_ip(client);
    g_autofree char *whole = ip != NULL ? store_address_blocklist_text(ip, NULL) : NULL;

    return store_map_entry_lasts(map, client, duration_s)
           || (g_hash_table_contains(map->blocklist, client) && whole != NULL
               && store_map_entry_lasts(map, whole, duration_s));
}
