/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a claim ends: with a stop, or after an image that has ended without one. */
#include <string.h>

#include "base/error.h"
#include "fenced_host/fenced_host.h"
#include "image/image_claim.h"
#include "image/image_lock.h"
#include "image/image_openers.h"
#include "image/qemu_process.h"
#include "store/claim.h"

#define PUBLISH_TIMEOUT_MS 3000

/* The claim as it stands, with what is kept beside it: one whose guest may be elsewhere is another state than one whose is
 * not. */
typedef struct own_claim {
    char *pool;
    char *text;      /* NULL: it is not that of the record's start (any more); the rest is NULL then, too */
    char *clients;
    gboolean had_guest; /* before a QEMU is made something is noted of its clients */
    char *target;    /* the host that the guest may have gone to, or NULL */
} own_claim_t;

static void own_claim_clear(own_claim_t *own)
{
    g_free(own->pool);
    g_free(own->text);
    g_free(own->clients);
    g_free(own->target);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(own_claim_t, own_claim_clear)

static gboolean own_text_read(store_t *store, const image_identity_t *identity, const image_record_t *record,
                              own_claim_t *own, GError **error)
{
    g_autoptr(claim_t) holder = NULL;

    if (record->start_id == NULL) {
        return TRUE;
    }
    if (!store_claim_read(store, own->pool, identity->server, &own->text, error)) {
        return FALSE;
    }
    holder = own->text != NULL ? claim_parse(own->text) : NULL;
    if (holder == NULL || strcmp(holder->start_id, record->start_id) != 0) {
        g_clear_pointer(&own->text, g_free);
    }
    return TRUE;
}

static gboolean own_claim_read(store_t *store, const image_identity_t *identity, const image_record_t *record,
                               own_claim_t *own, GError **error)
{
    g_autoptr(claim_clients_t) clients = NULL;

    own->pool = claim_pool((const char *const *) record->run_images);
    if (!own_text_read(store, identity, record, own, error)) {
        return FALSE;
    }
    if (own->text == NULL) {
        return TRUE;
    }
    if (!store_claim_note_read(store, own->pool, identity->server, STORE_CLAIM_CLIENTS_KEY, &own->clients, error)) {
        return FALSE;
    }
    clients = claim_clients_parse(own->clients, record->start_id);
    own->had_guest = clients != NULL;
    own->target = clients != NULL && clients->target != NULL ? g_strdup(clients->target->host) : NULL;
    return TRUE;
}

static gboolean own_claim_empty(store_t *store, const image_identity_t *identity, const own_claim_t *own, GError **error)
{
    return store_claim_swap_state(
        store, own->pool, identity->server,
        &(store_claim_state_t) { .holder = own->text, .clients = own->clients != NULL ? own->clients : "" },
        &(store_claim_state_t) { .holder = NULL }, error);
}

gboolean image_claim_is_used_elsewhere(store_t *store, const image_identity_t *identity, const image_record_t *record,
                                       char **who, GError **error)
{
    g_auto(own_claim_t) own = { 0 };

    *who = NULL;
    if (!own_claim_read(store, identity, record, &own, error)) {
        return FALSE;
    }
    *who = g_steal_pointer(&own.target);
    return own.text == NULL || *who != NULL || !own.had_guest
           || image_openers_elsewhere(store, record->run_images, record, who, error);
}

gboolean image_claim_give_back(store_t *store, const image_identity_t *identity, const image_record_t *record,
                               GError **error)
{
    g_auto(own_claim_t) own = { 0 };

    if (!own_claim_read(store, identity, record, &own, error)) {
        return FALSE;
    }
    if (own.target != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "%s may run the image of %s", own.target, identity->server);
        return FALSE;
    }
    return own.text == NULL || own_claim_empty(store, identity, &own, error);
}

static gboolean ended_note(store_t *store, const image_identity_t *identity, const image_record_t *record,
                           const own_claim_t *own, GError **error)
{
    return own->text == NULL /* it is another's */
           || store_claim_note_set(store, own->pool, identity->server, own->text, STORE_CLAIM_ENDED_KEY, record->start_id, error);
}

gboolean image_claim_note_ended(store_t *store, const image_identity_t *identity, const image_record_t *record)
{
    g_auto(own_claim_t) own = { 0 };
    g_autoptr(GError) error = NULL;
    gboolean noted = own_claim_read(store, identity, record, &own, &error) && ended_note(store, identity, record, &own, &error);

    if (!noted) {
        ocf_log("that the image of %s has ended here can't be noted: %s", identity->server, error->message);
    }
    return noted;
}

