/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether, and where, Pacemaker would run servers' images if their tickets were granted now. */
#ifndef UNDERSTUDY_ELIGIBILITY_H
#define UNDERSTUDY_ELIGIBILITY_H

#include <glib.h>
#include <libxml/tree.h>

typedef struct eligibility eligibility_t;

/* All that want room at once. NULL-terminated, kept for the call only. */
typedef struct eligibility_servers {
    const char *const *asked;
    const char *const *promised;  /* were told that there is room for them, and may have a takeover yet */
    const char *const *isolated;  /* their images are about to start */
} eligibility_servers_t;

/*
 * Comes once for each of the servers that were asked for and that the CIB knows, and then with server NULL: the question is gone.
 * host: where the image would start, or runs already. NULL: nowhere, and reason is a sentence with what holds it back,
 * by name. All are valid for the call only.
 */
typedef void (*eligibility_told_fn)(const char *server, const char *host, const char *reason, gpointer user_data);

/*!
 * \brief Ask Pacemaker's scheduler, in a child process; it takes seconds with 1,000 servers
 *
 * A scheduler that does not answer in time, or can't be asked, is stood in for by our own ranking. Nobody is told of room
 * that one of the isolated or promised would lose by it.
 *
 * \param[in] cib_xml  the <cib> element; not kept
 * \param[in] servers  all their tickets at once, so that they share what room there is
 * \param[in] told     comes from the main loop, at the latest shortly after timeout_ms
 * \return question, or NULL with an error: the CIB can't be read, or knows none of those that are asked for
 */
eligibility_t *eligibility_ask(xmlNode *cib_xml, const eligibility_servers_t *servers, guint timeout_ms,
                               eligibility_told_fn told, gpointer user_data, GError **error);
/* told() does not come, and the question is gone. */
void eligibility_cancel(eligibility_t *question);

#endif
