/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_TRIAL_H
#define UNDERSTUDY_TRIAL_H

#include <glib.h>

/* A server's probes tried before they are believed: once from this host, and then as the other hosts see it. */
typedef struct trial {
    const char *probes;          /* as the parameters of the image, each may be NULL */
    const char *recover_probe;
    const char *service_address;
    guint timeout_ms;            /* of one probe */
} trial_t;

/*!
 * \brief Ask the probes once from this host
 *
 * One that is down is said on stderr and no more: the server is not judged before it was seen up.
 *
 * \param[in]  trusted  the operator is sure of them: one that can't be asked is said and no more, too
 * \param[out] all_up   every probe was answered
 * \param[out] error    UNDERSTUDY_ERROR_CONFIG: one can never work, or can't be asked from here
 */
gboolean trial_run(const trial_t *trial, gboolean trusted, gboolean *all_up, GError **error);

/* Wait a moment for the observers' own answers, and say on stderr which hosts do not see the server up. */
void trial_ask_hosts(const char *server);

/*!
 * \brief Judge what the helper printed. Pure.
 *
 * \param[out] warnings  char*: sentences
 */
gboolean trial_judge(const char *json, gboolean trusted, gboolean *all_up, GPtrArray *warnings, GError **error);

#endif
