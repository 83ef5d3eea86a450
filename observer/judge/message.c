/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/message.h"

#include <string.h>

#include "base/error.h"
#include "base/names.h"

/* Of the envelope; what is inside grows without a new version. */
#define MESSAGE_VERSION 2
#define ENVELOPE_TYPE   "(yya{sv})"
#define DICTIONARY_TYPE "a{sv}"
#define LIST_TYPE       "aa{sv}"

/* Fields ------------------------------------------------------------------*/

typedef enum {
    FIELD_FLAG,      /* gboolean */
    FIELD_NUMBER,    /* guint, guint32 */
    FIELD_NUMBER64,  /* guint64 */
    FIELD_TIME,      /* gint64 */
    FIELD_ENUM,      /* a value that this version does not know is read as 0 */
    FIELD_ENUM_ONLY, /* with a value that this version does not know the message can't be used */
    FIELD_TEXT,      /* const char *: lives as long as the message's body */
    FIELD_OWN_TEXT,  /* char *: a copy, which the structure frees */
} field_kind_t;

/* One field of a structure and its key in a dictionary. */
typedef struct {
    const char *key;
    field_kind_t kind;
    gsize offset;
    guint count; /* of an enumeration's values */
} field_t;

#define MESSAGE_FIELD(key, kind, member) { key, kind, G_STRUCT_OFFSET(message_t, member), 0 }

typedef struct {
    const field_t *fields;
    guint count;
} fields_t;

#define FIELDS(array) { (array), G_N_ELEMENTS(array) }

G_STATIC_ASSERT(sizeof(isolation_state_t) == sizeof(guint));
G_STATIC_ASSERT(sizeof(verdict_t) == sizeof(guint) && sizeof(vote_t) == sizeof(guint));
G_STATIC_ASSERT(sizeof(verdict_request_t) == sizeof(guint) && sizeof(gboolean) == sizeof(guint));

/* To add a field: a member of the structure and a row here. */

static const field_t record_rows[] = {
    { "epoch", FIELD_NUMBER64, G_STRUCT_OFFSET(verdict_record_t, epoch), 0 },
    { "verdict", FIELD_ENUM_ONLY, G_STRUCT_OFFSET(verdict_record_t, verdict), VERDICT_COUNT },
    { "since", FIELD_TIME, G_STRUCT_OFFSET(verdict_record_t, since_wall_ms), 0 },
    { "reason", FIELD_OWN_TEXT, G_STRUCT_OFFSET(verdict_record_t, reason), 0 },
    { "by-operator", FIELD_FLAG, G_STRUCT_OFFSET(verdict_record_t, by_operator), 0 },
    { "seen-away", FIELD_FLAG, G_STRUCT_OFFSET(verdict_record_t, seen_away), 0 },
    { "quiet-rounds", FIELD_NUMBER, G_STRUCT_OFFSET(verdict_record_t, quiet_rounds), 0 },
    { "isolation", FIELD_ENUM_ONLY, G_STRUCT_OFFSET(verdict_record_t, isolation), ISOLATION_STATE_COUNT },
    { "failed-returns", FIELD_NUMBER, G_STRUCT_OFFSET(verdict_record_t, failed_returns), 0 },
    { "operator-returns", FIELD_FLAG, G_STRUCT_OFFSET(verdict_record_t, operator_returns), 0 },
    { "seen-probes", FIELD_OWN_TEXT, G_STRUCT_OFFSET(verdict_record_t, seen_probes), 0 },
};
static const fields_t record_fields = FIELDS(record_rows);

static const field_t vote_rows[] = {
    { "server", FIELD_TEXT, G_STRUCT_OFFSET(message_vote_t, server), 0 },
    { "service", FIELD_ENUM, G_STRUCT_OFFSET(message_vote_t, service), VOTE_COUNT },
    { "management", FIELD_ENUM, G_STRUCT_OFFSET(message_vote_t, management), VOTE_COUNT },
    { "first-miss", FIELD_TIME, G_STRUCT_OFFSET(message_vote_t, first_miss_wall_ms), 0 },
    { "reason", FIELD_TEXT, G_STRUCT_OFFSET(message_vote_t, reason), 0 },
    { "probes", FIELD_NUMBER, G_STRUCT_OFFSET(message_vote_t, probes_mark), 0 },
    { "pause-from", FIELD_TIME, G_STRUCT_OFFSET(message_vote_t, pause_from_ms), 0 },
    { "paused-until", FIELD_TIME, G_STRUCT_OFFSET(message_vote_t, paused_until_ms), 0 },
};
static const fields_t vote_fields = FIELDS(vote_rows);

