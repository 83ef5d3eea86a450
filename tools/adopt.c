/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "adoption.h"
#include "advice.h"
#include "agent_operations.h"
#include "base/agent_call.h"
#include "base/error.h"
#include "base/names.h"
#include "cluster/cib.h"
#include "cluster/cluster_state.h"
#include "cluster/site_check.h"
#include "import.h"
#include "interruption.h"
#include "params/probe_spec.h"
#include "params/server_config.h"
#include "references.h"
#include "run.h"
#include "setup_faults.h"
#include "store/registry.h"
#include "store/server_entry.h"
#include "trial.h"

/* Each try loses only against another change of the CIB in the same moment. */
#define REPLACE_TRIES 20
/* For the agent to ask the store about all disks. */
#define BOOT_CHECK_TIMEOUT_MS 15000

/* Options --------------------------------------------------------------------*/

/* One probe a --probe, quoted where it has blanks; what is a list already is taken as it stands. */
static char *probes_text(const GPtrArray *probes, GError **error)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < probes->len; i++) {
        const char *probe = g_ptr_array_index(probes, i);
        probe_spec_t *one = probe_spec_parse(probe, NULL);
        GPtrArray *list = one == NULL ? probe_spec_list_parse(probe, error) : NULL;
        g_autofree char *quoted = NULL;

        if (one == NULL && list == NULL) {
            g_string_free(text, TRUE);
            return NULL;
        }
        quoted = one != NULL && strpbrk(probe, " \t'\"\\") != NULL ? g_shell_quote(probe) : g_strdup(probe);
        g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "", quoted);
        probe_spec_free(one);
        g_clear_pointer(&list, g_ptr_array_unref);
    }
    return g_string_free(text, FALSE);
}

static gboolean read_probes(const command_line_t *line, const char *option, char **text, GError **error)
{
    const GPtrArray *values = command_line_values(line, option);

    *text = values != NULL ? probes_text(values, error) : NULL;
    return values == NULL || *text != NULL;
}

static gboolean read_set(const command_line_t *line, GHashTable *params, GError **error)
{
    const GPtrArray *pairs = command_line_values(line, "set");

    for (guint i = 0; pairs != NULL && i < pairs->len; i++) {
        const char *pair = g_ptr_array_index(pairs, i);
        const char *equals = strchr(pair, '=');

        if (equals == NULL || equals == pair) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "--set=%s: write PARAM=VALUE, or PARAM= for the default", pair);
            return FALSE;
        }
        g_hash_table_insert(params, g_strndup(pair, equals - pair), g_strdup(equals + 1));
    }
    return TRUE;
}

static gboolean read_disks(const command_line_t *line, GPtrArray *disks, GHashTable *params, GError **error)
{
    const GPtrArray *values = command_line_values(line, "disk");
    GString *text = g_string_new(NULL);

    for (guint i = 0; values != NULL && i < values->len; i++) {
        disk_t *disk = disk_parse(g_ptr_array_index(values, i), error);

        if (disk == NULL) {
            g_string_free(text, TRUE);
            return FALSE;
        }
        g_ptr_array_add(disks, disk);
        g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "", disk->text);
    }
    if (text->len > 0) {
        g_hash_table_insert(params, g_strdup("disks"), g_string_free(text, FALSE));
    } else {
        g_string_free(text, TRUE);
    }
    return TRUE;
}

/* The options that are parameters under the same name. */
static gboolean read_params(const command_line_t *line, GHashTable *params, GError **error)
{
    static const char *const names[] = { "recover-probe", "service-address", "mac", "bridge", "vcpus", "memory-mib",
                                         "isolate", "store-address", NULL };
    char *probes = NULL;

    for (const char *const *name = names; *name != NULL; name++) {
        const char *value = command_line_value(line, *name);

        if (value != NULL) {
            g_hash_table_insert(params, g_strdelimit(g_strdup(*name), "-", '_'), g_strdup(value));
        }
    }
    if (!read_probes(line, "probe", &probes, error)) {
        return FALSE;
    }
    if (probes != NULL) {
        g_hash_table_insert(params, g_strdup("probes"), probes);
    }
    return read_set(line, params, error);
}

/* Steps ----------------------------------------------------------------------*/

