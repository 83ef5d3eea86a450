/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

gboolean pidfile_owner(const char *path, pid_t *owner, GError **error)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_RDWR | O_CLOEXEC);
    int rc = 0;

    *owner = 0;
    if (fd < 0 && errno == ENOENT) {
        return TRUE;
    }
    rc = fd < 0 ? -1 : fcntl(fd, F_GETLK, &lock);
    if (rc < 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "pid file %s can't be asked for its owner: %s",
                    path, g_strerror(errno));
    } else if (lock.l_type != F_UNLCK) {
        *owner = lock.l_pid;
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc == 0;
}

int pidfile_acquire(const char *path, GError **error)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    g_autofree char *text = g_strdup_printf("%d\n", (int) getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int saved_errno = 0;

    if (fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 && ftruncate(fd, 0) == 0
        && write(fd, text, strlen(text)) == (ssize_t) strlen(text)) {
        return fd;
    }
    saved_errno = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (fd >= 0 && (saved_errno == EAGAIN || saved_errno == EACCES)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_EXISTS, "another process runs already and holds %s", path);
    } else {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_PERMISSION, "pid file %s can't be written: %s",
                    path, g_strerror(saved_errno));
    }
    return -1;
}
