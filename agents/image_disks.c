/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image_disks.h"

#include <string.h>

#include "image_plan.h"
#include "names.h"

static void disk_free(gpointer data)
{
    image_disk_t *disk = data;

    store_image_name_free(disk->recovery);
    store_image_name_free(disk->run);
    g_free(disk);
}

/* libvirt 9 can't name an RBD namespace: run images stand in the pool's own. */
static image_disk_t *disk_new(const char *word, const char *run_pool, const char *server, guint index)
{
    image_disk_t *disk = g_new0(image_disk_t, 1);

    disk->recovery = store_image_name_parse(word, NULL);
    disk->run = g_new0(store_image_name_t, 1);
    disk->run->pool = g_strdup(run_pool != NULL ? run_pool : disk->recovery->pool);
    disk->run->namespace = g_strdup("");
    disk->run->image = server_run_image_name(server, index);
    return disk;
}

GPtrArray *image_disks_new(const ocf_values_t *values, const char *server)
{
    const char *run_pool = ocf_value_string(values, "run_pool");
    g_auto(GStrv) words = g_strsplit_set(ocf_value_string(values, "disks"), " \t,", -1);
    GPtrArray *disks = g_ptr_array_new_with_free_func(disk_free);

    for (char **word = words; *word != NULL; word++) {
        if (**word != '\0') {
            g_ptr_array_add(disks, disk_new(*word, run_pool, server, disks->len));
        }
    }
    return disks;
}

char **image_disks_run_names(GPtrArray *disks)
{
    char **names = g_new0(char *, disks->len + 1);

    for (guint i = 0; i < disks->len; i++) {
        const image_disk_t *disk = disks->pdata[i];

        names[i] = store_image_name_text(disk->run);
    }
    return names;
}

/* Clones ------------------------------------------------------------------*/

static void facts_free(disk_facts_t *facts, guint count)
{
    for (guint i = 0; i < count; i++) {
        g_free((char *) facts[i].run_name);
        g_free(facts[i].cloned_point);
        g_strfreev(facts[i].points);
    }
    g_free(facts);
}

static gboolean facts_of_run_image(store_t *store, const image_disk_t *disk, disk_facts_t *facts, GError **error)
{
    facts->run_name = store_image_name_text(disk->run);
    return store_image_exists(store, disk->run, &facts->exists, error)
           && (!facts->exists
               || (store_clone_state(store, disk->run, &facts->complete, &facts->cloned_point, error)
                   && store_image_is_written(store, disk->run, &facts->written, error)));
}

static gboolean facts_get(store_t *store, GPtrArray *disks, disk_facts_t *facts, GError **error)
{
    for (guint i = 0; i < disks->len; i++) {
        if (!facts_of_run_image(store, disks->pdata[i], &facts[i], error)) {
            return FALSE;
        }
    }
    for (guint i = 0; i < disks->len && image_plan_needs_points(facts, disks->len); i++) {
        const image_disk_t *disk = disks->pdata[i];

        facts[i].points = store_image_points(store, disk->recovery, error);
        if (facts[i].points == NULL) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean step_carry_out(store_t *store, const image_disk_t *disk, disk_step_t step, const char *point,
                               GError **error)
{
    return step == DISK_KEEP
           || ((step == DISK_CLONE || store_image_remove(store, disk->run, error))
               && store_image_clone(store, disk->recovery, point, disk->run, error));
}

static gboolean plan_carry_out(store_t *store, GPtrArray *disks, const disk_facts_t *facts, GError **error)
{
    g_autofree disk_step_t *steps = g_new0(disk_step_t, disks->len);
    const char *point = NULL;

    if (!image_plan_make(facts, disks->len, steps, &point, error)) {
        return FALSE;
    }
    for (guint i = 0; i < disks->len; i++) {
        if (!step_carry_out(store, disks->pdata[i], steps[i], point, error)) {
            return FALSE;
        }
    }
    ocf_log("%s", point != NULL ? point : "keeping the run images that an earlier takeover has written");
    return TRUE;
}

gboolean image_disks_prepare(store_t *store, GPtrArray *disks, GError **error)
{
    disk_facts_t *facts = g_new0(disk_facts_t, disks->len);
    gboolean done = facts_get(store, disks, facts, error) && plan_carry_out(store, disks, facts, error);

    facts_free(facts, disks->len);
    return done;
}

gboolean image_disks_check(store_t *store, GPtrArray *disks, GError **error)
{
    disk_facts_t *facts = g_new0(disk_facts_t, disks->len);
    g_autofree disk_step_t *steps = g_new0(disk_step_t, disks->len);
    const char *point = NULL;
    gboolean good = TRUE;

    for (guint i = 0; i < disks->len && good; i++) {
        const image_disk_t *disk = disks->pdata[i];

        good = facts_of_run_image(store, disk, &facts[i], error);
        facts[i].points = good ? store_image_points(store, disk->recovery, error) : NULL;
        good = facts[i].points != NULL;
    }
    good = good && image_plan_make(facts, disks->len, steps, &point, error);
    facts_free(facts, disks->len);
    return good;
}
