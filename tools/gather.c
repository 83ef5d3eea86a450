/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gather.h"

#include <string.h>

#include "agent_operations.h"
#include "base/error.h"
#include "base/names.h"
#include "cluster/cib.h"
#include "cluster/observer_client.h"
#include "fencing.h"
#include "references.h"
#include "setup_faults.h"
#include "store/claim.h"
#include "store/registry.h"
#include "store/server_entry.h"
#include "store/store.h"
#include "store/store_address.h"
#include "store/store_map.h"

#define OBSERVERS_TIMEOUT_MS 3000
#define STORE_TIMEOUT_MS     3000
/* For all servers together: status is for people who wait. */
#define STORE_TOTAL_US       (5 * G_USEC_PER_SEC)

static xmlNode *read_cib(GError **error)
{
    cib_connection_t *cib = cib_connection_open("understudy", error);
    xmlNode *xml = cib != NULL ? cib_connection_query(cib, error) : NULL;

    cib_connection_close(cib);
    return xml;
}

cluster_state_t *gather_cluster(GError **error)
{
    xmlNode *xml = read_cib(error);
    cluster_state_t *cluster = xml != NULL ? cluster_state_parse(xml, error) : NULL;

    cib_xml_free(xml);
    return cluster;
}

/* Its ticket is granted and it is not there: why is the scheduler's to say. */
static gboolean an_image_waits(const cluster_state_t *cluster)
{
    for (guint i = 0; i < cluster->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(cluster->servers, i);

        if (server->ticket_granted && server->image == IMAGE_STOPPED) {
            return TRUE;
        }
    }
    return FALSE;
}

/* With the operations of the agents that are installed here; without any, those are not compared. */
static GPtrArray *find_setup_faults(xmlNode *xml)
{
    adoption_t adoption = { 0 };
    GPtrArray *faults = NULL;

    adoption_read_operations(&adoption, NULL);
    faults = setup_faults_find(&adoption, xml);
    adoption_clear_operations(&adoption);
    return faults;
}

static void add_reference_faults(xmlNode *xml, const cluster_state_t *cluster, GPtrArray *faults)
{
    g_autoptr(GPtrArray) sentences = cluster->servers->len > 0 ? references_faults(xml, cluster) : NULL;

    for (guint i = 0; sentences != NULL && i < sentences->len; i++) {
        setup_faults_add(faults, NULL, g_strdup(g_ptr_array_index(sentences, i)));
    }
}

/* A server that was forgotten, or whose resource was removed or renamed, while it was isolated. */
static void add_stray_fencings(const cluster_state_t *cluster, GPtrArray *faults)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) names = fencing_pending(&error);
    g_autoptr(GPtrArray) sentences = names != NULL ? fencing_strays(cluster, (const char *const *) names) : NULL;

    if (names == NULL) {
        setup_faults_add(faults, NULL, g_strdup(error->message));
    }
    for (guint i = 0; sentences != NULL && i < sentences->len; i++) {
        setup_faults_add(faults, NULL, g_strdup(g_ptr_array_index(sentences, i)));
    }
}

static cluster_state_t *read_cluster(const char *server, scheduler_plan_t **plan, GPtrArray **setup_faults,
                                     GError **error)
{
    xmlNode *xml = read_cib(error);
    cluster_state_t *cluster = xml != NULL ? cluster_state_parse(xml, error) : NULL;

    *plan = NULL;
    if (cluster != NULL && setup_faults != NULL) {
        *setup_faults = find_setup_faults(xml);
        add_reference_faults(xml, cluster, *setup_faults);
        add_stray_fencings(cluster, *setup_faults);
    }
    if (cluster != NULL && (server != NULL ? cluster_state_server(cluster, server) != NULL : an_image_waits(cluster))) {
        *plan = scheduler_ask_now(xml, server, SCHEDULER_TIMEOUT_MS, NULL);
    }
    cib_xml_free(xml);
    return cluster;
}

cluster_state_t *gather_placement(const char *server, scheduler_plan_t **plan, GError **error)
{
    return read_cluster(server, plan, NULL, error);
}

/* The store ------------------------------------------------------------------*/

/* A store that is open, and what is asked of it once. */
typedef struct source {
    store_t *store;
    store_map_t *map;
    GHashTable *server_values; /* of the config-key store, below REGISTRY_SERVER_PREFIX; NULL with an error */
    GPtrArray *entries;       /* server_entry_t*: what isolations have put on the blocklist; NULL with an error */
    GError *entries_error;
    GHashTable *entry_faults; /* char* server -> char*: why a record of those can't be read */
    GHashTable *hosts;        /* as registry_hosts_read() returns them; NULL: they could not be asked for */
    GHashTable *images;     /* char* pool -> char**: names of its images that are run images, or were */
} source_t;

