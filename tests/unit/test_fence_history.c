/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a host makes of its own fence, and what the cluster says of another that was fenced: no clock of another host counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <libxml/parser.h>

#include "fenced_host/fence_history.h"
#include "fenced_host/fenced_state.h"
#include "fenced_host/own_fence.h"

/* The fencer's history ------------------------------------------------------------*/

#define EVENT(name, at_s, how, older) \
    { .action = (char *) (name), .state = (how), .completed = (at_s), .next = (older) }

static void test_successes(void **state)
{
    stonith_history_t unfenced = EVENT("on", 200, st_done, NULL);
    stonith_history_t pending = EVENT("off", 0, st_exec, &unfenced);
    stonith_history_t failed = EVENT("reboot", 300, st_failed, &pending);
    stonith_history_t off = EVENT("off", 250, st_done, &failed);
    stonith_history_t reboot = EVENT("reboot", 100, st_done, &off);
    g_auto(GStrv) none = fence_history_successes(NULL);
    g_auto(GStrv) no_success = fence_history_successes(&failed);
    g_auto(GStrv) two = fence_history_successes(&reboot);

    (void) state;
    assert_int_equal(g_strv_length(none), 0);
    assert_int_equal(g_strv_length(no_success), 0);
    assert_int_equal(g_strv_length(two), 2);
    assert_string_not_equal(two[0], two[1]);
}

/* Its own fence ----------------------------------------------------------------------*/

#define OLD "100:5"     /* executors */
#define NEW "300:9"

static char *no_events[] = { NULL };
static char *one_event[] = { (char *) "off 250.0", NULL };

static registry_fence_t fence_of(const char *id, const char *boot_id)
{
    return (registry_fence_t) { .id = (char *) id, .boot_id = (char *) boot_id, .is_in_force = TRUE, .start_timeout_s = 120 };
}

static own_fence_step_t step_of_two(own_fence_note_t *note, const registry_fence_t *fence, const registry_fence_t *other,
                                    const char *executor, gint64 now_s)
{
    g_autoptr(GPtrArray) fences = g_ptr_array_new();

    if (fence != NULL) {
        g_ptr_array_add(fences, (gpointer) fence);
    }
    if (other != NULL) {
        g_ptr_array_add(fences, (gpointer) other);
    }
    return own_fence_step(note, fences, "boot-1", executor, one_event, now_s);
}

static own_fence_step_t step(own_fence_note_t *note, const registry_fence_t *fence, const char *executor, gint64 now_s)
{
    return step_of_two(note, fence, NULL, executor, now_s);
}

static void test_a_fence_while_pacemaker_runs_was_outlived(void **state)
{
    g_autoptr(own_fence_note_t) note = own_fence_note_parse("");
    registry_fence_t first = fence_of("a", "boot-1");
    registry_fence_t again = fence_of("b", "boot-1");

    (void) state;
    assert_int_equal(step(note, NULL, OLD, 10), OWN_FENCE_NONE);
    assert_int_equal(step(note, &first, OLD, 20), OWN_FENCE_OUTLIVED);
    /* Once: what comes of it is not taken for another. */
    assert_int_equal(step(note, &first, OLD, 30), OWN_FENCE_WAIT);
    assert_int_equal(step(note, &again, OLD, 40), OWN_FENCE_OUTLIVED);
}

/* Whatever the clocks say: Pacemaker has begun since, and is to be unfenced. */
static void test_a_fence_before_pacemaker_began_is_waited_out(void **state)
{
    g_autoptr(own_fence_note_t) note = own_fence_note_parse("");
    registry_fence_t fence = fence_of("a", "boot-1");

    (void) state;
    assert_int_equal(step(note, NULL, OLD, 10), OWN_FENCE_NONE);
    assert_int_equal(step(note, &fence, NEW, 100), OWN_FENCE_WAIT);
    assert_int_equal(step(note, &fence, NEW, 219), OWN_FENCE_WAIT);
    assert_int_equal(step(note, &fence, NEW, 220), OWN_FENCE_SAY_EMPTY);
    note->is_said = TRUE;
    assert_int_equal(step(note, &fence, NEW, 300), OWN_FENCE_WAIT);
    fence.id = (char *) "b"; /* fenced anew while it waits: it begins anew */
    assert_int_equal(step(note, &fence, "400:1", 310), OWN_FENCE_WAIT);
    assert_int_equal(step(note, &fence, "400:1", 430), OWN_FENCE_SAY_EMPTY);
}

