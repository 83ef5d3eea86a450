/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that change what a server does: takeover, release, forget. */
#include <stdio.h>
#include <string.h>

#include "adoption.h"
#include "base/error.h"
#include "base/json_read.h"
#include "base/names.h"
#include "base/program.h"
#include "cluster/cib.h"
#include "cluster/observer_client.h"
#include "fencing.h"
#include "gather.h"
#include "judge/verdict.h"
#include "run.h"
#include "store/claim.h"
#include "store/registry.h"
#include "store/store.h"

#define ASK_TIMEOUT_MS     30000 /* the scheduler is asked first: seconds, if the site is large */
#define STATUS_TIMEOUT_MS  3000
#define POLL_INTERVAL_MS   500
#define DEFAULT_TIMEOUT_S  180
#define STORE_TIMEOUT_MS   5000
#define CLEANUP_TIMEOUT_MS 30000
#define REPLACE_TRIES      20
#define VERDICT_TIMEOUT_MS 3000
/* An isolation that the observers have begun when they learn of it is listed by the fencer by then. */
#define FENCING_SHOWS_MS   1000
#define FENCING_WAIT_S     180

/* Waiting --------------------------------------------------------------------*/

typedef struct wait {
    const char *server;
    gboolean want_running;
    gint64 began_us;
    gint64 deadline_us;
    char *shown;
    gboolean done;
    gboolean is_lost;         /* another operator has asked for the contrary, or the server did not serve */
    gboolean verdict_known;   /* for verdict_release_is_lost(): */
    verdict_t verdict;
    gint64 since_ms;
    GMainLoop *loop;
} wait_t;

/* Before a request: a verdict that a request changes is not told from one that has lasted otherwise. */
static void note_verdict(wait_t *wait)
{
    JsonObject *status = observer_client_ask("status", NULL, STATUS_TIMEOUT_MS, NULL);
    JsonObject *server = json_read_named(status, "servers", wait->server);

    /* Only of these can a server be released; a moment-old answer may name another. */
    wait->verdict_known = verdict_parse(json_read_text(server, "verdict"), &wait->verdict)
                          && (wait->verdict == VERDICT_ISOLATING || wait->verdict == VERDICT_FAILED);
    wait->since_ms = json_read_integer(server, "since_ms", 0);
    g_clear_pointer(&status, json_object_unref);
}

static gboolean release_is_lost(wait_t *wait, JsonObject *server)
{
    gint64 since_ms = json_read_integer(server, "since_ms", 0);
    verdict_t verdict = VERDICT_HEALTHY;

    if (wait->want_running || !verdict_parse(json_read_text(server, "verdict"), &verdict)) {
        return FALSE;
    }
    if (wait->verdict_known && verdict_release_is_lost(wait->verdict, wait->since_ms, verdict, since_ms)) {
        return TRUE;
    }
    if (!wait->verdict_known || (verdict != VERDICT_ISOLATING && verdict != VERDICT_FAILED)) {
        wait->verdict_known = TRUE;
        wait->verdict = verdict;
        wait->since_ms = since_ms;
    }
    return FALSE;
}

static JsonObject *server_of(JsonObject *status)
{
    JsonArray *servers = json_object_get_array_member(status, "servers");

    return json_array_get_length(servers) > 0 ? json_array_get_object_element(servers, 0) : NULL;
}

static gboolean has_arrived(const wait_t *wait, JsonObject *server)
{
    const char *state = json_object_get_string_member(json_object_get_object_member(server, "image"), "state");
    gboolean ticket = json_object_get_boolean_member(server, "ticket");
    /* A release is noted while an attempt to isolate the server may still take effect, and is carried out after it. */
    gboolean is_isolating = strcmp(json_object_get_string_member(server, "verdict"), verdict_name(VERDICT_ISOLATING)) == 0;

    return wait->want_running ? ticket && strcmp(state, "running") == 0
                              : !ticket && !is_isolating && strcmp(state, "stopped") == 0;
}

