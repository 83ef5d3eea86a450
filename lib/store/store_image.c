/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: RBD images. */
#include <errno.h>
#include <string.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/names.h"
#include "store/store_address.h"
#include "store/store_private.h"

/* Metadata key of a clone that store_image_clone() has finished; its value is PARENT@POINT. */
#define COMPLETE_KEY        "understudy_clone"
#define CLONE_FORMAT        2          /* needs no protected snapshot */
/* A clone has the features of its parent, which may be without the object map: then what is the clone's own is found
 * by asking for every object, a second for 100 GiB, and an object that was trimmed is not found at all. */
#define CLONE_FEATURES      (RBD_FEATURE_EXCLUSIVE_LOCK | RBD_FEATURE_OBJECT_MAP | RBD_FEATURE_FAST_DIFF)

gboolean store_pool_open(store_t *store, const store_image_name_t *name, rados_ioctx_t *io, GError **error)
{
    int rc = rados_ioctx_create(store->cluster, name->pool, io);

    if (rc == -ENOENT) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND, "there is no pool '%s' in Ceph", name->pool);
        return FALSE;
    }
    if (rc < 0) {
        return store_fail(error, rc, "can't use pool '%s'", name->pool);
    }
    if (name->namespace[0] != '\0') {
        rados_ioctx_set_namespace(*io, name->namespace);
    }
    return TRUE;
}

gboolean store_image_fail(GError **error, int rc, const store_image_name_t *name, const char *what)
{
    g_autofree char *text = store_image_name_text(name);

    if (rc == -ENOENT) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND, "there is no image %s in Ceph", text);
        return FALSE;
    }
    return store_fail(error, rc, "can't %s image %s", what, text);
}

gboolean opened_image_open(store_t *store, const store_image_name_t *name, gboolean for_writing,
                           opened_image_t *opened, GError **error)
{
    int rc = 0;

    memset(opened, 0, sizeof *opened);
    if (!store_pool_open(store, name, &opened->io, error)) {
        return FALSE;
    }
    rc = for_writing ? rbd_open(opened->io, name->image, &opened->image, NULL)
                     : rbd_open_read_only(opened->io, name->image, &opened->image, NULL);
    if (rc < 0) {
        opened->image = NULL;
        opened_image_close(opened);
        return store_image_fail(error, rc, name, "open");
    }
    return TRUE;
}

void opened_image_close(opened_image_t *opened)
{
    if (opened->image != NULL) {
        rbd_close(opened->image);
    }
    if (opened->io != NULL) {
        rados_ioctx_destroy(opened->io);
    }
    memset(opened, 0, sizeof *opened);
}

