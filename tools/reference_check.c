/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference_check.h"

#include <string.h>

#include "net/networks.h"
#include "params/probe_spec.h"
#include "store/store_address.h"

/* The two parameters, and the servers' addresses whose network each has to be on. */
typedef struct {
    const char *what;
    const char *parameters[2]; /* the second: of a server that has not the first */
    const char *instead;
} kind_t;

static const kind_t service_kind = {
    .what = "reference",
    .parameters = { "service_address", "probes" },
    .instead = "give a router, a switch or a client on the network of the servers' service addresses with --reference",
};

static const kind_t management_kind = {
    .what = "management reference",
    .parameters = { "recover_probe", NULL },
    .instead = "give a router or a switch on the network of the servers' management addresses with --management-reference",
};

/* Addresses of the servers, by what people call them. */
static const struct {
    const char *name;
    const char *what;
} server_addresses[] = {
    { "service_address", "service address" },
    { "recover_probe", "management address" },
    { "store_address", "store address" },
};

static const char *param(const cluster_server_t *server, const char *name)
{
    const char *value = name != NULL ? g_hash_table_lookup(server->params, name) : NULL;

    return value != NULL && *value != '\0' ? value : NULL;
}

/* Of a parameter that is an address, or a list of probes: in one spelling; names are left out. */
static GPtrArray *addresses_of(const char *text)
{
    GPtrArray *addresses = g_ptr_array_new_with_free_func(g_free);
    char *single = text != NULL ? store_address_ip(text) : NULL;
    GPtrArray *probes = single == NULL && text != NULL ? probe_spec_list_parse(text, NULL) : NULL;

    if (single != NULL) {
        g_ptr_array_add(addresses, single);
    }
    for (guint i = 0; probes != NULL && i < probes->len; i++) {
        g_autofree char *host = probe_spec_host(g_ptr_array_index(probes, i));
        char *ip = host != NULL ? store_address_ip(host) : NULL;

        if (ip != NULL) {
            g_ptr_array_add(addresses, ip);
        }
    }
    g_clear_pointer(&probes, g_ptr_array_unref);
    return addresses;
}

/* It is silent when that server fails, and whoever relies on it can't judge it. */
static char *server_with(const reference_view_t *view, const char *ip)
{
    for (guint i = 0; i < view->cluster->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(view->cluster->servers, i);

        for (gsize k = 0; k < G_N_ELEMENTS(server_addresses); k++) {
            g_autoptr(GPtrArray) addresses = addresses_of(param(server, server_addresses[k].name));

            if (g_ptr_array_find_with_equal_func(addresses, ip, g_str_equal, NULL)) {
                return g_strdup_printf("is the %s of %s, and is silent when that server fails", server_addresses[k].what,
                                       server->name);
            }
        }
    }
    return NULL;
}

/* Beyond a router nothing is known of networks: only two that this host is on itself can be told apart. */
static gboolean may_share(const GPtrArray *networks, const char *one, const char *other)
{
    return networks_share(networks, one, other)
           || (!networks_share(networks, one, one) && !networks_share(networks, other, other));
}

/* TRUE without any address to compare with, too. */
static gboolean is_on_their_network(const reference_view_t *view, const kind_t *kind, const char *ip)
{
    gboolean has_any = FALSE;

    for (guint i = 0; i < view->cluster->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(view->cluster->servers, i);
        const char *text = param(server, kind->parameters[0]);
        g_autoptr(GPtrArray) addresses = addresses_of(text != NULL ? text : param(server, kind->parameters[1]));

        for (guint k = 0; k < addresses->len; k++) {
            has_any = TRUE;
            if (may_share(view->networks, ip, g_ptr_array_index(addresses, k))) {
                return TRUE;
            }
        }
    }
    return !has_any;
}

/* What is wrong with it, to follow its name; NULL: nothing. */
static char *address_fault(const reference_view_t *view, const kind_t *kind, const char *ip)
{
    const char *host = g_hash_table_lookup(view->host_addresses, ip);
    char *server = NULL;

    if (address_is_loopback(ip)) {
        return g_strdup("asks the host that it runs on, which answers while the network is away");
    }
    if (host != NULL) {
        return g_strdup_printf("is an address of the host %s, which answers itself while the network is away", host);
    }
    server = server_with(view, ip);
    if (server == NULL && !is_on_their_network(view, kind, ip)) {
        return g_strdup_printf("is on another network than %s, and says nothing of theirs",
                               kind == &service_kind ? "the servers' service addresses" : "the servers' management addresses");
    }
    return server;
}

static char *spec_fault(const reference_view_t *view, const kind_t *kind, const probe_spec_t *spec)
{
    g_autofree char *host = probe_spec_host(spec);
    g_autofree char *ip = host != NULL ? store_address_ip(host) : NULL;
    char *const *resolved = host != NULL && ip == NULL ? g_hash_table_lookup(view->names, host) : NULL;

    if (probe_spec_asks_this_host(spec)) {
        return g_strdup("asks the host that it runs on, which answers while the network is away");
    }
    if (ip != NULL) {
        return address_fault(view, kind, ip);
    }
    for (; resolved != NULL && *resolved != NULL; resolved++) {
        char *fault = address_fault(view, kind, *resolved);

        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

static void check_list(const reference_view_t *view, const kind_t *kind, const char *text, GPtrArray *sentences)
{
    GPtrArray *specs = text != NULL ? probe_spec_list_parse(text, NULL) : NULL;

    for (guint i = 0; specs != NULL && i < specs->len; i++) {
        const probe_spec_t *spec = g_ptr_array_index(specs, i);
        g_autofree char *label = probe_spec_label(spec);
        g_autofree char *fault = spec_fault(view, kind, spec);

        if (fault != NULL) {
            g_ptr_array_add(sentences, g_strdup_printf("%s '%s' %s: %s", kind->what, label, fault, kind->instead));
        }
    }
    g_clear_pointer(&specs, g_ptr_array_unref);
}

GPtrArray *reference_check(const reference_view_t *view, const char *references, const char *management_references)
{
    GPtrArray *sentences = g_ptr_array_new_with_free_func(g_free);

    check_list(view, &service_kind, references, sentences);
    check_list(view, &management_kind, management_references, sentences);
    return sentences;
}

static void add_names(GPtrArray *names, const char *text)
{
    GPtrArray *specs = text != NULL ? probe_spec_list_parse(text, NULL) : NULL;

    for (guint i = 0; specs != NULL && i < specs->len; i++) {
        g_autofree char *host = probe_spec_host(g_ptr_array_index(specs, i));
        g_autofree char *ip = host != NULL ? store_address_ip(host) : NULL;

        if (host != NULL && *host != '\0' && ip == NULL) {
            g_ptr_array_add(names, g_steal_pointer(&host));
        }
    }
    g_clear_pointer(&specs, g_ptr_array_unref);
}

GPtrArray *reference_names(const char *references, const char *management_references)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

    add_names(names, references);
    add_names(names, management_references);
    return names;
}
