/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "group_world.h"
#include "judge/group_private.h"

#define LONG_MS 120000

static world_t *running_world(const char *isolate)
{
    world_t *world = world_new(isolate);

    world_run(world, 5000); /* every server is seen up */
    assert_int_equal(world_leader(world), 0);
    assert_true(world_agrees(world));
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        assert_int_equal(world_verdict(world, 2, i), VERDICT_HEALTHY);
    }
    return world;
}

static void assert_sound(const world_t *world)
{
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        assert_false(world->servers[i].both_served);
    }
    if (world->violation != NULL) {
        fail_msg("%s", world->violation);
    }
}

static void world_end(world_t *world)
{
    assert_sound(world);
    world_free(world);
}

static void assert_until(world_t *world, guint server, verdict_t verdict)
{
    assert_true(world_run_until(world, server, verdict, LONG_MS));
}

static void crash(world_t *world, guint server)
{
    world->servers[server].powered = FALSE;
}

static void boot(world_t *world, guint server)
{
    world->servers[server].powered = TRUE;
    world->servers[server].service_dead = FALSE;
}

static void test_crash_is_taken_over_and_returned(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    crash(world, 0);
    assert_until(world, 0, VERDICT_SUSPECT);
    assert_until(world, 0, VERDICT_DOUBTED);
    assert_until(world, 0, VERDICT_ISOLATING);
    assert_false(world->servers[0].ticket);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 2000);
    assert_true(world->servers[0].ticket && world->servers[0].image_running);
    assert_false(world->servers[1].ticket || world->servers[2].ticket);
    world_run(world, 60000);
    assert_int_equal(world_verdict(world, 1, 0), VERDICT_FAILED); /* the image answers, the original does not */

    boot(world, 0);
    assert_until(world, 0, VERDICT_RETURNING);
    assert_true(world->servers[0].image_running);
    assert_until(world, 0, VERDICT_HEALTHY);
    assert_false(world->servers[0].ticket || world->servers[0].image_running);
    world_run(world, 60000);
    assert_int_equal(world->servers[0].grants, 1);
    assert_int_equal(world->servers[0].starts, 1);
    assert_true(world_agrees(world));
    world_end(world);
}

/* Its port is mistyped, or it was down when it was adopted: nobody knows which. */
static void test_a_server_that_was_never_seen_up_is_not_judged(void **state)
{
    world_t *world = world_new("required");

    (void) state;
    world->servers[0].service_dead = TRUE;
    world_run(world, LONG_MS);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    assert_int_equal(world->servers[0].isolations, 0);
    /* An operator can say so nevertheless. */
    assert_true(world_request(world, 0, 0, VERDICT_REQUEST_TAKEOVER));
    assert_until(world, 0, VERDICT_FAILED);
    world_end(world);
}

static void test_a_server_is_seen_anew_when_its_probes_change(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->probes = "tcp:10.0.0.1:5433";
    world->servers[0].service_dead = TRUE;
    world_run(world, LONG_MS);
    assert_int_equal(world->servers[0].isolations, 0);
    /* Once it answers, it is judged by them. */
    world->servers[0].service_dead = FALSE;
    world_run(world, 5000);
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_end(world);
}

static void test_probes_that_change_under_a_doubt_end_it(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->servers[0].service_dead = TRUE;
    assert_until(world, 0, VERDICT_DOUBTED);
    world->probes = "tcp:10.0.0.1:5433";
    world_run(world, LONG_MS);
    assert_int_equal(world->servers[0].isolations, 0);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    world_end(world);
}

static void restart_all(world_t *world)
{
    for (guint i = 0; i < WORLD_HOSTS; i++) {
        if (world->hosts[i].group != NULL) {
            world_kill(world, i);
        }
    }
    for (guint i = 0; i < WORLD_HOSTS; i++) {
        world_start(world, i);
    }
}

/* Every host and server loses its power and gets it back: the CIB has lost its status, and with it the tickets. */
static void blackout(world_t *world)
{
    for (guint i = 0; i < WORLD_HOSTS; i++) {
        world_kill(world, i);
    }
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        world->servers[i].ticket = world->servers[i].image_running = FALSE;
        world->servers[i].image_change_ms = 0;
        boot(world, i);
    }
    for (guint i = 0; i < WORLD_HOSTS; i++) {
        world_start(world, i);
    }
}

static void test_a_hold_outlives_a_blackout_of_the_site(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];

    (void) state;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world->hold = TRUE; /* of the others, too: they are not taken over */
    world_run(world, 10000);
    assert_true(server->image_running && server->held_takeover);
    assert_false(world->servers[1].held_takeover);
    blackout(world);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 10000);
    assert_true(server->image_running);
    assert_false(server->powered);
    assert_int_equal(server->isolations, 2);
    for (guint i = 1; i < WORLD_SERVERS; i++) {
        assert_int_equal(world_verdict(world, 0, i), VERDICT_HEALTHY);
        assert_int_equal(world->servers[i].isolations, 0);
    }
    boot(world, 0);
    world_run(world, 60000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_FAILED);
    world_end(world);
}

/* It serves again, say because an operator has released it: the next blackout is none of its business. */
static void test_a_hold_ends_with_its_takeover(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];

    (void) state;
    world->hold = TRUE;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 10000);
    assert_true(server->held_takeover);
    boot(world, 0);
    assert_true(world_request(world, 0, 0, VERDICT_REQUEST_RELEASE));
    assert_until(world, 0, VERDICT_HEALTHY);
    world_run(world, 1000);
    assert_false(server->held_takeover);
    blackout(world);
    world_run(world, 120000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    assert_int_equal(server->isolations, 1);
    world_end(world);
}

/* An old configuration brings back what it said of a takeover that is long over. */
static void test_a_hold_of_another_time_isolates_nobody(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];

    (void) state;
    server->absent = TRUE;
    world_run(world, 1000);
    world->hold = server->held_takeover = TRUE;
    server->absent = FALSE;
    world->cib_refuses = TRUE;
    world_run(world, 30000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    assert_int_equal(server->isolations, 0);
    world->cib_refuses = FALSE;
    world_run(world, 15000);
    assert_false(server->held_takeover);
    /* A takeover of now is held as any other. */
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 10000);
    assert_true(server->held_takeover);
    blackout(world);
    assert_until(world, 0, VERDICT_FAILED);
    assert_int_equal(server->isolations, 2);
    world_end(world);
}

