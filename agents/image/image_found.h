/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_FOUND_H
#define UNDERSTUDY_IMAGE_FOUND_H

#include "host/hypervisor.h"
#include "image/image_identity.h"
#include "image/image_record.h"
#include "ocf.h"
#include "store/store.h"

/*
 * An image that runs here, whoever has started it: as after a migration whose second half was never called, or when the
 * record was lost. Without record and claim no stop would know what to give back, and any host could start it beside.
 */

/* What a start with these parameters would have left, not saved yet. UNDERSTUDY_ERROR_CONFIG: they name no disks. */
image_record_t *image_found_record(const ocf_call_t *call, const image_identity_t *identity, GError **error);

/* FALSE: the guest is still on its way to here, so that the claim is its source's. */
gboolean image_found_has_arrived(const image_identity_t *identity);

/*!
 * \brief Save the record, take the claim, or take it over, and note as which clients it writes
 *
 * The image's lock must be held. The record stays also when the claim is somebody else's, for a stop to go by.
 *
 * \param[in]  from_host   where the guest is known to come from, or NULL
 * \param[out] error       UNDERSTUDY_ERROR_BUSY: somebody else has the claim
 */
gboolean image_found_claim(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                           image_record_t *record, const char *from_host, GError **error);

/* The same for an image that runs here, by the record that there is, or by a new one. *record is set when there is one, also
 * with an error. hypervisor: to learn which secret it has, or NULL. */
gboolean image_found_keep(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                          hypervisor_t *hypervisor, image_record_t **record, GError **error);

#endif
