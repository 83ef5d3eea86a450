/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/image_openers.h"

#include <string.h>

#include "base/error.h"
#include "fenced_host/fenced_host.h"
#include "image/kernel_mapping.h"
#include "image/qemu_process.h"
#include "ocf.h"
#include "store/store_address.h"

#define POLL_MS 100
/* Looks, each after entries that the one before has made. */
#define ROUNDS_MAX 5U

typedef struct look {
    store_t *store;
    const store_options_t *options; /* NULL: other hosts' clients are not looked at */
    GHashTable *fenced;             /* char* IP -> char* name of the fenced host that has it, "" if none: asked once */
    GPtrArray *qemus;               /* qemu_shown_t*; NULL: not asked yet */
    const image_record_t *record;   /* or NULL */
    const char *ip;                 /* this host's */
    gboolean mappings_stay;         /* what the kernel has mapped is in nobody's way */
    char *in_the_way;               /* first client that is, as a sentence */
    guint ended_count;              /* clients that this look has put on the blocklist */
} look_t;

static char *own_ip(store_t *store, GError **error)
{
    g_autofree char *address = store_own_address(store, error);

    return address != NULL ? store_address_ip(address) : NULL;
}

static gboolean is_own(const store_opener_t *opener, const char *ip, const image_record_t *record)
{
    return g_strcmp0(opener->ip, ip) == 0 || (record != NULL && image_record_has_client(record, opener->address));
}

static gboolean qemu_has(look_t *look, const char *run_name, pid_t *pid, GError **error)
{
    const char *slash = strrchr(run_name, '/');

    *pid = 0;
    if (look->qemus == NULL) {
        look->qemus = qemu_process_list(error);
    }
    for (guint i = 0; look->qemus != NULL && i < look->qemus->len && *pid == 0; i++) {
        const qemu_shown_t *shown = look->qemus->pdata[i];

        *pid = qemu_shown_has_image(shown, slash != NULL ? slash + 1 : run_name) ? shown->pid : 0;
    }
    return look->qemus != NULL;
}

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

static gboolean client_end(look_t *look, const store_opener_t *opener, const char *who, GError **error)
{
    ocf_log("%s is still open at %s, %s: blocklisting it", opener->image, opener->address, who);
    look->ended_count++;
    return store_blocklist_add(look->store, opener->address, STORE_CLIENT_BLOCK_S, error);
}

/* The kernel has one client for all that it has mapped and mounted: an entry for it would end all of that. */
static void mapping_say(look_t *look, const store_opener_t *opener, const char *device)
{
    g_autofree char *text = g_strdup_printf("%s is open here as %s, at %s: end that ('rbd unmap %s')", opener->image, device,
                                            opener->address, device);

    if (look->mappings_stay) {
        ocf_log("%s", text);
    } else if (look->in_the_way == NULL) {
        look->in_the_way = g_steal_pointer(&text);
    }
}

static gboolean process_look(look_t *look, const store_opener_t *opener, GError **error)
{
    g_autofree char *device = NULL;

    if (!kernel_mapping_find(KERNEL_MAPPING_DIR, opener->image, opener->address, &device, error)) {
        return FALSE;
    }
    if (device != NULL) {
        mapping_say(look, opener, device);
        return TRUE;
    }
    return client_end(look, opener, "a client of this host, where no QEMU has it", error);
}

static gboolean own_look(look_t *look, const store_opener_t *opener, GError **error)
{
    pid_t pid = 0;

    if (!qemu_has(look, opener->image, &pid, error)) {
        return FALSE;
    }
    if (pid == 0) {
        return process_look(look, opener, error);
    }
    if (look->in_the_way == NULL) {
        look->in_the_way = g_strdup_printf("%s is open here in QEMU (pid %d): end that", opener->image, (int) pid);
    }
    return TRUE;
}

static gboolean foreign_look(look_t *look, const store_opener_t *opener, GError **error)
{
    const char *host = opener->ip != NULL ? fenced_host_of(look, opener->ip) : NULL;

    if (host != NULL) {
        g_autofree char *who = g_strdup_printf("a client of %s, which was fenced", host);

        return client_end(look, opener, who, error);
    }
    if (look->in_the_way == NULL) {
        look->in_the_way = g_strdup_printf("%s is open at %s: end it ('ceph osd blocklist add %s %d')", opener->image,
                                           opener->address, opener->address, STORE_CLIENT_BLOCK_S);
    }
    return TRUE;
}