static xmlNode *empty_cib(void)
{
    xmlDoc *doc = xmlNewDoc((const xmlChar *) "1.0");
    xmlNode *cib = xmlNewDocNode(doc, NULL, (const xmlChar *) "cib", NULL);

    xmlDocSetRootElement(doc, cib);
    return cib;
}

static void print_snippet(xmlNode *configuration, const char *format)
{
    static const struct {
        const char *format;
        char *(*print)(xmlNode *);
        const char *hint; /* apart from the output, because crm would put a comment into the CIB */
    } printers[] = {
        { "pcs", snippet_pcs, "run it in an empty folder: sh FILE" },
        { "crm", snippet_crm, "apply it with: crm configure load update FILE" },
        { "xml", snippet_xml, "apply it with: cibadmin --modify --allow-create --scope configuration --xml-file FILE" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(printers); i++) {
        if (strcmp(printers[i].format, format) == 0) {
            g_autofree char *text = printers[i].print(configuration);

            fputs(text, stdout);
            fprintf(stderr, "%s\n", printers[i].hint);
        }
    }
}

/* With all the other servers and the cluster's nodes in view. */
static gboolean fits_site(const adoption_t *adoption, xmlNode *xml, GError **error)
{
    cluster_state_t *state = cluster_state_parse(xml, error);
    GHashTable *faults = state != NULL ? site_check(state) : NULL;
    const char *fault = faults != NULL ? g_hash_table_lookup(faults, adoption->server) : NULL;
    gboolean fits = faults != NULL && fault == NULL;

    if (fault != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "%s is not set up so: %s", adoption->server,
                    fault);
    }
    g_clear_pointer(&faults, g_hash_table_unref);
    cluster_state_free(state);
    return fits;
}

static GPtrArray *reference_faults_in(xmlNode *xml)
{
    cluster_state_t *state = cluster_state_parse(xml, NULL);
    GPtrArray *faults = state != NULL ? references_faults(xml, state) : g_ptr_array_new_with_free_func(g_free);

    cluster_state_free(state);
    return faults;
}

/* Nothing that makes a reference useless. What stood before is told by `status`, and hinders no other change. */
static gboolean fits_references(const GPtrArray *before, xmlNode *xml, GError **error)
{
    g_autoptr(GPtrArray) faults = reference_faults_in(xml);

    for (guint i = 0; i < faults->len; i++) {
        const char *fault = g_ptr_array_index(faults, i);

        if (!g_ptr_array_find_with_equal_func((GPtrArray *) before, fault, g_str_equal, NULL)) {
            g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, fault);
            return FALSE;
        }
    }
    return TRUE;
}

/* With the whole site in view. */
static gboolean apply(const adoption_t *adoption, xmlNode *xml, gboolean *changed, GError **error)
{
    g_autoptr(GPtrArray) before = reference_faults_in(xml);

    return adoption_apply(adoption, xml, changed, error) && fits_site(adoption, xml, error)
           && fits_references(before, xml, error);
}

static gboolean serves_on(const command_line_t *line, xmlNode *before, xmlNode *after, GError **error)
{
    return command_line_has(line, "restart") || interruption_check(before, after, error);
}

/* In a cluster whose images may serve meanwhile. */
static gboolean apply_live(const command_line_t *line, const adoption_t *adoption, xmlNode *xml, gboolean *changed,
                           GError **error)
{
    xmlDoc *before = xmlCopyDoc(xml->doc, 1);
    gboolean done = apply(adoption, xml, changed, error)
                    && (!*changed || serves_on(line, xmlDocGetRootElement(before), xml, error));

    xmlFreeDoc(before);
    return done;
}

/* Without a cluster here it prints what the first adoption would do. */
static gboolean print(const adoption_t *adoption, cib_connection_t *cib, const char *format, GError **error)
{
    xmlNode *before = cib != NULL ? cib_connection_query(cib, NULL) : NULL;
    xmlDoc *copy = before != NULL ? xmlCopyDoc(before->doc, 1) : NULL;
    xmlNode *after = copy != NULL ? xmlDocGetRootElement(copy) : empty_cib();
    gboolean changed = FALSE;
    gboolean done = before != NULL ? apply(adoption, after, &changed, error)
                                   : adoption_apply(adoption, after, &changed, error);

    if (done) {
        xmlNode *configuration = adoption_extract(adoption->server, before, after);

        print_snippet(configuration, format);
        xmlFreeDoc(configuration->doc);
    }
    xmlFreeDoc(after->doc);
    cib_xml_free(before);
    return done;
}

