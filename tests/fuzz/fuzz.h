/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FUZZ_H
#define UNDERSTUDY_FUZZ_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the fuzz targets share. A target reads one input with one parser and
 * checks what must hold of the result. fuzz.c makes GLib's criticals fatal: a
 * library that complains about a NULL is a bug of ours.
 */

/* What libFuzzer calls; each target has one. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* The input as a text; g_free(). */
char *fuzz_text(const uint8_t *data, size_t size_bytes);

/* The lines NAME=VALUE of the input; char* -> char*, unref. */
GHashTable *fuzz_pairs(const uint8_t *data, size_t size_bytes);

/* A parser fails with a sentence or succeeds without an error. Frees the error. */
void fuzz_check_outcome(gboolean good, GError *error);

/* As assert(), in builds without it too. */
#define FUZZ_CHECK(condition) g_assert_true(condition)

#endif
