/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAIM_STORE_H
#define CLAIM_STORE_H

#include "store/store.h"

/* What the store of a test holds. Each function of store.h that it takes the place of needs --wrap. */
typedef struct claim_store {
    GHashTable *claims;    /* char* pool -> char* holder, "": nobody; no entry: there is no such pool */
    GHashTable *clients;   /* char* pool -> char* what is kept beside the claim of clients */
    GHashTable *ended;     /* char* pool -> char* start that is noted as ended beside the claim */
    gboolean takes_no_notes;
    GHashTable *places;    /* char* start id -> char* text */
    const char *silent_pool;
    gboolean monitors_are_silent;
    const char *open_image;   /* that somebody has open who may write */
    const char *lock_owner;   /* who has the lock of each image, maybe without a watch */
    const char *listed;       /* on the blocklist before the test */
    const char *brief;        /* the same for an hour, with nothing else that refuses it: it can't be refused for longer */
    GString *refused;         /* clients */
} claim_store_t;

extern claim_store_t claim_store;

/* The pools vm and fast, with no claim. */
void claim_store_init(void);
void claim_store_clear(void);

#endif