static char *progress_text(JsonObject *server)
{
    JsonObject *image = json_object_get_object_member(server, "image");
    const char *host = json_object_get_string_member_with_default(image, "host", NULL);
    const char *reason = json_object_get_string_member(server, "reason");

    return g_strdup_printf("%s, ticket %s, image %s%s%s%s%s", json_object_get_string_member(server, "verdict"),
                           json_object_get_boolean_member(server, "ticket") ? "granted" : "not granted",
                           json_object_get_string_member(image, "state"), host != NULL ? " on " : "",
                           host != NULL ? host : "", *reason != '\0' ? ": " : "", reason);
}

static gboolean wait_poll(gpointer user_data)
{
    wait_t *wait = user_data;
    gathered_t *gathered = gather(wait->server, FALSE);
    report_sources_t sources = gathered_sources(gathered);
    JsonObject *status = report_status(&sources, wait->server);
    JsonObject *server = server_of(status);
    g_autofree char *text = NULL;

    if (server != NULL && gathered->cluster != NULL) {
        text = progress_text(server);
        wait->is_lost = release_is_lost(wait, server);
        wait->done = !wait->is_lost && has_arrived(wait, server);
    } else {
        text = g_strdup("the cluster does not answer");
    }
    if (g_strcmp0(text, wait->shown) != 0) {
        printf("+%.1f s  %s: %s\n", (double) (g_get_monotonic_time() - wait->began_us) / G_USEC_PER_SEC, wait->server,
               text);
        fflush(stdout);
        g_free(wait->shown);
        wait->shown = g_steal_pointer(&text);
    }
    json_object_unref(status);
    gathered_free(gathered);
    if (wait->done || wait->is_lost || g_get_monotonic_time() >= wait->deadline_us) {
        g_main_loop_quit(wait->loop);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

static gboolean wait_for(wait_t *wait, guint timeout_s, GError **error)
{
    wait->loop = g_main_loop_new(NULL, FALSE);
    wait->began_us = g_get_monotonic_time();
    wait->deadline_us = wait->began_us + (gint64) timeout_s * G_USEC_PER_SEC;
    g_timeout_add(POLL_INTERVAL_MS, wait_poll, wait);
    g_main_loop_run(wait->loop);
    g_main_loop_unref(wait->loop);
    if (wait->is_lost) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "%s was released, and is taken over again since (%s): another operator has asked for that, or it did not "
                    "serve; understudy history %s says which, and understudy release %s lets it return", wait->server,
                    wait->shown, wait->server, wait->server);
    } else if (!wait->done) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT,
                    "%s: not done after %u s (%s); it may still go on: follow it with understudy status %s --watch",
                    wait->server, timeout_s, wait->shown != NULL ? wait->shown : "no answer", wait->server);
    }
    g_free(wait->shown);
    return wait->done;
}

static gboolean read_timeout(const command_line_t *line, guint *timeout_s, GError **error)
{
    const char *text = command_line_value(line, "timeout");
    guint64 value = 0;

    *timeout_s = DEFAULT_TIMEOUT_S;
    if (text == NULL) {
        return TRUE;
    }
    if (!g_ascii_string_to_unsigned(text, 10, 1, 86400, &value, NULL)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "--timeout=%s: write seconds, 1 to 86400", text);
        return FALSE;
    }
    *timeout_s = (guint) value;
    return TRUE;
}

/* The question was put, or may have been: the observers may have passed it on to each other by then. */
static void add_what_may_come(const char *op, const char *server, GError **error)
{
    g_autofree char *message = NULL;

    if (!g_error_matches(*error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT)) {
        return;
    }
    message = g_strdup_printf("%s; the %s of %s may still be done: follow it with understudy status %s --watch", (*error)->message,
                              op, server, server);
    g_clear_error(error);
    g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, message);
}

