/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/error.h"
#include "image/domain_state.h"
#include "image/image_actions.h"
#include "image/image_claim.h"
#include "image/image_disks.h"
#include "image/image_found.h"
#include "image/image_gate.h"
#include "image/image_lock.h"
#include "image/image_openers.h"
#include "image/qemu_process.h"

/* Creating a domain waits for QEMU to open its disks. Kept to say that it did not, and to leave the store in order. */
#define CREATE_RESERVE_MS 2000
/* Kept when the store does not answer, so that the start can still say so. */
#define STORE_RESERVE_MS  2000
#define STORE_AGAIN_MS    200
/* After so long the answer about the ticket may be out of date. */
#define TICKET_FRESH_MS   10000

typedef struct start {
    const ocf_call_t *call;
    image_identity_t identity;
    int lock;
    hypervisor_t *hypervisor;
    store_t *store;
    GPtrArray *disks;
    char **run_names;
    image_record_t *record;
    image_record_t *earlier; /* of the start before, or NULL */
    domain_xml_t xml;
    address_probe_t *address_probe;
    char *full_pool;         /* what was full when the store was asked last, as a sentence; or NULL */
    gint64 takeover;         /* by which it is told from others; 0: not known */
} start_t;

static void disks_forget(start_t *start)
{
    store_close(start->store);
    start->store = NULL;
    g_clear_pointer(&start->disks, g_ptr_array_unref);
    g_clear_pointer(&start->run_names, g_strfreev);
    g_clear_pointer(&start->record, image_record_free);
}

static void start_clear(start_t *start)
{
    image_identity_clear(&start->identity);
    hypervisor_close(start->hypervisor);
    disks_forget(start);
    image_record_free(start->earlier);
    g_free(start->full_pool);
    domain_xml_clear(&start->xml);
    address_probe_close(start->address_probe);
    image_lock_release(start->lock);
}

/* TRUE in *running if there is nothing to start. A QEMU that is there and does not run is for a stop to end. */
static gboolean running_already(start_t *start, gboolean *running, GError **error)
{
    hypervisor_domain_t domain;
    domain_verdict_t verdict = DOMAIN_STOPPED;
    const char *meaning = NULL;
    pid_t pid = 0;

    *running = FALSE;
    if (!hypervisor_domain_find(start->hypervisor, start->identity.domain_uuid, start->identity.domain_name, &domain,
                                image_libvirt_timeout_ms(start->call), error)) {
        return FALSE;
    }
    if (domain.found) {
        verdict = domain_state_judge(domain.state, domain.reason, &meaning);
    }
    hypervisor_domain_clear(&domain);
    *running = verdict == DOMAIN_RUNS;
    if (verdict == DOMAIN_DEGRADED || verdict == DOMAIN_FAILED) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "%s is there already, but %s",
                    start->identity.domain_name, meaning);
        return FALSE;
    }
    if (!*running
        && (!qemu_process_find(start->identity.domain_name, start->identity.domain_uuid, &pid, error) || pid != 0)) {
        if (pid != 0) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                        "a QEMU of %s runs here (pid %d) that libvirt has lost: stop the resource first",
                        start->identity.domain_name, (int) pid);
        }
        return FALSE;
    }
    return TRUE;
}

/* Whoever has started it: its claim must be this host's. */
static ocf_rc_t running_keep(start_t *start)
{
    GError *error = NULL;
    gboolean kept = FALSE;

    start->store = image_store_open(start->call, &error);
    kept = start->store != NULL
           && image_found_keep(start->call, start->store, &start->identity, start->hypervisor, &start->record, &error);
    return kept ? OCF_RC_SUCCESS : ocf_fail(error);
}

/* What an earlier start has asked for may still come: only a stop settles that. */
static gboolean earlier_is_settled(const start_t *start, GError **error)
{
    image_record_t *earlier = image_record_load(start->identity.domain_name);
    gboolean settled = !image_record_create_is_unanswered(earlier);

    image_record_free(earlier);
    if (!settled) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "libvirtd has not answered an earlier start of %s, and may still carry it out: stop the resource first",
                    start->identity.domain_name);
    }
    return settled;
}