/* What the resource will have. */
typedef struct {
    char *ceph_conf;
    char *ceph_user;
    char *probes;
    char *recover_probe;
    char *service_address;
    char *probes_digest;
    guint probe_timeout_ms;
    gboolean strategy_is_new; /* placement-strategy is set with it */
    gboolean server_is_new;
    GHashTable *params;       /* char* -> char*: all */
} rehearsal_t;

static void rehearsal_clear(rehearsal_t *rehearsal)
{
    g_free(rehearsal->ceph_conf);
    g_free(rehearsal->ceph_user);
    g_free(rehearsal->probes);
    g_free(rehearsal->recover_probe);
    g_free(rehearsal->service_address);
    g_free(rehearsal->probes_digest);
    g_clear_pointer(&rehearsal->params, g_hash_table_unref);
}

static gboolean rehearsal_fill(rehearsal_t *rehearsal, xmlNode *xml, const char *server, GError **error)
{
    const struct {
        const char *name;
        char **to;
    } texts[] = {
        { "ceph_conf", &rehearsal->ceph_conf },         { "ceph_user", &rehearsal->ceph_user },
        { "probes", &rehearsal->probes },               { "recover_probe", &rehearsal->recover_probe },
        { "service_address", &rehearsal->service_address },
    };
    g_autoptr(GHashTable) params = g_hash_table_new(g_str_hash, g_str_equal);
    g_autofree char *resource_id = server_resource_id(server);
    server_config_t *config = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        *texts[i].to = g_strdup(adoption_param(xml, server, texts[i].name));
    }
    g_hash_table_insert(params, (gpointer) "probes", rehearsal->probes);
    g_hash_table_insert(params, (gpointer) "recover_probe", rehearsal->recover_probe);
    g_hash_table_insert(params, (gpointer) "probe_timeout", (gpointer) adoption_param(xml, server, "probe_timeout"));
    config = server_config_parse(resource_id, params, error);
    if (config == NULL) {
        return FALSE;
    }
    rehearsal->params = adoption_params(xml, server);
    rehearsal->probes_digest = g_strdup(config->probes_digest);
    rehearsal->probe_timeout_ms = (guint) config->probe_timeout_ms;
    server_config_free(config);
    return TRUE;
}

static void warn_setup(const adoption_t *adoption, xmlNode *xml)
{
    g_autofree char *rival = setup_capacity_rival(xml);
    g_autofree char *late = setup_late_start(adoption, xml, adoption->server);

    if (rival != NULL) {
        fprintf(stderr, "understudy: %s\n", rival);
    }
    if (late != NULL) {
        fprintf(stderr, "understudy: %s\n", late);
    }
}

/* Without what may be secret. */
static char *labels_of(const char *list)
{
    GPtrArray *probes = probe_spec_list_parse(list, NULL);
    GString *text = g_string_new(NULL);

    for (guint i = 0; probes != NULL && i < probes->len; i++) {
        g_autofree char *label = probe_spec_label(g_ptr_array_index(probes, i));

        g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", label);
    }
    g_clear_pointer(&probes, g_ptr_array_unref);
    return g_string_free(text, FALSE);
}

/* They are one list for all servers, and are given as a whole, as any other parameter. */
static void warn_replaced(const adoption_t *adoption, xmlNode *xml)
{
    const struct {
        const char *parameter;
        const char *option;
        const char *given;
    } lists[] = {
        { "references", "reference", adoption->references },
        { "management_references", "management-reference", adoption->management_references },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
        const char *standing = references_of(xml, lists[i].parameter);

        if (lists[i].given != NULL && standing != NULL && *standing != '\0' && strcmp(lists[i].given, standing) != 0) {
            g_autofree char *were = labels_of(standing);

            fprintf(stderr, "understudy: --%s replaces the %s of all servers, which were: %s\n", lists[i].option,
                    lists[i].parameter, were);
        }
    }
}

