/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "message.h"

#include "error.h"
#include "names.h"

#define MESSAGE_VERSION 1
#define ENVELOPE_TYPE   "(yyv)"
#define RECORD_TYPE     "(tyxsbbu)"
#define TAKEOVER_TYPE   "(bba(sxss))"
#define ENTRY_TYPE      "(s" RECORD_TYPE "xa" TAKEOVER_TYPE ")"

/* Records -----------------------------------------------------------------*/

static GVariant *record_encode(const verdict_record_t *record)
{
    return g_variant_new(RECORD_TYPE, record->epoch, (guchar) record->verdict, record->since_wall_ms,
                         record->reason != NULL ? record->reason : "", record->by_operator, record->seen_away,
                         record->quiet_rounds);
}

static gboolean record_decode(GVariant *variant, verdict_record_t *record)
{
    guchar verdict = 0;

    g_variant_get(variant, RECORD_TYPE, &record->epoch, &verdict, &record->since_wall_ms, &record->reason,
                  &record->by_operator, &record->seen_away, &record->quiet_rounds);
    record->verdict = (verdict_t) verdict;
    return verdict < VERDICT_COUNT && record->epoch > 0;
}

/* Bodies ------------------------------------------------------------------*/

static GVariant *hello_encode(const message_t *message)
{
    return g_variant_new("(sttbyb)", message->node, message->incarnation, message->version, message->in_sync,
                         message->ability, message->blind);
}

static gboolean hello_decode(message_t *message)
{
    g_variant_get(message->body, "(&sttbyb)", &message->node, &message->incarnation, &message->version, &message->in_sync,
                  &message->ability, &message->blind);
    return message->node[0] != '\0';
}

static GVariant *votes_encode(const message_t *message)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a(syyx)"));
    for (guint i = 0; i < message->votes->len; i++) {
        const message_vote_t *vote = &g_array_index(message->votes, message_vote_t, i);

        g_variant_builder_add(&builder, "(syyx)", vote->server, (guchar) vote->service, (guchar) vote->management,
                              vote->first_miss_wall_ms);
    }
    return g_variant_new("(ba(syyx))", message->blind, &builder);
}

static gboolean votes_decode(message_t *message)
{
    g_autoptr(GVariantIter) iter = NULL;
    message_vote_t vote = { 0 };
    guchar service = 0;
    guchar management = 0;

    message->votes = g_array_new(FALSE, TRUE, sizeof(message_vote_t));
    g_variant_get(message->body, "(ba(syyx))", &message->blind, &iter);
    while (g_variant_iter_next(iter, "(&syyx)", &vote.server, &service, &management, &vote.first_miss_wall_ms)) {
        if (service >= VOTE_COUNT || management >= VOTE_COUNT || !server_name_is_valid(vote.server)) {
            return FALSE;
        }
        vote.service = (vote_t) service;
        vote.management = (vote_t) management;
        g_array_append_val(message->votes, vote);
    }
    return TRUE;
}

static GVariant *ask_encode(const message_t *message)
{
    return g_variant_new("(stu)", message->server, message->epoch, message->round);
}

static gboolean ask_decode(message_t *message)
{
    g_variant_get(message->body, "(&stu)", &message->server, &message->epoch, &message->round);
    return TRUE;
}

static GVariant *answer_encode(const message_t *message)
{
    return g_variant_new("(stuyy)", message->server, message->epoch, message->round, (guchar) message->service,
                         (guchar) message->management);
}

static gboolean answer_decode(message_t *message)
{
    guchar service = 0;
    guchar management = 0;

    g_variant_get(message->body, "(&stuyy)", &message->server, &message->epoch, &message->round, &service,
                  &management);
    message->service = (vote_t) service;
    message->management = (vote_t) management;
    return service < VOTE_COUNT && management < VOTE_COUNT;
}

static GVariant *record_message_encode(const message_t *message)
{
    return g_variant_new("(s@" RECORD_TYPE ")", message->server, record_encode(&message->record));
}

static gboolean record_message_decode(message_t *message)
{
    g_autoptr(GVariant) record = NULL;

    g_variant_get(message->body, "(&s@" RECORD_TYPE ")", &message->server, &record);
    return record_decode(record, &message->record);
}

static GVariant *event_encode(const message_t *message)
{
    return g_variant_new("(ssxss)", message->server, message->event, message->at_ms,
                         message->host != NULL ? message->host : "",
                         message->detail != NULL ? message->detail : "");
}

static gboolean event_decode(message_t *message)
{
    g_variant_get(message->body, "(&s&sx&s&s)", &message->server, &message->event, &message->at_ms, &message->host,
                  &message->detail);
    return message->event[0] != '\0';
}

