/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_STORE_H
#define UNDERSTUDY_STORE_H

#include <glib.h>

/*
 * The store (Ceph) as the parts use it. librados and librbd cost 13 ms of
 * dynamic linking, so they stand in a module that store_open() loads on
 * demand: a monitor that does not call it does not pay for it.
 *
 * Every call has a deadline: rados_mon_op_timeout, rados_osd_op_timeout and
 * client_mount_timeout are set before connecting (their defaults wait for ever).
 * Errors: UNDERSTUDY_ERROR_TIMEOUT, _NOT_FOUND, _EXISTS, _PERMISSION, _BUSY,
 * _NOT_HERE (this host's configuration file, keyring or module is missing or bad:
 * says which), else _FAILED.
 */
typedef struct store store_t;

typedef struct store_options {
    const char *conf;       /* path of ceph.conf; NULL: /etc/ceph/ceph.conf */
    const char *user;       /* cephx user without "client."; NULL: admin */
    const char *keyring;    /* path; NULL: as ceph.conf says */
    guint timeout_ms;       /* deadline of each operation; 0: 5000 */
} store_options_t;

/* pool/image or pool/namespace/image, split. */
typedef struct store_image_name {
    char *pool;
    char *namespace;        /* "" if none */
    char *image;
} store_image_name_t;

/* Pure; NULL with UNDERSTUDY_ERROR_CONFIG if the text is no image name. Free with store_image_name_free(). */
store_image_name_t *store_image_name_parse(const char *text, GError **error);
char *store_image_name_text(const store_image_name_t *name);
void store_image_name_free(store_image_name_t *name);

typedef struct store_watcher {
    char *address;          /* "10.0.0.5:0/3853293677": client address with its nonce */
    char *ip;               /* "10.0.0.5" */
    gint64 client_id;
    guint64 cookie;
} store_watcher_t;

store_t *store_open(const store_options_t *options, GError **error);
void store_close(store_t *store);

/* TRUE and *exists; an error only if it can't be known. */
gboolean store_image_exists(store_t *store, const store_image_name_t *name, gboolean *exists, GError **error);
gboolean store_image_size(store_t *store, const store_image_name_t *name, guint64 *size_bytes, GError **error);

/* Those who have the image open for writing, ours included: store_watcher_t*, frees its elements. */
GPtrArray *store_image_watchers(store_t *store, const store_image_name_t *name, GError **error);

/* Who has an image open, and whether that means anything. */
typedef struct store_opener {
    char *image;            /* pool/image */
    char *address;          /* "10.0.0.5:0/3853293677" */
    char *ip;               /* NULL if the address is none that we know */
    gboolean refused;       /* the store refuses it: it is nobody, however long it is listed */
} store_opener_t;

/*!
 * \brief Who has one of the images open, and may still write
 *
 * Ceph 16.2 lists a client that was killed while it opened an image for ever, and the blocklist does not take it out.
 * So the blocklist is read first, then the OSD map is waited for, then the watchers are listed: what an OSD answers
 * then, it answers with that map or a later one, and whoever is on that blocklist can't write.
 *
 * \param[in] images  "pool/image", NULL-terminated; one that is not there is open at nobody
 * \return store_opener_t*, frees its elements; our own client is in it if it has one of them open for writing
 */
GPtrArray *store_image_openers(store_t *store, const char *const *images, GError **error);

/* A lock that somebody has set on the image by hand ("rbd lock add"): no QEMU gets the image's own then, or writes anything.
 * *remove_command: what takes it off, NULL if there is none; g_free(). An image that is not there has none. */
gboolean store_image_foreign_lock(store_t *store, const store_image_name_t *name, char **remove_command, GError **error);

/* Addresses of the clients that hold the lock of one of the images that librbd keeps for who writes, maybe without having it
 * open any more: char*, frees its elements. A missing image has none; a lock that was set by hand is not one. */
GPtrArray *store_image_lock_owners(store_t *store, const char *const *images, GError **error);

/* Name of the newest recovery point (snapshot POINT_PREFIX...), NULL without an error if there is none; g_free(). */
char *store_newest_point(store_t *store, const store_image_name_t *name, GError **error);
/* Names of all recovery points, newest first, NULL-terminated, maybe empty; g_strfreev(). */
char **store_image_points(store_t *store, const store_image_name_t *name, GError **error);
/* A number of a recovery point that only grows from one to the next of an image; of the newest if `point` is NULL. 0: there is
 * no such point. */
gboolean store_point_id(store_t *store, const store_image_name_t *name, const char *point, guint64 *id, GError **error);
/* Whether the image was written between two of its points, as far as whole objects tell; TRUE if one of them is not there. */
gboolean store_points_differ(store_t *store, const store_image_name_t *name, const char *from, const char *to,
                             gboolean *differ, GError **error);
