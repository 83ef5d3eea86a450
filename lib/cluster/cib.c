/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/cib.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <crm/cib.h>
#include <crm/common/results.h>
#include <crm/common/xml.h>
#include <crm/crm.h>
#include <crm/msg_xml.h>

#include "base/error.h"
#include "base/names.h"
#include "cluster/xml.h"

/* A CIB manager that is busy with an election answers within a few seconds;
 * libcib's own default of two minutes is too long for a command and a daemon. */
#define CALL_TIMEOUT_S 15

struct cib_connection {
    cib_t *api;
    cib_changed_fn changed;
    cib_lost_fn lost;
    void *user_data;
};

/* libcib's callbacks carry no pointer of ours, so that only one connection of a
 * process can be told of changes. */
static cib_connection_t *watching;

/* Pacemaker lets root, hacluster and the members of haclient in. */
static gboolean user_is_admitted(void)
{
    const struct group *group = getgrnam("haclient");
    int count = 0;
    gboolean admitted = FALSE;

    if (geteuid() == 0) {
        return TRUE;
    }
    if (group == NULL) {
        return FALSE;
    }
    admitted = getegid() == group->gr_gid;
    count = getgroups(0, NULL);
    if (!admitted && count > 0) {
        gid_t *groups = g_new0(gid_t, count);

        count = getgroups(count, groups);
        for (int i = 0; i < count; i++) {
            admitted = admitted || groups[i] == group->gr_gid;
        }
        g_free(groups);
    }
    return admitted;
}

static char *user_text(void)
{
    const struct passwd *user = getpwuid(geteuid());

    return user != NULL ? g_strdup(user->pw_name) : g_strdup_printf("%u", (guint) geteuid());
}

/* One that may speak to the cluster is refused by its access control lists. */
static char *refusal_advice(void)
{
    g_autofree char *user = user_text();

    if (!user_is_admitted()) {
        return g_strdup("run this as root or as a member of group haclient");
    }
    return g_strdup_printf("the cluster's access control lists give %s no right to it: run this as root, or give the user "
                           "a role that may (pcs acl)", user);
}

static void set_call_error(GError **error, int rc, const char *what)
{
    int code = UNDERSTUDY_ERROR_FAILED;
    const char *advice = "see the log of pacemaker-based";
    g_autofree char *refusal = NULL;

    switch (rc) {
        case -pcmk_err_old_data:
            code = UNDERSTUDY_ERROR_BUSY;
            advice = "it was changed by somebody else at the same time; try again";
            break;
        case -ETIME:
        case -ETIMEDOUT:
            code = UNDERSTUDY_ERROR_TIMEOUT;
            advice = "look at the cluster with crm_mon";
            break;
        case -EACCES:
        case -EPERM:
            code = UNDERSTUDY_ERROR_PERMISSION;
            refusal = refusal_advice();
            advice = refusal;
            break;
        case -EPROTONOSUPPORT:
            code = UNDERSTUDY_ERROR_CONFIG;
            advice = "it is of a newer Pacemaker than the one on this host: upgrade it here, or run this on a host that "
                     "has the newer one";
            break;
        case -pcmk_err_schema_validation:
        case -pcmk_err_transform_failed:
            code = UNDERSTUDY_ERROR_CONFIG;
            advice = "the result would not be a valid configuration";
            break;
        case -ENOTCONN:
        case -ECOMM:
            advice = "start Pacemaker on this host";
            break;
        default:
            break;
    }
    g_set_error(error, UNDERSTUDY_ERROR, code, "cannot %s the cluster's configuration (%s): %s", what,
                pcmk_strerror(rc), advice);
}

static void set_connect_error(GError **error, int rc)
{
    const char *file = g_getenv("CIB_file");

    if (file != NULL && rc == -pcmk_err_schema_validation) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "%s is not valid for the Pacemaker on this host (it knows the feature set " CRM_FEATURE_SET "): check "
                    "it with crm_verify --xml-file, or read it on a host with the Pacemaker that wrote it", file);
    } else if (file != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "cannot read a CIB from %s (%s): set CIB_file to a CIB, or unset it to use the running cluster",
                    file, pcmk_strerror(rc));
    } else if (!user_is_admitted()) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_PERMISSION,
                            "the cluster refuses this user: run this as root or as a member of group haclient");
    } else {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "the cluster does not run on this host (%s): start corosync and pacemaker", pcmk_strerror(rc));
    }
}

cib_connection_t *cib_connection_open(const char *client_name, GError **error)
{
    cib_connection_t *cib = NULL;
    int rc = pcmk_ok;

    /* Without it the first use of a file CIB fails with a schema error. */
    crm_xml_init();
    cib = g_new0(cib_connection_t, 1);
    cib->api = cib_new();
    if (cib->api == NULL) {
        set_connect_error(error, -ENOTCONN);
        g_free(cib);
        return NULL;
    }
    cib->api->call_timeout = CALL_TIMEOUT_S;
    rc = cib->api->cmds->signon(cib->api, client_name, cib_command);
    if (rc != pcmk_ok) {
        set_connect_error(error, rc);
        cib_delete(cib->api);
        g_free(cib);
        return NULL;
    }
    return cib;
}