gboolean image_claim_publish_ended(const image_identity_t *identity, const image_record_t *record, guint timeout_ms)
{
    g_autoptr(GError) error = NULL;

    if (record->start_id != NULL && !fenced_host_tell_ended(identity->server, record->start_id, timeout_ms, &error)) {
        ocf_log("that the image of %s has ended here can't be told to the cluster: %s", identity->server, error->message);
        return FALSE;
    }
    return TRUE;
}

/* Left behind ---------------------------------------------------------------*/

/* TRUE: the record's image has ended, nothing is under way that could make it run, and its claim stands. */
static gboolean is_left_behind(const image_record_t *record, const image_identity_t *identity)
{
    pid_t pid = 0;

    return record->start_id != NULL && !image_record_create_is_unanswered(record)
           && qemu_process_find(identity->domain_name, identity->domain_uuid, &pid, NULL) && pid == 0;
}

/* It stays. The next start, which looks at both hosts, must learn that it has ended here. */
static gboolean leave(store_t *store, const image_identity_t *identity, const image_record_t *record, const own_claim_t *own,
                      guint timeout_ms, GError **error)
{
    (void) image_claim_publish_ended(identity, record, timeout_ms);
    if (!ended_note(store, identity, record, own, error)) {
        return FALSE;
    }
    ocf_log("the image of %s has ended here without a stop, and %s may run it: its claim stays", identity->server, own->target);
    return TRUE;
}

static gboolean take_away(store_t *store, const store_options_t *options, const image_identity_t *identity,
                          image_record_t *record, GError **error)
{
    g_auto(own_claim_t) own = { 0 };

    if (!own_claim_read(store, identity, record, &own, error)) {
        return FALSE;
    }
    if (own.target != NULL) {
        if (!leave(store, identity, record, &own, MIN(options->timeout_ms, PUBLISH_TIMEOUT_MS), error)) {
            return FALSE;
        }
    } else if (own.text != NULL) {
        if (!image_openers_wait_free(store, options, record->run_images, record, 0, error)
            || !own_claim_empty(store, identity, &own, error)) {
            return FALSE;
        }
        ocf_log("the image of %s has ended here without a stop: its claim is taken back", identity->server);
    }
    if (own.target == NULL) {
        image_claim_place_drop(store, identity, record->start_id);
    }
    g_clear_pointer(&record->start_id, g_free); /* the rest is for a stop */
    return image_record_save(record, identity->domain_name, error);
}

static void leftover_end(const image_identity_t *identity, image_record_t *record, guint timeout_ms)
{
    const store_options_t options = { .conf = record->ceph_conf, .user = record->ceph_user, .timeout_ms = timeout_ms };
    g_autoptr(GError) error = NULL;
    store_t *store = store_open(&options, &error);

    if (store == NULL || !take_away(store, &options, identity, record, &error)) {
        ocf_log("the claim of %s, whose image has ended here, can't be taken back: %s", identity->server, error->message);
    }
    store_close(store);
    if (error != NULL && !g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY)) {
        (void) image_claim_publish_ended(identity, record, MIN(timeout_ms, PUBLISH_TIMEOUT_MS));
    }
}

void image_claim_end_leftover(const char *domain_name, guint timeout_ms)
{
    image_record_t *record = image_record_load(domain_name);
    image_identity_t identity = { 0 };
    int lock = -1;

    if (record != NULL && record->server != NULL && image_identity_init(&identity, domain_name, record->server, NULL)
        && is_left_behind(record, &identity)) {
        lock = image_lock_take(domain_name, 0, NULL);
    }
    image_record_free(record);
    record = lock >= 0 ? image_record_load(domain_name) : NULL; /* again: nobody changes it from here on */
    if (record != NULL && is_left_behind(record, &identity)) {
        leftover_end(&identity, record, timeout_ms);
    }
    image_record_free(record);
    image_identity_clear(&identity);
    image_lock_release(lock);
}

void image_claim_end_leftovers(guint each_timeout_ms, guint timeout_ms)
{
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;
    g_auto(GStrv) names = image_record_list();

    for (char **name = names; *name != NULL && g_get_monotonic_time() < deadline_us; name++) {
        image_claim_end_leftover(*name, each_timeout_ms);
    }
}
