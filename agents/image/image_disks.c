/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/image_disks.h"

#include <string.h>

#include "base/error.h"
#include "base/names.h"
#include "image/image_kept.h"
#include "image/image_notes.h"
#include "image/image_plan.h"
#include "store/claim.h"

/* One that is still to come differs from all that have been. */
#define NEXT_TAKEOVER G_MAXINT64

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

static void strings_free(char **strings, guint count)
{
    for (guint i = 0; i < count; i++) {
        g_free(strings[i]);
    }
    g_free(strings);
}

static gboolean facts_of_run_image(store_t *store, const image_disk_t *disk, disk_facts_t *facts, char **parent,
                                   GError **error)
{
    *parent = NULL;
    facts->run_name = store_image_name_text(disk->run);
    return store_image_exists(store, disk->run, &facts->exists, error)
           && (!facts->exists
               || (store_clone_state(store, disk->run, &facts->complete, parent, &facts->cloned_point, error)
                   && store_image_is_written(store, disk->run, &facts->written, error)));
}

/* The start that asks: of which server, in which takeover. */
typedef struct asker {
    store_t *store;
    const char *server;
    char *pool;      /* where the claim and its notes are */
    const char *holder; /* what the claim says */
    gint64 takeover; /* 0: not known */
} asker_t;

static char *notes_pool(GPtrArray *disks)
{
    g_auto(GStrv) run_names = image_disks_run_names(disks);

    return claim_pool((const char *const *) run_names);
}

static void use_say(const char *run_name, const image_use_t *use, const char *point, gboolean later)
{
    if (use->state == IMAGE_USE_RUNS) {
        ocf_log("nobody has seen %s stop in an earlier takeover: what counts is when it was last seen in use", run_name);
    }
    ocf_log("recovery point %s %s", point, later ? "was made later" : "is not known to have been made later");
}

/* Whether the point was made after the run image was used last, by the recovery points' own order. */
static gboolean point_is_later(const asker_t *asker, const image_disk_t *disk, const char *point, gboolean *later,
                               GError **error)
{
    g_autofree char *run_name = store_image_name_text(disk->run);
    image_use_t use = { .state = IMAGE_USE_RUNS };
    gboolean known = FALSE;
    guint64 id = 0;

    if (!image_notes_read(asker->store, asker->pool, asker->server, run_name, &use, &known, error)
        || !store_point_id(asker->store, disk->recovery, point, &id, error)) {
        return FALSE;
    }
    *later = image_use_is_before(known ? &use : NULL, asker->takeover, id);
    if (known && use.takeover != asker->takeover) {
        use_say(run_name, &use, point, *later);
    }
    return TRUE;
}

static gboolean was_decided(const asker_t *asker, const image_disk_t *disk, gboolean *decided, GError **error)
{
    g_autofree char *run_name = store_image_name_text(disk->run);
    image_use_t use = { .state = IMAGE_USE_RUNS };
    gboolean known = FALSE;

    if (!image_notes_read(asker->store, asker->pool, asker->server, run_name, &use, &known, error)) {
        return FALSE;
    }
    *decided = *decided || (known && use.state == IMAGE_USE_SUPERSEDED);
    return TRUE;
}

/* A point of all disks that was made after the standby had stopped, and that brings something new, stands for an original
 * that has gone on since. One that was made while the standby ran, or of which that can't be known, does not. */
static gboolean superseded_find(const asker_t *asker, GPtrArray *disks, disk_facts_t *facts, GError **error)
{
    const char *point = image_plan_newest_point(facts, disks->len);
    gboolean differ = FALSE;
    gboolean written = FALSE;

    for (guint i = 0; i < disks->len && point != NULL; i++) {
        const image_disk_t *disk = disks->pdata[i];
        gboolean later = FALSE;

        if (facts[i].exists && facts[i].written) {
            if (!point_is_later(asker, disk, point, &later, error) || !was_decided(asker, disk, &differ, error)) {
                return FALSE;
            }
            if (!later) {
                return TRUE;
            }
            written = TRUE;
        }
        differ = differ || facts[i].is_foreign;
        if (!differ && facts[i].cloned_point != NULL && strcmp(facts[i].cloned_point, point) != 0
            && !store_points_differ(asker->store, disk->recovery, facts[i].cloned_point, point, &differ, error)) {
            return FALSE;
        }
    }
    for (guint i = 0; i < disks->len && written && differ; i++) {
        facts[i].superseded = facts[i].exists && facts[i].written;
    }
    return TRUE;
}

