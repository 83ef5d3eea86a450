/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/names.h"

#include <string.h>

gboolean server_name_is_valid(const char *name)
{
    if (name == NULL || !g_ascii_isalnum(name[0]) || strlen(name) > SERVER_NAME_MAX) {
        return FALSE;
    }
    for (const char *c = name; *c != '\0'; c++) {
        if (!g_ascii_isalnum(*c) && strchr("._-", *c) == NULL) {
            return FALSE;
        }
    }
    return TRUE;
}

char *server_resource_id(const char *server)
{
    return g_strconcat(IMAGE_RESOURCE_PREFIX, server, NULL);
}

char *server_ticket_id(const char *server)
{
    return g_strconcat(TICKET_PREFIX, server, NULL);
}

char *server_run_image_name(const char *server, unsigned disk_index)
{
    return g_strdup_printf(RUN_IMAGE_PREFIX "%s-%u", server, disk_index);
}

char *kept_image_name(const char *run_image, unsigned generation)
{
    return g_strdup_printf("%s.%u", run_image, generation);
}

gboolean kept_image_generation(const char *image, const char *run_image, unsigned *generation)
{
    size_t prefix_bytes = strlen(run_image);
    guint64 number = 0;

    if (strncmp(image, run_image, prefix_bytes) != 0 || image[prefix_bytes] != '.'
        || !g_ascii_string_to_unsigned(image + prefix_bytes + 1, 10, 1, G_MAXUINT - 1, &number, NULL)) {
        return FALSE;
    }
    *generation = (unsigned) number;
    return TRUE;
}

static const char *text_after_prefix(const char *text, const char *prefix)
{
    if (text == NULL || !g_str_has_prefix(text, prefix) || text[strlen(prefix)] == '\0') {
        return NULL;
    }
    return text + strlen(prefix);
}

const char *resource_id_server(const char *resource_id)
{
    return text_after_prefix(resource_id, IMAGE_RESOURCE_PREFIX);
}

const char *ticket_id_server(const char *ticket_id)
{
    return text_after_prefix(ticket_id, TICKET_PREFIX);
}
