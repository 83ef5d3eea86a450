/* SPDX-License-Identifier: GPL-2.0-or-later */
/* That a server has one claim, in whatever pool the parameters of a start would have it: at a store that is made of tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/error.h"
#include "claim_store.h"
#include "fenced_host/fenced_host.h"
#include "image/image_actions.h"
#include "image/image_claim.h"
#include "image/image_openers.h"
#include "image/qemu_process.h"

static const char *fenced_host;     /* that Pacemaker has fenced */
static const char *known_start;     /* that a record on this host names */
static gboolean host_is_known;      /* in the registry */
static const char *seen_at_target;  /* client that has all images open there */
static pid_t qemu_pid;              /* of the image on this host */
static const char *ended_start;
static gboolean host_is_clean;
static GString *looked;       /* images whose openers were looked at */
static const char *busy_image;
static char *moving_request;  /* by which host1's image was asked to go to host2 */

/* libvirt ---------------------------------------------------------------------*/

static gboolean libvirt_is_silent;
static gboolean libvirt_lists_it;
static gboolean libvirt_has_key;

hypervisor_t *__wrap_hypervisor_open(const char *uri, guint timeout_ms, GError **error);
void __wrap_hypervisor_close(hypervisor_t *hypervisor);
gboolean __wrap_hypervisor_secret_remove(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error);
gboolean __wrap_hypervisor_domain_find(hypervisor_t *hypervisor, const char *uuid, const char *name,
                                       hypervisor_domain_t *domain, guint timeout_ms, GError **error);
void __wrap_hypervisor_domain_clear(hypervisor_domain_t *domain);
gboolean __wrap_hypervisor_secret_exists(hypervisor_t *hypervisor, const char *uuid, gboolean *exists, guint timeout_ms,
                                         GError **error);

hypervisor_t *__wrap_hypervisor_open(const char *uri, guint timeout_ms, GError **error)
{
    static char hypervisor;

    (void) timeout_ms;
    assert_string_equal(uri, HYPERVISOR_URI);
    if (libvirt_is_silent) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "libvirt: no answer");
        return NULL;
    }
    return (hypervisor_t *) &hypervisor;
}

void __wrap_hypervisor_close(hypervisor_t *hypervisor)
{
    (void) hypervisor;
}

gboolean __wrap_hypervisor_secret_remove(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error)
{
    (void) hypervisor;
    (void) timeout_ms;
    (void) error;
    assert_string_equal(uuid, "u");
    libvirt_has_key = FALSE;
    return TRUE;
}

gboolean __wrap_hypervisor_domain_find(hypervisor_t *hypervisor, const char *uuid, const char *name,
                                       hypervisor_domain_t *domain, guint timeout_ms, GError **error)
{
    (void) hypervisor;
    (void) uuid;
    (void) name;
    (void) timeout_ms;
    (void) error;
    *domain = (hypervisor_domain_t) { .found = libvirt_lists_it };
    return TRUE;
}

gboolean __wrap_hypervisor_secret_exists(hypervisor_t *hypervisor, const char *uuid, gboolean *exists, guint timeout_ms,
                                         GError **error)
{
    (void) hypervisor;
    (void) timeout_ms;
    (void) error;
    assert_string_equal(uuid, "u");
    *exists = libvirt_has_key;
    return TRUE;
}

void __wrap_hypervisor_domain_clear(hypervisor_domain_t *domain)
{
    (void) domain;
}

guint image_libvirt_timeout_ms(const ocf_call_t *call)
{
    (void) call;
    return 1000;
}

/* What knows of hosts, and of who has an image open -----------------------------*/

gboolean fenced_host_publish(const char *name, const store_options_t *options, GError **error)
{
    (void) name;
    (void) options;
    (void) error;
    return TRUE;
}

void fenced_host_holder(const store_options_t *options, const char *host, const char *server, char **boot_id, char **ended,
                        gboolean *clean, gboolean *fenced)
{
    (void) options;
    (void) server;
    *boot_id = NULL;
    *ended = g_strdup(ended_start);
    *clean = host_is_clean;
    *fenced = g_strcmp0(host, fenced_host) == 0;
}

