/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Storms over a group of observers, drawn from a seed: the table holds, and all hold the same one when it is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "group_world.h"
#include "judge/group_private.h"

/* What `make check` has time for; a campaign sets STORM_SEEDS. */
#define SEEDS_DEFAULT 12
#define EVENTS        40
#define QUIET_MS      90000
#define HANGS_MS      30000

typedef struct {
    world_t *world;
    GRand *random;
    guint64 top_epoch[WORLD_SERVERS]; /* of the leader that knew most */
    gint64 top_ms[WORLD_SERVERS];     /* since when */
} storm_t;

static gboolean chance(storm_t *storm, guint in)
{
    return g_rand_int_range(storm->random, 0, (gint32) in) == 0;
}

static guint any_host(storm_t *storm)
{
    return (guint) g_rand_int_range(storm->random, 0, (gint32) storm->world->host_count);
}

/* What happens ------------------------------------------------------------------*/

static void split(storm_t *storm)
{
    guint partitions[WORLD_HOSTS_MAX] = { 0 };

    for (guint i = 0; i < storm->world->host_count; i++) {
        partitions[i] = (guint) g_rand_int_range(storm->random, 0, 3);
    }
    world_split(storm->world, partitions);
}

static void merge(storm_t *storm)
{
    static const guint together[WORLD_HOSTS_MAX] = { 0 };

    world_split(storm->world, together);
}

static void kill_one(storm_t *storm, guint index)
{
    if (storm->world->hosts[index].group != NULL) {
        world_kill(storm->world, index);
        world_start(storm->world, index); /* as Pacemaker does, though a moment later */
    }
}

static void kill_leader(storm_t *storm)
{
    int leads = world_leader(storm->world);

    if (leads >= 0) {
        kill_one(storm, (guint) leads);
    }
}

static void sleep_one(storm_t *storm)
{
    int leads = world_leader(storm->world);

    world_sleep(storm->world, (leads >= 0 && chance(storm, 2)) ? (guint) leads : any_host(storm));
}

static void wake_all(storm_t *storm)
{
    for (guint i = 0; i < storm->world->host_count; i++) {
        if (storm->world->hosts[i].asleep) {
            world_wake(storm->world, i);
        }
    }
}

static void hear_quorum_late(storm_t *storm)
{
    storm->world->hosts[any_host(storm)].quorum_late_ms = storm->world->now_ms
                                                          + g_rand_int_range(storm->random, 1000, 20000);
}

static void change_server(storm_t *storm)
{
    world_server_t *server = &storm->world->servers[g_rand_int_range(storm->random, 0, WORLD_SERVERS)];

    server->powered = !server->powered || chance(storm, 3);
    server->service_dead = FALSE;
}

static void something_happens(storm_t *storm)
{
    switch (g_rand_int_range(storm->random, 0, 11)) {
        case 0:
        case 1:
            split(storm);
            break;
        case 2:
        case 3:
            merge(storm);
            break;
        case 4:
            kill_one(storm, any_host(storm));
            break;
        case 5:
            kill_leader(storm);
            break;
        case 6:
        case 7:
            sleep_one(storm);
            break;
        case 8:
            wake_all(storm);
            break;
        case 9:
            hear_quorum_late(storm);
            break;
        default:
            change_server(storm);
            break;
    }
}

/* What holds ------------------------------------------------------------------------*/

static void check(storm_t *storm, guint32 seed)
{
    const world_t *world = storm->world;

    if (world->violation != NULL) {
        fail_msg("seed %u: %s", seed, world->violation);
    }
    for (guint server = 0; server < WORLD_SERVERS; server++) {
        if (world->servers[server].both_served) {
            fail_msg("seed %u: %s and its image both served", seed, world->servers[server].name);
        }
    }
}

/* Tables never go backward: who leads, awake and with quorum, has all that a leader had before, or has begun anew
 * since. */
static void check_leader(storm_t *storm, guint32 seed)
{
    int leads = world_leader(storm->world);

    if (leads < 0 || !world_has_quorum(storm->world, (guint) leads)
        || !g_queue_is_empty(storm->world->hosts[leads].events)) {
        return;
    }
    for (guint server = 0; server < WORLD_SERVERS; server++) {
        const char *name = storm->world->servers[server].name;
        const verdict_record_t *record = group_record(storm->world->hosts[leads].group, name);
        guint64 epoch = (record != NULL) ? record->epoch : 0;

        if (epoch != 0 && epoch < storm->top_epoch[server] && record->since_wall_ms < storm->top_ms[server]) {
            fail_msg("seed %u, %" G_GINT64_FORMAT ": host%d leads with %s at epoch %" G_GUINT64_FORMAT
                     ", which was at %" G_GUINT64_FORMAT, seed, storm->world->now_ms, leads + 1, name, epoch,
                     storm->top_epoch[server]);
        }
        if (epoch != storm->top_epoch[server]) {
            storm->top_epoch[server] = epoch;
            storm->top_ms[server] = storm->world->now_ms;
        }
    }
}

/* As Pacemaker's monitor does. */
static void end_hung(storm_t *storm)
{
    for (guint i = 0; i < storm->world->host_count; i++) {
        const world_host_t *host = &storm->world->hosts[i];

        if (host->group != NULL && host->asleep && storm->world->now_ms > host->asleep_ms + HANGS_MS) {
            world_kill(storm->world, i);
            world_start(storm->world, i);
        }
    }
}

static void pass_time(storm_t *storm, gint64 duration_ms, guint32 seed)
{
    for (gint64 end_ms = storm->world->now_ms + duration_ms; storm->world->now_ms < end_ms;) {
        world_run(storm->world, WORLD_STEP_MS);
        end_hung(storm);
        check(storm, seed);
        check_leader(storm, seed);
    }
}

static void run_storm(guint32 seed, guint hosts)
{
    storm_t storm = { .world = world_new_sized("required", hosts, seed), .random = g_rand_new_with_seed(seed) };

    pass_time(&storm, 8000, seed);
    for (guint i = 0; i < EVENTS; i++) {
        something_happens(&storm);
        pass_time(&storm, chance(&storm, 3) ? WORLD_STEP_MS * g_rand_int_range(storm.random, 1, 10)
                                            : g_rand_int_range(storm.random, 0, 6000), seed);
    }
    merge(&storm);
    wake_all(&storm);
    pass_time(&storm, QUIET_MS, seed);
    if (world_leader(storm.world) < 0) {
        fail_msg("seed %u: nobody leads", seed);
    }
    if (!world_agrees(storm.world)) {
        fail_msg("seed %u: the tables differ at rest, or somebody is out of sync", seed);
    }
    world_free(storm.world);
    g_rand_free(storm.random);
}

static guint number_from_environment(const char *name, guint otherwise)
{
    const char *text = g_getenv(name);

    return (text != NULL) ? (guint) g_ascii_strtoull(text, NULL, 10) : otherwise;
}

static void test_storms(void **state)
{
    guint first = number_from_environment("STORM_FIRST", 1);
    guint count = number_from_environment("STORM_SEEDS", SEEDS_DEFAULT);

    (void) state;
    for (guint32 seed = first; seed < first + count; seed++) {
        run_storm(seed, seed % 2 == 0 ? 3 : 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
