/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "fuzz.h"
#include "host/domain_xml.h"

#define NAME "standby-db1"

/* The input is the operator's template. */
static const domain_xml_options_t options_base = {
    .name = NAME,
    .uuid = "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    .server = "db1",
    .images = (const char *const[]) { "hosts/run-db1-0", "hosts/run-db1-1", NULL },
    .monitors = (const char *const[]) { "10.0.0.1:3300", "[fd00::1]:3300", NULL },
    .ceph_conf = "/etc/ceph/ceph.conf",
    .ceph_user = "understudy",
    .secret_uuid = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    .mac = "52:54:00:12:34:56",
};

static guint count_elements(const xmlNode *parent, const char *name)
{
    guint count = 0;

    for (const xmlNode *child = parent->children; child != NULL; child = child->next) {
        count += child->type == XML_ELEMENT_NODE && strcmp((const char *) child->name, name) == 0;
    }
    return count;
}

static xmlNode *first_element(xmlNode *parent, const char *name)
{
    xmlNode *child = xmlFirstElementChild(parent);

    while (child != NULL && strcmp((const char *) child->name, name) != 0) {
        child = xmlNextElementSibling(child);
    }
    return child;
}

static void check(const domain_xml_t *xml)
{
    xmlDoc *document = NULL;
    xmlNode *domain = NULL;
    xmlNode *devices = NULL;
    xmlChar *name = NULL;

    FUZZ_CHECK(xml->text != NULL);
    document = xmlReadMemory(xml->text, (int) strlen(xml->text), NULL, NULL,
                             XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    FUZZ_CHECK(document != NULL);
    domain = xmlDocGetRootElement(document);
    FUZZ_CHECK(strcmp((const char *) domain->name, "domain") == 0);
    name = xmlNodeGetContent(first_element(domain, "name"));
    FUZZ_CHECK(strcmp((const char *) name, NAME) == 0);
    xmlFree(name);
    devices = first_element(domain, "devices");
    FUZZ_CHECK(devices != NULL && count_elements(devices, "disk") >= 2);
    FUZZ_CHECK(count_elements(devices, "interface") == 0 || xml->mac != NULL);
    xmlFreeDoc(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *template_text = fuzz_text(data, size_bytes);
    domain_xml_options_t options = options_base;
    domain_xml_t xml = { 0 };
    GError *error = NULL;
    gboolean good = FALSE;

    options.template_text = template_text;
    good = domain_xml_build(&options, &xml, &error);
    fuzz_check_outcome(good, error);
    if (good) {
        check(&xml);
    }
    domain_xml_clear(&xml);
    return 0;
}
