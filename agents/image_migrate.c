/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live migration. The disks need no copying: both QEMUs open them, and the
 * exclusive lock goes from the one to the other when the guest does.
 */
#include <string.h>

#include "announce.h"
#include "domain_state.h"
#include "error.h"
#include "image_actions.h"
#include "image_claim.h"
#include "image_disks.h"
#include "image_lock.h"
#include "qemu_process.h"

#define POLL_MS             50
#define MIGRATE_RESERVE_MS  3000

static char *destination_uri(const ocf_call_t *call, GError **error)
{
    const char *target = g_getenv("OCF_RESKEY_CRM_meta_migrate_target");

    if (target == NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "migrate_to is for Pacemaker to call: it says where to");
        return NULL;
    }
    return image_host_uri(call, target);
}

/* The key is libvirt's to hold at the other end before QEMU opens the disks there. */
static gboolean destination_prepare(const ocf_call_t *call, const image_identity_t *identity, const char *uri,
                                    const char *secret_uuid, GError **error)
{
    store_t *store = image_store_open(call, error);
    hypervisor_t *destination = store != NULL ? hypervisor_open(uri, image_libvirt_timeout_ms(call), error) : NULL;
    gboolean given = FALSE;
    gboolean prepared = destination != NULL
                        && (secret_uuid == NULL
                            || image_secret_give(call, identity->domain_name, store, destination, secret_uuid, &given,
                                                 error));

    hypervisor_close(destination);
    store_close(store);
    return prepared;
}

/* Nothing comes of it there any more. A stop there takes it back as well, if this can't be done. */
static void destination_clear(const ocf_call_t *call, const char *uri, const char *secret_uuid)
{
    g_autoptr(GError) error = NULL;
    hypervisor_t *destination = secret_uuid != NULL ? hypervisor_open(uri, image_libvirt_timeout_ms(call), &error) : NULL;

    if (destination != NULL) {
        (void) hypervisor_secret_remove(destination, secret_uuid, image_libvirt_timeout_ms(call), &error);
    }
    if (error != NULL) {
        ocf_log("%s", error->message);
    }
    hypervisor_close(destination);
}

/* FALSE: the record can't be written. One that is not there, the image's start was another one's. */
static gboolean request_note(const image_identity_t *identity, const char *request, GError **error)
{
    image_record_t *record = image_record_load(identity->domain_name);
    gboolean noted = record == NULL || image_record_request(record, identity->domain_name, request, error);

    image_record_free(record);
    return noted;
}

/* An answer that does not come is a failure, upon which Pacemaker stops the image at both ends. */
static gboolean migrate_from_here(const ocf_call_t *call, const image_identity_t *identity, hypervisor_t *hypervisor,
                                  const char *uri, GError **error)
{
    g_autoptr(GError) migrate_error = NULL;

    if (!request_note(identity, RECORD_REQUEST_MIGRATE, error)) {
        return FALSE;
    }
    (void) hypervisor_domain_migrate(hypervisor, identity->domain_uuid, uri,
                                     ocf_call_remaining_ms(call, MIGRATE_RESERVE_MS), &migrate_error);
    if (!g_error_matches(migrate_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT)
        && !request_note(identity, NULL, error)) {
        return FALSE;
    }
    if (migrate_error != NULL) {
        g_propagate_error(error, g_steal_pointer(&migrate_error));
        return FALSE;
    }
    return TRUE;
}

static gboolean migrate(const ocf_call_t *call, const image_identity_t *identity, GError **error)
{
    g_autofree char *uri = destination_uri(call, error);
    g_autofree char *secret_uuid = NULL;
    GError *migrate_error = NULL;
    hypervisor_t *hypervisor = NULL;
    gboolean prepared = FALSE;
    gboolean migrated = FALSE;

    if (uri == NULL) {
        return FALSE;
    }
    hypervisor = hypervisor_open(HYPERVISOR_URI, image_libvirt_timeout_ms(call), error);
    prepared = hypervisor != NULL
               && hypervisor_domain_secret(hypervisor, identity->domain_uuid, &secret_uuid,
                                           image_libvirt_timeout_ms(call), error)
               && destination_prepare(call, identity, uri, secret_uuid, error);
    migrated = prepared && migrate_from_here(call, identity, hypervisor, uri, &migrate_error);
    if (migrate_error != NULL && !g_error_matches(migrate_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT)) {
        destination_clear(call, uri, secret_uuid);
    }
    if (migrate_error != NULL) {
        g_propagate_error(error, migrate_error);
    }
    hypervisor_close(hypervisor);
    return migrated;
}

static gboolean lock_take(const ocf_call_t *call, const image_identity_t *identity, int *lock, GError **error)
{
    *lock = image_lock_take(identity->domain_name, ocf_call_remaining_ms(call, IMAGE_LOCK_RESERVE_MS), error);
    return *lock >= 0;
}