/* Isolating it would do nothing but harm until a host can run its image; the hold may be ended meanwhile. */
static void test_a_held_server_is_not_isolated_for_nothing_after_a_blackout(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];
    g_autofree char *refusal = NULL;

    (void) state;
    world->hold = TRUE;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 10000);
    server->no_room = TRUE;
    blackout(world);
    world_run(world, 60000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    assert_int_equal(server->isolations, 1);
    assert_true(server->held_takeover);
    refusal = group_request_refusal(world->hosts[0].group, server->name, VERDICT_REQUEST_RELEASE, world->now_ms);
    assert_non_null(strstr(refusal, "--off lets the original serve instead"));
    world->hold = FALSE;
    server->no_room = FALSE;
    world_run(world, 60000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    assert_int_equal(server->isolations, 1);
    assert_false(server->held_takeover);
    world_end(world);
}

static void test_a_server_that_is_down_when_the_cluster_starts_is_taken_over(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    crash(world, 0);
    restart_all(world);
    assert_until(world, 0, VERDICT_FAILED);
    world_end(world);
}

/* Its gate counts while all observers are restarted: it was returning, or it boots. Afterwards its failure is one. */
static void test_a_server_that_boots_when_the_cluster_starts_is_let_be(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->servers[0].service_dead = TRUE;
    restart_all(world);
    world_run(world, 25000);
    assert_int_equal(world->servers[0].isolations, 0);
    world->servers[0].service_dead = FALSE;
    world_run(world, LONG_MS);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    assert_int_equal(world->servers[0].isolations, 0);
    world->servers[0].service_dead = TRUE;
    assert_until(world, 0, VERDICT_FAILED);
    world_end(world);
}

/* Its machine answers, so that it may boot: for as long as a boot takes. Then its service is one that has failed. */
static void test_a_service_that_is_dead_when_the_cluster_starts_is_taken_over(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->servers[0].service_dead = TRUE;
    restart_all(world);
    assert_true(world_run_until(world, 0, VERDICT_FAILED, 5 * LONG_MS));
    assert_int_equal(world->servers[0].isolations, 1);
    world_end(world);
}

/* A machine that is gone does not boot. */
static void test_a_server_that_is_gone_when_the_cluster_starts_is_not_waited_for(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    crash(world, 0);
    restart_all(world);
    assert_true(world_run_until(world, 0, VERDICT_FAILED, 20000));
    world_end(world);
}

/* Typed by a clock that is a year behind. */
#define PAUSE_10_MIN       "2026-01-31T17:50:00Z/2026-01-31T18:00:00Z"
#define PAUSE_10_MIN_LATER "2026-01-31T17:51:00Z/2026-01-31T18:01:00Z"
#define PAUSE_MS           600000

/* Hosts whose clocks are an hour apart, in a world whose clock begins in 1970. */
static world_t *world_of_clocks(void)
{
    world_t *world = running_world("required");

    for (guint i = 0; i < WORLD_HOSTS; i++) {
        world->hosts[i].clock_ahead_ms = G_GINT64_CONSTANT(1769882400000) - PAUSE_MS - world->now_ms
                                         + ((gint64) i - 1) * 3600000;
    }
    return world;
}

static void assert_left_alone(world_t *world, gint64 duration_ms)
{
    world_run(world, duration_ms);
    assert_int_equal(world->servers[0].isolations, 0);
    assert_int_equal(world->servers[0].grants, 0);
}

/* It ends when ten minutes are over, no sooner and not much later. */
static void assert_ends(world_t *world, gint64 since_ms)
{
    assert_left_alone(world, since_ms + PAUSE_MS - world->now_ms - 1000);
    assert_true(world_run_until(world, 0, VERDICT_FAILED, 15000));
    assert_int_equal(world->servers[0].isolations, 1);
}

static JsonObject *pause_in_status(world_t *world, guint host, char **waits_for)
{
    g_autoptr(JsonObject) status = json_object_new();
    JsonObject *server = NULL;

    group_status_to_json(world->hosts[host].group, world->now_ms, status);
    server = json_array_get_object_element(json_object_get_array_member(status, "servers"), 0);
    if (waits_for != NULL) {
        *waits_for = g_strdup(json_object_get_string_member(server, "waits_for"));
    }
    return json_object_has_member(server, "pause") ? json_object_ref(json_object_get_object_member(server, "pause")) : NULL;
}

static gboolean says_leader_holds(world_t *world, guint host, const char *paused_until)
{
    g_autoptr(JsonObject) pause = pause_in_status(world, host, NULL);

    return pause != NULL && g_strcmp0(json_object_get_string_member(pause, "paused_until"), paused_until) == 0
           && json_object_get_boolean_member(pause, "leader_holds");
}

static void test_a_pause_lasts_as_long_as_it_was_typed(void **state)
{
    world_t *world = world_of_clocks();
    gint64 since_ms = world->now_ms;

    (void) state;
    world->paused_until = PAUSE_10_MIN;
    world_run(world, 1000);
    assert_false(world_request(world, 1, 0, VERDICT_REQUEST_TAKEOVER));
    crash(world, 0);
    assert_ends(world, since_ms);
    world_end(world);
}

/* Whoever goes on, and then whoever comes back and leads again, ends it at the same time. */
static void test_a_pause_outlives_its_leaders(void **state)
{
    world_t *world = world_of_clocks();
    gint64 since_ms = world->now_ms;

    (void) state;
    world->paused_until = PAUSE_10_MIN;
    world_run(world, 1000);
    crash(world, 0);
    assert_left_alone(world, 100000);
    world_kill(world, 0);
    assert_left_alone(world, 100000);
    assert_int_equal(world_leader(world), 1);
    world_start(world, 0);
    world_kill(world, 1);
    assert_left_alone(world, 100000);
    world_start(world, 1);
    world_kill(world, 2);
    assert_left_alone(world, 100000);
    world_start(world, 2);
    assert_left_alone(world, 20000);
    assert_int_equal(world_leader(world), 0);
    assert_ends(world, since_ms);
    world_end(world);
}

static void test_a_leader_that_goes_ends_no_pause(void **state)
{
    world_t *world = world_of_clocks();
    gint64 since_ms = world->now_ms;

    (void) state;
    world->paused_until = PAUSE_10_MIN;
    world_run(world, 1000);
    crash(world, 0);
    world_kill(world, 0);
    world_run(world, 1000);
    assert_int_equal(world_leader(world), 1);
    assert_ends(world, since_ms);
    world_end(world);
}

static void test_a_clock_that_is_set_changes_no_pause(void **state)
{
    for (int sign = -1; sign <= 1; sign += 2) {
        world_t *world = world_of_clocks();
        gint64 since_ms = world->now_ms;

        (void) state;
        world->paused_until = PAUSE_10_MIN;
        world_run(world, 1000);
        crash(world, 0);
        assert_left_alone(world, 60000);
        for (guint i = 0; i < WORLD_HOSTS; i++) {
            world->hosts[i].clock_ahead_ms += sign * G_GINT64_CONSTANT(86400000);
        }
        assert_ends(world, since_ms);
        world_end(world);
    }
}

/* Its host was cut off when it was typed, and gets the CIB late; then it leads. */
static void test_who_comes_late_is_told_how_long_a_pause_lasts(void **state)
{
    world_t *world = world_of_clocks();
    gint64 since_ms = world->now_ms;

    (void) state;
    world->hosts[0].cib_is_late = TRUE;
    world_cut_off(world, 0);
    world->paused_until = PAUSE_10_MIN;
    world_run(world, 1000);
    crash(world, 0);
    assert_left_alone(world, 400000);
    world_join(world, 0);
    assert_left_alone(world, 5000); /* it leads already, with the others' word alone */
    assert_int_equal(world_leader(world), 0);
    world->hosts[0].cib_is_late = FALSE;
    world_run(world, 1000);
    assert_ends(world, since_ms);
    world_end(world);
}

/* Nobody knows how much of it is over: all of it again, with a word on that, and then it ends. */
static void test_a_pause_outlives_all_observers_and_ends(void **state)
{
    world_t *world = world_of_clocks();
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    g_autoptr(JsonObject) pause = NULL;
    g_autoptr(JsonObject) again = NULL;
    gint64 since_ms = 0;

    (void) state;
    world->paused_until = PAUSE_10_MIN;
    world_run(world, 1000);
    crash(world, 0);
    assert_left_alone(world, 400000);
    pause = pause_in_status(world, 1, &before);
    assert_non_null(pause);
    assert_non_null(strstr(before, "no takeover for another 4 min,"));
    assert_in_range(json_object_get_int_member(pause, "rest_ms"), 190000, 200000);
    restart_all(world);
    since_ms = world->now_ms;
    assert_left_alone(world, 300000);
    again = pause_in_status(world, 1, &after);
    assert_non_null(strstr(after, "its whole time again"));
    assert_ends(world, since_ms);
    world_end(world);
}

/* Nor for those who have not seen it end. */
static void test_a_pause_that_is_over_never_holds_again(void **state)
{
    world_t *world = world_of_clocks();

    (void) state;
    world->paused_until = PAUSE_10_MIN;
    world_run(world, PAUSE_MS + 1000);
    assert_null(world->paused_until);
    assert_null(pause_in_status(world, 1, NULL));
    restart_all(world);
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_end(world);
}

/* Written by hand: what was heard of the first says nothing of the second. */
static void test_the_same_pause_again_is_another_one(void **state)
{
    world_t *world = world_of_clocks();
    gint64 since_ms = 0;

    (void) state;
    world->paused_until = PAUSE_10_MIN;
    world_run(world, 300000);
    world_kill(world, 0);
    world_start(world, 0); /* it leads again, and was told how long that one lasts */
    world_run(world, 310000);
    assert_int_equal(world_leader(world), 0);
    assert_null(world->paused_until);
    since_ms = world->now_ms;
    world->paused_until = PAUSE_10_MIN;
    crash(world, 0);
    assert_ends(world, since_ms);
    world_end(world);
}

/* While it can't be written that it is over, it is not. */
static void test_a_pause_is_over_when_the_cib_says_so(void **state)
{
    world_t *world = world_of_clocks();
    g_autofree char *waits_for = NULL;
    g_autoptr(JsonObject) pause = NULL;

    (void) state;
    world->paused_until = PAUSE_10_MIN;
    world->cib_refuses = TRUE;
    crash(world, 0);
    assert_left_alone(world, 2 * PAUSE_MS);
    assert_in_range(world->pause_ends, WORLD_SERVERS, WORLD_SERVERS * (PAUSE_MS / 30000 + 1));
    pause = pause_in_status(world, 1, &waits_for);
    assert_non_null(pause);
    assert_non_null(strstr(waits_for, "its time is over"));
    world_kill(world, 0);
    assert_left_alone(world, PAUSE_MS);
    world->cib_refuses = FALSE;
    world_run(world, 31000);
    assert_null(world->paused_until);
    assert_until(world, 0, VERDICT_FAILED);
    world_end(world);
}

/* Typed when the one before is just over, before the leader has read it. */
static void test_the_end_of_a_pause_ends_no_other(void **state)
{
    world_t *world = world_of_clocks();
    gint64 since_ms = 0;

    (void) state;
    world->paused_until = PAUSE_10_MIN;
    crash(world, 0);
    assert_left_alone(world, PAUSE_MS - 1000);
    world->hosts[0].cib_is_late = TRUE;
    world->paused_until = PAUSE_10_MIN_LATER;
    since_ms = world->now_ms;
    assert_left_alone(world, 5000);
    assert_int_equal(world_leader(world), 0);
    assert_in_range(world->pause_ends, 1, WORLD_SERVERS);
    assert_string_equal(world->paused_until, PAUSE_10_MIN_LATER);
    world->hosts[0].cib_is_late = FALSE;
    assert_left_alone(world, PAUSE_MS - 6000);
    assert_string_equal(world->paused_until, PAUSE_10_MIN_LATER);
    assert_true(world_run_until(world, 0, VERDICT_FAILED, 20000));
    assert_in_range(world->now_ms, since_ms + PAUSE_MS, since_ms + PAUSE_MS + 20000);
    world_end(world);
}

static void test_a_pause_is_typed_anew_and_ended(void **state)
{
    world_t *world = world_of_clocks();
    gint64 since_ms = 0;

    (void) state;
    world->paused_until = PAUSE_10_MIN;
    world_run(world, 1000);
    crash(world, 0);
    assert_left_alone(world, 300000);
    world->paused_until = PAUSE_10_MIN_LATER;
    since_ms = world->now_ms;
    assert_ends(world, since_ms);
    crash(world, 1);
    assert_until(world, 1, VERDICT_FAILED);
    world_end(world);

    world = world_of_clocks();
    world->paused_until = "resumed";
    world_run(world, 1000);
    crash(world, 0);
    assert_left_alone(world, 3 * PAUSE_MS);
    world->paused_until = NULL;
    assert_until(world, 0, VERDICT_FAILED);
    world_end(world);
}

/* Whoever asks hears of the very pause that the leader has read, and of no other. */
static void test_everybody_knows_whether_the_leader_holds_a_pause(void **state)
{
    world_t *world = world_of_clocks();

    (void) state;
    world->servers[0].service_dead = TRUE; /* with no vote on its probes */
    world->probes = "";
    world->hosts[0].cib_is_late = TRUE;
    world->paused_until = PAUSE_10_MIN;
    world_run(world, 10000);
    assert_int_equal(world_leader(world), 0);
    assert_false(says_leader_holds(world, 1, PAUSE_10_MIN));
    world->hosts[0].cib_is_late = FALSE;
    world_run(world, 1000);
    for (guint i = 0; i < WORLD_HOSTS; i++) {
        assert_true(says_leader_holds(world, i, PAUSE_10_MIN));
        assert_false(says_leader_holds(world, i, PAUSE_10_MIN_LATER));
    }
    world->hosts[0].cib_is_late = TRUE;
    world->paused_until = PAUSE_10_MIN_LATER;
    world_run(world, 1000);
    assert_false(says_leader_holds(world, 1, PAUSE_10_MIN_LATER));
    world_kill(world, 0); /* and who leads next has read it */
    world_run(world, 1000);
    assert_true(says_leader_holds(world, 2, PAUSE_10_MIN_LATER));
    world_run(world, PAUSE_MS);
    assert_null(pause_in_status(world, 2, NULL));
    world_end(world);
}

/* Its switch is being asked when all observers are restarted, and its service answers again. */
static world_t *restarted_while_isolating(gint64 late_ms)
{
    world_t *world = running_world("required");

    world->servers[0].service_dead = TRUE;
    assert_until(world, 0, VERDICT_ISOLATING);
    while (world->servers[0].isolations == 0) {
        world_run(world, WORLD_STEP_MS);
    }
    world->fencing_late_ms = late_ms;
    restart_all(world);
    world->servers[0].service_dead = FALSE;
    return world;
}

static void assert_reason(const world_t *world, const char *part)
{
    const char *reason = group_record(world->hosts[0].group, "db1")->reason;

    assert_true(part != NULL ? strstr(reason, part) != NULL : reason[0] == '\0');
}

static gboolean may_lift(const world_t *world)
{
    return verdict_may_lift(group_record(world->hosts[0].group, "db1"));
}

static void test_a_fencing_that_goes_on_while_all_observers_restart_is_waited_for(void **state)
{
    world_t *world = restarted_while_isolating(20000);

    (void) state;
    world_run(world, 15000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    assert_false(may_lift(world));
    assert_true(verdict_may_lift(group_record(world->hosts[0].group, "db2")));
    assert_reason(world, "may still be switched off");
    assert_int_equal(world->servers[0].isolations, 1);
    assert_until(world, 0, VERDICT_FAILED); /* it was switched off */
    assert_false(world->servers[0].powered);
    boot(world, 0);
    assert_until(world, 0, VERDICT_HEALTHY);
    assert_true(may_lift(world));
    world_end(world);
}

static void test_a_fencing_that_comes_to_nothing_after_all_observers_restarted_is_forgotten(void **state)
{
    world_t *world = restarted_while_isolating(20000);

    (void) state;
    world->servers[0].switch_broken = TRUE;
    world_run(world, 15000);
    assert_false(may_lift(world));
    world_run(world, LONG_MS);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    assert_true(may_lift(world));
    assert_reason(world, NULL);
    assert_int_equal(world->servers[0].isolations, 1);
    world_end(world);
}

static void test_a_fencer_that_says_nothing_has_not_said_that_nothing_is_under_way(void **state)
{
    world_t *world = restarted_while_isolating(0);

    (void) state;
    world->servers[0].switch_broken = TRUE;
    world->fencer_is_silent = TRUE;
    world_run(world, LONG_MS);
    assert_false(may_lift(world));
    assert_reason(world, "does not say");
    world->fencer_is_silent = FALSE;
    world_run(world, 20000);
    assert_true(may_lift(world));
    /* One that is down is judged all the same, in the end. */
    world->fencer_is_silent = TRUE;
    world->servers[0].switch_broken = FALSE;
    crash(world, 0);
    restart_all(world);
    world_run(world, LONG_MS);
    assert_int_equal(world->servers[0].isolations, 1);
    assert_true(world_run_until(world, 0, VERDICT_FAILED, 2 * VERDICT_FENCING_MAX_MS));
    world_end(world);
}

static gboolean is_to_start(const world_t *world, const char *server, gboolean are_isolated)
{
    g_auto(GStrv) names = group_servers_to_start(world->hosts[world_leader(world)].group, are_isolated, world->now_ms);

    return g_strv_contains((const char *const *) names, server);
}

/* What one server was told of room is not there for the next that fails. */
static void test_who_has_been_told_of_room_is_known(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    crash(world, 0);
    assert_until(world, 0, VERDICT_DOUBTED);
    while (world_verdict(world, 0, 0) == VERDICT_DOUBTED && !is_to_start(world, "db1", FALSE)) {
        assert_false(is_to_start(world, "db1", TRUE));
        world_run(world, WORLD_STEP_MS);
    }
    assert_true(is_to_start(world, "db1", FALSE));
    assert_false(is_to_start(world, "db2", FALSE));
    assert_until(world, 0, VERDICT_ISOLATING);
    assert_true(is_to_start(world, "db1", TRUE));
    assert_false(is_to_start(world, "db1", FALSE));
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 2000);
    assert_false(is_to_start(world, "db1", TRUE)); /* its ticket says so */
    boot(world, 0);
    assert_until(world, 0, VERDICT_HEALTHY);
    assert_false(is_to_start(world, "db1", FALSE));
    world_end(world);
}

/* Room is kept for a takeover that may come: not for a server that is put aside, or was told of it long ago. */
static void test_who_is_put_aside_keeps_no_room(void **state)
{
    (void) state;
    for (guint i = 0; i < 2; i++) {
        world_t *world = running_world("required");

        crash(world, 0);
        while (world_verdict(world, 0, 0) != VERDICT_DOUBTED || !is_to_start(world, "db1", FALSE)) {
            world_run(world, WORLD_STEP_MS);
        }
        if (i == 0) {
            world->paused_until = "2026-01-01T00:00:00Z/2026-01-01T02:00:00Z";
        } else {
            world->servers[0].site_fault = "db2 has the image";
        }
        world_run(world, 5000);
        assert_false(is_to_start(world, "db1", FALSE));
        assert_int_equal(world_verdict(world, 0, 0), VERDICT_DOUBTED);
        world->paused_until = NULL;
        world->servers[0].site_fault = NULL;
        assert_until(world, 0, VERDICT_FAILED);
        world_end(world);
    }
}

/* The answer to a question whether there is room comes when the test says so. */
static group_server_t *room_is_asked(world_t *world, verdict_t verdict)
{
    world_host_t *host = &world->hosts[world_leader(world)];
    group_server_t *server = group_server_find(host->group, "db1");

    for (gint64 left_ms = LONG_MS; !server->start_check_runs || server->record.verdict != verdict; left_ms -= WORLD_STEP_MS) {
        assert_true(left_ms > 0);
        world_run(world, WORLD_STEP_MS);
    }
    host->checks_start[0] = FALSE;
    return server;
}

/* Whoever asked for it asked another host, which knows of no promise. */
static void test_an_operators_takeover_takes_room_that_was_promised(void **state)
{
    (void) state;
    for (guint is_told_late = 0; is_told_late < 2; is_told_late++) {
        world_t *world = running_world("required");

        crash(world, 0);
        if (is_told_late == 1) {
            (void) room_is_asked(world, VERDICT_SUSPECT);
        } else {
            while (world_verdict(world, 0, 0) != VERDICT_DOUBTED || !is_to_start(world, "db1", FALSE)) {
                world_run(world, WORLD_STEP_MS);
            }
        }
        world->servers[0].no_room = TRUE;
        assert_true(world_request(world, 2, 1, VERDICT_REQUEST_TAKEOVER));
        assert_until(world, 1, VERDICT_ISOLATING);
        if (is_told_late == 1) {
            group_start_checked(world->hosts[0].group, "db1", NULL, world->now_ms);
        }
        world_run(world, 20000);
        assert_int_equal(world_verdict(world, 0, 1), VERDICT_FAILED);
        assert_int_equal(world->servers[0].isolations, 0);
        world->servers[0].no_room = FALSE;
        assert_until(world, 0, VERDICT_FAILED);
        world_end(world);
    }
}

/* A server that comes back and does not serve is to be isolated again. */
static void test_a_server_that_returns_keeps_the_room_it_was_told_of(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, VERDICT_START_VALID_MS + 5000); /* what was said of the first failure is old */
    boot(world, 0);
    world->servers[0].service_dead = TRUE;
    assert_until(world, 0, VERDICT_RETURNING);
    assert_false(is_to_start(world, "db1", FALSE));
    (void) room_is_asked(world, VERDICT_RETURNING);
    group_start_checked(world->hosts[0].group, "db1", NULL, world->now_ms);
    assert_true(is_to_start(world, "db1", FALSE));
    assert_until(world, 0, VERDICT_ISOLATING);
    assert_true(is_to_start(world, "db1", TRUE));
    world_end(world);
}

