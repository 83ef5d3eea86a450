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
    gboolean isolates; /* the hosts' user: an address that it may refuse as a whole is a server's */
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

/*!
 * \brief Tell what a user would lose if it had other caps
 *
 * Pools, and addresses that it may put on the blocklist or take off. Read in caps that were made here, and, as far as
 * they name pools, in those that somebody else has written.
 *
 * \param[in] had   its caps now
 * \param[in] gets  those that it is to have
 * \return what would have to be given again, "--pool db, --host 10.0.2.13"; NULL: nothing. g_free()
 */
char *caps_lost(const ceph_user_t *had, const ceph_user_t *gets);

/* The ceph command that makes a user, and writes its keyring; for a shell. g_free(). */
char *caps_command(const ceph_user_t *user, const char *keyring_dir);
char *caps_keyring_path(const ceph_user_t *user, const char *keyring_dir);

#endif