void fenced_host_where(const store_options_t *options, const char *host, char ***addresses)
{
    (void) options;
    (void) host;
    *addresses = g_strsplit(host_is_known ? "10.0.2.12:0/0" : "", " ", -1);
}

gboolean qemu_process_find(const char *domain_name, const char *domain_uuid, pid_t *pid, GError **error)
{
    (void) domain_name;
    (void) domain_uuid;
    (void) error;
    *pid = qemu_pid;
    return TRUE;
}

GPtrArray *image_openers_of_host(store_t *store, char **run_names, char **addresses, GError **error)
{
    GPtrArray *clients = seen_at_target != NULL && addresses[0] != NULL ? g_ptr_array_new_with_free_func(g_free) : NULL;

    (void) store;
    (void) run_names;
    (void) error;
    if (clients != NULL) {
        g_ptr_array_add(clients, g_strdup(seen_at_target));
    }
    return clients;
}

gboolean image_openers_wait_free(store_t *store, const store_options_t *options, char **run_names,
                                 const image_record_t *record, guint wait_ms, GError **error)
{
    g_autofree char *names = g_strjoinv(" ", run_names);

    (void) store;
    (void) options;
    (void) record;
    (void) wait_ms;
    g_string_append_printf(looked, "%s ", names);
    if (busy_image != NULL && strstr(names, busy_image) != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY, "%s is open", busy_image);
        return FALSE;
    }
    return TRUE;
}

gboolean image_openers_have_all(store_t *store, char **run_names, gboolean *watched, GError **error)
{
    (void) store;
    (void) run_names;
    (void) error;
    *watched = FALSE;
    return TRUE;
}

GPtrArray *image_openers_own(store_t *store, char **run_names, GError **error)
{
    (void) store;
    (void) run_names;
    (void) error;
    return NULL;
}

gboolean image_record_start_is_known(const char *start_id)
{
    return g_strcmp0(start_id, known_start) == 0;
}

gboolean image_record_save(const image_record_t *record, const char *domain_name, GError **error)
{
    (void) record;
    (void) domain_name;
    (void) error;
    return TRUE;
}

store_options_t image_store_options(const ocf_call_t *call)
{
    (void) call;
    return (store_options_t) { .user = "understudy" };
}

/* -------------------------------------------------------------------------------*/

static int setup(void **state)
{
    (void) state;
    claim_store_init();
    looked = g_string_new(NULL);
    ended_start = NULL;
    host_is_clean = FALSE;
    busy_image = NULL;
    fenced_host = NULL;
    known_start = NULL;
    host_is_known = TRUE;
    seen_at_target = NULL;
    qemu_pid = 0;
    libvirt_is_silent = FALSE;
    libvirt_lists_it = FALSE;
    libvirt_has_key = TRUE;
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    claim_store_clear();
    g_string_free(looked, TRUE);
    g_clear_pointer(&moving_request, g_free);
    return 0;
}

/* A start of db1 on this host whose parameters name this run image; "" or why it may not. */
static char *start_on(const char *node, const char *run_image, const char *start_id)
{
    g_auto(GStrv) run_images = g_strsplit(run_image, " ", -1);
    const ocf_call_t call = { .node = node };
    const image_identity_t identity = { .server = (char *) "db1" };
    image_record_t record = { .run_images = run_images, .start_id = (char *) start_id };
    g_autoptr(GError) error = NULL;
    gboolean taken = image_claim_take(&call, NULL, &identity, &record, 0, &error);

    g_free(record.placed_start_id);
    return g_strdup(taken ? "" : error->message);
}

static void start_is(const char *node, const char *run_image, const char *start_id, const char *outcome)
{
    g_autofree char *why = start_on(node, run_image, start_id);

    if (outcome[0] == '\0' ? why[0] != '\0' : strstr(why, outcome) == NULL) {
        fail_msg("'%s' is not '%s'", why, outcome);
    }
}