void cib_connection_close(cib_connection_t *cib)
{
    if (cib == NULL) {
        return;
    }
    if (watching == cib) {
        watching = NULL;
    }
    /* For a file this is what writes it. */
    cib->api->cmds->signoff(cib->api);
    cib_delete(cib->api);
    g_free(cib);
}

static void on_diff(const char *event, xmlNode *message)
{
    (void) event;
    if (watching != NULL) {
        watching->changed(message, watching->user_data);
    }
}

static void on_disconnect(gpointer user_data)
{
    cib_connection_t *cib = watching;

    (void) user_data;
    watching = NULL; /* tell it once */
    if (cib != NULL && cib->lost != NULL) {
        cib->lost(cib->user_data);
    }
}

gboolean cib_connection_watch(cib_connection_t *cib, cib_changed_fn changed, cib_lost_fn lost, void *user_data,
                              GError **error)
{
    int rc = pcmk_ok;

    g_return_val_if_fail(watching == NULL || watching == cib, FALSE);
    cib->changed = changed;
    cib->lost = lost;
    cib->user_data = user_data;
    watching = cib;
    rc = cib->api->cmds->set_connection_dnotify(cib->api, on_disconnect);
    if (rc == pcmk_ok) {
        cib->api->cmds->del_notify_callback(cib->api, T_CIB_DIFF_NOTIFY, on_diff);
        rc = cib->api->cmds->add_notify_callback(cib->api, T_CIB_DIFF_NOTIFY, on_diff);
    }
    if (rc != pcmk_ok) {
        watching = NULL;
        set_call_error(error, rc, "follow");
        return FALSE;
    }
    return TRUE;
}

xmlNode *cib_connection_query(cib_connection_t *cib, GError **error)
{
    xmlNode *cib_xml = NULL;
    int rc = cib->api->cmds->query(cib->api, NULL, &cib_xml, cib_sync_call | cib_scope_local);

    if (rc != pcmk_ok) {
        free_xml(cib_xml);
        set_call_error(error, rc, "read");
        return NULL;
    }
    return cib_xml;
}

void cib_xml_free(xmlNode *cib_xml)
{
    free_xml(cib_xml);
}

gboolean cib_connection_modify(cib_connection_t *cib, const char *section, xmlNode *fragment, GError **error)
{
    int rc = cib->api->cmds->modify(cib->api, section, fragment, cib_sync_call | cib_can_create);

    if (rc != pcmk_ok) {
        set_call_error(error, rc, "change");
        return FALSE;
    }
    return TRUE;
}

/* The CIB manager takes a change in any partition: in one without quorum it would be lost, or win over that of the others,
 * when they meet again. A file has no partitions. */
static gboolean quorum_is_there(const xmlNode *cib_xml, GError **error)
{
    const char *have_quorum = crm_element_value(cib_xml, XML_ATTR_HAVE_QUORUM);

    if (g_getenv("CIB_file") == NULL && have_quorum != NULL && !crm_is_true(have_quorum)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "this host's part of the cluster has no quorum: what is changed here is not known to the others. Say it on a "
                    "host of the part that has, or when quorum is back");
        return FALSE;
    }
    return TRUE;
}

gboolean cib_connection_replace(cib_connection_t *cib, xmlNode *cib_xml, GError **error)
{
    /* A replacement of the whole CIB is refused by every host if its
     * admin_epoch.epoch.num_updates is behind: lib/cib/cib_ops.c,
     * cib_process_replace(). One of a section would not be checked. */
    int rc = pcmk_ok;

    if (!quorum_is_there(cib_xml, error)) {
        return FALSE;
    }
    rc = cib->api->cmds->replace(cib->api, NULL, cib_xml, cib_sync_call);
    if (rc != pcmk_ok) {
        set_call_error(error, rc, "change");
        return FALSE;
    }
    return TRUE;
}

#define PARAMS_PATH "/" XML_TAG_CIB "/" XML_CIB_TAG_CONFIGURATION "/" XML_CIB_TAG_RESOURCES \
                    "//" XML_CIB_TAG_RESOURCE "[@" XML_ATTR_ID "='%s']/" XML_TAG_ATTR_SETS
#define NAMED_PAIR  XML_CIB_TAG_NVPAIR "[@" XML_NVPAIR_ATTR_NAME "='%s']"

/* Nothing at the path is fine: it is so already. */
static gboolean is_changed(int rc, GError **error)
{
    if (rc != pcmk_ok && rc != -ENXIO) {
        set_call_error(error, rc, "change");
        return FALSE;
    }
    return TRUE;
}

gboolean cib_param_remove(cib_connection_t *cib, const char *resource_id, const char *name, const char *value,
                          GError **error)
{
    g_autofree char *path = g_strdup_printf(PARAMS_PATH "/" NAMED_PAIR "[@" XML_NVPAIR_ATTR_VALUE "='%s']", resource_id, name,
                                            value);

    return is_changed(cib->api->cmds->remove(cib->api, path, NULL, cib_sync_call | cib_xpath), error);
}

