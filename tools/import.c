/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/names.h"
#include "base/program.h"

#define IMPORT_PREFIX "import-"
#define SECTOR_BYTES  512
#define MIB           (1024 * 1024)
/* Between two lines of progress where the terminal can't rewrite one. */
#define PROGRESS_LINE_S 5
/* For a file's header, from storage that may be far away. */
#define INSPECT_TIMEOUT_MS 15000

void disk_free(disk_t *disk)
{
    if (disk == NULL) {
        return;
    }
    store_image_name_free(disk->name);
    g_free(disk->text);
    g_free(disk->file);
    g_free(disk);
}

/* Takes the format off the front of the file's name. */
static void read_format(disk_t *disk)
{
    static const struct {
        const char *prefix;
        disk_format_t format;
    } formats[] = { { "raw:", DISK_FORMAT_RAW }, { "qcow2:", DISK_FORMAT_QCOW2 } };

    for (gsize i = 0; disk->file != NULL && i < G_N_ELEMENTS(formats); i++) {
        if (g_str_has_prefix(disk->file, formats[i].prefix)) {
            char *file = g_strdup(disk->file + strlen(formats[i].prefix));

            g_free(disk->file);
            disk->file = file;
            disk->format = formats[i].format;
            return;
        }
    }
}

disk_t *disk_parse(const char *text, GError **error)
{
    const char *equals = strchr(text, '=');
    disk_t *disk = g_new0(disk_t, 1);

    disk->text = equals != NULL ? g_strndup(text, equals - text) : g_strdup(text);
    disk->file = equals != NULL ? g_strdup(equals + 1) : NULL;
    read_format(disk);
    if (disk->file != NULL && *disk->file == '\0') {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "--disk=%s: write the file after '=', or leave '=' out", text);
    } else {
        disk->name = store_image_name_parse(disk->text, error);
    }
    if (disk->name == NULL) {
        disk_free(disk);
        return NULL;
    }
    return disk;
}

/* The source -----------------------------------------------------------------*/

typedef struct source {
    gboolean is_raw;
    guint64 size_bytes; /* of the disk, not of the file */
} source_t;

/* A file that names others could bring in any file of this host, so nobody's header is followed unasked. */
static gboolean refuse_other_files(JsonObject *info, const disk_t *disk, GError **error)
{
    JsonObject *specific = json_read_object(info, "format-specific");
    JsonObject *data = specific != NULL ? json_read_object(specific, "data") : NULL;
    const char *kind = "backing file";
    const char *other = json_read_text(info, "backing-filename");

    if (*other == '\0' && data != NULL) {
        kind = "data file";
        other = json_read_text(data, "data-file");
    }
    if (*other == '\0' || disk->format == DISK_FORMAT_QCOW2) {
        return TRUE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                "the header of %s names the %s %s, which would be imported: if that is meant, write --disk=%s=qcow2:%s; "
                "if the file is a raw disk that has this at its start, write --disk=%s=raw:%s", disk->file, kind, other,
                disk->text, disk->file, disk->text, disk->file);
    return FALSE;
}

static gboolean read_info(const char *json, const disk_t *disk, source_t *source, GError **error)
{
    g_autoptr(JsonObject) info = json_read_object_text(json, "what qemu-img says", error);
    const char *format = json_read_text(info, "format");

    if (info == NULL) {
        return FALSE;
    }
    source->is_raw = strcmp(format, "raw") == 0;
    source->size_bytes = (guint64) MAX(json_read_integer(info, "virtual-size", 0), 0);
    if (!source->is_raw && strcmp(format, "qcow2") != 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "%s is a %s file: convert it to raw or qcow2 with qemu-img convert first", disk->file, format);
        return FALSE;
    }
    return refuse_other_files(info, disk, error);
}

