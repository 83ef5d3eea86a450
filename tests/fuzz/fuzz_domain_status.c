/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "image/domain_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    domain_status_t status;

    if (domain_status_parse((const char *) data, size_bytes, &status)) {
        FUZZ_CHECK(status.name != NULL && status.uuid != NULL && status.state != NULL);
        FUZZ_CHECK(status.pid > 0);
        domain_status_clear(&status);
    }
    FUZZ_CHECK(status.name == NULL && status.uuid == NULL && status.state == NULL && status.reason == NULL
               && status.job == NULL);
    return 0;
}
