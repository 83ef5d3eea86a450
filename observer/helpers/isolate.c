/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isolate: puts a server out of the way, for the observer daemon. Blocks, and may be repeated at will. With --look it does
 * nothing to it, and only tells whether a fencing is under way. Prints one sentence; the exit status is an
 * isolation_result_t. With --fencing it prints of which servers a fencing is under way. With --agent it only tells a fence agent by its metadata; the exit status is a fence_agent_kind_t.
 */
#include <crm/common/results.h>
#include <crm/stonith-ng.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "cluster/cib.h"
#include "cluster/fence_devices.h"
#include "helpers/isolate_judge.h"
#include "helpers/server_clients.h"
#include "store/registry.h"
#include "store/store.h"
#include "store/store_address.h"

#define STORE_TIMEOUT_MAX_MS   10000
/* How long an attempt waits to see who uses the store: more than a healthy store takes on a host that is busy. What was
 * not seen must be taken for a client that was hit, and a server that is well again would be powered off for it. */
#define LOOK_MAX_MS            3000
#define LOOK_SHARE             4      /* of the deadline */
#define FENCER_QUERY_TIMEOUT_S 5
#define METADATA_TIMEOUT_S     10

static char *option_server;
static char *option_store_address;
static char *option_disks;
static char *option_power_agents;
static char *option_agent;
static gboolean option_look;
static gboolean option_fencing;
static char *option_ceph_conf;
static char *option_ceph_user;
static gint64 option_timeout_ms = 60000;

static const GOptionEntry options[] = {
    { "server", 0, 0, G_OPTION_ARG_STRING, &option_server, "The server, as the fencing device names it", "NAME" },
    { "store-address", 0, 0, G_OPTION_ARG_STRING, &option_store_address, "Its address on the storage network", "IP" },
    { "disks", 0, 0, G_OPTION_ARG_STRING, &option_disks, "The server's images, whose pools are looked at", "POOL/IMAGE,..." },
    { "ceph-conf", 0, 0, G_OPTION_ARG_FILENAME, &option_ceph_conf, "Ceph configuration file", "PATH" },
    { "ceph-user", 0, 0, G_OPTION_ARG_STRING, &option_ceph_user, "Cephx user, without \"client.\"", "NAME" },
    { "power-agents", 0, 0, G_OPTION_ARG_STRING, &option_power_agents, "Fence agents that switch the power", "AGENT ..." },
    { "look", 0, 0, G_OPTION_ARG_NONE, &option_look, "Only tell whether a fencing of the server is under way", NULL },
    { "fencing", 0, 0, G_OPTION_ARG_NONE, &option_fencing, "Only print of whom a fencing is under way", NULL },
    { "agent", 0, 0, G_OPTION_ARG_STRING, &option_agent, "Only tell what kind of fence agent this is", "AGENT" },
    { "timeout-ms", 0, 0, G_OPTION_ARG_INT64, &option_timeout_ms, "Deadline of the whole attempt", "MS" },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

static gint64 begun_us;

static guint remaining_ms(void)
{
    gint64 used_ms = (g_get_monotonic_time() - begun_us) / 1000;

    return (guint) MAX(1000, option_timeout_ms - used_ms);
}

/* Storage: the OSD map refuses all that comes from its address -------------------*/

/* What is put there is recorded before; an operator's own entry that lasts is left to him. */
static server_entry_t *entry_record(store_t *store, const store_map_t *map)
{
    const server_clients_query_t query = { .store = store, .map = map, .server = option_server,
                                           .address = option_store_address, .disks = option_disks,
                                           .wait_ms = (guint) MIN(option_timeout_ms / LOOK_SHARE, LOOK_MAX_MS) };
    g_autofree char *whole = store_address_blocklist_text(option_store_address, NULL);
    g_autoptr(server_entry_t) earlier = NULL;
    server_entry_t *entry = NULL;

    (void) server_entry_read(store, option_server, option_store_address, &earlier, NULL);
    entry = server_clients_record(&query, earlier);
    if (whole != NULL && store_map_entry_lasts(map, whole, STORE_CLIENT_BLOCK_S)) {
        return entry;
    }
    if (!server_entry_write(store, entry, NULL)) {
        entry->is_known = FALSE; /* to keep it out matters more: status names an address that stays */
    }
    return entry;
}

/* The answer may be lost, and the entry come all the same: the map tells, if it can be read. One that ends soon keeps
 * nobody out, and has hit whoever it has hit. */
static store_way_t failure_judge(store_t *store, const GError *error)
{
    g_autofree char *whole = store_address_blocklist_text(option_store_address, NULL);
    g_autoptr(store_map_t) map = store_map_ask(store, NULL);

    if (map != NULL && whole != NULL && store_map_entry_lasts(map, whole, STORE_CLIENT_BLOCK_S)) {
        return STORE_CLOSED_USED;
    }
    return map == NULL || whole == NULL || g_hash_table_contains(map->blocklist, whole)
                   || g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT)
               ? STORE_OPEN_MAYBE
               : STORE_OPEN;
}

