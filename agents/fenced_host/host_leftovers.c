/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "fenced_host/host_leftovers.h"

#include <string.h>

#include "base/names.h"
#include "base/pidfile.h"
#include "image/image_lock.h"
#include "image/image_record.h"
#include "image/qemu_process.h"
#include "run_dir.h"

/* Whichever pool: the host is refused as a whole. */
static gboolean has_store_disk(pid_t pid)
{
    static const char driver[] = "\"driver\":\"rbd\"";
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int) pid);
    g_autofree char *bytes = NULL;
    gsize length = 0;

    return g_file_get_contents(path, &bytes, &length, NULL)
           && memmem(bytes, length, driver, strlen(driver)) != NULL; /* NULs between the arguments */
}

static char *qemu_left(GError **error)
{
    g_autoptr(GPtrArray) qemus = qemu_process_list(error);

    for (guint i = 0; qemus != NULL && i < qemus->len; i++) {
        const qemu_shown_t *qemu = g_ptr_array_index(qemus, i);

        if ((qemu->name != NULL && resource_id_server(qemu->name) != NULL) || has_store_disk(qemu->pid)) {
            return g_strdup_printf("a QEMU from before the fence (%s, pid %d): end it, or boot the host",
                                   qemu->name != NULL ? qemu->name : "?", (int) qemu->pid);
        }
    }
    return NULL;
}

/* libvirtd was asked for it and has not answered: it may make it yet. */
static char *create_left(void)
{
    g_auto(GStrv) names = image_record_list();

    for (char **name = names; *name != NULL; name++) {
        image_record_t *record = image_record_load(*name);
        gboolean may_come = image_record_create_is_unanswered(record);

        image_record_free(record);
        if (may_come) {
            return g_strdup_printf("the start of %s, which libvirtd may carry out yet: let Pacemaker stop %s (crm_resource "
                                   "--cleanup --resource %s), or boot the host", *name, *name, *name);
        }
    }
    return NULL;
}

/* A lock that nobody holds is a file without a meaning. */
static char *action_left(GError **error)
{
    g_autoptr(GDir) directory = g_dir_open(UNDERSTUDY_RUN_DIR, 0, NULL);
    const char *entry = NULL;

    while (directory != NULL && (entry = g_dir_read_name(directory)) != NULL) {
        g_autofree char *path = g_build_filename(UNDERSTUDY_RUN_DIR, entry, NULL);
        pid_t owner = 0;

        if (!g_str_has_prefix(entry, IMAGE_LOCK_PREFIX) || !g_str_has_suffix(entry, IMAGE_LOCK_SUFFIX)) {
            continue;
        }
        if (!pidfile_owner(path, &owner, error)) {
            return NULL;
        }
        if (owner != 0) {
            return g_strdup_printf("an action of an image that is under way (pid %d, %s): wait for it, or end it", (int) owner,
                                   path);
        }
    }
    return NULL;
}

char *host_leftover_noted(GError **error)
{
    char *left = create_left();

    return left != NULL ? left : action_left(error);
}

/* What is noted comes first: a QEMU that is made between the two looks is seen by the second. */
char *host_leftover_find(GError **error)
{
    GError *look_error = NULL;
    char *left = host_leftover_noted(&look_error);

    if (left == NULL && look_error == NULL) {
        left = qemu_left(&look_error);
    }
    if (look_error != NULL) {
        g_propagate_error(error, look_error);
    }
    return left;
}
