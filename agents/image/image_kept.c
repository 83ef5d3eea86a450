/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/image_kept.h"

#include "base/error.h"
#include "base/names.h"
#include "ocf.h"

/* Names that a killed rename has left and that no list shows are passed over. */
#define TRIES_MAX   32U
/* Of each call: a start has more to do. */
#define REMOVALS_MAX 4U

static gboolean next_generation(store_t *store, const store_image_name_t *run, guint *generation, GError **error)
{
    g_auto(GStrv) images = store_image_list(store, run->pool, run->image, error);
    guint found = 0;

    *generation = 1;
    for (char **image = images; images != NULL && *image != NULL; image++) {
        if (kept_image_generation(*image, run->image, &found)) {
            *generation = MAX(*generation, found + 1);
        }
    }
    return images != NULL;
}

gboolean image_kept_set_aside(store_t *store, const store_image_name_t *run, GError **error)
{
    g_autofree char *renamed = NULL;
    guint generation = 0;

    if (!store_rename_finish(store, run, &renamed, error)) {
        return FALSE;
    }
    if (renamed != NULL) {
        ocf_log("%s/%s was about to be kept as %s, and is now", run->pool, run->image, renamed);
        return TRUE;
    }
    if (!next_generation(store, run, &generation, error)) {
        return FALSE;
    }
    for (guint i = 0; i < TRIES_MAX; i++) {
        g_autofree char *image = kept_image_name(run->image, generation + i);
        g_autoptr(GError) rename_error = NULL;

        if (store_image_rename(store, run, image, &rename_error)) {
            ocf_log("%s/%s is kept as %s", run->pool, run->image, image);
            return TRUE;
        }
        if (!g_error_matches(rename_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS)) {
            g_propagate_error(error, g_steal_pointer(&rename_error));
            return FALSE;
        }
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "no name is free to keep %s/%s under", run->pool, run->image);
    return FALSE;
}

/* TRUE if it has been removed. */
static gboolean remove_if_empty(store_t *store, const store_image_name_t *kept, GError **error)
{
    gboolean written = TRUE;

    return store_image_is_written(store, kept, &written, error) && !written && store_image_remove(store, kept, error);
}

static void tidy_one(store_t *store, const store_image_name_t *run, char **images, guint *left)
{
    guint generation = 0;

    for (char **image = images; *image != NULL && *left > 0; image++) {
        const store_image_name_t kept = { .pool = run->pool, .namespace = run->namespace, .image = *image };
        g_autoptr(GError) error = NULL;

        if (!kept_image_generation(*image, run->image, &generation)) {
            continue;
        }
        if (remove_if_empty(store, &kept, &error)) {
            ocf_log("%s/%s, in which nobody has written, is removed", run->pool, *image);
            (*left)--;
        } else if (error != NULL && !g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY)) {
            ocf_log("%s/%s stays: %s", run->pool, *image, error->message);
            *left = g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT) ? 0 : *left;
        }
    }
}

void image_kept_tidy(store_t *store, char **run_images)
{
    guint left = REMOVALS_MAX;

    for (char **run_image = run_images; *run_image != NULL && left > 0; run_image++) {
        g_autoptr(GError) error = NULL;
        store_image_name_t *run = store_image_name_parse(*run_image, &error);
        g_auto(GStrv) images = run != NULL ? store_image_list(store, run->pool, run->image, &error) : NULL;

        if (images != NULL) {
            tidy_one(store, run, images, &left);
        } else {
            ocf_log("what was kept of %s can't be listed: %s", *run_image, error->message);
            left = 0;
        }
        store_image_name_free(run);
    }
}
