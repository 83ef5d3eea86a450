/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_KEPT_H
#define UNDERSTUDY_IMAGE_KEPT_H

#include "store/store.h"

/*
 * Run images that were set aside under another name (run-db1-0.1): one that a standby wrote and whose original has gone
 * on since, or one that nobody wrote, and that could not be removed because a client is listed at it for ever.
 */

/* Nobody may have it open who can write. A start that was killed while it did this is gone on from. */
gboolean image_kept_set_aside(store_t *store, const store_image_name_t *run, GError **error);

/*!
 * \brief Remove what was set aside, holds nothing, and is listed as open at nobody any more
 *
 * What holds anything that was written is never removed: nobody else may have it. What can't be done is logged.
 *
 * \param[in] run_images  "pool/image", NULL-terminated: those of the server
 */
void image_kept_tidy(store_t *store, char **run_images);

#endif
