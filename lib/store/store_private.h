/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_STORE_PRIVATE_H
#define UNDERSTUDY_STORE_PRIVATE_H

#include <rados/librados.h>
#include <rbd/librbd.h>

#include "store/store.h"
#include "store/store_map.h"

/* Inside the module only. */
struct store {
    rados_t cluster;
    char *conf;
    char *user;
    char *keyring; /* as set by the caller, or NULL */
};

/* Sets *error from a negative errno of Ceph: "FORMAT...: strerror". Always returns FALSE. */
gboolean store_fail(GError **error, int rc, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* One command to the monitors; *output is NUL-terminated and freed by the caller with g_free(). */
gboolean store_monitor_command(store_t *store, const char *command_json, char **output, GError **error);

gboolean store_do_image_exists(store_t *store, const store_image_name_t *name, gboolean *exists, GError **error);
gboolean store_do_image_size(store_t *store, const store_image_name_t *name, guint64 *size_bytes, GError **error);
GPtrArray *store_do_image_watchers(store_t *store, const store_image_name_t *name, GError **error);
GPtrArray *store_do_image_openers(store_t *store, const char *const *images, GError **error);
GPtrArray *store_do_image_lock_owners(store_t *store, const char *const *images, GError **error);
char **store_do_image_points(store_t *store, const store_image_name_t *name, GError **error);
gboolean store_do_point_create(store_t *store, const store_image_name_t *name, const char *point, GError **error);
gboolean store_do_image_clone(store_t *store, const store_image_name_t *parent, const char *point,
                              const store_image_name_t *child, GError **error);
gboolean store_do_clone_state(store_t *store, const store_image_name_t *name, gboolean *complete, char **parent,
                              char **point, GError **error);
gboolean store_do_clone_is_of(store_t *store, const store_image_name_t *name, const store_image_name_t *parent,
                              gboolean *is_of, GError **error);
gboolean store_do_image_foreign_lock(store_t *store, const store_image_name_t *name, char **remove_command,
                                     GError **error);
gboolean store_do_point_id(store_t *store, const store_image_name_t *name, const char *point, guint64 *id, GError **error);
gboolean store_do_points_differ(store_t *store, const store_image_name_t *name, const char *from, const char *to,
                                gboolean *differ, GError **error);
gboolean store_do_claim_note_read(store_t *store, const char *pool, const char *server, const char *key, char **value,
                                  GError **error);
gboolean store_do_claim_note_set(store_t *store, const char *pool, const char *server, const char *holder,
                                 const char *key, const char *value, GError **error);
char **store_do_image_list(store_t *store, const char *pool, const char *prefix, GError **error);
gboolean store_do_rename_finish(store_t *store, const store_image_name_t *name, char **new_image, GError **error);
gboolean store_do_image_create(store_t *store, const store_image_name_t *name, guint64 size_bytes, GError **error);
gboolean store_do_image_rename(store_t *store, const store_image_name_t *name, const char *new_image, GError **error);
gboolean store_do_image_remove(store_t *store, const store_image_name_t *name, GError **error);
gboolean store_do_image_is_written(store_t *store, const store_image_name_t *name, gboolean *written, GError **error);
gboolean store_do_image_own_bytes(store_t *store, const store_image_name_t *name, guint64 *bytes, GError **error);
gboolean store_do_image_import_id(store_t *store, const store_image_name_t *name, char **import_id, GError **error);
gboolean store_do_image_import(store_t *store, const store_image_name_t *name, const store_import_t *import, GError **error);

/* Opens an image; the caller closes both with rbd_close() and rados_ioctx_destroy(). A read-only
 * handle registers no watch, so that looking at an image does not make us one of its watchers. */
typedef struct opened_image {
    rados_ioctx_t io;
    rbd_image_t image;
} opened_image_t;
gboolean store_pool_open(store_t *store, const store_image_name_t *name, rados_ioctx_t *io, GError **error);
gboolean opened_image_open(store_t *store, const store_image_name_t *name, gboolean for_writing,
                           opened_image_t *opened, GError **error);
void opened_image_close(opened_image_t *opened);
/* Sets *error from a negative errno of a call for an image: "can't WHAT image NAME: strerror". Always returns FALSE. */
gboolean store_image_fail(GError **error, int rc, const store_image_name_t *name, const char *what);

#define METADATA_MAX_BYTES 1024
#define IMAGE_ID_MAX_BYTES 64

/* Who has locked an image; texts of several are separated by NULs. Room for the one owner of a lock that librbd manages,
 * whose address is short: no -ERANGE loop is needed. */
typedef struct image_lockers {
    char tag[256];
    char clients[4096];
    char cookies[4096];
    char addresses[4096];
    size_t addresses_bytes;
} image_lockers_t;

/* The tag of the exclusive lock that librbd manages by itself (ManagedLock). A lock of "rbd lock add" has another one. */
#define IMAGE_LOCK_MANAGED_TAG "internal"

/* How many there are, or a negative errno. */
ssize_t image_lockers_read(rbd_image_t image, image_lockers_t *lockers);

gboolean store_do_claim_read(store_t *store, const char *pool, const char *server, char **holder, GError **error);
gboolean store_do_claim_swap(store_t *store, const char *pool, const char *server, const store_claim_state_t *expected,
                             const store_claim_state_t *desired, GError **error);

GHashTable *store_do_claim_places(store_t *store, const char *server, GError **error);
gboolean store_do_claim_place_set(store_t *store, const char *server, const char *start_id, const char *text,
                                  GError **error);

gboolean store_do_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error);
gboolean store_do_blocklist_remove(store_t *store, const char *address, GError **error);
gboolean store_do_clients_refuse(store_t *store, const GPtrArray *addresses, GError **error);
GHashTable *store_do_blocklist_list(store_t *store, GError **error);

char *store_do_monitor_ask(store_t *store, const char *command_json, GError **error);
gboolean store_do_osd_map_wait(store_t *store, GError **error);
gboolean store_do_pool_exists(store_t *store, const char *pool, GError **error);
/* The OSD map, to be freed with store_map_free(). */
store_map_t *store_map_read(store_t *store, GError **error);
GHashTable *store_do_full_pools(store_t *store, GError **error);
store_pool_watch_t *store_do_pool_watch_open(store_t *store, const char *const *pools, GError **error);
void store_do_pool_watch_close(store_pool_watch_t *watch);
guint store_do_pool_watch_count(const store_pool_watch_t *watch);
GPtrArray *store_do_pool_watch_look(store_pool_watch_t *watch, guint *refused_count, GError **error);

#endif
