/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image_gate.h"

#include "error.h"
#include "names.h"
#include "ticket.h"

#define AGAIN_MS          250
/* One question to the cluster. */
#define TICKET_ASK_MS     5000
/* A DC that has just taken over may hear of the last changes a moment later. */
#define TICKET_SETTLE_MS  1000

/* The ticket without which Pacemaker would not start this image. */
static char *ticket_of_start(const image_identity_t *identity)
{
    return server_ticket_id(identity->server);
}

static gboolean refuse(const image_identity_t *identity, const char *ticket, GError **error)
{
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                NO_TICKET_REASON_PREFIX "%s is not granted; \"understudy takeover %s\" isolates the server, then starts "
                "the image", ticket, identity->server);
    return FALSE;
}

/* TRUE and whether it may start; FALSE if that could not be asked. */
static gboolean ticket_look(const ocf_call_t *call, const image_identity_t *identity, const char *ticket, gboolean *may,
                            GError **error)
{
    guint left_ms = ocf_call_remaining_ms(call, call->timeout_ms / 2);
    ticket_answer_t answer = { FALSE, FALSE };

    if (!ticket_ask(identity->domain_name, ticket, CLAMP(left_ms, 1, TICKET_ASK_MS), &answer, error)) {
        g_prefix_error(error, "whether %s is granted could not be asked of the cluster: ", ticket);
        (*error)->domain = UNDERSTUDY_ERROR;
        (*error)->code = UNDERSTUDY_ERROR_TIMEOUT;
        return FALSE;
    }
    *may = answer.granted || !answer.manages;
    return TRUE;
}

gboolean image_ticket_check(const ocf_call_t *call, const image_identity_t *identity, GError **error)
{
    g_autofree char *ticket = ticket_of_start(identity);
    gint64 refused_us = 0; /* since when all answers were that it is not granted */
    gboolean may = FALSE;

    while (!may) {
        gint64 now_us = g_get_monotonic_time();
        GError *look_error = NULL;
        gboolean known = ticket_look(call, identity, ticket, &may, &look_error);
        gboolean in_time = ocf_call_remaining_ms(call, call->timeout_ms / 2) > 0;

        if (!known && !in_time) {
            g_propagate_error(error, look_error);
            return FALSE;
        }
        if (!known) {
            ocf_log("%s", look_error->message);
            g_error_free(look_error);
        }
        refused_us = !known || may ? 0 : refused_us != 0 ? refused_us : now_us;
        if (refused_us != 0 && (!in_time || now_us - refused_us >= TICKET_SETTLE_MS * 1000LL)) {
            return refuse(identity, ticket, error);
        }
        if (!may) {
            g_usleep(AGAIN_MS * 1000);
        }
    }
    return TRUE;
}