static const field_t event_rows[] = {
    { "event", FIELD_OWN_TEXT, G_STRUCT_OFFSET(history_event_t, event), 0 },
    { "at", FIELD_TIME, G_STRUCT_OFFSET(history_event_t, at_ms), 0 },
    { "host", FIELD_OWN_TEXT, G_STRUCT_OFFSET(history_event_t, host), 0 },
    { "detail", FIELD_OWN_TEXT, G_STRUCT_OFFSET(history_event_t, detail), 0 },
};
static const fields_t event_fields = FIELDS(event_rows);

static const field_t takeover_rows[] = {
    { "latched", FIELD_FLAG, G_STRUCT_OFFSET(history_takeover_t, latched), 0 },
    { "closed", FIELD_FLAG, G_STRUCT_OFFSET(history_takeover_t, closed), 0 },
};
static const fields_t takeover_fields = FIELDS(takeover_rows);

static const field_t entry_rows[] = {
    { "server", FIELD_OWN_TEXT, G_STRUCT_OFFSET(message_entry_t, server), 0 },
    { "age", FIELD_TIME, G_STRUCT_OFFSET(message_entry_t, age_ms), 0 },
    { "request", FIELD_ENUM, G_STRUCT_OFFSET(message_entry_t, request), VERDICT_REQUEST_COUNT },
    { "pause-from", FIELD_TIME, G_STRUCT_OFFSET(message_entry_t, pause_from_ms), 0 },
    { "paused-until", FIELD_TIME, G_STRUCT_OFFSET(message_entry_t, paused_until_ms), 0 },
    { "pause-rest", FIELD_TIME, G_STRUCT_OFFSET(message_entry_t, pause_rest_ms), 0 },
    { "pause-begin-known", FIELD_FLAG, G_STRUCT_OFFSET(message_entry_t, pause_begin_known), 0 },
};
static const fields_t entry_fields = FIELDS(entry_rows);

static const field_t history_rows[] = {
    { "server", FIELD_TEXT, G_STRUCT_OFFSET(message_history_t, server), 0 },
    { "digest", FIELD_NUMBER64, G_STRUCT_OFFSET(message_history_t, digest), 0 },
};
static const fields_t history_fields = FIELDS(history_rows);

static const field_t hello_rows[] = {
    MESSAGE_FIELD("node", FIELD_TEXT, node),
    MESSAGE_FIELD("ring", FIELD_NUMBER64, ring),
    MESSAGE_FIELD("incarnation", FIELD_NUMBER64, incarnation),
    MESSAGE_FIELD("generation", FIELD_NUMBER64, stamp.generation),
    MESSAGE_FIELD("version", FIELD_NUMBER64, stamp.version),
    MESSAGE_FIELD("digest", FIELD_NUMBER64, stamp.digest),
    MESSAGE_FIELD("known", FIELD_NUMBER64, known),
    MESSAGE_FIELD("in-sync", FIELD_FLAG, in_sync),
    MESSAGE_FIELD("ability", FIELD_NUMBER, ability),
    MESSAGE_FIELD("asks-who", FIELD_FLAG, asks_who),
    MESSAGE_FIELD("blind", FIELD_FLAG, blind),
};

static const field_t agree_rows[] = {
    MESSAGE_FIELD("ring", FIELD_NUMBER64, ring),
    MESSAGE_FIELD("generation", FIELD_NUMBER64, stamp.generation),
    MESSAGE_FIELD("version", FIELD_NUMBER64, stamp.version),
    MESSAGE_FIELD("digest", FIELD_NUMBER64, stamp.digest),
};

static const field_t want_rows[] = {
    MESSAGE_FIELD("member", FIELD_NUMBER, member),
    MESSAGE_FIELD("want", FIELD_NUMBER64, want),
};