static GVariant *request_encode(const message_t *message)
{
    return g_variant_new("(syt)", message->server, (guchar) message->request, message->request_id);
}

static gboolean request_decode(message_t *message)
{
    guchar request = 0;

    g_variant_get(message->body, "(&syt)", &message->server, &request, &message->request_id);
    message->request = (verdict_request_t) request;
    return request == VERDICT_REQUEST_TAKEOVER || request == VERDICT_REQUEST_RELEASE;
}

static GVariant *takeovers_encode(const GPtrArray *takeovers)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a" TAKEOVER_TYPE));
    for (guint i = 0; takeovers != NULL && i < takeovers->len; i++) {
        const history_takeover_t *takeover = g_ptr_array_index(takeovers, i);
        GVariantBuilder events;

        g_variant_builder_init(&events, G_VARIANT_TYPE("a(sxss)"));
        for (guint j = 0; j < takeover->events->len; j++) {
            const history_event_t *event = g_ptr_array_index(takeover->events, j);

            g_variant_builder_add(&events, "(sxss)", event->event, event->at_ms, event->host, event->detail);
        }
        g_variant_builder_add(&builder, TAKEOVER_TYPE, takeover->latched, takeover->closed, &events);
    }
    return g_variant_builder_end(&builder);
}

static GPtrArray *takeovers_decode(GVariantIter *takeovers)
{
    GPtrArray *result = g_ptr_array_new_with_free_func((GDestroyNotify) history_takeover_free);
    GVariantIter *events = NULL;
    gboolean latched = FALSE;
    gboolean closed = FALSE;

    while (g_variant_iter_loop(takeovers, TAKEOVER_TYPE, &latched, &closed, &events)) {
        history_takeover_t *takeover = history_takeover_new();
        const char *event = NULL;
        const char *host = NULL;
        const char *detail = NULL;
        gint64 at_ms = 0;

        while (g_variant_iter_next(events, "(&sx&s&s)", &event, &at_ms, &host, &detail)) {
            history_takeover_append(takeover, event, at_ms, host, detail);
        }
        takeover->latched = latched;
        takeover->closed = closed;
        g_ptr_array_add(result, takeover);
    }
    return result;
}

static GVariant *snapshot_encode(const message_t *message)
{
    GVariantBuilder builder;

    GVariant *targets = g_variant_new_fixed_array(G_VARIANT_TYPE_UINT64, message->targets->data,
                                                  message->targets->len, sizeof(guint64));

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a" ENTRY_TYPE));
    for (guint i = 0; i < message->entries->len; i++) {
        const message_entry_t *entry = g_ptr_array_index(message->entries, i);

        g_variant_builder_add(&builder, "(s@" RECORD_TYPE "x@a" TAKEOVER_TYPE ")", entry->server,
                              record_encode(&entry->record), entry->age_ms, takeovers_encode(entry->takeovers));
    }
    return g_variant_new("(@atbba" ENTRY_TYPE ")", targets, message->first, message->last, &builder);
}

static gboolean snapshot_decode(message_t *message)
{
    g_autoptr(GVariantIter) iter = NULL;
    g_autoptr(GVariantIter) targets = NULL;
    guint64 target = 0;
    GVariant *record = NULL;
    GVariantIter *takeovers = NULL;
    const char *server = NULL;
    gint64 age_ms = 0;
    gboolean valid = TRUE;

    message->entries = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free);
    message->targets = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_variant_get(message->body, "(atbba" ENTRY_TYPE ")", &targets, &message->first, &message->last, &iter);
    while (g_variant_iter_next(targets, "t", &target)) {
        g_array_append_val(message->targets, target);
    }
    while (valid && g_variant_iter_next(iter, "(&s@" RECORD_TYPE "xa" TAKEOVER_TYPE ")", &server, &record, &age_ms,
                                        &takeovers)) {
        message_entry_t *entry = g_new0(message_entry_t, 1);

        entry->server = g_strdup(server);
        entry->age_ms = age_ms;
        entry->takeovers = takeovers_decode(takeovers);
        g_ptr_array_add(message->entries, entry);
        valid = record_decode(record, &entry->record) && server_name_is_valid(server) && age_ms >= 0;
        g_variant_unref(record);
        g_variant_iter_free(takeovers);
    }
    return valid;
}

static GVariant *forget_encode(const message_t *message)
{
    return g_variant_new("(s)", message->server);
}