gboolean store_point_create(store_t *store, const store_image_name_t *name, const char *point, GError **error);

/* Copy-on-write clone, O(1). UNDERSTUDY_ERROR_EXISTS if the child exists. The last step marks
 * the child as complete: a caller that is killed on the way leaves a child without the mark. */
gboolean store_image_clone(store_t *store, const store_image_name_t *parent, const char *point,
                           const store_image_name_t *child, GError **error);
/* What store_image_clone() made of an image: TRUE and *complete; *parent ("pool/image", "pool/namespace/image") and *point
 * are what it was cloned from (g_free()), NULL if it has no parent. */
gboolean store_clone_state(store_t *store, const store_image_name_t *name, gboolean *complete, char **parent, char **point,
                           GError **error);
/* Whether a clone was made from this image as it is now, and from a point that the image still has: by their ids, since a
 * name goes over to another image when one is renamed, put into the trash or imported again. */
gboolean store_clone_is_of(store_t *store, const store_image_name_t *name, const store_image_name_t *parent, gboolean *is_of,
                           GError **error);
/* Names of the images of a pool, outside its namespaces, that begin with `prefix`, NULL-terminated; g_strfreev(). */
char **store_image_list(store_t *store, const char *pool, const char *prefix, GError **error);
/* Go on with a rename that was killed: the pool lists the image by its new name already, and the old one still opens it.
 * TRUE and *new_image (g_free()), or NULL if there is no such thing. */
gboolean store_rename_finish(store_t *store, const store_image_name_t *name, char **new_image, GError **error);
/* With an exclusive lock, by which an import keeps others out. UNDERSTUDY_ERROR_EXISTS. */
gboolean store_image_create(store_t *store, const store_image_name_t *name, guint64 size_bytes, GError **error);
/* Within the pool; never over another image: UNDERSTUDY_ERROR_EXISTS. */
gboolean store_image_rename(store_t *store, const store_image_name_t *name, const char *new_image, GError **error);
/* UNDERSTUDY_ERROR_BUSY if it has watchers or snapshots. */
gboolean store_image_remove(store_t *store, const store_image_name_t *name, GError **error);
/* Whether anything was written in the clone, or trimmed; ends at the first object that is its own. */
gboolean store_image_is_written(store_t *store, const store_image_name_t *name, gboolean *written, GError **error);
/* What was written in the clone and is not in its parent, whole objects. */
gboolean store_image_own_bytes(store_t *store, const store_image_name_t *name, guint64 *bytes, GError **error);

/* Called with what is done so far; return FALSE to give up. */
typedef gboolean (*store_progress_fn)(guint64 done_bytes, guint64 total_bytes, void *user_data);
/* A raw file that becomes an image. */
typedef struct store_import {
    const char *id;            /* of this import, as no other has it */
    const char *new_image;     /* what the image is called when it is whole */
    int fd;
    guint64 file_bytes;
    guint64 image_bytes;       /* of the image as it was made */
    store_progress_fn progress;
    void *user_data;
} store_import_t;
/* Which import has begun to write the image and has not made it whole (g_free()). NULL: none has; also of a copy of one. */
gboolean store_image_import_id(store_t *store, const store_image_name_t *name, char **import_id, GError **error);
/* Write a raw file into an image that was just made, leaving out zeroes, and give it its name. From the mark, which
 * store_image_import_id() reads, to the new name it is open here and locked. UNDERSTUDY_ERROR_BUSY, and nothing was written:
 * another import has it; UNDERSTUDY_ERROR_EXISTS: there is an image with the new name. */
gboolean store_image_import(store_t *store, const store_image_name_t *name, const store_import_t *import, GError **error);

/* Claims: claim.h ----------------------------------------------------------------*/
/* What the claim on a server says, in the pool of its run images; *holder is NULL if nobody has it, else g_free(). */
gboolean store_claim_read(store_t *store, const char *pool, const char *server, char **holder, GError **error);
/* Set it to `desired` if it says `expected` (each NULL: nobody), in one step. UNDERSTUDY_ERROR_BUSY if it says something else. */
gboolean store_claim_swap(store_t *store, const char *pool, const char *server, const char *expected,
                          const char *desired, GError **error);

/* Both a claim and what is kept beside it of its clients (claim_clients_t); clients NULL: not looked at, or left. */
#define STORE_CLAIM_CLIENTS_KEY "clients"
/* The start that has ended on the holder's host although its claim stands, by that host's own word. */
#define STORE_CLAIM_ENDED_KEY "ended"
typedef struct store_claim_state {
    const char *holder;
    const char *clients;   /* "": nothing */
} store_claim_state_t;
/* As store_claim_swap(), both in that one step. */
gboolean store_claim_swap_state(store_t *store, const char *pool, const char *server, const store_claim_state_t *expected,
                                const store_claim_state_t *desired, GError **error);

