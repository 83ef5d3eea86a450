/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_CLAIM_H
#define UNDERSTUDY_CLAIM_H

#include <glib.h>

/*
 * Whose a server's image is: one entry per server in the store, set by compare-and-set, so that of two starts one gets
 * it. RBD's exclusive lock enforces nothing by itself: it is handed over on request. A start takes the claim before it
 * looks at who has the run images open, and the stop gives it back. What is left behind is broken only by proof that its
 * holder has ended, and never while somebody has a run image open who may write. No clock is asked. Pure.
 */
typedef struct claim {
    char *host;     /* in the cluster */
    char *boot_id;  /* of that host */
    char *start_id; /* of one start of the image there */
} claim_t;

/* What is known of a holder. */
typedef struct claim_evidence {
    const char *host;          /* this host's name */
    const char *boot_id;       /* and boot id */
    gboolean start_is_known;   /* a record on this host names the holder's start: it has not been stopped */
    const char *host_boot_id;  /* what the holder's host published last, NULL: nothing, or not asked */
    const char *ended_start;   /* start that the holder's host has published as ended, or NULL */
    gboolean host_is_clean;    /* the holder's host is offline, and the scheduler sees nothing left to fence there */
    gboolean host_is_fenced;   /* Pacemaker has fenced the holder's host, and has not let it in since */
} claim_evidence_t;

/* NULL if the text is no claim. */
claim_t *claim_parse(const char *text);
char *claim_text(const claim_t *claim);
claim_t *claim_new(const char *host, const char *boot_id, const char *start_id);
void claim_free(claim_t *claim);

/* The pool whose object says whose the server is: whatever order the disks are named in, the same. From "pool/image" of
 * each run image; g_free(), NULL if there is none. */
char *claim_pool(const char *const *run_images);

/* Why the holder is known to have ended, as the end of a sentence; NULL if it is not. */
const char *claim_ended_reason(const claim_t *claim, const claim_evidence_t *evidence);

/* Whether nobody is left on the holder's host who could send its guest to another: it has booted since, or the start says itself
 * that it has ended. A host that was fenced may have its power, and its libvirtd may go on with a migration. */
gboolean claim_holder_is_gone(const claim_t *claim, const claim_evidence_t *evidence);

/* Whether nothing of a holder that has ended can write any more, whatever it has open: a host that is only offline and clean
 * may have a QEMU that is cut off. */
gboolean claim_holder_is_dead(const claim_t *claim, const claim_evidence_t *evidence);

/* Where a migration that was asked for may have brought the guest: another host that may write under the claim. */
typedef struct claim_target {
    char *host;          /* "": what was kept can't be read, so that nothing of it can be proved */
    char *id;            /* of this request: another one for the same host is another state of the claim */
    char *secret_uuid;   /* without which no QEMU there can open the disks; NULL: it needs none */
    gboolean complete;   /* as of the holder's own clients */
    char **addresses;    /* none if the host's address is not known */
} claim_target_t;

/* Kept beside the claim: as which clients of the store a start's QEMU may write. A QEMU has no lock before its first write. */
typedef struct claim_clients {
    gboolean complete;   /* FALSE: QEMU may have clients that nobody has seen yet */
    char **addresses;    /* if complete: all of them; else one of the same host */
    claim_target_t *target; /* NULL: nobody but the holder's host may write */
} claim_clients_t;

/* NULL: the text, which may be NULL, says nothing of this start. */
claim_clients_t *claim_clients_parse(const char *text, const char *start_id);
char *claim_clients_text(const char *start_id, gboolean complete, const char *const *addresses);
/* The same of the holder's host, with this target (NULL: without one) instead of what the text says; g_free(). */
char *claim_clients_text_moving(const char *text, const claim_target_t *target);
void claim_clients_free(claim_clients_t *clients);

/*
 * Where the claim of one start lies, kept apart from every pool: the parameters, which name the pool, may be others by the
 * time of the next start. Each start has an entry of its own, so that none is lost to another that is written at once.
 */
#define CLAIM_PLACE_KEY_PART "/claim/"   /* understudy/server/SERVER/claim/START */
typedef struct claim_place {
    claim_t *claim;
    char *pool;
    char **run_images;   /* "pool/image" */
} claim_place_t;

/* NULL: the text, which may be NULL, is none of this start. */
claim_place_t *claim_place_parse(const char *text, const char *start_id);
char *claim_place_text(const char *claim_text, const char *const *run_images);
void claim_place_free(claim_place_t *place);

/*!
 * \brief All run images that a start of a server may have used
 *
 * \param[in]  run_images  those of the parameters as they are now
 * \param[in]  places      char* start id -> char* text, as store_claim_places() gives them
 * \param[out] unreadable  a start id whose text can't be read, so that its images are not known; NULL: none. Owned by places;
 *                         may be NULL
 * \return each once; g_strfreev()
 */
char **claim_images(const char *const *run_images, GHashTable *places, const char **unreadable);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(claim_place_t, claim_place_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(claim_t, claim_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(claim_clients_t, claim_clients_free)

#endif
