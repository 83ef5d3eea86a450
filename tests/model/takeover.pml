/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdict, ticket, fence and start: three hosts, one server, one run image.
 *
 * What is looked for:
 *   one writer             the store never accepts writes to the run image from two hosts
 *   one service            the image never writes while its original serves
 *   no quorum, no takeover no ticket is granted by a minority, nothing starts on its word
 *
 * Anything may happen at any time: hosts crash and boot, their cluster and
 * store networks are cut and heal, the fence agent is killed between any two
 * steps, orders and answers get lost or come late, probes are wrong. FAULTS
 * bounds how many crashes, cuts and kills one run has; repairs are free.
 *
 * Each of these takes one thing out of the design, and must lead to a violation:
 *   NO_BLOCKLIST      fencing is only waiting until the watchers are gone
 *   NO_MAP_WAIT       success is said before the OSDs have the map and watchers were looked at
 *   INSTANCE_ONLY     only the clients that are seen go on the blocklist, not the IP
 *   NO_QUORUM         a minority decides like a majority
 *   NO_ISOLATION      the ticket is granted without isolating the server
 *   EARLY_ON          unfencing does not care for leftover domains
 *
 * SKIP_WRITER, SKIP_SERVICE and SKIP_QUORUM each leave out one of the three
 * properties, so that a violation can be said to be the one that was expected.
 *
 * How Corosync and Pacemaker stand here: a decision is a message in total
 * order, delivered only when all members of the sender's view answer (Totem),
 * so it needs a view that is true at that instant. A host that was cut off
 * keeps its view, and its domain, until it notices. A new quorate view knows
 * every host outside of it as unclean until a fence succeeded.
 */
#ifndef FAULTS
#define FAULTS 3
#endif

#define HOSTS 3
#define NONE  3
#define ALL   7

mtype = { HEALTHY, ISOLATING, FAILED, RETURNING };
mtype = { OFF, GATED, SERVING };

/* The hosts, as they really are. */
bit alive[HOSTS] = 1;
bit cluster_net[HOSTS] = 1;
bit store_net[HOSTS] = 1;
byte view[HOSTS] = ALL;      /* members, as Corosync there last said */
bit domain[HOSTS];           /* QEMU has the run image open */
bit ordered[HOSTS];          /* start is under way */
bit checked[HOSTS];          /* start has looked at the watchers and will create the domain */
bit stop_ordered[HOSTS];

/* The fence agent on each host. */
byte fence_step[HOSTS];      /* 0: none runs */
byte fence_target[HOSTS];
bit fence_counts[HOSTS];     /* somebody still waits for its result */
bit fence_seen[HOSTS];       /* INSTANCE_ONLY: the target's client was seen */

/* The store. */
bit listed[HOSTS];           /* on the blocklist that the monitors have committed */
bit refused[HOSTS];          /* the image's OSD has that map */
bit watcher[HOSTS];

/* The cluster's state: what the quorate partition has agreed on. */
mtype verdict = HEALTHY;
bit ticket;
byte where = NONE;           /* where the image runs, starts or stops */
byte fenced;                 /* hosts out of the view that need no fencing (any more) */

mtype server = SERVING;
byte faults;

#define BIT(h)       (1 << (h))
#define HAS(set, h)  (((set) >> (h)) & 1)
#define COUNT(set)   (HAS(set, 0) + HAS(set, 1) + HAS(set, 2))
#define CONNECTED(a, b) (alive[a] && alive[b] && ((a) == (b) || (cluster_net[a] && cluster_net[b])))
#define REACHES(h)   ((CONNECTED(h, 0) << 0) | (CONNECTED(h, 1) << 1) | (CONNECTED(h, 2) << 2))
#define AGREES(h, m) (!HAS(view[h], m) || view[m] == view[h])
#ifdef NO_QUORUM
#define ENOUGH(set)  (COUNT(set) >= 1)
#else
#define ENOUGH(set)  (2 * COUNT(set) > HOSTS)
#endif
#define DECIDES(h)   (alive[h] && ENOUGH(view[h]) && view[h] == REACHES(h) \
                      && AGREES(h, 0) && AGREES(h, 1) && AGREES(h, 2))
/* The member that decides for all: the one with the lowest id, as in the observers and for lack of a reason to differ. */
#define LEADS(h)     (DECIDES(h) && (view[h] & (BIT(h) - 1)) == 0)
#define UNCLEAN(h)   (ALL & ~view[h] & ~fenced)
#define WRITES(h)    (alive[h] && domain[h] && store_net[h] && !refused[h])
/* What the fence agent waits for; a header that answers has its OSD on the new map. */
#if defined(NO_MAP_WAIT)
#define CONFIRMED(x, seen) 1
#elif defined(NO_BLOCKLIST)
#define CONFIRMED(x, seen) (!watcher[x])
#elif defined(INSTANCE_ONLY)
#define CONFIRMED(x, seen) (!watcher[x] && (refused[x] || !seen))
#else
#define CONFIRMED(x, seen) (!watcher[x] && refused[x])
#endif
#ifdef EARLY_ON
#define EMPTY(h) 1
#else
#define EMPTY(h) (!domain[h] && !ordered[h])
#endif
/* A foreign watcher that is not on the blocklist stops a start. */
#define FOREIGN(h, m) ((h) != (m) && watcher[m] && !listed[m])
#define FENCING(f, x) (fence_step[f] != 0 && fence_target[f] == (x) && fence_counts[f])

