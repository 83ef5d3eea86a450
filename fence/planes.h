/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FENCE_PLANES_H
#define UNDERSTUDY_FENCE_PLANES_H

#include <glib.h>

#include "core.h"

/*
 * What only some actions need of the host itself and its peers: Corosync's
 * membership and libvirt. In a module, so that the others do not pay for it.
 */
#define PLANES_MODULE_FILE   "fence_planes.so"
#define PLANES_MODULE_SYMBOL "understudy_fence_planes"

typedef struct plane_member {
    char *name;
    char *address;      /* on Corosync's first link */
    gboolean is_joined;
} plane_member_t;

typedef struct plane_members {
    gboolean is_quorate;
    GPtrArray *members; /* plane_member_t*: all that the nodelist has */
} plane_members_t;

/* FALSE with an error that says why not. */
typedef gboolean (*planes_may_fn)(void *user_data, GError **error);

typedef struct planes_ops {
    /* Corosync's nodelist with who is a member, as this host sees it; UNDERSTUDY_ERROR_FAILED: it does not run here. */
    plane_members_t *(*members_read)(GError **error);
    void (*members_free)(plane_members_t *members);

    /* Whether anything answers at an address: PLANE_ALIVE if a connection is accepted or refused, PLANE_SILENT if
     * nothing comes back, PLANE_BLIND if this host has no way there. */
    plane_t (*port_look)(const char *address, guint16 port, guint timeout_ms);

    /*!
     * \brief Destroy what runs on a host from images in some pools
     *
     * Time passes while libvirt is silent, or while this process stands still: each domain is destroyed only after
     * may_destroy() has said so, in the caller's thread, of a list that was made before. After a failure nothing is.
     *
     * \param[in]  pools      NULL-terminated
     * \param[out] destroyed  names of the domains that were there; g_strfreev()
     * \return TRUE if no such domain is left; UNDERSTUDY_ERROR_TIMEOUT if libvirt did not answer: the
     *         process must end soon then, a thread of it still waits
     */
    gboolean (*leftovers_destroy)(const char *uri, char **pools, guint timeout_ms, planes_may_fn may_destroy, void *user_data,
                                  char ***destroyed, GError **error);
} planes_ops_t;

const planes_ops_t *planes_load(GError **error);

#endif
