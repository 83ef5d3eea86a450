/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module fence_planes.so: Corosync's membership, and libvirt of other hosts. */
#include "planes.h"

#include <stdlib.h>
#include <string.h>

#include <corosync/cmap.h>
#include <corosync/quorum.h>
#include <gio/gio.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "base/error.h"
#include "base/module.h"

extern MODULE_EXPORT const planes_ops_t understudy_fence_planes;

/* Corosync ------------------------------------------------------------------------*/

#define NODES_PREFIX "nodelist.node."

static void member_free(gpointer data)
{
    plane_member_t *member = data;

    g_free(member->name);
    g_free(member->address);
    g_free(member);
}

static void members_free(plane_members_t *members)
{
    if (members != NULL) {
        g_ptr_array_unref(members->members);
        g_free(members);
    }
}

static char *cmap_text(cmap_handle_t cmap, const char *key)
{
    char *value = NULL;
    char *copy = NULL;

    if (cmap_get_string(cmap, key, &value) == CS_OK) {
        copy = g_strdup(value);
        free(value);
    }
    return copy;
}

static char *node_text(cmap_handle_t cmap, guint position, const char *what)
{
    g_autofree char *key = g_strdup_printf(NODES_PREFIX "%u.%s", position, what);

    return cmap_text(cmap, key);
}

static gboolean node_is_joined(cmap_handle_t cmap, guint32 nodeid)
{
    g_autofree char *key = g_strdup_printf("runtime.members.%" G_GUINT32_FORMAT ".status", nodeid);
    g_autofree char *status = cmap_text(cmap, key);

    return g_strcmp0(status, "joined") == 0;
}

/* Positions are those in corosync.conf: they begin at 0 and have no gaps until a node is removed at runtime. */
static void nodelist_read(cmap_handle_t cmap, GPtrArray *members)
{
    cmap_iter_handle_t iter = 0;
    char key[CMAP_KEYNAME_MAXLEN + 1];

    if (cmap_iter_init(cmap, NODES_PREFIX, &iter) != CS_OK) {
        return;
    }
    while (cmap_iter_next(cmap, iter, key, NULL, NULL) == CS_OK) {
        char *what = NULL;
        guint position = (guint) g_ascii_strtoull(key + strlen(NODES_PREFIX), &what, 10);
        plane_member_t *member = NULL;
        uint32_t nodeid = 0;

        if (strcmp(what, ".nodeid") != 0 || cmap_get_uint32(cmap, key, &nodeid) != CS_OK) {
            continue;
        }
        member = g_new0(plane_member_t, 1);
        member->name = node_text(cmap, position, "name");
        member->address = node_text(cmap, position, "ring0_addr");
        member->is_joined = node_is_joined(cmap, nodeid);
        if (member->name == NULL) {
            member->name = g_strdup(member->address != NULL ? member->address : "");
        }
        g_ptr_array_add(members, member);
    }
    cmap_iter_finalize(cmap, iter);
}

static gboolean quorum_read(gboolean *is_quorate, GError **error)
{
    quorum_handle_t quorum = 0;
    uint32_t type = 0;
    int quorate = 0;
    cs_error_t rc = quorum_initialize(&quorum, NULL, &type);

    if (rc == CS_OK) {
        rc = quorum_getquorate(quorum, &quorate);
        quorum_finalize(quorum);
    }
    if (rc != CS_OK) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "Corosync does not say here whether it has quorum: %s", cs_strerror(rc));
        return FALSE;
    }
    *is_quorate = quorate != 0;
    return TRUE;
}

static plane_members_t *members_read(GError **error)
{
    plane_members_t *members = g_new0(plane_members_t, 1);
    cmap_handle_t cmap = 0;
    cs_error_t rc = cmap_initialize(&cmap);

    members->members = g_ptr_array_new_with_free_func(member_free);
    if (rc != CS_OK) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "Corosync does not answer on this host: %s",
                    cs_strerror(rc));
        members_free(members);
        return NULL;
    }
    nodelist_read(cmap, members->members);
    cmap_finalize(cmap);
    if (!quorum_read(&members->is_quorate, error)) {
        members_free(members);
        return NULL;
    }
    return members;
}

/* The management network -------------------------------------------------------------*/

static plane_t port_look(const char *address, guint16 port, guint timeout_ms)
{
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocketConnection) connection = NULL;

    /* Whole seconds. A host name is looked up first, which this does not bound: give addresses. */
    g_socket_client_set_timeout(client, MAX((timeout_ms + 999) / 1000, 1));
    g_socket_client_set_enable_proxy(client, FALSE);
    connection = g_socket_client_connect_to_host(client, address, port, cancellable, &error);
    if (connection != NULL || g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)) {
        return PLANE_ALIVE;
    }
    return g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)
                   || g_error_matches(error, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE)
               ? PLANE_SILENT
               : PLANE_BLIND;
}

