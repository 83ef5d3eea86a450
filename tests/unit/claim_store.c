/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store of claims that is made of tables, in the place of Ceph. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/error.h"
#include "claim_store.h"

claim_store_t claim_store;

gboolean __wrap_store_claim_read(store_t *store, const char *pool, const char *server, char **holder, GError **error);
gboolean __wrap_store_claim_note_read(store_t *store, const char *pool, const char *server, const char *key, char **value,
                                      GError **error);
gboolean __wrap_store_claim_note_set(store_t *store, const char *pool, const char *server, const char *holder,
                                     const char *key, const char *value, GError **error);
gboolean __wrap_store_claim_swap(store_t *store, const char *pool, const char *server, const char *expected,
                                 const char *desired, GError **error);
gboolean __wrap_store_claim_swap_state(store_t *store, const char *pool, const char *server,
                                       const store_claim_state_t *expected, const store_claim_state_t *desired,
                                       GError **error);
GPtrArray *__wrap_store_image_lock_owners(store_t *store, const char *const *images, GError **error);
gboolean __wrap_store_clients_refuse(store_t *store, const GPtrArray *addresses, GError **error);
gboolean __wrap_store_pool_exists(store_t *store, const char *pool, GError **error);
GHashTable *__wrap_store_claim_places(store_t *store, const char *server, GError **error);
gboolean __wrap_store_claim_place_set(store_t *store, const char *server, const char *start_id, const char *text,
                                      GError **error);
char *__wrap_store_own_address(store_t *store, GError **error);
GHashTable *__wrap_store_blocklist_list(store_t *store, GError **error);

GPtrArray *__wrap_store_image_openers(store_t *store, const char *const *images, GError **error);

static gboolean monitors_answer(GError **error)
{
    if (claim_store.monitors_are_silent) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "the monitors: no answer");
    }
    return !claim_store.monitors_are_silent;
}

gboolean __wrap_store_pool_exists(store_t *store, const char *pool, GError **error)
{
    gboolean is_silent = g_strcmp0(claim_store.silent_pool, pool) == 0;

    (void) store;
    if (is_silent || !g_hash_table_contains(claim_store.claims, pool)) {
        g_set_error(error, UNDERSTUDY_ERROR, is_silent ? UNDERSTUDY_ERROR_TIMEOUT : UNDERSTUDY_ERROR_NOT_FOUND, "pool %s: %s",
                    pool, is_silent ? "no answer" : "none");
        return FALSE;
    }
    return TRUE;
}

gboolean __wrap_store_claim_read(store_t *store, const char *pool, const char *server, char **holder, GError **error)
{
    const char *text = g_hash_table_lookup(claim_store.claims, pool);

    (void) server;
    *holder = text != NULL && text[0] != '\0' ? g_strdup(text) : NULL;
    return __wrap_store_pool_exists(store, pool, error);
}

static GHashTable *notes_of(const char *key)
{
    if (strcmp(key, STORE_CLAIM_CLIENTS_KEY) == 0) {
        return claim_store.clients;
    }
    return strcmp(key, STORE_CLAIM_ENDED_KEY) == 0 ? claim_store.ended : NULL;
}

gboolean __wrap_store_claim_note_read(store_t *store, const char *pool, const char *server, const char *key, char **value,
                                      GError **error)
{
    (void) server;
    *value = notes_of(key) != NULL ? g_strdup(g_hash_table_lookup(notes_of(key), pool)) : NULL;
    return __wrap_store_pool_exists(store, pool, error);
}

gboolean __wrap_store_claim_note_set(store_t *store, const char *pool, const char *server, const char *holder,
                                     const char *key, const char *value, GError **error)
{
    (void) server;
    assert_string_equal(g_hash_table_lookup(claim_store.claims, pool), holder);
    if (claim_store.takes_no_notes) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "the note: no answer");
        return FALSE;
    }
    if (notes_of(key) != NULL) {
        g_hash_table_insert(notes_of(key), g_strdup(pool), g_strdup(value));
    }
    return __wrap_store_pool_exists(store, pool, error);
}

gboolean __wrap_store_claim_swap(store_t *store, const char *pool, const char *server, const char *expected,
                                 const char *desired, GError **error)
{
    (void) server;
    assert_string_equal(g_hash_table_lookup(claim_store.claims, pool), expected != NULL ? expected : "");
    g_hash_table_insert(claim_store.claims, g_strdup(pool), g_strdup(desired != NULL ? desired : ""));
    return __wrap_store_pool_exists(store, pool, error);
}