static void source_free(gpointer data)
{
    source_t *source = data;

    store_close(source->store);
    g_clear_pointer(&source->map, store_map_free);
    g_clear_pointer(&source->server_values, g_hash_table_unref);
    g_clear_pointer(&source->entries, g_ptr_array_unref);
    g_clear_error(&source->entries_error);
    g_clear_pointer(&source->entry_faults, g_hash_table_unref);
    g_clear_pointer(&source->hosts, g_hash_table_unref);
    g_hash_table_unref(source->images);
    g_free(source);
}

static source_t *open_source(const store_options_t *options, GError **error)
{
    source_t *source = g_new0(source_t, 1);

    source->images = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_strfreev);
    source->store = store_open(options, error);
    source->map = source->store != NULL ? store_map_ask_all(source->store, error) : NULL;
    if (source->map == NULL) {
        source_free(source);
        return NULL;
    }
    /* All else may be told without them. */
    source->server_values = config_key_dump(source->store, REGISTRY_SERVER_PREFIX, &source->entries_error);
    if (source->server_values != NULL) {
        source->entries = server_entries_of(source->server_values, &source->entry_faults);
    }
    source->hosts = registry_hosts_read(source->store, NULL);
    return source;
}

/* Stores that are open, by configuration and user; usually one. */
static GHashTable *sources_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, source_free);
}

static const source_t *find_source(GHashTable *sources, const cluster_server_t *server, guint timeout_ms, GError **error)
{
    const char *conf = g_hash_table_lookup(server->params, "ceph_conf");
    const char *user = g_hash_table_lookup(server->params, "ceph_user");
    g_autofree char *key = g_strdup_printf("%s\n%s", conf != NULL ? conf : "", user != NULL ? user : "");
    store_options_t options = { .conf = conf, .user = user != NULL ? user : "understudy", .timeout_ms = timeout_ms };
    source_t *source = g_hash_table_lookup(sources, key);

    if (source == NULL) {
        source = open_source(&options, error);
        if (source != NULL) {
            g_hash_table_insert(sources, g_steal_pointer(&key), source);
        }
    }
    return source;
}

/* Why nothing can be written to a run image that is there. */
static gboolean warning_find(const source_t *source, const store_image_name_t *name, run_image_t *found, GError **error)
{
    const char *full = g_hash_table_lookup(source->map->full_pools, name->pool);
    g_autofree char *command = NULL;

    if (found->warning != NULL) {
        return TRUE;
    }
    if (!store_image_foreign_lock(source->store, name, &command, error)) {
        return FALSE;
    }
    if (command != NULL) {
        found->warning = g_strdup_printf("%s is locked by hand, nothing can write to it: '%s'", name->image, command);
    } else if (full != NULL) {
        found->warning = g_strdup_printf("pool %s is full (%s), so that writes stall: make room", name->pool, full);
    }
    return TRUE;
}

/* What was trimmed takes no room, and differs from the recovery point all the same. */
static gboolean kept_look(const source_t *source, const store_image_name_t *kept, guint64 *bytes, gboolean *written,
                          GError **error)
{
    return store_image_own_bytes(source->store, kept, bytes, error)
           && store_image_is_written(source->store, kept, written, error);
}

static char **images_of_pool(const source_t *source, const char *pool, GError **error)
{
    char **images = g_hash_table_lookup(source->images, pool);

    if (images == NULL) {
        images = store_image_list(source->store, pool, RUN_IMAGE_PREFIX, error);
        if (images != NULL) {
            g_hash_table_insert(source->images, g_strdup(pool), images);
        }
    }
    return images;
}

