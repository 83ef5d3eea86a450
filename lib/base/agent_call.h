/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our resource agents, called by our own programs: where they are, and what the image agent says of a server's image. */
#ifndef UNDERSTUDY_AGENT_CALL_H
#define UNDERSTUDY_AGENT_CALL_H

#include "base/program.h"

/* OCF_CHECK_LEVEL of validate-all: whether a start could boot what the store holds of the server, and nothing else. */
#define AGENT_BOOT_CHECK_LEVEL 20

typedef enum {
    BOOTABLE_YES,
    BOOTABLE_NO,       /* on no host, until an operator changes something */
    BOOTABLE_UNKNOWN,  /* the store is silent or refuses this host, or the agent did not come to an answer */
} bootable_answer_t;

/* Path of an installed agent ("image"), below OCF_ROOT if that is set; g_free(). */
char *agent_path(const char *agent);

/*!
 * \brief What the image agent is given to answer within timeout_ms
 *
 * \param[in] environment  of the caller; what an agent was called with (OCF_*) is left out
 * \param[in] params       char* -> char*: of the resource
 *
 * \return NULL-terminated; g_strfreev()
 */
char **agent_boot_check_environment(const char *const *environment, const char *resource_id, GHashTable *params,
                                    guint timeout_ms);

/* What the end of that agent means. *sentence: why it is not BOOTABLE_YES, else NULL; g_free(). Pure. */
bootable_answer_t agent_boot_check_judge(const program_result_t *result, char **sentence);

/* Asks the image agent; ended() is as program_start()'s. It changes nothing in the store. */
program_t *agent_boot_check_start(const char *resource_id, GHashTable *params, guint timeout_ms, program_ended_fn ended,
                                  gpointer user_data);

/* Likewise, and waits for the answer in the default main context. */
bootable_answer_t agent_boot_check_run(const char *resource_id, GHashTable *params, guint timeout_ms, char **sentence);

#endif
