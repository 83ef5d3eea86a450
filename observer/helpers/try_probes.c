/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * try-probes: asks the probes of a server once from this host and prints what they say as JSON, for `understudy adopt`.
 * The probes come in the environment, because a conninfo may hold a password and a command line can be read by all.
 */
#include <gio/gio.h>
#include <json-glib/json-glib.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/names.h"
#include "probe/probe.h"

typedef struct {
    GMainLoop *loop;
    probe_answer_t answer;
    char *reason;
} trial_t;

static void on_done(probe_answer_t answer, const char *reason, gpointer user_data)
{
    trial_t *trial = user_data;

    trial->answer = answer;
    trial->reason = g_strdup(reason);
    g_main_loop_quit(trial->loop);
}

static char *conninfo_option(const char *conninfo, const char *keyword)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    char *value = NULL;

    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (strcmp(option->keyword, keyword) == 0) {
            value = g_strdup(option->val);
        }
    }
    PQconninfoFree(options);
    return value;
}

/* The numeric address or the name that a probe asks, or NULL: g_free(). */
static char *probe_host(const probe_spec_t *spec)
{
    char *host = NULL;

    if (spec->type == PROBE_HTTP) {
        g_uri_split(spec->target, G_URI_FLAGS_NONE, NULL, NULL, &host, NULL, NULL, NULL, NULL, NULL);
    } else if (spec->type == PROBE_PGSQL) {
        host = conninfo_option(spec->target, "hostaddr");
        host = host != NULL ? host : conninfo_option(spec->target, "host");
    } else {
        host = g_strdup(spec->address);
    }
    return host;
}

/* TRUE if a host, which may be a name, has the address. */
static gboolean host_has_address(const char *host, const char *address)
{
    g_autoptr(GResolver) resolver = g_resolver_get_default();
    g_autoptr(GInetAddress) wanted = g_inet_address_new_from_string(address);
    GList *found = host != NULL ? g_resolver_lookup_by_name(resolver, host, NULL, NULL) : NULL;
    gboolean has = FALSE;

    for (GList *each = found; each != NULL; each = each->next) {
        has = has || (wanted != NULL && g_inet_address_equal(each->data, wanted));
    }
    g_resolver_free_addresses(found);
    return has;
}

/* Why it can never do its work, or NULL; g_free(). */
static char *hopeless(const probe_spec_t *spec, gboolean is_recover, const char *service_address)
{
    g_autofree char *host = probe_host(spec);

    if (spec->type == PROBE_PGSQL && !probe_conninfo_is_usable(spec->target)) {
        return g_strdup("its conninfo can't be read, or has a name, which could hang an observer: give hostaddr=ADDRESS");
    }
    if (is_recover && service_address != NULL && host_has_address(host, service_address)) {
        return g_strdup("it asks the service address, which the image has while it runs: ask the management address");
    }
    return NULL;
}

static JsonObject *try_probe(const probe_spec_t *spec, gboolean is_recover, const char *service_address,
                             guint timeout_ms)
{
    trial_t trial = { .loop = g_main_loop_new(NULL, FALSE), .reason = hopeless(spec, is_recover, service_address) };
    g_autofree char *label = probe_spec_label(spec);
    gboolean is_hopeless = trial.reason != NULL;
    JsonObject *object = json_object_new();

    if (!is_hopeless) {
        probe_start(spec, timeout_ms, TRUE, on_done, &trial);
        g_main_loop_run(trial.loop);
    }
    json_object_set_string_member(object, "probe", label);
    json_object_set_boolean_member(object, "recover", is_recover);
    json_object_set_string_member(object, "answer", is_hopeless ? "never" : probe_answer_name(trial.answer));
    json_object_set_string_member(object, "reason", trial.reason != NULL ? trial.reason : "");
    g_free(trial.reason);
    g_main_loop_unref(trial.loop);
    return object;
}

/* Taken out of the environment, so that what an exec: probe starts does not see it. */
static char *take_variable(const char *name)
{
    char *value = g_strdup(g_getenv(name));

    g_unsetenv(name);
    return value;
}

static gboolean try_list(const char *text, gboolean is_recover, const char *service_address, guint timeout_ms,
                         JsonArray *results, GError **error)
{
    GPtrArray *probes = probe_spec_list_parse(text != NULL ? text : "", error);

    for (guint i = 0; probes != NULL && i < probes->len; i++) {
        json_array_add_object_element(results, try_probe(g_ptr_array_index(probes, i), is_recover, service_address,
                                                         timeout_ms));
    }
    if (probes != NULL) {
        g_ptr_array_unref(probes);
    }
    return probes != NULL;
}

int main(int argc, char **argv)
{
    g_autofree char *probes = take_variable(TRY_PROBES_VARIABLE);
    g_autofree char *recover = take_variable(TRY_RECOVER_PROBE_VARIABLE);
    g_autofree char *service_address = take_variable(TRY_SERVICE_ADDRESS_VARIABLE);
    guint timeout_ms = argc > 1 ? (guint) g_ascii_strtoull(argv[1], NULL, 10) : 0;
    g_autoptr(JsonArray) results = json_array_new();
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    g_autoptr(JsonObject) root = json_object_new();
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    if (timeout_ms == 0 || !try_list(probes, FALSE, service_address, timeout_ms, results, &error)
        || !try_list(recover, TRUE, service_address, timeout_ms, results, &error)) {
        fprintf(stderr, "%s\n", error != NULL ? error->message : "give the time limit in ms");
        return EXIT_FAILURE;
    }
    json_object_set_array_member(root, "probes", json_array_ref(results));
    json_node_set_object(node, root);
    text = json_to_string(node, FALSE);
    printf("%s\n", text);
    return EXIT_SUCCESS;
}