/* Of those that were set aside, the ones that hold anything. */
static gboolean add_kept(const source_t *source, const store_image_name_t *run, run_image_t *found, GError **error)
{
    char **images = images_of_pool(source, run->pool, error);
    guint generation = 0;

    for (char **image = images; images != NULL && *image != NULL; image++) {
        const store_image_name_t kept = { .pool = run->pool, .namespace = run->namespace, .image = *image };
        g_autofree char *name = store_image_name_text(&kept);
        g_autoptr(GError) kept_error = NULL;
        gboolean written = FALSE;
        guint64 bytes = 0;

        if (!kept_image_generation(*image, run->image, &generation)) {
            continue;
        }
        /* One that was removed in between, or whose making was cut off, is none. */
        if (!kept_look(source, &kept, &bytes, &written, &kept_error)) {
            if (g_error_matches(kept_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
                continue;
            }
            g_propagate_error(error, g_steal_pointer(&kept_error));
            return FALSE;
        }
        if (written) {
            run_image_add_kept(found, name, bytes);
        }
    }
    return images != NULL;
}

/* What the first disk's run image was cloned from. */
static gboolean first_disk_look(const source_t *source, const store_image_name_t *run, run_image_t *found, GError **error)
{
    g_autofree char *parent = NULL;
    gboolean complete = FALSE;

    if (found->name != NULL) {
        return TRUE;
    }
    found->name = store_image_name_text(run);
    return store_clone_state(source->store, run, &complete, &parent, &found->point, error);
}

static char *run_image_text(const char *disk, const char *run_pool, const char *server, guint index, GError **error)
{
    store_image_name_t *name = store_image_name_parse(disk, error);
    g_autofree char *image = server_run_image_name(server, index);
    char *text = NULL;

    /* Run images live in the hosts' pool, never in the servers' namespaces. */
    if (name != NULL) {
        text = g_strjoin("/", run_pool != NULL ? run_pool : name->pool, image, NULL);
    }
    store_image_name_free(name);
    return text;
}

char **gather_run_image_names(const cluster_server_t *server, GError **error)
{
    const char *disks = g_hash_table_lookup(server->params, "disks");
    const char *run_pool = g_hash_table_lookup(server->params, "run_pool");
    g_auto(GStrv) words = g_strsplit_set(disks != NULL ? disks : "", " \t,", -1);
    g_autoptr(GStrvBuilder) found = g_strv_builder_new();
    guint index = 0;

    for (char **word = words; *word != NULL; word++) {
        g_autofree char *text = NULL;

        if (**word == '\0') {
            continue;
        }
        text = run_image_text(*word, run_pool, server->name, index, error);
        if (text == NULL) {
            return NULL;
        }
        g_strv_builder_add(found, text);
        index++;
    }
    return g_strv_builder_end(found);
}

static gboolean add_disk(const source_t *source, const char *run_image, run_image_t *found, GError **error)
{
    store_image_name_t *name = store_image_name_parse(run_image, error);
    gboolean exists = FALSE;
    gboolean done = FALSE;
    guint64 bytes = 0;

    if (name == NULL) {
        return FALSE;
    }
    done = store_image_exists(source->store, name, &exists, error);
    if (done && exists) {
        done = first_disk_look(source, name, found, error) && store_image_own_bytes(source->store, name, &bytes, error)
               && warning_find(source, name, found, error);
        found->unreturned_bytes += bytes;
    }
    done = done && add_kept(source, name, found, error);
    store_image_name_free(name);
    return done;
}

/* A claim that lies where the next start looks for it, of an image that runs nowhere. */
static void claim_left_look(const source_t *source, const char *server, const claim_place_t *place, run_image_t *found)
{
    g_autofree char *holder = NULL;
    g_autofree char *clients_text = NULL;
    g_autofree char *ended = NULL;
    g_autofree char *own = claim_text(place->claim);
    g_autoptr(claim_clients_t) clients = NULL;
    gboolean may_have_moved = FALSE;

    if (!store_claim_read(source->store, place->pool, server, &holder, NULL) || g_strcmp0(holder, own) != 0
        || !store_claim_note_read(source->store, place->pool, server, STORE_CLAIM_CLIENTS_KEY, &clients_text, NULL)
        || !store_claim_note_read(source->store, place->pool, server, STORE_CLAIM_ENDED_KEY, &ended, NULL)) {
        return;
    }
    clients = claim_clients_parse(clients_text, place->claim->start_id);
    may_have_moved = clients != NULL && clients->target != NULL && !clients->target->complete;
    run_image_set_claim_left(found, server, place->claim->host,
                             !may_have_moved ? NULL : clients->target->host[0] != '\0' ? clients->target->host : "an unknown host",
                             g_strcmp0(ended, place->claim->start_id) == 0);
}

/* Which would keep the next start from going on, or be somebody's whose image runs. */
static void claim_look(const source_t *source, const cluster_server_t *server, const char *start_id, const char *text,
                       const char *pool, run_image_t *found)
{
    g_autoptr(claim_place_t) place = claim_place_parse(text, start_id);
    g_autofree char *holder = NULL;

    if (place == NULL) {
        run_image_set_claim(found, server->name, NULL, NULL);
    } else if (g_strcmp0(place->pool, pool) == 0) {
        if (server->image == IMAGE_STOPPED || server->image == IMAGE_FAILED) {
            claim_left_look(source, server->name, place, found);
        }
    } else if (!store_claim_read(source->store, place->pool, server->name, &holder, NULL) || holder != NULL) {
        run_image_set_claim(found, server->name, place->claim->host, place->pool);
    }
}

/* Claims that keep the next start from going on. */
static void claims_look(const source_t *source, const cluster_server_t *server, char **run_images, run_image_t *found)
{
    g_autofree char *pool = claim_pool((const char *const *) run_images);
    g_autofree char *prefix = g_strconcat(server->name, CLAIM_PLACE_KEY_PART, NULL);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer text = NULL;

    if (source->server_values == NULL) {
        return;
    }
    g_hash_table_iter_init(&iter, source->server_values);
    while (g_hash_table_iter_next(&iter, &name, &text)) {
        if (g_str_has_prefix(name, prefix)) {
            claim_look(source, server, (const char *) name + strlen(prefix), text, pool, found);
        }
    }
}

static gboolean is_refused(GHashTable *blocklist, const char *address)
{
    g_autofree char *text = address != NULL ? store_address_blocklist_text(address, NULL) : NULL;

    return text != NULL && g_hash_table_contains(blocklist, text);
}

/* The addresses of a server that the store refuses: those of its records, and its own. */
static GPtrArray *refused_addresses(const source_t *source, const cluster_server_t *server)
{
    const char *own = g_hash_table_lookup(server->params, "store_address");
    GPtrArray *addresses = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; source->entries != NULL && i < source->entries->len; i++) {
        const server_entry_t *entry = g_ptr_array_index(source->entries, i);

        if (strcmp(entry->server, server->name) == 0 && is_refused(source->map->blocklist, entry->address)) {
            g_ptr_array_add(addresses, store_address_blocklist_text(entry->address, NULL));
        }
    }
    if (is_refused(source->map->blocklist, own)
        && (source->entries == NULL || server_entries_find(source->entries, server->name, own) == NULL)) {
        g_ptr_array_add(addresses, store_address_blocklist_text(own, NULL));
    }
    return addresses;
}

