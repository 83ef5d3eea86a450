/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_DISKS_H
#define UNDERSTUDY_IMAGE_DISKS_H

#include <glib.h>

#include "image_record.h"
#include "ocf.h"
#include "store.h"

/* The disks of one server: recovery images, and the run images that a host boots. */
typedef struct image_disk {
    store_image_name_t *recovery;
    store_image_name_t *run;
} image_disk_t;

/* From the parameters disks and run_pool, which have been checked: image_disk_t*, frees its elements. */
GPtrArray *image_disks_new(const ocf_values_t *values, const char *server);

/* "pool/image" of each run image, NULL-terminated; g_strfreev(). */
char **image_disks_run_names(GPtrArray *disks);

/*!
 * \brief Make sure that nobody else has a run image open
 *
 * A watcher that the blocklist covers can't write. One from this host that the
 * record knows is a QEMU or an agent of ours that has ended: the caller has made
 * sure that no QEMU of this domain lives; it goes on the blocklist, alone, so that
 * its watch does not hold us up for 30 s. So does one of a host that Pacemaker has fenced.
 *
 * \param[in]  options  how the store was opened
 * \param[in]  record   of an earlier start on this host, or NULL
 * \param[in]  wait_ms  how long to wait for others to let go
 * \param[out] error    UNDERSTUDY_ERROR_BUSY: names image and address
 */
gboolean image_disks_wait_free(store_t *store, const store_options_t *options, char **run_names,
                               const image_record_t *record, guint wait_ms,
                               GError **error);

/* Clone what has to be cloned, so that all run images are there. */
gboolean image_disks_prepare(store_t *store, GPtrArray *disks, GError **error);

/* That each recovery image is there, and that they have a recovery point in common. */
gboolean image_disks_check(store_t *store, GPtrArray *disks, GError **error);

/* Addresses of this host's clients that have one of the images open; frees its elements. A missing image has none. */
GPtrArray *image_disks_own_clients(store_t *store, char **run_names, GError **error);

/* Put those of the addresses that the record knows on the blocklist: their processes must have ended. */
gboolean image_disks_block_recorded(store_t *store, GPtrArray *clients, const image_record_t *record, GError **error);

/* TRUE in *watched if each of the images is open at this host. */
gboolean image_disks_are_open_here(store_t *store, char **run_names, gboolean *watched, GError **error);

#endif
