/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a host makes of its own fence: whether it has outlived one, and when it may say that nothing is left on it. */
#ifndef UNDERSTUDY_OWN_FENCE_H
#define UNDERSTUDY_OWN_FENCE_H

#include <glib.h>

#include "store/registry.h"

/*
 * Clocks of different hosts are never compared: a fence is told from another by
 * its id, a boot by the kernel's, and time is counted here, from when this host
 * has first seen the fence.
 */
typedef struct own_fence_note {
    char *executor;       /* Pacemaker's executor at the last look, "" before the first one */
    char **fence_ids;     /* the fences of this boot that were in force when some were last, maybe none */
    gint64 seen_at_s;     /* when the newest of them was first seen, CLOCK_BOOTTIME */
    gboolean is_in_force; /* some were at the last look */
    gboolean is_said;     /* that nothing is left here since */
    gboolean is_refused;  /* the store refuses this host for a fence, of whatever boot, as far as it has said */
    char **events;        /* the fencer's successes with this host, as they were at the last look */
} own_fence_note_t;

/* A text that can't be read is that of a host that has not looked yet. Free with own_fence_note_free(). */
own_fence_note_t *own_fence_note_parse(const char *text);
char *own_fence_note_text(const own_fence_note_t *note);
void own_fence_note_free(own_fence_note_t *note);

/*!
 * \brief Whether the store must be asked
 *
 * \param[in] executor  identity of Pacemaker's executor here
 * \param[in] events    the fencer's successes, opaque
 */
gboolean own_fence_must_look(const own_fence_note_t *note, const char *executor, char **events);

typedef enum {
    OWN_FENCE_NONE,      /* this boot is not fenced */
    OWN_FENCE_OUTLIVED,  /* it was fenced while Pacemaker ran here, and Pacemaker goes on */
    OWN_FENCE_WAIT,      /* it waits to be unfenced */
    OWN_FENCE_SAY_EMPTY, /* likewise, and no start from before can still be under way: look, and say so */
} own_fence_step_t;

/*!
 * \brief Take in what the store says
 *
 * \param[in,out] note    brought up to date but for is_said
 * \param[in]     fences  registry_fence_t*: this host's that are in force, two if two hosts have fenced it at once
 * \param[in]     now_s   CLOCK_BOOTTIME
 */
own_fence_step_t own_fence_step(own_fence_note_t *note, const GPtrArray *fences, const char *boot_id,
                                const char *executor, char **events, gint64 now_s);

/*!
 * \brief Take in whether the store refuses this host
 *
 * \param[in] fences     how many of this host's are in force, of whatever boot: without any it is not refused
 * \param[in] is_listed  whether its blocklist covers this host; NULL: it has not said, what was known stands
 */
void own_fence_take_refusal(own_fence_note_t *note, guint fences, const gboolean *is_listed);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(own_fence_note_t, own_fence_note_free)

#endif
