/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/domain_xml.h"

#include <stdarg.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>

#include "base/error.h"

#define DISK_TARGET_PREFIX "vd"
#define DISK_BUS           "virtio"

/* Small, and without anything that costs time before the boot loader: no
 * option ROM for the network card, no video, no USB, no boot menu. pvpanic lets
 * a panicking guest say so. */
static const char builtin_machine[] =
    "<domain>"
    "<os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/><bootmenu enable='no'/></os>"
    "<features><acpi/><apic/></features>"
    "<clock offset='utc'/>"
    "<on_reboot>restart</on_reboot><on_crash>destroy</on_crash>"
    "<devices>"
    "<controller type='usb' model='none'/>"
    "<interface type='bridge'><source/><model type='virtio'/><rom enabled='no'/></interface>"
    "<serial type='pty'/>"
    "<video><model type='none'/></video>"
    "<memballoon model='none'/>"
    "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
    "<panic model='isa'/>"
    "</devices>"
    "</domain>";

static const xmlChar *text_of(const char *text)
{
    return (const xmlChar *) text;
}

static xmlNode *child_find(xmlNode *parent, const char *name)
{
    for (xmlNode *child = xmlFirstElementChild(parent); child != NULL; child = xmlNextElementSibling(child)) {
        if (xmlStrEqual(child->name, text_of(name))) {
            return child;
        }
    }
    return NULL;
}

static xmlNode *child_add(xmlNode *parent, const char *name)
{
    return xmlNewChild(parent, NULL, text_of(name), NULL);
}

static xmlNode *child_get(xmlNode *parent, const char *name)
{
    xmlNode *child = child_find(parent, name);

    return child != NULL ? child : child_add(parent, name);
}

static void child_set_text(xmlNode *parent, const char *name, const char *text)
{
    xmlNode *child = child_get(parent, name);
    xmlNode *content = xmlNewDocText(parent->doc, text_of(text));

    xmlNodeSetContent(child, NULL);
    xmlAddChild(child, content);
}

/* Name and value pairs, ended by NULL. */
static void attributes_set(xmlNode *node, ...)
{
    va_list args;
    const char *name = NULL;

    va_start(args, node);
    for (name = va_arg(args, const char *); name != NULL; name = va_arg(args, const char *)) {
        xmlSetProp(node, text_of(name), text_of(va_arg(args, const char *)));
    }
    va_end(args);
}

/* "10.0.0.1:3300", "[fd00::1]:3300" */
static void monitor_add(xmlNode *source, const char *address)
{
    const char *colon = strrchr(address, ':');
    gboolean bracketed = address[0] == '[' && colon != NULL && colon > address + 1;
    g_autofree char *host = colon != NULL ? g_strndup(address + (bracketed ? 1 : 0),
                                                      (gsize) (colon - address) - (bracketed ? 2 : 0))
                                          : g_strdup(address);
    xmlNode *node = child_add(source, "host");

    attributes_set(node, "name", host, NULL);
    if (colon != NULL) {
        attributes_set(node, "port", colon + 1, NULL);
    }
}

static xmlNode *disk_source_add(xmlNode *disk, const domain_xml_options_t *options, const char *image)
{
    xmlNode *source = child_add(disk, "source");

    attributes_set(source, "protocol", "rbd", "name", image, NULL);
    for (const char *const *monitor = options->monitors; *monitor != NULL; monitor++) {
        monitor_add(source, *monitor);
    }
    if (options->ceph_conf != NULL) {
        attributes_set(child_add(source, "config"), "file", options->ceph_conf, NULL);
    }
    return source;
}

static void disk_auth_add(xmlNode *source, const domain_xml_options_t *options)
{
    xmlNode *auth = child_add(source, "auth");

    attributes_set(auth, "username", options->ceph_user, NULL);
    attributes_set(child_add(auth, "secret"), "type", "ceph", "uuid", options->secret_uuid, NULL);
}

