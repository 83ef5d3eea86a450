/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server-entries: keeps failed servers' addresses on the store's blocklist, and takes off those of servers that serve
 * again, for the observer daemon. Prints what it has changed or could not; exits with 0 if nothing is left to be done.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "error.h"
#include "registry.h"
#include "server_entry.h"
#include "store.h"
#include "store_address.h"

#define BLOCKLIST_DURATION_S (5ULL * 365 * 24 * 3600)
#define STORE_TIMEOUT_MS     5000

static char *option_ceph_conf;
static char *option_ceph_user;
static char **option_off;
static char **option_hold;
static char **option_lift;

static const GOptionEntry options[] = {
    { "ceph-conf", 0, 0, G_OPTION_ARG_FILENAME, &option_ceph_conf, "Ceph configuration file", "PATH" },
    { "ceph-user", 0, 0, G_OPTION_ARG_STRING, &option_ceph_user, "Cephx user, without \"client.\"", "NAME" },
    { "off", 0, 0, G_OPTION_ARG_STRING_ARRAY, &option_off, "A server that was switched off", "SERVER" },
    { "hold", 0, 0, G_OPTION_ARG_STRING_ARRAY, &option_hold, "A server whose address must be on the blocklist", "SERVER=IP" },
    { "lift", 0, 0, G_OPTION_ARG_STRING_ARRAY, &option_lift, "A server that serves again", "SERVER" },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

static gboolean is_done = TRUE;
static GString *said;

static void say(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void say(const char *format, ...)
{
    va_list args;

    g_string_append(said, said->len > 0 ? "; " : "");
    va_start(args, format);
    g_string_append_vprintf(said, format, args);
    va_end(args);
}

static void say_later(const char *server, GError *error)
{
    is_done = FALSE;
    say("%s: %s", server, error->message);
}

static void off_record(store_t *store, const char *server)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(server_entry_t) entry = NULL;

    if (server_entry_read(store, server, &entry, &error) && entry != NULL && !entry->is_off) {
        entry->is_off = TRUE;
        (void) server_entry_write(store, server, entry, &error);
    }
    if (error != NULL) {
        say_later(server, error);
    }
}

/* "SERVER=IP" */
static gboolean pair_split(const char *pair, char **server, char **address)
{
    const char *equals = strchr(pair, '=');

    if (equals == NULL) {
        return FALSE;
    }
    *server = g_strndup(pair, (gsize) (equals - pair));
    *address = g_strdup(equals + 1);
    return TRUE;
}

static void hold(store_t *store, GHashTable *blocklist, const char *server, const char *address)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = store_address_blocklist_text(address, &error);

    if (text == NULL || g_hash_table_contains(blocklist, text)) {
        return;
    }
    if (server_entry_address_ask(store, address, &error)
        && store_blocklist_add(store, address, BLOCKLIST_DURATION_S, &error)) {
        say("%s: %s was not on the store's blocklist any more, and is again", server, address);
    } else {
        g_prefix_error(&error, "%s is not on the store's blocklist, and is not put there: ", address);
        say_later(server, error);
    }
}

/* The clients of a server that was switched off are gone. */
static gboolean clients_lift(store_t *store, GHashTable *blocklist, const server_entry_t *entry, GError **error)
{
    for (guint i = 0; entry->is_off && i < entry->clients->len; i++) {
        const char *client = g_ptr_array_index(entry->clients, i);

        if (g_hash_table_contains(blocklist, client) && !store_blocklist_remove(store, client, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean entry_lift(store_t *store, GHashTable *blocklist, const char *server, const server_entry_t *entry,
                           GError **error)
{
    g_autofree char *key = server_entry_key(server);
    g_autofree char *text = store_address_blocklist_text(entry->address, error);

    if (text == NULL) {
        return FALSE;
    }
    if (g_hash_table_contains(blocklist, text)) {
        if (!store_blocklist_remove(store, entry->address, error)) {
            return FALSE;
        }
        say("%s: %s is off the store's blocklist", server, entry->address);
    }
    return clients_lift(store, blocklist, entry, error) && config_key_remove(store, key, error);
}

/* Without a record the entry is an operator's. */
static void lift(store_t *store, GHashTable *blocklist, const char *server)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(server_entry_t) entry = NULL;

    if (server_entry_read(store, server, &entry, &error) && entry != NULL) {
        if (server_entry_may_lift(entry, blocklist)) {
            (void) entry_lift(store, blocklist, server, entry, &error);
        } else {
            say("%s: %s stays on the store's blocklist, for it was not switched off, and what of it used the store is not "
                "known; once you have booted it, run ceph osd blocklist rm %s:0/0", server, entry->address, entry->address);
        }
    }
    if (error != NULL) {
        say_later(server, error);
    }
}

static void pairs_run(store_t *store, GHashTable *blocklist)
{
    for (char **pair = option_hold; pair != NULL && *pair != NULL; pair++) {
        g_autofree char *server = NULL;
        g_autofree char *address = NULL;

        if (pair_split(*pair, &server, &address)) {
            hold(store, blocklist, server, address);
        }
    }
    for (char **server = option_lift; server != NULL && *server != NULL; server++) {
        lift(store, blocklist, *server);
    }
}

static void run(void)
{
    const store_options_t store_options = { .conf = option_ceph_conf, .user = option_ceph_user,
                                            .timeout_ms = STORE_TIMEOUT_MS };
    g_autoptr(GError) error = NULL;
    g_autoptr(GHashTable) blocklist = NULL;
    store_t *store = store_open(&store_options, &error);

    if (store == NULL) {
        say_later("the store", error);
        return;
    }
    for (char **server = option_off; server != NULL && *server != NULL; server++) {
        off_record(store, *server);
    }
    blocklist = store_blocklist_list(store, &error);
    if (blocklist != NULL) {
        pairs_run(store, blocklist);
    } else {
        say_later("the store", error);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- failed servers' addresses on the store's blocklist");
    g_autoptr(GError) error = NULL;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        printf("%s\n", error->message);
        return 64; /* EX_USAGE */
    }
    said = g_string_new(NULL);
    run();
    if (said->len > 0) {
        printf("%s\n", said->str);
        fflush(stdout);
    }
    _exit(is_done ? 0 : 1); /* librados' threads need not be waited for */
}
