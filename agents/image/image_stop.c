/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stop ends the domain whatever else is broken. It goes by the instance's name
 * alone, and by what the start has recorded; no parameter can make it fail or,
 * worse, succeed without looking. Success means: no QEMU of this domain lives
 * here (by what it shows itself, not by what libvirt remembers), and no client of this host can
 * write to a run image, unless the store can't be asked, when the first is enough: who
 * does not live does not write.
 */
#include <signal.h>
#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "image/domain_state.h"
#include "image/domain_status.h"
#include "image/image_actions.h"
#include "image/image_claim.h"
#include "image/image_found.h"
#include "image/image_kept.h"
#include "image/image_lock.h"
#include "image/image_notes.h"
#include "image/image_openers.h"
#include "image/libvirtd_process.h"
#include "image/qemu_process.h"

#define POLL_MS 50

/* Kept for destroying a guest that does not shut down: libvirt gives QEMU 10 s on SIGTERM to flush,
 * then kills it; QEMU whose Ceph is gone has been seen to need more than 15 s. */
#define DESTROY_RESERVE_MIN_MS 17000
/* Of that, what is kept for ending QEMU by ourselves, and for looking at the watchers. */
#define SIGNAL_RESERVE_MS      5000
#define WATCHER_RESERVE_MS     1500
/* libvirt's shutdown waits for its lock on the domain: half a minute if QEMU does not answer. */
#define SHUTDOWN_REQUEST_MS    2000
#define SHUTDOWN_AGAIN_MS      3000
/* A guest whose disks stall can't shut down. The store may be back soon; if not, it has lost nothing that
 * it has acknowledged, and its clients wait for it elsewhere. */
#define STALLED_PATIENCE_MS    10000
/* How long a libvirtd that was sent a create, and has not answered, may be silent. */
#define SILENCE_PATIENCE_MS    15000
#define SETTLE_AGAIN_MS        200
#define MIGRATION_JOB          "migration"
#define PUBLISH_TIMEOUT_MS     3000
#define NOTES_RESERVE_MS       2000
/* This part of what is left: how long another action of the resource on this host is waited for. */
#define LOCK_PATIENCE_PART     3
#define LOCK_AGAIN_MS          1000

typedef struct stop {
    const ocf_call_t *call;
    image_identity_t identity;
    int lock;                    /* -1: none can be made, and no start gets one either */
    image_record_t *record;      /* NULL: nothing was started here since the host's boot */
    hypervisor_t *hypervisor;    /* NULL: libvirtd is dead or hung */
    char *domain_name;           /* as it is called; differs from identity's if found by UUID */
    char *domain_uuid;           /* as libvirt knows it */
    gboolean domain_active;      /* libvirt says that it runs, or is paused */
    gboolean guest_is_deaf;      /* it is paused, so that it can't shut down */
    gboolean store_is_silent;    /* it did not answer when it was asked last */
    char *elsewhere;             /* who else may have the guest, so that the claim stays; NULL: nobody */
    gboolean end_is_noted;       /* beside the claim that stays */
    gboolean guest_has_no_room;  /* a pool is full, so that what it writes at its end stalls; likewise not waited for */
    gboolean guest_stalls;       /* because it is silent, and for so long that the guest is not waited for */
    qemu_process_t process;      /* fd -1: there is none */
} stop_t;

static void stop_clear(stop_t *stop)
{
    image_identity_clear(&stop->identity);
    image_record_free(stop->record);
    hypervisor_close(stop->hypervisor);
    qemu_process_close(&stop->process);
    g_free(stop->domain_name);
    g_free(stop->domain_uuid);
    g_free(stop->elsewhere);
    image_lock_release(stop->lock);
}

/* A third of the action's time, at least 17 s, never more than all of it. */
static guint destroy_reserve_ms(const ocf_call_t *call)
{
    return MIN(MAX(DESTROY_RESERVE_MIN_MS, call->timeout_ms / 3), call->timeout_ms * 2 / 3);
}