gboolean store_do_image_exists(store_t *store, const store_image_name_t *name, gboolean *exists, GError **error)
{
    opened_image_t opened;
    rados_ioctx_t io = NULL;
    GError *open_error = NULL;

    /* A missing pool is an error of its own: asking for an image in it is a mistake. */
    if (!store_pool_open(store, name, &io, error)) {
        return FALSE;
    }
    rados_ioctx_destroy(io);
    *exists = opened_image_open(store, name, FALSE, &opened, &open_error);
    if (*exists) {
        opened_image_close(&opened);
        return TRUE;
    }
    if (g_error_matches(open_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_error_free(open_error);
        return TRUE;
    }
    g_propagate_error(error, open_error);
    return FALSE;
}

gboolean store_do_image_size(store_t *store, const store_image_name_t *name, guint64 *size_bytes, GError **error)
{
    opened_image_t opened;
    int rc = 0;

    if (!opened_image_open(store, name, FALSE, &opened, error)) {
        return FALSE;
    }
    rc = rbd_get_size(opened.image, size_bytes);
    opened_image_close(&opened);
    return rc >= 0 || store_image_fail(error, rc, name, "read the size of");
}

static void watcher_free(gpointer data)
{
    store_watcher_t *watcher = data;

    g_free(watcher->address);
    g_free(watcher->ip);
    g_free(watcher);
}

static GPtrArray *watchers_copy(const rbd_image_watcher_t *raw, size_t count)
{
    GPtrArray *watchers = g_ptr_array_new_with_free_func(watcher_free);

    for (size_t i = 0; i < count; i++) {
        store_watcher_t *watcher = g_new0(store_watcher_t, 1);

        watcher->address = g_strdup(raw[i].addr);
        watcher->ip = store_address_ip(raw[i].addr);
        watcher->client_id = raw[i].id;
        watcher->cookie = raw[i].cookie;
        g_ptr_array_add(watchers, watcher);
    }
    return watchers;
}

GPtrArray *store_do_image_watchers(store_t *store, const store_image_name_t *name, GError **error)
{
    opened_image_t opened;
    size_t count = 8;
    g_autofree rbd_image_watcher_t *raw = NULL;
    GPtrArray *watchers = NULL;
    int rc = -ERANGE;

    if (!opened_image_open(store, name, FALSE, &opened, error)) {
        return NULL;
    }
    while (rc == -ERANGE) { /* count is what it takes then */
        g_free(raw);
        raw = g_new0(rbd_image_watcher_t, count);
        rc = rbd_watchers_list(opened.image, raw, &count);
    }
    if (rc < 0) {
        store_image_fail(error, rc, name, "list the watchers of");
    } else {
        watchers = watchers_copy(raw, count);
        rbd_watchers_list_cleanup(raw, count);
    }
    opened_image_close(&opened);
    return watchers;
}

static int compare_newest_first(const void *a, const void *b)
{
    const rbd_snap_info_t *snap_a = a;
    const rbd_snap_info_t *snap_b = b;

    return snap_a->id < snap_b->id ? 1 : snap_a->id > snap_b->id ? -1 : 0;
}

/* The snapshots of an image, newest first, or NULL; freed by snaps_free(). */
static rbd_snap_info_t *snaps_read(store_t *store, const store_image_name_t *name, int *count, GError **error)
{
    opened_image_t opened;
    g_autofree rbd_snap_info_t *snaps = NULL;
    int size = 16;

    *count = -ERANGE;
    if (!opened_image_open(store, name, FALSE, &opened, error)) {
        return NULL;
    }
    while (*count == -ERANGE) {
        g_free(snaps);
        snaps = g_new0(rbd_snap_info_t, size);
        *count = rbd_snap_list(opened.image, snaps, &size);
    }
    opened_image_close(&opened);
    if (*count < 0) {
        store_image_fail(error, *count, name, "list the recovery points of");
        return NULL;
    }
    qsort(snaps, (size_t) *count, sizeof *snaps, compare_newest_first);
    return g_steal_pointer(&snaps);
}

static void snaps_free(rbd_snap_info_t *snaps, int count)
{
    for (int i = 0; i < count; i++) {
        free((char *) snaps[i].name); /* rbd_snap_list_end() looks for an end mark that sorting has moved */
    }
    g_free(snaps);
}

char **store_do_image_points(store_t *store, const store_image_name_t *name, GError **error)
{
    g_autoptr(GStrvBuilder) points = g_strv_builder_new();
    int count = 0;
    rbd_snap_info_t *snaps = snaps_read(store, name, &count, error);

    if (snaps == NULL) {
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        if (g_str_has_prefix(snaps[i].name, POINT_PREFIX)) {
            g_strv_builder_add(points, snaps[i].name);
        }
    }
    snaps_free(snaps, count);
    return g_strv_builder_end(points);
}

gboolean store_do_point_id(store_t *store, const store_image_name_t *name, const char *point, guint64 *id, GError **error)
{
    int count = 0;
    rbd_snap_info_t *snaps = snaps_read(store, name, &count, error);

    *id = 0;
    if (snaps == NULL) {
        return FALSE;
    }
    for (int i = 0; i < count && *id == 0; i++) {
        if (point != NULL ? strcmp(snaps[i].name, point) == 0 : g_str_has_prefix(snaps[i].name, POINT_PREFIX)) {
            *id = snaps[i].id;
        }
    }
    snaps_free(snaps, count);
    return TRUE;
}

gboolean store_do_point_create(store_t *store, const store_image_name_t *name, const char *point, GError **error)
{
    opened_image_t opened;
    int rc = 0;

    if (!opened_image_open(store, name, TRUE, &opened, error)) {
        return FALSE;
    }
    rc = rbd_snap_create(opened.image, point);
    opened_image_close(&opened);
    if (rc == -EEXIST) {
        g_autofree char *text = store_image_name_text(name);

        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS, "%s has a snapshot %s already", text, point);
        return FALSE;
    }
    return rc >= 0 || store_image_fail(error, rc, name, "make a recovery point of");
}

