/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a start could boot what the store holds of a server: asked of the image agent, in a child process.
 *
 * Only the store's own word that nobody can boot it refuses a takeover. Silence does not, nor does anything that may be
 * this host's alone (no keyring, no agent, a busy processor): it proves nothing of the other hosts, and a leader that is
 * cut off from the store would keep all of them from taking over, just when a failure has hit more than one machine. A
 * start asks the same questions again, waits for the store, and fails safely.
 */
#include "bootable.h"

#include "base/agent_call.h"
#include "log.h"

#define ANSWER_TIMEOUT_MS 5000
/* Each costs a connection to the store and some time of a processor that judges servers as well. */
#define RUNNING_MAX       4
/* When very many servers fail at once: who has waited so long is not asked, so that it is not held up. */
#define WAITING_MAX_US    (10 * G_USEC_PER_SEC)

typedef struct {
    bootable_t *bootable;
    char *server;
    char *resource_id;
    GHashTable *params;
    gint64 asked_us;
    program_t *program; /* NULL: it waits for its turn, or it has ended */
} job_t;

struct bootable {
    bootable_told_fn told;
    gpointer user_data;
    GHashTable *jobs;   /* char* server -> job_t* */
    GQueue *waiting;    /* job_t*, in jobs */
    guint running_count;
    guint source;
};

static void next_later(bootable_t *bootable);

static void job_free(gpointer data)
{
    job_t *job = data;

    g_clear_pointer(&job->program, program_cancel);
    g_hash_table_unref(job->params);
    g_free(job->resource_id);
    g_free(job->server);
    g_free(job);
}

/* told() may ask the next question about the same server. */
static void job_end(job_t *job, bootable_answer_t answer, const char *sentence)
{
    bootable_t *bootable = job->bootable;
    g_autofree char *obstacle = NULL;

    if (answer == BOOTABLE_UNKNOWN) {
        log_line(LOG_NOTICE, "Server %s: whether its image can be booted is not known (%s); this does not keep it from being "
                             "taken over", job->server, sentence);
    }
    g_hash_table_steal(bootable->jobs, job->server);
    obstacle = answer == BOOTABLE_NO ? g_strdup_printf("no host could boot its image: %s", sentence) : NULL;
    bootable->told(job->server, obstacle, bootable->user_data);
    job_free(job);
}

static void on_ended(const program_result_t *result, gpointer user_data)
{
    job_t *job = user_data;
    bootable_t *bootable = job->bootable;
    g_autofree char *sentence = NULL;
    bootable_answer_t answer = agent_boot_check_judge(result, &sentence);

    job->program = NULL;
    bootable->running_count--;
    job_end(job, answer, sentence);
    next_later(bootable);
}

static gboolean next(gpointer user_data)
{
    bootable_t *bootable = user_data;

    bootable->source = 0;
    while (bootable->running_count < RUNNING_MAX && !g_queue_is_empty(bootable->waiting)) {
        job_t *job = g_queue_pop_head(bootable->waiting);

        if (g_get_monotonic_time() - job->asked_us > WAITING_MAX_US) {
            job_end(job, BOOTABLE_UNKNOWN, "too many servers are asked about at once");
            continue;
        }
        bootable->running_count++;
        job->program = agent_boot_check_start(job->resource_id, job->params, ANSWER_TIMEOUT_MS, on_ended, job);
    }
    return G_SOURCE_REMOVE;
}

static void next_later(bootable_t *bootable)
{
    if (bootable->source == 0 && !g_queue_is_empty(bootable->waiting)) {
        bootable->source = g_idle_add(next, bootable);
    }
}

void bootable_ask(bootable_t *bootable, const char *server, const char *resource_id, GHashTable *params)
{
    job_t *job = NULL;

    if (g_hash_table_contains(bootable->jobs, server)) {
        return;
    }
    job = g_new0(job_t, 1);
    job->bootable = bootable;
    job->server = g_strdup(server);
    job->resource_id = g_strdup(resource_id);
    job->params = g_hash_table_ref(params);
    job->asked_us = g_get_monotonic_time();
    g_hash_table_insert(bootable->jobs, job->server, job);
    g_queue_push_tail(bootable->waiting, job);
    next_later(bootable);
}

bootable_t *bootable_new(bootable_told_fn told, gpointer user_data)
{
    bootable_t *bootable = g_new0(bootable_t, 1);

    bootable->told = told;
    bootable->user_data = user_data;
    bootable->jobs = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, job_free);
    bootable->waiting = g_queue_new();
    return bootable;
}

void bootable_free(bootable_t *bootable)
{
    if (bootable == NULL) {
        return;
    }
    g_clear_handle_id(&bootable->source, g_source_remove);
    g_queue_free(bootable->waiting);
    g_hash_table_unref(bootable->jobs);
    g_free(bootable);
}