/* Its management address answers all the time, and its ticket is not granted yet. */
static void test_an_image_that_is_about_to_start_has_its_room(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];

    (void) state;
    server->switch_none = server->service_dead = TRUE;
    assert_until(world, 0, VERDICT_ISOLATING);
    server->refused = server->clean_ups_fail = TRUE; /* that is waited for */
    assert_until(world, 0, VERDICT_FAILED);
    assert_false(server->ticket);
    assert_true(is_to_start(world, "db1", TRUE));
    world_run(world, 10000);
    assert_true(server->ticket);
    assert_false(is_to_start(world, "db1", TRUE));
    world_end(world);
}

static void test_all_observers_restart_in_every_state(void **state)
{
    static const verdict_t verdicts[] = { VERDICT_SUSPECT, VERDICT_DOUBTED, VERDICT_ISOLATING, VERDICT_FAILED,
                                          VERDICT_RETURNING };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(verdicts); i++) {
        for (gint64 late_ms = 0; late_ms <= 30000; late_ms += 30000) {
            world_t *world = running_world("required");

            world->fencing_late_ms = late_ms;
            crash(world, 0);
            if (verdicts[i] == VERDICT_RETURNING) {
                assert_until(world, 0, VERDICT_FAILED);
                world_run(world, 2000);
                boot(world, 0);
            }
            assert_until(world, 0, verdicts[i]);
            world_run(world, 150);
            restart_all(world);
            if (verdicts[i] != VERDICT_RETURNING) {
                assert_until(world, 0, VERDICT_FAILED);
                world_run(world, 2000); /* it is seen away */
                boot(world, 0);
            }
            world_run(world, LONG_MS);
            assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
            assert_true(world->servers[0].powered && may_lift(world));
            world_end(world);
        }
    }
}

static void test_nothing_is_known_while_the_store_is_silent(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->store_is_silent = TRUE;
    crash(world, 0);
    restart_all(world);
    world_run(world, LONG_MS);
    assert_int_equal(world->servers[0].isolations, 0);
    /* One that is seen up meanwhile counts, with nothing written. */
    crash(world, 1);
    assert_until(world, 1, VERDICT_FAILED);
    /* And the other as soon as the store answers. */
    world->store_is_silent = FALSE;
    assert_until(world, 0, VERDICT_FAILED);
    world_end(world);
}

static void test_an_image_that_answers_shows_nothing_of_the_server(void **state)
{
    world_t *world = world_new("required");

    (void) state;
    world->servers[0].service_dead = TRUE;
    world_run(world, 5000);
    world->servers[0].ticket = TRUE; /* by hand: it is revoked at once, and the image runs for a moment */
    world->servers[0].image_running = TRUE;
    world_run(world, LONG_MS);
    assert_false(world->servers[0].image_running);
    assert_int_equal(world->servers[0].isolations, 0);
    world_end(world);
}

static void test_history_has_the_phases_in_order(void **state)
{
    static const char *const expected[] = { "first_miss", "suspect", "doubted", "isolating", "isolated", "granted",
                                            "started", "answering", "returning", "revoked", "stopped", "healthy" };
    world_t *world = running_world("required");

    (void) state;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 2000);
    boot(world, 0);
    assert_until(world, 0, VERDICT_HEALTHY);
    world_run(world, 1000);
    for (guint host = 0; host < WORLD_HOSTS; host++) {
        const GPtrArray *takeovers = history_takeovers(group_history(world->hosts[host].group, "db1"));
        const history_takeover_t *takeover = NULL;
        gint64 last_ms = 0;
        guint found = 0;

        assert_int_equal(takeovers->len, 1);
        takeover = g_ptr_array_index(takeovers, 0);
        for (guint i = 0; i < takeover->events->len; i++) {
            const history_event_t *event = g_ptr_array_index(takeover->events, i);

            for (guint j = 0; j < G_N_ELEMENTS(expected); j++) {
                found |= (g_strcmp0(event->event, expected[j]) == 0) ? 1U << j : 0;
            }
            assert_true(event->at_ms >= last_ms);
            last_ms = event->at_ms;
        }
        assert_int_equal(found, (1U << G_N_ELEMENTS(expected)) - 1);
    }
    world_end(world);
}

