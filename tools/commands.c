/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/names.h"
#include "command.h"
#include "run.h"

static const char *const print_choices[] = { "pcs", "crm", "xml", NULL };
static const char *const isolate_choices[] = { "required", "confirmed", "best-effort", NULL };

static const command_option_t adopt_options[] = {
    { "disk", "POOL/IMAGE[=FILE]", TRUE, WORD_FILE, NULL,
      "A recovery image of the server; give it once per disk, the system disk first. With =FILE a raw or qcow2 file "
      "is imported if the image does not exist yet. A file whose header names other files is refused, since they would "
      "be imported: =raw:FILE takes it for the disk itself, =qcow2:FILE takes it with the files that it names." },
    { "probe", "PROBE", TRUE, WORD_FREE, NULL,
      "What shows that the server serves; all must answer. tcp:ADDR:PORT, icmp:ADDR, http://..., https://..., "
      "pgsql:CONNINFO, 'exec:PATH ARGS'." },
    { "recover-probe", "PROBE", FALSE, WORD_FREE, NULL,
      "What shows that the original is back and ready: a probe of its service on its management address, which the "
      "image never has. With icmp: the image goes on until understudy release." },
    { "service-address", "ADDR", FALSE, WORD_FREE, NULL, "The address that the clients use; announced at a start." },
    { "mac", "MAC", FALSE, WORD_FREE, NULL, "The image's MAC address, the same at every start: the original's, where possible." },
    { "bridge", "NAME", FALSE, WORD_FREE, NULL, "Bridge of the service network on the hosts." },
    { "vcpus", "N", FALSE, WORD_FREE, NULL, "Virtual CPUs; also what placement counts." },
    { "memory-mib", "N", FALSE, WORD_FREE, NULL, "Memory in MiB; also what placement counts." },
    { "isolate", "POLICY", FALSE, WORD_CHOICE, isolate_choices,
      "What must be proved before a takeover: see ocf_understudy_image(7)." },
    { "store-address", "ADDR", FALSE, WORD_FREE, NULL,
      "The server's own address on the storage network, put on Ceph's blocklist before a takeover." },
    { "set", "PARAM=VALUE", TRUE, WORD_FREE, NULL,
      "Any other parameter of ocf:understudy:image; with an empty value it goes back to its default." },
    { "reference", "PROBE", TRUE, WORD_FREE, NULL,
      "Something on the service network that answers as long as the network works: while none does, a host's votes "
      "are blind. Neither a host nor a protected server will do. The list is one for all servers, and is replaced as a "
      "whole: give each that is to stay again." },
    { "management-reference", "PROBE", TRUE, WORD_FREE, NULL,
      "Something on the network of the servers' management addresses that answers as long as that network works, where "
      "Corosync has no address of another host on it: while nobody there answers, a silent management address says "
      "nothing. What holds for --reference holds here too." },
    { "print", "FORMAT", FALSE, WORD_CHOICE, print_choices,
      "Print what would be done, for pcs, for crm or as XML, and do nothing." },
    { "import-user", "USER", FALSE, WORD_FREE, NULL,
      "Cephx user, without \"client.\", that imports and makes the first recovery point, if the hosts' user may not." },
    { "untried", NULL, FALSE, WORD_FREE, NULL,
      "Do not try the probes. Otherwise those that can't be asked from this host are refused, and those that are not "
      "answered are said." },
    { "trust-probes", NULL, FALSE, WORD_FREE, NULL,
      "Judge the server by its probes although it was never seen up with them: it is down now, and is to be taken over. "
      "A probe that is mistyped then has a healthy server powered off." },
    { "no-store", NULL, FALSE, WORD_FREE, NULL,
      "Do not look at the store: neither import nor make a first recovery point, nor ask whether what it holds could be "
      "booted." },
    { "restart", NULL, FALSE, WORD_FREE, NULL,
      "Make the change although Pacemaker then restarts, moves or stops an image that serves (a change of disks, memory or "
      "CPUs, say). Otherwise it is refused, with the image's name." },
    { "all", NULL, FALSE, WORD_FREE, NULL, "With --upgrade, instead of a server's name." },
    { "upgrade", NULL, FALSE, WORD_FREE, NULL,
      "Add to all images and clones what this version sets up and an earlier one did not: operations, "
      "failure-timeout, constraints. What is there stays as it is." },
    { .name = NULL }
};

