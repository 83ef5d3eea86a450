/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_RUN_H
#define UNDERSTUDY_RUN_H

#include "command.h"

/* What each command does: one file each. Errors are sentences. */
exit_code_t run_adopt(const command_line_t *line, GError **error);
exit_code_t run_forget(const command_line_t *line, GError **error);
exit_code_t run_status(const command_line_t *line, GError **error);
exit_code_t run_hosts(const command_line_t *line, GError **error);
exit_code_t run_takeover(const command_line_t *line, GError **error);
exit_code_t run_release(const command_line_t *line, GError **error);
exit_code_t run_pause(const command_line_t *line, GError **error);
exit_code_t run_resume(const command_line_t *line, GError **error);
exit_code_t run_hold(const command_line_t *line, GError **error);
exit_code_t run_history(const command_line_t *line, GError **error);
exit_code_t run_unclaim(const command_line_t *line, GError **error);
exit_code_t run_keys(const command_line_t *line, GError **error);

/* Let a server that is held take its place again; one that is not held is fine. */
gboolean hold_end(const char *server, GError **error);

/* The exit code of an error's class. */
exit_code_t exit_code_of(const GError *error);

#endif