ocf_rc_t image_migrate_to(const ocf_call_t *call)
{
    image_identity_t identity;
    GError *error = NULL;
    int lock = -1;
    gboolean migrated = image_identity_of_call(call, &identity, &error) && lock_take(call, &identity, &lock, &error)
                        && migrate(call, &identity, &error);

    image_lock_release(lock);
    image_identity_clear(&identity);
    if (!migrated) {
        /* Whatever went wrong, Pacemaker can still stop it here and start it there. */
        (void) ocf_fail(error);
        return OCF_RC_GENERIC;
    }
    return OCF_RC_SUCCESS;
}

static gboolean runs_here(const ocf_call_t *call, const image_identity_t *identity, hypervisor_t *hypervisor,
                          GError **error)
{
    domain_verdict_t verdict = DOMAIN_STOPPED;
    const char *meaning = NULL;
    hypervisor_domain_t domain;

    if (!hypervisor_domain_find(hypervisor, identity->domain_uuid, identity->domain_name, &domain,
                                image_libvirt_timeout_ms(call), error)) {
        return FALSE;
    }
    if (domain.found) {
        verdict = domain_state_judge(domain.state, domain.reason, &meaning);
    }
    hypervisor_domain_clear(&domain);
    return verdict == DOMAIN_RUNS;
}

static gboolean wait_runs_here(const ocf_call_t *call, const image_identity_t *identity, hypervisor_t *hypervisor,
                               GError **error)
{
    GError *find_error = NULL;
    gboolean runs = FALSE;

    runs = runs_here(call, identity, hypervisor, &find_error);
    while (!runs && find_error == NULL && ocf_call_remaining_ms(call, MIGRATE_RESERVE_MS) > 0) {
        g_usleep(POLL_MS * 1000);
        runs = runs_here(call, identity, hypervisor, &find_error);
    }
    if (find_error != NULL) {
        g_propagate_error(error, find_error);
    } else if (!runs) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "the image of %s did not arrive here",
                    identity->server);
    }
    return runs;
}

/* What a start on this host would have left. */
static gboolean record_make(const ocf_call_t *call, const image_identity_t *identity, hypervisor_t *hypervisor,
                            GError **error)
{
    g_autoptr(GPtrArray) disks = image_disks_new(call->values, identity->server);
    g_auto(GStrv) run_names = image_disks_run_names(disks);
    image_record_t *record = image_record_new(ocf_value_string(call->values, "ceph_conf"),
                                              ocf_value_string(call->values, "ceph_user"), run_names);
    gboolean made = FALSE;
    store_t *store = NULL;

    record->server = g_strdup(identity->server);
    record->start_id = g_uuid_string_random();
    made = hypervisor_domain_secret(hypervisor, identity->domain_uuid, &record->secret_uuid,
                                    image_libvirt_timeout_ms(call), error)
           && image_record_save(record, identity->domain_name, error);
    store = made ? image_store_open(call, error) : NULL;
    made = store != NULL
           && image_claim_take_over(call, store, identity, record, g_getenv("OCF_RESKEY_CRM_meta_migrate_source"), error)
           && image_record_clients_of(store, record, identity->domain_name, error);
    if (made) {
        image_claim_clients_note(store, identity, record);
    }
    store_close(store);
    image_record_free(record);
    return made;
}

static gboolean arrive(const ocf_call_t *call, const image_identity_t *identity, GError **error)
{
    hypervisor_t *hypervisor = hypervisor_open(HYPERVISOR_URI, image_libvirt_timeout_ms(call), error);
    gboolean arrived = hypervisor != NULL && wait_runs_here(call, identity, hypervisor, error)
                       && record_make(call, identity, hypervisor, error);

    hypervisor_close(hypervisor);
    return arrived;
}

static void service_address_announce(const ocf_call_t *call, const image_identity_t *identity)
{
    const char *address = ocf_value_string(call->values, "service_address");
    const char *mac = ocf_value_string(call->values, "mac");
    g_autoptr(GError) error = NULL;
    announce_frames_t frames;

    if (address != NULL && announce_build(mac != NULL ? mac : identity->mac, address, &frames)
        && !announce_send(&frames, ocf_value_string(call->values, "bridge"), &error)) {
        ocf_log("%s", error->message);
    }
}

ocf_rc_t image_migrate_from(const ocf_call_t *call)
{
    image_identity_t identity;
    GError *error = NULL;
    int lock = -1;
    gboolean arrived = image_identity_of_call(call, &identity, &error) && lock_take(call, &identity, &lock, &error)
                       && arrive(call, &identity, &error);

    if (arrived) {
        service_address_announce(call, &identity);
    }
    image_lock_release(lock);
    image_identity_clear(&identity);
    if (!arrived) {
        (void) ocf_fail(error);
        return OCF_RC_GENERIC;
    }
    return OCF_RC_SUCCESS;
}
