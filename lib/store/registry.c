/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/registry.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/names.h"
#include "store/store_address.h"

#define BOOT_ID_FILE  "/proc/sys/kernel/random/boot_id"
#ifndef NOTE_DIR /* a test has its own */
#define NOTE_DIR      "/run/understudy"
#endif
#define NOTE_FILE     NOTE_DIR "/registry"

void registry_host_free(registry_host_t *host)
{
    if (host != NULL) {
        g_free(host->name);
        g_strfreev(host->store_addresses);
        g_free(host->boot_id);
        g_strfreev(host->empty_fences);
        g_free(host);
    }
}

registry_host_t *registry_host_copy(const registry_host_t *host)
{
    registry_host_t *copy = g_new0(registry_host_t, 1);

    copy->name = g_strdup(host->name);
    copy->store_addresses = g_strdupv(host->store_addresses);
    copy->boot_id = g_strdup(host->boot_id);
    copy->at_s = host->at_s;
    copy->empty_fences = g_strdupv(host->empty_fences);
    return copy;
}

/* Addresses are IPs without port and nonce: each covers all clients of the host. */
static gboolean addresses_are_good(char **addresses)
{
    for (char **address = addresses; *address != NULL; address++) {
        g_autofree char *ip = store_address_ip(*address);

        if (g_strcmp0(ip, *address) != 0) {
            return FALSE;
        }
    }
    return addresses[0] != NULL;
}

/* An earlier version says it of one fence alone. */
static char **empty_fences_read(JsonObject *object)
{
    g_auto(GStrv) many = json_read_strings(object, "empty_fences");
    const char *one = json_read_string(object, "empty_fence");
    const char *single[] = { one, NULL };

    return many[0] != NULL ? g_steal_pointer(&many) : g_strdupv((char **) single);
}

registry_host_t *registry_host_parse(const char *name, const char *json, GError **error)
{
    g_autofree char *what = g_strconcat("the registry's entry " REGISTRY_HOST_PREFIX, name, NULL);
    g_autoptr(GError) json_error = NULL;
    g_autoptr(JsonObject) object = json_read_object_text(json, what, &json_error);
    g_autoptr(registry_host_t) host = g_new0(registry_host_t, 1);
    const char *why = json_error != NULL ? json_error->message : NULL;
    g_autofree char *sentence = NULL;

    if (object != NULL) {
        host->name = g_strdup(json_read_string(object, "name"));
        host->store_addresses = json_read_strings(object, "store_addresses");
        host->boot_id = g_strdup(json_read_string(object, "boot_id"));
        host->at_s = json_read_integer(object, "at", 0);
        host->empty_fences = empty_fences_read(object);
        if (g_strcmp0(host->name, name) != 0) {
            sentence = g_strdup_printf("%s is of host '%s'", what, host->name != NULL ? host->name : "");
        } else if (!addresses_are_good(host->store_addresses)) {
            sentence = g_strconcat(what, " names no IP address, or something that is none", NULL);
        }
    }
    why = sentence != NULL ? sentence : why;
    if (why != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "%s: let the host publish it again (restart its ocf:understudy:capacity)", why);
        return NULL;
    }
    return g_steal_pointer(&host);
}

static char *json_text(JsonBuilder *builder)
{
    g_autoptr(JsonNode) root = json_builder_get_root(builder);

    return json_to_string(root, FALSE);
}

/* The first one also where an earlier version looks for it. */
static void empty_fences_write(const registry_host_t *host, JsonBuilder *builder)
{
    if (host->empty_fences == NULL || host->empty_fences[0] == NULL) {
        return;
    }
    json_builder_set_member_name(builder, "empty_fence");
    json_builder_add_string_value(builder, host->empty_fences[0]);
    json_builder_set_member_name(builder, "empty_fences");
    json_builder_begin_array(builder);
    for (char **id = host->empty_fences; *id != NULL; id++) {
        json_builder_add_string_value(builder, *id);
    }
    json_builder_end_array(builder);
}

char *registry_host_json(const registry_host_t *host)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "name");
    json_builder_add_string_value(builder, host->name);
    json_builder_set_member_name(builder, "store_addresses");
    json_builder_begin_array(builder);
    for (char **address = host->store_addresses; *address != NULL; address++) {
        json_builder_add_string_value(builder, *address);
    }
    json_builder_end_array(builder);
    json_builder_set_member_name(builder, "boot_id");
    json_builder_add_string_value(builder, host->boot_id);
    json_builder_set_member_name(builder, "at");
    json_builder_add_int_value(builder, host->at_s);
    empty_fences_write(host, builder);
    json_builder_end_object(builder);
    return json_text(builder);
}