/* Each client too, so that the address can come off again and they stay out. */
static store_way_t entries_add(store_t *store, GError **error)
{
    g_autoptr(server_entry_t) entry = NULL;
    g_autoptr(store_map_t) map = NULL;

    if (!server_entry_address_ask(store, option_store_address, &map, error)) {
        return failure_judge(store, *error); /* an earlier attempt may have put it there */
    }
    entry = entry_record(store, map);
    if (!server_entry_put(store, map, entry, error)) {
        return failure_judge(store, *error);
    }
    return server_entry_is_idle(entry) ? STORE_CLOSED_IDLE : STORE_CLOSED_USED;
}

static store_way_t close_store(char **sentence)
{
    store_options_t store_options = { .conf = option_ceph_conf, .user = option_ceph_user,
                                      .timeout_ms = MIN((guint) option_timeout_ms / 3, STORE_TIMEOUT_MAX_MS) };
    g_autoptr(GError) error = NULL;
    store_t *store = NULL;
    store_way_t way = STORE_OPEN; /* nothing was asked of it */

    if (option_store_address == NULL) {
        *sentence = g_strdup("it has no store_address");
        return STORE_NO_ADDRESS;
    }
    store = store_open(&store_options, &error);
    if (store != NULL) {
        way = entries_add(store, &error); /* not closed: the look may still use it */
    }
    *sentence = way == STORE_CLOSED_IDLE || way == STORE_CLOSED_USED
                    ? g_strdup_printf("%s is on the store's blocklist", option_store_address)
                    : g_strdup_printf("%s could not be put on the store's blocklist: %s", option_store_address,
                                      error->message);
    return way;
}

static gpointer close_store_thread(gpointer sentence)
{
    return GINT_TO_POINTER(close_store(sentence));
}

/* Power: Pacemaker's fencer ------------------------------------------------------*/

/* The fencer allows itself a fifth more than it is given (lib/fencing: TIMEOUT_MULTIPLY_FACTOR). */
static int fencer_timeout_s(void)
{
    return MAX(1, (int) (remaining_ms() * 10 / 12 / 1000) - 1);
}

/* What the daemon has found out before: to ask an agent takes a second or more, which an attempt may not have. */
static fence_agent_kind_t agent_kind(const char *agent, gpointer user_data)
{
    g_auto(GStrv) power_agents = g_strsplit(option_power_agents != NULL ? option_power_agents : "", " ", -1);

    (void) user_data;
    if (fence_agent_is_well_known(agent)) {
        return fence_agent_kind_by_name(agent);
    }
    return g_strv_contains((const char *const *) power_agents, agent) ? FENCE_AGENT_POWER : FENCE_AGENT_UNKNOWN;
}

/* The exit status for --agent. */
static int agent_tell(const char *agent)
{
    stonith_t *fencer = stonith_api_new();
    char *metadata = NULL;
    fence_agent_kind_t kind = FENCE_AGENT_UNKNOWN;

    (void) fencer->cmds->metadata(fencer, st_opt_sync_call, agent, NULL, &metadata, METADATA_TIMEOUT_S);
    kind = fence_agent_kind_by_metadata(agent, metadata);
    free(metadata);
    stonith_api_delete(fencer);
    return (int) kind;
}

