/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_PLAN_H
#define UNDERSTUDY_IMAGE_PLAN_H

#include <glib.h>

/*
 * Which run images a start boots. Pure.
 *
 * What a standby wrote is never dropped by a later takeover. It is booted again, unless a recovery point that brings
 * something new was made after the image was in use (image_use.h): then the original has gone on since, the point is
 * booted, and what the standby wrote is kept aside (image_kept.h). A recovery point is one of all disks together, so the clones are of the same one; clones that
 * nobody has written to are worth nothing and give way to a newer point.
 */
typedef enum {
    DISK_KEEP,     /* boot the run image that is there */
    DISK_CLONE,    /* there is none: clone the point */
    DISK_REPLACE,  /* remove the untouched or half-made one that is there, then clone */
    DISK_SET_ASIDE, /* keep the one that is there under another name, then clone */
} disk_step_t;

typedef struct disk_facts {
    const char *run_name;   /* for messages */
    gboolean exists;
    gboolean complete;      /* carries the mark that store_image_clone() leaves */
    gboolean written;       /* since it was cloned */
    gboolean superseded;    /* written, and a point that brings something new was made after it was in use */
    char *cloned_point;     /* NULL: no parent */
    gboolean is_foreign;    /* cloned from something that is not its recovery image's point any more, whatever its name */
    char **points;          /* of its recovery image, newest first */
} disk_facts_t;

/* The newest point that all disks have, inside facts; NULL if there is none. */
const char *image_plan_newest_point(const disk_facts_t *facts, guint count);

/*!
 * \brief Which run image is which disk's: that whose parent is the disk's recovery image, in whatever order they are named
 *
 * \param[in]  recoveries  of the disks, as the parameter names them
 * \param[in]  parents     of the run images by number, NULL: there is none, or it has no parent
 * \param[in]  written     whether each holds what a standby wrote
 * \param[out] slots       the number of each disk's run image
 * \param[out] error       UNDERSTUDY_ERROR_CONFIG: one that was written is none of these disks'
 */
gboolean image_plan_match(const char *const *recoveries, const char *const *parents, const gboolean *written, guint count,
                          guint *slots, GError **error);

/*!
 * \brief Decide
 *
 * \param[out] steps  one a disk
 * \param[out] point  the recovery point to clone; inside facts, NULL if none is cloned
 * \param[out] error  UNDERSTUDY_ERROR_CONFIG: no recovery point that all disks have, or a set that was
 *                    written to and is not whole
 */
gboolean image_plan_make(const disk_facts_t *facts, guint count, disk_step_t *steps, const char **point,
                         GError **error);

#endif
