/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FENCE_CORE_H
#define UNDERSTUDY_FENCE_CORE_H

#include <glib.h>

#include "store/registry.h"
#include "store/store.h"
#include "store/store_map.h"

/*
 * What a fence decides: whose addresses are whose, what must be refused, what
 * the evidence says. Pure: no store, no clock, no socket.
 */

/* Addresses of hosts -----------------------------------------------------------*/

/* "10.0.0.11,10.0.1.11" or with blanks: IPs, each once; NULL with UNDERSTUDY_ERROR_CONFIG. g_strfreev(). */
char **fence_addresses_parse(const char *text, GError **error);

/* "host1:10.0.0.11,10.0.1.11;host2:10.0.0.12", as in pcmk_host_map: name -> char**. Names stand once. unref. */
GHashTable *fence_map_parse(const char *text, GError **error);

/* "host1:ADDRESS;host2:ADDRESS" whose addresses may be host names: name -> char* */
GHashTable *fence_names_parse(const char *text, GError **error);

/* What is known of all hosts, and of who asks. */
typedef struct fence_site {
    GHashTable *hosts;    /* char* name -> registry_host_t*: published */
    GHashTable *mapped;   /* char* name -> char** addresses: by the operator */
    char *own_name;       /* this host's name in the cluster */
    char *own_ip;         /* as the store sees it */
} fence_site_t;

typedef struct fence_target {
    char *name;
    char **addresses;     /* IPs, at least one */
    const char *source;   /* where they are from, for messages */
    char *boot_id;        /* as published last, or NULL */
    char **empty_fences;  /* ids of the fences since which nothing is left on it, by its own word; or NULL */
} fence_target_t;

/*!
 * \brief Find out who is to be fenced, and its addresses
 *
 * An operator's address goes before the registry's, but must agree with it:
 * if they contradict each other one is wrong, and it can't be known which.
 *
 * \param[in] plug      node name or list of addresses, or NULL
 * \param[in] nodename  node name, or NULL; one of the two is given
 * \return target, to be freed with fence_target_free(), or NULL with UNDERSTUDY_ERROR_CONFIG or _NOT_FOUND
 */
fence_target_t *fence_target_resolve(const fence_site_t *site, const char *plug, const char *nodename,
                                     GError **error);
void fence_target_free(fence_target_t *target);
/* Take over what the host has published of its boot; NULL: it has published nothing. */
void fence_target_set_boot(fence_target_t *target, const registry_host_t *host);

/*!
 * \brief Refuse what would hit somebody else
 *
 * An address that another host, a monitor or an OSD has, or this host itself
 * unless it is the target; an address that is none of a host.
 *
 * \param[in] daemon_ips  char* IP -> char* who, see store_map_t
 */
gboolean fence_target_check(const fence_site_t *site, const fence_target_t *target, GHashTable *daemon_ips,
                            GError **error);

/* The blocklist -----------------------------------------------------------------*/

typedef enum {
    FENCE_ON,     /* no entry covers any address */
    FENCE_OFF,    /* all are covered */
    FENCE_MIXED,
} fence_state_t;

fence_state_t fence_state(const store_map_t *map, const fence_target_t *target);

/* The entries that cover the target's addresses as a whole, "10.0.0.11:0/0"; g_strfreev(). */
char **fence_entries(const fence_target_t *target);

/*
 * What a fence has put on the blocklist, kept in the monitors' config-key store and written before the entries are, so that
 * a fence that is killed leaves a trace. The config-key store can't compare and set, and an action may stand still anywhere:
 * so each record has a key of its own, understudy/fence/NAME/..., and is never written again. Who has read a record may
 * remove it, or say in its own that it has taken it in; one that it has not read is out of its reach.
 */
#define FENCE_RECORD_PREFIX REGISTRY_FENCE_PREFIX

