/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/markup.h"
#include "core.h"
#include "metadata.h"

#define INPUT_MAX_BYTES (1 << 20)

/* Seconds as text in the metadata, milliseconds inside. */
#define SECONDS(minimum, maximum) .type = OCF_TYPE_DURATION, .min = (minimum) * 1000LL, .max = (maximum) * 1000LL

static const char *const methods[] = { FENCE_METHOD_BLOCKLIST, FENCE_METHOD_CONFIRM, NULL };

static gboolean check_map(const char *value, GError **error)
{
    g_autoptr(GHashTable) map = fence_map_parse(value, error);

    return map != NULL;
}

static gboolean check_names(const char *value, GError **error)
{
    g_autoptr(GHashTable) names = fence_names_parse(value, error);

    return names != NULL;
}

static gboolean check_pools(const char *value, GError **error)
{
    if (strspn(value, ", ") == strlen(value)) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "name at least one pool");
        return FALSE;
    }
    return TRUE;
}

const fence_option_t fence_option_table[] = {
    { .name = "action", .long_name = "action", .short_name = 'o', .value_name = "action",
      .param = { .type = OCF_TYPE_STRING, .default_text = "off",
                 .shortdesc = "Fencing action: on, off, status, monitor, validate-all or metadata" } },
    { .name = "plug", .long_name = "plug", .short_name = 'n', .value_name = "host", .obsoletes = "port",
      .param = { .type = OCF_TYPE_STRING,
                 .shortdesc = "Host to be fenced: its name in the cluster, or its addresses on the storage network, "
                              "separated by commas" } },
    { .name = "nodename", .long_name = "nodename", .is_hidden = TRUE, .value_name = "host",
      .param = { .type = OCF_TYPE_STRING, .shortdesc = "The host's name in the cluster, if plug is something else" } },
    { .name = "method", .long_name = "method", .short_name = 'm', .value_name = "method",
      .param = { .type = OCF_TYPE_SELECT, .default_text = FENCE_METHOD_BLOCKLIST, .choices = methods,
                 .shortdesc = "blocklist: make the store refuse the host, and prove it. confirm: change nothing, and "
                              "succeed only if two rounds find the host dead in Corosync, on the management network "
                              "and in the store" } },
    { .name = "pools", .long_name = "pools", .short_name = 'P', .value_name = "pool,...",
      .param = { .type = OCF_TYPE_STRING, .default_text = "vm", .check = check_pools,
                 .shortdesc = "Pools whose images are protected: none of them may have a watcher from the host in the "
                              "end that the store does not refuse" } },
    { .name = "storage_addrs", .long_name = "storage-addrs", .value_name = "host:address,...;...",
      .param = { .type = OCF_TYPE_STRING, .check = check_map,
                 .shortdesc = "Addresses of all hosts on the storage network, if they do not publish them themselves" } },
    { .name = "mgmt_addrs", .long_name = "mgmt-addrs", .value_name = "host:address;...",
      .param = { .type = OCF_TYPE_STRING, .check = check_names,
                 .shortdesc = "Address of each host on the management network, if it is not that of Corosync's first "
                              "link" } },
    { .name = "ceph_conf", .long_name = "ceph-conf", .short_name = 'c', .value_name = "file",
      .param = { .type = OCF_TYPE_STRING, .default_text = "/etc/ceph/ceph.conf", .shortdesc = "Ceph configuration" } },
    { .name = "ceph_user", .long_name = "ceph-user", .short_name = 'u', .value_name = "name",
      .param = { .type = OCF_TYPE_STRING, .default_text = "understudy-fence",
                 .shortdesc = "Ceph user without \"client.\", for everything but on" } },
    { .name = "keyring", .long_name = "keyring", .short_name = 'k', .value_name = "file",
      .param = { .type = OCF_TYPE_STRING, .shortdesc = "Keyring of ceph_user, if not where Ceph looks for it" } },
    { .name = "unfence_user", .long_name = "unfence-user", .value_name = "name",
      .param = { .type = OCF_TYPE_STRING, .shortdesc = "Ceph user that may remove entries, for on; else ceph_user" } },
    { .name = "unfence_keyring", .long_name = "unfence-keyring", .value_name = "file",
      .param = { .type = OCF_TYPE_STRING, .shortdesc = "Keyring of unfence_user, if not where Ceph looks for it" } },
    { .name = "blocklist_time", .long_name = "blocklist-time", .value_name = "seconds",
      .param = { .type = OCF_TYPE_INTEGER, .default_text = "157680000", .min = 86400, .max = G_MAXUINT32,
                 .shortdesc = "Seconds that the store refuses the host unless it is unfenced before: five years" } },
    { .name = "libvirt_uri", .long_name = "libvirt-uri", .value_name = "uri",
      .param = { .type = OCF_TYPE_STRING, .default_text = "qemu+tcp://" FENCE_URI_HOST "/system",
                 .shortdesc = "libvirt of a host; " FENCE_URI_HOST " stands for its management address" } },
    { .name = "libvirt_port", .long_name = "libvirt-port", .value_name = "port",
      .param = { .type = OCF_TYPE_INTEGER, .default_text = "16509", .min = 1, .max = 65535,
                 .shortdesc = "Port that libvirt listens on there, for confirm" } },
    { .name = "hold_down", .long_name = "hold-down", .value_name = "seconds",
      .param = { SECONDS(0, 3600), .default_text = "30", .shortdesc = "Time between the two rounds of confirm" } },
    { .name = "watch_timeout", .long_name = "watch-timeout", .value_name = "seconds",
      .param = { SECONDS(1, 600), .default_text = "40",
                 .shortdesc = "A watcher that is still there after this time is alive, for confirm: Ceph's "
                              "osd_client_watch_timeout and some" } },
    { .name = "start_timeout", .long_name = "start-timeout", .value_name = "seconds",
      .param = { SECONDS(0, 3600), .default_text = "120",
                 .shortdesc = "on, for a host that has not booted since: the host waits so long, after it has seen "
                              "the fence, before it says that nothing is left on it; the start action's timeout" } },
    { .name = "store_timeout", .long_name = "store-timeout", .value_name = "seconds",
      .param = { SECONDS(1, 60), .default_text = "5", .shortdesc = "Deadline of each operation of the store" } },
    { .name = "power_timeout", .long_name = "power-timeout", .value_name = "seconds",
      .param = { SECONDS(3, 3600), .default_text = "25",
                 .shortdesc = "Deadline of the whole action; confirm adds watch_timeout and hold_down. The fencer "
                              "tries twice: give it pcmk_off_timeout of more than twice that" } },
    { .name = "delay", .long_name = "delay", .value_name = "seconds",
      .param = { SECONDS(0, 3600), .default_text = "0", .shortdesc = "Wait before fencing is started" } },
    { .name = "verbose", .long_name = "verbose", .short_name = 'v', .is_flag = TRUE,
      .param = { .type = OCF_TYPE_BOOLEAN, .default_text = "false", .shortdesc = "Say each step on standard error" } },
    { .name = "quiet", .long_name = "quiet", .short_name = 'q', .is_flag = TRUE,
      .param = { .type = OCF_TYPE_BOOLEAN, .default_text = "false", .shortdesc = "Say nothing but errors" } },
    { .name = "version", .long_name = "version", .short_name = 'V', .is_flag = TRUE,
      .param = { .type = OCF_TYPE_BOOLEAN, .default_text = "false", .shortdesc = "Print the version and exit" } },
    { .name = "help", .long_name = "help", .short_name = 'h', .is_flag = TRUE,
      .param = { .type = OCF_TYPE_BOOLEAN, .default_text = "false", .shortdesc = "Print this help and exit" } },
    { .name = NULL },
};
#define OPTION_COUNT (G_N_ELEMENTS(fence_option_table) - 1)

