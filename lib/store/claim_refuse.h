/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has the store refuse who may write under a claim, before that is broken. */
#ifndef UNDERSTUDY_CLAIM_REFUSE_H
#define UNDERSTUDY_CLAIM_REFUSE_H

#include "store/claim.h"
#include "store/store.h"

/*!
 * \brief Have the store refuse all clients of a claim's holder for good, those too that nobody sees now
 *
 * \param[in] clients_text  what is kept beside the claim of its clients, or NULL
 * \param[in] owners        char*, who holds the disks' locks; the clients are added to it
 * \param[in] is_dead       the holder's host has nothing that could write any more under it, whatever it has open
 * \param[in] target_is_dead the same of the host to which a migration may have brought the guest: it is proved for both
 * \return FALSE, naming the command that does it, if somebody may be left who can write: the claim must stand
 */
gboolean claim_refuse_holder(store_t *store, const claim_t *holder, const char *clients_text, GPtrArray *owners,
                             gboolean is_dead, gboolean target_is_dead, GError **error);

#endif