static void test_a_server_that_does_not_fit_the_site_is_not_isolated(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->servers[0].site_fault = "it is named like a cluster node";
    world_run(world, 1000);
    assert_false(world_request(world, 0, 0, VERDICT_REQUEST_TAKEOVER));
    crash(world, 0);
    crash(world, 1);
    assert_until(world, 1, VERDICT_FAILED);
    world_run(world, 30000);
    assert_int_equal(world->servers[0].isolations, 0);
    assert_int_equal(world->servers[0].grants, 0);
    world->servers[0].site_fault = NULL;
    assert_until(world, 0, VERDICT_FAILED);
    world_end(world);
}

/* A fault that appears in the middle of a takeover must not keep an original that serves from being healthy. */
static void test_a_site_fault_in_the_middle_lets_the_original_serve(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];

    (void) state;
    server->switch_broken = server->without_effect = TRUE;
    server->service_dead = TRUE;
    assert_until(world, 0, VERDICT_ISOLATING);
    world_run(world, 5000);
    server->site_fault = "it has the address of db9";
    world_run(world, 10000);
    server->service_dead = FALSE;
    assert_until(world, 0, VERDICT_HEALTHY);

    /* While it returns it does not serve for long, and then does. */
    server->site_fault = NULL;
    server->switch_broken = FALSE;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 5000);
    server->powered = TRUE;
    server->service_dead = TRUE;
    assert_until(world, 0, VERDICT_RETURNING);
    server->site_fault = "it has the address of db9";
    world_run(world, 600000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_RETURNING);
    assert_true(server->powered);
    assert_false(server->image_running);
    server->service_dead = FALSE;
    assert_until(world, 0, VERDICT_HEALTHY);
    world_end(world);
}

/* Its image has lost the ticket, and it is back: what keeps an image that runs does not keep the place empty. */
static void test_an_original_that_serves_in_place_of_its_image_is_healthy(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];

    (void) state;
    world->hold = TRUE;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 10000);
    assert_true(server->image_running);
    server->powered = TRUE; /* held: it waits beside its image */
    world_run(world, 60000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_FAILED);
    server->ticket = FALSE; /* as a loss of quorum does */
    assert_until(world, 0, VERDICT_HEALTHY);
    assert_int_equal(server->isolations, 1);
    assert_int_equal(server->grants, 1);
    world_end(world);
}

static void test_three_at_once(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        crash(world, i);
    }
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        assert_until(world, i, VERDICT_FAILED);
    }
    world_run(world, 2000);
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        assert_true(world->servers[i].image_running);
    }
    world_end(world);
}

static void test_dead_service_is_powered_off_first(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->servers[0].service_dead = TRUE;
    assert_until(world, 0, VERDICT_FAILED);
    assert_false(world->servers[0].powered);
    world_run(world, 60000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_FAILED);
    world_end(world);
}

static void test_isolated_from_the_store_alone_does_not_return_by_itself(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->servers[0].service_dead = TRUE;
    world->servers[0].switch_none = TRUE;
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, LONG_MS);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_FAILED); /* its management address answers all the time */
    assert_true(world->servers[0].image_running);
    crash(world, 0);
    world_run(world, 5000);
    boot(world, 0);
    assert_until(world, 0, VERDICT_HEALTHY);
    assert_int_equal(world->servers[0].grants, 1);
    world_end(world);
}

static void test_flapping_within_the_hold_down_is_no_takeover(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    for (guint i = 0; i < 20; i++) {
        world->servers[0].service_dead = TRUE;
        world_run(world, 6000); /* 3 s until it counts as down, then the hold-down of 5 s */
        world->servers[0].service_dead = FALSE;
        world_run(world, 1000);
    }
    assert_int_equal(world->servers[0].isolations, 0);
    assert_int_equal(world->servers[0].grants, 0);
    assert_int_equal(history_takeovers(group_history(world->hosts[0].group, "db1"))->len, 0);
    world_end(world);
}

static void test_cut_service_link_is_blind_not_down(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    for (guint blind = 1; blind <= WORLD_HOSTS; blind++) {
        for (guint i = 0; i < WORLD_HOSTS; i++) {
            world->hosts[i].service_cut = i < blind;
        }
        world_run(world, 60000);
        for (guint i = 0; i < WORLD_SERVERS; i++) {
            assert_int_equal(world->servers[i].isolations, 0);
            assert_int_equal(world_verdict(world, 0, i), VERDICT_HEALTHY);
        }
    }
    world_end(world);
}

static void test_two_of_three_cannot_reach_it(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->hosts[0].sees_nothing_of[0] = TRUE;
    world_run(world, 60000);
    assert_int_equal(world->servers[0].isolations, 0); /* one of three is no majority */
    world->hosts[1].sees_nothing_of[0] = TRUE;
    assert_until(world, 0, VERDICT_FAILED); /* two are; it is isolated first, so nothing serves twice */
    assert_false(world->servers[0].powered);
    world_end(world);
}

static void test_one_observer_alone_judges_nobody(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world_kill(world, 1);
    world_kill(world, 2);
    world->hosts[0].sees_nothing_of[0] = TRUE;
    world_run(world, 60000);
    assert_int_equal(world_leader(world), 0);
    assert_int_equal(world->servers[0].isolations, 0);
    /* Nor are the other hosts in standby: of three, two must say so. */
    world->hosts[1].in_standby = world->hosts[2].in_standby = TRUE;
    world_run(world, 60000);
    assert_int_equal(world->servers[0].isolations, 0);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    world_end(world);
}

static void test_two_blind_and_one_down_judge_nobody(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->hosts[0].sees_nothing_of[0] = TRUE;
    world->hosts[1].service_cut = world->hosts[2].service_cut = TRUE;
    world_run(world, 60000);
    assert_int_equal(world->servers[0].isolations, 0);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    world_end(world);
}

static void test_a_host_in_standby_is_not_counted(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    /* Its observer sees the server, but is about to be stopped: the two others decide. */
    world->hosts[2].in_standby = TRUE;
    world->hosts[0].sees_nothing_of[0] = TRUE;
    world_run(world, 60000);
    assert_int_equal(world->servers[0].isolations, 0); /* one of two is no majority */
    world->hosts[1].sees_nothing_of[0] = TRUE;
    assert_until(world, 0, VERDICT_FAILED);
    world_end(world);
}

/* The power switch is away while the service is down for a moment, and comes back later. */
static void recover_while_the_switch_is_away(gboolean without_effect, gint64 kill_after_ms)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];
    guint isolations = 0;

    server->switch_broken = TRUE;
    server->without_effect = without_effect;
    server->service_dead = TRUE;
    assert_until(world, 0, VERDICT_ISOLATING);
    world_run(world, 5000);
    server->service_dead = FALSE;
    if (kill_after_ms >= 0) {
        world_run(world, kill_after_ms);
        world_kill(world, (guint) world_leader(world));
    }
    world_run(world, 60000);
    isolations = server->isolations;
    server->switch_broken = FALSE;
    world_run(world, 60000);
    assert_int_equal(server->powered, without_effect);
    assert_int_equal(world_verdict(world, 1, 0), without_effect ? VERDICT_HEALTHY : VERDICT_FAILED);
    if (without_effect) {
        assert_int_equal(server->isolations, isolations);
        assert_int_equal(server->grants, 0);
    }
    world_end(world);
}

static void test_recovery_before_anything_took_effect_lasts(void **state)
{
    (void) state;
    recover_while_the_switch_is_away(TRUE, -1);
    for (gint64 kill_after_ms = 0; kill_after_ms <= 8000; kill_after_ms += 500) {
        recover_while_the_switch_is_away(TRUE, kill_after_ms);
    }
}

/* The switch was asked, and said nothing: the server that answers from then on was not touched. One that was is off. */
static void test_a_switch_that_said_nothing_is_judged_by_the_server(void **state)
{
    (void) state;
    for (guint is_late = 0; is_late < 2; is_late++) {
        world_t *world = running_world("required");
        world_server_t *server = &world->servers[0];

        server->switch_broken = server->switch_silent = TRUE;
        server->service_dead = TRUE;
        assert_until(world, 0, VERDICT_ISOLATING);
        world_run(world, 5000);
        server->service_dead = FALSE;
        world_run(world, 4000);
        assert_int_equal(world_verdict(world, 0, 0), VERDICT_ISOLATING);
        server->powered = is_late == 0; /* the order was slow */
        world_run(world, 60000);
        server->switch_broken = FALSE;
        world_run(world, 60000);
        assert_int_equal(server->powered, is_late == 0);
        assert_int_equal(world_verdict(world, 0, 0), is_late == 0 ? VERDICT_HEALTHY : VERDICT_FAILED);
        world_end(world);
    }
}

/* Attempts that could ask nobody say nothing of one before them that has asked, and had no answer. */
static void test_what_was_asked_may_come_although_nobody_is_asked_since(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];

    (void) state;
    server->switch_broken = TRUE;
    server->service_dead = TRUE;
    assert_until(world, 0, VERDICT_ISOLATING);
    world_run(world, 5000);
    server->not_asked = TRUE;
    server->service_dead = FALSE;
    world_run(world, VERDICT_FENCING_MAX_MS - 60000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_ISOLATING);
    assert_true(world_run_until(world, 0, VERDICT_HEALTHY, 180000));
    assert_true(server->powered);
    world_end(world);
}

/* A fencer without a device for the server, which the operator has just disabled, says that nothing is under way: what was
 * asked before has had its effect by then, or has none. */
static void test_a_fencer_that_is_at_nothing_ends_what_was_asked(void **state)
{
    (void) state;
    for (guint is_late = 0; is_late < 2; is_late++) {
        world_t *world = running_world("required");
        world_server_t *server = &world->servers[0];

        server->switch_broken = TRUE;
        server->service_dead = TRUE;
        assert_until(world, 0, VERDICT_ISOLATING);
        world_run(world, 5000);
        server->without_effect = TRUE;
        server->service_dead = FALSE;
        server->powered = is_late == 0;
        world_run(world, 60000);
        assert_int_equal(world_verdict(world, 0, 0), is_late == 0 ? VERDICT_HEALTHY : VERDICT_ISOLATING);
        server->switch_broken = FALSE;
        world_run(world, 60000);
        assert_int_equal(server->powered, is_late == 0);
        assert_int_equal(world_verdict(world, 0, 0), is_late == 0 ? VERDICT_HEALTHY : VERDICT_FAILED);
        world_end(world);
    }
}