inline look()
{
    skip;
#ifndef SKIP_WRITER
    assert(!(WRITES(0) && WRITES(1)) && !(WRITES(0) && WRITES(2)) && !(WRITES(1) && WRITES(2)));
#endif
#ifndef SKIP_SERVICE
    assert(!(server == SERVING && (WRITES(0) || WRITES(1) || WRITES(2))));
#endif
}

/* Host h decides about a takeover, or starts one. */
inline look_quorum(h)
{
    skip;
#ifndef SKIP_QUORUM
    assert(2 * COUNT(REACHES(h)) > HOSTS);
#endif
}

/* A host comes into a quorate view: what its probes find is what counts. */
inline probe(h)
{
    fenced = fenced & ~BIT(h);
    if
    :: where == h && !domain[h] && !ordered[h] -> where = NONE
    :: where != h && (domain[h] || ordered[h]) -> stop_ordered[h] = 1
    :: else
    fi
}

inline member(h, m)
{
    if
    :: HAS(REACHES(h), m) && view[m] != REACHES(h) ->
        view[m] = REACHES(h);
        fence_counts[m] = 0
    :: else
    fi
}

inline probe_member(h, m)
{
    if
    :: HAS(view[h], m) && !HAS(was, m) -> probe(m)
    :: else
    fi
}

proctype Host(byte h)
{
    byte was;
end:
    do
    /* Corosync: a new membership, for all who are in it at once. */
    :: d_step { alive[h] && view[h] != REACHES(h) ->
        was = view[h];
        member(h, 0); member(h, 1); member(h, 2);
        /* Who was in a quorate view before may have it; the others are probed. */
        if
        :: ENOUGH(view[h]) ->
            if :: !ENOUGH(was) -> was = 0 :: else fi;
            probe_member(h, 0); probe_member(h, 1); probe_member(h, 2)
        :: else
        fi;
        was = 0; look() }

    /* The observers and Pacemaker, in a partition that may decide. */
    :: d_step { LEADS(h) && verdict == HEALTHY && server != GATED -> verdict = ISOLATING } /* right or wrong */
#ifdef NO_ISOLATION
    :: d_step { LEADS(h) && verdict == ISOLATING -> verdict = FAILED }
#else
    :: d_step { LEADS(h) && verdict == ISOLATING && server != OFF -> server = OFF }        /* the answer may be lost */
    :: d_step { LEADS(h) && verdict == ISOLATING && server == OFF -> verdict = FAILED }
#endif
    :: d_step { LEADS(h) && verdict == FAILED && !ticket ->
        look_quorum(h);
        ticket = 1 }
    :: d_step { LEADS(h) && verdict == FAILED && server == GATED -> verdict = RETURNING; ticket = 0 }
    :: d_step { LEADS(h) && verdict == RETURNING && server == OFF -> verdict = FAILED }
    :: d_step { LEADS(h) && verdict != ISOLATING && verdict != FAILED && server == GATED && !ticket && where == NONE &&
                UNCLEAN(h) == 0 ->
        verdict = HEALTHY; server = SERVING; look() }
    :: d_step { DECIDES(h) && ticket && where == NONE && UNCLEAN(h) == 0 && !listed[h] && !stop_ordered[h] ->
        look_quorum(h);
        where = h; ordered[h] = 1 }                                                         /* any member */
    :: d_step { LEADS(h) && !ticket && where != NONE && HAS(view[h], where) && !stop_ordered[where] ->
        stop_ordered[where] = 1 }

    /* The image agent: start. */
    :: d_step { alive[h] && ordered[h] && !checked[h] && store_net[h] && !listed[h] && !stop_ordered[h] &&
                !FOREIGN(h, 0) && !FOREIGN(h, 1) && !FOREIGN(h, 2) ->
        checked[h] = 1 }
    :: d_step { alive[h] && checked[h] && store_net[h] && !refused[h] ->
        checked[h] = 0; ordered[h] = 0; domain[h] = 1; watcher[h] = 1; look() }
    /* It refuses, or fails, or its time is over. */
    :: d_step { alive[h] && ordered[h] && DECIDES(h) ->
        ordered[h] = 0; checked[h] = 0; where = (where == h -> NONE : where) }
    /* stop, on order or because quorum is lost; its result is told at once or found by the next probe. */
    :: d_step { alive[h] && (domain[h] || stop_ordered[h]) && !ordered[h] && (stop_ordered[h] || !ENOUGH(view[h])) ->
        domain[h] = 0; stop_ordered[h] = 0;
        watcher[h] = (store_net[h] -> 0 : watcher[h]);
        where = ((where == h && DECIDES(h)) -> NONE : where) }
    :: d_step { DECIDES(h) && where == h && !domain[h] && !ordered[h] -> where = NONE }      /* monitor */

    /* fence_rbd off. */
    :: d_step { LEADS(h) && fence_step[h] == 0 && UNCLEAN(h) != 0 ->
        fence_target[h] = (HAS(UNCLEAN(h), 0) -> 0 : (HAS(UNCLEAN(h), 1) -> 1 : 2));
        fence_counts[h] = 1; fence_step[h] = 1 }
    :: d_step { alive[h] && fence_step[h] == 1 && store_net[h] ->
#if defined(NO_BLOCKLIST)
        skip;
#elif defined(INSTANCE_ONLY)
        fence_seen[h] = watcher[fence_target[h]];
        listed[fence_target[h]] = fence_seen[h];
#else
        listed[fence_target[h]] = 1;
#endif
        fence_step[h] = 2 }
    :: d_step { alive[h] && fence_step[h] == 2 && store_net[h] && CONFIRMED(fence_target[h], fence_seen[h]) ->
        fence_step[h] = 3 }
    :: d_step { fence_step[h] == 3 && DECIDES(h) && fence_counts[h] ->
        fenced = fenced | BIT(fence_target[h]);
        where = (where == fence_target[h] -> NONE : where);
        fence_step[h] = 0; fence_target[h] = 0; fence_counts[h] = 0; fence_seen[h] = 0 }
    /* It ends without a result that counts: killed, too late, or nobody waits for it any more. */
    :: d_step { fence_step[h] != 0 && !fence_counts[h] ->
        fence_step[h] = 0; fence_target[h] = 0; fence_seen[h] = 0 }
    :: d_step { fence_step[h] != 0 && faults < FAULTS ->
        faults++;
        fence_step[h] = 0; fence_target[h] = 0; fence_counts[h] = 0; fence_seen[h] = 0 }

    /* fence_rbd on, for a host that is back in the view. */
    :: d_step { DECIDES(h) && listed[h] && !FENCING(0, h) && !FENCING(1, h) && !FENCING(2, h) &&
                EMPTY(h) ->
        listed[h] = 0 }
    od
}

