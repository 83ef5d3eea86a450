/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/site_check.h"

#include <string.h>

#include "base/names.h"
#include "params/probe_spec.h"
#include "store/store.h"
#include "store/store_address.h"

/* What two servers must not share. */
typedef struct site {
    const cluster_state_t *state;
    GHashTable *faults;      /* the result: char* server -> GString* */
    GHashTable *owners;      /* char* "KIND VALUE" -> const cluster_server_t*: who had it first */
} site_t;

static void add_fault(site_t *site, const cluster_server_t *server, const char *sentence)
{
    GString *text = g_hash_table_lookup(site->faults, server->name);

    if (text == NULL) {
        text = g_string_new(sentence);
        g_hash_table_insert(site->faults, g_strdup(server->name), text);
    } else if (strstr(text->str, sentence) == NULL) {
        g_string_append_printf(text, "; %s", sentence);
    }
}

static const char *param(const cluster_server_t *server, const char *name)
{
    const char *value = g_hash_table_lookup(server->params, name);

    return value != NULL && *value != '\0' ? value : NULL;
}

/* Both are told. `key` is the value as it is compared, `what` as people call it. */
static void claim(site_t *site, const cluster_server_t *server, const char *kind, const char *key, const char *what)
{
    char *whole = g_strdup_printf("%s %s", kind, key);
    const cluster_server_t *owner = g_hash_table_lookup(site->owners, whole);

    if (owner == NULL) {
        g_hash_table_insert(site->owners, whole, (gpointer) server);
        return;
    }
    g_free(whole);
    if (owner != server && strcmp(owner->name, server->name) != 0) {
        g_autofree char *first = g_strdup_printf("%s has %s too: give each server its own", server->name, what);
        g_autofree char *second = g_strdup_printf("%s has %s too: give each server its own", owner->name, what);

        add_fault(site, owner, first);
        add_fault(site, server, second);
    }
}

/* Names -----------------------------------------------------------------------*/

static void check_name(site_t *site, const cluster_server_t *server)
{
    /* Pacemaker's fencer compares names without their case. */
    g_autofree char *folded = g_ascii_strdown(server->name, -1);
    g_autofree char *key = g_strconcat("name ", folded, NULL);
    const cluster_server_t *owner = g_hash_table_lookup(site->owners, key);

    if (owner == NULL) {
        g_hash_table_insert(site->owners, g_steal_pointer(&key), (gpointer) server);
    } else if (strcmp(owner->name, server->name) == 0) {
        g_autofree char *sentence = g_strdup_printf("%s and %s are both for the server %s: remove one of them",
                                                    owner->resource_id, server->resource_id, server->name);

        add_fault(site, server, sentence);
    } else {
        g_autofree char *sentence = g_strdup_printf("the names %s and %s differ in case only, and fence devices take "
                                                    "them for one: rename one of the servers", owner->name,
                                                    server->name);

        add_fault(site, owner, sentence);
        add_fault(site, server, sentence);
    }
    if (g_hash_table_contains(site->state->node_names, folded)) {
        g_autofree char *sentence = g_strdup_printf("%s is the name of a cluster node, and isolating the server would "
                                                    "fence that node: protect it under another name", server->name);

        add_fault(site, server, sentence);
    }
}

/* Resources -------------------------------------------------------------------*/

/* Whatever the clone's limits are now: they may be changed while an image runs. */
static void check_alone(site_t *site, const cluster_server_t *server)
{
    if (server->multiplied_by != NULL) {
        g_autofree char *sentence = g_strdup_printf(
            "%s is in the clone or bundle %s, which starts it on many hosts, and one host alone may run it: run pcs resource "
            "unclone %s, or for a bundle understudy forget %s and adopt it again", server->resource_id,
            server->multiplied_by, server->multiplied_by, server->name);

        add_fault(site, server, sentence);
    }
}

static void tell_of_group(site_t *site, const cluster_server_t *server, const cluster_server_t *other)
{
    g_autofree char *sentence = g_strdup_printf(
        "%s and %s are in one group, so that one of the two images can't run without the other: run pcs resource group "
        "remove %s %s", server->resource_id, other->resource_id, server->group, server->resource_id);

    add_fault(site, server, sentence);
}

/* Pacemaker starts a group's members one after the other, and stops those behind one that stops: with two tickets in one group,
 * a server is taken over only while another is, and its image is stopped when that one returns. */
