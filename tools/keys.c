/* SPDX-License-Identifier: GPL-2.0-or-later */
/* understudy keys: the cephx users, printed as commands or made. */
#include <stdio.h>
#include <string.h>

#include <json-glib/json-glib.h>

#include "base/error.h"
#include "base/json_read.h"
#include "caps.h"
#include "run.h"
#include "store/store.h"

#define DEFAULT_USER        "understudy"
#define DEFAULT_POOL        "vm"
#define DEFAULT_KEYRING_DIR "/etc/ceph"
#define STORE_TIMEOUT_MS    10000

static const char *value_or(const command_line_t *line, const char *option, const char *fallback)
{
    const char *value = command_line_value(line, option);

    return value != NULL ? value : fallback;
}

static GPtrArray *values_or(const command_line_t *line, const char *option, const char *fallback)
{
    const GPtrArray *given = command_line_values(line, option);
    GPtrArray *values = g_ptr_array_new();

    for (guint i = 0; given != NULL && i < given->len; i++) {
        g_ptr_array_add(values, g_ptr_array_index(given, i));
    }
    if (values->len == 0 && fallback != NULL) {
        g_ptr_array_add(values, (gpointer) fallback);
    }
    return values;
}

static GPtrArray *users_of(const command_line_t *line, GError **error)
{
    g_autoptr(GPtrArray) pools = values_or(line, "pool", DEFAULT_POOL);
    g_autoptr(GPtrArray) hosts = values_or(line, "host", NULL);
    g_autoptr(GPtrArray) servers = values_or(line, "server-address", NULL);

    if (hosts->len == 0) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "--host is missing: give each host's address on the storage network");
        return NULL;
    }
    return caps_make(value_or(line, "user", DEFAULT_USER), pools, hosts, servers, error);
}

/* "caps": ["mon", "...", "osd", "..."] */
static char *auth_command(const char *prefix, const ceph_user_t *user, gboolean with_caps)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    const char *const caps[] = { "mon", user->mon, "mgr", user->mgr, "osd", user->osd };

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "prefix");
    json_builder_add_string_value(builder, prefix);
    json_builder_set_member_name(builder, "entity");
    json_builder_add_string_value(builder, user->entity);
    if (with_caps) {
        json_builder_set_member_name(builder, "caps");
        json_builder_begin_array(builder);
        for (gsize i = 0; i < G_N_ELEMENTS(caps); i += 2) {
            if (caps[i + 1] != NULL) {
                json_builder_add_string_value(builder, caps[i]);
                json_builder_add_string_value(builder, caps[i + 1]);
            }
        }
        json_builder_end_array(builder);
    }
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    return json_to_string(root, FALSE);
}

static char *auth_ask(store_t *store, const char *prefix, const ceph_user_t *user, gboolean with_caps, GError **error)
{
    g_autofree char *command = auth_command(prefix, user, with_caps);

    return store_monitor_ask(store, command, error);
}

/* Of an answer that holds a key; may be NULL. */
static void secret_free(char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
    }
    g_free(secret);
}

/* Overwrites the key in an answer in JSON, which a parser would copy. */
static void key_blank(char *answer)
{
    static const char begin[] = "\"key\":\"";
    char *key = strstr(answer, begin);

    for (key = key != NULL ? key + strlen(begin) : NULL; key != NULL && *key != '\0' && *key != '"'; key++) {
        *key = '*';
    }
}

/* What would be lost by a user whose answer to "auth get" this is; *lost is NULL if it is nothing. */
static gboolean answer_compare(const char *answer, const ceph_user_t *user, char **lost, GError **error)
{
    g_autoptr(JsonNode) root = json_from_string(answer, NULL);
    JsonArray *entries = root != NULL && JSON_NODE_HOLDS_ARRAY(root) ? json_node_get_array(root) : NULL;
    JsonObject *entry = entries != NULL && json_array_get_length(entries) > 0 ? json_read_element(entries, 0) : NULL;
    JsonObject *caps = entry != NULL ? json_read_object(entry, "caps") : NULL;
    ceph_user_t had = { .mon = NULL };

    if (caps == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "what %s may do now can't be read in Ceph's answer: compare 'ceph auth get %s' with what the command prints "
                    "without --apply, then run it with --replace", user->entity, user->entity);
        return FALSE;
    }
    had.mon = (char *) json_read_text(caps, "mon");
    had.osd = (char *) json_read_text(caps, "osd");
    *lost = caps_lost(&had, user);
    return TRUE;
}

