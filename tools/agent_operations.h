/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations that the installed agents advise, asked of them. */
#ifndef UNDERSTUDY_AGENT_OPERATIONS_H
#define UNDERSTUDY_AGENT_OPERATIONS_H

#include "adoption.h"

/* Fills the adoption's operations; FALSE with an error if an agent is not installed here. */
gboolean adoption_read_operations(adoption_t *adoption, GError **error);
/* Frees what there is. */
void adoption_clear_operations(adoption_t *adoption);

#endif
