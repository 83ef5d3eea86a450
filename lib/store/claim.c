/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/claim.h"

#include <string.h>

/* "HOST BOOT_ID START_ID": none of them has a blank in it. */
enum { WORD_HOST, WORD_BOOT_ID, WORD_START_ID, WORD_COUNT };

claim_t *claim_new(const char *host, const char *boot_id, const char *start_id)
{
    claim_t *claim = g_new0(claim_t, 1);

    claim->host = g_strdup(host);
    claim->boot_id = g_strdup(boot_id);
    claim->start_id = g_strdup(start_id);
    return claim;
}

void claim_free(claim_t *claim)
{
    if (claim != NULL) {
        g_free(claim->host);
        g_free(claim->boot_id);
        g_free(claim->start_id);
        g_free(claim);
    }
}

claim_t *claim_parse(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);

    if (g_strv_length(words) != WORD_COUNT || !g_utf8_validate(text, -1, NULL)) {
        return NULL;
    }
    for (guint i = 0; i < WORD_COUNT; i++) {
        if (words[i][0] == '\0') {
            return NULL;
        }
    }
    return claim_new(words[WORD_HOST], words[WORD_BOOT_ID], words[WORD_START_ID]);
}

char *claim_text(const claim_t *claim)
{
    return g_strjoin(" ", claim->host, claim->boot_id, claim->start_id, NULL);
}

char *claim_pool(const char *const *run_images)
{
    g_autofree char *first = NULL;

    for (; *run_images != NULL; run_images++) {
        g_autofree char *pool = g_strndup(*run_images, strcspn(*run_images, "/"));

        if (first == NULL || strcmp(pool, first) < 0) {
            g_free(first);
            first = g_steal_pointer(&pool);
        }
    }
    return g_steal_pointer(&first);
}

const char *claim_ended_reason(const claim_t *claim, const claim_evidence_t *evidence)
{
    if (strcmp(claim->host, evidence->host) == 0) {
        if (strcmp(claim->boot_id, evidence->boot_id) != 0) {
            return "this host has booted since";
        }
        /* A record is written before the claim is taken, and goes with a stop. */
        return evidence->start_is_known ? NULL : "it was stopped on this host";
    }
    if (evidence->host_boot_id != NULL && strcmp(claim->boot_id, evidence->host_boot_id) != 0) {
        return "its host has booted since";
    }
    if (g_strcmp0(evidence->ended_start, claim->start_id) == 0) {
        return "its host says that it has ended";
    }
    return evidence->host_is_clean ? "its host is down, and nothing is left there to be fenced" : NULL;
}

gboolean claim_holder_is_gone(const claim_t *claim, const claim_evidence_t *evidence)
{
    claim_evidence_t proof = *evidence;

    proof.host_is_clean = FALSE;
    return claim_ended_reason(claim, &proof) != NULL;
}

gboolean claim_holder_is_dead(const claim_t *claim, const claim_evidence_t *evidence)
{
    return evidence->host_is_fenced || claim_holder_is_gone(claim, evidence);
}

/* "START_ID all|some ADDRESS ...", then, if a migration was asked for, " to HOST ID SECRET_UUID all|some ADDRESS ...";
 * UNKNOWN stands for what there is not. */
#define CLIENTS_ALL  "all"
#define CLIENTS_SOME "some"
#define CLIENTS_TO   "to"
#define UNKNOWN      "-"
enum { CLIENTS_WORD_START_ID, CLIENTS_WORD_WHICH, CLIENTS_WORD_ADDRESS };
enum { TARGET_WORD_HOST, TARGET_WORD_ID, TARGET_WORD_SECRET, TARGET_WORD_WHICH, TARGET_WORD_ADDRESS };

static char *known_word(const char *word)
{
    return strcmp(word, UNKNOWN) != 0 ? g_strdup(word) : NULL;
}

/* Of the words after "to". */
static claim_target_t *target_new(char **words)
{
    claim_target_t *target = g_new0(claim_target_t, 1);

    if (g_strv_length(words) < TARGET_WORD_ADDRESS) {
        target->host = g_strdup("");
        target->addresses = g_new0(char *, 1);
        return target;
    }
    target->host = g_strdup(words[TARGET_WORD_HOST]);
    target->id = g_strdup(words[TARGET_WORD_ID]);
    target->secret_uuid = known_word(words[TARGET_WORD_SECRET]);
    target->complete = strcmp(words[TARGET_WORD_WHICH], CLIENTS_ALL) == 0;
    target->addresses = g_strdupv(&words[TARGET_WORD_ADDRESS]);
    return target;
}

static void target_free(claim_target_t *target)
{
    if (target != NULL) {
        g_free(target->host);
        g_free(target->id);
        g_free(target->secret_uuid);
        g_strfreev(target->addresses);
        g_free(target);
    }
}

