/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: who has any image of a pool open, and what the monitors say. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "store/store_address.h"
#include "store/store_map.h"
#include "store/store_private.h"

/* Images that are opened at once: each costs a few round trips. */
#define OPEN_IN_FLIGHT 32U
/* The object by which a name leads to an image. */
#define ID_OBJECT_PREFIX "rbd_id."
#define ID_MAX_BYTES     256

typedef struct pool_image {
    char *name; /* pool/image or pool/namespace/image */
    char *id;
    rados_ioctx_t io; /* of its pool, not its own */
    rbd_image_t image; /* NULL: not open */
    rbd_completion_t completion;
} pool_image_t;

struct store_pool_watch {
    GPtrArray *ios;    /* rados_ioctx_t */
    GPtrArray *images; /* pool_image_t* */
};

char *store_do_monitor_ask(store_t *store, const char *command_json, GError **error)
{
    char *output = NULL;

    return store_monitor_command(store, command_json, &output, error) ? output : NULL;
}

gboolean store_do_osd_map_wait(store_t *store, GError **error)
{
    int rc = rados_wait_for_latest_osdmap(store->cluster);

    return rc >= 0 || store_fail(error, rc, "the newest OSD map does not arrive");
}

gboolean store_do_pool_exists(store_t *store, const char *pool, GError **error)
{
    store_image_name_t name = { .pool = (char *) pool, .namespace = (char *) "", .image = NULL };
    rados_ioctx_t io = NULL;

    if (!store_pool_open(store, &name, &io, error)) {
        return FALSE;
    }
    rados_ioctx_destroy(io);
    return TRUE;
}

GHashTable *store_do_full_pools(store_t *store, GError **error)
{
    g_autoptr(store_map_t) map = store_map_read(store, error);

    return map != NULL ? g_hash_table_ref(map->full_pools) : NULL;
}

static void pool_image_free(gpointer data)
{
    pool_image_t *image = data;

    if (image->image != NULL) {
        rbd_close(image->image);
    }
    g_free(image->name);
    g_free(image->id);
    g_free(image);
}

/* What librbd lists with its -ERANGE protocol; the caller frees the members. */
static int images_read(rados_ioctx_t io, rbd_image_spec_t **specs, size_t *count)
{
    int rc = -ERANGE;

    *count = 64;
    *specs = NULL;
    while (rc == -ERANGE) {
        g_free(*specs);
        *specs = g_new0(rbd_image_spec_t, *count);
        rc = rbd_list2(io, *specs, count);
    }
    return rc;
}

char **store_do_image_list(store_t *store, const char *pool, const char *prefix, GError **error)
{
    const store_image_name_t name = { .pool = (char *) pool, .namespace = (char *) "", .image = NULL };
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    g_autofree rbd_image_spec_t *specs = NULL;
    rados_ioctx_t io = NULL;
    size_t count = 0;
    int rc = 0;

    if (!store_pool_open(store, &name, &io, error)) {
        return NULL;
    }
    rc = images_read(io, &specs, &count);
    rados_ioctx_destroy(io);
    if (rc < 0) {
        (void) store_fail(error, rc, "can't list the images in pool '%s'", pool);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (g_str_has_prefix(specs[i].name, prefix)) {
            g_strv_builder_add(names, specs[i].name);
        }
    }
    rbd_image_spec_list_cleanup(specs, count);
    return g_strv_builder_end(names);
}

/* What the pool lists an image as that this name opens; NULL if it does not list it. */
static int listed_name(const opened_image_t *opened, char **listed)
{
    g_autofree rbd_image_spec_t *specs = NULL;
    char id[ID_MAX_BYTES] = "";
    size_t count = 0;
    int rc = rbd_get_id(opened->image, id, sizeof id);

    *listed = NULL;
    if (rc < 0) {
        return rc;
    }
    rc = images_read(opened->io, &specs, &count);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        if (*listed == NULL && strcmp(specs[i].id, id) == 0) {
            *listed = g_strdup(specs[i].name);
        }
    }
    rbd_image_spec_list_cleanup(specs, count);
    return 0;
}

