/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether what is named as a reference of the observers can ever tell that a network works. */
#ifndef UNDERSTUDY_REFERENCE_CHECK_H
#define UNDERSTUDY_REFERENCE_CHECK_H

#include "cluster/cluster_state.h"

/* What the references are looked at with. */
typedef struct reference_view {
    const cluster_state_t *cluster; /* for the servers' addresses */
    const GPtrArray *networks;      /* as networks_of_this_host() returns them */
    GHashTable *host_addresses;     /* char* IP -> char* whose it is, "host1" */
    GHashTable *names;              /* char* name -> char**: what names in references resolve to; others are not judged */
} reference_view_t;

/*!
 * \brief Look at the observers' references. Pure
 *
 * One that answers while the network is away (a loopback or a host's own address, another network's) makes silence there
 * look like the failure of every server; one that falls silent with a server (its own address) hides that failure.
 *
 * \param[in] references             as the parameter has them, or NULL
 * \param[in] management_references  likewise
 * \return char*, frees its elements: a sentence on each that can't serve, and what to give instead
 */
GPtrArray *reference_check(const reference_view_t *view, const char *references, const char *management_references);

/* char*, frees its elements: the names, other than addresses, in either of the two. */
GPtrArray *reference_names(const char *references, const char *management_references);

#endif
