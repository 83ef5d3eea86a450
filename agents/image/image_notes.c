/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/image_notes.h"

#include <string.h>

#include "base/error.h"
#include "ocf.h"
#include "store/claim.h"

#define KEY_PREFIX "use."

static char *key_of(const char *run_image)
{
    const char *slash = strrchr(run_image, '/');

    return g_strconcat(KEY_PREFIX, slash != NULL ? slash + 1 : run_image, NULL);
}

gboolean image_notes_read(store_t *store, const char *pool, const char *server, const char *run_image, image_use_t *use,
                          gboolean *known, GError **error)
{
    g_autofree char *key = key_of(run_image);
    g_autofree char *text = NULL;

    if (!store_claim_note_read(store, pool, server, key, &text, error)) {
        return FALSE;
    }
    *known = image_use_parse(text, use);
    return TRUE;
}

gboolean image_notes_write(store_t *store, const char *pool, const char *server, const char *run_image,
                           const char *holder, const image_use_t *use, GError **error)
{
    g_autofree char *key = key_of(run_image);
    g_autofree char *text = use != NULL ? image_use_text(use) : NULL;

    return store_claim_note_set(store, pool, server, holder, key, text, error);
}

/* The newest point of what the run image was cloned from; 0 if that can be said of none. */
static gboolean newest_point_id(store_t *store, const char *run_image, guint64 *id, GError **error)
{
    store_image_name_t *run = store_image_name_parse(run_image, error);
    store_image_name_t *recovery = NULL;
    g_autofree char *parent = NULL;
    g_autofree char *point = NULL;
    gboolean complete = FALSE;
    gboolean done = run != NULL && store_clone_state(store, run, &complete, &parent, &point, error);

    *id = 0;
    if (done && parent != NULL) {
        recovery = store_image_name_parse(parent, error);
        done = recovery != NULL && store_point_id(store, recovery, NULL, id, error);
    }
    store_image_name_free(recovery);
    store_image_name_free(run);
    return done;
}

static gboolean seen_note(store_t *store, const char *pool, const char *server, const char *run_image, const char *holder,
                          image_use_state_t state, GError **error)
{
    image_use_t before = { .state = IMAGE_USE_RUNS };
    image_use_t now = { .state = state };
    gboolean known = FALSE;

    if (!image_notes_read(store, pool, server, run_image, &before, &known, error)
        || !newest_point_id(store, run_image, &now.point_id, error)) {
        return FALSE;
    }
    now.takeover = known ? before.takeover : 0;
    return (known && before.state == now.state && before.point_id == now.point_id)
           || image_notes_write(store, pool, server, run_image, holder, &now, error);
}

void image_notes_seen(store_t *store, char **run_images, const char *server, const char *holder, image_use_state_t state)
{
    g_autofree char *pool = claim_pool((const char *const *) run_images);

    for (char **run_image = run_images; *run_image != NULL; run_image++) {
        g_autoptr(GError) error = NULL;

        if (!seen_note(store, pool, server, *run_image, holder, state, &error)
            && !g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
            ocf_log("which recovery point is the newest while %s is in use can't be noted: %s", *run_image, error->message);
        }
        if (g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT)) {
            return;
        }
    }
}