static int clone_format_2(rados_ioctx_t parent_io, const char *parent, const char *point, rados_ioctx_t child_io,
                          const char *child)
{
    rbd_image_options_t options = NULL;
    int rc = 0;

    rbd_image_options_create(&options);
    rc = rbd_image_options_set_uint64(options, RBD_IMAGE_OPTION_CLONE_FORMAT, CLONE_FORMAT);
    if (rc >= 0) {
        rc = rbd_image_options_set_uint64(options, RBD_IMAGE_OPTION_FEATURES_SET, CLONE_FEATURES);
    }
    if (rc >= 0) {
        rc = rbd_clone3(parent_io, parent, point, child_io, child, options);
    }
    rbd_image_options_destroy(options);
    return rc;
}

/* A creation that was cut off in its first steps leaves a name without an image: nothing can be in it. */
static gboolean is_name_without_image(rados_ioctx_t io, const char *image)
{
    rbd_image_t opened = NULL;
    int rc = rbd_open_read_only(io, image, &opened, NULL);

    if (rc >= 0) {
        rbd_close(opened);
    }
    return rc == -ENOENT;
}

static gboolean clone_mark_complete(store_t *store, const store_image_name_t *child, const char *origin,
                                    GError **error)
{
    opened_image_t opened;
    int rc = 0;

    if (!opened_image_open(store, child, TRUE, &opened, error)) {
        return FALSE;
    }
    rc = rbd_metadata_set(opened.image, COMPLETE_KEY, origin);
    opened_image_close(&opened);
    return rc >= 0 || store_image_fail(error, rc, child, "mark");
}

gboolean store_do_image_clone(store_t *store, const store_image_name_t *parent, const char *point,
                              const store_image_name_t *child, GError **error)
{
    g_autofree char *parent_text = store_image_name_text(parent);
    g_autofree char *child_text = store_image_name_text(child);
    g_autofree char *origin = g_strconcat(parent_text, "@", point, NULL);
    rados_ioctx_t parent_io = NULL;
    rados_ioctx_t child_io = NULL;
    int rc = 0;

    if (!store_pool_open(store, parent, &parent_io, error)) {
        return FALSE;
    }
    if (!store_pool_open(store, child, &child_io, error)) {
        rados_ioctx_destroy(parent_io);
        return FALSE;
    }
    rc = clone_format_2(parent_io, parent->image, point, child_io, child->image);
    if (rc == -EEXIST && is_name_without_image(child_io, child->image)) {
        (void) rbd_remove(child_io, child->image);
        rc = clone_format_2(parent_io, parent->image, point, child_io, child->image);
    }
    rados_ioctx_destroy(parent_io);
    rados_ioctx_destroy(child_io);
    if (rc == -ENOENT) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND, "there is no %s in Ceph", origin);
        return FALSE;
    }
    if (rc == -EEXIST) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS, "image %s exists already", child_text);
        return FALSE;
    }
    if (rc < 0) {
        return store_fail(error, rc, "can't clone %s to %s", origin, child_text);
    }
    return clone_mark_complete(store, child, origin, error);
}

/* -ENOENT: it has no parent. Else 0, and both are to be cleaned up; or an error of librbd's. */
static int parent_spec_read(rbd_image_t image, rbd_linked_image_spec_t *spec, rbd_snap_spec_t *snap)
{
    memset(spec, 0, sizeof *spec);
    memset(snap, 0, sizeof *snap);
    return rbd_get_parent(image, spec, snap);
}

/* What the image was cloned from; both NULL if it has no parent. */
static int parent_read(rbd_image_t image, char **parent, char **point)
{
    rbd_linked_image_spec_t spec;
    rbd_snap_spec_t snap;
    int rc = parent_spec_read(image, &spec, &snap);

    *parent = NULL;
    *point = NULL;
    if (rc >= 0) {
        const store_image_name_t name = { .pool = spec.pool_name, .namespace = spec.pool_namespace,
                                          .image = spec.image_name };

        *parent = store_image_name_text(&name);
        *point = g_strdup(snap.name);
        rbd_linked_image_spec_cleanup(&spec);
        rbd_snap_spec_cleanup(&snap);
    }
    return rc == -ENOENT ? 0 : rc;
}