static void check_group(site_t *site, const cluster_server_t *server)
{
    g_autofree char *key = server->group != NULL ? g_strconcat("group ", server->group, NULL) : NULL;
    const cluster_server_t *other = key != NULL ? g_hash_table_lookup(site->owners, key) : NULL;

    if (other != NULL) {
        tell_of_group(site, other, server);
        tell_of_group(site, server, other);
    } else if (key != NULL) {
        g_hash_table_insert(site->owners, g_steal_pointer(&key), (gpointer) server);
    }
    if (server->waits_for_member != NULL) {
        g_autofree char *sentence = g_strdup_printf(
            "%s stands behind %s in the group %s, and that has a ticket of its own, without which the image can't run: run "
            "pcs resource group remove %s %s", server->resource_id, server->waits_for_member, server->group, server->group,
            server->resource_id);

        add_fault(site, server, sentence);
    }
}

/* Images ----------------------------------------------------------------------*/

/* Of another server, or of this one: the agent makes and removes those by itself. */
static gboolean is_run_image(const site_t *site, const char *image)
{
    for (guint i = 0; g_str_has_prefix(image, RUN_IMAGE_PREFIX) && i < site->state->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(site->state->servers, i);
        g_autofree char *prefix = g_strconcat(RUN_IMAGE_PREFIX, server->name, "-", NULL);

        if (g_str_has_prefix(image, prefix) && g_ascii_isdigit(image[strlen(prefix)])) {
            return TRUE;
        }
    }
    return FALSE;
}

static void check_disk(site_t *site, const cluster_server_t *server, const char *word, GHashTable *own)
{
    store_image_name_t *name = store_image_name_parse(word, NULL);
    g_autofree char *text = name != NULL ? store_image_name_text(name) : NULL;
    g_autofree char *what = text != NULL ? g_strdup_printf("the image %s", text) : NULL;

    if (name == NULL) {
        return; /* said where the parameter itself is checked */
    }
    if (is_run_image(site, name->image)) {
        g_autofree char *sentence = g_strdup_printf("disks: %s is named like a run image, which hosts make and remove "
                                                    "by themselves: name the recovery image", text);

        add_fault(site, server, sentence);
    }
    store_image_name_free(name);
    if (!g_hash_table_add(own, g_strdup(text))) {
        g_autofree char *sentence = g_strdup_printf("disks: %s is named twice", text);

        add_fault(site, server, sentence);
    }
    claim(site, server, "image", text, what);
}

static void check_disks(site_t *site, const cluster_server_t *server)
{
    const char *disks = param(server, "disks");
    g_auto(GStrv) words = g_strsplit_set(disks != NULL ? disks : "", " \t,", -1);
    g_autoptr(GHashTable) own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (char **word = words; *word != NULL; word++) {
        if (**word != '\0') {
            check_disk(site, server, *word, own);
        }
    }
}

/* Addresses -------------------------------------------------------------------*/

/* One spelling for each address; what is no address stays as it is. */
static char *address_key(const char *address)
{
    char *key = store_address_ip(address);

    return key != NULL ? key : g_ascii_strdown(address, -1);
}

static void check_addresses(site_t *site, const cluster_server_t *server)
{
    static const char *const names[] = { "service_address", "store_address", NULL };
    const char *mac = param(server, "mac");

    for (const char *const *name = names; *name != NULL; name++) {
        const char *address = param(server, *name);
        g_autofree char *key = address != NULL ? address_key(address) : NULL;
        g_autofree char *what = g_strdup_printf("the address %s", key);

        /* A site with one network has one address for both. */
        if (address != NULL) {
            claim(site, server, "address", key, what);
        }
    }
    if (param(server, "service_address") != NULL) {
        g_autofree char *key = address_key(param(server, "service_address"));

        g_hash_table_insert(site->owners, g_strconcat("service ", key, NULL), (gpointer) server);
    }
    if (mac != NULL) {
        g_autofree char *key = g_ascii_strdown(mac, -1);
        g_autofree char *what = g_strdup_printf("the MAC address %s", key);

        claim(site, server, "mac", key, what);
    }
}

/* Probes ----------------------------------------------------------------------*/

static gboolean is_same_probe(const probe_spec_t *a, const probe_spec_t *b)
{
    g_autofree char *first = probe_spec_host(a);
    g_autofree char *second = probe_spec_host(b);

    if (a->type != b->type || a->port != b->port) {
        return FALSE;
    }
    if (a->type == PROBE_TCP || a->type == PROBE_ICMP) {
        g_autofree char *key = address_key(first);
        g_autofree char *other = address_key(second);

        return strcmp(key, other) == 0;
    }
    return strcmp(a->text, b->text) == 0;
}

