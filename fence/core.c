/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core.h"

#include <arpa/inet.h>
#include <gio/gio.h>
#include <netinet/in.h>
#include <string.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/names.h"
#include "store/store_address.h"

/* Addresses of hosts -----------------------------------------------------------*/

/* One spelling for each address: Ceph writes IPv6 as inet_ntop() does. */
static char *ip_canonical(const char *text)
{
    guint8 bytes[sizeof(struct in6_addr)];
    char canonical[INET6_ADDRSTRLEN];
    int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

    return inet_pton(family, text, bytes) == 1 ? g_strdup(inet_ntop(family, bytes, canonical, sizeof canonical)) : NULL;
}

static gboolean strv_has(const char *const *texts, const char *text)
{
    return texts != NULL && g_strv_contains(texts, text);
}

static gboolean ptr_array_has(const GPtrArray *texts, const char *text)
{
    for (guint i = 0; i < texts->len; i++) {
        if (strcmp(g_ptr_array_index(texts, i), text) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

char **fence_addresses_parse(const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit_set(text, ", \t", -1);
    g_autoptr(GPtrArray) addresses = g_ptr_array_new_with_free_func(g_free);

    for (char **part = parts; *part != NULL; part++) {
        g_autofree char *ip = ip_canonical(*part);

        if (**part == '\0') {
            continue;
        }
        if (ip == NULL) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "'%s' is no IP address: write addresses on the storage network, separated by commas", *part);
            return NULL;
        }
        if (!ptr_array_has(addresses, ip)) {
            g_ptr_array_add(addresses, g_steal_pointer(&ip));
        }
    }
    if (addresses->len == 0) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "no address: write at least one IP address on the storage network");
        return NULL;
    }
    g_ptr_array_add(addresses, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&addresses), FALSE);
}

/* Splits "NAME:REST;NAME:REST" and hands each pair on. */
static gboolean pairs_parse(const char *text, GHashTable *table, gpointer (*value_parse)(const char *, GError **),
                            GError **error)
{
    g_auto(GStrv) pairs = g_strsplit(text, ";", -1);

    for (char **pair = pairs; *pair != NULL; pair++) {
        const char *colon = strchr(g_strstrip(*pair), ':');
        g_autofree char *name = colon != NULL ? g_strndup(*pair, (gsize) (colon - *pair)) : NULL;
        gpointer value = NULL;

        if (**pair == '\0') {
            continue;
        }
        if (name == NULL || g_strstrip(name)[0] == '\0') {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "'%s' is no HOST:ADDRESS: separate hosts by semicolons, addresses by commas", *pair);
            return FALSE;
        }
        if (g_hash_table_contains(table, name)) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "host '%s' stands there twice", name);
            return FALSE;
        }
        value = value_parse(colon + 1, error);
        if (value == NULL) {
            g_prefix_error(error, "host '%s': ", name);
            return FALSE;
        }
        g_hash_table_insert(table, g_steal_pointer(&name), value);
    }
    return TRUE;
}

static gpointer addresses_value(const char *text, GError **error)
{
    return fence_addresses_parse(text, error);
}

static gpointer name_value(const char *text, GError **error)
{
    g_autofree char *name = g_strstrip(g_strdup(text));

    if (name[0] == '\0' || strpbrk(name, " \t,/") != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "'%s' is no address or host name", name);
        return NULL;
    }
    return g_steal_pointer(&name);
}

GHashTable *fence_map_parse(const char *text, GError **error)
{
    g_autoptr(GHashTable) map = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_strfreev);

    return pairs_parse(text, map, addresses_value, error) ? g_steal_pointer(&map) : NULL;
}

GHashTable *fence_names_parse(const char *text, GError **error)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    return pairs_parse(text, names, name_value, error) ? g_steal_pointer(&names) : NULL;
}

