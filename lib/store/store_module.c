/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: the connection to Ceph. */
#include "store/store_module.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>

#include "base/crash_trial.h"
#include "base/error.h"
#include "base/json_read.h"
#include "base/module.h"
#include "base/program.h"
#include "store/store_map.h"
#include "store/store_private.h"

#define DEFAULT_CONF       "/etc/ceph/ceph.conf"
#define DEFAULT_USER       "admin"
#define DEFAULT_TIMEOUT_MS 5000
#define CONF_VALUE_MAX_BYTES 4096
#define CONF_TRIAL_MS      5000U
#define AUTHTOOL           "ceph-authtool"
#define AUTHTOOL_TIMEOUT_MS 5000

extern MODULE_EXPORT const store_ops_t understudy_store_ops;

gboolean store_fail(GError **error, int rc, const char *format, ...)
{
    understudy_error_t code = understudy_error_of_errno(-rc);
    g_autofree char *what = NULL;
    va_list args;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    /* -ESHUTDOWN is how Ceph spells "blocklisted" (rados.h: EBLOCKLISTED). */
    g_set_error(error, UNDERSTUDY_ERROR, code, "%s: %s", what,
                rc == -ESHUTDOWN ? "this host is on Ceph's blocklist" : g_strerror(-rc));
    return FALSE;
}

gboolean store_monitor_command(store_t *store, const char *command_json, char **output, GError **error)
{
    const char *commands[] = { command_json };
    char *reply = NULL;
    size_t reply_bytes = 0;
    char *status = NULL;
    size_t status_bytes = 0;
    int rc = rados_mon_command(store->cluster, commands, 1, NULL, 0, &reply, &reply_bytes, &status, &status_bytes);

    if (rc == -EACCES || rc == -EPERM) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_PERMISSION,
                    "Ceph's monitors let client.%s do too little: give it the caps that 'understudy keys' prints", store->user);
    } else if (rc < 0) {
        g_autofree char *text = g_strndup(status != NULL ? status : "", status_bytes);

        store_fail(error, rc, "Ceph's monitors refuse a command%s%s", text[0] != '\0' ? ": " : "", g_strstrip(text));
    } else if (output != NULL) {
        *output = g_strndup(reply != NULL ? reply : "", reply_bytes);
    }
    rados_buffer_free(reply);
    rados_buffer_free(status);
    return rc >= 0;
}

static char *conf_get(store_t *store, const char *option)
{
    g_autofree char *value = g_malloc0(CONF_VALUE_MAX_BYTES);

    return rados_conf_get(store->cluster, option, value, CONF_VALUE_MAX_BYTES) == 0 ? g_steal_pointer(&value) : NULL;
}

static gboolean cephx_is_on(store_t *store)
{
    g_autofree char *required = conf_get(store, "auth_client_required");

    return required == NULL || strstr(required, "cephx") != NULL;
}

/* The first of the files that the option `keyring` lists that is there. */
static char *keyring_path(store_t *store, GError **error)
{
    g_autofree char *list = conf_get(store, "keyring");
    g_auto(GStrv) paths = g_strsplit_set(list != NULL ? list : "", ",; ", -1);

    for (char **path = paths; *path != NULL; path++) {
        if (**path != '\0' && g_access(*path, R_OK) == 0) {
            return g_strdup(*path);
        }
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE,
                "no keyring of client.%s here: put it at %s", store->user,
                paths[0] != NULL ? paths[0] : "the path that ceph.conf names");
    return NULL;
}

static gboolean keyring_is_there(store_t *store, GError **error)
{
    g_autofree char *key = conf_get(store, "key");
    g_autofree char *keyfile = conf_get(store, "keyfile");
    g_autofree char *path = NULL;

    if (!cephx_is_on(store) || (key != NULL && key[0] != '\0') || (keyfile != NULL && keyfile[0] != '\0')) {
        return TRUE;
    }
    path = keyring_path(store, error);
    return path != NULL;
}

/* Without these three Ceph waits for ever, or for 300 s when it connects. Whole seconds, rounded up:
 * the options' type. The rest keeps librados from writing to stderr, which Pacemaker logs: our errors say it. */
static void options_set(store_t *store, guint timeout_ms)
{
    g_autofree char *timeout_s = g_strdup_printf("%u", (timeout_ms + 999) / 1000);
    const struct {
        const char *option;
        const char *value;
    } settings[] = {
        { "rados_mon_op_timeout", timeout_s }, { "rados_osd_op_timeout", timeout_s },
        { "client_mount_timeout", timeout_s }, { "log_to_stderr", "false" },
        { "err_to_stderr", "false" },          { "keyring", store->keyring },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
        if (settings[i].value != NULL) {
            (void) rados_conf_set(store->cluster, settings[i].option, settings[i].value);
        }
    }
}

/* The first line, from 1, with a byte that is not ASCII and that is no comment; 0: none. */
static guint foreign_line(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        if (!g_str_is_ascii(lines[i]) && strchr("#;", *g_strchug(lines[i])) == NULL) {
            return i + 1;
        }
    }
    return 0;
}

