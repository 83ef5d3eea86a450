/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_SERVER_CONFIG_H
#define UNDERSTUDY_SERVER_CONFIG_H

#include <glib.h>

#include "params/probe_spec.h"

/* What the image's `isolate` parameter asks for before a takeover. */
typedef enum {
    ISOLATE_REQUIRED,     /* no takeover until the original is proved out of the way */
    ISOLATE_CONFIRMED,    /* if no way can be carried out: two rounds without life on any plane count */
    ISOLATE_BEST_EFFORT,  /* take over after trying */
} isolate_policy_t;

/* One protected server as the observers see it: the parameters of its
 * ocf:understudy:image resource, read and range-checked. */
typedef struct server_config {
    char *name;
    char *resource_id;
    GPtrArray *probes;           /* probe_spec_t*; empty: never judged down */
    char *probes_digest;         /* tells sets of probes apart, whatever their order */
    guint probes_mark;           /* the same as a number, not 0 */
    probe_spec_t *recover_probe; /* NULL: returns only by `understudy release` */
    guint64 probe_interval_ms;
    guint64 probe_timeout_ms;
    gboolean unknown_is_down;    /* probes that could not be asked count as misses */
    guint probe_misses;          /* misses in a row until the vote is down */
    guint64 hold_down_ms;
    guint64 recover_after_ms;
    isolate_policy_t isolate;
    char *disks;                 /* as the image's parameter has it, or NULL */
    char *store_address;         /* the server's own address on the storage network, or NULL */
    guint64 isolate_timeout_ms;
    guint64 gate_quiet_ms;       /* how long its gate wants nobody to answer for its address before it takes it */
    gint64 paused_until_ms;      /* no takeover until then; 0: not paused. A time of an operator's clock: see pause_from_ms */
    gint64 pause_from_ms;        /* when he asked for that, by the same clock, so that the two say how long; 0: not told */
    char *paused_until;          /* that as the CIB has it, or NULL */
    gboolean hold;               /* the image goes on although the original is back */
    gboolean held_takeover;      /* such an image runs, or is to: known when all observers have been ended, too */
} server_config_t;

#define SERVER_PAUSED_UNTIL_RESUMED G_MAXINT64

/* Defaults, as text because the agent's metadata shows them so. */
#define DEFAULT_PROBE_INTERVAL   "1s"
#define DEFAULT_PROBE_TIMEOUT    "1s"
#define DEFAULT_PROBE_MISSES     "3"
#define DEFAULT_PROBE_UNKNOWN    "ignore"
#define DEFAULT_HOLD_DOWN        "5s"
#define DEFAULT_RECOVER_AFTER    "10s"
#define DEFAULT_ISOLATE          "required"
#define DEFAULT_ISOLATE_TIMEOUT  "60s"
/* Of the server's gate: an attempt to fence and a start, each of which may last as long as its timeout. */
#define DEFAULT_GATE_QUIET       "180s"

/*!
 * \brief Read a server's configuration from its image resource
 *
 * \param[in]  resource_id  id of the resource; names the server if `server` is not set
 * \param[in]  params       name -> value of its instance attributes, as they stand in the CIB
 * \param[out] error        UNDERSTUDY_ERROR_CONFIG; names the parameter and says what is right
 * \return configuration, to be freed with server_config_free(), or NULL
 */
server_config_t *server_config_parse(const char *resource_id, GHashTable *params, GError **error);

/* TRUE if both say the same of how the server is watched, so that a CIB change that touches no server begins nothing
 * anew; nor does an operator's pause or hold. */
gboolean server_config_equal(const server_config_t *a, const server_config_t *b);

void server_config_free(server_config_t *config);

/* "resumed", an interval BEGIN/END as ISO 8601 writes it, or its end alone (`from_ms` 0); in UTC where no zone is named. */
gboolean paused_until_parse(const char *text, gint64 *from_ms, gint64 *until_ms);
char *paused_until_text(gint64 from_ms, gint64 until_ms); /* in UTC; g_free() */

gboolean isolate_policy_parse(const char *text, isolate_policy_t *policy);
const char *isolate_policy_name(isolate_policy_t policy);

#endif
