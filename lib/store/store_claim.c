/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module store.so: a server's claim, an object in the pool of its run images that is changed by compare-and-set. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "store/store_private.h"

#define OBJECT_PREFIX "understudy_claim."
#define HOLDER_KEY    "holder"

static gboolean claim_fail(GError **error, int rc, const char *server)
{
    if (rc == -EACCES || rc == -EPERM) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_PERMISSION,
                    "Ceph does not let this host claim %s: give its user the caps that 'understudy keys' prints", server);
        return FALSE;
    }
    return store_fail(error, rc, "the claim on %s can't be read or changed", server);
}

static gboolean pool_open(store_t *store, const char *pool, rados_ioctx_t *io, GError **error)
{
    const store_image_name_t name = { .pool = (char *) pool, .namespace = (char *) "", .image = NULL };

    return store_pool_open(store, &name, io, error);
}

static char *object_name(const char *server)
{
    return g_strconcat(OBJECT_PREFIX, server, NULL);
}

/* 0 and *holder, NULL if there is none; or a negative errno. */
static int value_read(rados_ioctx_t io, const char *object, const char *key, char **holder)
{
    rados_read_op_t op = rados_create_read_op();
    rados_omap_iter_t found = NULL;
    char *found_key = NULL;
    char *value = NULL;
    size_t value_bytes = 0;
    int key_rc = 0;
    int rc = 0;

    *holder = NULL;
    rados_read_op_omap_get_vals_by_keys(op, &key, 1, &found, &key_rc);
    rc = rados_read_op_operate(op, io, object, 0);
    rc = rc < 0 ? rc : key_rc;
    if (rc >= 0 && rados_omap_get_next(found, &found_key, &value, &value_bytes) == 0 && value != NULL
        && value_bytes > 0) {
        *holder = g_strndup(value, value_bytes);
    }
    if (found != NULL) {
        rados_omap_get_end(found);
    }
    rados_release_read_op(op);
    return rc == -ENOENT ? 0 : rc;
}

gboolean store_do_claim_note_read(store_t *store, const char *pool, const char *server, const char *key, char **value,
                                  GError **error)
{
    g_autofree char *object = object_name(server);
    rados_ioctx_t io = NULL;
    int rc = 0;

    *value = NULL;
    if (!pool_open(store, pool, &io, error)) {
        return FALSE;
    }
    rc = value_read(io, object, key, value);
    rados_ioctx_destroy(io);
    return rc >= 0 || claim_fail(error, rc, server);
}

gboolean store_do_claim_read(store_t *store, const char *pool, const char *server, char **holder, GError **error)
{
    return store_do_claim_note_read(store, pool, server, HOLDER_KEY, holder, error);
}

static void value_compare(rados_write_op_t op, const char *key, const char *value, int *rc)
{
    rados_write_op_omap_cmp(op, key, LIBRADOS_CMPXATTR_OP_EQ, value, strlen(value), rc);
}

static void value_set(rados_write_op_t op, const char *key, const char *value)
{
    size_t value_bytes = strlen(value);

    rados_write_op_omap_set(op, &key, &value, &value_bytes, 1);
}

/* -ECANCELED if the holder, or a client, is another one than expected; "" stands for nobody. */
static int state_swap(rados_ioctx_t io, const char *object, const store_claim_state_t *expected,
                      const store_claim_state_t *desired)
{
    rados_write_op_t op = rados_create_write_op();
    int holder_rc = 0;
    int clients_rc = 0;
    int rc = 0;

    value_compare(op, HOLDER_KEY, expected->holder != NULL ? expected->holder : "", &holder_rc);
    if (expected->clients != NULL) {
        value_compare(op, STORE_CLAIM_CLIENTS_KEY, expected->clients, &clients_rc);
    }
    value_set(op, HOLDER_KEY, desired->holder != NULL ? desired->holder : "");
    if (desired->clients != NULL) {
        value_set(op, STORE_CLAIM_CLIENTS_KEY, desired->clients);
    }
    rc = rados_write_op_operate(op, io, object, NULL, 0);
    rados_release_write_op(op);
    return rc;
}

static gboolean state_is(rados_ioctx_t io, const char *object, const store_claim_state_t *state)
{
    g_autofree char *holder = NULL;
    g_autofree char *clients = NULL;

    return value_read(io, object, HOLDER_KEY, &holder) >= 0 && g_strcmp0(holder, state->holder) == 0
           && (state->clients == NULL || (value_read(io, object, STORE_CLAIM_CLIENTS_KEY, &clients) >= 0
                                          && strcmp(clients != NULL ? clients : "", state->clients) == 0));
}

static int object_make(rados_ioctx_t io, const char *object)
{
    rados_write_op_t op = rados_create_write_op();
    int rc = 0;

    rados_write_op_create(op, LIBRADOS_CREATE_IDEMPOTENT, NULL);
    rc = rados_write_op_operate(op, io, object, NULL, 0);
    rados_release_write_op(op);
    return rc;
}

gboolean store_do_claim_swap(store_t *store, const char *pool, const char *server,
                             const store_claim_state_t *expected, const store_claim_state_t *desired, GError **error)
{
    g_autofree char *object = object_name(server);
    rados_ioctx_t io = NULL;
    int rc = 0;

    if (!pool_open(store, pool, &io, error)) {
        return FALSE;
    }
    rc = object_make(io, object);
    if (rc >= 0) {
        rc = state_swap(io, object, expected, desired);
    }
    /* What was not answered may have been done: look at the effect. */
    if (rc < 0 && rc != -EACCES && rc != -EPERM && state_is(io, object, desired)) {
        rc = 0;
    }
    rados_ioctx_destroy(io);
    if (rc == -ECANCELED) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "%s is claimed by another start", server);
        return FALSE;
    }
    return rc >= 0 || claim_fail(error, rc, server);
}

gboolean store_do_claim_note_set(store_t *store, const char *pool, const char *server, const char *holder,
                                 const char *key, const char *value, GError **error)
{
    g_autofree char *object = object_name(server);
    const char *text = value != NULL ? value : "";
    size_t text_bytes = strlen(text);
    rados_write_op_t op = NULL;
    rados_ioctx_t io = NULL;
    int compare_rc = 0;
    int rc = 0;

    if (!pool_open(store, pool, &io, error)) {
        return FALSE;
    }
    op = rados_create_write_op();
    rados_write_op_omap_cmp(op, HOLDER_KEY, LIBRADOS_CMPXATTR_OP_EQ, holder, strlen(holder), &compare_rc);
    rados_write_op_omap_set(op, &key, &text, &text_bytes, 1);
    rc = rados_write_op_operate(op, io, object, NULL, 0);
    rados_release_write_op(op);
    rados_ioctx_destroy(io);
    if (rc == -ECANCELED) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "%s is claimed by another start", server);
        return FALSE;
    }
    return rc >= 0 || claim_fail(error, rc, server);
}
