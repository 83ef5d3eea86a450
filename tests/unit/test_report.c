/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cib_fixture.h"
#include "cluster_fixture.h"
#include "report.h"

#define NOT_RUNNING(server, host) CIB_HISTORY(server, CIB_OP(server, host, "monitor", "7", ""))
#define GRANTED "<tickets><ticket_state id='takeover-db1' granted='true' last-granted='1700000001'/></tickets>"
#define STATES                                                              \
    CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1"))                    \
    CIB_STATE("2", "1", "", NOT_RUNNING("db1", "host2"))                    \
    CIB_STATE("3", "1", "", NOT_RUNNING("db1", "host3"))

static JsonObject *object_of(const char *text)
{
    g_autoptr(JsonNode) node = json_from_string(text, NULL);

    return json_object_ref(json_node_get_object(node));
}

static JsonObject *first_server(JsonObject *status)
{
    return json_array_get_object_element(json_object_get_array_member(status, "servers"), 0);
}

/* The reason that is given for db1 on this cluster. */
static char *reason_on(const char *text)
{
    cluster_state_t *cluster = cluster_of(text);
    report_sources_t sources = { .cluster = cluster };
    JsonObject *status = report_status(&sources, NULL);
    char *reason = g_strdup(json_object_get_string_member(first_server(status), "reason"));

    json_object_unref(status);
    cluster_state_free(cluster);
    return reason;
}

static void test_all_three_are_put_together(void **state)
{
    cluster_state_t *cluster = cluster_of(CIB_TEXT(
        "1", CIB_IMAGE("db1"), CIB_TICKET("db1"), GRANTED,
        CIB_STATE("1", "1", "", CIB_HISTORY("db1", CIB_OP("db1", "host1", "start", "0", "")))));
    JsonObject *observers = object_of("{\"ok\":true,\"leader\":\"host1\",\"quorate\":true,\"servers\":[{\"name\":\"db1\","
                                      "\"verdict\":\"failed\",\"reason\":\"\",\"votes\":{\"up\":0,\"down\":2,"
                                      "\"blind\":1}}]}");
    run_image_t run_image = { .name = (char *) "vm/run-db1-0", .point = (char *) "point-2",
                              .unreturned_bytes = 5242880 };
    GHashTable *run_images = g_hash_table_new(g_str_hash, g_str_equal);
    report_sources_t sources = { .cluster = cluster, .observers = observers, .run_images = run_images };
    JsonObject *status = NULL;
    JsonObject *server = NULL;
    JsonObject *image = NULL;
    g_autofree char *text = NULL;

    (void) state;
    run_image_add_kept(&run_image, "vm/run-db1-0.1", 4194304);
    run_image_add_kept(&run_image, "vm/run-db1-0.2", 8388608);
    g_hash_table_insert(run_images, (gpointer) "db1", &run_image);
    status = report_status(&sources, "db1");
    server = first_server(status);
    image = json_object_get_object_member(server, "image");
    assert_string_equal(json_object_get_string_member(status, "leader"), "host1");
    assert_true(json_object_get_boolean_member(status, "quorate"));
    assert_string_equal(json_object_get_string_member(server, "verdict"), "failed");
    assert_true(json_object_get_boolean_member(server, "ticket"));
    assert_int_equal(json_object_get_int_member(json_object_get_object_member(server, "votes"), "down"), 2);
    assert_string_equal(json_object_get_string_member(image, "state"), "running");
    assert_string_equal(json_object_get_string_member(image, "host"), "host1");
    assert_string_equal(json_object_get_string_member(image, "run_image"), "vm/run-db1-0");
    assert_int_equal(json_object_get_int_member(image, "unreturned_bytes"), 5242880);
    assert_string_equal(json_object_get_string_member(image, "point"), "point-2");
    assert_int_equal(json_array_get_length(json_object_get_array_member(image, "kept")), 2);
    assert_string_equal(json_object_get_string_member(server, "reason"),
                        "what a standby wrote in an earlier takeover is kept as vm/run-db1-0.1 and others: save what you need "
                        "of it, then 'rbd rm' it");
    text = report_status_text(status);
    assert_non_null(strstr(text, "running on host1"));
    assert_non_null(strstr(text, "5.0 MiB"));
    json_object_unref(status);
    json_object_unref(observers);
    g_ptr_array_unref(run_image.kept);
    g_hash_table_unref(run_images);
    cluster_state_free(cluster);
}

