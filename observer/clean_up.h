/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has Pacemaker forget failed starts of images, beside the main loop. */
#ifndef UNDERSTUDY_CLEAN_UP_H
#define UNDERSTUDY_CLEAN_UP_H

#include <glib.h>

typedef struct clean_up clean_up_t;

clean_up_t *clean_up_new(void);
/* Ends what runs. */
void clean_up_free(clean_up_t *clean_up);

/* Says in the log what happened; nothing while the same is under way already. */
void clean_up_start(clean_up_t *clean_up, const char *resource_id, const char *host);

#endif
