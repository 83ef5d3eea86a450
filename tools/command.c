/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "command.h"

#include <string.h>

#include "base/error.h"
#include "base/markup.h"
#include "base/names.h"

static const char tool_shortdesc[] = "protect servers by standby images on a Pacemaker cluster";
static const char tool_longdesc[] =
    "understudy sets up and looks after standby images: virtual machines in Ceph that are normally stopped. When a "
    "protected server fails, the cluster isolates it and runs its image on the cloud host with the most room; when "
    "the server is back, the image stops.\n"
    "\n"
    "Everything about a server stands in one resource of the cluster, standby-SERVER (ocf:understudy:image). adopt "
    "writes it, pcs and crm show and change it like any other. Whether an image may run is the ticket "
    "takeover-SERVER.\n"
    "\n"
    "Run it as root or as a member of group haclient on any host of the cluster.";

static const struct {
    exit_code_t code;
    const char *text;
} exit_texts[] = {
    { EXIT_OK, "done" },
    { EXIT_FAILED, "it could not be done; the sentence on standard error says why" },
    { EXIT_USAGE, "the command line, or a value in it, is wrong; nothing was touched" },
    { EXIT_NOT_FOUND, "no such server, image or file" },
    { EXIT_REFUSED, "refused: it would lose something, or a takeover is under way" },
    { EXIT_TIMEOUT, "not done by the deadline; it may still go on" },
    { EXIT_PERMISSION, "permission denied by the cluster or the store" },
};

/* Reading -----------------------------------------------------------------*/

typedef struct reader {
    command_line_t *line;
    gboolean help;
} reader_t;

static const command_option_t *find_option(const command_t *command, const char *name)
{
    for (const command_option_t *option = command->options; option != NULL && option->name != NULL; option++) {
        if (strcmp(option->name, name) == 0) {
            return option;
        }
    }
    return NULL;
}

static gboolean take_option(const gchar *option_name, const gchar *value, gpointer data, GError **error)
{
    reader_t *reader = data;
    const char *name = option_name;
    const command_option_t *option = NULL;
    GPtrArray *values = NULL;

    while (*name == '-') {
        name++;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "h") == 0) {
        reader->help = TRUE;
        return TRUE;
    }
    option = find_option(reader->line->command, name);
    values = g_hash_table_lookup(reader->line->options, option->name);
    if (values == NULL) {
        values = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(reader->line->options, (gpointer) option->name, values);
    } else if (!option->repeated) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "--%s is given twice: give it once", name);
        return FALSE;
    }
    if (option->arg != NULL) {
        if (option->choices != NULL && !g_strv_contains(option->choices, value)) {
            g_autofree char *choices = g_strjoinv(", ", (char **) option->choices);

            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "--%s=%s: choose one of %s", name, value,
                        choices);
            return FALSE;
        }
        g_ptr_array_add(values, g_strdup(value));
    }
    return TRUE;
}

static GArray *option_entries(const command_t *command)
{
    GArray *entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
    GOptionEntry help = { .long_name = "help", .short_name = 'h', .flags = G_OPTION_FLAG_NO_ARG,
                          .arg = G_OPTION_ARG_CALLBACK, .arg_data = take_option };

    g_array_append_val(entries, help);
    for (const command_option_t *option = command->options; option != NULL && option->name != NULL; option++) {
        GOptionEntry entry = { .long_name = option->name, .arg = G_OPTION_ARG_CALLBACK, .arg_data = take_option,
                               .flags = option->arg == NULL ? G_OPTION_FLAG_NO_ARG : 0 };

        g_array_append_val(entries, entry);
    }
    return entries;
}