/* Isolation would keep another machine out of the store, and refuses to. */
static char *address_fault(const source_t *source, const char *address)
{
    g_autoptr(GError) error = NULL;

    if (address == NULL || *address == '\0' || source->hosts == NULL
        || server_entry_address_check(address, source->hosts, source->map->daemon_ips, &error)) {
        return NULL;
    }
    return g_strdup_printf("store_address %s: %s", address, error->message);
}

static void entries_look(const source_t *source, const cluster_server_t *server, run_image_t *found)
{
    const char *own = g_hash_table_lookup(server->params, "store_address");
    g_autofree char *text = own != NULL ? store_address_blocklist_text(own, NULL) : NULL;

    found->refused = refused_addresses(source, server);
    found->entry_fault = g_strdup(source->entries != NULL ? g_hash_table_lookup(source->entry_faults, server->name)
                                                          : source->entries_error->message);
    found->address_fault = address_fault(source, own);
    if (text != NULL && !store_map_entry_lasts(source->map, text, STORE_CLIENT_BLOCK_S)) {
        found->admitted = g_steal_pointer(&text);
    }
}

static run_image_t *look(GHashTable *sources, const cluster_server_t *server, guint timeout_ms, GError **error)
{
    g_auto(GStrv) names = gather_run_image_names(server, error);
    run_image_t *found = g_new0(run_image_t, 1);
    const source_t *source = names != NULL ? find_source(sources, server, timeout_ms, error) : NULL;
    gboolean good = source != NULL;

    for (char **name = names; good && *name != NULL; name++) {
        good = add_disk(source, *name, found, error);
    }
    if (!good) {
        run_image_free(found);
        return NULL;
    }
    entries_look(source, server, found);
    claims_look(source, server, names, found);
    return found;
}

static run_image_t *troubled(GError *error)
{
    run_image_t *found = g_new0(run_image_t, 1);

    found->trouble = g_strdup(error != NULL ? error->message : "the store could not be asked");
    g_clear_error(&error);
    return found;
}

run_image_t *gather_run_image(const cluster_server_t *server, guint timeout_ms)
{
    g_autoptr(GHashTable) sources = sources_new();
    GError *error = NULL;
    run_image_t *found = look(sources, server, timeout_ms, &error);

    return found != NULL ? found : troubled(error);
}

