/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/image_identity.h"

#include <string.h>

#include <uuid/uuid.h>

#include "base/error.h"
#include "base/names.h"

/* Locally administered and unicast; libvirt and QEMU use it for guests. */
#define MAC_PREFIX "52:54:00"

/* Made once with uuidgen: changing it would rename every domain. */
static const char uuid_namespace[] = "5d3a5f6e-3b0c-4c1e-9a43-0f2b7c5b8e11";

static void name_uuid(const char *kind, const char *name, uuid_t uuid)
{
    g_autofree char *text = g_strconcat(kind, ":", name, NULL);
    uuid_t namespace = { 0 };

    uuid_parse(uuid_namespace, namespace);
    uuid_generate_sha1(uuid, namespace, text, strlen(text));
}

static char *name_uuid_text(const char *kind, const char *name)
{
    char text[UUID_STR_LEN];
    uuid_t uuid = { 0 };

    name_uuid(kind, name, uuid);
    uuid_unparse_lower(uuid, text);
    return g_strdup(text);
}

static char *derived_mac(const char *server)
{
    uuid_t uuid = { 0 };

    name_uuid("mac", server, uuid);
    return g_strdup_printf(MAC_PREFIX ":%02x:%02x:%02x", uuid[13], uuid[14], uuid[15]);
}

gboolean image_identity_init(image_identity_t *identity, const char *instance, const char *server, GError **error)
{
    const char *instance_server = resource_id_server(instance);

    memset(identity, 0, sizeof *identity);
    if (server == NULL) {
        server = instance_server != NULL ? instance_server : instance;
    }
    if (!server_name_is_valid(server)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "'%s' names no server: call the resource " IMAGE_RESOURCE_PREFIX "SERVER or set server", server);
        return FALSE;
    }
    identity->server = g_strdup(server);
    identity->domain_name = instance[0] != '\0' ? g_strdup(instance) : server_resource_id(server);
    identity->domain_uuid = name_uuid_text("domain", identity->domain_name);
    identity->mac = derived_mac(server);
    return TRUE;
}

void image_identity_clear(image_identity_t *identity)
{
    g_clear_pointer(&identity->server, g_free);
    g_clear_pointer(&identity->domain_name, g_free);
    g_clear_pointer(&identity->domain_uuid, g_free);
    g_clear_pointer(&identity->mac, g_free);
}
