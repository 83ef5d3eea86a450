/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent_operations.h"

#include <string.h>

#include "base/agent_call.h"
#include "base/error.h"
#include "base/program.h"

/* Nothing but printing. */
#define METADATA_TIMEOUT_MS 10000

void adoption_clear_operations(adoption_t *adoption)
{
    g_clear_pointer(&adoption->image_operations, g_ptr_array_unref);
    g_clear_pointer(&adoption->observer_operations, g_ptr_array_unref);
    g_clear_pointer(&adoption->capacity_operations, g_ptr_array_unref);
}

/* From the installed agent itself, as pcs does, so that the numbers stand in one place. */
static GPtrArray *agent_operations(const char *agent, GError **error)
{
    g_autofree char *path = agent_path(agent);
    const char *argv[] = { path, "meta-data", NULL };
    g_autofree char *metadata = NULL;
    g_autoptr(GError) reason = NULL;

    if (!program_run(argv, METADATA_TIMEOUT_MS, &metadata, &reason)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE,
                    "the agent %s gives no metadata: install Understudy on this host (%s)", path, reason->message);
        return NULL;
    }
    return operations_parse(metadata, strlen(metadata), error);
}

gboolean adoption_read_operations(adoption_t *adoption, GError **error)
{
    adoption->image_operations = agent_operations("image", error);
    if (adoption->image_operations != NULL) {
        adoption->observer_operations = agent_operations("observer", error);
    }
    if (adoption->observer_operations != NULL) {
        adoption->capacity_operations = agent_operations("capacity", error);
    }
    return adoption->capacity_operations != NULL;
}
