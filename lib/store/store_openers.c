/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: who has an image open, and who of them the store still lets write. */
#include <string.h>

#include "base/error.h"
#include "store/store_address.h"
#include "store/store_private.h"

static void opener_free(gpointer data)
{
    store_opener_t *opener = data;

    g_free(opener->image);
    g_free(opener->address);
    g_free(opener->ip);
    g_free(opener);
}

static void opener_add(GPtrArray *openers, GHashTable *blocklist, const char *image, const char *address)
{
    store_opener_t *opener = g_new0(store_opener_t, 1);

    opener->image = g_strdup(image);
    opener->address = g_strdup(address);
    opener->ip = store_address_ip(address);
    opener->refused = store_blocklist_covers(blocklist, address);
    g_ptr_array_add(openers, opener);
}

static gboolean image_add(store_t *store, GHashTable *blocklist, const char *image, GPtrArray *openers,
                          GError **error)
{
    store_image_name_t *name = store_image_name_parse(image, error);
    g_autoptr(GPtrArray) watchers = NULL;
    GError *watchers_error = NULL;

    if (name == NULL) {
        return FALSE;
    }
    watchers = store_do_image_watchers(store, name, &watchers_error);
    store_image_name_free(name);
    for (guint i = 0; watchers != NULL && i < watchers->len; i++) {
        opener_add(openers, blocklist, image, ((const store_watcher_t *) watchers->pdata[i])->address);
    }
    if (g_error_matches(watchers_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_clear_error(&watchers_error);
    } else if (watchers_error != NULL) {
        g_propagate_error(error, watchers_error);
        return FALSE;
    }
    return TRUE;
}

GPtrArray *store_do_image_openers(store_t *store, const char *const *images, GError **error)
{
    /* In this order; see store.h. */
    g_autoptr(GHashTable) blocklist = store_do_blocklist_list(store, error);
    g_autoptr(GPtrArray) openers = g_ptr_array_new_with_free_func(opener_free);

    if (blocklist == NULL || !store_do_osd_map_wait(store, error)) {
        return NULL;
    }
    for (; *images != NULL; images++) {
        if (!image_add(store, blocklist, *images, openers, error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&openers);
}

ssize_t image_lockers_read(rbd_image_t image, image_lockers_t *lockers)
{
    size_t tag_bytes = sizeof lockers->tag;
    size_t clients_bytes = sizeof lockers->clients;
    size_t cookies_bytes = sizeof lockers->cookies;
    int exclusive = 0;

    *lockers = (image_lockers_t) { .addresses_bytes = sizeof lockers->addresses };
    return rbd_list_lockers(image, &exclusive, lockers->tag, &tag_bytes, lockers->clients, &clients_bytes,
                            lockers->cookies, &cookies_bytes, lockers->addresses, &lockers->addresses_bytes);
}

gboolean store_do_image_foreign_lock(store_t *store, const store_image_name_t *name, char **remove_command,
                                     GError **error)
{
    g_autofree char *text = store_image_name_text(name);
    g_autoptr(GError) open_error = NULL;
    opened_image_t opened;
    image_lockers_t lockers;
    ssize_t count = 0;

    *remove_command = NULL;
    if (!opened_image_open(store, name, FALSE, &opened, &open_error)) {
        if (g_error_matches(open_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
            return TRUE;
        }
        g_propagate_error(error, g_steal_pointer(&open_error));
        return FALSE;
    }
    count = image_lockers_read(opened.image, &lockers);
    opened_image_close(&opened);
    if (count < 0) {
        return store_fail(error, (int) count, "can't tell who has locked image %s", text);
    }
    if (count > 0 && strcmp(lockers.tag, IMAGE_LOCK_MANAGED_TAG) != 0) {
        g_autofree char *cookie = g_shell_quote(lockers.cookies);

        *remove_command = g_strdup_printf("rbd lock rm %s %s %s", text, cookie, lockers.clients);
    }
    return TRUE;
}
