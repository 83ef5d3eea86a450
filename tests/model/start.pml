/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start and stop of one run image: the claim, a create that is not answered, ghost watchers.
 *
 * Three starts want the same image: the cluster's on host 0, the cluster's on host 1 after
 * a move or after host 0 was fenced, and an operator's own on host 1 (a second resource, a
 * start by hand) at any time. libvirtd may be silent and carry a create out late, a QEMU may
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
 */
#ifndef FAULTS
#define FAULTS 3
#endif

#define STARTS   3 /* 0: the cluster on host 0; 1: the cluster on host 1; 2: the operator on host 1 */
#define NOBODY   STARTS

byte claim = NOBODY;     /* in the store: whose start holds the image */
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

/* A claim is broken if its holder's host is fenced, and only if nobody may write. */
#define FREE(i) (claim == NOBODY || (claim == 0 && listed && CLEAR))

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
    d_step { SETTLED(i) ->
        qemu[i] = 0; watch[i] = 0;
        claim = (claim == i -> NOBODY : claim) }
}

proctype Cluster()
{
    bit started;

    start(0);
    if
    :: !started -> stop(0)
    :: started -> stop(0)                                    /* a move */
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

proctype World()
{
end:
    do
    LIBVIRTD(0) LIBVIRTD(1) LIBVIRTD(2)
    WATCHER(0) WATCHER(1) WATCHER(2)
    :: d_step { listed && !refused -> refused = 1; watch[0] = 0 }
    od
}

init
{
    atomic { run Cluster(); run Operator(); run World() }
}
