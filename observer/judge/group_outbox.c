/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one observer multicasts: small messages at once, large ones one after the other, histories slowly behind them. */
#include "judge/group_private.h"

#include <string.h>

/* A paced message that has not come back by then was lost with Corosync's connection. */
#define LOST_MS 5000
/* Between two pieces of histories: they are for people to read, and may take their time. */
#define HISTORY_PAUSE_MS 50
/* About what one event without its texts, and one digest, takes in a message. */
#define EVENT_BYTES  100
#define DIGEST_BYTES 120

typedef struct {
    GBytes *bytes;
    guint64 serial;
} outbox_item_t;

static void send_bytes(group_t *group, GBytes *bytes)
{
    group->bytes_sent += g_bytes_get_size(bytes);
    group->ops.send(bytes, group->user_data);
}

void group_send(group_t *group, const message_t *message)
{
    g_autoptr(GBytes) bytes = message_encode(message);

    send_bytes(group, bytes);
}

static void push(group_t *group, GQueue *queue, message_t *message)
{
    outbox_item_t *item = g_new0(outbox_item_t, 1);

    group->serial++;
    if (group->serial == 0) {
        group->serial++;
    }
    message->serial = item->serial = group->serial;
    item->bytes = message_encode(message);
    g_queue_push_tail(queue, item);
}

void group_send_paced(group_t *group, message_t *message)
{
    push(group, group->outbox, message);
}

void group_outbox_delivered(group_t *group, guint64 serial)
{
    if (serial == group->serial_on_way) {
        group->serial_on_way = 0;
    }
}

static void item_free(gpointer data)
{
    outbox_item_t *item = data;

    g_bytes_unref(item->bytes);
    g_free(item);
}

void group_outbox_free(group_t *group)
{
    g_queue_free_full(group->outbox, item_free);
    g_queue_free_full(group->history_parts, item_free);
    g_queue_free_full(group->histories, g_free);
}

static void send_item(group_t *group, GQueue *queue, gint64 now_ms)
{
    outbox_item_t *item = g_queue_pop_head(queue);

    group->serial_on_way = item->serial;
    group->serial_sent_ms = now_ms;
    send_bytes(group, item->bytes);
    item_free(item);
}

/* Histories -------------------------------------------------------------------*/

gsize group_text_bytes(const char *text)
{
    return text != NULL ? strnlen(text, MESSAGE_TEXT_MAX_BYTES) : 0;
}

gsize group_takeover_bytes(const history_takeover_t *takeover)
{
    gsize size_bytes = 0;

    for (guint i = 0; i < takeover->events->len; i++) {
        const history_event_t *event = g_ptr_array_index(takeover->events, i);

        size_bytes += EVENT_BYTES + group_text_bytes(event->event) + group_text_bytes(event->host)
                      + group_text_bytes(event->detail);
    }
    return size_bytes;
}

void group_history_ask(group_t *group, guint32 node_id)
{
    message_t message = { .type = MESSAGE_HISTORY_ASK, .member = node_id,
                          .histories = g_array_new(FALSE, FALSE, sizeof(message_history_t)) };
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, group->servers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const group_server_t *server = value;
        message_history_t history = { server->name, history_digest(server->history) };

        g_array_append_val(message.histories, history);
        if (message.histories->len * DIGEST_BYTES >= group->part_bytes) {
            group_send_paced(group, &message);
            g_array_set_size(message.histories, 0);
        }
    }
    if (message.histories->len > 0) {
        group_send_paced(group, &message);
    }
    g_array_unref(message.histories);
}

static gboolean is_queued(const group_t *group, const char *server)
{
    return g_queue_find_custom(group->histories, server, (GCompareFunc) strcmp) != NULL;
}

void group_on_history_ask(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    (void) now_ms;
    if (message->member != group->node_id || node_id == group->node_id) {
        return;
    }
    for (guint i = 0; i < message->histories->len; i++) {
        const message_history_t *asked = &g_array_index(message->histories, message_history_t, i);
        const group_server_t *server = group_server_find(group, asked->server);

        if (server != NULL && history_digest(server->history) != asked->digest && !is_queued(group, server->name)) {
            g_queue_push_tail(group->histories, g_strdup(server->name));
        }
    }
}

typedef struct {
    group_t *group;
    const char *server;
} merge_t;

static void store_event(gint64 started_ms, const history_event_t *event, gpointer user_data)
{
    const merge_t *merge = user_data;

    merge->group->ops.event_stored(merge->server, started_ms, event, merge->group->user_data);
}

void group_history_resume(group_t *group, const group_server_t *server, history_takeover_t *takeover)
{
    merge_t merge = { group, server->name };

    history_resume(server->history, takeover, store_event, &merge);
}

/* All who lack it take it, whoever asked. */
void group_on_history(group_t *group, guint32 node_id, message_t *message, gint64 now_ms)
{
    const group_server_t *server = group_server_find(group, message->server);
    merge_t merge = { group, message->server };

    (void) now_ms;
    if (server == NULL || node_id == group->node_id) {
        return;
    }
    while (message->takeovers->len > 0) {
        history_merge(server->history, g_ptr_array_steal_index(message->takeovers, 0), store_event, &merge);
    }
}

static void push_takeovers(group_t *group, const group_server_t *server)
{
    const GPtrArray *takeovers = history_takeovers(server->history);
    message_t message = { .type = MESSAGE_HISTORY, .server = server->name, .takeovers = g_ptr_array_new() };
    gsize size_bytes = 0;

    for (guint i = 0; i < takeovers->len; i++) {
        history_takeover_t *takeover = g_ptr_array_index(takeovers, i);

        if (!takeover->latched) {
            continue;
        }
        g_ptr_array_add(message.takeovers, takeover);
        size_bytes += group_takeover_bytes(takeover);
        if (size_bytes >= group->part_bytes) {
            push(group, group->history_parts, &message);
            g_ptr_array_set_size(message.takeovers, 0);
            size_bytes = 0;
        }
    }
    if (message.takeovers->len > 0) {
        push(group, group->history_parts, &message);
    }
    g_ptr_array_unref(message.takeovers);
}

/* One server's at a time is read into memory. */
static void fill_history_parts(group_t *group)
{
    while (g_queue_is_empty(group->history_parts) && !g_queue_is_empty(group->histories)) {
        g_autofree char *name = g_queue_pop_head(group->histories);
        const group_server_t *server = group_server_find(group, name);

        if (server != NULL) {
            push_takeovers(group, server);
        }
    }
}

/* Running ---------------------------------------------------------------------*/

gint64 group_outbox_run(group_t *group, gint64 now_ms)
{
    if (group->serial_on_way != 0) {
        if (now_ms < group->serial_sent_ms + LOST_MS) {
            return group->serial_sent_ms + LOST_MS;
        }
        group->serial_on_way = 0;
    }
    if (!g_queue_is_empty(group->outbox)) {
        send_item(group, group->outbox, now_ms);
        return group->serial_sent_ms + LOST_MS;
    }
    fill_history_parts(group);
    if (g_queue_is_empty(group->history_parts)) {
        return VERDICT_NEVER;
    }
    if (now_ms < group->history_next_ms) {
        return group->history_next_ms;
    }
    group->history_next_ms = now_ms + HISTORY_PAUSE_MS;
    send_item(group, group->history_parts, now_ms);
    return group->serial_sent_ms + LOST_MS;
}