gboolean cib_param_clear(cib_connection_t *cib, const char *resource_id, const char *name, GError **error)
{
    g_autofree char *path = g_strdup_printf(PARAMS_PATH "/" NAMED_PAIR, resource_id, name);

    return is_changed(cib->api->cmds->remove(cib->api, path, NULL, cib_sync_call | cib_xpath), error);
}

/* *like: the set of parameters at a path, as far as its own id goes, free_xml(); NULL: there is none. */
static gboolean set_find(cib_connection_t *cib, const char *path, xmlNode **like, GError **error)
{
    xmlNode *found = NULL;
    int rc = cib->api->cmds->query(cib->api, path, &found, cib_sync_call | cib_scope_local | cib_xpath);

    *like = NULL;
    if (rc == pcmk_ok && found != NULL) {
        *like = create_xml_node(NULL, XML_TAG_ATTR_SETS);
        crm_xml_add(*like, XML_ATTR_ID, crm_element_value(found, XML_ATTR_ID));
    } else if (rc != pcmk_ok && rc != -ENXIO) {
        set_call_error(error, rc, "read");
        return FALSE;
    }
    free_xml(found);
    return TRUE;
}

gboolean cib_param_add_beside(cib_connection_t *cib, const char *resource_id, const char *beside, const char *name,
                              const char *value, gboolean *added, GError **error)
{
    g_autofree char *path = g_strdup_printf("(" PARAMS_PATH "[" NAMED_PAIR "][not(../" XML_TAG_ATTR_SETS "/" NAMED_PAIR ")])[1]",
                                            resource_id, beside, name);
    g_autofree char *id = g_strdup_printf("%s-%s", resource_id, name);
    xmlNode *set = NULL;
    xmlNode *pair = NULL;
    gboolean done = set_find(cib, path, &set, error);

    *added = set != NULL;
    if (set == NULL) {
        return done;
    }
    pair = create_xml_node(set, XML_CIB_TAG_NVPAIR);
    crm_xml_add(pair, XML_ATTR_ID, id);
    crm_xml_add(pair, XML_NVPAIR_ATTR_NAME, name);
    crm_xml_add(pair, XML_NVPAIR_ATTR_VALUE, value);
    done = is_changed(cib->api->cmds->modify(cib->api, path, set, cib_sync_call | cib_xpath), error);
    free_xml(set);
    return done;
}

static void add_ticket(xmlNode *tickets, const char *ticket_id, gboolean granted)
{
    xmlNode *ticket = create_xml_node(tickets, XML_CIB_TAG_TICKET_STATE);

    crm_xml_add(ticket, XML_ATTR_ID, ticket_id);
    crm_xml_add(ticket, "granted", granted ? "true" : "false");
    if (granted) {
        g_autofree char *now_s = g_strdup_printf("%" G_GINT64_FORMAT, g_get_real_time() / G_USEC_PER_SEC);

        crm_xml_add(ticket, "last-granted", now_s);
    }
}

gboolean cib_tickets_set(cib_connection_t *cib, const char *const *servers, gboolean granted, GError **error)
{
    xmlNode *cib_xml = cib_connection_query(cib, error);
    const xmlNode *old = NULL;
    xmlNode *status = NULL;
    xmlNode *tickets = NULL;
    gboolean done = TRUE;

    if (cib_xml == NULL || !quorum_is_there(cib_xml, error)) {
        cib_xml_free(cib_xml);
        return FALSE;
    }
    old = xml_child(xml_child(cib_xml, XML_CIB_TAG_STATUS), XML_CIB_TAG_TICKETS);
    status = create_xml_node(NULL, XML_CIB_TAG_STATUS);
    tickets = create_xml_node(status, XML_CIB_TAG_TICKETS);
    for (; *servers != NULL; servers++) {
        g_autofree char *ticket_id = server_ticket_id(*servers);
        const char *value = xml_get(xml_child_with(old, XML_CIB_TAG_TICKET_STATE, XML_ATTR_ID, ticket_id), "granted");

        /* One that is as it should be is left alone, so that the scheduler is not made to run. */
        if (crm_is_true(value) != granted) {
            add_ticket(tickets, ticket_id, granted);
        }
    }
    if (tickets->children != NULL) {
        done = cib_connection_modify(cib, XML_CIB_TAG_STATUS, status, error);
    }
    free_xml(status);
    cib_xml_free(cib_xml);
    return done;
}

gboolean cib_ticket_remove(cib_connection_t *cib, const char *server, GError **error)
{
    g_autofree char *ticket_id = server_ticket_id(server);
    xmlNode *ticket = create_xml_node(NULL, XML_CIB_TAG_TICKET_STATE);
    int rc = pcmk_ok;

    crm_xml_add(ticket, XML_ATTR_ID, ticket_id);
    rc = cib->api->cmds->remove(cib->api, XML_CIB_TAG_STATUS, ticket, cib_sync_call);
    free_xml(ticket);
    if (rc != pcmk_ok && rc != -ENXIO) {
        set_call_error(error, rc, "change");
        return FALSE;
    }
    return TRUE;
}