static cluster_state_t *cluster_read(GError **error)
{
    cib_connection_t *cib = cib_connection_open("understudy-isolate", error);
    xmlNode *xml = cib != NULL ? cib_connection_query(cib, error) : NULL;
    cluster_state_t *state = xml != NULL ? cluster_state_parse(xml, error) : NULL;

    if (xml != NULL) {
        cib_xml_free(xml);
    }
    if (cib != NULL) {
        cib_connection_close(cib);
    }
    return state;
}

/* The fencer says "done" for any device: one that only cuts it off from a store or a network leaves it serving. */
static power_way_t success_judge(char **sentence)
{
    g_autoptr(GError) error = NULL;
    cluster_state_t *state = cluster_read(&error);
    g_autofree char *leave_on = NULL;
    fence_power_t power = FENCE_POWER_NOT_PROVED;

    if (state != NULL) {
        power = fence_power_of(state, option_server, agent_kind, NULL, &leave_on);
    }
    cluster_state_free(state);
    if (power == FENCE_POWER_PROVED) {
        *sentence = g_strdup("it is powered off");
        return POWER_OFF;
    }
    *sentence = g_strdup_printf("it was fenced, but whether that switched its power off is not known: %s",
                                error != NULL      ? error->message
                                : leave_on != NULL ? leave_on
                                                   : "the CIB has no device for it");
    if (leave_on != NULL) {
        g_autofree char *first = g_steal_pointer(sentence);

        *sentence = g_strconcat(first, " may have done it, and leaves it running; name its targets in pcmk_host_list", NULL);
    }
    return POWER_UNKNOWN;
}

static gboolean is_pending(const stonith_history_t *event)
{
    return event->state != st_done && event->state != st_failed;
}

/* Prints the targets, with blanks between them; the exit status for --fencing. */
static int fencing_tell(void)
{
    stonith_t *fencer = stonith_api_new();
    stonith_history_t *history = NULL;
    int rc = fencer->cmds->connect(fencer, "understudy-isolate", NULL);

    if (rc == pcmk_ok) {
        rc = fencer->cmds->history(fencer, st_opt_sync_call, NULL, &history, FENCER_QUERY_TIMEOUT_S);
        fencer->cmds->disconnect(fencer);
    }
    for (const stonith_history_t *event = history; rc == pcmk_ok && event != NULL; event = event->next) {
        if (is_pending(event)) {
            printf("%s ", event->target);
        }
    }
    printf("%s\n", rc == pcmk_ok ? "" : pcmk_strerror(rc));
    stonith_history_free(history);
    stonith_api_delete(fencer);
    return rc == pcmk_ok ? 0 : 1;
}

/* TRUE only if the fencer says that no fencing of the server is under way. */
static gboolean nothing_is_pending(stonith_t *fencer)
{
    stonith_history_t *history = NULL;
    gboolean any_pending = FALSE;

    if (fencer->cmds->history(fencer, st_opt_sync_call, option_server, &history, FENCER_QUERY_TIMEOUT_S) != pcmk_ok) {
        return FALSE;
    }
    for (const stonith_history_t *event = history; event != NULL; event = event->next) {
        any_pending |= is_pending(event);
    }
    stonith_history_free(history);
    return !any_pending;
}

/* Asked of the whole cluster: which devices this host itself may use says nothing. */
static power_way_t fence(stonith_t *fencer, char **sentence)
{
    /* Tolerance 0: a success from before does not count, it may run again. */
    int rc = fencer->cmds->fence(fencer, st_opt_sync_call, option_server, "off", fencer_timeout_s(), 0);
    gboolean is_over = FALSE;

    if (rc == pcmk_ok) {
        return success_judge(sentence);
    }
    is_over = nothing_is_pending(fencer);
    if (rc == -ENODEV && is_over) { /* else an earlier request may yet be carried out */
        *sentence = g_strdup("no fence device of the cluster can switch it off");
        return POWER_NO_DEVICE;
    }
    *sentence = g_strdup_printf("it could not be powered off: %s; look at the fencing device with "
                                "stonith_admin --history %s", pcmk_strerror(rc), option_server);
    /* A device that was too slow, or lost its connection, may have done it all the same. */
    return is_over ? POWER_ENDED : POWER_UNKNOWN;
}

