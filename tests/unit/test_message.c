/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "judge/message.h"

static message_t *there_and_back(const message_t *message)
{
    GBytes *bytes = message_encode(message);
    gsize size_bytes = 0;
    gconstpointer data = g_bytes_get_data(bytes, &size_bytes);
    GError *error = NULL;
    message_t *back = message_decode(data, size_bytes, &error);

    assert_null(error);
    assert_non_null(back);
    assert_int_equal(back->type, message->type);
    g_bytes_unref(bytes);
    return back;
}

static void test_hello(void **state)
{
    message_t message = { .type = MESSAGE_HELLO, .node = "host1", .incarnation = 5, .ring = 8, .in_sync = TRUE,
                          .stamp = { 4, 77, 12345 }, .ability = 2, .blind = TRUE };
    message_t *back = there_and_back(&message);

    (void) state;
    assert_string_equal(back->node, "host1");
    assert_int_equal(back->incarnation, 5);
    assert_int_equal(back->ring, 8);
    assert_int_equal(back->stamp.generation, 4);
    assert_int_equal(back->stamp.version, 77);
    assert_int_equal(back->stamp.digest, 12345);
    assert_true(back->in_sync);
    assert_int_equal(back->ability, 2);
    assert_true(back->blind);
    message_free(back);
}

static void test_votes(void **state)
{
    message_vote_t votes[] = {
        { "db1", VOTE_DOWN, VOTE_NONE, 1234, "tcp:10.0.0.1:5432: Connection refused", 7, 3600000, 7200000 },
        { "db2", VOTE_UP, VOTE_BLIND, 0, NULL, 0, 0, 0 },
    };
    message_t message = { .type = MESSAGE_VOTES, .votes = g_array_new(FALSE, FALSE, sizeof(message_vote_t)) };
    message_t *back = NULL;

    (void) state;
    g_array_append_vals(message.votes, votes, 2);
    back = there_and_back(&message);
    assert_int_equal(back->votes->len, 2);
    assert_string_equal(g_array_index(back->votes, message_vote_t, 1).server, "db2");
    assert_int_equal(g_array_index(back->votes, message_vote_t, 0).service, VOTE_DOWN);
    assert_int_equal(g_array_index(back->votes, message_vote_t, 0).first_miss_wall_ms, 1234);
    assert_int_equal(g_array_index(back->votes, message_vote_t, 1).management, VOTE_BLIND);
    assert_string_equal(g_array_index(back->votes, message_vote_t, 0).reason, votes[0].reason);
    assert_int_equal(g_array_index(back->votes, message_vote_t, 0).probes_mark, 7);
    assert_int_equal(g_array_index(back->votes, message_vote_t, 0).pause_from_ms, 3600000);
    assert_int_equal(g_array_index(back->votes, message_vote_t, 0).paused_until_ms, 7200000);
    assert_int_equal(g_array_index(back->votes, message_vote_t, 1).paused_until_ms, 0);
    assert_string_equal(g_array_index(back->votes, message_vote_t, 1).reason, "");
    message_free(back);
    g_array_unref(message.votes);
}

static void test_rounds(void **state)
{
    message_t ask = { .type = MESSAGE_ASK, .server = "db1", .epoch = 9, .round = 2 };
    message_t answer = { .type = MESSAGE_ANSWER, .server = "db1", .epoch = 9, .round = 2,
                         .service = VOTE_DOWN, .management = VOTE_UP };
    message_t *back = there_and_back(&ask);

    (void) state;
    assert_string_equal(back->server, "db1");
    assert_int_equal(back->epoch, 9);
    assert_int_equal(back->round, 2);
    message_free(back);
    back = there_and_back(&answer);
    assert_int_equal(back->service, VOTE_DOWN);
    assert_int_equal(back->management, VOTE_UP);
    message_free(back);
}

static void test_record(void **state)
{
    message_t message = { .type = MESSAGE_RECORD, .server = "db1",
                          .record = { .epoch = 5, .verdict = VERDICT_ISOLATING, .since_wall_ms = 42,
                                      .reason = (char *) "because", .by_operator = TRUE, .seen_away = TRUE,
                                      .quiet_rounds = 1, .seen_probes = (char *) "0123",
                                      .isolation = ISOLATION_STATE_BEGUN, .failed_returns = 2,
                                      .operator_returns = TRUE } };
    message_t *back = there_and_back(&message);

    (void) state;
    assert_string_equal(back->record.seen_probes, "0123");
    assert_int_equal(back->record.epoch, 5);
    assert_int_equal(back->record.verdict, VERDICT_ISOLATING);
    assert_int_equal(back->record.since_wall_ms, 42);
    assert_string_equal(back->record.reason, "because");
    assert_true(back->record.by_operator && back->record.seen_away);
    assert_int_equal(back->record.quiet_rounds, 1);
    assert_int_equal(back->record.isolation, ISOLATION_STATE_BEGUN);
    assert_int_equal(back->record.failed_returns, 2);
    assert_true(back->record.operator_returns);
    message_free(back);
}

