/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The claim while its guest moves to another host.
 *
 * A live migration has two writers to be: the source's QEMU, and the one that libvirtd makes at the target. The guest is
 * in one of them, and no answer, or none yet, says which. The claim is the source's until migrate_from takes it over, which
 * may never be: its agent is killed, or nobody calls it. So what is kept beside the claim names both hosts, and whoever gives
 * the claim back, breaks it or takes it needs proof for both:
 *
 *   before the request     "to TARGET": it may write, as clients that nobody has seen. Not while another such request's
 *                          target stands: of that, too, may come something. Then the key is given there, and "to" is written
 *                          anew: the target may have looked before, found no key, and said that nothing comes. One of the
 *                          two writes fails
 *   answered, well         the target's clients are seen on all images and kept: they can be refused one by one
 *   answered, failed       the key is taken back at the target, and no domain found there: nothing can come of it, and "to"
 *                          goes, if it is that of this request
 *   not answered, killed   "to" stays
 *   arrived                migrate_from, or the first deep monitor or start at the target that sees the guest run there,
 *                          takes the claim over: holder and clients are replaced in one step
 *   stop at the target     the key is taken back, then libvirt's list and /proc have no QEMU: no later one can open the
 *                          disks (libvirt lists a domain before it asks for its key). Then "to" goes. Without a key, or
 *                          with a libvirtd that does not answer, /proc is the last word only after the source has ended: it
 *                          says so, or has booted. One that was fenced through the store has its libvirtd yet
 *   the target boots       its libvirtd has no key then: it was given before "to" was written last, and is kept in memory. So a
 *                          host whose libvirtd has neither key nor domain, and which has no QEMU of it, drops "to" when it
 *                          joins the cluster (capacity's probe, then its monitors: image_arrival.c)
 *   stop at the source     proves only that the guest is not there. While "to" stands, or another host has an image open, the
 *                          claim stays, and beside it that the start has ended; so does one that is found left behind. Watches
 *                          are not asked:
 *                          those of a target that sleeps have lapsed
 *   the next start         has the source's end, and of the target one of: all of it is refused by the store, its clients
 *                          are known (nobody has the images open, and they are refused for good), Pacemaker has fenced it,
 *                          or this is the target and it has no QEMU of the image, nor gets one: as in a stop. That nobody
 *                          owns a lock is no proof: a disk has no owner before its first write
 *
 * To others the boot of the target is no proof: what it has published may be of a boot before the one in which the migration
 * was asked for. That it has booted is its own to say.
 */
#include <string.h>

#include "base/error.h"
#include "fenced_host/fenced_host.h"
#include "image/image_actions.h"
#include "image/image_claim.h"
#include "image/image_openers.h"
#include "image/qemu_process.h"

static gboolean note_read(store_t *store, const char *pool, const char *server, char **text, GError **error)
{
    return store_claim_note_read(store, pool, server, STORE_CLAIM_CLIENTS_KEY, text, error);
}

static gboolean claim_unread(const image_identity_t *identity, GError **error)
{
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "the claim on %s can't be read", identity->server);
    return FALSE;
}

/* What is noted of the record's clients, and what of that is to be said from now on: that they are not known, if it says nothing.
 * FALSE with an error. */
static gboolean own_note(store_t *store, const char *pool, const image_identity_t *identity, const image_record_t *record,
                         char **text, char **own, GError **error)
{
    g_autoptr(claim_clients_t) clients = NULL;
    g_autofree char *address = NULL;
    const char *addresses[] = { NULL, NULL };

    if (!note_read(store, pool, identity->server, text, error)) {
        return FALSE;
    }
    clients = claim_clients_parse(*text, record->start_id);
    if (clients != NULL && clients->target != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "an earlier migration of %s to %s may not have ended: it is not sent anywhere before a stop of the resource "
                    "on that host has settled that", identity->server,
                    clients->target->host[0] != '\0' ? clients->target->host : "an unknown host");
        return FALSE;
    }
    if (clients != NULL) {
        *own = g_strdup(*text);
        return TRUE;
    }
    address = store_own_address(store, error);
    addresses[0] = address;
    *own = address != NULL ? claim_clients_text(record->start_id, FALSE, addresses) : NULL;
    return address != NULL;
}