/* Of a server that is to be let back: nothing is asked of its power switch. */
static power_way_t look(stonith_t *fencer, char **sentence)
{
    if (nothing_is_pending(fencer)) {
        *sentence = g_strdup("no fencing of it is under way");
        return POWER_ENDED;
    }
    *sentence = g_strdup_printf("a fencing of it is under way, or Pacemaker's fencer does not say: look at "
                                "stonith_admin --history %s", option_server);
    return POWER_UNKNOWN;
}

/* One for each host: of two requests by one name the fencer does not end the one whose host has died (Pacemaker,
 * merge_duplicates()). g_free(). */
static char *client_name(void)
{
    return g_strdup_printf("understudy-isolate.%s", g_get_host_name());
}

static power_way_t ask_fencer_now(char **sentence)
{
    stonith_t *fencer = stonith_api_new();
    g_autofree char *name = client_name();
    int rc = fencer->cmds->connect(fencer, name, NULL);
    power_way_t way = POWER_NOT_ASKED;

    if (rc == pcmk_ok) {
        way = option_look ? look(fencer, sentence) : fence(fencer, sentence);
        fencer->cmds->disconnect(fencer);
    } else {
        *sentence = g_strdup_printf("Pacemaker's fencer does not answer on this host: %s", pcmk_strerror(rc));
    }
    stonith_api_delete(fencer);
    return way;
}

/* The fencer's answer to a synchronous call can be a minute late: it is asked in a thread and not waited for longer
 * than the deadline. */
typedef struct {
    GMutex mutex;
    GCond ended;
    gboolean has_ended;
    power_way_t way;
    char *sentence;
} power_t;

static gpointer ask_fencer_thread(gpointer data)
{
    power_t *power = data;
    char *sentence = NULL;
    power_way_t way = ask_fencer_now(&sentence);

    g_mutex_lock(&power->mutex);
    power->way = way;
    power->sentence = sentence;
    power->has_ended = TRUE;
    g_cond_signal(&power->ended);
    g_mutex_unlock(&power->mutex);
    return NULL;
}

static power_way_t ask_fencer(char **sentence)
{
    static power_t power; /* outlives main(): the thread may still be in it */
    gint64 deadline_us = begun_us + option_timeout_ms * 1000;
    power_way_t way = POWER_UNKNOWN; /* the fencer may be at it yet */

    g_thread_unref(g_thread_new("power", ask_fencer_thread, &power));
    g_mutex_lock(&power.mutex);
    while (!power.has_ended && g_cond_wait_until(&power.ended, &power.mutex, deadline_us)) {
        continue;
    }
    if (power.has_ended) {
        way = power.way;
        *sentence = g_strdup(power.sentence);
    } else {
        *sentence = g_strdup_printf("it could not be powered off: the fencer did not answer within %" G_GINT64_FORMAT
                                    " s; look at the fencing device", option_timeout_ms / 1000);
    }
    g_mutex_unlock(&power.mutex);
    return way;
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- put a server out of the way");
    g_autoptr(GError) error = NULL;
    g_autofree char *power_sentence = NULL;
    char *store_sentence = NULL;
    GThread *thread = NULL;
    power_way_t power = POWER_UNKNOWN;
    store_way_t store = STORE_OPEN_MAYBE;

    /* Not longer than the daemon: its successor begins anew. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    begun_us = g_get_monotonic_time();
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)
        || (option_server == NULL && option_agent == NULL && !option_fencing) || option_timeout_ms < 1000) {
        printf("%s\n", error != NULL ? error->message : "give --server and a --timeout-ms of at least 1000");
        return 64; /* EX_USAGE */
    }
    if (option_fencing) {
        return fencing_tell();
    }
    if (option_agent != NULL) {
        return agent_tell(option_agent);
    }
    if (option_look) {
        power = ask_fencer(&power_sentence);
        printf("%s\n", power_sentence);
        fflush(stdout);
        _exit((int) isolation_judge(power == POWER_ENDED ? power : POWER_UNKNOWN, STORE_OPEN));
    }
    /* Both at once: the power switch alone may take seconds. */
    thread = g_thread_new("store", close_store_thread, &store_sentence);
    power = ask_fencer(&power_sentence);
    store = (store_way_t) GPOINTER_TO_INT(g_thread_join(thread));
    printf("%s; %s\n", power_sentence, store_sentence);
    fflush(stdout);
    _exit((int) isolation_judge(power, store)); /* librados' threads need not be waited for */
}
