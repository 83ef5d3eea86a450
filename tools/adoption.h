/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_ADOPTION_H
#define UNDERSTUDY_ADOPTION_H

#include <glib.h>
#include <libxml/tree.h>

/*
 * What `adopt` and `forget` change in a CIB. Pure: XML in, XML out. What an
 * operator has set by other tools is found by what it says, not by its id, and
 * is left as it is unless adopt was told otherwise.
 */

/* One <op> as the agent's metadata advises it. */
typedef struct operation {
    char *name;
    char *timeout;  /* "20s" */
    char *interval; /* "0s" if not recurring */
    char *depth;    /* OCF_CHECK_LEVEL, or NULL */
} operation_t;

typedef struct adoption {
    const char *server;
    GHashTable *params;            /* char* -> char*: parameters given; "" goes back to the default */
    const char *references;        /* of the observers, or NULL: as it is */
    const char *management_references; /* likewise */
    GPtrArray *image_operations;   /* operation_t* */
    GPtrArray *observer_operations;
    GPtrArray *capacity_operations;
} adoption_t;

/* Operations from an agent's metadata: all but meta-data and validate-all, by
 * name, as pcs would write them. NULL with an error if it is no metadata. */
GPtrArray *operations_parse(const char *metadata, gsize length, GError **error);

/*!
 * \brief Put a server's standby image into a CIB
 *
 * \param[in,out] cib       the <cib> element
 * \param[out]    changed   FALSE if everything was there already
 * \param[out]    error     UNDERSTUDY_ERROR_CONFIG: a parameter is wrong; UNDERSTUDY_ERROR_EXISTS: the id is in use
 * \return FALSE on error; the CIB is not changed then
 */
gboolean adoption_apply(const adoption_t *adoption, xmlNode *cib, gboolean *changed, GError **error);

/*!
 * \brief Add to all images and clones what this version sets up and an earlier one did not
 *
 * Operations, failure-timeout, constraints, the clones themselves: what is missing alone; what is there stays.
 *
 * \param[in]     adoption  its operations and references; server and parameters are not looked at
 * \param[in,out] cib       the <cib> element
 * \return TRUE if anything was changed
 */
gboolean adoption_upgrade(const adoption_t *adoption, xmlNode *cib);

/* A parameter of the server's image as the CIB has it, or its default; NULL if neither. Inside the CIB or static. */
const char *adoption_param(xmlNode *cib, const char *server, const char *name);
/* All of them, defaults too: char* -> char*; unref. */
GHashTable *adoption_params(xmlNode *cib, const char *server);

/*!
 * \brief Set one parameter of an adopted server's image, and nothing else
 *
 * \param[in]  value    "": back to the default
 * \param[out] changed  FALSE if it was so already
 * \param[out] error    UNDERSTUDY_ERROR_NOT_FOUND: no such server
 */
gboolean adoption_set_param(xmlNode *cib, const char *server, const char *name, const char *value, gboolean *changed,
                            GError **error);

/* TRUE if the CIB has the server's resource. */
gboolean adoption_exists(xmlNode *cib, const char *server);
gboolean adoption_ticket_is_granted(xmlNode *cib, const char *server);

/*!
 * \brief Take a server's standby image out of a CIB's configuration: resource, constraints, references
 *
 * Not its ticket: Pacemaker elects a new DC when the status section is replaced.
 *
 * \return FALSE if there was none
 */
gboolean adoption_remove(const char *server, xmlNode *cib);

/* The placement-strategy that is set, or NULL: for a warning if it is not "balanced". */
const char *cib_placement_strategy(xmlNode *cib);

/*!
 * \brief What adoption_apply() is about, as a document of its own
 *
 * \param[in] before  the CIB before, or NULL: leaves out the clones and the property if they were there
 * \param[in] after   the CIB that was changed
 * \return <configuration> with the server's resource and constraints; xmlFreeDoc() its document
 */
xmlNode *adoption_extract(const char *server, xmlNode *before, xmlNode *after);

/* The extract as commands or as XML; g_free(). */
char *snippet_pcs(xmlNode *configuration);
char *snippet_crm(xmlNode *configuration);
char *snippet_xml(xmlNode *configuration);

#endif
