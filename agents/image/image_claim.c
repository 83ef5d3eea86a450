/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/image_claim.h"

#include <string.h>

#include "base/error.h"
#include "base/names.h"
#include "fenced_host/fenced_host.h"
#include "image/image_actions.h"
#include "image/image_openers.h"
#include "store/claim.h"
#include "store/claim_refuse.h"

#define POLL_MS          300
#define BOOT_ID_FILE     "/proc/sys/kernel/random/boot_id"

static char *boot_id_read(GError **error)
{
    char *text = NULL;

    return g_file_get_contents(BOOT_ID_FILE, &text, NULL, error) ? g_strstrip(text) : NULL;
}

typedef struct attempt {
    const ocf_call_t *call;
    store_t *store;
    const image_identity_t *identity;
    image_record_t *record;
    const char *pool;        /* where the claim is looked at */
    char *own_pool;          /* where this start's parameters have it */
    char *boot_id;
    char *own_text;          /* what the claim is to say; NULL: nothing, it is only to be nobody's */
} attempt_t;

static void attempt_clear(attempt_t *attempt)
{
    g_free(attempt->own_pool);
    g_free(attempt->boot_id);
    g_free(attempt->own_text);
}

static gboolean attempt_init(attempt_t *attempt, GError **error)
{
    g_autoptr(claim_t) own = NULL;

    attempt->boot_id = boot_id_read(error);
    if (attempt->boot_id == NULL) {
        return FALSE;
    }
    own = claim_new(attempt->call->node, attempt->boot_id, attempt->record->start_id);
    attempt->own_text = claim_text(own);
    attempt->own_pool = claim_pool((const char *const *) attempt->record->run_images);
    attempt->pool = attempt->own_pool;
    return TRUE;
}

/* How a holder has ended. */
typedef struct holder_end {
    gboolean is_dead;   /* claim_holder_is_dead() */
    gboolean is_gone;   /* claim_holder_is_gone() */
} holder_end_t;

/* Whether the holder has ended, by what this host and the cluster know, and by what is noted beside its claim (NULL: nothing). */
static char *ended_reason(const attempt_t *attempt, const claim_t *holder, const char *noted_end, holder_end_t *end)
{
    g_autofree char *host_boot_id = NULL;
    g_autofree char *ended_start = NULL;
    claim_evidence_t evidence = { .host = attempt->call->node, .boot_id = attempt->boot_id };

    if (strcmp(holder->host, attempt->call->node) == 0) {
        /* This start's own record has another id than an earlier one's, which it has put in the place of. */
        evidence.start_is_known = image_record_start_is_known(holder->start_id);
    } else {
        const store_options_t options = image_store_options(attempt->call);

        fenced_host_holder(&options, holder->host, attempt->identity->server, &host_boot_id, &ended_start,
                           &evidence.host_is_clean, &evidence.host_is_fenced);
        evidence.host_boot_id = host_boot_id;
        evidence.ended_start = g_strcmp0(noted_end, holder->start_id) == 0 ? noted_end : ended_start;
    }
    end->is_dead = claim_holder_is_dead(holder, &evidence);
    end->is_gone = claim_holder_is_gone(holder, &evidence);
    return g_strdup(claim_ended_reason(holder, &evidence));
}

static void unreadable_say(const attempt_t *attempt, const char *start_id, GError **error)
{
    const char *server = attempt->identity->server;

    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                "where a claim on %s lies can't be read ('ceph config-key get understudy/server/%s/claim/%s'): make sure that "
                "its image runs nowhere, then 'understudy unclaim %s'", server, server, start_id, server);
}

/* Those of the record, and those that starts with other parameters have used: NULL with an error if one is not known. */
static char **all_images(const attempt_t *attempt, GError **error)
{
    g_autoptr(GHashTable) places = store_claim_places(attempt->store, attempt->identity->server, error);
    const char *unreadable = NULL;
    g_auto(GStrv) images = places != NULL ? claim_images((const char *const *) attempt->record->run_images, places, &unreadable)
                                          : NULL;

    if (unreadable != NULL) {
        unreadable_say(attempt, unreadable, error);
        return NULL;
    }
    return g_steal_pointer(&images);
}

