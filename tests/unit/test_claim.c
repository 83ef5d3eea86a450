/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By what proof a claim on a server is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/claim.h"

static void test_text(void **state)
{
    static const char *const bad[] = { "", "host1", "host1 b", "host1 b s x", "host1  s", " b s", "host1 b ", "h b \xff" };
    g_autoptr(claim_t) claim = claim_parse("host1 b s");
    g_autofree char *text = claim_text(claim);

    (void) state;
    assert_string_equal(claim->host, "host1");
    assert_string_equal(claim->boot_id, "b");
    assert_string_equal(claim->start_id, "s");
    assert_string_equal(text, "host1 b s");
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        assert_null(claim_parse(bad[i]));
    }
}

static void test_pool(void **state)
{
    static const char *const one[] = { "vm/run-a-0", "fast/run-a-1", NULL };
    static const char *const other[] = { "fast/run-a-0", "vm/run-a-1", NULL };
    g_autofree char *pool = claim_pool(one);
    g_autofree char *other_pool = claim_pool(other);

    (void) state;
    assert_string_equal(pool, "fast");
    assert_string_equal(other_pool, "fast");
}

static gboolean has_ended(const char *text, claim_evidence_t evidence)
{
    g_autoptr(claim_t) claim = claim_parse(text);

    evidence.host = "host1";
    evidence.boot_id = "b1";
    return claim_ended_reason(claim, &evidence) != NULL;
}

static void test_on_this_host(void **state)
{
    (void) state;
    assert_false(has_ended("host1 b1 s", (claim_evidence_t) { .start_is_known = TRUE }));
    assert_true(has_ended("host1 b1 s", (claim_evidence_t) { .start_is_known = FALSE }));
    assert_true(has_ended("host1 b0 s", (claim_evidence_t) { .start_is_known = TRUE }));
}

static void test_on_another_host(void **state)
{
    (void) state;
    /* What is not known proves nothing. */
    assert_false(has_ended("host2 b2 s", (claim_evidence_t) { .host_boot_id = NULL }));
    assert_false(has_ended("host2 b2 s", (claim_evidence_t) { .host_boot_id = "b2", .ended_start = "earlier" }));
    assert_true(has_ended("host2 b2 s", (claim_evidence_t) { .host_boot_id = "b3" }));
    assert_true(has_ended("host2 b2 s", (claim_evidence_t) { .host_boot_id = "b2", .ended_start = "s" }));
    assert_true(has_ended("host2 b2 s", (claim_evidence_t) { .host_boot_id = "b2", .host_is_clean = TRUE }));
}

static gboolean is_gone(const char *text, claim_evidence_t evidence)
{
    g_autoptr(claim_t) claim = claim_parse(text);

    evidence.host = "host1";
    evidence.boot_id = "b1";
    return claim_holder_is_gone(claim, &evidence);
}

/* Who may still send its guest elsewhere: a fence through the store leaves a host its libvirtd. */
static void test_gone(void **state)
{
    (void) state;
    assert_false(is_gone("host2 b2 s", (claim_evidence_t) { .host_boot_id = "b2", .host_is_clean = TRUE, .host_is_fenced = TRUE }));
    assert_true(is_gone("host2 b2 s", (claim_evidence_t) { .host_boot_id = "b3", .host_is_clean = TRUE }));
    assert_true(is_gone("host2 b2 s", (claim_evidence_t) { .ended_start = "s" }));
}

static gboolean is_dead(const char *text, claim_evidence_t evidence)
{
    g_autoptr(claim_t) claim = claim_parse(text);

    evidence.host = "host1";
    evidence.boot_id = "b1";
    return claim_holder_is_dead(claim, &evidence);
}

/* A host that left cleanly may have a QEMU that is cut off. */
static void test_dead(void **state)
{
    (void) state;
    assert_false(is_dead("host2 b2 s", (claim_evidence_t) { .host_boot_id = "b2", .host_is_clean = TRUE }));
    assert_true(is_dead("host2 b2 s", (claim_evidence_t) { .host_is_clean = TRUE, .host_is_fenced = TRUE }));
    assert_true(is_dead("host2 b2 s", (claim_evidence_t) { .host_boot_id = "b3", .host_is_clean = TRUE }));
    assert_true(is_dead("host2 b2 s", (claim_evidence_t) { .ended_start = "s" }));
    assert_true(is_dead("host1 b1 s", (claim_evidence_t) { .start_is_known = FALSE }));
}