/* Wrong parameters are found before the store is touched. Also says what the resource will have. */
static gboolean rehearse(const command_line_t *line, const adoption_t *adoption, cib_connection_t *cib,
                         rehearsal_t *rehearsal, GError **error)
{
    xmlNode *xml = cib_connection_query(cib, error);
    gboolean had_strategy = xml != NULL && cib_placement_strategy(xml) != NULL;
    gboolean is_new = xml != NULL && !adoption_exists(xml, adoption->server);
    gboolean changed = FALSE;
    gboolean good = FALSE;

    if (xml != NULL) {
        warn_replaced(adoption, xml);
    }
    good = xml != NULL && apply_live(line, adoption, xml, &changed, error)
           && rehearsal_fill(rehearsal, xml, adoption->server, error);

    if (good) {
        const char *strategy = cib_placement_strategy(xml);

        rehearsal->server_is_new = is_new;
        rehearsal->strategy_is_new = !had_strategy;
        warn_setup(adoption, xml);
        if (g_strcmp0(strategy, "balanced") != 0) {
            fprintf(stderr, "understudy: placement-strategy is \"%s\" and stays so: images are not spread over the "
                            "emptiest hosts unless it is \"balanced\"\n", strategy);
        }
    }
    cib_xml_free(xml);
    return good;
}

/* Only what was given: what stands already has been tried, or is judged by what the observers see. */
static gboolean try_probes(const command_line_t *line, const adoption_t *adoption, const rehearsal_t *rehearsal,
                           gboolean *all_up, GError **error)
{
    const trial_t trial = { .probes = rehearsal->probes, .recover_probe = rehearsal->recover_probe,
                            .service_address = rehearsal->service_address,
                            .timeout_ms = rehearsal->probe_timeout_ms };

    *all_up = FALSE;
    if (command_line_has(line, "untried") || g_getenv("CIB_file") != NULL
        || (!g_hash_table_contains(adoption->params, "probes")
            && !g_hash_table_contains(adoption->params, "recover_probe"))) {
        return TRUE;
    }
    return trial_run(&trial, command_line_has(line, "trust-probes"), all_up, error);
}

/* After the change: the observers find it in the store as what they have seen themselves. */
static gboolean trust_probes(const command_line_t *line, const adoption_t *adoption, const rehearsal_t *rehearsal,
                             GError **error)
{
    store_options_t options = { .conf = rehearsal->ceph_conf, .user = rehearsal->ceph_user };
    g_autofree char *key = registry_seen_key(adoption->server);
    store_t *store = NULL;
    gboolean done = FALSE;

    if (!command_line_has(line, "trust-probes")) {
        return TRUE;
    }
    store = store_open(&options, error);
    done = store != NULL && config_key_set(store, key, rehearsal->probes_digest, error);
    store_close(store);
    if (!done) {
        g_prefix_error(error, "%s is set up, but that its probes are trusted could not be kept, run it again: ",
                       adoption->server);
    }
    return done;
}

static gboolean prepare_store(const command_line_t *line, const GPtrArray *disks, const char *ceph_conf,
                              const char *ceph_user, GError **error)
{
    const char *import_user = command_line_value(line, "import-user");
    store_options_t options = { .conf = ceph_conf, .user = import_user != NULL ? import_user : ceph_user };
    store_t *store = NULL;
    gboolean done = TRUE;

    if (disks->len == 0) {
        return TRUE;
    }
    store = store_open(&options, error);
    if (store == NULL) {
        return FALSE;
    }
    for (guint i = 0; done && i < disks->len; i++) {
        done = disk_import(store, g_ptr_array_index(disks, i), error);
    }
    done = done && disks_first_point(store, disks, error);
    store_close(store);
    return done;
}

/* What stands already is told by `status`. Whose it is can't be told from an address alone: the store is asked. */
static gboolean try_store_address(const adoption_t *adoption, const rehearsal_t *rehearsal, GError **error)
{
    const store_options_t options = { .conf = rehearsal->ceph_conf, .user = rehearsal->ceph_user };
    const char *address = g_hash_table_lookup(rehearsal->params, "store_address");
    g_autoptr(store_map_t) map = NULL;
    store_t *store = NULL;
    gboolean good = FALSE;

    if (address == NULL || *address == '\0'
        || (!rehearsal->server_is_new && !g_hash_table_contains(adoption->params, "store_address"))) {
        return TRUE;
    }
    store = store_open(&options, error);
    good = store != NULL && server_entry_address_ask(store, address, &map, error);
    store_close(store);
    if (!good) {
        g_prefix_error(error, "%s is not set up so: store_address %s: ", adoption->server, address);
    }
    return good;
}

