/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_GATE_H
#define UNDERSTUDY_IMAGE_GATE_H

#include "image_identity.h"
#include "ocf.h"

/* What a start asks before it makes anything: whether the image may run at all. */

/*!
 * \brief Refuse a start whose ticket is not granted
 *
 * Asks the cluster's DC, and waits for an answer within the start's time. An image that the cluster does not manage
 * needs no ticket.
 *
 * \param[out] error  UNDERSTUDY_ERROR_BUSY: it is not granted, the message begins with NO_TICKET_REASON_PREFIX; _TIMEOUT:
 *                    that could not be asked
 */
gboolean image_ticket_check(const ocf_call_t *call, const image_identity_t *identity, GError **error);

#endif
