/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image_disks.h"

#include <string.h>

#include "error.h"
#include "fenced_host.h"
#include "image_plan.h"
#include "names.h"
#include "store_address.h"

#define POLL_MS 100

/* Covers one client that has ended: longer than any watch or lock of its own lasts. */
#define DEAD_CLIENT_BLOCK_S 86400

static void disk_free(gpointer data)
{
    image_disk_t *disk = data;

    store_image_name_free(disk->recovery);
    store_image_name_free(disk->run);
    g_free(disk);
}

/* libvirt 9 can't name an RBD namespace: run images stand in the pool's own. */
static image_disk_t *disk_new(const char *word, const char *run_pool, const char *server, guint index)
{
    image_disk_t *disk = g_new0(image_disk_t, 1);

    disk->recovery = store_image_name_parse(word, NULL);
    disk->run = g_new0(store_image_name_t, 1);
    disk->run->pool = g_strdup(run_pool != NULL ? run_pool : disk->recovery->pool);
    disk->run->namespace = g_strdup("");
    disk->run->image = server_run_image_name(server, index);
    return disk;
}

GPtrArray *image_disks_new(const ocf_values_t *values, const char *server)
{
    const char *run_pool = ocf_value_string(values, "run_pool");
    g_auto(GStrv) words = g_strsplit_set(ocf_value_string(values, "disks"), " \t,", -1);
    GPtrArray *disks = g_ptr_array_new_with_free_func(disk_free);

    for (char **word = words; *word != NULL; word++) {
        if (**word != '\0') {
            g_ptr_array_add(disks, disk_new(*word, run_pool, server, disks->len));
        }
    }
    return disks;
}

char **image_disks_run_names(GPtrArray *disks)
{
    char **names = g_new0(char *, disks->len + 1);

    for (guint i = 0; i < disks->len; i++) {
        const image_disk_t *disk = disks->pdata[i];

        names[i] = store_image_name_text(disk->run);
    }
    return names;
}

/* An image that is not there yet has no watchers. */
static GPtrArray *watchers_of(store_t *store, const char *run_name, GError **error)
{
    store_image_name_t *name = store_image_name_parse(run_name, error);
    GError *watchers_error = NULL;
    GPtrArray *watchers = name != NULL ? store_image_watchers(store, name, &watchers_error) : NULL;

    store_image_name_free(name);
    if (g_error_matches(watchers_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_FOUND)) {
        g_error_free(watchers_error);
        return g_ptr_array_new();
    }
    if (watchers_error != NULL) {
        g_propagate_error(error, watchers_error);
    }
    return watchers;
}

static char *own_ip(store_t *store, GError **error)
{
    g_autofree char *address = store_own_address(store, error);

    return address != NULL ? store_address_ip(address) : NULL;
}

typedef struct look {
    store_t *store;
    const store_options_t *options;
    GHashTable *fenced;    /* char* IP -> char* name of the fenced host that has it, "" if none: asked once */
    const image_record_t *record;
    const char *ip;        /* this host's */
    char *foreign;         /* first watcher that is in the way, "IMAGE is open at ADDRESS" */
} look_t;

static const char *fenced_host_of(look_t *look, const char *ip)
{
    const char *host = g_hash_table_lookup(look->fenced, ip);

    if (host == NULL) {
        g_autofree char *found = fenced_host_find(look->options, ip);

        host = found != NULL ? found : "";
        g_hash_table_insert(look->fenced, g_strdup(ip), g_strdup(host));
        host = g_hash_table_lookup(look->fenced, ip);
    }
    return host[0] != '\0' ? host : NULL;
}

/* Why the client that has this watch is known to be dead; NULL if it is not. g_free(). */
static char *death_proof(look_t *look, const store_watcher_t *watcher)
{
    const char *host = NULL;

    if (watcher->ip == NULL) {
        return NULL;
    }
    if (strcmp(watcher->ip, look->ip) == 0) {
        return look->record != NULL && image_record_has_client(look->record, watcher->address)
                   ? g_strdup("an earlier QEMU or agent of this image that has ended")
                   : NULL;
    }
    host = fenced_host_of(look, watcher->ip);
    return host != NULL ? g_strdup_printf("a client of %s, which was fenced", host) : NULL;
}

/* Takes one watcher out of the way if it is ours to take. */
static gboolean watcher_look(look_t *look, const char *run_name, const store_watcher_t *watcher, GError **error)
{
    g_autoptr(GHashTable) blocklist = store_blocklist_list(look->store, error);
    g_autofree char *proof = NULL;

    if (blocklist == NULL) {
        return FALSE;
    }
    if (store_blocklist_covers(blocklist, watcher->address)) {
        return TRUE;
    }
    proof = death_proof(look, watcher);
    if (proof != NULL) {
        ocf_log("%s is still open at %s, %s: blocklisting it", run_name, watcher->address, proof);
        return store_blocklist_add(look->store, watcher->address, DEAD_CLIENT_BLOCK_S, error);
    }
    if (look->foreign == NULL) {
        look->foreign = g_strdup_printf("%s is open at %s", run_name, watcher->address);
    }
    return TRUE;
}

static gboolean watchers_look(look_t *look, char **run_names, GError **error)
{
    for (char **run_name = run_names; *run_name != NULL; run_name++) {
        g_autoptr(GPtrArray) watchers = watchers_of(look->store, *run_name, error);

        if (watchers == NULL) {
            return FALSE;
        }
        for (guint i = 0; i < watchers->len; i++) {
            if (!watcher_look(look, *run_name, watchers->pdata[i], error)) {
                return FALSE;
            }
        }
    }
    return TRUE;
}

