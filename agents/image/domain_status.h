/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_DOMAIN_STATUS_H
#define UNDERSTUDY_DOMAIN_STATUS_H

#include <glib.h>
#include <sys/types.h>

/*
 * The status file that libvirtd keeps for each running domain in
 * /run/libvirt/qemu, to find its QEMU processes again when it is restarted. It
 * is written at every change of state. Reading it takes microseconds, loading
 * libvirt 11 ms: a monitor that finds "running" here, a live QEMU and a live
 * libvirtd needs to ask no further. For anything else libvirt is asked.
 */
#define QEMU_RUN_DIR "/run/libvirt/qemu"

typedef struct domain_status {
    char *name;
    char *uuid;
    char *state;   /* "running", "paused" ... */
    char *reason;  /* "booted", "ioerror" ... */
    pid_t pid;
    char *job;     /* what libvirtd does to it that takes its time: "migration out", "save" ...; NULL: nothing */
} domain_status_t;

/* Pure. FALSE if the text is no status file. */
gboolean domain_status_parse(const char *text, gsize length, domain_status_t *status);
void domain_status_clear(domain_status_t *status);

/* Read the status file of the domain of this name. */
gboolean domain_status_read(const char *name, domain_status_t *status);
/* Look through all status files for the first one that matches. */
gboolean domain_status_find(gboolean (*matches)(const domain_status_t *status, gconstpointer data), gconstpointer data,
                            domain_status_t *status);
/* For one with this UUID: a domain that somebody started under another name. */
gboolean domain_status_find_uuid(const char *uuid, domain_status_t *status);

#endif