static const field_t snapshot_rows[] = {
    MESSAGE_FIELD("serial", FIELD_NUMBER64, serial),
    MESSAGE_FIELD("want", FIELD_NUMBER64, want),
    MESSAGE_FIELD("part", FIELD_NUMBER, part),
    MESSAGE_FIELD("last", FIELD_FLAG, last),
    MESSAGE_FIELD("generation", FIELD_NUMBER64, stamp.generation),
    MESSAGE_FIELD("version", FIELD_NUMBER64, stamp.version),
    MESSAGE_FIELD("digest", FIELD_NUMBER64, stamp.digest),
};

static const field_t pulse_rows[] = {
    MESSAGE_FIELD("incarnation", FIELD_NUMBER64, incarnation),
    MESSAGE_FIELD("pulse", FIELD_NUMBER64, pulse),
    MESSAGE_FIELD("checked", FIELD_NUMBER64, checked),
    MESSAGE_FIELD("digest", FIELD_NUMBER64, digest),
};

static const field_t silent_rows[] = {
    MESSAGE_FIELD("member", FIELD_NUMBER, member),
    MESSAGE_FIELD("incarnation", FIELD_NUMBER64, incarnation),
};

static const field_t votes_rows[] = {
    MESSAGE_FIELD("serial", FIELD_NUMBER64, serial),
    MESSAGE_FIELD("blind", FIELD_FLAG, blind),
};

static const field_t ask_rows[] = {
    MESSAGE_FIELD("server", FIELD_TEXT, server),
    MESSAGE_FIELD("generation", FIELD_NUMBER64, stamp.generation),
    MESSAGE_FIELD("epoch", FIELD_NUMBER64, epoch),
    MESSAGE_FIELD("round", FIELD_NUMBER, round),
};

static const field_t answer_rows[] = {
    MESSAGE_FIELD("server", FIELD_TEXT, server),
    MESSAGE_FIELD("epoch", FIELD_NUMBER64, epoch),
    MESSAGE_FIELD("round", FIELD_NUMBER, round),
    { "service", FIELD_ENUM, G_STRUCT_OFFSET(message_t, service), VOTE_COUNT },
    { "management", FIELD_ENUM, G_STRUCT_OFFSET(message_t, management), VOTE_COUNT },
    { "probes", FIELD_NUMBER, G_STRUCT_OFFSET(message_t, probes_mark), 0 },
};

/* RECORD, FORGET */
static const field_t change_rows[] = {
    MESSAGE_FIELD("server", FIELD_TEXT, server),
    MESSAGE_FIELD("generation", FIELD_NUMBER64, stamp.generation),
};

static const field_t noted_rows[] = {
    MESSAGE_FIELD("server", FIELD_TEXT, server),
    MESSAGE_FIELD("event", FIELD_TEXT, event),
    MESSAGE_FIELD("at", FIELD_TIME, at_ms),
    MESSAGE_FIELD("host", FIELD_TEXT, host),
    MESSAGE_FIELD("detail", FIELD_TEXT, detail),
};

static const field_t request_rows[] = {
    MESSAGE_FIELD("server", FIELD_TEXT, server),
    { "request", FIELD_ENUM_ONLY, G_STRUCT_OFFSET(message_t, request), VERDICT_REQUEST_COUNT },
    MESSAGE_FIELD("request-id", FIELD_NUMBER64, request_id),
};

static const field_t history_ask_rows[] = {
    MESSAGE_FIELD("serial", FIELD_NUMBER64, serial),
    MESSAGE_FIELD("member", FIELD_NUMBER, member),
};

static const field_t takeovers_rows[] = {
    MESSAGE_FIELD("serial", FIELD_NUMBER64, serial),
    MESSAGE_FIELD("server", FIELD_TEXT, server),
};

static const GVariantType *field_type(field_kind_t kind)
{
    static const char *const types[] = {
        [FIELD_FLAG] = "b",      [FIELD_NUMBER] = "u",    [FIELD_NUMBER64] = "t", [FIELD_TIME] = "x",
        [FIELD_ENUM] = "u",      [FIELD_ENUM_ONLY] = "u", [FIELD_TEXT] = "s",     [FIELD_OWN_TEXT] = "s",
    };

    return G_VARIANT_TYPE(types[kind]);
}

