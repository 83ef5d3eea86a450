/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fenced_host/fenced_host.h"

#include <unistd.h>

#include "base/error.h"
#include "base/module.h"
#include "image/process_stat.h"
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
                        char **ended_start, gboolean *clean, gboolean *fenced)
{
    g_autoptr(GError) error = NULL;
    const fenced_host_ops_t *ops = module_load(FENCED_HOST_MODULE_FILE, FENCED_HOST_MODULE_SYMBOL, &error);

    *clean = FALSE;
    *fenced = FALSE;
    if (ops == NULL || !ops->holder(options, host, server, boot_id, ended_start, clean, fenced, &error)) {
        ocf_log("whether %s still runs the image of %s can't be known: %s", host, server, error->message);
    }
}

void fenced_host_where(const store_options_t *options, const char *host, char ***addresses)
{
    g_autoptr(GError) error = NULL;
    const fenced_host_ops_t *ops = module_load(FENCED_HOST_MODULE_FILE, FENCED_HOST_MODULE_SYMBOL, &error);

    *addresses = NULL;
    if (ops == NULL || !ops->where(options, host, addresses, &error)) {
        ocf_log("which addresses %s has on the storage network can't be known: %s", host, error->message);
    }
    if (*addresses == NULL) {
        *addresses = g_new0(char *, 1);
    }
}

/* NULL with an error. */
static char *process_identity(pid_t pid, GError **error)
{
    process_stat_t stat;

    if (!process_stat_read(pid, &stat)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED, "what process %d is can't be read", (int) pid);
        return NULL;
    }
    return g_strdup_printf("%d:%" G_GUINT64_FORMAT, (int) pid, stat.start_ticks);
}

gboolean fenced_host_look(const char *name, const store_options_t *options, guint timeout_s)
{
    g_autoptr(GError) error = NULL;
    const fenced_host_ops_t *ops = module_load(FENCED_HOST_MODULE_FILE, FENCED_HOST_MODULE_SYMBOL, &error);
    g_autofree char *executor = ops != NULL ? process_identity(getppid(), &error) : NULL;
    gboolean is_refused = FALSE;

    if (executor == NULL || !ops->look(name, options, executor, timeout_s, &is_refused, &error)) {
        ocf_log("whether %s was fenced, and what follows from it: %s", name, error->message);
    }
    return is_refused;
}