gboolean gather_refused_address(const cluster_server_t *server, guint timeout_ms, char **address, GError **error)
{
    g_autoptr(GHashTable) sources = sources_new();
    const source_t *source = find_source(sources, server, timeout_ms, error);
    g_autoptr(GPtrArray) refused = source != NULL ? refused_addresses(source, server) : NULL;

    *address = NULL;
    if (source != NULL && source->entries == NULL) {
        g_propagate_error(error, g_error_copy(source->entries_error));
        return FALSE;
    }
    if (refused != NULL && refused->len > 0) {
        *address = store_address_ip(g_ptr_array_index(refused, 0));
    }
    return source != NULL;
}

/* Hosts of this cluster that no fence through the store could tell from another. */
static void add_doubles(const cluster_state_t *cluster, GHashTable *hosts, GPtrArray *faults)
{
    for (guint i = 0; i < cluster->hosts->len; i++) {
        const cluster_host_t *host = g_ptr_array_index(cluster->hosts, i);
        char *sentence = registry_double_text(hosts, host->name);

        if (sentence != NULL) {
            setup_faults_add(faults, NULL, sentence);
        }
    }
}

/* A store that does not answer one server does not answer the next. */
static void gather_run_images(gathered_t *gathered, GHashTable *sources, const char *only)
{
    gint64 end_us = g_get_monotonic_time() + STORE_TOTAL_US;

    gathered->run_images = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) run_image_free);
    for (guint i = 0; i < gathered->cluster->servers->len; i++) {
        const cluster_server_t *server = g_ptr_array_index(gathered->cluster->servers, i);
        GError *error = NULL;
        run_image_t *found = NULL;

        if (only != NULL && strcmp(only, server->name) != 0) {
            continue;
        }
        if (g_get_monotonic_time() > end_us) {
            g_set_error_literal(&gathered->store_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT,
                                "the store is slow: not all run images were looked at; ask for one server");
            return;
        }
        found = look(sources, server, STORE_TIMEOUT_MS, &error);
        if (found == NULL && !g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG)) {
            gathered->store_error = error;
            return;
        }
        if (found == NULL) {
            found = troubled(error);
        }
        g_hash_table_insert(gathered->run_images, g_strdup(server->name), found);
    }
}

static void gather_store(gathered_t *gathered, const char *only)
{
    g_autoptr(GHashTable) sources = sources_new();
    GHashTableIter iter;
    gpointer value = NULL;

    gather_run_images(gathered, sources, only);
    g_hash_table_iter_init(&iter, sources);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const source_t *source = value;

        if (source->hosts != NULL) {
            add_doubles(gathered->cluster, source->hosts, gathered->setup_faults);
        }
    }
}

/* All ------------------------------------------------------------------------*/

gathered_t *gather(const char *server, gboolean with_store)
{
    gathered_t *gathered = g_new0(gathered_t, 1);

    gathered->cluster = read_cluster(NULL, &gathered->plan, &gathered->setup_faults, &gathered->cluster_error);
    gathered->observers = observer_client_ask("status", NULL, OBSERVERS_TIMEOUT_MS, &gathered->observers_error);
    if (with_store && gathered->cluster != NULL) {
        gather_store(gathered, server);
    }
    return gathered;
}

void gathered_free(gathered_t *gathered)
{
    if (gathered == NULL) {
        return;
    }
    cluster_state_free(gathered->cluster);
    scheduler_plan_free(gathered->plan);
    g_clear_pointer(&gathered->setup_faults, g_ptr_array_unref);
    g_clear_error(&gathered->cluster_error);
    g_clear_pointer(&gathered->observers, json_object_unref);
    g_clear_error(&gathered->observers_error);
    g_clear_pointer(&gathered->run_images, g_hash_table_unref);
    g_clear_error(&gathered->store_error);
    g_free(gathered);
}

report_sources_t gathered_sources(const gathered_t *gathered)
{
    return (report_sources_t) {
        .cluster = gathered->cluster,
        .plan = gathered->plan,
        .setup_faults = gathered->setup_faults,
        .cluster_trouble = gathered->cluster_error != NULL ? gathered->cluster_error->message : NULL,
        .observers = gathered->observers,
        .observers_trouble = gathered->observers_error != NULL ? gathered->observers_error->message : NULL,
        .run_images = gathered->run_images,
        .store_trouble = gathered->store_error != NULL ? gathered->store_error->message : NULL,
    };
}