/* Host2 has started it with the disks in pool vm; then the parameters were changed. */
static void host2_has_it(void)
{
    start_is("host2", "vm/run-db1-0", "s2", "");
    g_hash_table_insert(claim_store.clients, g_strdup("vm"), g_strdup("s2 all 10.0.2.12:0/7"));
}

static void test_other_parameters(void **state)
{
    (void) state;
    host2_has_it();
    start_is("host1", "fast/run-db1-0", "s1", "db1 is claimed in pool vm by host2: stop it there");
    start_is("host1", "vm/run-db1-0", "s1", "db1 is claimed by host2: stop it there");
    assert_true(g_str_has_prefix(g_hash_table_lookup(claim_store.claims, "vm"), "host2 "));
}

static void test_host_down_and_clean(void **state)
{
    (void) state;
    host2_has_it();
    host_is_clean = TRUE;
    start_is("host1", "fast/run-db1-0", "s1", "");
    assert_non_null(strstr(looked->str, "vm/run-db1-0"));
    assert_non_null(strstr(claim_store.refused->str, "10.0.2.12:0/7"));
    assert_string_equal(g_hash_table_lookup(claim_store.claims, "vm"), "");
    assert_false(g_hash_table_contains(claim_store.places, "s2"));
    assert_true(g_hash_table_contains(claim_store.places, "s1"));
}

/* Who may write under the earlier claim is not known: it stands. */
static void test_clients_unknown(void **state)
{
    (void) state;
    host2_has_it();
    g_hash_table_insert(claim_store.clients, g_strdup("vm"), g_strdup("s2 some 10.0.2.12:0/7"));
    host_is_clean = TRUE;
    start_is("host1", "fast/run-db1-0", "s1", "host2 went while its start was under way, and may write");
    assert_true(g_hash_table_contains(claim_store.places, "s2"));
}

/* A stop that had no time left to say that the claim lies there no more. */
static void test_given_back(void **state)
{
    (void) state;
    host2_has_it();
    g_hash_table_insert(claim_store.claims, g_strdup("vm"), g_strdup(""));
    start_is("host1", "fast/run-db1-0", "s1", "");
    assert_false(g_hash_table_contains(claim_store.places, "s2"));
    assert_true(g_hash_table_contains(claim_store.places, "s1"));
}

static void test_silent_pool(void **state)
{
    (void) state;
    host2_has_it();
    host_is_clean = TRUE;
    claim_store.silent_pool = "vm";
    start_is("host1", "fast/run-db1-0", "s1", "a claim on db1 lies in pool vm: pool vm: no answer");
    assert_true(g_hash_table_contains(claim_store.places, "s2"));
}

/* What a host that is only down and clean runs may go on; one that says that it has ended has. */
static void test_pool_gone(void **state)
{
    (void) state;
    host2_has_it();
    g_hash_table_remove(claim_store.claims, "vm");
    host_is_clean = TRUE;
    start_is("host1", "fast/run-db1-0", "s1", "in pool vm, which is not there any more");
    assert_true(g_hash_table_contains(claim_store.places, "s2"));
    ended_start = "s2";
    start_is("host1", "fast/run-db1-0", "s1", "");
    assert_false(g_hash_table_contains(claim_store.places, "s2"));
}

static void test_unreadable(void **state)
{
    (void) state;
    g_hash_table_insert(claim_store.places, g_strdup("s2"), g_strdup("host2 b2"));
    start_is("host1", "fast/run-db1-0", "s1", "understudy/server/db1/claim/s2");
}

/* Two starts at once, with two pools: not both. */
static void test_at_once(void **state)
{
    (void) state;
    start_is("host1", "fast/run-db1-0", "s1", "");
    start_is("host2", "vm/run-db1-0", "s2", "db1 is claimed in pool fast by host1");
}

/* The claim lies in one pool all the time, another disk of the holder's in another: looked at before they are refused. */
static void test_other_disks(void **state)
{
    (void) state;
    start_is("host2", "vm/run-db1-0 warm/run-db1-1", "s2", "");
    g_hash_table_insert(claim_store.clients, g_strdup("vm"), g_strdup("s2 all 10.0.2.12:0/7"));
    host_is_clean = TRUE;
    busy_image = "warm/run-db1-1";
    start_is("host1", "vm/run-db1-0", "s1", "warm/run-db1-1 is open");
    assert_string_equal(claim_store.refused->str, "");
    assert_true(g_str_has_prefix(g_hash_table_lookup(claim_store.claims, "vm"), "host2 "));
    busy_image = NULL;
    start_is("host1", "vm/run-db1-0", "s1", "");
    assert_false(g_hash_table_contains(claim_store.places, "s2"));
}

