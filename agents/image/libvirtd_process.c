/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "image/libvirtd_process.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/pidfile.h"
#include "image/process_stat.h"

#define POLL_MS                20
#define STOP_WAIT_MS           500
#define NANOSECONDS_PER_SECOND 1000000000u

/* The monolithic daemon and the modular one. */
static const char *const daemon_pid_files[] = { "/run/libvirtd.pid", "/run/virtqemud.pid" };
static const char *const daemon_programs[] = { "libvirtd", "virtqemud", NULL };

static gboolean is_going(char state)
{
    return strchr("TtZX", state) == NULL;
}

gboolean libvirtd_is_alive(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(daemon_pid_files); i++) {
        process_stat_t stat;
        pid_t pid = 0;

        if (pidfile_owner(daemon_pid_files[i], &pid, NULL) && pid > 0) {
            return process_stat_read(pid, &stat) && is_going(stat.state);
        }
    }
    return FALSE;
}

/* Ending -------------------------------------------------------------------*/

static guint left_ms(gint64 deadline_us)
{
    gint64 left = (deadline_us - g_get_monotonic_time() + 999) / 1000;

    return left > 0 ? (guint) MIN(left, G_MAXINT) : 0;
}

static gboolean wait_ended(int fd, gint64 deadline_us)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };

    while (poll(&wait, 1, (int) left_ms(deadline_us)) == 0 && left_ms(deadline_us) > 0) {
        continue;
    }
    return (wait.revents & POLLIN) != 0;
}

static gboolean all_threads_stand(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task", (int) pid);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *thread = NULL;

    while (directory != NULL && (thread = g_dir_read_name(directory)) != NULL) {
        process_stat_t stat;

        /* D: in the kernel, from where it comes back to its end. */
        if (process_stat_read_thread(pid, thread, &stat) && is_going(stat.state) && stat.state != 'D') {
            return FALSE;
        }
    }
    return TRUE;
}

static guint64 now_ticks(void)
{
    const guint64 hertz = (guint64) sysconf(_SC_CLK_TCK);
    struct timespec up = { 0 };

    clock_gettime(CLOCK_BOOTTIME, &up);
    return (guint64) up.tv_sec * hertz + (guint64) up.tv_nsec * hertz / NANOSECONDS_PER_SECOND;
}

/* Brought to a stand first, so that it makes no more children: *until_ticks is when. */
static gboolean daemon_kill(const char *pid_file, gint64 deadline_us, guint64 *until_ticks, GError **error)
{
    gint64 stand_us = g_get_monotonic_time() + STOP_WAIT_MS * 1000LL;
    pid_t pid = 0;
    pid_t again = 0;
    gboolean ended = TRUE;
    int fd = -1;

    if (!pidfile_owner(pid_file, &pid, error)) {
        return FALSE;
    }
    if (pid == 0) {
        return TRUE;
    }
    fd = (int) syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0 && pidfile_owner(pid_file, &again, NULL) && again == pid) {
        (void) syscall(SYS_pidfd_send_signal, fd, SIGSTOP, NULL, 0);
        while (!all_threads_stand(pid) && g_get_monotonic_time() < stand_us) {
            g_usleep(POLL_MS * 1000);
        }
        *until_ticks = now_ticks();
        (void) syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
        ended = wait_ended(fd, deadline_us);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!ended) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "libvirtd (pid %d) does not answer and can't be ended: this host must be fenced", (int) pid);
    }
    return ended;
}

/* A child that has not become a QEMU yet is libvirtd's program still, with a single thread; a daemon has several. */
static gboolean is_unmade_child(pid_t pid, guint64 until_ticks)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/exe", (int) pid);
    g_autofree char *program = g_file_read_link(path, NULL);
    g_autofree char *name = program != NULL ? g_path_get_basename(program) : NULL;
    process_stat_t stat;

    return name != NULL && g_strv_contains(daemon_programs, name) && process_stat_read(pid, &stat) && stat.threads == 1
           && stat.start_ticks <= until_ticks && strchr("ZX", stat.state) == NULL;
}

static gboolean child_kill(pid_t pid, guint64 until_ticks, gint64 deadline_us)
{
    int fd = (int) syscall(SYS_pidfd_open, pid, 0);
    gboolean gone = TRUE;

    if (fd >= 0 && is_unmade_child(pid, until_ticks)) { /* the number can't change hands any more */
        (void) syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
        gone = wait_ended(fd, deadline_us);
    }
    if (fd >= 0) {
        close(fd);
    }
    return gone;
}

/* *found: how many there were, so that the caller looks once more for theirs. */
static gboolean children_kill(guint64 until_ticks, gint64 deadline_us, guint *found, GError **error)
{
    g_autoptr(GDir) directory = g_dir_open("/proc", 0, NULL);
    const char *entry = NULL;
    guint64 pid = 0;

    *found = 0;
    while (directory != NULL && (entry = g_dir_read_name(directory)) != NULL) {
        if (!g_ascii_string_to_unsigned(entry, 10, 1, G_MAXINT, &pid, NULL) || !is_unmade_child((pid_t) pid, until_ticks)) {
            continue;
        }
        (*found)++;
        if (!child_kill((pid_t) pid, until_ticks, deadline_us)) {
            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                        "a child of libvirtd (pid %d) can't be ended: this host must be fenced", (int) pid);
            return FALSE;
        }
    }
    if (directory == NULL) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                            "what libvirtd has left can't be known: /proc can't be read");
    }
    return directory != NULL;
}

static gboolean children_end(guint64 until_ticks, gint64 deadline_us, GError **error)
{
    guint found = 0;

    do {
        if (!children_kill(until_ticks, deadline_us, &found, error)) {
            return FALSE;
        }
    } while (found > 0 && left_ms(deadline_us) > 0);
    return TRUE;
}

gboolean libvirtd_orphans_end(guint timeout_ms, GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;
    guint64 until_ticks = now_ticks();

    for (gsize i = 0; i < G_N_ELEMENTS(daemon_pid_files); i++) {
        process_stat_t stat;
        pid_t pid = 0;

        if (pidfile_owner(daemon_pid_files[i], &pid, NULL) && pid > 0 && process_stat_read(pid, &stat)
            && stat.start_ticks > 0) {
            until_ticks = MIN(until_ticks, stat.start_ticks - 1);
        }
    }
    return children_end(until_ticks, deadline_us, error);
}

gboolean libvirtd_end(guint timeout_ms, GError **error)
{
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;
    guint64 until_ticks = now_ticks();

    for (gsize i = 0; i < G_N_ELEMENTS(daemon_pid_files); i++) {
        if (!daemon_kill(daemon_pid_files[i], deadline_us, &until_ticks, error)) {
            return FALSE;
        }
    }
    return children_end(until_ticks, deadline_us, error);
}
