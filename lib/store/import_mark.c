/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/import_mark.h"

#include <string.h>

char *import_mark_text(const char *image_id, const char *import_id)
{
    return g_strconcat(image_id, " ", import_id, NULL);
}

const char *import_mark_import(const char *text, const char *image_id)
{
    gsize length = strlen(image_id);

    if (length == 0 || strncmp(text, image_id, length) != 0 || text[length] != ' ' || text[length + 1] == '\0') {
        return NULL;
    }
    return text + length + 1;
}