/* libvirt -------------------------------------------------------------------------------*/

/* What a thread does for a caller that may stop waiting. Freed by who is last. */
typedef struct leftovers {
    gatomicrefcount references;
    GMutex mutex;
    GCond changed;
    gboolean ended;
    gboolean asks;        /* the thread waits for the caller's word on the next domain */
    gboolean is_allowed;  /* that word, of the domain that was asked for last */
    gboolean is_over;     /* the caller has given up, or refused: nothing is destroyed any more */
    char *uri;
    char **pools;
    GPtrArray *destroyed; /* char* */
    GError *error;
} leftovers_t;

static void leftovers_unref(leftovers_t *leftovers)
{
    if (!g_atomic_ref_count_dec(&leftovers->references)) {
        return;
    }
    g_free(leftovers->uri);
    g_strfreev(leftovers->pools);
    g_ptr_array_unref(leftovers->destroyed);
    g_clear_error(&leftovers->error);
    g_mutex_clear(&leftovers->mutex);
    g_cond_clear(&leftovers->changed);
    g_free(leftovers);
}

static void libvirt_fail(GError **error, const char *what)
{
    virErrorPtr last = virGetLastError();

    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "%s: %s", what,
                last != NULL && last->message != NULL ? last->message : "libvirt gives no reason");
}

/* libvirt prints errors to stderr otherwise. */
static void libvirt_error_ignore(void *user_data, virErrorPtr libvirt_error)
{
    (void) user_data;
    (void) libvirt_error;
}

/* Whether a domain has a disk that is an RBD image in one of the pools, in any namespace. */
static gboolean xml_uses_pools(const char *xml, char **pools)
{
    xmlDoc *document = xmlReadMemory(xml, (int) strlen(xml), "domain", NULL, XML_PARSE_NONET | XML_PARSE_NOERROR);
    xmlXPathContext *context = document != NULL ? xmlXPathNewContext(document) : NULL;
    xmlXPathObject *found = context != NULL
                                ? xmlXPathEval(BAD_CAST "//source[@protocol='rbd']/@name", context)
                                : NULL;
    /* What can't be read is not known to be harmless. */
    gboolean uses = found == NULL;

    for (int i = 0; !uses && found->nodesetval != NULL && i < found->nodesetval->nodeNr; i++) {
        xmlChar *name = xmlNodeGetContent(found->nodesetval->nodeTab[i]);

        for (char **pool = pools; *pool != NULL; pool++) {
            g_autofree char *prefix = g_strconcat(*pool, "/", NULL);

            uses = uses || g_str_has_prefix((const char *) name, prefix);
        }
        xmlFree(name);
    }
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    xmlFreeDoc(document);
    return uses;
}

/* The caller's word on one domain, in the thread. */
static gboolean destroy_is_allowed(leftovers_t *leftovers)
{
    gboolean is_allowed = FALSE;

    g_mutex_lock(&leftovers->mutex);
    leftovers->asks = TRUE;
    g_cond_broadcast(&leftovers->changed);
    while (leftovers->asks && !leftovers->is_over) {
        g_cond_wait(&leftovers->changed, &leftovers->mutex);
    }
    is_allowed = leftovers->is_allowed && !leftovers->is_over;
    leftovers->is_allowed = FALSE;
    g_mutex_unlock(&leftovers->mutex);
    return is_allowed;
}

/* A domain that goes by itself in the meantime is gone, too: the next look tells. */
static void domain_destroy(leftovers_t *leftovers, virDomainPtr domain)
{
    char *xml = virDomainGetXMLDesc(domain, 0);

    if (xml != NULL && xml_uses_pools(xml, leftovers->pools) && destroy_is_allowed(leftovers)) {
        g_ptr_array_add(leftovers->destroyed, g_strdup(virDomainGetName(domain)));
        (void) virDomainDestroy(domain);
    }
    free(xml);
}

/* Returns how many domains of ours there were; -1 with an error. */
static int domains_destroy(leftovers_t *leftovers, virConnectPtr connection)
{
    virDomainPtr *domains = NULL;
    guint before = leftovers->destroyed->len;
    int count = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

    if (count < 0) {
        libvirt_fail(&leftovers->error, "libvirt does not list the domains on the host");
        return -1;
    }
    for (int i = 0; i < count; i++) {
        domain_destroy(leftovers, domains[i]);
        virDomainFree(domains[i]);
    }
    free(domains);
    return (int) (leftovers->destroyed->len - before);
}