/* Who changes nothing of what is booted learns of it, and may do so. */
static gboolean changes_boot(const adoption_t *adoption, const rehearsal_t *rehearsal)
{
    static const char *const names[] = { "disks", "run_pool", "server", "ceph_conf", "ceph_user" };

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_hash_table_contains(adoption->params, names[i])) {
            return TRUE;
        }
    }
    return rehearsal->server_is_new;
}

/* By the agent that would start it: with its parameters, and by the same look at all disks. */
static gboolean try_boot(const adoption_t *adoption, const rehearsal_t *rehearsal, GError **error)
{
    g_autofree char *resource_id = server_resource_id(adoption->server);
    g_autofree char *reason = NULL;
    g_autofree char *sentence = NULL;
    bootable_answer_t answer = agent_boot_check_run(resource_id, rehearsal->params, BOOT_CHECK_TIMEOUT_MS, &reason);

    if (answer == BOOTABLE_YES) {
        return TRUE;
    }
    sentence = answer == BOOTABLE_NO
                   ? g_strdup_printf("no host could boot the image of %s: %s", adoption->server, reason)
                   : g_strdup_printf("whether a host could boot the image of %s is not known from here: %s", adoption->server,
                                     reason);
    if (!changes_boot(adoption, rehearsal)) {
        fprintf(stderr, "understudy: %s\n", sentence);
        return TRUE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, answer == BOOTABLE_NO ? UNDERSTUDY_ERROR_CONFIG : UNDERSTUDY_ERROR_FAILED,
                "%s (mend that and run it again, or set it up all the same with --no-store)", sentence);
    return FALSE;
}

/* A ticket that was left over would start the image of a server that may be well. */
static gboolean revoke_leftover(const adoption_t *adoption, cib_connection_t *cib, xmlNode *xml, GError **error)
{
    const char *const servers[] = { adoption->server, NULL };

    if (adoption_exists(xml, adoption->server) || !adoption_ticket_is_granted(xml, adoption->server)) {
        return TRUE;
    }
    fprintf(stderr, "understudy: the ticket " TICKET_PREFIX "%s was granted already: it is revoked\n",
            adoption->server);
    if (cib_tickets_set(cib, servers, FALSE, error)) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "the ticket had to be revoked first");
    }
    return FALSE;
}

static gboolean try_change(const command_line_t *line, const adoption_t *adoption, cib_connection_t *cib,
                           gboolean *changed, GError **error)
{
    xmlNode *xml = cib_connection_query(cib, error);
    gboolean done = xml != NULL && revoke_leftover(adoption, cib, xml, error)
                    && apply_live(line, adoption, xml, changed, error)
                    && (!*changed || cib_connection_replace(cib, xml, error));

    cib_xml_free(xml);
    return done;
}

static gboolean try_upgrade(const command_line_t *line, const adoption_t *adoption, cib_connection_t *cib,
                            gboolean *changed, GError **error)
{
    xmlNode *xml = cib_connection_query(cib, error);
    gboolean done = FALSE;

    if (xml != NULL) {
        g_autoptr(GPtrArray) faults = reference_faults_in(xml);
        xmlDoc *before = xmlCopyDoc(xml->doc, 1);

        warn_replaced(adoption, xml);
        *changed = adoption_upgrade(adoption, xml);
        done = fits_references(faults, xml, error)
               && (!*changed || (serves_on(line, xmlDocGetRootElement(before), xml, error)
                                 && cib_connection_replace(cib, xml, error)));
        xmlFreeDoc(before);
    }
    cib_xml_free(xml);
    return done;
}

typedef gboolean (*try_fn)(const command_line_t *line, const adoption_t *adoption, cib_connection_t *cib,
                           gboolean *changed, GError **error);

static gboolean try_again(try_fn try, const command_line_t *line, const adoption_t *adoption, cib_connection_t *cib,
                          gboolean *changed, GError **error)
{
    gboolean done = FALSE;

    for (guint i = 0; i < REPLACE_TRIES; i++) {
        g_clear_error(error);
        done = try(line, adoption, cib, changed, error);
        if (done || !g_error_matches(*error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY)) {
            break;
        }
    }
    return done;
}

