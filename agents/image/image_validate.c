/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/agent_call.h"
#include "base/error.h"
#include "image/image_actions.h"
#include "image/image_disks.h"
#include "image/image_openers.h"

#define HOST_CHECKS_LEVEL 10

/* A template is tried out with as many disks as there are, none of which has to be there. */
static gboolean template_check(const ocf_call_t *call, const image_identity_t *identity, GError **error)
{
    static const char *const none[] = { NULL };
    g_autoptr(GPtrArray) disks = image_disks_new(call->values, identity->server);
    g_auto(GStrv) images = image_disks_run_names(disks);
    domain_xml_t xml = { .text = NULL };
    char *text = NULL;
    gboolean good = image_template_read(call, &text, error);

    if (good && text != NULL) {
        good = hypervisor_domain_xml(&(domain_xml_options_t) {
            .template_text = text,
            .name = identity->domain_name,
            .uuid = identity->domain_uuid,
            .server = identity->server,
            .images = (const char *const *) images,
            .monitors = none,
            .mac = identity->mac,
        }, &xml, error);
    }
    domain_xml_clear(&xml);
    g_free(text);
    return good;
}

static gboolean libvirt_check(const ocf_call_t *call, GError **error)
{
    hypervisor_t *hypervisor = hypervisor_open(HYPERVISOR_URI, image_libvirt_timeout_ms(call), error);
    gboolean wants_kvm = strcmp(ocf_value_string(call->values, "domain_type"), "kvm") == 0;
    gboolean has_kvm = FALSE;
    gboolean good = hypervisor != NULL
                    && hypervisor_offers_kvm(hypervisor, &has_kvm, image_libvirt_timeout_ms(call), error);

    if (good && wants_kvm && !has_kvm) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE,
                            "domain_type is kvm, which this host does not offer: load its module, or set auto");
        good = FALSE;
    }
    hypervisor_close(hypervisor);
    return good;
}

static gboolean store_check(const ocf_call_t *call, const image_identity_t *identity, GError **error)
{
    g_autoptr(GPtrArray) disks = image_disks_new(call->values, identity->server);
    store_t *store = image_store_open(call, error);
    gboolean good = store != NULL && image_disks_check(store, disks, identity->server, error);

    store_close(store);
    return good;
}

static gboolean nothing_in_the_way(store_t *store, GPtrArray *disks, GError **error)
{
    g_auto(GStrv) run_names = image_disks_run_names(disks);
    GError *look_error = NULL;
    g_autofree char *obstacle = image_openers_write_obstacle(store, run_names, &look_error);

    if (look_error != NULL) {
        g_propagate_error(error, look_error);
        return FALSE;
    }
    if (obstacle != NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, obstacle);
    }
    return obstacle == NULL;
}

/* Only what holds on every host: that this one has no bridge says nothing of the others. */
static gboolean boot_check(const ocf_call_t *call, const image_identity_t *identity, GError **error)
{
    g_autoptr(GPtrArray) disks = image_disks_new(call->values, identity->server);
    store_t *store = image_store_open(call, error);
    gboolean good = store != NULL && image_disks_boot_check(store, disks, identity->server, error)
                    && nothing_in_the_way(store, disks, error);

    store_close(store);
    return good;
}

static gboolean level_check(const ocf_call_t *call, const image_identity_t *identity, GError **error)
{
    if (call->check_level >= AGENT_BOOT_CHECK_LEVEL) {
        return boot_check(call, identity, error);
    }
    return call->check_level < HOST_CHECKS_LEVEL
           || (image_bridge_check(call, error) && template_check(call, identity, error) && libvirt_check(call, error)
               && store_check(call, identity, error));
}

ocf_rc_t image_validate(const ocf_call_t *call)
{
    image_identity_t identity = { .server = NULL };
    GError *error = NULL;
    gboolean good = image_boot_probe_check(call, &error) && image_identity_of_call(call, &identity, &error)
                    && level_check(call, &identity, &error);

    image_identity_clear(&identity);
    return good ? OCF_RC_SUCCESS : ocf_fail(error);
}