/* By its header; qemu-img opens what that names, and writes nothing. */
static gboolean inspect(const disk_t *disk, source_t *source, GError **error)
{
    const char *any[] = { "qemu-img", "info", "--output=json", "--", disk->file, NULL };
    const char *qcow2[] = { "qemu-img", "info", "--output=json", "-f", "qcow2", "--", disk->file, NULL };
    g_autofree char *info = NULL;
    g_autoptr(GError) reason = NULL;

    if (program_run(disk->format == DISK_FORMAT_QCOW2 ? qcow2 : any, INSPECT_TIMEOUT_MS, &info, &reason)) {
        return read_info(info, disk, source, error);
    }
    if (g_error_matches(reason, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE)) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE,
                            "qemu-img is missing on this host: install qemu-utils");
    } else {
        g_set_error(error, UNDERSTUDY_ERROR, reason->code, "can't read %s: %s", disk->file, reason->message);
    }
    return FALSE;
}

/* A disk's contents are in a file or on a block device. */
static gboolean check_file(const disk_t *disk, GError **error)
{
    const char *file = disk->file;
    struct stat status;

    if (g_access(file, R_OK) != 0 || stat(file, &status) != 0) {
        g_set_error(error, UNDERSTUDY_ERROR, errno == EACCES ? UNDERSTUDY_ERROR_PERMISSION : UNDERSTUDY_ERROR_NOT_FOUND,
                    "can't read %s: %s", file, g_strerror(errno));
        return FALSE;
    }
    if (S_ISCHR(status.st_mode) || S_ISDIR(status.st_mode) || S_ISSOCK(status.st_mode)
        || (S_ISFIFO(status.st_mode) && disk->format == DISK_FORMAT_RAW)) { /* qemu-img is given up in time, open() is not */
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "%s is neither a file nor a block device: name what has the disk's contents", file);
        return FALSE;
    }
    return TRUE;
}

/* A file without a name in TMPDIR: gone with this process, whatever becomes of it. */
static int open_scratch(guint64 size_bytes, GError **error)
{
    const char *directory = g_getenv("TMPDIR") != NULL ? g_getenv("TMPDIR") : "/var/tmp";
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 || ftruncate(fd, (off_t) size_bytes) != 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "can't make a file of %" G_GUINT64_FORMAT " MiB in %s (%s): set TMPDIR to a folder with room",
                    size_bytes / MIB, directory, g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static gboolean convert(const char *file, int scratch, GError **error)
{
    const char *argv[] = { "qemu-img", "convert", "-f", "qcow2", "-O", "raw", "-n", "--target-is-zero",
                           isatty(STDERR_FILENO) ? "-p" : "-q", "--", file, "/dev/fd/3", NULL };
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_NONE);
    g_autoptr(GSubprocess) process = NULL;

    fprintf(stderr, "converting %s\n", file);
    g_subprocess_launcher_take_fd(launcher, dup(scratch), 3);
    g_subprocess_launcher_take_stdout_fd(launcher, dup(STDERR_FILENO));
    process = g_subprocess_launcher_spawnv(launcher, argv, error);
    if (process == NULL || !g_subprocess_wait(process, NULL, error)) {
        return FALSE;
    }
    if (!g_subprocess_get_successful(process)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "qemu-img could not convert %s; its message stands above", file);
        return FALSE;
    }
    return TRUE;
}

static int open_raw(const char *file, source_t *source, GError **error)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    off_t size_bytes = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;

    if (size_bytes < 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "can't open %s: %s", file, g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    /* qemu-img would round it up to a sector, as if there were more to read. */
    source->size_bytes = (guint64) size_bytes;
    return fd;
}

