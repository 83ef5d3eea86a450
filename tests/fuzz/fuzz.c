/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

#include <stdlib.h>

/* abort(), where GLib's own way to be fatal is a signal that libFuzzer does not catch. */
static GLogWriterOutput end_at_criticals(GLogLevelFlags level, const GLogField *fields, gsize count, gpointer user_data)
{
    if ((level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) != 0) {
        (void) g_log_writer_standard_streams(level, fields, count, user_data);
        abort();
    }
    return G_LOG_WRITER_HANDLED;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    g_log_set_writer_func(end_at_criticals, NULL, NULL);
    return 0;
}

char *fuzz_text(const uint8_t *data, size_t size_bytes)
{
    return g_strndup((const char *) data, size_bytes);
}

GHashTable *fuzz_pairs(const uint8_t *data, size_t size_bytes)
{
    GHashTable *pairs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autofree char *text = fuzz_text(data, size_bytes);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line != NULL; line++) {
        g_auto(GStrv) pair = g_strsplit(*line, "=", 2);

        if (g_strv_length(pair) == 2) {
            g_hash_table_insert(pairs, g_strdup(pair[0]), g_strdup(pair[1]));
        }
    }
    return pairs;
}

void fuzz_check_outcome(gboolean good, GError *error)
{
    FUZZ_CHECK(good == (error == NULL));
    FUZZ_CHECK(error == NULL || (error->message != NULL && error->message[0] != '\0'));
    g_clear_error(&error);
}