const fence_action_t fence_action_table[] = {
    { .name = "on", .is_automatic = TRUE, .needs_target = TRUE },
    { .name = "off", .needs_target = TRUE },
    { .name = "status", .needs_target = TRUE },
    { .name = "monitor" },
    { .name = "metadata" },
    { .name = "validate-all" },
    { .name = NULL },
};

static const fence_option_t *option_by_name(const char *name)
{
    for (const fence_option_t *option = fence_option_table; option->name != NULL; option++) {
        if (strcmp(option->name, name) == 0 || g_strcmp0(option->obsoletes, name) == 0) {
            return option;
        }
    }
    return NULL;
}

static GHashTable *texts_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
}

static char *unquoted(const char *value)
{
    gsize length = strlen(value);
    gboolean quoted = length >= 2 && (value[0] == '"' || value[0] == '\'') && value[length - 1] == value[0];

    return quoted ? g_strndup(value + 1, length - 2) : g_strdup(value);
}

static void line_read(GHashTable *texts, char *line)
{
    char *equals = strchr(line, '=');
    const fence_option_t *option = NULL;

    if (line[0] == '#' || equals == NULL) {
        return;
    }
    *equals = '\0';
    option = option_by_name(g_strstrip(line));
    if (option != NULL) {
        g_hash_table_insert(texts, (gpointer) option->name, unquoted(g_strstrip(equals + 1)));
    }
}

