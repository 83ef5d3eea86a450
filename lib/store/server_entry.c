/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/server_entry.h"

#include <string.h>

#include <json-glib/json-glib.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/names.h"
#include "store/registry.h"
#include "store/store_address.h"
#include "store/store_map.h"

/* An entry that lapses would let an original that slept wake up and write. */
#define DURATION_S STORE_CLIENT_BLOCK_S

#define KEY_PART "/blocklist"

char *server_entry_key(const char *server, const char *address)
{
    g_autofree char *ip = store_address_ip(address);

    return g_strconcat(REGISTRY_SERVER_PREFIX, server, KEY_PART "/", ip != NULL ? ip : address, NULL);
}

/* As an earlier version has written it. */
static char *old_key(const char *server)
{
    return g_strconcat(REGISTRY_SERVER_PREFIX, server, KEY_PART, NULL);
}

server_entry_t *server_entry_new(const char *server, const char *address)
{
    server_entry_t *entry = g_new0(server_entry_t, 1);

    entry->server = g_strdup(server);
    entry->address = g_strdup(address);
    entry->clients = g_ptr_array_new_with_free_func(g_free);
    return entry;
}

static void client_add(server_entry_t *entry, const char *client)
{
    if (!g_ptr_array_find_with_equal_func(entry->clients, client, g_str_equal, NULL)) {
        g_ptr_array_add(entry->clients, g_strdup(client));
    }
}

void server_entry_merge(server_entry_t *entry, const server_entry_t *earlier)
{
    g_free(entry->key);
    entry->key = g_strdup(earlier->key);
    if (earlier->is_off) {
        return;
    }
    entry->is_known = entry->is_known && earlier->is_known;
    for (guint i = 0; i < earlier->clients->len; i++) {
        client_add(entry, g_ptr_array_index(earlier->clients, i));
    }
}

void server_entry_keep_off(server_entry_t *entry, const server_entry_t *earlier)
{
    entry->is_off = entry->is_off || (earlier->is_off && !entry->is_known);
}

server_entry_t *server_entry_copy(const server_entry_t *entry)
{
    server_entry_t *copy = server_entry_new(entry->server, entry->address);

    copy->key = g_strdup(entry->key);
    copy->is_known = entry->is_known;
    copy->is_off = entry->is_off;
    for (guint i = 0; i < entry->clients->len; i++) {
        client_add(copy, g_ptr_array_index(entry->clients, i));
    }
    return copy;
}

void server_entry_free(server_entry_t *entry)
{
    if (entry != NULL) {
        g_free(entry->server);
        g_free(entry->key);
        g_free(entry->address);
        g_ptr_array_unref(entry->clients);
        g_free(entry);
    }
}

/* They go into commands to the monitors: nothing but an address may pass. */
static gboolean client_is_good(const char *client)
{
    g_autofree char *spelled = store_address_blocklist_text(client, NULL);

    return g_strcmp0(spelled, client) == 0 && strpbrk(client, "\"\\") == NULL && !g_str_has_suffix(client, ":0/0");
}

server_entry_t *server_entry_parse(const char *server, const char *json, GError **error)
{
    g_autofree char *what = g_strconcat("the record " REGISTRY_SERVER_PREFIX, server, KEY_PART, NULL);
    g_autoptr(JsonObject) object = json_read_object_text(json, what, error);
    g_autoptr(server_entry_t) entry = NULL;
    g_auto(GStrv) clients = NULL;

    if (object == NULL) {
        return NULL;
    }
    entry = server_entry_new(server, json_read_string(object, "address"));
    entry->is_known = json_read_boolean(object, "known", FALSE);
    entry->is_off = json_read_boolean(object, "off", FALSE);
    clients = json_read_strings(object, "clients");
    for (char **client = clients; *client != NULL; client++) {
        if (!client_is_good(*client)) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "%s holds '%s', which is no client: correct it with ceph config-key set", what, *client);
            return NULL;
        }
        g_ptr_array_add(entry->clients, g_strdup(*client));
    }
    if (entry->address == NULL || !g_hostname_is_ip_address(entry->address)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "%s names no address: correct it with ceph config-key set", what);
        return NULL;
    }
    return g_steal_pointer(&entry);
}

char *server_entry_json(const server_entry_t *entry)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "address");
    json_builder_add_string_value(builder, entry->address);
    json_builder_set_member_name(builder, "known");
    json_builder_add_boolean_value(builder, entry->is_known);
    json_builder_set_member_name(builder, "off");
    json_builder_add_boolean_value(builder, entry->is_off);
    json_builder_set_member_name(builder, "clients");
    json_builder_begin_array(builder);
    for (guint i = 0; i < entry->clients->len; i++) {
        json_builder_add_string_value(builder, g_ptr_array_index(entry->clients, i));
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    return json_to_string(root, FALSE);
}

