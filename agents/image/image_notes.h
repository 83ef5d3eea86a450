/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_NOTES_H
#define UNDERSTUDY_IMAGE_NOTES_H

#include "image/image_use.h"
#include "store/store.h"

/* When each run image was used last, as it is kept with the server's claim. Whoever changes it holds the claim. */

/* TRUE and whether anything is known of it; an error only if that can't be read. */
gboolean image_notes_read(store_t *store, const char *pool, const char *server, const char *run_image, image_use_t *use,
                          gboolean *known, GError **error);
/* use NULL: nothing is known of it any more. holder: what the claim says; UNDERSTUDY_ERROR_BUSY, and nothing is done, if it
 * says something else by now. */
gboolean image_notes_write(store_t *store, const char *pool, const char *server, const char *run_image,
                           const char *holder, const image_use_t *use, GError **error);

/*!
 * \brief Note that run images run now, or have ended now, and which recovery point is the newest at this time
 *
 * What can't be noted is logged: the next start has then less to go by, and boots what is there.
 *
 * \param[in] run_images  "pool/image", NULL-terminated
 */
void image_notes_seen(store_t *store, char **run_images, const char *server, const char *holder, image_use_state_t state);

#endif
