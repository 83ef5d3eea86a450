/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "observer_options.h"

#include "base/markup.h"

typedef struct {
    const char *name;
    const char *arg;           /* NULL: a flag */
    gsize offset;              /* of its member in observer_options_t */
    const char *default_value; /* NULL: none, or none to show */
    const char *text;
} option_row_t;

#define AT(member) G_STRUCT_OFFSET(observer_options_t, member)

static const option_row_t rows[] = {
    { "references", "PROBES", AT(references), "",
      "Probes that answer as long as this host's service network works; without any the host is never blind" },
    { "management-references", "PROBES", AT(management_references), "",
      "Probes that answer as long as this host reaches the network of the servers' management addresses; the cluster's "
      "other members on the network of such an address are asked, too" },
    { "ceph-conf", "PATH", AT(ceph_conf), "/etc/ceph/ceph.conf", "Ceph configuration file" },
    { "ceph-user", "NAME", AT(ceph_user), "understudy", "Cephx user, without \"client.\"" },
    { "uncounted", "NAMES", AT(uncounted), "",
      "Cluster members, separated by blanks, whose votes are not counted and not missed" },
    { "node", "NAME", AT(node), NULL, "Name of this host, if corosync.conf does not give it" },
    { "daemonize", NULL, AT(daemonize), NULL, "Go to the background; return when the daemon answers" },
    { "pid-file", "PATH", AT(pid_file), "/run/understudy/observer.pid", "Locked while the daemon runs" },
    { "state-dir", "PATH", AT(state_dir), "/var/lib/understudy", "Holds history.jsonl" },
    { "log-file", "PATH", AT(log_file), "/var/log/understudy/observer.log",
      "Log here as well as to syslog; an empty PATH: to syslog alone" },
    { "isolate-helper", "PATH", AT(isolate_helper), ISOLATE_HELPER, "Program that isolates a server" },
    { "monitors-helper", "PATH", AT(monitors_helper), MONITORS_HELPER, "Program that finds the store's monitors" },
    { "seen-helper", "PATH", AT(seen_helper), SEEN_HELPER, "Program that remembers which servers were seen up" },
    { "entries-helper", "PATH", AT(entries_helper), ENTRIES_HELPER, "Program that sees to servers' entries on the blocklist" },
    { "man", NULL, AT(man), NULL, "Print the man page, for troff" },
    { "version", NULL, AT(version), NULL, "Print the version" },
};

static gboolean has_default(const option_row_t *row)
{
    return row->default_value != NULL && *row->default_value != '\0';
}

/* Reading -----------------------------------------------------------------*/

static GOptionEntry option_entry(const option_row_t *row, observer_options_t *options, GStringChunk *texts)
{
    GOptionEntry entry = { .long_name = row->name, .arg_data = G_STRUCT_MEMBER_P(options, row->offset),
                           .arg = row->arg != NULL ? G_OPTION_ARG_FILENAME : G_OPTION_ARG_NONE,
                           .description = row->text, .arg_description = row->arg };

    if (has_default(row)) {
        g_autofree char *text = g_strdup_printf("%s (%s)", row->text, row->default_value);

        entry.description = g_string_chunk_insert(texts, text);
    }
    return entry;
}

static void set_defaults(observer_options_t *options)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].default_value != NULL) {
            char **value = G_STRUCT_MEMBER_P(options, rows[i].offset);

            *value = *value != NULL ? *value : g_strdup(rows[i].default_value);
        }
    }
}

gboolean observer_options_parse(int argc, char **argv, observer_options_t *options, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- watches the protected servers");
    GOptionEntry entries[G_N_ELEMENTS(rows) + 1] = { 0 };
    GStringChunk *texts = g_string_chunk_new(1024);
    gboolean good = FALSE;

    *options = (observer_options_t) { 0 };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        entries[i] = option_entry(&rows[i], options, texts);
    }
    g_option_context_add_main_entries(context, entries, NULL);
    good = g_option_context_parse(context, &argc, &argv, error);
    if (good && argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "'%s' is one word too many", argv[1]);
        good = FALSE;
    }
    g_string_chunk_free(texts);
    set_defaults(options);
    return good;
}

