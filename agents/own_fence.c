/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "own_fence.h"

#include <string.h>

#define GROUP "fence"

static char *key_text(GKeyFile *file, const char *key)
{
    g_autofree char *text = g_key_file_get_string(file, GROUP, key, NULL);

    return g_strdup(text != NULL ? text : "");
}

own_fence_note_t *own_fence_note_parse(const char *text)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    own_fence_note_t *note = g_new0(own_fence_note_t, 1);

    (void) g_key_file_load_from_data(file, text, (gsize) -1, G_KEY_FILE_NONE, NULL);
    note->executor = key_text(file, "executor");
    note->fence_id = key_text(file, "id");
    note->seen_at_s = g_key_file_get_int64(file, GROUP, "seen_at_s", NULL);
    note->is_in_force = g_key_file_get_boolean(file, GROUP, "in_force", NULL);
    note->is_said = g_key_file_get_boolean(file, GROUP, "said", NULL);
    note->events = g_key_file_get_string_list(file, GROUP, "events", NULL, NULL);
    if (note->events == NULL) {
        note->events = g_new0(char *, 1);
    }
    return note;
}

char *own_fence_note_text(const own_fence_note_t *note)
{
    g_autoptr(GKeyFile) file = g_key_file_new();

    g_key_file_set_string(file, GROUP, "executor", note->executor);
    g_key_file_set_string(file, GROUP, "id", note->fence_id);
    g_key_file_set_int64(file, GROUP, "seen_at_s", note->seen_at_s);
    g_key_file_set_boolean(file, GROUP, "in_force", note->is_in_force);
    g_key_file_set_boolean(file, GROUP, "said", note->is_said);
    g_key_file_set_string_list(file, GROUP, "events", (const char *const *) note->events, g_strv_length(note->events));
    return g_key_file_to_data(file, NULL, NULL);
}

void own_fence_note_free(own_fence_note_t *note)
{
    if (note != NULL) {
        g_free(note->executor);
        g_free(note->fence_id);
        g_strfreev(note->events);
        g_free(note);
    }
}

gboolean own_fence_must_look(const own_fence_note_t *note, const char *executor, char **events)
{
    if (note->is_in_force || strcmp(note->executor, executor) != 0) {
        return TRUE;
    }
    for (char **event = events; *event != NULL; event++) {
        if (!g_strv_contains((const char *const *) note->events, *event)) {
            return TRUE;
        }
    }
    return FALSE;
}

static void text_set(char **field, const char *text)
{
    g_free(*field);
    *field = g_strdup(text);
}

/* A fence whose record names no boot may be of this one. */
static gboolean is_of_this_boot(const registry_fence_t *fence, const char *boot_id)
{
    return fence != NULL && fence->is_in_force && (fence->boot_id[0] == '\0' || strcmp(fence->boot_id, boot_id) == 0);
}

own_fence_step_t own_fence_step(own_fence_note_t *note, const registry_fence_t *fence, const char *boot_id,
                                const char *executor, char **events, gint64 now_s)
{
    /* Pacemaker that has begun since knows that it was fenced: it waits to be unfenced. */
    gboolean is_new_executor = strcmp(note->executor, executor) != 0;

    text_set(&note->executor, executor);
    g_strfreev(note->events);
    note->events = g_strdupv(events);
    note->is_in_force = is_of_this_boot(fence, boot_id);
    if (!note->is_in_force) {
        return OWN_FENCE_NONE;
    }
    if (strcmp(note->fence_id, fence->id) != 0) {
        text_set(&note->fence_id, fence->id);
        note->seen_at_s = now_s;
        note->is_said = FALSE;
        if (!is_new_executor) {
            return OWN_FENCE_OUTLIVED;
        }
    }
    return !note->is_said && now_s - note->seen_at_s >= fence->start_timeout_s ? OWN_FENCE_SAY_EMPTY : OWN_FENCE_WAIT;
}