static void child_remove(xmlNode *parent, const char *name)
{
    for (xmlNode *child = child_find(parent, name); child != NULL; child = child_find(parent, name)) {
        xmlUnlinkNode(child);
        xmlFreeNode(child);
    }
}

static void attribute_default(xmlNode *node, const char *name, const char *value)
{
    if (xmlHasProp(node, text_of(name)) == NULL) {
        attributes_set(node, name, value, NULL);
    }
}

/* Everything of a disk is kept but what says where its data were. */
static void disk_set(xmlNode *disk, const domain_xml_options_t *options, const char *image)
{
    static const char *const of_the_old_source[] = { "source", "auth", "backingStore", "mirror" };
    xmlNode *driver = child_get(disk, "driver");
    xmlNode *source = NULL;

    attributes_set(disk, "type", "network", "device", "disk", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(of_the_old_source); i++) {
        child_remove(disk, of_the_old_source[i]);
    }
    /* A blocklisted or cut-off guest stops at its first I/O error instead of going on with what it has in its cache. */
    attributes_set(driver, "name", "qemu", "type", "raw", "error_policy", "stop", "rerror_policy", "stop", NULL);
    attribute_default(driver, "cache", "writeback");
    attribute_default(driver, "discard", "unmap");
    source = disk_source_add(disk, options, image);
    if (options->secret_uuid != NULL) {
        disk_auth_add(source, options);
    }
}

/* --- the template's disks ---------------------------------------------------------- */

static char *attribute_copy(xmlNode *parent, const char *child_name, const char *attribute)
{
    xmlNode *child = parent != NULL ? child_find(parent, child_name) : NULL;
    xmlChar *value = child != NULL ? xmlGetProp(child, text_of(attribute)) : NULL;
    char *copy = g_strdup((const char *) value);

    xmlFree(value);
    return copy;
}

static gboolean attribute_is(xmlNode *node, const char *name, const char *value)
{
    xmlChar *present = node != NULL ? xmlGetProp(node, text_of(name)) : NULL;
    gboolean same = present != NULL && xmlStrEqual(present, text_of(value));

    xmlFree(present);
    return same;
}

/* What an image can't have, or what would undo its protection: refused, never left out in silence. */
static const struct {
    const char *parent;    /* below the disk; NULL: the disk itself */
    const char *child;     /* that must not be there; NULL: the attribute decides */
    const char *attribute;
    const char *value;
    const char *why;
} refused[] = {
    { NULL, NULL, "device", "lun", "device='lun' gives the guest a SCSI device of the host, which the original may write to "
                                   "as well" },
    { NULL, "shareable", NULL, NULL, "<shareable> lets two machines write to one image" },
    { NULL, "transient", NULL, NULL, "<transient> drops what the guest writes" },
    { NULL, "encryption", NULL, NULL, "<encryption> would be of the old source; let the guest encrypt its disk" },
    { "source", "encryption", NULL, NULL, "<encryption> would be of the old source; let the guest encrypt its disk" },
    { "source", "slices", NULL, NULL, "<slices> show a part of the old source; import that part alone" },
    { "source", "reservations", NULL, NULL, "<reservations> are of SCSI devices" },
    { "driver", NULL, "cache", "unsafe", "cache='unsafe' loses writes that the guest has flushed" },
};

static gboolean disk_is_refused(xmlNode *disk, gsize row)
{
    xmlNode *parent = refused[row].parent != NULL ? child_find(disk, refused[row].parent) : disk;

    if (parent == NULL) {
        return FALSE;
    }
    return refused[row].child != NULL ? child_find(parent, refused[row].child) != NULL
                                      : attribute_is(parent, refused[row].attribute, refused[row].value);
}

static gboolean disk_check(xmlNode *disk, GError **error)
{
    for (gsize row = 0; row < G_N_ELEMENTS(refused); row++) {
        if (disk_is_refused(disk, row)) {
            g_autofree char *target = attribute_copy(disk, "target", "dev");

            g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        "the template's disk %s can't be a standby image: %s. Take that out of the template",
                        target != NULL ? target : "without a target", refused[row].why);
            return FALSE;
        }
    }
    return TRUE;
}

