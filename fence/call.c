/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all actions of fence_rbd share: the store, the hosts, the record. */
#include <stdarg.h>
#include <string.h>

#include "error.h"
#include "fence_private.h"
#include "module.h"
#include "store_address.h"

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

gboolean fence_call_open_unfence(fence_call_t *call, GError **error)
{
    if (ocf_value_string(call->values, "unfence_user") == NULL) {
        return TRUE;
    }
    call->unfence_store = store_connect(call->values, TRUE, error);
    return call->unfence_store != NULL;
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

static char *record_key(const fence_call_t *call)
{
    return g_strconcat(FENCE_RECORD_PREFIX, call->target->name, NULL);
}

gboolean fence_record_read(fence_call_t *call, fence_record_t **record, GError **error)
{
    g_autofree char *key = record_key(call);
    g_autofree char *json = NULL;
    GError *get_error = NULL;

    *record = NULL;
    json = config_key_get(call->store, key, &get_error);
    if (json != NULL) {
        *record = fence_record_parse(call->target->name, json, error);
        return *record != NULL;
    }
    if (g_error_matches(get_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_error_free(get_error);
        return TRUE;
    }
    g_propagate_prefixed_error(error, get_error, "can't read %s: ", key);
    return FALSE;
}

gboolean fence_record_write(fence_call_t *call, const fence_record_t *record, GError **error)
{
    g_autofree char *key = record_key(call);
    g_autofree char *json = fence_record_json(record);

    if (!config_key_set(call->store, key, json, error)) {
        g_prefix_error(error, "can't write %s: ", key);
        return FALSE;
    }
    fence_say(call, FENCE_LOG_STEP, "%s records %u entries", key, record->entries->len);
    return TRUE;
}

gboolean fence_record_is_ours(fence_call_t *call, const fence_record_t *record, gboolean *is_ours, GError **error)
{
    g_autoptr(fence_record_t) now = NULL;

    if (!fence_record_read(call, &now, error)) {
        return FALSE;
    }
    *is_ours = strcmp(now != NULL ? now->id : "", record->id) == 0;
    for (guint i = 0; *is_ours && i < record->entries->len; i++) {
        *is_ours = now != NULL && fence_record_has(now, g_ptr_array_index(record->entries, i));
    }
    return TRUE;
}

gboolean fence_record_drop(fence_call_t *call, GError **error)
{
    g_autofree char *key = record_key(call);

    if (!config_key_remove(call->unfence_store != NULL ? call->unfence_store : call->store, key, error)) {
        g_prefix_error(error, "can't remove %s: ", key);
        return FALSE;
    }
    fence_say(call, FENCE_LOG_STEP, "%s is removed", key);
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
