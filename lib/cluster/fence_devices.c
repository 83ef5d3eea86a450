/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/fence_devices.h"

#include <string.h>

#include <libxml/parser.h>
#include <libxml/xpath.h>

#include <crm/msg_xml.h>
#include <crm/common/xml.h>
#include <crm/pengine/complex.h>
#include <crm/pengine/status.h>

#include "params/server_config.h"

/* Reading the CIB ---------------------------------------------------------------*/

static void device_free(gpointer data)
{
    cluster_fence_device_t *device = data;

    g_free(device->id);
    g_free(device->agent);
    g_hash_table_unref(device->params);
    g_free(device);
}

static void level_free(gpointer data)
{
    cluster_fence_level_t *level = data;

    g_free(level->target);
    g_free(level->pattern);
    g_strfreev(level->devices);
    g_free(level);
}

static void device_add(cluster_state_t *state, pe_resource_t *resource, pe_working_set_t *set)
{
    cluster_fence_device_t *device = g_new0(cluster_fence_device_t, 1);
    GHashTable *params = pe_rsc_params(resource, NULL, set);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer value = NULL;

    device->id = g_strdup(resource->id);
    device->agent = g_strdup(crm_element_value(resource->xml, XML_ATTR_TYPE));
    device->disabled = g_strcmp0(g_hash_table_lookup(resource->meta, XML_RSC_ATTR_TARGET_ROLE), "Stopped") == 0;
    device->params = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (params != NULL) {
        g_hash_table_iter_init(&iter, params);
        while (g_hash_table_iter_next(&iter, &name, &value)) {
            g_hash_table_insert(device->params, g_strdup(name), g_strdup(value));
        }
    }
    g_ptr_array_add(state->fence_devices, device);
}

static void devices_collect(cluster_state_t *state, GList *resources, pe_working_set_t *set)
{
    for (GList *item = resources; item != NULL; item = item->next) {
        pe_resource_t *resource = item->data;

        if (resource->variant != pe_native) {
            devices_collect(state, resource->children, set);
        } else if (!pcmk_is_set(resource->flags, pe_rsc_orphan)
                   && g_strcmp0(crm_element_value(resource->xml, XML_AGENT_ATTR_CLASS), "stonith") == 0) {
            device_add(state, resource, set);
        }
    }
}

static void levels_collect(cluster_state_t *state, xmlDoc *document)
{
    xmlXPathContext *context = xmlXPathNewContext(document);
    xmlXPathObject *found = xmlXPathEvalExpression((const xmlChar *) "/cib/configuration/fencing-topology/fencing-level",
                                                   context);
    int count = found != NULL && found->nodesetval != NULL ? found->nodesetval->nodeNr : 0;

    for (int i = 0; i < count; i++) {
        xmlNode *xml = found->nodesetval->nodeTab[i];
        const char *devices = crm_element_value(xml, "devices");
        cluster_fence_level_t *level = g_new0(cluster_fence_level_t, 1);

        level->target = g_strdup(crm_element_value(xml, "target"));
        level->pattern = g_strdup(crm_element_value(xml, "target-pattern"));
        level->devices = g_strsplit(devices != NULL ? devices : "", ",", -1);
        g_ptr_array_add(state->fence_levels, level);
    }
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
}

void fence_devices_read(cluster_state_t *state, pe_working_set_t *set)
{
    state->fence_devices = g_ptr_array_new_with_free_func(device_free);
    state->fence_levels = g_ptr_array_new_with_free_func(level_free);
    devices_collect(state, set->resources, set);
    levels_collect(state, set->input->doc);
}

void fence_devices_clear(cluster_state_t *state)
{
    g_clear_pointer(&state->fence_devices, g_ptr_array_unref);
    g_clear_pointer(&state->fence_levels, g_ptr_array_unref);
}

/* Agents ------------------------------------------------------------------------------*/

/* Of fence-agents 4.12, ours, and cluster-glue: what cuts its target off from something, says how it fares, or is for
 * tests. */
static const char *const fabric_agents[] = {
    "fence_brocade", "fence_cisco_mds", "fence_dummy", "fence_evacuate", "fence_heuristics_ping", "fence_ifmib",
    "fence_kdump", "fence_mpath", "fence_rbd", "fence_sanbox2", "fence_scsi", "rbd", "null",
};