/* In one step with a look at what stood there, so that no other target is forgotten. */
static gboolean target_set(store_t *store, const char *pool, const char *server, const char *holder, const char *clients,
                           const char *base, const claim_target_t *target, GError **error)
{
    g_autofree char *text = claim_clients_text_moving(base, target);

    return store_claim_swap_state(store, pool, server,
                                  &(store_claim_state_t) { .holder = holder, .clients = clients != NULL ? clients : "" },
                                  &(store_claim_state_t) { .holder = holder, .clients = text }, error);
}

gboolean image_claim_move_begin(const ocf_call_t *call, store_t *store, const image_identity_t *identity,
                                const image_record_t *record, const char *target, const char *secret_uuid, char **request_id,
                                GError **error)
{
    const store_options_t options = image_store_options(call);
    g_autofree char *pool = claim_pool((const char *const *) record->run_images);
    g_autofree char *holder = image_claim_own_text(store, identity, record);
    claim_target_t to = { .host = (char *) target, .secret_uuid = (char *) secret_uuid };
    g_autofree char *text = NULL;
    g_autofree char *own = NULL;
    gboolean noted = FALSE;

    *request_id = NULL;
    if (holder == NULL) {
        return claim_unread(identity, error);
    }
    if (!own_note(store, pool, identity, record, &text, &own, error)) {
        return FALSE;
    }
    *request_id = g_uuid_string_random();
    to.id = *request_id;
    fenced_host_where(&options, target, &to.addresses);
    noted = target_set(store, pool, identity->server, holder, text, own, &to, error);
    g_strfreev(to.addresses);
    return noted;
}

/* What is kept beside the record's claim, if it names the target of this request; else NULL. */
static char *note_of_request(store_t *store, const char *pool, const image_identity_t *identity, const image_record_t *record,
                             const char *request_id, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(claim_clients_t) clients = NULL;

    if (!note_read(store, pool, identity->server, &text, error)) {
        return NULL;
    }
    clients = claim_clients_parse(text, record->start_id);
    return clients != NULL && clients->target != NULL && g_strcmp0(clients->target->id, request_id) == 0
               ? g_steal_pointer(&text) : NULL;
}

gboolean image_claim_move_confirm(store_t *store, const image_identity_t *identity, const image_record_t *record,
                                  char **request_id, GError **error)
{
    g_autofree char *pool = claim_pool((const char *const *) record->run_images);
    g_autofree char *holder = image_claim_own_text(store, identity, record);
    g_autoptr(GError) read_error = NULL;
    g_autofree char *text = NULL;
    g_autoptr(claim_clients_t) clients = NULL;

    if (holder == NULL) {
        return claim_unread(identity, error);
    }
    text = note_of_request(store, pool, identity, record, *request_id, &read_error);
    if (read_error != NULL) {
        g_propagate_error(error, g_steal_pointer(&read_error));
        return FALSE;
    }
    if (text == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "the host to which %s is to move has said meanwhile that it does not come", identity->server);
        return FALSE;
    }
    clients = claim_clients_parse(text, record->start_id);
    g_free(clients->target->id);
    g_free(*request_id);
    *request_id = g_uuid_string_random();
    clients->target->id = g_strdup(*request_id);
    return target_set(store, pool, identity->server, holder, text, text, clients->target, error);
}

static gboolean arrived_note(store_t *store, const image_identity_t *identity, const image_record_t *record, GError **error)
{
    g_autofree char *pool = claim_pool((const char *const *) record->run_images);
    g_autofree char *holder = image_claim_own_text(store, identity, record);
    g_autofree char *text = NULL;
    g_autofree char *whole = NULL;
    g_autoptr(claim_clients_t) clients = NULL;
    g_autoptr(GPtrArray) seen = NULL;

    if (holder == NULL) {
        return TRUE; /* the target has it already */
    }
    if (!note_read(store, pool, identity->server, &text, error)) {
        return FALSE;
    }
    clients = claim_clients_parse(text, record->start_id);
    if (clients == NULL || clients->target == NULL || clients->target->complete) {
        return TRUE;
    }
    seen = image_openers_of_host(store, record->run_images, clients->target->addresses, error);
    if (seen == NULL) {
        return *error == NULL;
    }
    g_ptr_array_add(seen, NULL);
    whole = claim_clients_text_moving(text, &(claim_target_t) { .host = clients->target->host, .complete = TRUE,
                                                                .id = clients->target->id,
                                                                .secret_uuid = clients->target->secret_uuid,
                                                                .addresses = (char **) seen->pdata });
    return store_claim_note_set(store, pool, identity->server, holder, STORE_CLAIM_CLIENTS_KEY, whole, error);
}

