/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands with which an operator puts a server aside: pause, resume, hold. They are kept in the CIB, as
 * parameters of its image, so that they outlive every observer. */
#include <stdio.h>
#include <string.h>

#include "adoption.h"
#include "cib.h"
#include "duration.h"
#include "error.h"
#include "json_read.h"
#include "observer_client.h"
#include "run.h"
#include "server_config.h"
#include "verdict.h"

#define ASK_TIMEOUT_MS 5000
/* The leader says what time it has every five seconds. */
#define CLOCK_TRIES    24
#define CLOCK_RETRY_MS 500

#define REPLACE_TRIES 20

/* Value "": the parameter goes. */
static gboolean try_set(cib_connection_t *cib, const char *server, const char *name, const char *value,
                        gboolean *changed, GError **error)
{
    xmlNode *xml = cib_connection_query(cib, error);
    gboolean done = xml != NULL && adoption_set_param(xml, server, name, value, changed, error)
                    && (!*changed || cib_connection_replace(cib, xml, error));

    cib_xml_free(xml);
    return done;
}

static gboolean set_param(const char *server, const char *name, const char *value, gboolean *changed, GError **error)
{
    cib_connection_t *cib = cib_connection_open("understudy", error);
    gboolean done = FALSE;

    for (guint i = 0; cib != NULL && i < REPLACE_TRIES; i++) {
        g_clear_error(error);
        done = try_set(cib, server, name, value, changed, error);
        if (done || !g_error_matches(*error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY)) {
            break;
        }
    }
    cib_connection_close(cib);
    return done;
}

/* As this host's observer knows it. FALSE: it does not say. */
static gboolean ask_verdict(const char *server, verdict_t *verdict)
{
    JsonObject *status = g_getenv("CIB_file") == NULL ? observer_client_ask("status", NULL, ASK_TIMEOUT_MS, NULL) : NULL;
    gboolean is_known = verdict_parse(json_read_text(json_read_named(status, "servers", server), "verdict"), verdict);

    g_clear_pointer(&status, json_object_unref);
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
static gboolean read_until(const char *text, gint64 *until_ms, GError **error)
{
    g_autoptr(GTimeZone) here = g_time_zone_new_local();
    gboolean has_no_seconds = strlen(text) == strlen("2026-01-31T18:00");
    g_autofree char *whole = g_strconcat(text, has_no_seconds ? ":00" : "", NULL);
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(whole, here);
    gint64 now_ms = g_get_real_time() / 1000;
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
    if (*until_ms <= now_ms) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "--until=%s: that is over already", text);
        return FALSE;
    }
    return TRUE;
}

/* Hosts' clocks differ, and the observer that leads ends the pause by its own. */
static gboolean clock_is_trusted(GError **error)
{
    JsonObject *status = NULL;
    g_autofree char *refusal = NULL;

    for (guint i = 0; i < CLOCK_TRIES; i++) {
        status = observer_client_ask("status", NULL, ASK_TIMEOUT_MS, error);
        if (status == NULL) {
            g_prefix_error(error, "not paused, for it is not known by whose clock the pause would end (leave out --until, or "
                                  "try on another host): ");
            return FALSE;
        }
        if (json_object_has_member(status, "leader_clock_ahead_ms")) {
            break;
        }
        g_clear_pointer(&status, json_object_unref);
        g_usleep(CLOCK_RETRY_MS * 1000);
    }
    refusal = status != NULL
                  ? verdict_pause_clock_refusal(json_read_text(status, "leader"),
                                                json_object_get_int_member(status, "leader_clock_ahead_ms"))
                  : g_strdup("not paused: no leading observer has said what time it has: see understudy status, or leave out "
                             "--until and end the pause with understudy resume");
    g_clear_pointer(&status, json_object_unref);
    if (refusal != NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, refusal);
    }
    return refusal == NULL;
}

exit_code_t run_pause(const command_line_t *line, GError **error)
{
    const char *until = command_line_value(line, "until");
    gint64 until_ms = SERVER_PAUSED_UNTIL_RESUMED;
    g_autofree char *text = NULL;
    verdict_t verdict = VERDICT_HEALTHY;
    gboolean changed = FALSE;

    if (until != NULL && !read_until(until, &until_ms, error)) {
        return EXIT_USAGE;
    }
    if (until != NULL && g_getenv("CIB_file") == NULL && !clock_is_trusted(error)) {
        return exit_code_of(*error);
    }
    text = paused_until_text(until_ms);
    if (!set_param(line->server, "paused_until", text, &changed, error)) {
        return exit_code_of(*error);
    }
    printf("%s is paused until %s%s: it is neither isolated nor taken over, whatever becomes of it\n", line->server,
           until != NULL ? text : "understudy resume ", until != NULL ? "" : line->server);
    say_note(ask_verdict(line->server, &verdict) ? verdict_pause_note(verdict) : NULL);
    return EXIT_OK;
}

exit_code_t run_resume(const command_line_t *line, GError **error)
{
    gboolean changed = FALSE;

    if (!set_param(line->server, "paused_until", "", &changed, error)) {
        return exit_code_of(*error);
    }
    printf(changed ? "%s is watched again as before\n" : "%s was not paused\n", line->server);
    return EXIT_OK;
}

/* hold -----------------------------------------------------------------------*/

gboolean hold_end(const char *server, GError **error)
{
    gboolean changed = FALSE;

    return set_param(server, "hold", "", &changed, error);
}

exit_code_t run_hold(const command_line_t *line, GError **error)
{
    gboolean off = command_line_has(line, "off");
    verdict_t verdict = VERDICT_HEALTHY;
    gboolean is_known = !off && ask_verdict(line->server, &verdict);
    g_autofree char *refusal = is_known ? verdict_hold_refusal(verdict, line->server) : NULL;
    gboolean changed = FALSE;

    if (refusal != NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, refusal);
        return exit_code_of(*error);
    }
    if (!set_param(line->server, "hold", off ? "" : "true", &changed, error)) {
        return exit_code_of(*error);
    }
    printf(off ? "%s takes its place again when it is back\n"
               : "%s: an image that runs goes on, whatever the original says\n", line->server);
    say_note(is_known ? verdict_hold_note(verdict) : NULL);
    return EXIT_OK;
}
