/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read of the cluster's answer about a ticket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "image/ticket_answer.h"

#define RESOURCE "<primitive id='standby-db1' class='ocf'><instance_attributes id='x'/></primitive>"
#define ANSWER(more) "<xpath-query><crm_config/>" more "</xpath-query>"

static void assert_answer(const char *xml, gboolean manages, gboolean granted)
{
    ticket_answer_t answer = { .granted = FALSE };

    assert_true(ticket_answer_parse(xml, "standby-db1", "takeover-db1", &answer, NULL));
    assert_int_equal(answer.manages, manages);
    assert_int_equal(answer.granted, granted);
}

static void test_answers(void **state)
{
    (void) state;
    assert_answer(ANSWER(RESOURCE "<ticket_state id='takeover-db1' granted='true' last-granted='1'/>"), TRUE, TRUE);
    assert_answer(ANSWER(RESOURCE "<ticket_state id='takeover-db1' granted='false'/>"), TRUE, FALSE);
    assert_answer(ANSWER(RESOURCE "<ticket_state id='takeover-db1' granted='true' standby='true'/>"), TRUE, FALSE);
    assert_answer(ANSWER(RESOURCE "<ticket_state id='takeover-db2' granted='true'/>"), TRUE, FALSE);
    assert_answer(ANSWER(RESOURCE), TRUE, FALSE);
    assert_answer("<crm_config/>", FALSE, FALSE);
}

static void test_one_grant_is_told_from_another(void **state)
{
    static const struct {
        const char *attributes;
        gint64 granted_at;
    } cases[] = { { "granted='true' last-granted='1700000001'", 1700000001 }, { "granted='true'", 0 },
                  { "granted='true' last-granted='yesterday'", 0 } };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *xml = g_strdup_printf(ANSWER(RESOURCE "<ticket_state id='takeover-db1' %s/>"), cases[i].attributes);
        ticket_answer_t answer = { .granted = FALSE };

        assert_true(ticket_answer_parse(xml, "standby-db1", "takeover-db1", &answer, NULL));
        assert_int_equal(answer.granted_at, cases[i].granted_at);
    }
}

/* None of these says that there is no ticket. */
static void test_no_answer(void **state)
{
    const char *const texts[] = { "", "no XML", "<xpath-query/>", "<crm_config>" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        ticket_answer_t answer = { .granted = FALSE };
        GError *error = NULL;

        assert_false(ticket_answer_parse(texts[i], "standby-db1", "takeover-db1", &answer, &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED));
        g_error_free(error);
    }
}

static void test_question(void **state)
{
    g_autofree char *question = ticket_question("standby-db1", "takeover-db1", NULL);

    (void) state;
    assert_non_null(question);
    assert_null(ticket_question("standby-db1'] | //*[@id='x", "takeover-db1", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_one_grant_is_told_from_another),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_question),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
