/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "upkeep.h"

#include <string.h>

#include "base/program.h"

/* A missing entry of a failed server is put back so soon. */
#define INTERVAL_S        10
#define HELPER_TIMEOUT_MS 30000

typedef struct {
    char *address;       /* NULL: it has none now, and may have had one */
    char *disks;
    gboolean must_lift;  /* it is healthy, and its entry has not been seen to yet */
    gboolean is_off;     /* to be noted in its record */
} entry_t;

struct upkeep {
    char *helper;
    char *ceph_conf;
    char *ceph_user;
    const upkeep_ops_t *ops;
    gpointer user_data;
    GHashTable *entries;   /* char* server -> entry_t* */
    GPtrArray *running;    /* char*: servers that the helper is to lift or note; NULL: it does not run */
    program_t *program;
    gboolean led;          /* at the last look */
    char *said;            /* last: it is not said again and again */
    guint timer;
    guint soon;
};

static gboolean on_timer(gpointer user_data);

static void entry_free(gpointer data)
{
    entry_t *entry = data;

    g_free(entry->address);
    g_free(entry->disks);
    g_free(entry);
}

static gboolean on_soon(gpointer user_data)
{
    upkeep_t *upkeep = user_data;

    upkeep->soon = 0;
    (void) on_timer(upkeep);
    return G_SOURCE_REMOVE;
}

static void run_soon(upkeep_t *upkeep)
{
    if (upkeep->soon == 0) {
        upkeep->soon = g_idle_add(on_soon, upkeep);
    }
}

/* `undone`: names of servers, with commas between them. One that can't be seen to holds up no other. */
static void settle(upkeep_t *upkeep, const char *undone)
{
    g_auto(GStrv) names = g_strsplit(undone, ",", -1);

    for (guint i = 0; i < upkeep->running->len; i++) {
        const char *server = g_ptr_array_index(upkeep->running, i);
        entry_t *entry = g_hash_table_lookup(upkeep->entries, server);

        if (entry != NULL && !g_strv_contains((const char *const *) names, server)) {
            entry->must_lift = FALSE;
            entry->is_off = FALSE;
        }
    }
}

static void say_once(upkeep_t *upkeep, const char *sentence)
{
    if (sentence[0] != '\0' && g_strcmp0(sentence, upkeep->said) != 0) {
        upkeep->ops->said(sentence, upkeep->user_data);
    }
    g_free(upkeep->said);
    upkeep->said = g_strdup(sentence);
}

static void on_ended(const program_result_t *result, gpointer user_data)
{
    upkeep_t *upkeep = user_data;
    const char *said = result->overdue ? "the store does not answer in time" : result->reason;

    upkeep->program = NULL;
    if (result->exit_status == 0) {
        const char *blank = strchr(result->output, ' ');
        g_autofree char *names = blank != NULL ? g_strndup(result->output, (gsize) (blank - result->output))
                                               : g_strdup(result->output);

        settle(upkeep, names);
        said = blank != NULL ? blank + 1 : "";
    }
    g_ptr_array_set_size(upkeep->running, 0);
    say_once(upkeep, said);
}

static void argument_add(GPtrArray *argv, const char *option, char *value)
{
    g_ptr_array_add(argv, g_strdup(option));
    g_ptr_array_add(argv, value);
}

/* TRUE if there is anything to do. */
static gboolean arguments_collect(upkeep_t *upkeep, GPtrArray *argv)
{
    GHashTableIter iter;
    gpointer server = NULL;
    gpointer value = NULL;
    guint before = argv->len;

    g_hash_table_iter_init(&iter, upkeep->entries);
    while (g_hash_table_iter_next(&iter, &server, &value)) {
        const entry_t *entry = value;
        const verdict_record_t *record = upkeep->ops->record(server, upkeep->user_data);

        if (record == NULL) {
            continue;
        }
        if (entry->is_off) {
            argument_add(argv, "--off", g_strdup(server));
            g_ptr_array_add(upkeep->running, g_strdup(server));
        }
        if (record->verdict == VERDICT_FAILED && entry->address != NULL) {
            argument_add(argv, "--hold", g_strdup_printf("%s=%s=%s", (const char *) server, entry->address,
                                                         entry->disks != NULL ? entry->disks : ""));
        } else if (verdict_may_lift(record) && entry->must_lift) {
            argument_add(argv, "--lift", g_strdup(server));
            g_ptr_array_add(upkeep->running, g_strdup(server));
        }
    }
    return argv->len > before;
}