gboolean store_do_rename_finish(store_t *store, const store_image_name_t *name, char **new_image, GError **error)
{
    g_autofree char *id_object = g_strconcat(ID_OBJECT_PREFIX, name->image, NULL);
    g_autofree char *text = store_image_name_text(name);
    g_autofree char *listed = NULL;
    rados_ioctx_t io = NULL;
    opened_image_t opened;
    int rc = 0;

    *new_image = NULL;
    if (!opened_image_open(store, name, FALSE, &opened, error)) {
        return FALSE;
    }
    rc = listed_name(&opened, &listed);
    opened_image_close(&opened);
    if (rc >= 0 && (listed == NULL || strcmp(listed, name->image) == 0)) {
        return TRUE;
    }
    if (rc >= 0 && !store_pool_open(store, name, &io, error)) {
        return FALSE;
    }
    if (rc >= 0) { /* the last thing that a rename does */
        rc = rados_remove(io, id_object);
        rados_ioctx_destroy(io);
    }
    if (rc < 0 && rc != -ENOENT) {
        return store_fail(error, rc, "can't finish the renaming of image %s", text);
    }
    *new_image = g_steal_pointer(&listed);
    return TRUE;
}

static gboolean images_list(store_pool_watch_t *watch, rados_ioctx_t io, const char *pool, const char *space,
                            GError **error)
{
    g_autofree rbd_image_spec_t *specs = NULL;
    size_t count = 0;
    int rc = images_read(io, &specs, &count);

    if (rc < 0) {
        return store_fail(error, rc, "can't list the images in pool '%s'", pool);
    }
    for (size_t i = 0; i < count; i++) {
        pool_image_t *image = g_new0(pool_image_t, 1);

        image->io = io;
        image->id = g_strdup(specs[i].id);
        image->name = space[0] != '\0' ? g_strjoin("/", pool, space, specs[i].name, NULL)
                                       : g_strjoin("/", pool, specs[i].name, NULL);
        g_ptr_array_add(watch->images, image);
    }
    rbd_image_spec_list_cleanup(specs, count);
    return TRUE;
}

static gboolean space_add(store_t *store, store_pool_watch_t *watch, const char *pool, const char *space,
                          GError **error)
{
    store_image_name_t name = { .pool = (char *) pool, .namespace = (char *) space, .image = NULL };
    rados_ioctx_t io = NULL;

    if (!store_pool_open(store, &name, &io, error)) {
        return FALSE;
    }
    g_ptr_array_add(watch->ios, io);
    return images_list(watch, io, pool, space, error);
}

/* Namespaces of a pool, one NUL-terminated name after the other; NULL with *rc. */
static char *namespaces_read(rados_ioctx_t io, size_t *bytes, int *rc)
{
    char *names = NULL;

    *bytes = 4096;
    do {
        g_free(names);
        names = g_malloc0(*bytes);
        *rc = rbd_namespace_list(io, names, bytes);
    } while (*rc == -ERANGE);
    if (*rc < 0) {
        g_clear_pointer(&names, g_free);
    }
    return names;
}

