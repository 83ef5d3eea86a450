/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who uses the store from a server's address, looked at before an entry of the blocklist drops him out of the headers. */
#ifndef UNDERSTUDY_SERVER_CLIENTS_H
#define UNDERSTUDY_SERVER_CLIENTS_H

#include "store/server_entry.h"

typedef struct server_clients_query {
    store_t *store;         /* must stay open in this process: a look that was not waited for may still use it */
    const store_map_t *map; /* as it was just before */
    const char *server;
    const char *address;
    const char *disks;      /* "POOL/IMAGE,...": the server's images, whose pools are looked at; or NULL */
    guint wait_ms;          /* a store that is ill must not hold up the entry: what was not seen by then is not known */
} server_clients_query_t;

/*!
 * \brief The record of an address that is about to be put on the blocklist, with its clients
 *
 * What an earlier attempt has seen stands as long as its entry does: a client is not listed any more then. Where it was away
 * somebody may have come in since.
 *
 * \param[in] earlier  the record that there is, or NULL
 * \return to be freed with server_entry_free()
 */
server_entry_t *server_clients_record(const server_clients_query_t *query, const server_entry_t *earlier);

#endif