/* "db1/blocklist/10.0.2.101", "db1/blocklist": the server; NULL: it is another kind of key. g_free(). */
static char *server_of_name(const char *name)
{
    const char *part = strstr(name, KEY_PART);
    g_autofree char *server = part != NULL ? g_strndup(name, (gsize) (part - name)) : NULL;
    gboolean is_one = part != NULL && (part[strlen(KEY_PART)] == '\0' || part[strlen(KEY_PART)] == '/');

    return is_one && server_name_is_valid(server) ? g_steal_pointer(&server) : NULL;
}

GPtrArray *server_entries_of(GHashTable *values, GHashTable **faults)
{
    GPtrArray *entries = g_ptr_array_new_with_free_func((GDestroyNotify) server_entry_free);
    GHashTable *found_faults = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer json = NULL;

    g_hash_table_iter_init(&iter, values);
    while (g_hash_table_iter_next(&iter, &name, &json)) {
        g_autofree char *server = server_of_name(name);
        g_autoptr(GError) error = NULL;
        server_entry_t *entry = server != NULL ? server_entry_parse(server, json, &error) : NULL;

        if (entry != NULL) {
            entry->key = g_strconcat(REGISTRY_SERVER_PREFIX, name, NULL);
            g_ptr_array_add(entries, entry);
        } else if (server != NULL) {
            g_hash_table_insert(found_faults, g_steal_pointer(&server), g_strdup(error->message));
        }
    }
    if (faults != NULL) {
        *faults = g_hash_table_ref(found_faults);
    }
    g_hash_table_unref(found_faults);
    return entries;
}

GPtrArray *server_entries_read(store_t *store, GHashTable **faults, GError **error)
{
    g_autoptr(GHashTable) values = config_key_dump(store, REGISTRY_SERVER_PREFIX, error);

    return values != NULL ? server_entries_of(values, faults) : NULL;
}

static gboolean is_of_address(const server_entry_t *entry, const char *address)
{
    g_autofree char *wanted = store_address_ip(address);
    g_autofree char *has = store_address_ip(entry->address);

    return wanted != NULL && g_strcmp0(wanted, has) == 0;
}

server_entry_t *server_entries_find(const GPtrArray *entries, const char *server, const char *address)
{
    for (guint i = 0; i < entries->len; i++) {
        server_entry_t *entry = g_ptr_array_index(entries, i);

        if (strcmp(entry->server, server) == 0 && is_of_address(entry, address)) {
            return entry;
        }
    }
    return NULL;
}

