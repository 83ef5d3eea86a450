/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IPC_SERVER_H
#define UNDERSTUDY_IPC_SERVER_H

#include <json-glib/json-glib.h>

/* The questions of this host's operators over libqb IPC: see lib/cluster/observer_client.h. */
typedef struct ipc_server ipc_server_t;

/*!
 * \brief Answer one question
 *
 * \param[in] server      "" if the question names none
 * \param[in] question    all of it
 * \param[in] request_id  for ipc_server_answer()
 * \return the answer at once, or NULL: ipc_server_answer() follows
 */
typedef JsonObject *(*ipc_server_ask_fn)(const char *op, const char *server, JsonObject *question, guint64 request_id,
                                         gpointer user_data);

ipc_server_t *ipc_server_new(ipc_server_ask_fn ask, gpointer user_data, GError **error);
void ipc_server_free(ipc_server_t *server);

/* FALSE: it has its answer, or its client is gone: ended, or tired of waiting. */
gboolean ipc_server_waits(const ipc_server_t *server, guint64 request_id);

/* Takes the answer over. A client that is gone by now is no error. */
void ipc_server_answer(ipc_server_t *server, guint64 request_id, JsonObject *answer);

/* {"ok":true}, or {"ok":false,"error":...} if there is one. */
JsonObject *ipc_answer_new(const char *error);

#endif