/* The host that an address is of, by the map or the registry, other than `except`; NULL if none. */
static const char *host_with_ip(const fence_site_t *site, const char *ip, const char *except)
{
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, site->mapped);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        if (g_strcmp0(name, except) != 0 && strv_has(value, ip)) {
            return name;
        }
    }
    return registry_host_with_ip(site->hosts, ip, except);
}

static gboolean looks_like_addresses(const char *text)
{
    g_auto(GStrv) addresses = text != NULL ? fence_addresses_parse(text, NULL) : NULL;

    return addresses != NULL;
}

/* Who is meant when only addresses are given: their host, else the text itself names the target. */
static char *name_from_addresses(const fence_site_t *site, const char *plug)
{
    g_auto(GStrv) addresses = fence_addresses_parse(plug, NULL);
    const char *host = addresses != NULL ? host_with_ip(site, addresses[0], NULL) : NULL;

    return g_strdup(host != NULL ? host : addresses != NULL ? addresses[0] : plug);
}

static char **operator_addresses(const fence_site_t *site, const char *plug, const char *name, const char **source)
{
    char **mapped = NULL;

    if (looks_like_addresses(plug)) {
        *source = "plug";
        return fence_addresses_parse(plug, NULL);
    }
    mapped = plug != NULL ? g_hash_table_lookup(site->mapped, plug) : NULL;
    if (mapped == NULL) {
        mapped = g_hash_table_lookup(site->mapped, name);
    }
    *source = "storage_addrs";
    return g_strdupv(mapped);
}

static gboolean registry_agrees(const fence_target_t *target, const registry_host_t *host, GError **error)
{
    for (char **ip = host->store_addresses; *ip != NULL; ip++) {
        if (!strv_has((const char *const *) target->addresses, *ip)) {
            g_autofree char *configured = g_strjoinv(",", target->addresses);

            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "%s says that %s has the storage address %s, but the host itself has published %s: "
                        "correct the one that is wrong", target->source, target->name, configured, *ip);
            return FALSE;
        }
    }
    return TRUE;
}

void fence_target_set_boot(fence_target_t *target, const registry_host_t *host)
{
    g_free(target->boot_id);
    g_strfreev(target->empty_fences);
    target->boot_id = host != NULL ? g_strdup(host->boot_id) : NULL;
    target->empty_fences = host != NULL ? g_strdupv(host->empty_fences) : NULL;
}

fence_target_t *fence_target_resolve(const fence_site_t *site, const char *plug, const char *nodename,
                                     GError **error)
{
    g_autoptr(fence_target_t) target = g_new0(fence_target_t, 1);
    const registry_host_t *host = NULL;

    if (nodename == NULL && plug == NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "plug is not set: name the host that is meant");
        return NULL;
    }
    target->name = nodename != NULL            ? g_strdup(nodename)
                   : looks_like_addresses(plug) ? name_from_addresses(site, plug)
                                                : g_strdup(plug);
    target->addresses = operator_addresses(site, plug, target->name, &target->source);
    host = g_hash_table_lookup(site->hosts, target->name);
    fence_target_set_boot(target, host);
    if (target->addresses == NULL && host == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND,
                    "the storage address of %s is not known: it has published none (ocf:understudy:capacity does) "
                    "and storage_addrs does not name it", target->name);
        return NULL;
    }
    if (target->addresses == NULL) {
        target->addresses = g_strdupv(host->store_addresses);
        target->source = "the registry";
    } else if (host != NULL && !registry_agrees(target, host, error)) {
        return NULL;
    }
    return g_steal_pointer(&target);
}

void fence_target_free(fence_target_t *target)
{
    if (target != NULL) {
        g_free(target->name);
        g_strfreev(target->addresses);
        g_free(target->boot_id);
        g_strfreev(target->empty_fences);
        g_free(target);
    }
}

/* Loopback, wildcard, multicast: no host's own. */
static gboolean ip_is_of_a_host(const char *ip)
{
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(ip);

    return address != NULL && !g_inet_address_get_is_any(address) && !g_inet_address_get_is_loopback(address)
           && !g_inet_address_get_is_multicast(address);
}

