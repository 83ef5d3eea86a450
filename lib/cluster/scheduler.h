/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Pacemaker's own scheduler would do with a CIB: asked of crm_simulate, in a child process. */
#ifndef UNDERSTUDY_SCHEDULER_H
#define UNDERSTUDY_SCHEDULER_H

#include <glib.h>
#include <libxml/tree.h>

/* For a person who waits: it takes seconds with 1,000 servers. */
#define SCHEDULER_TIMEOUT_MS 20000
#define SCHEDULER_SCORE_INFINITY 1000000 /* minus it: never there */

/* What the scheduler would do with one resource that is to start. */
typedef struct scheduler_start {
    char *host;
    char *blocked;           /* why the start has to wait, in the scheduler's words; or NULL */
} scheduler_start_t;

typedef struct scheduler_plan {
    GHashTable *starts;      /* resource id -> scheduler_start_t*: those that would start */
    GHashTable *ends;        /* resource id -> char*: what would be done to those that run and would not run on: stop,
                              * restart, recover, move */
    GHashTable *scores;      /* resource id -> GHashTable*: host -> GINT_TO_POINTER score; only those that were placed */
} scheduler_plan_t;

typedef struct scheduler_question scheduler_question_t;

/* plan: for the call only, NULL with an error. From the main loop, never from in scheduler_ask(). */
typedef void (*scheduler_answered_fn)(const scheduler_plan_t *plan, const GError *error, gpointer user_data);

/*!
 * \brief Ask what would happen, without waiting
 *
 * \param[in] cib_xml    the <cib> element; not kept
 * \param[in] servers    NULL-terminated: their tickets are taken as granted; NULL: all tickets as they are
 * \param[in] answered   comes once, at the latest shortly after timeout_ms; the question is gone then
 * \return question, or NULL with an error: the CIB can't be written for crm_simulate
 */
scheduler_question_t *scheduler_ask(xmlNode *cib_xml, const char *const *servers, guint timeout_ms,
                                    scheduler_answered_fn answered, gpointer user_data, GError **error);
/* answered() does not come, and the question is gone. */
void scheduler_cancel(scheduler_question_t *question);

/* The same about one server or none, waited for in the default main context; NULL with an error, else
 * scheduler_plan_free(). */
scheduler_plan_t *scheduler_ask_now(xmlNode *cib_xml, const char *server, guint timeout_ms, GError **error);

/* From what crm_simulate prints with --output-as=xml. Pure. NULL with an error. */
scheduler_plan_t *scheduler_plan_parse(const char *output, gsize length, GError **error);
void scheduler_plan_free(scheduler_plan_t *plan);

#endif
