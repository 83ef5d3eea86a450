/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that only look: status, hosts, history. */
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/names.h"
#include "cluster/observer_client.h"
#include "gather.h"
#include "report.h"
#include "run.h"

#define WATCH_INTERVAL_MS  1000
#define HISTORY_TIMEOUT_MS 5000

static char *json_text(JsonObject *object, gboolean pretty)
{
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);

    json_node_set_object(node, object);
    return json_to_string(node, pretty);
}

static gboolean print_line(const char *text, GError **error)
{
    if (printf("%s", text) < 0 || fflush(stdout) != 0) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "standard output can't be written");
        return FALSE;
    }
    return TRUE;
}

static gboolean is_unknown_server(JsonObject *status, const gathered_t *gathered, const char *server)
{
    return server != NULL && (gathered->cluster != NULL || gathered->observers != NULL)
           && json_array_get_length(json_object_get_array_member(status, "servers")) == 0;
}

static void set_unknown_server(GError **error, const char *server)
{
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND,
                "no server '%s' is protected: see understudy status for those that are", server);
}

/* The text of one look; NULL with an error. *known: the cluster or the observers answered. */
static char *look(const command_line_t *line, gboolean *known, GError **error)
{
    gathered_t *gathered = gather(line->server, !command_line_has(line, "no-store"));
    report_sources_t sources = gathered_sources(gathered);
    JsonObject *status = report_status(&sources, line->server);
    char *text = NULL;

    *known = gathered->cluster != NULL || gathered->observers != NULL;
    if (is_unknown_server(status, gathered, line->server)) {
        set_unknown_server(error, line->server);
    } else if (!*known && !command_line_has(line, "json")) {
        g_propagate_error(error, g_steal_pointer(&gathered->cluster_error));
    } else if (command_line_has(line, "json")) {
        g_autofree char *json = json_text(status, !command_line_has(line, "watch"));

        text = g_strconcat(json, "\n", NULL);
    } else {
        text = report_status_text(status);
    }
    json_object_unref(status);
    gathered_free(gathered);
    return text;
}

typedef struct watch {
    const command_line_t *line;
    char *shown;
    GMainLoop *loop;
    GError *error;
} watch_t;

static gboolean watch_again(gpointer user_data)
{
    watch_t *watch = user_data;
    gboolean known = FALSE;
    GError *error = NULL;
    char *text = look(watch->line, &known, &error);

    if (text == NULL) {
        text = g_strdup_printf("! %s\n", error != NULL ? error->message : "nothing could be learned");
        g_clear_error(&error);
    }
    if (g_strcmp0(text, watch->shown) != 0) {
        /* Home and clear, where a terminal follows. */
        const char *clear = isatty(STDOUT_FILENO) && !command_line_has(watch->line, "json") ? "\033[H\033[2J" : "";
        g_autofree char *whole = g_strconcat(clear, text, NULL);

        if (!print_line(whole, &watch->error)) {
            g_main_loop_quit(watch->loop);
        }
    }
    g_free(watch->shown);
    watch->shown = text;
    return G_SOURCE_CONTINUE;
}

static exit_code_t watch_status(const command_line_t *line, GError **error)
{
    watch_t watch = { .line = line, .loop = g_main_loop_new(NULL, FALSE) };

    watch_again(&watch);
    if (watch.error == NULL) {
        g_timeout_add(WATCH_INTERVAL_MS, watch_again, &watch);
        g_main_loop_run(watch.loop);
    }
    g_main_loop_unref(watch.loop);
    g_free(watch.shown);
    g_propagate_error(error, watch.error);
    return EXIT_FAILED;
}

exit_code_t run_status(const command_line_t *line, GError **error)
{
    gboolean known = FALSE;
    g_autofree char *text = NULL;

    if (command_line_has(line, "watch")) {
        return watch_status(line, error);
    }
    text = look(line, &known, error);
    if (text == NULL || !print_line(text, error)) {
        return exit_code_of(*error);
    }
    return known ? EXIT_OK : EXIT_FAILED;
}

exit_code_t run_hosts(const command_line_t *line, GError **error)
{
    const char *name = command_line_value(line, "for");
    scheduler_plan_t *plan = NULL;
    cluster_state_t *cluster = name != NULL ? gather_placement(name, &plan, error) : gather_cluster(error);
    const cluster_server_t *server = NULL;
    JsonObject *report = NULL;
    g_autofree char *text = NULL;

    if (cluster == NULL) {
        return exit_code_of(*error);
    }
    server = name != NULL ? cluster_state_server(cluster, name) : NULL;
    if (name != NULL && server == NULL) {
        set_unknown_server(error, name);
        cluster_state_free(cluster);
        return EXIT_NOT_FOUND;
    }
    report = report_hosts(cluster, server, plan);
    scheduler_plan_free(plan);
    if (command_line_has(line, "json")) {
        g_autofree char *json = json_text(report, TRUE);

        text = g_strconcat(json, "\n", NULL);
    } else {
        text = report_hosts_text(report);
    }
    json_object_unref(report);
    cluster_state_free(cluster);
    return print_line(text, error) ? EXIT_OK : EXIT_FAILED;
}

exit_code_t run_history(const command_line_t *line, GError **error)
{
    JsonObject *answer = observer_client_ask("history", line->server, HISTORY_TIMEOUT_MS, error);
    JsonObject *report = NULL;
    g_autofree char *text = NULL;

    if (answer == NULL) {
        return exit_code_of(*error);
    }
    report = report_history(line->server, answer);
    if (command_line_has(line, "json")) {
        g_autofree char *json = json_text(report, TRUE);

        text = g_strconcat(json, "\n", NULL);
    } else {
        text = report_history_text(report);
    }
    json_object_unref(report);
    json_object_unref(answer);
    return print_line(text, error) ? EXIT_OK : EXIT_FAILED;
}