void registry_fence_free(registry_fence_t *fence)
{
    if (fence != NULL) {
        g_free(fence->id);
        g_free(fence->boot_id);
        g_free(fence);
    }
}

/* Records of fences before 0.2 have no id. */
static char *fence_id(JsonObject *object)
{
    const char *id = json_read_string(object, "id");
    const char *by = json_read_string(object, "by");

    return id != NULL ? g_strdup(id)
                      : g_strdup_printf("%s %" G_GINT64_FORMAT, by != NULL ? by : "", json_read_integer(object, "at", 0));
}

registry_fence_t *registry_fence_parse(const char *name, const char *json, GError **error)
{
    g_autofree char *what = g_strconcat("the fence's record " REGISTRY_FENCE_PREFIX, name, NULL);
    g_autoptr(JsonObject) object = json_read_object_text(json, what, error);
    g_auto(GStrv) entries = NULL;
    registry_fence_t *fence = NULL;
    const char *boot_id = NULL;

    if (object == NULL) {
        return NULL;
    }
    fence = g_new0(registry_fence_t, 1);
    entries = json_read_strings(object, "entries");
    boot_id = json_read_string(object, "boot_id");
    fence->id = fence_id(object);
    fence->boot_id = g_strdup(boot_id != NULL ? boot_id : "");
    fence->is_in_force = entries[0] != NULL;
    fence->start_timeout_s = CLAMP(json_read_integer(object, "start_timeout", REGISTRY_START_TIMEOUT_S), 0, 3600);
    return fence;
}

gboolean registry_fence_is_of(const char *name, const char *host)
{
    gsize length = strlen(host);

    return strncmp(name, host, length) == 0 && (name[length] == '\0' || name[length] == '/');
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static GPtrArray *names_of(GHashTable *values, const char *host)
{
    GPtrArray *names = g_ptr_array_new();
    GHashTableIter iter;
    gpointer name = NULL;

    g_hash_table_iter_init(&iter, values);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        if (registry_fence_is_of(name, host)) {
            g_ptr_array_add(names, name);
        }
    }
    g_ptr_array_sort(names, compare_texts);
    return names;
}

static void superseded_add(GHashTable *superseded, const char *name, const char *json)
{
    g_autoptr(JsonObject) object = json_read_object_text(json, name, NULL);
    g_auto(GStrv) before = object != NULL ? json_read_strings(object, "before") : NULL;

    for (char **each = before; each != NULL && *each != NULL; each++) {
        if (strcmp(*each, name) != 0) {
            g_hash_table_add(superseded, g_strdup(*each));
        }
    }
}

GHashTable *registry_fences_superseded(GHashTable *values, const char *host)
{
    GHashTable *superseded = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) names = names_of(values, host);

    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);

        superseded_add(superseded, name, g_hash_table_lookup(values, name));
    }
    return superseded;
}

GPtrArray *registry_fences_in_force(GHashTable *values, const char *host, GError **error)
{
    g_autoptr(GPtrArray) fences = g_ptr_array_new_with_free_func((GDestroyNotify) registry_fence_free);
    g_autoptr(GPtrArray) names = names_of(values, host);
    g_autoptr(GHashTable) superseded = registry_fences_superseded(values, host);

    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        registry_fence_t *fence = NULL;

        if (g_hash_table_contains(superseded, name)) {
            continue;
        }
        fence = registry_fence_parse(name, g_hash_table_lookup(values, name), error);
        if (fence == NULL) {
            return NULL;
        }
        if (fence->is_in_force) {
            g_ptr_array_add(fences, fence);
        } else {
            registry_fence_free(fence);
        }
    }
    return g_steal_pointer(&fences);
}

char **registry_fenced_hosts(GHashTable *values)
{
    g_autoptr(GHashTable) hosts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer json = NULL;

    g_hash_table_iter_init(&iter, values);
    while (g_hash_table_iter_next(&iter, &name, &json)) {
        g_autoptr(registry_fence_t) fence = registry_fence_parse(name, json, NULL);
        g_autofree char *host = g_strndup(name, strcspn(name, "/"));

        if (fence != NULL && fence->is_in_force && !g_hash_table_contains(hosts, host)) {
            g_strv_builder_add(builder, host);
            g_hash_table_add(hosts, g_steal_pointer(&host));
        }
    }
    return g_strv_builder_end(builder);
}

/* The config-key store -----------------------------------------------------------*/

