/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all actions of fence_rbd share: the store, the hosts, the record. */
#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "base/module.h"
#include "fence_private.h"
#include "store/store_address.h"

void fence_say(const fence_call_t *call, fence_log_level_t level, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    call->log(level, text);
}

guint fence_remaining_ms(const fence_call_t *call)
{
    gint64 left_us = call->deadline_us - g_get_monotonic_time();

    return left_us > 0 ? (guint) MIN(left_us / 1000, G_MAXINT32) : 0;
}

gboolean fence_in_time(const fence_call_t *call, const char *what, GError **error)
{
    if (fence_remaining_ms(call) > 0) {
        return TRUE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "%s until the end of power_timeout", what);
    return FALSE;
}

const planes_ops_t *planes_load(GError **error)
{
    return module_load(PLANES_MODULE_FILE, PLANES_MODULE_SYMBOL, error);
}

/* Unfencing may have a user of its own, so that the one that fences can't unfence. */
static store_t *store_connect(const ocf_values_t *values, gboolean for_unfencing, GError **error)
{
    const store_options_t options = {
        .conf = ocf_value_string(values, "ceph_conf"),
        .user = ocf_value_string(values, for_unfencing ? "unfence_user" : "ceph_user"),
        .keyring = ocf_value_string(values, for_unfencing ? "unfence_keyring" : "keyring"),
        .timeout_ms = (guint) ocf_value_duration_ms(values, "store_timeout"),
    };

    return store_open(&options, error);
}

gboolean fence_store_open_unfence(const fence_call_t *call, store_t **store, GError **error)
{
    gboolean has_own = ocf_value_string(call->values, "unfence_user") != NULL;

    *store = has_own ? store_connect(call->values, TRUE, error) : NULL;
    return !has_own || *store != NULL;
}

gboolean fence_call_open_unfence(fence_call_t *call, GError **error)
{
    return fence_store_open_unfence(call, &call->unfence_store, error);
}

/* An entry of another host that can't be read is no reason not to fence this one: it is said, and passed over. */
static gboolean hosts_read(fence_call_t *call, GError **error)
{
    g_autoptr(GHashTable) texts = config_key_dump(call->store, REGISTRY_HOST_PREFIX, error);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer text = NULL;

    if (texts == NULL) {
        return FALSE;
    }
    g_hash_table_iter_init(&iter, texts);
    while (g_hash_table_iter_next(&iter, &name, &text)) {
        g_autoptr(GError) parse_error = NULL;
        registry_host_t *host = registry_host_parse(name, text, &parse_error);

        if (host != NULL) {
            g_hash_table_insert(call->site.hosts, host->name, host);
        } else {
            fence_say(call, FENCE_LOG_NOTICE, "%s", parse_error->message);
        }
    }
    return TRUE;
}

static gboolean map_read(fence_call_t *call, GError **error)
{
    g_autofree char *osd_dump = store_monitor_ask(call->store, STORE_MAP_OSD_COMMAND, error);
    g_autofree char *mon_dump = osd_dump != NULL ? store_monitor_ask(call->store, STORE_MAP_MONITOR_COMMAND, error)
                                                 : NULL;
    store_map_t *map = mon_dump != NULL ? store_map_parse(osd_dump, mon_dump, error) : NULL;

    if (map == NULL) {
        return FALSE;
    }
    store_map_free(call->map);
    call->map = map;
    return TRUE;
}

/* In this order: what an OSD answers to this client afterwards, it answers with the map that was read, or a later one. */
gboolean fence_map_refresh(fence_call_t *call, GError **error)
{
    return map_read(call, error) && store_osd_map_wait(call->store, error);
}

static gboolean own_address_read(fence_call_t *call, GError **error)
{
    g_autofree char *address = store_own_address(call->store, error);
    g_auto(GStrv) ips = NULL;
    g_autofree char *ip = address != NULL ? store_address_ip(address) : NULL;

    if (address == NULL) {
        return FALSE;
    }
    ips = ip != NULL ? fence_addresses_parse(ip, error) : NULL;
    if (ips == NULL) {
        g_clear_error(error);
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "Ceph says that this host's address is %s, which is no IP address", address);
        return FALSE;
    }
    call->site.own_ip = g_strdup(ips[0]);
    return TRUE;
}

gboolean fence_call_open(fence_call_t *call, GError **error)
{
    const char *map_text = ocf_value_string(call->values, "storage_addrs");

    call->site.hosts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) registry_host_free);
    call->site.mapped = fence_map_parse(map_text != NULL ? map_text : "", error);
    call->site.own_name = g_strdup(g_get_host_name());
    if (call->site.mapped == NULL) {
        return FALSE;
    }
    call->store = store_connect(call->values, FALSE, error);
    return call->store != NULL && own_address_read(call, error) && hosts_read(call, error) && map_read(call, error);
}

