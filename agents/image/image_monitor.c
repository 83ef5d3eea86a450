/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "image/boot_probe.h"
#include "image/domain_state.h"
#include "image/domain_status.h"
#include "image/image_actions.h"
#include "image/image_claim.h"
#include "image/image_found.h"
#include "image/image_lock.h"
#include "image/image_notes.h"
#include "image/image_openers.h"
#include "image/libvirtd_process.h"
#include "image/qemu_process.h"
#include "params/probe_spec.h"

#define DEEP_LEVEL         10
#define RESAMPLE_MS        200
/* A watch can be missing for a moment while an OSD restarts, an answer be lost. */
#define DEEP_PATIENCE_MS   5000
#define DEEP_RESERVE_MS    2000
#define PROBE_TRY_MS       1000
/* This part of what is left for a question to the store about what an image has left that has ended. */
#define LEFTOVER_PART      5

/* Anything else is worth a question to libvirt. */
static const char *const healthy_reasons[] = { "booted", "migrated", "unpaused", NULL };

/* Running, as libvirtd has written down, with a QEMU that lives and a libvirtd that is there to write. */
static gboolean runs_at_first_sight(const char *domain_name)
{
    domain_status_t status;
    pid_t owner = 0;
    gboolean runs = domain_status_read(domain_name, &status) && strcmp(status.state, "running") == 0
                    && status.reason != NULL && g_strv_contains(healthy_reasons, status.reason)
                    && qemu_process_find_recorded(domain_name, &owner, NULL) && owner == status.pid && libvirtd_is_alive();

    domain_status_clear(&status);
    return runs;
}

/* As long as a QEMU may still be made of what libvirtd was sent, that there is none is no "not running", upon which
 * Pacemaker would start the image elsewhere: a stop has to settle it. */
static gboolean create_may_come(const image_identity_t *identity)
{
    image_record_t *record = image_record_load(identity->domain_name);
    gboolean may_come = image_record_create_is_unanswered(record);

    image_record_free(record);
    return may_come;
}

/* Where libvirt can't tell, QEMU's own word does. */
static ocf_rc_t without_libvirt(const ocf_call_t *call, const image_identity_t *identity, const char *why)
{
    GError *error = NULL;
    pid_t pid = 0;

    if (!qemu_process_find(identity->domain_name, identity->domain_uuid, &pid, &error)) {
        (void) ocf_fail(error);
        return OCF_RC_GENERIC;
    }
    if (create_may_come(identity)) {
        ocf_exit_reason("libvirtd has not answered a start of %s, and may still carry it out: stop the resource",
                        identity->server);
        return OCF_RC_GENERIC;
    }
    if (pid == 0) {
        return OCF_RC_NOT_RUNNING;
    }
    if (call->is_probe) {
        return OCF_RC_SUCCESS;
    }
    ocf_exit_reason("the image of %s runs (pid %d), but %s", identity->server, (int) pid, why);
    return OCF_RC_DEGRADED;
}

typedef struct sample {
    gboolean known;
    domain_verdict_t verdict;
    const char *meaning; /* of the verdict, or NULL */
    char *why;           /* if it is not known */
} sample_t;

static void sample_take(const ocf_call_t *call, const image_identity_t *identity, sample_t *sample)
{
    g_autoptr(GError) error = NULL;
    hypervisor_domain_t domain = { 0 };
    hypervisor_t *hypervisor = hypervisor_open(HYPERVISOR_URI, image_libvirt_timeout_ms(call), &error);

    *sample = (sample_t) { .verdict = DOMAIN_STOPPED };
    if (hypervisor != NULL) {
        sample->known = hypervisor_domain_find(hypervisor, identity->domain_uuid, identity->domain_name, &domain,
                                               image_libvirt_timeout_ms(call), &error);
    }
    if (sample->known && domain.found) {
        sample->verdict = domain_state_judge(domain.state, domain.reason, &sample->meaning);
    }
    if (sample->known) {
        hypervisor_domain_clear(&domain);
    } else {
        sample->why = g_strdup(error->message);
    }
    hypervisor_close(hypervisor);
}