static gboolean upgrade(const command_line_t *line, const adoption_t *adoption, cib_connection_t *cib, GError **error)
{
    gboolean changed = FALSE;
    gboolean done = try_again(try_upgrade, line, adoption, cib, &changed, error);

    if (done) {
        puts(changed ? "What this version sets up and an earlier one did not was added"
                     : "All images have what this version sets up already");
    }
    return done;
}

/* The change stands already: that it can't be read again is no error. */
static void advise(const adoption_t *adoption, cib_connection_t *cib, gboolean strategy_is_new)
{
    xmlNode *xml = cib_connection_query(cib, NULL);

    if (xml != NULL) {
        advice_print(xml, adoption->server, strategy_is_new);
    }
    cib_xml_free(xml);
}

static gboolean change(const command_line_t *line, const adoption_t *adoption, cib_connection_t *cib,
                       gboolean strategy_is_new, GError **error)
{
    gboolean changed = FALSE;
    gboolean done = try_again(try_change, line, adoption, cib, &changed, error);

    if (done) {
        printf(changed ? "%s is set up: its image stays stopped until the ticket " TICKET_PREFIX "%s is granted\n"
                       : "%s is set up as asked already (ticket " TICKET_PREFIX "%s)\n",
               adoption->server, adoption->server);
    }
    if (done && changed) {
        advise(adoption, cib, strategy_is_new);
    }
    return done;
}

static gboolean adopt(const command_line_t *line, const adoption_t *adoption, const GPtrArray *disks,
                      cib_connection_t *cib, GError **error)
{
    rehearsal_t rehearsal = { .ceph_conf = NULL };
    gboolean all_up = FALSE;
    gboolean done = rehearse(line, adoption, cib, &rehearsal, error) && try_probes(line, adoption, &rehearsal, &all_up, error)
                    && (command_line_has(line, "no-store")
                        || (try_store_address(adoption, &rehearsal, error)
                            && prepare_store(line, disks, rehearsal.ceph_conf, rehearsal.ceph_user, error)
                            && try_boot(adoption, &rehearsal, error)))
                    && change(line, adoption, cib, rehearsal.strategy_is_new, error)
                    && trust_probes(line, adoption, &rehearsal, error);

    if (done && all_up) {
        trial_ask_hosts(adoption->server);
    }
    rehearsal_clear(&rehearsal);
    return done;
}

/* Of a whole site, or of one server. */
static gboolean check_words(const command_line_t *line, GError **error)
{
    gboolean upgrades = command_line_has(line, "upgrade");

    if (upgrades != command_line_has(line, "all") || upgrades != (line->server == NULL)) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "adopt takes a server, or --all --upgrade for what an earlier version has set up");
        return FALSE;
    }
    return TRUE;
}

static gboolean carry_out(const command_line_t *line, const adoption_t *adoption, const GPtrArray *disks,
                          cib_connection_t *cib, GError **error)
{
    const char *format = command_line_value(line, "print");

    if (line->server == NULL) {
        return upgrade(line, adoption, cib, error);
    }
    return format != NULL ? print(adoption, cib, format, error) : adopt(line, adoption, disks, cib, error);
}

exit_code_t run_adopt(const command_line_t *line, GError **error)
{
    gboolean prints = command_line_value(line, "print") != NULL && line->server != NULL;
    g_autoptr(GHashTable) params = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GPtrArray) disks = g_ptr_array_new_with_free_func((GDestroyNotify) disk_free);
    g_autofree char *references = NULL;
    g_autofree char *management_references = NULL;
    adoption_t adoption = { .server = line->server, .params = params };
    cib_connection_t *cib = NULL;
    gboolean done = FALSE;

    if (!check_words(line, error) || !read_disks(line, disks, params, error) || !read_params(line, params, error)
        || !read_probes(line, "reference", &references, error)
        || !read_probes(line, "management-reference", &management_references, error)) {
        return EXIT_USAGE;
    }
    adoption.references = references;
    adoption.management_references = management_references;
    /* First, because Pacemaker's library must be initialized before any XML is made. */
    cib = cib_connection_open("understudy", prints ? NULL : error);
    if (cib == NULL && !prints) {
        return exit_code_of(*error);
    }
    done = adoption_read_operations(&adoption, error) && carry_out(line, &adoption, disks, cib, error);
    adoption_clear_operations(&adoption);
    cib_connection_close(cib);
    return done ? EXIT_OK : exit_code_of(*error);
}