/* What a program said may be of any length and no UTF-8 at all. What comes out stays the same when it is sent on: the
 * digests of those who have it from the first and from the second would differ. */
static GVariant *text_encode(const char *text)
{
    g_autofree char *valid = NULL;

    if (text == NULL || text[0] == '\0') {
        return NULL;
    }
    valid = g_utf8_make_valid(text, (gssize) strnlen(text, MESSAGE_TEXT_MAX_BYTES));
    if (strlen(valid) > MESSAGE_TEXT_MAX_BYTES) {
        /* Each byte that is none of UTF-8 has become three. */
        *g_utf8_find_prev_char(valid, valid + MESSAGE_TEXT_MAX_BYTES + 1) = '\0';
    }
    return g_variant_new_string(valid);
}

/* NULL: it has its default (zero, FALSE, no text), which is not sent. */
static GVariant *field_encode(const field_t *field, gconstpointer from)
{
    gconstpointer at = (const char *) from + field->offset;

    switch (field->kind) {
        case FIELD_FLAG:
            return *(const gboolean *) at ? g_variant_new_boolean(TRUE) : NULL;
        case FIELD_NUMBER64:
            return *(const guint64 *) at != 0 ? g_variant_new_uint64(*(const guint64 *) at) : NULL;
        case FIELD_TIME:
            return *(const gint64 *) at != 0 ? g_variant_new_int64(*(const gint64 *) at) : NULL;
        case FIELD_TEXT:
        case FIELD_OWN_TEXT:
            return text_encode(*(const char *const *) at);
        default:
            return *(const guint *) at != 0 ? g_variant_new_uint32(*(const guint *) at) : NULL;
    }
}

static gboolean field_decode(const field_t *field, GVariant *value, gpointer to)
{
    gpointer at = (char *) to + field->offset;
    guint number = 0;

    switch (field->kind) {
        case FIELD_FLAG:
            *(gboolean *) at = g_variant_get_boolean(value);
            return TRUE;
        case FIELD_NUMBER64:
            *(guint64 *) at = g_variant_get_uint64(value);
            return TRUE;
        case FIELD_TIME:
            *(gint64 *) at = g_variant_get_int64(value);
            return TRUE;
        case FIELD_TEXT:
            *(const char **) at = g_variant_get_string(value, NULL);
            return TRUE;
        case FIELD_OWN_TEXT:
            g_free(*(char **) at);
            *(char **) at = g_variant_dup_string(value, NULL);
            return TRUE;
        default:
            number = g_variant_get_uint32(value);
            if (field->count == 0 || number < field->count) {
                *(guint *) at = number;
                return TRUE;
            }
            return field->kind == FIELD_ENUM;
    }
}

static void fields_encode(const fields_t *fields, gconstpointer from, GVariantBuilder *builder)
{
    for (guint i = 0; i < fields->count; i++) {
        GVariant *value = field_encode(&fields->fields[i], from);

        if (value != NULL) {
            g_variant_builder_add(builder, "{sv}", fields->fields[i].key, value);
        }
    }
}

/* FALSE: a value is of another type, or out of its range. A text that is missing becomes "". */
static gboolean fields_decode(const fields_t *fields, GVariant *dictionary, gpointer to)
{
    for (guint i = 0; i < fields->count; i++) {
        const field_t *field = &fields->fields[i];
        g_autoptr(GVariant) value = g_variant_lookup_value(dictionary, field->key, NULL);

        if (value == NULL && field->kind == FIELD_TEXT) {
            *(const char **) ((char *) to + field->offset) = "";
        } else if (value == NULL && field->kind == FIELD_OWN_TEXT) {
            g_free(*(char **) ((char *) to + field->offset));
            *(char **) ((char *) to + field->offset) = g_strdup("");
        } else if (value != NULL
                   && (!g_variant_is_of_type(value, field_type(field->kind)) || !field_decode(field, value, to))) {
            return FALSE;
        }
    }
    return TRUE;
}

static GVariant *dictionary_encode(const fields_t *fields, gconstpointer from)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE(DICTIONARY_TYPE));
    fields_encode(fields, from, &builder);
    return g_variant_builder_end(&builder);
}

