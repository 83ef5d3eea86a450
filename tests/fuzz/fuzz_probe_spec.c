/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "params/probe_spec.h"

static void check(const probe_spec_t *spec)
{
    switch (spec->type) {
        case PROBE_TCP:
            FUZZ_CHECK(spec->port > 0);
            FUZZ_CHECK(g_hostname_is_ip_address(spec->address));
            break;
        case PROBE_ICMP:
            FUZZ_CHECK(g_hostname_is_ip_address(spec->address));
            break;
        case PROBE_HTTP:
        case PROBE_PGSQL:
            FUZZ_CHECK(spec->target != NULL && spec->target[0] != '\0');
            break;
        case PROBE_EXEC:
            FUZZ_CHECK(g_path_is_absolute(spec->argv[0]));
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *text = fuzz_text(data, size_bytes);
    GError *error = NULL;
    g_autoptr(GPtrArray) list = probe_spec_list_parse(text, &error);

    fuzz_check_outcome(list != NULL, error);
    for (guint i = 0; list != NULL && i < list->len; i++) {
        const probe_spec_t *spec = g_ptr_array_index(list, i);
        g_autofree char *label = probe_spec_label(spec);
        probe_spec_t *again = probe_spec_parse(spec->text, NULL);

        check(spec);
        probe_spec_asks_this_host(spec);
        FUZZ_CHECK(label[0] != '\0');
        FUZZ_CHECK(again != NULL && again->type == spec->type);
        probe_spec_free(again);
    }
    return 0;
}
