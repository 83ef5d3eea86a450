/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "helpers/server_clients.h"

#include "store/store_address.h"

/* The pools of the server's disks: "POOL/IMAGE,POOL/IMAGE". g_strfreev() */
static char **pools_of_disks(const char *disks)
{
    g_auto(GStrv) words = g_strsplit_set(disks != NULL ? disks : "", " \t,", -1);
    GPtrArray *pools = g_ptr_array_new();

    for (char **word = words; *word != NULL; word++) {
        g_autoptr(GError) error = NULL;
        store_image_name_t *name = **word != '\0' ? store_image_name_parse(*word, &error) : NULL;

        if (name != NULL && !g_ptr_array_find_with_equal_func(pools, name->pool, g_str_equal, NULL)) {
            g_ptr_array_add(pools, g_strdup(name->pool));
        }
        if (name != NULL) {
            store_image_name_free(name);
        }
    }
    g_ptr_array_add(pools, NULL);
    return (char **) g_ptr_array_free(pools, FALSE);
}

/* Shared with the thread, which may outlive the wait: each has a reference. */
typedef struct {
    store_t *store;
    char **pools;
    char *ip;              /* of the address, as the store spells it */
    server_entry_t *entry; /* what the thread finds */
    GAsyncQueue *ended;    /* gets one element when the thread is done with all this */
} look_t;

static void look_clear(gpointer data)
{
    look_t *look = data;

    g_strfreev(look->pools);
    g_free(look->ip);
    server_entry_free(look->entry);
    g_async_queue_unref(look->ended);
}

static void look_release(look_t *look)
{
    g_atomic_rc_box_release_full(look, look_clear);
}

static gpointer look_thread(gpointer data)
{
    look_t *look = data;
    store_pool_watch_t *watch = store_pool_watch_open(look->store, (const char *const *) look->pools, NULL);
    guint refused_count = 0;
    g_autoptr(GPtrArray) clients = watch != NULL ? store_pool_watch_look(watch, &refused_count, NULL) : NULL;

    for (guint i = 0; clients != NULL && i < clients->len; i++) {
        const store_client_t *client = g_ptr_array_index(clients, i);

        if (g_strcmp0(client->ip, look->ip) == 0
            && !g_ptr_array_find_with_equal_func(look->entry->clients, client->address, g_str_equal, NULL)) {
            g_ptr_array_add(look->entry->clients, g_strdup(client->address));
        }
    }
    look->entry->is_known = clients != NULL && refused_count == 0 && look->pools[0] != NULL;
    store_pool_watch_close(watch);
    g_async_queue_push(look->ended, look);
    look_release(look);
    return NULL;
}

static server_entry_t *clients_look(const server_clients_query_t *query)
{
    look_t *look = g_atomic_rc_box_new0(look_t);
    server_entry_t *entry = NULL;

    look->store = query->store;
    look->pools = pools_of_disks(query->disks);
    look->ip = store_address_ip(query->address);
    look->entry = server_entry_new(query->server, query->address);
    look->ended = g_async_queue_new();
    g_thread_unref(g_thread_new("look", look_thread, g_atomic_rc_box_acquire(look)));
    if (g_async_queue_timeout_pop(look->ended, (guint64) query->wait_ms * 1000) != NULL) {
        entry = g_steal_pointer(&look->entry);
    } else {
        entry = server_entry_new(query->server, query->address);
    }
    look_release(look);
    return entry;
}

server_entry_t *server_clients_record(const server_clients_query_t *query, const server_entry_t *earlier)
{
    g_autofree char *whole = store_address_blocklist_text(query->address, NULL);
    gboolean is_there = whole != NULL && g_hash_table_contains(query->map->blocklist, whole);
    server_entry_t *entry = NULL;

    if (is_there && earlier != NULL) {
        return server_entry_copy(earlier);
    }
    entry = clients_look(query);
    if (is_there) {
        entry->is_known = FALSE; /* an operator's: who it has hit nobody knows */
    }
    if (earlier != NULL) {
        server_entry_merge(entry, earlier);
    }
    return entry;
}
