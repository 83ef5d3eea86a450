/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_DOMAIN_XML_H
#define UNDERSTUDY_DOMAIN_XML_H

#include <glib.h>

/* Namespace of the element in a domain's <metadata> that names the server. */
#define DOMAIN_METADATA_URI "urn:understudy:image:1"

/* What a domain is made of. */
typedef struct domain_xml_options {
    const char *template_text;     /* the operator's domain XML; NULL: the built-in machine */
    const char *name;
    const char *uuid;
    const char *server;
    const char *const *images;     /* "pool/image", NULL-terminated; the first is booted */
    const char *const *monitors;   /* "10.0.0.1:3300" or "[fd00::1]:3300", NULL-terminated */
    const char *ceph_conf;         /* read by QEMU's librados; NULL: /etc/ceph/ceph.conf */
    const char *ceph_user;         /* with secret_uuid */
    const char *secret_uuid;       /* NULL: cephx is off */
    const char *mac;
    /* These are for the built-in machine. */
    gboolean kvm;
    guint vcpus;
    guint64 memory_mib;
    const char *bridge;
} domain_xml_options_t;

typedef struct domain_xml {
    char *text;
    char *mac;     /* of the first network card; NULL: none */
    char *bridge;  /* that it is attached to; NULL: none, or not to a bridge */
    char *disks;   /* which image stands at which target, to be shown: "vda=pool/image vdb=..." */
} domain_xml_t;

/*!
 * \brief Make the XML of a domain
 *
 * Pure: text in, text out. Of a template everything is kept but the name, the
 * UUID, on_poweroff (destroy: a stop must end it), where the disks' data are, and
 * the MAC addresses of network cards that have none: libvirt would make up new
 * ones each time. The first image goes to the disk with the lowest boot order, or
 * if none has one to the first by target name; the others follow by target name.
 * Further images become further disks; CD-ROMs stay.
 *
 * \param[out] xml    to be cleared with domain_xml_clear()
 * \param[out] error  UNDERSTUDY_ERROR_CONFIG: the template is no domain XML, has more disks than there are
 *                     images, or asks of a disk what an image can't be: nothing is lost in silence
 */
gboolean domain_xml_build(const domain_xml_options_t *options, domain_xml_t *xml, GError **error);

/* Here, because the building stands in a module that its users may not have loaded. */
static inline void domain_xml_clear(domain_xml_t *xml)
{
    g_clear_pointer(&xml->text, g_free);
    g_clear_pointer(&xml->mac, g_free);
    g_clear_pointer(&xml->bridge, g_free);
    g_clear_pointer(&xml->disks, g_free);
}

/* UUID of the secret that the disks of a running domain need, as libvirt tells its XML; NULL if there is none; g_free(). */
char *domain_xml_secret(const char *xml);

/* XML of a libvirt secret for a cephx key: gone when libvirtd ends, and never told to anyone. g_free(). */
char *secret_xml_build(const char *uuid, const char *usage);

#endif
