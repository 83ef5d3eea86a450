/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose images need a host, as one question to the scheduler names them: pure. */
#include "promises.h"

/* The names that no earlier list has; g_strfreev(). */
static char **list_new(GHashTable *listed, const char *const *names)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (; *names != NULL; names++) {
        if (g_hash_table_add(listed, g_strdup(*names))) {
            g_strv_builder_add(builder, *names);
        }
    }
    return g_strv_builder_end(builder);
}

/* Borrowed names of a set, NULL-terminated; g_free() */
static const char **set_names(GHashTable *set)
{
    return (const char **) g_hash_table_get_keys_as_array(set, NULL);
}

promises_t *promises_new(GHashTable *asked, GHashTable *looked_at, const char *const *isolated, const char *const *told)
{
    g_autoptr(GHashTable) listed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree const char **asked_names = set_names(asked);
    g_autofree const char **looked_at_names = set_names(looked_at);
    g_autoptr(GPtrArray) promised = g_ptr_array_new();
    promises_t *promises = g_new0(promises_t, 1);

    for (guint i = 0; told[i] != NULL; i++) {
        g_ptr_array_add(promised, (gpointer) told[i]);
    }
    for (guint i = 0; looked_at_names[i] != NULL; i++) {
        g_ptr_array_add(promised, (gpointer) looked_at_names[i]);
    }
    g_ptr_array_add(promised, NULL);
    promises->asked = list_new(listed, asked_names);
    promises->isolated = list_new(listed, isolated);
    promises->promised = list_new(listed, (const char *const *) promised->pdata);
    return promises;
}

void promises_free(promises_t *promises)
{
    if (promises != NULL) {
        g_strfreev(promises->asked);
        g_strfreev(promises->isolated);
        g_strfreev(promises->promised);
        g_free(promises);
    }
}
