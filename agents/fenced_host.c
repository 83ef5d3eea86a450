/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fenced_host.h"

#include <string.h>
#include <unistd.h>

#include "error.h"
#include "module.h"
#include "ocf.h"

char *fenced_host_find(const store_options_t *options, const char *ip)
{
    g_autoptr(GError) error = NULL;
    const fenced_host_ops_t *ops = module_load(FENCED_HOST_MODULE_FILE, FENCED_HOST_MODULE_SYMBOL, &error);
    char *host = ops != NULL ? ops->find(options, ip, &error) : NULL;

    if (error != NULL) {
        ocf_log("whether %s is a host that was fenced can't be known: %s", ip, error->message);
    }
    return host;
}

char **fenced_host_list(const store_options_t *options)
{
    g_autoptr(GError) error = NULL;
    const fenced_host_ops_t *ops = module_load(FENCED_HOST_MODULE_FILE, FENCED_HOST_MODULE_SYMBOL, &error);
    char **hosts = ops != NULL ? ops->list(options, &error) : NULL;

    if (hosts == NULL) {
        ocf_log("which hosts are fenced by the store can't be known: %s", error->message);
    }
    return hosts;
}

gboolean fenced_host_publish(const char *name, const store_options_t *options, GError **error)
{
    const fenced_host_ops_t *ops = module_load(FENCED_HOST_MODULE_FILE, FENCED_HOST_MODULE_SYMBOL, error);

    return ops != NULL && ops->publish(name, options, error);
}

gboolean fenced_host_tell_ended(const char *server, const char *start_id, guint timeout_ms, GError **error)
{
    const fenced_host_ops_t *ops = module_load(FENCED_HOST_MODULE_FILE, FENCED_HOST_MODULE_SYMBOL, error);

    return ops != NULL && ops->tell_ended(server, start_id, timeout_ms, error);
}

void fenced_host_holder(const store_options_t *options, const char *host, const char *server, char **boot_id,
                        char **ended_start, gboolean *clean)
{
    g_autoptr(GError) error = NULL;
    const fenced_host_ops_t *ops = module_load(FENCED_HOST_MODULE_FILE, FENCED_HOST_MODULE_SYMBOL, &error);

    *clean = FALSE;
    if (ops == NULL || !ops->holder(options, host, server, boot_id, ended_start, clean, &error)) {
        ocf_log("whether %s still runs the image of %s can't be known: %s", host, server, error->message);
    }
}

/* proc(5): field 22 of /proc/PID/stat, in clock ticks since boot. Counted from the end of field 2, a name in brackets
 * that may hold blanks; what stands there before the first blank is empty. */
#define START_FIELD 20

/* Pid and start time: no two processes of a boot have both. NULL with an error. */
static char *process_identity(pid_t pid, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int) pid);
    g_autofree char *text = NULL;
    const char *bracket = NULL;
    g_auto(GStrv) fields = NULL;

    if (!g_file_get_contents(path, &text, NULL, error)) {
        return NULL;
    }
    bracket = strrchr(text, ')');
    fields = g_strsplit(bracket != NULL ? bracket + 1 : "", " ", -1);
    if (g_strv_length(fields) <= START_FIELD) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "%s can't be read", path);
        return NULL;
    }
    return g_strdup_printf("%d:%s", (int) pid, fields[START_FIELD]);
}

void fenced_host_look(const char *name, const store_options_t *options, guint timeout_s)
{
    g_autoptr(GError) error = NULL;
    const fenced_host_ops_t *ops = module_load(FENCED_HOST_MODULE_FILE, FENCED_HOST_MODULE_SYMBOL, &error);
    g_autofree char *executor = ops != NULL ? process_identity(getppid(), &error) : NULL;

    if (executor == NULL || !ops->look(name, options, executor, timeout_s, &error)) {
        ocf_log("whether %s was fenced, and what follows from it: %s", name, error->message);
    }
}