static gboolean pool_add(store_t *store, store_pool_watch_t *watch, const char *pool, GError **error)
{
    g_autofree char *names = NULL;
    size_t bytes = 0;
    int rc = 0;

    if (!space_add(store, watch, pool, "", error)) {
        return FALSE;
    }
    names = namespaces_read(g_ptr_array_index(watch->ios, watch->ios->len - 1), &bytes, &rc);
    if (names == NULL) {
        return store_fail(error, rc, "can't list the namespaces of pool '%s'", pool);
    }
    for (size_t i = 0; i < bytes; i += strlen(names + i) + 1) {
        if (names[i] != '\0' && !space_add(store, watch, pool, names + i, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static int image_open_start(pool_image_t *image)
{
    int rc = rbd_aio_create_completion(NULL, NULL, &image->completion);

    if (rc < 0) {
        image->completion = NULL;
        return rc;
    }
    rc = rbd_aio_open_by_id_read_only(image->io, image->id, &image->image, NULL, image->completion);
    if (rc < 0) {
        rbd_aio_release(image->completion);
        image->completion = NULL;
    }
    return rc;
}

/* librbd has freed the image if the opening failed. */
static int image_open_end(pool_image_t *image)
{
    int rc = 0;

    if (image->completion == NULL) {
        return 0;
    }
    rbd_aio_wait_for_complete(image->completion);
    rc = (int) rbd_aio_get_return_value(image->completion);
    rbd_aio_release(image->completion);
    image->completion = NULL;
    if (rc < 0) {
        image->image = NULL;
    }
    return rc;
}

/* An image that has gone in the meantime has no watcher. */
static gboolean images_open(store_pool_watch_t *watch, GError **error)
{
    int first_rc = 0;
    const char *first_name = NULL;

    for (guint begin = 0; begin < watch->images->len; begin += OPEN_IN_FLIGHT) {
        guint end = MIN(begin + OPEN_IN_FLIGHT, watch->images->len);
        int started[OPEN_IN_FLIGHT] = { 0 };

        for (guint i = begin; i < end; i++) {
            started[i - begin] = image_open_start(g_ptr_array_index(watch->images, i));
        }
        for (guint i = begin; i < end; i++) {
            pool_image_t *image = g_ptr_array_index(watch->images, i);
            int rc = started[i - begin] < 0 ? started[i - begin] : image_open_end(image);

            if (rc < 0 && rc != -ENOENT && first_rc == 0) {
                first_rc = rc;
                first_name = image->name;
            }
        }
    }
    return first_rc == 0 || store_fail(error, first_rc, "can't look at image %s", first_name);
}

store_pool_watch_t *store_do_pool_watch_open(store_t *store, const char *const *pools, GError **error)
{
    store_pool_watch_t *watch = g_new0(store_pool_watch_t, 1);

    watch->ios = g_ptr_array_new();
    watch->images = g_ptr_array_new_with_free_func(pool_image_free);
    for (const char *const *pool = pools; *pool != NULL; pool++) {
        if (!pool_add(store, watch, *pool, error)) {
            store_do_pool_watch_close(watch);
            return NULL;
        }
    }
    if (!images_open(watch, error)) {
        store_do_pool_watch_close(watch);
        return NULL;
    }
    return watch;
}

void store_do_pool_watch_close(store_pool_watch_t *watch)
{
    if (watch == NULL) {
        return;
    }
    g_ptr_array_unref(watch->images);
    for (guint i = 0; i < watch->ios->len; i++) {
        rados_ioctx_destroy(g_ptr_array_index(watch->ios, i));
    }
    g_ptr_array_unref(watch->ios);
    g_free(watch);
}

static void client_free(gpointer data)
{
    store_client_t *client = data;

    g_free(client->image);
    g_free(client->address);
    g_free(client->ip);
    g_free(client);
}

static void client_add(GPtrArray *clients, const char *image, const char *address, gboolean watches)
{
    store_client_t *client = g_new0(store_client_t, 1);

    client->image = g_strdup(image);
    client->address = g_strdup(address);
    client->ip = store_address_ip(address);
    client->watches = watches;
    g_ptr_array_add(clients, client);
}

static int watchers_add(const pool_image_t *image, GPtrArray *clients)
{
    g_autofree rbd_image_watcher_t *raw = NULL;
    size_t count = 8;
    int rc = -ERANGE;

    while (rc == -ERANGE) {
        g_free(raw);
        raw = g_new0(rbd_image_watcher_t, count);
        rc = rbd_watchers_list(image->image, raw, &count);
    }
    if (rc >= 0) {
        for (size_t i = 0; i < count; i++) {
            client_add(clients, image->name, raw[i].addr, TRUE);
        }
        rbd_watchers_list_cleanup(raw, count);
    }
    return rc;
}

/* The holder of the exclusive lock: its entry outlives its watch. */
static void locker_add(const pool_image_t *image, GPtrArray *clients)
{
    image_lockers_t lockers;
    ssize_t count = image_lockers_read(image->image, &lockers);
    size_t at = 0;

    for (ssize_t i = 0; i < count && at < lockers.addresses_bytes; i++) {
        client_add(clients, image->name, lockers.addresses + at, FALSE);
        at += strlen(lockers.addresses + at) + 1;
    }
}

GPtrArray *store_do_pool_watch_look(store_pool_watch_t *watch, guint *refused_count, GError **error)
{
    g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func(client_free);

    *refused_count = 0;
    for (guint i = 0; i < watch->images->len; i++) {
        pool_image_t *image = g_ptr_array_index(watch->images, i);
        int rc = image->image != NULL ? watchers_add(image, clients) : 0;

        if (rc == -ESHUTDOWN) {
            (*refused_count)++;
        } else if (rc < 0 && rc != -ENOENT) {
            store_fail(error, rc, "can't list the watchers of image %s", image->name);
            return NULL;
        } else if (rc >= 0 && image->image != NULL) {
            locker_add(image, clients);
        }
    }
    return g_steal_pointer(&clients);
}

guint store_do_pool_watch_count(const store_pool_watch_t *watch)
{
    return watch->images->len;
}
