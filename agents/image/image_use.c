/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/image_use.h"

#include <string.h>

static const char *const state_names[] = { "runs", "ended", "superseded" };

enum { FIELD_STATE, FIELD_POINT, FIELD_TAKEOVER, FIELD_COUNT };

char *image_use_text(const image_use_t *use)
{
    return g_strdup_printf("%s %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT, state_names[use->state], use->point_id, use->takeover);
}

static gboolean state_parse(const char *name, image_use_state_t *state)
{
    for (gsize i = 0; i < G_N_ELEMENTS(state_names); i++) {
        if (strcmp(state_names[i], name) == 0) {
            *state = (image_use_state_t) i;
            return TRUE;
        }
    }
    return FALSE;
}

gboolean image_use_parse(const char *text, image_use_t *use)
{
    g_auto(GStrv) fields = g_strsplit(text != NULL ? text : "", " ", -1);

    return g_strv_length(fields) == FIELD_COUNT && state_parse(fields[FIELD_STATE], &use->state)
           && g_ascii_string_to_unsigned(fields[FIELD_POINT], 10, 0, G_MAXUINT64, &use->point_id, NULL)
           && g_ascii_string_to_signed(fields[FIELD_TAKEOVER], 10, 0, G_MAXINT64, &use->takeover, NULL);
}

gboolean image_use_is_before(const image_use_t *use, gint64 takeover, guint64 point_id)
{
    if (use == NULL) {
        return FALSE;
    }
    if (use->state == IMAGE_USE_SUPERSEDED) {
        return TRUE;
    }
    if (takeover != 0 && use->takeover == takeover) {
        return FALSE;
    }
    if (use->state == IMAGE_USE_RUNS && (takeover == 0 || use->takeover == 0)) {
        return FALSE;
    }
    return point_id > use->point_id;
}
