/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text_table.h"

#include <stdarg.h>

struct text_table {
    GPtrArray *rows; /* char** */
};

text_table_t *text_table_new(void)
{
    text_table_t *table = g_new0(text_table_t, 1);

    table->rows = g_ptr_array_new_with_free_func((GDestroyNotify) g_strfreev);
    return table;
}

void text_table_row(text_table_t *table, const char *first, ...)
{
    GPtrArray *cells = g_ptr_array_new();
    va_list more;

    va_start(more, first);
    for (const char *cell = first; cell != NULL; cell = va_arg(more, const char *)) {
        g_ptr_array_add(cells, g_strdup(cell));
    }
    va_end(more);
    g_ptr_array_add(cells, NULL);
    g_ptr_array_add(table->rows, g_ptr_array_free(cells, FALSE));
}

static glong column_width(const text_table_t *table, guint column)
{
    glong width = 0;

    for (guint i = 0; i < table->rows->len; i++) {
        char **cells = g_ptr_array_index(table->rows, i);

        if (column < g_strv_length(cells)) {
            width = MAX(width, g_utf8_strlen(cells[column], -1));
        }
    }
    return width;
}

static gboolean rest_is_empty(char **cells)
{
    while (*cells != NULL && **cells == '\0') {
        cells++;
    }
    return *cells == NULL;
}

void text_table_append(text_table_t *table, GString *out)
{
    for (guint i = 0; i < table->rows->len; i++) {
        char **cells = g_ptr_array_index(table->rows, i);

        for (guint column = 0; cells[column] != NULL && !rest_is_empty(cells + column); column++) {
            glong padding = column_width(table, column) - g_utf8_strlen(cells[column], -1);

            g_string_append(out, cells[column]);
            if (!rest_is_empty(cells + column + 1)) {
                g_string_append_printf(out, "%*s", (int) padding + 2, "");
            }
        }
        g_string_append_c(out, '\n');
    }
    g_ptr_array_unref(table->rows);
    g_free(table);
}