gboolean __wrap_store_claim_swap_state(store_t *store, const char *pool, const char *server,
                                       const store_claim_state_t *expected, const store_claim_state_t *desired,
                                       GError **error)
{
    const char *clients = g_hash_table_lookup(claim_store.clients, pool);

    if (expected->clients != NULL && strcmp(clients != NULL ? clients : "", expected->clients) != 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "%s is claimed by another start", server);
        return FALSE;
    }
    if (desired->clients != NULL) {
        g_hash_table_insert(claim_store.clients, g_strdup(pool), g_strdup(desired->clients));
    }
    return __wrap_store_claim_swap(store, pool, server, expected->holder, desired->holder, error);
}

GPtrArray *__wrap_store_image_lock_owners(store_t *store, const char *const *images, GError **error)
{
    GPtrArray *owners = g_ptr_array_new_with_free_func(g_free);

    (void) store;
    (void) images;
    (void) error;
    if (claim_store.lock_owner != NULL) {
        g_ptr_array_add(owners, g_strdup(claim_store.lock_owner));
    }
    return owners;
}

gboolean __wrap_store_clients_refuse(store_t *store, const GPtrArray *addresses, GError **error)
{
    (void) store;
    for (guint i = 0; i < addresses->len; i++) {
        if (g_strcmp0(addresses->pdata[i], claim_store.brief) == 0) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "%s: for a while only", claim_store.brief);
            return FALSE;
        }
        g_string_append_printf(claim_store.refused, "%s ", (const char *) addresses->pdata[i]);
    }
    return TRUE;
}

GHashTable *__wrap_store_claim_places(store_t *store, const char *server, GError **error)
{
    GHashTable *copy = NULL;
    GHashTableIter iter;
    gpointer start_id = NULL;
    gpointer text = NULL;

    (void) store;
    (void) server;
    if (!monitors_answer(error)) {
        return NULL;
    }
    copy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_iter_init(&iter, claim_store.places);
    while (g_hash_table_iter_next(&iter, &start_id, &text)) {
        g_hash_table_insert(copy, g_strdup(start_id), g_strdup(text));
    }
    return copy;
}

gboolean __wrap_store_claim_place_set(store_t *store, const char *server, const char *start_id, const char *text,
                                      GError **error)
{
    (void) store;
    (void) server;
    if (!monitors_answer(error)) {
        return FALSE;
    }
    if (text != NULL) {
        g_hash_table_insert(claim_store.places, g_strdup(start_id), g_strdup(text));
    } else {
        g_hash_table_remove(claim_store.places, start_id);
    }
    return TRUE;
}

char *__wrap_store_own_address(store_t *store, GError **error)
{
    (void) store;
    (void) error;
    return g_strdup("10.0.2.11:0/1");
}

GHashTable *__wrap_store_blocklist_list(store_t *store, GError **error)
{
    GHashTable *entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    (void) store;
    (void) error;
    if (claim_store.listed != NULL) {
        g_hash_table_insert(entries, g_strdup(claim_store.listed), g_strdup("2099-01-01T00:00:00"));
    }
    if (claim_store.brief != NULL) {
        g_hash_table_insert(entries, g_strdup(claim_store.brief), g_strdup("soon"));
    }
    return entries;
}

static void opener_free(gpointer data)
{
    store_opener_t *opener = data;

    g_free(opener->image);
    g_free(opener->address);
    g_free(opener);
}

GPtrArray *__wrap_store_image_openers(store_t *store, const char *const *images, GError **error)
{
    GPtrArray *openers = g_ptr_array_new_with_free_func(opener_free);

    (void) store;
    (void) error;
    if (claim_store.open_image != NULL && g_strv_contains(images, claim_store.open_image)) {
        store_opener_t *opener = g_new0(store_opener_t, 1);

        opener->image = g_strdup(claim_store.open_image);
        opener->address = g_strdup("10.0.2.12:0/7");
        g_ptr_array_add(openers, opener);
    }
    return openers;
}

static GHashTable *table_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void claim_store_init(void)
{
    claim_store = (claim_store_t) { .claims = table_new(), .clients = table_new(), .places = table_new(),
                                    .ended = table_new(),
                                    .refused = g_string_new(NULL) };
    g_hash_table_insert(claim_store.claims, g_strdup("vm"), g_strdup(""));
    g_hash_table_insert(claim_store.claims, g_strdup("fast"), g_strdup(""));
}

void claim_store_clear(void)
{
    g_hash_table_unref(claim_store.claims);
    g_hash_table_unref(claim_store.clients);
    g_hash_table_unref(claim_store.ended);
    g_hash_table_unref(claim_store.places);
    g_string_free(claim_store.refused, TRUE);
}
