/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an isolation has put on the store's blocklist for a server, kept in the monitors' config-key store. */
#ifndef UNDERSTUDY_SERVER_ENTRY_H
#define UNDERSTUDY_SERVER_ENTRY_H

#include <glib.h>

#include "store.h"

/* "understudy/server/NAME/blocklist"; g_free() */
char *server_entry_key(const char *server);

typedef struct server_entry {
    char *address;        /* IP, whose entry covers all that comes from there */
    gboolean is_known;    /* who used the store from there is known; FALSE: it could not be looked at in time */
    GPtrArray *clients;   /* char*: "10.0.2.101:0/77", each with an entry of its own */
    gboolean is_off;      /* the server was switched off since: none of its clients is left */
} server_entry_t;

server_entry_t *server_entry_new(const char *address);
void server_entry_free(server_entry_t *entry);
/* Pure. NULL with UNDERSTUDY_ERROR_CONFIG. */
server_entry_t *server_entry_parse(const char *server, const char *json, GError **error);
char *server_entry_json(const server_entry_t *entry);

/* *entry is NULL if there is none. */
gboolean server_entry_read(store_t *store, const char *server, server_entry_t **entry, GError **error);
gboolean server_entry_write(store_t *store, const char *server, const server_entry_t *entry, GError **error);

/*!
 * \brief Whether the address may come off the blocklist when the server serves again
 *
 * Nothing that used the store before the isolation may write again: the server was switched off, or each of its clients
 * has an entry of its own.
 *
 * \param[in] blocklist  as store_blocklist_list() gives it
 */
gboolean server_entry_may_lift(const server_entry_t *entry, GHashTable *blocklist);

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

/* Asks the store for the hosts, the monitors and the OSDs. What can't be asked is no permission: FALSE with an error. */
gboolean server_entry_address_ask(store_t *store, const char *address, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(server_entry_t, server_entry_free)

#endif
