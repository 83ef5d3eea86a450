/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/image_gate.h"

#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "base/names.h"
#include "image/image_copy.h"
#include "image/ticket.h"

#define AGAIN_MS          250
/* One question to the cluster. */
#define TICKET_ASK_MS     5000
/* A DC that has just taken over may hear of the last changes a moment later. */
#define TICKET_SETTLE_MS  1000
/* A machine that has the address answers within milliseconds. */
#define ADDRESS_LISTEN_MS   300
/* A server that is powered off, or a guest that is fenced, may answer for a moment longer. */
#define ADDRESS_PATIENCE_MS 10000
/* To end the image's copies on hosts that the store has fenced; a start that can't still has the patience before it. */
#define COPIES_END_MS       5000
/* Questions to whoever else may have the address. */
#define OTHERS_ROUNDS       3U

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
static gboolean ticket_look(const image_identity_t *identity, const char *ticket, gint64 deadline_us, gboolean *may,
                            gint64 *takeover, GError **error)
{
    gint64 left_ms = (deadline_us - g_get_monotonic_time()) / 1000;
    ticket_answer_t answer = { .granted = FALSE };

    if (!ticket_ask(identity->domain_name, ticket, (guint) CLAMP(left_ms, 1, TICKET_ASK_MS), &answer, error)) {
        g_prefix_error(error, "whether %s is granted could not be asked of the cluster: ", ticket);
        (*error)->domain = UNDERSTUDY_ERROR;
        (*error)->code = UNDERSTUDY_ERROR_TIMEOUT;
        return FALSE;
    }
    *may = answer.granted || !answer.manages;
    *takeover = answer.granted ? answer.granted_at : 0;
    return TRUE;
}