/* Reads each dictionary of a list with `element`. FALSE: one can't be used. A list that is missing is empty. */
static gboolean list_decode(GVariant *dictionary, const char *key,
                            gboolean (*element)(GVariant *dictionary, gpointer into), gpointer into)
{
    g_autoptr(GVariant) list = g_variant_lookup_value(dictionary, key, NULL);
    gboolean valid = list == NULL || g_variant_is_of_type(list, G_VARIANT_TYPE(LIST_TYPE));
    gsize count = (list != NULL && valid) ? g_variant_n_children(list) : 0;

    for (gsize i = 0; valid && i < count; i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(list, i);

        valid = element(child, into);
    }
    return valid;
}

/* Records -----------------------------------------------------------------*/

static void record_encode(const verdict_record_t *record, GVariantBuilder *builder)
{
    g_variant_builder_add(builder, "{sv}", "record", dictionary_encode(&record_fields, record));
}

static gboolean record_decode(GVariant *dictionary, verdict_record_t *record)
{
    g_autoptr(GVariant) value = g_variant_lookup_value(dictionary, "record", G_VARIANT_TYPE(DICTIONARY_TYPE));

    return value != NULL && fields_decode(&record_fields, value, record) && record->epoch > 0;
}

static void record_message_encode(const message_t *message, GVariantBuilder *builder)
{
    record_encode(&message->record, builder);
}

static gboolean record_message_decode(message_t *message)
{
    return record_decode(message->body, &message->record);
}

/* Votes -------------------------------------------------------------------*/

static void votes_encode(const message_t *message, GVariantBuilder *builder)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE(LIST_TYPE));
    for (guint i = 0; i < message->votes->len; i++) {
        g_variant_builder_add_value(&list, dictionary_encode(&vote_fields,
                                                             &g_array_index(message->votes, message_vote_t, i)));
    }
    g_variant_builder_add(builder, "{sv}", "votes", g_variant_builder_end(&list));
}

static gboolean vote_decode(GVariant *dictionary, gpointer votes)
{
    message_vote_t vote = { 0 };
    gboolean valid = fields_decode(&vote_fields, dictionary, &vote) && server_name_is_valid(vote.server);

    if (valid) {
        g_array_append_val((GArray *) votes, vote);
    }
    return valid;
}

static gboolean votes_decode(message_t *message)
{
    message->votes = g_array_new(FALSE, TRUE, sizeof(message_vote_t));
    return list_decode(message->body, "votes", vote_decode, message->votes);
}

/* Histories ---------------------------------------------------------------*/

static GVariant *takeover_encode(const history_takeover_t *takeover)
{
    GVariantBuilder builder;
    GVariantBuilder events;

    g_variant_builder_init(&builder, G_VARIANT_TYPE(DICTIONARY_TYPE));
    fields_encode(&takeover_fields, takeover, &builder);
    g_variant_builder_init(&events, G_VARIANT_TYPE(LIST_TYPE));
    for (guint i = 0; i < takeover->events->len; i++) {
        g_variant_builder_add_value(&events,
                                    dictionary_encode(&event_fields, g_ptr_array_index(takeover->events, i)));
    }
    g_variant_builder_add(&builder, "{sv}", "events", g_variant_builder_end(&events));
    return g_variant_builder_end(&builder);
}

static gboolean event_decode(GVariant *dictionary, gpointer takeover)
{
    history_event_t event = { 0 };
    gboolean valid = fields_decode(&event_fields, dictionary, &event);

    if (valid) {
        history_takeover_append(takeover, event.event, event.at_ms, event.host, event.detail);
    }
    g_free(event.event);
    g_free(event.host);
    g_free(event.detail);
    return valid;
}

static gboolean takeover_read(GVariant *dictionary, history_takeover_t *takeover)
{
    /* What was noted of it says more than what its events imply. */
    return list_decode(dictionary, "events", event_decode, takeover)
           && fields_decode(&takeover_fields, dictionary, takeover);
}

static gboolean takeover_decode(GVariant *dictionary, gpointer takeovers)
{
    history_takeover_t *takeover = history_takeover_new();

    g_ptr_array_add(takeovers, takeover);
    return takeover_read(dictionary, takeover);
}

