/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_TEXT_TABLE_H
#define UNDERSTUDY_TEXT_TABLE_H

#include <glib.h>

/* Columns that line up, two blanks between them. */
typedef struct text_table text_table_t;

text_table_t *text_table_new(void);
/* One row: texts, then NULL. The texts are copied; NULL in the middle is not possible, write "". */
void text_table_row(text_table_t *table, const char *first, ...) G_GNUC_NULL_TERMINATED;
/* Appends the table and frees it. */
void text_table_append(text_table_t *table, GString *out);

#endif
