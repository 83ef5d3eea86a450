/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The largest table that is supported: what a host that joins is sent is bounded and paced, and ends in sync. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "judge/group_private.h"

#define MEMBERS   2
#define SERVERS   1000
#define TAKEOVERS 20
#define TICK_MS   50
#define LIMIT_MS  600000
/* A paced message has 16 KiB and what is added last (a takeover of 64 events with long texts, at most); only one of a
 * member is on its way. The rest is small. */
#define LAST_MAX_BYTES    (HISTORY_EVENTS_MAX * 700)
#define MESSAGE_MAX_BYTES (18 * 1024 + LAST_MAX_BYTES)
#define FLIGHT_MAX_BYTES  (MESSAGE_MAX_BYTES + 2 * 1024)

typedef struct site site_t;

typedef struct {
    site_t *site;
    guint32 node_id;
    char name[8];
    group_t *group;          /* NULL: its daemon does not run */
    gsize flight_bytes;      /* sent in this tick */
} member_t;

typedef struct {
    guint32 from;
    GBytes *bytes;
} letter_t;

struct site {
    member_t members[MEMBERS];
    GQueue *letters;         /* letter_t*, in the order of all */
    gint64 now_ms;
    gsize message_max_bytes;
    gsize flight_max_bytes;
};

static void op_send(GBytes *bytes, gpointer user_data)
{
    member_t *member = user_data;
    site_t *site = member->site;
    letter_t *letter = g_new0(letter_t, 1);

    letter->from = member->node_id;
    letter->bytes = g_bytes_ref(bytes);
    g_queue_push_tail(site->letters, letter);
    member->flight_bytes += g_bytes_get_size(bytes);
    site->message_max_bytes = MAX(site->message_max_bytes, g_bytes_get_size(bytes));
    site->flight_max_bytes = MAX(site->flight_max_bytes, member->flight_bytes);
}

static void op_record_applied(const char *server, const verdict_record_t *from, const verdict_record_t *to,
                              gpointer user_data)
{
    (void) server;
    (void) from;
    (void) to;
    (void) user_data;
}

static void op_event_stored(const char *server, gint64 started_ms, const history_event_t *event, gpointer user_data)
{
    (void) server;
    (void) started_ms;
    (void) event;
    (void) user_data;
}

static void op_generation_agreed(guint64 generation, gpointer user_data)
{
    (void) generation;
    (void) user_data;
}

static void op_note(const char *sentence, gpointer user_data)
{
    (void) sentence;
    (void) user_data;
}

static gint64 op_wall_ms(gpointer user_data)
{
    return ((member_t *) user_data)->site->now_ms;
}

static const group_ops_t ops = { .send = op_send, .record_applied = op_record_applied, .event_stored = op_event_stored,
                                 .generation_agreed = op_generation_agreed, .note = op_note, .wall_ms = op_wall_ms };

static char *server_name(guint index)
{
    return g_strdup_printf("db%u", index);
}

/* As the CIB has them. Without a configuration: it is the table that matters here, not what is decided. */
static void read_cib(member_t *member)
{
    group_cluster_begin(member->group);
    for (guint i = 0; i < SERVERS; i++) {
        g_autofree char *name = server_name(i);
        group_server_facts_t facts = { .name = name, .config_error = "not here", .image = IMAGE_VIEW_STOPPED };

        group_cluster_server(member->group, &facts, member->site->now_ms);
        group_vote(member->group, name, VOTE_UP, VOTE_NONE, 0);
    }
    group_cluster_end(member->group, member->site->now_ms);
}

static void tell_members(site_t *site)
{
    guint32 node_ids[MEMBERS] = { 0 };
    guint count = 0;

    for (guint i = 0; i < MEMBERS; i++) {
        if (site->members[i].group != NULL) {
            node_ids[count++] = site->members[i].node_id;
        }
    }
    for (guint i = 0; i < MEMBERS; i++) {
        if (site->members[i].group != NULL) {
            group_on_members(site->members[i].group, node_ids, count, site->now_ms);
        }
    }
}

static void join(site_t *site, guint index)
{
    member_t *member = &site->members[index];

    member->group = group_new(member->node_id, member->name, &ops, member);
    group_set_ability(member->group, GROUP_ABLE);
    group_on_ring(member->group, 8, site->now_ms);
    group_on_quorum(member->group, 8, TRUE, site->now_ms);
    tell_members(site);
    read_cib(member);
}

static void leave(site_t *site, guint index)
{
    g_clear_pointer(&site->members[index].group, group_free);
    tell_members(site);
}

