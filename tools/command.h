/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_COMMAND_H
#define UNDERSTUDY_COMMAND_H

#include <glib.h>

/*
 * The commands of `understudy` as a table: parsing, --help, the man page and the
 * bash completion all come from it.
 */

/* Exit codes, as the man page shows them. */
typedef enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,     /* it could not be done; a retry may help */
    EXIT_USAGE = 2,      /* the command line or a value in it is wrong */
    EXIT_NOT_FOUND = 3,  /* no such server, image or file */
    EXIT_REFUSED = 4,    /* it would lose something or is under way; --force where there is one */
    EXIT_TIMEOUT = 5,    /* not done by the deadline; it may still go on */
    EXIT_PERMISSION = 6, /* run as root, or as a member of haclient */
} exit_code_t;

/* What a word on the command line stands for, for the completion. */
typedef enum {
    WORD_FREE,
    WORD_SERVER,
    WORD_FILE,
    WORD_CHOICE,
    WORD_COMMAND,
} word_t;

typedef struct command_option {
    const char *name;            /* without the dashes */
    const char *arg;             /* name of its value; NULL: a flag */
    gboolean repeated;           /* may be given several times */
    word_t word;
    const char *const *choices;  /* WORD_CHOICE: NULL-terminated */
    const char *text;
} command_option_t;

/* A command line that was read. */
typedef struct command_line {
    const struct command *command;
    char *server;                /* the positional word, or NULL */
    GHashTable *options;         /* name -> GPtrArray of char*; a flag has an empty array */
} command_line_t;

typedef struct command {
    const char *name;
    gboolean takes_server;
    gboolean server_required;
    const command_option_t *options; /* ends with a NULL name; NULL: none */
    const char *shortdesc;
    const char *longdesc;            /* paragraphs, separated by empty lines */
    exit_code_t (*run)(const command_line_t *line, GError **error);
} command_t;

extern const command_t commands[];   /* ends with a NULL name */

/*!
 * \brief Read a command's arguments
 *
 * \param[in]  argv   what follows the command's name, NULL-terminated
 * \param[out] help   TRUE if --help was asked for (nothing is returned then)
 * \param[out] error  UNDERSTUDY_ERROR_CONFIG with a sentence
 * \return the command line, to be freed with command_line_free(), or NULL
 */
command_line_t *command_line_parse(const command_t *command, char **argv, gboolean *help, GError **error);
void command_line_free(command_line_t *line);

gboolean command_line_has(const command_line_t *line, const char *option);
/* The last value given, or NULL. */
const char *command_line_value(const command_line_t *line, const char *option);
/* All values given, in order: char*; NULL if none. Owned by the line. */
const GPtrArray *command_line_values(const command_line_t *line, const char *option);

const command_t *command_find(const char *name);
char *command_help(const command_t *command); /* NULL: of the tool; g_free() */
char *command_man_page(void);                  /* troff; g_free() */
char *command_completion(void);                /* for bash; g_free() */

#endif
