/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of any process of the host. */
#include "fuzz.h"
#include "image/qemu_process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    qemu_shown_t shown;
    gboolean names = qemu_command_line_parse((const char *) data, size_bytes, &shown);

    FUZZ_CHECK(names == (shown.name != NULL || shown.uuid != NULL));
    qemu_shown_clear(&shown);
    FUZZ_CHECK(shown.name == NULL && shown.uuid == NULL);
    return 0;
}
