/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: Ceph's blocklist. */
#include <string.h>

#include <json-glib/json-glib.h>

#include "error.h"
#include "store_address.h"
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

static void entries_add(GHashTable *entries, JsonObject *members, const char *prefix)
{
    g_autoptr(GList) names = members != NULL ? json_object_get_members(members) : NULL;

    for (GList *name = names; name != NULL; name = name->next) {
        const char *text = name->data;

        g_hash_table_insert(entries, g_strconcat(g_str_has_prefix(text, prefix) ? "" : prefix, text, NULL),
                            g_strdup(json_object_get_string_member_with_default(members, text, "")));
    }
}

static JsonObject *object_member(JsonObject *object, const char *name)
{
    return json_object_has_member(object, name) ? json_object_get_object_member(object, name) : NULL;
}

/* From "osd dump": the JSON of "osd blocklist ls" is malformed when there are ranges in it
 * (github.com/ceph/ceph/pull/65681). */
GHashTable *store_do_blocklist_list(store_t *store, GError **error)
{
    g_autoptr(GHashTable) entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autofree char *output = NULL;
    JsonObject *map = NULL;

    if (!store_monitor_command(store, "{\"prefix\":\"osd dump\",\"format\":\"json\"}", &output, error)
        || !json_parser_load_from_data(parser, output, -1, error)) {
        return NULL;
    }
    map = json_node_get_object(json_parser_get_root(parser));
    entries_add(entries, object_member(map, "blocklist"), "");
    entries_add(entries, object_member(map, "range_blocklist"), STORE_RANGE_PREFIX);
    return g_steal_pointer(&entries);
}
