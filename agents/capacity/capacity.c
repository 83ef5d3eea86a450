/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ocf:understudy:capacity: publishes what its host can carry as node utilization. */
#include <errno.h>
#include <glib/gstdio.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/names.h"
#include "capacity/capacity_host.h"
#include "capacity/capacity_logic.h"
#include "cluster/cib.h"
#include "cluster/cluster_state.h"
#include "cluster/observer_client.h"
#include "cluster/xml.h"
#include "fenced_host/fenced_host.h"
#include "image/image_claim.h"
#include "ocf.h"
#include "run_dir.h"
#include "store/registry.h"
#include "tables.h"

#define STATE_FILE UNDERSTUDY_RUN_DIR "/capacity.state"
#define STATE_GROUP "capacity"
#define OBSERVER_TIMEOUT_MS 1000
#define REGISTRY_TIMEOUT_MS 3000
/* Then no further one is begun. */
#define LEFTOVERS_TIMEOUT_MS 3000
/* Of each question, and of all: only until it is settled. */
#define ARRIVALS_TIMEOUT_MS 2000
#define FENCE_TIMEOUT_S 60

/* A takeover that takes longer is stuck, say for want of room: then the numbers
 * must move again, or it would never see the room appear. */
#define FREEZE_MAX_MS 45000

/* The state file: the last look and the smoothed load. ------------------------*/

static const struct {
    const char *key;
    gsize offset;
} sample_keys[] = {
    { "at_us", G_STRUCT_OFFSET(capacity_sample_t, at_us) },
    { "cpu_busy_us", G_STRUCT_OFFSET(capacity_sample_t, cpu_busy_us) },
    { "managed_cpu_us", G_STRUCT_OFFSET(capacity_sample_t, managed_cpu_us) },
};

static gboolean state_load(capacity_sample_t *sample, capacity_load_t *load)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) error = NULL;

    if (!g_key_file_load_from_file(file, STATE_FILE, G_KEY_FILE_NONE, NULL)) {
        return FALSE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(sample_keys) && error == NULL; i++) {
        G_STRUCT_MEMBER(guint64, sample, sample_keys[i].offset) =
            g_key_file_get_uint64(file, STATE_GROUP, sample_keys[i].key, &error);
    }
    if (error == NULL) {
        sample->cpu_count = (guint) g_key_file_get_uint64(file, STATE_GROUP, "cpu_count", &error);
    }
    if (error == NULL) {
        sample->managed_count = (guint) g_key_file_get_uint64(file, STATE_GROUP, "managed_count", &error);
    }
    if (error == NULL) {
        load->cpus = g_key_file_get_double(file, STATE_GROUP, "load_cpus", &error);
    }
    if (error == NULL) {
        load->memory_mib = g_key_file_get_double(file, STATE_GROUP, "load_memory_mib", &error);
    }
    /* A file cut short is as good as none: the next look begins anew. */
    return error == NULL;
}

static gboolean state_save(const capacity_sample_t *sample, const capacity_load_t *load, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) save_error = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(sample_keys); i++) {
        g_key_file_set_uint64(file, STATE_GROUP, sample_keys[i].key,
                              G_STRUCT_MEMBER(guint64, sample, sample_keys[i].offset));
    }
    g_key_file_set_uint64(file, STATE_GROUP, "cpu_count", sample->cpu_count);
    g_key_file_set_uint64(file, STATE_GROUP, "managed_count", sample->managed_count);
    g_key_file_set_double(file, STATE_GROUP, "load_cpus", load->cpus);
    g_key_file_set_double(file, STATE_GROUP, "load_memory_mib", load->memory_mib);
    g_mkdir_with_parents(UNDERSTUDY_RUN_DIR, 0755);
    if (!g_key_file_save_to_file(file, STATE_FILE, &save_error)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_PERMISSION,
                    "%s can't be written: is /run full or read-only? (%s)", STATE_FILE, save_error->message);
        return FALSE;
    }
    return TRUE;
}

/* Publishing -------------------------------------------------------------------*/

