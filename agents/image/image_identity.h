/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_IDENTITY_H
#define UNDERSTUDY_IMAGE_IDENTITY_H

#include <glib.h>

/*
 * What a standby image is called everywhere. Domain name and UUID come from
 * the resource's instance name alone, so that a stop and a monitor find the
 * domain however wrong the parameters are. Pure.
 */
typedef struct image_identity {
    char *server;       /* the protected server */
    char *domain_name;  /* libvirt's, and the resource's */
    char *domain_uuid;  /* version 5, from the domain name */
    char *mac;          /* derived from the server's name: the same for life, on every host */
} image_identity_t;

/*!
 * \param[in]  instance  OCF_RESOURCE_INSTANCE, "" if unset
 * \param[in]  server    the parameter, or NULL
 * \param[out] error     UNDERSTUDY_ERROR_CONFIG: neither names a server
 */
gboolean image_identity_init(image_identity_t *identity, const char *instance, const char *server, GError **error);
void image_identity_clear(image_identity_t *identity);

#endif