/* What a sample that says "stopped" is worth: QEMU may live on without libvirt. */
static ocf_rc_t stopped(const ocf_call_t *call, const image_identity_t *identity, const sample_t *sample)
{
    ocf_rc_t rc = without_libvirt(call, identity, "libvirt does not know it: restart libvirtd, or stop the resource");

    if (rc == OCF_RC_NOT_RUNNING && !call->is_probe) {
        ocf_exit_reason("the image of %s does not run: %s", identity->server,
                        sample->meaning != NULL ? sample->meaning : "it was shut down or its QEMU has ended");
    }
    return rc;
}

static ocf_rc_t ask_libvirt(const ocf_call_t *call, const image_identity_t *identity)
{
    sample_t sample;
    ocf_rc_t rc = OCF_RC_SUCCESS;

    sample_take(call, identity, &sample);
    if (sample.known && sample.verdict == DOMAIN_STOPPED && !call->is_probe) {
        /* A guest that restarts can be seen between two states. */
        g_usleep(RESAMPLE_MS * 1000);
        sample_take(call, identity, &sample);
    }
    if (!sample.known) {
        rc = without_libvirt(call, identity, sample.why);
    } else if (sample.verdict == DOMAIN_STOPPED) {
        rc = stopped(call, identity, &sample);
    } else if (sample.verdict != DOMAIN_RUNS) {
        ocf_exit_reason("%s: %s", identity->server, sample.meaning);
        rc = sample.verdict == DOMAIN_FAILED ? OCF_RC_GENERIC : OCF_RC_DEGRADED;
    }
    g_free(sample.why);
    return rc;
}

/* Depth 10 ----------------------------------------------------------------*/

static guint deep_left_ms(const ocf_call_t *call, gint64 begun_us)
{
    gint64 spent_ms = (g_get_monotonic_time() - begun_us) / 1000;

    return MIN((guint) MAX(DEEP_PATIENCE_MS - spent_ms, 0), ocf_call_remaining_ms(call, DEEP_RESERVE_MS));
}

/* An image gets its claim that was started before there were claims, or whose claim an operator has taken away, or that has
 * come here without its claim. An action that is under way beside this monitor sees to that itself. */
static gboolean claim_keep(const ocf_call_t *call, const image_identity_t *identity, store_t *store, GError **error)
{
    int lock = image_lock_take(identity->domain_name, 0, NULL);
    image_record_t *record = NULL;
    gboolean kept = lock < 0 || image_found_keep(call, store, identity, NULL, &record, error);
    g_autofree char *holder = record != NULL && kept ? image_claim_own_text(store, identity, record) : NULL;

    if (holder != NULL) {
        image_claim_clients_note(store, identity, record);
        image_notes_seen(store, record->run_images, identity->server, holder, IMAGE_USE_RUNS);
    }
    image_record_free(record);
    image_lock_release(lock);
    return kept;
}