/* As device='lun': a disk of the host's SCSI bus that the store can't refuse to the original. */
static gboolean hostdevs_check(xmlNode *devices, GError **error)
{
    for (xmlNode *child = xmlFirstElementChild(devices); child != NULL; child = xmlNextElementSibling(child)) {
        if (xmlStrEqual(child->name, text_of("hostdev"))
            && (attribute_is(child, "type", "scsi") || attribute_is(child, "type", "scsi_host"))) {
            g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                                "the template has a SCSI device of the host (<hostdev>), which the original may write to as "
                                "well: import its contents as an image, and take it out of the template");
            return FALSE;
        }
    }
    return TRUE;
}

/* They stay as they are. */
static gboolean disk_is_removable(xmlNode *disk)
{
    return attribute_is(disk, "device", "cdrom") || attribute_is(disk, "device", "floppy");
}

#define BOOTS_NEVER G_MAXUINT64

static guint64 boot_order(xmlNode *disk)
{
    g_autofree char *text = attribute_copy(disk, "boot", "order");
    guint64 order = 0;

    return text != NULL && g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT, &order, NULL) ? order : BOOTS_NEVER;
}

/* vda, vdb ... vdz, vdaa. A disk without a target comes last: it is given the next free one. */
static int target_compare(const char *a, const char *b)
{
    gsize a_length = a != NULL ? strlen(a) : G_MAXSIZE;
    gsize b_length = b != NULL ? strlen(b) : G_MAXSIZE;

    if (a_length != b_length) {
        return a_length < b_length ? -1 : 1;
    }
    return g_strcmp0(a, b);
}

/* The order in which they take the images: the one that boots, then by target. */
static int disk_compare(gconstpointer a, gconstpointer b)
{
    xmlNode *a_disk = *(xmlNode *const *) a;
    xmlNode *b_disk = *(xmlNode *const *) b;
    guint64 a_order = boot_order(a_disk);
    guint64 b_order = boot_order(b_disk);
    g_autofree char *a_target = attribute_copy(a_disk, "target", "dev");
    g_autofree char *b_target = attribute_copy(b_disk, "target", "dev");

    if (a_order != b_order) {
        return a_order < b_order ? -1 : 1;
    }
    return target_compare(a_target, b_target);
}

/* NULL: there is one that can't be used. */
static GPtrArray *disks_find(xmlNode *devices, GError **error)
{
    g_autoptr(GPtrArray) disks = g_ptr_array_new();

    for (xmlNode *child = xmlFirstElementChild(devices); child != NULL; child = xmlNextElementSibling(child)) {
        if (!xmlStrEqual(child->name, text_of("disk")) || disk_is_removable(child)) {
            continue;
        }
        if (!disk_check(child, error)) {
            return NULL;
        }
        g_ptr_array_add(disks, child);
    }
    g_ptr_array_sort(disks, disk_compare);
    return g_steal_pointer(&disks);
}

static gboolean target_is_used(xmlNode *devices, const char *device)
{
    gboolean used = FALSE;

    for (xmlNode *child = xmlFirstElementChild(devices); child != NULL && !used; child = xmlNextElementSibling(child)) {
        xmlNode *target = xmlStrEqual(child->name, text_of("disk")) ? child_find(child, "target") : NULL;
        xmlChar *name = target != NULL ? xmlGetProp(target, text_of("dev")) : NULL;

        used = name != NULL && xmlStrEqual(name, text_of(device));
        xmlFree(name);
    }
    return used;
}

/* vda ... vdz, vdaa ...: as libvirt and the kernel count. */
static char *target_name(guint index)
{
    char letters[8] = { 0 };
    guint position = sizeof letters - 1;

    index++;
    while (index > 0 && position > 0) {
        index--;
        letters[--position] = (char) ('a' + index % 26);
        index /= 26;
    }
    return g_strconcat(DISK_TARGET_PREFIX, letters + position, NULL);
}

