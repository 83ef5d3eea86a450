/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: who holds the lock of an image that librbd keeps for who writes. */
#include <string.h>

#include "base/error.h"
#include "store/store_private.h"

/* 0, or a negative errno. */
static int owner_add(rbd_image_t image, GPtrArray *owners)
{
    image_lockers_t lockers;
    ssize_t count = image_lockers_read(image, &lockers);

    if (count > 0 && strcmp(lockers.tag, IMAGE_LOCK_MANAGED_TAG) == 0) {
        g_ptr_array_add(owners, g_strdup(lockers.addresses));
    }
    return count < 0 ? (int) count : 0;
}

static gboolean image_owner_add(store_t *store, const char *image, GPtrArray *owners, GError **error)
{
    store_image_name_t *name = store_image_name_parse(image, error);
    GError *open_error = NULL;
    opened_image_t opened;
    gboolean is_open = name != NULL && opened_image_open(store, name, FALSE, &opened, &open_error);
    int rc = 0;

    store_image_name_free(name);
    if (is_open) {
        rc = owner_add(opened.image, owners);
        opened_image_close(&opened);
        return rc >= 0 || store_fail(error, rc, "can't tell who has the lock of image %s", image);
    }
    if (g_error_matches(open_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_clear_error(&open_error);
        return TRUE;
    }
    if (open_error != NULL) {
        g_propagate_error(error, open_error);
    }
    return FALSE;
}

GPtrArray *store_do_image_lock_owners(store_t *store, const char *const *images, GError **error)
{
    g_autoptr(GPtrArray) owners = g_ptr_array_new_with_free_func(g_free);

    for (; *images != NULL; images++) {
        if (!image_owner_add(store, *images, owners, error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&owners);
}
