/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/image_copy.h"

#include "fenced_host/fenced_host.h"
#include "host/hypervisor.h"
#include "image/image_actions.h"

static guint left_ms(gint64 deadline_us)
{
    return (guint) CLAMP((deadline_us - g_get_monotonic_time()) / 1000, 1, G_MAXINT);
}

/* TRUE: none runs there. */
static gboolean copy_end(const ocf_call_t *call, const image_identity_t *identity, const char *host, gint64 deadline_us,
                         GError **error)
{
    g_autofree char *uri = image_host_uri(call, host);
    hypervisor_t *hypervisor = hypervisor_open(uri, left_ms(deadline_us), error);
    hypervisor_domain_t domain = { .found = FALSE };
    gboolean ended = hypervisor != NULL
                     && hypervisor_domain_find(hypervisor, identity->domain_uuid, identity->domain_name, &domain,
                                               left_ms(deadline_us), error);

    if (ended && domain.found) {
        ended = hypervisor_domain_destroy(hypervisor, domain.uuid, left_ms(deadline_us), error);
        ocf_log("%s is fenced by the store, and still ran the image of %s: %s", host, identity->server,
                ended ? "ended" : "it can't be ended");
    }
    hypervisor_domain_clear(&domain);
    hypervisor_close(hypervisor);
    return ended;
}

char *image_copies_end(const ocf_call_t *call, const image_identity_t *identity, guint timeout_ms)
{
    const store_options_t options = image_store_options(call);
    gint64 begun_us = g_get_monotonic_time();
    g_auto(GStrv) hosts = fenced_host_list(&options);
    guint count = hosts != NULL ? g_strv_length(hosts) : 0;
    g_autoptr(GPtrArray) left = g_ptr_array_new();

    for (guint i = 0; i < count; i++) { /* one that does not answer leaves the others their part of the time */
        g_autoptr(GError) error = NULL;

        if (!copy_end(call, identity, hosts[i], begun_us + timeout_ms * 1000LL * (i + 1) / count, &error)) {
            ocf_log("whether %s, which is fenced by the store, still runs the image of %s can't be known: %s", hosts[i],
                    identity->server, error->message);
            g_ptr_array_add(left, hosts[i]);
        }
    }
    g_ptr_array_add(left, NULL);
    return left->len > 1 ? g_strjoinv(", ", (char **) left->pdata) : NULL;
}