static int open_converted(const char *file, const source_t *source, GError **error)
{
    int fd = open_scratch(source->size_bytes, error);

    if (fd >= 0 && !convert(file, fd, error)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A descriptor of the disk's raw contents, or -1. */
static int open_source(const disk_t *disk, source_t *source, GError **error)
{
    int fd = -1;

    source->is_raw = TRUE;
    if (!check_file(disk, error) || (disk->format != DISK_FORMAT_RAW && !inspect(disk, source, error))) {
        return -1;
    }
    fd = source->is_raw ? open_raw(disk->file, source, error) : open_converted(disk->file, source, error);
    if (fd >= 0 && source->size_bytes == 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "%s is empty: name what has the disk's contents",
                    disk->file);
        close(fd);
        return -1;
    }
    return fd;
}

/* The import -----------------------------------------------------------------*/

typedef struct progress {
    const char *text;
    gboolean rewrites;
    gint64 shown_us;
} progress_t;

static gboolean show_progress(guint64 done_bytes, guint64 total_bytes, void *user_data)
{
    progress_t *progress = user_data;
    gint64 now_us = g_get_monotonic_time();
    gint64 pause_us = progress->rewrites ? G_USEC_PER_SEC / 5 : PROGRESS_LINE_S * G_USEC_PER_SEC;

    if (done_bytes < total_bytes && now_us - progress->shown_us < pause_us) {
        return TRUE;
    }
    progress->shown_us = now_us;
    fprintf(stderr, "%simporting %s: %3u %% of %" G_GUINT64_FORMAT " MiB%s", progress->rewrites ? "\r" : "",
            progress->text, total_bytes > 0 ? (guint) (done_bytes * 100 / total_bytes) : 100, total_bytes / MIB,
            progress->rewrites ? "" : "\n");
    return TRUE;
}

static store_image_name_t *import_name(const store_image_name_t *name)
{
    store_image_name_t *temporary = g_new0(store_image_name_t, 1);

    temporary->pool = g_strdup(name->pool);
    temporary->namespace = g_strdup(name->namespace);
    temporary->image = g_strconcat(IMPORT_PREFIX, name->image, NULL);
    return temporary;
}

/* The name says nothing: anybody may have an image that is called so. */
static gboolean is_leftover(store_t *store, const store_image_name_t *temporary, GError **error)
{
    g_autofree char *import_id = NULL;
    g_autofree char *text = store_image_name_text(temporary);

    if (!store_image_import_id(store, temporary, &import_id, error)) {
        return FALSE;
    }
    if (import_id == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS,
                    "%s exists, and nothing in it says that it is left of an import, so it stays: if another import has just "
                    "begun, wait for that one to end; if the image is somebody's, give it another name (rbd rename %s NEW); if "
                    "an import was killed as it began, or was one of an earlier version, remove the image (rbd rm %s); then run "
                    "the command again", text, text, text);
    }
    return import_id != NULL;
}

static gboolean is_given_up(store_t *store, const store_image_name_t *temporary, GError **error)
{
    g_autoptr(GPtrArray) watchers = store_image_watchers(store, temporary, error);

    if (watchers != NULL && watchers->len > 0) {
        const store_watcher_t *watcher = g_ptr_array_index(watchers, 0);
        g_autofree char *text = store_image_name_text(temporary);

        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "%s is being written from %s: wait for that import to end (30 s after it was killed)", text,
                    watcher->ip);
    }
    return watchers != NULL && watchers->len == 0;
}

/* What an interrupted import left, unless somebody writes it now. */
static gboolean clear_leftover(store_t *store, const store_image_name_t *temporary, GError **error)
{
    GError *failure = NULL;
    gboolean exists = FALSE;

    if (!store_image_exists(store, temporary, &exists, error)) {
        return FALSE;
    }
    if (exists && is_leftover(store, temporary, &failure) && is_given_up(store, temporary, &failure)) {
        fprintf(stderr, "starting the interrupted import again\n");
        (void) store_image_remove(store, temporary, &failure);
    }
    if (g_error_matches(failure, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) { /* another import was faster */
        g_clear_error(&failure);
    }
    if (failure != NULL) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    return TRUE;
}

static gboolean make_image(store_t *store, const store_image_name_t *temporary, guint64 size_bytes, GError **error)
{
    GError *failure = NULL;

    if (store_image_create(store, temporary, size_bytes, &failure)) {
        return TRUE;
    }
    if (g_error_matches(failure, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS)) {
        g_autofree char *text = store_image_name_text(temporary);

        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "%s has just been made by another import: wait for that one to end, then run the command again (if there "
                    "is none, remove what is left of the image first: rbd rm %s)", text, text);
        g_error_free(failure);
    } else {
        g_propagate_error(error, failure);
    }
    return FALSE;
}

