/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipc_server.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/uio.h>

#include <crm/common/mainloop.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/names.h"
#include "cluster/observer_client.h"

#define OPERATORS_GROUP "haclient" /* as for all of Pacemaker's own IPC */
#define GROUPS_MAX      256

struct ipc_server {
    qb_ipcs_service_t *service;
    ipc_server_ask_fn ask;
    gpointer user_data;
    GHashTable *waiting; /* request id -> qb_ipcs_connection_t* */
    guint64 last_request_id;
    gid_t operators_gid;
    gboolean has_operators_group;
};

/* libqb's callbacks of a new connection carry no pointer of ours. */
static ipc_server_t *the_server;

static gboolean is_in_group(uid_t uid, gid_t gid, gid_t wanted)
{
    gid_t groups[GROUPS_MAX];
    int count = GROUPS_MAX;
    const struct passwd *user = NULL;

    if (gid == wanted) {
        return TRUE;
    }
    user = getpwuid(uid);
    if (user == NULL || getgrouplist(user->pw_name, gid, groups, &count) < 0) {
        return FALSE;
    }
    for (int i = 0; i < count; i++) {
        if (groups[i] == wanted) {
            return TRUE;
        }
    }
    return FALSE;
}

static int32_t on_accept(qb_ipcs_connection_t *connection, uid_t uid, gid_t gid)
{
    const ipc_server_t *server = the_server;

    if (uid == 0) {
        return 0;
    }
    if (!server->has_operators_group || !is_in_group(uid, gid, server->operators_gid)) {
        return -EACCES;
    }
    qb_ipcs_connection_auth_set(connection, uid, server->operators_gid, 0660);
    return 0;
}

static JsonObject *too_long_answer_new(void)
{
    JsonObject *answer = ipc_answer_new("The observer's answer is too long for this program: run the same version of all parts");

    json_object_set_boolean_member(answer, OBSERVER_ANSWER_TOO_LONG, TRUE);
    return answer;
}

/* Takes the answer over. FALSE: it does not fit. */
static gboolean send_if_it_fits(qb_ipcs_connection_t *connection, JsonObject *answer)
{
    g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), answer);
    g_autofree char *text = json_to_string(node, FALSE);
    struct qb_ipc_response_header header = { .size = (int32_t) (sizeof(header) + strlen(text)) };
    struct iovec parts[] = {
        { .iov_base = &header, .iov_len = sizeof(header) },
        { .iov_base = text, .iov_len = strlen(text) },
    };
    gboolean fits = header.size <= qb_ipcs_connection_get_buffer_size(connection);

    json_object_unref(answer);
    if (fits) {
        qb_ipcs_response_sendv(connection, parts, G_N_ELEMENTS(parts)); /* a client that is gone needs no answer */
    }
    return fits;
}

static void send_answer(qb_ipcs_connection_t *connection, JsonObject *answer)
{
    if (!send_if_it_fits(connection, answer)) {
        send_if_it_fits(connection, too_long_answer_new());
    }
}

static int32_t on_message(qb_ipcs_connection_t *connection, void *data, size_t size_bytes)
{
    ipc_server_t *server = the_server;
    const struct qb_ipc_request_header *header = data;
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonObject) request = NULL;
    JsonObject *answer = NULL;
    guint64 *request_id = NULL;

    if (size_bytes <= sizeof(*header) || header->size < 0 || (size_t) header->size > size_bytes
        || (size_t) header->size < sizeof(*header)) {
        return -EINVAL;
    }
    text = g_strndup((const char *) data + sizeof(*header), (gsize) header->size - sizeof(*header));
    request = json_read_object_text(text, "The question", &error);
    if (request == NULL) {
        send_answer(connection, ipc_answer_new(error->message));
        return 0;
    }
    server->last_request_id++;
    request_id = g_memdup2(&server->last_request_id, sizeof(guint64));
    qb_ipcs_connection_ref(connection);
    g_hash_table_insert(server->waiting, request_id, connection);
    answer = server->ask(json_read_text(request, "op"), json_read_text(request, "server"), request,
                         server->last_request_id, server->user_data);
    if (answer != NULL) {
        ipc_server_answer(server, server->last_request_id, answer);
    }
    return 0;
}

static gboolean is_of_connection(gpointer key, gpointer value, gpointer connection)
{
    (void) key;
    return value == connection;
}

static int32_t on_closed(qb_ipcs_connection_t *connection)
{
    if (the_server != NULL) {
        g_hash_table_foreach_remove(the_server->waiting, is_of_connection, connection);
    }
    return 0;
}

gboolean ipc_server_waits(const ipc_server_t *server, guint64 request_id)
{
    return g_hash_table_contains(server->waiting, &request_id);
}

void ipc_server_answer(ipc_server_t *server, guint64 request_id, JsonObject *answer)
{
    qb_ipcs_connection_t *connection = g_hash_table_lookup(server->waiting, &request_id);

    if (connection == NULL) {
        json_object_unref(answer);
        return;
    }
    send_answer(connection, answer);
    g_hash_table_remove(server->waiting, &request_id);
}

JsonObject *ipc_answer_new(const char *error)
{
    JsonObject *answer = json_object_new();

    json_object_set_boolean_member(answer, "ok", error == NULL);
    if (error != NULL) {
        json_object_set_string_member(answer, "error", error);
    }
    return answer;
}

ipc_server_t *ipc_server_new(ipc_server_ask_fn ask, gpointer user_data, GError **error)
{
    static struct qb_ipcs_service_handlers handlers = {
        .connection_accept = on_accept,
        .msg_process = on_message,
        .connection_closed = on_closed,
    };
    const struct group *group = getgrnam(OPERATORS_GROUP);
    ipc_server_t *server = g_new0(ipc_server_t, 1);

    server->ask = ask;
    server->user_data = user_data;
    server->waiting = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                            (GDestroyNotify) qb_ipcs_connection_unref);
    if (group != NULL) {
        server->operators_gid = group->gr_gid;
        server->has_operators_group = TRUE;
    }
    the_server = server;
    server->service = mainloop_add_ipc_server(OBSERVER_IPC_NAME, QB_IPC_SHM, &handlers);
    if (server->service == NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                            "The IPC service \"" OBSERVER_IPC_NAME "\" can't be opened: does another observer run?");
        ipc_server_free(server);
        return NULL;
    }
    return server;
}

void ipc_server_free(ipc_server_t *server)
{
    if (server == NULL) {
        return;
    }
    the_server = NULL;
    if (server->service != NULL) {
        mainloop_del_ipc_server(server->service);
    }
    g_hash_table_unref(server->waiting);
    g_free(server);
}
