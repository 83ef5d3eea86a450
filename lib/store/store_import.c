/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: a file becomes an image. */
#include "config.h" /* SEEK_DATA */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "store/store_private.h"

#define IMPORT_CHUNK_BYTES  (4U << 20) /* RBD's default object size */
#define IMPORT_IN_FLIGHT    8U

/* Writes under way, oldest first from `first`; each slot keeps its buffer. */
typedef struct import {
    rbd_image_t image;
    struct {
        rbd_completion_t completion;
        char *buffer;
    } slots[IMPORT_IN_FLIGHT];
    guint next;
    int rc; /* first error */
} import_t;

static void import_slot_wait(import_t *import, guint slot)
{
    rbd_completion_t completion = import->slots[slot].completion;

    if (completion == NULL) {
        return;
    }
    rbd_aio_wait_for_complete(completion);
    if (import->rc >= 0) {
        import->rc = (int) rbd_aio_get_return_value(completion);
    }
    rbd_aio_release(completion);
    import->slots[slot].completion = NULL;
}

static gboolean bytes_are_zero(const char *bytes, gsize length)
{
    return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

static int read_full(int fd, char *buffer, gsize length, guint64 offset)
{
    gsize done = 0;

    while (done < length) {
        ssize_t count = pread(fd, buffer + done, length - done, (off_t) (offset + done));

        if (count < 0 && errno != EINTR) {
            return -errno;
        }
        if (count == 0) {
            return -EIO; /* the file is shorter than it was */
        }
        done += count > 0 ? (gsize) count : 0;
    }
    return 0;
}

static void import_chunk(import_t *import, int fd, guint64 offset, gsize length)
{
    guint slot = import->next;
    int rc = 0;

    import_slot_wait(import, slot);
    rc = import->rc >= 0 ? read_full(fd, import->slots[slot].buffer, length, offset) : import->rc;
    if (rc >= 0 && !bytes_are_zero(import->slots[slot].buffer, length)) {
        rc = rbd_aio_create_completion(NULL, NULL, &import->slots[slot].completion);
        if (rc >= 0) {
            rc = rbd_aio_write(import->image, offset, length, import->slots[slot].buffer,
                               import->slots[slot].completion);
        }
        import->next = (slot + 1) % IMPORT_IN_FLIGHT;
    }
    import->rc = rc < 0 ? rc : import->rc;
}

/* Where data is next at or after the offset; a file system that knows no holes says: here. */
static guint64 next_data(int fd, guint64 offset, guint64 size_bytes)
{
    off_t data = lseek(fd, (off_t) offset, SEEK_DATA);

    if (data < 0) {
        return errno == ENXIO ? size_bytes : offset;
    }
    return (guint64) data - (guint64) data % IMPORT_CHUNK_BYTES;
}

static gboolean import_run(import_t *import, int fd, guint64 size_bytes, store_progress_fn progress, void *user_data)
{
    guint64 offset = 0;

    while (import->rc >= 0 && offset < size_bytes) {
        offset = MIN(MAX(next_data(fd, offset, size_bytes), offset), size_bytes);
        if (offset < size_bytes) {
            gsize length = (gsize) MIN(size_bytes - offset, IMPORT_CHUNK_BYTES);

            import_chunk(import, fd, offset, length);
            offset += length;
        }
        if (progress != NULL && !progress(offset, size_bytes, user_data)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean store_do_image_import_raw(store_t *store, const store_image_name_t *name, int fd, guint64 size_bytes,
                                   store_progress_fn progress, void *user_data, GError **error)
{
    opened_image_t opened;
    import_t import;
    gboolean wanted = TRUE;

    if (!opened_image_open(store, name, TRUE, &opened, error)) {
        return FALSE;
    }
    memset(&import, 0, sizeof import);
    import.image = opened.image;
    for (guint i = 0; i < IMPORT_IN_FLIGHT; i++) {
        import.slots[i].buffer = g_malloc(IMPORT_CHUNK_BYTES);
    }
    wanted = import_run(&import, fd, size_bytes, progress, user_data);
    for (guint i = 0; i < IMPORT_IN_FLIGHT; i++) {
        import_slot_wait(&import, i);
        g_free(import.slots[i].buffer);
    }
    if (import.rc >= 0 && wanted) {
        import.rc = rbd_flush(opened.image);
    }
    opened_image_close(&opened);
    if (!wanted) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "the import was given up");
        return FALSE;
    }
    return import.rc >= 0 || store_image_fail(error, import.rc, name, "write");
}
