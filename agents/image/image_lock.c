/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "image/image_lock.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/pidfile.h"
#include "ocf.h"
#include "run_dir.h"

#define POLL_MS 50

static char *lock_path(const char *domain_name)
{
    return g_strdup_printf(UNDERSTUDY_RUN_DIR "/" IMAGE_LOCK_PREFIX "%s" IMAGE_LOCK_SUFFIX, domain_name);
}

/* -1 without an error: another action holds it. */
static int lock_try(const char *path, GError **error)
{
    GError *acquire_error = NULL;
    int lock = pidfile_acquire(path, &acquire_error);

    if (g_error_matches(acquire_error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS)) {
        g_clear_error(&acquire_error);
    } else if (acquire_error != NULL) {
        g_propagate_error(error, acquire_error);
    }
    return lock;
}

int image_lock_take(const char *domain_name, guint wait_ms, GError **error)
{
    g_autofree char *path = lock_path(domain_name);
    gint64 deadline_us = g_get_monotonic_time() + wait_ms * 1000LL;
    GError *try_error = NULL;
    int lock = -1;

    if (g_mkdir_with_parents(UNDERSTUDY_RUN_DIR, 0755) != 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_PERMISSION, "can't make %s: %s", UNDERSTUDY_RUN_DIR,
                    g_strerror(errno));
        return -1;
    }
    lock = lock_try(path, &try_error);
    while (lock < 0 && try_error == NULL && g_get_monotonic_time() < deadline_us) {
        g_usleep(POLL_MS * 1000);
        lock = lock_try(path, &try_error);
    }
    if (try_error != NULL) {
        g_propagate_error(error, try_error);
    } else if (lock < 0) {
        pid_t owner = 0;

        (void) pidfile_owner(path, &owner, NULL);
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_BUSY,
                    "another action of %s is under way on this host (pid %d): wait for it, or end it", domain_name,
                    (int) owner);
    }
    return lock;
}

void image_lock_release(int lock)
{
    if (lock >= 0) {
        close(lock);
    }
}

void image_lock_holder_end(const char *domain_name)
{
    g_autofree char *path = lock_path(domain_name);
    pid_t owner = 0;
    pid_t again = 0;
    int fd = -1;

    if (pidfile_owner(path, &owner, NULL) && owner > 0) {
        fd = (int) syscall(SYS_pidfd_open, owner, 0);
    }
    if (fd >= 0 && pidfile_owner(path, &again, NULL) && again == owner) { /* the number can't change hands any more */
        ocf_log("ending an action of %s that is under way beside this one (pid %d)", domain_name, (int) owner);
        (void) syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    }
    if (fd >= 0) {
        close(fd);
    }
}
