/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json_read.h"

#include <string.h>

#include "base/error.h"

JsonObject *json_read_object_text(const char *text, const char *what, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) parse_error = NULL;
    JsonNode *root = NULL;

    if (!g_utf8_validate(text, -1, NULL)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "%s is no UTF-8 text", what);
        return NULL;
    }
    if (!json_parser_load_from_data(parser, text, -1, &parse_error)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "%s is no JSON: %s", what, parse_error->message);
        return NULL;
    }
    root = json_parser_get_root(parser);
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "%s is no JSON object", what);
        return NULL;
    }
    return json_object_ref(json_node_get_object(root));
}

JsonObject *json_read_object(JsonObject *object, const char *member)
{
    JsonNode *node = object != NULL ? json_object_get_member(object, member) : NULL;

    return node != NULL && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

JsonArray *json_read_array(JsonObject *object, const char *member)
{
    JsonNode *node = object != NULL ? json_object_get_member(object, member) : NULL;

    return node != NULL && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

/* NULL if it is none, or no UTF-8: json-glib makes a byte of an octal escape, so that good text may hold a bad string. */
const char *json_read_string(JsonObject *object, const char *member)
{
    JsonNode *node = object != NULL ? json_object_get_member(object, member) : NULL;
    const char *text = node != NULL && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
                           ? json_node_get_string(node)
                           : NULL;

    return text != NULL && g_utf8_validate(text, -1, NULL) ? text : NULL;
}

const char *json_read_text(JsonObject *object, const char *member)
{
    const char *text = json_read_string(object, member);

    return text != NULL ? text : "";
}

gint64 json_read_integer(JsonObject *object, const char *member, gint64 fallback)
{
    JsonNode *node = object != NULL ? json_object_get_member(object, member) : NULL;

    return node != NULL && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64
               ? json_node_get_int(node)
               : fallback;
}

gboolean json_read_boolean(JsonObject *object, const char *member, gboolean fallback)
{
    JsonNode *node = object != NULL ? json_object_get_member(object, member) : NULL;

    return node != NULL && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_BOOLEAN
               ? json_node_get_boolean(node)
               : fallback;
}

char **json_read_strings(JsonObject *object, const char *member)
{
    g_autoptr(GStrvBuilder) strings = g_strv_builder_new();
    JsonArray *array = json_read_array(object, member);

    for (guint i = 0; array != NULL && i < json_array_get_length(array); i++) {
        JsonNode *node = json_array_get_element(array, i);

        if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING) {
            g_strv_builder_add(strings, json_node_get_string(node));
        }
    }
    return g_strv_builder_end(strings);
}

JsonObject *json_read_element(JsonArray *array, guint index)
{
    JsonNode *node = json_array_get_element(array, index);

    return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

JsonObject *json_read_named(JsonObject *object, const char *member, const char *name)
{
    JsonArray *array = json_read_array(object, member);

    for (guint i = 0; array != NULL && i < json_array_get_length(array); i++) {
        JsonObject *element = json_read_element(array, i);

        if (strcmp(json_read_text(element, "name"), name) == 0) {
            return element;
        }
    }
    return NULL;
}
