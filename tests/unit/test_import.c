/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose the image is that an import finds under its temporary name. The store is a table of one image, in the place of Ceph. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "base/error.h"
#include "import.h"

#define DISK_BYTES 700

typedef enum { IMPORT_SUCCEEDS, IMPORT_FAILS, IMPORT_FAILS_UNMARKED, IMPORT_IS_LATE } outcome_t;

static struct {
    gboolean exists;        /* vm/import-db1 */
    char *import_id;        /* its mark, or NULL */
    gboolean is_open;
    gboolean is_faster;     /* another import makes it before this one does */
    outcome_t outcome;
    guint removals;
    guint64 image_bytes;
    guint64 file_bytes;
    char *renamed;          /* what it was called in the end */
} image;

gboolean __wrap_store_image_exists(store_t *store, const store_image_name_t *name, gboolean *exists, GError **error);
GPtrArray *__wrap_store_image_watchers(store_t *store, const store_image_name_t *name, GError **error);
gboolean __wrap_store_image_import_id(store_t *store, const store_image_name_t *name, char **import_id, GError **error);
gboolean __wrap_store_image_create(store_t *store, const store_image_name_t *name, guint64 size_bytes, GError **error);
gboolean __wrap_store_image_import(store_t *store, const store_image_name_t *name, const store_import_t *import, GError **error);
gboolean __wrap_store_image_remove(store_t *store, const store_image_name_t *name, GError **error);

static gboolean fail_as(GError **error, understudy_error_t code)
{
    g_set_error(error, UNDERSTUDY_ERROR, (gint) code, "as the test wants it");
    return FALSE;
}

gboolean __wrap_store_image_exists(store_t *store, const store_image_name_t *name, gboolean *exists, GError **error)
{
    (void) store;
    (void) error;
    *exists = image.exists && strcmp(name->image, "import-db1") == 0;
    return TRUE;
}

GPtrArray *__wrap_store_image_watchers(store_t *store, const store_image_name_t *name, GError **error)
{
    static store_watcher_t watcher = { .ip = (char *) "10.0.0.5" };
    GPtrArray *watchers = g_ptr_array_new();

    (void) store;
    (void) name;
    (void) error;
    if (image.is_open) {
        g_ptr_array_add(watchers, &watcher);
    }
    return watchers;
}

gboolean __wrap_store_image_import_id(store_t *store, const store_image_name_t *name, char **import_id, GError **error)
{
    (void) store;
    (void) name;
    *import_id = image.exists ? g_strdup(image.import_id) : NULL;
    return image.exists || fail_as(error, UNDERSTUDY_ERROR_NOT_FOUND);
}

gboolean __wrap_store_image_create(store_t *store, const store_image_name_t *name, guint64 size_bytes, GError **error)
{
    (void) store;
    assert_string_equal(name->image, "import-db1");
    if (image.exists || image.is_faster) {
        return fail_as(error, UNDERSTUDY_ERROR_EXISTS);
    }
    image.exists = TRUE;
    image.image_bytes = size_bytes;
    return TRUE;
}

gboolean __wrap_store_image_import(store_t *store, const store_image_name_t *name, const store_import_t *import, GError **error)
{
    (void) store;
    (void) name;
    assert_int_equal(import->image_bytes, image.image_bytes);
    image.file_bytes = import->file_bytes;
    if (image.outcome == IMPORT_FAILS_UNMARKED) {
        return fail_as(error, UNDERSTUDY_ERROR_TIMEOUT);
    }
    g_free(image.import_id);
    image.import_id = g_strdup(image.outcome == IMPORT_IS_LATE ? "another" : import->id);
    if (image.outcome != IMPORT_SUCCEEDS) {
        return fail_as(error, image.outcome == IMPORT_IS_LATE ? UNDERSTUDY_ERROR_BUSY : UNDERSTUDY_ERROR_FAILED);
    }
    image.exists = FALSE;
    image.renamed = g_strdup(import->new_image);
    return TRUE;
}

gboolean __wrap_store_image_remove(store_t *store, const store_image_name_t *name, GError **error)
{
    (void) store;
    assert_string_equal(name->image, "import-db1");
    image.removals++;
    if (!image.exists) {
        return fail_as(error, UNDERSTUDY_ERROR_NOT_FOUND);
    }
    image.exists = FALSE;
    g_clear_pointer(&image.import_id, g_free);
    return TRUE;
}

