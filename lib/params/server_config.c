/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "params/server_config.h"

#include <string.h>

#include "base/boolean.h"
#include "base/duration.h"
#include "base/error.h"
#include "base/names.h"

static const char *const isolate_policy_names[] = {
    [ISOLATE_REQUIRED] = "required",
    [ISOLATE_CONFIRMED] = "confirmed",
    [ISOLATE_BEST_EFFORT] = "best-effort",
};

gboolean isolate_policy_parse(const char *text, isolate_policy_t *policy)
{
    for (guint i = 0; i < G_N_ELEMENTS(isolate_policy_names); i++) {
        if (g_strcmp0(text, isolate_policy_names[i]) == 0) {
            *policy = (isolate_policy_t) i;
            return TRUE;
        }
    }
    return FALSE;
}

const char *isolate_policy_name(isolate_policy_t policy)
{
    return isolate_policy_names[policy];
}

static const char until_resumed[] = "resumed";

static gboolean parse_time(const char *text, gint64 *time_ms)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, utc);

    if (time != NULL) {
        *time_ms = g_date_time_to_unix(time) * 1000;
    }
    return time != NULL;
}

gboolean paused_until_parse(const char *text, gint64 *from_ms, gint64 *until_ms)
{
    const char *slash = strchr(text, '/');
    g_autofree char *begin = slash != NULL ? g_strndup(text, (gsize) (slash - text)) : NULL;

    *from_ms = 0;
    if (strcmp(text, until_resumed) == 0) {
        *until_ms = SERVER_PAUSED_UNTIL_RESUMED;
        return TRUE;
    }
    if (slash == NULL) {
        return parse_time(text, until_ms);
    }
    return parse_time(begin, from_ms) && parse_time(slash + 1, until_ms) && *until_ms > *from_ms;
}

static char *time_text(gint64 time_ms)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(time_ms / 1000);

    return g_date_time_format_iso8601(time);
}

char *paused_until_text(gint64 from_ms, gint64 until_ms)
{
    g_autofree char *from = NULL;
    g_autofree char *until = NULL;

    if (until_ms == SERVER_PAUSED_UNTIL_RESUMED) {
        return g_strdup(until_resumed);
    }
    from = from_ms != 0 ? time_text(from_ms) : g_strdup("");
    until = time_text(until_ms);
    return g_strconcat(from, from_ms != 0 ? "/" : "", until, NULL);
}

/* Durations: where each goes and what is allowed. */
static const struct {
    const char *name;
    const char *default_text;
    gsize offset;
    guint64 min_ms;
    guint64 max_ms;
} duration_fields[] = {
    { "probe_interval", DEFAULT_PROBE_INTERVAL, G_STRUCT_OFFSET(server_config_t, probe_interval_ms), 100, 3600000 },
    { "probe_timeout", DEFAULT_PROBE_TIMEOUT, G_STRUCT_OFFSET(server_config_t, probe_timeout_ms), 50, 60000 },
    { "hold_down", DEFAULT_HOLD_DOWN, G_STRUCT_OFFSET(server_config_t, hold_down_ms), 0, 3600000 },
    { "recover_after", DEFAULT_RECOVER_AFTER, G_STRUCT_OFFSET(server_config_t, recover_after_ms), 0, 86400000 },
    { "gate_quiet", DEFAULT_GATE_QUIET, G_STRUCT_OFFSET(server_config_t, gate_quiet_ms), 0, 3600000 },
    { "isolate_timeout", DEFAULT_ISOLATE_TIMEOUT, G_STRUCT_OFFSET(server_config_t, isolate_timeout_ms), 1000, 3600000 },
};

static const char *param_text(GHashTable *params, const char *name, const char *default_text)
{
    const char *text = g_hash_table_lookup(params, name);

    return (text != NULL && text[0] != '\0') ? text : default_text;
}

static gboolean parse_durations(server_config_t *config, GHashTable *params, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(duration_fields); i++) {
        const char *text = param_text(params, duration_fields[i].name, duration_fields[i].default_text);
        guint64 *field = G_STRUCT_MEMBER_P(config, duration_fields[i].offset);

        if (!duration_parse(text, field)
            || *field < duration_fields[i].min_ms || *field > duration_fields[i].max_ms) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "%s=%s: set a duration from %" G_GUINT64_FORMAT "ms to %" G_GUINT64_FORMAT "s",
                        duration_fields[i].name, text, duration_fields[i].min_ms, duration_fields[i].max_ms / 1000);
            return FALSE;
        }
    }
    return TRUE;
}

static int compare_texts(gconstpointer a, gconstpointer b)
{
    return g_strcmp0((*(const probe_spec_t *const *) a)->text, (*(const probe_spec_t *const *) b)->text);
}

#define DIGEST_LENGTH 16 /* of the 64 hexadecimal digits: they tell apart, they protect nothing */

static void digest_probes(server_config_t *config)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    g_autofree char *mark = NULL;

    for (guint i = 0; i < config->probes->len; i++) {
        g_ptr_array_add(sorted, g_ptr_array_index(config->probes, i));
    }
    g_ptr_array_sort(sorted, compare_texts);
    for (guint i = 0; i < sorted->len; i++) {
        const char *text = ((const probe_spec_t *) g_ptr_array_index(sorted, i))->text;

        g_checksum_update(checksum, (const guchar *) text, (gssize) strlen(text) + 1); /* with its end */
    }
    config->probes_digest = g_strndup(g_checksum_get_string(checksum), DIGEST_LENGTH);
    mark = g_strndup(config->probes_digest, 7);
    config->probes_mark = (guint) g_ascii_strtoull(mark, NULL, 16) + 1;
}

