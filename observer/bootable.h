/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a start could boot what the store holds of a server: asked of the image agent, in a child process. */
#ifndef UNDERSTUDY_BOOTABLE_H
#define UNDERSTUDY_BOOTABLE_H

#include <glib.h>

typedef struct bootable bootable_t;

/* obstacle: why no host could boot it before an operator changes something; NULL: one could, or that is not known. */
typedef void (*bootable_told_fn)(const char *server, const char *obstacle, gpointer user_data);

bootable_t *bootable_new(bootable_told_fn told, gpointer user_data);
/* told() does not come any more. */
void bootable_free(bootable_t *bootable);

/* told() follows from the main loop, at the latest after 20 s, and once however often it was asked for meanwhile.
 * params: char* -> char*, of the resource; a reference is kept. */
void bootable_ask(bootable_t *bootable, const char *server, const char *resource_id, GHashTable *params);

#endif
