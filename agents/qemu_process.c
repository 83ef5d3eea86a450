/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "qemu_process.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "domain_status.h"
#include "pidfile.h"

/* The monolithic daemon and the modular one. */
static const char *const daemon_pid_files[] = { "/run/libvirtd.pid", "/run/virtqemud.pid" };

gboolean qemu_process_find(const char *domain_name, pid_t *pid, GError **error)
{
    g_autofree char *file = g_strconcat(domain_name, ".pid", NULL);
    g_autofree char *path = g_build_filename(QEMU_RUN_DIR, file, NULL);

    return pidfile_owner(path, pid, error);
}

/* The third field of /proc/PID/stat, after the name in brackets: T and t are stopped, Z and X dead. */
static gboolean process_is_going(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int) pid);
    g_autofree char *text = NULL;
    const char *bracket = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return FALSE;
    }
    bracket = strrchr(text, ')');
    return bracket != NULL && bracket[1] == ' ' && strchr("TtZX", bracket[2]) == NULL;
}

gboolean libvirtd_is_alive(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(daemon_pid_files); i++) {
        pid_t pid = 0;

        if (pidfile_owner(daemon_pid_files[i], &pid, NULL) && pid > 0) {
            return process_is_going(pid);
        }
    }
    return FALSE;
}

gboolean qemu_process_open(const char *domain_name, pid_t pid, qemu_process_t *process)
{
    pid_t owner = 0;

    process->domain_name = g_strdup(domain_name);
    process->pid = pid;
    process->fd = (int) syscall(SYS_pidfd_open, pid, 0);
    /* Only now the number can't change hands any more: look again whose it is. */
    if (process->fd >= 0 && qemu_process_find(domain_name, &owner, NULL) && owner == pid) {
        return TRUE;
    }
    qemu_process_close(process);
    return FALSE;
}

void qemu_process_close(qemu_process_t *process)
{
    if (process->fd >= 0) {
        close(process->fd);
    }
    process->fd = -1;
    g_clear_pointer(&process->domain_name, g_free);
}

gboolean qemu_process_wait(const qemu_process_t *process, guint timeout_ms)
{
    struct pollfd wait = { .fd = process->fd, .events = POLLIN };
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;
    int rc = -1;

    if (process->fd < 0) {
        return TRUE;
    }
    do {
        gint64 left_ms = (deadline_us - g_get_monotonic_time() + 999) / 1000;

        rc = poll(&wait, 1, (int) CLAMP(left_ms, 0, G_MAXINT));
    } while (rc < 0 && errno == EINTR);
    return rc > 0;
}

void qemu_process_signal(const qemu_process_t *process, int signal_number)
{
    if (process->fd >= 0) {
        (void) syscall(SYS_pidfd_send_signal, process->fd, signal_number, NULL, 0);
    }
}
