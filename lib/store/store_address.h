/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_STORE_ADDRESS_H
#define UNDERSTUDY_STORE_ADDRESS_H

#include <glib.h>

/*
 * Addresses of Ceph clients as text: "10.0.0.5:0/3853293677", "[fd00::5]:0/12".
 * An entry of the blocklist with port 0 and nonce 0 covers the whole IP; one
 * that begins with "cidr:" covers a range, "cidr:10.0.0.0:0/24". Pure.
 */

/* Begins the ranges in the table of store_blocklist_list(), which could not be told from a client otherwise. */
#define STORE_RANGE_PREFIX "cidr:"

/* The IP without brackets, port and nonce, spelled as Ceph does (fd00:0::05 is fd00::5); NULL if there is none. g_free(). */
char *store_address_ip(const char *address);

/* What the monitors take for an entry and list it as: "10.0.0.5" -> "10.0.0.5:0/0"; a client's address stays one.
 * NULL with UNDERSTUDY_ERROR_CONFIG if it is neither. g_free(). */
char *store_address_blocklist_text(const char *address, GError **error);

#endif