/* A QEMU whose watch is gone has been put on the blocklist, or has lost the store. */
static ocf_rc_t watchers_check(const ocf_call_t *call, const image_identity_t *identity)
{
    image_record_t *record = image_record_load(identity->domain_name);
    g_autoptr(GError) error = NULL;
    gint64 begun_us = g_get_monotonic_time();
    g_autofree char *obstacle = NULL;
    gboolean watched = TRUE;
    store_t *store = NULL;

    if (record == NULL && !image_found_has_arrived(identity)) {
        return OCF_RC_SUCCESS; /* on its way, with the record and the claim at the other end */
    }
    if (record == NULL) {
        record = image_found_record(call, identity, &error);
    }
    if (record == NULL) {
        ocf_exit_reason("%s", error->message);
        return OCF_RC_DEGRADED;
    }
    store = image_store_open_record(call, record, &error);
    while (store != NULL && image_openers_have_all(store, record->run_images, &watched, &error) && !watched
           && deep_left_ms(call, begun_us) > 0) {
        g_usleep(RESAMPLE_MS * 1000);
    }
    if (store != NULL && error == NULL && watched && claim_keep(call, identity, store, &error)) {
        obstacle = image_openers_write_obstacle(store, record->run_images, &error);
    }
    store_close(store);
    image_record_free(record);
    if (error != NULL && error->code == UNDERSTUDY_ERROR_BUSY) {
        ocf_exit_reason("%s", error->message);
        return OCF_RC_GENERIC;
    }
    if (error != NULL) {
        ocf_exit_reason("the image of %s runs, but the store can't be asked: %s", identity->server, error->message);
        return OCF_RC_DEGRADED;
    }
    if (obstacle != NULL) {
        ocf_exit_reason("the image of %s runs, but %s", identity->server, obstacle);
        return OCF_RC_DEGRADED;
    }
    if (!watched) {
        ocf_exit_reason("the image of %s runs without its disks: QEMU has no watch on them, it may be blocklisted",
                        identity->server);
        return OCF_RC_GENERIC;
    }
    return OCF_RC_SUCCESS;
}

/* What this host can't ask is no fault of the image: it stays where it is. */
static ocf_rc_t boot_probe_check(const ocf_call_t *call, const image_identity_t *identity)
{
    const char *text = ocf_value_string(call->values, "boot_probe");
    probe_spec_t *probe = text != NULL ? probe_spec_parse(text, NULL) : NULL;
    gint64 begun_us = g_get_monotonic_time();
    boot_probe_t answer = probe == NULL || !boot_probe_is_usable(probe) ? BOOT_PROBE_ANSWERED : BOOT_PROBE_MISSED;
    int code = 0;

    while (answer == BOOT_PROBE_MISSED && deep_left_ms(call, begun_us) > 0) {
        answer = boot_probe_ask(probe, MIN(PROBE_TRY_MS, deep_left_ms(call, begun_us)));
        code = errno;
    }
    probe_spec_free(probe);
    if (answer == BOOT_PROBE_NOT_ASKED) {
        ocf_exit_reason("the image of %s runs, but %s can't be asked from this host: %s", identity->server, text,
                        g_strerror(code));
        return OCF_RC_DEGRADED;
    }
    if (answer == BOOT_PROBE_MISSED) {
        ocf_exit_reason("the image of %s runs, but %s does not answer", identity->server, text);
        return OCF_RC_GENERIC;
    }
    return OCF_RC_SUCCESS;
}

static ocf_rc_t look_deep(const ocf_call_t *call, const image_identity_t *identity)
{
    ocf_rc_t rc = ask_libvirt(call, identity);

    if (rc == OCF_RC_SUCCESS) {
        rc = watchers_check(call, identity);
    }
    return rc == OCF_RC_SUCCESS ? boot_probe_check(call, identity) : rc;
}

ocf_rc_t image_monitor(const ocf_call_t *call)
{
    image_identity_t identity;
    GError *error = NULL;
    ocf_rc_t rc = OCF_RC_SUCCESS;

    if (!image_identity_of_call(call, &identity, &error)) {
        return ocf_fail(error);
    }
    if (call->check_level >= DEEP_LEVEL && !call->is_probe) {
        rc = look_deep(call, &identity);
    } else if (!runs_at_first_sight(identity.domain_name)) {
        rc = ask_libvirt(call, &identity);
    }
    if (rc == OCF_RC_NOT_RUNNING && call->is_probe) { /* the next start may be another host's */
        image_claim_end_leftover(identity.domain_name, ocf_call_remaining_ms(call, 0) / LEFTOVER_PART);
    }
    image_identity_clear(&identity);
    return rc;
}
