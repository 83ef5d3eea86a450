/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and changing the CIB of a file: Pacemaker's own file backend, no daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "cib_fixture.h"
#include "cluster/cib.h"
#include "cluster/cluster_state.h"

typedef struct fixture {
    char *folder;
    char *path;
} fixture_t;

static int setup(void **state)
{
    static const char text[] = CIB_TEXT("1", CIB_IMAGE("db1") CIB_IMAGE("db2"), CIB_TICKET("db1") CIB_TICKET("db2"),
                                        "", "");
    fixture_t *fixture = g_new0(fixture_t, 1);

    fixture->folder = g_dir_make_tmp("understudy-cib-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "cib.xml", NULL);
    g_assert_true(g_file_set_contents(fixture->path, text, -1, NULL));
    g_setenv("CIB_file", fixture->path, TRUE);
    g_setenv("CIB_shadow_dir", fixture->folder, TRUE);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;

    g_unlink(fixture->path);
    g_rmdir(fixture->folder);
    g_free(fixture->path);
    g_free(fixture->folder);
    g_free(fixture);
    return 0;
}

static cib_connection_t *open_cib(void)
{
    GError *error = NULL;
    cib_connection_t *cib = cib_connection_open("test", &error);

    assert_null(error);
    assert_non_null(cib);
    return cib;
}

static gboolean ticket_is_granted(cib_connection_t *cib, const char *server)
{
    xmlNode *xml = cib_connection_query(cib, NULL);
    cluster_state_t *parsed = cluster_state_parse(xml, NULL);
    gboolean granted = cluster_state_server(parsed, server)->ticket_granted;

    cluster_state_free(parsed);
    cib_xml_free(xml);
    return granted;
}

static char *cib_version(cib_connection_t *cib)
{
    xmlNode *xml = cib_connection_query(cib, NULL);
    xmlChar *epoch = xmlGetProp(xml, (const xmlChar *) "epoch");
    xmlChar *updates = xmlGetProp(xml, (const xmlChar *) "num_updates");
    char *version = g_strdup_printf("%s.%s", epoch, updates);

    xmlFree(epoch);
    xmlFree(updates);
    cib_xml_free(xml);
    return version;
}

static void test_tickets_change_together(void **state)
{
    static const char *const both[] = { "db1", "db2", NULL };
    static const char *const first[] = { "db1", NULL };
    cib_connection_t *cib = open_cib();

    (void) state;
    assert_false(ticket_is_granted(cib, "db1"));
    assert_true(cib_tickets_set(cib, both, TRUE, NULL));
    assert_true(ticket_is_granted(cib, "db1"));
    assert_true(ticket_is_granted(cib, "db2"));
    assert_true(cib_tickets_set(cib, first, FALSE, NULL));
    assert_false(ticket_is_granted(cib, "db1"));
    assert_true(ticket_is_granted(cib, "db2"));
    cib_connection_close(cib);
}

static void test_granting_again_changes_nothing(void **state)
{
    static const char *const first[] = { "db1", NULL };
    cib_connection_t *cib = open_cib();
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    (void) state;
    assert_true(cib_tickets_set(cib, first, TRUE, NULL));
    before = cib_version(cib);
    assert_true(cib_tickets_set(cib, first, TRUE, NULL));
    after = cib_version(cib);
    assert_string_equal(before, after);
    cib_connection_close(cib);
}

static void test_a_ticket_is_forgotten(void **state)
{
    const fixture_t *fixture = *state;
    static const char *const both[] = { "db1", "db2", NULL };
    cib_connection_t *cib = open_cib();
    g_autofree char *text = NULL;

    assert_true(cib_tickets_set(cib, both, TRUE, NULL));
    assert_true(cib_ticket_remove(cib, "db1", NULL));
    assert_true(cib_ticket_remove(cib, "db1", NULL));
    assert_false(ticket_is_granted(cib, "db1"));
    assert_true(ticket_is_granted(cib, "db2"));
    cib_connection_close(cib);
    assert_true(g_file_get_contents(fixture->path, &text, NULL, NULL));
    assert_null(strstr(text, "<ticket_state id=\"takeover-db1\""));
}

static gboolean has_text(cib_connection_t *cib, const char *pair_id)
{
    xmlNode *xml = cib_connection_query(cib, NULL);
    xmlBuffer *buffer = xmlBufferCreate();
    gboolean has = FALSE;

    xmlNodeDump(buffer, xml->doc, xml, 0, 0);
    has = strstr((const char *) xmlBufferContent(buffer), pair_id) != NULL;
    xmlBufferFree(buffer);
    cib_xml_free(xml);
    return has;
}

#define PAUSE       "2026-01-31T16:00:00Z/2026-01-31T18:00:00Z"
#define PAUSE_LATER "2026-01-31T16:00:00Z/2026-01-31T18:30:00Z"
#define PAUSED_IMAGE(server, id)                                                                          \
    "<primitive id='standby-" server "' class='ocf' provider='understudy' type='image'>"                  \
    "<instance_attributes id='standby-" server "-params'><nvpair id='" id "' name='paused_until' value='" \
    PAUSE "'/></instance_attributes></primitive>"

/* The one that is over: neither that of another server, nor another of the same server. */
static void test_a_parameter_is_removed_if_it_is_as_it_was_read(void **state)
{
    static const char text[] = CIB_TEXT("1", PAUSED_IMAGE("db1", "first-pause") "<group id='together'>"
                                        PAUSED_IMAGE("db2", "second-pause") "</group>", "", "", "");
    const fixture_t *fixture = *state;
    cib_connection_t *cib = NULL;

    assert_true(g_file_set_contents(fixture->path, text, -1, NULL));
    cib = open_cib();
    assert_true(cib_param_remove(cib, "standby-db1", "paused_until", PAUSE_LATER, NULL));
    assert_true(has_text(cib, "first-pause"));
    assert_true(cib_param_remove(cib, "standby-db2", "paused_until", PAUSE, NULL));
    assert_true(has_text(cib, "first-pause"));
    assert_false(has_text(cib, "second-pause"));
    assert_true(cib_param_remove(cib, "standby-db1", "paused_until", PAUSE, NULL));
    assert_false(has_text(cib, "first-pause"));
    assert_true(cib_param_remove(cib, "standby-db1", "paused_until", PAUSE, NULL));
    cib_connection_close(cib);
}

#define ATTRIBUTE(id, name, value) \
    "<instance_attributes id='" id "'><nvpair id='" id "-pair' name='" name "' value='" value "'/></instance_attributes>"
#define IMAGE(server, attributes)                                                        \
    "<primitive id='standby-" server "' class='ocf' provider='understudy' type='image'>" \
    ATTRIBUTE(server, "server", server) attributes "</primitive>"

/* Beside `hold` only, and once: what is noted of a hold does not outlive it. */
static void test_a_parameter_is_added_beside_another(void **state)
{
    static const char text[] = CIB_TEXT("1", IMAGE("db1", ATTRIBUTE("held", "hold", "true")) "<group id='together'>"
                                        IMAGE("db2", "") "</group>", "", "", "");
    const fixture_t *fixture = *state;
    cib_connection_t *cib = NULL;
    gboolean added = TRUE;
    g_autofree char *once = NULL;
    g_autofree char *twice = NULL;

    assert_true(g_file_set_contents(fixture->path, text, -1, NULL));
    cib = open_cib();
    assert_true(cib_param_add_beside(cib, "standby-db2", "hold", "held_takeover", "true", &added, NULL));
    assert_false(added || has_text(cib, "held_takeover"));
    assert_true(cib_param_add_beside(cib, "standby-db1", "hold", "held_takeover", "true", &added, NULL));
    assert_true(added && has_text(cib, "standby-db1-held_takeover"));
    once = cib_version(cib);
    assert_true(cib_param_add_beside(cib, "standby-db1", "hold", "held_takeover", "true", &added, NULL));
    twice = cib_version(cib);
    assert_false(added);
    assert_string_equal(once, twice);
    assert_true(cib_param_clear(cib, "standby-db1", "held_takeover", NULL));
    assert_false(has_text(cib, "held_takeover"));
    assert_true(cib_param_clear(cib, "standby-db1", "held_takeover", NULL));
    cib_connection_close(cib);
}

static void test_replace_refuses_what_is_out_of_date(void **state)
{
    static const char *const first[] = { "db1", NULL };
    cib_connection_t *cib = open_cib();
    xmlNode *old = cib_connection_query(cib, NULL);
    xmlNode *current = NULL;
    GError *error = NULL;

    (void) state;
    /* Somebody else is quicker. */
    assert_true(cib_tickets_set(cib, first, TRUE, NULL));
    assert_false(cib_connection_replace(cib, old, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY));
    g_error_free(error);
    assert_true(ticket_is_granted(cib, "db1"));
    cib_xml_free(old);

    current = cib_connection_query(cib, NULL);
    assert_true(cib_connection_replace(cib, current, NULL));
    cib_xml_free(current);
    cib_connection_close(cib);
}

static void test_changes_reach_the_file(void **state)
{
    const fixture_t *fixture = *state;
    static const char *const first[] = { "db1", NULL };
    cib_connection_t *cib = open_cib();
    g_autofree char *text = NULL;

    assert_true(cib_tickets_set(cib, first, TRUE, NULL));
    cib_connection_close(cib);
    assert_true(g_file_get_contents(fixture->path, &text, NULL, NULL));
    assert_non_null(strstr(text, "takeover-db1"));
}

static void test_missing_file_is_a_sentence(void **state)
{
    GError *error = NULL;

    (void) state;
    g_setenv("CIB_file", "/nonexistent/cib.xml", TRUE);
    assert_null(cib_connection_open("test", &error));
    assert_non_null(error);
    assert_non_null(strstr(error->message, "/nonexistent/cib.xml"));
    g_error_free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tickets_change_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_granting_again_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_ticket_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_parameter_is_removed_if_it_is_as_it_was_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_parameter_is_added_beside_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace_refuses_what_is_out_of_date, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes_reach_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_file_is_a_sentence, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
