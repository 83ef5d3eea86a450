/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start and stop of one run image: the claim and how its host takes it back, the record and
 * the lock on it, a create that is not answered, ghost watchers.
 *
 * Three starts want the same image: the cluster's on host 0, the cluster's on host 1 after
 * a move or after host 0 was fenced, and an operator's own on host 1 (a second resource, or
 * the same by hand: then both have one record, and one lock) at any time. A guest may end
 * while nobody manages it, so that no stop gives its claim back. libvirtd may be silent and carry a create out late, a QEMU may
 * die while it opens the image and leave a watcher for ever, a watcher may be missing for a
 * while from a QEMU that lives, and somebody may say that host 0 is fenced while it runs on.
 * FAULTS bounds all of these together.
 *
 * What is looked for:
 *   one writer    the store never accepts writes from two of the three
 *   an end        the cluster and the operator always get to the end of what they do
 *
 * Each of these takes one thing out of the design, and must lead to a violation:
 *   NO_CLAIM        a start looks at the watchers without a claim in the store
 *   FORGET_CREATE   stop succeeds while a create that was not answered may still be carried out
 *   TRUST_LIST      who is on the monitors' blocklist is nobody, whatever map the OSD has
 *   GHOST_BLOCKS    a watcher counts, even if the store refuses its client
 *   NO_TAKE_BACK    a claim whose image has ended without a stop is left to the next stop
 *   TAKE_BACK_BLIND a host takes a claim back while its start is under way
 *   NO_LOCK         two starts of one resource on a host write one record
 */
#ifndef FAULTS
#define FAULTS 3
#endif

#define STARTS   3 /* 0: the cluster on host 0; 1: the cluster on host 1; 2: the operator on host 1 */
#define NOBODY   STARTS

byte claim = NOBODY;     /* in the store: whose start holds the image */
bit same;                /* the operator starts the cluster's resource on host 1 by hand */
bit lock[STARTS];        /* of a resource on its host: an action is under way */
byte record[STARTS] = NOBODY; /* of a resource on its host: whose start it names */
bit asked[STARTS];       /* a create was sent, is in the record, and was not answered */
bit qemu[STARTS];        /* runs */
bit watch[STARTS];       /* its watcher is listed */
bit ghost[STARTS];       /* a watcher of a client that is dead */
bit ghost_listed[STARTS];/* that client is on the blocklist, by its exact address */
bit listed;              /* host 0's address is on the blocklist that the monitors have committed */
bit refused;             /* the image's OSD has that map */
byte faults;

#define REFUSED(i) ((i) == 0 && refused)
#define LISTED(i)  ((i) == 0 && listed)
#define WRITES(i)  (qemu[i] && !REFUSED(i))

/* A look at the watchers: may this one write? */
#if defined(TRUST_LIST)
#define MAP_IS_KNOWN 1
#define MAY_WRITE(i) ((watch[i] && !LISTED(i)) || (ghost[i] && !ghost_listed[i] && !LISTED(i)))
#elif defined(GHOST_BLOCKS)
#define MAP_IS_KNOWN (!listed || refused)
#define MAY_WRITE(i) ((watch[i] && !REFUSED(i)) || ghost[i])
#else
#define MAP_IS_KNOWN (!listed || refused)
#define MAY_WRITE(i) ((watch[i] && !REFUSED(i)) || (ghost[i] && !ghost_listed[i] && !REFUSED(i)))
#endif
#define CLEAR (MAP_IS_KNOWN && !MAY_WRITE(0) && !MAY_WRITE(1) && !MAY_WRITE(2))

/* Whose record and lock a start has. */
#define RESOURCE(i) (((i) == 2 && same) -> 1 : (i))
#define IS_RECORDED(i) (record[RESOURCE(i)] == (i))

/* A claim is broken if its holder's host is fenced, or if the record there names another start; only if nobody may write. */
#define BREAKS(i) ((claim == 0 && listed) || (claim != i && RESOURCE(claim) == RESOURCE(i) && !IS_RECORDED(claim)))
#define FREE(i) (claim == NOBODY || (BREAKS(i) && CLEAR))

/* The other start that has the same record: its QEMU is this resource's, too. */
#define IS_SHARED(i) (same && (i) != 0)
#define TWIN(i) (3 - (i))
#define TWIN_RUNS(i) (IS_SHARED(i) && (qemu[TWIN(i)] || asked[TWIN(i)]))

#ifdef FORGET_CREATE
#define SETTLED(i) 1
#else
#define SETTLED(i) (!asked[i])
#endif

inline look()
{
    assert(WRITES(0) + WRITES(1) + WRITES(2) <= 1)
}

