/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells whether two machines are on one network that this host is on, too. */
#include "net/networks.h"

#include <gio/gio.h>
#include <ifaddrs.h>
#include <netinet/in.h>

static const guint8 *address_bytes(const struct sockaddr *address)
{
    return address->sa_family == AF_INET
               ? (const guint8 *) &((const struct sockaddr_in *) (const void *) address)->sin_addr
               : (const guint8 *) &((const struct sockaddr_in6 *) (const void *) address)->sin6_addr;
}

/* NULL: it has no address of IP. */
static GInetAddressMask *network_of(const struct ifaddrs *entry)
{
    int family = entry->ifa_addr != NULL ? entry->ifa_addr->sa_family : AF_UNSPEC;
    gsize size_bytes = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    guint8 bytes[sizeof(struct in6_addr)];
    g_autoptr(GInetAddress) first = NULL;
    guint bits = 0;

    if ((family != AF_INET && family != AF_INET6) || entry->ifa_netmask == NULL) {
        return NULL;
    }
    for (gsize i = 0; i < size_bytes; i++) {
        bytes[i] = address_bytes(entry->ifa_addr)[i] & address_bytes(entry->ifa_netmask)[i];
        bits += (guint) __builtin_popcount(address_bytes(entry->ifa_netmask)[i]);
    }
    first = g_inet_address_new_from_bytes(bytes, family == AF_INET ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6);
    return g_inet_address_mask_new(first, bits, NULL);
}

GHashTable *networks_own_addresses(void)
{
    GHashTable *addresses = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    struct ifaddrs *entries = NULL;

    if (getifaddrs(&entries) != 0) {
        return addresses;
    }
    for (const struct ifaddrs *entry = entries; entry != NULL; entry = entry->ifa_next) {
        int family = entry->ifa_addr != NULL ? entry->ifa_addr->sa_family : AF_UNSPEC;

        if (family == AF_INET || family == AF_INET6) {
            g_autoptr(GInetAddress) own = g_inet_address_new_from_bytes(
                address_bytes(entry->ifa_addr), family == AF_INET ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6);

            g_hash_table_insert(addresses, g_inet_address_to_string(own), g_strdup(g_get_host_name()));
        }
    }
    freeifaddrs(entries);
    return addresses;
}

GPtrArray *networks_of_this_host(void)
{
    GPtrArray *networks = g_ptr_array_new_with_free_func(g_object_unref);
    struct ifaddrs *entries = NULL;

    if (getifaddrs(&entries) != 0) {
        return networks;
    }
    for (const struct ifaddrs *entry = entries; entry != NULL; entry = entry->ifa_next) {
        GInetAddressMask *network = network_of(entry);

        if (network != NULL) {
            g_ptr_array_add(networks, network);
        }
    }
    freeifaddrs(entries);
    return networks;
}

gboolean networks_share(const GPtrArray *networks, const char *one, const char *other)
{
    g_autoptr(GInetAddress) first = one != NULL ? g_inet_address_new_from_string(one) : NULL;
    g_autoptr(GInetAddress) second = other != NULL ? g_inet_address_new_from_string(other) : NULL;

    for (guint i = 0; first != NULL && second != NULL && i < networks->len; i++) {
        if (g_inet_address_mask_matches(networks->pdata[i], first)
            && g_inet_address_mask_matches(networks->pdata[i], second)) {
            return TRUE;
        }
    }
    return FALSE;
}