/* What a leader has asked for that is gone may come, although its successor can ask nobody. */
static void test_what_another_leader_has_asked_for_may_come(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];

    (void) state;
    world->fencing_late_ms = 120000;
    server->service_dead = TRUE;
    assert_until(world, 0, VERDICT_ISOLATING);
    while (server->isolations == 0) {
        world_run(world, WORLD_STEP_MS);
    }
    world_kill(world, 0);
    server->switch_broken = server->not_asked = TRUE; /* of the next host: the request is with the first one's */
    server->service_dead = FALSE;
    world_run(world, 60000);
    assert_int_equal(world_verdict(world, 1, 0), VERDICT_ISOLATING);
    assert_true(world_run_until(world, 0, VERDICT_HEALTHY, VERDICT_FENCING_MAX_MS));
    assert_true(server->powered);
    world_end(world);
}

/* Its power switch has been silent for long when the operator releases the server; what it was asked last may come yet. */
static void test_a_release_waits_for_what_was_asked_last(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];

    (void) state;
    server->switch_broken = TRUE;
    server->service_dead = TRUE;
    assert_until(world, 0, VERDICT_ISOLATING);
    world_run(world, 2 * VERDICT_FENCING_MAX_MS);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_ISOLATING);
    assert_true(world_request(world, 0, 0, VERDICT_REQUEST_RELEASE));
    assert_false(world_run_until(world, 0, VERDICT_RETURNING, VERDICT_FENCING_MAX_MS - 60000));
    assert_true(world_run_until(world, 0, VERDICT_RETURNING, 120000));
    world_end(world);
}

static void test_what_may_have_taken_effect_goes_on(void **state)
{
    (void) state;
    recover_while_the_switch_is_away(FALSE, -1);
}

static void test_a_server_under_repair_is_left_alone(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];

    (void) state;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 5000);
    server->powered = TRUE;
    server->service_dead = TRUE;
    assert_until(world, 0, VERDICT_RETURNING);
    assert_until(world, 0, VERDICT_FAILED); /* it did not serve: isolated once more */
    assert_false(server->powered);
    assert_int_equal(server->isolations, 2);
    world_run(world, 5000);
    server->powered = TRUE;
    world_run(world, 3600000);
    assert_true(server->powered);
    assert_true(server->image_running);
    assert_int_equal(server->isolations, 2);
    /* Another leader knows it too. */
    world_kill(world, 0);
    world_run(world, 60000);
    assert_int_equal(world_verdict(world, 1, 0), VERDICT_FAILED);
    server->service_dead = FALSE;
    assert_true(world_request(world, 1, 0, VERDICT_REQUEST_RELEASE));
    assert_until(world, 0, VERDICT_HEALTHY);
    assert_int_equal(server->isolations, 2);
    world_end(world);
}

static void test_a_server_whose_image_has_no_host_is_left_alone(void **state)
{
    (void) state;
    for (guint disabled = 0; disabled < 2; disabled++) {
        world_t *world = running_world("required");
        world_server_t *server = &world->servers[0];

        server->disabled = disabled == 1;
        server->no_room = disabled == 0;
        server->service_dead = TRUE;
        assert_until(world, 0, VERDICT_DOUBTED);
        world_run(world, 60000);
        assert_int_equal(server->isolations, 0);
        assert_int_equal(world_verdict(world, 0, 0), VERDICT_DOUBTED);
        /* Another leader asks anew. */
        world_kill(world, 0);
        world_run(world, 60000);
        assert_int_equal(server->isolations, 0);
        server->disabled = server->no_room = FALSE;
        assert_until(world, 0, VERDICT_FAILED);
        world_end(world);
    }
}

static void test_that_there_was_room_for_an_earlier_failure_says_nothing_now(void **state)
{
    world_t *world = running_world("required");
    world_server_t *server = &world->servers[0];

    (void) state;
    server->service_dead = TRUE;
    assert_until(world, 0, VERDICT_DOUBTED);
    server->service_dead = FALSE;
    assert_until(world, 0, VERDICT_HEALTHY);
    server->no_room = TRUE;
    server->service_dead = TRUE;
    world_run(world, 20000); /* an answer holds for longer */
    assert_int_equal(server->isolations, 0);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_DOUBTED);
    world_end(world);
}

static void test_a_refused_start_bans_no_host_from_the_takeover(void **state)
{
    (void) state;
    for (guint fails = 0; fails < 2; fails++) {
        world_t *world = running_world("required");
        world_server_t *server = &world->servers[0];

        server->clean_ups_fail = fails == 1;
        server->refused = TRUE;
        world_run(world, 15000);
        assert_int_equal(server->clean_ups, fails == 1 ? 2 : 1); /* by the leader alone, and again while it is there */
        crash(world, 0);
        assert_until(world, 0, VERDICT_ISOLATING);
        server->refused = TRUE;
        assert_until(world, 0, VERDICT_FAILED);
        world_run(world, 10000);
        assert_true(server->ticket); /* it is granted even if that can't be done */
        assert_int_equal(server->granted_while_refused, fails == 1);
        world_end(world);
    }
}

/* Invariant 7: the leader is killed in every state; it still completes, once. */
static void test_leader_is_killed_in_every_state(void **state)
{
    static const verdict_t kill_in[] = { VERDICT_SUSPECT, VERDICT_DOUBTED, VERDICT_ISOLATING, VERDICT_FAILED,
                                         VERDICT_RETURNING };

    (void) state;
    for (guint restart = 0; restart < 2; restart++) {
        for (guint delay_ms = 0; delay_ms <= 400; delay_ms += 100) {
            for (guint i = 0; i < G_N_ELEMENTS(kill_in); i++) {
                world_t *world = running_world("required");

                crash(world, 0);
                if (kill_in[i] == VERDICT_RETURNING) {
                    assert_until(world, 0, VERDICT_FAILED);
                    world_run(world, 3000);
                    boot(world, 0);
                }
                assert_until(world, 0, kill_in[i]);
                world_run(world, delay_ms);
                world_kill(world, (guint) world_leader(world));
                if (restart == 1) {
                    world_run(world, 300);
                    world_start(world, 0);
                }
                if (kill_in[i] != VERDICT_RETURNING) {
                    assert_until(world, 0, VERDICT_FAILED);
                    world_run(world, 3000);
                    assert_true(world->servers[0].image_running);
                    boot(world, 0);
                }
                assert_until(world, 0, VERDICT_HEALTHY);
                world_run(world, 30000);
                assert_int_equal(world->servers[0].grants, 1);
                assert_int_equal(world->servers[0].starts, 1);
                assert_false(world->servers[0].ticket);
                assert_true(world_agrees(world));
                world_end(world);
            }
        }
    }
}

static void set_ability(world_t *world, guint host, group_ability_t ability)
{
    group_set_ability(world->hosts[host].group, ability);
    world_run(world, 200);
}

static void test_who_can_do_most_leads(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    set_ability(world, 0, GROUP_NO_STORE);
    assert_int_equal(world_leader(world), 1);
    set_ability(world, 1, GROUP_NO_CIB);
    assert_int_equal(world_leader(world), 2);
    set_ability(world, 2, GROUP_NO_CIB);
    assert_int_equal(world_leader(world), 0); /* the store may be down: who reaches the CIB has to do */
    set_ability(world, 0, GROUP_NO_CIB);
    assert_int_equal(world_leader(world), 0);
    set_ability(world, 2, GROUP_NO_STORE);
    assert_int_equal(world_leader(world), 2);
    world_end(world);
}

static void test_leader_that_cannot_isolate_hands_over(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->servers[0].store_open = TRUE;
    crash(world, 0);
    assert_until(world, 0, VERDICT_ISOLATING);
    world_run(world, 5000);
    set_ability(world, 0, GROUP_NO_STORE);
    world->servers[0].store_open = FALSE;
    assert_until(world, 0, VERDICT_FAILED);
    assert_int_equal(world_leader(world), 1);
    world_run(world, 3000);
    set_ability(world, 0, GROUP_ABLE);
    assert_int_equal(world_leader(world), 0);
    boot(world, 0);
    assert_until(world, 0, VERDICT_HEALTHY);
    assert_int_equal(world->servers[0].grants, 1);
    assert_int_equal(world->servers[0].starts, 1);
    world_end(world);
}

static void test_all_daemons_are_killed_while_failed(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 3000);
    for (guint i = 0; i < WORLD_HOSTS; i++) {
        world_kill(world, i);
    }
    world_run(world, 1000);
    for (guint i = 0; i < WORLD_HOSTS; i++) {
        world_start(world, i);
    }
    world_run(world, 5000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_FAILED);
    assert_int_equal(world_verdict(world, 0, 1), VERDICT_HEALTHY);
    assert_int_equal(world->servers[0].grants, 1);
    assert_true(world->servers[0].image_running);
    boot(world, 0);
    assert_until(world, 0, VERDICT_HEALTHY);
    world_end(world);
}

static void set_quorum(world_t *world, gboolean quorate)
{
    world->no_quorum = !quorate;
    world_cut_off(world, 2);
    world_run(world, 100);
    world_join(world, 2);
}

static void test_without_quorum_nothing_is_decided(void **state)
{
    world_t *world = running_world("best-effort");

    (void) state;
    set_quorum(world, FALSE);
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        crash(world, i);
    }
    world_run(world, LONG_MS);
    for (guint i = 0; i < WORLD_SERVERS; i++) {
        assert_int_equal(world->servers[i].isolations, 0);
        assert_int_equal(world->servers[i].grants, 0);
        assert_int_equal(world_verdict(world, 0, i), VERDICT_HEALTHY);
    }
    assert_int_equal(world_leader(world), -1);
    assert_false(world_request(world, 0, 0, VERDICT_REQUEST_TAKEOVER));
    set_quorum(world, TRUE);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 3000);
    assert_true(world->servers[0].image_running);
    assert_true(world_agrees(world));
    world_end(world);
}

