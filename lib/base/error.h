/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_ERROR_H
#define UNDERSTUDY_ERROR_H

#include <glib.h>

/*
 * What went wrong, in classes that a caller can act on. Every message is a
 * sentence for the operator: what is wrong, and what to do about it.
 */
typedef enum {
    UNDERSTUDY_ERROR_FAILED,      /* anything else; a retry may help */
    UNDERSTUDY_ERROR_CONFIG,      /* wrong on every host until an operator changes it */
    UNDERSTUDY_ERROR_NOT_HERE,    /* wrong on this host; another one may do */
    UNDERSTUDY_ERROR_PERMISSION,  /* the store, libvirt or a file refuses us */
    UNDERSTUDY_ERROR_TIMEOUT,     /* no answer before the deadline */
    UNDERSTUDY_ERROR_NOT_FOUND,   /* the object asked for does not exist */
    UNDERSTUDY_ERROR_EXISTS,      /* the object exists already */
    UNDERSTUDY_ERROR_BUSY,        /* somebody else has it */
    UNDERSTUDY_ERROR_TOO_LONG,    /* the answer does not fit into what was offered for it */
} understudy_error_t;

/* The class of an errno of the store. That the network did not carry a request, or its answer, is silence as a deadline is:
 * nothing was refused, and what was sent may have been done. */
understudy_error_t understudy_error_of_errno(int errno_value);

#define UNDERSTUDY_ERROR (understudy_error_quark())
GQuark understudy_error_quark(void);

#endif
