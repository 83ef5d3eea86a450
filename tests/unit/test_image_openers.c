/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who of this host's clients that have a run image open is put on the blocklist, and who is only named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "fenced_host/fenced_host.h"
#include "image/image_openers.h"
#include "image/kernel_mapping.h"
#include "image/qemu_process.h"

#define IMAGE  "vm/run-db1-0"
#define KERNEL "10.0.2.11:0/700"

static const char *opener_address;
static char *refused;     /* who was put on the blocklist */

GPtrArray *__wrap_store_image_openers(store_t *store, const char *const *images, GError **error);
char *__wrap_store_own_address(store_t *store, GError **error);
gboolean __wrap_store_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error);

static void opener_free(gpointer data)
{
    store_opener_t *opener = data;

    g_free(opener->image);
    g_free(opener->address);
    g_free(opener->ip);
    g_free(opener);
}

GPtrArray *__wrap_store_image_openers(store_t *store, const char *const *images, GError **error)
{
    GPtrArray *openers = g_ptr_array_new_with_free_func(opener_free);
    store_opener_t *opener = g_new0(store_opener_t, 1);

    (void) store;
    (void) error;
    opener->image = g_strdup(images[0]);
    opener->address = g_strdup(opener_address);
    opener->ip = g_strdup("10.0.2.11");
    opener->refused = g_strcmp0(refused, opener_address) == 0;
    g_ptr_array_add(openers, opener);
    return openers;
}

char *__wrap_store_own_address(store_t *store, GError **error)
{
    (void) store;
    (void) error;
    return g_strdup("10.0.2.11:0/1");
}

gboolean __wrap_store_blocklist_add(store_t *store, const char *address, guint64 duration_s, GError **error)
{
    (void) store;
    (void) duration_s;
    (void) error;
    g_free(refused);
    refused = g_strdup(address);
    return TRUE;
}

char *fenced_host_find(const store_options_t *options, const char *ip)
{
    (void) options;
    (void) ip;
    return NULL;
}

GPtrArray *qemu_process_list(GError **error)
{
    (void) error;
    return g_ptr_array_new();
}

gboolean qemu_shown_has_image(const qemu_shown_t *shown, const char *image)
{
    (void) shown;
    (void) image;
    return FALSE;
}

gboolean image_record_has_client(const image_record_t *record, const char *address)
{
    (void) record;
    (void) address;
    return FALSE;
}

/* -------------------------------------------------------------------------------*/

static void attribute_write(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(KERNEL_MAPPING_DIR, "3", name, NULL);

    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void mapping_make(const char *pool, const char *image, const char *client)
{
    assert_int_equal(g_mkdir_with_parents(KERNEL_MAPPING_DIR "/3", 0755), 0);
    attribute_write("pool", pool);
    attribute_write("pool_ns", "\n");
    attribute_write("name", image);
    attribute_write("current_snap", "-\n");
    if (client != NULL) {
        attribute_write("client_addr", client);
    }
}

static int setup(void **state)
{
    (void) state;
    opener_address = KERNEL;
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = { "pool", "pool_ns", "name", "current_snap", "client_addr" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(KERNEL_MAPPING_DIR, "3", names[i], NULL);

        (void) g_unlink(path);
    }
    (void) g_rmdir(KERNEL_MAPPING_DIR "/3");
    (void) g_rmdir(KERNEL_MAPPING_DIR);
    g_clear_pointer(&refused, g_free);
    return 0;
}

/* What a start on this host says; "": it goes on. */
static char *start_look(void)
{
    char *images[] = { (char *) IMAGE, NULL };
    const store_options_t options = { .user = "understudy" };
    g_autoptr(GError) error = NULL;

    return g_strdup(image_openers_wait_free(NULL, &options, images, NULL, 0, &error) ? "" : error->message);
}

static void stranger_is_named(void)
{
    g_autofree char *why = start_look();

    assert_non_null(strstr(why, IMAGE " is open here as /dev/rbd3"));
    assert_non_null(strstr(why, "'rbd unmap /dev/rbd3'"));
    assert_null(refused);
}

static void client_is_refused(void)
{
    g_autofree char *why = start_look();

    assert_string_equal(why, "");
    assert_string_equal(refused, KERNEL);
}

static void test_mapped(void **state)
{
    (void) state;
    mapping_make("vm\n", "run-db1-0\n", KERNEL "\n");
    stranger_is_named();
}

/* A kernel that does not show its client. */
static void test_mapped_by_some_client(void **state)
{
    (void) state;
    mapping_make("vm\n", "run-db1-0\n", NULL);
    stranger_is_named();
}

/* The image is mapped, but it is a dead process' client that is listed: another nonce. */
static void test_ended_beside_a_mapping(void **state)
{
    (void) state;
    mapping_make("vm\n", "run-db1-0\n", "10.0.2.11:0/70\n");
    client_is_refused();
}

static void test_other_images(void **state)
{
    static const char *const others[][2] = { { "vm\n", "run-db1-01\n" }, { "vm2\n", "run-db1-0\n" }, { "\n", "\n" } };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        mapping_make(others[i][0], others[i][1], KERNEL "\n");
        client_is_refused();
        g_clear_pointer(&refused, g_free);
    }
}

static void test_nothing_mapped(void **state)
{
    (void) state;
    client_is_refused();
}

/* A stop does not fail for it, and does not end it: the next start sees it. */
static void test_stop(void **state)
{
    char *images[] = { (char *) IMAGE, NULL };

    (void) state;
    mapping_make("vm\n", "run-db1-0\n", KERNEL "\n");
    assert_true(image_openers_end_own(NULL, images, NULL, NULL));
    assert_null(refused);
}

static void test_unreadable(void **state)
{
    g_autofree char *why = NULL;

    (void) state;
    assert_true(g_file_set_contents(KERNEL_MAPPING_DIR, "", 0, NULL)); /* no directory */
    why = start_look();
    (void) g_unlink(KERNEL_MAPPING_DIR);
    assert_non_null(strstr(why, "can't be read"));
    assert_null(refused);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mapped),         TEST(test_mapped_by_some_client), TEST(test_ended_beside_a_mapping),
        TEST(test_other_images),   TEST(test_nothing_mapped),        TEST(test_stop),
        TEST(test_unreadable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