static void test_clients(void **state)
{
    static const char *const two[] = { "10.0.0.1:0/1", "[fd00::1]:0/2", NULL };
    static const char *const none[] = { NULL };
    static const char *const of_nobody[] = { NULL, "", "s", "another all 10.0.0.1:0/1", "s2 all" };
    g_autofree char *text = claim_clients_text("s", TRUE, two);
    g_autofree char *unknown_text = claim_clients_text("s", FALSE, none);
    g_autoptr(claim_clients_t) clients = claim_clients_parse(text, "s");
    g_autoptr(claim_clients_t) unknown = claim_clients_parse(unknown_text, "s");

    (void) state;
    assert_true(clients->complete);
    assert_int_equal(g_strv_length(clients->addresses), 2);
    assert_string_equal(clients->addresses[1], two[1]);
    assert_false(unknown->complete);
    for (gsize i = 0; i < G_N_ELEMENTS(of_nobody); i++) {
        assert_null(claim_clients_parse(of_nobody[i], "s"));
    }
}

static void test_target(void **state)
{
    static const char *const bad[] = { "s all a to", "s all a to host2", "s all a to host2 i", "s all a to host2 i -" };
    char *seen[] = { (char *) "10.0.0.2:0/5", (char *) "10.0.0.2:0/6", NULL };
    char *none[] = { NULL };
    g_autofree char *begun = claim_clients_text_moving("s all a b", &(claim_target_t) { .host = (char *) "host2", .id = (char *) "i",
                                                                                       .addresses = none });
    g_autofree char *arrived = claim_clients_text_moving(begun, &(claim_target_t) { .host = (char *) "host3", .complete = TRUE,
                                                                                   .id = (char *) "j",
                                                                                   .secret_uuid = (char *) "u",
                                                                                   .addresses = seen });
    g_autofree char *stayed = claim_clients_text_moving(arrived, NULL);
    g_autoptr(claim_clients_t) at_first = claim_clients_parse(begun, "s");
    g_autoptr(claim_clients_t) then = claim_clients_parse(arrived, "s");
    g_autoptr(claim_clients_t) at_last = claim_clients_parse(stayed, "s");

    (void) state;
    assert_string_equal(at_first->target->host, "host2");
    assert_string_equal(at_first->target->id, "i");
    assert_null(at_first->target->secret_uuid);
    assert_false(at_first->target->complete);
    assert_int_equal(g_strv_length(at_first->target->addresses), 0);
    assert_int_equal(g_strv_length(then->addresses), 2);
    assert_string_equal(then->target->host, "host3");
    assert_string_equal(then->target->secret_uuid, "u");
    assert_true(then->complete && then->target->complete);
    assert_string_equal(then->target->addresses[1], seen[1]);
    assert_string_equal(stayed, "s all a b");
    assert_null(at_last->target);
    /* What can't be read is no word that nobody else may write. */
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(claim_clients_t) clients = claim_clients_parse(bad[i], "s");

        assert_string_equal(clients->target->host, "");
        assert_false(clients->target->complete);
    }
}

static void test_place(void **state)
{
    static const char *const images[] = { "vm/run-db1-0", "data/run-db1-1", NULL };
    static const char *const bad[] = { NULL, "", "host1 b s", "host1 b s ", "host1 b s image", "host1 b s vm/", "host1 b s /i",
                                       "host1 b s2 vm/i", "host1  s vm/i", "host1 b s vm/i  vm/j" };
    g_autofree char *text = claim_place_text("host1 b s", images);
    g_autoptr(claim_place_t) place = claim_place_parse(text, "s");

    (void) state;
    assert_string_equal(place->pool, "data");
    assert_string_equal(place->claim->host, "host1");
    assert_string_equal(place->run_images[1], images[1]);
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        assert_null(claim_place_parse(bad[i], "s"));
    }
}

static void test_images(void **state)
{
    static const char *const own[] = { "vm/run-db1-0", "vm/run-db1-1", NULL };
    g_autoptr(GHashTable) places = g_hash_table_new(g_str_hash, g_str_equal);
    const char *unreadable = "";
    g_auto(GStrv) none = claim_images(own, places, &unreadable);
    g_auto(GStrv) images = NULL;

    (void) state;
    assert_int_equal(g_strv_length(none), 2);
    assert_null(unreadable);
    g_hash_table_insert(places, (gpointer) "s1", (gpointer) "host1 b s1 vm/run-db1-0 fast/run-db1-1");
    g_hash_table_insert(places, (gpointer) "s2", (gpointer) "host1 b another vm/run-db1-0");
    images = claim_images(own, places, &unreadable);
    assert_int_equal(g_strv_length(images), 3);
    assert_string_equal(images[2], "fast/run-db1-1");
    assert_string_equal(unreadable, "s2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_on_this_host),
        cmocka_unit_test(test_on_another_host),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_dead),
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_images),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
