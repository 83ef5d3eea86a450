/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trial.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/names.h"
#include "base/program.h"
#include "cluster/observer_client.h"
#include "params/probe_spec.h"

/* Names may have to be looked up first. */
#define GRACE_MS          15000
#define HOSTS_WAIT_MS     6000
#define HOSTS_POLL_MS     500
#define HOSTS_ANSWER_MS   2000

/* What each answer leads to, for one that is not trusted. */
static const struct {
    const char *answer;
    const char *sentence;
    gboolean refused;
    gboolean refused_if_trusted;
} outcomes[] = {
    { "down", "finds the server down from this host: it is not taken over before it was seen up with its probes", FALSE,
      FALSE },
    { "unknown", "can't be asked from this host, so it would show nothing of the server: mend it, or set it up all the "
                 "same with --untried", TRUE, FALSE },
    { "never", "can never do its work", TRUE, TRUE },
};

static gboolean judge_one(JsonObject *probe, gboolean trusted, GPtrArray *warnings, GError **error)
{
    const char *kind = json_read_boolean(probe, "recover", FALSE) ? "recover-probe" : "probe";

    for (gsize i = 0; i < G_N_ELEMENTS(outcomes); i++) {
        gboolean refused = trusted ? outcomes[i].refused_if_trusted : outcomes[i].refused;
        g_autofree char *sentence = NULL;

        if (strcmp(json_read_text(probe, "answer"), outcomes[i].answer) != 0) {
            continue;
        }
        sentence = g_strdup_printf("%s '%s' %s (%s)", kind, json_read_text(probe, "probe"), outcomes[i].sentence,
                                   json_read_text(probe, "reason"));
        if (refused) {
            g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, sentence);
            return FALSE;
        }
        g_ptr_array_add(warnings, g_steal_pointer(&sentence));
    }
    return TRUE;
}

gboolean trial_judge(const char *json, gboolean trusted, gboolean *all_up, GPtrArray *warnings, GError **error)
{
    g_autoptr(JsonObject) object = json_read_object_text(json, "what try-probes says", error);
    JsonArray *probes = json_read_array(object, "probes");

    *all_up = TRUE;
    if (object == NULL) {
        return FALSE;
    }
    for (guint i = 0; probes != NULL && i < json_array_get_length(probes); i++) {
        JsonObject *probe = json_read_element(probes, i);

        if (strcmp(json_read_text(probe, "answer"), "up") == 0) {
            continue;
        }
        *all_up = FALSE;
        if (!judge_one(probe, trusted, warnings, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static void set_variable(const char *name, const char *value)
{
    if (value != NULL) {
        g_setenv(name, value, TRUE);
    } else {
        g_unsetenv(name);
    }
}

static guint count_probes(const char *text)
{
    GPtrArray *probes = probe_spec_list_parse(text != NULL ? text : "", NULL);
    guint count = probes != NULL ? probes->len : 0;

    g_clear_pointer(&probes, g_ptr_array_unref);
    return count;
}

gboolean trial_run(const trial_t *trial, gboolean trusted, gboolean *all_up, GError **error)
{
    g_autofree char *timeout_ms = g_strdup_printf("%u", trial->timeout_ms);
    const char *argv[] = { TRY_PROBES_HELPER, timeout_ms, NULL };
    guint count = count_probes(trial->probes) + 1;
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *output = NULL;
    gboolean good = FALSE;

    set_variable(TRY_PROBES_VARIABLE, trial->probes);
    set_variable(TRY_RECOVER_PROBE_VARIABLE, trial->recover_probe);
    set_variable(TRY_SERVICE_ADDRESS_VARIABLE, trial->service_address);
    good = program_run(argv, count * trial->timeout_ms + GRACE_MS, &output, error)
           && trial_judge(output, trusted, all_up, warnings, error);
    for (guint i = 0; i < warnings->len; i++) {
        fprintf(stderr, "understudy: %s\n", (const char *) g_ptr_array_index(warnings, i));
    }
    return good;
}

/* The hosts that do not see it up, as sentences; FALSE: ask again. */
static gboolean read_hosts(JsonObject *status, const char *server, GPtrArray *sentences)
{
    JsonObject *seen = json_read_named(status, "servers", server);
    JsonObject *reasons = json_read_object(seen, "vote_reasons");
    g_autoptr(GList) hosts = reasons != NULL ? json_object_get_members(reasons) : NULL;

    g_ptr_array_set_size(sentences, 0);
    for (GList *host = hosts; host != NULL; host = host->next) {
        g_ptr_array_add(sentences, g_strdup_printf("%s: %s", (const char *) host->data,
                                                   json_read_text(reasons, host->data)));
    }
    return strcmp(json_read_text(seen, "probes_seen"), "yes") == 0 && sentences->len == 0;
}

void trial_ask_hosts(const char *server)
{
    gint64 deadline_us = g_get_monotonic_time() + HOSTS_WAIT_MS * 1000LL;
    g_autoptr(GPtrArray) sentences = g_ptr_array_new_with_free_func(g_free);
    gboolean done = FALSE;

    while (!done && g_get_monotonic_time() < deadline_us) {
        g_autoptr(JsonObject) status = observer_client_ask("status", NULL, HOSTS_ANSWER_MS, NULL);

        if (status == NULL) {
            return; /* no observer here yet: status will tell */
        }
        done = read_hosts(status, server, sentences);
        if (!done) {
            g_usleep(HOSTS_POLL_MS * 1000);
        }
    }
    for (guint i = 0; i < sentences->len; i++) {
        fprintf(stderr, "understudy: not seen up from %s\n", (const char *) g_ptr_array_index(sentences, i));
    }
}