/* A call of libvirt that has not come back keeps the connection: use the signals from then on. */
static void hypervisor_give_up(stop_t *stop, GError *error)
{
    ocf_log("going on without libvirt: %s", error->message);
    g_error_free(error);
    hypervisor_close(stop->hypervisor);
    stop->hypervisor = NULL;
}

/* A domain that somebody has defined stays when it is shut off. */
static gboolean domain_is_active(const hypervisor_domain_t *domain)
{
    return domain->found && domain->state != VIR_DOMAIN_SHUTOFF && domain->state != VIR_DOMAIN_CRASHED;
}

static gboolean guest_is_deaf(const hypervisor_domain_t *domain)
{
    const char *meaning = NULL;
    domain_verdict_t verdict = domain_state_judge(domain->state, domain->reason, &meaning);

    return verdict == DOMAIN_FAILED || verdict == DOMAIN_DEGRADED;
}

static void libvirt_connect(stop_t *stop)
{
    GError *error = NULL;

    stop->hypervisor = hypervisor_open(HYPERVISOR_URI, image_libvirt_timeout_ms(stop->call), &error);
    if (stop->hypervisor == NULL) {
        hypervisor_give_up(stop, error);
    }
}

static void libvirt_ask(stop_t *stop)
{
    hypervisor_domain_t domain = { .found = FALSE };
    GError *error = NULL;

    if (stop->hypervisor != NULL
        && !hypervisor_domain_find(stop->hypervisor, stop->identity.domain_uuid, stop->identity.domain_name, &domain,
                                   image_libvirt_timeout_ms(stop->call), &error)) {
        hypervisor_give_up(stop, error);
    }
    if (domain.found) {
        stop->domain_active = domain_is_active(&domain);
        stop->guest_is_deaf = guest_is_deaf(&domain);
        g_free(stop->domain_name);
        g_free(stop->domain_uuid);
        stop->domain_name = g_steal_pointer(&domain.name);
        stop->domain_uuid = g_steal_pointer(&domain.uuid);
    }
    hypervisor_domain_clear(&domain);
}

/* Under which name the domain runs: libvirt's word, else that of its status files. */
static void domain_name_find(stop_t *stop)
{
    domain_status_t status;

    if (stop->domain_name == NULL && domain_status_find_uuid(stop->identity.domain_uuid, &status)) {
        stop->domain_name = g_strdup(status.name);
        domain_status_clear(&status);
    }
    if (stop->domain_name == NULL) {
        stop->domain_name = g_strdup(stop->identity.domain_name);
    }
}

/* FALSE if it can't be known whether a QEMU lives. */
static gboolean process_find(stop_t *stop, GError **error)
{
    const char *name = stop->domain_name;
    const char *uuid = stop->identity.domain_uuid;
    pid_t pid = 0;
    pid_t earlier = 0;

    while (qemu_process_find(name, uuid, &pid, error)) {
        if (pid == 0 || qemu_process_open(name, uuid, pid, &stop->process)) {
            return TRUE;
        }
        if (pid == earlier) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "QEMU of %s (pid %d) can't be taken hold of",
                        name, (int) pid);
            return FALSE;
        }
        ocf_log("QEMU (pid %d) has just ended", (int) pid);
        earlier = pid;
    }
    return FALSE;
}

/* While QEMU lives, what this host has open is QEMU's: note it, in case it must be killed. */
static void clients_note(stop_t *stop)
{
    g_autoptr(GError) error = NULL;
    store_t *store = NULL;

    if (stop->record == NULL) {
        return;
    }
    store = image_store_open_record(stop->call, stop->record, &error);
    if (store == NULL || !image_record_clients_of(store, stop->record, stop->identity.domain_name, &error)) {
        ocf_log("%s", error->message);
    }
    stop->store_is_silent = g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT);
    store_close(store);
}

