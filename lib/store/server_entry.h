/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an isolation has put on the store's blocklist for a server, kept in the monitors' config-key store. */
#ifndef UNDERSTUDY_SERVER_ENTRY_H
#define UNDERSTUDY_SERVER_ENTRY_H

#include <glib.h>

#include "store/store.h"
#include "store/store_map.h"

/* One record for each address that is put there, so that a store_address that is changed meanwhile leaves none behind:
 * "understudy/server/NAME/blocklist/ADDRESS"; g_free() */
char *server_entry_key(const char *server, const char *address);

typedef struct server_entry {
    char *server;
    char *key;            /* under which it was found; NULL: it was not. An earlier version left ADDRESS out */
    char *address;        /* IP, whose entry covers all that comes from there */
    gboolean is_known;    /* who used the store from there is known; FALSE: it could not be looked at in time */
    GPtrArray *clients;   /* char*: "10.0.2.101:0/77", each with an entry of its own */
    gboolean is_off;      /* the server was switched off since: none of its clients is left */
} server_entry_t;

server_entry_t *server_entry_new(const char *server, const char *address);
server_entry_t *server_entry_copy(const server_entry_t *entry);
void server_entry_free(server_entry_t *entry);
/* Take an earlier record of the same address into a newer one: who was off then is gone, all others stay. */
void server_entry_merge(server_entry_t *entry, const server_entry_t *earlier);
/* A newer record of a server that was kept out all the while: who was switched off before is off still, unless it is known
 * who has used the store since. */
void server_entry_keep_off(server_entry_t *entry, const server_entry_t *earlier);
/* Pure. NULL with UNDERSTUDY_ERROR_CONFIG. */
server_entry_t *server_entry_parse(const char *server, const char *json, GError **error);
char *server_entry_json(const server_entry_t *entry);

/*!
 * \brief The records among what the store keeps of servers. Pure
 *
 * \param[in]  values  config_key_dump() of REGISTRY_SERVER_PREFIX
 * \param[out] faults  char* server -> char* why a record of it can't be read: that one is left out; unref. Or NULL
 * \return server_entry_t*, frees its elements
 */
GPtrArray *server_entries_of(GHashTable *values, GHashTable **faults);
/* All of the store. NULL with an error if it can't be asked. */
GPtrArray *server_entries_read(store_t *store, GHashTable **faults, GError **error);
/* NULL: there is none. */
server_entry_t *server_entries_find(const GPtrArray *entries, const char *server, const char *address);

/* The record of one address; *entry is NULL if there is none. */
gboolean server_entry_read(store_t *store, const char *server, const char *address, server_entry_t **entry,
                           GError **error);
gboolean server_entry_write(store_t *store, const server_entry_t *entry, GError **error);
gboolean server_entry_drop(store_t *store, const server_entry_t *entry, GError **error);

/*!
 * \brief Whether the address may come off the blocklist when the server serves again
 *
 * Nothing that used the store before the isolation may write again: the server was switched off, or each of its clients
 * has an entry of its own that lasts.
 */
gboolean server_entry_may_lift(const server_entry_t *entry, const store_map_t *map);
/* Make the clients' entries last that would end soon, such as those that Ceph makes: while all of the address is refused, since
 * each goes for a moment. */
gboolean server_entry_renew_clients(store_t *store, const store_map_t *map, const server_entry_t *entry, GError **error);

/*!
 * \brief Which other server needs the address on the blocklist. Pure
 *
 * An address may have gone from one server to another while the first was away.
 *
 * \param[in] entries  all records of the store
 * \param[in] lifted   names of the servers that serve again; NULL: none
 * \param[in] held     "SERVER=IP=...": whose address must be there; NULL: none
 * \return its name, g_free(); NULL: none does
 */
char *server_entry_needed_by(const GPtrArray *entries, const server_entry_t *entry, const char *const *lifted,
                             const char *const *held);

/* TRUE if nobody on the server used the store: the entry has touched nothing. */
gboolean server_entry_is_idle(const server_entry_t *entry);

/*!
 * \brief Whether a server's address on the storage network is its own. Pure
 *
 * An entry for another machine's address would keep that one out of the store, with all its images.
 *
 * \param[in] hosts       char* name -> registry_host_t*
 * \param[in] daemon_ips  char* IP -> char* who, see store_map_t
 * \return FALSE with UNDERSTUDY_ERROR_CONFIG, a sentence that says whose it is
 */
gboolean server_entry_address_check(const char *address, GHashTable *hosts, GHashTable *daemon_ips, GError **error);

/* Asks the store for the hosts, the monitors and the OSDs. What can't be asked is no permission: FALSE with an error.
 * *map is what the store says of itself then; store_map_free(). */
gboolean server_entry_address_ask(store_t *store, const char *address, store_map_t **map, GError **error);

/*!
 * \brief Put an address and its clients on the blocklist, for five years
 *
 * Its record must have been written. An entry of the address that ends too soon is replaced, which Ceph 16.2 does in two
 * OSD maps: each client that is known has an entry of its own before the first of them.
 *
 * \param[in] map  the store's, read just now
 * \return FALSE: the address is not there for certain
 */
gboolean server_entry_put(store_t *store, const store_map_t *map, const server_entry_t *entry, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(server_entry_t, server_entry_free)

#endif
