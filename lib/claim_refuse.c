/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "claim_refuse.h"

#include "error.h"
#include "store_address.h"

/* Which clients the holder's QEMU has is not known: all of its host must be refused. */
static gboolean host_check(store_t *store, const claim_t *holder, const char *address, GError **error)
{
    g_autofree char *ip = address != NULL ? store_address_ip(address) : NULL;
    g_autoptr(GHashTable) entries = store_blocklist_list(store, error);

    if (entries == NULL) {
        return FALSE;
    }
    if (ip != NULL && store_blocklist_covers(entries, ip)) {
        return TRUE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                "%s went while its start was under way, and may write: fence it ('stonith_admin --fence %s'%s%s%s)",
                holder->host, holder->host, ip != NULL ? ", or 'ceph osd blocklist add " : "", ip != NULL ? ip : "",
                ip != NULL ? "'" : "");
    return FALSE;
}

gboolean claim_refuse_holder(store_t *store, const claim_t *holder, const char *clients_text, GPtrArray *owners,
                             gboolean is_dead, GError **error)
{
    g_autoptr(claim_clients_t) clients = holder != NULL ? claim_clients_parse(clients_text, holder->start_id) : NULL;

    if (clients != NULL && !clients->complete && !is_dead
        && !host_check(store, holder, clients->addresses[0], error)) {
        return FALSE;
    }
    for (char **address = clients != NULL && clients->complete ? clients->addresses : NULL;
         address != NULL && *address != NULL; address++) {
        if (!g_ptr_array_find_with_equal_func(owners, *address, g_str_equal, NULL)) {
            g_ptr_array_add(owners, g_strdup(*address));
        }
    }
    return store_clients_refuse(store, owners, error);
}
