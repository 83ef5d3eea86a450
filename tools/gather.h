/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_GATHER_H
#define UNDERSTUDY_GATHER_H

#include "cluster/cluster_state.h"
#include "report.h"

/* Everything that can be learned now; what does not answer leaves a sentence. */
typedef struct gathered {
    cluster_state_t *cluster;
    scheduler_plan_t *plan;  /* of an image whose ticket is granted and that does not run; or NULL */
    GPtrArray *setup_faults; /* setup_fault_t*; or NULL */
    GError *cluster_error;
    JsonObject *observers;
    GError *observers_error;
    GHashTable *run_images;  /* server -> run_image_t* */
    GError *store_error;
} gathered_t;

/* Reads the CIB once. NULL with an error. */
cluster_state_t *gather_cluster(GError **error);

/*!
 * \brief Read the CIB once, and ask the scheduler what it would do with it
 *
 * \param[in]  server  whose ticket is taken as granted; NULL: all as they are, and only asked if an image waits
 * \param[out] plan    scheduler_plan_free(); NULL if it was not asked or can't be
 * \return NULL with an error
 */
cluster_state_t *gather_placement(const char *server, scheduler_plan_t **plan, GError **error);

/*!
 * \param[in] server      whose run images to look at; NULL: of all servers
 * \param[in] with_store  ask the store
 * \return to be freed with gathered_free()
 */
gathered_t *gather(const char *server, gboolean with_store);
void gathered_free(gathered_t *gathered);

/* As report_status() wants it; lives as long as the gathered. */
report_sources_t gathered_sources(const gathered_t *gathered);

/*!
 * \brief Look at a server's run images
 *
 * \param[in] timeout_ms  deadline of each operation on the store
 * \return run_image_free(); `trouble` is set if something could not be learned
 */
run_image_t *gather_run_image(const cluster_server_t *server, guint timeout_ms);

/* "pool/image" of each disk's run image, as the parameters have it. NULL with UNDERSTUDY_ERROR_CONFIG; g_strfreev(). */
char **gather_run_image_names(const cluster_server_t *server, GError **error);

/*!
 * \brief Whether the store refuses all that comes from a server
 *
 * \param[in]  timeout_ms  deadline of each operation on the store
 * \param[out] address     the address that is on the blocklist, by the record of its isolation, else its store_address;
 *                         NULL: none is; g_free()
 * \return FALSE with an error: the store could not be asked
 */
gboolean gather_refused_address(const cluster_server_t *server, guint timeout_ms, char **address, GError **error);

#endif
