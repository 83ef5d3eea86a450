/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server-entries: keeps failed servers' addresses on the store's blocklist, and takes off those of servers that serve
 * again, for the observer daemon. Prints whose requests could not be carried out, and what it has changed or could not; exits
 * with another status than 0 if nothing could be tried.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "helpers/server_clients.h"
#include "store/registry.h"
#include "store/store.h"
#include "store/store_address.h"

#define STORE_TIMEOUT_MS 5000
/* A failed server's address that is missing is put on without knowing its clients rather than later. */
#define LOOK_MAX_MS      3000

static char *option_ceph_conf;
static char *option_ceph_user;
static char **option_off;
static char **option_hold;
static char **option_lift;

static const GOptionEntry options[] = {
    { "ceph-conf", 0, 0, G_OPTION_ARG_FILENAME, &option_ceph_conf, "Ceph configuration file", "PATH" },
    { "ceph-user", 0, 0, G_OPTION_ARG_STRING, &option_ceph_user, "Cephx user, without \"client.\"", "NAME" },
    { "off", 0, 0, G_OPTION_ARG_STRING_ARRAY, &option_off, "A server that was switched off", "SERVER" },
    { "hold", 0, 0, G_OPTION_ARG_STRING_ARRAY, &option_hold,
      "A server whose address must be on the blocklist, and its images", "SERVER=IP=POOL/IMAGE,..." },
    { "lift", 0, 0, G_OPTION_ARG_STRING_ARRAY, &option_lift, "A server that serves again", "SERVER" },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

/* One run. */
typedef struct {
    store_t *store;
    store_map_t *map;
    GPtrArray *entries;  /* server_entry_t*: all records of the store */
    GHashTable *faults;  /* char* server -> char*: records that can't be read */
    GHashTable *undone;  /* char*: servers with something left to be done */
    GString *said;
} run_t;

static void say(run_t *run, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void say(run_t *run, const char *format, ...)
{
    va_list args;

    g_string_append(run->said, run->said->len > 0 ? "; " : "");
    va_start(args, format);
    g_string_append_vprintf(run->said, format, args);
    va_end(args);
}

static void say_later(run_t *run, const char *server, const GError *error)
{
    g_hash_table_add(run->undone, g_strdup(server));
    say(run, "%s: %s", server, error->message);
}

static void off_record(run_t *run, const char *server)
{
    for (guint i = 0; i < run->entries->len; i++) {
        server_entry_t *entry = g_ptr_array_index(run->entries, i);
        g_autoptr(GError) error = NULL;

        if (strcmp(entry->server, server) != 0 || entry->is_off) {
            continue;
        }
        entry->is_off = TRUE;
        if (!server_entry_write(run->store, entry, &error)) {
            say_later(run, server, error);
        }
    }
}

/* The record first: what is put on without one would never come off. */
static gboolean address_put(run_t *run, const char *server, const char *address, const char *disks, GError **error)
{
    server_clients_query_t query = { .store = run->store, .server = server, .address = address, .disks = disks,
                                     .wait_ms = LOOK_MAX_MS };
    g_autoptr(store_map_t) map = NULL;
    const server_entry_t *earlier = server_entries_find(run->entries, server, address);
    g_autoptr(server_entry_t) entry = NULL;

    if (!server_entry_address_ask(run->store, address, &map, error)) {
        return FALSE;
    }
    query.map = map;
    entry = server_clients_record(&query, earlier);
    if (earlier != NULL) {
        server_entry_keep_off(entry, earlier);
    }
    return server_entry_write(run->store, entry, error) && server_entry_put(run->store, map, entry, error);
}

static void hold(run_t *run, const char *server, const char *address, const char *disks)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = store_address_blocklist_text(address, &error);

    if (text == NULL || store_map_entry_lasts(run->map, text, STORE_CLIENT_BLOCK_S)) {
        return;
    }
    if (address_put(run, server, address, disks, &error)) {
        say(run, "%s: %s was not on the store's blocklist for long, and is now", server, address);
    } else {
        g_prefix_error(&error, "%s is not on the store's blocklist for long, and is not put there: ", address);
        say_later(run, server, error);
    }
}

/* The clients of a server that was switched off are gone. */
static gboolean clients_lift(run_t *run, const server_entry_t *entry, GError **error)
{
    for (guint i = 0; entry->is_off && i < entry->clients->len; i++) {
        const char *client = g_ptr_array_index(entry->clients, i);

        if (g_hash_table_contains(run->map->blocklist, client) && !store_blocklist_remove(run->store, client, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* By the records as they are now: another server may have been isolated since this run began. NULL in *server: nobody does. */
static gboolean needed_by_find(run_t *run, const server_entry_t *entry, char **server, GError **error)
{
    g_autoptr(GPtrArray) entries = server_entries_read(run->store, NULL, error);

    if (entries != NULL) {
        *server = server_entry_needed_by(entries, entry, (const char *const *) option_lift, (const char *const *) option_hold);
    }
    return entries != NULL;
}

/* Before the address goes, which covers them as yet. */
static gboolean clients_make_last(run_t *run, const server_entry_t *entry, GError **error)
{
    store_map_t *map = NULL;

    if (entry->is_off) {
        return TRUE;
    }
    map = server_entry_renew_clients(run->store, run->map, entry, error) ? store_map_ask(run->store, error) : NULL;
    if (map != NULL) {
        store_map_free(run->map);
        run->map = map;
    }
    return map != NULL;
}

static gboolean entry_lift(run_t *run, const server_entry_t *entry, GError **error)
{
    g_autofree char *text = store_address_blocklist_text(entry->address, error);
    g_autofree char *needed_by = NULL;

    if (text == NULL) {
        return FALSE;
    }
    if (g_hash_table_contains(run->map->blocklist, text)) {
        if (!clients_make_last(run, entry, error)) {
            return FALSE;
        }
        if (!server_entry_may_lift(entry, run->map)) {
            say(run, "%s: %s stays on the store's blocklist, for it was not switched off, and what of it used the store is "
                "not known; once you have booted it, run ceph osd blocklist rm %s", entry->server, entry->address, text);
            return TRUE;
        }
        if (!needed_by_find(run, entry, &needed_by, error)) {
            return FALSE;
        }
        if (needed_by != NULL) {
            say(run, "%s: %s stays on the store's blocklist, for it is %s's now: give each server its own store_address",
                entry->server, entry->address, needed_by);
            return server_entry_drop(run->store, entry, error);
        }
        if (!store_blocklist_remove(run->store, entry->address, error)) {
            return FALSE;
        }
        say(run, "%s: %s is off the store's blocklist", entry->server, entry->address);
    }
    return clients_lift(run, entry, error) && server_entry_drop(run->store, entry, error);
}

/* By the records, whatever its address is said to be by now. Without a record an entry is an operator's. */
static void lift(run_t *run, const char *server)
{
    const char *fault = g_hash_table_lookup(run->faults, server);

    for (guint i = 0; i < run->entries->len; i++) {
        const server_entry_t *entry = g_ptr_array_index(run->entries, i);
        g_autoptr(GError) error = NULL;

        if (strcmp(entry->server, server) == 0 && !entry_lift(run, entry, &error)) {
            say_later(run, server, error);
        }
    }
    if (fault != NULL) {
        say(run, "%s: %s", server, fault); /* asking again makes it no better */
    }
}

static void requests_run(run_t *run)
{
    for (char **server = option_off; server != NULL && *server != NULL; server++) {
        off_record(run, *server);
    }
    for (char **text = option_hold; text != NULL && *text != NULL; text++) {
        g_auto(GStrv) parts = g_strsplit(*text, "=", 3);

        if (g_strv_length(parts) == 3) {
            hold(run, parts[0], parts[1], parts[2]);
        }
    }
    for (char **server = option_lift; server != NULL && *server != NULL; server++) {
        lift(run, *server);
    }
}

static gboolean run_begin(run_t *run, GError **error)
{
    const store_options_t store_options = { .conf = option_ceph_conf, .user = option_ceph_user,
                                            .timeout_ms = STORE_TIMEOUT_MS };

    run->store = store_open(&store_options, error);
    run->map = run->store != NULL ? store_map_ask(run->store, error) : NULL;
    run->entries = run->map != NULL ? server_entries_read(run->store, &run->faults, error) : NULL;
    return run->entries != NULL;
}

/* The servers with something left to be done, "-" if there are none, then what there is to say. */
static void result_print(const run_t *run)
{
    g_autofree const char **names = (const char **) g_hash_table_get_keys_as_array(run->undone, NULL);
    g_autofree char *undone = g_strjoinv(",", (char **) names);

    printf("%s %s\n", undone[0] != '\0' ? undone : "-", run->said->str);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- failed servers' addresses on the store's blocklist");
    g_autoptr(GError) error = NULL;
    run_t run = { NULL };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 64; /* EX_USAGE */
    }
    run.undone = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    run.said = g_string_new(NULL);
    if (!run_begin(&run, &error)) {
        fprintf(stderr, "%s\n", error->message);
        _exit(1);
    }
    requests_run(&run);
    result_print(&run);
    _exit(0); /* librados' threads need not be waited for */
}