gboolean fence_call_find_target(fence_call_t *call, GError **error)
{
    g_autofree char *addresses = NULL;

    call->target = fence_target_resolve(&call->site, ocf_value_string(call->values, "plug"),
                                        ocf_value_string(call->values, "nodename"), error);
    if (call->target == NULL) {
        return FALSE;
    }
    addresses = g_strjoinv(", ", call->target->addresses);
    fence_say(call, FENCE_LOG_STEP, "%s has %s on the storage network (from %s)", call->target->name, addresses,
              call->target->source);
    return TRUE;
}

gboolean fence_call_read_boot(fence_call_t *call, GError **error)
{
    const registry_host_t *host = NULL;

    g_hash_table_remove_all(call->site.hosts);
    if (!hosts_read(call, error)) {
        return FALSE;
    }
    host = g_hash_table_lookup(call->site.hosts, call->target->name);
    fence_target_set_boot(call->target, host);
    return TRUE;
}

void fence_call_clear(fence_call_t *call)
{
    fence_target_free(call->target);
    store_map_free(call->map);
    store_close(call->store);
    store_close(call->unfence_store);
    g_clear_pointer(&call->site.hosts, g_hash_table_unref);
    g_clear_pointer(&call->site.mapped, g_hash_table_unref);
    g_free(call->site.own_name);
    g_free(call->site.own_ip);
}

/* The record ----------------------------------------------------------------------*/

fence_records_t *fence_records_read(fence_call_t *call, GError **error)
{
    g_autoptr(GHashTable) values = config_key_dump(call->store, FENCE_RECORD_PREFIX, error);

    if (values == NULL) {
        g_prefix_error(error, "can't read the fences' records " FENCE_RECORD_PREFIX "%s: ", call->target->name);
        return NULL;
    }
    return fence_records_parse(call->target->name, values);
}

static gboolean record_set(fence_call_t *call, const char *name, const char *json, GError **error)
{
    g_autofree char *key = g_strconcat(FENCE_RECORD_PREFIX, name, NULL);

    if (!config_key_set(call->store, key, json, error)) {
        g_prefix_error(error, "can't write %s: ", key);
        return FALSE;
    }
    return TRUE;
}

gboolean fence_record_write(fence_call_t *call, fence_record_t *record, GError **error)
{
    g_autofree char *number = g_uuid_string_random();
    g_autofree char *json = NULL;

    if (record->key != NULL) {
        g_ptr_array_add(record->before, g_steal_pointer(&record->key));
    }
    json = fence_record_json(record);
    record->key = g_strdup_printf("%s/%s", call->target->name, number);
    if (!record_set(call, record->key, json, error)
        || (record->is_over_old && !record_set(call, call->target->name, json, error))) {
        return FALSE;
    }
    fence_say(call, FENCE_LOG_STEP, FENCE_RECORD_PREFIX "%s records %u entries", record->key, record->entries->len);
    return TRUE;
}

gboolean fence_records_drop(fence_call_t *call, const GPtrArray *keys, GError **error)
{
    for (guint i = 0; i < keys->len; i++) {
        g_autofree char *key = g_strconcat(FENCE_RECORD_PREFIX, g_ptr_array_index(keys, i), NULL);

        if (!config_key_remove(call->unfence_store != NULL ? call->unfence_store : call->store, key, error)) {
            g_prefix_error(error, "can't remove %s: ", key);
            return FALSE;
        }
        fence_say(call, FENCE_LOG_STEP, "%s is removed", key);
    }
    return TRUE;
}

/* The headers ----------------------------------------------------------------------*/

store_pool_watch_t *fence_headers_open(fence_call_t *call, GError **error)
{
    g_auto(GStrv) pools = fence_options_pools(call->values);
    store_pool_watch_t *watch = store_pool_watch_open(call->store, (const char *const *) pools, error);

    if (watch != NULL) {
        fence_say(call, FENCE_LOG_STEP, "%u images are protected", store_pool_watch_count(watch));
    }
    return watch;
}

fence_look_t *fence_headers_glance(const fence_call_t *call, store_pool_watch_t *watch, guint *refused_count,
                                   GError **error)
{
    g_autoptr(GHashTable) nobody_refused = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) clients = store_pool_watch_look(watch, refused_count, error);

    return clients != NULL ? fence_look_judge(&call->site, call->target, clients, nobody_refused) : NULL;
}

fence_look_t *fence_headers_look(fence_call_t *call, store_pool_watch_t *watch, guint *refused_count, GError **error)
{
    g_autoptr(GPtrArray) clients = NULL;

    if (!fence_map_refresh(call, error)) {
        return NULL;
    }
    clients = store_pool_watch_look(watch, refused_count, error);
    return clients != NULL ? fence_look_judge(&call->site, call->target, clients, call->map->blocklist) : NULL;
}

char *fence_texts_join(const GPtrArray *texts)
{
    GString *joined = g_string_new(NULL);

    for (guint i = 0; i < texts->len; i++) {
        g_string_append_printf(joined, "%s%s", i > 0 ? ", " : "", (const char *) g_ptr_array_index(texts, i));
    }
    return g_string_free(joined, FALSE);
}
