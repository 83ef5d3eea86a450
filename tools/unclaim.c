/* SPDX-License-Identifier: GPL-2.0-or-later */
/* understudy unclaim: breaks the claim on a server whose holder can't be known to have ended. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "gather.h"
#include "run.h"
#include "store/claim.h"
#include "store/claim_refuse.h"
#include "store/registry.h"
#include "store/store.h"

#define STORE_TIMEOUT_MS 5000

static gboolean nobody_writes(store_t *store, const char *const *images, GError **error)
{
    g_autoptr(GPtrArray) openers = store_image_openers(store, images, error);

    for (guint i = 0; openers != NULL && i < openers->len; i++) {
        const store_opener_t *opener = g_ptr_array_index(openers, i);

        if (!opener->refused) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                        "%s is open at %s, which may write: end that client first ('ceph osd blocklist add %s %d')",
                        opener->image, opener->address, opener->address, STORE_CLIENT_BLOCK_S);
            return FALSE;
        }
    }
    return openers != NULL;
}

typedef struct breaking {
    store_t *store;
    const cluster_state_t *cluster;
    const char *server;
    GHashTable *places;   /* char* start id -> char* text */
    char **images;        /* all that a start may have used */
    gboolean broken;      /* somebody had a claim */
} breaking_t;

/* Which boot the holder's host has published last, NULL: that can't be known. g_free() */
static char *boot_id_of(store_t *store, const char *host)
{
    g_autofree char *key = g_strconcat(REGISTRY_HOST_PREFIX, host, NULL);
    g_autofree char *json = config_key_get(store, key, NULL);
    g_autoptr(registry_host_t) published = json != NULL ? registry_host_parse(host, json, NULL) : NULL;

    return published != NULL ? g_strdup(published->boot_id) : NULL;
}

static const char *published_end(const breaking_t *breaking, const char *host)
{
    for (guint i = 0; i < breaking->cluster->hosts->len; i++) {
        const cluster_host_t *found = g_ptr_array_index(breaking->cluster->hosts, i);

        if (strcmp(found->name, host) == 0) {
            return g_hash_table_lookup(found->ended, breaking->server);
        }
    }
    return NULL;
}

/* Whether its host says that it has ended there, or has booted since: then nobody has to be refused whole. */
static gboolean holder_is_gone(const breaking_t *breaking, const claim_t *holder, const char *noted_end)
{
    g_autofree char *boot_id = boot_id_of(breaking->store, holder->host);
    gboolean is_noted = g_strcmp0(noted_end, holder->start_id) == 0;
    const claim_evidence_t evidence = { .host = "", .boot_id = "", /* whichever this host is */
                                        .host_boot_id = boot_id,
                                        .ended_start = is_noted ? noted_end : published_end(breaking, holder->host) };

    return claim_holder_is_gone(holder, &evidence);
}

static gboolean claim_break(breaking_t *breaking, const char *pool, GError **error)
{
    store_t *store = breaking->store;
    const char *server = breaking->server;
    const char *const *images = (const char *const *) breaking->images;
    g_autofree char *text = NULL;
    g_autofree char *clients = NULL;
    g_autofree char *ended = NULL;
    g_autoptr(claim_t) holder = NULL;
    /* Before the claim is read: none of them is of a start that takes it later. */
    g_autoptr(GPtrArray) owners = store_image_lock_owners(store, images, error);

    if (owners == NULL || !nobody_writes(store, images, error) || !store_claim_read(store, pool, server, &text, error)
        || !store_claim_note_read(store, pool, server, STORE_CLAIM_CLIENTS_KEY, &clients, error)
        || !store_claim_note_read(store, pool, server, STORE_CLAIM_ENDED_KEY, &ended, error)) {
        return FALSE;
    }
    if (text == NULL) {
        return TRUE;
    }
    /* Who had the image, and was only asleep or cut off, never writes again. */
    holder = claim_parse(text);
    if (!claim_refuse_holder(store, holder, clients, owners, holder != NULL && holder_is_gone(breaking, holder, ended), FALSE,
                             error)
        || !store_claim_swap_state(store, pool, server,
                                   &(store_claim_state_t) { .holder = text, .clients = clients != NULL ? clients : "" },
                                   &(store_claim_state_t) { .holder = NULL }, error)) {
        return FALSE;
    }
    breaking->broken = TRUE;
    printf("%s was claimed by a start on %s in pool %s; now it is nobody's\n", server,
           holder != NULL ? holder->host : "an unknown host", pool);
    return TRUE;
}

