/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seen: writes the pairs SERVER=DIGEST that it is given into the store's config-key store, then prints all that are
 * there, for the observer daemon. Blocks.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "base/names.h"
#include "store/registry.h"

#define STORE_TIMEOUT_MS 10000

static char *option_ceph_conf;
static char *option_ceph_user;
static char **option_pairs;

static const GOptionEntry options[] = {
    { "ceph-conf", 0, 0, G_OPTION_ARG_FILENAME, &option_ceph_conf, "Ceph configuration file", "PATH" },
    { "ceph-user", 0, 0, G_OPTION_ARG_STRING, &option_ceph_user, "Cephx user, without \"client.\"", "NAME" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &option_pairs, NULL, "SERVER=DIGEST" },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

static gboolean write_pair(store_t *store, const char *pair, GError **error)
{
    const char *equals = strchr(pair, '=');
    g_autofree char *server = equals != NULL ? g_strndup(pair, (gsize) (equals - pair)) : NULL;
    g_autofree char *key = NULL;

    if (server == NULL || !server_name_is_valid(server)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "'%s' is no SERVER=DIGEST", pair);
        return FALSE;
    }
    key = registry_seen_key(server);
    return config_key_set(store, key, equals + 1, error);
}

static gboolean print_pairs(store_t *store, GError **error)
{
    g_autoptr(GHashTable) keys = config_key_dump(store, REGISTRY_SERVER_PREFIX, error);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    if (keys == NULL) {
        return FALSE;
    }
    g_hash_table_iter_init(&iter, keys);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        g_autofree char *server = registry_seen_server(name);

        if (server != NULL && registry_digest_is_valid(value)) {
            printf("%s=%s ", server, (const char *) value);
        }
    }
    printf("\n");
    return TRUE;
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- remembers which servers were seen up");
    g_autoptr(GError) error = NULL;
    store_options_t store_options = { .timeout_ms = STORE_TIMEOUT_MS };
    store_t *store = NULL;
    gboolean done = FALSE;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* not longer than the daemon */
    g_option_context_add_main_entries(context, options, NULL);
    if (g_option_context_parse(context, &argc, &argv, &error)) {
        store_options.conf = option_ceph_conf;
        store_options.user = option_ceph_user;
        store = store_open(&store_options, &error);
    }
    done = store != NULL;
    for (char **pair = option_pairs; done && pair != NULL && *pair != NULL; pair++) {
        done = write_pair(store, *pair, &error);
    }
    done = done && print_pairs(store, &error);
    store_close(store);
    if (!done) {
        fprintf(stderr, "%s\n", error->message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
