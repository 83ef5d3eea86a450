/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_STORE_SIGHT_H
#define UNDERSTUDY_STORE_SIGHT_H

#include <glib.h>

/*
 * Whether this host reaches the store: one of the monitors takes a TCP
 * connection. That tells a cut network from a store that is in trouble, which
 * looks alike from every host. A helper says who the monitors are, now and
 * then; until it has, and while this host alone has monitors, the store counts as reached.
 */
typedef struct store_sight store_sight_t;

/* Called when it changes; reached at first. */
typedef void (*store_sight_fn)(gboolean reached, gpointer user_data);

store_sight_t *store_sight_new(const char *helper, const char *ceph_conf, const char *ceph_user,
                               store_sight_fn changed, gpointer user_data);
/* Ends the helper. */
void store_sight_free(store_sight_t *sight);

#endif