/* A claim that lies where earlier parameters have put it. What its pool's name opens no more is the operator's word alone. */
static gboolean place_break(breaking_t *breaking, const claim_place_t *place, GError **error)
{
    g_autoptr(GError) pool_error = NULL;

    if (store_pool_exists(breaking->store, place->pool, &pool_error)) {
        return claim_break(breaking, place->pool, error);
    }
    if (!g_error_matches(pool_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&pool_error), "a claim on %s lies in pool %s: ", breaking->server,
                                   place->pool);
        return FALSE;
    }
    breaking->broken = TRUE;
    printf("%s was claimed by a start on %s in pool %s, which is not there any more; now it is nobody's\n", breaking->server,
           place->claim->host, place->pool);
    return TRUE;
}

static gboolean places_break(breaking_t *breaking, GError **error)
{
    gboolean good = TRUE;
    GHashTableIter iter;
    gpointer start_id = NULL;
    gpointer text = NULL;

    g_hash_table_iter_init(&iter, breaking->places);
    while (good && g_hash_table_iter_next(&iter, &start_id, &text)) {
        g_autoptr(claim_place_t) place = claim_place_parse(text, start_id);

        if (place == NULL) {
            breaking->broken = TRUE;
            printf("where a claim on %s lay can't be read; now it is nobody's\n", breaking->server);
        }
        good = (place == NULL || place_break(breaking, place, error))
               && store_claim_place_set(breaking->store, breaking->server, start_id, NULL, error);
    }
    return good;
}

static gboolean claims_break(store_t *store, const cluster_state_t *cluster, const cluster_server_t *server, GError **error)
{
    g_auto(GStrv) images = gather_run_image_names(server, error);
    g_autofree char *pool = images != NULL ? claim_pool((const char *const *) images) : NULL;
    breaking_t breaking = { .store = store, .cluster = cluster, .server = server->name };
    gboolean done = FALSE;

    breaking.places = pool != NULL ? store_claim_places(store, server->name, error) : NULL;
    if (breaking.places != NULL) {
        breaking.images = claim_images((const char *const *) images, breaking.places, NULL);
        done = claim_break(&breaking, pool, error) && places_break(&breaking, error);
        g_hash_table_unref(breaking.places);
        g_strfreev(breaking.images);
    }
    if (done && !breaking.broken) {
        printf("nobody has claimed %s\n", server->name);
    }
    return done;
}

static gboolean is_at_rest(const cluster_server_t *server, GError **error)
{
    if (server->image == IMAGE_UNKNOWN && cluster_server_may_run(server)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "the image of %s may run on %s: its claim is given back when it stops, or when that host has been fenced; "
                    "understudy status %s says what that waits for", server->name, server->image_host, server->name);
        return FALSE;
    }
    if (server->image == IMAGE_STARTING || server->image == IMAGE_RUNNING || server->image == IMAGE_STOPPING) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "the image of %s is %s: its claim is given back when it stops", server->name,
                    image_state_name(server->image));
        return FALSE;
    }
    return TRUE;
}

exit_code_t run_unclaim(const command_line_t *line, GError **error)
{
    cluster_state_t *cluster = gather_cluster(error);
    const cluster_server_t *server = cluster != NULL ? cluster_state_server(cluster, line->server) : NULL;
    store_t *store = NULL;
    gboolean done = FALSE;

    if (cluster == NULL) {
        return exit_code_of(*error);
    }
    if (server == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND, "no server '%s' is protected", line->server);
    } else if (is_at_rest(server, error)) {
        const char *user = g_hash_table_lookup(server->params, "ceph_user");
        const store_options_t options = { .conf = g_hash_table_lookup(server->params, "ceph_conf"),
                                          .user = user != NULL ? user : "understudy", .timeout_ms = STORE_TIMEOUT_MS };

        store = store_open(&options, error);
        done = store != NULL && claims_break(store, cluster, server, error);
    }
    store_close(store);
    cluster_state_free(cluster);
    return done ? EXIT_OK : exit_code_of(*error);
}