static void takeovers_encode(const message_t *message, GVariantBuilder *builder)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE(LIST_TYPE));
    for (guint i = 0; i < message->takeovers->len; i++) {
        g_variant_builder_add_value(&list, takeover_encode(g_ptr_array_index(message->takeovers, i)));
    }
    g_variant_builder_add(builder, "{sv}", "takeovers", g_variant_builder_end(&list));
}

static gboolean takeovers_decode(message_t *message)
{
    message->takeovers = g_ptr_array_new_with_free_func((GDestroyNotify) history_takeover_free);
    return list_decode(message->body, "takeovers", takeover_decode, message->takeovers);
}

static void histories_encode(const message_t *message, GVariantBuilder *builder)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE(LIST_TYPE));
    for (guint i = 0; i < message->histories->len; i++) {
        g_variant_builder_add_value(&list, dictionary_encode(&history_fields, &g_array_index(message->histories,
                                                                                             message_history_t, i)));
    }
    g_variant_builder_add(builder, "{sv}", "histories", g_variant_builder_end(&list));
}

static gboolean history_decode(GVariant *dictionary, gpointer histories)
{
    message_history_t history = { 0 };
    gboolean valid = fields_decode(&history_fields, dictionary, &history) && server_name_is_valid(history.server);

    if (valid) {
        g_array_append_val((GArray *) histories, history);
    }
    return valid;
}

static gboolean histories_decode(message_t *message)
{
    message->histories = g_array_new(FALSE, TRUE, sizeof(message_history_t));
    return list_decode(message->body, "histories", history_decode, message->histories);
}

/* Snapshots ---------------------------------------------------------------*/

/* Longer than any two times of a calendar of four-digit years are apart. */
#define PAUSE_REST_MAX_MS G_GINT64_CONSTANT(1000000000000000)

static GVariant *entry_encode(const message_entry_t *entry)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE(DICTIONARY_TYPE));
    fields_encode(&entry_fields, entry, &builder);
    record_encode(&entry->record, &builder);
    if (entry->takeover != NULL) {
        g_variant_builder_add(&builder, "{sv}", "takeover", takeover_encode(entry->takeover));
    }
    return g_variant_builder_end(&builder);
}

static gboolean entry_decode(GVariant *dictionary, gpointer entries)
{
    message_entry_t *entry = g_new0(message_entry_t, 1);
    g_autoptr(GVariant) takeover = g_variant_lookup_value(dictionary, "takeover", G_VARIANT_TYPE(DICTIONARY_TYPE));

    g_ptr_array_add(entries, entry);
    if (takeover != NULL) {
        entry->takeover = history_takeover_new();
        if (!takeover_read(takeover, entry->takeover)) {
            return FALSE;
        }
    }
    return fields_decode(&entry_fields, dictionary, entry) && server_name_is_valid(entry->server)
           && entry->age_ms >= 0 && entry->pause_rest_ms >= 0 && entry->pause_rest_ms <= PAUSE_REST_MAX_MS
           && record_decode(dictionary, &entry->record);
}

static void snapshot_encode(const message_t *message, GVariantBuilder *builder)
{
    GVariantBuilder entries;

    g_variant_builder_init(&entries, G_VARIANT_TYPE(LIST_TYPE));
    for (guint i = 0; i < message->entries->len; i++) {
        g_variant_builder_add_value(&entries, entry_encode(g_ptr_array_index(message->entries, i)));
    }
    g_variant_builder_add(builder, "{sv}", "entries", g_variant_builder_end(&entries));
}

static gboolean snapshot_decode(message_t *message)
{
    message->entries = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free);
    return list_decode(message->body, "entries", entry_decode, message->entries);
}

/* Bodies ------------------------------------------------------------------*/

static gboolean hello_check(message_t *message)
{
    return message->node[0] != '\0';
}

static gboolean want_check(message_t *message)
{
    return message->want != 0;
}

static gboolean event_check(message_t *message)
{
    return message->event[0] != '\0';
}

static gboolean request_check(message_t *message)
{
    return message->request != VERDICT_REQUEST_NONE;
}

