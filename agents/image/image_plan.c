/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/image_plan.h"

#include <string.h>

#include "base/error.h"

#define NO_SLOT G_MAXUINT

static gboolean is_written(const disk_facts_t *disk)
{
    return disk->exists && disk->written;
}

static const disk_facts_t *find_written(const disk_facts_t *facts, guint count)
{
    for (guint i = 0; i < count; i++) {
        if (is_written(&facts[i]) && !facts[i].superseded) {
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
        have = facts[i].points != NULL && g_strv_contains((const char *const *) facts[i].points, point);
    }
    return have;
}

const char *image_plan_newest_point(const disk_facts_t *facts, guint count)
{
    for (char **point = facts[0].points; point != NULL && *point != NULL; point++) {
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
    if (disk->written) {
        return DISK_SET_ASIDE;
    }
    return disk->complete && !disk->is_foreign && g_strcmp0(disk->cloned_point, point) == 0 ? DISK_KEEP : DISK_REPLACE;
}

static gboolean slot_is_taken(const guint *slots, guint count, guint slot)
{
    for (guint i = 0; i < count; i++) {
        if (slots[i] == slot) {
            return TRUE;
        }
    }
    return FALSE;
}

static guint slot_of_parent(const char *recovery, const char *const *parents, guint count, const guint *slots)
{
    for (guint slot = 0; slot < count; slot++) {
        if (g_strcmp0(parents[slot], recovery) == 0 && !slot_is_taken(slots, count, slot)) {
            return slot;
        }
    }
    return NO_SLOT;
}

/* Of what is left: its own number, as long as nobody else has it. */
static guint slot_free(guint disk, guint count, const guint *slots)
{
    guint slot = disk;

    while (slot_is_taken(slots, count, slot)) {
        slot = (slot + 1) % count;
    }
    return slot;
}

gboolean image_plan_match(const char *const *recoveries, const char *const *parents, const gboolean *written, guint count,
                          guint *slots, GError **error)
{
    for (guint i = 0; i < count; i++) {
        slots[i] = NO_SLOT;
    }
    for (guint i = 0; i < count; i++) {
        slots[i] = slot_of_parent(recoveries[i], parents, count, slots);
    }
    for (guint i = 0; i < count; i++) {
        if (slots[i] != NO_SLOT) {
            continue;
        }
        slots[i] = slot_free(i, count, slots);
        if (parents[slots[i]] != NULL && written[slots[i]]) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "run image %u holds what a standby wrote on %s, which disks does not name: name it, or rename the "
                        "run image", slots[i], parents[slots[i]]);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean image_plan_make(const disk_facts_t *facts, guint count, disk_step_t *steps, const char **point,
                         GError **error)
{
    *point = NULL;
    if (find_written(facts, count) != NULL) {
        return keep_all(facts, count, steps, error);
    }
    *point = image_plan_newest_point(facts, count);
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