static void test_event_request_and_forget(void **state)
{
    message_t event = { .type = MESSAGE_EVENT, .server = "db1", .event = "started", .at_ms = 99, .host = "host2" };
    message_t request = { .type = MESSAGE_REQUEST, .server = "db1", .request = VERDICT_REQUEST_RELEASE,
                          .request_id = 3 };
    message_t forget = { .type = MESSAGE_FORGET, .server = "db1" };
    message_t *back = there_and_back(&event);

    (void) state;
    assert_string_equal(back->event, "started");
    assert_string_equal(back->host, "host2");
    assert_string_equal(back->detail, "");
    message_free(back);
    back = there_and_back(&request);
    assert_int_equal(back->request, VERDICT_REQUEST_RELEASE);
    assert_int_equal(back->request_id, 3);
    message_free(back);
    message_free(there_and_back(&forget));
}

static void test_sync(void **state)
{
    message_t agree = { .type = MESSAGE_AGREE, .ring = 8, .stamp = { 4, 77, 12345 } };
    message_t want = { .type = MESSAGE_WANT, .member = 3, .want = 99 };
    message_t pulse = { .type = MESSAGE_PULSE, .incarnation = 5, .pulse = 7, .checked = 6, .digest = 12345 };
    message_t silent = { .type = MESSAGE_SILENT, .member = 3, .incarnation = 5 };
    message_t *back = there_and_back(&agree);

    (void) state;
    assert_int_equal(back->ring, 8);
    assert_int_equal(back->stamp.version, 77);
    message_free(back);
    back = there_and_back(&want);
    assert_int_equal(back->member, 3);
    assert_int_equal(back->want, 99);
    message_free(back);
    back = there_and_back(&pulse);
    assert_int_equal(back->pulse, 7);
    assert_int_equal(back->checked, 6);
    assert_int_equal(back->digest, 12345);
    message_free(back);
    back = there_and_back(&silent);
    assert_int_equal(back->member, 3);
    message_free(back);
}

static void test_snapshot_carries_records(void **state)
{
    verdict_record_t record = { .epoch = 3, .verdict = VERDICT_FAILED, .reason = (char *) "r" };
    message_t message = { .type = MESSAGE_SNAPSHOT, .want = 99, .part = 2, .last = TRUE, .stamp = { 4, 77, 12345 },
                          .entries = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free) };
    message_entry_t *entry = message_entry_new("db1", &record, 1500);
    message_t *back = NULL;

    (void) state;
    entry->request = VERDICT_REQUEST_RELEASE;
    entry->pause_from_ms = 3600000;
    entry->paused_until_ms = 7200000;
    entry->pause_rest_ms = 1234;
    entry->pause_begin_known = TRUE;
    entry->takeover = history_takeover_new();
    history_takeover_append(entry->takeover, "isolating", 10, "host1", "why");
    g_ptr_array_add(message.entries, entry);
    g_ptr_array_add(message.entries, message_entry_new("db2", &record, 0));
    back = there_and_back(&message);
    assert_int_equal(back->want, 99);
    assert_int_equal(back->part, 2);
    assert_true(back->last);
    assert_int_equal(back->stamp.digest, 12345);
    assert_int_equal(back->entries->len, 2);
    entry = g_ptr_array_index(back->entries, 0);
    assert_string_equal(entry->server, "db1");
    assert_int_equal(entry->age_ms, 1500);
    assert_int_equal(entry->record.verdict, VERDICT_FAILED);
    assert_int_equal(entry->request, VERDICT_REQUEST_RELEASE);
    assert_int_equal(entry->pause_from_ms, 3600000);
    assert_int_equal(entry->paused_until_ms, 7200000);
    assert_int_equal(entry->pause_rest_ms, 1234);
    assert_true(entry->pause_begin_known);
    assert_true(entry->takeover->latched);
    assert_int_equal(entry->takeover->events->len, 1);
    message_free(back);
    g_ptr_array_unref(message.entries);
}