/* The common power agents: to ask one for its metadata takes the better part of a second, in the middle of a takeover. */
static const char *const power_agents[] = {
    "fence_amt_ws", "fence_apc", "fence_apc_snmp", "fence_aws", "fence_azure_arm", "fence_drac5", "fence_eaton_snmp",
    "fence_gce", "fence_idrac", "fence_ilo3", "fence_ilo4", "fence_ilo5", "fence_imm", "fence_ipmilan",
    "fence_ipmilanplus", "fence_pve", "fence_redfish", "fence_sbd", "fence_virsh", "fence_virt", "fence_vmware_rest",
    "fence_vmware_soap", "fence_xvm",
};

static gboolean is_among(const char *const *names, gsize count, const char *name)
{
    for (gsize i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

fence_agent_kind_t fence_agent_kind_by_name(const char *agent)
{
    return is_among(fabric_agents, G_N_ELEMENTS(fabric_agents), agent) ? FENCE_AGENT_FABRIC : FENCE_AGENT_POWER;
}

gboolean fence_agent_is_well_known(const char *agent)
{
    return is_among(fabric_agents, G_N_ELEMENTS(fabric_agents), agent) || is_among(power_agents, G_N_ELEMENTS(power_agents), agent)
           || !g_str_has_prefix(agent, "fence_");
}

fence_agent_kind_t fence_agent_kind_by_metadata(const char *agent, const char *metadata)
{
    xmlDoc *document = NULL;
    xmlXPathContext *context = NULL;
    xmlXPathObject *found = NULL;
    fence_agent_kind_t kind = FENCE_AGENT_UNKNOWN;

    if (fence_agent_is_well_known(agent)) {
        return fence_agent_kind_by_name(agent);
    }
    document = metadata != NULL ? xmlReadMemory(metadata, (int) strlen(metadata), "metadata", NULL,
                                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)
                                : NULL;
    context = document != NULL ? xmlXPathNewContext(document) : NULL;
    found = context != NULL ? xmlXPathEvalExpression((const xmlChar *) "/resource-agent/actions/action[@name='reboot']",
                                                     context)
                            : NULL;
    if (found != NULL) {
        kind = xmlXPathNodeSetIsEmpty(found->nodesetval) ? FENCE_AGENT_FABRIC : FENCE_AGENT_POWER;
    }
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    xmlFreeDoc(document);
    return kind;
}

/* What fences a server -------------------------------------------------------------------*/

static gboolean list_has(const char *list, const char *separators, const char *name)
{
    g_auto(GStrv) names = g_strsplit_set(list, separators, -1);

    for (char **each = names; *each != NULL; each++) {
        if (g_ascii_strcasecmp(*each, name) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

/* pcmk_host_map: "host1:1;host2:2,3" */
static gboolean map_has(const char *map, const char *name)
{
    g_auto(GStrv) pairs = g_strsplit_set(map, "; \t", -1);

    for (char **pair = pairs; *pair != NULL; pair++) {
        const char *end = strpbrk(*pair, ":=");

        if (end != NULL && g_ascii_strncasecmp(*pair, name, (gsize) (end - *pair)) == 0
            && strlen(name) == (gsize) (end - *pair)) {
            return TRUE;
        }
    }
    return FALSE;
}

/* As the fencer goes by it (pcmk_host_check): what the CIB does not say, the device may say itself. */
static gboolean device_may_fence(const cluster_fence_device_t *device, const char *server)
{
    const char *check = g_hash_table_lookup(device->params, "pcmk_host_check");
    const char *list = g_hash_table_lookup(device->params, "pcmk_host_list");
    const char *map = g_hash_table_lookup(device->params, "pcmk_host_map");

    if (check != NULL ? strcmp(check, "static-list") != 0 : list == NULL && map == NULL) {
        return TRUE;
    }
    return (list != NULL && list_has(list, ", ;\t\n", server)) || (map != NULL && map_has(map, server));
}

typedef struct {
    const cluster_state_t *state;
    fence_agent_kind_fn kind;
    gpointer user_data;
    GHashTable *kinds;   /* id -> GINT_TO_POINTER(kind + 1) */
    GString *leave_on;
} look_t;

static fence_agent_kind_t device_kind(look_t *look, const cluster_fence_device_t *device)
{
    int known = GPOINTER_TO_INT(g_hash_table_lookup(look->kinds, device->id));

    if (known == 0) {
        known = (int) look->kind(device->agent, look->user_data) + 1;
        g_hash_table_insert(look->kinds, device->id, GINT_TO_POINTER(known));
        if (known - 1 != FENCE_AGENT_POWER) {
            g_string_append_printf(look->leave_on, "%s%s (%s)", look->leave_on->len > 0 ? ", " : "", device->id,
                                   device->agent);
        }
    }
    return (fence_agent_kind_t) (known - 1);
}

static const cluster_fence_device_t *device_find(const cluster_state_t *state, const char *id)
{
    for (guint i = 0; i < state->fence_devices->len; i++) {
        const cluster_fence_device_t *device = g_ptr_array_index(state->fence_devices, i);

        if (strcmp(device->id, id) == 0) {
            return device;
        }
    }
    return NULL;
}

/* Any way may be the one that is used: the worst of them counts. */
static void power_add(fence_power_t *power, gboolean switches_power)
{
    if (!switches_power) {
        *power = FENCE_POWER_NOT_PROVED;
    } else if (*power == FENCE_POWER_NO_DEVICE) {
        *power = FENCE_POWER_PROVED;
    }
}

static gboolean level_is_of(const cluster_fence_level_t *level, const char *server)
{
    return (level->target != NULL && g_ascii_strcasecmp(level->target, server) == 0)
           || (level->pattern != NULL && g_regex_match_simple(level->pattern, server, 0, 0));
}

/* All devices of a level must succeed. */
static gboolean level_may_succeed(const look_t *look, const cluster_fence_level_t *level)
{
    for (char **id = level->devices; *id != NULL; id++) {
        const cluster_fence_device_t *device = device_find(look->state, g_strstrip(*id));

        if (device == NULL || device->disabled) {
            return FALSE;
        }
    }
    return TRUE;
}

/* One of its devices that switches the power is enough. */
static gboolean level_has_power(look_t *look, const cluster_fence_level_t *level)
{
    gboolean has_power = FALSE;

    for (char **id = level->devices; *id != NULL; id++) {
        const cluster_fence_device_t *device = device_find(look->state, g_strstrip(*id));

        has_power |= device != NULL && device_kind(look, device) == FENCE_AGENT_POWER;
    }
    return has_power;
}

/* A topology replaces all other devices; a level that can't succeed is passed over. Returns FALSE if the server has none. */
static gboolean topology_judge(look_t *look, const char *server, fence_power_t *power)
{
    gboolean has_levels = FALSE;

    *power = FENCE_POWER_NO_DEVICE;
    for (guint i = 0; i < look->state->fence_levels->len; i++) {
        const cluster_fence_level_t *level = g_ptr_array_index(look->state->fence_levels, i);

        if (level_is_of(level, server)) {
            has_levels = TRUE;
            if (level_may_succeed(look, level)) {
                power_add(power, level_has_power(look, level));
            }
        }
    }
    return has_levels;
}

/* Any one of them may be the one that the fencer uses. */
static fence_power_t devices_judge(look_t *look, const char *server)
{
    fence_power_t power = FENCE_POWER_NO_DEVICE;

    for (guint i = 0; i < look->state->fence_devices->len; i++) {
        const cluster_fence_device_t *device = g_ptr_array_index(look->state->fence_devices, i);

        if (!device->disabled && device_may_fence(device, server)) {
            power_add(&power, device_kind(look, device) == FENCE_AGENT_POWER);
        }
    }
    return power;
}

fence_power_t fence_power_of(const cluster_state_t *state, const char *server, fence_agent_kind_fn kind,
                             gpointer user_data, char **leave_on)
{
    g_autoptr(GHashTable) kinds = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GString) names = g_string_new(NULL);
    look_t look = { .state = state, .kind = kind, .user_data = user_data, .kinds = kinds, .leave_on = names };
    fence_power_t power = FENCE_POWER_PROVED;

    if (!topology_judge(&look, server, &power)) {
        power = devices_judge(&look, server);
    }
    if (leave_on != NULL) {
        *leave_on = power == FENCE_POWER_NOT_PROVED ? g_strdup(names->str) : NULL;
    }
    return power;
}

char *fence_required_obstacle(const cluster_state_t *state, const cluster_server_t *server, fence_agent_kind_fn kind,
                              gpointer user_data)
{
    const char *policy = g_hash_table_lookup(server->params, "isolate");
    g_autofree char *leave_on = NULL;

    if (g_strcmp0(policy != NULL ? policy : DEFAULT_ISOLATE, isolate_policy_name(ISOLATE_REQUIRED)) != 0
        || fence_power_of(state, server->name, kind, user_data, &leave_on) == FENCE_POWER_PROVED) {
        return NULL;
    }
    return g_strdup_printf("it has isolate=required, and %s%s: give it a device that switches its power%s, or decide for "
                           "another policy with understudy adopt %s --set isolate=confirmed",
                           leave_on != NULL ? "may be fenced by what leaves it running, " : "no fence device names it, or it is disabled",
                           leave_on != NULL ? leave_on : "",
                           leave_on != NULL ? ", and name the others' targets in pcmk_host_list" : "", server->name);
}