static gboolean read_options(reader_t *reader, char ***argv, GError **error)
{
    GOptionContext *context = g_option_context_new(NULL);
    GOptionGroup *group = g_option_group_new("main", "", "", reader, NULL);
    GArray *entries = option_entries(reader->line->command);
    gboolean good = FALSE;
    GError *failure = NULL;

    g_option_context_set_help_enabled(context, FALSE);
    g_option_group_add_entries(group, (const GOptionEntry *) (const void *) entries->data);
    g_option_context_set_main_group(context, group);
    good = g_option_context_parse_strv(context, argv, &failure);
    if (failure != NULL && failure->domain == G_OPTION_ERROR) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "%s: see understudy %s --help",
                    failure->message, reader->line->command->name);
        g_error_free(failure);
    } else if (failure != NULL) {
        g_propagate_error(error, failure);
    }
    g_array_unref(entries);
    g_option_context_free(context);
    return good;
}

/* GLib drops the value: --force=no would force. */
static gboolean check_flags(const command_t *command, char **argv, GError **error)
{
    for (char **word = argv; *word != NULL && strcmp(*word, "--") != 0; word++) {
        const char *equals = strchr(*word, '=');
        g_autofree char *name = g_str_has_prefix(*word, "--") && equals != NULL ? g_strndup(*word + 2, equals - *word - 2)
                                                                                 : NULL;
        const command_option_t *option = name != NULL ? find_option(command, name) : NULL;

        if (option != NULL && option->arg == NULL) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "--%s takes no value: see understudy %s --help", name,
                        command->name);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean take_server(command_line_t *line, char **words, GError **error)
{
    const char *name = line->command->name;

    if (words[0] == NULL && !line->command->server_required) {
        return TRUE;
    }
    if (words[0] == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "name a server: understudy %s SERVER", name);
        return FALSE;
    }
    if (!line->command->takes_server || words[1] != NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "'%s' is one word too many: see understudy %s --help",
                    line->command->takes_server ? words[1] : words[0], name);
        return FALSE;
    }
    if (!server_name_is_valid(words[0])) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "'%s' can't be the name of a server: use letters, digits, '.', '_' and '-', beginning with a "
                    "letter or digit, at most %d of them", words[0], SERVER_NAME_MAX);
        return FALSE;
    }
    line->server = g_strdup(words[0]);
    return TRUE;
}

command_line_t *command_line_parse(const command_t *command, char **argv, gboolean *help, GError **error)
{
    reader_t reader = { .line = g_new0(command_line_t, 1) };
    /* GOptionContext takes the first word for the program's name. */
    GPtrArray *with_name = g_ptr_array_new();
    char **words = NULL;
    gboolean good = FALSE;

    g_ptr_array_add(with_name, g_strdup(command->name));
    for (char **word = argv; *word != NULL; word++) {
        g_ptr_array_add(with_name, g_strdup(*word));
    }
    g_ptr_array_add(with_name, NULL);
    words = (char **) g_ptr_array_free(with_name, FALSE);

    reader.line->command = command;
    reader.line->options = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_ptr_array_unref);
    good = check_flags(command, argv, error) && read_options(&reader, &words, error);
    *help = reader.help;
    if (good && !reader.help) {
        /* "--" ends the options; GLib leaves it in place. */
        guint first = words[1] != NULL && strcmp(words[1], "--") == 0 ? 2 : 1;

        good = take_server(reader.line, words + first, error);
    }
    g_strfreev(words);
    if (!good || reader.help) {
        command_line_free(reader.line);
        return NULL;
    }
    return reader.line;
}

void command_line_free(command_line_t *line)
{
    if (line == NULL) {
        return;
    }
    g_free(line->server);
    g_hash_table_unref(line->options);
    g_free(line);
}

gboolean command_line_has(const command_line_t *line, const char *option)
{
    return g_hash_table_contains(line->options, option);
}

const char *command_line_value(const command_line_t *line, const char *option)
{
    const GPtrArray *values = command_line_values(line, option);

    return values != NULL && values->len > 0 ? g_ptr_array_index(values, values->len - 1) : NULL;
}

const GPtrArray *command_line_values(const command_line_t *line, const char *option)
{
    return g_hash_table_lookup(line->options, option);
}

