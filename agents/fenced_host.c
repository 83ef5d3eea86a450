/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fenced_host.h"

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
