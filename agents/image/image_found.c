/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image that runs here gets a record and the claim, whoever has started it. */
#include "image/image_found.h"

#include <string.h>

#include "base/error.h"
#include "image/domain_status.h"
#include "image/image_actions.h"
#include "image/image_claim.h"
#include "image/image_disks.h"

image_record_t *image_found_record(const ocf_call_t *call, const image_identity_t *identity, GError **error)
{
    g_autoptr(GPtrArray) disks = NULL;
    g_auto(GStrv) run_names = NULL;
    image_record_t *record = NULL;

    if (ocf_value_string(call->values, "disks") == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "%s runs here without a record, and its disks are not known: set disks", identity->server);
        return NULL;
    }
    disks = image_disks_new(call->values, identity->server);
    run_names = image_disks_run_names(disks);
    record = image_record_new(ocf_value_string(call->values, "ceph_conf"), ocf_value_string(call->values, "ceph_user"),
                              run_names);
    record->server = g_strdup(identity->server);
    record->start_id = g_uuid_string_random();
    return record;
}

gboolean image_found_has_arrived(const image_identity_t *identity)
{
    domain_status_t status;
    gboolean is_found = domain_status_read(identity->domain_name, &status);
    gboolean has_arrived = FALSE;

    if (!is_found) {
        domain_status_clear(&status);
        is_found = domain_status_find_uuid(identity->domain_uuid, &status);
    }
    has_arrived = is_found && strcmp(status.state, "running") == 0;
    domain_status_clear(&status);
    return has_arrived;
}

gboolean image_found_claim(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                           image_record_t *record, const char *from_host, GError **error)
{
    if (!image_record_save(record, identity->domain_name, error)
        || !image_claim_take_over(call, store, identity, record, from_host, error)
        || !image_record_clients_of(store, record, identity->domain_name, error)) {
        return FALSE;
    }
    image_claim_clients_note(store, identity, record);
    return TRUE;
}

/* Started before there were claims. */
static gboolean start_id_give(image_record_t *record, const image_identity_t *identity, GError **error)
{
    if (record->start_id != NULL) {
        return TRUE;
    }
    record->start_id = g_uuid_string_random();
    return image_record_save(record, identity->domain_name, error);
}

static gboolean new_keep(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                         hypervisor_t *hypervisor, image_record_t *record, GError **error)
{
    g_autoptr(GError) secret_error = NULL;

    if (hypervisor != NULL
        && !hypervisor_domain_secret(hypervisor, identity->domain_uuid, &record->secret_uuid,
                                     image_libvirt_timeout_ms(call), &secret_error)) {
        ocf_log("%s", secret_error->message); /* it stays with libvirtd until that ends */
    }
    if (!image_found_claim(call, store, identity, record, NULL, error)) {
        return FALSE;
    }
    ocf_log("the image of %s ran here without a record: it has one now, and its claim", identity->server);
    return TRUE;
}

gboolean image_found_keep(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                          hypervisor_t *hypervisor, image_record_t **record, GError **error)
{
    *record = image_record_load(identity->domain_name);
    if (*record != NULL) {
        return start_id_give(*record, identity, error)
               && image_claim_take_over(call, store, identity, *record, NULL, error);
    }
    if (!image_found_has_arrived(identity)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "%s is here without a record, and does not run yet",
                    identity->server);
        return FALSE;
    }
    *record = image_found_record(call, identity, error);
    return *record != NULL && new_keep(call, store, identity, hypervisor, *record, error);
}
