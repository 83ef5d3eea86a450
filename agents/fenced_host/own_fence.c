/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fenced_host/own_fence.h"

#include <string.h>

#define GROUP "fence"

static char *key_text(GKeyFile *file, const char *key)
{
    g_autofree char *text = g_key_file_get_string(file, GROUP, key, NULL);

    return g_strdup(text != NULL ? text : "");
}

static char **key_texts(GKeyFile *file, const char *key)
{
    char **texts = g_key_file_get_string_list(file, GROUP, key, NULL, NULL);

    if (texts == NULL) {
        texts = g_new0(char *, 1);
    }
    return texts;
}

/* An earlier version knew one fence. */
static char **fence_ids_read(GKeyFile *file)
{
    g_autofree char *id = key_text(file, "id");
    const char *one[] = { id, NULL };

    return id[0] != '\0' ? g_strdupv((char **) one) : key_texts(file, "ids");
}

own_fence_note_t *own_fence_note_parse(const char *text)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    own_fence_note_t *note = g_new0(own_fence_note_t, 1);

    (void) g_key_file_load_from_data(file, text, (gsize) -1, G_KEY_FILE_NONE, NULL);
    note->executor = key_text(file, "executor");
    note->fence_ids = fence_ids_read(file);
    note->seen_at_s = g_key_file_get_int64(file, GROUP, "seen_at_s", NULL);
    note->is_in_force = g_key_file_get_boolean(file, GROUP, "in_force", NULL);
    note->is_said = g_key_file_get_boolean(file, GROUP, "said", NULL);
    note->is_refused = g_key_file_get_boolean(file, GROUP, "refused", NULL);
    note->events = key_texts(file, "events");
    return note;
}

char *own_fence_note_text(const own_fence_note_t *note)
{
    g_autoptr(GKeyFile) file = g_key_file_new();

    g_key_file_set_string(file, GROUP, "executor", note->executor);
    g_key_file_set_string_list(file, GROUP, "ids", (const char *const *) note->fence_ids, g_strv_length(note->fence_ids));
    g_key_file_set_int64(file, GROUP, "seen_at_s", note->seen_at_s);
    g_key_file_set_boolean(file, GROUP, "in_force", note->is_in_force);
    g_key_file_set_boolean(file, GROUP, "said", note->is_said);
    g_key_file_set_boolean(file, GROUP, "refused", note->is_refused);
    g_key_file_set_string_list(file, GROUP, "events", (const char *const *) note->events, g_strv_length(note->events));
    return g_key_file_to_data(file, NULL, NULL);
}

void own_fence_note_free(own_fence_note_t *note)
{
    if (note != NULL) {
        g_free(note->executor);
        g_strfreev(note->fence_ids);
        g_strfreev(note->events);
        g_free(note);
    }
}

gboolean own_fence_must_look(const own_fence_note_t *note, const char *executor, char **events)
{
    if (note->is_in_force || note->is_refused || strcmp(note->executor, executor) != 0) {
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
    return fence->is_in_force && (fence->boot_id[0] == '\0' || strcmp(fence->boot_id, boot_id) == 0);
}

/* Those that are of this boot become the ones that were seen last: TRUE if one of them was not. */
static gboolean ids_take(own_fence_note_t *note, const GPtrArray *fences, const char *boot_id, gint64 *timeout_s)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    gboolean is_new = FALSE;

    note->is_in_force = FALSE;
    *timeout_s = 0;
    for (guint i = 0; i < fences->len; i++) {
        const registry_fence_t *fence = g_ptr_array_index(fences, i);

        if (is_of_this_boot(fence, boot_id)) {
            note->is_in_force = TRUE;
            is_new = is_new || !g_strv_contains((const char *const *) note->fence_ids, fence->id);
            *timeout_s = MAX(*timeout_s, fence->start_timeout_s);
            g_strv_builder_add(builder, fence->id);
        }
    }
    if (note->is_in_force) {
        g_strfreev(note->fence_ids);
        note->fence_ids = g_strv_builder_end(builder);
    }
    return is_new;
}

own_fence_step_t own_fence_step(own_fence_note_t *note, const GPtrArray *fences, const char *boot_id,
                                const char *executor, char **events, gint64 now_s)
{
    /* Pacemaker that has begun since knows that it was fenced: it waits to be unfenced. */
    gboolean is_new_executor = strcmp(note->executor, executor) != 0;
    gint64 timeout_s = 0;
    gboolean is_new = ids_take(note, fences, boot_id, &timeout_s);

    text_set(&note->executor, executor);
    g_strfreev(note->events);
    note->events = g_strdupv(events);
    if (!note->is_in_force) {
        return OWN_FENCE_NONE;
    }
    if (is_new) {
        note->seen_at_s = now_s;
        note->is_said = FALSE;
        if (!is_new_executor) {
            return OWN_FENCE_OUTLIVED;
        }
    }
    return !note->is_said && now_s - note->seen_at_s >= timeout_s ? OWN_FENCE_SAY_EMPTY : OWN_FENCE_WAIT;
}

void own_fence_take_refusal(own_fence_note_t *note, guint fences, const gboolean *is_listed)
{
    if (fences == 0) {
        note->is_refused = FALSE;
    } else if (is_listed != NULL) {
        note->is_refused = *is_listed;
    }
}
