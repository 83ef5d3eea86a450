/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/error.h"
#include "store/store.h"

/* '/' separates and '@' begins a snapshot; ceph itself takes nearly all else. */
static gboolean part_is_valid(const char *part)
{
    return part[0] != '\0' && strpbrk(part, "@ \t,\"'<>&") == NULL;
}

store_image_name_t *store_image_name_parse(const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", -1);
    guint count = g_strv_length(parts);
    gboolean valid = count == 2 || count == 3;
    store_image_name_t *name = NULL;

    for (guint i = 0; valid && i < count; i++) {
        valid = part_is_valid(parts[i]);
    }
    if (!valid) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "image '%s': write POOL/IMAGE or POOL/NAMESPACE/IMAGE", text);
        return NULL;
    }
    name = g_new0(store_image_name_t, 1);
    name->pool = g_strdup(parts[0]);
    name->namespace = g_strdup(count == 3 ? parts[1] : "");
    name->image = g_strdup(parts[count - 1]);
    return name;
}

char *store_image_name_text(const store_image_name_t *name)
{
    return g_strjoin("/", name->pool, name->namespace[0] != '\0' ? name->namespace : name->image,
                     name->namespace[0] != '\0' ? name->image : NULL, NULL);
}

void store_image_name_free(store_image_name_t *name)
{
    if (name == NULL) {
        return;
    }
    g_free(name->pool);
    g_free(name->namespace);
    g_free(name->image);
    g_free(name);
}