static const struct {
    const char *name;
    gsize offset;
} published_attributes[] = {
    { UTILIZATION_CPU, G_STRUCT_OFFSET(capacity_t, cpu) },
    { UTILIZATION_MEMORY, G_STRUCT_OFFSET(capacity_t, memory_mib) },
    { UTILIZATION_HEADROOM, G_STRUCT_OFFSET(capacity_t, headroom) },
};

static gboolean published_read(const cluster_host_t *host, capacity_t *published)
{
    for (gsize i = 0; i < G_N_ELEMENTS(published_attributes); i++) {
        const char *text = g_hash_table_lookup(host->utilization, published_attributes[i].name);
        gint64 *field = G_STRUCT_MEMBER_P(published, published_attributes[i].offset);

        if (text == NULL || !g_ascii_string_to_signed(text, 10, 0, G_MAXINT32, field, NULL)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* The host's <utilization> as it stands, so that its ids are used again. */
static const xmlNode *find_utilization(const xmlNode *cib_xml, const char *host)
{
    const xmlNode *nodes = xml_child(xml_child(cib_xml, "configuration"), "nodes");

    return xml_child(xml_child_with(nodes, "node", "uname", host), "utilization");
}

/* <nodes><node><utilization> with all attributes: one change of the CIB. Ids as
 * crm_attribute makes them, or as they are. */
static xmlNode *utilization_fragment(xmlNode *cib_xml, const cluster_host_t *host, const capacity_t *capacity)
{
    const xmlNode *existing = find_utilization(cib_xml, host->name);
    const char *existing_id = xml_get(existing, "id");
    g_autofree char *set_id = existing_id != NULL ? g_strdup(existing_id)
                                                  : g_strdup_printf("nodes-%s-utilization", host->id);
    xmlNode *nodes = xmlNewNode(NULL, (const xmlChar *) "nodes");
    xmlNode *node = xmlNewChild(nodes, NULL, (const xmlChar *) "node", NULL);
    xmlNode *set = xmlNewChild(node, NULL, (const xmlChar *) "utilization", NULL);

    xml_set(node, "id", host->id);
    xml_set(node, "uname", host->name);
    xml_set(set, "id", set_id);
    for (gsize i = 0; i < G_N_ELEMENTS(published_attributes); i++) {
        const char *name = published_attributes[i].name;
        const char *old_id = xml_get(xml_child_with(existing, "nvpair", "name", name), "id");
        g_autofree char *new_id = g_strdup_printf("%s-%s", set_id, name);
        g_autofree char *value = g_strdup_printf("%" G_GINT64_FORMAT,
                                                 G_STRUCT_MEMBER(gint64, capacity, published_attributes[i].offset));
        xmlNode *pair = xmlNewChild(set, NULL, (const xmlChar *) "nvpair", NULL);

        xml_set(pair, "id", old_id != NULL ? old_id : new_id);
        xml_set(pair, "name", name);
        xml_set(pair, "value", value);
    }
    return nodes;
}

/* Frozen while a takeover or return is under way: each change would make Pacemaker
 * begin its transition anew, and move the ground under its choice. */
static gboolean observers_are_busy(void)
{
    static const char *const busy_verdicts[] = { "suspect", "doubted", "isolating", "returning", NULL };
    JsonObject *answer = observer_client_ask("status", NULL, OBSERVER_TIMEOUT_MS, NULL);
    JsonArray *servers = NULL;
    gboolean busy = FALSE;

    if (answer == NULL) {
        return FALSE;
    }
    servers = json_read_array(answer, "servers");
    for (guint i = 0; servers != NULL && i < json_array_get_length(servers) && !busy; i++) {
        JsonObject *server = json_read_element(servers, i);

        busy = g_strv_contains(busy_verdicts, json_read_text(server, "verdict"))
               && json_read_integer(server, "age_ms", 0) < FREEZE_MAX_MS;
    }
    json_object_unref(answer);
    return busy;
}

static gboolean images_are_moving(const cluster_state_t *state)
{
    for (guint i = 0; i < state->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(state->servers, i);

        if (server->image == IMAGE_STARTING || server->image == IMAGE_STOPPING) {
            return TRUE;
        }
    }
    return FALSE;
}

static const cluster_host_t *find_host(const cluster_state_t *state, const char *name)
{
    for (guint i = 0; i < state->hosts->len; i++) {
        const cluster_host_t *host = g_ptr_array_index(state->hosts, i);

        if (g_strcmp0(host->name, name) == 0) {
            return host;
        }
    }
    return NULL;
}

/* Never less than what runs here has been promised: the scheduler would move or stop
 * an image that runs, whatever its stickiness, because a host can't be in debt. */
static void keep_running_images(capacity_t *capacity, const cluster_host_t *host)
{
    for (gsize i = 0; i < G_N_ELEMENTS(published_attributes); i++) {
        const char *name = published_attributes[i].name;
        const char *text = g_hash_table_lookup(host->utilization, name);
        gint64 *field = G_STRUCT_MEMBER_P(capacity, published_attributes[i].offset);

        if (text != NULL) {
            *field = MAX(*field, g_ascii_strtoll(text, NULL, 10)
                                 - GPOINTER_TO_INT(g_hash_table_lookup(host->remaining, name)));
        }
    }
}

static gboolean publish_in(cib_connection_t *cib, xmlNode *cib_xml, const cluster_state_t *state, const char *node,
                           const capacity_sample_t *sample, const capacity_load_t *load,
                           const capacity_limits_t *limits, gboolean is_refused, GError **error)
{
    const cluster_host_t *host = find_host(state, node);
    capacity_t published = { 0 };
    capacity_t capacity = { 0 };
    gboolean has_published = FALSE;
    gboolean is_urgent = FALSE;
    gboolean good = TRUE;
    xmlNode *fragment = NULL;

    if (host == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "the CIB has no node '%s': wait until the host has joined the cluster", node);
        return FALSE;
    }
    has_published = published_read(host, &published);
    capacity = capacity_decide(sample, load, limits, has_published ? &published : NULL, is_refused, &is_urgent);
    keep_running_images(&capacity, host);
    if (has_published
        && (capacity_equal(&capacity, &published) || (!is_urgent && (images_are_moving(state) || observers_are_busy())))) {
        return TRUE;
    }
    if (is_refused) {
        ocf_log("the store refuses this host until it is unfenced: no image is to be placed here");
    }
    ocf_log("publishing capacity: cpu=%" G_GINT64_FORMAT " hv_memory=%" G_GINT64_FORMAT " headroom=%" G_GINT64_FORMAT
            " (load that Pacemaker does not manage: %.2f CPUs, %.0f MiB)",
            capacity.cpu, capacity.memory_mib, capacity.headroom, load->cpus, load->memory_mib);
    fragment = utilization_fragment(cib_xml, host, &capacity);
    good = cib_connection_modify(cib, "nodes", fragment, error);
    xmlFreeNode(fragment);
    return good;
}

static gboolean publish(const char *node, const capacity_sample_t *sample, const capacity_load_t *load,
                        const capacity_limits_t *limits, gboolean is_refused, GError **error)
{
    cib_connection_t *cib = cib_connection_open("understudy-capacity", error);
    xmlNode *cib_xml = cib != NULL ? cib_connection_query(cib, error) : NULL;
    cluster_state_t *state = cib_xml != NULL ? cluster_state_parse(cib_xml, error) : NULL;
    gboolean good = state != NULL && publish_in(cib, cib_xml, state, node, sample, load, limits, is_refused, error);

    cluster_state_free(state);
    if (cib_xml != NULL) {
        cib_xml_free(cib_xml);
    }
    if (cib != NULL) {
        cib_connection_close(cib);
    }
    return good;
}

/* Actions ----------------------------------------------------------------------*/

static gboolean look_and_publish(const ocf_call_t *call, gboolean first, gboolean is_refused, GError **error)
{
    capacity_limits_t limits = {
        .cpu_reserve = (guint) ocf_value_integer(call->values, "cpu_reserve"),
        .memory_reserve_mib = (guint64) ocf_value_integer(call->values, "memory_reserve_mib"),
        .memory_step_mib = (guint64) ocf_value_integer(call->values, "memory_step_mib"),
        .settle_ms = ocf_value_duration_ms(call->values, "settle"),
    };
    capacity_sample_t before = { 0 };
    capacity_sample_t now = { 0 };
    capacity_load_t load = { 0 };
    gboolean has_before = !first && state_load(&before, &load);

    if (!capacity_host_sample(&now, error)) {
        return FALSE;
    }
    /* What the images use must not be taken for other load: the last look stands until libvirt answers again. */
    if (now.managed_is_known || !has_before) {
        capacity_load_update(has_before ? &before : NULL, &now, &limits, &load);
        if (!state_save(&now, &load, error)) {
            return FALSE;
        }
    }
    return publish(call->node, &now, &load, &limits, is_refused, error);
}

/* For fence_rbd. A store that does not answer makes this host none the less able to carry images: the next
 * monitor tries again. Costs nothing when nothing has changed since. Returns what keeps fence_rbd from fencing this host as a
 * sentence, g_free(); NULL: nothing is known that does. */
static char *host_register(const ocf_call_t *call, gboolean always)
{
    const store_options_t options = { .conf = ocf_value_string(call->values, "ceph_conf"),
                                      .user = ocf_value_string(call->values, "ceph_user"),
                                      .timeout_ms = REGISTRY_TIMEOUT_MS };
    g_autoptr(GError) error = NULL;
    char *double_text = NULL;

    if (!registry_publish(call->node, &options, always, &double_text, &error)) {
        ocf_log("this host's storage address is not published, so fence_rbd may not know it: %s", error->message);
    }
    return double_text;
}

/* TRUE if the store refuses this host. */
static gboolean host_look_at_fence(const ocf_call_t *call)
{
    const store_options_t options = { .conf = ocf_value_string(call->values, "ceph_conf"),
                                      .user = ocf_value_string(call->values, "ceph_user"),
                                      .timeout_ms = REGISTRY_TIMEOUT_MS };

    return fenced_host_look(call->node, &options, FENCE_TIMEOUT_S);
}

static GHashTable *resource_ids_read(GError **error)
{
    cib_connection_t *cib = cib_connection_open("understudy-capacity", error);
    xmlNode *cib_xml = cib != NULL ? cib_connection_query(cib, error) : NULL;
    cluster_state_t *state = cib_xml != NULL ? cluster_state_parse(cib_xml, error) : NULL;
    GHashTable *ids = state != NULL ? g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free) : NULL;

    for (guint i = 0; state != NULL && i < state->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(state->servers, i);

        g_hash_table_insert(ids, g_strdup(server->name), g_strdup(server->resource_id));
    }
    cluster_state_free(state);
    cib_xml_free(cib_xml);
    cib_connection_close(cib);
    return ids;
}

/* What an earlier boot of this host was to get by a migration keeps the image from every other host until this one says that
 * it has not got it. In standby no capacity runs: so a probe looks, which each host gets that joins. */
static void arrivals_look(const ocf_call_t *call)
{
    const store_options_t options = { .conf = ocf_value_string(call->values, "ceph_conf"),
                                      .user = ocf_value_string(call->values, "ceph_user"),
                                      .timeout_ms = ARRIVALS_TIMEOUT_MS };
    g_autoptr(GError) error = NULL;
    g_autoptr(GHashTable) resource_ids = resource_ids_read(&error);
    store_t *store = resource_ids != NULL ? store_open(&options, &error) : NULL;
    g_autoptr(GHashTable) values = store != NULL ? config_key_dump(store, REGISTRY_SERVER_PREFIX, &error) : NULL;

    if (values == NULL) {
        ocf_log("whether a guest was to come here by a migration can't be told: %s", error->message);
    } else {
        image_arrivals_note(image_arrivals_settle(call->node, store, &options, values, resource_ids, ARRIVALS_TIMEOUT_MS));
    }
    store_close(store);
}

static gboolean is_started(void)
{
    return g_file_test(STATE_FILE, G_FILE_TEST_EXISTS);
}

static ocf_rc_t capacity_start(const ocf_call_t *call)
{
    GError *error = NULL;
    g_autofree char *double_text = NULL;
    gboolean is_refused = FALSE;

    if (is_started()) {
        return OCF_RC_SUCCESS;
    }
    /* Before the numbers of before the fence bring an image here. */
    is_refused = host_look_at_fence(call);
    if (!look_and_publish(call, TRUE, is_refused, &error)) {
        g_unlink(STATE_FILE);
        return ocf_fail(error);
    }
    double_text = host_register(call, TRUE);
    if (double_text != NULL) {
        ocf_log("%s", double_text); /* the monitor says it for as long as it is so */
    }
    return OCF_RC_SUCCESS;
}

static ocf_rc_t capacity_stop(const ocf_call_t *call)
{
    (void) call;
    if (g_unlink(STATE_FILE) != 0 && errno != ENOENT) {
        ocf_exit_reason("%s can't be removed: %s", STATE_FILE, g_strerror(errno));
        return OCF_RC_PERM;
    }
    return OCF_RC_SUCCESS;
}

static ocf_rc_t capacity_monitor(const ocf_call_t *call)
{
    GError *error = NULL;
    g_autofree char *double_text = NULL;
    gboolean is_refused = FALSE;

    if (call->params_error == NULL && (call->is_probe || !image_arrivals_are_settled())) {
        arrivals_look(call);
    }
    if (!is_started()) {
        return OCF_RC_NOT_RUNNING;
    }
    if (call->is_probe || call->params_error != NULL) {
        return OCF_RC_SUCCESS;
    }
    is_refused = host_look_at_fence(call);
    double_text = host_register(call, FALSE);
    image_claim_end_leftovers(REGISTRY_TIMEOUT_MS, LEFTOVERS_TIMEOUT_MS);
    if (look_and_publish(call, FALSE, is_refused, &error)) {
        if (double_text != NULL) {
            ocf_exit_reason("%s", double_text);
        }
        return double_text == NULL ? OCF_RC_SUCCESS : OCF_RC_DEGRADED;
    }
    /* The last numbers stand; a restart would not make them better. */
    ocf_fail(error);
    return OCF_RC_DEGRADED;
}

static ocf_rc_t capacity_accept(const ocf_call_t *call)
{
    (void) call;
    return OCF_RC_SUCCESS;
}

static const ocf_action_t capacity_actions[] = {
    { .name = "start", .timeout_s = 20, .run = capacity_start },
    { .name = "stop", .timeout_s = 20, .run = capacity_stop, .takes_bad_params = TRUE },
    { .name = "monitor", .timeout_s = 20, .interval_s = 10, .run = capacity_monitor, .takes_bad_params = TRUE },
    { .name = "reload-agent", .timeout_s = 20, .run = ocf_reload_nothing, .takes_bad_params = TRUE },
    { .name = "meta-data", .timeout_s = 5 },
    { .name = "validate-all", .timeout_s = 20, .run = capacity_accept },
    { .name = NULL }
};

static const ocf_agent_t capacity_agent = {
    .name = "capacity",
    .shortdesc = "Publishes what a cloud host can carry",
    .longdesc = "Run as a clone on every cloud host. Publishes the node utilization attributes \"" UTILIZATION_CPU
                "\", \"" UTILIZATION_MEMORY "\" (MiB) and \"" UTILIZATION_HEADROOM "\": the host's total less a reserve "
                "less the load that Pacemaker does not manage, in coarse steps, held still while a takeover is under "
                "way; nothing while the store refuses the host. With placement-strategy=balanced Pacemaker then runs each "
                "standby image on the least loaded host that has room for it.",
    .params = capacity_params,
    .actions = capacity_actions,
};

int main(int argc, char **argv)
{
    return ocf_agent_main(&capacity_agent, argc, argv);
}