/* In a child: Ceph's parser aborts the whole program at some texts. */
static void conf_try(gconstpointer data)
{
    const store_t *store = data;
    rados_t cluster = NULL;

    if (rados_create(&cluster, store->user) >= 0) {
        (void) rados_conf_read_file(cluster, store->conf);
    }
}

static gboolean conf_passes(const store_t *store, guint line, GError **error)
{
    switch (crash_trial_run(conf_try, store, CONF_TRIAL_MS)) {
        case CRASH_TRIAL_PASSED:
            return TRUE;
        case CRASH_TRIAL_CRASHED:
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE,
                        "%s: line %u has what is not ASCII (a byte order mark?), where Ceph aborts: remove it", store->conf,
                        line);
            return FALSE;
        case CRASH_TRIAL_UNKNOWN:
        default:
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT,
                        "whether Ceph can read %s, with what is not ASCII in line %u, could not be tried within %u s", store->conf,
                        line, CONF_TRIAL_MS / 1000);
            return FALSE;
    }
}

static gboolean conf_is_readable(const store_t *store, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) read_error = NULL;
    guint line = 0;

    if (!g_file_get_contents(store->conf, &text, NULL, &read_error)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE, "can't read %s: %s", store->conf,
                    read_error->message);
        return FALSE;
    }
    line = foreign_line(text);
    return line == 0 || conf_passes(store, line, error);
}

static gboolean conf_read(store_t *store, GError **error)
{
    int rc = 0;

    if (!conf_is_readable(store, error)) {
        return FALSE;
    }
    rc = rados_conf_read_file(store->cluster, store->conf);
    if (rc < 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE, "%s is no valid ceph.conf: %s", store->conf,
                    g_strerror(-rc));
        return FALSE;
    }
    return TRUE;
}

static gboolean cluster_connect(store_t *store, guint timeout_ms, GError **error)
{
    int rc = rados_connect(store->cluster);

    if (rc == -ETIMEDOUT) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT,
                    "no Ceph monitor of %s answered within %u s: check the storage network", store->conf,
                    (timeout_ms + 999) / 1000);
    } else if (rc == -EACCES || rc == -EPERM) {
        store_fail(error, rc, "Ceph refuses client.%s: check its keyring", store->user);
    } else if (rc < 0) {
        g_set_error(error, UNDERSTUDY_ERROR, understudy_error_of_errno(-rc),
                    "can't connect to Ceph as client.%s with %s: %s", store->user, store->conf, g_strerror(-rc));
    }
    return rc >= 0;
}

static void close_store(store_t *store)
{
    if (store->cluster != NULL) {
        rados_shutdown(store->cluster);
    }
    g_free(store->conf);
    g_free(store->user);
    g_free(store->keyring);
    g_free(store);
}

static store_t *open_store(const store_options_t *options, GError **error)
{
    store_t *store = g_new0(store_t, 1);
    guint timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    int rc = 0;

    store->conf = g_strdup(options->conf != NULL ? options->conf : DEFAULT_CONF);
    store->user = g_strdup(options->user != NULL ? options->user : DEFAULT_USER);
    store->keyring = g_strdup(options->keyring);
    rc = rados_create(&store->cluster, store->user);
    if (rc < 0) {
        store->cluster = NULL;
        store_fail(error, rc, "can't make a Ceph client for client.%s", store->user);
    }
    if (rc >= 0 && conf_read(store, error)) {
        options_set(store, timeout_ms);
        if (keyring_is_there(store, error) && cluster_connect(store, timeout_ms, error)) {
            return store;
        }
    }
    close_store(store);
    return NULL;
}

static char *own_address(store_t *store, GError **error)
{
    char *addresses = NULL;
    int rc = rados_getaddrs(store->cluster, &addresses);
    g_autofree char *copy = NULL;

    if (rc < 0) {
        store_fail(error, rc, "Ceph does not say which address this host has");
        return NULL;
    }
    copy = g_strdup(addresses);
    rados_buffer_free(addresses);
    return g_steal_pointer(&copy);
}

/* As Ceph reads a keyring, with comments and all. */
static char *key_by_authtool(const char *path, const char *user, GError **error)
{
    g_autofree char *entity = g_strconcat("client.", user, NULL);
    const char *argv[] = { AUTHTOOL, "--print-key", "--name", entity, path, NULL };
    char *key = NULL;

    if (!program_run(argv, AUTHTOOL_TIMEOUT_MS, &key, error)) {
        g_prefix_error(error, "%s has no key of client.%s: ", path, user);
        return NULL;
    }
    return g_strstrip(key);
}