void observer_options_clear(observer_options_t *options)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].arg != NULL) {
            g_clear_pointer((char **) G_STRUCT_MEMBER_P(options, rows[i].offset), g_free);
        }
    }
}

/* The man page --------------------------------------------------------------*/

static const char description[] =
    "understudy-observerd watches the protected servers from a cloud host. It probes every server that has an "
    "ocf:understudy:image resource, and all observers agree over a Corosync process group on each server's state. "
    "When a majority finds a server down twice, the leading observer has it isolated and grants its ticket; when the "
    "server is back, it revokes the ticket.\n"
    "\n"
    "Pacemaker starts and stops it: it is run by a clone of ocf:understudy:observer, whose parameters become options. "
    "It ends on SIGTERM and SIGINT, and when Corosync goes; Pacemaker starts it again then.";

static const char logging[] =
    "Changes of a server's state with their reasons, tickets, isolations, lost and regained sight, and errors go to "
    "syslog, facility daemon, and to the log file. \"journalctl -t understudy-observerd\" shows the former. Each line "
    "of the file has the time, the host, the process and the priority before the text. The file is appended to and "
    "kept open: /etc/logrotate.d/understudy copies and truncates it once a week, or earlier from 100 MB on.";

static const struct {
    const char *path;
    const char *text;
} files[] = {
    { "/var/log/understudy/observer.log", "the log" },
    { "/var/lib/understudy/history.jsonl", "the events of the takeovers, as understudy history shows them. A file of "
                                           "more than 16 MiB is set aside at the next start" },
    { "/run/understudy/observer.pid", "the process; locked while it runs" },
    { ISOLATE_HELPER, "isolates one server: fences it through Pacemaker, and puts its storage address on Ceph's "
                      "blocklist" },
    { ENTRIES_HELPER, "keeps failed servers' addresses on Ceph's blocklist, and takes off those of servers that serve again" },
    { SEEN_HELPER, "keeps in the store which servers were seen up, and with which probes" },
    { MONITORS_HELPER, "finds the store's monitors, which the daemon then asks whether this host reaches the store" },
};

static void append_option_man(GString *out, const option_row_t *row)
{
    g_autofree char *flag = g_strdup_printf("--%s", row->name);

    g_string_append(out, ".TP\n.B ");
    troff_append(out, flag);
    if (row->arg != NULL) {
        g_string_truncate(out, out->len - 1);
        g_string_append_printf(out, "\\fR=\\fI%s\\fR\n", row->arg);
    }
    troff_append(out, row->text);
    if (has_default(row)) {
        g_autofree char *text = g_strdup_printf("(default: %s)", row->default_value);

        troff_append(out, text);
    }
}

char *observer_man_page(void)
{
    GString *out = g_string_new(".TH UNDERSTUDY-OBSERVERD 8 \"\" \"Understudy " VERSION "\" \"Understudy\"\n.SH NAME\n"
                                "understudy-observerd \\- watch the protected servers and decide which have failed\n"
                                ".SH SYNOPSIS\n.B understudy\\-observerd\n[OPTION...]\n.SH DESCRIPTION\n");

    troff_append(out, description);
    g_string_append(out, ".SH OPTIONS\n");
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        append_option_man(out, &rows[i]);
    }
    g_string_append(out, ".SH LOGGING\n");
    troff_append(out, logging);
    g_string_append(out, ".SH FILES\n");
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_string_append(out, ".TP\n.I ");
        troff_append(out, files[i].path);
        troff_append(out, files[i].text);
    }
    g_string_append(out, ".SH \"EXIT STATUS\"\n.TP\n0\nended on a signal; with\n.BR \\-\\-daemonize ,\nthe daemon answers\n"
                         ".TP\n1\na sentence on standard error, or in the log, says why\n"
                         ".SH \"SEE ALSO\"\n.BR understudy (8),\n.BR ocf_understudy_observer (7),\n"
                         ".BR ocf_understudy_image (7)\n");
    return g_string_free(out, FALSE);
}
