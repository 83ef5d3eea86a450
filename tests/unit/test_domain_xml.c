/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

#include "base/error.h"
#include "host/domain_xml.h"

static const domain_xml_options_t options = {
    .name = "standby-db1",
    .uuid = "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    .server = "db1",
    .images = (const char *const[]) { "hosts/run-db1-0", "hosts/run-db1-1", NULL },
    .monitors = (const char *const[]) { "10.0.0.1:3300", "[fd00::1]:3300", NULL },
    .ceph_user = "understudy",
    .secret_uuid = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    .mac = "52:54:00:12:34:56",
    .kvm = TRUE,
    .vcpus = 2,
    .memory_mib = 512,
    .bridge = "br-svc",
};

static xmlDoc *build(const char *template_text, domain_xml_t *xml)
{
    domain_xml_options_t with_template = options;
    GError *error = NULL;
    xmlDoc *document = NULL;

    with_template.template_text = template_text;
    assert_true(domain_xml_build(&with_template, xml, &error));
    assert_null(error);
    document = xmlReadMemory(xml->text, (int) strlen(xml->text), NULL, NULL, XML_PARSE_NONET);
    assert_non_null(document);
    return document;
}

static void assert_xpath(xmlDoc *document, const char *path, const char *value)
{
    xmlXPathContext *context = xmlXPathNewContext(document);
    xmlXPathObject *found = NULL;
    xmlChar *text = NULL;

    xmlXPathRegisterNs(context, (const xmlChar *) "u", (const xmlChar *) DOMAIN_METADATA_URI);
    xmlXPathRegisterNs(context, (const xmlChar *) "s", (const xmlChar *) "urn:s");
    found = xmlXPathEvalExpression((const xmlChar *) path, context);
    text = xmlXPathCastToString(found);
    assert_string_equal((const char *) text, value);
    xmlFree(text);
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
}

static void test_builtin_machine(void **state)
{
    domain_xml_t xml = { 0 };
    xmlDoc *document = build(NULL, &xml);

    (void) state;
    assert_xpath(document, "/domain/@type", "kvm");
    assert_xpath(document, "/domain/name", "standby-db1");
    assert_xpath(document, "/domain/memory[@unit='MiB']", "512");
    assert_xpath(document, "/domain/on_poweroff", "destroy");
    assert_xpath(document, "/domain/metadata/u:image/@server", "db1");
    assert_xpath(document, "count(/domain/devices/disk)", "2");
    assert_xpath(document, "/domain/devices/disk[1]/source/@name", "hosts/run-db1-0");
    assert_xpath(document, "/domain/devices/disk[1]/driver/@error_policy", "stop");
    assert_xpath(document, "/domain/devices/disk[2]/target/@dev", "vdb");
    assert_xpath(document, "/domain/devices/disk[1]/source/host[2]/@name", "fd00::1");
    assert_xpath(document, "/domain/devices/disk[1]/source/host[2]/@port", "3300");
    assert_xpath(document, "/domain/devices/disk[1]/source/auth/secret/@uuid", options.secret_uuid);
    assert_string_equal(xml.mac, options.mac);
    assert_string_equal(xml.bridge, "br-svc");
    xmlFreeDoc(document);
    domain_xml_clear(&xml);
}

static void test_template_keeps_what_is_the_operators(void **state)
{
    domain_xml_t xml = { 0 };
    xmlDoc *document = build("<domain type='qemu'><name>old</name><memory>4096</memory><devices>"
                             "<disk type='file'><source file='/a'/><target dev='sda' bus='scsi'/></disk>"
                             "<disk type='file' device='cdrom'><target dev='vda'/></disk>"
                             "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br1'/></interface>"
                             "</devices></domain>", &xml);

    (void) state;
    assert_xpath(document, "/domain/@type", "qemu");
    assert_xpath(document, "/domain/name", "standby-db1");
    assert_xpath(document, "/domain/memory", "4096");
    assert_xpath(document, "count(/domain/devices/disk)", "3");
    assert_xpath(document, "/domain/devices/disk[1]/source/@name", "hosts/run-db1-0");
    assert_xpath(document, "/domain/devices/disk[1]/target/@dev", "sda");
    assert_xpath(document, "/domain/devices/disk[@device='cdrom']/target/@dev", "vda");
    assert_xpath(document, "/domain/devices/disk[3]/target/@dev", "vdb");
    assert_string_equal(xml.mac, "52:54:00:00:00:01");
    assert_string_equal(xml.bridge, "br1");
    xmlFreeDoc(document);
    domain_xml_clear(&xml);
}