/* The entry of one client, which stays when its host is unfenced: who it is of may be frozen, or lost to libvirt. */
typedef struct fence_client {
    char *entry;          /* "10.0.0.11:0/77" */
    char *boot_id;        /* of the boot that it was of, "" if that is not known */
} fence_client_t;

typedef struct fence_record {
    char *name;           /* of the host */
    char *key;            /* where it is, after the prefix; NULL: it was not written yet */
    char *boot_id;        /* the host's when it was fenced, "" if it was not known */
    char *by;             /* host that did it */
    char *id;             /* tells the newest fence from any other */
    gint64 at_s;          /* Unix time of the newest fence, for people */
    gint64 start_timeout_s; /* after this time the host may say that nothing from before is left on it */
    GPtrArray *entries;   /* char*: as the OSD map spells them; none: the host is not fenced any more */
    GPtrArray *clients;   /* fence_client_t*: single clients of earlier fences */
    GPtrArray *before;    /* char*: keys of records that this one has taken in */
    gboolean is_over_old; /* an earlier version's record is in force: it must not go by that one */
} fence_record_t;

fence_record_t *fence_record_new(const char *name);
/* `key`: after the prefix. */
fence_record_t *fence_record_parse(const char *key, const char *json, GError **error);
char *fence_record_json(const fence_record_t *record);
void fence_record_free(fence_record_t *record);
/* TRUE if it was not there before. */
gboolean fence_record_add(fence_record_t *record, const char *entry);
void fence_record_remove(fence_record_t *record, const char *entry);
gboolean fence_record_has(const fence_record_t *record, const char *entry);

/* A new one that was not written yet, free with fence_record_free(): another of the same fence, without entries; and what
 * stays of a fence that is over, its clients alone. */
fence_record_t *fence_record_like(const fence_record_t *record);
fence_record_t *fence_record_rest(const fence_record_t *record);

/* All records of a host, as they were at one moment. */
typedef struct fence_records {
    char *name;           /* of the host */
    GPtrArray *records;   /* fence_record_t*: those that can be read, by key */
    GPtrArray *keys;      /* char*: of all */
    GPtrArray *superseded; /* char*: of those that another one has taken in */
    char *unreadable;     /* why one can't be read that no other has taken in; NULL: all can be */
} fence_records_t;

/* `values`: key after the prefix -> JSON, maybe of other hosts too. Never NULL. */
fence_records_t *fence_records_parse(const char *name, GHashTable *values);
void fence_records_free(fence_records_t *records);
/* A new record with the entries and clients that all of them have. \param boot_id  if their boots differ, or NULL */
fence_record_t *fence_records_merge(const fence_records_t *records, const char *boot_id);
/* Single clients among the entries become clients, each of the boot that its own fence was of. */
void fence_record_keep_boots(fence_record_t *merged, const fence_records_t *records);
/* Say in a record that it has taken them in. */
void fence_record_take_in(fence_record_t *record, const fence_records_t *records);
/* The fences that have to be lifted: fence_record_t* that are in force, and that no later one has taken in. */
GPtrArray *fence_records_in_force(const fence_records_t *records);
/* Those of them that were not among the others: fences that have begun since. */
GPtrArray *fence_records_newer(const fence_records_t *now, const fence_records_t *then);

/* "10.0.0.11:0/0": a host, not one client of it. */
gboolean fence_entry_is_whole(const char *entry);
/* The entries of single clients of the target, whoever made them: char*, frees its elements. */
GPtrArray *fence_clients_in(const store_map_t *map, const fence_target_t *target);

/* The clients of the images ------------------------------------------------------*/

typedef struct fence_look {
    GPtrArray *watching;   /* char*: "vm/run-db1-0 from 10.0.0.11:0/77" of the target */
    GPtrArray *instances;  /* char*: each of the target's clients seen, lock holders too, once */
    GPtrArray *listed;     /* char*: each of the target's clients that watches, ghosts too, once */
    GPtrArray *strangers;  /* char*: likewise, watchers of run images whose address no known host has */
    GPtrArray *ghosts;     /* char*: likewise, watchers that the store refuses, anybody's: they can't write */
} fence_look_t;

