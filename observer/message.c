/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "message.h"

#include <string.h>

#include "error.h"
#include "names.h"

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
};
static const fields_t entry_fields = FIELDS(entry_rows);

static const field_t hello_rows[] = {
    { "node", FIELD_TEXT, G_STRUCT_OFFSET(message_t, node), 0 },
    { "incarnation", FIELD_NUMBER64, G_STRUCT_OFFSET(message_t, incarnation), 0 },
    { "version", FIELD_NUMBER64, G_STRUCT_OFFSET(message_t, version), 0 },
    { "in-sync", FIELD_FLAG, G_STRUCT_OFFSET(message_t, in_sync), 0 },
    { "ability", FIELD_NUMBER, G_STRUCT_OFFSET(message_t, ability), 0 },
    { "blind", FIELD_FLAG, G_STRUCT_OFFSET(message_t, blind), 0 },
};

static const field_t votes_rows[] = {
    { "blind", FIELD_FLAG, G_STRUCT_OFFSET(message_t, blind), 0 },
};

static const field_t ask_rows[] = {
    { "server", FIELD_TEXT, G_STRUCT_OFFSET(message_t, server), 0 },
    { "epoch", FIELD_NUMBER64, G_STRUCT_OFFSET(message_t, epoch), 0 },
    { "round", FIELD_NUMBER, G_STRUCT_OFFSET(message_t, round), 0 },
};

static const field_t answer_rows[] = {
    { "server", FIELD_TEXT, G_STRUCT_OFFSET(message_t, server), 0 },
    { "epoch", FIELD_NUMBER64, G_STRUCT_OFFSET(message_t, epoch), 0 },
    { "round", FIELD_NUMBER, G_STRUCT_OFFSET(message_t, round), 0 },
    { "service", FIELD_ENUM, G_STRUCT_OFFSET(message_t, service), VOTE_COUNT },
    { "management", FIELD_ENUM, G_STRUCT_OFFSET(message_t, management), VOTE_COUNT },
    { "probes", FIELD_NUMBER, G_STRUCT_OFFSET(message_t, probes_mark), 0 },
};

static const field_t server_rows[] = {
    { "server", FIELD_TEXT, G_STRUCT_OFFSET(message_t, server), 0 },
};

static const field_t noted_rows[] = {
    { "server", FIELD_TEXT, G_STRUCT_OFFSET(message_t, server), 0 },
    { "event", FIELD_TEXT, G_STRUCT_OFFSET(message_t, event), 0 },
    { "at", FIELD_TIME, G_STRUCT_OFFSET(message_t, at_ms), 0 },
    { "host", FIELD_TEXT, G_STRUCT_OFFSET(message_t, host), 0 },
    { "detail", FIELD_TEXT, G_STRUCT_OFFSET(message_t, detail), 0 },
};

static const field_t request_rows[] = {
    { "server", FIELD_TEXT, G_STRUCT_OFFSET(message_t, server), 0 },
    { "request", FIELD_ENUM_ONLY, G_STRUCT_OFFSET(message_t, request), VERDICT_REQUEST_COUNT },
    { "request-id", FIELD_NUMBER64, G_STRUCT_OFFSET(message_t, request_id), 0 },
};

static const field_t snapshot_rows[] = {
    { "first", FIELD_FLAG, G_STRUCT_OFFSET(message_t, first), 0 },
    { "last", FIELD_FLAG, G_STRUCT_OFFSET(message_t, last), 0 },
};

static const GVariantType *field_type(field_kind_t kind)
{
    static const char *const types[] = {
        [FIELD_FLAG] = "b",      [FIELD_NUMBER] = "u",    [FIELD_NUMBER64] = "t", [FIELD_TIME] = "x",
        [FIELD_ENUM] = "u",      [FIELD_ENUM_ONLY] = "u", [FIELD_TEXT] = "s",     [FIELD_OWN_TEXT] = "s",
    };

    return G_VARIANT_TYPE(types[kind]);
}

