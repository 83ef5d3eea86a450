/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said to the monitors about their config-key store, and what they answer. Pure. */
#ifndef UNDERSTUDY_CONFIG_KEY_H
#define UNDERSTUDY_CONFIG_KEY_H

#include <glib.h>

/* {"prefix":"config-key set","key":KEY,"val":VALUE}; value may be NULL. g_free(). */
char *config_key_command(const char *prefix, const char *key, const char *value);
/* The answer to a dump: name after the prefix -> char* value; unref. */
GHashTable *config_key_dump_parse(const char *json, const char *prefix, GError **error);

#endif