static void test_partition_decides_where_the_majority_is(void **state)
{
    (void) state;
    for (guint cut = 0; cut < WORLD_HOSTS; cut++) {
        world_t *world = running_world("required");

        world_cut_off(world, cut);
        world_run(world, 500);
        world->hosts[cut].sees_nothing_of[1] = TRUE; /* and would take over what it can't see */
        crash(world, 0);
        assert_until(world, 0, VERDICT_FAILED);
        world_run(world, 20000);
        assert_int_equal(world_verdict(world, cut, 0), VERDICT_HEALTHY);
        assert_int_equal(world_verdict(world, cut, 1), VERDICT_HEALTHY);
        assert_int_equal(world->servers[1].isolations, 0);
        world->hosts[cut].sees_nothing_of[1] = FALSE;
        world_join(world, cut);
        world_run(world, 2000);
        assert_true(world_agrees(world));
        assert_int_equal(world_verdict(world, cut, 0), VERDICT_FAILED);
        assert_int_equal(world->servers[0].grants, 1);
        world_end(world);
    }
}

static void test_required_waits_for_isolation(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->servers[0].switch_broken = TRUE;
    crash(world, 0);
    assert_until(world, 0, VERDICT_ISOLATING);
    world_run(world, LONG_MS);
    assert_int_equal(world_verdict(world, 1, 0), VERDICT_ISOLATING);
    assert_int_equal(world->servers[0].grants, 0);
    assert_in_range(world->servers[0].isolations, 5, 10); /* again and again, in growing pauses */
    assert_non_null(g_strstr_len(group_record(world->hosts[2].group, "db1")->reason, -1, "says the world"));
    world->servers[0].switch_broken = FALSE;
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 2000);
    assert_true(world->servers[0].image_running);
    world_end(world);
}

static void test_confirmed_needs_silence_on_all_planes(void **state)
{
    world_t *world = running_world("confirmed");

    (void) state;
    world->servers[0].switch_broken = TRUE;
    world->servers[0].service_dead = TRUE; /* its management address answers */
    assert_until(world, 0, VERDICT_ISOLATING);
    world_run(world, LONG_MS);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_ISOLATING);
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);

    world->servers[1].switch_broken = TRUE;
    world->servers[1].store_open = TRUE;
    crash(world, 1);
    assert_until(world, 1, VERDICT_ISOLATING);
    world_run(world, LONG_MS);
    assert_int_equal(world_verdict(world, 0, 1), VERDICT_ISOLATING); /* it could wake up and write */
    world_end(world);
}

static void test_best_effort_says_so_loudly(void **state)
{
    world_t *world = running_world("best-effort");

    (void) state;
    world->servers[0].switch_broken = TRUE;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    assert_non_null(g_strstr_len(group_record(world->hosts[0].group, "db1")->reason, -1, "NOT ISOLATED"));
    world_end(world);
}

static void test_it_goes_away_again_while_it_returns(void **state)
{
    world_t *world = running_world("required");
    guint isolations = 0;

    (void) state;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 3000);
    isolations = world->servers[0].isolations;
    boot(world, 0);
    assert_until(world, 0, VERDICT_RETURNING);
    crash(world, 0);
    assert_until(world, 0, VERDICT_ISOLATING);
    assert_until(world, 0, VERDICT_FAILED);
    assert_true(world->servers[0].isolations > isolations);
    world_run(world, 3000);
    assert_true(world->servers[0].image_running);
    assert_int_equal(history_takeovers(group_history(world->hosts[1].group, "db1"))->len, 2);
    world_end(world);
}

static void test_it_boots_but_does_not_serve(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, 3000);
    boot(world, 0);
    world->servers[0].service_dead = TRUE;
    assert_until(world, 0, VERDICT_RETURNING);
    world_run(world, 30000);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_RETURNING);
    assert_until(world, 0, VERDICT_FAILED);
    assert_false(world->servers[0].powered);
    world_end(world);
}

static void test_it_returns_while_the_image_starts(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    crash(world, 0);
    assert_until(world, 0, VERDICT_FAILED);
    world_run(world, WORLD_STEP_MS);
    boot(world, 0);
    assert_until(world, 0, VERDICT_HEALTHY);
    assert_false(world->servers[0].image_running);
    assert_int_equal(world->servers[0].grants, 1);
    world_end(world);
}

static void test_operator_takes_over_and_releases(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    assert_false(world_request(world, 2, 0, VERDICT_REQUEST_RELEASE));
    assert_true(world_request(world, 2, 0, VERDICT_REQUEST_TAKEOVER));
    assert_until(world, 0, VERDICT_FAILED);
    assert_false(world->servers[0].powered);
    world_run(world, 2000);
    assert_true(world->servers[0].image_running);
    assert_false(world_request(world, 2, 0, VERDICT_REQUEST_TAKEOVER));
    assert_true(world_request(world, 1, 0, VERDICT_REQUEST_RELEASE));
    assert_until(world, 0, VERDICT_RETURNING);
    boot(world, 0);
    assert_until(world, 0, VERDICT_HEALTHY);
    world_end(world);
}

static void test_ticket_granted_by_hand_is_taken_back(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    world->servers[0].ticket = TRUE;
    world_run(world, 3000);
    assert_false(world->servers[0].ticket || world->servers[0].image_running);
    assert_int_equal(world_verdict(world, 0, 0), VERDICT_HEALTHY);
    world_end(world);
}

static gint64 votes_up(const world_t *world, guint host, const char *name)
{
    g_autoptr(JsonObject) status = json_object_new();
    JsonArray *servers = NULL;

    group_status_to_json(world->hosts[host].group, world->now_ms, status);
    servers = json_object_get_array_member(status, "servers");
    for (guint i = 0; i < json_array_get_length(servers); i++) {
        JsonObject *server = json_array_get_object_element(servers, i);

        if (g_strcmp0(json_object_get_string_member(server, "name"), name) == 0) {
            return json_object_get_int_member(json_object_get_object_member(server, "votes"), "up");
        }
    }
    return -1;
}

static void check_voters(const char *const *names, guint minimum, gint64 enough)
{
    world_t *world = running_world("required");
    g_autoptr(JsonObject) status = json_object_new();
    JsonObject *voters = NULL;

    group_cluster_voters(world->hosts[0].group, names, minimum);
    group_status_to_json(world->hosts[0].group, world->now_ms, status);
    voters = json_object_get_object_member(status, "voters");
    assert_int_equal(json_object_get_int_member(voters, "enough"), enough);
    assert_int_equal(json_array_get_length(json_object_get_array_member(voters, "hosts")), g_strv_length((char **) names));
    world_end(world);
}

/* As many as find a server down: see test_verdict. */
static void test_whose_votes_are_counted_is_said(void **state)
{
    static const char *const four[] = { "host1", "host2", "host3", "host4", NULL };
    static const char *const one[] = { "host1", NULL };

    (void) state;
    check_voters(four, 2, 3);
    check_voters(one, 2, 2);
    check_voters(one, 1, 1);
}

static gint64 age_of(const world_t *world, gint64 now_ms)
{
    g_autoptr(JsonObject) status = json_object_new();

    group_status_to_json(world->hosts[1].group, now_ms, status);
    return json_object_get_int_member(json_array_get_object_element(json_object_get_array_member(status, "servers"), 0),
                                      "age_ms");
}

/* Whatever the leader's clock said when it began. */
static void test_how_long_a_verdict_lasts_needs_no_common_clock(void **state)
{
    world_t *world = running_world("required");
    gint64 age_ms = age_of(world, world->now_ms);

    (void) state;
    assert_in_range(age_ms, 1000, 6000);
    group_server_find(world->hosts[1].group, "db1")->record.since_wall_ms += 3600000;
    assert_int_equal(age_of(world, world->now_ms + 7), age_ms + 7);
    world_end(world);
}

/* Members see the CIB's changes at different times: one may not see at all that a server was away. */
static void test_server_is_forgotten_and_adopted_again(void **state)
{
    (void) state;
    for (guint late = 0; late < WORLD_HOSTS; late++) {
        world_t *world = running_world("required");

        world->hosts[late].cib_is_late = TRUE;
        world->servers[0].absent = TRUE;
        world_run(world, 1000);
        world->servers[0].absent = FALSE;
        world_run(world, 100);
        world->hosts[late].cib_is_late = FALSE;
        world_run(world, 3000);
        for (guint host = 0; host < WORLD_HOSTS; host++) {
            assert_int_equal(votes_up(world, host, "db1"), WORLD_HOSTS);
            assert_int_equal(world_verdict(world, host, 0), VERDICT_HEALTHY);
        }
        world->servers[0].absent = TRUE;
        world_run(world, 1000);
        for (guint host = 0; host < WORLD_HOSTS; host++) {
            assert_int_equal(votes_up(world, host, "db1"), -1);
            assert_int_equal(votes_up(world, host, "db2"), WORLD_HOSTS);
        }
        world_end(world);
    }
}

/* Random kills, restarts, cuts and crashes: nothing ever serves twice, and in the end all is well. */
static void test_random_faults(void **state)
{
    (void) state;
    for (guint32 seed = 1; seed <= 12; seed++) {
        GRand *random = g_rand_new_with_seed(seed);
        world_t *world = running_world("required");

        for (guint i = 0; i < 60; i++) {
            guint host = (guint) g_rand_int_range(random, 0, WORLD_HOSTS);
            guint server = (guint) g_rand_int_range(random, 0, WORLD_SERVERS);

            switch (g_rand_int_range(random, 0, 8)) {
                case 0:
                    if (world->hosts[host].group != NULL) {
                        world_kill(world, host);
                    } else {
                        world_start(world, host);
                    }
                    break;
                case 1:
                    if (world->hosts[host].partition != 0) {
                        world_join(world, host);
                    } else if (world->hosts[0].partition + world->hosts[1].partition + world->hosts[2].partition == 0) {
                        world_cut_off(world, host);
                    }
                    break;
                case 2:
                    world->hosts[host].service_cut = !world->hosts[host].service_cut;
                    break;
                case 3:
                    crash(world, server);
                    break;
                case 4:
                    boot(world, server);
                    break;
                case 5:
                    if (world->hosts[host].group != NULL) {
                        group_set_ability(world->hosts[host].group,
                                          (group_ability_t) g_rand_int_range(random, 0, GROUP_ABLE + 1));
                    }
                    break;
                case 6:
                    world->fencing_late_ms = g_rand_int_range(random, 0, 20000);
                    restart_all(world);
                    world->fencing_late_ms = 0;
                    break;
                default:
                    world->servers[server].service_dead = !world->servers[server].service_dead;
                    break;
            }
            world_run(world, g_rand_int_range(random, 0, 12000));
            assert_sound(world);
        }
        for (guint i = 0; i < WORLD_HOSTS; i++) {
            world->hosts[i].service_cut = FALSE;
            if (world->hosts[i].partition != 0) {
                world_join(world, i);
            }
            if (world->hosts[i].group == NULL) {
                world_start(world, i);
            }
        }
        for (guint i = 0; i < WORLD_SERVERS; i++) {
            crash(world, i);
        }
        world_run(world, LONG_MS);
        for (guint i = 0; i < WORLD_SERVERS; i++) {
            assert_int_equal(world_verdict(world, 0, i), VERDICT_FAILED);
            assert_true(world->servers[i].image_running);
            boot(world, i);
        }
        world_run(world, LONG_MS);
        for (guint i = 0; i < WORLD_SERVERS; i++) {
            assert_int_equal(world_verdict(world, 0, i), VERDICT_HEALTHY);
            assert_false(world->servers[i].image_running);
        }
        assert_true(world_agrees(world));
        world_end(world);
        g_rand_free(random);
    }
}

