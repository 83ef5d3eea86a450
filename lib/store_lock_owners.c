/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: who holds the lock of an image that librbd keeps for who writes. */
#include <string.h>

#include "error.h"
#include "store_private.h"

/* Its tag. A lock of "rbd lock add" has another one. */
#define MANAGED_TAG "internal"

/* 0, or a negative errno. Such a lock has one owner, whose address is short: no -ERANGE loop is needed. */
static int owner_add(rbd_image_t image, GPtrArray *owners)
{
    char tag[256] = "";
    char clients[4096] = "";
    char cookies[4096] = "";
    char addresses[4096] = "";
    size_t tag_bytes = sizeof tag;
    size_t clients_bytes = sizeof clients;
    size_t cookies_bytes = sizeof cookies;
    size_t addresses_bytes = sizeof addresses;
    int exclusive = 0;
    ssize_t count = rbd_list_lockers(image, &exclusive, tag, &tag_bytes, clients, &clients_bytes, cookies, &cookies_bytes,
                                     addresses, &addresses_bytes);

    if (count > 0 && strcmp(tag, MANAGED_TAG) == 0) {
        g_ptr_array_add(owners, g_strdup(addresses));
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
