/* SPDX-License-Identifier: GPL-2.0-or-later */
/* method=confirm: two rounds on three planes, nothing is changed. */
#include <string.h>

#include "base/error.h"
#include "fence_private.h"

#define POLL_INTERVAL_US  (500 * 1000)
#define PORT_TIMEOUT_MS   3000

/* One round's evidence with the texts that it points to. */
typedef struct round {
    fence_evidence_t evidence;
    char *membership_text;
    char *management_text;
    char *storage_text;
} round_t;

static void round_clear(round_t *round)
{
    g_free(round->membership_text);
    g_free(round->management_text);
    g_free(round->storage_text);
    memset(round, 0, sizeof *round);
}

static const plane_member_t *member_find(const plane_members_t *members, const char *name)
{
    for (guint i = 0; i < members->members->len; i++) {
        const plane_member_t *member = g_ptr_array_index(members->members, i);

        if (strcmp(member->name, name) == 0) {
            return member;
        }
    }
    return NULL;
}

char *fence_management_address(const fence_call_t *call, const plane_members_t *members, const char *name,
                               GError **error)
{
    const char *text = ocf_value_string(call->values, "mgmt_addrs");
    g_autoptr(GHashTable) mapped = text != NULL ? fence_names_parse(text, NULL) : NULL;
    const char *address = mapped != NULL ? g_hash_table_lookup(mapped, name) : NULL;
    const plane_member_t *member = address == NULL ? member_find(members, name) : NULL;

    if (address == NULL && member != NULL) {
        address = member->address;
    }
    if (address == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "the management address of %s is not known: Corosync's nodelist does not have it; set mgmt_addrs",
                    name);
    }
    return g_strdup(address);
}

static void membership_judge(const fence_call_t *call, const plane_members_t *members, round_t *round)
{
    const char *name = call->target->name;
    const plane_member_t *member = member_find(members, name);

    round->evidence.membership = PLANE_BLIND;
    if (!members->is_quorate) {
        round->membership_text = g_strdup("this host has no quorum");
    } else if (member == NULL) {
        round->membership_text = g_strdup_printf("Corosync has no node %s", name);
    } else {
        round->evidence.membership = member->is_joined ? PLANE_ALIVE : PLANE_SILENT;
        round->membership_text = g_strdup_printf("Corosync has %s %s its members", name,
                                                 member->is_joined ? "among" : "not among");
    }
    round->evidence.membership_text = round->membership_text;
}