static void say(group_t *group, guint32 node_id, const message_t *message, gint64 now_ms)
{
    g_autoptr(GBytes) bytes = message_encode(message);
    gsize size_bytes = 0;
    gconstpointer data = g_bytes_get_data(bytes, &size_bytes);

    group_on_message(group, node_id, data, size_bytes, now_ms);
}

static void test_forgetting_what_has_no_record_is_no_change(void **state)
{
    world_t *world = running_world("required");
    group_t *group = world->hosts[0].group;
    group_server_facts_t facts = { .name = "db9", .config_error = "its probes can't be read" };
    message_t forget = { .type = MESSAGE_FORGET, .server = "db9" };
    guint before = world->transitions;

    (void) state;
    group_cluster_server(group, &facts, world->now_ms);
    say(group, world->hosts[1].node_id, &forget, world->now_ms);
    assert_int_equal(world->transitions, before);
    world_end(world);
}

/* A group alone, and a peer that a test plays. */

typedef struct {
    guint64 incarnation;
    guint64 want;
    guint64 pulse;      /* the last one */
    guint32 silent;     /* who is said to be, 0: nobody */
} alone_t;

static void keep_sent(GBytes *bytes, gpointer user_data)
{
    alone_t *alone = user_data;
    gsize size_bytes = 0;
    gconstpointer data = g_bytes_get_data(bytes, &size_bytes);
    message_t *message = message_decode(data, size_bytes, NULL);

    if (message->type == MESSAGE_HELLO) {
        alone->incarnation = message->incarnation;
    } else if (message->type == MESSAGE_WANT) {
        alone->want = message->want;
    } else if (message->type == MESSAGE_PULSE) {
        alone->pulse = message->pulse;
    } else if (message->type == MESSAGE_SILENT) {
        alone->silent = message->member;
    }
    message_free(message);
}

static void ignore_record(const char *server, const verdict_record_t *from, const verdict_record_t *to,
                          gpointer user_data)
{
    (void) server;
    (void) from;
    (void) to;
    (void) user_data;
}

static void ignore_generation(guint64 generation, gpointer user_data)
{
    (void) generation;
    (void) user_data;
}

static void ignore_note(const char *sentence, gpointer user_data)
{
    (void) sentence;
    (void) user_data;
}

static gint64 one_wall_ms(gpointer user_data)
{
    (void) user_data;
    return 1000;
}

static void say_snapshot_part(group_t *group, guint32 from, guint64 want, guint32 part, const char *server,
                              gboolean last)
{
    verdict_record_t record = { .epoch = 7, .verdict = VERDICT_FAILED, .reason = (char *) "no power" };
    message_t message = { .type = MESSAGE_SNAPSHOT, .want = want, .part = part, .last = last, .stamp = { 8, 30, 0 } };

    message.entries = g_ptr_array_new_with_free_func((GDestroyNotify) message_entry_free);
    g_ptr_array_add(message.entries, message_entry_new(server, &record, 0));
    say(group, from, &message, 0);
    g_ptr_array_unref(message.entries);
}

/* host1 has joined host2 and host3, who are in sync, and has asked host2 for its table. */
static group_t *group_that_wants(alone_t *alone)
{
    static const group_ops_t ops = { .send = keep_sent, .record_applied = ignore_record,
                                     .generation_agreed = ignore_generation, .note = ignore_note,
                                     .wall_ms = one_wall_ms };
    static const guint32 node_ids[] = { 1, 2, 3 };
    message_t hello = { .type = MESSAGE_HELLO, .node = "host2", .incarnation = 5, .ring = 8, .stamp = { 8, 30, 0 },
                        .in_sync = TRUE };
    group_t *group = group_new(1, "host1", &ops, alone);

    group_on_members(group, node_ids, G_N_ELEMENTS(node_ids), 0);
    group_on_ring(group, 8, 0);
    group_on_quorum(group, 8, TRUE, 0);
    say(group, 2, &hello, 0);
    hello.node = "host3";
    say(group, 3, &hello, 0);
    group_run(group, 0);
    assert_true(alone->incarnation != 0);
    say(group, 1, &(message_t) { .type = MESSAGE_HELLO, .node = "host1", .incarnation = alone->incarnation, .ring = 8 },
        0);
    group_run(group, 0);
    assert_true(alone->want != 0);
    say(group, 1, &(message_t) { .type = MESSAGE_WANT, .member = 2, .want = alone->want }, 0);
    return group;
}

static void test_cib_without_a_server_between_two_parts_of_a_snapshot(void **state)
{
    alone_t alone = { 0 };
    group_t *group = group_that_wants(&alone);

    (void) state;
    say_snapshot_part(group, 2, alone.want, 0, "db1", FALSE);
    group_cluster_begin(group);
    group_cluster_end(group, 0);
    assert_false(group_in_sync(group));
    say_snapshot_part(group, 2, alone.want, 1, "db2", TRUE);
    assert_true(group_in_sync(group));
    assert_int_equal(group_record(group, "db1")->verdict, VERDICT_FAILED);
    assert_int_equal(group_record(group, "db2")->verdict, VERDICT_FAILED);
    group_free(group);
}

static void test_parts_for_others_between_two_parts_of_a_snapshot(void **state)
{
    alone_t alone = { 0 };
    group_t *group = group_that_wants(&alone);

    (void) state;
    say_snapshot_part(group, 2, alone.want, 0, "db1", FALSE);
    say_snapshot_part(group, 2, alone.want + 1, 0, "db8", FALSE);
    say_snapshot_part(group, 3, alone.want + 2, 0, "db9", TRUE);
    say_snapshot_part(group, 2, alone.want + 1, 1, "db9", TRUE);
    assert_false(group_in_sync(group));
    say_snapshot_part(group, 2, alone.want, 1, "db2", TRUE);
    assert_true(group_in_sync(group));
    assert_non_null(group_record(group, "db1"));
    assert_null(group_record(group, "db8"));
    group_free(group);
}

static void test_snapshot_is_asked_for_again(void **state)
{
    static const guint32 without_host2[] = { 1, 3 };
    alone_t alone = { 0 };
    group_t *group = group_that_wants(&alone);
    guint64 first = alone.want;

    (void) state;
    say_snapshot_part(group, 2, alone.want, 0, "db1", FALSE);
    say_snapshot_part(group, 2, alone.want, 2, "db3", TRUE); /* one is missing */
    assert_false(group_in_sync(group));
    group_run(group, 0);
    assert_int_not_equal(alone.want, first);

    first = alone.want;
    group_run(group, 4000);
    assert_int_equal(alone.want, first);
    group_run(group, 6000); /* nothing came */
    assert_int_not_equal(alone.want, first);

    say(group, 1, &(message_t) { .type = MESSAGE_WANT, .member = 2, .want = alone.want }, 6000);
    first = alone.want;
    group_on_members(group, without_host2, G_N_ELEMENTS(without_host2), 6000); /* its source may have gone */
    group_run(group, 6000);
    if (alone.want != first) {
        say(group, 1, &(message_t) { .type = MESSAGE_WANT, .member = 3, .want = alone.want }, 6000);
    }
    say_snapshot_part(group, 3, alone.want, 0, "db1", TRUE);
    assert_true(group_in_sync(group));
    group_free(group);
}

/* Tables that differ, and leaders that sleep ---------------------------------------*/

/* host1 is in sync, and host2 leads. */
static group_t *group_in_sync_with(alone_t *alone)
{
    group_t *group = group_that_wants(alone);

    say_snapshot_part(group, 2, alone->want, 0, "db1", TRUE);
    assert_true(group_in_sync(group));
    assert_false(group_is_leader(group));
    alone->want = 0;
    return group;
}

static void say_pulse(group_t *group, guint32 from, guint64 incarnation, guint64 pulse, guint64 checked,
                      guint64 digest, gint64 now_ms)
{
    say(group, from, &(message_t) { .type = MESSAGE_PULSE, .incarnation = incarnation, .pulse = pulse,
                                    .checked = checked, .digest = digest }, now_ms);
}

static void test_a_table_that_differs_from_the_leaders_is_asked_for_again(void **state)
{
    alone_t alone = { 0 };
    group_t *group = group_in_sync_with(&alone);
    guint64 digest = group_stamp(group).digest;

    (void) state;
    say_pulse(group, 2, 5, 1, 0, 0, 0);
    say_pulse(group, 2, 5, 2, 1, digest, 0);
    assert_true(group_in_sync(group));
    /* What says nothing of the table at a pulse that was heard: another member, another process, another pulse. */
    say_pulse(group, 3, 5, 2, 2, digest + 1, 0);
    say_pulse(group, 2, 6, 3, 2, digest + 1, 0);
    say_pulse(group, 2, 5, 3, 1, digest + 1, 0);
    assert_true(group_in_sync(group));
    say_pulse(group, 2, 5, 4, 3, digest + 1, 0);
    assert_false(group_in_sync(group));
    group_run(group, 0);
    assert_true(alone.want != 0);
    group_free(group);
}

static void change_epoch(verdict_record_t *record)
{
    record->epoch--;
}

static void change_since(verdict_record_t *record)
{
    record->since_wall_ms++;
}

static void change_reason(verdict_record_t *record)
{
    g_free(record->reason);
    record->reason = g_strdup("another");
}

static void change_seen(verdict_record_t *record)
{
    g_free(record->seen_probes);
    record->seen_probes = g_strdup("another");
}

static void change_quiet(verdict_record_t *record)
{
    record->quiet_rounds = 1;
}

static void change_isolation(verdict_record_t *record)
{
    record->isolation = ISOLATION_STATE_BEGUN;
}

static void change_returns(verdict_record_t *record)
{
    record->failed_returns = 3;
}

static void change_operator(verdict_record_t *record)
{
    record->operator_returns = TRUE;
}

/* Whatever it is in which one host's table has come to differ. */
static void test_a_difference_in_any_field_is_mended(void **state)
{
    static void (*const changes[])(verdict_record_t *record) = {
        change_epoch, change_since, change_reason, change_seen, change_quiet, change_isolation, change_returns,
        change_operator,
    };
    world_t *world = running_world("required");

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
        changes[i](&group_server_find(world->hosts[2].group, "db2")->record);
        assert_false(group_stamp(world->hosts[2].group).digest == group_stamp(world->hosts[0].group).digest);
        world_run(world, 16000); /* two pulses, and a snapshot */
        assert_true(group_stamp(world->hosts[2].group).digest == group_stamp(world->hosts[0].group).digest);
        assert_true(world_agrees(world));
    }
    world_end(world);
}

