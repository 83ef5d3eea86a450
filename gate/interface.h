/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_INTERFACE_H
#define UNDERSTUDY_INTERFACE_H

#include <glib.h>

#include "net/neighbour_frame.h"

/* The service interface of this machine: its link, its addresses. All but the questions need root. */

/* An address with the length of its network's prefix, as `ip address` takes it. */
typedef struct interface_address {
    char *text;          /* "192.0.2.31/24" */
    char *address;       /* "192.0.2.31" */
    neighbour_address_t parsed;
} interface_address_t;

/* To be freed with interface_address_free(); NULL and an error if the text is none, or lacks the prefix length. */
interface_address_t *interface_address_parse(const char *text, GError **error);
void interface_address_free(interface_address_t *address);

gboolean interface_has_carrier(const char *interface);
gboolean interface_has_address(const char *interface, const interface_address_t *address);

/* The name of another interface of this machine that has the address, g_free(); NULL: none has. Linux answers ARP on each of its
 * interfaces for all of its addresses, those of lo too. */
char *interface_other_with_address(const char *interface, const interface_address_t *address);
gboolean interface_read_mac(const char *interface, char *text, GError **error);

/* TRUE if another interface of this machine has the MAC, this one does not, and Linux would answer ARP there for an
 * address of this one (arp_ignore in Linux's ip-sysctl.rst; it does by default). Then the answer is our own, if the
 * address is up here: if it is not, Linux answers nowhere for it. */
gboolean interface_another_answers(const char *interface, const char *mac);

/* Up, and silent: nothing but what we send may leave it, for switches learn from every frame. Nothing happens to an
 * interface that is up already: it may serve other addresses. */
gboolean interface_up_silent(const char *interface, GError **error);

/* Lets IPv6 speak again on an interface that interface_up_silent() has silenced, in this run or in an earlier one. */
void interface_end_silence(const char *interface);

gboolean interface_add_address(const char *interface, const interface_address_t *address, GError **error);

/* Whatever length of prefix or peer it has there. FALSE: it is still there. */
gboolean interface_remove_address(const char *interface, const interface_address_t *address, GError **error);

#endif