/* Silence counts only if somebody else is heard on that network. With two hosts there is nobody else. */
static gboolean management_hears_others(const fence_call_t *call, const planes_ops_t *planes,
                                        const plane_members_t *members, guint16 port, guint *others)
{
    *others = 0;
    for (guint i = 0; i < members->members->len; i++) {
        const plane_member_t *member = g_ptr_array_index(members->members, i);
        g_autofree char *address = NULL;

        if (!member->is_joined || strcmp(member->name, call->target->name) == 0
            || strcmp(member->name, call->site.own_name) == 0) {
            continue;
        }
        (*others)++;
        address = fence_management_address(call, members, member->name, NULL);
        if (address != NULL && planes->port_look(address, port, PORT_TIMEOUT_MS) == PLANE_ALIVE) {
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean management_judge(const fence_call_t *call, const planes_ops_t *planes,
                                 const plane_members_t *members, round_t *round, GError **error)
{
    guint16 port = (guint16) ocf_value_integer(call->values, "libvirt_port");
    g_autofree char *address = fence_management_address(call, members, call->target->name, error);
    plane_t plane = PLANE_BLIND;
    guint others = 0;

    if (address == NULL) {
        return FALSE;
    }
    plane = planes->port_look(address, port, PORT_TIMEOUT_MS);
    if (plane == PLANE_SILENT && !management_hears_others(call, planes, members, port, &others) && others > 0) {
        plane = PLANE_BLIND;
    }
    round->management_text = g_strdup_printf(
        plane == PLANE_ALIVE    ? "%s answers on the management network (%s port %u)"
        : plane == PLANE_SILENT ? "%s does not answer on the management network (%s port %u)"
                                : "this host hears nobody on the management network, nor %s (%s port %u)",
        call->target->name, address, port);
    round->evidence.management = plane;
    round->evidence.management_text = round->management_text;
    return TRUE;
}

static gboolean storage_judge(fence_call_t *call, store_pool_watch_t *watch, round_t *round, GError **error)
{
    guint refused_count = 0;
    g_autoptr(fence_look_t) look = fence_headers_look(call, watch, &refused_count, error);
    g_autofree char *watching = NULL;
    g_autofree char *strangers = NULL;

    if (look == NULL) {
        return FALSE;
    }
    watching = fence_texts_join(look->watching);
    strangers = fence_texts_join(look->strangers);
    g_free(round->storage_text);
    if (refused_count > 0) {
        round->evidence.storage = PLANE_BLIND;
        round->storage_text = g_strdup("this host is on Ceph's blocklist itself");
    } else if (look->watching->len > 0) {
        round->evidence.storage = PLANE_ALIVE;
        round->storage_text = g_strdup_printf("still open: %s", watching);
    } else if (look->strangers->len > 0) {
        round->evidence.storage = PLANE_BLIND;
        round->storage_text = g_strdup_printf("%s: no known host has that address", strangers);
    } else {
        round->evidence.storage = PLANE_SILENT;
        round->storage_text = g_strdup_printf("none of %u images has a watcher from %s that could write",
                                              store_pool_watch_count(watch), call->target->name);
    }
    round->evidence.storage_text = round->storage_text;
    return TRUE;
}

/* A dead client's watch lingers: only one that is still there after watch_timeout is renewed by somebody alive. */
static gboolean storage_wait(fence_call_t *call, store_pool_watch_t *watch, round_t *round, GError **error)
{
    gint64 until_us = g_get_monotonic_time() + (gint64) ocf_value_duration_ms(call->values, "watch_timeout") * 1000;

    if (!storage_judge(call, watch, round, error)) {
        return FALSE;
    }
    while (round->evidence.storage != PLANE_SILENT && g_get_monotonic_time() < until_us
           && fence_remaining_ms(call) > 0) {
        g_usleep(POLL_INTERVAL_US);
        if (!storage_judge(call, watch, round, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static void round_say(const fence_call_t *call, const round_t *round, const char *which)
{
    const fence_evidence_t *evidence = &round->evidence;

    fence_say(call, FENCE_LOG_NOTICE, "%s: membership %s: %s", which, plane_name(evidence->membership),
              evidence->membership_text);
    fence_say(call, FENCE_LOG_NOTICE, "%s: management %s: %s", which, plane_name(evidence->management),
              evidence->management_text);
    fence_say(call, FENCE_LOG_NOTICE, "%s: storage %s: %s", which, plane_name(evidence->storage),
              evidence->storage_text);
}

static gboolean round_carry_out(fence_call_t *call, const planes_ops_t *planes, store_pool_watch_t *watch,
                                gboolean wait_for_watchers, round_t *round, GError **error)
{
    plane_members_t *members = planes->members_read(error);
    gboolean good = FALSE;

    if (members == NULL) {
        return FALSE;
    }
    membership_judge(call, members, round);
    good = management_judge(call, planes, members, round, error);
    planes->members_free(members);
    if (!good) {
        return FALSE;
    }
    /* A sign of life is enough: nothing to wait for then. */
    wait_for_watchers = wait_for_watchers && round->evidence.membership == PLANE_SILENT
                        && round->evidence.management == PLANE_SILENT;
    return wait_for_watchers ? storage_wait(call, watch, round, error) : storage_judge(call, watch, round, error);
}

static gboolean round_is_death(fence_call_t *call, const planes_ops_t *planes, store_pool_watch_t *watch,
                               gboolean is_first, GError **error)
{
    round_t round;
    gboolean is_death = FALSE;

    memset(&round, 0, sizeof round);
    if (round_carry_out(call, planes, watch, is_first, &round, error)) {
        round_say(call, &round, is_first ? "round 1" : "round 2");
        is_death = fence_evidence_is_death(&round.evidence, error);
        if (!is_death) {
            g_prefix_error(error, "%s is not confirmed dead: ", call->target->name);
        }
    }
    round_clear(&round);
    return is_death;
}

static gboolean two_rounds(fence_call_t *call, const planes_ops_t *planes, store_pool_watch_t *watch, GError **error)
{
    guint64 hold_down_ms = ocf_value_duration_ms(call->values, "hold_down");

    if (!round_is_death(call, planes, watch, TRUE, error)) {
        return FALSE;
    }
    fence_say(call, FENCE_LOG_STEP, "waiting %" G_GUINT64_FORMAT " s for round 2", hold_down_ms / 1000);
    g_usleep((gulong) hold_down_ms * 1000);
    return fence_in_time(call, "round 2 could not be carried out", error)
           && round_is_death(call, planes, watch, FALSE, error);
}

static store_pool_watch_t *confirm_open(fence_call_t *call, GError **error)
{
    return fence_call_open(call, error) && fence_call_find_target(call, error)
                   && fence_target_check(&call->site, call->target, call->map->daemon_ips, error)
               ? fence_headers_open(call, error)
               : NULL;
}

gboolean fence_confirm(fence_call_t *call, GError **error)
{
    const planes_ops_t *planes = planes_load(error);
    store_pool_watch_t *watch = planes != NULL ? confirm_open(call, error) : NULL;
    gboolean good = watch != NULL && two_rounds(call, planes, watch, error);

    if (good) {
        fence_say(call, FENCE_LOG_NOTICE, "%s is confirmed dead by two rounds on three planes; nothing keeps it from "
                  "coming back", call->target->name);
    }
    store_pool_watch_close(watch);
    return good;
}

/* One round as it is now: a host that is dead for so short a time that its watchers linger is not known to be. */
fence_rc_t fence_confirm_status(fence_call_t *call, GError **error)
{
    const planes_ops_t *planes = planes_load(error);
    store_pool_watch_t *watch = planes != NULL ? confirm_open(call, error) : NULL;
    fence_rc_t rc = FENCE_RC_FAILED;
    round_t round;

    memset(&round, 0, sizeof round);
    if (watch != NULL && round_carry_out(call, planes, watch, FALSE, &round, error)) {
        gboolean is_alive = round.evidence.membership == PLANE_ALIVE || round.evidence.management == PLANE_ALIVE;

        rc = is_alive                                               ? FENCE_RC_OK
             : fence_evidence_is_death(&round.evidence, error) ? FENCE_RC_OFF
                                                                    : FENCE_RC_FAILED;
    }
    round_clear(&round);
    store_pool_watch_close(watch);
    return rc;
}
