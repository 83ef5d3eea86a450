/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: a file becomes an image. */
#include "config.h" /* SEEK_DATA */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "store/import_mark.h"
#include "store/store_private.h"

/* Metadata key of an image that is being imported; its value is a mark. */
#define IMPORT_KEY          "understudy_import"
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

/* The first error of all writes; -ECANCELED: progress() has given up. */
static int import_write(rbd_image_t image, const store_import_t *what)
{
    import_t import;
    gboolean wanted = TRUE;

    memset(&import, 0, sizeof import);
    import.image = image;
    for (guint i = 0; i < IMPORT_IN_FLIGHT; i++) {
        import.slots[i].buffer = g_malloc(IMPORT_CHUNK_BYTES);
    }
    wanted = import_run(&import, what->fd, what->file_bytes, what->progress, what->user_data);
    for (guint i = 0; i < IMPORT_IN_FLIGHT; i++) {
        import_slot_wait(&import, i);
        g_free(import.slots[i].buffer);
    }
    if (import.rc >= 0 && !wanted) {
        return -ECANCELED;
    }
    return import.rc >= 0 ? rbd_flush(image) : import.rc;
}

/* Whose an image is ----------------------------------------------------------*/

/* Which import has marked the image; *import_id is NULL if none has. */
static int mark_read(rbd_image_t image, char **import_id)
{
    char text[METADATA_MAX_BYTES];
    char id[IMAGE_ID_MAX_BYTES];
    size_t text_bytes = sizeof text;
    int rc = rbd_metadata_get(image, IMPORT_KEY, text, &text_bytes);

    *import_id = NULL;
    if (rc == -ENOENT || rc == -ERANGE) { /* no mark of ours is so long */
        return 0;
    }
    rc = rc >= 0 ? rbd_get_id(image, id, sizeof id) : rc;
    if (rc >= 0) {
        *import_id = g_strdup(import_mark_import(text, id));
    }
    return rc;
}

static int mark_set(rbd_image_t image, const char *import_id)
{
    g_autofree char *text = NULL;
    char id[IMAGE_ID_MAX_BYTES];
    int rc = rbd_get_id(image, id, sizeof id);

    if (rc < 0) {
        return rc;
    }
    text = import_mark_text(id, import_id);
    return rbd_metadata_set(image, IMPORT_KEY, text);
}

gboolean store_do_image_import_id(store_t *store, const store_image_name_t *name, char **import_id, GError **error)
{
    opened_image_t opened;
    int rc = 0;

    if (!opened_image_open(store, name, FALSE, &opened, error)) {
        return FALSE;
    }
    rc = mark_read(opened.image, import_id);
    opened_image_close(&opened);
    return rc >= 0 || store_image_fail(error, rc, name, "read the metadata of");
}

static gboolean is_anothers(GError **error, const store_image_name_t *name)
{
    g_autofree char *text = store_image_name_text(name);

    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                "another import writes %s: wait for that one to end, then run the command again", text);
    return FALSE;
}

/* Between its creation and here another import may have put its own image in the place of ours: it is locked before it is
 * looked at, so that of two who have opened the same one only one gets beyond this. */
static gboolean import_begin(rbd_image_t image, const store_image_name_t *name, const store_import_t *import, GError **error)
{
    g_autofree char *marked = NULL;
    uint64_t size_bytes = 0;
    int rc = rbd_lock_acquire(image, RBD_LOCK_MODE_EXCLUSIVE);

    if (rc == -EROFS || rc == -EBUSY) { /* its owner does not hand it over: librbd does that only by itself */
        return is_anothers(error, name);
    }
    if (rc < 0) {
        return store_image_fail(error, rc, name, "lock");
    }
    rc = mark_read(image, &marked);
    rc = rc >= 0 ? rbd_get_size(image, &size_bytes) : rc;
    if (rc >= 0 && (marked != NULL || size_bytes != import->image_bytes)) {
        return is_anothers(error, name);
    }
    rc = rc >= 0 ? mark_set(image, import->id) : rc;
    return rc >= 0 || store_image_fail(error, rc, name, "mark");
}

gboolean store_do_image_import(store_t *store, const store_image_name_t *name, const store_import_t *import, GError **error)
{
    opened_image_t opened;
    gboolean done = FALSE;
    int rc = 0;

    if (!opened_image_open(store, name, TRUE, &opened, error)) {
        return FALSE;
    }
    if (import_begin(opened.image, name, import, error)) {
        rc = import_write(opened.image, import);
        if (rc == -ECANCELED) {
            g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "the import was given up");
        } else if (rc < 0) {
            store_image_fail(error, rc, name, "write");
        } else {
            /* Still open: nobody can remove an image that somebody has open, so what gets the name is what was written. */
            done = store_do_image_rename(store, name, import->new_image, error);
        }
    }
    if (done) {
        /* A mark that stays does no harm: nobody removes an image for it that is not called as one being imported. */
        (void) rbd_metadata_remove(opened.image, IMPORT_KEY);
    }
    opened_image_close(&opened);
    return done;
}