/* Each disk gets the run image that was cloned from it. */
static gboolean run_images_match(GPtrArray *disks, disk_facts_t *facts, char **parents, GError **error)
{
    guint count = disks->len;
    g_autofree char **recoveries = g_new0(char *, count);
    g_autofree gboolean *written = g_new0(gboolean, count);
    g_autofree guint *slots = g_new0(guint, count);
    g_autofree store_image_name_t **runs = g_new0(store_image_name_t *, count);
    g_autofree disk_facts_t *unsorted = g_memdup2(facts, count * sizeof *facts);
    gboolean good = FALSE;

    for (guint i = 0; i < count; i++) {
        const image_disk_t *disk = disks->pdata[i];

        recoveries[i] = store_image_name_text(disk->recovery);
        written[i] = facts[i].exists && facts[i].written;
        runs[i] = disk->run;
    }
    good = image_plan_match((const char *const *) recoveries, (const char *const *) parents, written, count, slots, error);
    for (guint i = 0; i < count && good; i++) {
        image_disk_t *disk = disks->pdata[i];

        disk->run = runs[slots[i]];
        facts[i] = unsorted[slots[i]];
        if (slots[i] != i) {
            ocf_log("%s is a clone of %s, whatever its number", facts[i].run_name, recoveries[i]);
        }
    }
    for (guint i = 0; i < count; i++) {
        g_free(recoveries[i]);
    }
    return good;
}

/* What a standby wrote is booted without its recovery image, too. */
static gboolean points_get(store_t *store, const image_disk_t *disk, gboolean needed, char ***points, GError **error)
{
    g_autoptr(GError) points_error = NULL;

    *points = store_image_points(store, disk->recovery, &points_error);
    if (*points == NULL && needed) {
        g_propagate_error(error, g_steal_pointer(&points_error));
        return FALSE;
    }
    return TRUE;
}

/* Where its recovery image can't be read, what was written is booted anyway, and the answer is of no use. */
static gboolean origin_check(store_t *store, const image_disk_t *disk, disk_facts_t *facts, GError **error)
{
    gboolean is_of = FALSE;

    if (facts->points == NULL || facts->cloned_point == NULL) {
        return TRUE;
    }
    if (!store_clone_is_of(store, disk->run, disk->recovery, &is_of, error)) {
        return FALSE;
    }
    facts->is_foreign = !is_of;
    if (facts->is_foreign) {
        g_autofree char *recovery = store_image_name_text(disk->recovery);

        ocf_log("%s is not a clone of %s as it is now: that was renamed, replaced or removed since, or its %s was",
                facts->run_name, recovery, facts->cloned_point);
    }
    return TRUE;
}

static gboolean facts_get(const asker_t *asker, GPtrArray *disks, disk_facts_t *facts, char **parents, GError **error)
{
    store_t *store = asker->store;
    gboolean written = FALSE;

    for (guint i = 0; i < disks->len; i++) {
        if (!facts_of_run_image(store, disks->pdata[i], &facts[i], &parents[i], error)) {
            return FALSE;
        }
        written = written || (facts[i].exists && facts[i].written);
    }
    if (!run_images_match(disks, facts, parents, error)) {
        return FALSE;
    }
    for (guint i = 0; i < disks->len; i++) {
        if (!points_get(store, disks->pdata[i], !written, &facts[i].points, error)
            || !origin_check(store, disks->pdata[i], &facts[i], error)) {
            return FALSE;
        }
    }
    return superseded_find(asker, disks, facts, error);
}

/* An image that lists a client for ever can't be removed: it is left under another name. */
static gboolean remove_or_set_aside(store_t *store, const image_disk_t *disk, GError **error)
{
    g_autoptr(GError) remove_error = NULL;

    if (store_image_remove(store, disk->run, &remove_error)) {
        return TRUE;
    }
    if (g_error_matches(remove_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY)) {
        return image_kept_set_aside(store, disk->run, error);
    }
    g_propagate_error(error, g_steal_pointer(&remove_error));
    return FALSE;
}

static gboolean step_carry_out(store_t *store, const image_disk_t *disk, disk_step_t step, const char *point,
                               GError **error)
{
    gboolean cleared = step == DISK_SET_ASIDE ? image_kept_set_aside(store, disk->run, error)
                       : step == DISK_REPLACE ? remove_or_set_aside(store, disk, error)
                                              : TRUE;

    return cleared && (step == DISK_KEEP || store_image_clone(store, disk->recovery, point, disk->run, error));
}