const command_t *command_find(const char *name)
{
    for (const command_t *command = commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

/* Writing -----------------------------------------------------------------*/

#define HELP_WIDTH 78

/* The text, folded at blanks, each line after `indent` blanks; empty lines are kept. */
static void append_folded(GString *out, const char *text, guint indent)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line != NULL; line++) {
        g_auto(GStrv) words = g_strsplit(*line, " ", -1);
        guint column = 0;

        for (char **word = words; *word != NULL; word++) {
            if (column > 0 && column + 1 + strlen(*word) > HELP_WIDTH) {
                g_string_append_c(out, '\n');
                column = 0;
            }
            if (column == 0) {
                g_string_append_printf(out, "%*s%s", **word != '\0' ? (int) indent : 0, "", *word);
                column = indent + strlen(*word);
            } else {
                g_string_append_printf(out, " %s", *word);
                column += 1 + strlen(*word);
            }
        }
        g_string_append_c(out, '\n');
    }
}

static char *command_synopsis(const command_t *command)
{
    return g_strdup_printf("%s%s%s", command->name,
                           !command->takes_server ? "" : command->server_required ? " SERVER" : " [SERVER]",
                           command->options != NULL ? " [OPTION...]" : "");
}

static void append_option_help(GString *out, const command_option_t *option)
{
    g_string_append_printf(out, "  --%s", option->name);
    if (option->arg != NULL) {
        g_string_append_printf(out, "=%s", option->arg);
    }
    g_string_append(out, option->repeated ? " ...\n" : "\n");
    append_folded(out, option->text, 6);
}

static char *tool_help(void)
{
    GString *out = g_string_new("Usage: understudy COMMAND ...\n\n");

    append_folded(out, tool_longdesc, 0);
    g_string_append(out, "\nCommands (understudy COMMAND --help says more):\n");
    for (const command_t *command = commands; command->name != NULL; command++) {
        g_string_append_printf(out, "  %-10s %s\n", command->name, command->shortdesc);
    }
    g_string_append(out, "\n  --version  show the version\n");
    return g_string_free(out, FALSE);
}

char *command_help(const command_t *command)
{
    GString *out = NULL;
    g_autofree char *synopsis = NULL;

    if (command == NULL) {
        return tool_help();
    }
    synopsis = command_synopsis(command);
    out = g_string_new(NULL);
    g_string_append_printf(out, "Usage: understudy %s\n\n", synopsis);
    append_folded(out, command->longdesc, 0);
    if (command->options != NULL) {
        g_string_append(out, "\nOptions:\n");
        for (const command_option_t *option = command->options; option->name != NULL; option++) {
            append_option_help(out, option);
        }
    }
    return g_string_free(out, FALSE);
}

static void append_option_man(GString *out, const command_option_t *option)
{
    g_string_append(out, ".TP\n\\fB");
    g_string_append(out, "\\-\\-");
    for (const char *c = option->name; *c != '\0'; c++) {
        g_string_append(out, *c == '-' ? "\\-" : "");
        if (*c != '-') {
            g_string_append_c(out, *c);
        }
    }
    g_string_append(out, "\\fR");
    if (option->arg != NULL) {
        g_string_append_printf(out, "=\\fI%s\\fR", option->arg);
    }
    g_string_append(out, option->repeated ? " ...\n" : "\n");
    troff_append(out, option->text);
}

char *command_man_page(void)
{
    GString *out = g_string_new(".TH UNDERSTUDY 8 \"\" \"Understudy " VERSION "\" \"Understudy\"\n.SH NAME\n"
                                "understudy \\- ");

    troff_append(out, tool_shortdesc);
    g_string_append(out, ".SH SYNOPSIS\n");
    for (const command_t *command = commands; command->name != NULL; command++) {
        g_autofree char *synopsis = command_synopsis(command);

        g_string_append(out, ".B understudy\n");
        troff_append(out, synopsis);
        g_string_append(out, ".br\n");
    }
    g_string_append(out, ".SH DESCRIPTION\n");
    troff_append(out, tool_longdesc);
    g_string_append(out, ".SH COMMANDS\n");
    for (const command_t *command = commands; command->name != NULL; command++) {
        g_autofree char *synopsis = command_synopsis(command);

        g_string_append(out, ".SS understudy ");
        troff_append(out, synopsis);
        troff_append(out, command->longdesc);
        for (const command_option_t *option = command->options; option != NULL && option->name != NULL; option++) {
            append_option_man(out, option);
        }
    }
    g_string_append(out, ".SH \"EXIT STATUS\"\n");
    for (gsize i = 0; i < G_N_ELEMENTS(exit_texts); i++) {
        g_string_append_printf(out, ".TP\n%d\n", exit_texts[i].code);
        troff_append(out, exit_texts[i].text);
    }
    g_string_append(out, ".SH \"SEE ALSO\"\n.BR crm_mon (8),\n.BR crm_ticket (8),\n.BR pcs (8),\n.BR crm (8),\n"
                         ".BR ocf_understudy_image (7),\n.BR ocf_understudy_observer (7),\n"
                         ".BR ocf_understudy_capacity (7)\n");
    return g_string_free(out, FALSE);
}

