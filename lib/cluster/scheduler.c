/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/scheduler.h"

#include <string.h>

#include <glib/gstdio.h>
#include <libxml/parser.h>

#include <crm/common/util.h>

#include "base/error.h"
#include "base/names.h"
#include "base/program.h"
#include "cluster/xml.h"

struct scheduler_question {
    char *folder;            /* of its own: the CIB, and what crm_simulate writes beside it */
    program_t *program;
    scheduler_answered_fn answered;
    gpointer user_data;
};

/* The answer ------------------------------------------------------------------*/

static void start_free(gpointer data)
{
    scheduler_start_t *start = data;

    g_free(start->host);
    g_free(start->blocked);
    g_free(start);
}

void scheduler_plan_free(scheduler_plan_t *plan)
{
    if (plan == NULL) {
        return;
    }
    g_hash_table_unref(plan->starts);
    g_hash_table_unref(plan->ends);
    g_hash_table_unref(plan->scores);
    g_free(plan);
}

static scheduler_start_t *start_of(xmlNode *node)
{
    scheduler_start_t *start = g_new0(scheduler_start_t, 1);
    const char *blocked = xml_get(node, "blocked");
    const char *reason = xml_get(node, "reason");

    start->host = g_strdup(xml_get(node, "node"));
    if (crm_is_true(blocked)) {
        start->blocked = g_strdup(reason != NULL ? reason : "it gives no reason");
    }
    return start;
}

/* Pacemaker's words for what it does to a resource that runs; a live migration and a reload are none of them. */
static gboolean is_end(const char *action)
{
    static const char *const ends[] = { "stop", "restart", "recover", "move", NULL };

    return g_strv_contains(ends, action);
}

static void read_action(scheduler_plan_t *plan, xmlNode *node)
{
    const char *action = xml_get(node, "action");
    const char *resource = xml_get(node, "resource");

    if (action == NULL || resource == NULL) {
        return;
    }
    if (strcmp(action, "start") == 0) {
        g_hash_table_replace(plan->starts, g_strdup(resource), start_of(node));
    } else if (is_end(action)) {
        g_hash_table_replace(plan->ends, g_strdup(resource), g_strdup(action));
    }
}

/* One for each stage of the placement; the last one counts. */
static void read_score(scheduler_plan_t *plan, xmlNode *node)
{
    const char *resource = xml_get(node, "id");
    const char *host = xml_get(node, "node");
    const char *score = xml_get(node, "score");
    GHashTable *scores = NULL;

    if (resource == NULL || host == NULL || score == NULL) {
        return;
    }
    scores = g_hash_table_lookup(plan->scores, resource);
    if (scores == NULL) {
        scores = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_hash_table_insert(plan->scores, g_strdup(resource), scores);
    }
    g_hash_table_replace(scores, g_strdup(host), GINT_TO_POINTER(char2score(score)));
}

static void read_nodes(scheduler_plan_t *plan, xmlNode *parent)
{
    for (xmlNode *node = parent->children; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE) {
            continue;
        }
        if (xmlStrEqual(node->name, (const xmlChar *) "rsc_action")) {
            read_action(plan, node);
        } else if (xmlStrEqual(node->name, (const xmlChar *) "node_weight")) {
            read_score(plan, node);
        } else if (xmlStrEqual(node->name, (const xmlChar *) "actions")
                   || xmlStrEqual(node->name, (const xmlChar *) "allocations")
                   || xmlStrEqual(node->name, (const xmlChar *) "allocations_utilizations")) {
            read_nodes(plan, node);
        }
    }
}

scheduler_plan_t *scheduler_plan_parse(const char *output, gsize length, GError **error)
{
    xmlDoc *doc = length <= G_MAXINT ? xmlReadMemory(output, (int) length, "crm_simulate", NULL,
                                                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING
                                                     | XML_PARSE_HUGE)
                                     : NULL;
    xmlNode *root = doc != NULL ? xmlDocGetRootElement(doc) : NULL;
    scheduler_plan_t *plan = NULL;

    if (root == NULL || !xmlStrEqual(root->name, (const xmlChar *) "pacemaker-result")) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                            "crm_simulate does not say what the scheduler would do: run crm_simulate --live-check "
                            "--run to see why");
    } else {
        plan = g_new0(scheduler_plan_t, 1);
        plan->starts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, start_free);
        plan->ends = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        plan->scores = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_hash_table_unref);
        read_nodes(plan, root);
    }
    xmlFreeDoc(doc);
    return plan;
}

/* The question ----------------------------------------------------------------*/

static void remove_folder(const char *path)
{
    GDir *folder = g_dir_open(path, 0, NULL);
    const char *name = NULL;

    while (folder != NULL && (name = g_dir_read_name(folder)) != NULL) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        g_unlink(file);
    }
    if (folder != NULL) {
        g_dir_close(folder);
    }
    g_rmdir(path);
}

static void question_free(scheduler_question_t *question)
{
    remove_folder(question->folder);
    g_free(question->folder);
    g_free(question);
}

