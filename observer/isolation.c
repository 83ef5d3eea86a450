/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "isolation.h"

#include <gio/gio.h>
#include <string.h>

/* The helper keeps its deadline itself; this is for one that hangs. */
#define KILL_GRACE_MS 2000

struct isolation {
    char *helper;
    char *ceph_conf;
    char *ceph_user;
    isolation_ended_fn ended;
    gpointer user_data;
    GHashTable *attempts; /* server -> attempt_t* */
};

typedef struct {
    isolation_t *isolation; /* NULL: cancelled */
    char *server;
    GSubprocess *process;
    guint kill_source;
    gboolean was_killed;
} attempt_t;

static void attempt_free(attempt_t *attempt)
{
    g_clear_handle_id(&attempt->kill_source, g_source_remove);
    g_clear_object(&attempt->process);
    g_free(attempt->server);
    g_free(attempt);
}

static gboolean on_overdue(gpointer user_data)
{
    attempt_t *attempt = user_data;

    attempt->kill_source = 0;
    attempt->was_killed = TRUE;
    g_subprocess_force_exit(attempt->process);
    return G_SOURCE_REMOVE;
}

static isolation_result_t read_result(const attempt_t *attempt, const char *output, char **sentence)
{
    GSubprocess *process = attempt->process;
    int status = g_subprocess_get_if_exited(process) ? g_subprocess_get_exit_status(process) : -1;

    if (attempt->was_killed) {
        *sentence = g_strdup("the attempt hung and was ended; look at Ceph and at the fencing device");
        return ISOLATION_STORE_OPEN;
    }
    *sentence = g_strdup((output != NULL && output[0] != '\0') ? output : "the helper gave no reason");
    g_strdelimit(g_strstrip(*sentence), "\n", ' ');
    switch (status) {
        case ISOLATION_DONE:
        case ISOLATION_NOT_CONFIRMED:
            return (isolation_result_t) status;
        default:
            return ISOLATION_STORE_OPEN; /* whatever happened, nothing is proved */
    }
}

/* Comes once for every process, after isolation_cancel() too. */
static void on_ended(GObject *source, GAsyncResult *result, gpointer user_data)
{
    attempt_t *attempt = user_data;
    isolation_t *isolation = attempt->isolation;
    g_autofree char *output = NULL;
    g_autofree char *sentence = NULL;
    isolation_result_t outcome = ISOLATION_STORE_OPEN;

    g_subprocess_communicate_utf8_finish(G_SUBPROCESS(source), result, &output, NULL, NULL);
    if (isolation != NULL) {
        outcome = read_result(attempt, output, &sentence);
        g_hash_table_steal(isolation->attempts, attempt->server);
        isolation->ended(attempt->server, outcome, sentence, isolation->user_data);
    }
    attempt_free(attempt);
}

/* on_ended() frees it. */
static void attempt_cancel(attempt_t *attempt)
{
    attempt->isolation = NULL;
    g_clear_handle_id(&attempt->kill_source, g_source_remove);
    g_subprocess_force_exit(attempt->process);
}

typedef struct {
    isolation_t *isolation;
    char *server;
    char *sentence;
} failure_t;

static gboolean tell_failure(gpointer user_data)
{
    failure_t *failure = user_data;

    failure->isolation->ended(failure->server, ISOLATION_STORE_OPEN, failure->sentence,
                              failure->isolation->user_data);
    g_free(failure->server);
    g_free(failure->sentence);
    g_free(failure);
    return G_SOURCE_REMOVE;
}

void isolation_start(isolation_t *isolation, const server_config_t *config)
{
    g_autofree char *timeout_ms = g_strdup_printf("%" G_GUINT64_FORMAT, config->isolate_timeout_ms);
    const char *argv[] = {
        isolation->helper, "--server", config->name, "--timeout-ms", timeout_ms, "--ceph-conf", isolation->ceph_conf,
        "--ceph-user", isolation->ceph_user,
        config->store_address != NULL ? "--store-address" : NULL, config->store_address, NULL,
    };
    GError *error = NULL;
    attempt_t *attempt = NULL;
    GSubprocess *process = NULL;

    isolation_cancel(isolation, config->name);
    process = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error);
    if (process == NULL) {
        failure_t *failure = g_new0(failure_t, 1);

        *failure = (failure_t) { isolation, g_strdup(config->name),
                                 g_strdup_printf("the helper can't be started: %s", error->message) };
        g_error_free(error);
        g_idle_add(tell_failure, failure);
        /* cppcheck-suppress memleak ; tell_failure() frees it */
        return;
    }
    attempt = g_new0(attempt_t, 1);
    attempt->isolation = isolation;
    attempt->server = g_strdup(config->name);
    attempt->process = process;
    attempt->kill_source = g_timeout_add((guint) (config->isolate_timeout_ms + KILL_GRACE_MS), on_overdue, attempt);
    g_hash_table_insert(isolation->attempts, attempt->server, attempt);
    g_subprocess_communicate_utf8_async(process, NULL, NULL, on_ended, attempt);
}

void isolation_cancel(isolation_t *isolation, const char *server)
{
    g_hash_table_remove(isolation->attempts, server);
}

isolation_t *isolation_new(const char *helper, const char *ceph_conf, const char *ceph_user,
                           isolation_ended_fn ended, gpointer user_data)
{
    isolation_t *isolation = g_new0(isolation_t, 1);

    isolation->helper = g_strdup(helper);
    isolation->ceph_conf = g_strdup(ceph_conf);
    isolation->ceph_user = g_strdup(ceph_user);
    isolation->ended = ended;
    isolation->user_data = user_data;
    isolation->attempts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) attempt_cancel);
    return isolation;
}

void isolation_free(isolation_t *isolation)
{
    if (isolation == NULL) {
        return;
    }
    g_hash_table_unref(isolation->attempts);
    g_free(isolation->helper);
    g_free(isolation->ceph_conf);
    g_free(isolation->ceph_user);
    g_free(isolation);
}