static gboolean parse_probes(server_config_t *config, GHashTable *params, GError **error)
{
    const char *recover = param_text(params, "recover_probe", NULL);

    config->probes = probe_spec_list_parse(param_text(params, "probes", ""), error);
    if (config->probes == NULL) {
        return FALSE;
    }
    digest_probes(config);
    if (recover == NULL) {
        return TRUE;
    }
    for (guint i = 0; i < config->probes->len; i++) {
        const probe_spec_t *probe = g_ptr_array_index(config->probes, i);

        /* While the image runs, the service address is the image's: it would
         * be taken for the original and stopped at once. */
        if (g_strcmp0(probe->text, recover) == 0) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "recover_probe '%s' is one of the probes: set it to the server's management address", recover);
            return FALSE;
        }
    }
    config->recover_probe = probe_spec_parse(recover, error);
    return config->recover_probe != NULL;
}

static gboolean parse_rest(server_config_t *config, GHashTable *params, GError **error)
{
    const char *misses = param_text(params, "probe_misses", DEFAULT_PROBE_MISSES);
    const char *unknown = param_text(params, "probe_unknown", DEFAULT_PROBE_UNKNOWN);
    const char *isolate = param_text(params, "isolate", DEFAULT_ISOLATE);
    const char *store_address = param_text(params, "store_address", NULL);
    guint64 number = 0;

    if (!g_ascii_string_to_unsigned(misses, 10, 1, 1000, &number, NULL)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "probe_misses=%s: set a number from 1 to 1000", misses);
        return FALSE;
    }
    config->probe_misses = (guint) number;
    config->unknown_is_down = g_strcmp0(unknown, "down") == 0;
    if (!config->unknown_is_down && g_strcmp0(unknown, "ignore") != 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "probe_unknown=%s: set ignore or down", unknown);
        return FALSE;
    }
    if (!isolate_policy_parse(isolate, &config->isolate)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "isolate=%s: set required, confirmed or best-effort", isolate);
        return FALSE;
    }
    if (store_address != NULL && !address_is_usable(store_address)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "store_address=%s: set the numeric address that the server has on the storage network",
                    store_address);
        return FALSE;
    }
    config->store_address = g_strdup(store_address);
    config->disks = g_strdup(param_text(params, "disks", NULL));
    return TRUE;
}

static gboolean parse_operator_words(server_config_t *config, GHashTable *params, GError **error)
{
    const char *paused_until = param_text(params, "paused_until", NULL);
    const char *hold = param_text(params, "hold", NULL);
    const char *held_takeover = param_text(params, "held_takeover", NULL);

    if (paused_until != NULL
        && !paused_until_parse(paused_until, &config->pause_from_ms, &config->paused_until_ms)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "paused_until=%s: set an interval as 2026-01-31T16:00:00Z/2026-01-31T18:00:00Z, or \"resumed\"",
                    paused_until);
        return FALSE;
    }
    config->paused_until = g_strdup(paused_until);
    if (hold != NULL && !boolean_parse(hold, &config->hold)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "hold=%s: set true or false", hold);
        return FALSE;
    }
    if (held_takeover != NULL && !boolean_parse(held_takeover, &config->held_takeover)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "held_takeover=%s: set true or false", held_takeover);
        return FALSE;
    }
    return TRUE;
}

server_config_t *server_config_parse(const char *resource_id, GHashTable *params, GError **error)
{
    server_config_t *config = g_new0(server_config_t, 1);
    const char *name = param_text(params, "server", resource_id_server(resource_id));

    config->resource_id = g_strdup(resource_id);
    config->name = g_strdup(name);
    if (!server_name_is_valid(name)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "server=%s: set the server's name, or name the resource " IMAGE_RESOURCE_PREFIX "SERVER",
                    name != NULL ? name : "");
        g_clear_pointer(&config, server_config_free);
    } else if (!parse_durations(config, params, error) || !parse_probes(config, params, error)
               || !parse_rest(config, params, error) || !parse_operator_words(config, params, error)) {
        g_clear_pointer(&config, server_config_free);
    }
    return config;
}

static gboolean probe_equal(const probe_spec_t *a, const probe_spec_t *b)
{
    return g_strcmp0(a != NULL ? a->text : NULL, b != NULL ? b->text : NULL) == 0;
}

gboolean server_config_equal(const server_config_t *a, const server_config_t *b)
{
    if (g_strcmp0(a->name, b->name) != 0 || g_strcmp0(a->resource_id, b->resource_id) != 0
        || a->probes->len != b->probes->len || !probe_equal(a->recover_probe, b->recover_probe)
        || a->probe_misses != b->probe_misses || a->unknown_is_down != b->unknown_is_down || a->isolate != b->isolate
        || g_strcmp0(a->store_address, b->store_address) != 0 || g_strcmp0(a->disks, b->disks) != 0) {
        return FALSE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(duration_fields); i++) {
        gsize offset = duration_fields[i].offset;

        if (G_STRUCT_MEMBER(guint64, a, offset) != G_STRUCT_MEMBER(guint64, b, offset)) {
            return FALSE;
        }
    }
    for (guint i = 0; i < a->probes->len; i++) {
        if (!probe_equal(g_ptr_array_index(a->probes, i), g_ptr_array_index(b->probes, i))) {
            return FALSE;
        }
    }
    return TRUE;
}

void server_config_free(server_config_t *config)
{
    if (config == NULL) {
        return;
    }
    g_free(config->name);
    g_free(config->resource_id);
    g_clear_pointer(&config->probes, g_ptr_array_unref);
    g_free(config->probes_digest);
    probe_spec_free(config->recover_probe);
    g_free(config->store_address);
    g_free(config->disks);
    g_free(config->paused_until);
    g_free(config);
}
