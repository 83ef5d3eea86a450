/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose images need a host, as one question to the scheduler names them: pure. */
#ifndef UNDERSTUDY_PROMISES_H
#define UNDERSTUDY_PROMISES_H

#include <glib.h>

typedef struct promises {
    char **asked;    /* whether there is room for these is the question */
    char **isolated; /* are being isolated: their room is taken */
    char **promised; /* have been told that there is room, or will be once the store has answered, too */
} promises_t;

/*!
 * \param[in] asked      set of names
 * \param[in] looked_at  set of names: the scheduler has room for them, and the store has not answered yet
 * \param[in] isolated   NULL-terminated names
 * \param[in] told       NULL-terminated names: can be taken over, and may be soon
 * \return each server in one of the lists, in the first that applies of asked, isolated, promised; promises_free()
 */
promises_t *promises_new(GHashTable *asked, GHashTable *looked_at, const char *const *isolated, const char *const *told);
void promises_free(promises_t *promises);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(promises_t, promises_free)

#endif
