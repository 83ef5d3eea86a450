/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMPORT_H
#define UNDERSTUDY_IMPORT_H

#include "store.h"

/* A disk of a server: the image and, if one was given, the file to import. */
typedef struct disk {
    store_image_name_t *name;
    char *text;  /* POOL/IMAGE */
    char *file;  /* or NULL */
} disk_t;

/* Reads POOL/IMAGE[=FILE]; NULL with UNDERSTUDY_ERROR_CONFIG. */
disk_t *disk_parse(const char *text, GError **error);
void disk_free(disk_t *disk);

/*!
 * \brief Make sure that a disk's image exists, importing its file if it does not
 *
 * The file is written into an image "import-IMAGE" that gets its name when it is
 * whole, so that an interrupted import is never taken for an image; the next run
 * starts it again. Says on standard error what it does.
 *
 * \param[out] error  UNDERSTUDY_ERROR_NOT_FOUND: no image and no file; UNDERSTUDY_ERROR_BUSY: another import goes on
 */
gboolean disk_import(store_t *store, const disk_t *disk, GError **error);

/* Makes a recovery point of all disks (disk_t*) together if one of them has none. */
gboolean disks_first_point(store_t *store, const GPtrArray *disks, GError **error);

#endif