static gboolean refuse(GError **error, const fence_target_t *target, const char *ip, const char *why)
{
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                "%s is not fenced: its storage address %s (from %s) %s", target->name, ip, target->source, why);
    return FALSE;
}

static gboolean address_check(const fence_site_t *site, const fence_target_t *target, GHashTable *daemon_ips,
                              const char *ip, GError **error)
{
    const char *other = host_with_ip(site, ip, target->name);
    const char *daemon = g_hash_table_lookup(daemon_ips, ip);
    g_autofree char *why = NULL;

    if (!ip_is_of_a_host(ip)) {
        return refuse(error, target, ip, "is no address that a host can have to itself");
    }
    if (other != NULL && g_hash_table_contains(site->hosts, other)) {
        g_autofree char *command = registry_forget_command(other);

        why = g_strdup_printf("is also that of %s: if %s is no host any more, run '%s'; else correct the registry or "
                              "storage_addrs", other, other, command);
    } else if (other != NULL) {
        why = g_strdup_printf("is also that of %s: correct the registry or storage_addrs", other);
    } else if (daemon != NULL) {
        why = g_strdup_printf("is also that of %s of the store: such a host must be fenced by power", daemon);
    } else if (g_strcmp0(ip, site->own_ip) == 0 && g_strcmp0(site->own_name, target->name) != 0) {
        why = g_strdup_printf("is this host's own, and this is %s: correct the registry or storage_addrs",
                              site->own_name);
    }
    return why == NULL || refuse(error, target, ip, why);
}