/* accepted: what else is to be done once the observers have taken it on; or NULL. */
static exit_code_t ask_and_wait(const command_line_t *line, const char *op, gboolean want_running,
                                gboolean (*accepted)(const char *server, GError **error), GError **error)
{
    wait_t wait = { .server = line->server, .want_running = want_running };
    guint timeout_s = 0;
    JsonObject *answer = NULL;

    if (!read_timeout(line, &timeout_s, error)) {
        return EXIT_USAGE;
    }
    note_verdict(&wait);
    answer = observer_client_ask(op, line->server, ASK_TIMEOUT_MS, error);
    if (answer == NULL) {
        add_what_may_come(op, line->server, error);
        return exit_code_of(*error);
    }
    json_object_unref(answer);
    if (accepted != NULL && !accepted(line->server, error)) {
        return exit_code_of(*error);
    }
    if (command_line_has(line, "no-wait")) {
        printf("the observers have taken it on; follow it with understudy status %s --watch\n", line->server);
        return EXIT_OK;
    }
    return wait_for(&wait, timeout_s, error) ? EXIT_OK : exit_code_of(*error);
}

exit_code_t run_takeover(const command_line_t *line, GError **error)
{
    return ask_and_wait(line, "takeover", TRUE, NULL, error);
}

exit_code_t run_release(const command_line_t *line, GError **error)
{
    return ask_and_wait(line, "release", FALSE, hold_end, error);
}

/* forget ---------------------------------------------------------------------*/

/* Whoever takes it off when the server serves again knows only servers that are protected. */
static gboolean is_free_of_entries(const cluster_server_t *server, GError **error)
{
    g_autoptr(GError) store_error = NULL;
    g_autofree char *address = NULL;

    if (!gather_refused_address(server, STORE_TIMEOUT_MS, &address, &store_error)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "it is not known whether the store refuses %s (%s): mend that, or use --force", server->name,
                    store_error->message);
        return FALSE;
    }
    if (address != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "%s's address %s is on the store's blocklist, and nobody would take it off: wait until %s is healthy "
                    "and it comes off, or, once you have booted %s, run ceph osd blocklist rm %s:0/0; or use --force",
                    server->name, address, server->name, server->name, address);
    }
    return address == NULL;
}

/* With --force it stays, and is said. */
static void say_what_stays(const cluster_server_t *server)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *address = NULL;

    if (!gather_refused_address(server, STORE_TIMEOUT_MS, &address, &error)) {
        fprintf(stderr, "understudy: it is not known whether the store refuses %s (%s): look at ceph osd blocklist ls\n",
                server->name, error->message);
    } else if (address != NULL) {
        fprintf(stderr, "understudy: %s's address %s stays on the store's blocklist: once you have booted %s, run "
                        "ceph osd blocklist rm %s:0/0\n", server->name, address, server->name, address);
    }
}

/* The observers' verdict, or NULL: they do not say; g_free() */
static char *verdict_of(const char *server)
{
    g_autoptr(JsonObject) status = g_getenv("CIB_file") == NULL
                                       ? observer_client_ask("status", NULL, VERDICT_TIMEOUT_MS, NULL) : NULL;

    return g_strdup(json_read_text(json_read_named(status, "servers", server), "verdict"));
}

static gboolean is_free_of_fencing(const char *server, GError **error)
{
    g_autoptr(GError) fencer_error = NULL;
    g_autofree char *verdict = verdict_of(server);
    g_auto(GStrv) names = fencing_pending(&fencer_error);
    g_autofree char *why_not = fencing_keeps(server, verdict, (const char *const *) names);

    if (why_not != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "%s%s%s%s", why_not, fencer_error != NULL ? " (" : "",
                    fencer_error != NULL ? fencer_error->message : "", fencer_error != NULL ? ")" : "");
    }
    return why_not == NULL;
}

