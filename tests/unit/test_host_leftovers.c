/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a fenced host notes of images that no QEMU shows yet; with a folder of its own in the place of /run/understudy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pidfile.h"
#include "fenced_host/host_leftovers.h"
#include "image/image_lock.h"
#include "image/image_record.h"
#include "run_dir.h"

#define DOMAIN "standby-db1"
#define LOCK   UNDERSTUDY_RUN_DIR "/" IMAGE_LOCK_PREFIX DOMAIN IMAGE_LOCK_SUFFIX

static int setup(void **state)
{
    (void) state;
    return g_mkdir_with_parents(UNDERSTUDY_RUN_DIR, 0700);
}

static int teardown(void **state)
{
    (void) state;
    image_record_remove(DOMAIN);
    g_unlink(LOCK);
    return g_rmdir(UNDERSTUDY_RUN_DIR);
}

/* The record of a start, with a request that was not answered, or NULL. */
static void record_make(const char *request)
{
    char *images[] = { (char *) "vm/run-db1-0", NULL };
    image_record_t *record = image_record_new("/etc/ceph/ceph.conf", "understudy", images);

    assert_true(image_record_request(record, DOMAIN, request, NULL));
    image_record_free(record);
}

static void assert_left(const char *what)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *left = host_leftover_noted(&error);

    assert_null(error);
    assert_int_equal(left != NULL, what != NULL);
    assert_true(what == NULL || strstr(left, what) != NULL);
}

static void test_nothing_is_left(void **state)
{
    (void) state;
    assert_left(NULL);
    record_make(NULL);
    assert_left(NULL);
}

/* libvirtd may still make that QEMU, as soon as the host may write again. */
static void test_a_create_that_was_not_answered(void **state)
{
    (void) state;
    record_make(RECORD_REQUEST_CREATE);
    assert_left(DOMAIN);
}

/* A process of its own that holds the lock until it is ended, as a start does. */
static pid_t lock_hold(void)
{
    int ready[2] = { -1, -1 };
    char byte = 0;
    pid_t child = 0;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        byte = pidfile_acquire(LOCK, NULL) >= 0 ? 1 : 0;
        (void) !write(ready[1], &byte, 1);
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

/* A start that is under way may come to its create yet. */
static void test_an_action_that_is_under_way(void **state)
{
    g_autofree char *pid = NULL;
    pid_t child = lock_hold();

    (void) state;
    pid = g_strdup_printf("pid %d", (int) child);
    assert_left(pid);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_left(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_create_that_was_not_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_action_that_is_under_way, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
