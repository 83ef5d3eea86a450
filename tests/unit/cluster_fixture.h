/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a cluster's state is after a CIB in text was read. */
#ifndef UNDERSTUDY_TESTS_CLUSTER_FIXTURE_H
#define UNDERSTUDY_TESTS_CLUSTER_FIXTURE_H

#include <crm/common/xml.h>

#include "cluster/cib.h"
#include "cluster/cluster_state.h"

/* To be freed with cluster_state_free(). The test ends where the text is not a CIB. */
static inline cluster_state_t *cluster_of(const char *text)
{
    GError *error = NULL;
    cluster_state_t *cluster = NULL;
    xmlNode *xml = NULL;

    crm_xml_init();
    xml = string2xml(text);
    assert_non_null(xml);
    cluster = cluster_state_parse(xml, &error);
    cib_xml_free(xml);
    assert_null(error);
    assert_non_null(cluster);
    return cluster;
}

#endif
