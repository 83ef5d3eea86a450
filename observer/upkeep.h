/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The upkeep of the servers' entries on the store's blocklist, by a helper program, for the leader. */
#ifndef UNDERSTUDY_UPKEEP_H
#define UNDERSTUDY_UPKEEP_H

#include <glib.h>

#include "judge/verdict.h"

typedef struct upkeep upkeep_t;

/* What it asks for: the verdict on a server as all observers hold it, and whether this one leads. */
typedef struct upkeep_ops {
    gboolean (*leads)(gpointer user_data);
    const verdict_record_t *(*record)(const char *server, gpointer user_data);
    void (*said)(const char *sentence, gpointer user_data);
} upkeep_ops_t;

/* Paths and names may not be NULL; helper: path of the `server-entries` program. */
upkeep_t *upkeep_new(const char *helper, const char *ceph_conf, const char *ceph_user, const upkeep_ops_t *ops,
                     gpointer user_data);
/* Ends the helper. */
void upkeep_free(upkeep_t *upkeep);

/* A server of the configuration; address NULL: it has none, but what it had may be on the blocklist. disks: its images, or
 * NULL. */
void upkeep_set_server(upkeep_t *upkeep, const char *server, const char *address, const char *disks);
/* It is not in the configuration any more. */
void upkeep_remove_server(upkeep_t *upkeep, const char *server);
/* The verdict on a server has changed, or whether its entry may come off: what was put on the blocklist does when it is
 * healthy and nothing of before is under way, after that was applied. */
void upkeep_on_verdict(upkeep_t *upkeep, const char *server, verdict_t verdict);
/* The helper is at work. */
gboolean upkeep_is_running(const upkeep_t *upkeep);
/* An attempt of this observer has switched it off. */
void upkeep_on_off(upkeep_t *upkeep, const char *server);

#endif
