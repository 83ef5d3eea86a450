/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/names.h"
#include "log.h"

/* A longer file begins anew at the next start; the old one is kept beside it. */
#define FILE_MAX_BYTES (16 * 1024 * 1024)

struct history_file {
    char *path;
    int fd;
    gboolean failure_logged;
};

typedef struct {
    char *server;
    gint64 started_ms;
    history_takeover_t *takeover;
} found_t;

static found_t *find_takeover(GPtrArray *all, const char *server, gint64 started_ms)
{
    found_t *found = NULL;

    for (guint i = all->len; i > 0; i--) {
        found = g_ptr_array_index(all, i - 1);
        if (found->started_ms == started_ms && strcmp(found->server, server) == 0) {
            return found;
        }
    }
    found = g_new0(found_t, 1);
    found->server = g_strdup(server);
    found->started_ms = started_ms;
    found->takeover = history_takeover_new();
    g_ptr_array_add(all, found);
    return found;
}

static void read_line(GPtrArray *all, JsonParser *parser, const char *line)
{
    JsonNode *root = NULL;
    JsonObject *object = NULL;
    const char *server = NULL;

    if (line[0] == '\0' || !json_parser_load_from_data(parser, line, -1, NULL)) {
        return; /* half a line, from when the host crashed */
    }
    root = json_parser_get_root(parser);
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root)) {
        return;
    }
    object = json_node_get_object(root);
    server = json_read_text(object, "server");
    if (server_name_is_valid(server) && json_read_text(object, "event")[0] != '\0') {
        history_takeover_append(find_takeover(all, server, json_read_integer(object, "started_ms", 0))->takeover,
                                json_read_text(object, "event"), json_read_integer(object, "at_ms", 0),
                                json_read_text(object, "host"), json_read_text(object, "detail"));
    }
}

void history_text_read(const char *text, history_file_takeover_fn found, gpointer user_data)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GPtrArray) all = g_ptr_array_new();

    for (char **line = lines; *line != NULL; line++) {
        read_line(all, parser, *line);
    }
    for (guint i = 0; i < all->len; i++) {
        found_t *entry = g_ptr_array_index(all, i);

        found(entry->server, entry->takeover, user_data);
        g_free(entry->server);
        g_free(entry);
    }
}

static void rotate(const char *path)
{
    g_autofree char *old_path = g_strconcat(path, ".1", NULL);
    GStatBuf status;

    if (g_stat(path, &status) == 0 && status.st_size > FILE_MAX_BYTES) {
        g_rename(path, old_path);
    }
}

history_file_t *history_file_open(const char *path, history_file_takeover_fn found, gpointer user_data,
                                  GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *text = NULL;
    history_file_t *file = NULL;
    int fd = -1;

    g_mkdir_with_parents(directory, 0755);
    if (g_file_get_contents(path, &text, NULL, NULL)) {
        history_text_read(text, found, user_data);
    }
    rotate(path);
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_PERMISSION,
                    "The history %s can't be written (%s): make the directory writable", path, g_strerror(errno));
        return NULL;
    }
    file = g_new0(history_file_t, 1);
    file->path = g_strdup(path);
    file->fd = fd;
    return file;
}

void history_file_close(history_file_t *file)
{
    if (file != NULL) {
        close(file->fd);
        g_free(file->path);
        g_free(file);
    }
}

void history_file_append(history_file_t *file, const char *server, gint64 started_ms, const history_event_t *event)
{
    g_autoptr(JsonObject) object = json_object_new();
    g_autoptr(JsonNode) node = json_node_alloc();
    g_autofree char *text = NULL;
    g_autofree char *line = NULL;

    json_object_set_string_member(object, "server", server);
    json_object_set_int_member(object, "started_ms", started_ms);
    json_object_set_string_member(object, "event", event->event);
    json_object_set_int_member(object, "at_ms", event->at_ms);
    json_object_set_string_member(object, "host", event->host);
    json_object_set_string_member(object, "detail", event->detail);
    json_node_init_object(node, object);
    text = json_to_string(node, FALSE);
    /* A line of its own even after half a line. */
    line = g_strconcat("\n", text, "\n", NULL);
    if (write(file->fd, line, strlen(line)) < 0 && !file->failure_logged) {
        file->failure_logged = TRUE; /* history is no reason to stop watching */
        log_line(LOG_ERR, "The history %s can't be written: %s", file->path, g_strerror(errno));
    }
}