static gboolean key_read(store_t *store, const char *server, const char *key, server_entry_t **entry, GError **error)
{
    g_autoptr(GError) get_error = NULL;
    g_autofree char *json = config_key_get(store, key, &get_error);

    if (json != NULL) {
        *entry = server_entry_parse(server, json, error);
        if (*entry != NULL) {
            (*entry)->key = g_strdup(key);
        }
        return *entry != NULL;
    }
    if (g_error_matches(get_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        return TRUE;
    }
    g_propagate_prefixed_error(error, g_steal_pointer(&get_error), "can't read %s: ", key);
    return FALSE;
}

gboolean server_entry_read(store_t *store, const char *server, const char *address, server_entry_t **entry,
                           GError **error)
{
    g_autofree char *key = server_entry_key(server, address);
    g_autofree char *earlier_key = old_key(server);

    *entry = NULL;
    if (!key_read(store, server, key, entry, error)) {
        return FALSE;
    }
    if (*entry == NULL && !key_read(store, server, earlier_key, entry, error)) {
        return FALSE;
    }
    if (*entry != NULL && !is_of_address(*entry, address)) {
        g_clear_pointer(entry, server_entry_free);
    }
    return TRUE;
}

gboolean server_entry_write(store_t *store, const server_entry_t *entry, GError **error)
{
    g_autofree char *key = server_entry_key(entry->server, entry->address);
    g_autofree char *json = server_entry_json(entry);

    return config_key_set(store, key, json, error)
           && (entry->key == NULL || strcmp(entry->key, key) == 0 || config_key_remove(store, entry->key, error));
}

gboolean server_entry_drop(store_t *store, const server_entry_t *entry, GError **error)
{
    g_autofree char *key = server_entry_key(entry->server, entry->address);

    return config_key_remove(store, entry->key != NULL ? entry->key : key, error);
}

/* What is there and lasts is left as it is. */
static gboolean clients_put(store_t *store, const store_map_t *map, const server_entry_t *entry, GError **error)
{
    for (guint i = 0; i < entry->clients->len; i++) {
        const char *client = g_ptr_array_index(entry->clients, i);

        if (!g_hash_table_contains(map->blocklist, client) && !store_blocklist_add(store, client, DURATION_S, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean server_entry_renew_clients(store_t *store, const store_map_t *map, const server_entry_t *entry, GError **error)
{
    for (guint i = 0; i < entry->clients->len; i++) {
        const char *client = g_ptr_array_index(entry->clients, i);

        if (g_hash_table_contains(map->blocklist, client) && !store_map_entry_lasts(map, client, DURATION_S)
            && (!store_blocklist_remove(store, client, error) || !store_blocklist_add(store, client, DURATION_S, error))) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean server_entry_put(store_t *store, const store_map_t *map, const server_entry_t *entry, GError **error)
{
    g_autofree char *whole = store_address_blocklist_text(entry->address, error);

    if (whole == NULL) {
        return FALSE;
    }
    if (store_map_entry_lasts(map, whole, DURATION_S)) {
        (void) clients_put(store, map, entry, NULL);
        return TRUE;
    }
    if (g_hash_table_contains(map->blocklist, whole)) {
        return clients_put(store, map, entry, error) && server_entry_renew_clients(store, map, entry, error)
               && store_blocklist_remove(store, whole, error) && store_blocklist_add(store, whole, DURATION_S, error);
    }
    /* Until now nothing keeps it out: the address first, which covers them all. */
    if (!store_blocklist_add(store, whole, DURATION_S, error)) {
        return FALSE;
    }
    (void) clients_put(store, map, entry, NULL);
    return TRUE;
}

gboolean server_entry_may_lift(const server_entry_t *entry, const store_map_t *map)
{
    if (entry->is_off) {
        return TRUE;
    }
    for (guint i = 0; i < entry->clients->len; i++) {
        if (!store_map_entry_lasts(map, g_ptr_array_index(entry->clients, i), DURATION_S)) {
            return FALSE;
        }
    }
    return entry->is_known;
}

static gboolean is_among(const char *const *names, const char *name)
{
    return names != NULL && g_strv_contains(names, name);
}

char *server_entry_needed_by(const GPtrArray *entries, const server_entry_t *entry, const char *const *lifted,
                             const char *const *held)
{
    for (guint i = 0; i < entries->len; i++) {
        const server_entry_t *other = g_ptr_array_index(entries, i);

        if (strcmp(other->server, entry->server) != 0 && is_of_address(other, entry->address)
            && !is_among(lifted, other->server)) {
            return g_strdup(other->server);
        }
    }
    for (; held != NULL && *held != NULL; held++) {
        g_auto(GStrv) parts = g_strsplit(*held, "=", 3);

        if (g_strv_length(parts) >= 2 && strcmp(parts[0], entry->server) != 0 && is_of_address(entry, parts[1])) {
            return g_strdup(parts[0]);
        }
    }
    return NULL;
}

gboolean server_entry_is_idle(const server_entry_t *entry)
{
    return entry->is_known && entry->clients->len == 0;
}

gboolean server_entry_address_check(const char *address, GHashTable *hosts, GHashTable *daemon_ips, GError **error)
{
    g_autofree char *ip = store_address_ip(address);
    const char *host = ip != NULL ? registry_host_with_ip(hosts, ip, NULL) : NULL;
    const char *daemon = ip != NULL ? g_hash_table_lookup(daemon_ips, ip) : NULL;

    if (ip == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "store_address: '%s' is no address", address);
    } else if (host != NULL) {
        g_autofree char *command = registry_forget_command(host);

        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "it is the address of the host %s: set store_address to the server's own, or, if %s is no host any more, run "
                    "'%s'", host, host, command);
    } else if (daemon != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "it is the address of %s of the store: set store_address to the server's own", daemon);
    }
    return ip != NULL && host == NULL && daemon == NULL;
}

gboolean server_entry_address_ask(store_t *store, const char *address, store_map_t **map, GError **error)
{
    g_autoptr(GHashTable) hosts = registry_hosts_read(store, error);

    *map = hosts != NULL ? store_map_ask_all(store, error) : NULL;
    return *map != NULL && server_entry_address_check(address, hosts, (*map)->daemon_ips, error);
}
