/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "params/probe_spec.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/error.h"

gboolean address_is_usable(const char *address)
{
    struct in_addr ipv4;
    struct in6_addr ipv6;

    if (inet_pton(AF_INET, address, &ipv4) == 1) {
        return ipv4.s_addr != htonl(INADDR_ANY) && !IN_MULTICAST(ntohl(ipv4.s_addr))
               && ipv4.s_addr != htonl(INADDR_BROADCAST);
    }
    /* Not with a zone (fe80::1%eth0): it is another one on each host. */
    return inet_pton(AF_INET6, address, &ipv6) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&ipv6) && !IN6_IS_ADDR_V4MAPPED(&ipv6)
           && !IN6_IS_ADDR_MULTICAST(&ipv6) && !IN6_IS_ADDR_LINKLOCAL(&ipv6);
}

gboolean address_is_loopback(const char *address)
{
    struct in_addr ipv4;
    struct in6_addr ipv6;

    if (inet_pton(AF_INET, address, &ipv4) == 1) {
        return ntohl(ipv4.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
    }
    return inet_pton(AF_INET6, address, &ipv6) == 1 && IN6_IS_ADDR_LOOPBACK(&ipv6);
}

static gboolean parse_tcp(probe_spec_t *spec, const char *rest, GError **error)
{
    /* GLib's URI parser knows addresses, brackets and ports; GIO's costs a
     * monitor the loading of GIO. */
    g_autofree char *text = g_strconcat("tcp://", rest, NULL);
    g_autofree char *host = NULL;
    int port = 0;

    if (!g_uri_split_network(text, G_URI_FLAGS_NONE, NULL, &host, &port, NULL)
        || port <= 0 || strchr(rest, '/') != NULL || !address_is_usable(host)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "probe '%s': write tcp:ADDRESS:PORT with a numeric unicast address; IPv6 in [], no zone", spec->text);
        return FALSE;
    }
    spec->address = g_steal_pointer(&host);
    spec->port = (guint16) port;
    return TRUE;
}

static gboolean parse_icmp(probe_spec_t *spec, const char *rest, GError **error)
{
    if (!address_is_usable(rest)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "probe '%s': write icmp:ADDRESS with a numeric unicast address, without a zone", spec->text);
        return FALSE;
    }
    spec->address = g_strdup(rest);
    return TRUE;
}

static gboolean parse_http(probe_spec_t *spec, const char *rest, GError **error)
{
    g_autoptr(GUri) uri = g_uri_parse(spec->text, G_URI_FLAGS_NONE, NULL);

    (void) rest;
    if (uri == NULL || g_uri_get_host(uri) == NULL || g_uri_get_host(uri)[0] == '\0') {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "probe '%s': write http://HOST[:PORT]/PATH", spec->text);
        return FALSE;
    }
    /* A name is looked up apart from the observers' loop. */
    if (g_hostname_is_ip_address(g_uri_get_host(uri)) && !address_is_usable(g_uri_get_host(uri))) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "probe '%s': write a name or a unicast address without a zone", spec->text);
        return FALSE;
    }
    spec->target = g_strdup(spec->text);
    return TRUE;
}

/* libpq's own parser would have every agent load it. hostaddr is what is connected to where both stand. */
static char *conninfo_host(const char *conninfo)
{
    static const char *const patterns[] = { "(?:^|\\s)hostaddr\\s*=\\s*'?([^\\s',]+)", "(?:^|\\s)host\\s*=\\s*'?([^\\s',]+)",
                                            NULL };

    if (g_str_has_prefix(conninfo, "postgres://") || g_str_has_prefix(conninfo, "postgresql://")) {
        g_autoptr(GUri) uri = g_uri_parse(conninfo, G_URI_FLAGS_NON_DNS | G_URI_FLAGS_HAS_PASSWORD, NULL);

        return uri != NULL ? g_strdup(g_uri_get_host(uri)) : NULL;
    }
    for (const char *const *pattern = patterns; *pattern != NULL; pattern++) {
        g_autoptr(GRegex) regex = g_regex_new(*pattern, G_REGEX_DEFAULT, G_REGEX_MATCH_DEFAULT, NULL);
        g_autoptr(GMatchInfo) match = NULL;

        if (g_regex_match(regex, conninfo, G_REGEX_MATCH_DEFAULT, &match)) {
            return g_match_info_fetch(match, 1);
        }
    }
    return NULL;
}

static gboolean is_socket(const char *host)
{
    return host[0] == '/' || host[0] == '@';
}

/* Its text may hold a password, and is not repeated. */
static gboolean parse_pgsql(probe_spec_t *spec, const char *rest, GError **error)
{
    g_autofree char *host = conninfo_host(rest);

    /* libpq takes pairs or a URI, and anything else for nothing. */
    if (!g_regex_match_simple("^\\s*(postgres(ql)?://|[a-z_]+\\s*=)", rest, G_REGEX_DEFAULT, G_REGEX_MATCH_DEFAULT)) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "probe 'pgsql:...': write pgsql:CONNINFO, say 'pgsql:host=10.0.0.1 user=monitor'");
        return FALSE;
    }
    /* What libpq would look up, it would wait for, and all other probes with it. */
    if (host != NULL && *host != '\0' && !is_socket(host) && !address_is_usable(host)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "probe 'pgsql:...': the conninfo's host %s is no numeric unicast address: give hostaddr=ADDRESS", host);
        return FALSE;
    }
    spec->target = g_strdup(rest);
    return TRUE;
}

