/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h" /* SYS_pidfd_open */

#include "base/crash_trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a program does to itself. Everything else was sent to it. */
static gboolean is_own_fault(int signal_number)
{
    static const int faults[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };

    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
        if (faults[i] == signal_number) {
            return TRUE;
        }
    }
    return FALSE;
}

static void child_run(void (*body)(gconstpointer data), gconstpointer data)
{
    const struct rlimit none = { 0, 0 };
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void) setrlimit(RLIMIT_CORE, &none);
    if (null >= 0) {
        (void) dup2(null, STDERR_FILENO);
    }
    (void) signal(SIGABRT, SIG_DFL);
    body(data);
    _exit(0);
}

/* Whether it has ended by then. */
static gboolean child_wait(pid_t pid, guint timeout_ms)
{
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;
    struct pollfd wait = { .fd = (int) syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
    gint64 left_ms = timeout_ms;
    int ended = 0;

    while (wait.fd >= 0 && ended <= 0 && left_ms > 0) {
        ended = poll(&wait, 1, (int) MIN(left_ms, G_MAXINT));
        left_ms = (deadline_us - g_get_monotonic_time() + 999) / 1000;
    }
    if (wait.fd >= 0) {
        (void) close(wait.fd);
    }
    return ended > 0;
}

crash_trial_t crash_trial_run(void (*body)(gconstpointer data), gconstpointer data, guint timeout_ms)
{
    pid_t pid = fork();
    gboolean ended = FALSE;
    pid_t reaped = 0;
    int status = 0;

    if (pid == 0) {
        child_run(body, data);
    }
    if (pid < 0) {
        return CRASH_TRIAL_UNKNOWN;
    }
    ended = child_wait(pid, timeout_ms);
    if (!ended) {
        (void) kill(pid, SIGKILL);
    }
    do {
        reaped = waitpid(pid, &status, 0);
    } while (reaped < 0 && errno == EINTR);
    if (!ended || reaped != pid) {
        return CRASH_TRIAL_UNKNOWN;
    }
    if (WIFSIGNALED(status)) {
        return is_own_fault(WTERMSIG(status)) ? CRASH_TRIAL_CRASHED : CRASH_TRIAL_UNKNOWN;
    }
    return CRASH_TRIAL_PASSED;
}