/* libvirt's view, asked until the domain is gone; TRUE if it is, or if libvirt can't be asked. */
static gboolean libvirt_wait_gone(stop_t *stop, guint timeout_ms)
{
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;

    while (stop->hypervisor != NULL && stop->domain_active) {
        hypervisor_domain_t domain;
        GError *error = NULL;

        if (!hypervisor_domain_find(stop->hypervisor, stop->domain_uuid, stop->domain_name, &domain,
                                    image_libvirt_timeout_ms(stop->call), &error)) {
            hypervisor_give_up(stop, error);
            return FALSE;
        }
        stop->domain_active = domain_is_active(&domain);
        hypervisor_domain_clear(&domain);
        if (stop->domain_active && g_get_monotonic_time() >= deadline_us) {
            return FALSE;
        }
        if (stop->domain_active) {
            g_usleep(POLL_MS * 1000);
        }
    }
    return !stop->domain_active;
}

/* The process is what counts; libvirt's word does where there is no process that could be found. */
static gboolean wait_ended(stop_t *stop, guint timeout_ms)
{
    return stop->process.fd >= 0 ? qemu_process_wait(&stop->process, timeout_ms)
                                 : libvirt_wait_gone(stop, timeout_ms);
}

/* The store answers, and takes no writes: who makes room there is not likely to do it within this stop. */
static gboolean pool_is_full(const stop_t *stop)
{
    store_t *store = stop->record != NULL ? image_store_open_record(stop->call, stop->record, NULL) : NULL;
    g_autofree char *full = store != NULL ? image_openers_full_pool(store, stop->record->run_images, NULL) : NULL;

    store_close(store);
    if (full != NULL) {
        ocf_log("%s; the guest's disks stall and it can't shut down: destroying it", full);
    }
    return full != NULL;
}

/* Whether its disks stall for longer than they should be waited for: the store has been silent since the stop began, or a
 * pool is full. */
static gboolean guest_stalls(stop_t *stop, gint64 begun_us)
{
    if (g_get_monotonic_time() - begun_us <= STALLED_PATIENCE_MS * 1000LL) {
        return FALSE;
    }
    if (!stop->store_is_silent) {
        stop->guest_has_no_room = pool_is_full(stop);
        return stop->guest_has_no_room;
    }
    clients_note(stop);
    stop->guest_stalls = stop->store_is_silent;
    if (stop->guest_stalls) {
        ocf_log("the store does not answer this host, the guest's disks stall and it can't shut down: destroying it");
    }
    return stop->guest_stalls;
}

/* Again and again: a guest that is still booting does not see the power button. */
static void guest_shut_down(stop_t *stop)
{
    guint reserve_ms = destroy_reserve_ms(stop->call);
    guint left_ms = ocf_call_remaining_ms(stop->call, reserve_ms);
    gint64 begun_us = g_get_monotonic_time();
    gboolean ended = FALSE;

    if (stop->hypervisor != NULL && !stop->domain_active) {
        ocf_log("libvirt has lost this QEMU and can't ask the guest to shut down");
        return;
    }
    if (stop->guest_is_deaf) {
        ocf_log("the guest is paused and can't shut down: destroying it");
        return;
    }
    while (!ended && stop->hypervisor != NULL && left_ms > 0) {
        GError *error = NULL;

        if (!hypervisor_domain_shutdown(stop->hypervisor, stop->domain_uuid, MIN(SHUTDOWN_REQUEST_MS, left_ms),
                                        &error)) {
            hypervisor_give_up(stop, error);
            return;
        }
        ended = wait_ended(stop, MIN(SHUTDOWN_AGAIN_MS, ocf_call_remaining_ms(stop->call, reserve_ms)));
        left_ms = ocf_call_remaining_ms(stop->call, reserve_ms);
        if (!ended && left_ms > 0 && guest_stalls(stop, begun_us)) {
            return;
        }
    }
    if (!ended) {
        ocf_log("the guest did not shut down within its time: destroying it");
    }
}

static void domain_destroy(stop_t *stop)
{
    guint time_ms = ocf_call_remaining_ms(stop->call, SIGNAL_RESERVE_MS + WATCHER_RESERVE_MS);
    GError *error = NULL;

    if (stop->hypervisor == NULL || !stop->domain_active || wait_ended(stop, 0)) {
        return;
    }
    if (!hypervisor_domain_destroy(stop->hypervisor, stop->domain_uuid, time_ms, &error)) {
        hypervisor_give_up(stop, error);
        return;
    }
    (void) wait_ended(stop, ocf_call_remaining_ms(stop->call, SIGNAL_RESERVE_MS + WATCHER_RESERVE_MS));
}

