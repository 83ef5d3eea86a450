/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/hypervisor.h"

#include "base/module.h"
#include "host/hypervisor_module.h"

static const hypervisor_ops_t *ops = NULL;

static gboolean ops_load(GError **error)
{
    if (ops == NULL) {
        ops = module_load(HYPERVISOR_MODULE_FILE, HYPERVISOR_MODULE_SYMBOL, error);
    }
    return ops != NULL;
}

hypervisor_t *hypervisor_open(const char *uri, guint timeout_ms, GError **error)
{
    return ops_load(error) ? ops->open(uri, timeout_ms, error) : NULL;
}

void hypervisor_close(hypervisor_t *hypervisor)
{
    if (hypervisor != NULL) {
        ops->close(hypervisor);
    }
}

gboolean hypervisor_domain_find(hypervisor_t *hypervisor, const char *uuid, const char *name,
                                hypervisor_domain_t *domain, guint timeout_ms, GError **error)
{
    return ops->domain_find(hypervisor, uuid, name, domain, timeout_ms, error);
}

void hypervisor_domain_clear(hypervisor_domain_t *domain)
{
    g_clear_pointer(&domain->name, g_free);
    g_clear_pointer(&domain->uuid, g_free);
    domain->found = FALSE;
}

gboolean hypervisor_domain_shutdown(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error)
{
    return ops->domain_shutdown(hypervisor, uuid, timeout_ms, error);
}

gboolean hypervisor_domain_destroy(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error)
{
    return ops->domain_destroy(hypervisor, uuid, timeout_ms, error);
}

gboolean hypervisor_domain_create(hypervisor_t *hypervisor, const char *xml, guint timeout_ms, GError **error)
{
    return ops->domain_create(hypervisor, xml, timeout_ms, error);
}

gboolean hypervisor_domain_migrate(hypervisor_t *hypervisor, const char *uuid, const char *destination_uri,
                                   guint timeout_ms, GError **error)
{
    return ops->domain_migrate(hypervisor, uuid, destination_uri, timeout_ms, error);
}

gboolean hypervisor_domain_secret(hypervisor_t *hypervisor, const char *uuid, char **secret_uuid, guint timeout_ms,
                                  GError **error)
{
    return ops->domain_secret(hypervisor, uuid, secret_uuid, timeout_ms, error);
}

gboolean hypervisor_secret_set(hypervisor_t *hypervisor, const char *uuid, const char *usage, const char *key,
                               guint timeout_ms, GError **error)
{
    return ops->secret_set(hypervisor, uuid, usage, key, timeout_ms, error);
}

gboolean hypervisor_secrets_remove(hypervisor_t *hypervisor, const char *usage_prefix, guint timeout_ms, GError **error)
{
    return ops->secrets_remove(hypervisor, usage_prefix, timeout_ms, error);
}

gboolean hypervisor_secret_remove(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error)
{
    return ops->secret_remove(hypervisor, uuid, timeout_ms, error);
}

gboolean hypervisor_secret_exists(hypervisor_t *hypervisor, const char *uuid, gboolean *exists, guint timeout_ms, GError **error)
{
    return ops->secret_exists(hypervisor, uuid, exists, timeout_ms, error);
}

gboolean hypervisor_offers_kvm(hypervisor_t *hypervisor, gboolean *offered, guint timeout_ms, GError **error)
{
    return ops->offers_kvm(hypervisor, offered, timeout_ms, error);
}

gboolean hypervisor_domain_xml(const domain_xml_options_t *options, domain_xml_t *xml, GError **error)
{
    return ops_load(error) && ops->domain_xml(options, xml, error);
}
