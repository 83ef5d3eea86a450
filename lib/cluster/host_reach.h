/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_HOST_REACH_H
#define UNDERSTUDY_HOST_REACH_H

/* What a host reaches of what an image needs, as REACH_ATTRIBUTE tells it. */
typedef enum {
    HOST_REACH_UNKNOWN,    /* not published */
    HOST_REACH_ALL,
    HOST_REACH_NO_SERVICE, /* none of its reference addresses answers */
    HOST_REACH_NO_STORE,   /* no monitor of the store takes a connection */
} host_reach_t;

/* The attribute's value; NULL for HOST_REACH_UNKNOWN. */
const char *host_reach_value(host_reach_t reach);
/* A value that is not known, of a later version say, counts as HOST_REACH_NO_SERVICE; NULL and "" as unknown. */
host_reach_t host_reach_parse(const char *value);
/* What is wrong, for operators; "" for HOST_REACH_ALL. */
const char *host_reach_fault(host_reach_t reach);

#endif
