/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMPORT_MARK_H
#define UNDERSTUDY_IMPORT_MARK_H

#include <glib.h>

/*
 * What an image says of itself while an import writes it. The name alone says nothing: anybody may have an image that is
 * called so. The mark names the image's own id beside the import's, because librbd copies metadata to copies and clones,
 * which are somebody else's. Pure.
 */
char *import_mark_text(const char *image_id, const char *import_id);

/* The import that has marked the image with this id, inside the argument; NULL: the text is no mark, or of another image. */
const char *import_mark_import(const char *text, const char *image_id);

#endif
