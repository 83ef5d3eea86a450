/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands with which an operator puts a server aside: pause, resume, hold. They are kept in the CIB, as
 * parameters of its image, so that they outlive every observer. */
#include <stdio.h>
#include <string.h>

#include "adoption.h"
#include "base/duration.h"
#include "base/error.h"
#include "base/json_read.h"
#include "cluster/cib.h"
#include "cluster/observer_client.h"
#include "judge/verdict.h"
#include "params/server_config.h"
#include "run.h"

#define ASK_TIMEOUT_MS 5000
/* An observer reads the CIB at once, and says so at once; one that was just started takes longer. */
#define LEADER_DEADLINE_MS 30000
#define LEADER_RETRY_MS    250

#define REPLACE_TRIES 20

/* Of an image. Value "": the parameter goes; NULL: it stays as it is. */
typedef struct {
    const char *name;
    const char *value;
} param_t;

static gboolean set_in(xmlNode *xml, const char *server, const param_t *params, gsize count, gboolean *changed, GError **error)
{
    *changed = FALSE;
    for (gsize i = 0; i < count; i++) {
        gboolean this_changed = FALSE;

        if (params[i].value == NULL) {
            continue;
        }
        if (!adoption_set_param(xml, server, params[i].name, params[i].value, &this_changed, error)) {
            return FALSE;
        }
        *changed = *changed || this_changed;
    }
    return TRUE;
}

static gboolean try_set(cib_connection_t *cib, const char *server, const param_t *params, gsize count, gboolean *changed,
                        GError **error)
{
    xmlNode *xml = cib_connection_query(cib, error);
    gboolean done = xml != NULL && set_in(xml, server, params, count, changed, error)
                    && (!*changed || cib_connection_replace(cib, xml, error));

    cib_xml_free(xml);
    return done;
}

/* In one change of the CIB. */
static gboolean set_params(const char *server, const param_t *params, gsize count, gboolean *changed, GError **error)
{
    cib_connection_t *cib = cib_connection_open("understudy", error);
    gboolean done = FALSE;

    for (guint i = 0; cib != NULL && i < REPLACE_TRIES; i++) {
        g_clear_error(error);
        done = try_set(cib, server, params, count, changed, error);
        if (done || !g_error_matches(*error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY)) {
            break;
        }
    }
    cib_connection_close(cib);
    return done;
}

static gboolean set_pause(const char *server, const char *value, gboolean *changed, GError **error)
{
    const param_t param = { "paused_until", value };

    return set_params(server, &param, 1, changed, error);
}

/* What this host's observer says of a server, to be json_object_unref()ed; NULL: nothing, and `why` says why. */
static JsonObject *ask_server(const char *server, GError **why)
{
    JsonObject *status = observer_client_ask("status", NULL, ASK_TIMEOUT_MS, why);
    JsonObject *found = json_read_named(status, "servers", server);

    if (found != NULL) {
        json_object_ref(found);
    } else if (status != NULL) {
        g_set_error(why, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "the observer of this host knows no server %s", server);
    }
    g_clear_pointer(&status, json_object_unref);
    return found;
}

/* As this host's observer knows it. FALSE: it does not say. */
static gboolean ask_verdict(const char *server, verdict_t *verdict)
{
    JsonObject *found = g_getenv("CIB_file") == NULL ? ask_server(server, NULL) : NULL;
    gboolean is_known = verdict_parse(json_read_text(found, "verdict"), verdict);

    g_clear_pointer(&found, json_object_unref);
    return is_known;
}

static void say_note(const char *note)
{
    if (note != NULL) {
        printf("%s\n", note);
    }
}

/* pause ----------------------------------------------------------------------*/

/* A duration from now on, or a time of this host's clock and zone. */
static gboolean read_until(const char *text, gint64 now_ms, gint64 *until_ms, GError **error)
{
    g_autoptr(GTimeZone) here = g_time_zone_new_local();
    gboolean has_no_seconds = strlen(text) == strlen("2026-01-31T18:00");
    g_autofree char *whole = g_strconcat(text, has_no_seconds ? ":00" : "", NULL);
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(whole, here);
    guint64 duration_ms = 0;

    if (time != NULL) {
        *until_ms = g_date_time_to_unix(time) * 1000;
    } else if (duration_parse(text, &duration_ms)) {
        *until_ms = now_ms + (gint64) duration_ms;
    } else {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "--until=%s: write a duration (90min, 2h) or a time (2026-01-31T18:00)", text);
        return FALSE;
    }
    if (*until_ms / 1000 <= now_ms / 1000) { /* the CIB has it in seconds */
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "--until=%s: that is over already", text);
        return FALSE;
    }
    return TRUE;
}

static void say_paused(const char *server, gint64 until_ms)
{
    g_autofree char *until = until_ms == SERVER_PAUSED_UNTIL_RESUMED ? g_strdup_printf("understudy resume %s", server)
                                                                     : paused_until_text(0, until_ms);

    printf("%s is paused until %s: it is neither isolated nor taken over, whatever becomes of it\n", server, until);
}

