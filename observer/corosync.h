/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_COROSYNC_H
#define UNDERSTUDY_COROSYNC_H

#include <glib.h>

/*
 * This host's place in Corosync: a CPG group of observers and the quorum
 * service, dispatched by the default main context. Callbacks come in the order
 * in which Corosync tells.
 */
typedef struct corosync corosync_t;

typedef struct corosync_callbacks {
    void (*members)(const guint32 *node_ids, guint count, gpointer user_data);
    void (*ring)(guint64 ring, gpointer user_data);
    void (*quorum)(guint64 ring, gboolean quorate, gpointer user_data);
    void (*message)(guint32 node_id, const void *data, gsize size_bytes, gpointer user_data);
    /* The connection is gone, as when Corosync ends: the process can only end too. */
    void (*lost)(const char *sentence, gpointer user_data);
} corosync_callbacks_t;

/*!
 * \brief Connect; nothing is called back before corosync_join()
 *
 * \param[in] group  name of the CPG group
 * \return connection, to be closed with corosync_close(), or NULL
 */
corosync_t *corosync_open(const char *group, const corosync_callbacks_t *callbacks, gpointer user_data,
                          GError **error);
gboolean corosync_join(corosync_t *corosync, GError **error);
void corosync_close(corosync_t *corosync);

guint32 corosync_node_id(const corosync_t *corosync);
/* The name that corosync.conf gives this host, as Pacemaker uses it; else the host's own. g_free(). */
char *corosync_node_name(const corosync_t *corosync);

/* The addresses of all other hosts in corosync.conf, on all links. NULL-terminated; g_strfreev(). */
char **corosync_neighbours(const corosync_t *corosync);

/* Multicast in order; kept and tried again while Corosync is busy. */
void corosync_send(corosync_t *corosync, GBytes *bytes);

#endif
