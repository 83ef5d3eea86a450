/* SPDX-License-Identifier: GPL-2.0-or-later */
/* understudy unclaim: breaks the claim on a server whose holder can't be known to have ended. */
#include <stdio.h>
#include <string.h>

#include "claim.h"
#include "claim_refuse.h"
#include "error.h"
#include "gather.h"
#include "names.h"
#include "run.h"
#include "store.h"

#define STORE_TIMEOUT_MS 5000

static char *run_image_text(const char *disk, const char *run_pool, const char *server, guint index, GError **error)
{
    store_image_name_t *name = store_image_name_parse(disk, error);
    g_autofree char *image = server_run_image_name(server, index);
    char *text = NULL;

    if (name != NULL) {
        text = g_strjoin("/", run_pool != NULL ? run_pool : name->pool, image, NULL);
    }
    store_image_name_free(name);
    return text;
}

static char **run_images(const cluster_server_t *server, GError **error)
{
    const char *disks = g_hash_table_lookup(server->params, "disks");
    const char *run_pool = g_hash_table_lookup(server->params, "run_pool");
    g_auto(GStrv) words = g_strsplit_set(disks != NULL ? disks : "", " \t,", -1);
    g_autoptr(GStrvBuilder) found = g_strv_builder_new();
    guint index = 0;

    for (char **word = words; *word != NULL; word++) {
        g_autofree char *text = NULL;

        if (**word == '\0') {
            continue;
        }
        text = run_image_text(*word, run_pool, server->name, index, error);
        if (text == NULL) {
            return NULL;
        }
        g_strv_builder_add(found, text);
        index++;
    }
    return g_strv_builder_end(found);
}

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

/* *broken is set if somebody had it. */
static gboolean claim_break(store_t *store, const char *server, const char *const *images, gboolean *broken, GError **error)
{
    g_autofree char *pool = claim_pool(images);
    g_autofree char *text = NULL;
    g_autofree char *clients = NULL;
    g_autoptr(claim_t) holder = NULL;
    /* Before the claim is read: none of them is of a start that takes it later. */
    g_autoptr(GPtrArray) owners = pool != NULL ? store_image_lock_owners(store, images, error) : NULL;

    if (owners == NULL || !nobody_writes(store, images, error)
        || !store_claim_read(store, pool, server, &text, error)
        || !store_claim_note_read(store, pool, server, STORE_CLAIM_CLIENTS_KEY, &clients, error)) {
        return FALSE;
    }
    if (text == NULL) {
        return TRUE;
    }
    /* Who had the image, and was only asleep or cut off, never writes again. */
    holder = claim_parse(text);
    if (!claim_refuse_holder(store, holder, clients, owners, FALSE, error)
        || !store_claim_swap_state(store, pool, server,
                                   &(store_claim_state_t) { .holder = text, .clients = clients != NULL ? clients : "" },
                                   &(store_claim_state_t) { .holder = NULL }, error)) {
        return FALSE;
    }
    *broken = TRUE;
    printf("%s was claimed by a start on %s; now it is nobody's\n", server,
           holder != NULL ? holder->host : "an unknown host");
    return TRUE;
}

/* A claim that lies where earlier parameters have put it. What its pool's name opens no more is the operator's word alone. */
static gboolean place_break(store_t *store, const char *server, const claim_place_t *place, gboolean *broken, GError **error)
{
    g_autoptr(GError) pool_error = NULL;

    if (store_pool_exists(store, place->pool, &pool_error)) {
        return claim_break(store, server, (const char *const *) place->run_images, broken, error);
    }
    if (!g_error_matches(pool_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&pool_error), "a claim on %s lies in pool %s: ", server, place->pool);
        return FALSE;
    }
    *broken = TRUE;
    printf("%s was claimed by a start on %s in pool %s, which is not there any more; now it is nobody's\n", server,
           place->claim->host, place->pool);
    return TRUE;
}

static gboolean places_break(store_t *store, const char *server, gboolean *broken, GError **error)
{
    g_autoptr(GHashTable) places = store_claim_places(store, server, error);
    gboolean good = places != NULL;
    GHashTableIter iter;
    gpointer start_id = NULL;
    gpointer text = NULL;

    if (good) {
        g_hash_table_iter_init(&iter, places);
    }
    while (good && g_hash_table_iter_next(&iter, &start_id, &text)) {
        g_autoptr(claim_place_t) place = claim_place_parse(text, start_id);

        good = (place == NULL || place_break(store, server, place, broken, error))
               && store_claim_place_set(store, server, start_id, NULL, error);
    }
    return good;
}

static gboolean claims_break(store_t *store, const cluster_server_t *server, GError **error)
{
    g_auto(GStrv) images = run_images(server, error);
    gboolean broken = FALSE;

    if (images == NULL || !claim_break(store, server->name, (const char *const *) images, &broken, error)
        || !places_break(store, server->name, &broken, error)) {
        return FALSE;
    }
    if (!broken) {
        printf("nobody has claimed %s\n", server->name);
    }
    return TRUE;
}

static gboolean is_at_rest(const cluster_server_t *server, GError **error)
{
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
        done = store != NULL && claims_break(store, server, error);
    }
    store_close(store);
    cluster_state_free(cluster);
    return done ? EXIT_OK : exit_code_of(*error);
}
