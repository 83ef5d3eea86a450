/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image_plan.h"

#include <string.h>

#include "error.h"

static gboolean is_written(const disk_facts_t *disk)
{
    return disk->exists && disk->written;
}

static const disk_facts_t *find_written(const disk_facts_t *facts, guint count)
{
    for (guint i = 0; i < count; i++) {
        if (is_written(&facts[i])) {
            return &facts[i];
        }
    }
    return NULL;
}

/* A clone without the mark that holds data is an operator's own making: it is whole as far as we know. */
static const disk_facts_t *find_unusable(const disk_facts_t *facts, guint count)
{
    for (guint i = 0; i < count; i++) {
        if (!facts[i].exists || (!facts[i].complete && !facts[i].written)) {
            return &facts[i];
        }
    }
    return NULL;
}

gboolean image_plan_needs_points(const disk_facts_t *facts, guint count)
{
    return find_written(facts, count) == NULL;
}

static gboolean keep_all(const disk_facts_t *facts, guint count, disk_step_t *steps, GError **error)
{
    const disk_facts_t *unusable = find_unusable(facts, count);

    if (unusable != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "%s is missing, but %s holds what a standby wrote: restore the one, or rename the other",
                    unusable->run_name, find_written(facts, count)->run_name);
        return FALSE;
    }
    for (guint i = 0; i < count; i++) {
        steps[i] = DISK_KEEP;
    }
    return TRUE;
}

static gboolean all_have_point(const disk_facts_t *facts, guint count, const char *point)
{
    gboolean have = TRUE;

    for (guint i = 0; i < count && have; i++) {
        have = g_strv_contains((const char *const *) facts[i].points, point);
    }
    return have;
}

static const char *newest_common_point(const disk_facts_t *facts, guint count)
{
    for (char **point = facts[0].points; *point != NULL; point++) {
        if (all_have_point(facts, count, *point)) {
            return *point;
        }
    }
    return NULL;
}

static disk_step_t untouched_step(const disk_facts_t *disk, const char *point)
{
    if (!disk->exists) {
        return DISK_CLONE;
    }
    return disk->complete && g_strcmp0(disk->cloned_point, point) == 0 ? DISK_KEEP : DISK_REPLACE;
}

gboolean image_plan_make(const disk_facts_t *facts, guint count, disk_step_t *steps, const char **point,
                         GError **error)
{
    *point = NULL;
    if (find_written(facts, count) != NULL) {
        return keep_all(facts, count, steps, error);
    }
    *point = newest_common_point(facts, count);
    if (*point == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "there is no recovery point to boot from: make a snapshot point-... of all disks");
        return FALSE;
    }
    for (guint i = 0; i < count; i++) {
        steps[i] = untouched_step(&facts[i], *point);
    }
    return TRUE;
}