static void append_completion_of(GString *out, const command_t *command)
{
    g_string_append_printf(out, "        %s) words=\"--help", command->name);
    for (const command_option_t *option = command->options; option != NULL && option->name != NULL; option++) {
        g_string_append_printf(out, " --%s%s", option->name, option->arg != NULL ? "=" : "");
    }
    g_string_append_printf(out, "\"; takes_server=%s ;;\n", command->takes_server ? "yes" : "no");
}

static void append_value_completion(GString *out, const command_t *command)
{
    for (const command_option_t *option = command->options; option != NULL && option->name != NULL; option++) {
        g_autofree char *choices = option->choices != NULL ? g_strjoinv(" ", (char **) option->choices) : NULL;

        if (option->word == WORD_SERVER) {
            g_string_append_printf(out, "        %s:--%s) values=$(understudy --complete-servers 2>/dev/null) ;;\n",
                                   command->name, option->name);
        } else if (choices != NULL) {
            g_string_append_printf(out, "        %s:--%s) values='%s' ;;\n", command->name, option->name, choices);
        } else if (option->word == WORD_FILE) {
            g_string_append_printf(out, "        %s:--%s) compopt -o default; return ;;\n", command->name,
                                   option->name);
        }
    }
}

char *command_completion(void)
{
    GString *out = g_string_new("# bash completion for understudy; made by `understudy --completion`\n"
                                "_understudy()\n{\n"
                                "    local cur prev words='' values='' takes_server=no command=${COMP_WORDS[1]}\n"
                                "    cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                                "    COMPREPLY=()\n"
                                "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                                "        COMPREPLY=($(compgen -W '");

    for (const command_t *command = commands; command->name != NULL; command++) {
        g_string_append_printf(out, "%s ", command->name);
    }
    /* '=' is a word break for bash: --option=value arrives as three words. */
    g_string_append(out, "--help --version' -- \"$cur\"))\n        return\n    fi\n"
                         "    if [ \"$cur\" = '=' ]; then\n        cur=''\n"
                         "    elif [ \"$prev\" = '=' ]; then\n        prev=${COMP_WORDS[COMP_CWORD-2]}\n    fi\n"
                         "    case $command:$prev in\n");
    for (const command_t *command = commands; command->name != NULL; command++) {
        append_value_completion(out, command);
    }
    g_string_append(out, "    esac\n    if [ -n \"$values\" ]; then\n"
                         "        COMPREPLY=($(compgen -W \"$values\" -- \"$cur\"))\n        return\n    fi\n"
                         "    case $command in\n");
    for (const command_t *command = commands; command->name != NULL; command++) {
        append_completion_of(out, command);
    }
    g_string_append(out, "    esac\n    case $cur in\n"
                         "        -*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
                         "        *) [ \"$takes_server\" = yes ] &&\n"
                         "            COMPREPLY=($(compgen -W \"$(understudy --complete-servers 2>/dev/null)\""
                         " -- \"$cur\")) ;;\n    esac\n"
                         "    case ${COMPREPLY[0]-} in *=) compopt -o nospace ;; esac\n}\n"
                         "complete -F _understudy understudy\n");
    return g_string_free(out, FALSE);
}