/* What a guest sees of its disk, and what protects or limits it, is the operator's: block size, geometry, names, rates. */
static void test_all_of_a_disk_is_kept_but_its_source(void **state)
{
    domain_xml_t xml = { 0 };
    xmlDoc *document = build(
        "<domain type='qemu'><iothreads>1</iothreads><devices>"
        "<disk type='file' device='disk' snapshot='external' model='virtio-transitional'>"
        "<driver name='qemu' type='qcow2' iothread='1' queues='2' discard='ignore' cache='none' error_policy='report'/>"
        "<auth username='old'><secret type='ceph' uuid='5d3a5f6e-3b0c-4c1e-9a43-0f2b7c5b8e14'/></auth>"
        "<source file='/srv/p2v.img' startupPolicy='optional'><seclabel relabel='no'/></source>"
        "<backingStore type='file'><source file='/base'/></backingStore>"
        "<blockio logical_block_size='4096' physical_block_size='4096'/>"
        "<geometry cyls='16383' heads='16' secs='63' trans='lba'/>"
        "<target dev='sda' bus='scsi' rotation_rate='1'/>"
        "<iotune><total_iops_sec>500</total_iops_sec></iotune><vendor>ACME</vendor><product>DISK4K</product>"
        "<serial>S1</serial><wwn>5000c50015ea71aa</wwn><readonly/><boot order='1'/><alias name='ua-system'/>"
        "<what-comes-later a='1'/>"
        "</disk></devices></domain>", &xml);

    (void) state;
    assert_xpath(document, "//disk[1]/driver/@iothread", "1");
    assert_xpath(document, "//disk[1]/driver/@queues", "2");
    assert_xpath(document, "//disk[1]/driver/@discard", "ignore");
    assert_xpath(document, "//disk[1]/driver/@cache", "none");
    assert_xpath(document, "//disk[1]/blockio/@logical_block_size", "4096");
    assert_xpath(document, "//disk[1]/geometry/@cyls", "16383");
    assert_xpath(document, "//disk[1]/target/@rotation_rate", "1");
    assert_xpath(document, "//disk[1]/iotune/total_iops_sec", "500");
    assert_xpath(document, "//disk[1]/vendor", "ACME");
    assert_xpath(document, "//disk[1]/product", "DISK4K");
    assert_xpath(document, "//disk[1]/serial", "S1");
    assert_xpath(document, "//disk[1]/wwn", "5000c50015ea71aa");
    assert_xpath(document, "//disk[1]/boot/@order", "1");
    assert_xpath(document, "//disk[1]/alias/@name", "ua-system");
    assert_xpath(document, "//disk[1]/@snapshot", "external");
    assert_xpath(document, "//disk[1]/@model", "virtio-transitional");
    assert_xpath(document, "count(//disk[1]/readonly)", "1");
    assert_xpath(document, "//disk[1]/what-comes-later/@a", "1");
    /* Of the old source nothing is left, and a fault of the store stops the guest whatever the template says. */
    assert_xpath(document, "//disk[1]/driver/@type", "raw");
    assert_xpath(document, "//disk[1]/driver/@error_policy", "stop");
    assert_xpath(document, "//disk[1]/@type", "network");
    assert_xpath(document, "//disk[1]/source/@name", "hosts/run-db1-0");
    assert_xpath(document, "count(//disk[1]/source)", "1");
    assert_xpath(document, "count(//disk[1]/source/@file)", "0");
    assert_xpath(document, "count(//disk[1]//auth)", "1");
    assert_xpath(document, "count(//backingStore)", "0");
    assert_xpath(document, "//disk[1]/source/auth/@username", "understudy");
    xmlFreeDoc(document);
    domain_xml_clear(&xml);
}