/* Nobody looks after the server any more: whoever has ended that learns what may become of it. */
static gboolean wait_for_fencing(const char *server, const char *verdict_before, GError **error)
{
    gint64 end_us = g_get_monotonic_time() + FENCING_WAIT_S * G_USEC_PER_SEC;
    gboolean is_said = FALSE;

    if (fencing_may_come(verdict_before)) {
        g_usleep(FENCING_SHOWS_MS * 1000);
    }
    while (g_get_monotonic_time() < end_us) {
        g_autoptr(GError) fencer_error = NULL;
        g_auto(GStrv) names = fencing_pending(&fencer_error);

        if (names == NULL) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                        "%s is not protected any more, and may be switched off yet: %s; look at stonith_admin --history %s",
                        server, fencer_error->message, server);
            return FALSE;
        }
        if (!fencing_names((const char *const *) names, server)) {
            if (is_said) {
                fprintf(stderr, "understudy: the fencing of %s is over: look whether %s is on\n", server, server);
            }
            return TRUE;
        }
        if (!is_said) {
            fprintf(stderr, "understudy: a fencing of %s is under way, which can't be taken back: %s may be switched off, and no "
                            "image takes its place; waiting until that is over, for %d s at most\n", server, server,
                    FENCING_WAIT_S);
        }
        is_said = TRUE;
        g_usleep(POLL_INTERVAL_MS * 1000);
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT,
                "%s is not protected any more, and a fencing of it is still under way: it may be switched off, and no image "
                "takes its place; look at stonith_admin --history %s, and when that is over whether %s is on", server, server,
                server);
    return FALSE;
}

/* What would be lost, as an error. */
static gboolean may_forget(const char *name, GError **error)
{
    cluster_state_t *cluster = gather_cluster(error);
    const cluster_server_t *server = cluster != NULL ? cluster_state_server(cluster, name) : NULL;
    run_image_t *run_image = NULL;
    gboolean may = FALSE;

    if (cluster == NULL) {
        return FALSE;
    }
    if (server == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND, "no server '%s' is protected", name);
        cluster_state_free(cluster);
        return FALSE;
    }
    if (server->ticket_granted || cluster_server_may_run(server)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "a takeover of %s is under way (image %s): end it with understudy release %s first, or use --force",
                    name, image_state_name(server->image), name);
    } else if (is_free_of_fencing(name, error) && is_free_of_entries(server, error)) {
        run_image = gather_run_image(server, STORE_TIMEOUT_MS);
        may = run_image->trouble == NULL && run_image->unreturned_bytes == 0;
        if (run_image->trouble != NULL) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                        "it is not known whether %s's run image holds writes (%s): mend that, or use --force", name,
                        run_image->trouble);
        } else if (!may) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                        "the run image %s holds %" G_GUINT64_FORMAT " bytes that are not back on %s: bring them back "
                        "first, or use --force (the image stays in the store)", run_image->name,
                        run_image->unreturned_bytes, name);
        }
        run_image_free(run_image);
    }
    cluster_state_free(cluster);
    return may;
}

/* Failures that are kept would ban hosts if the server is adopted again. Not
 * while the ticket is granted: the image would be started once more. */
static void clean_up_failures(const char *server)
{
    g_autoptr(GError) error = NULL;
    cluster_state_t *cluster = g_getenv("CIB_file") == NULL ? gather_cluster(NULL) : NULL;
    const cluster_server_t *found = cluster != NULL ? cluster_state_server(cluster, server) : NULL;
    const char *resource_id = found != NULL ? found->resource_id : NULL;
    const char *argv[] = { "crm_resource", "--cleanup", "--resource", resource_id, NULL };

    if (found != NULL && !found->ticket_granted && g_hash_table_size(found->host_failures) > 0
        && !program_run(argv, CLEANUP_TIMEOUT_MS, NULL, &error)) {
        fprintf(stderr, "understudy: failures of %s's image could not be cleaned up (%s): if it is adopted again, run "
                        "crm_resource --cleanup --resource %s\n", server, error->message, resource_id);
    }
    cluster_state_free(cluster);
}

/* Whoever adopts it again is not to start it beside an image that runs still. */
static void claims_say(store_t *store, const char *server)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GHashTable) places = store_claim_places(store, server, &error);
    GHashTableIter iter;
    gpointer start_id = NULL;
    gpointer text = NULL;

    if (places == NULL) {
        fprintf(stderr, "understudy: whether %s is still claimed can't be told: %s\n", server, error->message);
        return;
    }
    g_hash_table_iter_init(&iter, places);
    while (g_hash_table_iter_next(&iter, &start_id, &text)) {
        g_autoptr(claim_place_t) place = claim_place_parse(text, start_id);
        g_autofree char *holder = NULL;

        /* A stop that had little time gives the claim back and leaves this. */
        if (place == NULL || !store_claim_read(store, place->pool, server, &holder, NULL) || holder != NULL) {
            fprintf(stderr, "understudy: %s was not stopped on %s, and is still claimed from there in pool %s: its image may "
                            "run\n", server, place != NULL ? place->claim->host : "an unknown host",
                    place != NULL ? place->pool : "(unknown)");
        }
    }
}

