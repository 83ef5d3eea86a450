/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capacity/capacity_logic.h"

#define SECOND_US 1000000

static const capacity_limits_t limits = {
    .cpu_reserve = 1, .memory_reserve_mib = 1024, .memory_step_mib = 256, .settle_ms = 0,
};

static capacity_sample_t sample_at(guint64 second, guint64 busy_s, guint64 managed_s)
{
    capacity_sample_t sample = {
        .at_us = (gint64) second * SECOND_US, .cpu_count = 8, .cpu_busy_us = busy_s * SECOND_US,
        .managed_cpu_us = managed_s * SECOND_US, .memory_total_mib = 65536, .memory_used_mib = 9216,
        .managed_memory_mib = 8192,
    };

    return sample;
}

static void test_own_images_do_not_count(void **state)
{
    capacity_sample_t before = sample_at(100, 1000, 500);
    capacity_sample_t now = sample_at(110, 1050, 530);
    capacity_load_t load = { 0 };
    capacity_t capacity = { 0 };

    (void) state;
    capacity_load_update(&before, &now, &limits, &load);
    /* 5 CPUs busy, 3 of them by images; 9 GiB used, 8 GiB of them by images. */
    assert_float_equal(load.cpus, 2.0, 0.001);
    assert_float_equal(load.memory_mib, 1024.0, 0.001);
    capacity = capacity_compute(&now, &load, &limits, NULL);
    assert_int_equal(capacity.cpu, 5);
    assert_int_equal(capacity.memory_mib, 65536 - 1024 - 1024);
    assert_int_equal(capacity.headroom, 625);
}

static void test_first_look_knows_no_cpu_load(void **state)
{
    capacity_sample_t now = sample_at(110, 1050, 530);
    capacity_load_t load = { .cpus = 99.0, .memory_mib = 99.0 };

    (void) state;
    capacity_load_update(NULL, &now, &limits, &load);
    assert_float_equal(load.cpus, 0.0, 0.001);
    assert_float_equal(load.memory_mib, 1024.0, 0.001);
}

static void test_a_guest_that_came_or_went_is_no_load(void **state)
{
    capacity_sample_t before = sample_at(100, 1000, 500);
    capacity_sample_t now = sample_at(110, 1050, 0);
    capacity_load_t load = { .cpus = 1.0 };

    (void) state;
    before.managed_count = 2;
    now.managed_count = 1;
    capacity_load_update(&before, &now, &limits, &load);
    assert_float_equal(load.cpus, 1.0, 0.001);
}

static void test_jitter_changes_nothing(void **state)
{
    capacity_sample_t now = sample_at(110, 0, 0);
    capacity_load_t load = { .cpus = 2.0, .memory_mib = 1024.0 };
    capacity_t published = capacity_compute(&now, &load, &limits, NULL);

    (void) state;
    for (int i = -20; i <= 20; i++) {
        capacity_load_t jitter = { .cpus = 2.0 + i / 100.0, .memory_mib = 1024.0 + i * 3.0 };
        capacity_t next = capacity_compute(&now, &jitter, &limits, &published);

        assert_int_equal(next.cpu, published.cpu);
        assert_int_equal(next.memory_mib, published.memory_mib);
    }
}

static void test_real_load_is_published(void **state)
{
    capacity_sample_t now = sample_at(110, 0, 0);
    capacity_load_t idle = { 0 };
    capacity_load_t loaded = { .cpus = 4.0, .memory_mib = 32768.0 };
    capacity_t published = capacity_compute(&now, &idle, &limits, NULL);
    capacity_t next = capacity_compute(&now, &loaded, &limits, &published);

    (void) state;
    assert_int_equal(published.cpu, 7);
    assert_int_equal(next.cpu, 3);
    assert_int_equal(published.memory_mib - next.memory_mib, 32768);
    assert_false(capacity_equal(&published, &next));
}

