/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_STORE_MODULE_H
#define UNDERSTUDY_STORE_MODULE_H

#include "store/store.h"

/* File name of the module, and the one symbol in it: a const store_ops_t. */
#define STORE_MODULE_FILE   "store.so"
#define STORE_MODULE_SYMBOL "understudy_store_ops"

/* What the module does; each member is the function of store.h with its name. */
typedef struct store_ops {
    store_t *(*open)(const store_options_t *options, GError **error);
    void (*close)(store_t *store);
    gboolean (*image_exists)(store_t *store, const store_image_name_t *name, gboolean *exists, GError **error);
    gboolean (*image_size)(store_t *store, const store_image_name_t *name, guint64 *size_bytes, GError **error);
    GPtrArray *(*image_watchers)(store_t *store, const store_image_name_t *name, GError **error);
    GPtrArray *(*image_openers)(store_t *store, const char *const *images, GError **error);
    GPtrArray *(*image_lock_owners)(store_t *store, const char *const *images, GError **error);
    char **(*image_points)(store_t *store, const store_image_name_t *name, GError **error);
    gboolean (*point_create)(store_t *store, const store_image_name_t *name, const char *point, GError **error);
    gboolean (*image_clone)(store_t *store, const store_image_name_t *parent, const char *point,
                            const store_image_name_t *child, GError **error);
    gboolean (*clone_state)(store_t *store, const store_image_name_t *name, gboolean *complete, char **parent,
                            char **point, GError **error);
    gboolean (*clone_is_of)(store_t *store, const store_image_name_t *name, const store_image_name_t *parent,
                            gboolean *is_of, GError **error);
    gboolean (*image_foreign_lock)(store_t *store, const store_image_name_t *name, char **remove_command, GError **error);
    gboolean (*point_id)(store_t *store, const store_image_name_t *name, const char *point, guint64 *id, GError **error);
    gboolean (*points_differ)(store_t *store, const store_image_name_t *name, const char *from, const char *to,
                              gboolean *differ, GError **error);
    gboolean (*claim_note_read)(store_t *store, const char *pool, const char *server, const char *key, char **value,
                                GError **error);
    gboolean (*claim_note_set)(store_t *store, const char *pool, const char *server, const char *holder,
                               const char *key, const char *value, GError **error);
    char **(*image_list)(store_t *store, const char *pool, const char *prefix, GError **error);
    gboolean (*rename_finish)(store_t *store, const store_image_name_t *name, char **new_image, GError **error);
    gboolean (*image_create)(store_t *store, const store_image_name_t *name, guint64 size_bytes, GError **error);
    gboolean (*image_rename)(store_t *store, const store_image_name_t *name, const char *new_image, GError **error);
    gboolean (*image_remove)(store_t *store, const store_image_name_t *name, GError **error);
    gboolean (*image_is_written)(store_t *store, const store_image_name_t *name, gboolean *written, GError **error);
    gboolean (*image_own_bytes)(store_t *store, const store_image_name_t *name, guint64 *bytes, GError **error);
    gboolean (*image_import_id)(store_t *store, const store_image_name_t *name, char **import_id, GError **error);
    gboolean (*image_import)(store_t *store, const store_image_name_t *name, const store_import_t *import, GError **error);
    gboolean (*claim_read)(store_t *store, const char *pool, const char *server, char **holder, GError **error);
    gboolean (*claim_swap)(store_t *store, const char *pool, const char *server, const store_claim_state_t *expected,
                           const store_claim_state_t *desired, GError **error); /* store_claim_swap_state() */
    GHashTable *(*claim_places)(store_t *store, const char *server, GError **error);
    gboolean (*claim_place_set)(store_t *store, const char *server, const char *start_id, const char *text, GError **error);
    gboolean (*blocklist_add)(store_t *store, const char *address, guint64 duration_s, GError **error);
    gboolean (*blocklist_remove)(store_t *store, const char *address, GError **error);
    gboolean (*clients_refuse)(store_t *store, const GPtrArray *addresses, GError **error);
    GHashTable *(*blocklist_list)(store_t *store, GError **error);
    char *(*monitor_ask)(store_t *store, const char *command_json, GError **error);
    gboolean (*osd_map_wait)(store_t *store, GError **error);
    gboolean (*pool_exists)(store_t *store, const char *pool, GError **error);
    GHashTable *(*full_pools)(store_t *store, GError **error);
    store_pool_watch_t *(*pool_watch_open)(store_t *store, const char *const *pools, GError **error);
    void (*pool_watch_close)(store_pool_watch_t *watch);
    guint (*pool_watch_count)(const store_pool_watch_t *watch);
    GPtrArray *(*pool_watch_look)(store_pool_watch_t *watch, guint *refused_count, GError **error);
    char *(*own_address)(store_t *store, GError **error);
    char *(*user_key)(store_t *store, GError **error);
    char **(*monitor_addresses)(store_t *store, GError **error);
} store_ops_t;

#endif
