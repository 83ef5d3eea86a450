/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store_sight.h"

#include "base/program.h"
#include "log.h"
#include "probe/cycle.h"

#define ASK_INTERVAL_MS     2000
#define ASK_TIMEOUT_MS      1000
/* A guest's disk waits, and goes on: an image is moved only for what lasts. All hosts must find out within
 * the time that the attribute daemon keeps changes back (see reach.c), or a store that all have lost moves images. */
#define LOST_AFTER_MS       10000
/* Monitors are replaced once in years. */
#define MONITORS_REPEAT_MS  600000
#define MONITORS_RETRY_MS   30000
/* The helper keeps a deadline itself; this is for one that hangs. */
#define MONITORS_TIMEOUT_MS 20000

struct store_sight {
    const char *argv[6];    /* of the helper */
    store_sight_fn changed;
    gpointer user_data;
    program_t *helper;
    guint monitors_source;
    gboolean failure_logged;
    char *monitors;         /* as the helper wrote them */
    GPtrArray *probes;      /* probe_spec_t*; NULL: not known yet */
    cycle_t *cycle;
    gint64 answered_ms;     /* last time */
    gboolean reached;
    guint ask_source;
};

/* Asking the monitors ---------------------------------------------------------*/

static void set_reached(store_sight_t *sight, gboolean reached)
{
    if (sight->reached != reached) {
        sight->reached = reached;
        sight->changed(reached, sight->user_data);
    }
}

static void on_asked(probe_answer_t answer, const char *reason, gpointer user_data)
{
    store_sight_t *sight = user_data;
    gint64 now_ms = probe_now_ms();

    (void) reason;
    sight->cycle = NULL;
    if (answer == PROBE_UP) {
        sight->answered_ms = now_ms;
    }
    set_reached(sight, now_ms - sight->answered_ms < LOST_AFTER_MS);
}

static gboolean on_ask(gpointer user_data)
{
    store_sight_t *sight = user_data;

    if (sight->cycle == NULL && sight->probes != NULL && sight->probes->len > 0) {
        sight->cycle = cycle_start((probe_spec_t *const *) sight->probes->pdata, sight->probes->len, CYCLE_ANY,
                                   ASK_TIMEOUT_MS, TRUE, on_asked, sight);
    }
    return G_SOURCE_CONTINUE;
}

/* Who they are ------------------------------------------------------------------*/

static void monitors_clear(store_sight_t *sight)
{
    g_clear_pointer(&sight->cycle, cycle_cancel); /* it reads the probes */
    g_clear_pointer(&sight->probes, g_ptr_array_unref);
    g_clear_pointer(&sight->monitors, g_free);
}

static gboolean monitors_set(store_sight_t *sight, const char *text, GError **error)
{
    GPtrArray *probes = NULL;

    if (g_strcmp0(text, sight->monitors) == 0) {
        return TRUE;
    }
    probes = probe_spec_list_parse(text, error);
    if (probes == NULL) {
        return FALSE;
    }
    monitors_clear(sight);
    sight->monitors = g_strdup(text);
    sight->probes = probes;
    sight->answered_ms = probe_now_ms();
    log_line(LOG_INFO, "Monitors of the store on other hosts: %s", text[0] != '\0' ? text : "none");
    if (probes->len == 0) {
        set_reached(sight, TRUE);
    }
    return TRUE;
}

static gboolean monitors_ask(gpointer user_data);

static void monitors_ask_in(store_sight_t *sight, guint delay_ms)
{
    sight->monitors_source = g_timeout_add(delay_ms, monitors_ask, sight);
}

static void on_helper_ended(const program_result_t *result, gpointer user_data)
{
    store_sight_t *sight = user_data;
    g_autoptr(GError) error = NULL;
    gboolean done = result->exit_status == 0 && monitors_set(sight, result->output, &error);

    sight->helper = NULL;
    if (!done && !sight->failure_logged) {
        log_line(LOG_WARNING, "The store's monitors can't be found, so images stay here if this host loses the store: %s",
                 error != NULL ? error->message : result->reason);
    }
    sight->failure_logged = !done;
    monitors_ask_in(sight, done ? MONITORS_REPEAT_MS : MONITORS_RETRY_MS);
}

static gboolean monitors_ask(gpointer user_data)
{
    store_sight_t *sight = user_data;

    sight->monitors_source = 0;
    sight->helper = program_start(sight->argv, MONITORS_TIMEOUT_MS, on_helper_ended, sight);
    return G_SOURCE_REMOVE;
}

store_sight_t *store_sight_new(const char *helper, const char *ceph_conf, const char *ceph_user,
                               store_sight_fn changed, gpointer user_data)
{
    store_sight_t *sight = g_new0(store_sight_t, 1);
    const char *const argv[] = { helper, "--ceph-conf", ceph_conf, "--ceph-user", ceph_user, NULL };

    G_STATIC_ASSERT(sizeof(argv) == sizeof(sight->argv));
    for (gsize i = 0; i < G_N_ELEMENTS(argv); i++) {
        sight->argv[i] = argv[i];
    }
    sight->changed = changed;
    sight->user_data = user_data;
    sight->reached = TRUE;
    sight->ask_source = g_timeout_add(ASK_INTERVAL_MS, on_ask, sight);
    monitors_ask_in(sight, 0);
    return sight;
}

void store_sight_free(store_sight_t *sight)
{
    if (sight == NULL) {
        return;
    }
    g_clear_handle_id(&sight->ask_source, g_source_remove);
    g_clear_handle_id(&sight->monitors_source, g_source_remove);
    g_clear_pointer(&sight->helper, program_cancel);
    monitors_clear(sight);
    g_free(sight);
}