/* libvirt and SIGTERM give QEMU time to write what it has cached; there is nowhere to write it to. */
static void stalled_guest_kill(stop_t *stop)
{
    if ((stop->guest_stalls || stop->guest_has_no_room) && stop->process.fd >= 0) {
        qemu_process_signal(&stop->process, SIGKILL);
        (void) qemu_process_wait(&stop->process, ocf_call_remaining_ms(stop->call, WATCHER_RESERVE_MS));
    }
}

/* Without libvirt: QEMU takes SIGTERM as an order to end cleanly. */
static void process_end(stop_t *stop)
{
    guint term_ms = ocf_call_remaining_ms(stop->call, SIGNAL_RESERVE_MS + WATCHER_RESERVE_MS);

    if (qemu_process_wait(&stop->process, 0)) {
        return;
    }
    ocf_log("ending QEMU (pid %d) by signals", (int) stop->process.pid);
    qemu_process_signal(&stop->process, SIGTERM);
    if (!qemu_process_wait(&stop->process, MIN(term_ms, destroy_reserve_ms(stop->call) / 2))) {
        qemu_process_signal(&stop->process, SIGKILL);
        (void) qemu_process_wait(&stop->process, ocf_call_remaining_ms(stop->call, WATCHER_RESERVE_MS));
    }
}

/* What can be left out is left out when the time is short: a stop that does not end in time has its host fenced. */
static gboolean has_time_for_notes(const stop_t *stop)
{
    guint timeout_ms = (guint) ocf_value_duration_ms(stop->call->values, "store_timeout");

    return ocf_call_remaining_ms(stop->call, PUBLISH_TIMEOUT_MS + NOTES_RESERVE_MS) > 2 * timeout_ms;
}

static void end_note(const stop_t *stop, store_t *store)
{
    g_autofree char *holder = has_time_for_notes(stop) ? image_claim_own_text(store, &stop->identity, stop->record) : NULL;

    if (holder != NULL && has_time_for_notes(stop)) {
        image_notes_seen(store, stop->record->run_images, stop->identity.server, holder, IMAGE_USE_ENDED);
    }
    if (holder != NULL && has_time_for_notes(stop)) {
        image_kept_tidy(store, stop->record->run_images);
    }
}

/* FALSE if it can't be ended. */
static gboolean qemu_end(stop_t *stop)
{
    clients_note(stop);
    guest_shut_down(stop);
    stalled_guest_kill(stop);
    domain_destroy(stop);
    process_end(stop);
    if (!wait_ended(stop, 0)) {
        return FALSE;
    }
    /* libvirt may take a moment to notice: a start that comes next must not find the name taken. */
    (void) libvirt_wait_gone(stop, ocf_call_remaining_ms(stop->call, WATCHER_RESERVE_MS));
    stop->domain_active = FALSE;
    qemu_process_close(&stop->process);
    return TRUE;
}

/* One of them, as a rule; one that libvirt has lost may run beside another. */
static gboolean all_end(stop_t *stop, GError **error)
{
    gboolean known = process_find(stop, error);

    while (known && (stop->process.fd >= 0 || stop->domain_active)) {
        if (!qemu_end(stop)) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                        "QEMU of %s (pid %d) can't be ended: this host must be fenced", stop->domain_name,
                        (int) stop->process.pid);
            return FALSE;
        }
        known = process_find(stop, error);
    }
    return known;
}

/* The secret that libvirt has for this start alone: without it no QEMU is made that could open the disks. */
static gboolean secret_take_back(stop_t *stop)
{
    GError *error = NULL;

    if (stop->hypervisor == NULL || stop->record == NULL || stop->record->secret_uuid == NULL) {
        return FALSE;
    }
    if (!hypervisor_secret_remove(stop->hypervisor, stop->record->secret_uuid, image_libvirt_timeout_ms(stop->call),
                                  &error)) {
        hypervisor_give_up(stop, error);
        return FALSE;
    }
    return TRUE;
}