static void target_add(xmlNode *devices, xmlNode *disk)
{
    g_autofree char *name = target_name(0);

    for (guint i = 1; target_is_used(devices, name); i++) {
        g_free(name);
        name = target_name(i);
    }
    attributes_set(child_add(disk, "target"), "dev", name, "bus", DISK_BUS, NULL);
}

static void placement_append(GString *placement, xmlNode *disk, const char *image)
{
    g_autofree char *target = attribute_copy(disk, "target", "dev");

    g_string_append_printf(placement, "%s%s=%s", placement->len > 0 ? " " : "", target != NULL ? target : "?",
                           image);
}

/* Returns which image stands at which target, for people; NULL and an error if the template does not fit. */
static char *disks_set(xmlNode *devices, const domain_xml_options_t *options, GError **error)
{
    g_autoptr(GPtrArray) disks = disks_find(devices, error);
    guint images = g_strv_length((char **) options->images);
    GString *placement = NULL;

    if (disks == NULL) {
        return NULL;
    }
    if (disks->len > images) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "the template has %u disks, but the server has %u images: give an image for each, or take the other "
                    "disks out of the template", disks->len, images);
        return NULL;
    }
    placement = g_string_new(NULL);
    for (guint i = 0; i < images; i++) {
        xmlNode *disk = i < disks->len ? disks->pdata[i] : child_add(devices, "disk");

        disk_set(disk, options, options->images[i]);
        if (child_find(disk, "target") == NULL) {
            target_add(devices, disk);
        }
        placement_append(placement, disk, options->images[i]);
    }
    return g_string_free(placement, FALSE);
}

static void metadata_set(xmlNode *domain, const char *server)
{
    xmlNode *metadata = child_get(domain, "metadata");
    xmlNode *image = xmlNewDocNode(domain->doc, NULL, text_of("image"), NULL);
    xmlNs *namespace = xmlNewNs(image, text_of(DOMAIN_METADATA_URI), text_of("understudy"));

    xmlSetNs(image, namespace);
    attributes_set(image, "server", server, NULL);
    xmlAddChild(metadata, image);
}

static void machine_set(xmlNode *domain, const domain_xml_options_t *options)
{
    g_autofree char *vcpus = g_strdup_printf("%u", options->vcpus);
    g_autofree char *memory_mib = g_strdup_printf("%" G_GUINT64_FORMAT, options->memory_mib);
    xmlNode *interface = child_find(child_find(domain, "devices"), "interface");

    attributes_set(domain, "type", options->kvm ? "kvm" : "qemu", NULL);
    if (options->kvm) {
        /* Saves the guest 120 ms of timer calibration; `migratable` leaves out what can't be moved. */
        attributes_set(child_get(domain, "cpu"), "mode", "host-passthrough", "migratable", "on", NULL);
    }
    child_set_text(domain, "vcpu", vcpus);
    child_set_text(domain, "memory", memory_mib);
    attributes_set(child_find(domain, "memory"), "unit", "MiB", NULL);
    attributes_set(child_find(interface, "source"), "bridge", options->bridge, NULL);
}

/* Of a further card that the template gives none: the same at every start, and no other server's. */
static char *mac_derive(const char *uuid, guint index)
{
    g_autofree char *text = g_strdup_printf("%s/%u", uuid, index);
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);

    return g_strdup_printf("52:54:00:%.2s:%.2s:%.2s", digest, digest + 2, digest + 4);
}

/* libvirt would make up a new one at each start. */
static void macs_set(xmlNode *devices, const domain_xml_options_t *options)
{
    guint index = 0;

    for (xmlNode *child = xmlFirstElementChild(devices); child != NULL; child = xmlNextElementSibling(child)) {
        g_autofree char *present = NULL;
        g_autofree char *derived = NULL;

        if (!xmlStrEqual(child->name, text_of("interface"))) {
            continue;
        }
        present = attribute_copy(child, "mac", "address");
        derived = mac_derive(options->uuid, index);
        if (present == NULL) {
            attributes_set(child_get(child, "mac"), "address", index == 0 ? options->mac : derived, NULL);
        }
        index++;
    }
}