static void stop(upkeep_t *upkeep)
{
    g_clear_pointer(&upkeep->program, program_cancel);
    g_ptr_array_set_size(upkeep->running, 0);
}

/* A new leader does not know what the last one has seen to. */
static void begin_to_lead(upkeep_t *upkeep)
{
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, upkeep->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        ((entry_t *) value)->must_lift = TRUE;
    }
}

static gboolean on_timer(gpointer user_data)
{
    upkeep_t *upkeep = user_data;
    gboolean leads = upkeep->ops->leads(upkeep->user_data);
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);

    if (leads && !upkeep->led) {
        begin_to_lead(upkeep);
    }
    upkeep->led = leads;
    if (!leads) {
        stop(upkeep);
        return G_SOURCE_CONTINUE;
    }
    if (upkeep->program != NULL) {
        return G_SOURCE_CONTINUE;
    }
    g_ptr_array_add(argv, g_strdup(upkeep->helper));
    argument_add(argv, "--ceph-conf", g_strdup(upkeep->ceph_conf));
    argument_add(argv, "--ceph-user", g_strdup(upkeep->ceph_user));
    if (arguments_collect(upkeep, argv)) {
        g_ptr_array_add(argv, NULL);
        upkeep->program = program_start((const char *const *) argv->pdata, HELPER_TIMEOUT_MS, on_ended, upkeep);
    }
    return G_SOURCE_CONTINUE;
}

static entry_t *entry_of(upkeep_t *upkeep, const char *server)
{
    entry_t *entry = g_hash_table_lookup(upkeep->entries, server);

    if (entry == NULL) {
        entry = g_new0(entry_t, 1);
        entry->must_lift = TRUE;
        g_hash_table_insert(upkeep->entries, g_strdup(server), entry);
    }
    return entry;
}

void upkeep_set_server(upkeep_t *upkeep, const char *server, const char *address, const char *disks)
{
    entry_t *entry = entry_of(upkeep, server);

    g_free(entry->address);
    entry->address = g_strdup(address);
    g_free(entry->disks);
    entry->disks = g_strdup(disks);
}

void upkeep_remove_server(upkeep_t *upkeep, const char *server)
{
    g_hash_table_remove(upkeep->entries, server);
}

void upkeep_on_verdict(upkeep_t *upkeep, const char *server, verdict_t verdict)
{
    entry_t *entry = g_hash_table_lookup(upkeep->entries, server);

    if (entry == NULL) {
        return;
    }
    if (verdict == VERDICT_ISOLATING) {
        entry->is_off = FALSE; /* that was of an earlier attempt */
    }
    if (verdict == VERDICT_HEALTHY || verdict == VERDICT_FAILED) {
        entry->must_lift = verdict == VERDICT_HEALTHY;
        run_soon(upkeep);
    } else if (upkeep->program != NULL) {
        /* What takes its entry off must not overtake what puts it on. */
        stop(upkeep);
        run_soon(upkeep);
    }
}

void upkeep_on_off(upkeep_t *upkeep, const char *server)
{
    entry_t *entry = g_hash_table_lookup(upkeep->entries, server);

    if (entry != NULL) {
        entry->is_off = TRUE;
    }
}

gboolean upkeep_is_running(const upkeep_t *upkeep)
{
    return upkeep->program != NULL;
}

upkeep_t *upkeep_new(const char *helper, const char *ceph_conf, const char *ceph_user, const upkeep_ops_t *ops,
                     gpointer user_data)
{
    upkeep_t *upkeep = g_new0(upkeep_t, 1);

    upkeep->helper = g_strdup(helper);
    upkeep->ceph_conf = g_strdup(ceph_conf);
    upkeep->ceph_user = g_strdup(ceph_user);
    upkeep->ops = ops;
    upkeep->user_data = user_data;
    upkeep->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
    upkeep->running = g_ptr_array_new_with_free_func(g_free);
    upkeep->timer = g_timeout_add_seconds(INTERVAL_S, on_timer, upkeep);
    return upkeep;
}

void upkeep_free(upkeep_t *upkeep)
{
    if (upkeep == NULL) {
        return;
    }
    stop(upkeep);
    g_clear_handle_id(&upkeep->timer, g_source_remove);
    g_clear_handle_id(&upkeep->soon, g_source_remove);
    g_hash_table_unref(upkeep->entries);
    g_ptr_array_unref(upkeep->running);
    g_free(upkeep->helper);
    g_free(upkeep->ceph_conf);
    g_free(upkeep->ceph_user);
    g_free(upkeep->said);
    g_free(upkeep);
}
