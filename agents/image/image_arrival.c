/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The target of a migration says that its guest is not there, and does not come: image_claim_move.c. */
#include <string.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "fenced_host/fenced_host.h"
#include "host/hypervisor.h"
#include "image/image_claim.h"
#include "image/qemu_process.h"
#include "run_dir.h"
#include "store/claim.h"

/* That nothing is left to be looked at. */
#define SETTLED_FILE UNDERSTUDY_RUN_DIR "/arrivals-settled"

gboolean image_arrival_find(const char *node, store_t *store, const char *server, const char *const *run_images,
                            image_arrival_t *arrival, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(claim_t) holder = NULL;
    g_autoptr(claim_clients_t) clients = NULL;

    *arrival = (image_arrival_t) { .pool = claim_pool(run_images) };
    if (!store_claim_read(store, arrival->pool, server, &text, error)
        || !store_claim_note_read(store, arrival->pool, server, STORE_CLAIM_CLIENTS_KEY, &arrival->clients, error)
        || !store_claim_note_read(store, arrival->pool, server, STORE_CLAIM_ENDED_KEY, &arrival->ended_start, error)) {
        return FALSE;
    }
    holder = text != NULL ? claim_parse(text) : NULL;
    clients = holder != NULL ? claim_clients_parse(arrival->clients, holder->start_id) : NULL;
    if (clients != NULL && clients->target != NULL && strcmp(clients->target->host, node) == 0) {
        arrival->holder = g_steal_pointer(&text);
        arrival->secret_uuid = g_strdup(clients->target->secret_uuid);
    }
    return TRUE;
}

gboolean image_arrival_source_has_ended(const store_options_t *options, const char *server, const image_arrival_t *arrival)
{
    g_autoptr(claim_t) holder = claim_parse(arrival->holder);
    g_autofree char *boot_id = NULL;
    g_autofree char *ended_start = NULL;
    claim_evidence_t evidence = { .host = "", .boot_id = "" }; /* it is another host */

    fenced_host_holder(options, holder->host, server, &boot_id, &ended_start, &evidence.host_is_clean,
                       &evidence.host_is_fenced);
    evidence.host_boot_id = boot_id;
    evidence.ended_start = g_strcmp0(arrival->ended_start, holder->start_id) == 0 ? arrival->ended_start : ended_start;
    return claim_holder_is_gone(holder, &evidence);
}

gboolean image_arrival_end(store_t *store, const char *server, const image_arrival_t *arrival, GError **error)
{
    g_autofree char *stays = claim_clients_text_moving(arrival->clients, NULL);

    return store_claim_swap_state(store, arrival->pool, server,
                                  &(store_claim_state_t) { .holder = arrival->holder, .clients = arrival->clients },
                                  &(store_claim_state_t) { .holder = arrival->holder, .clients = stays }, error);
}

void image_arrival_clear(image_arrival_t *arrival)
{
    g_free(arrival->pool);
    g_free(arrival->holder);
    g_free(arrival->clients);
    g_free(arrival->secret_uuid);
    g_free(arrival->ended_start);
    *arrival = (image_arrival_t) { 0 };
}

/* When this host joins -------------------------------------------------------------*/

/* A migration that is under way has its key here. */
static gboolean has_neither_key_nor_domain(hypervisor_t *hypervisor, const image_identity_t *identity, const char *secret_uuid,
                                           guint timeout_ms, GError **error)
{
    hypervisor_domain_t domain = { .found = FALSE };
    gboolean has_key = TRUE;
    gboolean is_listed = TRUE;

    if (hypervisor == NULL || secret_uuid == NULL
        || !hypervisor_secret_exists(hypervisor, secret_uuid, &has_key, timeout_ms, error) || has_key
        || !hypervisor_domain_find(hypervisor, identity->domain_uuid, identity->domain_name, &domain, timeout_ms, error)) {
        return FALSE;
    }
    is_listed = domain.found;
    hypervisor_domain_clear(&domain);
    return !is_listed;
}

