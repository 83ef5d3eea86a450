/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a start's claim lay, when it lies there no more: said by whoever starts, stops or finds the image ended. */
#include "image/image_claim.h"

void image_claim_place_drop(store_t *store, const image_identity_t *identity, const char *start_id)
{
    g_autoptr(GError) error = NULL;

    if (start_id != NULL && !store_claim_place_set(store, identity->server, start_id, NULL, &error)) {
        ocf_log("a note on an ended claim of %s stays in the store: %s", identity->server, error->message);
    }
}
