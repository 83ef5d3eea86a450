/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gio/gio.h>

#include "net/networks.h"

static void test_two_addresses_share_a_network(void **state)
{
    static const struct {
        const char *one;
        const char *other;
        gboolean expected;
    } cases[] = {
        { "10.0.1.11", "10.0.1.101", TRUE },
        { "10.0.1.11", "10.0.2.101", FALSE },
        { "10.0.3.11", "10.0.3.12", FALSE }, /* a network, but none of this host's */
        { "fd00:1::5", "fd00:1::6", TRUE },
        { "fd00:1::5", "10.0.1.5", FALSE },
        { "db1.example", "10.0.1.5", FALSE },
        { NULL, "10.0.1.5", FALSE },
        { "10.0.1.5", NULL, FALSE },
    };
    g_autoptr(GPtrArray) networks = g_ptr_array_new_with_free_func(g_object_unref);

    (void) state;
    g_ptr_array_add(networks, g_inet_address_mask_new_from_string("10.0.1.0/24", NULL));
    g_ptr_array_add(networks, g_inet_address_mask_new_from_string("10.0.2.0/24", NULL));
    g_ptr_array_add(networks, g_inet_address_mask_new_from_string("fd00:1::/64", NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        assert_int_equal(networks_share(networks, cases[i].one, cases[i].other), cases[i].expected);
    }
}

static void test_this_host_is_on_its_own_loopback(void **state)
{
    g_autoptr(GPtrArray) networks = networks_of_this_host();

    (void) state;
    assert_true(networks_share(networks, "127.0.0.1", "127.1.2.3"));
    assert_false(networks_share(networks, "127.0.0.1", "192.0.2.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_addresses_share_a_network),
        cmocka_unit_test(test_this_host_is_on_its_own_loopback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
