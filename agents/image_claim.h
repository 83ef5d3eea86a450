/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_CLAIM_H
#define UNDERSTUDY_IMAGE_CLAIM_H

#include "image_identity.h"
#include "image_record.h"
#include "ocf.h"
#include "store.h"

/*
 * The claim on a server, as the image's actions take it, keep it and give it back (claim.h). The start that holds it is
 * the one that the record names.
 */

/*!
 * \brief Claim the server for the start that the record names
 *
 * The record must have been saved: a claim whose start no record on its host names counts as ended.
 *
 * \param[in]  wait_ms  how long to wait for another holder to give it back
 * \param[out] error    UNDERSTUDY_ERROR_BUSY: names the holder
 */
gboolean image_claim_take(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                          image_record_t *record, guint wait_ms, GError **error);

/* After a live migration, or where an image runs that was started without a claim: take it from nobody, or from
 * the host that the guest has come from. UNDERSTUDY_ERROR_BUSY: somebody else has it. */
gboolean image_claim_take_over(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                               image_record_t *record, const char *from_host, GError **error);

/* Beside the claim, for whoever breaks it: as which clients of the store the start's QEMU may write. Before a QEMU is made:
 * that this is not known, and on which host. Afterwards, once all its disks are seen open: which. */
gboolean image_claim_clients_unknown(store_t *store, const image_identity_t *identity, const image_record_t *record,
                                     GError **error);
void image_claim_clients_note(store_t *store, const image_identity_t *identity, const image_record_t *record);

/* What it says, if it is that of the record's start; NULL also if that can't be told. g_free(). */
char *image_claim_own_text(store_t *store, const image_identity_t *identity, const image_record_t *record);
/* Give it back, if it is still that of the record's start. */
gboolean image_claim_give_back(store_t *store, const image_identity_t *identity, const image_record_t *record,
                               GError **error);

/* Afterwards, if there is time: where the claim of that start lay is said no more. Who finds it said sees that nobody has that
 * claim. NULL: it had none. */
void image_claim_place_drop(store_t *store, const image_identity_t *identity, const char *start_id);

/* Where the store can't be told: have the cluster know that the record's start has ended. */
void image_claim_publish_ended(const image_identity_t *identity, const image_record_t *record, guint timeout_ms);

/*!
 * \brief Take back the claim of an image that has ended here without a stop
 *
 * As one does that ends while Pacemaker does not manage it, or whose stop could tell neither store nor cluster: the claim
 * would keep it from every other host. Nothing is done while an action of the resource is under way, while a request to
 * libvirtd is not answered, while a QEMU of it lives here, or while anybody has a run image open who may write.
 *
 * \param[in] timeout_ms  of each question to the store
 */
void image_claim_end_leftover(const char *domain_name, guint timeout_ms);
/* The same for all images of this host. */
void image_claim_end_leftovers(guint each_timeout_ms, guint timeout_ms);

#endif
