/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_QEMU_PROCESS_H
#define UNDERSTUDY_QEMU_PROCESS_H

#include <glib.h>
#include <sys/types.h>

/*
 * A domain's QEMU process, known by the lock that it holds on libvirt's pid
 * file as long as it lives: true whether libvirtd runs or not.
 */

/*!
 * \brief Find the QEMU of a domain
 *
 * \param[in]  domain_name  as libvirt knows it
 * \param[out] pid          0: there is none
 * \param[out] error        UNDERSTUDY_ERROR_FAILED: it can't be known
 */
gboolean qemu_process_find(const char *domain_name, pid_t *pid, GError **error);

/* TRUE if libvirtd (or virtqemud) runs and is not stopped. It may still not answer. */
gboolean libvirtd_is_alive(void);

/* A handle of a process that can't be taken over by another one of the same number (pidfd). */
typedef struct qemu_process {
    char *domain_name;
    pid_t pid;
    int fd; /* -1: the process has gone */
} qemu_process_t;

/* FALSE if the pid file does not say that this process is the domain's any more. */
gboolean qemu_process_open(const char *domain_name, pid_t pid, qemu_process_t *process);
void qemu_process_close(qemu_process_t *process);

/* Wait for its end; TRUE if it has ended. */
gboolean qemu_process_wait(const qemu_process_t *process, guint timeout_ms);

/* Send it a signal; it may have gone. */
void qemu_process_signal(const qemu_process_t *process, int signal_number);

#endif