static const struct {
    fields_t fields;
    void (*encode)(const message_t *message, GVariantBuilder *builder); /* what is not in the fields, or NULL */
    gboolean (*decode)(message_t *message); /* the same, or NULL. FALSE: a value is out of its range */
} bodies[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] = { FIELDS(hello_rows), NULL, hello_check },
    [MESSAGE_AGREE] = { FIELDS(agree_rows), NULL, NULL },
    [MESSAGE_WANT] = { FIELDS(want_rows), NULL, want_check },
    [MESSAGE_SNAPSHOT] = { FIELDS(snapshot_rows), snapshot_encode, snapshot_decode },
    [MESSAGE_PULSE] = { FIELDS(pulse_rows), NULL, NULL },
    [MESSAGE_SILENT] = { FIELDS(silent_rows), NULL, NULL },
    [MESSAGE_VOTES] = { FIELDS(votes_rows), votes_encode, votes_decode },
    [MESSAGE_ASK] = { FIELDS(ask_rows), NULL, NULL },
    [MESSAGE_ANSWER] = { FIELDS(answer_rows), NULL, NULL },
    [MESSAGE_RECORD] = { FIELDS(change_rows), record_message_encode, record_message_decode },
    [MESSAGE_EVENT] = { FIELDS(noted_rows), NULL, event_check },
    [MESSAGE_REQUEST] = { FIELDS(request_rows), NULL, request_check },
    [MESSAGE_FORGET] = { FIELDS(change_rows), NULL, NULL },
    [MESSAGE_HISTORY_ASK] = { FIELDS(history_ask_rows), histories_encode, histories_decode },
    [MESSAGE_HISTORY] = { FIELDS(takeovers_rows), takeovers_encode, takeovers_decode },
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
    GVariantBuilder body;

    g_return_val_if_fail(message->type >= MESSAGE_HELLO && message->type < MESSAGE_TYPE_COUNT, NULL);
    g_variant_builder_init(&body, G_VARIANT_TYPE(DICTIONARY_TYPE));
    fields_encode(&bodies[message->type].fields, message, &body);
    if (bodies[message->type].encode != NULL) {
        bodies[message->type].encode(message, &body);
    }
    envelope = g_variant_ref_sink(g_variant_new(ENVELOPE_TYPE, (guchar) MESSAGE_VERSION, (guchar) message->type,
                                                &body));
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

static gboolean body_decode(message_t *message)
{
    gboolean valid = fields_decode(&bodies[message->type].fields, message->body, message)
                     && (bodies[message->type].decode == NULL || bodies[message->type].decode(message));

    return valid && (message->server == NULL || server_name_is_valid(message->server));
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
    g_variant_get(envelope, "(yy@" DICTIONARY_TYPE ")", &version, &type, &message->body);
    if (version != MESSAGE_VERSION || type < MESSAGE_HELLO || type >= MESSAGE_TYPE_COUNT) {
        return refuse(message, error, "it is of another version; run the same version on all hosts");
    }
    message->type = (message_type_t) type;
    if (!body_decode(message)) {
        return refuse(message, error, "it has a value that is out of its range or of another type; run the same "
                                      "version on all hosts");
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
    g_clear_pointer(&message->histories, g_array_unref);
    g_clear_pointer(&message->takeovers, g_ptr_array_unref);
    verdict_record_clear(&message->record);
    g_clear_pointer(&message->body, g_variant_unref);
    g_free(message);
}

/* What would be sent of it: no field that is sent can be left out. */
void message_record_digest(const verdict_record_t *record, GChecksum *sum)
{
    g_autoptr(GVariant) dictionary = g_variant_ref_sink(dictionary_encode(&record_fields, record));
    g_autoptr(GVariant) wire = to_wire_order(dictionary);

    g_checksum_update(sum, g_variant_get_data(wire), (gssize) g_variant_get_size(wire));
}

guint64 message_digest_end(GChecksum *sum)
{
    guint8 bytes[32];
    gsize size_bytes = sizeof(bytes);
    guint64 digest = 0;

    g_checksum_get_digest(sum, bytes, &size_bytes);
    for (guint i = 0; i < sizeof(digest); i++) {
        digest = digest << 8 | bytes[i];
    }
    return digest;
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
    g_clear_pointer(&entry->takeover, history_takeover_free);
    g_free(entry->server);
    g_free(entry);
}
