/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has Pacemaker forget failed starts of images, beside the main loop. */
#include "clean_up.h"

#include "base/program.h"
#include "log.h"

#define CRM_RESOURCE "/usr/sbin/crm_resource"
#define TIMEOUT_MS   30000

struct clean_up {
    GHashTable *jobs; /* "RESOURCE HOST" -> job_t* */
};

typedef struct {
    clean_up_t *clean_up;
    char *name;
    program_t *program; /* NULL: it has ended */
} job_t;

static void job_free(gpointer data)
{
    job_t *job = data;

    g_clear_pointer(&job->program, program_cancel);
    g_free(job->name);
    g_free(job);
}

static void on_ended(const program_result_t *result, gpointer user_data)
{
    job_t *job = user_data;

    job->program = NULL;
    if (result->exit_status == 0) {
        log_line(LOG_NOTICE, "A start that was refused for want of its ticket is forgotten: %s", job->name);
    } else {
        log_line(LOG_WARNING, "A start that was refused for want of its ticket can't be cleaned up (%s): %s",
                 job->name, result->reason);
    }
    g_hash_table_remove(job->clean_up->jobs, job->name);
}

void clean_up_start(clean_up_t *clean_up, const char *resource_id, const char *host)
{
    const char *argv[] = { CRM_RESOURCE, "--cleanup", "--resource", resource_id, "--node", host, "--operation", "start",
                           "--interval", "0s", NULL };
    g_autofree char *name = g_strdup_printf("%s %s", resource_id, host);
    job_t *job = NULL;

    if (g_hash_table_contains(clean_up->jobs, name)) {
        return;
    }
    job = g_new0(job_t, 1);
    job->clean_up = clean_up;
    job->name = g_steal_pointer(&name);
    g_hash_table_insert(clean_up->jobs, job->name, job);
    job->program = program_start(argv, TIMEOUT_MS, on_ended, job);
}

clean_up_t *clean_up_new(void)
{
    clean_up_t *clean_up = g_new0(clean_up_t, 1);

    clean_up->jobs = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, job_free);
    return clean_up;
}

void clean_up_free(clean_up_t *clean_up)
{
    if (clean_up != NULL) {
        g_hash_table_unref(clean_up->jobs);
        g_free(clean_up);
    }
}