/* A start that is refused is tried again: it waits here. */
inline start(i)
{
#ifndef NO_LOCK
    d_step { !lock[RESOURCE(i)] -> lock[RESOURCE(i)] = 1 };
#endif
    if
    :: d_step { TWIN_RUNS(i) -> started = qemu[TWIN(i)] } /* nothing to start, or a stop must settle it first */
    :: d_step { !TWIN_RUNS(i) -> record[RESOURCE(i)] = i }; make(i)
    fi;
    d_step { lock[RESOURCE(i)] = 0 }
}

inline make(i)
{
#ifndef NO_CLAIM
    d_step { FREE(i) -> claim = i };
#endif
    d_step { CLEAR -> skip };
    d_step { asked[i] = 1 };       /* in the record, then sent */
    if
    :: d_step { qemu[i] -> started = 1 }
    :: d_step { faults < FAULTS -> faults++; started = 0 } /* no answer in time, or a failure */
    :: d_step { !asked[i] && !qemu[i] -> started = 0 }     /* it died again */
    fi
}

/* What is left of QEMU is killed; a create that was not answered is settled by libvirtd() first. */
inline stop(i)
{
    d_step { SETTLED(i) && !lock[RESOURCE(i)] && (!IS_SHARED(i) || SETTLED(TWIN(i))) ->
        qemu[i] = 0; watch[i] = 0;
        if
        :: IS_SHARED(i) ->
            qemu[TWIN(i)] = 0; watch[TWIN(i)] = 0;
            claim = (claim == TWIN(i) -> NOBODY : claim)
        :: else
        fi;
        record[RESOURCE(i)] = NOBODY;
        claim = (claim == i -> NOBODY : claim) }
}

proctype Cluster()
{
    bit started;

    start(0);
    if
    :: !started -> stop(0)
    :: started -> stop(0)                                    /* a move */
    :: d_step { started && faults < FAULTS -> faults++; qemu[0] = 0; watch[0] = 0 } /* ended while nobody managed it */
    :: d_step { faults < FAULTS -> faults++; listed = 1 }    /* fenced, or so somebody says */
    fi;
    started = 0;
    do
    :: d_step { started -> started = 0 }; break
    :: d_step { !started -> skip };
        start(1);
        if
        :: d_step { !started -> skip }; stop(1)
        :: d_step { started -> skip }
        fi
    od;
    stop(1)
}

proctype Operator()
{
    bit started;

    start(2);
    stop(2)
}

/* libvirtd of a start's host carries a create out, sooner or later, or is killed and seen to be gone. */
#define LIBVIRTD(i) \
    :: d_step { asked[i] -> asked[i] = 0; qemu[i] = 1; watch[i] = !REFUSED(i); look() } \
    :: d_step { asked[i] && faults < FAULTS -> faults++; asked[i] = 0 } \
    :: d_step { qemu[i] && faults < FAULTS -> faults++; qemu[i] = 0; watch[i] = 0; ghost[i] = 1; ghost_listed[i] = 0 }
/* A watcher lapses and comes back; the host whose record names a client without a process lists it. */
#define WATCHER(i) \
    :: d_step { watch[i] && qemu[i] && faults < FAULTS -> faults++; watch[i] = 0 } \
    :: d_step { qemu[i] && !watch[i] && !REFUSED(i) -> watch[i] = 1 } \
    :: d_step { ghost[i] && !ghost_listed[i] -> ghost_listed[i] = 1 }

/* A probe, or the capacity agent's monitor: the record is there, its QEMU is not, and nothing is under way. */
#if defined(NO_TAKE_BACK)
#define TAKE_BACK(i)
#elif defined(TAKE_BACK_BLIND)
#define TAKE_BACK(i) :: d_step { claim == i && IS_RECORDED(i) && !asked[i] && !qemu[i] && CLEAR -> claim = NOBODY }
#else
#define TAKE_BACK(i) \
    :: d_step { claim == i && IS_RECORDED(i) && !lock[RESOURCE(i)] && !asked[i] && !qemu[i] && CLEAR -> claim = NOBODY }
#endif

proctype World()
{
end:
    do
    LIBVIRTD(0) LIBVIRTD(1) LIBVIRTD(2)
    WATCHER(0) WATCHER(1) WATCHER(2)
    TAKE_BACK(0) TAKE_BACK(1) TAKE_BACK(2)
    :: d_step { listed && !refused -> refused = 1; watch[0] = 0 }
    od
}

init
{
    if
    :: same = 0
    :: same = 1
    fi;
    atomic { run Cluster(); run Operator(); run World() }
}
