/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: Ceph's blocklist. */
#include <string.h>

#include "base/error.h"
#include "store/store_address.h"
#include "store/store_map.h"
#include "store/store_private.h"

gboolean store_do_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error)
{
    g_autofree char *entry = store_address_blocklist_text(address, error);
    int rc = 0;

    if (entry == NULL) {
        return FALSE;
    }
    /* Waits for the OSD map that holds the entry. */
    rc = rados_blocklist_add(store->cluster, entry, (uint32_t) MIN(duration_s, G_MAXUINT32));
    return rc >= 0 || store_fail(error, rc, "can't put %s on Ceph's blocklist", entry);
}

gboolean store_do_blocklist_remove(store_t *store, const char *address, GError **error)
{
    g_autofree char *entry = store_address_blocklist_text(address, error);
    g_autofree char *command = NULL;
    g_autoptr(GHashTable) entries = NULL;

    if (entry == NULL) {
        return FALSE;
    }
    command = g_strdup_printf("{\"prefix\":\"osd blocklist\",\"blocklistop\":\"rm\",\"addr\":\"%s\"}", entry);
    if (!store_monitor_command(store, command, NULL, error)) {
        return FALSE;
    }
    (void) rados_wait_for_latest_osdmap(store->cluster);
    /* The monitors answer "done" even if nothing was removed: look. */
    entries = store_do_blocklist_list(store, error);
    if (entries != NULL && g_hash_table_contains(entries, entry)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "%s is still on Ceph's blocklist", entry);
        return FALSE;
    }
    return entries != NULL;
}

/* From "osd dump": the JSON of "osd blocklist ls" is malformed when there are ranges in it
 * (github.com/ceph/ceph/pull/65681). */
store_map_t *store_map_read(store_t *store, GError **error)
{
    g_autofree char *output = NULL;

    return store_monitor_command(store, STORE_MAP_OSD_COMMAND, &output, error) ? store_map_parse(output, NULL, error) : NULL;
}

GHashTable *store_do_blocklist_list(store_t *store, GError **error)
{
    g_autoptr(store_map_t) map = store_map_read(store, error);

    return map != NULL ? g_hash_table_ref(map->blocklist) : NULL;
}

/* One that is there and ends too soon, with nothing else that refuses its client, would have to be taken off first, and then
 * that might write in between. */
static gboolean client_refuse(store_t *store, const store_map_t *map, const char *entry, GError **error)
{
    if (store_map_client_stays_out(map, entry, STORE_CLIENT_BLOCK_S)) {
        return TRUE;
    }
    if (g_hash_table_contains(map->blocklist, entry)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "%s is on Ceph's blocklist for a while only: fence its host, or, once that client has ended, "
                    "'ceph osd blocklist rm %s' and 'ceph osd blocklist add %s %d'", entry, entry, entry, STORE_CLIENT_BLOCK_S);
        return FALSE;
    }
    if (!store_do_blocklist_add(store, entry, STORE_CLIENT_BLOCK_S, error)) {
        g_prefix_error(error, "'ceph osd blocklist add %s %d' must be done first: ", entry, STORE_CLIENT_BLOCK_S);
        return FALSE;
    }
    return TRUE;
}

/* That the monitors said yes is not enough: the OSD map must say it. */
static gboolean refusal_check(store_t *store, const GPtrArray *addresses, GError **error)
{
    g_autoptr(store_map_t) map = addresses->len > 0 ? store_map_read(store, error) : NULL;

    for (guint i = 0; map != NULL && i < addresses->len; i++) {
        g_autofree char *entry = store_address_blocklist_text(addresses->pdata[i], error);

        if (entry == NULL) {
            return FALSE;
        }
        if (!store_map_client_stays_out(map, entry, STORE_CLIENT_BLOCK_S)) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                        "the OSD map does not hold %s for long enough: did somebody remove it?", entry);
            return FALSE;
        }
    }
    return addresses->len == 0 || map != NULL;
}

gboolean store_do_clients_refuse(store_t *store, const GPtrArray *addresses, GError **error)
{
    g_autoptr(store_map_t) map = addresses->len > 0 ? store_map_read(store, error) : NULL;

    for (guint i = 0; map != NULL && i < addresses->len; i++) {
        g_autofree char *entry = store_address_blocklist_text(addresses->pdata[i], error);

        if (entry == NULL || !client_refuse(store, map, entry, error)) {
            return FALSE;
        }
    }
    return (addresses->len == 0 || map != NULL) && refusal_check(store, addresses, error);
}
