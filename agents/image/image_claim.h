/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_CLAIM_H
#define UNDERSTUDY_IMAGE_CLAIM_H

#include "image/image_identity.h"
#include "image/image_record.h"
#include "ocf.h"
#include "store/claim.h"
#include "store/store.h"

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

/* Where the guest runs, after a live migration or without a claim: take it from nobody, from a start that no record of this
 * host names any more, from from_host (or NULL), or from who has asked for its migration to here. UNDERSTUDY_ERROR_BUSY:
 * somebody else has it. */
gboolean image_claim_take_over(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                               image_record_t *record, const char *from_host, GError **error);

/* Beside the claim, for whoever breaks it: as which clients of the store the start's QEMU may write. Before a QEMU is made:
 * that this is not known, and on which host. Afterwards, once all its disks are seen open: which. */
gboolean image_claim_clients_unknown(store_t *store, const image_identity_t *identity, const image_record_t *record,
                                     GError **error);
void image_claim_clients_note(store_t *store, const image_identity_t *identity, const image_record_t *record);

/* A migration: image_claim_move.c ----------------------------------------------*/

/*!
 * \brief Before a migration is asked for, and before its key is given: the target may write, too, from now on
 *
 * \param[out] request_id  by which what was noted is known, maybe also if that failed; NULL: nothing was noted. g_free()
 * \param[out] error       UNDERSTUDY_ERROR_BUSY: the target of an earlier request may have the guest yet
 */
gboolean image_claim_move_begin(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                                const image_record_t *record, const char *target, const char *secret_uuid, char **request_id,
                                GError **error);
/* Once the key was given: note the target anew. One that had looked before, and found no key, can't take it back then, or has
 * done so: UNDERSTUDY_ERROR_BUSY. *request_id is another one from then on. */
gboolean image_claim_move_confirm(store_t *store, const image_identity_t *identity, const image_record_t *record,
                                  char **request_id, GError **error);
/* Once the guest can only be there: as which clients of the target, if it has all images open. What can't be told is logged. */
void image_claim_move_arrived(store_t *store, const image_identity_t *identity, const image_record_t *record);
/* That request has failed, and nothing can come of it at the target any more. What can't be told is logged. */
void image_claim_move_failed(store_t *store, const image_identity_t *identity, const image_record_t *record,
                             const char *request_id);

/* What a claim of another host says of a migration to this one. */
typedef struct image_arrival {
    char *pool;
    char *holder;      /* NULL: it says nothing of one */
    char *clients;
    char *secret_uuid; /* NULL: QEMU needs none */
    char *ended_start; /* that its host says has ended there, or NULL */
} image_arrival_t;
gboolean image_arrival_find(const char *node, store_t *store, const char *server, const char *const *run_images,
                            image_arrival_t *arrival, GError **error);
/* Whether nobody is left at its source to send the guest, so that a look at this host is the last word (claim_holder_is_gone). */
gboolean image_arrival_source_has_ended(const store_options_t *options, const char *server, const image_arrival_t *arrival);
/* Nothing can come of it here any more. */
gboolean image_arrival_end(store_t *store, const char *server, const image_arrival_t *arrival, GError **error);
void image_arrival_clear(image_arrival_t *arrival);

/*!
 * \brief When a host joins: settle what migrations to it an earlier boot, or an earlier libvirtd, has not ended
 *
 * \param[in] node          this host
 * \param[in] values        char* "SERVER/claim/START" (and other keys) -> char*, of the store's config-key store
 * \param[in] resource_ids  char* server -> char*
 * \param[in] timeout_ms    then no further one is begun
 * \return FALSE: of one it can't be told, maybe because it is under way; logged
 */
gboolean image_arrivals_settle(const char *node, store_t *store, const store_options_t *options, GHashTable *values,
                               GHashTable *resource_ids, guint timeout_ms);
/* Whether that has been done on this host since it booted, or since a stop could not settle one. */
gboolean image_arrivals_are_settled(void);
void image_arrivals_note(gboolean settled);

/* Whether the target that a claim's clients name has nothing that could write any more; the holder must have ended.
 * holder_is_gone: as claim_holder_is_gone() has it. */
gboolean image_claim_target_is_dead(const ocf_call_t *call, const image_identity_t *identity, const claim_t *holder,
                                    gboolean holder_is_gone, const char *clients_text);

/* -------------------------------------------------------------------------------*/

/* What it says, if it is that of the record's start; NULL also if that can't be told. g_free(). */
char *image_claim_own_text(store_t *store, const image_identity_t *identity, const image_record_t *record);
/* Who else may write under the record's claim, as after a migration that did not take it along: it must not be given back
 * then, it would be anybody's while a guest runs, or sleeps. NULL in *who: nobody, or the claim is another's. g_free(). */
gboolean image_claim_is_used_elsewhere(store_t *store, const image_identity_t *identity, const image_record_t *record,
                                       char **who, GError **error);
/* Give it back, if it is still that of the record's start, and says nothing of another host. */
gboolean image_claim_give_back(store_t *store, const image_identity_t *identity, const image_record_t *record,
                               GError **error);

/* Afterwards, if there is time: where the claim of that start lay is said no more. Who finds it said sees that nobody has that
 * claim. NULL: it had none. */
void image_claim_place_drop(store_t *store, const image_identity_t *identity, const char *start_id);

/* Where the claim stays: note beside it that the record's start has ended on this host. FALSE: it is not noted, which is
 * logged. */
gboolean image_claim_note_ended(store_t *store, const image_identity_t *identity, const image_record_t *record);
/* The same for the cluster, which forgets it when Pacemaker ends on this host: where the store can't be told, and for hosts of
 * an earlier version, which look there alone. FALSE: it does not know, which is logged. */
gboolean image_claim_publish_ended(const image_identity_t *identity, const image_record_t *record, guint timeout_ms);

/*!
 * \brief Take back the claim of an image that has ended here without a stop
 *
 * As one does that ends while Pacemaker does not manage it, or whose stop could tell neither store nor cluster: the claim
 * would keep it from every other host. Nothing is done while an action of the resource is under way, while a create may
 * still be carried out, while a QEMU of it lives here, or while anybody has a run image open who may write. A migration that
 * was not answered is over here once there is no QEMU of it: until then the guest is here. The claim stays while its target
 * may have the guest, as that of a start that has ended.
 *
 * \param[in] timeout_ms  of each question to the store
 */
void image_claim_end_leftover(const char *domain_name, guint timeout_ms);
/* The same for all images of this host. */
void image_claim_end_leftovers(guint each_timeout_ms, guint timeout_ms);

#endif