/* Those that a migration to here has left, or a start that was cut off: none of them is needed any more. */
static void secrets_clear(stop_t *stop)
{
    g_autofree char *prefix = image_secret_usage_prefix(stop->identity.domain_name);
    GError *error = NULL;

    (void) secret_take_back(stop);
    if (stop->hypervisor != NULL
        && !hypervisor_secrets_remove(stop->hypervisor, prefix, image_libvirt_timeout_ms(stop->call), &error)) {
        hypervisor_give_up(stop, error);
    }
}

/* libvirt takes a domain into its list before it takes the secret: after the secret has been taken back, a domain that is
 * not in the list does not come any more. */
static gboolean late_create_is_excluded(stop_t *stop)
{
    if (stop->hypervisor == NULL) {
        libvirt_connect(stop);
    }
    if (!secret_take_back(stop)) {
        return FALSE;
    }
    libvirt_ask(stop);
    return stop->hypervisor != NULL;
}

static gboolean is_others_migration(const domain_status_t *status, gconstpointer own_uuid)
{
    pid_t owner = 0;

    return strcmp(status->uuid, own_uuid) != 0 && status->job != NULL && g_str_has_prefix(status->job, MIGRATION_JOB)
           && qemu_process_find_recorded(status->name, &owner, NULL) && owner == status->pid;
}

/* Which other guest of this host is on its way, in or out; NULL: none is. As far as libvirtd has written it down: of a
 * request that it has just been sent, nobody but it could tell. g_free() */
static char *migrating_guest(const stop_t *stop)
{
    domain_status_t status;
    char *name = NULL;

    if (domain_status_find(is_others_migration, stop->identity.domain_uuid, &status)) {
        name = g_strdup(status.name);
        domain_status_clear(&status);
    }
    return name;
}

/* How long libvirtd is waited for before it is ended, which would break a migration. */
static gboolean silence_is_borne(const stop_t *stop, gint64 patience_until_us, char **migrating)
{
    g_clear_pointer(migrating, g_free);
    if (g_get_monotonic_time() < patience_until_us) {
        return TRUE;
    }
    *migrating = migrating_guest(stop);
    return *migrating != NULL && ocf_call_remaining_ms(stop->call, destroy_reserve_ms(stop->call)) > 0;
}

static gboolean libvirtd_end_for_sure(stop_t *stop, const char *migrating, GError **error)
{
    if (migrating != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "libvirtd does not answer, and to end it would break the migration of %s: this host must be fenced",
                    migrating);
        return FALSE;
    }
    ocf_log("libvirtd does not answer: ending it, so that nothing comes of it; the other guests run on");
    if (stop->hypervisor != NULL) {
        hypervisor_close(stop->hypervisor);
        stop->hypervisor = NULL;
    }
    return libvirtd_end(ocf_call_remaining_ms(stop->call, SIGNAL_RESERVE_MS + WATCHER_RESERVE_MS), error);
}

/* libvirtd was sent a create and has not answered: it may still make a QEMU, long after the image runs elsewhere. */
static gboolean create_settle(stop_t *stop, GError **error)
{
    guint patience_ms = MIN(SILENCE_PATIENCE_MS, ocf_call_remaining_ms(stop->call, 0) / 3);
    gint64 patience_until_us = g_get_monotonic_time() + patience_ms * 1000LL;
    g_autofree char *migrating = NULL;
    gboolean excluded = FALSE;

    if (!image_record_create_is_unanswered(stop->record)) {
        return TRUE;
    }
    ocf_log("libvirtd has not answered a start of %s: making sure that nothing comes of it", stop->domain_name);
    while (!excluded && silence_is_borne(stop, patience_until_us, &migrating)) {
        excluded = late_create_is_excluded(stop);
        if (!excluded) {
            g_usleep(SETTLE_AGAIN_MS * 1000);
        }
    }
    excluded = excluded /* by one that may have come after the one that was asked */
                   ? libvirtd_orphans_end(ocf_call_remaining_ms(stop->call, SIGNAL_RESERVE_MS + WATCHER_RESERVE_MS), error)
                   : libvirtd_end_for_sure(stop, migrating, error);
    return excluded && all_end(stop, error)
           && image_record_request(stop->record, stop->identity.domain_name, NULL, error);
}

