/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_QEMU_PROCESS_H
#define UNDERSTUDY_QEMU_PROCESS_H

#include <glib.h>
#include <sys/types.h>

/*
 * A domain's QEMU process, known by what it shows itself: the name and the UUID
 * in its command line, and the lock that it holds on libvirt's pid file. True
 * whether libvirtd runs or not, and whether it remembers this QEMU or not.
 */

typedef struct qemu_shown {
    pid_t pid;
    char *name; /* of its domain; NULL: it shows none */
    char *uuid; /* likewise */
    char *line; /* its whole command line, a line feed between two arguments */
} qemu_shown_t;

/*!
 * \brief Read the command line of a process, as /proc shows it; pure
 *
 * \param[in]  bytes  its arguments, each with a NUL after it
 * \param[out] shown  name and uuid, to be cleared with qemu_shown_clear(); pid is not touched
 * \return FALSE if it names no domain, as that of anything but a QEMU
 */
gboolean qemu_command_line_parse(const char *bytes, gsize length, qemu_shown_t *shown);
void qemu_shown_clear(qemu_shown_t *shown);
/* Whether its command line names this RBD image (without the pool), as libvirt or as people write it. */
gboolean qemu_shown_has_image(const qemu_shown_t *shown, const char *image);

/* All QEMUs of this host that name their domain, ours or not: qemu_shown_t*, frees its elements. UNDERSTUDY_ERROR_FAILED:
 * it can't be known. One that libvirt is just about to make is not among them yet. */
GPtrArray *qemu_process_list(GError **error);

/*!
 * \brief Find a QEMU of a domain
 *
 * \param[in]  domain_name  as libvirt knows it
 * \param[in]  domain_uuid  or NULL; one with this UUID under any name is found too
 * \param[out] pid          0: there is none
 * \param[out] error        UNDERSTUDY_ERROR_FAILED: it can't be known
 */
gboolean qemu_process_find(const char *domain_name, const char *domain_uuid, pid_t *pid, GError **error);

/* As qemu_process_find(), for who only wants to know that all is as it should be: of the pid file alone, so that it costs
 * next to nothing. That it finds none is no proof. */
gboolean qemu_process_find_recorded(const char *domain_name, pid_t *pid, GError **error);

/* A handle of a process that can't be taken over by another one of the same number (pidfd). */
typedef struct qemu_process {
    pid_t pid;
    int fd; /* -1: the process has gone */
} qemu_process_t;

/* FALSE if this process is not the domain's any more. */
gboolean qemu_process_open(const char *domain_name, const char *domain_uuid, pid_t pid, qemu_process_t *process);
void qemu_process_close(qemu_process_t *process);

/* Wait for its end; TRUE if it has ended. */
gboolean qemu_process_wait(const qemu_process_t *process, guint timeout_ms);

/* Send it a signal; it may have gone. */
void qemu_process_signal(const qemu_process_t *process, int signal_number);

#endif