static void on_ended(const program_result_t *result, gpointer user_data)
{
    scheduler_question_t *question = user_data;
    scheduler_plan_t *plan = NULL;
    GError *error = NULL;

    if (result->exit_status == 0) {
        plan = scheduler_plan_parse(result->output, strlen(result->output), &error);
    } else {
        g_set_error(&error, UNDERSTUDY_ERROR,
                    result->overdue ? UNDERSTUDY_ERROR_TIMEOUT : UNDERSTUDY_ERROR_FAILED,
                    "Pacemaker's scheduler could not be asked with crm_simulate: %s", result->reason);
    }
    question->answered(plan, error, question->user_data);
    scheduler_plan_free(plan);
    g_clear_error(&error);
    question_free(question);
}

/* The one of that name, and id if one is given; it is made if it is not there. */
static xmlNode *child(xmlNode *parent, const char *name, const char *id)
{
    xmlNode *found = id != NULL ? xml_child_with(parent, name, "id", id) : xml_child(parent, name);

    return found != NULL ? found : xml_add(parent, name, id);
}

/* Not by crm_simulate's own option: it aborts then on a CIB whose feature set is newer than its own. */
static void grant_ticket(xmlNode *cib_xml, const char *server)
{
    g_autofree char *id = server_ticket_id(server);
    xmlNode *ticket = child(child(child(cib_xml, "status", NULL), "tickets", NULL), "ticket_state", id);

    xml_set(ticket, "granted", "true");
}

static char *write_cib(const char *folder, xmlNode *cib_xml, const char *const *servers, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "cib.xml", NULL);
    xmlDoc *copy = xmlNewDoc((const xmlChar *) "1.0");
    int bytes = -1;

    xmlDocSetRootElement(copy, xmlDocCopyNode(cib_xml, copy, 1));
    for (const char *const *server = servers; server != NULL && *server != NULL; server++) {
        grant_ticket(xmlDocGetRootElement(copy), *server);
    }
    bytes = xmlSaveFile(path, copy);
    xmlFreeDoc(copy);
    if (bytes < 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "%s can't be written, so that Pacemaker's scheduler can't be asked: make room there", path);
        return NULL;
    }
    return g_steal_pointer(&path);
}

static program_t *start_program(scheduler_question_t *question, const char *path, guint timeout_ms)
{
    g_autofree char *shadow = g_strconcat("CIB_shadow_dir=", question->folder, NULL);
    g_autofree char *scratch = g_strconcat("TMPDIR=", question->folder, NULL);
    /* What it writes on the way goes into the folder; what is set for our own connection is not for it. */
    const char *argv[] = { "env", "-u", "CIB_file", "-u", "CIB_shadow", shadow, scratch, "crm_simulate", "--xml-file",
                           path, "--run", "--show-scores", "--output-as=xml", NULL };

    return program_start(argv, timeout_ms, on_ended, question);
}

scheduler_question_t *scheduler_ask(xmlNode *cib_xml, const char *const *servers, guint timeout_ms,
                                    scheduler_answered_fn answered, gpointer user_data, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autofree char *path = NULL;
    char *folder = NULL;
    scheduler_question_t *question = NULL;

    folder = g_dir_make_tmp("understudy-XXXXXX", &reason);
    if (folder == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "Pacemaker's scheduler can't be asked: %s", reason->message);
        return NULL;
    }
    question = g_new0(scheduler_question_t, 1);
    question->folder = folder;
    question->answered = answered;
    question->user_data = user_data;
    path = write_cib(folder, cib_xml, servers, error);
    if (path == NULL) {
        question_free(question);
        return NULL;
    }
    question->program = start_program(question, path, timeout_ms);
    return question;
}

void scheduler_cancel(scheduler_question_t *question)
{
    program_cancel(question->program);
    question_free(question);
}

/* Waited for ------------------------------------------------------------------*/

typedef struct {
    gboolean ended;
    scheduler_plan_t *plan;
    GError *error;
} wait_t;

static void on_answered(const scheduler_plan_t *plan, const GError *error, gpointer user_data)
{
    wait_t *wait = user_data;

    wait->ended = TRUE;
    if (plan == NULL) {
        wait->error = g_error_copy(error);
        return;
    }
    wait->plan = g_new0(scheduler_plan_t, 1);
    wait->plan->starts = g_hash_table_ref(plan->starts);
    wait->plan->ends = g_hash_table_ref(plan->ends);
    wait->plan->scores = g_hash_table_ref(plan->scores);
}

scheduler_plan_t *scheduler_ask_now(xmlNode *cib_xml, const char *server, guint timeout_ms, GError **error)
{
    wait_t wait = { 0 };

    const char *const servers[] = { server, NULL };

    if (scheduler_ask(cib_xml, server != NULL ? servers : NULL, timeout_ms, on_answered, &wait, error) == NULL) {
        return NULL;
    }
    while (!wait.ended) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (wait.error != NULL) {
        g_propagate_error(error, wait.error);
    }
    return wait.plan;
}