static char *get_command(const ceph_user_t *user)
{
    return g_strdup_printf("{\"prefix\": \"auth get\", \"entity\": \"%s\", \"format\": \"json\"}", user->entity);
}

/* auth caps replaces all that a user may do: an image in a pool that was left out gets I/O errors, a host or a server that
 * was left out can't be fenced any more. */
static gboolean nothing_is_lost(store_t *store, const ceph_user_t *user, GError **error)
{
    g_autofree char *command = get_command(user);
    g_autofree char *lost = NULL;
    GError *get_error = NULL;
    char *answer = store_monitor_ask(store, command, &get_error);
    gboolean known = FALSE;

    if (g_error_matches(get_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_error_free(get_error);
        return TRUE;
    }
    if (answer == NULL) {
        g_propagate_error(error, get_error);
        return FALSE;
    }
    key_blank(answer);
    known = answer_compare(answer, user, &lost, error);
    secret_free(answer);
    if (lost != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS,
                    "%s would lose what it may use or isolate now, and nothing was changed: %s; give that again as well (pools, "
                    "hosts and servers are replaced as a whole), or say with --replace that it is to be taken away",
                    user->entity, lost);
    }
    return known && lost == NULL;
}

/* The keyring of a user that has exactly these caps afterwards; its key stays if it has one. */
static char *user_make(store_t *store, const ceph_user_t *user, GError **error)
{
    GError *get_error = NULL;
    char *known = auth_ask(store, "auth get", user, FALSE, &get_error);
    gboolean is_known = known != NULL;
    char *done = NULL;

    secret_free(known);
    if (!is_known && !g_error_matches(get_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_propagate_error(error, get_error);
        return NULL;
    }
    g_clear_error(&get_error);
    done = auth_ask(store, is_known ? "auth caps" : "auth get-or-create", user, TRUE, error);
    if (done == NULL) {
        return NULL;
    }
    secret_free(done);
    return auth_ask(store, "auth get", user, FALSE, error);
}

static gboolean user_apply(store_t *store, const ceph_user_t *user, const char *keyring_dir, GError **error)
{
    g_autofree char *path = caps_keyring_path(user, keyring_dir);
    char *keyring = user_make(store, user, error);
    gboolean good = keyring != NULL
                    && g_file_set_contents_full(path, keyring, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);

    secret_free(keyring);
    if (good) {
        printf("%s may do what it needs; its key is in %s\n", user->entity, path);
    }
    return good;
}

static gboolean users_apply(const command_line_t *line, const GPtrArray *users, const char *keyring_dir, GError **error)
{
    const store_options_t options = { .conf = command_line_value(line, "ceph-conf"),
                                      .user = value_or(line, "admin", "admin"), .timeout_ms = STORE_TIMEOUT_MS };
    store_t *store = store_open(&options, error);
    gboolean good = store != NULL;

    /* All of them before any is changed. */
    for (guint i = 0; good && !command_line_has(line, "replace") && i < users->len; i++) {
        good = nothing_is_lost(store, g_ptr_array_index(users, i), error);
    }
    for (guint i = 0; good && i < users->len; i++) {
        good = user_apply(store, g_ptr_array_index(users, i), keyring_dir, error);
    }
    store_close(store);
    return good;
}

exit_code_t run_keys(const command_line_t *line, GError **error)
{
    const char *keyring_dir = value_or(line, "keyring-dir", DEFAULT_KEYRING_DIR);
    g_autoptr(GPtrArray) users = users_of(line, error);

    if (users == NULL) {
        return exit_code_of(*error);
    }
    if (command_line_has(line, "apply")) {
        return users_apply(line, users, keyring_dir, error) ? EXIT_OK : exit_code_of(*error);
    }
    for (guint i = 0; i < users->len; i++) {
        g_autofree char *command = caps_command(g_ptr_array_index(users, i), keyring_dir);

        printf("%s\n", command);
    }
    return EXIT_OK;
}