static char *config_key_ask(store_t *store, const char *prefix, const char *key, const char *value, GError **error)
{
    g_autofree char *command = config_key_command(prefix, key, value);

    return store_monitor_ask(store, command, error);
}

char *config_key_get(store_t *store, const char *key, GError **error)
{
    return config_key_ask(store, "config-key get", key, NULL, error);
}

gboolean config_key_set(store_t *store, const char *key, const char *value, GError **error)
{
    g_autofree char *output = config_key_ask(store, "config-key set", key, value, error);

    return output != NULL;
}

gboolean config_key_remove(store_t *store, const char *key, GError **error)
{
    g_autofree char *output = config_key_ask(store, "config-key rm", key, NULL, error);

    return output != NULL;
}

const char *registry_host_with_ip(GHashTable *hosts, const char *ip, const char *except)
{
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, hosts);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        const registry_host_t *host = value;

        if (g_strcmp0(name, except) != 0 && g_strv_contains((const char *const *) host->store_addresses, ip)) {
            return name;
        }
    }
    return NULL;
}

char *registry_forget_command(const char *name)
{
    return g_strdup_printf("ceph config-key rm " REGISTRY_HOST_PREFIX "%s", name);
}

char *registry_double_text(GHashTable *hosts, const char *name)
{
    const registry_host_t *host = g_hash_table_lookup(hosts, name);

    for (char **ip = host != NULL ? host->store_addresses : NULL; ip != NULL && *ip != NULL; ip++) {
        const char *other = registry_host_with_ip(hosts, *ip, name);
        g_autofree char *command = other != NULL ? registry_forget_command(other) : NULL;

        if (other != NULL) {
            return g_strdup_printf("%s has published the storage address %s of %s, too, so that fence_rbd fences neither: if %s "
                                   "is no host any more, run '%s'; else give each an address of its own", other, *ip, name,
                                   other, command);
        }
    }
    return NULL;
}

store_map_t *store_map_ask(store_t *store, GError **error)
{
    g_autofree char *osd_dump = store_monitor_ask(store, STORE_MAP_OSD_COMMAND, error);

    return osd_dump != NULL ? store_map_parse(osd_dump, NULL, error) : NULL;
}

store_map_t *store_map_ask_all(store_t *store, GError **error)
{
    g_autofree char *osd_dump = store_monitor_ask(store, STORE_MAP_OSD_COMMAND, error);
    g_autofree char *mon_dump = osd_dump != NULL ? store_monitor_ask(store, STORE_MAP_MONITOR_COMMAND, error) : NULL;

    return mon_dump != NULL ? store_map_parse(osd_dump, mon_dump, error) : NULL;
}

GHashTable *config_key_dump(store_t *store, const char *prefix, GError **error)
{
    g_autofree char *output = config_key_ask(store, "config-key dump", prefix, NULL, error);

    return output != NULL ? config_key_dump_parse(output, prefix, error) : NULL;
}

GHashTable *registry_hosts_read(store_t *store, GError **error)
{
    g_autoptr(GHashTable) texts = config_key_dump(store, REGISTRY_HOST_PREFIX, error);
    GHashTable *hosts = NULL;
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer text = NULL;

    if (texts == NULL) {
        return NULL;
    }
    hosts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) registry_host_free);
    g_hash_table_iter_init(&iter, texts);
    while (g_hash_table_iter_next(&iter, &name, &text)) {
        registry_host_t *host = registry_host_parse(name, text, NULL);

        if (host != NULL) {
            g_hash_table_insert(hosts, g_strdup(name), host);
        }
    }
    return hosts;
}

/* Servers -------------------------------------------------------------------------*/

#define SEEN_SUFFIX "/probes-seen"

char *registry_seen_key(const char *server)
{
    return g_strconcat(REGISTRY_SERVER_PREFIX, server, SEEN_SUFFIX, NULL);
}

char *registry_seen_server(const char *name)
{
    g_autofree char *server = g_str_has_suffix(name, SEEN_SUFFIX)
                                  ? g_strndup(name, strlen(name) - strlen(SEEN_SUFFIX)) : NULL;

    return server_name_is_valid(server) ? g_steal_pointer(&server) : NULL;
}

gboolean registry_digest_is_valid(const char *text)
{
    gsize length = strspn(text, "0123456789abcdef");

    return length > 0 && length <= 64 && text[length] == '\0';
}

/* Publishing ----------------------------------------------------------------------*/