/*!
 * \brief Say what one look at the headers means
 *
 * A watcher of a run image from an address that no host has speaks for a
 * wrong entry in the registry or in the map: then nothing is proved. A watcher
 * that the store refuses is nobody: Ceph 16.2 lists one for ever if its client
 * was killed while it opened the image, and the blocklist does not remove it.
 *
 * \param[in] clients    store_client_t*
 * \param[in] blocklist  entries of an OSD map that the OSDs had when they named the clients, as in store_map_t
 */
fence_look_t *fence_look_judge(const fence_site_t *site, const fence_target_t *target, const GPtrArray *clients,
                               GHashTable *blocklist);
void fence_look_free(fence_look_t *look);

/* Unfencing ----------------------------------------------------------------------*/

typedef enum {
    FENCE_LIFT_NOTHING,    /* no record and no entry: the host was not fenced */
    FENCE_LIFT_NEW_BOOT,   /* it has booted since: nothing of it is left */
    FENCE_LIFT_EMPTY_HOST, /* first make sure that no domain of ours is left on it */
    FENCE_LIFT_FOREIGN,    /* entries that no fence of ours has recorded: hands off */
} fence_lift_t;

fence_lift_t fence_lift_decide(const fence_records_t *records, const fence_target_t *target, fence_state_t state);

/*!
 * \brief Turn a host's fence into what stays of it: its entries become those of its addresses, all else clients
 *
 * \param[in] listed  char*: the target's clients that a header lists while all of its addresses are refused
 */
void fence_record_keep_clients(fence_record_t *record, const GPtrArray *listed);

/*!
 * \brief Take into a record the entries of single clients that somebody else has made: an image's start or stop, librbd
 *
 * Each is of the boot that runs when it is first found here, or of an earlier one.
 *
 * \param[in] entries  fence_clients_in()
 * \param[in] boot_id  the host's as it is now; NULL: not known, and nothing is taken in
 * \return how many were not in it
 */
guint fence_record_note_clients(fence_record_t *record, const GPtrArray *entries, const char *boot_id);

/*!
 * \brief Take out of a record the clients that are gone for certain
 *
 * A client's entry may go when its host has booted since, and no header lists it any more: one that is listed is a
 * ghost, and would look alive without its entry.
 *
 * \param[in] boot_id  the host's as it is now, or NULL
 * \param[in] listed   char*: clients that a header lists
 * \return char*: their entries
 */
GPtrArray *fence_record_take_gone(fence_record_t *record, const char *boot_id, const GPtrArray *listed);
/* TRUE if some client in it could be gone: worth a look at the headers. */
gboolean fence_record_may_shrink(const fence_record_t *record, const char *boot_id);

/* TRUE if of each fence in force the host has booted since, or has said itself that no QEMU from before it is left. */
gboolean fence_host_is_empty(const fence_records_t *records, const fence_target_t *target);

/* Two-round confirmation ----------------------------------------------------------*/

typedef enum {
    PLANE_SILENT,  /* no sign of life */
    PLANE_ALIVE,
    PLANE_BLIND,   /* could not have seen one */
} plane_t;

typedef struct fence_evidence {
    plane_t membership;        /* Corosync */
    plane_t management;        /* libvirt's port on the management network */
    plane_t storage;           /* watchers */
    const char *membership_text;
    const char *management_text;
    const char *storage_text;
} fence_evidence_t;

/* TRUE if all planes are silent; else FALSE with a sentence that names those that are not. */
gboolean fence_evidence_is_death(const fence_evidence_t *evidence, GError **error);
const char *plane_name(plane_t plane);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(fence_target_t, fence_target_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fence_record_t, fence_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fence_records_t, fence_records_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fence_look_t, fence_look_free)

#endif
