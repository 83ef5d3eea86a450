/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/domain_status.h"

#include <string.h>

#define STATUS_SUFFIX ".xml"

typedef struct reader {
    domain_status_t *status;
    guint depth;
    char **text; /* where the text of the element that is open goes, or NULL */
    gboolean has_root;
    gboolean is_status;
} reader_t;

static const char *attribute(const char **names, const char **values, const char *name)
{
    for (gsize i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return values[i];
        }
    }
    return NULL;
}

static void read_root(reader_t *reader, const char *element, const char **names, const char **values)
{
    const char *pid = attribute(names, values, "pid");
    guint64 number = 0;

    reader->is_status = strcmp(element, "domstatus") == 0;
    reader->status->state = g_strdup(attribute(names, values, "state"));
    reader->status->reason = g_strdup(attribute(names, values, "reason"));
    if (pid != NULL && g_ascii_string_to_unsigned(pid, 10, 1, G_MAXINT, &number, NULL)) {
        reader->status->pid = (pid_t) number;
    }
}

static void read_job(reader_t *reader, const char **names, const char **values)
{
    const char *job = attribute(names, values, "async");

    if (reader->status->job == NULL && g_strcmp0(job, "none") != 0) {
        reader->status->job = g_strdup(job);
    }
}

/* <domstatus state pid><job async/><domain><name/><uuid/>... */
static void element_start(GMarkupParseContext *context, const char *element, const char **names, const char **values,
                          gpointer user_data, GError **error)
{
    reader_t *reader = user_data;

    (void) context;
    (void) error;
    if (reader->depth == 0 && !reader->has_root) { /* GMarkup lets a second one pass */
        reader->has_root = TRUE;
        read_root(reader, element, names, values);
    } else if (reader->depth == 1 && strcmp(element, "job") == 0) {
        read_job(reader, names, values);
    } else if (reader->depth == 2 && reader->status->name == NULL && strcmp(element, "name") == 0) {
        reader->text = &reader->status->name;
    } else if (reader->depth == 2 && reader->status->uuid == NULL && strcmp(element, "uuid") == 0) {
        reader->text = &reader->status->uuid;
    }
    reader->depth++;
}

static void element_end(GMarkupParseContext *context, const char *element, gpointer user_data, GError **error)
{
    reader_t *reader = user_data;

    (void) context;
    (void) element;
    reader->depth--;
    reader->text = NULL;
    if (reader->status->name != NULL && reader->status->uuid != NULL) {
        /* Nothing that matters comes after these two: the rest is not read. */
        g_set_error_literal(error, G_MARKUP_ERROR, G_MARKUP_ERROR_UNKNOWN_ELEMENT, "enough");
    }
}

static void element_text(GMarkupParseContext *context, const char *text, gsize length, gpointer user_data,
                         GError **error)
{
    reader_t *reader = user_data;

    (void) context;
    (void) error;
    if (reader->text != NULL && *reader->text == NULL) {
        *reader->text = g_strndup(text, length);
    }
}

gboolean domain_status_parse(const char *text, gsize length, domain_status_t *status)
{
    static const GMarkupParser parser = { .start_element = element_start, .end_element = element_end,
                                          .text = element_text };
    reader_t reader = { .status = status };
    GMarkupParseContext *context = g_markup_parse_context_new(&parser, 0, &reader, NULL);

    memset(status, 0, sizeof *status);
    (void) g_markup_parse_context_parse(context, text, (gssize) length, NULL);
    g_markup_parse_context_free(context);
    if (reader.is_status && status->name != NULL && status->uuid != NULL && status->state != NULL && status->pid > 0) {
        return TRUE;
    }
    domain_status_clear(status);
    return FALSE;
}

void domain_status_clear(domain_status_t *status)
{
    g_free(status->name);
    g_free(status->uuid);
    g_free(status->state);
    g_free(status->reason);
    g_free(status->job);
    memset(status, 0, sizeof *status);
}

gboolean domain_status_read(const char *name, domain_status_t *status)
{
    g_autofree char *file = g_strconcat(name, STATUS_SUFFIX, NULL);
    g_autofree char *path = g_build_filename(QEMU_RUN_DIR, file, NULL);
    g_autofree char *text = NULL;
    gsize length = 0;

    memset(status, 0, sizeof *status);
    return g_file_get_contents(path, &text, &length, NULL) && domain_status_parse(text, length, status);
}

gboolean domain_status_find(gboolean (*matches)(const domain_status_t *status, gconstpointer data), gconstpointer data,
                            domain_status_t *status)
{
    g_autoptr(GDir) directory = g_dir_open(QEMU_RUN_DIR, 0, NULL);
    const char *file = NULL;

    memset(status, 0, sizeof *status);
    while (directory != NULL && (file = g_dir_read_name(directory)) != NULL) {
        g_autofree char *name = NULL;

        if (!g_str_has_suffix(file, STATUS_SUFFIX)) {
            continue;
        }
        name = g_strndup(file, strlen(file) - strlen(STATUS_SUFFIX));
        if (domain_status_read(name, status) && matches(status, data)) {
            return TRUE;
        }
        domain_status_clear(status);
    }
    return FALSE;
}

static gboolean has_uuid(const domain_status_t *status, gconstpointer uuid)
{
    return strcmp(status->uuid, uuid) == 0;
}

gboolean domain_status_find_uuid(const char *uuid, domain_status_t *status)
{
    return domain_status_find(has_uuid, uuid, status);
}