static xmlDoc *template_parse(const char *text, GError **error)
{
    xmlDoc *document = xmlReadMemory(text, (int) strlen(text), NULL, NULL,
                                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS);
    xmlNode *root = document != NULL ? xmlDocGetRootElement(document) : NULL;

    if (root != NULL && xmlStrEqual(root->name, text_of("domain"))) {
        return document;
    }
    g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                        root == NULL ? "the template is no well-formed XML" : "the template is no libvirt <domain>");
    xmlFreeDoc(document);
    return NULL;
}

gboolean domain_xml_build(const domain_xml_options_t *options, domain_xml_t *xml, GError **error)
{
    xmlDoc *document = template_parse(options->template_text != NULL ? options->template_text : builtin_machine, error);
    xmlNode *domain = NULL;
    xmlNode *devices = NULL;
    xmlNode *interface = NULL;
    xmlChar *text = NULL;

    if (document == NULL) {
        return FALSE;
    }
    domain = xmlDocGetRootElement(document);
    devices = child_get(domain, "devices");
    if (options->template_text == NULL) {
        machine_set(domain, options);
    }
    child_set_text(domain, "name", options->name);
    child_set_text(domain, "uuid", options->uuid);
    child_set_text(domain, "on_poweroff", "destroy");
    metadata_set(domain, options->server);
    xml->disks = hostdevs_check(devices, error) ? disks_set(devices, options, error) : NULL;
    if (xml->disks == NULL) {
        xmlFreeDoc(document);
        return FALSE;
    }
    macs_set(devices, options);
    interface = child_find(devices, "interface");
    xml->mac = attribute_copy(interface, "mac", "address");
    xml->bridge = attribute_copy(interface, "source", "bridge");
    xmlDocDumpMemoryEnc(document, &text, NULL, "UTF-8"); /* whatever the template's was: it is a C string from here on */
    xml->text = g_strdup((const char *) text);
    xmlFree(text);
    xmlFreeDoc(document);
    return TRUE;
}

/* A CD-ROM may have a secret of the operator's. */
#define DISK_SECRETS "/domain/devices/disk[not(@device) or @device='disk']//auth/secret[@type='ceph']/@uuid"

char *domain_xml_secret(const char *xml)
{
    xmlDoc *document = xmlReadMemory(xml, (int) strlen(xml), NULL, NULL,
                                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlXPathContext *context = document != NULL ? xmlXPathNewContext(document) : NULL;
    xmlXPathObject *found = context != NULL ? xmlXPathEval(text_of(DISK_SECRETS), context) : NULL;
    char *uuid = NULL;

    if (found != NULL && !xmlXPathNodeSetIsEmpty(found->nodesetval)) {
        xmlChar *text = xmlNodeGetContent(found->nodesetval->nodeTab[0]);

        uuid = g_strdup((const char *) text);
        xmlFree(text);
    }
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    xmlFreeDoc(document);
    return uuid;
}

char *secret_xml_build(const char *uuid, const char *usage)
{
    xmlDoc *document = xmlNewDoc(text_of("1.0"));
    xmlNode *secret = xmlNewDocNode(document, NULL, text_of("secret"), NULL);
    xmlNode *usage_node = NULL;
    xmlChar *text = NULL;
    char *copy = NULL;

    xmlDocSetRootElement(document, secret);
    attributes_set(secret, "ephemeral", "yes", "private", "yes", NULL);
    child_set_text(secret, "uuid", uuid);
    usage_node = child_add(secret, "usage");
    attributes_set(usage_node, "type", "ceph", NULL);
    child_set_text(usage_node, "name", usage);
    xmlDocDumpMemory(document, &text, NULL);
    copy = g_strdup((const char *) text);
    xmlFree(text);
    xmlFreeDoc(document);
    return copy;
}
