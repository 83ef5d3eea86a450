/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_USE_H
#define UNDERSTUDY_IMAGE_USE_H

#include <glib.h>

/*
 * When a run image was used last, in terms that need no clock: in which takeover, and which of its recovery image's
 * points was the newest then. It is kept with the server's claim. Pure.
 */
typedef enum {
    IMAGE_USE_RUNS,        /* a start has made it ready, no stop was seen since: the host may have lost its power */
    IMAGE_USE_ENDED,       /* a stop has seen its end */
    IMAGE_USE_SUPERSEDED,  /* a start has decided to set it aside, and may have been killed on the way */
} image_use_state_t;

typedef struct image_use {
    image_use_state_t state;
    guint64 point_id;      /* newest point when it was seen last; 0: there was none */
    gint64 takeover;       /* what the ticket's last grant is known by; 0: not known */
} image_use_t;

char *image_use_text(const image_use_t *use); /* g_free() */
/* FALSE if the text, which may be NULL, is none: nothing is known. */
gboolean image_use_parse(const char *text, image_use_t *use);

/*!
 * \brief Whether a recovery point was made after the last use was over
 *
 * Within one takeover never: the original has not served since. An image whose end nobody has seen may belong to this
 * takeover, unless it is known that it does not: then what counts is when it was last seen to run.
 *
 * \param[in] use       NULL: nothing is known
 * \param[in] takeover  of the start that asks; 0: not known
 */
gboolean image_use_is_before(const image_use_t *use, gint64 takeover, guint64 point_id);

#endif
