/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/store_address.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/error.h"
#include "store/store.h"

#define WHOLE_IP_SUFFIX ":0/0"

typedef struct ip {
    int family;
    guint8 bytes[sizeof(struct in6_addr)];
} ip_t;

static gboolean ip_parse(const char *text, ip_t *ip)
{
    memset(ip, 0, sizeof *ip);
    ip->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton(ip->family, text, ip->bytes) == 1;
}

static gboolean ip_equal(const ip_t *a, const ip_t *b, guint prefix_bits)
{
    guint whole_bytes = prefix_bits / 8;
    guint rest_bits = prefix_bits % 8;
    guint8 mask = (guint8) (0xff00u >> rest_bits);

    return a->family == b->family && memcmp(a->bytes, b->bytes, whole_bytes) == 0
           && (rest_bits == 0 || ((a->bytes[whole_bytes] ^ b->bytes[whole_bytes]) & mask) == 0);
}

static guint ip_bits(const ip_t *ip)
{
    return ip->family == AF_INET ? 32 : 128;
}

/* What follows the IP in a client's address: ":PORT/NONCE"; nothing is port 0 and nonce 0. */
static gboolean client_parse(const char *rest, guint64 *port, guint64 *nonce)
{
    g_auto(GStrv) numbers = rest[0] == ':' ? g_strsplit(rest + 1, "/", 2) : NULL;

    *port = 0;
    *nonce = 0;
    return rest[0] == '\0'
           || (numbers != NULL && g_strv_length(numbers) == 2
               && g_ascii_string_to_unsigned(numbers[0], 10, 0, G_MAXUINT16, port, NULL)
               && g_ascii_string_to_unsigned(numbers[1], 10, 0, G_MAXUINT32, nonce, NULL));
}

/* Splits an address; *rest begins behind the IP, inside the argument. */
static gboolean address_split(const char *address, ip_t *ip, const char **rest)
{
    gboolean bracketed = address[0] == '[';
    const char *begin = address + (bracketed ? 1 : 0);
    const char *end = strchr(begin, bracketed ? ']' : ':');
    g_autofree char *text = NULL;

    if (!bracketed && ip_parse(address, ip)) {
        *rest = address + strlen(address); /* IPv6 without brackets is the IP alone */
        return TRUE;
    }
    if (end == NULL) {
        return FALSE;
    }
    text = g_strndup(begin, (gsize) (end - begin));
    *rest = end + (bracketed ? 1 : 0);
    return ip_parse(text, ip) && (ip->family == AF_INET6) == bracketed;
}

/* As Ceph spells it: fd00:0::05 is fd00::5. */
static char *ip_text(const ip_t *ip)
{
    char text[INET6_ADDRSTRLEN] = "";

    return g_strdup(inet_ntop(ip->family, ip->bytes, text, sizeof text));
}

char *store_address_ip(const char *address)
{
    const char *rest = NULL;
    ip_t ip;

    return address_split(address, &ip, &rest) ? ip_text(&ip) : NULL;
}

char *store_address_blocklist_text(const char *address, GError **error)
{
    g_autofree char *text = NULL;
    const char *rest = NULL;
    guint64 port = 0;
    guint64 nonce = 0;
    ip_t ip;

    if (!address_split(address, &ip, &rest) || !client_parse(rest, &port, &nonce)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "'%s' is no address of a Ceph client: write an IP address, or IP:PORT/NONCE", address);
        return NULL;
    }
    text = ip_text(&ip);
    return g_strdup_printf(ip.family == AF_INET6 ? "[%s]:%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT
                                                 : "%s:%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT, text, port, nonce);
}

/* "cidr:10.0.0.0:0/24" */
static gboolean range_covers(const char *entry, const ip_t *client)
{
    const char *range = entry + strlen(STORE_RANGE_PREFIX);
    g_autofree char *base_text = store_address_ip(range);
    const char *slash = strrchr(range, '/');
    guint64 prefix_bits = 0;
    ip_t base;

    return base_text != NULL && slash != NULL && ip_parse(base_text, &base)
           && g_ascii_string_to_unsigned(slash + 1, 10, 0, ip_bits(&base), &prefix_bits, NULL)
           && ip_equal(&base, client, (guint) prefix_bits);
}

static gboolean entry_covers(const char *entry, const ip_t *client)
{
    g_autofree char *entry_text = NULL;
    ip_t entry_ip;

    if (g_str_has_prefix(entry, STORE_RANGE_PREFIX)) {
        return range_covers(entry, client);
    }
    if (!g_str_has_suffix(entry, WHOLE_IP_SUFFIX)) {
        return FALSE;
    }
    entry_text = store_address_ip(entry);
    return entry_text != NULL && ip_parse(entry_text, &entry_ip) && ip_equal(&entry_ip, client, ip_bits(client));
}

gboolean store_blocklist_covers(GHashTable *entries, const char *address)
{
    g_autofree char *ip_text = store_address_ip(address);
    GHashTableIter iter;
    gpointer entry = NULL;
    ip_t client;

    if (g_hash_table_contains(entries, address)) {
        return TRUE;
    }
    if (ip_text == NULL || !ip_parse(ip_text, &client)) {
        return FALSE;
    }
    g_hash_table_iter_init(&iter, entries);
    while (g_hash_table_iter_next(&iter, &entry, NULL)) {
        if (entry_covers(entry, &client)) {
            return TRUE;
        }
    }
    return FALSE;
}
