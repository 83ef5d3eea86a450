/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FENCED_HOST_H
#define UNDERSTUDY_FENCED_HOST_H

#include "store/store.h"

/*
 * A host that has lost its power leaves watches in the store for 30 s. When
 * Pacemaker has fenced it, what it had open is known to be dead, and need not be
 * waited for. In a module: it links Pacemaker's libraries.
 */
#define FENCED_HOST_MODULE_FILE   "fenced_host.so"
#define FENCED_HOST_MODULE_SYMBOL "understudy_fenced_host_ops"

typedef struct fenced_host_ops {
    char *(*find)(const store_options_t *options, const char *ip, GError **error);
    char **(*list)(const store_options_t *options, GError **error);
    gboolean (*look)(const char *name, const store_options_t *options, const char *executor, guint timeout_s,
                     gboolean *is_refused, GError **error);
    gboolean (*publish)(const char *name, const store_options_t *options, GError **error);
    gboolean (*holder)(const store_options_t *options, const char *host, const char *server, char **boot_id,
                       char **ended_start, gboolean *clean, gboolean *fenced, GError **error);
    gboolean (*where)(const store_options_t *options, const char *host, char ***addresses, GError **error);
    gboolean (*tell_ended)(const char *server, const char *start_id, guint timeout_ms, GError **error);
} fenced_host_ops_t;

/*!
 * \brief Which fenced host had this address on the storage network
 *
 * Asks the hosts' registry whose the address is, and the CIB whether Pacemaker has fenced this host and has not let it
 * in since. A host that is back is not fenced: its old watches end by themselves.
 *
 * \return the host's name (g_free()); NULL if there is none, or if it can't be known
 */
char *fenced_host_find(const store_options_t *options, const char *ip);

/*!
 * \brief Hosts that the store refuses, by the records of fence_rbd
 *
 * Such a host may have its power still.
 *
 * \return NULL-terminated names, g_strfreev(); NULL, and logged, if that can't be known
 */
char **fenced_host_list(const store_options_t *options);

/* Have the registry say what this host is, its boot id too, if it does not yet since the boot. */
gboolean fenced_host_publish(const char *name, const store_options_t *options, GError **error);

/* Have the cluster know, by an attribute of this host, that a start of the server's image has ended here. */
gboolean fenced_host_tell_ended(const char *server, const char *start_id, guint timeout_ms, GError **error);

/*!
 * \brief What registry and cluster know of the host of a claim
 *
 * What can't be known is not set, and logged.
 *
 * \param[out] boot_id      what the host published last, or NULL; g_free()
 * \param[out] ended_start  start of the server's image that the host has published as ended, or NULL; g_free()
 * \param[out] clean        the host is down, and this quorate cluster sees nothing left there to be fenced
 * \param[out] fenced       and it was fenced, and has not been let in since
 */
void fenced_host_holder(const store_options_t *options, const char *host, const char *server, char **boot_id,
                        char **ended_start, gboolean *clean, gboolean *fenced);

/* The addresses on the storage network that a host has published, "10.0.0.5:0/0" each; none if that can't be known, which is
 * logged. g_strfreev(). */
void fenced_host_where(const store_options_t *options, const char *host, char ***addresses);

/*!
 * \brief Look whether this host was fenced through the store, and do what is to be done then
 *
 * A host that is frozen, or cut off, while it is fenced through the store goes on where it was when that is over:
 * Pacemaker tells members alone that they were fenced. It would be a member that the store refuses, which Pacemaker
 * takes for unfenced, with images that are long running elsewhere. It is fenced once more, as a member: its Pacemaker
 * hears of it and does what fence-reaction says.
 *
 * A host whose Pacemaker has begun anew waits to be unfenced. When no start of an image from before the fence can still
 * be under way, and no QEMU with an image of the store is left, it says so in the registry: only it can see that.
 *
 * Must be called by an agent: its parent is Pacemaker's executor. Costs one question to the fencer here as long as
 * nothing has happened.
 *
 * \param[in] name       this host's name in the cluster
 * \param[in] options    the store, and a user that may set keys below understudy/host/
 * \param[in] timeout_s  for the fencing
 *
 * \return TRUE if the store refuses this host until it is unfenced, as far as it has said: silence is no such word
 */
gboolean fenced_host_look(const char *name, const store_options_t *options, guint timeout_s);

#endif