/* Of a claim that was given back: its host has seen its clients end. One of them that the store refuses already, for a while
 * only maybe, as an operator does by hand, is none to wait for. */
static gboolean refused_drop(store_t *store, GPtrArray *owners, GError **error)
{
    g_autoptr(GHashTable) entries = owners->len > 0 ? store_blocklist_list(store, error) : NULL;

    for (guint i = owners->len; entries != NULL && i > 0; i--) {
        if (store_blocklist_covers(entries, owners->pdata[i - 1])) {
            g_ptr_array_remove_index(owners, i - 1);
        }
    }
    return owners->len == 0 || entries != NULL;
}

/* Whoever held the image until now never writes again, also when he was only asleep, or cut off: librbd, which breaks his
 * lock, refuses him for an hour. That nobody has the claim (holder and text NULL) is no proof that nobody has the image: a
 * guest that has gone to another host runs on when its source gives the claim back. The owners are read before the claim is
 * read again, so that none of them is the QEMU of another start that was quicker to break it. */
static gboolean holder_shut_out(const attempt_t *attempt, const claim_t *holder, const char *text, const char *clients,
                                const holder_end_t *end, GError **error)
{
    const char *server = attempt->identity->server;
    const store_options_t options = image_store_options(attempt->call);
    g_auto(GStrv) images = all_images(attempt, error);
    g_autoptr(GPtrArray) owners = images != NULL ? store_image_lock_owners(attempt->store, (const char *const *) images, error)
                                                 : NULL;
    g_autofree char *now = NULL;

    if (owners == NULL || (text == NULL && !refused_drop(attempt->store, owners, error))) {
        return FALSE;
    }
    if (text == NULL && owners->len == 0) {
        return TRUE; /* who has it open without a lock is looked at after the claim */
    }
    if (!image_openers_wait_free(attempt->store, &options, images, attempt->record, 0, error)
        || !store_claim_read(attempt->store, attempt->pool, server, &now, error)) {
        return FALSE;
    }
    if (g_strcmp0(now, text) != 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "%s is claimed by another start", server);
        return FALSE;
    }
    if (!claim_refuse_holder(attempt->store, holder, clients, owners, end->is_dead,
                             image_claim_target_is_dead(attempt->call, attempt->identity, holder, end->is_gone, clients),
                             error)) {
        g_prefix_error(error, "the claim on %s is not broken while who had its image may come back: ", server);
        return FALSE;
    }
    for (guint i = 0; i < owners->len; i++) {
        ocf_log("%s had the image of %s: it stays on the blocklist", (const char *) owners->pdata[i], server);
    }
    return TRUE;
}

static char *held_text(const attempt_t *attempt, const claim_t *holder)
{
    const char *server = attempt->identity->server;
    gboolean is_elsewhere = strcmp(attempt->pool, attempt->own_pool) != 0;
    g_autofree char *where = is_elsewhere ? g_strdup_printf(" in pool %s", attempt->pool) : g_strdup("");

    return g_strdup_printf("%s is claimed%s by %s: stop it there ('understudy unclaim %s' if that can't be)", server, where,
                           holder != NULL ? holder->host : "somebody unknown", server);
}

