/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live migration. The disks need no copying: both QEMUs open them, and the
 * exclusive lock goes from the one to the other when the guest does.
 */
#include <string.h>

#include "base/error.h"
#include "image/domain_state.h"
#include "image/image_actions.h"
#include "image/image_claim.h"
#include "image/image_found.h"
#include "image/image_lock.h"
#include "image/qemu_process.h"
#include "net/announce.h"

#define TARGET_VARIABLE     "OCF_RESKEY_CRM_meta_migrate_target"
#define SOURCE_VARIABLE     "OCF_RESKEY_CRM_meta_migrate_source"
#define POLL_MS             50
#define MIGRATE_RESERVE_MS  3000

static char *destination_uri(const ocf_call_t *call, GError **error)
{
    const char *target = g_getenv(TARGET_VARIABLE);

    if (target == NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "migrate_to is for Pacemaker to call: it says where to");
        return NULL;
    }
    return image_host_uri(call, target);
}

typedef struct move {
    const ocf_call_t *call;
    const image_identity_t *identity;
    const char *target;         /* host */
    char *uri;                  /* of its libvirtd */
    char *secret_uuid;          /* that QEMU needs there; NULL: none */
    hypervisor_t *hypervisor;   /* here */
    hypervisor_t *destination;
    store_t *store;
    image_record_t *record;
    char *request_id;           /* of what is noted of the target; NULL: nothing */
} move_t;

static void move_clear(move_t *move)
{
    g_free(move->uri);
    g_free(move->secret_uuid);
    hypervisor_close(move->hypervisor);
    hypervisor_close(move->destination);
    store_close(move->store);
    image_record_free(move->record);
    g_free(move->request_id);
}

static gboolean destination_open(move_t *move, GError **error)
{
    move->destination = hypervisor_open(move->uri, image_libvirt_timeout_ms(move->call), error);
    return move->destination != NULL;
}

/* The key is libvirt's to hold at the other end before QEMU opens the disks there. Where there is one, the target is named
 * beside the claim, from before it is given until it is taken back: what comes late finds either no key, or is reckoned with. */
static gboolean destination_prepare(move_t *move, GError **error)
{
    gboolean given = FALSE;

    return image_claim_move_begin(move->call, move->store, move->identity, move->record, move->target, move->secret_uuid,
                                  &move->request_id, error)
           && (move->secret_uuid == NULL
               || image_secret_give(move->call, move->identity->domain_name, move->store, move->destination,
                                    move->secret_uuid, &given, error))
           && image_claim_move_confirm(move->store, move->identity, move->record, &move->request_id, error);
}

/* Whether libvirt has nothing there that could run the guest; one that is only defined, and shut off, can't. */
static gboolean destination_is_empty(move_t *move, guint timeout_ms, GError **error)
{
    const char *meaning = NULL;
    hypervisor_domain_t domain;
    gboolean is_empty = FALSE;

    if (!hypervisor_domain_find(move->destination, move->identity->domain_uuid, move->identity->domain_name, &domain,
                                timeout_ms, error)) {
        return FALSE;
    }
    is_empty = !domain.found || domain_state_judge(domain.state, domain.reason, &meaning) == DOMAIN_STOPPED;
    hypervisor_domain_clear(&domain);
    return is_empty;
}

/* It was not asked for, or has failed, by an answer: nothing can come of it there once libvirtd has neither the key nor a
 * domain. Else the target stays one that may have the guest. A stop there takes the key back as well, if this can't be done. */
static void destination_clear(move_t *move)
{
    g_autoptr(GError) error = NULL;
    guint timeout_ms = image_libvirt_timeout_ms(move->call);

    if (move->request_id == NULL) {
        return;
    }
    if ((move->secret_uuid == NULL || hypervisor_secret_remove(move->destination, move->secret_uuid, timeout_ms, &error))
        && destination_is_empty(move, timeout_ms, &error)) {
        image_claim_move_failed(move->store, move->identity, move->record, move->request_id);
    } else {
        ocf_log("%s may have the image of %s yet: %s", move->target, move->identity->server,
                error != NULL ? error->message : "libvirt has it there");
    }
}

/* An answer that does not come is a failure, upon which Pacemaker stops the image at both ends. */
static gboolean migrate_from_here(move_t *move, GError **error)
{
    const char *name = move->identity->domain_name;
    g_autoptr(GError) migrate_error = NULL;

    if (!destination_prepare(move, error)
        || !image_record_request(move->record, name, RECORD_REQUEST_MIGRATE, error)) {
        destination_clear(move);
        return FALSE;
    }
    (void) hypervisor_domain_migrate(move->hypervisor, move->identity->domain_uuid, move->uri,
                                     ocf_call_remaining_ms(move->call, MIGRATE_RESERVE_MS), &migrate_error);
    if (!g_error_matches(migrate_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT)) {
        if (migrate_error != NULL) {
            destination_clear(move);
        }
        if (!image_record_request(move->record, name, NULL, error)) {
            return FALSE;
        }
    }
    if (migrate_error != NULL) {
        g_propagate_error(error, g_steal_pointer(&migrate_error));
        return FALSE;
    }
    image_claim_move_arrived(move->store, move->identity, move->record);
    return TRUE;
}

/* Both hosts may write from the moment of the request on, and both are named beside the claim before: image_claim_move.c. */
static gboolean move_run(move_t *move, GError **error)
{
    const ocf_call_t *call = move->call;
    const image_identity_t *identity = move->identity;

    move->target = g_getenv(TARGET_VARIABLE);
    move->uri = destination_uri(call, error);
    if (move->uri == NULL) {
        return FALSE;
    }
    move->hypervisor = hypervisor_open(HYPERVISOR_URI, image_libvirt_timeout_ms(call), error);
    move->store = move->hypervisor != NULL ? image_store_open(call, error) : NULL;
    return move->store != NULL
           && hypervisor_domain_secret(move->hypervisor, identity->domain_uuid, &move->secret_uuid,
                                       image_libvirt_timeout_ms(call), error)
           && image_found_keep(call, move->store, identity, move->hypervisor, &move->record, error)
           && destination_open(move, error)
           && migrate_from_here(move, error);
}

static gboolean migrate(const ocf_call_t *call, const image_identity_t *identity, GError **error)
{
    move_t move = { .call = call, .identity = identity };
    gboolean migrated = move_run(&move, error);

    move_clear(&move);
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
    image_record_t *record = image_found_record(call, identity, error);
    store_t *store = NULL;
    gboolean made = FALSE;

    if (record == NULL) {
        return FALSE;
    }
    made = hypervisor_domain_secret(hypervisor, identity->domain_uuid, &record->secret_uuid,
                                    image_libvirt_timeout_ms(call), error);
    store = made ? image_store_open(call, error) : NULL;
    made = store != NULL && image_found_claim(call, store, identity, record, g_getenv(SOURCE_VARIABLE), error);
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
