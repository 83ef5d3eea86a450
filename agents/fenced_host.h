/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FENCED_HOST_H
#define UNDERSTUDY_FENCED_HOST_H

#include "store.h"

/*
 * A host that has lost its power leaves watches in the store for 30 s. When
 * Pacemaker has fenced it, what it had open is known to be dead, and need not be
 * waited for. In a module: it links Pacemaker's fencing library.
 */
#define FENCED_HOST_MODULE_FILE   "fenced_host.so"
#define FENCED_HOST_MODULE_SYMBOL "understudy_fenced_host_ops"

typedef struct fenced_host_ops {
    char *(*find)(const store_options_t *options, const char *ip, GError **error);
} fenced_host_ops_t;

/*!
 * \brief Which fenced host had this address on the storage network
 *
 * Asks the hosts' registry whose the address is, and the cluster's fencer for
 * the last time that it fenced this host with success.
 *
 * \return the host's name (g_free()) if it has been fenced, and has not reported in since or has hardly had the time
 *         to; NULL if not, or if it can't be known
 */
char *fenced_host_find(const store_options_t *options, const char *ip);

#endif
