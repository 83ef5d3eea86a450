/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isolate: puts a server out of the way, for the observer daemon. Blocks, and may
 * be repeated at will. Prints one sentence; the exit status is an isolation_result_t.
 */
#include <crm/common/results.h>
#include <crm/stonith-ng.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "store.h"
#include "verdict.h"

/* An entry that lapses would let an original that slept wake up and write. */
#define BLOCKLIST_DURATION_S   (5ULL * 365 * 24 * 3600)
#define STORE_TIMEOUT_MAX_MS   10000
#define FENCER_QUERY_TIMEOUT_S 10

static char *option_server;
static char *option_store_address;
static char *option_ceph_conf;
static char *option_ceph_user;
static gint64 option_timeout_ms = 60000;

static const GOptionEntry options[] = {
    { "server", 0, 0, G_OPTION_ARG_STRING, &option_server, "The server, as the fencing device names it", "NAME" },
    { "store-address", 0, 0, G_OPTION_ARG_STRING, &option_store_address, "Its address on the storage network", "IP" },
    { "ceph-conf", 0, 0, G_OPTION_ARG_FILENAME, &option_ceph_conf, "Ceph configuration file", "PATH" },
    { "ceph-user", 0, 0, G_OPTION_ARG_STRING, &option_ceph_user, "Cephx user, without \"client.\"", "NAME" },
    { "timeout-ms", 0, 0, G_OPTION_ARG_INT64, &option_timeout_ms, "Deadline of the whole attempt", "MS" },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

typedef enum {
    WAY_DONE,
    WAY_FAILED,
    WAY_NONE, /* there is no such way for this server */
} way_t;

static gint64 begun_us;

static guint remaining_ms(void)
{
    gint64 used_ms = (g_get_monotonic_time() - begun_us) / 1000;

    return (guint) MAX(1000, option_timeout_ms - used_ms);
}

/* Storage: the OSD map refuses all that comes from its address -------------------*/

static way_t close_store(char **sentence)
{
    store_options_t store_options = { .conf = option_ceph_conf, .user = option_ceph_user,
                                      .timeout_ms = MIN((guint) option_timeout_ms / 3, STORE_TIMEOUT_MAX_MS) };
    g_autoptr(GError) error = NULL;
    store_t *store = NULL;
    gboolean done = FALSE;

    if (option_store_address == NULL) {
        *sentence = g_strdup("it has no store_address");
        return WAY_NONE;
    }
    store = store_open(&store_options, &error);
    if (store != NULL) {
        done = store_blocklist_add(store, option_store_address, BLOCKLIST_DURATION_S, &error);
        store_close(store);
    }
    if (done) {
        *sentence = g_strdup_printf("%s is on the store's blocklist", option_store_address);
        return WAY_DONE;
    }
    *sentence = g_strdup_printf("%s could not be put on the store's blocklist: %s", option_store_address,
                                error->message);
    return WAY_FAILED;
}

static gpointer close_store_thread(gpointer sentence)
{
    return GINT_TO_POINTER(close_store(sentence));
}

/* Power: Pacemaker's fencer ------------------------------------------------------*/

/* The fencer allows itself a fifth more than it is given (lib/fencing: TIMEOUT_MULTIPLY_FACTOR). */
static int fencer_timeout_s(void)
{
    return MAX(1, (int) (remaining_ms() * 10 / 12 / 1000) - 1);
}

static way_t fence(stonith_t *fencer, char **sentence)
{
    stonith_key_value_t *devices = NULL;
    int rc = fencer->cmds->query(fencer, st_opt_sync_call, option_server, &devices, FENCER_QUERY_TIMEOUT_S);

    stonith_key_value_freeall(devices, 1, 1);
    if (rc == 0 || rc == -ENODEV) {
        *sentence = g_strdup("no fencing device names it");
        return WAY_NONE;
    }
    if (rc > 0) {
        /* Tolerance 0: a success from before does not count, it may run again. */
        rc = fencer->cmds->fence(fencer, st_opt_sync_call, option_server, "off", fencer_timeout_s(), 0);
    }
    if (rc == pcmk_ok) {
        *sentence = g_strdup("it is powered off");
        return WAY_DONE;
    }
    *sentence = g_strdup_printf("it could not be powered off: %s; look at the fencing device with "
                                "stonith_admin --history %s", pcmk_strerror(rc), option_server);
    return WAY_FAILED;
}

static way_t power_off_now(char **sentence)
{
    stonith_t *fencer = stonith_api_new();
    int rc = fencer->cmds->connect(fencer, "understudy-isolate", NULL);
    way_t way = WAY_FAILED;

    if (rc == pcmk_ok) {
        way = fence(fencer, sentence);
        fencer->cmds->disconnect(fencer);
    } else {
        *sentence = g_strdup_printf("Pacemaker's fencer does not answer on this host: %s", pcmk_strerror(rc));
    }
    stonith_api_delete(fencer);
    return way;
}

/* The fencer's answer to a synchronous call can be a minute late: it is asked in a thread and not waited for longer
 * than the deadline. */
typedef struct {
    GMutex mutex;
    GCond ended;
    gboolean has_ended;
    way_t way;
    char *sentence;
} power_t;

static gpointer power_off_thread(gpointer data)
{
    power_t *power = data;
    char *sentence = NULL;
    way_t way = power_off_now(&sentence);

    g_mutex_lock(&power->mutex);
    power->way = way;
    power->sentence = sentence;
    power->has_ended = TRUE;
    g_cond_signal(&power->ended);
    g_mutex_unlock(&power->mutex);
    return NULL;
}

static way_t power_off(char **sentence)
{
    static power_t power; /* outlives main(): the thread may still be in it */
    gint64 deadline_us = begun_us + option_timeout_ms * 1000;
    way_t way = WAY_FAILED;

    g_thread_unref(g_thread_new("power", power_off_thread, &power));
    g_mutex_lock(&power.mutex);
    while (!power.has_ended && g_cond_wait_until(&power.ended, &power.mutex, deadline_us)) {
        continue;
    }
    if (power.has_ended) {
        way = power.way;
        *sentence = g_strdup(power.sentence);
    } else {
        *sentence = g_strdup_printf("it could not be powered off: the fencer did not answer within %" G_GINT64_FORMAT
                                    " s; look at the fencing device", option_timeout_ms / 1000);
    }
    g_mutex_unlock(&power.mutex);
    return way;
}

/* What each pair of outcomes proves: by power, then by store. */
static const isolation_result_t results[3][3] = {
    [WAY_DONE] = { [WAY_DONE] = ISOLATION_DONE, [WAY_FAILED] = ISOLATION_DONE, [WAY_NONE] = ISOLATION_DONE },
    [WAY_FAILED] = { [WAY_DONE] = ISOLATION_NOT_CONFIRMED, [WAY_FAILED] = ISOLATION_STORE_OPEN,
                     [WAY_NONE] = ISOLATION_NOT_CONFIRMED },
    [WAY_NONE] = { [WAY_DONE] = ISOLATION_DONE, [WAY_FAILED] = ISOLATION_STORE_OPEN,
                   [WAY_NONE] = ISOLATION_NOT_CONFIRMED },
};

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- put a server out of the way");
    g_autoptr(GError) error = NULL;
    g_autofree char *power_sentence = NULL;
    char *store_sentence = NULL;
    GThread *thread = NULL;
    way_t power = WAY_FAILED;
    way_t store = WAY_FAILED;

    /* Not longer than the daemon: its successor begins anew. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    begun_us = g_get_monotonic_time();
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || option_server == NULL || option_timeout_ms < 1000) {
        printf("%s\n", error != NULL ? error->message : "give --server and a --timeout-ms of at least 1000");
        return 64; /* EX_USAGE */
    }
    /* Both at once: the power switch alone may take seconds. */
    thread = g_thread_new("store", close_store_thread, &store_sentence);
    power = power_off(&power_sentence);
    store = (way_t) GPOINTER_TO_INT(g_thread_join(thread));
    printf("%s; %s\n", power_sentence, store_sentence);
    fflush(stdout);
    _exit((int) results[power][store]); /* librados' threads need not be waited for */
}
