/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster.h"

#include <malloc.h>

#include "base/error.h"
#include "cib_change.h"
#include "cluster/cib.h"
#include "log.h"

#define CLIENT_NAME      "understudy-observerd"
#define REOPEN_MIN_MS    250
#define REOPEN_MAX_MS    5000
/* Changes come in bursts: they are read together, and reading may cost a tenth of the time at most. */
#define READ_DELAY_MS    20
#define READ_COST_FACTOR 10
/* What a change that touches no server has left behind: in case it did after all. */
#define LAZY_READ_DELAY_MS 60000
#define RETRY_DELAY_MS     5000
/* A CIB of this many servers leaves megabytes of freed memory behind: give it back. */
#define TRIM_SERVERS_MIN 100

struct cluster {
    cluster_callbacks_t callbacks;
    gpointer user_data;
    cib_connection_t *cib;
    guint reopen_ms;
    guint open_source;
    GHashTable *image_ids; /* of the last reading */
    guint read_source;
    gint64 read_at_ms;
    gint64 read_not_before_ms;
    gboolean failure_logged;
    char *parse_error_logged;
};

static gint64 now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

static void log_parse_error(cluster_t *cluster, const GError *error)
{
    const char *sentence = (error != NULL) ? error->message : NULL;

    if (sentence != NULL && g_strcmp0(sentence, cluster->parse_error_logged) != 0) {
        log_line(LOG_ERR, "The CIB can't be used: %s", sentence);
    }
    g_free(cluster->parse_error_logged);
    cluster->parse_error_logged = g_strdup(sentence);
}

static void note_images(cluster_t *cluster, const cluster_state_t *state)
{
    g_hash_table_remove_all(cluster->image_ids);
    for (guint i = 0; i < state->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(state->servers, i);

        g_hash_table_add(cluster->image_ids, g_strdup(server->resource_id));
    }
}

static gboolean read_now(gpointer user_data);

/* The earliest of what is asked for. */
static void read_after(cluster_t *cluster, gint64 delay_ms)
{
    gint64 at_ms = now_ms();

    delay_ms = MAX(delay_ms, cluster->read_not_before_ms - at_ms);
    at_ms += delay_ms;
    if (cluster->read_source != 0 && cluster->read_at_ms <= at_ms) {
        return;
    }
    g_clear_handle_id(&cluster->read_source, g_source_remove);
    cluster->read_at_ms = at_ms;
    cluster->read_source = g_timeout_add((guint) delay_ms, read_now, cluster);
}

/* Rules on the time may begin and end without any change of the CIB. */
static void read_at_recheck(cluster_t *cluster, const cluster_state_t *state)
{
    gint64 wait_ms = state->recheck_s * 1000 - g_get_real_time() / 1000;

    if (state->recheck_s != 0) {
        read_after(cluster, MAX(wait_ms, READ_DELAY_MS));
    }
}

static gboolean read_now(gpointer user_data)
{
    cluster_t *cluster = user_data;
    g_autoptr(GError) error = NULL;
    gint64 begun_ms = now_ms();
    gboolean answered = FALSE;
    xmlNode *cib_xml = NULL;
    cluster_state_t *state = NULL;

    cluster->read_source = 0;
    if (cluster->cib == NULL) {
        return G_SOURCE_REMOVE;
    }
    cib_xml = cib_connection_query(cluster->cib, &error);
    answered = cib_xml != NULL;
    if (answered) {
        state = cluster_state_parse(cib_xml, &error);
        cib_xml_free(cib_xml);
    }
    log_parse_error(cluster, error);
    if (state != NULL) {
        note_images(cluster, state);
        cluster->callbacks.read(state, cluster->user_data);
    }
    cluster->read_not_before_ms = now_ms() + (now_ms() - begun_ms) * READ_COST_FACTOR;
    if (state != NULL) {
        gboolean is_large = state->servers->len >= TRIM_SERVERS_MIN;

        read_at_recheck(cluster, state);
        cluster_state_free(state);
        if (is_large) {
            malloc_trim(0);
        }
    }
    if (!answered) {
        read_after(cluster, RETRY_DELAY_MS);
    }
    return G_SOURCE_REMOVE;
}

static void on_changed(xmlNode *notification, gpointer user_data)
{
    cluster_t *cluster = user_data;

    read_after(cluster, cib_change_touches_servers(notification, cluster->image_ids) ? READ_DELAY_MS
                                                                                     : LAZY_READ_DELAY_MS);
}

static gboolean open_cib(gpointer user_data);

static void close_cib(cluster_t *cluster)
{
    g_clear_handle_id(&cluster->read_source, g_source_remove);
    g_clear_pointer(&cluster->cib, cib_connection_close);
    if (cluster->open_source == 0) {
        cluster->open_source = g_timeout_add(cluster->reopen_ms, open_cib, cluster);
        cluster->reopen_ms = MIN(cluster->reopen_ms * 2, REOPEN_MAX_MS);
    }
}

static gboolean close_later(gpointer user_data)
{
    close_cib(user_data);
    return G_SOURCE_REMOVE;
}