/* Two hosts have fenced it at once. */
static void test_two_fences_are_outlived_at_once(void **state)
{
    g_autoptr(own_fence_note_t) note = own_fence_note_parse("");
    registry_fence_t first = fence_of("a", "boot-1");
    registry_fence_t second = fence_of("b", "boot-1");
    registry_fence_t earlier = fence_of("c", "boot-0");

    (void) state;
    second.start_timeout_s = 200;
    assert_int_equal(step(note, NULL, OLD, 10), OWN_FENCE_NONE);
    assert_int_equal(step_of_two(note, &first, &second, OLD, 20), OWN_FENCE_OUTLIVED);
    assert_int_equal(step_of_two(note, &second, &first, OLD, 30), OWN_FENCE_WAIT);
    assert_int_equal(step(note, &second, OLD, 40), OWN_FENCE_WAIT);      /* one of them is over */
    assert_int_equal(step_of_two(note, &first, &second, NEW, 50), OWN_FENCE_WAIT);
    assert_int_equal(step_of_two(note, &first, &second, NEW, 249), OWN_FENCE_WAIT);
    assert_int_equal(step_of_two(note, &first, &second, NEW, 250), OWN_FENCE_SAY_EMPTY);
    assert_int_equal(g_strv_length(note->fence_ids), 2);
    /* It has booted since: neither is of this boot. */
    first.boot_id = (char *) "boot-0";
    assert_int_equal(step_of_two(note, &first, &earlier, NEW, 300), OWN_FENCE_NONE);
    assert_int_equal(step_of_two(note, &earlier, &first, OLD, 310), OWN_FENCE_NONE);
}

static void test_fences_of_others(void **state)
{
    g_autoptr(own_fence_note_t) note = own_fence_note_parse("no key file");
    registry_fence_t earlier = fence_of("a", "boot-0");
    registry_fence_t unknown = fence_of("c", "");
    registry_fence_t over = fence_of("d", "boot-1");

    (void) state;
    over.is_in_force = FALSE;
    assert_int_equal(step(note, &earlier, OLD, 10), OWN_FENCE_NONE);
    assert_int_equal(step(note, &over, OLD, 10), OWN_FENCE_NONE);
    /* It may be of this boot. */
    assert_int_equal(step(note, &unknown, OLD, 10), OWN_FENCE_OUTLIVED);
}

static void test_the_store_is_asked_when_something_has_happened(void **state)
{
    g_autoptr(own_fence_note_t) note = own_fence_note_parse("");
    registry_fence_t fence = fence_of("a", "boot-1");
    g_autoptr(GPtrArray) none = g_ptr_array_new();

    (void) state;
    assert_true(own_fence_must_look(note, OLD, no_events));
    step(note, NULL, OLD, 10);
    assert_false(own_fence_must_look(note, OLD, no_events));
    assert_false(own_fence_must_look(note, OLD, one_event)); /* it was there then */
    assert_true(own_fence_must_look(note, NEW, one_event));
    own_fence_step(note, none, "boot-1", OLD, no_events, 20);
    assert_true(own_fence_must_look(note, OLD, one_event));
    step(note, &fence, NEW, 30);
    assert_true(own_fence_must_look(note, NEW, one_event));  /* it waits to be unfenced */
}

static void test_the_note_is_kept(void **state)
{
    g_autoptr(own_fence_note_t) note = own_fence_note_parse("");
    g_autoptr(own_fence_note_t) again = NULL;
    g_autofree char *text = NULL;
    registry_fence_t fence = fence_of("a", "boot-1");

    (void) state;
    step(note, &fence, NEW, 77);
    note->is_said = TRUE;
    text = own_fence_note_text(note);
    again = own_fence_note_parse(text);
    assert_string_equal(again->executor, NEW);
    assert_string_equal(again->fence_ids[0], "a");
    assert_int_equal(again->seen_at_s, 77);
    assert_true(again->is_in_force && again->is_said);
    assert_string_equal(again->events[0], one_event[0]);
}

