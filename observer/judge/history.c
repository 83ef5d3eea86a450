/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/history.h"

struct history {
    GPtrArray *takeovers;
};

static void event_free(history_event_t *event)
{
    g_free(event->event);
    g_free(event->host);
    g_free(event->detail);
    g_free(event);
}

history_takeover_t *history_takeover_new(void)
{
    history_takeover_t *takeover = g_new0(history_takeover_t, 1);

    takeover->events = g_ptr_array_new_with_free_func((GDestroyNotify) event_free);
    return takeover;
}

void history_takeover_free(history_takeover_t *takeover)
{
    g_ptr_array_unref(takeover->events);
    g_free(takeover);
}

history_t *history_new(void)
{
    history_t *history = g_new0(history_t, 1);

    history->takeovers = g_ptr_array_new_with_free_func((GDestroyNotify) history_takeover_free);
    return history;
}

void history_free(history_t *history)
{
    if (history != NULL) {
        g_ptr_array_unref(history->takeovers);
        g_free(history);
    }
}

const GPtrArray *history_takeovers(const history_t *history)
{
    return history->takeovers;
}

static gint64 started_ms(const history_takeover_t *takeover)
{
    return takeover->events->len > 0 ? ((const history_event_t *) g_ptr_array_index(takeover->events, 0))->at_ms : 0;
}

/* In the order in which they began, whatever the order in which they become known. */
void history_append_takeover(history_t *history, history_takeover_t *takeover)
{
    GPtrArray *all = history->takeovers;
    guint at = all->len;

    while (takeover->events->len > 0 && at > 0 && started_ms(g_ptr_array_index(all, at - 1)) > started_ms(takeover)) {
        at--;
    }
    g_ptr_array_insert(all, (gint) at, takeover);
    if (all->len > HISTORY_TAKEOVERS_MAX) {
        g_ptr_array_remove_index(all, 0);
    }
}

static history_takeover_t *current_takeover(const history_t *history)
{
    history_takeover_t *last = NULL;

    if (history->takeovers->len > 0) {
        last = g_ptr_array_index(history->takeovers, history->takeovers->len - 1);
    }
    return (last != NULL && !last->closed) ? last : NULL;
}

static gboolean takeover_has(const history_takeover_t *takeover, const char *event, const char *host)
{
    for (guint i = 0; i < takeover->events->len; i++) {
        const history_event_t *known = g_ptr_array_index(takeover->events, i);

        if (g_strcmp0(known->event, event) == 0 && (host == NULL || g_strcmp0(known->host, host) == 0)) {
            return TRUE;
        }
    }
    return FALSE;
}

void history_takeover_append(history_takeover_t *takeover, const char *event, gint64 at_ms, const char *host,
                             const char *detail)
{
    history_event_t *added = NULL;

    if (takeover->events->len >= HISTORY_EVENTS_MAX) {
        return;
    }
    added = g_new0(history_event_t, 1);
    added->event = g_strdup(event);
    added->at_ms = at_ms;
    added->host = g_strdup(host != NULL ? host : "");
    added->detail = g_strdup(detail != NULL ? detail : "");
    g_ptr_array_add(takeover->events, added);
    takeover->latched = takeover->latched || g_strcmp0(event, "isolating") == 0 || g_strcmp0(event, "isolated") == 0;
    takeover->closed = takeover->closed || g_strcmp0(event, "healthy") == 0;
}

static gboolean opens_takeover(const char *event)
{
    return g_strcmp0(event, "first_miss") == 0 || g_strcmp0(event, "suspect") == 0
           || g_strcmp0(event, "isolating") == 0 || g_strcmp0(event, "isolated") == 0;
}

gboolean history_add(history_t *history, const char *event, gint64 at_ms, const char *host, const char *detail)
{
    history_takeover_t *takeover = current_takeover(history);

    if (takeover != NULL && takeover->latched && g_strcmp0(event, "isolating") == 0) {
        takeover->closed = TRUE; /* it went away again while it returned: another takeover */
        takeover = NULL;
    }
    if (takeover == NULL) {
        if (!opens_takeover(event)) {
            return FALSE;
        }
        takeover = history_takeover_new();
        history_append_takeover(history, takeover);
    }
    if (takeover_has(takeover, event, host != NULL ? host : "")) {
        return FALSE;
    }
    history_takeover_append(takeover, event, at_ms, host, detail);
    if (takeover->closed && !takeover->latched) {
        g_ptr_array_remove(history->takeovers, takeover);
    }
    return TRUE;
}

