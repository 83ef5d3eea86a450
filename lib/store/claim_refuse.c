/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/claim_refuse.h"

#include "base/error.h"
#include "store/store_address.h"

/* The first of them that is not refused whole; NULL: none. g_free(). */
static char *open_ip(GHashTable *entries, char **addresses)
{
    for (; *addresses != NULL; addresses++) {
        g_autofree char *ip = store_address_ip(*addresses);

        if (ip == NULL || !store_blocklist_covers(entries, ip)) {
            return ip != NULL ? g_steal_pointer(&ip) : g_strdup(*addresses);
        }
    }
    return NULL;
}

/* Which clients its QEMU has is not known: all of the host must be refused. */
static gboolean host_check(store_t *store, const char *host, char **addresses, const char *when, GError **error)
{
    g_autoptr(GHashTable) entries = store_blocklist_list(store, error);
    g_autofree char *ip = NULL;

    if (entries == NULL) {
        return FALSE;
    }
    ip = open_ip(entries, addresses);
    if (ip == NULL && addresses[0] != NULL) {
        return TRUE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                "%s %s, and may write: fence it ('stonith_admin --fence %s'%s%s%s)", host, when, host,
                ip != NULL ? ", or 'ceph osd blocklist add " : "", ip != NULL ? ip : "", ip != NULL ? "'" : "");
    return FALSE;
}

static gboolean target_check(store_t *store, const claim_target_t *target, GError **error)
{
    if (target->host[0] == '\0') {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                            "what is kept of the host to which it was to move can't be read");
        return FALSE;
    }
    return host_check(store, target->host, target->addresses, "may have the guest by a migration that has not ended", error);
}

/* Ceph does not extend an entry. One that ends soon is enough for a client that has ended: nobody comes back then. */
static gboolean clients_add(store_t *store, GPtrArray *owners, char **addresses, gboolean are_dead, GError **error)
{
    g_autoptr(GHashTable) entries = are_dead ? store_blocklist_list(store, error) : NULL;

    for (; *addresses != NULL; addresses++) {
        gboolean is_settled = entries != NULL && g_hash_table_contains(entries, *addresses);
        guint at = 0;
        gboolean is_there = g_ptr_array_find_with_equal_func(owners, *addresses, g_str_equal, &at);

        if (is_there && is_settled) {
            g_ptr_array_remove_index(owners, at);
        } else if (!is_there && !is_settled) {
            g_ptr_array_add(owners, g_strdup(*addresses));
        }
    }
    return entries != NULL || !are_dead;
}

gboolean claim_refuse_holder(store_t *store, const claim_t *holder, const char *clients_text, GPtrArray *owners,
                             gboolean is_dead, gboolean target_is_dead, GError **error)
{
    g_autoptr(claim_clients_t) clients = holder != NULL ? claim_clients_parse(clients_text, holder->start_id) : NULL;
    const claim_target_t *target = clients != NULL ? clients->target : NULL;

    if (clients != NULL && !clients->complete && !is_dead
        && !host_check(store, holder->host, clients->addresses, "went while its start was under way", error)) {
        return FALSE;
    }
    if (target != NULL && !target->complete && !target_is_dead && !target_check(store, target, error)) {
        return FALSE;
    }
    if ((clients != NULL && clients->complete && !clients_add(store, owners, clients->addresses, is_dead, error))
        || (target != NULL && target->complete && !clients_add(store, owners, target->addresses, target_is_dead, error))) {
        return FALSE;
    }
    return store_clients_refuse(store, owners, error);
}