/* A template of which an image can be made only with a loss. */
static void test_what_an_image_cant_have_is_refused(void **state)
{
    static const struct {
        const char *disk;
        const char *word;
    } rows[] = {
        { "<disk type='block' device='lun'><source dev='/dev/sdx'/><target dev='sdb' bus='scsi'/></disk>", "lun" },
        { "<disk><target dev='sdb'/><shareable/></disk>", "shareable" },
        { "<disk><target dev='sdb'/><transient/></disk>", "transient" },
        { "<disk><target dev='sdb'/><encryption format='luks'/></disk>", "encryption" },
        { "<disk><target dev='sdb'/><source file='/a'><encryption format='luks'/></source></disk>", "encryption" },
        { "<disk><target dev='sdb'/><source file='/a'><slices/></source></disk>", "slices" },
        { "<disk><target dev='sdb'/><source file='/a'><reservations managed='yes'/></source></disk>", "reservations" },
        { "<disk><target dev='sdb'/><driver cache='unsafe'/></disk>", "unsafe" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf("<domain><devices>%s</devices></domain>", rows[i].disk);
        domain_xml_options_t with_template = options;
        domain_xml_t xml = { 0 };
        GError *error = NULL;

        with_template.template_text = text;
        assert_false(domain_xml_build(&with_template, &xml, &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        assert_non_null(strstr(error->message, rows[i].word));
        assert_non_null(strstr(error->message, "sdb"));
        g_error_free(error);
        domain_xml_clear(&xml);
    }
}

static void test_a_scsi_device_of_the_host_is_refused(void **state)
{
    static const char *const types[] = { "scsi", "scsi_host" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
        g_autofree char *text = g_strdup_printf("<domain><devices><hostdev mode='subsystem' type='%s'/></devices></domain>",
                                                types[i]);
        domain_xml_options_t with_template = options;
        domain_xml_t xml = { 0 };
        GError *error = NULL;

        with_template.template_text = text;
        assert_false(domain_xml_build(&with_template, &xml, &error));
        assert_non_null(strstr(error->message, "<hostdev>"));
        g_error_free(error);
        domain_xml_clear(&xml);
    }
}

/* A running guest's XML, and all that a guest sees of its machine or that protects it: not a word of it is changed. */
static void test_the_machine_is_kept_as_it_is(void **state)
{
    static const char *const kept[] = {
        "<memory unit=\"KiB\">524288</memory>", "<currentMemory unit=\"KiB\">524288</currentMemory>",
        "<memoryBacking><hugepages/><locked/></memoryBacking>", "<vcpu placement=\"static\" cpuset=\"0-1\">2</vcpu>",
        "<iothreads>2</iothreads>", "<cputune><vcpupin vcpu=\"0\" cpuset=\"1\"/></cputune>",
        "<numatune><memory mode=\"strict\" nodeset=\"0\"/></numatune>",
        "<os firmware=\"efi\"><type arch=\"x86_64\" machine=\"pc-q35-7.2\">hvm</type><loader secure=\"yes\"/>"
        "<nvram>/var/lib/libvirt/qemu/nvram/srv.fd</nvram><bios useserial=\"yes\"/></os>",
        "<sysinfo type=\"smbios\"><system><entry name=\"serial\">SN-1</entry></system></sysinfo>",
        "<features><acpi/><hyperv><relaxed state=\"on\"/></hyperv><smm state=\"on\"/></features>",
        "<cpu mode=\"custom\" match=\"exact\"><model>Haswell</model><feature policy=\"disable\" name=\"hle\"/>"
        "<numa><cell id=\"0\" cpus=\"0-1\" memory=\"524288\" unit=\"KiB\"/></numa></cpu>",
        "<clock offset=\"localtime\"><timer name=\"hpet\" present=\"no\"/></clock>", "<on_crash>coredump-restart</on_crash>",
        "<launchSecurity type=\"sev\"><policy>0x3</policy></launchSecurity>", "<seclabel type=\"none\"/>",
        "<qemu:commandline><qemu:arg value=\"-no-hpet\"/></qemu:commandline>",
    };
    static const char *const kept_devices[] = {
        "<controller type=\"scsi\" index=\"0\" model=\"virtio-scsi\"><driver iothread=\"1\"/></controller>",
        "<filesystem type=\"mount\"><source dir=\"/srv\"/><target dir=\"srv\"/></filesystem>",
        "<interface type=\"network\"><mac address=\"52:54:00:aa:bb:cc\"/><source network=\"ovs\" portgroup=\"vlan3\"/>"
        "<virtualport type=\"openvswitch\"/><vlan><tag id=\"3\"/></vlan><model type=\"virtio\"/>"
        "<driver name=\"vhost\" queues=\"4\"/><bandwidth><inbound average=\"1000\"/></bandwidth><filterref filter=\"clean\"/>"
        "<mtu size=\"9000\"/></interface>",
        "<serial type=\"pty\"><target port=\"0\"/><log file=\"/var/log/srv\"/></serial>",
        "<tpm model=\"tpm-crb\"><backend type=\"emulator\" version=\"2.0\"/></tpm>",
        "<hostdev mode=\"subsystem\" type=\"usb\"/>", "<watchdog model=\"i6300esb\" action=\"reset\"/>",
        "<memballoon model=\"virtio\"><stats period=\"10\"/></memballoon>", "<shmem name=\"x\"><size unit=\"M\">4</size></shmem>",
        "<rng model=\"virtio\"><rate bytes=\"1024\"/></rng>", "<iommu model=\"intel\"/>", "<vsock><cid auto=\"yes\"/></vsock>",
    };
    g_autoptr(GString) text = g_string_new("<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>");
    domain_xml_t xml = { 0 };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(kept); i++) {
        g_string_append(text, kept[i]);
    }
    g_string_append(text, "<devices>");
    for (gsize i = 0; i < G_N_ELEMENTS(kept_devices); i++) {
        g_string_append(text, kept_devices[i]);
    }
    g_string_append(text, "</devices></domain>");
    xmlFreeDoc(build(text->str, &xml));
    for (gsize i = 0; i < G_N_ELEMENTS(kept); i++) {
        assert_non_null(strstr(xml.text, kept[i]));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(kept_devices); i++) {
        assert_non_null(strstr(xml.text, kept_devices[i]));
    }
    domain_xml_clear(&xml);
}

static void test_more_disks_than_images(void **state)
{
    domain_xml_options_t with_template = options;
    domain_xml_t xml = { 0 };
    GError *error = NULL;

    (void) state;
    with_template.template_text = "<domain><devices><disk><target dev='vda'/></disk><disk><target dev='vdb'/></disk>"
                                  "<disk><target dev='vdc'/></disk></devices></domain>";
    assert_false(domain_xml_build(&with_template, &xml, &error));
    assert_non_null(strstr(error->message, "3 disks"));
    assert_non_null(strstr(error->message, "2 images"));
    g_error_free(error);
    domain_xml_clear(&xml);
}

/* The first image is the system disk: it goes where the guest boots from, whatever the template lists first. */
static void test_images_go_by_boot_order_and_target(void **state)
{
    static const struct {
        const char *first;
        const char *second;
        const char *disks;
    } rows[] = {
        { "<target dev='vdb'/>", "<target dev='vda'/><boot order='1'/>", "vda=hosts/run-db1-0 vdb=hosts/run-db1-1" },
        { "<target dev='vdb'/>", "<target dev='vda'/>", "vda=hosts/run-db1-0 vdb=hosts/run-db1-1" },
        { "<target dev='vda'/>", "<target dev='vdb'/><boot order='2'/>", "vdb=hosts/run-db1-0 vda=hosts/run-db1-1" },
        { "<target dev='vda'/><boot order='2'/>", "<target dev='vdb'/><boot order='1'/>",
          "vdb=hosts/run-db1-0 vda=hosts/run-db1-1" },
        { "<target dev='vdaa'/>", "<target dev='vdz'/>", "vdz=hosts/run-db1-0 vdaa=hosts/run-db1-1" },
    };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf("<domain><devices><disk>%s</disk><disk>%s</disk></devices></domain>",
                                                rows[i].first, rows[i].second);
        domain_xml_t xml = { 0 };
        xmlDoc *document = build(text, &xml);

        assert_string_equal(xml.disks, rows[i].disks);
        assert_xpath(document, "//disk[source/@name='hosts/run-db1-0']/target/@dev",
                     strncmp(rows[i].disks, "vda", 3) == 0 ? "vda" : strncmp(rows[i].disks, "vdb", 3) == 0 ? "vdb" : "vdz");
        xmlFreeDoc(document);
        domain_xml_clear(&xml);
    }
}

/* libvirt would make up a new one at each start, for every card without one. */
static void test_every_card_has_one_mac_for_life(void **state)
{
    static const char text[] = "<domain><devices><interface/><interface><mac address='52:54:00:00:00:02'/></interface>"
                               "<interface/></devices></domain>";
    domain_xml_t first = { 0 };
    domain_xml_t second = { 0 };
    xmlDoc *document = build(text, &first);

    (void) state;
    xmlFreeDoc(build(text, &second));
    assert_string_equal(first.text, second.text);
    assert_xpath(document, "//interface[1]/mac/@address", options.mac);
    assert_xpath(document, "//interface[2]/mac/@address", "52:54:00:00:00:02");
    assert_xpath(document, "starts-with(//interface[3]/mac/@address, '52:54:00:')", "true");
    xmlFreeDoc(document);
    domain_xml_clear(&first);
    domain_xml_clear(&second);
}

/* An element that is kept brings the namespace with it that stood on its old disk. */
static void test_namespace_of_a_replaced_disk(void **state)
{
    domain_xml_t xml = { 0 };
    xmlDoc *document = build("<domain><devices><disk xmlns:s='urn:s'><s:serial s:x='2'>1</s:serial></disk></devices>"
                             "</domain>", &xml);

    (void) state;
    assert_xpath(document, "/domain/devices/disk[1]/s:serial", "1");
    assert_xpath(document, "/domain/devices/disk[1]/s:serial/@s:x", "2");
    xmlFreeDoc(document);
    domain_xml_clear(&xml);
}

static void test_encoding_of_the_template(void **state)
{
    domain_xml_t xml = { 0 };
    xmlDoc *document = build("<?xml version='1.0' encoding='ISO-8859-1'?><domain><title>b\xfc" "cher</title></domain>", &xml);

    (void) state;
    assert_non_null(strstr(xml.text, "UTF-8"));
    assert_xpath(document, "/domain/title", "b\xc3\xbc" "cher");
    xmlFreeDoc(document);
    domain_xml_clear(&xml);
}

static void test_no_template_at_all(void **state)
{
    const char *const texts[] = { "", "<domain>", "<network/>", "no XML" };

    (void) state;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        domain_xml_options_t wrong = options;
        domain_xml_t xml = { 0 };
        GError *error = NULL;

        wrong.template_text = texts[i];
        assert_false(domain_xml_build(&wrong, &xml, &error));
        assert_true(g_error_matches(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG));
        g_error_free(error);
    }
}