gboolean fence_target_check(const fence_site_t *site, const fence_target_t *target, GHashTable *daemon_ips,
                            GError **error)
{
    for (char **ip = target->addresses; *ip != NULL; ip++) {
        if (!address_check(site, target, daemon_ips, *ip, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* The blocklist -----------------------------------------------------------------*/

char **fence_entries(const fence_target_t *target)
{
    guint count = g_strv_length(target->addresses);
    char **entries = g_new0(char *, count + 1);

    for (guint i = 0; i < count; i++) {
        entries[i] = store_address_blocklist_text(target->addresses[i], NULL);
    }
    return entries;
}

fence_state_t fence_state(const store_map_t *map, const fence_target_t *target)
{
    g_auto(GStrv) entries = fence_entries(target);
    guint count = 0;
    guint covered = 0;

    for (; entries[count] != NULL; count++) {
        covered += store_blocklist_covers(map->blocklist, entries[count]) ? 1 : 0;
    }
    return covered == 0 ? FENCE_ON : covered == count ? FENCE_OFF : FENCE_MIXED;
}

static void client_free(gpointer data)
{
    fence_client_t *client = data;

    g_free(client->entry);
    g_free(client->boot_id);
    g_free(client);
}

/* TRUE if it was not there before. */
static gboolean client_add(GPtrArray *clients, const char *entry, const char *boot_id)
{
    fence_client_t *client = NULL;

    for (guint i = 0; i < clients->len; i++) {
        client = g_ptr_array_index(clients, i);
        if (strcmp(client->entry, entry) == 0) {
            return FALSE;
        }
    }
    client = g_new0(fence_client_t, 1);
    client->entry = g_strdup(entry);
    client->boot_id = g_strdup(boot_id);
    g_ptr_array_add(clients, client);
    return TRUE;
}

gboolean fence_entry_is_whole(const char *entry)
{
    return g_str_has_suffix(entry, ":0/0");
}

fence_record_t *fence_record_new(const char *name)
{
    fence_record_t *record = g_new0(fence_record_t, 1);

    record->name = g_strdup(name);
    record->boot_id = g_strdup("");
    record->by = g_strdup("");
    record->id = g_strdup("");
    record->start_timeout_s = REGISTRY_START_TIMEOUT_S;
    record->entries = g_ptr_array_new_with_free_func(g_free);
    record->clients = g_ptr_array_new_with_free_func(client_free);
    record->before = g_ptr_array_new_with_free_func(g_free);
    return record;
}

void fence_record_free(fence_record_t *record)
{
    if (record != NULL) {
        g_free(record->name);
        g_free(record->key);
        g_free(record->boot_id);
        g_free(record->by);
        g_free(record->id);
        g_ptr_array_unref(record->entries);
        g_ptr_array_unref(record->clients);
        g_ptr_array_unref(record->before);
        g_free(record);
    }
}

gboolean fence_record_has(const fence_record_t *record, const char *entry)
{
    return ptr_array_has(record->entries, entry);
}

gboolean fence_record_add(fence_record_t *record, const char *entry)
{
    if (fence_record_has(record, entry)) {
        return FALSE;
    }
    g_ptr_array_add(record->entries, g_strdup(entry));
    return TRUE;
}

void fence_record_remove(fence_record_t *record, const char *entry)
{
    guint index = 0;

    if (g_ptr_array_find_with_equal_func(record->entries, entry, g_str_equal, &index)) {
        g_ptr_array_remove_index(record->entries, index);
    }
}

GPtrArray *fence_clients_in(const store_map_t *map, const fence_target_t *target)
{
    GPtrArray *clients = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer entry = NULL;

    g_hash_table_iter_init(&iter, map->blocklist);
    while (g_hash_table_iter_next(&iter, &entry, NULL)) {
        g_autofree char *ip = g_str_has_prefix(entry, STORE_RANGE_PREFIX) ? NULL : store_address_ip(entry);

        if (ip != NULL && !fence_entry_is_whole(entry) && strv_has((const char *const *) target->addresses, ip)) {
            g_ptr_array_add(clients, g_strdup(entry));
        }
    }
    return clients;
}

static void set_text(char **field, const char *text)
{
    g_free(*field);
    *field = g_strdup(text != NULL ? text : "");
}

/* It goes into a command to the monitors: nothing but an address may pass. */
static gboolean entry_check(const char *entry, const char *what, GError **error)
{
    g_autofree char *spelled = entry != NULL ? store_address_blocklist_text(entry, NULL) : NULL;

    if (spelled != NULL && strcmp(spelled, entry) == 0 && strpbrk(entry, "\"\\") == NULL) {
        return TRUE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                "%s holds '%s', which is no entry of the blocklist: correct it with ceph config-key set", what,
                entry != NULL ? entry : "");
    return FALSE;
}

static gboolean clients_parse(fence_record_t *record, JsonArray *clients, const char *what, GError **error)
{
    for (guint i = 0; clients != NULL && i < json_array_get_length(clients); i++) {
        JsonObject *client = json_read_element(clients, i);
        const char *boot_id = json_read_string(client, "boot_id");

        if (!entry_check(json_read_string(client, "entry"), what, error)) {
            return FALSE;
        }
        (void) client_add(record->clients, json_read_string(client, "entry"), boot_id != NULL ? boot_id : "");
    }
    return TRUE;
}

fence_record_t *fence_record_parse(const char *key, const char *json, GError **error)
{
    g_autofree char *what = g_strconcat("the fence's record " FENCE_RECORD_PREFIX, key, NULL);
    g_autofree char *name = g_strndup(key, strcspn(key, "/"));
    g_autoptr(JsonObject) object = json_read_object_text(json, what, error);
    g_autoptr(fence_record_t) record = fence_record_new(name);
    g_autoptr(registry_fence_t) fence = object != NULL ? registry_fence_parse(key, json, error) : NULL;
    g_auto(GStrv) entries = NULL;
    g_auto(GStrv) before = NULL;

    if (fence == NULL) {
        return NULL;
    }
    set_text(&record->key, key);
    set_text(&record->id, fence->id);
    record->start_timeout_s = fence->start_timeout_s;
    set_text(&record->boot_id, json_read_string(object, "boot_id"));
    set_text(&record->by, json_read_string(object, "by"));
    record->at_s = json_read_integer(object, "at", 0);
    entries = json_read_strings(object, "entries");
    for (char **entry = entries; *entry != NULL; entry++) {
        if (!entry_check(*entry, what, error)) {
            return NULL;
        }
        fence_record_add(record, *entry);
    }
    before = json_read_strings(object, "before");
    for (char **each = before; *each != NULL; each++) {
        g_ptr_array_add(record->before, g_strdup(*each));
    }
    return clients_parse(record, json_read_array(object, "clients"), what, error) ? g_steal_pointer(&record) : NULL;
}

static void member_add(JsonBuilder *builder, const char *name, const char *value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, value);
}

static void strings_add(JsonBuilder *builder, const char *name, const GPtrArray *texts)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_array(builder);
    for (guint i = 0; i < texts->len; i++) {
        json_builder_add_string_value(builder, g_ptr_array_index(texts, i));
    }
    json_builder_end_array(builder);
}

char *fence_record_json(const fence_record_t *record)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;

    json_builder_begin_object(builder);
    member_add(builder, "name", record->name);
    member_add(builder, "boot_id", record->boot_id);
    member_add(builder, "by", record->by);
    member_add(builder, "id", record->id);
    json_builder_set_member_name(builder, "start_timeout");
    json_builder_add_int_value(builder, record->start_timeout_s);
    json_builder_set_member_name(builder, "at");
    json_builder_add_int_value(builder, record->at_s);
    strings_add(builder, "entries", record->entries);
    if (record->before->len > 0) {
        strings_add(builder, "before", record->before);
    }
    json_builder_set_member_name(builder, "clients");
    json_builder_begin_array(builder);
    for (guint i = 0; i < record->clients->len; i++) {
        const fence_client_t *client = g_ptr_array_index(record->clients, i);

        json_builder_begin_object(builder);
        member_add(builder, "entry", client->entry);
        member_add(builder, "boot_id", client->boot_id);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    return json_to_string(root, FALSE);
}

static void clients_copy(fence_record_t *to, const fence_record_t *from)
{
    for (guint i = 0; i < from->clients->len; i++) {
        const fence_client_t *client = g_ptr_array_index(from->clients, i);

        (void) client_add(to->clients, client->entry, client->boot_id);
    }
}

fence_record_t *fence_record_like(const fence_record_t *record)
{
    fence_record_t *copy = fence_record_new(record->name);

    set_text(&copy->boot_id, record->boot_id);
    set_text(&copy->by, record->by);
    set_text(&copy->id, record->id);
    copy->at_s = record->at_s;
    copy->start_timeout_s = record->start_timeout_s;
    return copy;
}

fence_record_t *fence_record_rest(const fence_record_t *record)
{
    fence_record_t *rest = fence_record_new(record->name);

    clients_copy(rest, record);
    return rest;
}

/* All records of a host --------------------------------------------------------------*/

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static void records_add(fence_records_t *records, const char *key, const char *json, gboolean is_superseded)
{
    g_autoptr(GError) error = NULL;
    fence_record_t *record = fence_record_parse(key, json, &error);

    if (is_superseded) {
        g_ptr_array_add(records->superseded, g_strdup(key));
    }
    if (record != NULL) {
        g_ptr_array_add(records->records, record);
    } else if (!is_superseded && records->unreadable == NULL) {
        records->unreadable = g_strdup(error->message);
    }
}

fence_records_t *fence_records_parse(const char *name, GHashTable *values)
{
    fence_records_t *records = g_new0(fence_records_t, 1);
    g_autoptr(GHashTable) superseded = registry_fences_superseded(values, name);
    GHashTableIter iter;
    gpointer key = NULL;

    records->name = g_strdup(name);
    records->records = g_ptr_array_new_with_free_func((GDestroyNotify) fence_record_free);
    records->keys = g_ptr_array_new_with_free_func(g_free);
    records->superseded = g_ptr_array_new_with_free_func(g_free);
    g_hash_table_iter_init(&iter, values);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        if (registry_fence_is_of(key, name)) {
            g_ptr_array_add(records->keys, g_strdup(key));
        }
    }
    g_ptr_array_sort(records->keys, compare_texts);
    for (guint i = 0; i < records->keys->len; i++) {
        key = g_ptr_array_index(records->keys, i);
        records_add(records, key, g_hash_table_lookup(values, key), g_hash_table_contains(superseded, key));
    }
    return records;
}

void fence_records_free(fence_records_t *records)
{
    if (records != NULL) {
        g_free(records->name);
        g_ptr_array_unref(records->records);
        g_ptr_array_unref(records->keys);
        g_ptr_array_unref(records->superseded);
        g_free(records->unreadable);
        g_free(records);
    }
}

GPtrArray *fence_records_in_force(const fence_records_t *records)
{
    GPtrArray *fences = g_ptr_array_new();

    for (guint i = 0; i < records->records->len; i++) {
        fence_record_t *record = g_ptr_array_index(records->records, i);

        if (record->entries->len > 0 && !ptr_array_has(records->superseded, record->key)) {
            g_ptr_array_add(fences, record);
        }
    }
    return fences;
}

/* An earlier version writes a later fence over the record of the one before: then the id alone tells. */
static gboolean has_fence(const fence_records_t *records, const fence_record_t *fence)
{
    for (guint i = 0; i < records->records->len; i++) {
        const fence_record_t *record = g_ptr_array_index(records->records, i);

        if (strcmp(record->key, fence->key) == 0 && strcmp(record->id, fence->id) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

GPtrArray *fence_records_newer(const fence_records_t *now, const fence_records_t *then)
{
    GPtrArray *fences = fence_records_in_force(now);

    for (guint i = fences->len; i > 0; i--) {
        if (has_fence(then, g_ptr_array_index(fences, i - 1))) {
            g_ptr_array_remove_index(fences, i - 1);
        }
    }
    return fences;
}

/* The boot that all fences in force are of; NULL: they differ, or there are none. */
static const char *common_boot(const fence_records_t *records)
{
    g_autoptr(GPtrArray) fences = fence_records_in_force(records);
    const char *boot_id = NULL;

    for (guint i = 0; i < fences->len; i++) {
        const fence_record_t *record = g_ptr_array_index(fences, i);

        if (boot_id != NULL && strcmp(boot_id, record->boot_id) != 0) {
            return NULL;
        }
        boot_id = record->boot_id;
    }
    return boot_id;
}

void fence_record_take_in(fence_record_t *record, const fence_records_t *records)
{
    for (guint i = 0; i < records->keys->len; i++) {
        const char *key = g_ptr_array_index(records->keys, i);

        /* What those had taken in needs no word: it goes first. */
        if (!ptr_array_has(records->superseded, key)) {
            g_ptr_array_add(record->before, g_strdup(key));
        }
        record->is_over_old = record->is_over_old || strcmp(key, records->name) == 0;
    }
}

void fence_record_keep_boots(fence_record_t *merged, const fence_records_t *records)
{
    for (guint i = 0; i < records->records->len; i++) {
        const fence_record_t *record = g_ptr_array_index(records->records, i);

        for (guint k = 0; k < record->entries->len; k++) {
            if (!fence_entry_is_whole(g_ptr_array_index(record->entries, k))) {
                (void) client_add(merged->clients, g_ptr_array_index(record->entries, k), record->boot_id);
            }
        }
    }
}

fence_record_t *fence_records_merge(const fence_records_t *records, const char *boot_id)
{
    fence_record_t *merged = fence_record_new(records->name);
    const char *common = common_boot(records);

    set_text(&merged->boot_id, common != NULL ? common : boot_id);
    for (guint i = 0; i < records->records->len; i++) {
        const fence_record_t *record = g_ptr_array_index(records->records, i);

        for (guint k = 0; k < record->entries->len; k++) {
            (void) fence_record_add(merged, g_ptr_array_index(record->entries, k));
        }
        clients_copy(merged, record);
    }
    return merged;
}

/* The clients of the images ------------------------------------------------------*/

static gboolean is_run_image(const char *image)
{
    const char *slash = strrchr(image, '/');

    return g_str_has_prefix(slash != NULL ? slash + 1 : image, RUN_IMAGE_PREFIX);
}

/* Where a watcher's text goes; NULL if it says nothing. */
static GPtrArray *watchers_kind(const fence_look_t *look, const store_client_t *client, gboolean is_target,
                                gboolean is_known, GHashTable *blocklist)
{
    if (!client->watches) {
        return NULL;
    }
    if (store_blocklist_covers(blocklist, client->address)) {
        return look->ghosts;
    }
    if (is_target) {
        return look->watching;
    }
    return !is_known && is_run_image(client->image) ? look->strangers : NULL;
}

fence_look_t *fence_look_judge(const fence_site_t *site, const fence_target_t *target, const GPtrArray *clients,
                               GHashTable *blocklist)
{
    fence_look_t *look = g_new0(fence_look_t, 1);

    look->watching = g_ptr_array_new_with_free_func(g_free);
    look->instances = g_ptr_array_new_with_free_func(g_free);
    look->listed = g_ptr_array_new_with_free_func(g_free);
    look->strangers = g_ptr_array_new_with_free_func(g_free);
    look->ghosts = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < clients->len; i++) {
        const store_client_t *client = g_ptr_array_index(clients, i);
        g_autofree char *ip = client->ip != NULL ? ip_canonical(client->ip) : NULL;
        gboolean is_target = ip != NULL && strv_has((const char *const *) target->addresses, ip);
        gboolean is_known = is_target
                            || (ip != NULL && (g_strcmp0(ip, site->own_ip) == 0 || host_with_ip(site, ip, NULL) != NULL));
        GPtrArray *kind = watchers_kind(look, client, is_target, is_known, blocklist);

        if (is_target && !ptr_array_has(look->instances, client->address)) {
            g_ptr_array_add(look->instances, g_strdup(client->address));
        }
        if (is_target && client->watches && !ptr_array_has(look->listed, client->address)) {
            g_ptr_array_add(look->listed, g_strdup(client->address));
        }
        if (kind != NULL) {
            g_ptr_array_add(kind, g_strdup_printf("%s from %s", client->image, client->address));
        }
    }
    return look;
}

void fence_look_free(fence_look_t *look)
{
    if (look != NULL) {
        g_ptr_array_unref(look->watching);
        g_ptr_array_unref(look->instances);
        g_ptr_array_unref(look->listed);
        g_ptr_array_unref(look->strangers);
        g_ptr_array_unref(look->ghosts);
        g_free(look);
    }
}

/* Unfencing ----------------------------------------------------------------------*/

/* Both must be known: what is not known is no proof. */
static gboolean has_booted(const char *boot_id_then, const char *boot_id_now)
{
    return boot_id_then[0] != '\0' && boot_id_now != NULL && boot_id_now[0] != '\0'
           && strcmp(boot_id_then, boot_id_now) != 0;
}

fence_lift_t fence_lift_decide(const fence_records_t *records, const fence_target_t *target, fence_state_t state)
{
    g_autoptr(GPtrArray) fences = fence_records_in_force(records);

    for (guint i = 0; i < fences->len; i++) {
        const fence_record_t *record = g_ptr_array_index(fences, i);

        if (!has_booted(record->boot_id, target->boot_id)) {
            return FENCE_LIFT_EMPTY_HOST;
        }
    }
    return fences->len > 0 ? FENCE_LIFT_NEW_BOOT : state == FENCE_ON ? FENCE_LIFT_NOTHING : FENCE_LIFT_FOREIGN;
}

void fence_record_keep_clients(fence_record_t *record, const GPtrArray *listed)
{
    guint whole_count = 0;

    for (guint i = 0; i < record->entries->len; i++) {
        if (!fence_entry_is_whole(g_ptr_array_index(record->entries, i))) {
            (void) client_add(record->clients, g_ptr_array_index(record->entries, i), record->boot_id);
        }
    }
    while (whole_count < record->entries->len) {
        if (fence_entry_is_whole(g_ptr_array_index(record->entries, whole_count))) {
            whole_count++;
        } else {
            g_ptr_array_remove_index(record->entries, whole_count);
        }
    }
    for (guint i = 0; i < listed->len; i++) {
        (void) client_add(record->clients, g_ptr_array_index(listed, i), record->boot_id);
    }
}

guint fence_record_note_clients(fence_record_t *record, const GPtrArray *entries, const char *boot_id)
{
    guint count = 0;

    for (guint i = 0; boot_id != NULL && boot_id[0] != '\0' && i < entries->len; i++) {
        const char *entry = g_ptr_array_index(entries, i);

        if (!fence_record_has(record, entry) && client_add(record->clients, entry, boot_id)) {
            count++;
        }
    }
    return count;
}

GPtrArray *fence_record_take_gone(fence_record_t *record, const char *boot_id, const GPtrArray *listed)
{
    GPtrArray *gone = g_ptr_array_new_with_free_func(g_free);
    guint i = 0;

    while (i < record->clients->len) {
        const fence_client_t *client = g_ptr_array_index(record->clients, i);

        if (has_booted(client->boot_id, boot_id) && !ptr_array_has(listed, client->entry)) {
            g_ptr_array_add(gone, g_strdup(client->entry));
            g_ptr_array_remove_index(record->clients, i);
        } else {
            i++;
        }
    }
    return gone;
}

gboolean fence_record_may_shrink(const fence_record_t *record, const char *boot_id)
{
    for (guint i = 0; i < record->clients->len; i++) {
        const fence_client_t *client = g_ptr_array_index(record->clients, i);

        if (has_booted(client->boot_id, boot_id)) {
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean is_said_empty(const fence_record_t *record, const fence_target_t *target)
{
    return record->id[0] != '\0' && target->empty_fences != NULL
           && g_strv_contains((const char *const *) target->empty_fences, record->id);
}

gboolean fence_host_is_empty(const fence_records_t *records, const fence_target_t *target)
{
    g_autoptr(GPtrArray) fences = fence_records_in_force(records);

    for (guint i = 0; i < fences->len; i++) {
        const fence_record_t *record = g_ptr_array_index(fences, i);

        if (!has_booted(record->boot_id, target->boot_id) && !is_said_empty(record, target)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* Two-round confirmation ----------------------------------------------------------*/

const char *plane_name(plane_t plane)
{
    static const char *const names[] = { [PLANE_SILENT] = "silent", [PLANE_ALIVE] = "alive", [PLANE_BLIND] = "blind" };

    return names[plane];
}

gboolean fence_evidence_is_death(const fence_evidence_t *evidence, GError **error)
{
    const struct {
        plane_t plane;
        const char *text;
    } planes[] = {
        { evidence->membership, evidence->membership_text },
        { evidence->management, evidence->management_text },
        { evidence->storage, evidence->storage_text },
    };
    g_autoptr(GString) reasons = g_string_new(NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(planes); i++) {
        if (planes[i].plane != PLANE_SILENT) {
            g_string_append_printf(reasons, "%s%s", reasons->len > 0 ? "; " : "", planes[i].text);
        }
    }
    if (reasons->len > 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "%s", reasons->str);
    }
    return reasons->len == 0;
}
