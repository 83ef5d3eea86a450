/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "isolation.h"

#include "base/program.h"

/* The helper keeps its deadline itself; this is for one that hangs. */
#define KILL_GRACE_MS 2000
/* The fencer is asked with a deadline of its own. */
#define FENCING_LOOK_TIMEOUT_MS 10000

struct isolation {
    char *helper;
    char *ceph_conf;
    char *ceph_user;
    const agent_kinds_t *agent_kinds;
    isolation_ended_fn ended;
    isolation_fencing_fn fencing_looked;
    program_t *fencing_look; /* NULL: none runs */
    gpointer user_data;
    GHashTable *attempts; /* server -> attempt_t* */
};

typedef struct {
    isolation_t *isolation;
    char *server;
    program_t *helper; /* NULL: it has ended */
} attempt_t;

static void attempt_free(attempt_t *attempt)
{
    g_clear_pointer(&attempt->helper, program_cancel);
    g_free(attempt->server);
    g_free(attempt);
}

static isolation_result_t read_result(const program_result_t *result, const char **sentence)
{
    *sentence = result->overdue             ? "the attempt hung and was ended; look at Ceph and at the fencing device"
                : result->output[0] != '\0' ? result->output
                                            : result->reason;
    switch (result->exit_status) {
        case ISOLATION_DONE:
        case ISOLATION_NOT_CONFIRMED:
        case ISOLATION_NO_EFFECT:
        case ISOLATION_NO_EFFECT_STORE_OPEN:
        case ISOLATION_ENDED:
        case ISOLATION_ENDED_STORE_OPEN:
        case ISOLATION_NOT_ASKED:
        case ISOLATION_NOT_ASKED_STORE_OPEN:
            return (isolation_result_t) result->exit_status;
        default:
            return ISOLATION_STORE_OPEN; /* whatever happened, nothing is proved */
    }
}

static void on_ended(const program_result_t *result, gpointer user_data)
{
    attempt_t *attempt = user_data;
    isolation_t *isolation = attempt->isolation;
    const char *sentence = NULL;
    isolation_result_t outcome = read_result(result, &sentence);

    attempt->helper = NULL;
    g_hash_table_steal(isolation->attempts, attempt->server); /* ended() may start the next */
    isolation->ended(attempt->server, outcome, sentence, isolation->user_data);
    attempt_free(attempt);
}

static void helper_start(isolation_t *isolation, const server_config_t *config, const char *const *argv)
{
    attempt_t *attempt = g_new0(attempt_t, 1);

    isolation_cancel(isolation, config->name);
    attempt->isolation = isolation;
    attempt->server = g_strdup(config->name);
    attempt->helper = program_start(argv, (guint) (config->isolate_timeout_ms + KILL_GRACE_MS), on_ended, attempt);
    g_hash_table_insert(isolation->attempts, attempt->server, attempt);
}

void isolation_look(isolation_t *isolation, const server_config_t *config)
{
    g_autofree char *timeout_ms = g_strdup_printf("%" G_GUINT64_FORMAT, config->isolate_timeout_ms);
    const char *argv[] = { isolation->helper, "--server", config->name, "--timeout-ms", timeout_ms, "--look", NULL };

    helper_start(isolation, config, argv);
}

static void on_fencing_looked(const program_result_t *result, gpointer user_data)
{
    isolation_t *isolation = user_data;
    g_auto(GStrv) pending = g_strsplit(result->output, " ", -1);
    gboolean is_told = !result->overdue && result->exit_status == 0;

    isolation->fencing_look = NULL;
    isolation->fencing_looked(is_told ? (const char *const *) pending : NULL, isolation->user_data);
}

void isolation_look_fencing(isolation_t *isolation)
{
    const char *argv[] = { isolation->helper, "--fencing", NULL };

    g_clear_pointer(&isolation->fencing_look, program_cancel);
    isolation->fencing_look = program_start(argv, FENCING_LOOK_TIMEOUT_MS, on_fencing_looked, isolation);
}

void isolation_start(isolation_t *isolation, const server_config_t *config)
{
    g_autofree char *timeout_ms = g_strdup_printf("%" G_GUINT64_FORMAT, config->isolate_timeout_ms);
    g_autofree char *power_agents = agent_kinds_power(isolation->agent_kinds);
    const char *argv[] = {
        isolation->helper, "--server", config->name, "--timeout-ms", timeout_ms, "--ceph-conf", isolation->ceph_conf,
        "--ceph-user", isolation->ceph_user,
        "--power-agents", power_agents,
        "--disks", config->disks != NULL ? config->disks : "",
        config->store_address != NULL ? "--store-address" : NULL, config->store_address, NULL,
    };

    helper_start(isolation, config, argv);
}

void isolation_cancel(isolation_t *isolation, const char *server)
{
    g_hash_table_remove(isolation->attempts, server);
}

isolation_t *isolation_new(const char *helper, const char *ceph_conf, const char *ceph_user,
                           const agent_kinds_t *agent_kinds, isolation_ended_fn ended, isolation_fencing_fn fencing_looked,
                           gpointer user_data)
{
    isolation_t *isolation = g_new0(isolation_t, 1);

    isolation->helper = g_strdup(helper);
    isolation->ceph_conf = g_strdup(ceph_conf);
    isolation->ceph_user = g_strdup(ceph_user);
    isolation->agent_kinds = agent_kinds;
    isolation->ended = ended;
    isolation->fencing_looked = fencing_looked;
    isolation->user_data = user_data;
    isolation->attempts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) attempt_free);
    return isolation;
}

void isolation_free(isolation_t *isolation)
{
    if (isolation == NULL) {
        return;
    }
    g_clear_pointer(&isolation->fencing_look, program_cancel);
    g_hash_table_unref(isolation->attempts);
    g_free(isolation->helper);
    g_free(isolation->ceph_conf);
    g_free(isolation->ceph_user);
    g_free(isolation);
}