static void leftovers_run(leftovers_t *leftovers)
{
    enum { ROUNDS = 3 }; /* the first destroys, the second finds none */
    virConnectPtr connection = virConnectOpen(leftovers->uri);
    int found = 1;

    if (connection == NULL) {
        libvirt_fail(&leftovers->error, "libvirt on the host does not answer");
        return;
    }
    for (int round = 0; round < ROUNDS && found > 0; round++) {
        found = domains_destroy(leftovers, connection);
    }
    if (found > 0) {
        g_set_error_literal(&leftovers->error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                            "libvirt on the host can't destroy all domains that use the protected pools");
    }
    virConnectClose(connection);
}

static gpointer leftovers_thread(gpointer data)
{
    leftovers_t *leftovers = data;

    leftovers_run(leftovers);
    g_mutex_lock(&leftovers->mutex);
    leftovers->ended = TRUE;
    g_cond_broadcast(&leftovers->changed);
    g_mutex_unlock(&leftovers->mutex);
    leftovers_unref(leftovers);
    return NULL;
}

/* Give the word that the thread waits for. The lock is held, but not while it is asked for. */
static void leftovers_answer(leftovers_t *leftovers, gint64 deadline_us, planes_may_fn may_destroy, void *user_data,
                             GError **error)
{
    gboolean may = FALSE;

    g_mutex_unlock(&leftovers->mutex);
    may = may_destroy(user_data, error);
    g_mutex_lock(&leftovers->mutex);
    leftovers->is_allowed = may && g_get_monotonic_time() < deadline_us;
    leftovers->is_over = !leftovers->is_allowed;
    leftovers->asks = FALSE;
    g_cond_broadcast(&leftovers->changed);
}

/* Until the thread has ended; FALSE if it has not in time. An error is may_destroy()'s. */
static gboolean leftovers_wait(leftovers_t *leftovers, guint timeout_ms, planes_may_fn may_destroy, void *user_data,
                               GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + (gint64) timeout_ms * 1000;
    gboolean ended = FALSE;

    g_mutex_lock(&leftovers->mutex);
    while (!leftovers->ended && !leftovers->is_over) {
        if (leftovers->asks) {
            leftovers_answer(leftovers, deadline_us, may_destroy, user_data, error);
        } else if (!g_cond_wait_until(&leftovers->changed, &leftovers->mutex, deadline_us)) {
            leftovers->is_over = TRUE;
            g_cond_broadcast(&leftovers->changed);
        }
    }
    ended = leftovers->ended;
    g_mutex_unlock(&leftovers->mutex);
    return ended;
}

static gboolean leftovers_destroy(const char *uri, char **pools, guint timeout_ms, planes_may_fn may_destroy, void *user_data,
                                  char ***destroyed, GError **error)
{
    leftovers_t *leftovers = g_new0(leftovers_t, 1);
    GError *may_error = NULL;
    gboolean has_ended = FALSE;
    gboolean good = FALSE;

    virSetErrorFunc(NULL, libvirt_error_ignore);
    virInitialize();
    xmlInitParser();
    g_atomic_ref_count_init(&leftovers->references);
    g_atomic_ref_count_inc(&leftovers->references);
    g_mutex_init(&leftovers->mutex);
    g_cond_init(&leftovers->changed);
    leftovers->uri = g_strdup(uri);
    leftovers->pools = g_strdupv(pools);
    leftovers->destroyed = g_ptr_array_new_with_free_func(g_free);
    g_thread_unref(g_thread_new("leftovers", leftovers_thread, leftovers));
    has_ended = leftovers_wait(leftovers, timeout_ms, may_destroy, user_data, &may_error);
    if (may_error != NULL) {
        g_propagate_error(error, may_error);
    } else if (!has_ended) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "%s does not answer within %u s: start libvirtd "
                    "there, or boot the host", uri, (timeout_ms + 999) / 1000);
    } else if (leftovers->error != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "%s: %s: start libvirtd there, or boot the host",
                    uri, leftovers->error->message);
    } else {
        g_ptr_array_add(leftovers->destroyed, NULL);
        *destroyed = g_strdupv((char **) leftovers->destroyed->pdata);
        good = TRUE;
    }
    leftovers_unref(leftovers);
    return good;
}

const planes_ops_t understudy_fence_planes = {
    .members_read = members_read,
    .members_free = members_free,
    .port_look = port_look,
    .leftovers_destroy = leftovers_destroy,
};