/* Adopted again, it is to be seen up anew. */
static void forget_seen(const char *server, const char *ceph_conf, const char *ceph_user)
{
    const store_options_t options = { .conf = ceph_conf, .user = ceph_user != NULL ? ceph_user : "understudy",
                                      .timeout_ms = STORE_TIMEOUT_MS };
    g_autofree char *key = registry_seen_key(server);
    g_autoptr(GError) error = NULL;
    store_t *store = g_getenv("CIB_file") == NULL ? store_open(&options, &error) : NULL;

    if (store != NULL) {
        claims_say(store, server);
        (void) config_key_remove(store, key, &error);
    }
    store_close(store);
    if (error != NULL && !g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        fprintf(stderr, "understudy: that %s was seen up stays in the store (%s): run ceph config-key rm %s\n", server,
                error->message, key);
    }
}

/* The replacement is refused if anything has changed since the ticket was looked at. */
static gboolean try_forget(cib_connection_t *cib, const char *server, gboolean force, GError **error)
{
    xmlNode *xml = cib_connection_query(cib, error);
    gboolean done = FALSE;

    if (xml == NULL) {
        return FALSE;
    }
    if (!force && adoption_ticket_is_granted(xml, server)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS, "a takeover of %s has just begun", server);
    } else if (adoption_remove(server, xml)) {
        done = cib_connection_replace(cib, xml, error);
    } else {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND, "no server '%s' is protected", server);
    }
    cib_xml_free(xml);
    return done;
}

/* A parameter as its image has it, or NULL. */
static const char *param_of(const cluster_server_t *server, const char *name)
{
    return server != NULL ? g_hash_table_lookup(server->params, name) : NULL;
}

static gboolean remove_server(const char *server, gboolean force, GError **error)
{
    const char *const servers[] = { server, NULL };
    cib_connection_t *cib = cib_connection_open("understudy", error);
    gboolean done = FALSE;

    if (cib == NULL || (force && !cib_tickets_set(cib, servers, FALSE, error))) {
        cib_connection_close(cib);
        return FALSE;
    }
    for (guint i = 0; i < REPLACE_TRIES; i++) {
        g_clear_error(error);
        done = try_forget(cib, server, force, error);
        if (done || !g_error_matches(*error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY)) {
            break;
        }
    }
    done = done && cib_ticket_remove(cib, server, error);
    cib_connection_close(cib);
    return done;
}

/* was: the server as it was protected, or NULL. */
static gboolean forget(const char *name, const cluster_server_t *was, gboolean force, GError **error)
{
    g_autofree char *verdict = verdict_of(name);
    gboolean is_over = FALSE;

    clean_up_failures(name);
    if (!remove_server(name, force, error)) {
        return FALSE;
    }
    forget_seen(name, param_of(was, "ceph_conf"), param_of(was, "ceph_user"));
    is_over = wait_for_fencing(name, verdict, error);
    if (force && was != NULL) {
        say_what_stays(was); /* an isolation that was under way may have put it there meanwhile */
    }
    return is_over;
}

exit_code_t run_forget(const command_line_t *line, GError **error)
{
    gboolean force = command_line_has(line, "force");
    cluster_state_t *cluster = NULL;
    gboolean done = FALSE;

    if (!force && !may_forget(line->server, error)) {
        return exit_code_of(*error);
    }
    cluster = gather_cluster(NULL); /* what is told afterwards is told by its parameters */
    done = forget(line->server, cluster != NULL ? cluster_state_server(cluster, line->server) : NULL, force, error);
    cluster_state_free(cluster);
    if (!done) {
        return exit_code_of(*error);
    }
    printf("%s is not protected any more; its images are still in the store\n", line->server);
    return EXIT_OK;
}