gboolean image_ticket_check(const ocf_call_t *call, const image_identity_t *identity, gint64 *takeover, GError **error)
{
    g_autofree char *ticket = ticket_of_start(identity);
    /* Half of what is left: the other half is for the start itself. */
    gint64 deadline_us = g_get_monotonic_time() + ocf_call_remaining_ms(call, 0) * 500LL;
    gint64 refused_us = 0; /* since when all answers were that it is not granted */
    gboolean may = FALSE;

    while (!may) {
        gint64 now_us = g_get_monotonic_time();
        GError *look_error = NULL;
        gboolean known = ticket_look(identity, ticket, deadline_us, &may, takeover, &look_error);
        gboolean in_time = g_get_monotonic_time() < deadline_us;

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

/* The service address ------------------------------------------------------*/

address_probe_t *image_address_ask(const ocf_call_t *call, const char *bridge)
{
    const char *address = ocf_value_string(call->values, "service_address");
    address_probe_t *probe = address != NULL && bridge != NULL ? address_probe_open(bridge, address, NULL, NULL) : NULL;

    if (probe != NULL) {
        (void) address_probe_ask(probe, NULL); /* image_address_check() asks again, and says what is wrong */
    }
    return probe;
}

/* Who answers within the time; mac[0] is '\0' if nobody does. */
static gboolean address_listen(address_probe_t *probe, guint listen_ms, char *mac, GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + listen_ms * 1000LL;
    struct pollfd wait = { .fd = address_probe_fd(probe), .events = POLLIN };
    gint64 left_ms = listen_ms;
    neighbour_sight_t sight = NEIGHBOUR_NOTHING;

    if (!address_probe_ask(probe, error)) {
        return FALSE;
    }
    while (sight < NEIGHBOUR_HAS && left_ms > 0) {
        (void) poll(&wait, 1, (int) left_ms); /* interrupted or not: what has come in is taken */
        sight = address_probe_hear(probe, mac, NULL);
        left_ms = (deadline_us - g_get_monotonic_time() + 999) / 1000;
    }
    if (sight < NEIGHBOUR_HAS) {
        mac[0] = '\0';
    }
    return TRUE;
}

/* Who still answers when the patience is over. */
static gboolean address_watch(address_probe_t *probe, guint patience_ms, char *mac, GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + patience_ms * 1000LL;
    gboolean asked = address_listen(probe, ADDRESS_LISTEN_MS, mac, error);

    while (asked && mac[0] != '\0' && g_get_monotonic_time() < deadline_us) {
        g_usleep(AGAIN_MS * 1000);
        asked = address_listen(probe, ADDRESS_LISTEN_MS, mac, error);
    }
    return asked;
}

/* Who answers beside the machine with that MAC: what comes from the MAC that a probe asks from, it does not hear. */
static gboolean others_listen(const char *bridge, const char *address, const char *mac, char *who, GError **error)
{
    guint8 bytes[NEIGHBOUR_MAC_BYTES] = { 0 };
    address_probe_t *probe = neighbour_mac_parse(mac, bytes) ? address_probe_open(bridge, address, bytes, error) : NULL;
    gboolean asked = probe != NULL;

    for (guint i = 0; asked && i < OTHERS_ROUNDS && (i == 0 || who[0] == '\0'); i++) {
        asked = address_listen(probe, ADDRESS_LISTEN_MS, who, error);
    }
    address_probe_close(probe);
    return asked;
}

/* After the patience somebody answers still. A copy that the store refuses, on a host that can't be reached, must not keep
 * the image from serving: nobody would. Only the MAC that is derived from the server's name tells it from the original,
 * which may have one that an operator has set. */
static gboolean answer_is_borne(const image_identity_t *identity, const char *bridge, const char *address,
                                const char *copies, char *who, GError **error)
{
    if (copies == NULL || g_ascii_strcasecmp(who, identity->mac) != 0) {
        return FALSE;
    }
    ocf_log("%s, THE IMAGE'S OWN MAC, ANSWERS FOR %s: a copy of it runs on a host that the store has fenced (%s), whose "
            "libvirtd can't be reached. It can't write, but clients may find it: power that host off", who, address, copies);
    return others_listen(bridge, address, identity->mac, who, error) && who[0] == '\0';
}

/* Somebody answers: FALSE if he does not stop, and must. */
static gboolean answer_settle(const ocf_call_t *call, const image_identity_t *identity, address_probe_t *probe,
                              const char *bridge, char *who, GError **error)
{
    const char *address = ocf_value_string(call->values, "service_address");
    gboolean must = strcmp(ocf_value_string(call->values, "isolate"), "best-effort") != 0;
    guint patience_ms = must ? MIN(ADDRESS_PATIENCE_MS, ocf_call_remaining_ms(call, 0) / 4) : 0;
    g_autofree char *copies = image_copies_end(call, identity, COPIES_END_MS);
    GError *listen_error = NULL;

    if (!address_watch(probe, patience_ms, who, error)) {
        return FALSE;
    }
    if (who[0] == '\0' || (must && answer_is_borne(identity, bridge, address, copies, who, &listen_error))) {
        return TRUE;
    }
    if (listen_error != NULL) {
        g_propagate_error(error, listen_error);
        return FALSE;
    }
    if (must) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "%s answers for %s: make sure that %s and its other images are off, then clean up this resource", who,
                    address, identity->server);
        return FALSE;
    }
    ocf_log("%s ANSWERS FOR %s: started beside it all the same, isolate is best-effort", who, address);
    return TRUE;
}

gboolean image_address_check(const ocf_call_t *call, const image_identity_t *identity, address_probe_t **probe,
                             const char *bridge, GError **error)
{
    const char *address = ocf_value_string(call->values, "service_address");
    char who[NEIGHBOUR_MAC_TEXT_BYTES] = "";

    if (address == NULL) {
        return TRUE;
    }
    if (bridge == NULL) {
        ocf_log("who has %s can't be asked: the machine is on no bridge", address);
        return TRUE;
    }
    if (*probe == NULL) {
        *probe = address_probe_open(bridge, address, NULL, error);
    }
    if (*probe == NULL || !address_listen(*probe, ADDRESS_LISTEN_MS, who, error)) {
        return FALSE;
    }
    return who[0] == '\0' || answer_settle(call, identity, *probe, bridge, who, error);
}
