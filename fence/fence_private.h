/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FENCE_PRIVATE_H
#define UNDERSTUDY_FENCE_PRIVATE_H

#include "actions.h"
#include "core.h"
#include "planes.h"

/* One call of fence_run(): shared by its files. */
typedef struct fence_call {
    const ocf_values_t *values;
    fence_log_fn log;
    gint64 deadline_us;      /* monotonic */
    store_t *store;          /* as ceph_user */
    store_t *unfence_store;  /* as unfence_user, for what only it may do; NULL: ceph_user may */
    fence_site_t site;
    fence_target_t *target;
    store_map_t *map;        /* newest that was read */
} fence_call_t;

void fence_say(const fence_call_t *call, fence_log_level_t level, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Milliseconds until the deadline, 0 if it is over; FALSE with UNDERSTUDY_ERROR_TIMEOUT from the second one then. */
guint fence_remaining_ms(const fence_call_t *call);
gboolean fence_in_time(const fence_call_t *call, const char *what, GError **error);

/* Connect, read what is known of all hosts, find the target. */
gboolean fence_call_open(fence_call_t *call, GError **error);
/* For on, after it. */
gboolean fence_call_open_unfence(fence_call_t *call, GError **error);
gboolean fence_call_find_target(fence_call_t *call, GError **error);
/* What the target has published by now of its boot. Only a boot that is read after a record was can be one since. */
gboolean fence_call_read_boot(fence_call_t *call, GError **error);
/* Connect as unfence_user, if there is one: *store is NULL if ceph_user may do what it is for. */
gboolean fence_store_open_unfence(const fence_call_t *call, store_t **store, GError **error);
void fence_call_clear(fence_call_t *call);

/* Read the OSD map again, and wait until this client has it: an OSD that answers it afterwards has that map or a later one. */
gboolean fence_map_refresh(fence_call_t *call, GError **error);

/* Entries (char*) put on for blocklist_time, or taken off if they are there: all in one OSD map. */
gboolean fence_entries_add(fence_call_t *call, const GPtrArray *entries, GError **error);
gboolean fence_entries_remove(fence_call_t *call, const GPtrArray *entries, GError **error);
/* Taken off and put on again, to last, and looked for in the map: only while the whole host is refused. */
gboolean fence_entries_renew(fence_call_t *call, const GPtrArray *entries, GError **error);

/*!
 * \brief Record and put on all of a fence's entries that are missing or end too soon; an operator's own that last are left to him
 *
 * Ceph (16.2) does not extend an entry, though it says so: one that ends too soon is taken off and put on again, in two OSD
 * maps. Where that is a whole address, each client of it that is known is refused by a lasting entry of its own before.
 */
gboolean fence_entries_put(fence_call_t *call, fence_record_t *record, char **entries, GError **error);
/* Take into the record the single clients of the target that are on the blocklist, whoever put them there: the agent of an
 * image, librbd. What is there now was there before any client of a later boot. How many were not in it. */
guint fence_clients_note(const fence_call_t *call, fence_record_t *record);
/* The target is on the blocklist by an entry that ends too soon. */
gboolean fence_is_brief(const fence_call_t *call);

/* That the OSD map that was read last holds them for long enough; NULL, or the first one that it does not. */
const char *fence_entries_missing(const fence_call_t *call, char **entries);
/* The same of the newest map, which is read. */
gboolean fence_entries_verify(fence_call_t *call, char **entries, GError **error);
/* Good enough for a fence: a single client's entry is there in addition to its host's, Ceph's own of one hour will do. */
gboolean fence_entry_is_good(const fence_call_t *call, const char *entry);
/* Whether an entry in the map lasts long enough: store_map_entry_lasts(). */
gboolean fence_entry_lasts(const fence_call_t *call, const char *entry);

/* All records of the target; NULL with an error if they are not known. */
fence_records_t *fence_records_read(fence_call_t *call, GError **error);
/* Under a new key, which it has afterwards; the one that it had is taken in. Nothing that is there is written over. */
gboolean fence_record_write(fence_call_t *call, fence_record_t *record, GError **error);
/* Remove records (char* keys after the prefix) that were read, or made here, as who may unfence. */
gboolean fence_records_drop(fence_call_t *call, const GPtrArray *keys, GError **error);

/* One look at the images' headers, after reading the OSD map again: who is on that map's blocklist is a ghost. */
fence_look_t *fence_headers_look(fence_call_t *call, store_pool_watch_t *watch, guint *refused_count, GError **error);
/* The same without the map: nobody is a ghost. It touches nothing of the call, so it may run beside it. */
fence_look_t *fence_headers_glance(const fence_call_t *call, store_pool_watch_t *watch, guint *refused_count,
                                   GError **error);
store_pool_watch_t *fence_headers_open(fence_call_t *call, GError **error);
char *fence_texts_join(const GPtrArray *texts);

/* The actions, each with its deadline set. */
gboolean fence_off(fence_call_t *call, GError **error);
gboolean fence_on(fence_call_t *call, GError **error);
gboolean fence_confirm(fence_call_t *call, GError **error);
fence_rc_t fence_status(fence_call_t *call, GError **error);
fence_rc_t fence_confirm_status(fence_call_t *call, GError **error);

/* A host's address on the management network: mgmt_addrs, else Corosync's; g_free(). */
char *fence_management_address(const fence_call_t *call, const plane_members_t *members, const char *name,
                               GError **error);

#endif