static void test_settle_smooths_a_short_load(void **state)
{
    capacity_limits_t slow = limits;
    capacity_sample_t before = sample_at(100, 1000, 0);
    capacity_sample_t now = sample_at(101, 1008, 0);
    capacity_load_t load = { 0 };

    (void) state;
    slow.settle_ms = 20000;
    capacity_load_update(&before, &now, &slow, &load);
    assert_true(load.cpus < 0.5);
}

static void test_more_reserve_than_there_is_leaves_nothing(void **state)
{
    capacity_limits_t greedy = { .cpu_reserve = 100, .memory_reserve_mib = 1024 * 1024, .memory_step_mib = 256 };
    capacity_sample_t now = sample_at(110, 0, 0);
    capacity_load_t load = { 0 };
    capacity_t capacity = capacity_compute(&now, &load, &greedy, NULL);

    (void) state;
    assert_int_equal(capacity.cpu, 0);
    assert_int_equal(capacity.memory_mib, 0);
    assert_int_equal(capacity.headroom, 125);
    assert_false(capacity_is_withheld(&capacity));
}

/* The store refuses it: an image would wait here until it is let in. A room that is back is computed afresh. */
static void test_a_host_that_the_store_refuses_has_no_room(void **state)
{
    static const capacity_t few = { .cpu = 1, .memory_mib = 512, .headroom = 100 }; /* of an image that it has still */
    capacity_sample_t now = sample_at(110, 0, 0);
    capacity_load_t load = { .cpus = 6.3 };
    capacity_t room = capacity_compute(&now, &load, &limits, NULL);
    capacity_t none = { 0 };
    capacity_t back = { 0 };
    gboolean is_urgent = TRUE;

    (void) state;
    assert_int_equal(room.cpu, 1);
    back = capacity_decide(&now, &load, &limits, &room, FALSE, &is_urgent);
    assert_true(capacity_equal(&back, &room));
    assert_false(is_urgent);
    none = capacity_decide(&now, &load, &limits, &room, TRUE, &is_urgent);
    assert_true(capacity_is_withheld(&none));
    assert_true(is_urgent);
    back = capacity_decide(&now, &load, &limits, &none, FALSE, &is_urgent);
    assert_true(capacity_equal(&back, &room)); /* what is published stands while it is nearly right: nothing is not */
    assert_true(is_urgent);
    assert_false(capacity_is_withheld(&few));
    none = capacity_decide(&now, &load, &limits, NULL, TRUE, &is_urgent);
    assert_true(capacity_is_withheld(&none));
}

/* An image's headroom is the smaller of 100 a CPU and 100 a 4096 MiB, rounded down. */
static gint64 image_headroom(gint64 cpus, gint64 memory_mib)
{
    return MIN(100 * cpus, 100 * memory_mib / HEADROOM_MEMORY_PER_CPU_MIB);
}

static void test_headroom_refuses_nothing_that_fits(void **state)
{
    capacity_sample_t now = sample_at(110, 0, 0);
    capacity_t published = { 0 };

    (void) state;
    for (int load_percent = 0; load_percent < 800; load_percent += 7) {
        capacity_load_t load = { .cpus = load_percent / 100.0, .memory_mib = load_percent * 70.0 };
        capacity_t fresh = capacity_compute(&now, &load, &limits, NULL);

        published = capacity_compute(&now, &load, &limits, load_percent > 0 ? &published : NULL);
        assert_true(fresh.headroom >= image_headroom(fresh.cpu, fresh.memory_mib));
        assert_true(published.headroom >= image_headroom(published.cpu, published.memory_mib));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_images_do_not_count),
        cmocka_unit_test(test_first_look_knows_no_cpu_load),
        cmocka_unit_test(test_a_guest_that_came_or_went_is_no_load),
        cmocka_unit_test(test_jitter_changes_nothing),
        cmocka_unit_test(test_real_load_is_published),
        cmocka_unit_test(test_headroom_refuses_nothing_that_fits),
        cmocka_unit_test(test_settle_smooths_a_short_load),
        cmocka_unit_test(test_more_reserve_than_there_is_leaves_nothing),
        cmocka_unit_test(test_a_host_that_the_store_refuses_has_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
