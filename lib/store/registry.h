/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_REGISTRY_H
#define UNDERSTUDY_REGISTRY_H

#include <glib.h>

#include "store/config_key.h"
#include "store/store.h"
#include "store/store_map.h"

/*
 * What each host says of itself where a fence needs nothing but the store's
 * monitors: their config-key store, key understudy/host/NAME. It answers a
 * host on the blocklist too, which an object in a pool does not.
 */
#define REGISTRY_HOST_PREFIX "understudy/host/"

/*
 * What is remembered of a server, key understudy/server/NAME/...: the digest of the probes with
 * which it was last seen up (server_config_t's probes_digest).
 */
#define REGISTRY_SERVER_PREFIX "understudy/server/"
char *registry_seen_key(const char *server); /* g_free() */
/* The server of a key, read after the prefix; NULL: it is another kind of key. g_free(). */
char *registry_seen_server(const char *name);
gboolean registry_digest_is_valid(const char *text);

/*
 * What fences have done: each has records of its own, key understudy/fence/HOST/ID, which nobody else writes; who has
 * read one may remove it. An earlier version kept one for all fences, key understudy/fence/HOST.
 */
#define REGISTRY_FENCE_PREFIX "understudy/fence/"
/* Holds the ids of the fences since which nothing is left on this host, one a line: published with the rest. */
#define REGISTRY_EMPTY_FILE "/run/understudy/empty"

/* Where a record does not say it: the start action's timeout. */
#define REGISTRY_START_TIMEOUT_S 120

/* What a host needs to know of its own fence: fence_rbd's record, see fence/core.h. */
typedef struct registry_fence {
    char *id;               /* tells it from any other */
    char *boot_id;          /* of the boot that was fenced, "" if it was not known */
    gboolean is_in_force;   /* FALSE: it is over, and only what stays of it is recorded */
    gint64 start_timeout_s; /* after this time no start of an image from before can still be under way */
} registry_fence_t;

/* Pure. `name` is the key's after the prefix. NULL with UNDERSTUDY_ERROR_CONFIG. */
registry_fence_t *registry_fence_parse(const char *name, const char *json, GError **error);
void registry_fence_free(registry_fence_t *fence);

/* Pure; `values`: records, name after the prefix -> JSON, maybe of other hosts too. */
/* Whether a name is of a record of this host. */
gboolean registry_fence_is_of(const char *name, const char *host);
/* Names (char*, a set; unref) of the host's records that a later fence has read, and taken in: what is proved of that one is
 * proved of them. */
GHashTable *registry_fences_superseded(GHashTable *values, const char *host);
/* Fences of the host that are in force, registry_fence_t*, by name, without those that a later one has taken in. NULL with
 * UNDERSTUDY_ERROR_CONFIG. */
GPtrArray *registry_fences_in_force(GHashTable *values, const char *host, GError **error);
/* Hosts of which some record that can be read is in force, each once; g_strfreev(). */
char **registry_fenced_hosts(GHashTable *values);

typedef struct registry_host {
    char *name;
    char **store_addresses; /* IPs, as the store sees the host's clients; at least one */
    char *boot_id;          /* /proc/sys/kernel/random/boot_id when it was published, or NULL */
    gint64 at_s;            /* Unix time, for people */
    char **empty_fences;    /* ids of the fences since which no QEMU is left there, by its own word; maybe none */
} registry_host_t;

void registry_host_free(registry_host_t *host);
registry_host_t *registry_host_copy(const registry_host_t *host);

/* Pure. NULL with UNDERSTUDY_ERROR_CONFIG, a sentence that names the host and its key. */
registry_host_t *registry_host_parse(const char *name, const char *json, GError **error);
char *registry_host_json(const registry_host_t *host);

/* Pure. The host in `hosts`, char* name -> registry_host_t*, that has this IP, other than `except`; NULL: none has. */
const char *registry_host_with_ip(GHashTable *hosts, const char *ip, const char *except);

/*!
 * \brief Whether another host has published an address of this one's. Pure
 *
 * So it is after a host was renamed, or replaced by another at its address. No fence through the store can tell the two apart,
 * and none is carried out. The old entry is for an operator to remove: a host of another cluster may have that address behind
 * a gateway, and the monitors' config-key store knows no removal on condition, which could hit what that host has just
 * published.
 *
 * \param[in] hosts  char* name -> registry_host_t*
 * \return a sentence that names both and the command that ends it, g_free(); NULL: none has
 */
char *registry_double_text(GHashTable *hosts, const char *name);
/* What an operator does about the entry of a host that is none any more; g_free(). */
char *registry_forget_command(const char *name);

/* All hosts: char* name -> registry_host_t*; one that can't be read names no address, and is left out. NULL with an error if the
 * store can't be asked; unref. */
GHashTable *registry_hosts_read(store_t *store, GError **error);

/* The OSD map as the monitors have it now, without the monitors' own addresses. NULL with an error; store_map_free(). */
store_map_t *store_map_ask(store_t *store, GError **error);
/* With them. */
store_map_t *store_map_ask_all(store_t *store, GError **error);

/* All values below a prefix of the config-key store: name after the prefix -> char* value; unref. */
GHashTable *config_key_dump(store_t *store, const char *prefix, GError **error);
/* NULL with UNDERSTUDY_ERROR_NOT_FOUND if there is no such key. g_free(). */
char *config_key_get(store_t *store, const char *key, GError **error);
gboolean config_key_set(store_t *store, const char *key, const char *value, GError **error);
/* A key that is not there is no error. */
gboolean config_key_remove(store_t *store, const char *key, GError **error);

/*!
 * \brief Publish what this host is to the store, if it has not been done since it booted or changed
 *
 * Costs nothing as long as the note under /run says that the same boot id and
 * the same addresses were published: then the store is not even loaded. There
 * is no note while another host has published the same address: whoever does so
 * later finds the other, and says so until one of the two is gone.
 *
 * \param[in]  name         this host's name in the cluster
 * \param[in]  options      the store, and a user that may set keys below understudy/host/, and read them
 * \param[in]  always       publish even if the note says that nothing changed
 * \param[out] double_text  registry_double_text() of this host, or NULL; g_free(). May be NULL
 */
gboolean registry_publish(const char *name, const store_options_t *options, gboolean always, char **double_text,
                          GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(registry_host_t, registry_host_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(registry_fence_t, registry_fence_free)

#endif