/* Something else that is kept with the claim; NULL: nothing is. It is set in one step with a look at the claim:
 * UNDERSTUDY_ERROR_BUSY, and it is not set, if that does not say `holder`. */
gboolean store_claim_note_read(store_t *store, const char *pool, const char *server, const char *key, char **value,
                               GError **error);
gboolean store_claim_note_set(store_t *store, const char *pool, const char *server, const char *holder,
                              const char *key, const char *value, GError **error);

/* Where the starts of a server's image have laid their claims (claim_place_t), apart from every pool: char* start id ->
 * char* text; unref. */
GHashTable *store_claim_places(store_t *store, const char *server, GError **error);
/* NULL: that start has no claim any more. One that is not there is no error. */
gboolean store_claim_place_set(store_t *store, const char *server, const char *start_id, const char *text, GError **error);

/* Blocklist ---------------------------------------------------------------*/
/* An address is "10.0.0.5" (everything from there) or "10.0.0.5:0/3853293677" (one client).
 * Returns when the entry is committed and this client has the OSD map that holds it. */
gboolean store_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error);
gboolean store_blocklist_remove(store_t *store, const char *address, GError **error);
/* An entry for one client that has ended, or must never write again, in seconds. It must hold as long as the client may be
 * listed, or asleep, which can be for ever, and Ceph (16.2) does not extend an entry. Five years, as a fence's. */
#define STORE_CLIENT_BLOCK_S 157680000
/* Have the store refuse each of these clients, by an entry of its own, for STORE_CLIENT_BLOCK_S or nearly; what librbd does
 * with the owner of a lock that it breaks lasts for an hour, and is enough where the whole address is refused for as long
 * (store_map_client_stays_out()). FALSE: the OSD map does not say so of all of them. */
gboolean store_clients_refuse(store_t *store, const GPtrArray *addresses, GError **error);
/* All entries as the OSD map spells them ("10.0.0.5:0/0"): char* -> char* (until); unref. */
GHashTable *store_blocklist_list(store_t *store, GError **error);
/* TRUE if the entries cover the client address (exactly, or its whole IP). */
gboolean store_blocklist_covers(GHashTable *entries, const char *address);

/* Monitors and whole pools ---------------------------------------------------*/
/* One command to the monitors (JSON with "prefix", "format" ...); its output as text, g_free().
 * UNDERSTUDY_ERROR_NOT_FOUND for a key that is not there, _PERMISSION if the user may not. */
char *store_monitor_ask(store_t *store, const char *command_json, GError **error);
/* Wait for the newest OSD map here: whatever this client asks an OSD afterwards, the OSD has that map first. */
gboolean store_osd_map_wait(store_t *store, GError **error);

/* UNDERSTUDY_ERROR_NOT_FOUND if there is no such pool. */
gboolean store_pool_exists(store_t *store, const char *pool, GError **error);
/* The pools to which nothing can be written: char* name -> char* why, as the end of a sentence; unref. */
GHashTable *store_full_pools(store_t *store, GError **error);
/* All images of some pools, opened read-only, so that their clients can be looked at again and again. */
typedef struct store_pool_watch store_pool_watch_t;
typedef struct store_client {
    char *image;      /* pool/image or pool/namespace/image */
    char *address;    /* "10.0.0.5:0/3853293677" */
    char *ip;         /* NULL if the address is none that we know */
    gboolean watches; /* FALSE: it only holds the exclusive lock, maybe since long before its death */
} store_client_t;
store_pool_watch_t *store_pool_watch_open(store_t *store, const char *const *pools, GError **error);
void store_pool_watch_close(store_pool_watch_t *watch);
guint store_pool_watch_count(const store_pool_watch_t *watch);
/* One look at all headers: store_client_t*, frees its elements. *refused_count: headers whose OSD
 * refuses this client itself, because it is on the blocklist. */
GPtrArray *store_pool_watch_look(store_pool_watch_t *watch, guint *refused_count, GError **error);

/* Own addresses, as a watcher list would show this client: "10.0.0.11:0/12345"; g_free(). */
char *store_own_address(store_t *store, GError **error);
/* For libvirt's secret: base64 key of the user from its keyring; wipe and g_free() it. NULL
 * without an error if cephx is off. Monitor addresses: "10.0.0.1:6789" list for the domain's XML. */
char *store_user_key(store_t *store, GError **error);
char **store_monitor_addresses(store_t *store, GError **error);

#endif