typedef struct settling {
    const char *node;
    const store_options_t *options;
    store_t *store;
    hypervisor_t *hypervisor; /* NULL: libvirtd does not answer */
} settling_t;

/* TRUE: nothing is left of it. */
static gboolean settle(const settling_t *settling, const image_identity_t *identity, const image_arrival_t *arrival, GError **error)
{
    pid_t pid = 0;

    if ((!image_arrival_source_has_ended(settling->options, identity->server, arrival)
         && !has_neither_key_nor_domain(settling->hypervisor, identity, arrival->secret_uuid, settling->options->timeout_ms,
                                        error))
        || !qemu_process_find(identity->domain_name, identity->domain_uuid, &pid, error) || pid != 0
        || !image_arrival_end(settling->store, identity->server, arrival, error)) {
        return FALSE;
    }
    ocf_log("the guest of %s was to come here by a migration: it is not here, and does not come any more", identity->server);
    return TRUE;
}

static gboolean place_settle(const settling_t *settling, const image_identity_t *identity, const claim_place_t *place)
{
    image_arrival_t arrival = { 0 };
    g_autoptr(GError) error = NULL;
    gboolean settled = image_arrival_find(settling->node, settling->store, identity->server,
                                          (const char *const *) place->run_images, &arrival, &error)
                       && (arrival.holder == NULL || settle(settling, identity, &arrival, &error));

    if (g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        settled = TRUE; /* with its pool the claim is gone */
    } else if (error != NULL) {
        ocf_log("whether the guest of %s comes here by a migration can't be told: %s", identity->server, error->message);
    }
    image_arrival_clear(&arrival);
    return settled;
}

/* Of a key "SERVER/claim/START"; NULL: it is none. */
static claim_place_t *place_of_key(const char *key, const char *text, char **server)
{
    const char *part = strstr(key, CLAIM_PLACE_KEY_PART);

    *server = part != NULL ? g_strndup(key, (gsize) (part - key)) : NULL;
    return part != NULL ? claim_place_parse(text, part + strlen(CLAIM_PLACE_KEY_PART)) : NULL;
}

gboolean image_arrivals_settle(const char *node, store_t *store, const store_options_t *options, GHashTable *values,
                               GHashTable *resource_ids, guint timeout_ms)
{
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;
    g_autoptr(GError) error = NULL;
    settling_t settling = { .node = node, .options = options, .store = store,
                            .hypervisor = hypervisor_open(HYPERVISOR_URI, options->timeout_ms, &error) };
    gboolean settled = TRUE;
    GHashTableIter iter;
    gpointer key = NULL;
    gpointer text = NULL;

    g_hash_table_iter_init(&iter, values);
    while (g_hash_table_iter_next(&iter, &key, &text)) {
        g_autofree char *server = NULL;
        g_autoptr(claim_place_t) place = place_of_key(key, text, &server);
        const char *resource_id = place != NULL ? g_hash_table_lookup(resource_ids, server) : NULL;
        image_identity_t identity = { 0 };

        if (resource_id != NULL && strcmp(place->claim->host, node) != 0
            && image_identity_init(&identity, resource_id, server, NULL)) {
            settled = g_get_monotonic_time() < deadline_us && place_settle(&settling, &identity, place) && settled;
            image_identity_clear(&identity);
        }
    }
    hypervisor_close(settling.hypervisor);
    return settled;
}

gboolean image_arrivals_are_settled(void)
{
    return g_file_test(SETTLED_FILE, G_FILE_TEST_EXISTS);
}

void image_arrivals_note(gboolean settled)
{
    if (!settled) {
        (void) g_unlink(SETTLED_FILE);
    } else if (g_mkdir_with_parents(UNDERSTUDY_RUN_DIR, 0755) == 0) {
        (void) g_file_set_contents(SETTLED_FILE, "", 0, NULL); /* else it is looked again */
    }
}
