/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module ticket.so: crmadmin and cibadmin. */
#include "image/ticket.h"

#include "base/error.h"
#include "base/module.h"
#include "base/program.h"

extern MODULE_EXPORT const ticket_ops_t understudy_ticket_ops;

static guint left_ms(gint64 deadline_us)
{
    gint64 left = (deadline_us - g_get_monotonic_time()) / 1000;

    return left > 1 ? (guint) left : 1;
}

static gboolean command_run(const char *const *argv, gint64 deadline_us, char **output, GError **error)
{
    if (!program_run(argv, left_ms(deadline_us), output, error)) {
        g_prefix_error(error, "%s: ", argv[0]);
        return FALSE;
    }
    return TRUE;
}

/* Nobody is the DC during an election. */
static char *dc_find(gint64 deadline_us, GError **error)
{
    const char *const argv[] = { "crmadmin", "--dc_lookup", "--quiet", NULL };
    g_autofree char *dc = NULL;

    if (!command_run(argv, deadline_us, &dc, error)) {
        return NULL;
    }
    if (dc[0] == '\0') {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "the cluster has no DC at the moment");
        return NULL;
    }
    return g_steal_pointer(&dc);
}

static gboolean ask(const char *resource_id, const char *ticket_id, guint timeout_ms, ticket_answer_t *answer,
                    GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;
    g_autofree char *question = ticket_question(resource_id, ticket_id, error);
    g_autofree char *dc = question != NULL ? dc_find(deadline_us, error) : NULL;
    const char *const argv[] = { "cibadmin", "--query", "--node", dc, "--xpath", question, NULL };
    g_autofree char *text = NULL;

    return dc != NULL && command_run(argv, deadline_us, &text, error)
           && ticket_answer_parse(text, resource_id, ticket_id, answer, error);
}

const ticket_ops_t understudy_ticket_ops = { .ask = ask };