static gboolean address_matters(const struct ifaddrs *each)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) (const void *) each->ifa_addr;

    /* Link-local addresses come and go with the guests' interfaces. */
    return (each->ifa_flags & IFF_LOOPBACK) == 0
           && (v6->sin6_family != AF_INET6 || !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr));
}

static const void *address_bytes(const struct sockaddr *address)
{
    const void *any = address;

    switch (address->sa_family) {
        case AF_INET:
            return &((const struct sockaddr_in *) any)->sin_addr;
        case AF_INET6:
            return &((const struct sockaddr_in6 *) any)->sin6_addr;
        default:
            return NULL;
    }
}

/* All addresses of this host, sorted: when one comes or goes, the one that the store sees may have changed. */
static char *local_addresses(void)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    struct ifaddrs *list = NULL;

    if (getifaddrs(&list) != 0) {
        return g_strdup("");
    }
    for (struct ifaddrs *each = list; each != NULL; each = each->ifa_next) {
        char text[INET6_ADDRSTRLEN] = "";
        const void *bytes = each->ifa_addr != NULL ? address_bytes(each->ifa_addr) : NULL;

        if (bytes != NULL && address_matters(each)
            && inet_ntop(each->ifa_addr->sa_family, bytes, text, sizeof text) != NULL) {
            g_ptr_array_add(texts, g_strdup(text));
        }
    }
    freeifaddrs(list);
    g_ptr_array_sort(texts, compare_texts);
    g_ptr_array_add(texts, NULL);
    return g_strjoinv(" ", (char **) texts->pdata);
}

static char *note_text(const char *name, const char *boot_id)
{
    g_autofree char *addresses = local_addresses();

    return g_strjoin("\n", name, boot_id, addresses, "", NULL);
}

static gboolean note_is(const char *text)
{
    g_autofree char *noted = NULL;

    return g_file_get_contents(NOTE_FILE, &noted, NULL, NULL) && strcmp(noted, text) == 0;
}

static registry_host_t *host_describe(store_t *store, const char *name, const char *boot_id, GError **error)
{
    g_autoptr(registry_host_t) host = g_new0(registry_host_t, 1);
    g_autofree char *address = store_own_address(store, error);
    g_autofree char *empty = NULL;

    if (address == NULL) {
        return NULL;
    }
    host->name = g_strdup(name);
    host->store_addresses = g_new0(char *, 2);
    host->store_addresses[0] = store_address_ip(address);
    host->boot_id = g_strdup(boot_id);
    host->at_s = g_get_real_time() / G_USEC_PER_SEC;
    (void) g_file_get_contents(REGISTRY_EMPTY_FILE, &empty, NULL, NULL);
    host->empty_fences = empty != NULL ? g_strsplit(empty, "\n", -1) : NULL;
    if (host->store_addresses[0] == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "Ceph says that this host is %s: no IP address", address);
        return NULL;
    }
    return g_steal_pointer(&host);
}

/* It is published first, and then the others are read: of two that do so at once, at least one sees the other. */
static gboolean host_publish(store_t *store, const registry_host_t *host, char **double_text, GError **error)
{
    g_autofree char *key = g_strconcat(REGISTRY_HOST_PREFIX, host->name, NULL);
    g_autofree char *json = registry_host_json(host);
    g_autoptr(GHashTable) hosts = config_key_set(store, key, json, error) ? registry_hosts_read(store, error) : NULL;

    *double_text = hosts != NULL ? registry_double_text(hosts, host->name) : NULL;
    return hosts != NULL;
}

gboolean registry_publish(const char *name, const store_options_t *options, gboolean always, char **double_text,
                          GError **error)
{
    g_autofree char *boot_id = NULL;
    g_autofree char *note = NULL;
    g_autofree char *found = NULL;
    g_autoptr(registry_host_t) host = NULL;
    store_t *store = NULL;
    gboolean good = FALSE;

    if (!g_file_get_contents(BOOT_ID_FILE, &boot_id, NULL, error)) {
        return FALSE;
    }
    g_strstrip(boot_id);
    note = note_text(name, boot_id);
    if (!always && note_is(note)) {
        return TRUE;
    }
    store = store_open(options, error);
    host = store != NULL ? host_describe(store, name, boot_id, error) : NULL;
    good = host != NULL && host_publish(store, host, &found, error);
    store_close(store);
    if (good && found == NULL) {
        g_mkdir_with_parents(NOTE_DIR, 0755);
        return g_file_set_contents(NOTE_FILE, note, -1, error);
    }
    (void) g_unlink(NOTE_FILE);
    if (double_text != NULL) {
        *double_text = g_steal_pointer(&found);
    }
    return good;
}
