/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_GATE_H
#define UNDERSTUDY_IMAGE_GATE_H

#include "image/image_identity.h"
#include "net/address_probe.h"
#include "ocf.h"

/* What a start asks before it makes anything: whether the image may run at all. */

/*!
 * \brief Refuse a start whose ticket is not granted
 *
 * Asks the cluster's DC, and waits for an answer within the start's time. An image that the cluster does not manage
 * needs no ticket.
 *
 * \param[out] takeover  by which this grant is told from others; 0: not known
 * \param[out] error  UNDERSTUDY_ERROR_BUSY: it is not granted, the message begins with NO_TICKET_REASON_PREFIX; _TIMEOUT:
 *                    that could not be asked
 */
gboolean image_ticket_check(const ocf_call_t *call, const image_identity_t *identity, gint64 *takeover, GError **error);

/*!
 * \brief Ask for the first time who has the image's service address
 *
 * Early, so that the answers come in while the disks are made ready.
 *
 * \param[in] bridge  NULL: it is not known
 * \return NULL if there is nothing to ask, or it can't be asked: image_address_check() says so
 */
address_probe_t *image_address_ask(const ocf_call_t *call, const char *bridge);

/*!
 * \brief Refuse a start while somebody answers for the image's service address
 *
 * Waits for a machine that is just going. With isolate=best-effort an answer is logged. Copies of the image on hosts
 * that the store has fenced are ended first; one that can't be reached is logged, and is no reason to refuse if its MAC can't
 * be the original's.
 *
 * \param[in,out] probe   of image_address_ask(); *probe NULL: it is opened here
 * \param[in]     bridge  NULL: the machine is on none, and nobody can be asked
 * \param[out]    error   UNDERSTUDY_ERROR_BUSY: names the MAC address that answers; else it could not be asked
 */
gboolean image_address_check(const ocf_call_t *call, const image_identity_t *identity, address_probe_t **probe,
                             const char *bridge, GError **error);

#endif
