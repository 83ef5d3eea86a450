/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which images the kernel of this host has open, as /sys shows it. */
#include "image/kernel_mapping.h"

#include <string.h>

#include "base/error.h"
#include "store/store.h"
#include "store/store_address.h"

/* "" if the kernel does not show it: older ones have neither the namespace nor the client. */
static char *attribute(const char *directory, const char *id, const char *name)
{
    g_autofree char *path = g_build_filename(directory, id, name, NULL);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? g_strstrip(text) : g_strdup("");
}

/* Of the image itself, not of a snapshot, which nobody writes. */
static gboolean is_of_image(const char *directory, const char *id, const store_image_name_t *image)
{
    g_autofree char *pool = attribute(directory, id, "pool");
    g_autofree char *namespace = attribute(directory, id, "pool_ns");
    g_autofree char *name = attribute(directory, id, "name");
    g_autofree char *snapshot = attribute(directory, id, "current_snap");

    return strcmp(pool, image->pool) == 0 && strcmp(namespace, image->namespace) == 0 && strcmp(name, image->image) == 0
           && (snapshot[0] == '\0' || strcmp(snapshot, "-") == 0);
}

/* Whether it may be: one that is not shown may be any. */
static gboolean is_of_client(const char *directory, const char *id, const char *address)
{
    g_autofree char *client = attribute(directory, id, "client_addr");
    g_autofree char *client_ip = store_address_ip(client);
    g_autofree char *ip = store_address_ip(address);
    const char *client_nonce = strrchr(client, '/');
    const char *nonce = strrchr(address, '/');

    return client_ip == NULL || (g_strcmp0(client_ip, ip) == 0 && g_strcmp0(client_nonce, nonce) == 0);
}

static char *device_of(const char *directory, GDir *ids, const store_image_name_t *image, const char *address)
{
    const char *id = NULL;

    while ((id = g_dir_read_name(ids)) != NULL) {
        if (is_of_image(directory, id, image) && is_of_client(directory, id, address)) {
            return g_strconcat("/dev/rbd", id, NULL);
        }
    }
    return NULL;
}

gboolean kernel_mapping_find(const char *directory, const char *image, const char *address, char **device, GError **error)
{
    g_autoptr(GError) open_error = NULL;
    g_autoptr(GDir) ids = g_dir_open(directory, 0, &open_error);
    store_image_name_t *name = NULL;

    *device = NULL;
    if (g_error_matches(open_error, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        return TRUE; /* a kernel that has never mapped anything */
    }
    if (ids == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "what this host's kernel has mapped can't be read: %s",
                    open_error->message);
        return FALSE;
    }
    name = store_image_name_parse(image, error);
    if (name == NULL) {
        return FALSE;
    }
    *device = device_of(directory, ids, name, address);
    store_image_name_free(name);
    return TRUE;
}
