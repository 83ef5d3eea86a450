/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_OPENERS_H
#define UNDERSTUDY_IMAGE_OPENERS_H

#include <glib.h>

#include "image/image_record.h"
#include "store/store.h"

/*
 * Who has the run images open, and who of them is put out. Nobody counts that
 * the store refuses (store_image_openers()), whether it is listed or not. The
 * entries outlast those who are listed: Ceph (16.2) does not extend one, so that
 * an entry that ends could be renewed only after it has ended.
 */

/*!
 * \brief Make sure that nobody has a run image open who may write
 *
 * A client of this host has ended when no QEMU of this host has that image in its command line; one of a host that
 * Pacemaker has fenced has ended, too. Both are put on the blocklist, each alone, so that nobody waits for their watches.
 * A mapping of this host's kernel is in the way as a stranger is: it shares its client with all others.
 *
 * \param[in]  options  how the store was opened
 * \param[in]  record   of an earlier start on this host, or NULL
 * \param[in]  wait_ms  how long to wait for others to let go
 * \param[out] error    UNDERSTUDY_ERROR_BUSY: names image, address, and the command that ends that client
 */
gboolean image_openers_wait_free(store_t *store, const store_options_t *options, char **run_names,
                                 const image_record_t *record, guint wait_ms, GError **error);

/* That nobody has locked one of them by hand, so that no QEMU can write: UNDERSTUDY_ERROR_BUSY names image and command. */
gboolean image_openers_check_locks(store_t *store, char **run_names, GError **error);

/* Which pool of one of them is full, as a sentence. NULL without an error if none is; g_free(). */
char *image_openers_full_pool(store_t *store, char **run_names, GError **error);

/* Why nothing can be written to one of them, as a sentence: a lock by hand, a full pool. NULL without an error if there is
 * no reason. g_free(). */
char *image_openers_write_obstacle(store_t *store, char **run_names, GError **error);

/*!
 * \brief Put those out that this host's ended processes have left
 *
 * What this host's kernel has mapped stays: it is no server, and in the way of the next start.
 *
 * \param[out] error  UNDERSTUDY_ERROR_BUSY: a QEMU of this host still has a run image open
 * \return TRUE: no QEMU of this host can write to a run image any more
 */
gboolean image_openers_end_own(store_t *store, char **run_names, const image_record_t *record, GError **error);

/* Addresses of this host's clients that have one of the images open and may write; frees its elements. A missing image
 * has none. */
GPtrArray *image_openers_own(store_t *store, char **run_names, GError **error);

/* The address of a client of another host that has one of the images open and may write; NULL in *address: none. g_free(). */
gboolean image_openers_elsewhere(store_t *store, char **run_names, const image_record_t *record, char **address,
                                 GError **error);

/* All clients of a host, by its addresses, that have an image open and may write, if each of the images is among those: else
 * NULL without an error. char*, frees its elements. */
GPtrArray *image_openers_of_host(store_t *store, char **run_names, char **addresses, GError **error);

/* TRUE in *watched if each of the images is open at this host, by a client that may write. */
gboolean image_openers_have_all(store_t *store, char **run_names, gboolean *watched, GError **error);

#endif