claim_clients_t *claim_clients_parse(const char *text, const char *start_id)
{
    g_auto(GStrv) words = g_strsplit(text != NULL ? text : "", " ", -1);
    claim_clients_t *clients = NULL;
    GPtrArray *own = NULL;
    char **word = NULL;

    if (g_strv_length(words) < CLIENTS_WORD_ADDRESS || strcmp(words[CLIENTS_WORD_START_ID], start_id) != 0) {
        return NULL;
    }
    own = g_ptr_array_new();
    for (word = &words[CLIENTS_WORD_ADDRESS]; *word != NULL && strcmp(*word, CLIENTS_TO) != 0; word++) {
        g_ptr_array_add(own, g_strdup(*word));
    }
    g_ptr_array_add(own, NULL);
    clients = g_new0(claim_clients_t, 1);
    clients->complete = strcmp(words[CLIENTS_WORD_WHICH], CLIENTS_ALL) == 0;
    clients->addresses = (char **) g_ptr_array_free(own, FALSE);
    clients->target = *word != NULL ? target_new(word + 1) : NULL;
    return clients;
}

char *claim_clients_text(const char *start_id, gboolean complete, const char *const *addresses)
{
    g_autofree char *list = g_strjoinv(" ", (char **) addresses);

    return g_strjoin(" ", start_id, complete ? CLIENTS_ALL : CLIENTS_SOME, list, NULL);
}

char *claim_clients_text_moving(const char *text, const claim_target_t *target)
{
    const char *to = strstr(text, " " CLIENTS_TO " ");
    g_autofree char *own = to != NULL ? g_strndup(text, (gsize) (to - text)) : g_strdup(text);
    g_autofree char *list = target != NULL ? g_strjoinv(" ", target->addresses) : NULL;

    if (target == NULL) {
        return g_steal_pointer(&own);
    }
    return g_strjoin(" ", own, CLIENTS_TO, target->host, target->id,
                     target->secret_uuid != NULL ? target->secret_uuid : UNKNOWN,
                     target->complete ? CLIENTS_ALL : CLIENTS_SOME, list[0] != '\0' ? list : NULL, NULL);
}

void claim_clients_free(claim_clients_t *clients)
{
    if (clients != NULL) {
        g_strfreev(clients->addresses);
        target_free(clients->target);
        g_free(clients);
    }
}

/* "HOST BOOT_ID START_ID IMAGE ..." */
static gboolean images_are_good(char **images)
{
    for (char **image = images; *image != NULL; image++) {
        const char *slash = strchr(*image, '/');

        if (slash == NULL || slash == *image || slash[1] == '\0') {
            return FALSE;
        }
    }
    return images[0] != NULL;
}

static char *claim_of_words(char **words)
{
    return g_strjoin(" ", words[WORD_HOST], words[WORD_BOOT_ID], words[WORD_START_ID], NULL);
}

claim_place_t *claim_place_parse(const char *text, const char *start_id)
{
    g_auto(GStrv) words = g_strsplit(text != NULL ? text : "", " ", -1);
    gboolean is_long = g_strv_length(words) > WORD_COUNT;
    g_autofree char *of_claim = is_long ? claim_of_words(words) : NULL;
    g_autoptr(claim_t) claim = is_long && g_utf8_validate(text, -1, NULL) ? claim_parse(of_claim) : NULL;
    claim_place_t *place = NULL;

    if (claim == NULL || strcmp(claim->start_id, start_id) != 0 || !images_are_good(&words[WORD_COUNT])) {
        return NULL;
    }
    place = g_new0(claim_place_t, 1);
    place->claim = g_steal_pointer(&claim);
    place->run_images = g_strdupv(&words[WORD_COUNT]);
    place->pool = claim_pool((const char *const *) place->run_images);
    return place;
}

static void images_add(GPtrArray *images, const char *const *more)
{
    for (; *more != NULL; more++) {
        if (!g_ptr_array_find_with_equal_func(images, *more, g_str_equal, NULL)) {
            g_ptr_array_add(images, g_strdup(*more));
        }
    }
}

char **claim_images(const char *const *run_images, GHashTable *places, const char **unreadable)
{
    GPtrArray *images = g_ptr_array_new();
    const char *unread = NULL;
    GHashTableIter iter;
    gpointer start_id = NULL;
    gpointer text = NULL;

    images_add(images, run_images);
    g_hash_table_iter_init(&iter, places);
    while (g_hash_table_iter_next(&iter, &start_id, &text)) {
        g_autoptr(claim_place_t) place = claim_place_parse(text, start_id);

        if (place != NULL) {
            images_add(images, (const char *const *) place->run_images);
        } else {
            unread = start_id;
        }
    }
    g_ptr_array_add(images, NULL);
    if (unreadable != NULL) {
        *unreadable = unread;
    }
    return (char **) g_ptr_array_free(images, FALSE);
}

char *claim_place_text(const char *claim_text, const char *const *run_images)
{
    g_autofree char *images = g_strjoinv(" ", (char **) run_images);

    return g_strjoin(" ", claim_text, images, NULL);
}

void claim_place_free(claim_place_t *place)
{
    if (place != NULL) {
        claim_free(place->claim);
        g_free(place->pool);
        g_strfreev(place->run_images);
        g_free(place);
    }
}
