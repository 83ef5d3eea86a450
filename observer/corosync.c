/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "corosync.h"

#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <string.h>

#include "base/error.h"
#include "cluster/corosync_nodes.h"

/* Corosync says "try again" while its queues are full or its ring re-forms. */
#define RETRY_MS 10

struct corosync {
    corosync_callbacks_t callbacks;
    gpointer user_data;
    struct cpg_name group;
    cpg_handle_t cpg;
    quorum_handle_t quorum;
    guint32 node_id;
    guint cpg_source;
    guint quorum_source;
    guint retry_source;
    GQueue *waiting; /* GBytes* */
};

static void lose(corosync_t *corosync, const char *what, cs_error_t rc)
{
    g_autofree char *sentence = g_strdup_printf("Lost the connection to Corosync (%s: error %d)", what, (int) rc);

    corosync->callbacks.lost(sentence, corosync->user_data);
}

/* CPG -------------------------------------------------------------------------*/

static corosync_t *cpg_owner(cpg_handle_t handle)
{
    void *context = NULL;

    return (cpg_context_get(handle, &context) == CS_OK) ? context : NULL;
}

static void on_deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node_id, uint32_t pid, void *data,
                       size_t size_bytes)
{
    corosync_t *corosync = cpg_owner(handle);

    (void) group;
    (void) pid;
    if (corosync != NULL) {
        corosync->callbacks.message(node_id, data, size_bytes, corosync->user_data);
    }
}

static void on_confchg(cpg_handle_t handle, const struct cpg_name *group, const struct cpg_address *members,
                       size_t member_count, const struct cpg_address *left, size_t left_count,
                       const struct cpg_address *joined, size_t joined_count)
{
    corosync_t *corosync = cpg_owner(handle);
    g_autofree guint32 *node_ids = g_new0(guint32, member_count + 1);
    guint count = 0;

    (void) group;
    (void) left;
    (void) left_count;
    (void) joined;
    (void) joined_count;
    for (size_t i = 0; i < member_count; i++) {
        gboolean is_known = FALSE;

        /* Twice while a killed daemon and its successor are both listed. */
        for (guint j = 0; j < count; j++) {
            is_known = is_known || node_ids[j] == members[i].nodeid;
        }
        if (!is_known) {
            node_ids[count++] = members[i].nodeid;
        }
    }
    if (corosync != NULL) {
        corosync->callbacks.members(node_ids, count, corosync->user_data);
    }
}

static void on_totem_confchg(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t member_count,
                             const uint32_t *members)
{
    corosync_t *corosync = cpg_owner(handle);

    (void) member_count;
    (void) members;
    if (corosync != NULL) {
        corosync->callbacks.ring(ring.seq, corosync->user_data);
    }
}