static const command_option_t forget_options[] = {
    { "force", NULL, FALSE, WORD_FREE, NULL,
      "Forget the server although a takeover is under way, it is being isolated, its run image holds writes that are not "
      "back, or its address is on the store's blocklist. A running image is stopped by the cluster; the address stays "
      "there, and the command that takes it off is printed. A fencing that is under way can't be taken back: the server "
      "may be switched off and no image takes its place; the command says so, and waits until that is over." },
    { .name = NULL }
};

static const command_option_t status_options[] = {
    { "json", NULL, FALSE, WORD_FREE, NULL, "Print JSON; with --watch one line for each change." },
    { "watch", NULL, FALSE, WORD_FREE, NULL, "Go on and print again when something changes, until Ctrl-C." },
    { "no-store", NULL, FALSE, WORD_FREE, NULL, "Do not ask the store about run images." },
    { .name = NULL }
};

static const command_option_t hosts_options[] = {
    { "json", NULL, FALSE, WORD_FREE, NULL, "Print JSON." },
    { "for", "SERVER", FALSE, WORD_SERVER, NULL,
      "Rank for this server's image, as Pacemaker's scheduler would place it if its ticket were granted now." },
    { .name = NULL }
};

static const command_option_t wait_options[] = {
    { "timeout", "SECONDS", FALSE, WORD_FREE, NULL, "How long to wait for the end; 180 if not given." },
    { "no-wait", NULL, FALSE, WORD_FREE, NULL, "Return as soon as the observers have taken it on." },
    { .name = NULL }
};

static const command_option_t pause_options[] = {
    { "until", "TIME", FALSE, WORD_FREE, NULL,
      "When the pause ends by itself: a duration (90min, 2h) or a time of this host's clock (2026-01-31T18:00). Other hosts' "
      "clocks may differ. Without it the pause lasts until understudy resume." },
    { .name = NULL }
};

static const command_option_t hold_options[] = {
    { "off", NULL, FALSE, WORD_FREE, NULL, "End it: the server takes its place again when it is back." },
    { .name = NULL }
};

static const command_option_t history_options[] = {
    { "json", NULL, FALSE, WORD_FREE, NULL, "Print JSON: all events, and the durations of the phases." },
    { .name = NULL }
};

static const command_option_t keys_options[] = {
    { "host", "ADDR", TRUE, WORD_FREE, NULL,
      "A host's address on the storage network; give it once per host. Run again with all of them when one is added: pools, "
      "hosts and servers are replaced as a whole." },
    { "server-address", "ADDR", TRUE, WORD_FREE, NULL,
      "A server's own address on the storage network, as in adopt's --store-address." },
    { "pool", "POOL", TRUE, WORD_FREE, NULL, "A pool with protected images; vm if not given." },
    { "user", "NAME", FALSE, WORD_FREE, NULL,
      "The hosts' user, understudy if not given; the others are NAME-fence and NAME-unfence." },
    { "apply", NULL, FALSE, WORD_FREE, NULL,
      "Make the users, or correct their caps, and write their keyrings, instead of printing the commands. Refused if a user "
      "that is there would lose a pool, a host or a server." },
    { "replace", NULL, FALSE, WORD_FREE, NULL,
      "With --apply: take away what a user may do now and is not given again. Images in a pool that is taken away get I/O "
      "errors, a host can't be fenced any more, a server can't be isolated." },
    { "admin", "USER", FALSE, WORD_FREE, NULL, "Cephx user that --apply works as; admin if not given." },
    { "ceph-conf", "FILE", FALSE, WORD_FILE, NULL, "Configuration of the Ceph client; /etc/ceph/ceph.conf if not given." },
    { "keyring-dir", "DIR", FALSE, WORD_FILE, NULL, "Where the keyrings go; /etc/ceph if not given." },
    { .name = NULL }
};

