/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_DISKS_H
#define UNDERSTUDY_IMAGE_DISKS_H

#include <glib.h>

#include "image/image_record.h"
#include "ocf.h"
#include "store/store.h"

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
 * \brief Clone what has to be cloned, so that all run images are there
 *
 * A disk's run image may be another one afterwards: that which was cloned from it. Whoever calls this holds the claim.
 *
 * \param[in] holder    what the claim says: nothing is noted with it once it says something else
 * \param[in] takeover  by which image_use.h tells this takeover from others; 0: not known
 */
gboolean image_disks_prepare(store_t *store, GPtrArray *disks, const char *server, const char *holder, gint64 takeover,
                             GError **error);

/* Whether image_disks_prepare() could do its work now; changes nothing. UNDERSTUDY_ERROR_CONFIG and _NOT_FOUND: not before an
 * operator changes what is in the store. What an earlier takeover wrote is judged as in one that is still to come. */
gboolean image_disks_boot_check(store_t *store, GPtrArray *disks, const char *server, GError **error);

/* Likewise, and that each recovery image is there, whether a start needs it now or not. */
gboolean image_disks_check(store_t *store, GPtrArray *disks, const char *server, GError **error);

#endif
