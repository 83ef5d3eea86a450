/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/store.h"

#include "base/module.h"
#include "store/store_module.h"

/* Set by the first store_open() that succeeds in loading the module; nobody has a store_t before that. */
static const store_ops_t *ops = NULL;

store_t *store_open(const store_options_t *options, GError **error)
{
    if (ops == NULL) {
        ops = module_load(STORE_MODULE_FILE, STORE_MODULE_SYMBOL, error);
    }
    return ops != NULL ? ops->open(options, error) : NULL;
}

void store_close(store_t *store)
{
    if (store != NULL) {
        ops->close(store);
    }
}

gboolean store_image_exists(store_t *store, const store_image_name_t *name, gboolean *exists, GError **error)
{
    return ops->image_exists(store, name, exists, error);
}

gboolean store_image_size(store_t *store, const store_image_name_t *name, guint64 *size_bytes, GError **error)
{
    return ops->image_size(store, name, size_bytes, error);
}

GPtrArray *store_image_watchers(store_t *store, const store_image_name_t *name, GError **error)
{
    return ops->image_watchers(store, name, error);
}

GPtrArray *store_image_openers(store_t *store, const char *const *images, GError **error)
{
    return ops->image_openers(store, images, error);
}

GPtrArray *store_image_lock_owners(store_t *store, const char *const *images, GError **error)
{
    return ops->image_lock_owners(store, images, error);
}

char *store_newest_point(store_t *store, const store_image_name_t *name, GError **error)
{
    g_auto(GStrv) points = ops->image_points(store, name, error);

    return points != NULL ? g_strdup(points[0]) : NULL;
}

char **store_image_points(store_t *store, const store_image_name_t *name, GError **error)
{
    return ops->image_points(store, name, error);
}

gboolean store_point_create(store_t *store, const store_image_name_t *name, const char *point, GError **error)
{
    return ops->point_create(store, name, point, error);
}

gboolean store_image_clone(store_t *store, const store_image_name_t *parent, const char *point,
                           const store_image_name_t *child, GError **error)
{
    return ops->image_clone(store, parent, point, child, error);
}

gboolean store_clone_state(store_t *store, const store_image_name_t *name, gboolean *complete, char **parent, char **point,
                           GError **error)
{
    return ops->clone_state(store, name, complete, parent, point, error);
}

gboolean store_clone_is_of(store_t *store, const store_image_name_t *name, const store_image_name_t *parent, gboolean *is_of,
                           GError **error)
{
    return ops->clone_is_of(store, name, parent, is_of, error);
}

gboolean store_image_foreign_lock(store_t *store, const store_image_name_t *name, char **remove_command, GError **error)
{
    return ops->image_foreign_lock(store, name, remove_command, error);
}

gboolean store_point_id(store_t *store, const store_image_name_t *name, const char *point, guint64 *id, GError **error)
{
    return ops->point_id(store, name, point, id, error);
}

gboolean store_points_differ(store_t *store, const store_image_name_t *name, const char *from, const char *to,
                             gboolean *differ, GError **error)
{
    return ops->points_differ(store, name, from, to, differ, error);
}

gboolean store_claim_note_read(store_t *store, const char *pool, const char *server, const char *key, char **value,
                               GError **error)
{
    return ops->claim_note_read(store, pool, server, key, value, error);
}

gboolean store_claim_note_set(store_t *store, const char *pool, const char *server, const char *holder,
                              const char *key, const char *value, GError **error)
{
    return ops->claim_note_set(store, pool, server, holder, key, value, error);
}

char **store_image_list(store_t *store, const char *pool, const char *prefix, GError **error)
{
    return ops->image_list(store, pool, prefix, error);
}

gboolean store_rename_finish(store_t *store, const store_image_name_t *name, char **new_image, GError **error)
{
    return ops->rename_finish(store, name, new_image, error);
}

gboolean store_image_create(store_t *store, const store_image_name_t *name, guint64 size_bytes, GError **error)
{
    return ops->image_create(store, name, size_bytes, error);
}

