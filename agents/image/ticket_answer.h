/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_TICKET_ANSWER_H
#define UNDERSTUDY_TICKET_ANSWER_H

#include <glib.h>

/* What the cluster answers when it is asked for a resource and a ticket. Pure. */
typedef struct ticket_answer {
    gboolean manages;   /* the CIB has the resource */
    gboolean granted;   /* the ticket, and it is not in standby */
    gint64 granted_at;  /* when it was granted last, by the clock of who did: to tell one grant from another; 0: not known */
} ticket_answer_t;

/* XPath of the question; NULL with UNDERSTUDY_ERROR_CONFIG if one of the ids can be none in a CIB; g_free(). */
char *ticket_question(const char *resource_id, const char *ticket_id, GError **error);

/* Read cibadmin's answer to it; FALSE with UNDERSTUDY_ERROR_FAILED if it is none. */
gboolean ticket_answer_parse(const char *xml, const char *resource_id, const char *ticket_id, ticket_answer_t *answer,
                             GError **error);

#endif