/* A server that serves and that the store refuses is named, with the command for each of its addresses; a failed one is
 * refused on purpose, and named if it is not. */
static void test_a_healthy_server_that_the_store_refuses(void **state)
{
    static const char *const verdicts[] = { "healthy", "failed" };

    g_autoptr(GPtrArray) refused = g_ptr_array_new();

    (void) state;
    g_ptr_array_add(refused, (gpointer) "10.0.2.101:0/0");
    g_ptr_array_add(refused, (gpointer) "10.0.2.109:0/0");
    for (gsize i = 0; i < G_N_ELEMENTS(verdicts); i++) {
        cluster_state_t *cluster = cluster_of(CIB_TEXT("1", CIB_IMAGE("db1"), CIB_TICKET("db1"), "", ""));
        g_autofree char *answer = g_strdup_printf("{\"ok\":true,\"leader\":\"host1\",\"quorate\":true,\"servers\":[{"
                                                  "\"name\":\"db1\",\"verdict\":\"%s\",\"reason\":\"\"}]}", verdicts[i]);
        JsonObject *observers = object_of(answer);
        run_image_t run_image = { .refused = refused, .admitted = (char *) "10.0.2.102:0/0", .entry_fault = (char *) "bad record",
                                  .address_fault = (char *) "store_address 10.0.2.11: not its own" };
        GHashTable *run_images = g_hash_table_new(g_str_hash, g_str_equal);
        report_sources_t sources = { .cluster = cluster, .observers = observers, .run_images = run_images };
        JsonObject *status = NULL;
        const char *reason = NULL;

        g_hash_table_insert(run_images, (gpointer) "db1", &run_image);
        status = report_status(&sources, "db1");
        reason = json_object_get_string_member(first_server(status), "reason");
        assert_int_equal(strstr(reason, "its address 10.0.2.101: ") != NULL, i == 0);
        assert_int_equal(strstr(reason, "ceph osd blocklist rm 10.0.2.101:0/0") != NULL, i == 0);
        assert_int_equal(strstr(reason, "ceph osd blocklist rm 10.0.2.109:0/0") != NULL, i == 0);
        assert_int_equal(strstr(reason, "ceph osd blocklist add 10.0.2.102:0/0 157680000") != NULL, i == 1);
        assert_non_null(strstr(reason, "bad record"));
        assert_non_null(strstr(reason, "store_address 10.0.2.11: not its own"));
        json_object_unref(status);
        json_object_unref(observers);
        g_hash_table_unref(run_images);
        cluster_state_free(cluster);
    }
}

static void test_a_claim_that_lies_elsewhere(void **state)
{
    cluster_state_t *cluster = cluster_of(CIB_TEXT("1", CIB_IMAGE("db1"), CIB_TICKET("db1"), "", ""));
    run_image_t *run_image = g_new0(run_image_t, 1);
    g_autoptr(GHashTable) run_images = g_hash_table_new(g_str_hash, g_str_equal);
    report_sources_t sources = { .cluster = cluster, .run_images = run_images };

    (void) state;
    g_hash_table_insert(run_images, (gpointer) "db1", run_image);
    for (gsize i = 0; i < 2; i++) {
        JsonObject *status = NULL;
        const char *reason = NULL;

        run_image_set_claim(run_image, "db1", i == 0 ? "host2" : NULL, i == 0 ? "fast" : NULL);
        status = report_status(&sources, "db1");
        reason = json_object_get_string_member(first_server(status), "reason");
        assert_int_equal(strstr(reason, "its claim by host2 lies in pool fast") != NULL, i == 0);
        assert_int_equal(strstr(reason, "can't be read") != NULL, i == 1);
        assert_non_null(strstr(reason, "understudy unclaim db1"));
        json_object_unref(status);
    }
    run_image_free(run_image);
    cluster_state_free(cluster);
}