/* By its own blocklist, which an operator may have changed, and as long as some fence of this host is in force. */
static void test_whether_the_store_refuses_this_host(void **state)
{
    static const gboolean yes = TRUE;
    static const gboolean no = FALSE;
    static const struct {
        gboolean before;
        guint fences;
        const gboolean *is_listed;
        gboolean after;
    } cases[] = {
        { FALSE, 0, NULL, FALSE }, { FALSE, 1, &yes, TRUE }, { FALSE, 2, &no, FALSE },
        { TRUE, 1, &yes, TRUE },   { TRUE, 1, &no, FALSE },  { TRUE, 0, NULL, FALSE },
        { FALSE, 1, NULL, FALSE }, { TRUE, 1, NULL, TRUE }, /* a store that is silent says neither */
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(own_fence_note_t) note = own_fence_note_parse("");
        g_autoptr(own_fence_note_t) again = NULL;
        g_autofree char *text = NULL;

        step(note, NULL, OLD, 10);
        note->is_refused = cases[i].before;
        own_fence_take_refusal(note, cases[i].fences, cases[i].is_listed);
        assert_int_equal(note->is_refused, cases[i].after);
        assert_int_equal(own_fence_must_look(note, OLD, one_event), cases[i].after); /* until it is let in */
        text = own_fence_note_text(note);
        again = own_fence_note_parse(text);
        assert_int_equal(again->is_refused, cases[i].after);
    }
}

/* Of an earlier version, which knew one fence. */
static void test_an_old_note_is_read(void **state)
{
    g_autoptr(own_fence_note_t) note = own_fence_note_parse("[fence]\nexecutor=" OLD "\nid=a\nin_force=true\n");
    registry_fence_t fence = fence_of("a", "boot-1");

    (void) state;
    assert_int_equal(step(note, &fence, OLD, 10), OWN_FENCE_WAIT);
}

/* Another host ---------------------------------------------------------------------------*/

static gboolean is_fenced(const char *attributes, const char *inside, const char *host)
{
    g_autofree char *text = g_strdup_printf("<cib><configuration/><status><node_state id='1' uname='host1' %s>%s"
                                            "</node_state></status></cib>", attributes, inside);
    xmlDoc *document = xmlReadMemory(text, (int) strlen(text), "cib", NULL, 0);
    gboolean fenced = fenced_state_is_fenced(xmlDocGetRootElement(document), host);

    xmlFreeDoc(document);
    return fenced;
}

#define GONE "in_ccm='false' crmd='offline' join='down' expected='down'"
#define HISTORY "<lrm id='1'><lrm_resources><lrm_resource id='standby-db1'/></lrm_resources></lrm>"

static void test_a_host_that_was_fenced(void **state)
{
    (void) state;
    assert_true(is_fenced(GONE, "", "host1"));
    assert_true(is_fenced("in_ccm='0' crmd='0' join='down' expected='down'", "<lrm id='1'><lrm_resources/></lrm>", "host1"));
    assert_false(is_fenced(GONE, "", "host2"));
    /* It has left by itself: something may run on there. */
    assert_false(is_fenced(GONE, HISTORY, "host1"));
    /* It is back, or not fenced yet. */
    assert_false(is_fenced("in_ccm='true' crmd='online' join='member' expected='member'", "", "host1"));
    assert_false(is_fenced("in_ccm='true' crmd='offline' join='down' expected='down'", "", "host1"));
    assert_false(is_fenced("in_ccm='false' crmd='offline' join='down' expected='member'", "", "host1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_successes),
        cmocka_unit_test(test_a_fence_while_pacemaker_runs_was_outlived),
        cmocka_unit_test(test_a_fence_before_pacemaker_began_is_waited_out),
        cmocka_unit_test(test_two_fences_are_outlived_at_once),
        cmocka_unit_test(test_fences_of_others),
        cmocka_unit_test(test_the_store_is_asked_when_something_has_happened),
        cmocka_unit_test(test_the_note_is_kept),
        cmocka_unit_test(test_an_old_note_is_read),
        cmocka_unit_test(test_whether_the_store_refuses_this_host),
        cmocka_unit_test(test_a_host_that_was_fenced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