/* The source of a migration has given the claim back; the guest has stopped at the target, and its watches have lapsed. */
static void test_free_with_lock_owner(void **state)
{
    (void) state;
    claim_store.lock_owner = "10.0.2.13:0/9";
    start_is("host1", "vm/run-db1-0", "s1", "");
    assert_non_null(strstr(claim_store.refused->str, "10.0.2.13:0/9"));
}

/* An operator has put it out for an hour. */
static void test_free_with_refused_owner(void **state)
{
    (void) state;
    claim_store.lock_owner = "10.0.2.13:0/9";
    claim_store.listed = claim_store.lock_owner;
    start_is("host1", "vm/run-db1-0", "s1", "");
    assert_string_equal(claim_store.refused->str, "");
}

/* Ceph refuses who had the image for an hour, and does not extend that: it counts once he is known to have ended. Of a host that
 * is only cut off he may come back when the hour is over. */
static void test_holder_refused_for_an_hour(void **state)
{
    (void) state;
    host2_has_it();
    claim_store.lock_owner = "10.0.2.12:0/7";
    claim_store.brief = claim_store.lock_owner;
    host_is_clean = TRUE;
    start_is("host1", "vm/run-db1-0", "s1", "10.0.2.12:0/7: for a while only");
    assert_true(g_str_has_prefix(g_hash_table_lookup(claim_store.claims, "vm"), "host2 "));
    fenced_host = "host2";
    start_is("host1", "vm/run-db1-0", "s1", "");
}

/* Its host says that it has ended; who else has the lock there is not of this start, and may only sleep. */
static void test_stranger_refused_for_an_hour(void **state)
{
    (void) state;
    host2_has_it();
    claim_store.lock_owner = "10.0.2.12:0/8";
    claim_store.brief = claim_store.lock_owner;
    ended_start = "s2";
    start_is("host1", "vm/run-db1-0", "s1", "10.0.2.12:0/8: for a while only");
    claim_store.brief = "10.0.2.12:0/7";
    start_is("host1", "vm/run-db1-0", "s1", "");
    assert_string_equal(claim_store.refused->str, "10.0.2.12:0/8 ");
}

/* The same while it still has the image open: nobody is refused, and the claim stays free. */
static void test_free_with_opener(void **state)
{
    (void) state;
    claim_store.lock_owner = "10.0.2.13:0/9";
    busy_image = "vm/run-db1-0";
    start_is("host1", "vm/run-db1-0", "s1", "vm/run-db1-0 is open");
    assert_string_equal(claim_store.refused->str, "");
    assert_string_equal(g_hash_table_lookup(claim_store.claims, "vm"), "");
}

/* Migrations --------------------------------------------------------------------*/

#define SOURCE_CLIENT "10.0.2.11:0/3"
#define TARGET_CLIENT "10.0.2.12:0/7"

static image_record_t moving_record = { .start_id = (char *) "s1" };
static const image_identity_t moving_identity = { .server = (char *) "db1" };

/* By host1, whose image it is; NULL: nothing was noted. */
static char *move_begin(const char *target, const char *outcome)
{
    const ocf_call_t call = { .node = "host1" };
    g_autoptr(GError) error = NULL;
    char *request_id = NULL;
    gboolean begun = image_claim_move_begin(&call, NULL, &moving_identity, &moving_record, target, "u", &request_id, &error);

    assert_int_equal(begun, outcome[0] == '\0');
    assert_true(begun || strstr(error->message, outcome) != NULL);
    return request_id;
}

