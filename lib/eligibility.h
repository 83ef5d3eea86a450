/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether, and where, Pacemaker would run servers' images if their tickets were granted now. */
#ifndef UNDERSTUDY_ELIGIBILITY_H
#define UNDERSTUDY_ELIGIBILITY_H

#include <glib.h>
#include <libxml/tree.h>

typedef struct eligibility eligibility_t;

/*
 * Comes once for each of the servers that the CIB knows, and then with server NULL: the question is gone.
 * host: where the image would start, or runs already. NULL: nowhere, and reason is a sentence with what holds it back,
 * by name. All are valid for the call only.
 */
typedef void (*eligibility_told_fn)(const char *server, const char *host, const char *reason, gpointer user_data);

/*!
 * \brief Ask Pacemaker's scheduler, in a child process; it takes seconds with 1,000 servers
 *
 * A scheduler that does not answer in time, or can't be asked, is stood in for by our own ranking.
 *
 * \param[in] cib_xml  the <cib> element; not kept
 * \param[in] servers  NULL-terminated: all their tickets at once, so that they share what room there is
 * \param[in] told     comes from the main loop, at the latest shortly after timeout_ms
 * \return question, or NULL with an error: the CIB can't be read, or knows none of the servers
 */
eligibility_t *eligibility_ask(xmlNode *cib_xml, const char *const *servers, guint timeout_ms,
                               eligibility_told_fn told, gpointer user_data, GError **error);
/* told() does not come, and the question is gone. */
void eligibility_cancel(eligibility_t *question);

#endif