/* The failure itself is told elsewhere. What has another import's mark is not ours any more. */
static void remove_failed(store_t *store, const store_image_name_t *temporary, const char *import_id)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = store_image_name_text(temporary);
    g_autofree char *marked = NULL;
    gboolean known = store_image_import_id(store, temporary, &marked, &error);

    if (known && marked == NULL) {
        fprintf(stderr, "understudy: %s is left in the store, and nothing in it says whose it is: remove it (rbd rm %s)\n", text,
                text);
    } else if ((!known || (strcmp(marked, import_id) == 0 && !store_image_remove(store, temporary, &error)))
               && !g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        fprintf(stderr, "understudy: %s is left in the store (%s): the next import of this disk removes it\n", text,
                error->message);
    }
}

static gboolean write_image(store_t *store, const disk_t *disk, const store_image_name_t *temporary, int fd,
                            guint64 size_bytes, GError **error)
{
    progress_t progress = { .text = disk->text, .rewrites = isatty(STDERR_FILENO),
                            .shown_us = g_get_monotonic_time() };
    g_autofree char *import_id = g_uuid_string_random();
    const store_import_t import = { .id = import_id, .new_image = disk->name->image, .fd = fd, .file_bytes = size_bytes,
                                    .image_bytes = (size_bytes + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES,
                                    .progress = show_progress, .user_data = &progress };
    GError *failure = NULL;

    if (!make_image(store, temporary, import.image_bytes, error)) {
        return FALSE;
    }
    (void) store_image_import(store, temporary, &import, &failure);
    if (progress.rewrites) {
        fputc('\n', stderr);
    }
    if (failure == NULL) {
        return TRUE;
    }
    if (!g_error_matches(failure, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY)) {
        remove_failed(store, temporary, import_id);
    }
    g_propagate_error(error, failure);
    return FALSE;
}

gboolean disk_import(store_t *store, const disk_t *disk, GError **error)
{
    store_image_name_t *temporary = NULL;
    source_t source = { 0 };
    gboolean exists = FALSE;
    gboolean done = FALSE;
    int fd = -1;

    if (!store_image_exists(store, disk->name, &exists, error)) {
        return FALSE;
    }
    if (exists) {
        if (disk->file != NULL) {
            fprintf(stderr, "%s exists already: it is kept, %s is not imported\n", disk->text, disk->file);
        }
        return TRUE;
    }
    if (disk->file == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND,
                    "there is no image %s: name a file to import with --disk=%s=FILE", disk->text, disk->text);
        return FALSE;
    }
    fd = open_source(disk, &source, error);
    if (fd < 0) {
        return FALSE;
    }
    temporary = import_name(disk->name);
    done = clear_leftover(store, temporary, error)
           && write_image(store, disk, temporary, fd, source.size_bytes, error);
    store_image_name_free(temporary);
    close(fd);
    return done;
}

/* Recovery points ------------------------------------------------------------*/

gboolean disks_first_point(store_t *store, const GPtrArray *disks, GError **error)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time_text = g_date_time_format(now, "%Y%m%dT%H%M%SZ");
    g_autofree char *point = g_strconcat(POINT_PREFIX, time_text, NULL);
    gboolean all_have = TRUE;

    for (guint i = 0; i < disks->len; i++) {
        const disk_t *disk = g_ptr_array_index(disks, i);
        GError *failure = NULL;
        g_autofree char *newest = store_newest_point(store, disk->name, &failure);

        if (failure != NULL) {
            g_propagate_error(error, failure);
            return FALSE;
        }
        all_have = all_have && newest != NULL;
    }
    for (guint i = 0; !all_have && i < disks->len; i++) {
        const disk_t *disk = g_ptr_array_index(disks, i);

        if (!store_point_create(store, disk->name, point, error)) {
            return FALSE;
        }
        fprintf(stderr, "made the recovery point %s@%s\n", disk->text, point);
    }
    return TRUE;
}
