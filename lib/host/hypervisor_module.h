/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_HYPERVISOR_MODULE_H
#define UNDERSTUDY_HYPERVISOR_MODULE_H

#include "host/hypervisor.h"

#define HYPERVISOR_MODULE_FILE   "hypervisor.so"
#define HYPERVISOR_MODULE_SYMBOL "understudy_hypervisor_ops"

/* What the module does; each member is the function of hypervisor.h with its name. */
typedef struct hypervisor_ops {
    hypervisor_t *(*open)(const char *uri, guint timeout_ms, GError **error);
    void (*close)(hypervisor_t *hypervisor);
    gboolean (*domain_find)(hypervisor_t *hypervisor, const char *uuid, const char *name,
                            hypervisor_domain_t *domain, guint timeout_ms, GError **error);
    gboolean (*domain_shutdown)(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error);
    gboolean (*domain_destroy)(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error);
    gboolean (*domain_create)(hypervisor_t *hypervisor, const char *xml, guint timeout_ms, GError **error);
    gboolean (*domain_migrate)(hypervisor_t *hypervisor, const char *uuid, const char *destination_uri,
                               guint timeout_ms, GError **error);
    gboolean (*domain_secret)(hypervisor_t *hypervisor, const char *uuid, char **secret_uuid, guint timeout_ms,
                              GError **error);
    gboolean (*secret_set)(hypervisor_t *hypervisor, const char *uuid, const char *usage, const char *key,
                           guint timeout_ms, GError **error);
    gboolean (*secret_remove)(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error);
    gboolean (*secret_exists)(hypervisor_t *hypervisor, const char *uuid, gboolean *exists, guint timeout_ms, GError **error);
    gboolean (*secrets_remove)(hypervisor_t *hypervisor, const char *usage_prefix, guint timeout_ms, GError **error);
    gboolean (*offers_kvm)(hypervisor_t *hypervisor, gboolean *offered, guint timeout_ms, GError **error);
    gboolean (*domain_xml)(const domain_xml_options_t *options, domain_xml_t *xml, GError **error);
} hypervisor_ops_t;

#endif
