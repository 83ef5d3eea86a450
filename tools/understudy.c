/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's command. */
#include <config.h>

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/names.h"
#include "cluster/cib.h"
#include "cluster/cluster_state.h"
#include "command.h"
#include "run.h"

exit_code_t exit_code_of(const GError *error)
{
    static const exit_code_t codes[] = {
        [UNDERSTUDY_ERROR_FAILED] = EXIT_FAILED,         [UNDERSTUDY_ERROR_CONFIG] = EXIT_USAGE,
        [UNDERSTUDY_ERROR_NOT_HERE] = EXIT_FAILED,       [UNDERSTUDY_ERROR_PERMISSION] = EXIT_PERMISSION,
        [UNDERSTUDY_ERROR_TIMEOUT] = EXIT_TIMEOUT,       [UNDERSTUDY_ERROR_NOT_FOUND] = EXIT_NOT_FOUND,
        [UNDERSTUDY_ERROR_EXISTS] = EXIT_REFUSED,        [UNDERSTUDY_ERROR_BUSY] = EXIT_REFUSED,
    };

    if (error == NULL || error->domain != UNDERSTUDY_ERROR || error->code < 0
        || (gsize) error->code >= G_N_ELEMENTS(codes)) {
        return EXIT_FAILED;
    }
    return codes[error->code];
}

static int print_and_free(char *text)
{
    fputs(text, stdout);
    g_free(text);
    return EXIT_OK;
}

/* For the bash completion: quick, and silent on error. */
static int complete_servers(void)
{
    cib_connection_t *cib = cib_connection_open("understudy", NULL);
    xmlNode *xml = cib != NULL ? cib_connection_query(cib, NULL) : NULL;
    cluster_state_t *state = xml != NULL ? cluster_state_parse(xml, NULL) : NULL;

    for (guint i = 0; state != NULL && i < state->servers->len; i++) {
        puts(((const cluster_server_t *) g_ptr_array_index(state->servers, i))->name);
    }
    cluster_state_free(state);
    cib_xml_free(xml);
    cib_connection_close(cib);
    return EXIT_OK;
}

static int run_command(const command_t *command, char **argv)
{
    gboolean help = FALSE;
    GError *error = NULL;
    exit_code_t code = EXIT_OK;
    command_line_t *line = command_line_parse(command, argv, &help, &error);

    if (help) {
        return print_and_free(command_help(command));
    }
    if (line != NULL) {
        code = command->run(line, &error);
        command_line_free(line);
    }
    if (error != NULL) {
        fprintf(stderr, "understudy: %s\n", error->message);
        code = code != EXIT_OK ? code : exit_code_of(error);
        g_error_free(error);
    }
    return code;
}

/* What is printed is what was asked for: a full disk or a reader that has gone is a failure, whatever was done. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return code;
    }
    fprintf(stderr, "understudy: standard output can't be written: %s\n", g_strerror(errno));
    return code != EXIT_OK ? code : EXIT_FAILED;
}

static int run(int argc, char **argv)
{
    const command_t *command = NULL;

    setlocale(LC_ALL, "");
    /* A peer or a pager that goes away is an error to be told, not a death. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        g_autofree char *help = command_help(NULL);

        fputs(help, stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        return print_and_free(command_help(NULL));
    }
    if (strcmp(argv[1], "--version") == 0) {
        return print_and_free(g_strdup("understudy " PACKAGE_VERSION "\n"));
    }
    if (strcmp(argv[1], "--man") == 0) {
        return print_and_free(command_man_page());
    }
    if (strcmp(argv[1], "--completion") == 0) {
        return print_and_free(command_completion());
    }
    if (strcmp(argv[1], "--complete-servers") == 0) {
        return complete_servers();
    }
    command = command_find(argv[1]);
    if (command == NULL) {
        fprintf(stderr, "understudy: there is no command '%s': see understudy --help\n", argv[1]);
        return EXIT_USAGE;
    }
    return run_command(command, argv + 2);
}

int main(int argc, char **argv)
{
    return finish(run(argc, argv));
}
