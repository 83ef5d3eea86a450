/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The claim in a live migration: a guest on host 0 is to move to host 1, and a third host wants
 * to start it as soon as it may.
 *
 * Agents are killed between any two steps, libvirt carries a request out late or not at all, stops
 * come in any order or never, the target boots, its watch lapses while its guest lives, and hosts look at
 * what they find when they like. FAULTS bounds the kills and lapses. The guest may be asked to move
 * once more, to the third host, which refuses.
 *
 * What is looked for:
 *   one writer    the store never accepts writes from two hosts
 *
 * Each of these takes one thing out of the design, and must lead to a violation:
 *   NO_TARGET       the target is not named beside the claim before the request
 *   GIVE_BACK_BLIND a stop at the source gives the claim back when nobody has the image open
 *   KEEP_KEY        a stop at the target says that the guest is not there, and leaves the key to libvirt
 *   FENCED_IS_GONE  a stop at the target takes a source that was fenced through the store for one that sends no guest
 *   START_KEEPS_KEY a start at the target takes the claim, and leaves libvirt the key of the migration
 *   LOOK_BLIND      a host that joins says that a guest does not come, and does not look whether it has the key
 *   REPLACE_TARGET  a second request is made while the target of the first is named, and names its own instead
 *   DROP_ANY        a second request that was not made takes back what is named, whoever has named it
 *   NO_CONFIRM      the target is not named anew once it has the key
 */
#ifndef FAULTS
#define FAULTS 3
#endif

#define SOURCE 0
#define TARGET 1
#define THIRD  2
#define NOBODY 3

byte claim = SOURCE;     /* in the store: whose the image is */
byte named = NOBODY;     /* beside the claim: the target of a request */
bit confirmed;           /* named anew once it has the key */
bit clients_known;       /* the target's, likewise */
bit published;           /* that the source's start has ended there */
bit fenced;              /* the source's host, through the store: its QEMU and libvirtd go on */
bit key;                 /* libvirt has it at the target */
bit asked;               /* libvirt was asked to migrate, and may carry it out */
bit qemu[3];             /* lives */
bit runs[3];             /* the guest runs in it */
bit watch[3];            /* its watcher is listed */
bit refused[3];          /* the store refuses its clients */
bit source_lock;         /* of the image's actions on host 0 */
bit target_lock;         /* on host 1 */
byte faults;

#define WRITES(i) (runs[i] && !refused[i])
#define IS_OPEN(i) (watch[i] && !refused[i])
#define CLEAR (!IS_OPEN(SOURCE) && !IS_OPEN(TARGET))

inline look()
{
    assert(WRITES(SOURCE) + WRITES(TARGET) + WRITES(THIRD) <= 1)
}

/* migrate_to: killed after any step. */
#define KILLED d_step { faults < FAULTS -> faults++ }
proctype Migrate()
{
    d_step { !source_lock -> source_lock = 1 };
#ifndef NO_TARGET
    if
    :: d_step { claim == SOURCE && named == NOBODY -> named = TARGET; confirmed = 0 }
    :: d_step { claim != SOURCE || named != NOBODY -> skip }; goto ended
    fi;
#endif
    if
    :: KILLED; goto ended
    :: skip
    fi;
    key = 1;
    if
    :: KILLED; goto ended
    :: skip
    fi;
#if !defined(NO_TARGET) && !defined(NO_CONFIRM)
    if
    :: d_step { claim == SOURCE && named == TARGET -> confirmed = 1 }
    :: d_step { claim != SOURCE || named != TARGET -> skip }; goto ended
    fi;
#endif
    if
    :: KILLED; goto ended
    :: d_step { qemu[SOURCE] -> asked = 1 }
    :: d_step { !qemu[SOURCE] -> skip }; goto ended
    fi;
    if
    :: KILLED                          /* or no answer in time */
    :: d_step { !asked && !qemu[SOURCE] -> /* well: it has all open there */
        clients_known = ((claim == SOURCE && named == TARGET && IS_OPEN(TARGET)) -> 1 : clients_known) }
    :: d_step { !asked && qemu[SOURCE] -> key = 0 };  /* failed */
        d_step { named = ((claim == SOURCE && named == TARGET && !qemu[TARGET]) -> NOBODY : named) }
    fi;
ended:
    source_lock = 0
}

/* Another migrate_to, which does not get as far as a QEMU at the third host. */
proctype Again()
{
end_wait:
    d_step { !source_lock && qemu[SOURCE] -> source_lock = 1 };
    if
#ifdef REPLACE_TARGET
    :: d_step { claim == SOURCE -> named = THIRD; clients_known = 0 }
#else
    :: d_step { claim == SOURCE && named == NOBODY -> named = THIRD; clients_known = 0 }
#endif
#ifdef DROP_ANY
    :: d_step { claim == SOURCE && named == TARGET -> skip }
#endif
    :: d_step { claim != SOURCE || named != NOBODY -> skip }; goto ended
    fi;
#ifdef DROP_ANY
    d_step { named = (claim == SOURCE -> NOBODY : named) };
#else
    d_step { named = ((claim == SOURCE && named == THIRD) -> NOBODY : named) };
#endif
ended:
    source_lock = 0
}

/* A stop goes before what is under way at its host: that is killed first. */
proctype StopSource()
{
    d_step { qemu[SOURCE] = 0; runs[SOURCE] = 0; watch[SOURCE] = 0 };
    d_step { !source_lock -> skip };
#ifdef GIVE_BACK_BLIND
    d_step { claim = ((claim == SOURCE && !IS_OPEN(TARGET)) -> NOBODY : claim); published = 1 }
#else
    d_step { claim = ((claim == SOURCE && named == NOBODY && !IS_OPEN(TARGET)) -> NOBODY : claim); published = 1 }
#endif
}

