/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "caps.h"

#include <string.h>

#include "base/error.h"
#include "base/names.h"
#include "store/store_address.h"

/* What any RBD client must see of the monitors. "allow r" would show the configuration's history, too, and without the
 * fix of CVE-2018-14662 the whole config-key store: other people's secrets. */
#define MON_READ "allow service mon r, allow service osd r, allow service pg r"

/* Any client of an address, the address as a whole, or only single clients. */
#define ANY_CLIENT    "[0-9]+"
#define ONE_CLIENT    "[1-9][0-9]*"

/* Objects that say who has an image open, but not what is in it. */
static const char *const header_prefixes[] = { "rbd_header.", "rbd_id.", "rbd_directory", "rbd_trash", "rbd_info",
                                               "rbd_namespace", "rbd_children" };

static void append(GString *caps, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void append(GString *caps, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_string_append(caps, caps->len > 0 ? ", " : "");
    g_string_append_vprintf(caps, format, args);
    va_end(args);
}

/* Each address as the blocklist spells it, for a regular expression: "10[.]0[.]0[.]1|\[fd00::1\]" without a
 * backslash, which the monitors' parser of caps would take for its own. */
static char *address_pattern(const GPtrArray *addresses, GError **error)
{
    GString *pattern = g_string_new(NULL);

    for (guint i = 0; i < addresses->len; i++) {
        const char *address = g_ptr_array_index(addresses, i);
        g_autofree char *ip = store_address_ip(address);

        /* In any spelling, but the address alone: no port, no brackets. */
        if (ip == NULL || !g_hostname_is_ip_address(address)) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "'%s' is no IP address on the storage network", address);
            g_string_free(pattern, TRUE);
            return NULL;
        }
        g_string_append(pattern, i > 0 ? "|" : "");
        if (strchr(ip, ':') != NULL) {
            g_string_append_printf(pattern, "[[]%s[]]", ip);
        }
        for (const char *c = ip; strchr(ip, ':') == NULL && *c != '\0'; c++) {
            g_string_append_printf(pattern, *c == '.' ? "[%c]" : "%c", *c);
        }
    }
    return g_string_free(pattern, FALSE);
}

static void append_blocklist(GString *caps, const char *operation, const char *addresses, const char *clients)
{
    if (addresses[0] != '\0') {
        append(caps, "allow command \"osd blocklist\" with blocklistop=%s addr regex \"^(%s):0/%s$\"", operation,
               addresses, clients);
    }
}

static void append_keys(GString *caps, const char *const *operations, const char *prefix)
{
    for (; *operations != NULL; operations++) {
        append(caps, "allow command \"config-key %s\" with key prefix %s", *operations, prefix);
    }
}

static char *osd_caps(const GPtrArray *pools, gboolean headers_only)
{
    GString *caps = g_string_new(NULL);

    for (guint i = 0; i < pools->len; i++) {
        const char *pool = g_ptr_array_index(pools, i);

        if (!headers_only) {
            append(caps, "profile rbd pool=%s", pool);
        }
        for (gsize k = 0; headers_only && k < G_N_ELEMENTS(header_prefixes); k++) {
            append(caps, "allow r class-read pool=%s object_prefix %s", pool, header_prefixes[k]);
        }
    }
    return g_string_free(caps, FALSE);
}

/* Breaks the lock of a dead client (one nonce), isolates and readmits servers; can't fence another host. */
static char *host_mon_caps(const char *hosts, const char *servers)
{
    static const char *const reads[] = { "get", "exists", "dump", NULL };
    static const char *const writes[] = { "set", "rm", NULL };
    GString *caps = g_string_new(MON_READ);

    append_blocklist(caps, "add", hosts, ONE_CLIENT);
    append_blocklist(caps, "add", servers, ANY_CLIENT);
    append_blocklist(caps, "rm", servers, ANY_CLIENT);
    append_keys(caps, reads, "understudy/");
    append_keys(caps, writes, "understudy/host/");
    append_keys(caps, writes, "understudy/server/");
    return g_string_free(caps, FALSE);
}

