/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * monitors: prints the store's monitors as probes, for the observer daemon. Blocks. Leaves out those
 * of this host: they can be reached whatever is cut.
 */
#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "store/store.h"
#include "store/store_address.h"

#define STORE_TIMEOUT_MS 10000

static char *option_ceph_conf;
static char *option_ceph_user;

static const GOptionEntry options[] = {
    { "ceph-conf", 0, 0, G_OPTION_ARG_FILENAME, &option_ceph_conf, "Ceph configuration file", "PATH" },
    { "ceph-user", 0, 0, G_OPTION_ARG_STRING, &option_ceph_user, "Cephx user, without \"client.\"", "NAME" },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

/* From an own address the kernel reaches it. Whether it can be bound says less: with ip_nonlocal_bind any can.
 * A datagram's socket sends nothing when it is connected: it is a look at the routes, and needs a port, any. */
static gboolean is_own(const char *address_and_port)
{
    g_autofree char *ip = store_address_ip(address_and_port);
    g_autoptr(GSocketAddress) remote = ip != NULL ? g_inet_socket_address_new_from_string(ip, 9) : NULL;
    g_autoptr(GSocketAddress) local = NULL;
    g_autoptr(GSocket) looker = NULL;

    if (remote == NULL) {
        return FALSE;
    }
    looker = g_socket_new(g_socket_address_get_family(remote), G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
    if (looker == NULL || !g_socket_connect(looker, remote, NULL, NULL)) {
        return FALSE;
    }
    local = g_socket_get_local_address(looker, NULL);
    return local != NULL && g_inet_address_equal(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(local)),
                                                 g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(remote)));
}

static char **find_monitors(GError **error)
{
    const store_options_t store_options = { .conf = option_ceph_conf, .user = option_ceph_user,
                                            .timeout_ms = STORE_TIMEOUT_MS };
    store_t *store = store_open(&store_options, error);
    char **found = store != NULL ? store_monitor_addresses(store, error) : NULL;

    store_close(store);
    return found;
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- finds the store's monitors");
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) found = NULL;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* not longer than the daemon */
    g_option_context_add_main_entries(context, options, NULL);
    if (g_option_context_parse(context, &argc, &argv, &error)) {
        found = find_monitors(&error);
    }
    if (found == NULL) {
        fprintf(stderr, "%s\n", error->message);
        return EXIT_FAILURE;
    }
    for (char **address = found; *address != NULL; address++) {
        if (!is_own(*address)) {
            printf("tcp:%s ", *address);
        }
    }
    printf("\n");
    return EXIT_SUCCESS;
}
