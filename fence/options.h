/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_FENCE_OPTIONS_H
#define UNDERSTUDY_FENCE_OPTIONS_H

#include <glib.h>

#include "ocf.h"

/*
 * The options of fence_rbd, one table for standard input, command line,
 * metadata and (from that) the man page. Pure but for fence_options_from_fd().
 */
#define FENCE_METHOD_BLOCKLIST "blocklist"
#define FENCE_METHOD_CONFIRM   "confirm"
/* Stands for the host's address in libvirt_uri. */
#define FENCE_URI_HOST         "{host}"

typedef struct fence_option {
    const char *name;       /* on standard input, and in the metadata */
    const char *long_name;  /* on the command line, without dashes */
    char short_name;        /* 0: none */
    gboolean is_flag;       /* takes no value on the command line */
    gboolean is_hidden;     /* accepted, not in the metadata */
    const char *value_name; /* for the help */
    const char *obsoletes;  /* old name that means the same */
    ocf_param_t param;      /* type, default, limits, texts; its name is not used */
} fence_option_t;

/* Ends with a NULL name. */
extern const fence_option_t fence_option_table[];

typedef struct fence_action {
    const char *name;
    gboolean is_automatic;  /* on: unfence when a node joins */
    gboolean needs_target;
} fence_action_t;

extern const fence_action_t fence_action_table[];

/*!
 * \brief Read "name=value" lines, as Pacemaker's fencer writes them
 *
 * Comments, blank lines and names that are not known are passed over; the last
 * of several lines counts; one pair of quotes around a value is taken off.
 *
 * \return name -> text, for fence_options_parse(); NULL with UNDERSTUDY_ERROR_CONFIG
 *         if it is no text at all
 */
GHashTable *fence_options_from_text(const char *text, gsize length, GError **error);

/* Read a file descriptor to its end, then as above. */
GHashTable *fence_options_from_fd(int fd, GError **error);

/* Read a command line (getopt_long). UNDERSTUDY_ERROR_CONFIG: an option is wrong. */
GHashTable *fence_options_from_argv(int argc, char **argv, GError **error);

/*!
 * \brief Check the texts
 *
 * \param[in]  texts  as returned by the functions above; the action is looked up in it
 * \return values for ocf_value_string() and so on, to be freed with ocf_values_free(); NULL with an error
 */
ocf_values_t *fence_options_parse(GHashTable *texts, GError **error);

/* The action that is asked for; NULL with UNDERSTUDY_ERROR_CONFIG if there is no such action. */
const fence_action_t *fence_action_find(const ocf_values_t *values, GError **error);

/* pools, split; g_strfreev(). */
char **fence_options_pools(const ocf_values_t *values);
/* libvirt_uri for a host's management address; g_free(). */
char *fence_options_libvirt_uri(const ocf_values_t *values, const char *address);

char *fence_metadata(void);
char *fence_help(const char *program);

#endif
