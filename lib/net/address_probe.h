/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_ADDRESS_PROBE_H
#define UNDERSTUDY_ADDRESS_PROBE_H

#include <glib.h>

#include "net/neighbour_frame.h"

/*
 * Asks a network whether anybody there has an address, without claiming it. An answer is proof that somebody has it;
 * silence is proof of nothing: a machine that boots, moves or is being fenced answers nobody either. The caller says
 * how long silence must last.
 */
typedef struct address_probe address_probe_t;

/*!
 * \brief Begin to listen on an interface
 *
 * \param[in]  interface  where the address is looked for; it must be up
 * \param[in]  address    numeric IPv4 or IPv6
 * \param[in]  mac        the MAC to ask from, or NULL for the interface's own. One that may have the address itself
 *                        must ask from another MAC: switches learn from the question, and the answer must find it
 * \param[out] error      UNDERSTUDY_ERROR_NOT_HERE: there is no such interface, or it is no Ethernet; _CONFIG, _FAILED
 * \return to be closed with address_probe_close(), or NULL
 */
address_probe_t *address_probe_open(const char *interface, const char *address, const guint8 *mac, GError **error);

/* Asks once. FALSE: the question did not leave, so silence says nothing at all. */
gboolean address_probe_ask(address_probe_t *probe, GError **error);

/* To be waited on for reading, before address_probe_hear(). */
int address_probe_fd(const address_probe_t *probe);

/*!
 * \brief Take in all that has arrived, without waiting
 *
 * \param[in]  probe
 * \param[out] mac   the sender's, as text of NEIGHBOUR_MAC_TEXT_BYTES, if the result is not NEIGHBOUR_NOTHING; or NULL
 * \param[out] lost  whether frames were lost on the way in, so that silence says nothing; or NULL
 * \return the strongest of what the frames say
 */
neighbour_sight_t address_probe_hear(address_probe_t *probe, char *mac, gboolean *lost);

void address_probe_close(address_probe_t *probe);

#endif
