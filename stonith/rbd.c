/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cluster-glue's stonith plugin `rbd`: fence_rbd's core for stonith(8) and for stonith:rbd in crmsh. */
#include "config.h"

#include <string.h>

#include <pils/plugin.h>
#include <stonith/stonith.h>
#include <stonith/stonith_plugin.h>

#include "actions.h"
#include "base/markup.h"
#include "metadata.h"

#define PIL_PLUGINTYPE       STONITH_TYPE
#define PIL_PLUGINTYPE_S     STONITH_TYPE_S
#define PIL_PLUGIN           rbd
#define PIL_PLUGIN_S         "rbd"
#define PIL_PLUGINLICENSE    LICENSE_GPL
#define PIL_PLUGINLICENSEURL URL_GPL

__attribute__((visibility("default"))) PIL_rc PIL_PLUGIN_INIT(PILPlugin *us, const PILPluginImports *imports);
PIL_PLUGIN_BOILERPLATE2("1.0", debug_level)

static const PILPluginImports *plugin_imports;
static PILInterface *our_interface;
static StonithImports *our_imports;
static void *interface_private;

/* One configured device. */
typedef struct device {
    StonithPlugin plugin;  /* first, as libstonith wants it */
    GHashTable *texts;     /* option -> text */
    char **hosts;          /* hostlist */
    char *device_name;
} device_t;

static struct stonith_ops device_ops;

static void device_log(fence_log_level_t level, const char *text)
{
    static const PILLogLevel levels[] = { [FENCE_LOG_ERROR] = PIL_CRIT, [FENCE_LOG_NOTICE] = PIL_INFO,
                                          [FENCE_LOG_STEP] = PIL_DEBUG };

    PILCallLog(plugin_imports->log, levels[level], "%s", text);
}

/* Options that are the plugin's own business, or the caller's. */
static gboolean is_configurable(const fence_option_t *option)
{
    static const char *const others[] = { "action", "plug", "nodename", "delay", NULL };

    return !option->is_flag && !option->is_hidden && !g_strv_contains(others, option->name);
}

static StonithPlugin *device_new(const char *subplugin)
{
    device_t *device = g_new0(device_t, 1);

    (void) subplugin;
    device->texts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    device->device_name = g_strdup("rbd");
    device->plugin.s_ops = &device_ops;
    return &device->plugin;
}

static void device_destroy(StonithPlugin *plugin)
{
    device_t *device = (device_t *) plugin;

    g_hash_table_unref(device->texts);
    g_strfreev(device->hosts);
    g_free(device->device_name);
    g_free(device);
}

/* All, optional ones as well: Pacemaker gives parameters in the environment, and of that only these names are read
 * (cluster-glue, stonith_env_to_NVpair()). Made once; libstonith takes no ownership. */
static const char *const *device_confignames(StonithPlugin *plugin)
{
    static GPtrArray *names;

    (void) plugin;
    if (names == NULL) {
        names = g_ptr_array_new();
        g_ptr_array_add(names, (gpointer) ST_HOSTLIST);
        for (const fence_option_t *option = fence_option_table; option->name != NULL; option++) {
            if (is_configurable(option)) {
                g_ptr_array_add(names, (gpointer) option->name);
            }
        }
        g_ptr_array_add(names, NULL);
    }
    return (const char *const *) names->pdata;
}

static int device_set_config(StonithPlugin *plugin, StonithNVpair *list)
{
    device_t *device = (device_t *) plugin;
    const char *hostlist = our_imports->GetValue(list, ST_HOSTLIST);
    g_autoptr(GError) error = NULL;
    ocf_values_t *values = NULL;

    if (hostlist == NULL || hostlist[strspn(hostlist, " \t,")] == '\0') {
        device_log(FENCE_LOG_ERROR, "hostlist is not set: name the hosts that this device can fence");
        return S_BADCONFIG;
    }
    g_strfreev(device->hosts);
    device->hosts = g_strsplit_set(hostlist, " \t,", -1);
    for (const fence_option_t *option = fence_option_table; option->name != NULL; option++) {
        const char *value = is_configurable(option) ? our_imports->GetValue(list, option->name) : NULL;

        if (value != NULL) {
            g_hash_table_insert(device->texts, (gpointer) option->name, g_strdup(value));
        }
    }
    values = fence_options_parse(device->texts, &error);
    if (values == NULL) {
        device_log(FENCE_LOG_ERROR, error->message);
        return S_BADCONFIG;
    }
    ocf_values_free(values);
    return S_OK;
}