static gboolean parse_exec(probe_spec_t *spec, const char *rest, GError **error)
{
    if (!g_shell_parse_argv(rest, NULL, &spec->argv, NULL) || !g_path_is_absolute(spec->argv[0])) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "probe '%s': write exec:PATH with an absolute path", spec->text);
        return FALSE;
    }
    return TRUE;
}

static const struct {
    const char *prefix;
    probe_type_t type;
    gboolean (*parse)(probe_spec_t *spec, const char *rest, GError **error);
} probe_types[] = {
    { "tcp:", PROBE_TCP, parse_tcp },
    { "icmp:", PROBE_ICMP, parse_icmp },
    { "http://", PROBE_HTTP, parse_http },
    { "https://", PROBE_HTTP, parse_http },
    { "pgsql:", PROBE_PGSQL, parse_pgsql },
    { "exec:", PROBE_EXEC, parse_exec },
};

probe_spec_t *probe_spec_parse(const char *text, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(probe_types); i++) {
        probe_spec_t *spec = NULL;

        if (!g_str_has_prefix(text, probe_types[i].prefix)) {
            continue;
        }
        spec = g_new0(probe_spec_t, 1);
        spec->type = probe_types[i].type;
        spec->text = g_strdup(text);
        if (!probe_types[i].parse(spec, text + strlen(probe_types[i].prefix), error)) {
            g_clear_pointer(&spec, probe_spec_free);
        }
        return spec;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                "probe '%s': begin with tcp:, icmp:, http://, https://, pgsql: or exec:", text);
    return NULL;
}

GPtrArray *probe_spec_list_parse(const char *text, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify) probe_spec_free);
    g_auto(GStrv) words = NULL;
    GError *parse_error = NULL;

    if (!g_shell_parse_argv(text, NULL, &words, &parse_error)) {
        gboolean empty = g_error_matches(parse_error, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING);

        g_error_free(parse_error);
        if (empty) {
            return g_steal_pointer(&list);
        }
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "probes '%s': a quote is not closed", text);
        return NULL;
    }
    for (char **word = words; *word != NULL; word++) {
        probe_spec_t *spec = probe_spec_parse(*word, error);

        if (spec == NULL) {
            return NULL;
        }
        g_ptr_array_add(list, spec);
    }
    return g_steal_pointer(&list);
}

char *probe_spec_label(const probe_spec_t *spec)
{
    switch (spec->type) {
        case PROBE_HTTP: {
            g_autoptr(GUri) uri = g_uri_parse(spec->target, G_URI_FLAGS_NONE, NULL);

            return uri != NULL ? g_uri_to_string_partial(uri, G_URI_HIDE_USERINFO | G_URI_HIDE_QUERY
                                                                  | G_URI_HIDE_FRAGMENT)
                               : g_strdup("http");
        }
        case PROBE_PGSQL:
            return g_strdup("pgsql");
        case PROBE_EXEC:
            return g_strconcat("exec:", spec->argv[0], NULL);
        case PROBE_TCP:
        case PROBE_ICMP:
        default:
            return g_strdup(spec->text);
    }
}

gboolean probe_spec_asks_this_host(const probe_spec_t *spec)
{
    g_autofree char *host = probe_spec_host(spec);

    if (spec->type == PROBE_EXEC) {
        return FALSE;
    }
    /* A conninfo that leaves the host to a service file, or a URI to its query, is libpq's to read. */
    if (host == NULL || *host == '\0') {
        return spec->type == PROBE_PGSQL && strstr(spec->target, "service") == NULL && strstr(spec->target, "host") == NULL;
    }
    return is_socket(host) || address_is_loopback(host) || g_ascii_strcasecmp(host, "localhost") == 0;
}

char *probe_spec_host(const probe_spec_t *spec)
{
    switch (spec->type) {
        case PROBE_TCP:
        case PROBE_ICMP:
            return g_strdup(spec->address);
        case PROBE_HTTP: {
            g_autoptr(GUri) uri = g_uri_parse(spec->target, G_URI_FLAGS_NONE, NULL);

            return uri != NULL ? g_strdup(g_uri_get_host(uri)) : NULL;
        }
        case PROBE_PGSQL:
            return conninfo_host(spec->target);
        case PROBE_EXEC:
        default:
            return NULL;
    }
}

void probe_spec_free(probe_spec_t *spec)
{
    if (spec == NULL) {
        return;
    }
    g_free(spec->text);
    g_free(spec->address);
    g_free(spec->target);
    g_strfreev(spec->argv);
    g_free(spec);
}