/* TRUE: the claim says what it is to say. FALSE with *held: somebody has it who has not ended. FALSE with an error else. */
static gboolean claim_try(const attempt_t *attempt, char **held, GError **error)
{
    const char *server = attempt->identity->server;
    g_autofree char *text = NULL;
    g_autofree char *clients = NULL;
    g_autofree char *ended = NULL;
    g_autofree char *reason = NULL;
    g_autoptr(claim_t) holder = NULL;
    holder_end_t end = { 0 };

    if (!store_claim_read(attempt->store, attempt->pool, server, &text, error)
        || !store_claim_note_read(attempt->store, attempt->pool, server, STORE_CLAIM_CLIENTS_KEY, &clients, error)
        || !store_claim_note_read(attempt->store, attempt->pool, server, STORE_CLAIM_ENDED_KEY, &ended, error)) {
        return FALSE;
    }
    if (g_strcmp0(text, attempt->own_text) == 0) {
        return TRUE;
    }
    holder = text != NULL ? claim_parse(text) : NULL;
    if (text != NULL) {
        reason = holder != NULL ? ended_reason(attempt, holder, ended, &end) : NULL;
        if (reason == NULL) {
            *held = held_text(attempt, holder);
            return FALSE;
        }
        if (!holder_shut_out(attempt, holder, text, clients, &end, error)) {
            return FALSE;
        }
        ocf_log("%s was claimed by a start on %s: %s", server, holder->host, reason);
    } else if (attempt->own_text != NULL && !holder_shut_out(attempt, NULL, NULL, NULL, &end, error)) {
        return FALSE;
    }
    if (attempt->own_text != NULL) {
        g_clear_pointer(&attempt->record->placed_start_id, g_free);
    }
    /* A holder that has said of more clients meanwhile keeps it: they are looked at with the next try. */
    return store_claim_swap_state(attempt->store, attempt->pool, server,
                                  &(store_claim_state_t) { .holder = text, .clients = clients != NULL ? clients : "" },
                                  &(store_claim_state_t) { .holder = attempt->own_text }, error);
}

/* Claims in other pools --------------------------------------------------------*/

/* With its pool everything is gone that the holder could write, but not what it runs. */
static gboolean gone_pool_try(const attempt_t *attempt, const claim_place_t *place, char **held)
{
    const char *server = attempt->identity->server;
    holder_end_t end = { 0 };
    g_autofree char *reason = ended_reason(attempt, place->claim, NULL, &end);

    if (reason == NULL || !end.is_dead) {
        *held = g_strdup_printf("%s was claimed by %s in pool %s, which is not there any more, so that nobody can tell who "
                                "has it: make sure that its image runs nowhere, then 'understudy unclaim %s'", server,
                                place->claim->host, place->pool, server);
        return FALSE;
    }
    ocf_log("%s was claimed by a start on %s in pool %s, which is gone: %s", server, place->claim->host, place->pool, reason);
    return TRUE;
}

/* The same rules as for the claim that is to be ours, for one that lies where earlier parameters have put it. */
static gboolean place_try(const attempt_t *attempt, const claim_place_t *place, char **held, GError **error)
{
    attempt_t there = *attempt;
    g_autoptr(GError) pool_error = NULL;

    there.pool = place->pool;
    there.own_text = NULL;
    if (store_pool_exists(attempt->store, place->pool, &pool_error)) {
        if (claim_try(&there, held, error)) {
            return TRUE;
        }
        g_prefix_error(error, "a claim on %s lies in pool %s: ", attempt->identity->server, place->pool);
        return FALSE;
    }
    if (!g_error_matches(pool_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&pool_error), "a claim on %s lies in pool %s: ",
                                   attempt->identity->server, place->pool);
        return FALSE;
    }
    return gone_pool_try(attempt, place, held);
}

static gboolean other_try(const attempt_t *attempt, const char *start_id, const char *text, char **held, GError **error)
{
    g_autoptr(claim_place_t) place = claim_place_parse(text, start_id);

    if (place == NULL) {
        unreadable_say(attempt, start_id, error);
        return FALSE;
    }
    /* In this pool the claim is ours, so that it is that start's no more. */
    if (strcmp(place->pool, attempt->pool) != 0 && !place_try(attempt, place, held, error)) {
        return FALSE;
    }
    image_claim_place_drop(attempt->store, attempt->identity, start_id);
    return TRUE;
}

/* Once a start; for a claim that was taken before claims had places, with the next look at it. */
static gboolean place_note(const attempt_t *attempt, GError **error)
{
    image_record_t *record = attempt->record;
    g_autofree char *text = NULL;

    if (g_strcmp0(record->placed_start_id, record->start_id) == 0) {
        return TRUE;
    }
    text = claim_place_text(attempt->own_text, (const char *const *) record->run_images);
    if (!store_claim_place_set(attempt->store, attempt->identity->server, record->start_id, text, error)) {
        return FALSE;
    }
    g_free(record->placed_start_id);
    record->placed_start_id = g_strdup(record->start_id);
    return image_record_save(record, attempt->identity->domain_name, error);
}