static void deliver(site_t *site)
{
    for (guint rest = g_queue_get_length(site->letters); rest > 0; rest--) {
        letter_t *letter = g_queue_pop_head(site->letters);
        gsize size_bytes = 0;
        gconstpointer data = g_bytes_get_data(letter->bytes, &size_bytes);

        for (guint i = 0; i < MEMBERS; i++) {
            if (site->members[i].group != NULL) {
                group_on_message(site->members[i].group, letter->from, data, size_bytes, site->now_ms);
            }
        }
        g_bytes_unref(letter->bytes);
        g_free(letter);
    }
}

static void tick(site_t *site)
{
    site->now_ms += TICK_MS;
    for (guint i = 0; i < MEMBERS; i++) {
        site->members[i].flight_bytes = 0;
    }
    deliver(site);
    for (guint i = 0; i < MEMBERS; i++) {
        if (site->members[i].group != NULL) {
            group_run(site->members[i].group, site->now_ms);
        }
    }
}

static gboolean is_same(const group_t *a, const group_t *b)
{
    if (!group_in_sync(a) || !group_in_sync(b) || group_stamp(a).digest != group_stamp(b).digest) {
        return FALSE;
    }
    for (guint i = 0; i < SERVERS; i++) {
        g_autofree char *name = server_name(i);

        if (history_digest(group_history(a, name)) != history_digest(group_history(b, name))) {
            return FALSE;
        }
    }
    return TRUE;
}

/* Until the histories have come, which is last; looked at once in ten seconds. */
static void run_until_same(site_t *site, guint index)
{
    gint64 end_ms = site->now_ms + LIMIT_MS;

    do {
        assert_true(site->now_ms < end_ms);
        for (guint i = 0; i < 10000 / TICK_MS; i++) {
            tick(site);
        }
    } while (!is_same(site->members[0].group, site->members[index].group));
}

/* One server has seen much. */
static history_takeover_t *takeover_new(guint server, guint number, const char *detail)
{
    history_takeover_t *takeover = history_takeover_new();
    guint events = server == 0 ? HISTORY_EVENTS_MAX : 1;

    for (guint i = 0; i < events; i++) {
        history_takeover_append(takeover, "isolated", (gint64) number * 100000 + i + 1, "host1",
                                server == 0 ? detail : "because");
    }
    takeover->latched = takeover->closed = TRUE;
    return takeover;
}

/* What the members that are there have, as the leader would have told them. */
static void fill(site_t *site)
{
    g_autofree char *detail = g_strnfill(MESSAGE_TEXT_MAX_BYTES, 'y');
    g_autofree char *reason = g_strnfill(200, 'x');

    for (guint i = 0; i < SERVERS; i++) {
        g_autofree char *name = server_name(i);
        message_t message = { .type = MESSAGE_RECORD, .server = name,
                              .stamp.generation = site->members[0].group->generation,
                              .record = { .epoch = 1, .since_wall_ms = 1000, .reason = reason,
                                          .seen_probes = (char *) "0123456789abcdef" } };
        g_autoptr(GBytes) bytes = message_encode(&message);
        gsize size_bytes = 0;
        gconstpointer data = g_bytes_get_data(bytes, &size_bytes);

        for (guint member = 0; member < MEMBERS - 1; member++) {
            group_t *group = site->members[member].group;

            group_on_message(group, 1, data, size_bytes, site->now_ms);
            for (guint takeover = 0; takeover < TAKEOVERS; takeover++) {
                group_load_takeover(group, name, takeover_new(i, takeover, detail));
            }
        }
    }
}

static void test_a_host_joins_the_largest_table_twice(void **state)
{
    site_t site = { .letters = g_queue_new(), .now_ms = 1000000 };

    (void) state;
    for (guint i = 0; i < MEMBERS; i++) {
        site.members[i].site = &site;
        site.members[i].node_id = i + 1;
        g_snprintf(site.members[i].name, sizeof(site.members[i].name), "host%u", i + 1);
    }
    for (guint i = 0; i < MEMBERS - 1; i++) {
        join(&site, i);
    }
    for (guint i = 0; i < 200; i++) {
        tick(&site);
    }
    fill(&site);
    for (guint round = 0; round < 2; round++) {
        join(&site, MEMBERS - 1);
        run_until_same(&site, MEMBERS - 1);
        leave(&site, MEMBERS - 1);
    }
    assert_in_range(site.message_max_bytes, 8 * 1024, MESSAGE_MAX_BYTES);
    assert_in_range(site.flight_max_bytes, 8 * 1024, FLIGHT_MAX_BYTES);
    for (guint i = 0; i < MEMBERS; i++) {
        group_free(site.members[i].group);
    }
    while (!g_queue_is_empty(site.letters)) {
        letter_t *letter = g_queue_pop_head(site.letters);

        g_bytes_unref(letter->bytes);
        g_free(letter);
    }
    g_queue_free(site.letters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_host_joins_the_largest_table_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