GHashTable *fence_options_from_text(const char *text, gsize length, GError **error)
{
    GHashTable *texts = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_utf8_validate(text, (gssize) length, NULL)) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "standard input is no UTF-8 text: write name=value lines");
        return NULL;
    }
    texts = texts_new();
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        line_read(texts, g_strstrip(*line));
    }
    return texts;
}

GHashTable *fence_options_from_fd(int fd, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char buffer[4096];
    ssize_t count = 1;

    while (count > 0 && text->len < INPUT_MAX_BYTES) {
        count = read(fd, buffer, sizeof buffer);
        if (count > 0) {
            g_string_append_len(text, buffer, count);
        } else if (count < 0 && errno == EINTR) {
            count = 1;
        }
    }
    if (count != 0) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "standard input can't be read, or is longer than 1 MiB");
        return NULL;
    }
    return fence_options_from_text(text->str, text->len, error);
}

GHashTable *fence_options_from_argv(int argc, char **argv, GError **error)
{
    struct option long_options[OPTION_COUNT + 1];
    g_autoptr(GString) short_options = g_string_new(":");
    g_autoptr(GHashTable) texts = texts_new();
    int found = 0;

    memset(long_options, 0, sizeof long_options);
    for (gsize i = 0; i < OPTION_COUNT; i++) {
        const fence_option_t *option = &fence_option_table[i];

        long_options[i].name = option->long_name;
        long_options[i].has_arg = option->is_flag ? no_argument : required_argument;
        /* Beyond all characters, so that an option without a short name is not mistaken for one. */
        long_options[i].val = 256 + (int) i;
        if (option->short_name != 0) {
            g_string_append_printf(short_options, "%c%s", option->short_name, option->is_flag ? "" : ":");
        }
    }
    optind = 0; /* begins anew: this may be called more than once in a process */
    opterr = 0;
    while ((found = getopt_long(argc, argv, short_options->str, long_options, NULL)) != -1) {
        const fence_option_t *option = found >= 256 ? &fence_option_table[found - 256] : NULL;

        for (gsize i = 0; option == NULL && i < OPTION_COUNT; i++) {
            option = fence_option_table[i].short_name == found ? &fence_option_table[i] : NULL;
        }
        if (option == NULL) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        found == ':' ? "option '%s' needs a value: see --help" : "there is no option '%s': see --help",
                        argv[optind - 1]);
            return NULL;
        }
        g_hash_table_insert(texts, (gpointer) option->name, g_strdup(option->is_flag ? "true" : optarg));
    }
    if (optind < argc) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "'%s' is no option: see --help", argv[optind]);
        return NULL;
    }
    return g_steal_pointer(&texts);
}

/* ocf_values_parse() wants an array of parameters with names. */
static const ocf_param_t *params(void)
{
    static ocf_param_t table[OPTION_COUNT + 1];

    for (gsize i = 0; table[0].name == NULL && i < OPTION_COUNT; i++) {
        gsize k = OPTION_COUNT - 1 - i; /* the first one last: it tells that the table is complete */

        table[k] = fence_option_table[k].param;
        table[k].name = fence_option_table[k].name;
    }
    return table;
}

static gboolean values_fit(const ocf_values_t *values, GError **error)
{
    const char *uri = ocf_value_string(values, "libvirt_uri");

    if (ocf_value_duration_ms(values, "store_timeout") * 3 > ocf_value_duration_ms(values, "power_timeout")) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "power_timeout must be at least three times store_timeout");
        return FALSE;
    }
    if (strstr(uri, FENCE_URI_HOST) == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "libvirt_uri=%s: write " FENCE_URI_HOST " where the host's address is to be", uri);
        return FALSE;
    }
    return TRUE;
}

ocf_values_t *fence_options_parse(GHashTable *texts, GError **error)
{
    GError *parse_error = NULL;
    ocf_values_t *values = ocf_values_parse(params(), texts, &parse_error);

    if (parse_error != NULL) {
        g_propagate_error(error, parse_error);
    }
    if (parse_error != NULL || !values_fit(values, error)) {
        ocf_values_free(values);
        return NULL;
    }
    return values;
}

const fence_action_t *fence_action_find(const ocf_values_t *values, GError **error)
{
    const char *name = ocf_value_string(values, "action");

    for (const fence_action_t *action = fence_action_table; action->name != NULL; action++) {
        if (strcmp(action->name, name) == 0) {
            return action;
        }
    }
    /* The fencer looks for these words. */
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                "unsupported action '%s': the store can refuse a host, but not list hosts or switch them", name);
    return NULL;
}