static void hear_own_pulse(group_t *group, const alone_t *alone, gint64 now_ms)
{
    say_pulse(group, 1, alone->incarnation, alone->pulse, 0, 0, now_ms);
}

static void test_a_leader_that_says_nothing_is_said_to_be_silent(void **state)
{
    alone_t alone = { 0 };
    group_t *group = group_in_sync_with(&alone);

    (void) state;
    say_pulse(group, 2, 5, 1, 0, 0, 1000);
    group_run(group, 16000);
    assert_int_equal(alone.silent, 0);
    group_run(group, 18000);
    assert_int_equal(alone.silent, 0); /* it may be this host that slept: first its own pulse */
    assert_true(alone.pulse != 0);
    hear_own_pulse(group, &alone, 18010);
    group_run(group, 18010);
    assert_int_equal(alone.silent, 2);
    group_free(group);
}

static void test_who_slept_calls_nobody_silent(void **state)
{
    alone_t alone = { 0 };
    group_t *group = group_in_sync_with(&alone);

    (void) state;
    say_pulse(group, 2, 5, 1, 0, 0, 1000);
    group_run(group, 60000);
    /* What came in meanwhile is read before its own pulse comes back. */
    say_pulse(group, 2, 5, 2, 0, 0, 60000);
    hear_own_pulse(group, &alone, 60010);
    group_run(group, 60010);
    assert_int_equal(alone.silent, 0);
    group_free(group);
}

static void say_silent(group_t *group, guint32 member, guint64 incarnation)
{
    say(group, 3, &(message_t) { .type = MESSAGE_SILENT, .member = member, .incarnation = incarnation }, 20000);
}

static void test_a_silent_member_does_not_lead_until_it_speaks(void **state)
{
    message_t hello = { .type = MESSAGE_HELLO, .node = "host2", .incarnation = 5, .ring = 8, .stamp = { 8, 30, 0 },
                        .in_sync = TRUE };
    alone_t alone = { 0 };
    group_t *group = group_in_sync_with(&alone);

    (void) state;
    assert_int_equal(group_leader(group)->node_id, 2);
    say_silent(group, 2, 4); /* the process before this one was */
    assert_int_equal(group_leader(group)->node_id, 2);
    say_silent(group, 2, 5);
    assert_int_equal(group_leader(group)->node_id, 3);
    say(group, 2, &hello, 21000);
    assert_int_equal(group_leader(group)->node_id, 2);
    group_free(group);
}

/* Its timers are due before it hears that another one leads. */
static void test_a_leader_that_slept_acts_on_nothing_that_is_stale(void **state)
{
    world_t *world = running_world("required");

    (void) state;
    crash(world, 0);
    assert_until(world, 0, VERDICT_DOUBTED);
    world_sleep(world, 0);
    world_run(world, 30000);
    assert_int_equal(world_leader(world), 1);
    assert_until(world, 0, VERDICT_FAILED);
    assert_int_equal(world->servers[0].isolations, 1);
    boot(world, 0);
    assert_until(world, 0, VERDICT_HEALTHY);
    world_wake(world, 0);
    world_run(world, 30000);
    assert_true(world_agrees(world));
    assert_int_equal(world_leader(world), 0);
    assert_int_equal(world->servers[0].isolations, 1);
    assert_int_equal(world->servers[0].grants, 1);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_is_taken_over_and_returned),
        cmocka_unit_test(test_a_pause_lasts_as_long_as_it_was_typed),
        cmocka_unit_test(test_a_pause_outlives_its_leaders),
        cmocka_unit_test(test_a_leader_that_goes_ends_no_pause),
        cmocka_unit_test(test_a_clock_that_is_set_changes_no_pause),
        cmocka_unit_test(test_who_comes_late_is_told_how_long_a_pause_lasts),
        cmocka_unit_test(test_a_pause_outlives_all_observers_and_ends),
        cmocka_unit_test(test_a_pause_that_is_over_never_holds_again),
        cmocka_unit_test(test_the_same_pause_again_is_another_one),
        cmocka_unit_test(test_a_pause_is_over_when_the_cib_says_so),
        cmocka_unit_test(test_the_end_of_a_pause_ends_no_other),
        cmocka_unit_test(test_a_pause_is_typed_anew_and_ended),
        cmocka_unit_test(test_everybody_knows_whether_the_leader_holds_a_pause),
        cmocka_unit_test(test_a_server_that_was_never_seen_up_is_not_judged),
        cmocka_unit_test(test_a_server_is_seen_anew_when_its_probes_change),
        cmocka_unit_test(test_probes_that_change_under_a_doubt_end_it),
        cmocka_unit_test(test_a_hold_outlives_a_blackout_of_the_site),
        cmocka_unit_test(test_a_hold_ends_with_its_takeover),
        cmocka_unit_test(test_a_hold_of_another_time_isolates_nobody),
        cmocka_unit_test(test_a_held_server_is_not_isolated_for_nothing_after_a_blackout),
        cmocka_unit_test(test_a_server_that_is_down_when_the_cluster_starts_is_taken_over),
        cmocka_unit_test(test_a_server_that_boots_when_the_cluster_starts_is_let_be),
        cmocka_unit_test(test_a_service_that_is_dead_when_the_cluster_starts_is_taken_over),
        cmocka_unit_test(test_a_server_that_is_gone_when_the_cluster_starts_is_not_waited_for),
        cmocka_unit_test(test_who_has_been_told_of_room_is_known),
        cmocka_unit_test(test_who_is_put_aside_keeps_no_room),
        cmocka_unit_test(test_an_operators_takeover_takes_room_that_was_promised),
        cmocka_unit_test(test_a_server_that_returns_keeps_the_room_it_was_told_of),
        cmocka_unit_test(test_an_image_that_is_about_to_start_has_its_room),
        cmocka_unit_test(test_a_fencing_that_goes_on_while_all_observers_restart_is_waited_for),
        cmocka_unit_test(test_a_fencing_that_comes_to_nothing_after_all_observers_restarted_is_forgotten),
        cmocka_unit_test(test_a_fencer_that_says_nothing_has_not_said_that_nothing_is_under_way),
        cmocka_unit_test(test_all_observers_restart_in_every_state),
        cmocka_unit_test(test_nothing_is_known_while_the_store_is_silent),
        cmocka_unit_test(test_an_image_that_answers_shows_nothing_of_the_server),
        cmocka_unit_test(test_history_has_the_phases_in_order),
        cmocka_unit_test(test_a_server_that_does_not_fit_the_site_is_not_isolated),
        cmocka_unit_test(test_a_site_fault_in_the_middle_lets_the_original_serve),
        cmocka_unit_test(test_an_original_that_serves_in_place_of_its_image_is_healthy),
        cmocka_unit_test(test_three_at_once),
        cmocka_unit_test(test_dead_service_is_powered_off_first),
        cmocka_unit_test(test_isolated_from_the_store_alone_does_not_return_by_itself),
        cmocka_unit_test(test_flapping_within_the_hold_down_is_no_takeover),
        cmocka_unit_test(test_cut_service_link_is_blind_not_down),
        cmocka_unit_test(test_two_of_three_cannot_reach_it),
        cmocka_unit_test(test_one_observer_alone_judges_nobody),
        cmocka_unit_test(test_two_blind_and_one_down_judge_nobody),
        cmocka_unit_test(test_a_host_in_standby_is_not_counted),
        cmocka_unit_test(test_recovery_before_anything_took_effect_lasts),
        cmocka_unit_test(test_a_switch_that_said_nothing_is_judged_by_the_server),
        cmocka_unit_test(test_what_may_have_taken_effect_goes_on),
        cmocka_unit_test(test_what_was_asked_may_come_although_nobody_is_asked_since),
        cmocka_unit_test(test_a_fencer_that_is_at_nothing_ends_what_was_asked),
        cmocka_unit_test(test_what_another_leader_has_asked_for_may_come),
        cmocka_unit_test(test_a_release_waits_for_what_was_asked_last),
        cmocka_unit_test(test_a_server_under_repair_is_left_alone),
        cmocka_unit_test(test_a_server_whose_image_has_no_host_is_left_alone),
        cmocka_unit_test(test_that_there_was_room_for_an_earlier_failure_says_nothing_now),
        cmocka_unit_test(test_a_refused_start_bans_no_host_from_the_takeover),
        cmocka_unit_test(test_leader_is_killed_in_every_state),
        cmocka_unit_test(test_who_can_do_most_leads),
        cmocka_unit_test(test_leader_that_cannot_isolate_hands_over),
        cmocka_unit_test(test_all_daemons_are_killed_while_failed),
        cmocka_unit_test(test_without_quorum_nothing_is_decided),
        cmocka_unit_test(test_partition_decides_where_the_majority_is),
        cmocka_unit_test(test_required_waits_for_isolation),
        cmocka_unit_test(test_confirmed_needs_silence_on_all_planes),
        cmocka_unit_test(test_best_effort_says_so_loudly),
        cmocka_unit_test(test_it_goes_away_again_while_it_returns),
        cmocka_unit_test(test_it_boots_but_does_not_serve),
        cmocka_unit_test(test_it_returns_while_the_image_starts),
        cmocka_unit_test(test_operator_takes_over_and_releases),
        cmocka_unit_test(test_ticket_granted_by_hand_is_taken_back),
        cmocka_unit_test(test_forgetting_what_has_no_record_is_no_change),
        cmocka_unit_test(test_whose_votes_are_counted_is_said),
        cmocka_unit_test(test_how_long_a_verdict_lasts_needs_no_common_clock),
        cmocka_unit_test(test_server_is_forgotten_and_adopted_again),
        cmocka_unit_test(test_cib_without_a_server_between_two_parts_of_a_snapshot),
        cmocka_unit_test(test_parts_for_others_between_two_parts_of_a_snapshot),
        cmocka_unit_test(test_snapshot_is_asked_for_again),
        cmocka_unit_test(test_a_table_that_differs_from_the_leaders_is_asked_for_again),
        cmocka_unit_test(test_a_difference_in_any_field_is_mended),
        cmocka_unit_test(test_a_leader_that_says_nothing_is_said_to_be_silent),
        cmocka_unit_test(test_who_slept_calls_nobody_silent),
        cmocka_unit_test(test_a_silent_member_does_not_lead_until_it_speaks),
        cmocka_unit_test(test_a_leader_that_slept_acts_on_nothing_that_is_stale),
        cmocka_unit_test(test_random_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
