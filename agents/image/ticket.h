/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_TICKET_H
#define UNDERSTUDY_TICKET_H

#include "image/ticket_answer.h"

/*
 * Whether the cluster wants an image to run. Pacemaker starts none whose ticket
 * is not granted, as long as its constraint is there; a start by hand, or one
 * without the constraint, asks nobody: so the start itself asks. In a module: it
 * runs Pacemaker's own commands with a deadline, and reads XML.
 */
#define TICKET_MODULE_FILE   "ticket.so"
#define TICKET_MODULE_SYMBOL "understudy_ticket_ops"

typedef struct ticket_ops {
    gboolean (*ask)(const char *resource_id, const char *ticket_id, guint timeout_ms, ticket_answer_t *answer,
                    GError **error);
} ticket_ops_t;

/*!
 * \brief Ask the cluster's DC once, which decides what is started, by its own copy of the CIB
 *
 * This host's copy may be a moment behind it.
 *
 * \return FALSE if it could not be asked, whatever the reason: that says nothing of the ticket
 */
gboolean ticket_ask(const char *resource_id, const char *ticket_id, guint timeout_ms, ticket_answer_t *answer,
                    GError **error);

#endif
