/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_OBSERVER_OPTIONS_H
#define UNDERSTUDY_OBSERVER_OPTIONS_H

#include <glib.h>

/* The daemon's command line. --help and the man page come from the same table. */
typedef struct observer_options {
    char *references;
    char *management_references;
    char *ceph_conf;
    char *ceph_user;
    char *uncounted;
    char *node;            /* NULL: as corosync.conf says */
    char *pid_file;
    char *state_dir;
    char *log_file;        /* "": none */
    char *isolate_helper;
    char *monitors_helper;
    char *seen_helper;
    char *entries_helper;
    gboolean daemonize;
    gboolean version;
    gboolean man;
} observer_options_t;

/*!
 * \brief Read the command line
 *
 * \param[out] options  what is not given has its default; free with observer_options_clear(), also after an error
 * \param[out] error    a sentence about what was wrong
 */
gboolean observer_options_parse(int argc, char **argv, observer_options_t *options, GError **error);
void observer_options_clear(observer_options_t *options);

char *observer_man_page(void); /* troff; g_free() */

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(observer_options_t, observer_options_clear)

#endif