void history_close(history_t *history)
{
    history_takeover_t *takeover = current_takeover(history);

    if (takeover == NULL) {
        return;
    }
    takeover->closed = TRUE;
    if (!takeover->latched) {
        g_ptr_array_remove(history->takeovers, takeover);
    }
}

gboolean history_has(const history_t *history, const char *event, const char *host)
{
    const history_takeover_t *takeover = current_takeover(history);

    return takeover != NULL && takeover_has(takeover, event, host);
}

static history_takeover_t *find_started(const history_t *history, gint64 at_ms)
{
    for (guint i = 0; i < history->takeovers->len; i++) {
        if (started_ms(g_ptr_array_index(history->takeovers, i)) == at_ms) {
            return g_ptr_array_index(history->takeovers, i);
        }
    }
    return NULL;
}

void history_merge(history_t *history, history_takeover_t *takeover, history_added_fn added, gpointer user_data)
{
    history_takeover_t *known = find_started(history, started_ms(takeover));
    gint64 start_ms = started_ms(takeover);

    for (guint i = 0; i < takeover->events->len; i++) {
        const history_event_t *event = g_ptr_array_index(takeover->events, i);

        if (known != NULL && takeover_has(known, event->event, event->host)) {
            continue;
        }
        if (known != NULL) {
            history_takeover_append(known, event->event, event->at_ms, event->host, event->detail);
        }
        if (added != NULL && takeover->latched) {
            added(start_ms, event, user_data);
        }
    }
    if (known == NULL && takeover->events->len > 0) {
        history_append_takeover(history, takeover);
        return;
    }
    if (known != NULL) {
        known->latched = known->latched || takeover->latched;
        known->closed = known->closed || takeover->closed;
    }
    history_takeover_free(takeover);
}

const history_takeover_t *history_current(const history_t *history)
{
    return current_takeover(history);
}

void history_resume(history_t *history, history_takeover_t *takeover, history_added_fn added, gpointer user_data)
{
    for (guint i = history->takeovers->len; i > 0; i--) {
        history_takeover_t *known = g_ptr_array_index(history->takeovers, i - 1);

        if (known->closed || (takeover != NULL && started_ms(known) == started_ms(takeover))) {
            continue;
        }
        known->closed = TRUE; /* of a table that this one has replaced */
        if (!known->latched) {
            g_ptr_array_remove_index(history->takeovers, i - 1);
        }
    }
    if (takeover != NULL) {
        history_merge(history, takeover, added, user_data);
    }
}

history_takeover_t *history_takeover_copy(const history_takeover_t *takeover)
{
    history_takeover_t *copy = history_takeover_new();

    for (guint i = 0; i < takeover->events->len; i++) {
        const history_event_t *event = g_ptr_array_index(takeover->events, i);

        history_takeover_append(copy, event->event, event->at_ms, event->host, event->detail);
    }
    copy->latched = takeover->latched;
    copy->closed = takeover->closed;
    return copy;
}

guint64 history_digest(const history_t *history)
{
    guint64 digest = 0;

    for (guint i = 0; i < history->takeovers->len; i++) {
        const history_takeover_t *takeover = g_ptr_array_index(history->takeovers, i);

        if (takeover->latched) {
            digest = digest * 31 + (guint64) started_ms(takeover) * 7 + takeover->events->len;
        }
    }
    return digest;
}

static JsonObject *event_to_json(const history_event_t *event)
{
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "event", event->event);
    json_object_set_int_member(object, "at_ms", event->at_ms);
    if (event->host[0] != '\0') {
        json_object_set_string_member(object, "host", event->host);
    }
    if (event->detail[0] != '\0') {
        json_object_set_string_member(object, "detail", event->detail);
    }
    return object;
}

JsonArray *history_to_json(const history_t *history)
{
    JsonArray *takeovers = json_array_new();

    for (guint i = 0; i < history->takeovers->len; i++) {
        const history_takeover_t *takeover = g_ptr_array_index(history->takeovers, i);
        JsonArray *events = NULL;
        JsonObject *object = NULL;

        if (!takeover->latched) {
            continue;
        }
        events = json_array_new();
        object = json_object_new();
        for (guint j = 0; j < takeover->events->len; j++) {
            json_array_add_object_element(events, event_to_json(g_ptr_array_index(takeover->events, j)));
        }
        json_object_set_array_member(object, "events", events);
        json_array_add_object_element(takeovers, object);
    }
    return takeovers;
}
