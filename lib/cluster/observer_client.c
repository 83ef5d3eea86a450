/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/observer_client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <qb/qbipcc.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/names.h"

static int left_ms(gint64 deadline_us)
{
    gint64 left = (deadline_us - g_get_monotonic_time()) / 1000;

    return left > 0 ? (int) MIN(left, G_MAXINT) : 0;
}

static void set_unreachable(GError **error, int errno_value)
{
    if (errno_value == ETIMEDOUT || errno_value == EAGAIN) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT,
                            "the observer of this host does not answer: see crm_mon and its log");
    } else if (errno_value == EACCES || errno_value == EPERM) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_PERMISSION,
                            "the observer refuses this user: run this as root or as a member of group haclient");
    } else {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "no observer runs on this host: start resource " OBSERVER_CLONE_ID " (%s)",
                    g_strerror(errno_value));
    }
}

static qb_ipcc_connection_t *connect_until(gint64 deadline_us, gsize message_bytes, GError **error)
{
    struct pollfd ready = { .fd = -1, .events = POLLIN };
    qb_ipcc_connection_t *connection = qb_ipcc_connect_async(OBSERVER_IPC_NAME, message_bytes, &ready.fd);
    int rc = 0;

    if (connection == NULL) {
        set_unreachable(error, errno);
        return NULL;
    }
    rc = poll(&ready, 1, left_ms(deadline_us));
    if (rc <= 0) {
        /* The library offers no way to give up such a connection but to go on
         * with it, which would block; the process that asked ends soon. */
        set_unreachable(error, rc == 0 ? ETIMEDOUT : errno);
        return NULL;
    }
    rc = qb_ipcc_connect_continue(connection); /* frees the connection if it fails */
    if (rc != 0) {
        set_unreachable(error, -rc);
        return NULL;
    }
    return connection;
}

static char *request_text(JsonObject *question)
{
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);

    json_node_set_object(root, question);
    return json_to_string(root, FALSE);
}

static gboolean send_request(qb_ipcc_connection_t *connection, JsonObject *question, GError **error)
{
    g_autofree char *text = request_text(question);
    struct qb_ipc_request_header header = { .id = 0, .size = (int32_t) (sizeof(header) + strlen(text)) };
    struct iovec parts[] = {
        { .iov_base = &header, .iov_len = sizeof(header) },
        { .iov_base = text, .iov_len = strlen(text) },
    };
    ssize_t rc = qb_ipcc_sendv(connection, parts, G_N_ELEMENTS(parts));

    if (rc < 0) {
        set_unreachable(error, (int) -rc);
    }
    return rc >= 0;
}

JsonObject *observer_answer_parse(const char *text, gsize length, GError **error)
{
    g_autofree char *terminated = g_strndup(text, length);
    g_autoptr(JsonObject) answer = json_read_object_text(terminated, "the observer's answer", error);
    const char *refusal = NULL;

    if (answer == NULL) {
        return NULL;
    }
    if (json_read_boolean(answer, "ok", FALSE)) {
        return g_steal_pointer(&answer);
    }
    refusal = json_read_string(answer, "error");
    g_set_error_literal(error, UNDERSTUDY_ERROR,
                        json_read_boolean(answer, OBSERVER_ANSWER_TOO_LONG, FALSE) ? UNDERSTUDY_ERROR_TOO_LONG
                                                                                   : UNDERSTUDY_ERROR_FAILED,
                        refusal != NULL && refusal[0] != '\0' ? refusal : "the observer refuses and does not say why");
    return NULL;
}

static JsonObject *receive_answer(qb_ipcc_connection_t *connection, gint64 deadline_us, GError **error)
{
    gsize message_bytes = (gsize) qb_ipcc_get_buffer_size(connection);
    g_autofree char *buffer = g_malloc(message_bytes);
    ssize_t size_bytes = qb_ipcc_recv(connection, buffer, message_bytes, left_ms(deadline_us));

    if (size_bytes < (ssize_t) sizeof(struct qb_ipc_response_header)) {
        set_unreachable(error, size_bytes < 0 ? (int) -size_bytes : EPROTO);
        return NULL;
    }
    return observer_answer_parse(buffer + sizeof(struct qb_ipc_response_header),
                                 (gsize) size_bytes - sizeof(struct qb_ipc_response_header), error);
}

static JsonObject *request_once(JsonObject *question, gint64 deadline_us, gsize message_bytes, GError **error)
{
    qb_ipcc_connection_t *connection = connect_until(deadline_us, message_bytes, error);
    JsonObject *answer = NULL;

    if (connection == NULL) {
        return NULL;
    }
    if (send_request(connection, question, error)) {
        answer = receive_answer(connection, deadline_us, error);
    }
    qb_ipcc_disconnect(connection);
    return answer;
}

JsonObject *observer_client_request(JsonObject *question, guint timeout_ms, GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;
    GError *short_error = NULL;
    JsonObject *answer = request_once(question, deadline_us, OBSERVER_IPC_MESSAGE_BYTES, &short_error);

    if (g_error_matches(short_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TOO_LONG)) {
        g_clear_error(&short_error);
        return request_once(question, deadline_us, OBSERVER_IPC_MESSAGE_MAX_BYTES, error);
    }
    if (answer == NULL) {
        g_propagate_error(error, short_error);
    }
    return answer;
}

JsonObject *observer_client_ask(const char *op, const char *server, guint timeout_ms, GError **error)
{
    g_autoptr(JsonObject) question = json_object_new();

    json_object_set_string_member(question, "op", op);
    if (server != NULL) {
        json_object_set_string_member(question, "server", server);
    }
    return observer_client_request(question, timeout_ms, error);
}
