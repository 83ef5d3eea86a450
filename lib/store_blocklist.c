/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: Ceph's blocklist. */
#include <string.h>

#include "error.h"
#include "store_address.h"
#include "store_map.h"
#include "store_private.h"

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
GHashTable *store_do_blocklist_list(store_t *store, GError **error)
{
    g_autofree char *output = NULL;
    g_autoptr(store_map_t) map = NULL;

    if (store_monitor_command(store, STORE_MAP_OSD_COMMAND, &output, error)) {
        map = store_map_parse(output, NULL, error);
    }
    return map != NULL ? g_hash_table_ref(map->blocklist) : NULL;
}
