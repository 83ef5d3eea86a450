/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_PLAN_H
#define UNDERSTUDY_IMAGE_PLAN_H

#include <glib.h>

/*
 * Which run images a start boots. Pure.
 *
 * What a standby wrote is never dropped by a later takeover; a recovery point
 * is one of all disks together, so the clones are of the same one; clones that
 * nobody has written to are worth nothing and give way to a newer point.
 */
typedef enum {
    DISK_KEEP,     /* boot the run image that is there */
    DISK_CLONE,    /* there is none: clone the point */
    DISK_REPLACE,  /* remove the untouched or half-made one that is there, then clone */
} disk_step_t;

typedef struct disk_facts {
    const char *run_name;   /* for messages */
    gboolean exists;
    gboolean complete;      /* carries the mark that store_image_clone() leaves */
    gboolean written;       /* since it was cloned */
    char *cloned_point;     /* NULL: no parent */
    char **points;          /* of its recovery image, newest first; may be NULL if image_plan_needs_points() says so */
} disk_facts_t;

/* FALSE if a standby has written: then the recovery points do not matter. */
gboolean image_plan_needs_points(const disk_facts_t *facts, guint count);

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