/* A migration to here that was asked for, and has not come to its end: without its secret no QEMU that libvirtd makes for it
 * later can open the disks. FALSE: one may. */
static gboolean late_arrival_is_excluded(stop_t *stop, const char *secret_uuid, GError **error)
{
    if (stop->hypervisor == NULL || secret_uuid == NULL
        || !hypervisor_secret_remove(stop->hypervisor, secret_uuid, image_libvirt_timeout_ms(stop->call), error)) {
        return FALSE;
    }
    libvirt_ask(stop);
    return stop->hypervisor != NULL;
}

static gboolean arrival_exclude(stop_t *stop, const image_arrival_t *arrival, GError **error)
{
    const store_options_t options = image_store_options(stop->call);

    return (image_arrival_source_has_ended(&options, stop->identity.server, arrival)
            || late_arrival_is_excluded(stop, arrival->secret_uuid, error))
           && all_end(stop, error);
}

/* The claim of another host may say that its guest was to come here: that it is not here, and does not come, is for this host
 * to say, or that claim stays. What can't be told makes no stop fail. */
static void arrival_settle(stop_t *stop, store_t *store, char **run_images)
{
    image_arrival_t arrival = { 0 };
    g_autoptr(GError) error = NULL;
    const char *server = stop->identity.server;

    if (!has_time_for_notes(stop)) {
        return;
    }
    if (image_arrival_find(stop->call->node, store, server, (const char *const *) run_images, &arrival, &error)
        && arrival.holder != NULL && arrival_exclude(stop, &arrival, &error)
        && image_arrival_end(store, server, &arrival, &error)) {
        ocf_log("the guest of %s is not here, and does not come any more", server);
    } else if (arrival.holder != NULL || error != NULL) {
        ocf_log("whether the guest of %s still comes here can't be told%s%s", server, error != NULL ? ": " : "",
                error != NULL ? error->message : "");
        image_arrivals_note(FALSE); /* capacity looks again */
    }
    image_arrival_clear(&arrival);
}

/* Nothing was started here. */
static void arrival_look(stop_t *stop)
{
    g_autoptr(GError) error = NULL;
    image_record_t *record = has_time_for_notes(stop) ? image_found_record(stop->call, &stop->identity, NULL) : NULL;
    store_t *store = record != NULL ? image_store_open(stop->call, &error) : NULL;

    if (store != NULL) {
        arrival_settle(stop, store, record->run_images);
    } else if (error != NULL) {
        ocf_log("whether the guest of %s still comes here can't be told: %s", stop->identity.server, error->message);
    }
    store_close(store);
    image_record_free(record);
}

static gboolean claim_give_back(const stop_t *stop, store_t *store, GError **error)
{
    end_note(stop, store);
    if (!image_claim_give_back(store, &stop->identity, stop->record, error)) {
        return FALSE;
    }
    if (has_time_for_notes(stop)) {
        image_claim_place_drop(store, &stop->identity, stop->record->start_id);
    }
    return TRUE;
}

/* No client of this host can write to a run image; what its ended processes have left there is blocklisted. Then the
 * server is anybody's to start, if no other host may have its guest. */
static gboolean writers_are_gone(stop_t *stop, GError **error)
{
    store_t *store = image_store_open_record(stop->call, stop->record, error);
    gboolean gone = store != NULL && image_openers_end_own(store, stop->record->run_images, stop->record, error)
                    && image_claim_is_used_elsewhere(store, &stop->identity, stop->record, &stop->elsewhere, error);

    if (gone && stop->elsewhere != NULL) {
        stop->end_is_noted = has_time_for_notes(stop) && image_claim_note_ended(store, &stop->identity, stop->record);
        image_claim_move_arrived(store, &stop->identity, stop->record);
    } else if (gone) {
        gone = claim_give_back(stop, store, error);
        arrival_settle(stop, store, stop->record->run_images);
    }
    store_close(store);
    return gone;
}

