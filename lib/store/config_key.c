/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/config_key.h"

#include <string.h>

#include <json-glib/json-glib.h>

#include "base/json_read.h"

char *config_key_command(const char *prefix, const char *key, const char *value)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "prefix");
    json_builder_add_string_value(builder, prefix);
    json_builder_set_member_name(builder, "key");
    json_builder_add_string_value(builder, key);
    if (value != NULL) {
        json_builder_set_member_name(builder, "val");
        json_builder_add_string_value(builder, value);
    }
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    return json_to_string(root, FALSE);
}

GHashTable *config_key_dump_parse(const char *json, const char *prefix, GError **error)
{
    g_autoptr(JsonObject) object = json_read_object_text(json, "the monitors' answer to 'config-key dump'", error);
    g_autoptr(GList) keys = object != NULL ? json_object_get_members(object) : NULL;
    GHashTable *values = object != NULL ? g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free) : NULL;

    for (GList *key = keys; key != NULL; key = key->next) {
        const char *name = key->data;
        const char *value = json_read_string(object, name);

        if (g_str_has_prefix(name, prefix) && value != NULL) {
            g_hash_table_insert(values, g_strdup(name + strlen(prefix)), g_strdup(value));
        }
    }
    return values;
}
