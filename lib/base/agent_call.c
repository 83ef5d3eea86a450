/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/agent_call.h"

#include <string.h>

#include "base/names.h"

#define REASON_PREFIX "ocf-exit-reason:"
/* OCF's "wrong on every host until it is changed". */
#define RC_CONFIGURED 6
/* The agent keeps its deadline itself; this is for one that hangs. */
#define KILL_GRACE_MS 1000

char *agent_path(const char *agent)
{
    const char *root = g_getenv("OCF_ROOT");

    return root != NULL ? g_build_filename(root, "resource.d", OCF_PROVIDER, agent, NULL)
                        : g_build_filename(OCF_DIR, agent, NULL);
}

char **agent_boot_check_environment(const char *const *environment, const char *resource_id, GHashTable *params,
                                    guint timeout_ms)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autofree char *level = g_strdup_printf("OCF_CHECK_LEVEL=%d", AGENT_BOOT_CHECK_LEVEL);
    g_autofree char *instance = g_strconcat("OCF_RESOURCE_INSTANCE=", resource_id, NULL);
    g_autofree char *timeout = g_strdup_printf("OCF_RESKEY_CRM_meta_timeout=%u", timeout_ms);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    /* An observer is the child of an agent, whose parameters have the same names. */
    for (; *environment != NULL; environment++) {
        if (!g_str_has_prefix(*environment, "OCF_")) {
            g_strv_builder_add(builder, *environment);
        }
    }
    g_strv_builder_add(builder, "OCF_EXIT_REASON_PREFIX=" REASON_PREFIX);
    g_strv_builder_add(builder, level);
    g_strv_builder_add(builder, instance);
    g_hash_table_iter_init(&iter, params);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        g_autofree char *pair = g_strdup_printf("OCF_RESKEY_%s=%s", (const char *) name, (const char *) value);

        if (strcmp(name, "CRM_meta_timeout") != 0) {
            g_strv_builder_add(builder, pair);
        }
    }
    g_strv_builder_add(builder, timeout);
    return g_strv_builder_end(builder);
}

/* The last reason that it gave, without the log before it. */
static char *reason_of(const char *complaint)
{
    const char *last = g_strrstr(complaint, REASON_PREFIX);

    return g_strdup(last != NULL ? last + strlen(REASON_PREFIX) : complaint);
}

bootable_answer_t agent_boot_check_judge(const program_result_t *result, char **sentence)
{
    if (result->exit_status == 0) {
        *sentence = NULL;
        return BOOTABLE_YES;
    }
    *sentence = reason_of(result->reason);
    /* Every other end is this host's, or silence: no proof that another host could not boot it either. */
    return result->exit_status == RC_CONFIGURED ? BOOTABLE_NO : BOOTABLE_UNKNOWN;
}

program_t *agent_boot_check_start(const char *resource_id, GHashTable *params, guint timeout_ms, program_ended_fn ended,
                                  gpointer user_data)
{
    g_autofree char *path = agent_path("image");
    g_auto(GStrv) own = g_get_environ();
    g_auto(GStrv) environment = agent_boot_check_environment((const char *const *) own, resource_id, params, timeout_ms);
    const char *argv[] = { path, "validate-all", NULL };

    return program_start_in(argv, environment, timeout_ms + KILL_GRACE_MS, ended, user_data);
}

/* To its end ------------------------------------------------------------------*/

typedef struct {
    gboolean ended;
    bootable_answer_t answer;
    char *sentence;
} run_t;

static void on_ended(const program_result_t *result, gpointer user_data)
{
    run_t *run = user_data;

    run->answer = agent_boot_check_judge(result, &run->sentence);
    run->ended = TRUE;
}

bootable_answer_t agent_boot_check_run(const char *resource_id, GHashTable *params, guint timeout_ms, char **sentence)
{
    run_t run = { .answer = BOOTABLE_UNKNOWN };

    agent_boot_check_start(resource_id, params, timeout_ms, on_ended, &run);
    while (!run.ended) {
        g_main_context_iteration(NULL, TRUE);
    }
    *sentence = run.sentence;
    return run.answer;
}