static gboolean opener_look(look_t *look, const store_opener_t *opener, GError **error)
{
    if (opener->refused) {
        return TRUE;
    }
    if (is_own(opener, look->ip, look->record)) {
        return own_look(look, opener, error);
    }
    return look->options == NULL || foreign_look(look, opener, error);
}

/* One look; *in_the_way is NULL if nobody is, and freed by the caller. */
static gboolean look_once(look_t *look, char **run_names, char **in_the_way, GError **error)
{
    g_autoptr(GPtrArray) openers = store_image_openers(look->store, (const char *const *) run_names, error);
    gboolean good = openers != NULL;

    look->in_the_way = NULL;
    look->ended_count = 0;
    for (guint i = 0; good && i < openers->len; i++) {
        good = opener_look(look, openers->pdata[i], error);
    }
    g_clear_pointer(&look->qemus, g_ptr_array_unref);
    g_free(*in_the_way);
    *in_the_way = look->in_the_way;
    return good;
}

/* After a look that has ended somebody there is another one, which finds that the store refuses him. */
static gboolean look_until_refused(look_t *look, char **run_names, char **in_the_way, GError **error)
{
    for (guint i = 0; i < ROUNDS_MAX; i++) {
        if (!look_once(look, run_names, in_the_way, error)) {
            return FALSE;
        }
        if (look->ended_count == 0) {
            return TRUE;
        }
    }
    g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                        "clients of ended processes are on Ceph's blocklist, and its OSD map does not refuse them");
    return FALSE;
}

gboolean image_openers_wait_free(store_t *store, const store_options_t *options, char **run_names,
                                 const image_record_t *record, guint wait_ms, GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + wait_ms * 1000LL;
    g_autofree char *ip = own_ip(store, error);
    g_autofree char *in_the_way = NULL;
    g_autoptr(GHashTable) fenced = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    look_t look = { .store = store, .options = options, .fenced = fenced, .record = record, .ip = ip };
    gboolean late = FALSE;

    if (ip == NULL) {
        return FALSE;
    }
    while (!late) {
        late = g_get_monotonic_time() >= deadline_us;
        if (!look_until_refused(&look, run_names, &in_the_way, error)) {
            return FALSE;
        }
        if (in_the_way == NULL) {
            return TRUE;
        }
        if (!late) {
            g_usleep(POLL_MS * 1000);
        }
    }
    g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, in_the_way);
    return FALSE;
}

gboolean image_openers_end_own(store_t *store, char **run_names, const image_record_t *record, GError **error)
{
    g_autofree char *ip = own_ip(store, error);
    g_autofree char *in_the_way = NULL;
    look_t look = { .store = store, .record = record, .ip = ip, .mappings_stay = TRUE };

    if (ip == NULL || !look_until_refused(&look, run_names, &in_the_way, error)) {
        return FALSE;
    }
    if (in_the_way != NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, in_the_way);
        return FALSE;
    }
    return TRUE;
}

GPtrArray *image_openers_own(store_t *store, char **run_names, GError **error)
{
    g_autofree char *ip = own_ip(store, error);
    g_autoptr(GPtrArray) openers = ip != NULL ? store_image_openers(store, (const char *const *) run_names, error) : NULL;
    GPtrArray *clients = openers != NULL ? g_ptr_array_new_with_free_func(g_free) : NULL;

    for (guint i = 0; openers != NULL && i < openers->len; i++) {
        const store_opener_t *opener = openers->pdata[i];

        if (is_own(opener, ip, NULL) && !opener->refused) {
            g_ptr_array_add(clients, g_strdup(opener->address));
        }
    }
    return clients;
}

gboolean image_openers_elsewhere(store_t *store, char **run_names, const image_record_t *record, char **address,
                                 GError **error)
{
    g_autofree char *ip = own_ip(store, error);
    g_autoptr(GPtrArray) openers = ip != NULL ? store_image_openers(store, (const char *const *) run_names, error) : NULL;

    *address = NULL;
    for (guint i = 0; openers != NULL && i < openers->len && *address == NULL; i++) {
        const store_opener_t *opener = openers->pdata[i];

        *address = !opener->refused && !is_own(opener, ip, record) ? g_strdup(opener->address) : NULL;
    }
    return openers != NULL;
}

