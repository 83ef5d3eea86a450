/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_RECORD_H
#define UNDERSTUDY_IMAGE_RECORD_H

#include <glib.h>

/*
 * What a start leaves for the stop on the same host: which run images it opened
 * and under which client addresses, so that a stop needs no parameter, and a
 * dead QEMU's watch (30 s) is told from a stranger's. One key file per resource
 * in /run/understudy; a boot of the host clears it, as it ends every QEMU.
 */
#define RECORD_REQUEST_CREATE  "create"
#define RECORD_REQUEST_MIGRATE "migrate"

typedef struct image_record {
    char *ceph_conf;
    char *ceph_user;
    char **run_images;     /* "pool/image" */
    GPtrArray *clients;    /* char*: "10.0.0.11:0/123", ours on this host; frees its elements */
    char *server;          /* whose image; NULL: of an earlier version */
    char *start_id;        /* by which this start's claim is known (claim.h); NULL: made before there were claims */
    char *placed_start_id; /* the start whose claim's place is noted in the store (claim.h); NULL: none */
    char *secret_uuid;     /* of the secret that libvirtd has for this start alone; NULL: none */
    char *unanswered;      /* a RECORD_REQUEST_ that was sent to libvirtd, and may have been carried out, and may still be;
                            * NULL: none */
} image_record_t;

image_record_t *image_record_new(const char *ceph_conf, const char *ceph_user, char **run_images);
void image_record_free(image_record_t *record);

/* NULL if there is none or it can't be read. */
image_record_t *image_record_load(const char *domain_name);
/* Written whole, then put in place. */
gboolean image_record_save(const image_record_t *record, const char *domain_name, GError **error);
/* Note a request to libvirtd before it is sent; NULL: it has been answered. */
gboolean image_record_request(image_record_t *record, const char *domain_name, const char *request, GError **error);
/* Whether a create was sent and not answered; record may be NULL. */
gboolean image_record_create_is_unanswered(const image_record_t *record);
void image_record_remove(const char *domain_name);
/* Names of the domains that have a record on this host; g_strfreev(). */
char **image_record_list(void);
/* Whether a record on this host, of whatever resource, names this start. */
gboolean image_record_start_is_known(const char *start_id);

gboolean image_record_has_client(const image_record_t *record, const char *address);
void image_record_add_client(image_record_t *record, const char *address);

#endif