/* NULL: it has its default (zero, FALSE, no text), which is not sent. */
static GVariant *field_encode(const field_t *field, gconstpointer from)
{
    gconstpointer at = (const char *) from + field->offset;
    const char *text = NULL;

    switch (field->kind) {
        case FIELD_FLAG:
            return *(const gboolean *) at ? g_variant_new_boolean(TRUE) : NULL;
        case FIELD_NUMBER64:
            return *(const guint64 *) at != 0 ? g_variant_new_uint64(*(const guint64 *) at) : NULL;
        case FIELD_TIME:
            return *(const gint64 *) at != 0 ? g_variant_new_int64(*(const gint64 *) at) : NULL;
        case FIELD_TEXT:
        case FIELD_OWN_TEXT:
            text = *(const char *const *) at;
            return (text != NULL && text[0] != '\0') ? g_variant_new_string(text) : NULL;
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

/* Snapshots ---------------------------------------------------------------*/

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

static gboolean takeover_decode(GVariant *dictionary, gpointer takeovers)
{
    history_takeover_t *takeover = history_takeover_new();

    g_ptr_array_add(takeovers, takeover);
    /* What was noted of it says more than what its events imply. */
    return list_decode(dictionary, "events", event_decode, takeover)
           && fields_decode(&takeover_fields, dictionary, takeover);
}

static GVariant *entry_encode(const message_entry_t *entry)
{
    GVariantBuilder builder;
    GVariantBuilder takeovers;

    g_variant_builder_init(&builder, G_VARIANT_TYPE(DICTIONARY_TYPE));
    fields_encode(&entry_fields, entry, &builder);
    record_encode(&entry->record, &builder);
    g_variant_builder_init(&takeovers, G_VARIANT_TYPE(LIST_TYPE));
    for (guint i = 0; entry->takeovers != NULL && i < entry->takeovers->len; i++) {
        g_variant_builder_add_value(&takeovers, takeover_encode(g_ptr_array_index(entry->takeovers, i)));
    }
    g_variant_builder_add(&builder, "{sv}", "takeovers", g_variant_builder_end(&takeovers));
    return g_variant_builder_end(&builder);
}

static gboolean entry_decode(GVariant *dictionary, gpointer entries)
{
    message_entry_t *entry = g_new0(message_entry_t, 1);

    g_ptr_array_add(entries, entry);
    entry->takeovers = g_ptr_array_new_with_free_func((GDestroyNotify) history_takeover_free);
    return fields_decode(&entry_fields, dictionary, entry) && server_name_is_valid(entry->server)
           && entry->age_ms >= 0 && record_decode(dictionary, &entry->record)
           && list_decode(dictionary, "takeovers", takeover_decode, entry->takeovers);
}

static void snapshot_encode(const message_t *message, GVariantBuilder *builder)
{
    GVariantBuilder entries;

    g_variant_builder_add(builder, "{sv}", "targets",
                          g_variant_new_fixed_array(G_VARIANT_TYPE_UINT64, message->targets->data,
                                                    message->targets->len, sizeof(guint64)));
    g_variant_builder_init(&entries, G_VARIANT_TYPE(LIST_TYPE));
    for (guint i = 0; i < message->entries->len; i++) {
        g_variant_builder_add_value(&entries, entry_encode(g_ptr_array_index(message->entries, i)));
    }
    g_variant_builder_add(builder, "{sv}", "entries", g_variant_builder_end(&entries));
}

static gboolean snapshot_decode(message_t *message)
{
    g_autoptr(GVariant) targets = g_variant_lookup_value(message->body, "targets", G_VARIANT_TYPE("at"));
    gsize count = 0;
    gconstpointer values = NULL;

    message->entries = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free);
    message->targets = g_array_new(FALSE, FALSE, sizeof(guint64));
    if (targets != NULL) {
        values = g_variant_get_fixed_array(targets, &count, sizeof(guint64));
        g_array_append_vals(message->targets, values, (guint) count);
    }
    return list_decode(message->body, "entries", entry_decode, message->entries);
}

/* Bodies ------------------------------------------------------------------*/

static gboolean hello_check(message_t *message)
{
    return message->node[0] != '\0';
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
    [MESSAGE_VOTES] = { FIELDS(votes_rows), votes_encode, votes_decode },
    [MESSAGE_ASK] = { FIELDS(ask_rows), NULL, NULL },
    [MESSAGE_ANSWER] = { FIELDS(answer_rows), NULL, NULL },
    [MESSAGE_RECORD] = { FIELDS(server_rows), record_message_encode, record_message_decode },
    [MESSAGE_EVENT] = { FIELDS(noted_rows), NULL, event_check },
    [MESSAGE_REQUEST] = { FIELDS(request_rows), NULL, request_check },
    [MESSAGE_SNAPSHOT] = { FIELDS(snapshot_rows), snapshot_encode, snapshot_decode },
    [MESSAGE_FORGET] = { FIELDS(server_rows), NULL, NULL },
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