static char *fence_mon_caps(const char *hosts, const char *operation, const char *const *record_operations)
{
    static const char *const reads[] = { "dump", NULL };
    GString *caps = g_string_new(MON_READ);

    append_blocklist(caps, operation, hosts, ANY_CLIENT);
    append_keys(caps, reads, "understudy/");
    append_keys(caps, record_operations, "understudy/fence/");
    return g_string_free(caps, FALSE);
}

static void user_free(gpointer data)
{
    ceph_user_t *user = data;

    g_free(user->entity);
    g_free(user->mon);
    g_free(user->mgr);
    g_free(user->osd);
    g_free(user);
}

static ceph_user_t *user_add(GPtrArray *users, const char *base, const char *suffix, char *mon, const char *mgr, char *osd)
{
    ceph_user_t *user = g_new0(ceph_user_t, 1);

    user->entity = g_strconcat("client.", base, suffix, NULL);
    user->mon = mon;
    user->mgr = g_strdup(mgr);
    user->osd = osd;
    g_ptr_array_add(users, user);
    return user;
}

static gboolean names_are_good(const char *base, const GPtrArray *pools, GError **error)
{
    const char *bad = server_name_is_valid(base) ? NULL : base;

    for (guint i = 0; bad == NULL && i < pools->len; i++) {
        bad = server_name_is_valid(g_ptr_array_index(pools, i)) ? NULL : g_ptr_array_index(pools, i);
    }
    if (bad != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "'%s' is no name of a user or pool: use letters, digits, '.', '_' and '-'", bad);
    }
    return bad == NULL;
}

/* Whoever may isolate a server could fence that host. */
static gboolean addresses_differ(const GPtrArray *hosts, const GPtrArray *servers, GError **error)
{
    g_autoptr(GHashTable) ips = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < hosts->len; i++) {
        g_hash_table_add(ips, store_address_ip(g_ptr_array_index(hosts, i)));
    }
    for (guint i = 0; i < servers->len; i++) {
        const char *address = g_ptr_array_index(servers, i);
        g_autofree char *ip = store_address_ip(address);

        if (g_hash_table_contains(ips, ip)) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "%s is given with --host and with --server-address: isolating that server would keep the host "
                        "out of the store; give each its own address", address);
            return FALSE;
        }
    }
    return TRUE;
}

GPtrArray *caps_make(const char *base, const GPtrArray *pools, const GPtrArray *hosts, const GPtrArray *servers,
                     GError **error)
{
    static const char *const fence_records[] = { "get", "set", NULL };
    static const char *const unfence_records[] = { "get", "rm", NULL };
    g_autofree char *host_pattern = address_pattern(hosts, error);
    g_autofree char *server_pattern = host_pattern != NULL ? address_pattern(servers, error) : NULL;
    GPtrArray *users = NULL;

    if (server_pattern == NULL || !addresses_differ(hosts, servers, error) || !names_are_good(base, pools, error)) {
        return NULL;
    }
    users = g_ptr_array_new_with_free_func(user_free);
    user_add(users, base, "", host_mon_caps(host_pattern, server_pattern), "profile rbd", osd_caps(pools, FALSE))->isolates =
        TRUE;
    user_add(users, base, "-fence", fence_mon_caps(host_pattern, "add", fence_records), NULL, osd_caps(pools, TRUE));
    user_add(users, base, "-unfence", fence_mon_caps(host_pattern, "rm", unfence_records), NULL, NULL);
    return users;
}

/* What caps name, as it would be given ----------------------------------------*/

static GPtrArray *named_new(void)
{
    return g_ptr_array_new_with_free_func(g_free);
}

/* Takes the text. */
static void named_add(GPtrArray *named, char *text)
{
    if (g_ptr_array_find_with_equal_func(named, text, g_str_equal, NULL)) {
        g_free(text);
    } else {
        g_ptr_array_add(named, text);
    }
}