/* The own claim has been taken. It is said first where it lies, then the others are looked at: of two starts whose
 * parameters name two pools, at least one sees the other. */
static gboolean others_try(const attempt_t *attempt, char **held, GError **error)
{
    g_autoptr(GHashTable) places = NULL;
    GHashTableIter iter;
    gpointer start_id = NULL;
    gpointer text = NULL;

    if (!place_note(attempt, error)) {
        return FALSE;
    }
    places = store_claim_places(attempt->store, attempt->identity->server, error);
    if (places == NULL) {
        return FALSE;
    }
    g_hash_table_iter_init(&iter, places);
    while (g_hash_table_iter_next(&iter, &start_id, &text)) {
        if (strcmp(start_id, attempt->record->start_id) != 0 && !other_try(attempt, start_id, text, held, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* As which clients a QEMU writes is not known before all of them were seen. */
static char *unknown_clients_text(store_t *store, const image_record_t *record, GError **error)
{
    g_autofree char *address = store_own_address(store, error);
    const char *addresses[] = { address, NULL };

    return address != NULL ? claim_clients_text(record->start_id, FALSE, addresses) : NULL;
}

gboolean image_claim_take(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                          image_record_t *record, guint wait_ms, GError **error)
{
    attempt_t attempt = { .call = call, .store = store, .identity = identity, .record = record };
    gint64 deadline_us = g_get_monotonic_time() + wait_ms * 1000LL;
    const store_options_t options = image_store_options(call);
    g_autofree char *held = NULL;
    gboolean taken = FALSE;

    /* A claim whose boot id is not the one that its host has published is an ended one: publish first. */
    if (!fenced_host_publish(call->node, &options, error) || !attempt_init(&attempt, error)) {
        attempt_clear(&attempt);
        return FALSE;
    }
    for (;;) {
        g_autoptr(GError) try_error = NULL;

        g_clear_pointer(&held, g_free);
        taken = claim_try(&attempt, &held, &try_error) && others_try(&attempt, &held, &try_error);
        if (taken) {
            break;
        }
        if (g_get_monotonic_time() >= deadline_us
            || (try_error != NULL && !g_error_matches(try_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY))) {
            if (try_error != NULL) {
                g_propagate_error(error, g_steal_pointer(&try_error));
            } else {
                g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, held);
            }
            break;
        }
        g_usleep(POLL_MS * 1000);
    }
    attempt_clear(&attempt);
    return taken;
}

/* The guest runs here: whose claim it may have been. */
static gboolean is_of_guest_here(const attempt_t *attempt, const claim_t *holder, const char *clients_text,
                                 const char *from_host)
{
    g_autoptr(claim_clients_t) clients = claim_clients_parse(clients_text, holder->start_id);

    if (strcmp(holder->host, attempt->call->node) == 0) { /* a record that names its start is of another resource */
        return strcmp(holder->boot_id, attempt->boot_id) != 0 || !image_record_start_is_known(holder->start_id);
    }
    return g_strcmp0(holder->host, from_host) == 0
           || (clients != NULL && clients->target != NULL && strcmp(clients->target->host, attempt->call->node) == 0);
}

static gboolean take_over(attempt_t *attempt, const char *from_host, GError **error)
{
    const char *server = attempt->identity->server;
    g_autofree char *text = NULL;
    g_autofree char *earlier = NULL;
    g_autofree char *clients = unknown_clients_text(attempt->store, attempt->record, error);
    g_autoptr(claim_t) holder = NULL;

    if (clients == NULL || !store_claim_read(attempt->store, attempt->pool, server, &text, error)
        || !store_claim_note_read(attempt->store, attempt->pool, server, STORE_CLAIM_CLIENTS_KEY, &earlier, error)) {
        return FALSE;
    }
    if (g_strcmp0(text, attempt->own_text) == 0) {
        return TRUE;
    }
    holder = text != NULL ? claim_parse(text) : NULL;
    if (text != NULL && (holder == NULL || !is_of_guest_here(attempt, holder, earlier, from_host))) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "%s runs here, and is claimed by %s: stop one of the two", server,
                    holder != NULL ? holder->host : "somebody unknown");
        return FALSE;
    }
    g_clear_pointer(&attempt->record->placed_start_id, g_free);
    return store_claim_swap_state(attempt->store, attempt->pool, server,
                                  &(store_claim_state_t) { .holder = text, .clients = earlier != NULL ? earlier : "" },
                                  &(store_claim_state_t) { .holder = attempt->own_text, .clients = clients }, error);
}

gboolean image_claim_take_over(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                               image_record_t *record, const char *from_host, GError **error)
{
    attempt_t attempt = { .call = call, .store = store, .identity = identity, .record = record };
    const store_options_t options = image_store_options(call);
    gboolean taken = fenced_host_publish(call->node, &options, error) && attempt_init(&attempt, error)
                     && take_over(&attempt, from_host, error) && place_note(&attempt, error);

    attempt_clear(&attempt);
    return taken;
}

char *image_claim_own_text(store_t *store, const image_identity_t *identity, const image_record_t *record)
{
    g_autofree char *pool = claim_pool((const char *const *) record->run_images);
    g_autofree char *text = NULL;
    g_autoptr(claim_t) holder = NULL;

    if (!store_claim_read(store, pool, identity->server, &text, NULL) || text == NULL) {
        return NULL;
    }
    holder = claim_parse(text);
    return holder != NULL && g_strcmp0(holder->start_id, record->start_id) == 0 ? g_steal_pointer(&text) : NULL;
}

gboolean image_claim_clients_unknown(store_t *store, const image_identity_t *identity, const image_record_t *record,
                                     GError **error)
{
    g_autofree char *pool = claim_pool((const char *const *) record->run_images);
    g_autofree char *holder = image_claim_own_text(store, identity, record);
    g_autofree char *clients = unknown_clients_text(store, record, error);

    if (clients != NULL && holder == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "the claim on %s can't be read", identity->server);
    }
    return clients != NULL && holder != NULL
           && store_claim_note_set(store, pool, identity->server, holder, STORE_CLAIM_CLIENTS_KEY, clients, error);
}