static gboolean is_of_host(const store_opener_t *opener, char **addresses)
{
    for (; *addresses != NULL && !opener->refused; addresses++) {
        g_autofree char *ip = store_address_ip(*addresses);

        if (ip != NULL && g_strcmp0(opener->ip, ip) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

GPtrArray *image_openers_of_host(store_t *store, char **run_names, char **addresses, GError **error)
{
    g_autoptr(GPtrArray) openers = store_image_openers(store, (const char *const *) run_names, error);
    g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) images = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; openers != NULL && i < openers->len; i++) {
        const store_opener_t *opener = openers->pdata[i];

        if (is_of_host(opener, addresses)) {
            g_ptr_array_add(clients, g_strdup(opener->address));
            g_hash_table_add(images, opener->image);
        }
    }
    for (char **run_name = run_names; *run_name != NULL; run_name++) {
        if (openers == NULL || !g_hash_table_contains(images, *run_name)) {
            return NULL;
        }
    }
    return g_steal_pointer(&clients);
}

static gboolean has_opener(const GPtrArray *openers, const char *run_name, const char *ip)
{
    for (guint i = 0; i < openers->len; i++) {
        const store_opener_t *opener = openers->pdata[i];

        if (strcmp(opener->image, run_name) == 0 && is_own(opener, ip, NULL) && !opener->refused) {
            return TRUE;
        }
    }
    return FALSE;
}

gboolean image_openers_have_all(store_t *store, char **run_names, gboolean *watched, GError **error)
{
    g_autofree char *ip = own_ip(store, error);
    g_autoptr(GPtrArray) openers = ip != NULL ? store_image_openers(store, (const char *const *) run_names, error) : NULL;

    *watched = openers != NULL;
    for (char **run_name = run_names; *run_name != NULL && *watched; run_name++) {
        *watched = has_opener(openers, *run_name, ip);
    }
    return openers != NULL;
}

/* The first that somebody has locked by hand, as a sentence; NULL without an error if there is none. */
static char *locked_image(store_t *store, char **run_names, GError **error)
{
    for (char **run_name = run_names; *run_name != NULL; run_name++) {
        store_image_name_t *name = store_image_name_parse(*run_name, error);
        g_autofree char *command = NULL;
        gboolean known = name != NULL && store_image_foreign_lock(store, name, &command, error);

        store_image_name_free(name);
        if (!known) {
            return NULL;
        }
        if (command != NULL) {
            return g_strdup_printf("%s is locked by hand, nothing can write to it: '%s'", *run_name, command);
        }
    }
    return NULL;
}

char *image_openers_full_pool(store_t *store, char **run_names, GError **error)
{
    g_autoptr(GHashTable) full_pools = store_full_pools(store, error);

    for (char **run_name = run_names; full_pools != NULL && *run_name != NULL; run_name++) {
        g_autofree char *pool = g_strndup(*run_name, strcspn(*run_name, "/"));
        const char *reason = g_hash_table_lookup(full_pools, pool);

        if (reason != NULL) {
            return g_strdup_printf("pool %s is full (%s), so that writes stall: make room", pool, reason);
        }
    }
    return NULL;
}

gboolean image_openers_check_locks(store_t *store, char **run_names, GError **error)
{
    GError *look_error = NULL;
    g_autofree char *locked = locked_image(store, run_names, &look_error);

    if (look_error != NULL) {
        g_propagate_error(error, look_error);
        return FALSE;
    }
    if (locked != NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, locked);
    }
    return locked == NULL;
}

char *image_openers_write_obstacle(store_t *store, char **run_names, GError **error)
{
    GError *look_error = NULL;
    char *obstacle = locked_image(store, run_names, &look_error);

    if (obstacle == NULL && look_error == NULL) {
        obstacle = image_openers_full_pool(store, run_names, &look_error);
    }
    if (look_error != NULL) {
        g_propagate_error(error, look_error);
    }
    return obstacle;
}