static gboolean says_leader_holds(JsonObject *server, const char *paused_until)
{
    JsonObject *pause = json_read_object(server, "pause");

    return g_strcmp0(json_read_text(pause, "paused_until"), paused_until) == 0
           && json_read_boolean(pause, "leader_holds", FALSE);
}

/* FALSE, and what became of it: another command has written over the pause since. A CIB that can't be read says nothing. */
static gboolean stands_still(const char *server, const char *paused_until, GError **error)
{
    cib_connection_t *cib = cib_connection_open("understudy", NULL);
    xmlNode *xml = cib != NULL ? cib_connection_query(cib, NULL) : NULL;
    gboolean is_adopted = xml != NULL && adoption_exists(xml, server);
    const char *now = is_adopted ? adoption_param(xml, server, "paused_until") : NULL;
    gboolean stands = xml == NULL || g_strcmp0(now, paused_until) == 0;

    if (!stands) {
        g_autofree char *instead = !is_adopted || now == NULL || *now == '\0'
                                       ? g_strdup_printf("%s is not paused", server)
                                       : g_strdup_printf("%s has paused_until=%s", server, now);

        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "another command has replaced this pause before the observers held it: %s now. See understudy status; "
                    "understudy pause %s again if it should be as you said", instead, server);
    }
    cib_xml_free(xml);
    cib_connection_close(cib);
    return stands;
}

/* Until then a takeover may still begin. FALSE: the leader is not known to hold it. */
static gboolean wait_for_leader(const char *server, const char *paused_until, GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + LEADER_DEADLINE_MS * 1000;
    g_autoptr(GError) why = NULL;

    do {
        JsonObject *found = NULL;
        gboolean holds = FALSE;

        g_clear_error(&why);
        found = ask_server(server, &why);
        holds = says_leader_holds(found, paused_until);
        g_clear_pointer(&found, json_object_unref);
        if (holds) {
            return TRUE;
        }
        if (!stands_still(server, paused_until, error)) {
            return FALSE;
        }
        g_usleep(LEADER_RETRY_MS * 1000);
    } while (g_get_monotonic_time() < deadline_us);
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                "%s may still be taken over: its pause is in the cluster's configuration, but %s. See understudy status, "
                "which shows the pause once it holds; understudy resume %s takes it back", server,
                why != NULL ? why->message : "no leading observer has said that it keeps it", server);
    return FALSE;
}

exit_code_t run_pause(const command_line_t *line, GError **error)
{
    const char *until = command_line_value(line, "until");
    gint64 from_ms = g_get_real_time() / 1000;
    gint64 until_ms = SERVER_PAUSED_UNTIL_RESUMED;
    g_autofree char *text = NULL;
    verdict_t verdict = VERDICT_HEALTHY;
    gboolean changed = FALSE;

    if (until != NULL && !read_until(until, from_ms, &until_ms, error)) {
        return EXIT_USAGE;
    }
    text = paused_until_text(from_ms, until_ms);
    if (!set_pause(line->server, text, &changed, error)) {
        return exit_code_of(*error);
    }
    if (g_getenv("CIB_file") == NULL && !wait_for_leader(line->server, text, error)) {
        return exit_code_of(*error);
    }
    say_paused(line->server, until_ms);
    say_note(ask_verdict(line->server, &verdict) ? verdict_pause_note(verdict) : NULL);
    return EXIT_OK;
}

exit_code_t run_resume(const command_line_t *line, GError **error)
{
    gboolean changed = FALSE;

    if (!set_pause(line->server, "", &changed, error)) {
        return exit_code_of(*error);
    }
    printf(changed ? "%s is watched again as before\n" : "%s was not paused\n", line->server);
    return EXIT_OK;
}

/* hold -----------------------------------------------------------------------*/

/* takeover: likewise that one is under way which is held. The observers note it themselves where that begins later. */
static gboolean set_hold(const char *server, const char *hold, const char *takeover, GError **error)
{
    const param_t params[] = { { "hold", hold }, { "held_takeover", takeover } };
    gboolean changed = FALSE;

    return set_params(server, params, G_N_ELEMENTS(params), &changed, error);
}

gboolean hold_end(const char *server, GError **error)
{
    return set_hold(server, "", "", error);
}

exit_code_t run_hold(const command_line_t *line, GError **error)
{
    gboolean off = command_line_has(line, "off");
    verdict_t verdict = VERDICT_HEALTHY;
    gboolean is_known = !off && ask_verdict(line->server, &verdict);
    g_autofree char *refusal = is_known ? verdict_hold_refusal(verdict, line->server) : NULL;
    const char *takeover = is_known && verdict == VERDICT_FAILED ? "true" : NULL;

    if (refusal != NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, refusal);
        return exit_code_of(*error);
    }
    if (off ? !hold_end(line->server, error) : !set_hold(line->server, "true", takeover, error)) {
        return exit_code_of(*error);
    }
    printf(off ? "%s takes its place again when it is back\n"
               : "%s: an image that runs goes on, whatever the original says\n", line->server);
    say_note(is_known ? verdict_hold_note(verdict) : NULL);
    return EXIT_OK;
}