static void on_lost(gpointer user_data)
{
    cluster_t *cluster = user_data;

    log_line(LOG_WARNING, "Lost the connection to Pacemaker's CIB: opening it again");
    cluster->callbacks.able(FALSE, cluster->user_data);
    /* Not from within the connection's own callback. */
    g_idle_add(close_later, cluster);
}

static gboolean open_cib(gpointer user_data)
{
    cluster_t *cluster = user_data;
    g_autoptr(GError) error = NULL;

    cluster->open_source = 0;
    cluster->cib = cib_connection_open(CLIENT_NAME, &error);
    if (cluster->cib == NULL || !cib_connection_watch(cluster->cib, on_changed, on_lost, cluster, &error)) {
        if (!cluster->failure_logged) {
            log_line(LOG_WARNING, "Pacemaker's CIB can't be opened yet: %s", error->message);
        }
        cluster->failure_logged = TRUE;
        close_cib(cluster);
        return G_SOURCE_REMOVE;
    }
    cluster->failure_logged = FALSE;
    cluster->reopen_ms = REOPEN_MIN_MS;
    cluster->read_not_before_ms = 0;
    read_after(cluster, 0);
    cluster->callbacks.able(TRUE, cluster->user_data);
    return G_SOURCE_REMOVE;
}

xmlNode *cluster_query(cluster_t *cluster, GError **error)
{
    if (cluster->cib == NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "Pacemaker's CIB is not open");
        return NULL;
    }
    return cib_connection_query(cluster->cib, error);
}

void cluster_set_tickets(cluster_t *cluster, const char *const *servers, gboolean granted)
{
    g_autofree char *names = g_strjoinv(", ", (char **) servers);
    g_autoptr(GError) error = NULL;

    if (cluster->cib == NULL) {
        log_line(LOG_WARNING, "Tickets of %s can't be %s: Pacemaker's CIB is not open", names,
               granted ? "granted" : "revoked");
    } else if (!cib_tickets_set(cluster->cib, servers, granted, &error)) {
        log_line(LOG_ERR, "Tickets of %s can't be %s: %s", names, granted ? "granted" : "revoked", error->message);
    } else {
        log_line(LOG_NOTICE, "Tickets %s: %s", granted ? "granted" : "revoked", names);
    }
}

void cluster_end_pause(cluster_t *cluster, const server_config_t *config)
{
    g_autoptr(GError) error = NULL;

    if (cluster->cib == NULL) {
        log_line(LOG_WARNING, "The pause of server %s is over, but can't be ended: Pacemaker's CIB is not open", config->name);
    } else if (!cib_param_remove(cluster->cib, config->resource_id, "paused_until", config->paused_until, &error)) {
        log_line(LOG_ERR, "The pause of server %s is over, but can't be taken out of the configuration: %s", config->name,
                 error->message);
    } else {
        log_line(LOG_NOTICE, "Server %s: the time of its pause (%s) is over: it is taken out of the configuration", config->name,
                 config->paused_until);
    }
}

void cluster_set_held_takeover(cluster_t *cluster, const server_config_t *config, gboolean is_held)
{
    const char *what = is_held ? "its hold is kept over a restart of the cluster" : "a held takeover is over";
    g_autoptr(GError) error = NULL;
    gboolean done = FALSE;
    gboolean is_news = TRUE;

    if (cluster->cib == NULL) {
        log_line(LOG_WARNING, "Server %s: that %s can't be noted: Pacemaker's CIB is not open", config->name, what);
        return;
    }
    if (is_held) {
        /* A "false" that somebody has written by hand stands in the way of the note. */
        done = cib_param_remove(cluster->cib, config->resource_id, "held_takeover", "false", &error)
               && cib_param_add_beside(cluster->cib, config->resource_id, "hold", "held_takeover", "true", &is_news, &error);
    } else {
        done = cib_param_clear(cluster->cib, config->resource_id, "held_takeover", &error);
    }
    if (done && is_news) {
        log_line(LOG_NOTICE, "Server %s: %s", config->name, what);
    } else if (!done) {
        log_line(LOG_ERR, "Server %s: that %s can't be noted in the configuration: %s", config->name, what, error->message);
    }
}

cluster_t *cluster_new(const cluster_callbacks_t *callbacks, gpointer user_data)
{
    cluster_t *cluster = g_new0(cluster_t, 1);

    cluster->callbacks = *callbacks;
    cluster->user_data = user_data;
    cluster->image_ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    cluster->reopen_ms = REOPEN_MIN_MS;
    cluster->open_source = g_timeout_add(0, open_cib, cluster);
    return cluster;
}

void cluster_free(cluster_t *cluster)
{
    if (cluster == NULL) {
        return;
    }
    g_clear_handle_id(&cluster->open_source, g_source_remove);
    g_clear_handle_id(&cluster->read_source, g_source_remove);
    g_clear_pointer(&cluster->cib, cib_connection_close);
    g_hash_table_unref(cluster->image_ids);
    g_free(cluster->parse_error_logged);
    g_free(cluster);
}