/* Host1's image has been asked to go to host2. */
static void move_is_begun(void)
{
    static char *run_images[] = { (char *) "vm/run-db1-0", NULL };

    moving_record.run_images = run_images;
    start_is("host1", "vm/run-db1-0", "s1", "");
    g_hash_table_insert(claim_store.clients, g_strdup("vm"), g_strdup("s1 all " SOURCE_CLIENT));
    moving_request = move_begin("host2", "");
}

/* Its source has stopped, and says so; the target's QEMU, which nobody sees, may have written to one disk or none. */
static void test_moving(void **state)
{
    (void) state;
    move_is_begun();
    start_is("host3", "vm/run-db1-0", "s3", "db1 is claimed by host1");
    ended_start = "s1";
    start_is("host3", "vm/run-db1-0", "s3", "host2 may have the guest by a migration that has not ended");
    host_is_clean = TRUE; /* it left the cluster, with its QEMU maybe */
    start_is("host3", "vm/run-db1-0", "s3", "'ceph osd blocklist add 10.0.2.12'");
    assert_string_equal(claim_store.refused->str, "");
    assert_true(g_str_has_prefix(g_hash_table_lookup(claim_store.claims, "vm"), "host1 "));
    fenced_host = "host2";
    start_is("host3", "vm/run-db1-0", "s3", "");
    assert_non_null(strstr(claim_store.refused->str, SOURCE_CLIENT));
}

/* The cluster has forgotten it since; an earlier start's end is none of this one. */
static void test_end_noted(void **state)
{
    (void) state;
    host2_has_it();
    g_hash_table_insert(claim_store.ended, g_strdup("vm"), g_strdup("s0"));
    start_is("host1", "vm/run-db1-0", "s1", "db1 is claimed by host2");
    g_hash_table_insert(claim_store.ended, g_strdup("vm"), g_strdup("s2"));
    start_is("host1", "vm/run-db1-0", "s1", "");
    assert_non_null(strstr(claim_store.refused->str, "10.0.2.12:0/7"));
}

/* That the source is dead says nothing of the target. */
static void test_moving_source_fenced(void **state)
{
    (void) state;
    move_is_begun();
    host_is_clean = TRUE;
    fenced_host = "host1";
    start_is("host3", "vm/run-db1-0", "s3", "host2 may have the guest");
}

static void test_moving_to_unknown_host(void **state)
{
    (void) state;
    host_is_known = FALSE;
    move_is_begun();
    ended_start = "s1";
    start_is("host3", "vm/run-db1-0", "s3", "'stonith_admin --fence host2'");
}

/* The target itself sees whether it has the guest. */
static void test_moving_start_at_target(void **state)
{
    (void) state;
    move_is_begun();
    ended_start = "s1";
    qemu_pid = 42;
    start_is("host2", "vm/run-db1-0", "s2", "host2 may have the guest");
    qemu_pid = 0;
    start_is("host2", "vm/run-db1-0", "s2", "");
}

/* A source that was fenced through the store may send its guest yet: /proc alone does not tell that it does not come. */
static void test_moving_start_at_target_source_fenced(void **state)
{
    (void) state;
    move_is_begun();
    host_is_clean = TRUE;
    fenced_host = "host1";
    libvirt_is_silent = TRUE;
    start_is("host2", "vm/run-db1-0", "s2", "host2 may have the guest");
    assert_true(libvirt_has_key);
    libvirt_is_silent = FALSE;
    libvirt_lists_it = TRUE;
    start_is("host2", "vm/run-db1-0", "s2", "host2 may have the guest");
    libvirt_lists_it = FALSE;
    libvirt_has_key = TRUE;
    start_is("host2", "vm/run-db1-0", "s2", "");
    assert_false(libvirt_has_key);
}

static void test_moved(void **state)
{
    const image_identity_t identity = { .server = (char *) "db1" };

    (void) state;
    move_is_begun();
    image_claim_move_arrived(NULL, &identity, &moving_record); /* it has not opened all yet */
    ended_start = "s1";
    start_is("host3", "vm/run-db1-0", "s3", "host2 may have the guest");
    seen_at_target = TARGET_CLIENT;
    image_claim_move_arrived(NULL, &identity, &moving_record);
    start_is("host3", "vm/run-db1-0", "s3", "");
    assert_string_equal(claim_store.refused->str, SOURCE_CLIENT " " TARGET_CLIENT " ");
}