static fence_rc_t action_run(device_t *device, const char *name, const char *host)
{
    g_autoptr(GError) error = NULL;
    const fence_action_t *action = NULL;
    ocf_values_t *values = NULL;
    fence_rc_t rc = FENCE_RC_FAILED;

    g_hash_table_insert(device->texts, (gpointer) "action", g_strdup(name));
    g_hash_table_insert(device->texts, (gpointer) "nodename", g_strdup(host != NULL ? host : ""));
    values = fence_options_parse(device->texts, &error);
    action = values != NULL ? fence_action_find(values, &error) : NULL;
    if (action != NULL) {
        rc = fence_run(values, action, device_log);
    } else {
        device_log(FENCE_LOG_ERROR, error->message);
    }
    ocf_values_free(values);
    return rc;
}

static int device_status(StonithPlugin *plugin)
{
    return action_run((device_t *) plugin, "monitor", NULL) == FENCE_RC_OK ? S_OK : S_ACCESS;
}

static int device_request(StonithPlugin *plugin, int request, const char *host)
{
    device_t *device = (device_t *) plugin;
    const char *action = request == ST_POWEROFF ? "off" : request == ST_POWERON ? "on" : NULL;

    if (action == NULL) {
        device_log(FENCE_LOG_ERROR, "the store can refuse a host, but not boot it: ask for off, or set "
                                    "pcmk_reboot_action=off");
        return S_INVAL;
    }
    if (!g_strv_contains((const char *const *) device->hosts, host)) {
        device_log(FENCE_LOG_ERROR, "that host is not in hostlist");
        return S_BADHOST;
    }
    return action_run(device, action, host) == FENCE_RC_OK ? S_OK : S_RESETFAIL;
}

static char **device_hosts(StonithPlugin *plugin)
{
    return our_imports->CopyHostList((const char *const *) ((device_t *) plugin)->hosts);
}

/* Descriptions ------------------------------------------------------------------------*/

static void append_parameter(GString *xml, const char *name, gboolean required, const char *default_text,
                             const char *description)
{
    markup_append(xml, "<parameter name=\"%s\" unique=\"0\" required=\"%d\"><content type=\"string\"", name, required);
    if (default_text != NULL) {
        markup_append(xml, " default=\"%s\"", default_text);
    }
    markup_append(xml, " />\n<shortdesc lang=\"en\">%s</shortdesc>\n<longdesc lang=\"en\">%s</longdesc></parameter>\n",
                  name, description);
}

/* From the same table as fence_rbd's metadata. Made once; libstonith takes no ownership. */
static const char *parameters_xml(void)
{
    static char *xml;
    GString *text = NULL;

    if (xml != NULL) {
        return xml;
    }
    text = g_string_new("<parameters>");
    append_parameter(text, ST_HOSTLIST, TRUE, NULL, "Hosts that this device can fence, separated by blanks");
    for (const fence_option_t *option = fence_option_table; option->name != NULL; option++) {
        if (is_configurable(option)) {
            append_parameter(text, option->name, FALSE, option->param.default_text, option->param.shortdesc);
        }
    }
    g_string_append(text, "</parameters>");
    xml = g_string_free(text, FALSE);
    return xml;
}

static const char *device_info(StonithPlugin *plugin, int what)
{
    switch (what) {
        case ST_DEVICEID:
            return "Ceph RBD store";
        case ST_DEVICENAME:
            return ((device_t *) plugin)->device_name;
        case ST_DEVICEDESCR:
            return FENCE_LONGDESC;
        case ST_CONF_XML:
            return parameters_xml();
        default:
            return NULL;
    }
}

static struct stonith_ops device_ops = {
    .new = device_new,
    .destroy = device_destroy,
    .get_info = device_info,
    .get_confignames = device_confignames,
    .set_config = device_set_config,
    .get_status = device_status,
    .req_reset = device_request,
    .get_hostlist = device_hosts,
};

static PIL_rc interface_close(PILInterface *interface, void *data)
{
    (void) interface;
    (void) data;
    return PIL_OK;
}

PIL_rc PIL_PLUGIN_INIT(PILPlugin *us, const PILPluginImports *imports)
{
    plugin_imports = imports;
    imports->register_plugin(us, &OurPIExports);
    return imports->register_interface(us, PIL_PLUGINTYPE_S, PIL_PLUGIN_S, &device_ops, interface_close,
                                       &our_interface, (void *) &our_imports, &interface_private);
}
