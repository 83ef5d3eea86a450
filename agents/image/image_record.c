/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/image_record.h"

#include <errno.h>
#include <string.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "run_dir.h"

#define GROUP       "image"
#define FILE_PREFIX "image-"
#define FILE_SUFFIX ".state"

static char *record_path(const char *domain_name)
{
    g_autofree char *file = g_strconcat(FILE_PREFIX, domain_name, FILE_SUFFIX, NULL);

    return g_build_filename(UNDERSTUDY_RUN_DIR, file, NULL);
}

image_record_t *image_record_new(const char *ceph_conf, const char *ceph_user, char **run_images)
{
    image_record_t *record = g_new0(image_record_t, 1);

    record->ceph_conf = g_strdup(ceph_conf);
    record->ceph_user = g_strdup(ceph_user);
    record->run_images = g_strdupv(run_images);
    record->clients = g_ptr_array_new_with_free_func(g_free);
    return record;
}

void image_record_free(image_record_t *record)
{
    if (record == NULL) {
        return;
    }
    g_free(record->ceph_conf);
    g_free(record->ceph_user);
    g_strfreev(record->run_images);
    g_ptr_array_unref(record->clients);
    g_free(record->server);
    g_free(record->start_id);
    g_free(record->placed_start_id);
    g_free(record->secret_uuid);
    g_free(record->unanswered);
    g_free(record);
}

image_record_t *image_record_load(const char *domain_name)
{
    g_autofree char *path = record_path(domain_name);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *ceph_conf = NULL;
    g_autofree char *ceph_user = NULL;
    g_auto(GStrv) run_images = NULL;
    g_auto(GStrv) clients = NULL;
    image_record_t *record = NULL;

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL)) {
        return NULL;
    }
    ceph_conf = g_key_file_get_string(file, GROUP, "ceph_conf", NULL);
    ceph_user = g_key_file_get_string(file, GROUP, "ceph_user", NULL);
    run_images = g_key_file_get_string_list(file, GROUP, "run_images", NULL, NULL);
    clients = g_key_file_get_string_list(file, GROUP, "clients", NULL, NULL);
    if (ceph_conf == NULL || ceph_user == NULL || run_images == NULL) {
        return NULL;
    }
    record = image_record_new(ceph_conf, ceph_user, run_images);
    for (char **client = clients; client != NULL && *client != NULL; client++) {
        image_record_add_client(record, *client);
    }
    record->server = g_key_file_get_string(file, GROUP, "server", NULL);
    record->start_id = g_key_file_get_string(file, GROUP, "start_id", NULL);
    record->placed_start_id = g_key_file_get_string(file, GROUP, "placed_start_id", NULL);
    record->secret_uuid = g_key_file_get_string(file, GROUP, "secret_uuid", NULL);
    record->unanswered = g_key_file_get_string(file, GROUP, "unanswered", NULL);
    return record;
}

gboolean image_record_save(const image_record_t *record, const char *domain_name, GError **error)
{
    g_autofree char *path = record_path(domain_name);
    g_autoptr(GKeyFile) file = g_key_file_new();

    if (g_mkdir_with_parents(UNDERSTUDY_RUN_DIR, 0755) != 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_PERMISSION, "can't make %s: %s", UNDERSTUDY_RUN_DIR,
                    g_strerror(errno));
        return FALSE;
    }
    g_key_file_set_string(file, GROUP, "ceph_conf", record->ceph_conf);
    g_key_file_set_string(file, GROUP, "ceph_user", record->ceph_user);
    g_key_file_set_string_list(file, GROUP, "run_images", (const char *const *) record->run_images,
                               g_strv_length(record->run_images));
    g_key_file_set_string_list(file, GROUP, "clients", (const char *const *) record->clients->pdata,
                               record->clients->len);
    if (record->server != NULL) {
        g_key_file_set_string(file, GROUP, "server", record->server);
    }
    if (record->start_id != NULL) {
        g_key_file_set_string(file, GROUP, "start_id", record->start_id);
    }
    if (record->placed_start_id != NULL) {
        g_key_file_set_string(file, GROUP, "placed_start_id", record->placed_start_id);
    }
    if (record->secret_uuid != NULL) {
        g_key_file_set_string(file, GROUP, "secret_uuid", record->secret_uuid);
    }
    if (record->unanswered != NULL) {
        g_key_file_set_string(file, GROUP, "unanswered", record->unanswered);
    }
    return g_key_file_save_to_file(file, path, error);
}

gboolean image_record_request(image_record_t *record, const char *domain_name, const char *request, GError **error)
{
    g_free(record->unanswered);
    record->unanswered = g_strdup(request);
    return image_record_save(record, domain_name, error);
}

gboolean image_record_create_is_unanswered(const image_record_t *record)
{
    return record != NULL && g_strcmp0(record->unanswered, RECORD_REQUEST_CREATE) == 0;
}

void image_record_remove(const char *domain_name)
{
    g_autofree char *path = record_path(domain_name);

    (void) g_unlink(path);
}

gboolean image_record_has_client(const image_record_t *record, const char *address)
{
    return g_ptr_array_find_with_equal_func(record->clients, address, g_str_equal, NULL);
}

void image_record_add_client(image_record_t *record, const char *address)
{
    if (!image_record_has_client(record, address)) {
        g_ptr_array_add(record->clients, g_strdup(address));
    }
}

char **image_record_list(void)
{
    g_autoptr(GDir) directory = g_dir_open(UNDERSTUDY_RUN_DIR, 0, NULL);
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    const char *entry = NULL;

    while (directory != NULL && (entry = g_dir_read_name(directory)) != NULL) {
        if (g_str_has_prefix(entry, FILE_PREFIX) && g_str_has_suffix(entry, FILE_SUFFIX)) {
            g_autofree char *name = g_strndup(entry + strlen(FILE_PREFIX),
                                              strlen(entry) - strlen(FILE_PREFIX) - strlen(FILE_SUFFIX));

            g_strv_builder_add(names, name);
        }
    }
    return g_strv_builder_end(names);
}

gboolean image_record_start_is_known(const char *start_id)
{
    g_auto(GStrv) names = image_record_list();
    gboolean known = FALSE;

    for (char **name = names; *name != NULL && !known; name++) {
        image_record_t *record = image_record_load(*name);

        known = record != NULL && g_strcmp0(record->start_id, start_id) == 0;
        image_record_free(record);
    }
    return known;
}