static void test_moved_and_refused_for_an_hour(void **state)
{
    (void) state;
    move_is_begun();
    seen_at_target = TARGET_CLIENT;
    image_claim_move_arrived(NULL, &moving_identity, &moving_record);
    ended_start = "s1";
    claim_store.brief = TARGET_CLIENT;
    start_is("host3", "vm/run-db1-0", "s3", TARGET_CLIENT ": for a while only");
    fenced_host = "host2";
    start_is("host3", "vm/run-db1-0", "s3", "");
}

static void test_move_failed(void **state)
{
    (void) state;
    move_is_begun();
    image_claim_move_failed(NULL, &moving_identity, &moving_record, moving_request);
    assert_string_equal(g_hash_table_lookup(claim_store.clients, "vm"), "s1 all " SOURCE_CLIENT);
}

/* The first was not answered, and may be carried out yet. */
static void test_second_move(void **state)
{
    static const char *const targets[] = { "host3", "host2" };

    (void) state;
    move_is_begun();
    for (gsize i = 0; i < G_N_ELEMENTS(targets); i++) {
        g_autofree char *request_id = move_begin(targets[i], "an earlier migration of db1 to host2 may not have ended");

        assert_null(request_id);
        image_claim_move_failed(NULL, &moving_identity, &moving_record, request_id);
        image_claim_move_failed(NULL, &moving_identity, &moving_record, "another");
    }
    ended_start = "s1";
    start_is("host3", "vm/run-db1-0", "s3", "host2 may have the guest by a migration that has not ended");
}

/* The target's stop looks before the key comes there: its word holds, or the request, never both. */
static void test_move_settled_at_target(void **state)
{
    static const char *const run_images[] = { "vm/run-db1-0", NULL };
    image_arrival_t early = { 0 };
    image_arrival_t late = { 0 };
    g_autoptr(GError) error = NULL;

    (void) state;
    move_is_begun();
    assert_true(image_arrival_find("host2", NULL, "db1", run_images, &early, NULL));
    assert_true(image_claim_move_confirm(NULL, &moving_identity, &moving_record, &moving_request, NULL));
    assert_false(image_arrival_end(NULL, "db1", &early, NULL));
    assert_true(image_arrival_find("host2", NULL, "db1", run_images, &late, NULL));
    assert_string_equal(late.secret_uuid, "u");
    assert_true(image_arrival_end(NULL, "db1", &late, NULL));
    image_arrival_clear(&early);
    image_arrival_clear(&late);
    assert_false(image_claim_move_confirm(NULL, &moving_identity, &moving_record, &moving_request, &error));
    assert_int_equal(error->code, UNDERSTUDY_ERROR_BUSY);
    g_free(moving_request);
    moving_request = move_begin("host3", ""); /* it is settled */
}

static char *take_over_on(const char *node, const char *from_host)
{
    static char *run_images[] = { (char *) "vm/run-db1-0", NULL };
    const image_identity_t identity = { .server = (char *) "db1" };
    const ocf_call_t call = { .node = node };
    image_record_t record = { .run_images = run_images, .start_id = (char *) "s2" };
    g_autoptr(GError) error = NULL;
    gboolean taken = image_claim_take_over(&call, NULL, &identity, &record, from_host, &error);

    g_free(record.placed_start_id);
    return g_strdup(taken ? "" : error->message);
}

static void take_over_is(const char *node, const char *from_host, const char *outcome)
{
    g_autofree char *why = take_over_on(node, from_host);

    assert_non_null(strstr(why, outcome));
    assert_int_equal(why[0] == '\0', outcome[0] == '\0');
}

/* The guest runs there, and nobody has called migrate_from. */
static void test_take_over(void **state)
{
    (void) state;
    move_is_begun();
    take_over_is("host3", NULL, "db1 runs here, and is claimed by host1");
    take_over_is("host2", NULL, "");
    assert_true(g_str_has_prefix(g_hash_table_lookup(claim_store.claims, "vm"), "host2 "));
    assert_true(g_str_has_prefix(g_hash_table_lookup(claim_store.clients, "vm"), "s2 some "));
    assert_null(strstr(g_hash_table_lookup(claim_store.clients, "vm"), " to "));
}

