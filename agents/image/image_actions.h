/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_IMAGE_ACTIONS_H
#define UNDERSTUDY_IMAGE_ACTIONS_H

#include "host/hypervisor.h"
#include "image/image_identity.h"
#include "image/image_record.h"
#include "ocf.h"
#include "store/store.h"

/* The actions of ocf:understudy:image. */
ocf_rc_t image_start(const ocf_call_t *call);
ocf_rc_t image_stop(const ocf_call_t *call);
ocf_rc_t image_monitor(const ocf_call_t *call);
ocf_rc_t image_migrate_to(const ocf_call_t *call);
ocf_rc_t image_migrate_from(const ocf_call_t *call);
ocf_rc_t image_validate(const ocf_call_t *call);

/* Shared by them ----------------------------------------------------------*/

/* Deadline of a short question to libvirtd; an action with less time left asks for less. */
#define LIBVIRT_ANSWER_MS 5000
guint image_libvirt_timeout_ms(const ocf_call_t *call);

/* Identity from the instance; bad parameters that do not matter for it are overlooked. */
gboolean image_identity_of_call(const ocf_call_t *call, image_identity_t *identity, GError **error);

/* The operator's domain XML, NULL without an error if the parameter is not set; g_free(). */
gboolean image_template_read(const ocf_call_t *call, char **text, GError **error);

/* That the built-in machine's bridge is there. */
gboolean image_bridge_check(const ocf_call_t *call, GError **error);

/* That boot_probe is of a type that a start can carry out. */
gboolean image_boot_probe_check(const ocf_call_t *call, GError **error);

/* libvirt's URI of another host, by migrate_uri; g_free(). */
char *image_host_uri(const ocf_call_t *call, const char *host);

/* How to reach the store, as the parameters say. */
store_options_t image_store_options(const ocf_call_t *call);

/* Connect to the store as the parameters say. */
store_t *image_store_open(const ocf_call_t *call, GError **error);
/* Connect to the store as an earlier start on this host did. */
store_t *image_store_open_record(const ocf_call_t *call, const image_record_t *record, GError **error);

/* Begins the usage of all libvirt secrets of an image, so that those that a start or a migration has left are found; g_free(). */
char *image_secret_usage_prefix(const char *domain_name);
/* Give the hypervisor at this connection the key of the parameters' cephx user, under a UUID that no other image uses.
 * *given is FALSE without an error if cephx is off. */
gboolean image_secret_give(const ocf_call_t *call, const char *domain_name, store_t *store, hypervisor_t *hypervisor,
                           const char *secret_uuid, gboolean *given, GError **error);

/* Note under which addresses this host's QEMU has the run images open. */
gboolean image_record_clients_of(store_t *store, image_record_t *record, const char *domain_name, GError **error);

/* After the machine runs: announce the service address, and wait until boot_probe answers. */
ocf_rc_t image_wait_booted(const ocf_call_t *call, const image_identity_t *identity, const char *mac,
                           const char *bridge);

#endif