/* While the image runs it answers there: the original would be taken for back, and the image stopped. */
static void check_recover_probe(site_t *site, const cluster_server_t *server)
{
    const char *text = param(server, "recover_probe");
    const char *service = param(server, "service_address");
    const char *list = param(server, "probes");
    probe_spec_t *recover = text != NULL ? probe_spec_parse(text, NULL) : NULL;
    g_autofree char *host = recover != NULL ? probe_spec_host(recover) : NULL;
    g_autofree char *key = host != NULL ? address_key(host) : NULL;
    g_autofree char *label = recover != NULL ? probe_spec_label(recover) : NULL;
    g_autofree char *service_key = service != NULL ? address_key(service) : NULL;
    GPtrArray *probes = recover != NULL && list != NULL ? probe_spec_list_parse(list, NULL) : NULL;

    if (key != NULL && g_strcmp0(key, service_key) == 0) {
        g_autofree char *sentence = g_strdup_printf("recover_probe '%s' asks the service address, where the image "
                                                    "answers: set it to the server's management address", label);

        add_fault(site, server, sentence);
    }
    for (guint i = 0; probes != NULL && i < probes->len; i++) {
        if (is_same_probe(recover, g_ptr_array_index(probes, i))) {
            g_autofree char *sentence = g_strdup_printf("recover_probe '%s' is one of the probes, which the image "
                                                        "answers: set it to the server's management address", label);

            add_fault(site, server, sentence);
        }
    }
    g_clear_pointer(&probes, g_ptr_array_unref);
    probe_spec_free(recover);
}

/* An answer that says nothing of the server: the asking host's own, or another server's. */
static void check_probe(site_t *site, const cluster_server_t *server, const probe_spec_t *probe)
{
    g_autofree char *label = probe_spec_label(probe);
    g_autofree char *host = probe_spec_host(probe);
    g_autofree char *address = host != NULL ? address_key(host) : NULL;
    g_autofree char *key = address != NULL ? g_strconcat("service ", address, NULL) : NULL;
    const cluster_server_t *owner = key != NULL ? g_hash_table_lookup(site->owners, key) : NULL;

    if (probe_spec_asks_this_host(probe)) {
        g_autofree char *sentence = g_strdup_printf("probe '%s' asks the host that it runs on, and says nothing of the server: "
                                                    "give the server's address", label);

        add_fault(site, server, sentence);
    }
    if (owner != NULL && strcmp(owner->name, server->name) != 0) {
        g_autofree char *sentence = g_strdup_printf("probe '%s' asks the service address of %s, and says nothing of "
                                                    "%s: give its own address", label, owner->name, server->name);

        add_fault(site, server, sentence);
    }
}

static void check_probe_list(site_t *site, const cluster_server_t *server, const char *name)
{
    const char *text = param(server, name);
    GPtrArray *probes = text != NULL ? probe_spec_list_parse(text, NULL) : NULL;

    for (guint i = 0; probes != NULL && i < probes->len; i++) {
        check_probe(site, server, g_ptr_array_index(probes, i));
    }
    g_clear_pointer(&probes, g_ptr_array_unref);
}

/* When all service addresses are known. */
static void check_probes(site_t *site, const cluster_server_t *server)
{
    check_probe_list(site, server, "probes");
    check_probe_list(site, server, "recover_probe");
}

/* The whole -------------------------------------------------------------------*/

static gboolean to_text(gpointer key, gpointer value, gpointer user_data)
{
    GString *text = value;

    g_hash_table_insert(user_data, g_strdup(key), g_string_free(text, FALSE));
    return TRUE;
}

GHashTable *site_check(const cluster_state_t *state)
{
    GHashTable *result = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    site_t site = {
        .state = state,
        .faults = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .owners = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    };

    for (guint i = 0; i < state->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(state->servers, i);

        check_name(&site, server);
        check_alone(&site, server);
        check_group(&site, server);
        check_disks(&site, server);
        check_addresses(&site, server);
        check_recover_probe(&site, server);
    }
    for (guint i = 0; i < state->servers->len; i++) {
        check_probes(&site, g_ptr_array_index(state->servers, i));
    }
    g_hash_table_foreach_remove(site.faults, to_text, result);
    g_hash_table_unref(site.faults);
    g_hash_table_unref(site.owners);
    return result;
}