static void test_histories(void **state)
{
    message_history_t history = { "db1", 77 };
    message_t ask = { .type = MESSAGE_HISTORY_ASK, .member = 2,
                      .histories = g_array_new(FALSE, FALSE, sizeof(message_history_t)) };
    message_t message = { .type = MESSAGE_HISTORY, .server = "db1",
                          .takeovers = g_ptr_array_new_with_free_func((GDestroyNotify) history_takeover_free) };
    history_takeover_t *takeover = history_takeover_new();
    message_t *back = NULL;

    (void) state;
    g_array_append_val(ask.histories, history);
    back = there_and_back(&ask);
    assert_int_equal(back->member, 2);
    assert_int_equal(g_array_index(back->histories, message_history_t, 0).digest, 77);
    message_free(back);
    history_takeover_append(takeover, "isolating", 10, "", "why");
    history_takeover_append(takeover, "started", 20, "host1", "");
    g_ptr_array_add(message.takeovers, takeover);
    back = there_and_back(&message);
    takeover = g_ptr_array_index(back->takeovers, 0);
    assert_true(takeover->latched);
    assert_int_equal(takeover->events->len, 2);
    assert_string_equal(((history_event_t *) g_ptr_array_index(takeover->events, 1))->host, "host1");
    message_free(back);
    g_ptr_array_unref(message.takeovers);
    g_array_unref(ask.histories);
}

/* What a program said is of any length, and may be no text at all. */
static void test_texts_are_cut_and_valid(void **state)
{
    g_autofree char *text = g_strnfill(4 * MESSAGE_TEXT_MAX_BYTES, 'x');
    message_t message = { .type = MESSAGE_RECORD, .server = "db1", .record = { .epoch = 1, .reason = text } };
    message_t *back = NULL;

    (void) state;
    text[0] = (char) 0xff;
    back = there_and_back(&message);
    assert_in_range(strlen(back->record.reason), MESSAGE_TEXT_MAX_BYTES - 3, MESSAGE_TEXT_MAX_BYTES);
    assert_true(g_utf8_validate(back->record.reason, -1, NULL));
    message_free(back);
}

static guint64 digest_of(const verdict_record_t *record)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);

    message_record_digest(record, sum);
    return message_digest_end(sum);
}

/* Who has it from a snapshot has what all others have. */
static void test_what_is_sent_on_is_the_same(void **state)
{
    g_autofree char *text = g_strnfill(4 * MESSAGE_TEXT_MAX_BYTES, (char) 0xff);
    message_t message = { .type = MESSAGE_RECORD, .server = "db1", .record = { .epoch = 1, .reason = text } };
    message_t *first = there_and_back(&message);
    message_t *second = there_and_back(&(message_t) { .type = MESSAGE_RECORD, .server = "db1",
                                                      .record = first->record });

    (void) state;
    assert_string_equal(first->record.reason, second->record.reason);
    assert_true(digest_of(&first->record) == digest_of(&second->record));
    message_free(first);
    message_free(second);
}

/* A difference in any field is one of the tables. */
static void test_every_field_is_in_the_digest(void **state)
{
    static const verdict_record_t records[] = {
        { .epoch = 1 },
        { .epoch = 2 },
        { .epoch = 1, .verdict = VERDICT_SUSPECT },
        { .epoch = 1, .since_wall_ms = 1 },
        { .epoch = 1, .reason = (char *) "because" },
        { .epoch = 1, .by_operator = TRUE },
        { .epoch = 1, .seen_away = TRUE },
        { .epoch = 1, .seen_probes = (char *) "because" },
        { .epoch = 1, .quiet_rounds = 1 },
        { .epoch = 1, .isolation = ISOLATION_STATE_BEGUN },
        { .epoch = 1, .failed_returns = 1 },
        { .epoch = 1, .operator_returns = TRUE },
    };
    const verdict_record_t empty = { .epoch = 1, .reason = (char *) "", .seen_probes = (char *) "" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(records); i++) {
        for (gsize k = 0; k < i; k++) {
            assert_false(digest_of(&records[i]) == digest_of(&records[k]));
        }
    }
    assert_true(digest_of(&records[0]) == digest_of(&empty));
}

static void assert_refused(gconstpointer data, gsize size_bytes)
{
    GError *error = NULL;

    assert_null(message_decode(data, size_bytes, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED));
    g_error_free(error);
}

static void assert_variant_refused(GVariant *variant)
{
    GVariant *sunk = g_variant_ref_sink(variant);

    assert_refused(g_variant_get_data(sunk), g_variant_get_size(sunk));
    g_variant_unref(sunk);
}

static GVariant *envelope_new(guint version, guint type, const char *body)
{
    g_autoptr(GVariant) dictionary = g_variant_parse(G_VARIANT_TYPE("a{sv}"), body, NULL, NULL, NULL);

    assert_non_null(dictionary);
    return g_variant_new("(yy@a{sv})", (guchar) version, (guchar) type, dictionary);
}