/* Its record is lost; or it is another resource's. */
static void test_take_over_own(void **state)
{
    (void) state;
    start_is("host1", "vm/run-db1-0", "s1", "");
    known_start = "s1";
    take_over_is("host1", NULL, "db1 runs here, and is claimed by host1");
    known_start = NULL;
    take_over_is("host1", NULL, "");
}

static void test_arrival(void **state)
{
    static const char *const run_images[] = { "vm/run-db1-0", NULL };
    image_arrival_t arrival = { 0 };

    (void) state;
    move_is_begun();
    assert_true(image_arrival_find("host3", NULL, "db1", run_images, &arrival, NULL));
    assert_null(arrival.holder);
    image_arrival_clear(&arrival);
    assert_true(image_arrival_find("host2", NULL, "db1", run_images, &arrival, NULL));
    assert_string_equal(arrival.secret_uuid, "u");
    host_is_clean = TRUE; /* and may go on */
    assert_false(image_arrival_source_has_ended(NULL, "db1", &arrival));
    fenced_host = "host1"; /* through the store, maybe */
    assert_false(image_arrival_source_has_ended(NULL, "db1", &arrival));
    fenced_host = NULL;
    ended_start = "s1";
    assert_true(image_arrival_source_has_ended(NULL, "db1", &arrival));
    ended_start = NULL;
    image_arrival_clear(&arrival);
    g_hash_table_insert(claim_store.ended, g_strdup("vm"), g_strdup("s1"));
    assert_true(image_arrival_find("host2", NULL, "db1", run_images, &arrival, NULL));
    assert_true(image_arrival_source_has_ended(NULL, "db1", &arrival));
    ended_start = NULL;
    assert_true(image_arrival_end(NULL, "db1", &arrival, NULL));
    image_arrival_clear(&arrival);
    assert_string_equal(g_hash_table_lookup(claim_store.clients, "vm"), "s1 all " SOURCE_CLIENT);
    ended_start = "s1";
    start_is("host3", "vm/run-db1-0", "s3", "");
}

static guint settle_timeout_ms = 1000;

#define KEEPS_TARGET(node) assert_true(settle_on(node)[0] == '-')

/* "-": something is left; else whom the note names now, or "". */
static const char *settle_on(const char *node)
{
    const store_options_t options = { .user = "understudy" };
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);
    const char *to = NULL;

    g_hash_table_insert(ids, (gpointer) "db1", (gpointer) "standby-db1");
    g_hash_table_insert(values, (gpointer) "db1/claim/s1", g_hash_table_lookup(claim_store.places, "s1"));
    g_hash_table_insert(values, (gpointer) "db1/probes-seen", (gpointer) "x");
    if (!image_arrivals_settle(node, NULL, &options, values, ids, settle_timeout_ms)) {
        return "-";
    }
    to = strstr(g_hash_table_lookup(claim_store.clients, "vm"), " to ");
    return to != NULL ? to : "";
}

/* The target has booted, and joins: it has no key. */
static void test_target_booted(void **state)
{
    (void) state;
    move_is_begun();
    assert_true(g_str_has_prefix(settle_on("host3"), " to host2 "));
    KEEPS_TARGET("host2"); /* its key is here: it is under way */
    libvirt_has_key = FALSE;
    libvirt_lists_it = TRUE;
    KEEPS_TARGET("host2");
    libvirt_lists_it = FALSE;
    qemu_pid = 42; /* that libvirt has lost */
    KEEPS_TARGET("host2");
    qemu_pid = 0;
    libvirt_is_silent = TRUE;
    KEEPS_TARGET("host2");
    libvirt_is_silent = FALSE;
    claim_store.silent_pool = "vm";
    KEEPS_TARGET("host2");
    claim_store.silent_pool = NULL;
    settle_timeout_ms = 0; /* the next time */
    KEEPS_TARGET("host2");
    settle_timeout_ms = 1000;
    host_is_clean = TRUE;
    fenced_host = "host1";
    assert_string_equal(settle_on("host2"), "");
    fenced_host = NULL;
    start_is("host3", "vm/run-db1-0", "s3", "");
}

