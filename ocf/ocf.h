/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_OCF_H
#define UNDERSTUDY_OCF_H

#include <glib.h>

/*
 * The OCF 1.1 runtime. One table per agent holds its parameters and actions;
 * parsing with range checks, the metadata, validate-all and the man page all
 * come from it.
 */

/* Exit codes of OCF resource agent API 1.1, and Pacemaker's degraded. */
typedef enum {
    OCF_RC_SUCCESS = 0,
    OCF_RC_GENERIC = 1,        /* soft error: recover in place or elsewhere */
    OCF_RC_ARGS = 2,           /* wrong on this host */
    OCF_RC_UNIMPLEMENTED = 3,
    OCF_RC_PERM = 4,
    OCF_RC_INSTALLED = 5,      /* something is missing on this host */
    OCF_RC_CONFIGURED = 6,     /* wrong on every host: Pacemaker gives up until it is changed */
    OCF_RC_NOT_RUNNING = 7,    /* monitor only */
    OCF_RC_DEGRADED = 190,     /* running, look at it soon */
} ocf_rc_t;

typedef enum {
    OCF_TYPE_STRING,
    OCF_TYPE_INTEGER,
    OCF_TYPE_BOOLEAN,
    OCF_TYPE_SELECT,
    OCF_TYPE_DURATION, /* shown as a string in the metadata; read by duration_parse() */
} ocf_type_t;

typedef struct ocf_param {
    const char *name;
    ocf_type_t type;
    const char *default_text;        /* NULL: none */
    gboolean required;
    const char *unique_group;        /* NULL: none */
    gboolean reloadable;
    gboolean is_for_observers;       /* no action goes by it: a wrong one is refused by validate-all alone */
    gint64 min;                      /* INTEGER; DURATION: ms */
    gint64 max;
    const char *const *choices;      /* SELECT: NULL-terminated */
    /* Further syntax check, pure: no look at the host. NULL: none. */
    gboolean (*check)(const char *value, GError **error);
    const char *shortdesc;
    const char *longdesc;
} ocf_param_t;

/* The parameters of one call, read by name. */
typedef struct ocf_values ocf_values_t;

typedef struct ocf_call {
    const struct ocf_agent *agent;
    const char *action;
    const char *instance;         /* OCF_RESOURCE_INSTANCE, "" if unset */
    const char *node;             /* name of this host in the cluster */
    gboolean is_probe;            /* monitor with interval 0 */
    guint check_level;            /* OCF_CHECK_LEVEL */
    guint timeout_ms;             /* of the action; from Pacemaker, else the table's */
    gint64 deadline_us;           /* g_get_monotonic_time() when the action must have ended */
    const ocf_values_t *values;   /* invalid values read as their defaults (see params_error) */
    const GError *params_error;   /* NULL, or what is wrong with the parameters: only seen by
                                     actions that take bad parameters (see below) */
} ocf_call_t;

typedef struct ocf_action {
    const char *name;
    guint timeout_s;
    guint interval_s;             /* monitor only; 0: none */
    guint depth;                  /* monitor only: OCF_CHECK_LEVEL */
    /* NULL: only in the metadata (a second monitor depth), or done by the runtime (meta-data, validate-all syntax) */
    ocf_rc_t (*run)(const ocf_call_t *call);
    /* stop, monitor: must tell the truth whatever the parameters are. reload-agent: what runs goes on with what it has; a
     * failure would stop it */
    gboolean takes_bad_params;
} ocf_action_t;

typedef struct ocf_agent {
    const char *name;             /* "image": the agent's file name */
    const char *shortdesc;
    const char *longdesc;
    const ocf_param_t *params;    /* ends with a NULL name */
    const ocf_action_t *actions;  /* ends with a NULL name */
} ocf_agent_t;

/*!
 * \brief Run an agent: the main() of each
 *
 * argv[1] is the action; parameters are OCF_RESKEY_* in the environment. Arms a watchdog at the
 * action's deadline, so that a library that hangs ends the action with a reason, never in silence.
 *
 * \return exit code of the process
 */
int ocf_agent_main(const ocf_agent_t *agent, int argc, char **argv);

/* FALSE: a value that can't be. Pure. */
gboolean ocf_value_check(const ocf_param_t *param, const char *text, GError **error);

/* reload-agent of an agent whose actions read their parameters anew each: there is nothing to tell what runs. */
ocf_rc_t ocf_reload_nothing(const ocf_call_t *call);

/* Values: by name of a parameter in the table (a wrong name aborts: a programming error). */
const char *ocf_value_string(const ocf_values_t *values, const char *name); /* NULL if unset and no default */
gint64 ocf_value_integer(const ocf_values_t *values, const char *name);
gboolean ocf_value_boolean(const ocf_values_t *values, const char *name);
guint64 ocf_value_duration_ms(const ocf_values_t *values, const char *name);

/* Parse and check parameters from a table without an environment: name -> text. For the tool.
 * Returns values (free with ocf_values_free()) and sets *error to the first thing wrong, if any. */
ocf_values_t *ocf_values_parse(const ocf_param_t *params, GHashTable *texts, GError **error);
void ocf_values_free(ocf_values_t *values);

/* Say why an action fails, as Pacemaker reads it (last one wins; it shows the first 128 bytes). */
void ocf_exit_reason(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* A line for the log (stderr, which Pacemaker logs). */
void ocf_log(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* Exit reason from the error's sentence, and the exit code of its class. Frees the error. */
ocf_rc_t ocf_fail(GError *error);

/* Milliseconds until the call's deadline less reserve_ms, never below 0. */
guint ocf_call_remaining_ms(const ocf_call_t *call, guint reserve_ms);

/* The metadata as an XML text; g_free(). */
char *ocf_metadata(const ocf_agent_t *agent);

#endif
