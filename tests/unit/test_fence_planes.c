/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an unfencing destroys on a host, at libvirt's own test driver: only what it is told to, domain by domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include <glib/gstdio.h>
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "planes.h"

extern const planes_ops_t understudy_fence_planes;

static char *path;              /* what the driver serves */
static guint destroyed_count; /* what libvirt was told */
static guint asked_count;
static guint allowed_count;   /* as many domains may be destroyed */
static gulong answer_us;      /* how long the word takes */

int __real_virDomainDestroy(virDomainPtr domain);
int __wrap_virDomainDestroy(virDomainPtr domain);

int __wrap_virDomainDestroy(virDomainPtr domain)
{
    destroyed_count++;
    return __real_virDomainDestroy(domain);
}

#define DOMAIN(name, uuid, image)                                                                                           \
    "<domain type='test'><name>" name "</name><uuid>" uuid "</uuid><memory>1024</memory><os><type>hvm</type></os><devices>" \
    "<disk type='network' device='disk'><source protocol='rbd' name='" image "'/><target dev='vda'/></disk></devices></domain>"

/* Two domains with images in pool vm, one in another. */
static const char *const node = "<node>"
    DOMAIN("standby-db1", "00000000-0000-0000-0000-000000000001", "vm/run-db1-0")
    DOMAIN("standby-db2", "00000000-0000-0000-0000-000000000002", "vm/ns/run-db2-0")
    DOMAIN("other", "00000000-0000-0000-0000-000000000003", "vms/other") "</node>";

static gboolean may(void *user_data, GError **error)
{
    (void) user_data;
    asked_count++;
    g_usleep(answer_us);
    if (asked_count > allowed_count) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "somebody has let it in");
        return FALSE;
    }
    return TRUE;
}

static gboolean destroy(guint timeout_ms, char ***destroyed, GError **error)
{
    static char *pools[] = { (char *) "vm", NULL };
    g_autofree char *uri = g_strconcat("test://", path, NULL);

    return understudy_fence_planes.leftovers_destroy(uri, pools, timeout_ms, may, NULL, destroyed, error);
}

/* A call that gives up leaves a thread behind that reads it. */
static int file_make(void **state)
{
    int fd = g_file_open_tmp("understudy-node-XXXXXX.xml", &path, NULL);

    (void) state;
    assert_true(fd >= 0 && g_file_set_contents(path, node, -1, NULL));
    return g_close(fd, NULL) ? 0 : -1;
}

static int file_remove(void **state)
{
    (void) state;
    g_unlink(path);
    g_free(path);
    return 0;
}

static int setup(void **state)
{
    (void) state;
    destroyed_count = 0;
    asked_count = 0;
    answer_us = 0;
    return 0;
}

static void test_what_uses_the_pools_is_destroyed(void **state)
{
    g_auto(GStrv) destroyed = NULL;

    (void) state;
    allowed_count = 2;
    assert_true(destroy(60000, &destroyed, NULL));
    assert_int_equal(destroyed_count, 2);
    assert_int_equal(g_strv_length(destroyed), 2);
    assert_false(g_strv_contains((const char *const *) destroyed, "other"));
}

/* Somebody has fenced the host again, or let it in: what runs there may have been started since. */
static void assert_refused_after(guint count)
{
    g_auto(GStrv) destroyed = NULL;
    g_autoptr(GError) error = NULL;

    destroyed_count = 0;
    asked_count = 0;
    allowed_count = count;
    assert_false(destroy(60000, &destroyed, &error));
    assert_non_null(strstr(error->message, "somebody has let it in"));
    assert_int_equal(destroyed_count, count);
    assert_int_equal(asked_count, count + 1);
}

static void test_nothing_is_destroyed_that_may_not_be(void **state)
{
    (void) state;
    assert_refused_after(0);
    assert_refused_after(1);
}

/* A word that comes too late is none. */
static void test_nothing_is_destroyed_after_the_deadline(void **state)
{
    g_auto(GStrv) destroyed = NULL;
    g_autoptr(GError) error = NULL;

    (void) state;
    allowed_count = 2;
    assert_false(destroy(0, &destroyed, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT));
    assert_int_equal(destroyed_count, 0);
    g_clear_error(&error);
    answer_us = 300 * 1000;
    assert_false(destroy(200, &destroyed, &error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT));
    assert_int_equal(destroyed_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_uses_the_pools_is_destroyed, setup),
        cmocka_unit_test_setup(test_nothing_is_destroyed_that_may_not_be, setup),
        cmocka_unit_test_setup(test_nothing_is_destroyed_after_the_deadline, setup),
    };

    return cmocka_run_group_tests(tests, file_make, file_remove);
}