/* An image that runs nowhere, and whose claim stands. */
static void test_a_claim_that_is_left(void **state)
{
    static const struct {
        const char *target;
        gboolean has_ended;
        const char *sentence; /* NULL: none */
    } cases[] = {
        { NULL, FALSE, "is claimed by host1, which does not say that it has ended there" },
        { NULL, TRUE, NULL },
        { "host2", TRUE, "a migration of its image from host1 to host2 may not have ended" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        run_image_t *run_image = g_new0(run_image_t, 1);

        run_image_set_claim_left(run_image, "db1", "host1", cases[i].target, cases[i].has_ended);
        assert_int_equal(run_image->claim == NULL, cases[i].sentence == NULL);
        assert_true(cases[i].sentence == NULL || strstr(run_image->claim, cases[i].sentence) != NULL);
        run_image_free(run_image);
    }
}

static void test_reasons(void **state)
{
    g_autofree char *no_quorum = reason_on(CIB_TEXT("0", CIB_IMAGE("db1"), CIB_TICKET("db1"), GRANTED, STATES));
    g_autofree char *stopped = reason_on(CIB_TEXT("1", CIB_IMAGE("db1"), CIB_TICKET("db1"), "", STATES));
    g_autofree char *nowhere = reason_on(CIB_TEXT(
        "1", CIB_IMAGE("db1"), CIB_TICKET("db1"), GRANTED,
        CIB_STATE("1", "1", "<nvpair id='s' name='standby' value='on'/>", NOT_RUNNING("db1", "host1"))
        CIB_DOWN("2") CIB_DOWN("3")));

    (void) state;
    assert_non_null(strstr(no_quorum, "no quorum"));
    assert_string_equal(stopped, "");
    assert_non_null(strstr(nowhere, "no host can run the image"));
    assert_non_null(strstr(nowhere, "host1: standby"));
    assert_non_null(strstr(nowhere, "host2: offline"));
}

#define LOST_HOST(history)                                                                                      \
    "<node_state id='1' uname='host1' in_ccm='false' crmd='offline' join='down' expected='member'"              \
    " crm-debug-origin='test'><lrm id='1'><lrm_resources>" history "</lrm_resources></lrm></node_state>"
#define STARTED CIB_HISTORY("db1", CIB_OP("db1", "host1", "start", "0", ""))
#define IMAGE_WITH_META(meta)                                                                                    \
    "<primitive id='standby-db1' class='ocf' provider='understudy' type='image'><meta_attributes id='m'>" meta     \
    "</meta_attributes></primitive>"
#define META(name, value) "<nvpair id='m-" name "' name='" name "' value='" value "'/>"

/* That nobody knows whether an image runs, or that nobody looks after it, is never without a word. */
static void test_reasons_of_an_image_on_its_own(void **state)
{
    g_autofree char *lost = reason_on(CIB_TEXT("1", CIB_IMAGE("db1"), CIB_TICKET("db1"), GRANTED,
                                               LOST_HOST(STARTED) CIB_DOWN("2") CIB_DOWN("3")));
    g_autofree char *lost_without_fencing = reason_on(CIB_TEXT(
        "1", IMAGE_WITH_META(META("requires", "quorum")), CIB_TICKET("db1"), GRANTED,
        LOST_HOST(STARTED) CIB_DOWN("2") CIB_DOWN("3")));
    g_autofree char *no_quorum = reason_on(CIB_TEXT("0", CIB_IMAGE("db1"), CIB_TICKET("db1"), GRANTED,
                                                    LOST_HOST(STARTED) CIB_DOWN("2") CIB_DOWN("3")));
    g_autofree char *unmanaged = reason_on(CIB_TEXT("1", IMAGE_WITH_META(META("is-managed", "false")), CIB_TICKET("db1"),
                                                    GRANTED, CIB_STATE("1", "1", "", STARTED)));

    (void) state;
    assert_non_null(strstr(lost, "Pacemaker starts nothing before host1 is fenced"));
    assert_non_null(strstr(lost_without_fencing, "whether the image still runs on host1 is not known"));
    assert_non_null(strstr(no_quorum, "no quorum"));
    assert_non_null(strstr(unmanaged, "is not managed (is-managed=false)"));
}

static void check_trouble(const char *text, const char *want)
{
    cluster_state_t *cluster = cluster_of(text);
    report_sources_t sources = { .cluster = cluster };
    JsonObject *status = report_status(&sources, NULL);
    JsonArray *troubles = json_object_get_array_member(status, "troubles");
    gboolean is_said = FALSE;

    for (guint i = 0; i < json_array_get_length(troubles); i++) {
        const char *trouble = json_array_get_string_element(troubles, i);

        is_said = is_said || (g_str_has_prefix(trouble, "db1: ") && strstr(trouble, want) != NULL);
    }
    assert_true(is_said);
    assert_string_equal(json_object_get_string_member(first_server(status), "name"), "db1");
    json_object_unref(status);
    cluster_state_free(cluster);
}

static gboolean tells_what_holds_back(const char *trouble)
{
    return strstr(trouble, " can't be ") != NULL || strstr(trouble, "no server is taken over: ") != NULL;
}

/* How many troubles there are with these words; "": on what holds images back. */
static guint count_troubles(const char *text, const char *words)
{
    cluster_state_t *cluster = cluster_of(text);
    report_sources_t sources = { .cluster = cluster };
    JsonObject *status = report_status(&sources, NULL);
    JsonArray *troubles = json_object_get_array_member(status, "troubles");
    guint count = 0;

    for (guint i = 0; i < json_array_get_length(troubles); i++) {
        const char *trouble = json_array_get_string_element(troubles, i);

        count += tells_what_holds_back(trouble) && strstr(trouble, words) != NULL ? 1 : 0;
    }
    json_object_unref(status);
    cluster_state_free(cluster);
    return count;
}

#define WITH_PARAM_AND_META(server, param, meta)                                                                   \
    "<primitive id='standby-" server "' class='ocf' provider='understudy' type='image'><instance_attributes id='" server "-a'>" \
    param "</instance_attributes><meta_attributes id='" server "-m'>" meta "</meta_attributes></primitive>"
#define PAUSED(from) "<nvpair id='p' name='paused_until' value='" from "'/>"
#define DISABLED     "<nvpair id='d' name='target-role' value='Stopped'/>"
#define UP_STATES CIB_STATE("1", "1", "", NOT_RUNNING("db1", "host1")) CIB_STATE("2", "1", "", NOT_RUNNING("db1", "host2"))
#define STANDBY "<tickets><ticket_state id='takeover-db1' granted='false' standby='true'/></tickets>"

/* It looks healthy, and nobody would take its place. */
static void test_a_server_that_can_not_be_taken_over_is_loud(void **state)
{
    static const struct {
        const char *text;
        const char *words;
        guint count;
    } cases[] = {
        { CIB_TEXT("1", CIB_IMAGE("db1") CIB_IMAGE("db2"), CIB_TICKET("db1"), "", UP_STATES CIB_DOWN("3")), "", 0 },
        /* Of one server. */
        { CIB_TEXT("1", WITH_PARAM_AND_META("db1", "", DISABLED) CIB_IMAGE("db2"), "", "", UP_STATES CIB_DOWN("3")),
          "db1 can't be taken over: standby-db1 is disabled", 1 },
        { CIB_TEXT("1", WITH_PARAM_AND_META("db1", "", DISABLED) CIB_IMAGE("db2"), "", "", UP_STATES CIB_DOWN("3")), "", 1 },
        { CIB_TEXT("1", WITH_PARAM_AND_META("db1", "", DISABLED), "", GRANTED, UP_STATES CIB_DOWN("3")),
          "the image of db1 can't be started: standby-db1 is disabled", 1 },
        { CIB_TEXT("1", CIB_IMAGE("db1"), CIB_TICKET("db1"), STANDBY, UP_STATES CIB_DOWN("3")),
          "db1 can't be taken over: the ticket takeover-db1 is in standby", 1 },
        /* An operator has paused it, or has tried to. */
        { CIB_TEXT("1", WITH_PARAM_AND_META("db1", PAUSED("resumed"), DISABLED), "", "", UP_STATES CIB_DOWN("3")), "", 0 },
        { CIB_TEXT("1", WITH_PARAM_AND_META("db1", PAUSED("soon"), DISABLED), "", "", UP_STATES CIB_DOWN("3")),
          "db1 can't be taken over", 1 },
        /* Of the cluster: once. */
        { CIB_TEXT("1", CIB_IMAGE("db1") CIB_IMAGE("db2"), "", "",
                   UP_STATES "<node_state id='3' uname='host3' in_ccm='false' crmd='offline' join='down' expected='member'/>"),
          "no server is taken over: Pacemaker starts nothing before host3 is fenced", 1 },
        { CIB_TEXT("1", CIB_IMAGE("db1") CIB_IMAGE("db2"), "", "",
                   UP_STATES "<node_state id='3' uname='host3' in_ccm='false' crmd='offline' join='down' expected='member'/>"),
          "", 1 },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        assert_int_equal(count_troubles(cases[i].text, cases[i].words), cases[i].count);
    }
}

/* What the whole cluster was told, and what it lacks. */
static void test_a_cluster_that_starts_nothing_is_loud(void **state)
{
    static const struct {
        const char *option;
        const char *words;
    } cases[] = {
        { "stop-all-resources", "no server is taken over: the cluster's property stop-all-resources is set" },
        { "maintenance-mode", "no server is taken over: the whole cluster is in maintenance" },
        { NULL, "no server is taken over: the cluster has no fence device" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) text = g_string_new(CIB_TEXT("1", CIB_IMAGE("db1") CIB_IMAGE("db2"), "", "", UP_STATES CIB_DOWN("3")));
        g_autofree char *pair = g_strdup_printf("<nvpair id='o2' name='%s' value='true'/></cluster_property_set>",
                                                cases[i].option != NULL ? cases[i].option : "unknown");

        g_string_replace(text, "</cluster_property_set>", pair, 1);
        if (cases[i].option == NULL) {
            g_string_replace(text, "<primitive id='power' class='stonith' type='fence_dummy'/>", "", 1);
        }
        assert_int_equal(count_troubles(text->str, cases[i].words), 1);
        assert_int_equal(count_troubles(text->str, ""), 1);
    }
}

#define WITH(name, value)                                                                                   \
    "<primitive id='standby-db1' class='ocf' provider='understudy' type='image'><instance_attributes id='a'>" \
    "<nvpair id='n' name='" name "' value='" value "'/></instance_attributes></primitive>"

static void test_what_keeps_a_server_from_protection_is_loud(void **state)
{
    (void) state;
    check_trouble(CIB_TEXT("1", "<clone id='c'>" CIB_IMAGE("db1") "</clone>", CIB_TICKET("db1"), "", STATES),
                  "pcs resource unclone c");
    check_trouble(CIB_TEXT("1", CIB_IMAGE("db1") "<primitive id='second' class='ocf' provider='understudy' type='image'>"
                           "<instance_attributes id='a'><nvpair id='n' name='server' value='db1'/></instance_attributes>"
                           "</primitive>", "", "", STATES), "are both for the server db1");
    check_trouble(CIB_TEXT("1", WITH("paused_until", "soon"), "", "", STATES), "paused_until=soon");
    check_trouble(CIB_TEXT("1", WITH("paused_until", "2026-11-27T10:00:00Z/2026-11-27T09:00:00Z"), "", "", STATES),
                  "paused_until=2026-11-27T10:00:00Z/2026-11-27T09:00:00Z");
    check_trouble(CIB_TEXT("1", WITH("hold_down", "long"), "", "", STATES), "hold_down");
}

static void test_without_the_cluster_the_observers_are_shown(void **state)
{
    JsonObject *observers = object_of("{\"leader\":\"host1\",\"quorate\":true,\"servers\":[{\"name\":\"db1\",\"verdict\":"
                                      "\"isolating\",\"reason\":\"the power switch does not answer\"}]}");
    report_sources_t sources = { .cluster_trouble = "the cluster does not run here", .observers = observers };
    JsonObject *status = report_status(&sources, NULL);
    g_autofree char *text = report_status_text(status);

    (void) state;
    assert_string_equal(json_object_get_string_member(first_server(status), "verdict"), "isolating");
    assert_non_null(strstr(text, "! the cluster does not run here"));
    assert_non_null(strstr(text, "the power switch does not answer"));
    json_object_unref(status);
    json_object_unref(observers);
}

/* Silent is not down: too few voices find no server down. */
static void test_observers_on_too_few_hosts_are_loud(void **state)
{
    static const struct {
        const char *quorate;
        const char *members; /* also one that is not counted */
        const char *voters;
        const char *words;   /* NULL: no trouble */
    } cases[] = {
        { "true", "{\"node\":\"host1\"}", "{\"hosts\":[\"host1\",\"host2\",\"host3\"],\"enough\":2}",
          "on 1 of the 3 hosts that are counted, and 2 are needed to find a server down: none is taken over until they run on "
          "host2, host3" },
        { "true", "{\"node\":\"host1\"},{\"node\":\"host4\"}", "{\"hosts\":[\"host1\",\"host2\",\"host3\"],\"enough\":2}",
          "on 1 of the 3 hosts" },
        { "true", "{\"node\":\"host1\"},{\"node\":\"host3\"}", "{\"hosts\":[\"host1\",\"host2\",\"host3\"],\"enough\":2}", NULL },
        { "false", "{\"node\":\"host1\"}", "{\"hosts\":[\"host1\",\"host2\",\"host3\"],\"enough\":2}", NULL },
        /* All are there, and the others are in standby: that is shown at the hosts. */
        { "true", "{\"node\":\"host1\"}", "{\"hosts\":[\"host1\"],\"enough\":2}", NULL },
        { "true", "{\"node\":\"host1\"}", "null", NULL },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *answer = g_strdup_printf("{\"leader\":\"host1\",\"quorate\":%s,\"members\":[%s],\"voters\":%s,"
                                                  "\"servers\":[]}", cases[i].quorate, cases[i].members, cases[i].voters);
        JsonObject *observers = object_of(answer);
        report_sources_t sources = { .observers = observers };
        JsonObject *status = report_status(&sources, NULL);
        JsonArray *troubles = json_object_get_array_member(status, "troubles");

        assert_int_equal(json_array_get_length(troubles), cases[i].words != NULL ? 1 : 0);
        assert_true(cases[i].words == NULL
                    || strstr(json_array_get_string_element(troubles, 0), cases[i].words) != NULL);
        json_object_unref(status);
        json_object_unref(observers);
    }
}

static void test_history_has_phases(void **state)
{
    JsonObject *answer = object_of(
        "{\"takeovers\":[{\"events\":[{\"event\":\"first_miss\",\"at_ms\":1000},{\"event\":\"suspect\",\"at_ms\":4000},"
        "{\"event\":\"doubted\",\"at_ms\":4100},{\"event\":\"isolating\",\"at_ms\":9100},"
        "{\"event\":\"isolated\",\"at_ms\":11300},{\"event\":\"granted\",\"at_ms\":11310},"
        "{\"event\":\"started\",\"at_ms\":12310,\"host\":\"host2\"},{\"event\":\"answering\",\"at_ms\":16310}]}]}");
    JsonObject *history = report_history("db1", answer);
    JsonObject *takeover = json_array_get_object_element(json_object_get_array_member(history, "takeovers"), 0);
    JsonArray *phases = json_object_get_array_member(takeover, "phases");
    static const struct {
        const char *phase;
        gint64 duration_ms;
    } want[] = { { "detection", 3000 }, { "confirmation", 5100 }, { "isolation", 2200 }, { "start", 1000 },
                 { "boot", 4000 } };
    g_autofree char *text = report_history_text(history);

    (void) state;
    assert_string_equal(json_object_get_string_member(takeover, "host"), "host2");
    assert_int_equal(json_array_get_length(phases), G_N_ELEMENTS(want));
    for (guint i = 0; i < G_N_ELEMENTS(want); i++) {
        JsonObject *phase = json_array_get_object_element(phases, i);

        assert_string_equal(json_object_get_string_member(phase, "phase"), want[i].phase);
        assert_int_equal(json_object_get_int_member(phase, "duration_ms"), want[i].duration_ms);
    }
    assert_non_null(strstr(text, "+10.30 s"));
    json_object_unref(history);
    json_object_unref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_three_are_put_together),
        cmocka_unit_test(test_a_healthy_server_that_the_store_refuses),
        cmocka_unit_test(test_a_claim_that_lies_elsewhere),
        cmocka_unit_test(test_a_claim_that_is_left),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_reasons_of_an_image_on_its_own),
        cmocka_unit_test(test_what_keeps_a_server_from_protection_is_loud),
        cmocka_unit_test(test_a_server_that_can_not_be_taken_over_is_loud),
        cmocka_unit_test(test_a_cluster_that_starts_nothing_is_loud),
        cmocka_unit_test(test_without_the_cluster_the_observers_are_shown),
        cmocka_unit_test(test_observers_on_too_few_hosts_are_loud),
        cmocka_unit_test(test_history_has_phases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