gboolean store_do_clone_state(store_t *store, const store_image_name_t *name, gboolean *complete, char **parent,
                              char **point, GError **error)
{
    opened_image_t opened;
    char value[METADATA_MAX_BYTES];
    size_t value_bytes = sizeof value;
    int metadata_rc = 0;
    int parent_rc = 0;

    if (!opened_image_open(store, name, FALSE, &opened, error)) {
        return FALSE;
    }
    metadata_rc = rbd_metadata_get(opened.image, COMPLETE_KEY, value, &value_bytes);
    parent_rc = parent_read(opened.image, parent, point);
    opened_image_close(&opened);
    if (metadata_rc < 0 && metadata_rc != -ENOENT && metadata_rc != -ERANGE) {
        g_clear_pointer(parent, g_free);
        g_clear_pointer(point, g_free);
        return store_image_fail(error, metadata_rc, name, "read the metadata of");
    }
    if (parent_rc < 0) {
        return store_image_fail(error, parent_rc, name, "read the parent of");
    }
    *complete = metadata_rc != -ENOENT;
    return TRUE;
}

static gboolean origin_read(store_t *store, const store_image_name_t *name, rbd_linked_image_spec_t *spec,
                            rbd_snap_spec_t *snap, gboolean *has_origin, GError **error)
{
    opened_image_t opened;
    int rc = 0;

    if (!opened_image_open(store, name, FALSE, &opened, error)) {
        return FALSE;
    }
    rc = parent_spec_read(opened.image, spec, snap);
    opened_image_close(&opened);
    *has_origin = rc >= 0;
    return rc >= 0 || rc == -ENOENT || store_image_fail(error, rc, name, "read the parent of");
}

static gboolean has_snapshot(rbd_image_t image, const rbd_snap_spec_t *wanted)
{
    uint64_t id = 0;

    return rbd_snap_get_id(image, wanted->name, &id) == 0 && id == wanted->id;
}

/* The trash keeps an image's name. */
static gboolean is_origin(store_t *store, const store_image_name_t *parent, const rbd_linked_image_spec_t *spec,
                          const rbd_snap_spec_t *snap, gboolean *is_of, GError **error)
{
    opened_image_t opened;
    char id[IMAGE_ID_MAX_BYTES];
    int rc = 0;

    if (strcmp(spec->pool_name, parent->pool) != 0 || strcmp(spec->pool_namespace, parent->namespace) != 0 || spec->trash) {
        return TRUE;
    }
    if (!opened_image_open(store, parent, FALSE, &opened, error)) {
        return FALSE;
    }
    rc = rbd_get_id(opened.image, id, sizeof id);
    *is_of = rc >= 0 && strcmp(id, spec->image_id) == 0 && has_snapshot(opened.image, snap);
    opened_image_close(&opened);
    return rc >= 0 || store_image_fail(error, rc, parent, "read the id of");
}

gboolean store_do_clone_is_of(store_t *store, const store_image_name_t *name, const store_image_name_t *parent,
                              gboolean *is_of, GError **error)
{
    rbd_linked_image_spec_t spec;
    rbd_snap_spec_t snap;
    gboolean has_origin = FALSE;
    gboolean done = FALSE;

    *is_of = FALSE;
    if (!origin_read(store, name, &spec, &snap, &has_origin, error)) {
        return FALSE;
    }
    if (!has_origin) {
        return TRUE;
    }
    done = is_origin(store, parent, &spec, &snap, is_of, error);
    rbd_linked_image_spec_cleanup(&spec);
    rbd_snap_spec_cleanup(&snap);
    return done;
}

gboolean store_do_image_create(store_t *store, const store_image_name_t *name, guint64 size_bytes, GError **error)
{
    g_autofree char *text = store_image_name_text(name);
    rbd_image_options_t options = NULL;
    rados_ioctx_t io = NULL;
    int rc = 0;

    if (!store_pool_open(store, name, &io, error)) {
        return FALSE;
    }
    rbd_image_options_create(&options);
    rc = rbd_image_options_set_uint64(options, RBD_IMAGE_OPTION_FEATURES_SET, RBD_FEATURE_EXCLUSIVE_LOCK);
    if (rc >= 0) {
        rc = rbd_create4(io, name->image, size_bytes, options);
    }
    rbd_image_options_destroy(options);
    rados_ioctx_destroy(io);
    if (rc == -EEXIST) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS, "image %s exists already", text);
        return FALSE;
    }
    return rc >= 0 || store_fail(error, rc, "can't create image %s", text);
}