const command_t commands[] = {
    { "adopt", TRUE, FALSE, adopt_options, "put a server under protection, or change how it is protected",
      "Makes the standby image of a server known to the cluster: the resource standby-SERVER with its operations and "
      "its utilization, the constraint that keeps it stopped until the ticket takeover-SERVER is granted, and the "
      "rule that prefers hosts which the clients reach. The first time also the clones " OBSERVER_CLONE_ID " and "
      CAPACITY_CLONE_ID " and placement-strategy=balanced. All of it in one change of the cluster's configuration.\n"
      "\n"
      "Images that do not exist are imported if a file is given, as import-IMAGE until they are whole; an import that was "
      "interrupted is started again. An image that exists is never written over, and none is removed that is not marked as "
      "left of an import. If the images have no recovery point yet, the first one is made.\n"
      "\n"
      "Probes that are given are tried first, from this host. One that can never work is refused (a program that is not "
      "there, a recover-probe on the service address), and one that can't be asked from here (a name that is not found, "
      "a login that is refused). A server is not judged before it was seen up with its probes.\n"
      "\n"
      "Run again with other options it changes exactly those; with the same options it changes nothing. What an "
      "operator has set by pcs or crm stays.", run_adopt },
    { "forget", TRUE, TRUE, forget_options, "end a server's protection",
      "Takes the resource standby-SERVER, its constraints and its ticket out of the cluster in one change. It never "
      "removes an image from the store. Refused while a takeover is under way, while the server is being isolated, if "
      "the run image holds writes that are not back on the original, or if the server's address is on the store's "
      "blocklist.", run_forget },
    { "status", TRUE, FALSE, status_options, "show servers, images and hosts",
      "Shows the verdict on each server, its ticket, the observers' votes, where its image is, how much it has "
      "written, and, if something does not run that should, why. Puts together what the observers, the cluster and "
      "the store say; what does not answer is left out, and named.", run_status },
    { "hosts", FALSE, FALSE, hosts_options, "rank the hosts as placement would choose them",
      "Shows the hosts in the order in which Pacemaker would choose them for the next image, with what is free on "
      "each, or why it is not chosen. With --for the scheduler itself is asked (crm_simulate); without it the hosts are "
      "ranked for the smallest image.", run_hosts },
    { "takeover", TRUE, TRUE, wait_options, "let the image run in a server's place, planned",
      "Asks the observers for a takeover of a server that may be well: the original is isolated, then the ticket is "
      "granted. Refused while the server is paused, or if Pacemaker would run its image on no host. Waits until the "
      "image runs.", run_takeover },
    { "release", TRUE, TRUE, wait_options, "end a takeover on the operator's word",
      "Asks the observers to end a takeover although the original has not said that it is ready: the ticket is revoked "
      "and the image stops. Ends a hold. Waits until the image has stopped. If the original does not come to serve, it "
      "is isolated once more and the image runs again. While it is being isolated a release waits until that attempt has "
      "ended: its power may still be switched off.", run_release },
    { "pause", TRUE, TRUE, pause_options, "let nothing be done to a server while somebody works on it",
      "Until the pause is over the server is neither isolated nor taken over, whatever the observers see; status shows "
      "it. An image that runs already goes on. The pause is kept in the cluster's configuration and outlives a restart "
      "of every host. Waits until the leading observer keeps it, and fails if none says so within 30 seconds.", run_pause },
    { "resume", TRUE, TRUE, NULL, "end a server's pause",
      "A server that is down then is taken over after the usual rounds.", run_resume },
    { "hold", TRUE, TRUE, hold_options, "keep a server's image running although the original is back",
      "After a takeover the image goes on until understudy release or understudy hold --off, for instance while the "
      "original is being repaired. Also after a power failure of the whole site: the server is isolated again then, whatever it "
      "does, and its image started. Refused while the server is returning, for its image stops or has stopped then.", run_hold },
    { "unclaim", TRUE, TRUE, NULL, "take a server's claim from a start that is gone",
      "A start of an image claims its server in the store, and the stop gives the claim back. A claim whose holder is "
      "known to have ended is broken by the next start. This breaks one of which that can't be known, for instance "
      "because its host will never be back, in whatever pool it lies. "
      "Refused while the cluster says that the image runs, starts or stops, and "
      "while anybody has a run image open whom the store does not refuse. What it can't see is a start that is still "
      "under way on a host that the cluster does not know: make sure that there is none.", run_unclaim },
    { "history", TRUE, TRUE, history_options, "show a server's takeovers and how long each phase took",
      "Shows each takeover with its phases and their durations: detection, confirmation, isolation, placement, start, "
      "boot and return.", run_history },
    { "keys", FALSE, FALSE, keys_options, "make the store's users, each with no more than it needs",
      "Prints the ceph commands that make the three cephx users of a site, or carries them out: one for the hosts, one "
      "that can only fence, and one that can only unfence. Addresses are part of what they may do: nobody can put a "
      "monitor or somebody else's client on the blocklist, and no host can fence another.", run_keys },
    { .name = NULL }
};
