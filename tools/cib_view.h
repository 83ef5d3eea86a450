/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a CIB's configuration says, whatever form it has: templates, tags, sets, groups and rules are seen through. */
#ifndef UNDERSTUDY_CIB_VIEW_H
#define UNDERSTUDY_CIB_VIEW_H

#include "adoption.h"

/* The element with this id below the parent, which may be NULL; NULL if there is none. */
xmlNode *cib_find_id(const xmlNode *parent, const char *id);

/* The first set of this kind that always holds and is nobody else's; NULL if there is none. */
xmlNode *cib_plain_set(const xmlNode *parent, const char *kind);
/* The pair of this name in a set, which may be NULL. */
xmlNode *cib_find_pair(const xmlNode *container, const char *name);
/* A cluster property in a set that always holds, or NULL. */
xmlNode *cib_find_property(xmlNode *cib, const char *name);

/* The template that a resource is made from, or NULL. */
xmlNode *cib_template_of(const xmlNode *primitive);
/* Of itself or by its template. */
gboolean cib_is_primitive(const xmlNode *node, const char *provider, const char *type);
/* Likewise, a fence device with this agent. */
gboolean cib_is_fence_device(const xmlNode *node, const char *agent);
xmlNode *cib_effective_pair(const xmlNode *primitive, const char *kind, const char *name);
xmlNode *cib_effective_operation(const xmlNode *primitive, const operation_t *operation);

/* The first ocf primitive of this provider and type below the parent, which may be NULL. */
xmlNode *cib_find_primitive(const xmlNode *parent, const char *provider, const char *type);
/* The server that an image's resource is for, by its parameter or its id; NULL: neither says it. Inside the CIB. */
const char *cib_image_server(const xmlNode *primitive);
/* The image of a server, in whatever group or clone it is and whatever its id; of two that with the id that adopt gives.
 * NULL: there is none. A resource that names no server is known by its own id. */
xmlNode *cib_find_image(xmlNode *cib, const char *server);
/* The clone or group that a resource is in, or itself. */
const xmlNode *cib_outermost(const xmlNode *primitive);

/* A constraint on this ticket that is about the resource in every role, or NULL. Pacemaker obeys all that there are: one
 * that does more than stop the image is found before one that stops it. */
xmlNode *cib_find_ticket_constraint(const xmlNode *constraints, const xmlNode *primitive, const char *ticket_id);
/* Without the ticket the resource is stopped, or its host is fenced. */
gboolean cib_ticket_stops(const xmlNode *constraint);

/* TRUE if resources run only where a location constraint lets them (symmetric-cluster=false). */
gboolean cib_is_opt_in(xmlNode *cib);
/* The constraint that keeps a resource to full members, or in an opt-in cluster lets it run somewhere; or NULL. */
xmlNode *cib_find_members_constraint(const xmlNode *constraints, const xmlNode *primitive, gboolean opt_in);
/* TRUE if the cluster has nodes that are not full members, or lets nothing run without such a constraint. Reads all of it. */
gboolean cib_wants_members_constraints(xmlNode *cib);
/* TRUE if the resource has none. */
gboolean cib_lacks_members_constraint(xmlNode *cib, const xmlNode *primitive);

#endif