static int forget_image(void **state)
{
    (void) state;
    g_free(image.import_id);
    g_free(image.renamed);
    memset(&image, 0, sizeof image);
    return 0;
}

/* Imports a file of DISK_BYTES as vm/db1. */
static gboolean import(GError **error)
{
    static const char contents[DISK_BYTES] = "a disk";
    g_autofree char *file = g_build_filename(g_get_tmp_dir(), "understudy-import-XXXXXX", NULL);
    g_autofree char *text = NULL;
    disk_t *disk = NULL;
    gboolean done = FALSE;

    assert_true(g_close(g_mkstemp(file), NULL));
    assert_true(g_file_set_contents(file, contents, sizeof contents, NULL));
    text = g_strconcat("vm/db1=raw:", file, NULL);
    disk = disk_parse(text, NULL);
    assert_non_null(disk);
    done = disk_import(NULL, disk, error);
    disk_free(disk);
    g_unlink(file);
    return done;
}

static void assert_refused(understudy_error_t code)
{
    g_autoptr(GError) error = NULL;

    assert_false(import(&error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, (gint) code));
    assert_non_null(strstr(error->message, "vm/import-db1"));
    assert_int_equal(image.removals, 0);
    assert_null(image.renamed);
}

static void test_an_import(void **state)
{
    (void) state;
    assert_true(import(NULL));
    assert_string_equal(image.renamed, "db1");
    assert_int_equal(image.file_bytes, DISK_BYTES);
    assert_int_equal(image.image_bytes, 1024);
    assert_int_equal(image.removals, 0);
}

static void test_somebodys_image_stays(void **state)
{
    (void) state;
    image.exists = TRUE;
    assert_refused(UNDERSTUDY_ERROR_EXISTS);
    assert_true(image.exists);
}

static void test_what_an_import_left_is_removed(void **state)
{
    (void) state;
    image.exists = TRUE;
    image.import_id = g_strdup("killed");
    assert_true(import(NULL));
    assert_int_equal(image.removals, 1);
    assert_string_equal(image.renamed, "db1");
}

static void test_what_another_import_writes_stays(void **state)
{
    (void) state;
    image.exists = TRUE;
    image.import_id = g_strdup("another");
    image.is_open = TRUE;
    assert_refused(UNDERSTUDY_ERROR_BUSY);
    assert_true(image.exists);
}

static void test_another_import_makes_the_image_first(void **state)
{
    (void) state;
    image.is_faster = TRUE;
    assert_refused(UNDERSTUDY_ERROR_BUSY);
}

/* Both have begun: the other's image has taken the place of the one that was made here. */
static void test_another_import_marks_the_image_first(void **state)
{
    g_autoptr(GError) error = NULL;

    (void) state;
    image.outcome = IMPORT_IS_LATE;
    assert_false(import(&error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY));
    assert_int_equal(image.removals, 0);
    assert_true(image.exists);
}

static void test_an_import_that_fails_leaves_nothing(void **state)
{
    g_autoptr(GError) error = NULL;

    (void) state;
    image.outcome = IMPORT_FAILS;
    assert_false(import(&error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED));
    assert_int_equal(image.removals, 1);
}

/* Whose the image of that name is by now is not known. */
static void test_an_import_that_fails_before_its_mark_removes_nothing(void **state)
{
    g_autoptr(GError) error = NULL;

    (void) state;
    image.outcome = IMPORT_FAILS_UNMARKED;
    assert_false(import(&error));
    assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT));
    assert_int_equal(image.removals, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_an_import, forget_image),
        cmocka_unit_test_teardown(test_somebodys_image_stays, forget_image),
        cmocka_unit_test_teardown(test_what_an_import_left_is_removed, forget_image),
        cmocka_unit_test_teardown(test_what_another_import_writes_stays, forget_image),
        cmocka_unit_test_teardown(test_another_import_makes_the_image_first, forget_image),
        cmocka_unit_test_teardown(test_another_import_marks_the_image_first, forget_image),
        cmocka_unit_test_teardown(test_an_import_that_fails_leaves_nothing, forget_image),
        cmocka_unit_test_teardown(test_an_import_that_fails_before_its_mark_removes_nothing, forget_image),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
