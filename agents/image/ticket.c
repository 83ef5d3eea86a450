/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/ticket.h"

#include "base/module.h"

gboolean ticket_ask(const char *resource_id, const char *ticket_id, guint timeout_ms, ticket_answer_t *answer,
                    GError **error)
{
    const ticket_ops_t *ops = module_load(TICKET_MODULE_FILE, TICKET_MODULE_SYMBOL, error);

    return ops != NULL && ops->ask(resource_id, ticket_id, timeout_ms, answer, error);
}