/* What is noted of the record's start, NULL without an error: nothing. */
static gboolean noted_read(store_t *store, const char *pool, const image_identity_t *identity, const image_record_t *record,
                           claim_clients_t **noted, GError **error)
{
    g_autofree char *text = NULL;

    *noted = NULL;
    if (!store_claim_note_read(store, pool, identity->server, STORE_CLAIM_CLIENTS_KEY, &text, error)) {
        return FALSE;
    }
    *noted = claim_clients_parse(text, record->start_id);
    return TRUE;
}

static gboolean clients_note(store_t *store, const char *pool, const char *holder, const image_identity_t *identity,
                             const image_record_t *record, GError **error)
{
    gboolean have_all = FALSE;
    g_autoptr(claim_clients_t) noted = NULL;
    g_autoptr(GPtrArray) clients = NULL;
    g_autofree char *text = NULL;
    g_autofree char *whole = NULL;

    if (!noted_read(store, pool, identity, record, &noted, error)) {
        return FALSE;
    }
    if (noted != NULL && noted->complete) {
        return TRUE;
    }
    if (!image_openers_have_all(store, record->run_images, &have_all, error)) {
        return FALSE;
    }
    clients = have_all ? image_openers_own(store, record->run_images, error) : NULL;
    if (clients == NULL) {
        return !have_all;
    }
    g_ptr_array_add(clients, NULL);
    text = claim_clients_text(record->start_id, TRUE, (const char *const *) clients->pdata);
    whole = claim_clients_text_moving(text, noted != NULL ? noted->target : NULL);
    return store_claim_note_set(store, pool, identity->server, holder, STORE_CLAIM_CLIENTS_KEY, whole, error);
}

void image_claim_clients_note(store_t *store, const image_identity_t *identity, const image_record_t *record)
{
    g_autofree char *pool = claim_pool((const char *const *) record->run_images);
    g_autofree char *holder = image_claim_own_text(store, identity, record);
    g_autoptr(GError) error = NULL;

    if (holder != NULL && !clients_note(store, pool, holder, identity, record, &error)) {
        ocf_log("as which clients the image of %s writes can't be noted: %s", identity->server, error->message);
    }
}