void image_claim_move_arrived(store_t *store, const image_identity_t *identity, const image_record_t *record)
{
    g_autoptr(GError) error = NULL;

    if (!arrived_note(store, identity, record, &error)) {
        ocf_log("as which clients the image of %s writes at the other end can't be noted: %s", identity->server,
                error->message);
    }
}

void image_claim_move_failed(store_t *store, const image_identity_t *identity, const image_record_t *record,
                             const char *request_id)
{
    g_autofree char *pool = claim_pool((const char *const *) record->run_images);
    g_autofree char *holder = request_id != NULL ? image_claim_own_text(store, identity, record) : NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = holder != NULL ? note_of_request(store, pool, identity, record, request_id, &error) : NULL;

    if (text != NULL) {
        (void) target_set(store, pool, identity->server, holder, text, text, NULL, &error);
    }
    if (error != NULL) {
        ocf_log("that the image of %s has stayed here can't be noted: %s", identity->server, error->message);
    }
}

/* Whoever breaks the claim ---------------------------------------------------------*/

/* As in a stop: without its key no QEMU that libvirt makes later can open the disks, and it lists a domain before it asks for
 * the key. */
static gboolean late_guest_is_excluded(const ocf_call_t *call, const image_identity_t *identity, const claim_target_t *target)
{
    guint timeout_ms = image_libvirt_timeout_ms(call);
    g_autoptr(GError) error = NULL;
    hypervisor_t *hypervisor = target->secret_uuid != NULL ? hypervisor_open(HYPERVISOR_URI, timeout_ms, &error) : NULL;
    hypervisor_domain_t domain = { .found = TRUE };
    gboolean is_known = hypervisor != NULL
                        && hypervisor_secret_remove(hypervisor, target->secret_uuid, timeout_ms, &error)
                        && hypervisor_domain_find(hypervisor, identity->domain_uuid, identity->domain_name, &domain, timeout_ms,
                                                  &error);
    gboolean is_excluded = is_known && !domain.found;

    if (is_known) {
        hypervisor_domain_clear(&domain);
    }
    if (error != NULL) {
        ocf_log("whether the guest of %s still comes here can't be told: %s", identity->server, error->message);
    }
    hypervisor_close(hypervisor);
    return is_excluded;
}

static gboolean is_not_here(const ocf_call_t *call, const image_identity_t *identity, gboolean holder_is_gone,
                            const claim_target_t *target)
{
    pid_t pid = 0;

    return (holder_is_gone || late_guest_is_excluded(call, identity, target))
           && qemu_process_find(identity->domain_name, identity->domain_uuid, &pid, NULL) && pid == 0;
}

gboolean image_claim_target_is_dead(const ocf_call_t *call, const image_identity_t *identity, const claim_t *holder,
                                    gboolean holder_is_gone, const char *clients_text)
{
    const store_options_t options = image_store_options(call);
    g_autoptr(claim_clients_t) clients = holder != NULL ? claim_clients_parse(clients_text, holder->start_id) : NULL;
    g_autofree char *boot_id = NULL;
    g_autofree char *ended_start = NULL;
    gboolean is_clean = FALSE;
    gboolean is_fenced = FALSE;

    if (clients == NULL || clients->target == NULL || clients->target->host[0] == '\0') {
        return FALSE; /* nobody asks */
    }
    if (strcmp(clients->target->host, call->node) == 0) {
        return !clients->target->complete && is_not_here(call, identity, holder_is_gone, clients->target);
    }
    fenced_host_holder(&options, clients->target->host, identity->server, &boot_id, &ended_start, &is_clean, &is_fenced);
    return is_fenced;
}
