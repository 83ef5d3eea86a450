/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMPORT_H
#define UNDERSTUDY_IMPORT_H

#include "store/store.h"

/* What the operator says of a file. */
typedef enum {
    DISK_FORMAT_UNSAID, /* what its header says, as long as that names no other file */
    DISK_FORMAT_RAW,    /* the disk itself, whatever stands at its start */
    DISK_FORMAT_QCOW2,  /* with the files that its header names */
} disk_format_t;

/* A disk of a server: the image and, if one was given, the file to import. */
typedef struct disk {
    store_image_name_t *name;
    char *text;  /* POOL/IMAGE */
    char *file;  /* or NULL */
    disk_format_t format;
} disk_t;

/* Reads POOL/IMAGE[=FILE], FILE perhaps with "raw:" or "qcow2:" before it; NULL with UNDERSTUDY_ERROR_CONFIG. */
disk_t *disk_parse(const char *text, GError **error);
void disk_free(disk_t *disk);

/*!
 * \brief Make sure that a disk's image exists, importing its file if it does not
 *
 * The file is written into an image "import-IMAGE" that gets its name when it is
 * whole, so that an interrupted import is never taken for an image. From the first
 * byte on it is marked as an import's: the next run removes what has that mark, and
 * nothing else, and starts again; an import that fails leaves nothing. A file whose
 * size is no multiple of a sector is padded with zeros. Says on standard error what
 * it does.
 *
 * \param[out] error  UNDERSTUDY_ERROR_NOT_FOUND: no image and no file; UNDERSTUDY_ERROR_BUSY: another import goes on;
 *                    UNDERSTUDY_ERROR_EXISTS: somebody else has an image of that name; UNDERSTUDY_ERROR_CONFIG: the file is
 *                    no disk, or its header names other files
 */
gboolean disk_import(store_t *store, const disk_t *disk, GError **error);

/* Makes a recovery point of all disks (disk_t*) together if one of them has none. */
gboolean disks_first_point(store_t *store, const GPtrArray *disks, GError **error);

#endif
