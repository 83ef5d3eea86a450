/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What adopt had set up and is gone or changed since, so that it does not hold. */
#ifndef UNDERSTUDY_SETUP_FAULTS_H
#define UNDERSTUDY_SETUP_FAULTS_H

#include "adoption.h"

typedef struct setup_fault {
    char *server;   /* NULL: of the whole site */
    char *sentence; /* what is wrong, and the command that mends it */
} setup_fault_t;

/* All of them, setup_fault_t*, maybe none; of the operations only those that the adoption has. Frees its elements. */
GPtrArray *setup_faults_find(const adoption_t *adoption, xmlNode *cib);

/* One more, which is taken over; server: NULL: of the whole site. */
void setup_faults_add(GPtrArray *faults, const char *server, char *sentence);

/* A sentence about another agent that writes the hosts' capacities, to be freed with g_free(), or NULL. */
char *setup_capacity_rival(xmlNode *cib);
/* The start of a server's image that may take longer than a fence of its host reckons with, as a sentence; NULL: none. */
char *setup_late_start(const adoption_t *adoption, xmlNode *cib, const char *server);

#endif
