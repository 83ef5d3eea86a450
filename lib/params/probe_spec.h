/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_PROBE_SPEC_H
#define UNDERSTUDY_PROBE_SPEC_H

#include <glib.h>

/*
 * What a probe asks, as the operator writes it. Pure: reads text, opens nothing.
 * To add a type: a row in probe_types[] of probe_spec.c, its fields here, and
 * the part that carries it out in observer/.
 */
typedef enum {
    PROBE_TCP,    /* tcp:ADDR:PORT        a connection is accepted */
    PROBE_ICMP,   /* icmp:ADDR            an echo request is answered */
    PROBE_HTTP,   /* http(s)://...        a 2xx or 3xx answer */
    PROBE_PGSQL,  /* pgsql:CONNINFO       a query is answered */
    PROBE_EXEC,   /* exec:PATH ARGS...    exit status 0, started without a shell */
} probe_type_t;

typedef struct probe_spec {
    probe_type_t type;
    char *text;       /* as written, for messages */
    char *address;    /* TCP, ICMP: numeric IPv4 or IPv6 address, without brackets */
    guint16 port;     /* TCP */
    char *target;     /* HTTP: the URI; PGSQL: the conninfo */
    char **argv;      /* EXEC: NULL-terminated, argv[0] an absolute path */
} probe_spec_t;

/*!
 * \brief Read one probe
 *
 * \param[in]  text   tcp:ADDR:PORT, icmp:ADDR, http://..., https://..., pgsql:CONNINFO or exec:PATH ARGS
 * \param[out] error  UNDERSTUDY_ERROR_CONFIG with a sentence
 * \return the probe, to be freed with probe_spec_free(), or NULL
 */
probe_spec_t *probe_spec_parse(const char *text, GError **error);

/*!
 * \brief Read a list of probes, separated by blanks; a probe that has blanks in
 *        it stands in quotes as in a shell: tcp:10.0.0.1:22 'pgsql:host=10.0.0.1 user=x'
 *
 * \return array of probe_spec_t* that frees its elements, maybe empty; NULL on error
 */
GPtrArray *probe_spec_list_parse(const char *text, GError **error);

/* What messages call it: without what may be secret (a conninfo, a program's arguments, a URL's user). g_free(). */
char *probe_spec_label(const probe_spec_t *spec);

/* A numeric address of one machine, that means the same on every host: no zone, no IPv4 address in IPv6 clothes, no
 * multicast, and no name, which would be looked up at every probe and hang with the name server. */
gboolean address_is_usable(const char *address);
/* FALSE of what is no numeric address, too. */
gboolean address_is_loopback(const char *address);

/* The host that it asks, without brackets: an address or a name; NULL if it asks none (exec). g_free(). */
char *probe_spec_host(const probe_spec_t *spec);

/* TRUE if each host would ask itself: a loopback address, a socket, a conninfo without any host. */
gboolean probe_spec_asks_this_host(const probe_spec_t *spec);

void probe_spec_free(probe_spec_t *spec);

#endif