static gboolean on_cpg_ready(gint fd, GIOCondition condition, gpointer user_data)
{
    corosync_t *corosync = user_data;
    cs_error_t rc = cpg_dispatch(corosync->cpg, CS_DISPATCH_ALL);

    (void) fd;
    (void) condition;
    if (rc != CS_OK && rc != CS_ERR_TRY_AGAIN) {
        corosync->cpg_source = 0;
        lose(corosync, "cpg_dispatch", rc);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

static cs_error_t multicast(corosync_t *corosync, GBytes *bytes)
{
    gsize size_bytes = 0;
    gconstpointer data = g_bytes_get_data(bytes, &size_bytes);
    struct iovec part = { .iov_base = (void *) data, .iov_len = size_bytes };

    return cpg_mcast_joined(corosync->cpg, CPG_TYPE_AGREED, &part, 1);
}

static gboolean send_waiting(gpointer user_data)
{
    corosync_t *corosync = user_data;

    while (!g_queue_is_empty(corosync->waiting)) {
        cs_error_t rc = multicast(corosync, g_queue_peek_head(corosync->waiting));

        if (rc == CS_ERR_TRY_AGAIN) {
            return G_SOURCE_CONTINUE;
        }
        g_bytes_unref(g_queue_pop_head(corosync->waiting));
        if (rc != CS_OK) {
            corosync->retry_source = 0;
            lose(corosync, "cpg_mcast_joined", rc);
            return G_SOURCE_REMOVE;
        }
    }
    corosync->retry_source = 0;
    return G_SOURCE_REMOVE;
}

void corosync_send(corosync_t *corosync, GBytes *bytes)
{
    cs_error_t rc = CS_ERR_TRY_AGAIN;

    /* Order is kept: nothing overtakes what waits. */
    if (g_queue_is_empty(corosync->waiting)) {
        rc = multicast(corosync, bytes);
    }
    if (rc == CS_ERR_TRY_AGAIN) {
        g_queue_push_tail(corosync->waiting, g_bytes_ref(bytes));
        if (corosync->retry_source == 0) {
            corosync->retry_source = g_timeout_add(RETRY_MS, send_waiting, corosync);
        }
    } else if (rc != CS_OK) {
        lose(corosync, "cpg_mcast_joined", rc);
    }
}

/* Quorum ----------------------------------------------------------------------*/

static void on_quorum(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id ring, uint32_t member_count,
                      const uint32_t *members)
{
    const void *context = NULL;
    const corosync_t *corosync = NULL;

    (void) member_count;
    (void) members;
    if (quorum_context_get(handle, &context) == CS_OK) {
        corosync = context;
        corosync->callbacks.quorum(ring.seq, quorate != 0, corosync->user_data);
    }
}

static gboolean on_quorum_ready(gint fd, GIOCondition condition, gpointer user_data)
{
    corosync_t *corosync = user_data;
    cs_error_t rc = quorum_dispatch(corosync->quorum, CS_DISPATCH_ALL);

    (void) fd;
    (void) condition;
    if (rc != CS_OK && rc != CS_ERR_TRY_AGAIN) {
        corosync->quorum_source = 0;
        lose(corosync, "quorum_dispatch", rc);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

/* Opening ---------------------------------------------------------------------*/

static gboolean fail(GError **error, const char *what, cs_error_t rc)
{
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                "Corosync does not answer on this host (%s: error %d): start it", what, (int) rc);
    return FALSE;
}

static gboolean open_cpg(corosync_t *corosync, GError **error)
{
    cpg_model_v1_data_t model = {
        .cpg_deliver_fn = on_deliver,
        .cpg_confchg_fn = on_confchg,
        .cpg_totem_confchg_fn = on_totem_confchg,
        .flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF,
    };
    cs_error_t rc = cpg_model_initialize(&corosync->cpg, CPG_MODEL_V1, (cpg_model_data_t *) &model, corosync);

    if (rc != CS_OK) {
        corosync->cpg = 0;
        return fail(error, "cpg_model_initialize", rc);
    }
    rc = cpg_local_get(corosync->cpg, &corosync->node_id);
    return rc == CS_OK || fail(error, "cpg_local_get", rc);
}

static gboolean open_quorum(corosync_t *corosync, GError **error)
{
    quorum_model_v1_data_t callbacks = { .model = QUORUM_MODEL_V1, .quorum_notify_fn = on_quorum };
    uint32_t type = 0;
    cs_error_t rc = quorum_model_initialize(&corosync->quorum, QUORUM_MODEL_V1, (quorum_model_data_t *) &callbacks,
                                            &type, corosync);

    if (rc != CS_OK) {
        corosync->quorum = 0;
        return fail(error, "quorum_model_initialize", rc);
    }
    if (type != QUORUM_SET) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "Corosync has no quorum provider: set quorum { provider: corosync_votequorum } in "
                            "corosync.conf");
        return FALSE;
    }
    return TRUE;
}

corosync_t *corosync_open(const char *group, const corosync_callbacks_t *callbacks, gpointer user_data,
                          GError **error)
{
    corosync_t *corosync = g_new0(corosync_t, 1);

    corosync->callbacks = *callbacks;
    corosync->user_data = user_data;
    corosync->waiting = g_queue_new();
    corosync->group.length = (uint32_t) MIN(strlen(group), CPG_MAX_NAME_LENGTH - 1);
    memcpy(corosync->group.value, group, corosync->group.length);
    if (!open_cpg(corosync, error) || !open_quorum(corosync, error)) {
        corosync_close(corosync);
        return NULL;
    }
    return corosync;
}

gboolean corosync_join(corosync_t *corosync, GError **error)
{
    int fd = -1;
    cs_error_t rc = quorum_fd_get(corosync->quorum, &fd);

    if (rc == CS_OK) {
        corosync->quorum_source = g_unix_fd_add(fd, G_IO_IN, on_quorum_ready, corosync);
        rc = quorum_trackstart(corosync->quorum, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
    }
    if (rc != CS_OK) {
        return fail(error, "quorum_trackstart", rc);
    }
    rc = cpg_fd_get(corosync->cpg, &fd);
    if (rc == CS_OK) {
        corosync->cpg_source = g_unix_fd_add(fd, G_IO_IN, on_cpg_ready, corosync);
        rc = cpg_join(corosync->cpg, &corosync->group);
    }
    return rc == CS_OK || fail(error, "cpg_join", rc);
}

void corosync_close(corosync_t *corosync)
{
    if (corosync == NULL) {
        return;
    }
    g_clear_handle_id(&corosync->retry_source, g_source_remove);
    g_clear_handle_id(&corosync->cpg_source, g_source_remove);
    g_clear_handle_id(&corosync->quorum_source, g_source_remove);
    if (corosync->cpg != 0) {
        cpg_finalize(corosync->cpg);
    }
    if (corosync->quorum != 0) {
        quorum_finalize(corosync->quorum);
    }
    g_queue_free_full(corosync->waiting, (GDestroyNotify) g_bytes_unref);
    g_free(corosync);
}

guint32 corosync_node_id(const corosync_t *corosync)
{
    return corosync->node_id;
}

/* Like Pacemaker 2.1: nodelist.node.N.name of the entry with our nodeid (lib/cluster/corosync.c). */
static char *name_in_nodelist(cmap_handle_t cmap, guint32 node_id)
{
    char key[CMAP_KEYNAME_MAXLEN + 1];

    for (guint i = 0;; i++) {
        uint32_t listed = 0;
        char *name = NULL;

        g_snprintf(key, sizeof(key), "nodelist.node.%u.nodeid", i);
        if (cmap_get_uint32(cmap, key, &listed) != CS_OK) {
            return NULL;
        }
        if (listed != node_id) {
            continue;
        }
        g_snprintf(key, sizeof(key), "nodelist.node.%u.name", i);
        return (cmap_get_string(cmap, key, &name) == CS_OK) ? name : NULL;
    }
}

char *corosync_node_name(const corosync_t *corosync)
{
    cmap_handle_t cmap = 0;
    char *name = NULL;
    char *result = NULL;

    if (cmap_initialize(&cmap) == CS_OK) {
        name = name_in_nodelist(cmap, corosync->node_id);
        cmap_finalize(cmap);
    }
    result = g_strdup(name != NULL ? name : g_get_host_name());
    free(name); /* libcmap's own malloc */
    return result;
}

/* Neighbours ------------------------------------------------------------------*/

char **corosync_neighbours(const corosync_t *corosync)
{
    g_autoptr(GPtrArray) nodes = corosync_nodes_list();
    GPtrArray *texts = g_ptr_array_new();

    for (guint i = 0; i < nodes->len; i++) {
        const corosync_node_t *node = g_ptr_array_index(nodes, i);

        for (char **address = node->addresses; node->id != corosync->node_id && *address != NULL; address++) {
            g_ptr_array_add(texts, g_strdup(*address));
        }
    }
    g_ptr_array_add(texts, NULL);
    return (char **) g_ptr_array_free(texts, FALSE);
}
