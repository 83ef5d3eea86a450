/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_JSON_READ_H
#define UNDERSTUDY_JSON_READ_H

#include <json-glib/json-glib.h>

/*
 * Members of JSON that somebody else wrote. A member that is not there, or is
 * of another type, reads as NULL or the default: json-glib's own functions
 * complain to stderr then. Results live as long as the object. Pure.
 */

/* The object that a whole text is; json_object_unref(). NULL with UNDERSTUDY_ERROR_FAILED; `what` begins the sentence. */
JsonObject *json_read_object_text(const char *text, const char *what, GError **error);

JsonObject *json_read_object(JsonObject *object, const char *member);
JsonArray *json_read_array(JsonObject *object, const char *member);
const char *json_read_string(JsonObject *object, const char *member);
const char *json_read_text(JsonObject *object, const char *member); /* "" instead of NULL */
gint64 json_read_integer(JsonObject *object, const char *member, gint64 fallback);
gboolean json_read_boolean(JsonObject *object, const char *member, gboolean fallback);
/* The strings of an array member, others left out; never NULL; g_strfreev(). */
char **json_read_strings(JsonObject *object, const char *member);
/* Element of an array as an object, or NULL. */
JsonObject *json_read_element(JsonArray *array, guint index);
/* The object with this "name" in the array that is a member of another object, or NULL. */
JsonObject *json_read_named(JsonObject *object, const char *member, const char *name);

#endif