proctype StopTarget()
{
    bit was_named;
    bit was_confirmed;

    d_step { !target_lock -> target_lock = 1; qemu[TARGET] = 0; runs[TARGET] = 0; watch[TARGET] = 0 };
    d_step { was_named = (claim == SOURCE && named == TARGET); was_confirmed = confirmed; claim = (claim == TARGET -> NOBODY : claim) };
    if
#ifdef KEEP_KEY
    :: skip
#endif
    :: d_step { published -> skip }     /* nobody is left to send the guest */
#ifdef FENCED_IS_GONE
    :: d_step { fenced -> skip }
#endif
    :: d_step { key = 0 }
    fi;
    d_step { qemu[TARGET] = 0; runs[TARGET] = 0; watch[TARGET] = 0 };
    d_step { named = ((was_named && claim == SOURCE && named == TARGET && was_confirmed == confirmed) -> NOBODY : named); target_lock = 0 }
}

/* A start at the target, which gets no further than the claim; then its stop, to which libvirtd does not answer. */
proctype StartTarget()
{
    bit was_confirmed;

end_wait:
    d_step { !target_lock && (published || fenced) && claim == SOURCE && named == TARGET ->
        target_lock = 1; was_confirmed = confirmed };
#ifndef START_KEEPS_KEY
    key = 0;
#endif
    if
    :: KILLED
    :: d_step { !qemu[TARGET] && claim == SOURCE && named == TARGET && confirmed == was_confirmed -> claim = TARGET; named = NOBODY; clients_known = 0 };
        d_step { claim = (claim == TARGET -> NOBODY : claim) }
    :: d_step { qemu[TARGET] || claim != SOURCE || named != TARGET || confirmed != was_confirmed -> skip }
    fi;
    target_lock = 0
}

/* The target's host joins the cluster, after a boot or not: nothing comes if it has no key. */
proctype Look()
{
    bit was_confirmed;

end_wait:
    d_step { claim == SOURCE && named == TARGET -> was_confirmed = confirmed };
    if
#ifdef LOOK_BLIND
    :: skip
#endif
    :: d_step { !key || published -> skip }
    :: d_step { key && !published -> skip }; goto ended
    fi;
    if
    :: d_step { !qemu[TARGET] -> skip };
        d_step { named = ((claim == SOURCE && named == TARGET && was_confirmed == confirmed) -> NOBODY : named) }
    :: d_step { qemu[TARGET] -> skip }
    fi;
ended:
    skip
}

proctype Third()
{
    /* The source has ended, or nobody has it; what the target may have is refused, or there is none. It may wait for ever. */
end_claim:
    d_step { CLEAR && (claim == NOBODY || (claim == SOURCE && (published || fenced) && (named == NOBODY || clients_known))) ->
        refused[TARGET] = (clients_known -> 1 : refused[TARGET]);
        claim = THIRD };
end_look:
    d_step { CLEAR -> runs[THIRD] = 1; look() }
}

proctype World()
{
end:
    do
    /* libvirt: a QEMU at the target, which needs the key; then the guest, if its source is there to send it. */
    :: d_step { asked && qemu[SOURCE] && key && !qemu[TARGET] -> qemu[TARGET] = 1; watch[TARGET] = !refused[TARGET] }
    :: d_step { asked && qemu[SOURCE] && qemu[TARGET] ->
        asked = 0; qemu[SOURCE] = 0; runs[SOURCE] = 0; watch[SOURCE] = 0; runs[TARGET] = 1; look() }
    :: d_step { asked -> asked = 0; qemu[TARGET] = 0; watch[TARGET] = 0 }
    :: d_step { qemu[TARGET] && !runs[TARGET] && !qemu[SOURCE] -> qemu[TARGET] = 0; watch[TARGET] = 0 }
    :: d_step { !fenced && faults < FAULTS -> faults++; fenced = 1; refused[SOURCE] = 1 }
    :: d_step { !target_lock && faults < FAULTS ->
        faults++; key = 0; qemu[TARGET] = 0; runs[TARGET] = 0; watch[TARGET] = 0 } /* the target boots */
    /* The target's watch lapses, and comes back. */
    :: d_step { watch[TARGET] && faults < FAULTS -> faults++; watch[TARGET] = 0 }
    :: d_step { qemu[TARGET] && !watch[TARGET] && !refused[TARGET] -> watch[TARGET] = 1 }
    /* migrate_from, a monitor or a start at the target. */
    :: d_step { !target_lock && runs[TARGET] && claim == SOURCE && named == TARGET -> claim = TARGET; named = NOBODY; clients_known = 0 }
    /* A probe or the capacity agent at the source. */
    :: d_step { !source_lock && !qemu[SOURCE] && claim == SOURCE && named == NOBODY && CLEAR -> claim = NOBODY }
    :: d_step { !source_lock && !qemu[SOURCE] && claim == SOURCE && named != NOBODY -> published = 1 }
    od
}

init
{
    qemu[SOURCE] = 1;
    runs[SOURCE] = 1;
    watch[SOURCE] = 1;
    atomic {
        run Migrate(); run Third(); run StartTarget(); run Look(); run World();
        if
        :: run Again()
        :: skip
        fi;
        if
        :: run StopSource()
        :: skip
        fi;
        if
        :: run StopTarget()
        :: skip
        fi
    }
}