static void test_strangers_are_refused(void **state)
{
    (void) state;
    assert_refused("", 0);
    assert_refused("hello world, this is no message", 31);
    assert_variant_refused(g_variant_new("(yyv)", 1, MESSAGE_FORGET, g_variant_new("(s)", "db1"))); /* 0.1's */
    assert_variant_refused(envelope_new(3, MESSAGE_FORGET, "{'server': <'db1'>}"));
    assert_variant_refused(envelope_new(2, 0, "{'server': <'db1'>}"));
    assert_variant_refused(envelope_new(2, 200, "{'server': <'db1'>}"));
    assert_variant_refused(envelope_new(2, MESSAGE_FORGET, "{}"));
    assert_variant_refused(envelope_new(2, MESSAGE_FORGET, "{'server': <'../db1'>}"));
    assert_variant_refused(envelope_new(2, MESSAGE_FORGET, "{'server': <uint32 5>}"));
    assert_variant_refused(envelope_new(2, MESSAGE_HELLO, "{'incarnation': <uint64 5>}"));
    assert_variant_refused(envelope_new(2, MESSAGE_REQUEST, "{'server': <'db1'>}"));
    assert_variant_refused(envelope_new(2, MESSAGE_REQUEST, "{'server': <'db1'>, 'request': <uint32 77>}"));
    assert_variant_refused(envelope_new(2, MESSAGE_RECORD, "{'server': <'db1'>}"));
    assert_variant_refused(envelope_new(2, MESSAGE_RECORD,
                                        "{'server': <'db1'>, 'record': <{'verdict': <uint32 1>}>}"));
    assert_variant_refused(envelope_new(2, MESSAGE_RECORD, "{'server': <'db1'>, 'record': "
                                                           "<{'epoch': <uint64 1>, 'verdict': <uint32 77>}>}"));
    assert_variant_refused(envelope_new(2, MESSAGE_VOTES, "{'votes': <uint32 1>}"));
    assert_variant_refused(envelope_new(2, MESSAGE_VOTES, "{'votes': <[{'server': <'../db1'>}]>}"));
}

static message_t *decode_variant(GVariant *variant)
{
    g_autoptr(GVariant) sunk = g_variant_ref_sink(variant);
    message_t *message = message_decode(g_variant_get_data(sunk), g_variant_get_size(sunk), NULL);

    assert_non_null(message);
    return message;
}

/* Hosts are upgraded one by one: what a newer observer adds is ignored by an older one. */
static void test_what_a_newer_observer_adds_is_ignored(void **state)
{
    message_t *message = decode_variant(envelope_new(
        2, MESSAGE_RECORD, "{'server': <'db1'>, 'mood': <'sunny'>, 'record': <{'epoch': <uint64 4>, "
                           "'verdict': <uint32 4>, 'reason': <'because'>, 'colour': <{'red': <1>}>}>}"));

    (void) state;
    assert_int_equal(message->record.epoch, 4);
    assert_int_equal(message->record.verdict, VERDICT_FAILED);
    assert_string_equal(message->record.reason, "because");
    message_free(message);

    message = decode_variant(envelope_new(
        2, MESSAGE_VOTES, "{'votes': <[{'server': <'db1'>, 'service': <uint32 99>, 'why': <'?'>}]>}"));
    assert_int_equal(message->votes->len, 1);
    assert_int_equal(g_array_index(message->votes, message_vote_t, 0).service, VOTE_NONE);
    message_free(message);
}

static void test_what_an_older_observer_does_not_say_has_its_default(void **state)
{
    message_t *message = decode_variant(envelope_new(2, MESSAGE_HELLO, "{'node': <'host1'>}"));

    (void) state;
    assert_int_equal(message->incarnation, 0);
    assert_false(message->in_sync || message->blind);
    message_free(message);

    message = decode_variant(envelope_new(2, MESSAGE_RECORD,
                                          "{'server': <'db1'>, 'record': <{'epoch': <uint64 1>}>}"));
    assert_int_equal(message->record.verdict, VERDICT_HEALTHY);
    assert_string_equal(message->record.reason, "");
    message_free(message);
}

