/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_OBSERVER_CLIENT_H
#define UNDERSTUDY_OBSERVER_CLIENT_H

#include <json-glib/json-glib.h>

/*
 * One question to the observer daemon of this host over libqb IPC. Requests
 * and answers are JSON objects in one message each:
 *
 *   {"op":"ping"}                        -> {"ok":true}
 *   {"op":"status"}                      -> {"ok":true,"node":"host1","leader":"host1","in_sync":true,"quorate":true,
 *                                            "members":[{"node","blind":bool}],
 *                                            "voters":{"hosts":[name],"enough":n} (whose votes are counted, and how many of
 *                                                      them find a server down)
 *                                            "servers":[{"name","verdict","since_ms" (Unix time),"reason",
 *                                                        "votes":{"up":n,"down":n,"blind":n,"unknown":n},
 *                                                        "vote_reasons":{host:text},
 *                                                        "probes_seen":"yes"|"no"|"unknown",
 *                                                        "pause"?:{"paused_until" (as in the CIB),"leader_holds":bool,
 *                                                                  "rest_ms"? (0: it is to be taken out)}}]}
 *   {"op":"takeover","server":"db1"}     -> {"ok":true}  planned takeover: isolate, then grant
 *   {"op":"release","server":"db1"}      -> {"ok":true}  end the takeover on the operator's word
 *   {"op":"history","server":"db1"}      -> {"ok":true,"takeovers":[{"events":[{"event","at_ms","host"?,"detail"?}]}]}
 *   {"op":"reload","references":"PROBES","management_references":"PROBES"}
 *                                        -> {"ok":true}  these are its references from now on
 *   any, refused                         -> {"ok":false,"error":"a sentence"}
 *   any, with an answer that does not fit into this connection's messages
 *                                        -> {"ok":false,"too_long":true,"error":"a sentence"}; it has been done
 *
 * Both ends fill three buffers as long as the longest message, which takes longer than all else about a question: so a
 * connection begins with short ones, and a new one with long ones asks again for what did not fit. No question that changes
 * anything has a long answer.
 */
#define OBSERVER_IPC_MESSAGE_BYTES     (64 * 1024)
#define OBSERVER_IPC_MESSAGE_MAX_BYTES (4 * 1024 * 1024)
#define OBSERVER_ANSWER_TOO_LONG       "too_long"

/*!
 * \param[in] op          see above
 * \param[in] server      or NULL
 * \param[in] timeout_ms  whole deadline
 * \return the answer's object (json_object_unref()), or NULL: no daemon here, it
 *         gave no answer in time, or it answered ok=false (UNDERSTUDY_ERROR_FAILED with its sentence)
 */
JsonObject *observer_client_ask(const char *op, const char *server, guint timeout_ms, GError **error);

/* Likewise, with a question that has more members; it is not taken over. */
JsonObject *observer_client_request(JsonObject *question, guint timeout_ms, GError **error);

/* Its reading of the answer, apart; pure. */
JsonObject *observer_answer_parse(const char *text, gsize length, GError **error);

#endif