/* A recovery image that is away is no reason not to boot what a standby wrote: when that was used is not known then, and it
 * is booted again. */
static gboolean use_write(const asker_t *asker, const image_disk_t *disk, image_use_state_t state, GError **error)
{
    g_autofree char *run_name = store_image_name_text(disk->run);
    g_autoptr(GError) point_error = NULL;
    image_use_t use = { .state = state, .takeover = asker->takeover };
    gboolean known = store_point_id(asker->store, disk->recovery, NULL, &use.point_id, &point_error);

    if (!known) {
        ocf_log("%s", point_error->message);
    }
    return image_notes_write(asker->store, asker->pool, asker->server, run_name, asker->holder,
                             known ? &use : NULL, error);
}

/* Before the first is renamed: a start that is killed between two disks must not leave one that looks like the newest. */
static gboolean decisions_note(const asker_t *asker, GPtrArray *disks, const disk_step_t *steps, GError **error)
{
    for (guint i = 0; i < disks->len; i++) {
        if (steps[i] == DISK_SET_ASIDE && !use_write(asker, disks->pdata[i], IMAGE_USE_SUPERSEDED, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static void plan_say(const disk_facts_t *facts, guint count, const char *point)
{
    const char *newest = image_plan_newest_point(facts, count);

    if (point != NULL) {
        ocf_log("%s", point);
    } else {
        ocf_log("keeping the run images that an earlier takeover has written (of %s; the newest recovery point is %s)",
                facts[0].cloned_point != NULL ? facts[0].cloned_point : "no point", newest != NULL ? newest : "not known");
    }
}

static gboolean plan_carry_out(const asker_t *asker, GPtrArray *disks, const disk_facts_t *facts, GError **error)
{
    g_autofree disk_step_t *steps = g_new0(disk_step_t, disks->len);
    const char *point = NULL;

    if (!image_plan_make(facts, disks->len, steps, &point, error) || !decisions_note(asker, disks, steps, error)) {
        return FALSE;
    }
    for (guint i = 0; i < disks->len; i++) {
        if (!step_carry_out(asker->store, disks->pdata[i], steps[i], point, error)) {
            return FALSE;
        }
    }
    plan_say(facts, disks->len, point);
    return TRUE;
}

/* From now on they may be written to: what is known of an earlier use must not stand for this one. */
static gboolean uses_note(const asker_t *asker, GPtrArray *disks, GError **error)
{
    for (guint i = 0; i < disks->len; i++) {
        if (!use_write(asker, disks->pdata[i], IMAGE_USE_RUNS, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean image_disks_prepare(store_t *store, GPtrArray *disks, const char *server, const char *holder, gint64 takeover,
                             GError **error)
{
    g_auto(GStrv) run_names = image_disks_run_names(disks);
    asker_t asker = { .store = store, .server = server, .pool = notes_pool(disks), .holder = holder, .takeover = takeover };
    disk_facts_t *facts = g_new0(disk_facts_t, disks->len);
    char **parents = g_new0(char *, disks->len + 1);
    gboolean done = FALSE;

    image_kept_tidy(store, run_names);
    done = facts_get(&asker, disks, facts, parents, error) && plan_carry_out(&asker, disks, facts, error)
           && uses_note(&asker, disks, error);
    facts_free(facts, disks->len);
    strings_free(parents, disks->len);
    g_free(asker.pool);
    return done;
}

gboolean image_disks_boot_check(store_t *store, GPtrArray *disks, const char *server, GError **error)
{
    asker_t asker = { .store = store, .server = server, .pool = notes_pool(disks), .takeover = NEXT_TAKEOVER };
    disk_facts_t *facts = g_new0(disk_facts_t, disks->len);
    g_autofree disk_step_t *steps = g_new0(disk_step_t, disks->len);
    char **parents = g_new0(char *, disks->len + 1);
    const char *point = NULL;
    gboolean good = facts_get(&asker, disks, facts, parents, error)
                    && image_plan_make(facts, disks->len, steps, &point, error);

    facts_free(facts, disks->len);
    strings_free(parents, disks->len);
    g_free(asker.pool);
    return good;
}

gboolean image_disks_check(store_t *store, GPtrArray *disks, const char *server, GError **error)
{
    for (guint i = 0; i < disks->len; i++) {
        const image_disk_t *disk = disks->pdata[i];
        g_auto(GStrv) points = store_image_points(store, disk->recovery, error);

        if (points == NULL) {
            return FALSE;
        }
    }
    return image_disks_boot_check(store, disks, server, error);
}
