/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_CIB_H
#define UNDERSTUDY_CIB_H

#include <glib.h>
#include <libxml/tree.h>

/*
 * A connection to the cluster's configuration and status (Pacemaker's public
 * libcib). With CIB_file=PATH in the environment it works on that file, as
 * Pacemaker's own tools do.
 */
typedef struct cib_connection cib_connection_t;

/* Called in the default main context after the CIB has changed, once for each change, with the CIB manager's
 * notification: cib_change_touches_servers(). Not the place to ask the connection anything. */
typedef void (*cib_changed_fn)(xmlNode *notification, void *user_data);
/* Called once when the CIB manager has gone; close the connection and open a new one. */
typedef void (*cib_lost_fn)(void *user_data);

/*!
 * \brief Connect to the CIB
 *
 * \param[in]  client_name  shown in Pacemaker's logs
 * \param[out] error        UNDERSTUDY_ERROR_FAILED: the cluster does not run here
 * \return connection, to be closed with cib_connection_close(), or NULL
 */
cib_connection_t *cib_connection_open(const char *client_name, GError **error);
void cib_connection_close(cib_connection_t *cib);

/* Ask to be told of changes and of the loss of the connection; needs a running GLib main loop. */
gboolean cib_connection_watch(cib_connection_t *cib, cib_changed_fn changed, cib_lost_fn lost,
                              void *user_data, GError **error);

/* The whole CIB as this host has it; free with free_xml() or xmlFreeDoc() of its document
 * (cib_xml_free() does the right one). NULL on error. */
xmlNode *cib_connection_query(cib_connection_t *cib, GError **error);
void cib_xml_free(xmlNode *cib_xml);

/*!
 * \brief Replace-or-create configuration objects in one change of the CIB
 *
 * \param[in] section   "configuration" or "status" ...
 * \param[in] fragment  the section's element with what is to be merged in
 */
gboolean cib_connection_modify(cib_connection_t *cib, const char *section, xmlNode *fragment, GError **error);

/* Where there is quorum, replace the whole configuration section by this one if the CIB is still at the epoch it was read at
 * (otherwise UNDERSTUDY_ERROR_BUSY: read again and retry): how a change that also removes objects is made atomically. */
gboolean cib_connection_replace(cib_connection_t *cib, xmlNode *cib_xml, GError **error);

/*!
 * \brief Take a parameter of a resource out of the configuration if it has this very value
 *
 * The CIB manager compares and removes in one step, so that a value that was just set is not lost.
 *
 * One that is not there, or has another value, is fine.
 *
 * \param[in] value  as the CIB has it, without quotation marks
 */
gboolean cib_param_remove(cib_connection_t *cib, const char *resource_id, const char *name, const char *value,
                          GError **error);

/* Take it out whatever it says. */
gboolean cib_param_clear(cib_connection_t *cib, const char *resource_id, const char *name, GError **error);

/*!
 * \brief Give a resource a parameter that it has not, if it has another one of its own
 *
 * The CIB manager looks once more when it adds, in one step. If the other is not there, or this one is, nothing is done.
 *
 * \param[out] added  whether that was tried; FALSE too if it is done already, or the other is a template's
 */
gboolean cib_param_add_beside(cib_connection_t *cib, const char *resource_id, const char *beside, const char *name,
                              const char *value, gboolean *added, GError **error);

/*!
 * \brief Grant or revoke the tickets of several servers in one change of the CIB
 *
 * All hosts are allowed at the same instant; Pacemaker then spreads the images. Refused where there is no quorum.
 *
 * \param[in] servers  names of the servers, NULL-terminated
 */
gboolean cib_tickets_set(cib_connection_t *cib, const char *const *servers, gboolean granted, GError **error);

/* Forget a server's ticket; one that does not exist is fine. */
gboolean cib_ticket_remove(cib_connection_t *cib, const char *server, GError **error);

#endif
