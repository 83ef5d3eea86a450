/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_CAPS_H
#define UNDERSTUDY_CAPS_H

#include <glib.h>

/*
 * The cephx users of a site, each with no more than it needs. Pure. doc/security.md
 * says why each cap is there.
 */
typedef struct ceph_user {
    char *entity;  /* "client.understudy-fence" */
    char *mon;
    char *mgr;     /* NULL: none */
    char *osd;     /* NULL: none */
} ceph_user_t;

/*!
 * \brief Make the caps of the hosts', the fence's and the unfence's user
 *
 * \param[in]  base     name of the hosts' user; the others have it with "-fence" and "-unfence"
 * \param[in]  pools    char*: pools with protected images; at least one
 * \param[in]  hosts    char*: the hosts' addresses on the storage network; at least one
 * \param[in]  servers  char*: the servers' own; may be empty
 * \param[out] error    UNDERSTUDY_ERROR_CONFIG: a name or an address is none, or an address is in both lists
 * \return ceph_user_t*, frees its elements; or NULL
 */
GPtrArray *caps_make(const char *base, const GPtrArray *pools, const GPtrArray *hosts, const GPtrArray *servers,
                     GError **error);

/* The ceph command that makes a user, and writes its keyring; for a shell. g_free(). */
char *caps_command(const ceph_user_t *user, const char *keyring_dir);
char *caps_keyring_path(const ceph_user_t *user, const char *keyring_dir);

#endif