gboolean store_image_rename(store_t *store, const store_image_name_t *name, const char *new_image, GError **error)
{
    return ops->image_rename(store, name, new_image, error);
}

gboolean store_image_remove(store_t *store, const store_image_name_t *name, GError **error)
{
    return ops->image_remove(store, name, error);
}

gboolean store_image_is_written(store_t *store, const store_image_name_t *name, gboolean *written, GError **error)
{
    return ops->image_is_written(store, name, written, error);
}

gboolean store_image_own_bytes(store_t *store, const store_image_name_t *name, guint64 *bytes, GError **error)
{
    return ops->image_own_bytes(store, name, bytes, error);
}

gboolean store_image_import_id(store_t *store, const store_image_name_t *name, char **import_id, GError **error)
{
    return ops->image_import_id(store, name, import_id, error);
}

gboolean store_image_import(store_t *store, const store_image_name_t *name, const store_import_t *import, GError **error)
{
    return ops->image_import(store, name, import, error);
}

gboolean store_claim_read(store_t *store, const char *pool, const char *server, char **holder, GError **error)
{
    return ops->claim_read(store, pool, server, holder, error);
}

gboolean store_claim_swap(store_t *store, const char *pool, const char *server, const char *expected,
                          const char *desired, GError **error)
{
    const store_claim_state_t before = { .holder = expected };
    const store_claim_state_t after = { .holder = desired };

    return ops->claim_swap(store, pool, server, &before, &after, error);
}

gboolean store_claim_swap_state(store_t *store, const char *pool, const char *server, const store_claim_state_t *expected,
                                const store_claim_state_t *desired, GError **error)
{
    return ops->claim_swap(store, pool, server, expected, desired, error);
}

GHashTable *store_claim_places(store_t *store, const char *server, GError **error)
{
    return ops->claim_places(store, server, error);
}

gboolean store_claim_place_set(store_t *store, const char *server, const char *start_id, const char *text, GError **error)
{
    return ops->claim_place_set(store, server, start_id, text, error);
}

gboolean store_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error)
{
    return ops->blocklist_add(store, address, duration_s, error);
}

gboolean store_blocklist_remove(store_t *store, const char *address, GError **error)
{
    return ops->blocklist_remove(store, address, error);
}

gboolean store_clients_refuse(store_t *store, const GPtrArray *addresses, GError **error)
{
    return ops->clients_refuse(store, addresses, error);
}

GHashTable *store_blocklist_list(store_t *store, GError **error)
{
    return ops->blocklist_list(store, error);
}

char *store_monitor_ask(store_t *store, const char *command_json, GError **error)
{
    return ops->monitor_ask(store, command_json, error);
}

gboolean store_osd_map_wait(store_t *store, GError **error)
{
    return ops->osd_map_wait(store, error);
}

gboolean store_pool_exists(store_t *store, const char *pool, GError **error)
{
    return ops->pool_exists(store, pool, error);
}

GHashTable *store_full_pools(store_t *store, GError **error)
{
    return ops->full_pools(store, error);
}

store_pool_watch_t *store_pool_watch_open(store_t *store, const char *const *pools, GError **error)
{
    return ops->pool_watch_open(store, pools, error);
}

void store_pool_watch_close(store_pool_watch_t *watch)
{
    if (watch != NULL) {
        ops->pool_watch_close(watch);
    }
}

guint store_pool_watch_count(const store_pool_watch_t *watch)
{
    return ops->pool_watch_count(watch);
}

GPtrArray *store_pool_watch_look(store_pool_watch_t *watch, guint *refused_count, GError **error)
{
    return ops->pool_watch_look(watch, refused_count, error);
}

char *store_own_address(store_t *store, GError **error)
{
    return ops->own_address(store, error);
}

char *store_user_key(store_t *store, GError **error)
{
    return ops->user_key(store, error);
}

char **store_monitor_addresses(store_t *store, GError **error)
{
    return ops->monitor_addresses(store, error);
}
