/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a standby image is called, and what its domain's state means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/names.h"
#include "image/domain_state.h"
#include "image/image_identity.h"

static void assert_identity(const char *instance, const char *server, const char *expected_server,
                            const char *expected_domain)
{
    image_identity_t identity;
    GError *error = NULL;

    assert_true(image_identity_init(&identity, instance, server, &error));
    assert_null(error);
    assert_string_equal(identity.server, expected_server);
    assert_string_equal(identity.domain_name, expected_domain);
    image_identity_clear(&identity);
}

static void test_names(void **state)
{
    (void) state;
    assert_identity("standby-db1", NULL, "db1", "standby-db1");
    assert_identity("standby-db1", "db9", "db9", "standby-db1");
    assert_identity("my-image", NULL, "my-image", "my-image");
    assert_identity("", "db1", "db1", "standby-db1");
}

static void test_images_that_were_set_aside(void **state)
{
    static const char *const others[] = { "run-db1-0", "run-db1-0.", "run-db1-0.0", "run-db1-0.x", "run-db1-0.1x", "run-db1-0.-1",
                                          "run-db1-00.1", "run-db1-1.1", "run-db1-0.1-0", "run-db1-0.99999999999" };
    g_autofree char *name = kept_image_name("run-db1-0", 12);
    unsigned generation = 0;

    (void) state;
    assert_string_equal(name, "run-db1-0.12");
    assert_true(kept_image_generation(name, "run-db1-0", &generation));
    assert_int_equal(generation, 12);
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        assert_false(kept_image_generation(others[i], "run-db1-0", &generation));
    }
}

static void test_no_server(void **state)
{
    image_identity_t identity;
    GError *error = NULL;

    (void) state;
    assert_false(image_identity_init(&identity, "", NULL, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
    g_error_free(error);
}

/* These stand in the domains of running sites: a stop has to find them after an upgrade. */
static void test_uuid_and_mac_are_for_life(void **state)
{
    image_identity_t identity;
    image_identity_t renamed;
    image_identity_t other;

    (void) state;
    assert_true(image_identity_init(&identity, "standby-db1", NULL, NULL));
    assert_true(image_identity_init(&renamed, "standby-db1", "db9", NULL));
    assert_true(image_identity_init(&other, "standby-db2", NULL, NULL));
    assert_string_equal(identity.domain_uuid, "cd518e2e-be20-59c4-8204-98a14bd538d7");
    assert_string_equal(identity.mac, "52:54:00:3a:c5:2a");
    assert_string_equal(identity.domain_uuid, renamed.domain_uuid);
    assert_string_not_equal(identity.domain_uuid, other.domain_uuid);
    assert_string_not_equal(identity.mac, other.mac);
    image_identity_clear(&identity);
    image_identity_clear(&renamed);
    image_identity_clear(&other);
}

static void test_states(void **state)
{
    static const struct {
        int state;
        int reason;
        domain_verdict_t verdict;
        gboolean has_meaning;
    } cases[] = {
        { VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, DOMAIN_RUNS, FALSE },
        { VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATED, DOMAIN_RUNS, FALSE },
        { VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY_FAILED, DOMAIN_FAILED, TRUE },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, DOMAIN_FAILED, TRUE },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_CRASHED, DOMAIN_FAILED, TRUE },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_WATCHDOG, DOMAIN_FAILED, TRUE },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY_FAILED, DOMAIN_FAILED, TRUE },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, DOMAIN_DEGRADED, TRUE },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SNAPSHOT, DOMAIN_DEGRADED, TRUE },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SHUTTING_DOWN, DOMAIN_RUNS, FALSE },
        { VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, DOMAIN_RUNS, FALSE },
        { VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_SHUTDOWN_USER, DOMAIN_RUNS, FALSE },
        { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN, DOMAIN_STOPPED, FALSE },
        { VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED, DOMAIN_STOPPED, TRUE },
        { VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED, DOMAIN_STOPPED, TRUE },
        { VIR_DOMAIN_PMSUSPENDED, 0, DOMAIN_DEGRADED, TRUE },
        /* A state of a later libvirt: it is there, so it is not stopped. */
        { 99, 0, DOMAIN_DEGRADED, TRUE },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *meaning = NULL;

        assert_int_equal(domain_state_judge(cases[i].state, cases[i].reason, &meaning), cases[i].verdict);
        assert_int_equal(meaning != NULL, cases[i].has_meaning);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),      cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_images_that_were_set_aside),
        cmocka_unit_test(test_uuid_and_mac_are_for_life), cmocka_unit_test(test_states),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