/* A grant without a pool is for every pool, unless it is for certain objects. */
static void read_pools(GPtrArray *named, const char *osd)
{
    g_autoptr(GRegex) pool = g_regex_new("\\bpool[\\s=]+[\"']?([^\\s\"']+)", 0, 0, NULL);
    g_auto(GStrv) grants = g_strsplit_set(osd != NULL ? osd : "", ",;", -1);

    for (char **grant = grants; *grant != NULL; grant++) {
        g_autoptr(GMatchInfo) match = NULL;

        if (g_regex_match(pool, *grant, 0, &match)) {
            g_autofree char *name = g_match_info_fetch(match, 1);

            named_add(named, g_strconcat("--pool ", name, NULL));
        } else if (*g_strstrip(*grant) != '\0' && strstr(*grant, "object_prefix") == NULL) {
            named_add(named, g_strdup("all other pools"));
        }
    }
}

/* The reverse of address_pattern(). What no address has come out of is told as it stands. */
static void read_addresses(GPtrArray *named, const char *pattern, const char *option)
{
    g_auto(GStrv) parts = g_strsplit(pattern, "|", -1);

    for (char **part = parts; *part != NULL; part++) {
        g_auto(GStrv) pieces = g_strsplit_set(*part, "[]\\", -1);
        g_autofree char *text = g_strjoinv(NULL, pieces);
        g_autofree char *ip = store_address_ip(text);

        named_add(named, g_hostname_is_ip_address(text) && ip != NULL ? g_strconcat(option, " ", ip, NULL)
                                                                      : g_strconcat("addresses like ", *part, NULL));
    }
}

static void read_blocklist(GPtrArray *named, const char *mon, gboolean isolates)
{
    g_autoptr(GRegex) grant = g_regex_new("addr regex \"\\^\\(([^)\"]*)\\):0/([^\"]*)\\$\"", 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;

    g_regex_match(grant, mon != NULL ? mon : "", 0, &match);
    for (; g_match_info_matches(match); g_match_info_next(match, NULL)) {
        g_autofree char *pattern = g_match_info_fetch(match, 1);
        g_autofree char *clients = g_match_info_fetch(match, 2);

        read_addresses(named, pattern, isolates && strcmp(clients, ANY_CLIENT) == 0 ? "--server-address" : "--host");
    }
}

static GPtrArray *caps_named(const ceph_user_t *user, gboolean isolates)
{
    GPtrArray *named = named_new();

    read_pools(named, user->osd);
    read_blocklist(named, user->mon, isolates);
    return named;
}

char *caps_lost(const ceph_user_t *had, const ceph_user_t *gets)
{
    g_autoptr(GPtrArray) before = caps_named(had, gets->isolates);
    g_autoptr(GPtrArray) after = caps_named(gets, gets->isolates);
    GString *lost = g_string_new(NULL);

    for (guint i = 0; i < before->len; i++) {
        if (!g_ptr_array_find_with_equal_func(after, g_ptr_array_index(before, i), g_str_equal, NULL)) {
            append(lost, "%s", (const char *) g_ptr_array_index(before, i));
        }
    }
    return g_string_free(lost, lost->len == 0);
}

char *caps_keyring_path(const ceph_user_t *user, const char *keyring_dir)
{
    return g_strdup_printf("%s/ceph.%s.keyring", keyring_dir, user->entity);
}

char *caps_command(const ceph_user_t *user, const char *keyring_dir)
{
    const struct {
        const char *service;
        const char *caps;
    } services[] = { { "mon", user->mon }, { "mgr", user->mgr }, { "osd", user->osd } };
    g_autofree char *path = caps_keyring_path(user, keyring_dir);
    g_autofree char *quoted_path = g_shell_quote(path);
    GString *command = g_string_new("ceph auth get-or-create ");

    g_string_append(command, user->entity);
    for (gsize i = 0; i < G_N_ELEMENTS(services); i++) {
        if (services[i].caps != NULL) {
            g_autofree char *quoted = g_shell_quote(services[i].caps);

            g_string_append_printf(command, " %s %s", services[i].service, quoted);
        }
    }
    g_string_append_printf(command, " -o %s", quoted_path);
    return g_string_free(command, FALSE);
}