static gboolean wants_kvm(start_t *start, gboolean *kvm, GError **error)
{
    const char *type = ocf_value_string(start->call->values, "domain_type");

    *kvm = strcmp(type, "kvm") == 0;
    return strcmp(type, "auto") != 0
           || hypervisor_offers_kvm(start->hypervisor, kvm, image_libvirt_timeout_ms(start->call), error);
}

static gboolean xml_make(start_t *start, const char *secret_uuid, GError **error)
{
    const ocf_values_t *values = start->call->values;
    const char *mac = ocf_value_string(values, "mac");
    g_auto(GStrv) monitors = store_monitor_addresses(start->store, error);
    g_autofree char *template_text = NULL;
    gboolean kvm = FALSE;

    if (monitors == NULL || !image_template_read(start->call, &template_text, error) || !wants_kvm(start, &kvm, error)) {
        return FALSE;
    }
    if (!hypervisor_domain_xml(&(domain_xml_options_t) {
        .template_text = template_text,
        .name = start->identity.domain_name,
        .uuid = start->identity.domain_uuid,
        .server = start->identity.server,
        .images = (const char *const *) start->run_names,
        .monitors = (const char *const *) monitors,
        .ceph_conf = ocf_value_string(values, "ceph_conf"),
        .ceph_user = ocf_value_string(values, "ceph_user"),
        .secret_uuid = secret_uuid,
        .mac = mac != NULL ? mac : start->identity.mac,
        .kvm = kvm,
        .vcpus = (guint) ocf_value_integer(values, "vcpus"),
        .memory_mib = (guint64) ocf_value_integer(values, "memory_mib"),
        .bridge = ocf_value_string(values, "bridge"),
    }, &start->xml, error)) {
        return FALSE;
    }
    ocf_log("the guest's disks: %s", start->xml.disks);
    return TRUE;
}

static gboolean record_make(start_t *start, GError **error)
{
    const ocf_values_t *values = start->call->values;
    image_record_t *earlier = start->earlier;
    g_autofree char *own_address = store_own_address(start->store, error);

    if (own_address == NULL) {
        return FALSE;
    }
    start->record = image_record_new(ocf_value_string(values, "ceph_conf"), ocf_value_string(values, "ceph_user"),
                                     start->run_names);
    for (guint i = 0; earlier != NULL && i < earlier->clients->len; i++) {
        image_record_add_client(start->record, earlier->clients->pdata[i]);
    }
    image_record_add_client(start->record, own_address);
    start->record->server = g_strdup(start->identity.server);
    start->record->start_id = g_uuid_string_random();
    return image_record_save(start->record, start->identity.domain_name, error);
}

/* A start that is refused leaves things as they were. */
static void record_take_back(start_t *start)
{
    g_autoptr(GError) error = NULL;

    if (start->earlier == NULL) {
        image_record_remove(start->identity.domain_name);
    } else if (!image_record_save(start->earlier, start->identity.domain_name, &error)) {
        ocf_log("%s", error->message);
    }
}

static guint watcher_wait_ms(const start_t *start)
{
    return (guint) MIN(ocf_value_duration_ms(start->call->values, "watcher_wait"),
                       ocf_call_remaining_ms(start->call, 0) / 2);
}

/* The claim first, then the look: of two starts one gets it, and who has got it sees what the other has open. The record
 * before both, so that the stop after a start that was killed knows what to look at, and what to give back. */