static void test_secret(void **state)
{
    g_autofree char *text = secret_xml_build("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "understudy <1>");
    xmlDoc *document = xmlReadMemory(text, (int) strlen(text), NULL, NULL, XML_PARSE_NONET);

    (void) state;
    assert_xpath(document, "/secret[@ephemeral='yes'][@private='yes']/uuid", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    assert_xpath(document, "/secret/usage[@type='ceph']/name", "understudy <1>");
    xmlFreeDoc(document);
}

static void test_secret_of_a_domain(void **state)
{
    domain_xml_t xml = { 0 };
    xmlDoc *document = build(NULL, &xml);
    g_autofree char *uuid = domain_xml_secret(xml.text);

    (void) state;
    assert_string_equal(uuid, options.secret_uuid);
    assert_null(domain_xml_secret("<domain><devices><disk device='cdrom'><auth><secret type='ceph' uuid='1'/></auth>"
                                  "</disk></devices></domain>"));
    assert_null(domain_xml_secret("no XML"));
    assert_null(domain_xml_secret(""));
    xmlFreeDoc(document);
    domain_xml_clear(&xml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builtin_machine),
        cmocka_unit_test(test_template_keeps_what_is_the_operators),
        cmocka_unit_test(test_all_of_a_disk_is_kept_but_its_source),
        cmocka_unit_test(test_what_an_image_cant_have_is_refused),
        cmocka_unit_test(test_a_scsi_device_of_the_host_is_refused),
        cmocka_unit_test(test_the_machine_is_kept_as_it_is),
        cmocka_unit_test(test_more_disks_than_images),
        cmocka_unit_test(test_images_go_by_boot_order_and_target),
        cmocka_unit_test(test_every_card_has_one_mac_for_life),
        cmocka_unit_test(test_namespace_of_a_replaced_disk),
        cmocka_unit_test(test_encoding_of_the_template),
        cmocka_unit_test(test_no_template_at_all),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_secret_of_a_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