gboolean image_disks_wait_free(store_t *store, const store_options_t *options, char **run_names,
                               const image_record_t *record, guint wait_ms, GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + wait_ms * 1000LL;
    g_autofree char *ip = own_ip(store, error);
    g_autofree char *foreign = NULL;
    g_autoptr(GHashTable) fenced = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    if (ip == NULL) {
        return FALSE;
    }
    for (;;) {
        look_t look = { .store = store, .options = options, .fenced = fenced, .record = record, .ip = ip };

        if (!watchers_look(&look, run_names, error)) {
            g_free(look.foreign);
            return FALSE;
        }
        g_free(foreign);
        foreign = look.foreign;
        if (foreign == NULL) {
            return TRUE;
        }
        if (g_get_monotonic_time() >= deadline_us) {
            break;
        }
        g_usleep(POLL_MS * 1000);
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                "%s: stop that client or fence its host, then clean up this resource", foreign);
    return FALSE;
}

GPtrArray *image_disks_own_clients(store_t *store, char **run_names, GError **error)
{
    g_autofree char *ip = own_ip(store, error);
    g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func(g_free);

    if (ip == NULL) {
        return NULL;
    }
    for (char **run_name = run_names; *run_name != NULL; run_name++) {
        g_autoptr(GPtrArray) watchers = watchers_of(store, *run_name, error);

        if (watchers == NULL) {
            return NULL;
        }
        for (guint i = 0; i < watchers->len; i++) {
            const store_watcher_t *watcher = watchers->pdata[i];

            if (g_strcmp0(watcher->ip, ip) == 0) {
                g_ptr_array_add(clients, g_strdup(watcher->address));
            }
        }
    }
    return g_steal_pointer(&clients);
}

gboolean image_disks_block_recorded(store_t *store, GPtrArray *clients, const image_record_t *record, GError **error)
{
    for (guint i = 0; i < clients->len; i++) {
        const char *address = clients->pdata[i];

        if (image_record_has_client(record, address)
            && !store_blocklist_add(store, address, DEAD_CLIENT_BLOCK_S, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean image_disks_are_open_here(store_t *store, char **run_names, gboolean *watched, GError **error)
{
    *watched = TRUE;
    for (char **run_name = run_names; *run_name != NULL && *watched; run_name++) {
        char *one_name[] = { *run_name, NULL };
        g_autoptr(GPtrArray) clients = image_disks_own_clients(store, one_name, error);

        if (clients == NULL) {
            return FALSE;
        }
        *watched = clients->len > 0;
    }
    return TRUE;
}

/* Clones ------------------------------------------------------------------*/

static void facts_free(disk_facts_t *facts, guint count)
{
    for (guint i = 0; i < count; i++) {
        g_free((char *) facts[i].run_name);
        g_free(facts[i].cloned_point);
        g_strfreev(facts[i].points);
    }
    g_free(facts);
}

static gboolean facts_of_run_image(store_t *store, const image_disk_t *disk, disk_facts_t *facts, GError **error)
{
    facts->run_name = store_image_name_text(disk->run);
    return store_image_exists(store, disk->run, &facts->exists, error)
           && (!facts->exists
               || (store_clone_state(store, disk->run, &facts->complete, &facts->cloned_point, error)
                   && store_image_is_written(store, disk->run, &facts->written, error)));
}

static gboolean facts_get(store_t *store, GPtrArray *disks, disk_facts_t *facts, GError **error)
{
    for (guint i = 0; i < disks->len; i++) {
        if (!facts_of_run_image(store, disks->pdata[i], &facts[i], error)) {
            return FALSE;
        }
    }
    for (guint i = 0; i < disks->len && image_plan_needs_points(facts, disks->len); i++) {
        const image_disk_t *disk = disks->pdata[i];

        facts[i].points = store_image_points(store, disk->recovery, error);
        if (facts[i].points == NULL) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean step_carry_out(store_t *store, const image_disk_t *disk, disk_step_t step, const char *point,
                               GError **error)
{
    return step == DISK_KEEP
           || ((step == DISK_CLONE || store_image_remove(store, disk->run, error))
               && store_image_clone(store, disk->recovery, point, disk->run, error));
}

static gboolean plan_carry_out(store_t *store, GPtrArray *disks, const disk_facts_t *facts, GError **error)
{
    g_autofree disk_step_t *steps = g_new0(disk_step_t, disks->len);
    const char *point = NULL;

    if (!image_plan_make(facts, disks->len, steps, &point, error)) {
        return FALSE;
    }
    for (guint i = 0; i < disks->len; i++) {
        if (!step_carry_out(store, disks->pdata[i], steps[i], point, error)) {
            return FALSE;
        }
    }
    ocf_log("%s", point != NULL ? point : "keeping the run images that an earlier takeover has written");
    return TRUE;
}

gboolean image_disks_prepare(store_t *store, GPtrArray *disks, GError **error)
{
    disk_facts_t *facts = g_new0(disk_facts_t, disks->len);
    gboolean done = facts_get(store, disks, facts, error) && plan_carry_out(store, disks, facts, error);

    facts_free(facts, disks->len);
    return done;
}

gboolean image_disks_check(store_t *store, GPtrArray *disks, GError **error)
{
    disk_facts_t *facts = g_new0(disk_facts_t, disks->len);
    g_autofree disk_step_t *steps = g_new0(disk_step_t, disks->len);
    const char *point = NULL;
    gboolean good = TRUE;

    for (guint i = 0; i < disks->len && good; i++) {
        const image_disk_t *disk = disks->pdata[i];

        good = facts_of_run_image(store, disk, &facts[i], error);
        facts[i].points = good ? store_image_points(store, disk->recovery, error) : NULL;
        good = facts[i].points != NULL;
    }
    good = good && image_plan_make(facts, disks->len, steps, &point, error);
    facts_free(facts, disks->len);
    return good;
}
