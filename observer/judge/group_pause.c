/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long an operator's pause of a server lasts, by this host's monotonic clock: group.h says how. */
#include "judge/group_private.h"

/* The CIB of who joins shows within this time what the others have read in theirs. */
#define CIB_LATE_MS 10000
/* The CIB is asked again to forget a pause that is over. */
#define END_RETRY_MS 30000
/* Those of many servers are taken out one after another, so that the leader has time for the rest. */
#define END_EACH_MS 100

static gboolean is_same(const group_pause_t *a, const group_pause_t *b)
{
    return a->from_ms == b->from_ms && a->until_ms == b->until_ms;
}

/* An end that was written by hand alone says of no clock how long the pause is: this host's has to do, once. */
static gint64 duration_ms(const group_t *group, const group_pause_t *pause)
{
    gint64 from_ms = pause->from_ms != 0 ? pause->from_ms : group->ops.wall_ms(group->user_data);

    return MAX(0, pause->until_ms - from_ms);
}

/* Both begin when a host has first seen the pause, so the earlier end is not too early, whoever knows the begin. Only
 * once, and soon: the very same may be written again by hand later, and is another pause then. */
static void use_heard(group_server_t *server, group_pause_t *pause, gint64 now_ms)
{
    group_pause_t *heard = &server->pause_heard;

    if (!is_same(pause, heard)) {
        return;
    }
    if (now_ms < server->pause_heard_ms + CIB_LATE_MS) {
        pause->end_ms = pause->from_ms != 0 ? MIN(pause->end_ms, heard->end_ms) : heard->end_ms;
        pause->begin_known = pause->begin_known || heard->begin_known;
    }
    *heard = (group_pause_t) { 0 };
}

static void keep(group_server_t *server, const group_pause_t *pause)
{
    server->pause = *pause;
    server->own_vote.pause_from_ms = pause->from_ms;
    server->own_vote.paused_until_ms = pause->until_ms;
    server->own_vote_changed = TRUE;
    server->pause_end_tried_ms = VERDICT_NEVER;
}

void group_pause_read(const group_t *group, group_server_t *server, gboolean was_read, gint64 now_ms)
{
    group_pause_t pause = { .from_ms = server->config->pause_from_ms, .until_ms = server->config->paused_until_ms,
                            .begin_known = was_read };

    if (is_same(&pause, &server->pause)) {
        return;
    }
    if (pause.until_ms == SERVER_PAUSED_UNTIL_RESUMED) {
        pause.end_ms = VERDICT_NEVER;
    } else if (pause.until_ms != 0) {
        pause.end_ms = now_ms + duration_ms(group, &pause);
    }
    use_heard(server, &pause, now_ms);
    keep(server, &pause);
}

void group_pause_forget(group_server_t *server)
{
    server->pause_heard = (group_pause_t) { 0 };
    if (server->pause.until_ms != 0) {
        keep(server, &server->pause_heard);
    }
}

void group_pause_hear(group_server_t *server, const message_entry_t *entry, gint64 now_ms)
{
    server->pause_heard = (group_pause_t) { .from_ms = entry->pause_from_ms, .until_ms = entry->paused_until_ms,
                                            .begin_known = entry->pause_begin_known };
    server->pause_heard_ms = now_ms;
    if (entry->paused_until_ms == SERVER_PAUSED_UNTIL_RESUMED) {
        server->pause_heard.end_ms = VERDICT_NEVER;
    } else if (entry->paused_until_ms != 0) {
        server->pause_heard.end_ms = now_ms + entry->pause_rest_ms;
    }
    use_heard(server, &server->pause, now_ms);
}

/* When a pause that only the others have read is over here; 0: there is none. */
static gint64 heard_end_ms(const group_server_t *server)
{
    const group_pause_t *heard = &server->pause_heard;

    return is_same(heard, &server->pause) ? 0 : MIN(heard->end_ms, server->pause_heard_ms + CIB_LATE_MS);
}

gboolean group_pause_is_on(const group_server_t *server, gint64 now_ms)
{
    return server->pause.until_ms != 0 || now_ms < heard_end_ms(server);
}

gint64 group_pause_end_ms(const group_server_t *server)
{
    return MAX(server->pause.end_ms, heard_end_ms(server));
}

gint64 group_pause_lead(group_t *group, group_server_t *server, gint64 now_ms)
{
    gint64 due_ms = group_pause_end_ms(server);

    if (!group_pause_is_on(server, now_ms) || due_ms == VERDICT_NEVER) {
        return VERDICT_NEVER;
    }
    if (now_ms < due_ms) {
        return due_ms;
    }
    if (server->pause_end_tried_ms != VERDICT_NEVER) {
        due_ms = MAX(due_ms, server->pause_end_tried_ms + END_RETRY_MS);
    }
    if (group->pause_ended_ms != VERDICT_NEVER) {
        due_ms = MAX(due_ms, group->pause_ended_ms + END_EACH_MS);
    }
    if (now_ms < due_ms) {
        return due_ms;
    }
    server->pause_end_tried_ms = group->pause_ended_ms = now_ms;
    group->ops.pause_end(server->config, group->user_data);
    return now_ms + END_RETRY_MS;
}

static gint64 rest_ms(const group_pause_t *pause, gint64 now_ms)
{
    return pause->end_ms != VERDICT_NEVER ? MAX(0, pause->end_ms - now_ms) : 0;
}

void group_pause_tell(const group_server_t *server, message_entry_t *entry, gint64 now_ms)
{
    entry->pause_from_ms = server->pause.from_ms;
    entry->paused_until_ms = server->pause.until_ms;
    entry->pause_rest_ms = rest_ms(&server->pause, now_ms);
    entry->pause_begin_known = server->pause.begin_known;
}

static gboolean leader_holds(const group_t *group, const group_server_t *server, gint64 now_ms)
{
    const group_member_t *leader = group_leader(group);
    const group_vote_t *vote = (group->in_sync && leader != NULL) ? group_server_vote_of(server, leader->node_id) : NULL;

    return vote != NULL && now_ms < server->pause.end_ms && vote->pause_from_ms == server->pause.from_ms
           && vote->paused_until_ms == server->pause.until_ms;
}

JsonObject *group_pause_to_json(const group_t *group, const group_server_t *server, gint64 now_ms)
{
    JsonObject *object = NULL;
    g_autofree char *value = NULL;

    if (server->pause.until_ms == 0) {
        return NULL;
    }
    object = json_object_new();
    value = paused_until_text(server->pause.from_ms, server->pause.until_ms);
    json_object_set_string_member(object, "paused_until", value);
    json_object_set_boolean_member(object, "leader_holds", leader_holds(group, server, now_ms));
    if (server->pause.end_ms != VERDICT_NEVER) {
        json_object_set_int_member(object, "rest_ms", rest_ms(&server->pause, now_ms));
    }
    return object;
}
