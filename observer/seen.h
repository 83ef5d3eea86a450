/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_SEEN_H
#define UNDERSTUDY_SEEN_H

#include <glib.h>

/*
 * Keeps in the store which servers were seen up and with which probes, so that a cluster that
 * starts as a whole still takes over a server that is down by then. A helper process asks the
 * store; until it has an answer nothing is known, and it is asked again.
 */
typedef struct seen seen_t;

typedef struct seen_callbacks {
    /* What the store remembers: server -> digest; valid during the call. */
    void (*loaded)(GHashTable *stored, gpointer user_data);
    /* What is to be written: server -> digest, maybe empty; unref'd. */
    GHashTable *(*unstored)(gpointer user_data);
    /* Whether it is worth reading again now. */
    gboolean (*is_wanted)(gpointer user_data);
} seen_callbacks_t;

/* helper: path of the `seen` program; it and the other texts must live as long as this. */
seen_t *seen_new(const char *helper, const char *ceph_conf, const char *ceph_user, const seen_callbacks_t *callbacks,
                 gpointer user_data);
/* Ends the helper. */
void seen_free(seen_t *seen);
/* Something may have to be written: look soon. */
void seen_look(seen_t *seen);

#endif