static void test_target_of_gone_pool(void **state)
{
    (void) state;
    move_is_begun();
    g_hash_table_remove(claim_store.claims, "vm");
    assert_string_not_equal(settle_on("host2"), "-");
}

/* Without a key nothing of libvirt tells that it does not come; that its source has ended does. */
static void test_target_needs_no_key(void **state)
{
    (void) state;
    move_is_begun();
    g_hash_table_insert(claim_store.clients, g_strdup("vm"), g_strdup("s1 all " SOURCE_CLIENT " to host2 i - some 10.0.2.12:0/0"));
    libvirt_has_key = FALSE;
    KEEPS_TARGET("host2");
    g_hash_table_insert(claim_store.ended, g_strdup("vm"), g_strdup("s1"));
    assert_string_equal(settle_on("host2"), "");
}

/* Neither the place nor the others were learned: that is no proof that there is no other. */
static void test_monitors_silent(void **state)
{
    (void) state;
    host2_has_it();
    claim_store.monitors_are_silent = TRUE;
    start_is("host1", "fast/run-db1-0", "s1", "the monitors: no answer");
}

/* A claim that an image took before claims had places: its monitor says where it lies. */
static void test_older_claim(void **state)
{
    char *run_images[] = { (char *) "vm/run-db1-0", NULL };
    const ocf_call_t call = { .node = "host2" };
    const image_identity_t identity = { .server = (char *) "db1" };
    image_record_t record = { .run_images = run_images, .start_id = (char *) "s2" };
    g_autoptr(GError) error = NULL;

    (void) state;
    host2_has_it();
    g_hash_table_remove_all(claim_store.places);
    start_is("host1", "vm/run-db1-0", "s1", "db1 is claimed by host2");
    assert_true(image_claim_take_over(&call, NULL, &identity, &record, NULL, &error));
    assert_string_equal(record.placed_start_id, "s2");
    /* Once; then the monitors have nothing to do with it. */
    claim_store.monitors_are_silent = TRUE;
    assert_true(image_claim_take_over(&call, NULL, &identity, &record, NULL, &error));
    claim_store.monitors_are_silent = FALSE;
    start_is("host1", "fast/run-db1-0", "s1", "db1 is claimed in pool vm by host2");
    /* An operator has taken it away while it ran: what is claimed anew has a place anew. */
    g_hash_table_insert(claim_store.claims, g_strdup("vm"), g_strdup(""));
    g_hash_table_remove_all(claim_store.places);
    assert_true(image_claim_take_over(&call, NULL, &identity, &record, NULL, &error));
    assert_true(g_hash_table_contains(claim_store.places, "s2"));
    g_free(record.placed_start_id);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_other_parameters), TEST(test_host_down_and_clean), TEST(test_clients_unknown), TEST(test_given_back),
        TEST(test_silent_pool),      TEST(test_pool_gone),           TEST(test_unreadable),      TEST(test_at_once),
        TEST(test_older_claim),      TEST(test_other_disks),         TEST(test_monitors_silent),
        TEST(test_free_with_lock_owner), TEST(test_free_with_refused_owner), TEST(test_free_with_opener), TEST(test_moving),
        TEST(test_holder_refused_for_an_hour), TEST(test_stranger_refused_for_an_hour),
        TEST(test_moving_source_fenced), TEST(test_end_noted),
        TEST(test_moving_to_unknown_host), TEST(test_moving_start_at_target),
        TEST(test_moving_start_at_target_source_fenced), TEST(test_moved), TEST(test_moved_and_refused_for_an_hour),
        TEST(test_move_failed),
        TEST(test_second_move), TEST(test_move_settled_at_target),
        TEST(test_target_booted), TEST(test_target_of_gone_pool), TEST(test_target_needs_no_key), TEST(test_take_over), TEST(test_take_over_own), TEST(test_arrival),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