gboolean store_do_image_rename(store_t *store, const store_image_name_t *name, const char *new_image, GError **error)
{
    rados_ioctx_t io = NULL;
    int rc = 0;

    if (!store_pool_open(store, name, &io, error)) {
        return FALSE;
    }
    rc = rbd_rename(io, name->image, new_image);
    rados_ioctx_destroy(io);
    if (rc == -EEXIST) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS, "image %s/%s exists already", name->pool,
                    new_image);
        return FALSE;
    }
    return rc >= 0 || store_image_fail(error, rc, name, "rename");
}

gboolean store_do_image_remove(store_t *store, const store_image_name_t *name, GError **error)
{
    g_autofree char *text = store_image_name_text(name);
    rados_ioctx_t io = NULL;
    int rc = 0;

    if (!store_pool_open(store, name, &io, error)) {
        return FALSE;
    }
    rc = rbd_remove(io, name->image);
    rados_ioctx_destroy(io);
    if (rc == -EBUSY || rc == -ENOTEMPTY) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "image %s is in use or has snapshots", text);
        return FALSE;
    }
    return rc >= 0 || store_image_fail(error, rc, name, "remove");
}

/* What the image has of its own, object by object; *rc is the call's, to be judged by the caller. Whole objects:
 * with whole_object = 0 a discard of a whole object that hides the parent's data is not reported, and librbd asks
 * the OSDs about every single object instead of reading the object map once. */
static gboolean own_objects_visit(store_t *store, const store_image_name_t *name,
                                  int (*visit)(uint64_t offset, size_t length, int exists, void *user_data),
                                  void *user_data, int *rc, GError **error)
{
    opened_image_t opened;
    uint64_t size_bytes = 0;

    if (!opened_image_open(store, name, FALSE, &opened, error)) {
        return FALSE;
    }
    *rc = rbd_get_size(opened.image, &size_bytes);
    if (*rc >= 0) {
        *rc = rbd_diff_iterate2(opened.image, NULL, 0, size_bytes, 0, 1, visit, user_data);
    }
    opened_image_close(&opened);
    return TRUE;
}

static gboolean own_objects_fail(GError **error, int rc, const store_image_name_t *name)
{
    return store_image_fail(error, rc, name, "find what was written in");
}

/* An error of the visitor ends librbd's search. */
static int written_note(uint64_t offset, size_t length, int exists, void *user_data)
{
    gboolean *written = user_data;

    (void) offset;
    (void) length;
    (void) exists; /* what was trimmed was changed too */
    *written = TRUE;
    return -ECANCELED;
}

gboolean store_do_image_is_written(store_t *store, const store_image_name_t *name, gboolean *written, GError **error)
{
    int rc = 0;

    *written = FALSE;
    return own_objects_visit(store, name, written_note, written, &rc, error)
           && (*written || rc >= 0 || own_objects_fail(error, rc, name));
}

gboolean store_do_points_differ(store_t *store, const store_image_name_t *name, const char *from, const char *to,
                                gboolean *differ, GError **error)
{
    opened_image_t opened;
    uint64_t size_bytes = 0;
    int rc = 0;

    *differ = FALSE;
    if (!opened_image_open(store, name, FALSE, &opened, error)) {
        return FALSE;
    }
    rc = rbd_snap_set(opened.image, to);
    if (rc >= 0) {
        rc = rbd_get_size(opened.image, &size_bytes);
    }
    if (rc >= 0) {
        rc = rbd_diff_iterate2(opened.image, from, 0, size_bytes, 0, 1, written_note, differ);
    }
    opened_image_close(&opened);
    if (rc == -ENOENT || rc == -EINVAL) { /* one of them is gone, or they stand the other way round */
        *differ = TRUE;
    }
    return *differ || rc >= 0 || own_objects_fail(error, rc, name);
}

static int own_bytes_add(uint64_t offset, size_t length, int exists, void *user_data)
{
    guint64 *sum = user_data;

    (void) offset;
    *sum += exists != 0 ? length : 0;
    return 0;
}

gboolean store_do_image_own_bytes(store_t *store, const store_image_name_t *name, guint64 *bytes, GError **error)
{
    int rc = 0;

    *bytes = 0;
    return own_objects_visit(store, name, own_bytes_add, bytes, &rc, error)
           && (rc >= 0 || own_objects_fail(error, rc, name));
}