static gboolean disks_claim(start_t *start, GError **error)
{
    const store_options_t options = image_store_options(start->call);
    g_autoptr(GError) give_back_error = NULL;

    if (start->earlier == NULL) {
        start->earlier = image_record_load(start->identity.domain_name);
    }
    if (!record_make(start, error)) {
        return FALSE;
    }
    if (image_claim_take(start->call, start->store, &start->identity, start->record, watcher_wait_ms(start), error)
        && image_openers_wait_free(start->store, &options, start->run_names, start->record, watcher_wait_ms(start), error)
        && image_openers_check_locks(start->store, start->run_names, error)) {
        return TRUE;
    }
    /* Who can't give it back keeps the record, for a stop to do it. */
    if (!image_claim_give_back(start->store, &start->identity, start->record, &give_back_error)) {
        ocf_log("%s", give_back_error->message);
        return FALSE;
    }
    image_claim_place_drop(start->store, &start->identity, start->record->start_id);
    record_take_back(start);
    return FALSE;
}

static gboolean disks_prepare(start_t *start, GError **error)
{
    g_autofree char *holder = image_claim_own_text(start->store, &start->identity, start->record);

    if (holder == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "the claim on %s, which was just made, can't be read",
                    start->identity.server);
        return FALSE;
    }
    return image_disks_prepare(start->store, start->disks, start->identity.server, holder, start->takeover, error);
}

/* What the store lacks is no fault of the resource: once it is mended there, Pacemaker tries again by itself, as after any
 * failure that ends. "Wrong on every host" would keep the image from all of them until an operator cleans up. */
static void make_passing(GError *error)
{
    if (g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG)
        || g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        error->code = UNDERSTUDY_ERROR_FAILED;
    }
}

static gboolean disks_get(start_t *start, GError **error)
{
    start->store = image_store_open(start->call, error);
    if (start->store == NULL) {
        return FALSE;
    }
    start->disks = image_disks_new(start->call->values, start->identity.server);
    start->run_names = image_disks_run_names(start->disks);
    if (!disks_claim(start, error) || !disks_prepare(start, error)) {
        return FALSE;
    }
    g_strfreev(start->run_names);
    start->run_names = image_disks_run_names(start->disks);
    return TRUE;
}

/* In a full pool writes stall, and look like a store that is silent. The monitors know. */
static void timeout_explain(start_t *start, GError **error)
{
    guint timeout_ms = (guint) ocf_value_duration_ms(start->call->values, "store_timeout");

    if (!g_error_matches(*error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT)) {
        return;
    }
    if (start->store != NULL && start->run_names != NULL
        && ocf_call_remaining_ms(start->call, STORE_RESERVE_MS) > timeout_ms) {
        g_autoptr(GError) ask_error = NULL;
        char *full_pool = image_openers_full_pool(start->store, start->run_names, &ask_error);

        g_free(start->full_pool);
        start->full_pool = full_pool;
    }
    if (start->full_pool != NULL) {
        g_clear_error(error);
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, start->full_pool);
    }
}

/* A store that is silent for a while is no reason to give up: a failed start keeps Pacemaker from this host. Nothing has
 * been made that another try would not find. */
static gboolean disks_get_in_time(start_t *start, GError **error)
{
    guint reserve_ms = (guint) ocf_value_duration_ms(start->call->values, "store_timeout") + STORE_RESERVE_MS;

    for (;;) {
        GError *try_error = NULL;

        if (disks_get(start, &try_error)) {
            return TRUE;
        }
        timeout_explain(start, &try_error);
        if (!g_error_matches(try_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT)
            || ocf_call_remaining_ms(start->call, reserve_ms) == 0) {
            make_passing(try_error);
            g_propagate_error(error, try_error);
            return FALSE;
        }
        ocf_log("waiting for the store: %s", try_error->message);
        g_error_free(try_error);
        disks_forget(start);
        g_usleep(STORE_AGAIN_MS * 1000);
    }
}

/* A secret of this start's own: when it is taken back, nothing else is made of a create that comes late. */
static gboolean secret_give(start_t *start, GError **error)
{
    gboolean given = FALSE;

    g_free(start->record->secret_uuid);
    start->record->secret_uuid = g_uuid_string_random();
    if (!image_record_save(start->record, start->identity.domain_name, error)
        || !image_secret_give(start->call, start->identity.domain_name, start->store, start->hypervisor,
                              start->record->secret_uuid, &given, error)) {
        return FALSE;
    }
    if (!given) {
        g_clear_pointer(&start->record->secret_uuid, g_free);
    }
    return TRUE;
}

