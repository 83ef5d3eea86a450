/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Pacemaker's fencer has under way: it can't be taken back, whoever has asked for it. */
#ifndef UNDERSTUDY_FENCING_H
#define UNDERSTUDY_FENCING_H

#include "cluster/cluster_state.h"

/*!
 * \brief The names of all that a fencing is under way of, servers and hosts
 *
 * Asks a helper, for a few seconds at most. Asks nobody if the CIB is a file.
 *
 * \return NULL with an error: the fencer did not say; g_strfreev()
 */
char **fencing_pending(GError **error);

/* Whether names has it, as the fencer compares them: without regard to case. */
gboolean fencing_names(const char *const *names, const char *name);

/*!
 * \brief What is being fenced, and is neither a node nor a server that is protected
 *
 * \param[in] names  fencing_pending()
 * \return char*: a sentence each, frees its elements
 */
GPtrArray *fencing_strays(const cluster_state_t *cluster, const char *const *names);

/*!
 * \brief Whether a server may be forgotten, as far as its power switch is concerned
 *
 * \param[in] verdict  the observers' verdict, or NULL: they do not say
 * \param[in] names    fencing_pending(), or NULL: the fencer did not say
 * \return why it may not, or NULL; g_free()
 */
char *fencing_keeps(const char *server, const char *verdict, const char *const *names);

/* Whether an isolation may begin, or has begun, that is not listed by the fencer yet. */
gboolean fencing_may_come(const char *verdict);

#endif