static gboolean ended_publish(const stop_t *stop)
{
    return image_claim_publish_ended(&stop->identity, stop->record,
                                     MIN(PUBLISH_TIMEOUT_MS, MAX(ocf_call_remaining_ms(stop->call, 0), 1)));
}

/* A claim that stays is for the next start to break, which looks at all who may have the guest: it must learn that it has
 * ended here, maybe long after this. Where only the cluster was told, which forgets it when Pacemaker ends here, the record
 * stays, by which this host tells it later. */
static void record_end(const stop_t *stop)
{
    if (stop->elsewhere != NULL) {
        ocf_log("%s may run the image of %s: its claim stays, as that of a start that has ended here", stop->elsewhere,
                stop->identity.server);
        (void) ended_publish(stop);
    }
    if (stop->elsewhere == NULL || stop->end_is_noted) {
        image_record_remove(stop->identity.domain_name);
    }
}

static ocf_rc_t writers_check(stop_t *stop)
{
    GError *error = NULL;

    if (stop->record == NULL) {
        arrival_look(stop);
        return OCF_RC_SUCCESS;
    }
    if (stop->guest_stalls) {
        g_set_error_literal(&error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "the store does not answer this host");
    } else if (writers_are_gone(stop, &error)) {
        record_end(stop);
        return OCF_RC_SUCCESS;
    }
    if (g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY)) {
        (void) ocf_fail(error);
        return OCF_RC_GENERIC;
    }
    /* The record stays, for the next start to judge the watchers by. */
    ocf_log("QEMU has ended; who has the run images open can't be told: %s", error->message);
    g_error_free(error);
    (void) ended_publish(stop);
    return OCF_RC_SUCCESS;
}

/* A stop goes before whatever else is under way: that is waited for, then ended. FALSE if it can't be. */
static gboolean lock_get(stop_t *stop, GError **error)
{
    const char *name = stop->identity.domain_name;
    GError *take_error = NULL;

    stop->lock = image_lock_take(name, ocf_call_remaining_ms(stop->call, 0) / LOCK_PATIENCE_PART, &take_error);
    while (g_error_matches(take_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY)
           && ocf_call_remaining_ms(stop->call, stop->call->timeout_ms / LOCK_PATIENCE_PART) > 0) {
        g_clear_error(&take_error);
        image_lock_holder_end(name);
        stop->lock = image_lock_take(name, LOCK_AGAIN_MS, &take_error);
    }
    if (g_error_matches(take_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY)) {
        g_propagate_error(error, take_error);
        return FALSE;
    }
    if (take_error != NULL) {
        ocf_log("%s", take_error->message);
        g_error_free(take_error);
    }
    return TRUE;
}

static ocf_rc_t stop_run(stop_t *stop)
{
    GError *error = NULL;

    if (!image_identity_of_call(stop->call, &stop->identity, &error)) {
        ocf_exit_reason("%s", error->message);
        g_error_free(error);
        return OCF_RC_GENERIC;
    }
    if (!lock_get(stop, &error)) {
        (void) ocf_fail(error);
        return OCF_RC_GENERIC;
    }
    stop->record = image_record_load(stop->identity.domain_name);
    libvirt_connect(stop);
    libvirt_ask(stop);
    domain_name_find(stop);
    if (!all_end(stop, &error) || !create_settle(stop, &error)) {
        (void) ocf_fail(error);
        return OCF_RC_GENERIC;
    }
    secrets_clear(stop);
    return writers_check(stop);
}

ocf_rc_t image_stop(const ocf_call_t *call)
{
    stop_t stop = { .call = call, .lock = -1, .process = { .fd = -1 } };
    ocf_rc_t rc = stop_run(&stop);

    stop_clear(&stop);
    return rc;
}
