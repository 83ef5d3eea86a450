/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_REPORT_H
#define UNDERSTUDY_REPORT_H

#include <json-glib/json-glib.h>

#include "cluster/cluster_state.h"
#include "cluster/scheduler.h"

/*
 * What `status` and `hosts` say, put together from the three who know: the
 * cluster, the observers and the store. Pure. Each may be missing, with the
 * sentence why.
 */

/* A run image of an earlier takeover that was set aside. */
typedef struct kept_image {
    char *name;              /* POOL/IMAGE */
    guint64 bytes;           /* what the standby wrote */
} kept_image_t;

/* What the store says of a server's run image. */
typedef struct run_image {
    char *name;              /* POOL/IMAGE of the first disk, NULL if there is none */
    char *point;             /* recovery point that it was cloned from, or NULL */
    GPtrArray *kept;         /* kept_image_t*, frees its elements; or NULL: none */
    guint64 unreturned_bytes;
    char *trouble;           /* why it is not known, or NULL */
    char *warning;           /* why nothing can be written to it, or NULL */
    GPtrArray *refused;      /* char*: entries of the store's blocklist that keep the server out, "10.0.2.101:0/0"; or NULL */
    char *admitted;          /* the entry of its store_address, if it is not on the blocklist for long; or NULL */
    char *entry_fault;       /* why a record of what was put there for it can't be read, or NULL */
    char *address_fault;     /* whose its store_address is, if it is no server's, or NULL */
    char *claim;             /* that a claim does not lie where the parameters have the run images, or NULL */
} run_image_t;

void run_image_free(run_image_t *run_image);
/* host and pool: whose claim lies where the parameters do not have the run images; NULL: that can't be read. */
void run_image_set_claim(run_image_t *run_image, const char *server, const char *host, const char *pool);
/* host: whose claim stands although the image runs nowhere; target: to which host a migration may have brought it, or NULL;
 * has_ended: its host says that it has ended there. What keeps no start from going on is not said. */
void run_image_set_claim_left(run_image_t *run_image, const char *server, const char *host, const char *target,
                              gboolean has_ended);
void run_image_add_kept(run_image_t *run_image, const char *name, guint64 bytes);

typedef struct report_sources {
    const cluster_state_t *cluster; /* or NULL */
    const scheduler_plan_t *plan;   /* what the scheduler would do now, or NULL: not asked, or no answer */
    const GPtrArray *setup_faults;  /* setup_fault_t*: what adopt had set up and is not so; or NULL */
    const char *cluster_trouble;
    JsonObject *observers;          /* answer to "status", or NULL */
    const char *observers_trouble;
    GHashTable *run_images;         /* server -> run_image_t*, or NULL: not asked */
    const char *store_trouble;
} report_sources_t;

/* Why a server is never isolated, and so never taken over, or NULL; g_free(). isolate=required means that the original
 * can't serve: only a device that switches its power off can prove that. */
char *report_isolation_trouble(const cluster_state_t *cluster, const cluster_server_t *server);

/*!
 * \param[in] server  only this one, or NULL
 * \return {"quorate","leader","troubles":[...],"servers":[...],"hosts":[...]}; json_object_unref()
 */
JsonObject *report_status(const report_sources_t *sources, const char *server);

/* plan: with the server's ticket granted, or NULL. {"hosts":[{"name","rank","eligible","cpu","hv_memory","headroom","reason"}]}, best first. */
JsonObject *report_hosts(const cluster_state_t *cluster, const cluster_server_t *server, const scheduler_plan_t *plan);

/* For people; g_free(). */
char *report_status_text(JsonObject *status);
char *report_hosts_text(JsonObject *hosts);

/*!
 * \brief The phases of each takeover, from the observers' events
 *
 * \param[in] answer  {"takeovers":[{"events":[{"event","at_ms",...}]}]}
 * \return {"server","takeovers":[{"began_ms","host","phases":[{"phase","duration_ms"}],"events":[...]}]}
 */
JsonObject *report_history(const char *server, JsonObject *answer);
char *report_history_text(JsonObject *history);

#endif