static gboolean forget_decode(message_t *message)
{
    g_variant_get(message->body, "(&s)", &message->server);
    return TRUE;
}

static const struct {
    const char *type;
    GVariant *(*encode)(const message_t *message);
    gboolean (*decode)(message_t *message); /* FALSE: a value is out of its range */
} bodies[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] = { "(sttbyb)", hello_encode, hello_decode },
    [MESSAGE_VOTES] = { "(ba(syyx))", votes_encode, votes_decode },
    [MESSAGE_ASK] = { "(stu)", ask_encode, ask_decode },
    [MESSAGE_ANSWER] = { "(stuyy)", answer_encode, answer_decode },
    [MESSAGE_RECORD] = { "(s" RECORD_TYPE ")", record_message_encode, record_message_decode },
    [MESSAGE_EVENT] = { "(ssxss)", event_encode, event_decode },
    [MESSAGE_REQUEST] = { "(syt)", request_encode, request_decode },
    [MESSAGE_SNAPSHOT] = { "(atbba" ENTRY_TYPE ")", snapshot_encode, snapshot_decode },
    [MESSAGE_FORGET] = { "(s)", forget_encode, forget_decode },
};

/* Envelope ----------------------------------------------------------------*/

/* On the wire everything is little endian. */
static GVariant *to_wire_order(GVariant *variant)
{
#if G_BYTE_ORDER == G_LITTLE_ENDIAN
    return g_variant_ref(variant);
#else
    return g_variant_byteswap(variant);
#endif
}

GBytes *message_encode(const message_t *message)
{
    g_autoptr(GVariant) envelope = NULL;
    g_autoptr(GVariant) wire = NULL;

    g_return_val_if_fail(message->type >= MESSAGE_HELLO && message->type < MESSAGE_TYPE_COUNT, NULL);
    envelope = g_variant_ref_sink(g_variant_new(ENVELOPE_TYPE, (guchar) MESSAGE_VERSION, (guchar) message->type,
                                                bodies[message->type].encode(message)));
    wire = to_wire_order(envelope);
    return g_variant_get_data_as_bytes(wire);
}

static message_t *refuse(message_t *message, GError **error, const char *sentence)
{
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                "A message of another observer is ignored: %s", sentence);
    message_free(message);
    return NULL;
}

message_t *message_decode(gconstpointer data, gsize size_bytes, GError **error)
{
    /* A copy: the type needs 8 byte alignment, which the network does not promise. */
    g_autoptr(GBytes) bytes = g_bytes_new(data, size_bytes);
    g_autoptr(GVariant) wire = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(ENVELOPE_TYPE), bytes,
                                                                           FALSE));
    g_autoptr(GVariant) envelope = NULL;
    message_t *message = NULL;
    guchar version = 0;
    guchar type = 0;

    if (!g_variant_is_normal_form(wire)) {
        return refuse(NULL, error, "it is damaged");
    }
    envelope = to_wire_order(wire);
    message = g_new0(message_t, 1);
    g_variant_get(envelope, ENVELOPE_TYPE, &version, &type, &message->body);
    if (version != MESSAGE_VERSION || type < MESSAGE_HELLO || type >= MESSAGE_TYPE_COUNT) {
        return refuse(message, error, "it is of another version; run the same version on all hosts");
    }
    message->type = (message_type_t) type;
    if (!g_variant_is_of_type(message->body, G_VARIANT_TYPE(bodies[type].type))) {
        return refuse(message, error, "its body is of another type; run the same version on all hosts");
    }
    if (!bodies[type].decode(message)
        || (message->server != NULL && !server_name_is_valid(message->server))) {
        return refuse(message, error, "it has a value out of its range");
    }
    return message;
}

void message_free(message_t *message)
{
    if (message == NULL) {
        return;
    }
    g_clear_pointer(&message->votes, g_array_unref);
    g_clear_pointer(&message->entries, g_ptr_array_unref);
    g_clear_pointer(&message->targets, g_array_unref);
    verdict_record_clear(&message->record);
    g_clear_pointer(&message->body, g_variant_unref);
    g_free(message);
}

message_entry_t *message_entry_new(const char *server, const verdict_record_t *record, gint64 age_ms)
{
    message_entry_t *entry = g_new0(message_entry_t, 1);

    entry->server = g_strdup(server);
    verdict_record_copy(&entry->record, record);
    entry->age_ms = age_ms;
    return entry;
}

void message_entry_free(message_entry_t *entry)
{
    verdict_record_clear(&entry->record);
    g_clear_pointer(&entry->takeovers, g_ptr_array_unref);
    g_free(entry->server);
    g_free(entry);
}