/* The OSD gets the newest map; watches come and go. */
proctype Store()
{
    byte h;
end:
    do
    :: d_step { refused[0] != listed[0] -> refused[0] = listed[0]; watcher[0] = (refused[0] -> 0 : watcher[0]); look() }
    :: d_step { refused[1] != listed[1] -> refused[1] = listed[1]; watcher[1] = (refused[1] -> 0 : watcher[1]); look() }
    :: d_step { refused[2] != listed[2] -> refused[2] = listed[2]; watcher[2] = (refused[2] -> 0 : watcher[2]); look() }
    :: d_step { watcher[0] && !WRITES(0) -> watcher[0] = 0 }
    :: d_step { watcher[1] && !WRITES(1) -> watcher[1] = 0 }
    :: d_step { watcher[2] && !WRITES(2) -> watcher[2] = 0 }
    :: d_step { !watcher[0] && WRITES(0) -> watcher[0] = 1 }
    :: d_step { !watcher[1] && WRITES(1) -> watcher[1] = 1 }
    :: d_step { !watcher[2] && WRITES(2) -> watcher[2] = 1 }
    od
}

inline crash(h)
{
    alive[h] = 0; view[h] = 0;
    domain[h] = 0; ordered[h] = 0; checked[h] = 0; stop_ordered[h] = 0;
    fence_step[h] = 0; fence_target[h] = 0; fence_counts[h] = 0; fence_seen[h] = 0;
    if /* Nobody is left who remembers: tickets and what was agreed on are gone. */
    :: !alive[0] && !alive[1] && !alive[2] -> ticket = 0; where = NONE; fenced = 0; verdict = HEALTHY
    :: else
    fi
}

#define FAULT(h) \
    :: d_step { alive[h] && faults < FAULTS -> faults++; crash(h) } \
    :: d_step { cluster_net[h] && faults < FAULTS -> faults++; cluster_net[h] = 0 } \
    :: d_step { store_net[h] && faults < FAULTS -> faults++; store_net[h] = 0 }
#define REPAIR(h) \
    :: d_step { !alive[h] -> alive[h] = 1; view[h] = BIT(h); look() } \
    :: d_step { !cluster_net[h] -> cluster_net[h] = 1 } \
    :: d_step { !store_net[h] -> store_net[h] = 1; look() }

proctype Faults()
{
end:
    do
    FAULT(0) FAULT(1) FAULT(2)
    REPAIR(0) REPAIR(1) REPAIR(2)
    :: d_step { server == OFF -> server = GATED }      /* somebody switches it on: its gate is closed */
    od
}

init
{
    atomic { run Host(0); run Host(1); run Host(2); run Store(); run Faults() }
}
