/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seen.h"

#include <string.h>

#include "base/names.h"
#include "base/program.h"
#include "log.h"

#define SOON_MS           200
#define RETRY_MS          10000
/* An operator may have set a key by `understudy adopt --trust-probes`. */
#define WANTED_MS         20000
/* The helper keeps a deadline itself; this is for one that hangs. */
#define HELPER_TIMEOUT_MS 40000
/* Written in one go, so that the helper ends within its deadline. */
#define BATCH_MAX         100

struct seen {
    const char *helper;
    const char *ceph_conf;
    const char *ceph_user;
    seen_callbacks_t callbacks;
    gpointer user_data;
    program_t *program;       /* NULL: none runs */
    guint source;             /* the next look */
    gboolean loaded;
    gboolean look_again;      /* asked for while the helper ran */
    gboolean failure_logged;
};

static void look_in(seen_t *seen, guint delay_ms);

/* "SERVER=DIGEST" and so on, separated by blanks; both come from names and digests that have none. */
static GHashTable *read_pairs(const char *text)
{
    GHashTable *stored = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_auto(GStrv) words = g_strsplit(text, " ", -1);

    for (char **word = words; *word != NULL; word++) {
        const char *equals = strchr(*word, '=');
        g_autofree char *server = equals != NULL ? g_strndup(*word, (gsize) (equals - *word)) : NULL;

        if (server != NULL && server_name_is_valid(server)) {
            g_hash_table_insert(stored, g_steal_pointer(&server), g_strdup(equals + 1));
        }
    }
    return stored;
}

static void on_ended(const program_result_t *result, gpointer user_data)
{
    seen_t *seen = user_data;
    gboolean done = result->exit_status == 0;

    seen->program = NULL;
    if (done) {
        g_autoptr(GHashTable) stored = read_pairs(result->output);

        seen->loaded = TRUE;
        seen->callbacks.loaded(stored, seen->user_data);
    } else if (!seen->failure_logged) {
        log_line(LOG_WARNING, "Which servers were seen up can't be read from the store, or written there; it is tried again: %s",
                 result->reason);
    }
    seen->failure_logged = !done;
    look_in(seen, !done ? RETRY_MS : seen->look_again ? SOON_MS : WANTED_MS);
    seen->look_again = FALSE;
}

static gboolean look(gpointer user_data)
{
    seen_t *seen = user_data;
    g_autoptr(GHashTable) unstored = seen->callbacks.unstored(seen->user_data);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer server = NULL;
    gpointer digest = NULL;

    seen->source = 0;
    if (seen->loaded && g_hash_table_size(unstored) == 0 && !seen->callbacks.is_wanted(seen->user_data)) {
        look_in(seen, WANTED_MS);
        return G_SOURCE_REMOVE;
    }
    g_ptr_array_add(argv, (gpointer) seen->helper);
    g_ptr_array_add(argv, (gpointer) "--ceph-conf");
    g_ptr_array_add(argv, (gpointer) seen->ceph_conf);
    g_ptr_array_add(argv, (gpointer) "--ceph-user");
    g_ptr_array_add(argv, (gpointer) seen->ceph_user);
    g_hash_table_iter_init(&iter, unstored);
    while (pairs->len < BATCH_MAX && g_hash_table_iter_next(&iter, &server, &digest)) {
        g_ptr_array_add(pairs, g_strdup_printf("%s=%s", (const char *) server, (const char *) digest));
        g_ptr_array_add(argv, g_ptr_array_index(pairs, pairs->len - 1));
    }
    g_ptr_array_add(argv, NULL);
    seen->look_again = g_hash_table_size(unstored) > pairs->len;
    seen->program = program_start((const char *const *) argv->pdata, HELPER_TIMEOUT_MS, on_ended, seen);
    return G_SOURCE_REMOVE;
}

static void look_in(seen_t *seen, guint delay_ms)
{
    g_clear_handle_id(&seen->source, g_source_remove);
    seen->source = g_timeout_add(delay_ms, look, seen);
}

void seen_look(seen_t *seen)
{
    if (seen->program != NULL) {
        seen->look_again = TRUE;
    } else if (seen->loaded) {
        look_in(seen, SOON_MS);
    }
}

seen_t *seen_new(const char *helper, const char *ceph_conf, const char *ceph_user, const seen_callbacks_t *callbacks,
                 gpointer user_data)
{
    seen_t *seen = g_new0(seen_t, 1);

    seen->helper = helper;
    seen->ceph_conf = ceph_conf;
    seen->ceph_user = ceph_user;
    seen->callbacks = *callbacks;
    seen->user_data = user_data;
    look_in(seen, 0);
    return seen;
}

void seen_free(seen_t *seen)
{
    if (seen == NULL) {
        return;
    }
    g_clear_handle_id(&seen->source, g_source_remove);
    g_clear_pointer(&seen->program, program_cancel);
    g_free(seen);
}
