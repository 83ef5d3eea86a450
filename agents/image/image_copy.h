/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_COPY_H
#define UNDERSTUDY_IMAGE_COPY_H

#include "image/image_identity.h"
#include "ocf.h"

/*
 * A copy of the image on a host that the store alone has fenced: such a host keeps its power, and its guest, which can't
 * write any more, still answers for the service address.
 */

/*!
 * \brief End the copies of an image on hosts that are fenced by the store, through their libvirtd
 *
 * For a start that has the claim: no other copy is anybody's then.
 *
 * \param[in] timeout_ms  for all hosts together
 * \return names of the fenced hosts where a copy may still run, joined; NULL: there is none. g_free()
 */
char *image_copies_end(const ocf_call_t *call, const image_identity_t *identity, guint timeout_ms);

#endif
