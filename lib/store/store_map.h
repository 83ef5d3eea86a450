/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_STORE_MAP_H
#define UNDERSTUDY_STORE_MAP_H

#include <glib.h>

/*
 * What the store says of itself, from the monitors' JSON. Pure.
 */
typedef struct store_map {
    gint64 epoch;            /* of the OSD map */
    GHashTable *blocklist;   /* char* entry, as store_blocklist_list() spells them -> char* until */
    GHashTable *full_pools;  /* char* pool -> const char*: why nothing can be written to it */
    GHashTable *daemon_ips;  /* char* IP -> char* "monitor a", "osd.3": who has that address */
} store_map_t;

#define STORE_MAP_OSD_COMMAND     "{\"prefix\":\"osd dump\",\"format\":\"json\"}"
#define STORE_MAP_MONITOR_COMMAND "{\"prefix\":\"mon dump\",\"format\":\"json\"}"

/*!
 * \brief Read the answers to the two commands above
 *
 * \param[in]  mon_dump  NULL: daemon_ips has only the OSDs
 * \param[out] error     UNDERSTUDY_ERROR_FAILED: it is not what Ceph's monitors write
 * \return to be freed with store_map_free(), or NULL
 */
store_map_t *store_map_parse(const char *osd_dump, const char *mon_dump, GError **error);
void store_map_free(store_map_t *map);

/* Until when an entry holds, as Unix time; 0 if there is none or its time can't be read. */
gint64 store_map_entry_until_s(const store_map_t *map, const char *entry);
/* Whether an entry is there and lasts long enough for who wants one of `duration_s`: for half of that. No entry for an hour,
 * as Ceph makes it or an operator without a number, does; one of our own does for years; and clocks may differ. */
gboolean store_map_entry_lasts(const store_map_t *map, const char *entry, guint64 duration_s);
/* Whether a client has an entry of its own that lasts as long, or one that ends sooner, but under one of its whole address that
 * lasts: who takes that off makes the others last first (fence/on.c). */
gboolean store_map_client_stays_out(const store_map_t *map, const char *client, guint64 duration_s);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(store_map_t, store_map_free)

#endif
