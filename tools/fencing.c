/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fencing.h"

#include <string.h>

#include "base/program.h"
#include "judge/verdict.h"

/* The helper asks the fencer with a deadline of its own. */
#define LOOK_TIMEOUT_MS 10000

char **fencing_pending(GError **error)
{
    const char *argv[] = { ISOLATE_HELPER, "--fencing", NULL };
    g_autofree char *output = NULL;

    if (g_getenv("CIB_file") != NULL) {
        return g_new0(char *, 1);
    }
    if (!program_run(argv, LOOK_TIMEOUT_MS, &output, error)) {
        g_prefix_error(error, "Pacemaker's fencer does not say what is being fenced: ");
        return NULL;
    }
    return g_strsplit_set(output, " \n", -1);
}

gboolean fencing_names(const char *const *names, const char *name)
{
    for (; *names != NULL; names++) {
        if (g_ascii_strcasecmp(*names, name) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean is_known(const cluster_state_t *cluster, const char *name)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);
    gboolean found = g_hash_table_contains(cluster->node_names, lower);

    for (guint i = 0; !found && i < cluster->servers->len; i++) {
        found = g_ascii_strcasecmp(((const cluster_server_t *) g_ptr_array_index(cluster->servers, i))->name, name) == 0;
    }
    return found;
}

GPtrArray *fencing_strays(const cluster_state_t *cluster, const char *const *names)
{
    GPtrArray *sentences = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) told = g_hash_table_new(g_str_hash, g_str_equal);

    for (; *names != NULL; names++) {
        if (**names != '\0' && !is_known(cluster, *names) && g_hash_table_add(told, (gpointer) *names)) {
            g_ptr_array_add(sentences, g_strdup_printf(
                "%s is not protected, and a fencing of it is under way that can't be taken back: it may be switched off, and no "
                "image takes its place; look at stonith_admin --history %s, and when that is over whether %s is on", *names,
                *names, *names));
        }
    }
    return sentences;
}

static gboolean is_verdict(const char *verdict, verdict_t expected)
{
    return g_strcmp0(verdict, verdict_name(expected)) == 0;
}

gboolean fencing_may_come(const char *verdict)
{
    return is_verdict(verdict, VERDICT_DOUBTED) || is_verdict(verdict, VERDICT_ISOLATING);
}

char *fencing_keeps(const char *server, const char *verdict, const char *const *names)
{
    gboolean is_isolating = is_verdict(verdict, VERDICT_ISOLATING);

    if (names == NULL && !is_isolating) {
        return g_strdup_printf("it is not known whether a fencing of %s is under way: mend that, or use --force", server);
    }
    if (is_isolating || fencing_names(names, server)) {
        return g_strdup_printf("%s is being isolated, and what its power switch is told can't be taken back: forgotten now, %s "
                               "may be switched off later, and no image would take its place. Wait until understudy status %s "
                               "shows another verdict and stonith_admin --history %s nothing pending; or use --force", server,
                               server, server, server);
    }
    return NULL;
}
