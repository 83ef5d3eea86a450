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

#include "store.h"
#include "store_address.h"

#define STORE_TIMEOUT_MS 10000

static char *option_ceph_conf;
static char *option_ceph_user;

static const GOptionEntry options[] = {
    { "ceph-conf", 0, 0, G_OPTION_ARG_FILENAME, &option_ceph_conf, "Ceph configuration file", "PATH" },
    { "ceph-user", 0, 0, G_OPTION_ARG_STRING, &option_ceph_user, "Cephx user, without \"client.\"", "NAME" },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

/* Only an address of this host can be bound. With ip_nonlocal_bind any can, and then no monitor is asked. */
static gboolean is_own(const char *address_and_port)
{
    g_autofree char *ip = store_address_ip(address_and_port);
    g_autoptr(GSocketAddress) any_port = ip != NULL ? g_inet_socket_address_new_from_string(ip, 0) : NULL;
    g_autoptr(GSocket) bound = NULL;

    if (any_port != NULL) {
        bound = g_socket_new(g_socket_address_get_family(any_port), G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
    }
    return bound != NULL && g_socket_bind(bound, any_port, FALSE, NULL);
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