/* In the record before it is sent, out of it when it is answered: what was sent may be carried out, whoever still waits. */
static gboolean create(start_t *start, GError **error)
{
    const char *name = start->identity.domain_name;
    g_autoptr(GError) create_error = NULL;

    if (!image_record_request(start->record, name, RECORD_REQUEST_CREATE, error)) {
        return FALSE;
    }
    (void) hypervisor_domain_create(start->hypervisor, start->xml.text,
                                    ocf_call_remaining_ms(start->call, CREATE_RESERVE_MS), &create_error);
    if (!g_error_matches(create_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT)
        && !image_record_request(start->record, name, NULL, error)) {
        return FALSE;
    }
    if (create_error != NULL) {
        g_propagate_error(error, g_steal_pointer(&create_error));
        return FALSE;
    }
    return TRUE;
}

static gboolean domain_make(start_t *start, GError **error)
{
    return secret_give(start, error) && xml_make(start, start->record->secret_uuid, error)
           && image_address_check(start->call, &start->identity, &start->address_probe, start->xml.bridge, error)
           && image_claim_clients_unknown(start->store, &start->identity, start->record, error) && create(start, error);
}

/* All that must hold before the domain is made. A ticket that was revoked while the store was waited for is not one. */
static gboolean make_ready(start_t *start, GError **error)
{
    gint64 asked_us = 0;

    if (!earlier_is_settled(start, error) || !image_ticket_check(start->call, &start->identity, &start->takeover, error)) {
        return FALSE;
    }
    asked_us = g_get_monotonic_time();
    return disks_get_in_time(start, error)
           && (g_get_monotonic_time() - asked_us < TICKET_FRESH_MS * 1000LL
               || image_ticket_check(start->call, &start->identity, &start->takeover, error));
}

static ocf_rc_t start_run(start_t *start)
{
    GError *error = NULL;
    gboolean running = FALSE;

    if (!image_boot_probe_check(start->call, &error) || !image_bridge_check(start->call, &error)
        || !image_identity_of_call(start->call, &start->identity, &error)) {
        return ocf_fail(error);
    }
    start->lock = image_lock_take(start->identity.domain_name, ocf_call_remaining_ms(start->call, IMAGE_LOCK_RESERVE_MS),
                                  &error);
    if (start->lock < 0) {
        return ocf_fail(error);
    }
    start->hypervisor = hypervisor_open(HYPERVISOR_URI, image_libvirt_timeout_ms(start->call), &error);
    if (start->hypervisor == NULL || !running_already(start, &running, &error)) {
        return ocf_fail(error);
    }
    if (running) {
        return running_keep(start);
    }
    if (ocf_value_string(start->call->values, "template") == NULL) {
        start->address_probe = image_address_ask(start->call, ocf_value_string(start->call->values, "bridge"));
    }
    if (!make_ready(start, &error) || !domain_make(start, &error)) {
        return ocf_fail(error);
    }
    if (!image_record_clients_of(start->store, start->record, start->identity.domain_name, &error)) {
        /* The image runs; a stop looks again, and has less to go by only if this QEMU has been killed by then. */
        ocf_log("%s", error->message);
        g_error_free(error);
    }
    image_claim_clients_note(start->store, &start->identity, start->record);
    image_lock_release(start->lock); /* nothing is written any more */
    start->lock = -1;
    return image_wait_booted(start->call, &start->identity, start->xml.mac, start->xml.bridge);
}

ocf_rc_t image_start(const ocf_call_t *call)
{
    start_t start = { .call = call, .lock = -1 };
    ocf_rc_t rc = start_run(&start);

    start_clear(&start);
    return rc;
}