char **fence_options_pools(const ocf_values_t *values)
{
    g_auto(GStrv) parts = g_strsplit_set(ocf_value_string(values, "pools"), ", ", -1);
    g_autoptr(GStrvBuilder) pools = g_strv_builder_new();

    for (char **part = parts; *part != NULL; part++) {
        if (**part != '\0') {
            g_strv_builder_add(pools, *part);
        }
    }
    return g_strv_builder_end(pools);
}

char *fence_options_libvirt_uri(const ocf_values_t *values, const char *address)
{
    g_auto(GStrv) parts = g_strsplit(ocf_value_string(values, "libvirt_uri"), FENCE_URI_HOST, -1);
    g_autofree char *host = strchr(address, ':') != NULL ? g_strconcat("[", address, "]", NULL) : g_strdup(address);

    return g_strjoinv(host, parts);
}

/* Metadata and help ---------------------------------------------------------------*/

static const char *const content_types[] = {
    [OCF_TYPE_STRING] = "string",   [OCF_TYPE_INTEGER] = "integer", [OCF_TYPE_BOOLEAN] = "boolean",
    [OCF_TYPE_SELECT] = "select",   [OCF_TYPE_DURATION] = "second",
};

/* "-n, --plug=[host]" */
static char *usage(const fence_option_t *option)
{
    g_autofree char *short_text = option->short_name != 0 ? g_strdup_printf("-%c, ", option->short_name) : g_strdup("");

    return option->is_flag ? g_strdup_printf("%s--%s", short_text, option->long_name)
                           : g_strdup_printf("%s--%s=[%s]", short_text, option->long_name, option->value_name);
}

static void append_parameter(GString *xml, const fence_option_t *option)
{
    g_autofree char *getopt_text = usage(option);

    markup_append(xml, "\t<parameter name=\"%s\" unique=\"0\" required=\"%d\"", option->name,
                  strcmp(option->name, "action") == 0);
    if (option->obsoletes != NULL) {
        markup_append(xml, " obsoletes=\"%s\"", option->obsoletes);
    }
    markup_append(xml, ">\n\t\t<getopt mixed=\"%s\" />\n", getopt_text);
    markup_append(xml, "\t\t<content type=\"%s\"", content_types[option->param.type]);
    if (option->param.default_text != NULL && !option->is_flag) {
        markup_append(xml, " default=\"%s\"", option->param.default_text);
    }
    if (option->param.choices == NULL) {
        g_string_append(xml, " />\n");
    } else {
        g_string_append(xml, " >\n");
        for (const char *const *choice = option->param.choices; *choice != NULL; choice++) {
            markup_append(xml, "\t\t\t<option value=\"%s\" />\n", *choice);
        }
        g_string_append(xml, "\t\t</content>\n");
    }
    markup_append(xml, "\t\t<shortdesc lang=\"en\">%s</shortdesc>\n\t</parameter>\n", option->param.shortdesc);
}

char *fence_metadata(void)
{
    GString *xml = g_string_new("<?xml version=\"1.0\" ?>\n");

    markup_append(xml, "<resource-agent name=\"fence_rbd\" shortdesc=\"%s\" >\n<longdesc>%s</longdesc>\n",
                  FENCE_SHORTDESC, FENCE_LONGDESC);
    g_string_append(xml, "<vendor-url></vendor-url>\n<parameters>\n");
    for (const fence_option_t *option = fence_option_table; option->name != NULL; option++) {
        if (!option->is_hidden) {
            append_parameter(xml, option);
        }
    }
    g_string_append(xml, "</parameters>\n<actions>\n");
    for (const fence_action_t *action = fence_action_table; action->name != NULL; action++) {
        markup_append(xml, "\t<action name=\"%s\"", action->name);
        g_string_append(xml, action->is_automatic ? " automatic=\"1\" />\n" : " />\n");
    }
    g_string_append(xml, "</actions>\n</resource-agent>\n");
    return g_string_free(xml, FALSE);
}

char *fence_help(const char *program)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "%s: %s\n\nUsage: %s [options]\n       %s < file of name=value lines\n\nOptions:\n", program,
                           FENCE_SHORTDESC, program, program);
    for (const fence_option_t *option = fence_option_table; option->name != NULL; option++) {
        g_autofree char *names = usage(option);

        g_string_append_printf(text, "   %s\n         %s\n", names, option->param.shortdesc);
        if (option->param.default_text != NULL && !option->is_flag) {
            g_string_append_printf(text, "         Default: %s\n", option->param.default_text);
        }
    }
    return g_string_free(text, FALSE);
}
