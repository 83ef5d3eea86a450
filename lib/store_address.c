/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store_address.h"

#include <arpa/inet.h>
#include <string.h>

#include "error.h"
#include "store.h"

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

char *store_address_ip(const char *address)
{
    g_autofree char *text = NULL;
    const char *end = NULL;
    ip_t ip;

    if (address[0] == '[') {
        end = strchr(address, ']');
        text = end != NULL ? g_strndup(address + 1, (gsize) (end - address - 1)) : NULL;
    } else if (strchr(address, '.') != NULL) {
        end = strchr(address, ':');
        text = end != NULL ? g_strndup(address, (gsize) (end - address)) : g_strdup(address);
    } else {
        text = g_strdup(address);
    }
    return text != NULL && ip_parse(text, &ip) ? g_steal_pointer(&text) : NULL;
}

char *store_address_blocklist_text(const char *address, GError **error)
{
    g_autofree char *ip = store_address_ip(address);

    if (ip == NULL || (strchr(address, '/') == NULL && strcmp(address, ip) != 0)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "'%s' is no address of a Ceph client: write an IP address, or IP:PORT/NONCE", address);
        return NULL;
    }
    if (strchr(address, '/') != NULL) {
        return g_strdup(address);
    }
    return strchr(ip, ':') != NULL ? g_strconcat("[", ip, "]" WHOLE_IP_SUFFIX, NULL)
                                   : g_strconcat(ip, WHOLE_IP_SUFFIX, NULL);
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
