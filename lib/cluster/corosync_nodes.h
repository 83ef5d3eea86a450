/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_COROSYNC_NODES_H
#define UNDERSTUDY_COROSYNC_NODES_H

#include <glib.h>

typedef struct corosync_node {
    guint32 id;
    char *name;       /* or NULL: the list has none */
    char **addresses; /* numeric, of all its links */
} corosync_node_t;

/* corosync_node_t*, frees its elements; empty if Corosync does not answer. */
GPtrArray *corosync_nodes_list(void);

#endif