/* Each byte of a message damaged in turn: refused or read, never a crash (run under the sanitizers). */
static void test_damage_does_not_crash(void **state)
{
    verdict_record_t record = { .epoch = 3, .verdict = VERDICT_FAILED, .reason = (char *) "reason" };
    message_t message = { .type = MESSAGE_SNAPSHOT, .want = 5, .last = TRUE,
                          .entries = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free) };
    GBytes *bytes = NULL;
    gsize size_bytes = 0;
    const guchar *data = NULL;

    (void) state;
    g_ptr_array_add(message.entries, message_entry_new("db1", &record, 1500));
    bytes = message_encode(&message);
    data = g_bytes_get_data(bytes, &size_bytes);
    for (gsize i = 0; i < size_bytes; i++) {
        for (guint bit = 0; bit < 8; bit++) {
            g_autofree guchar *copy = g_memdup2(data, size_bytes);

            copy[i] ^= (guchar) (1 << bit);
            message_free(message_decode(copy, size_bytes, NULL));
        }
        message_free(message_decode(data, i, NULL));
    }
    g_bytes_unref(bytes);
    g_ptr_array_unref(message.entries);
}

static void test_history_keeps_takeovers_apart(void **state)
{
    history_t *history = history_new();

    (void) state;
    assert_false(history_add(history, "started", 1, "host1", "")); /* belongs to none */
    assert_true(history_add(history, "first_miss", 1, "", ""));
    assert_true(history_add(history, "suspect", 2, "", ""));
    assert_true(history_add(history, "healthy", 3, "", ""));
    assert_int_equal(history_takeovers(history)->len, 0); /* a doubt that passed */

    assert_true(history_add(history, "suspect", 4, "", ""));
    assert_true(history_add(history, "isolating", 5, "", ""));
    assert_true(history_add(history, "started", 6, "host1", ""));
    assert_false(history_add(history, "started", 7, "host1", ""));
    assert_true(history_add(history, "started", 8, "host2", ""));
    assert_true(history_has(history, "started", NULL));
    assert_true(history_add(history, "isolating", 9, "", "again")); /* another takeover */
    assert_false(history_has(history, "started", NULL));
    assert_true(history_add(history, "healthy", 10, "", ""));
    assert_false(history_add(history, "stopped", 11, "", ""));
    assert_int_equal(history_takeovers(history)->len, 2);

    for (guint i = 0; i < 3 * HISTORY_TAKEOVERS_MAX; i++) {
        assert_true(history_add(history, "isolating", 100 + i, "", ""));
    }
    assert_int_equal(history_takeovers(history)->len, HISTORY_TAKEOVERS_MAX);
    history_free(history);
}

static void count_added(gint64 started_ms, const history_event_t *event, gpointer user_data)
{
    (void) event;
    assert_int_equal(started_ms, 20);
    ++*(guint *) user_data;
}

/* What others saw while a member was away, in any order, and again. */
static void test_histories_are_merged(void **state)
{
    history_t *history = history_new();
    history_t *whole = history_new();
    guint added = 0;

    (void) state;
    for (guint round = 0; round < 2; round++) {
        for (gint64 start_ms = 30; start_ms >= 10; start_ms -= 10) {
            history_takeover_t *takeover = history_takeover_new();

            history_takeover_append(takeover, "isolating", start_ms, "", "");
            history_takeover_append(takeover, "started", start_ms + 1, "host1", "");
            history_merge(history, takeover, start_ms == 20 ? count_added : NULL, &added);
        }
    }
    assert_int_equal(added, 2);
    assert_int_equal(history_takeovers(history)->len, 3);
    for (gint64 start_ms = 10; start_ms <= 30; start_ms += 10) {
        assert_true(history_add(whole, "isolating", start_ms, "", ""));
        assert_true(history_add(whole, "started", start_ms + 1, "host1", ""));
    }
    assert_int_equal(history_digest(history), history_digest(whole));
    assert_non_null(history_current(history));
    history_resume(history, NULL, NULL, NULL); /* the others saw nothing of it */
    assert_int_equal(history_digest(history), history_digest(whole));
    assert_null(history_current(history));
    history_free(history);
    history_free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_votes),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_event_request_and_forget),
        cmocka_unit_test(test_sync),
        cmocka_unit_test(test_snapshot_carries_records),
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_texts_are_cut_and_valid),
        cmocka_unit_test(test_what_is_sent_on_is_the_same),
        cmocka_unit_test(test_every_field_is_in_the_digest),
        cmocka_unit_test(test_strangers_are_refused),
        cmocka_unit_test(test_what_a_newer_observer_adds_is_ignored),
        cmocka_unit_test(test_what_an_older_observer_does_not_say_has_its_default),
        cmocka_unit_test(test_damage_does_not_crash),
        cmocka_unit_test(test_history_keeps_takeovers_apart),
        cmocka_unit_test(test_histories_are_merged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