/* Where there is no ceph-authtool: a keyring is a key file with one group a user, as long as it has no comments. */
static char *key_from_keyring(const char *path, const char *user, GError **error)
{
    g_autoptr(GKeyFile) keyring = g_key_file_new();
    g_autofree char *group = g_strconcat("client.", user, NULL);
    g_autofree char *content = NULL;
    gsize content_bytes = 0;
    char *key = NULL;

    if (!g_file_get_contents(path, &content, &content_bytes, error)) {
        return NULL;
    }
    if (g_key_file_load_from_data(keyring, content, content_bytes, G_KEY_FILE_NONE, NULL)) {
        key = g_key_file_get_value(keyring, group, "key", NULL);
    }
    explicit_bzero(content, content_bytes);
    if (key == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE, "%s has no key of client.%s", path, user);
    }
    return key;
}

static char *key_of_path(const char *path, const char *user, GError **error)
{
    g_autoptr(GError) tool_error = NULL;
    char *key = key_by_authtool(path, user, &tool_error);

    if (key != NULL) {
        return key;
    }
    if (g_error_matches(tool_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE)) {
        return key_from_keyring(path, user, error);
    }
    g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE, tool_error->message);
    return NULL;
}

static char *user_key(store_t *store, GError **error)
{
    g_autofree char *key = NULL;
    g_autofree char *keyfile = NULL;
    g_autofree char *path = NULL;
    char *content = NULL;

    if (!cephx_is_on(store)) {
        return NULL;
    }
    key = conf_get(store, "key");
    if (key != NULL && key[0] != '\0') {
        return g_steal_pointer(&key);
    }
    keyfile = conf_get(store, "keyfile");
    if (keyfile != NULL && keyfile[0] != '\0') {
        return g_file_get_contents(keyfile, &content, NULL, error) ? g_strstrip(content) : NULL;
    }
    path = keyring_path(store, error);
    return path != NULL ? key_of_path(path, store->user, error) : NULL;
}

/* The address that QEMU's librados is to try: msgr2 where the monitor has it. `addrvec` is the list of
 * {"type":"v2","addr":"10.0.0.1:3300","nonce":0}. */
static const char *monitor_address(JsonObject *monitor)
{
    JsonArray *list = json_read_array(json_read_object(monitor, "public_addrs"), "addrvec");

    return list != NULL && json_array_get_length(list) > 0 ? json_read_string(json_read_element(list, 0), "addr")
                                                           : NULL;
}

static char **monitor_addresses(store_t *store, GError **error)
{
    g_autoptr(GStrvBuilder) found = g_strv_builder_new();
    g_autoptr(JsonObject) dump = NULL;
    g_autofree char *output = NULL;
    JsonArray *monitors = NULL;

    if (store_monitor_command(store, STORE_MAP_MONITOR_COMMAND, &output, error)) {
        dump = json_read_object_text(output, "the monitors' answer to 'mon dump'", error);
    }
    if (dump == NULL) {
        return NULL;
    }
    monitors = json_read_array(dump, "mons");
    for (guint i = 0; monitors != NULL && i < json_array_get_length(monitors); i++) {
        const char *address = monitor_address(json_read_element(monitors, i));

        if (address != NULL) {
            g_strv_builder_add(found, address);
        }
    }
    return g_strv_builder_end(found);
}

const store_ops_t understudy_store_ops = {
    .open = open_store,
    .close = close_store,
    .image_exists = store_do_image_exists,
    .image_size = store_do_image_size,
    .image_watchers = store_do_image_watchers,
    .image_openers = store_do_image_openers,
    .image_lock_owners = store_do_image_lock_owners,
    .image_points = store_do_image_points,
    .point_create = store_do_point_create,
    .image_clone = store_do_image_clone,
    .clone_state = store_do_clone_state,
    .clone_is_of = store_do_clone_is_of,
    .image_list = store_do_image_list,
    .rename_finish = store_do_rename_finish,
    .image_create = store_do_image_create,
    .image_rename = store_do_image_rename,
    .image_remove = store_do_image_remove,
    .image_is_written = store_do_image_is_written,
    .image_own_bytes = store_do_image_own_bytes,
    .image_import_id = store_do_image_import_id,
    .image_import = store_do_image_import,
    .image_foreign_lock = store_do_image_foreign_lock,
    .point_id = store_do_point_id,
    .points_differ = store_do_points_differ,
    .claim_note_read = store_do_claim_note_read,
    .claim_note_set = store_do_claim_note_set,
    .claim_read = store_do_claim_read,
    .claim_swap = store_do_claim_swap,
    .claim_places = store_do_claim_places,
    .claim_place_set = store_do_claim_place_set,
    .blocklist_add = store_do_blocklist_add,
    .blocklist_remove = store_do_blocklist_remove,
    .clients_refuse = store_do_clients_refuse,
    .blocklist_list = store_do_blocklist_list,
    .monitor_ask = store_do_monitor_ask,
    .osd_map_wait = store_do_osd_map_wait,
    .pool_exists = store_do_pool_exists,
    .full_pools = store_do_full_pools,
    .pool_watch_open = store_do_pool_watch_open,
    .pool_watch_close = store_do_pool_watch_close,
    .pool_watch_count = store_do_pool_watch_count,
    .pool_watch_look = store_do_pool_watch_look,
    .own_address = own_address,
    .user_key = user_key,
    .monitor_addresses = monitor_addresses,
};
