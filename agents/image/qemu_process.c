/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "image/qemu_process.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/pidfile.h"
#include "image/domain_status.h"

#define PROC_DIR        "/proc"
#define NAME_OPTION     "-name"
#define NAME_PREFIX     "guest="
#define UUID_OPTION     "-uuid"

/* What is seen ------------------------------------------------------------*/

void qemu_shown_clear(qemu_shown_t *shown)
{
    g_clear_pointer(&shown->name, g_free);
    g_clear_pointer(&shown->uuid, g_free);
    g_clear_pointer(&shown->line, g_free);
}

static void shown_free(gpointer data)
{
    qemu_shown_clear(data);
    g_free(data);
}

/* "guest=NAME,debug-threads=on": our names have no comma in them, which QEMU would want doubled. */
static char *guest_name(const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);

    for (char **part = parts; *part != NULL; part++) {
        if (g_str_has_prefix(*part, NAME_PREFIX)) {
            return g_strdup(*part + strlen(NAME_PREFIX));
        }
    }
    return NULL;
}

static void option_take(const char *option, const char *value, qemu_shown_t *shown)
{
    if (strcmp(option, NAME_OPTION) == 0 && shown->name == NULL) {
        shown->name = guest_name(value);
    } else if (strcmp(option, UUID_OPTION) == 0 && shown->uuid == NULL) {
        shown->uuid = g_strdup(value);
    }
}

gboolean qemu_command_line_parse(const char *bytes, gsize length, qemu_shown_t *shown)
{
    g_autofree char *text = g_malloc(length + 1);
    const char *option = NULL;

    shown->name = NULL;
    shown->uuid = NULL;
    shown->line = NULL;
    memcpy(text, bytes, length); /* with an end: a process may have overwritten that of its own */
    text[length] = '\0';
    for (const char *argument = text; argument < text + length; argument += strlen(argument) + 1) {
        if (option != NULL) {
            option_take(option, argument, shown);
        }
        option = argument;
    }
    if (shown->name == NULL && shown->uuid == NULL) {
        return FALSE;
    }
    for (gsize i = 0; i < length; i++) {
        if (text[i] == '\0') {
            text[i] = '\n';
        }
    }
    shown->line = g_steal_pointer(&text);
    return TRUE;
}

/* "image":"run-db1-0" in JSON; rbd:vm/run-db1-0:id=understudy by hand. */
gboolean qemu_shown_has_image(const qemu_shown_t *shown, const char *image)
{
    gsize length = strlen(image);

    for (const char *at = strstr(shown->line, image); at != NULL; at = strstr(at + 1, image)) {
        if (at > shown->line && strchr("\"/", at[-1]) != NULL && strchr("\":,@\n", at[length]) != NULL) {
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean command_line_read(const char *path, qemu_shown_t *shown)
{
    g_autofree char *bytes = NULL;
    gsize length = 0;

    shown->name = NULL;
    shown->uuid = NULL;
    shown->line = NULL;
    /* A process that has just ended is none; one without a command line is the kernel's, or has all but ended. */
    return g_file_get_contents(path, &bytes, &length, NULL) && length > 0
           && qemu_command_line_parse(bytes, length, shown);
}

/* Its first thread shows nothing any more when it has ended before the others. */
static gboolean threads_read(pid_t pid, qemu_shown_t *shown)
{
    g_autofree char *path = g_strdup_printf(PROC_DIR "/%d/task", (int) pid);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *thread = NULL;
    gboolean shows = FALSE;

    while (!shows && directory != NULL && (thread = g_dir_read_name(directory)) != NULL) {
        g_autofree char *file = g_build_filename(path, thread, "cmdline", NULL);

        shows = command_line_read(file, shown);
    }
    return shows;
}

static gboolean process_read(pid_t pid, qemu_shown_t *shown)
{
    g_autofree char *path = g_strdup_printf(PROC_DIR "/%d/cmdline", (int) pid);

    shown->pid = pid;
    return command_line_read(path, shown) || threads_read(pid, shown);
}

GPtrArray *qemu_process_list(GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(shown_free);
    GError *open_error = NULL;
    g_autoptr(GDir) directory = g_dir_open(PROC_DIR, 0, &open_error);
    const char *entry = NULL;

    if (directory == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "which QEMUs run here can't be known: %s",
                    open_error->message);
        g_error_free(open_error);
        return NULL;
    }
    while ((entry = g_dir_read_name(directory)) != NULL) {
        guint64 pid = 0;
        qemu_shown_t shown;

        if (g_ascii_string_to_unsigned(entry, 10, 1, G_MAXINT, &pid, NULL) && process_read((pid_t) pid, &shown)) {
            g_ptr_array_add(list, g_memdup2(&shown, sizeof shown));
        }
    }
    return g_steal_pointer(&list);
}

/* Which is the domain's ---------------------------------------------------*/

static gboolean is_of_domain(const qemu_shown_t *shown, const char *domain_name, const char *domain_uuid)
{
    return g_strcmp0(shown->name, domain_name) == 0
           || (domain_uuid != NULL && shown->uuid != NULL && g_ascii_strcasecmp(shown->uuid, domain_uuid) == 0);
}

gboolean qemu_process_find_recorded(const char *domain_name, pid_t *pid, GError **error)
{
    g_autofree char *file = g_strconcat(domain_name, ".pid", NULL);
    g_autofree char *path = g_build_filename(QEMU_RUN_DIR, file, NULL);

    return pidfile_owner(path, pid, error);
}

gboolean qemu_process_find(const char *domain_name, const char *domain_uuid, pid_t *pid, GError **error)
{
    g_autoptr(GPtrArray) list = NULL;

    if (!qemu_process_find_recorded(domain_name, pid, error)) {
        return FALSE;
    }
    if (*pid != 0) {
        return TRUE;
    }
    list = qemu_process_list(error);
    for (guint i = 0; list != NULL && i < list->len && *pid == 0; i++) {
        const qemu_shown_t *shown = list->pdata[i];

        *pid = is_of_domain(shown, domain_name, domain_uuid) ? shown->pid : 0;
    }
    return list != NULL;
}

static gboolean process_is_of_domain(pid_t pid, const char *domain_name, const char *domain_uuid)
{
    qemu_shown_t shown;
    pid_t owner = 0;
    gboolean is = process_read(pid, &shown) && is_of_domain(&shown, domain_name, domain_uuid);

    qemu_shown_clear(&shown);
    return is || (qemu_process_find_recorded(domain_name, &owner, NULL) && owner == pid);
}

/* A handle ----------------------------------------------------------------*/

gboolean qemu_process_open(const char *domain_name, const char *domain_uuid, pid_t pid, qemu_process_t *process)
{
    process->pid = pid;
    process->fd = (int) syscall(SYS_pidfd_open, pid, 0);
    /* Only now the number can't change hands any more: look again whose it is. */
    if (process->fd >= 0 && process_is_of_domain(pid, domain_name, domain_uuid)) {
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
