/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "store/claim.h"

/* The first line is a start's id, each other what the store says of it: where its claim lies, or as which clients it writes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    g_autofree char *text = fuzz_text(data, size_bytes);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line != NULL && line[1] != NULL; line++) {
        g_autoptr(claim_place_t) place = claim_place_parse(line[1], lines[0]);
        g_autoptr(claim_clients_t) clients = claim_clients_parse(line[1], lines[0]);

        FUZZ_CHECK(clients == NULL || clients->addresses != NULL);
        if (clients != NULL && clients->target != NULL && clients->target->host[0] != '\0') {
            g_autofree char *own = claim_clients_text_moving(line[1], NULL);
            g_autofree char *again = claim_clients_text_moving(line[1], clients->target);

            FUZZ_CHECK(clients->target->addresses != NULL && g_str_has_prefix(line[1], own));
            FUZZ_CHECK(g_str_has_prefix(again, own));
        }
        if (place != NULL) {
            g_autofree char *claim = claim_text(place->claim);
            g_autofree char *again = claim_place_text(claim, (const char *const *) place->run_images);

            FUZZ_CHECK(strcmp(again, line[1]) == 0);
            FUZZ_CHECK(strcmp(place->claim->start_id, lines[0]) == 0);
            FUZZ_CHECK(place->pool[0] != '\0' && strchr(place->pool, '/') == NULL);
        }
    }
    return 0;
}
