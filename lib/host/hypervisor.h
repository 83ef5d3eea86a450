/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_HYPERVISOR_H
#define UNDERSTUDY_HYPERVISOR_H

#include <glib.h>

#include "host/domain_xml.h"

/*
 * libvirt as the image agent uses it. libvirt costs 11 ms of dynamic linking,
 * so it stands in a module that hypervisor_open() loads on demand.
 *
 * libvirt's calls have no deadline of their own: a stopped libvirtd, or a QEMU
 * that does not answer its monitor, blocks them for ever. Each call here ends
 * within timeout_ms with UNDERSTUDY_ERROR_TIMEOUT; the connection can't be
 * trusted with anything else then, close it.
 */
typedef struct hypervisor hypervisor_t;

#define HYPERVISOR_URI "qemu:///system"

typedef struct hypervisor_domain {
    gboolean found;
    char *name;
    char *uuid;
    int state;      /* virDomainState */
    int reason;     /* its virDomain...Reason */
} hypervisor_domain_t;

/* UNDERSTUDY_ERROR_FAILED: libvirtd does not run; _TIMEOUT: it does not answer. */
hypervisor_t *hypervisor_open(const char *uri, guint timeout_ms, GError **error);
void hypervisor_close(hypervisor_t *hypervisor);

/*!
 * \brief Find a domain by its UUID, else by its name
 *
 * \param[out] domain  found is FALSE if there is none: no error; to be cleared with hypervisor_domain_clear()
 */
gboolean hypervisor_domain_find(hypervisor_t *hypervisor, const char *uuid, const char *name,
                                hypervisor_domain_t *domain, guint timeout_ms, GError **error);
void hypervisor_domain_clear(hypervisor_domain_t *domain);

/* Ask the guest to shut down (ACPI); it may ignore that. A domain that is gone is no error in these two. */
gboolean hypervisor_domain_shutdown(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error);
/* End it: SIGTERM, then SIGKILL. */
gboolean hypervisor_domain_destroy(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error);

/* Create and start a transient domain. UNDERSTUDY_ERROR_TIMEOUT: there was no answer, in time or because libvirtd has gone;
 * it may have been done, and may still be. Any other error is an answer: it has not been done. */
gboolean hypervisor_domain_create(hypervisor_t *hypervisor, const char *xml, guint timeout_ms, GError **error);

/* Move a running domain to the libvirtd at this URI, live. */
gboolean hypervisor_domain_migrate(hypervisor_t *hypervisor, const char *uuid, const char *destination_uri,
                                   guint timeout_ms, GError **error);

/* UUID of the secret that a domain's disks need, NULL in *secret_uuid without an error if none; g_free(). */
gboolean hypervisor_domain_secret(hypervisor_t *hypervisor, const char *uuid, char **secret_uuid, guint timeout_ms,
                                  GError **error);

/* Give libvirtd a cephx key (base64 text) under this UUID. */
gboolean hypervisor_secret_set(hypervisor_t *hypervisor, const char *uuid, const char *usage, const char *key,
                               guint timeout_ms, GError **error);
/* Take it back: no QEMU can be made with it any more, while those that run go on. One that is gone is no error. */
gboolean hypervisor_secret_remove(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error);
/* Whether libvirtd has a key under this UUID. */
gboolean hypervisor_secret_exists(hypervisor_t *hypervisor, const char *uuid, gboolean *exists, guint timeout_ms, GError **error);
/* Take back all Ceph keys whose usage begins so, maybe none. */
gboolean hypervisor_secrets_remove(hypervisor_t *hypervisor, const char *usage_prefix, guint timeout_ms, GError **error);

/* TRUE if libvirt offers KVM here. */
gboolean hypervisor_offers_kvm(hypervisor_t *hypervisor, gboolean *offered, guint timeout_ms, GError **error);

/* domain_xml_build() of the module, so that the agent does not link libxml2. */
gboolean hypervisor_domain_xml(const domain_xml_options_t *options, domain_xml_t *xml, GError **error);

#endif
