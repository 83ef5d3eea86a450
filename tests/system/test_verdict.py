# SPDX-License-Identifier: GPL-2.0-or-later
"""When a server counts as failed: flapping, blind hosts, split sight, killed leaders, no quorum, failed isolation."""

import contextlib
import json
import subprocess

import pytest

from campaign import CAMPAIGN
from lab.api import wait_until
from protected import IMAGE_MEMORY_MIB, stays, tuned

PID_FILE = "/run/understudy/observer.pid"
MONITORS = "/usr/libexec/understudy/monitors"


def takeovers(protected, server, host=None):
    """understudy history --json: the takeovers of a server, oldest first."""
    return json.loads(protected.understudy("history", server, "--json", host=host).stdout)["takeovers"]


def events(takeover):
    return [event["event"] for event in takeover["events"]]


def leader(protected):
    return protected.status()["leader"]


def kill_observer(protected, host):
    """The daemon of a host, as a crash ends it."""
    pid = protected.run("cat", PID_FILE, host=host).stdout.strip()
    protected.run("kill", "-9", pid, host=host)


def other_hosts(protected, *hosts):
    return [host for host in protected.hosts if host not in hosts]


@pytest.fixture(scope="module", autouse=True)
def foreign_group(adopted):
    """What nearly every cluster has besides: libraries of Pacemaker treat a group in their own way."""
    adopted.run("pcs", "resource", "create", "foreign", "ocf:pacemaker:Dummy", "--disabled", "--group", "foreigners")
    yield
    if not adopted.lab.condemned:
        adopted.run("pcs", "resource", "delete", "foreign")


# --- who is believed -------------------------------------------------------------

@CAMPAIGN
def test_flapping_faster_than_the_hold_down_is_no_takeover(protected):
    before = len(takeovers(protected, "db1"))
    with tuned(protected, "db1", hold_down="20s"):
        for _ in range(4):
            protected.lab.cut("db1", "svc")
            protected.wait_verdict("db1", "doubted", timeout_s=30)
            protected.lab.heal("db1", "svc")
            protected.wait_verdict("db1", "healthy", timeout_s=30)
    assert protected.granted_tickets() == set()
    assert protected.lab.node("db1").state() == "running", "it was isolated"
    assert len(takeovers(protected, "db1")) == before


@CAMPAIGN
def test_a_host_whose_service_link_is_cut_is_blind_and_gets_no_image(protected):
    cut = protected.ranked_hosts()[0]
    protected.lab.cut(cut, "svc")
    watcher = other_hosts(protected, cut)[0]
    expected = {"up": 2, "down": 0, "blind": 1, "unknown": 0}
    wait_until(lambda: all(s["votes"] == expected for s in protected.status(watcher)["servers"]), 30,
               f"the votes of {cut} to be blind")
    stays(lambda: {s["verdict"] for s in protected.status(watcher)["servers"]} == {"healthy"}, "every server healthy")
    wait_until(lambda: protected.ranked_hosts()[-1] == cut, 30, f"{cut} to be offered last for an image")

    protected.lab.crash("db1")
    where = protected.wait_taken_over("db1")
    assert where["db1"] != cut
    assert protected.domain_hosts("db1") == [where["db1"]]


@CAMPAIGN
def test_an_image_leaves_a_host_that_its_clients_no_longer_reach(protected):
    protected.lab.crash("db1")
    first = protected.wait_taken_over("db1")["db1"]
    protected.lab.cut(first, "svc")
    watcher = other_hosts(protected, first)[0]
    wait_until(lambda: protected.images_running(watcher).get("db1") not in (None, first), 90,
               f"the image to leave {first}", poll_s=0.5)
    wait_until(lambda: protected.answering("db1") == "image", 60, "the image to answer again")
    assert len(protected.domain_hosts("db1")) == 1
    assert protected.verdict("db1", host=watcher) == "failed"


def reach(protected):
    """What the cluster has of each host's sight of the networks."""
    return {node.get("uname"): pair.get("value") for node in protected.cib().iter("node_state")
            for pair in node.iter("nvpair") if pair.get("name") == "understudy-reach"}


@CAMPAIGN
@pytest.mark.parametrize(("network", "value"), [("svc", "no-service"), ("store", "no-store")])
def test_an_image_stays_where_it_is_while_no_host_is_better_off(protected, network, value):
    """As when a switch restarts: nothing moves."""
    protected.lab.crash("db1")
    host = protected.wait_taken_over("db1")["db1"]
    qemu = protected.run("cat", "/run/libvirt/qemu/standby-db1.pid", host=host).stdout
    for one in protected.hosts:
        protected.lab.cut(one, network)
    wait_until(lambda: set(reach(protected).values()) == {value}, 60, f"all hosts to lose {network}", poll_s=0.3)
    stays(lambda: protected.images_running() == {"db1": host}, f"the image on {host}")
    for one in protected.hosts:
        protected.lab.heal(one, network)
    wait_until(lambda: set(reach(protected).values()) == {"1"}, 60, f"all hosts to have {network} again", poll_s=0.3)
    stays(lambda: protected.images_running() == {"db1": host}, f"the image on {host}")
    assert protected.run("cat", "/run/libvirt/qemu/standby-db1.pid", host=host).stdout == qemu, "it was restarted"
    wait_until(lambda: protected.answering("db1") == "image", 60, "the image to answer")


@pytest.mark.parametrize("nonlocal_bind", ["0", pytest.param("1", marks=CAMPAIGN)])
def test_a_host_asks_all_monitors_but_its_own(protected, nonlocal_bind):
    """Its own it reaches whatever is cut. Beside a load balancer any address can be bound: that makes none an own one."""
    def monitors(node, user):
        return protected.lab.exec(node, MONITORS, "--ceph-conf", "/etc/ceph/ceph.conf", "--ceph-user", user).stdout.split()

    nodes = (protected.hosts[0], "store")
    for node in nodes:
        protected.lab.exec(node, "sysctl", "-q", "-w", f"net.ipv4.ip_nonlocal_bind={nonlocal_bind}")
    try:
        assert monitors(protected.hosts[0], "understudy") == [f"tcp:{protected.site.address('store', 'store')}:3300"]
        assert monitors("store", "admin") == []
    finally:
        for node in nodes:
            protected.lab.exec(node, "sysctl", "-q", "-w", "net.ipv4.ip_nonlocal_bind=0")


def test_one_of_three_that_cannot_reach_a_server_is_not_believed(protected):
    alone = protected.hosts[0]
    protected.lab.block(alone, "db1")
    try:
        wait_until(lambda: protected.server("db1")["votes"] == {"up": 2, "down": 1, "blind": 0, "unknown": 0}, 30,
                   f"{alone} alone to vote down")
        stays(lambda: protected.verdict("db1") == "healthy", "db1 healthy")
        assert protected.granted_tickets() == set()
        # Nor if its observer is the only one that runs: what counts are the members of the cluster.
        with observers_banned(protected, *other_hosts(protected, alone)):
            wait_until(lambda: protected.server("db1", alone)["votes"] == {"up": 0, "down": 1, "blind": 0, "unknown": 0},
                       30, f"the observer of {alone} to be alone")
            stays(lambda: protected.verdict("db1", alone) == "healthy", "db1 healthy")
            assert protected.lab.node("db1").state() == "running"
    finally:
        protected.lab.unblock(alone, "db1")


@contextlib.contextmanager
def observers_banned(protected, *hosts):
    """No observer runs on these hosts, which are members of the cluster all the same."""
    for host in hosts:
        protected.run("crm_resource", "--ban", "--resource", "understudy-observer-clone", "--node", host)
    try:
        yield
    finally:
        protected.run("crm_resource", "--clear", "--resource", "understudy-observer-clone")


def test_two_of_three_that_cannot_reach_a_server_are_believed_and_it_is_isolated(protected):
    believed = protected.hosts[:2]
    for host in believed:
        protected.lab.block(host, "db1")
    try:
        protected.wait_verdict("db1", "failed", timeout_s=60)
        # The third one still reached it: had it not been powered off, two would serve.
        assert protected.lab.node("db1").state() == "crashed"
    finally:
        for host in believed:
            protected.lab.unblock(host, "db1")
    protected.wait_taken_over("db1")


# --- the leader is killed ------------------------------------------------------------

# What makes the states last until they have been seen and their leader killed: those before a takeover, and "failed" while
# the original boots; "isolating" lasts while the power switch is silent.
SLOW = {"probe_timeout": "5s", "probe_misses": "1", "hold_down": "10s", "recover_after": "10s"}


def test_the_leader_is_killed_in_each_state_and_the_takeover_completes_once(protected):
    lab = protected.lab
    before = len(takeovers(protected, "db1"))

    def kill_leader_at(state):
        protected.wait_verdict("db1", state)
        kill_observer(protected, leader(protected))

    with tuned(protected, "db1", **SLOW):
        lab.service("bmc", "stop", "db1")
        try:
            lab.crash("db1")
            for state in ("suspect", "doubted", "isolating"):
                kill_leader_at(state)
        finally:
            lab.service("bmc", "start", "db1")
        kill_leader_at("failed")
        protected.wait_taken_over("db1")
        assert protected.granted_tickets() == {"takeover-db1"}
        lab.boot("db1")
        kill_leader_at("returning")
        protected.wait_returned("db1")
    assert protected.granted_tickets() == set()
    new = takeovers(protected, "db1", host=protected.hosts[-1])[before:]
    assert len(new) == 1, new
    assert events(new[0]).count("granted") == 1
    assert events(new[0]).count("started") == 1
    assert events(new[0])[-1] == "healthy"


@contextlib.contextmanager
def leader_replaced(protected):
    """What is done within stays hidden from the leader, which is frozen before it and killed after it."""
    host = leader(protected)
    pid = protected.run("cat", PID_FILE, host=host).stdout.strip()
    protected.run("kill", "-STOP", pid, host=host)
    try:
        yield
    finally:
        protected.run("kill", "-9", pid, host=host)


def isolations_begun(protected, host) -> int:
    """How often the observer of a host has begun to isolate db1, by its log."""
    log = protected.run("cat", "/var/log/understudy/observer.log", host=host).stdout
    return log.count("Server db1: isolating (isolate=")


@contextlib.contextmanager
def observers_unmanaged(protected):
    """Pacemaker does not end an observer that hangs."""
    option = ("--resource", "understudy-observer", "--meta")
    protected.run("crm_resource", *option, "--set-parameter", "is-managed", "--parameter-value", "false")
    try:
        yield
    finally:
        protected.run("crm_resource", *option, "--delete-parameter", "is-managed")


@CAMPAIGN
def test_a_leader_that_slept_does_nothing_with_what_it_knew(protected):
    """It sleeps while db1 is in doubt, and wakes when its hold-down is long over."""
    first = leader(protected)
    other = other_hosts(protected, first)[0]
    pid = protected.run("cat", PID_FILE, host=first).stdout.strip()
    before = len(takeovers(protected, "db1", host=other))
    with observers_unmanaged(protected), tuned(protected, "db1", hold_down="15s"):
        begun = {host: isolations_begun(protected, host) for host in protected.hosts}
        protected.lab.crash("db1")
        wait_until(lambda: protected.verdict("db1", host=other) == "doubted", 30, "db1 to be in doubt", poll_s=0.2)
        protected.run("kill", "-STOP", pid, host=first)
        try:
            wait_until(lambda: protected.status(other)["leader"] not in (first, "", None), 40, "another one to lead", poll_s=0.5)
            wait_until(lambda: protected.verdict("db1", host=other) == "failed", 40, "db1 to be isolated", poll_s=0.2)
        finally:
            protected.run("kill", "-CONT", pid, host=first)
        protected.wait_taken_over("db1")
        wait_until(lambda: protected.status(first)["leader"] and protected.verdict("db1", host=first) == "failed", 30,
                   "the one that slept to know it", poll_s=0.5)
    assert protected.run("cat", PID_FILE, host=first).stdout.strip() == pid, "it was ended, not asleep"
    assert sum(isolations_begun(protected, host) - begun[host] for host in protected.hosts) == 1
    assert isolations_begun(protected, first) == begun[first]
    new = takeovers(protected, "db1", host=first)[before:]
    assert len(new) == 1 and events(new[0]).count("granted") == 1, new


@CAMPAIGN
def test_a_new_leader_grants_the_ticket_that_a_failed_server_lacks(protected):
    protected.lab.crash("db1")
    protected.wait_taken_over("db1")
    with leader_replaced(protected):
        protected.run("crm_ticket", "--ticket", "takeover-db1", "--revoke", "--force")
        wait_until(lambda: protected.domain_hosts("db1") == [], 60, "the image to be stopped", poll_s=0.5)
    assert protected.wait_taken_over("db1").keys() == {"db1"}
    assert protected.granted_tickets() == {"takeover-db1"}


@CAMPAIGN
def test_a_new_leader_revokes_the_ticket_of_a_returning_server(protected):
    lab = protected.lab
    protected.understudy("takeover", "db1")
    protected.wait_taken_over("db1")
    lab.boot("db1")
    lab.service("db1", "stop", "gate")      # it is ready and does not serve yet: that keeps it returning
    protected.wait_verdict("db1", "returning")
    wait_until(lambda: protected.granted_tickets() == set(), 10, "the ticket to be revoked")
    with leader_replaced(protected):
        protected.run("crm_ticket", "--ticket", "takeover-db1", "--grant", "--force")
    wait_until(lambda: protected.granted_tickets() == set(), 20, "the ticket to be revoked again")
    lab.service("db1", "start", "gate")
    protected.wait_returned("db1")
    assert protected.domain_hosts("db1") == []


def test_a_ticket_granted_by_hand_beside_a_healthy_server_is_revoked(protected):
    """A start that has begun takes the server's address for a moment: with a short hold-down that is a failure."""
    with tuned(protected, "db1", hold_down="180s"):
        protected.run("crm_ticket", "--ticket", "takeover-db1", "--grant", "--force")
        wait_until(lambda: protected.granted_tickets() == set(), 30, "the ticket to be revoked", poll_s=0.2)
        protected.run("crm_resource", "--wait", "--timeout", "60")  # until Pacemaker has nothing left to do
        assert protected.domain_hosts("db1") == []
        # Switches look for its MAC where the image was, until it says something.
        protected.lab.exec("db1", "ping", "-c", "3", protected.site.address("client", "svc"))
        wait_until(lambda: protected.at_rest("db1"), 120, "the original to be seen to serve", poll_s=0.5)
        assert protected.lab.node("db1").state() == "running", "it was isolated"


@CAMPAIGN
def test_all_observers_are_killed_while_an_image_runs(protected):
    protected.lab.crash("db1")
    where = protected.wait_taken_over("db1")
    for host in protected.hosts:
        kill_observer(protected, host)
    wait_until(lambda: all(protected.run("understudy", "status", "db1", host=host, check=False).returncode == 0
                           for host in protected.hosts), 90, "all observers to run again", poll_s=0.5)
    protected.wait_verdict("db1", "failed", timeout_s=30)
    assert protected.images_running() == where, "the image moved or was stopped"
    assert protected.granted_tickets() == {"takeover-db1"}
    protected.lab.boot("db1")
    # New observers know of no absence: unless most of them have missed it since, its return waits for the operator.
    protected.understudy("release", "db1", check=False)
    protected.wait_returned("db1")


# --- quorum -----------------------------------------------------------------------------

def test_without_quorum_nothing_starts_and_with_it_it_goes_on(protected):
    lab = protected.lab
    alone, *lost = protected.hosts
    for host in lost:
        lab.crash(host)
    wait_until(lambda: not protected.status(alone)["quorate"], 30, f"{alone} to lose quorum")
    for words in (("hold", "db1"), ("forget", "db1", "--force")):       # the others would not know of it
        refused = protected.understudy(*words, host=alone, check=False)
        assert refused.returncode != 0 and "no quorum" in refused.stderr, refused
    lab.crash("db1")
    # Pacemaker stops the observer there too, after which nobody knows anything.
    stays(lambda: protected.verdict("db1", host=alone) in ("healthy", "unknown")
          and protected.granted_tickets(alone) == set(), "nothing decided without quorum", seconds=15)
    assert protected.domain_hosts("db1") == []
    for host in lost:
        lab.boot(host)
    protected.wait_taken_over("db1", timeout_s=180)
    assert len(protected.domain_hosts("db1")) == 1


@CAMPAIGN
def test_observers_without_quorum_isolate_nobody(protected):
    """They see to it by themselves: with no-quorum-policy=freeze Pacemaker lets them run."""
    lab = protected.lab
    alone, *lost = protected.hosts
    protected.run("pcs", "property", "set", "no-quorum-policy=freeze")
    try:
        for host in lost:
            lab.crash(host)
        wait_until(lambda: not protected.status(alone)["quorate"], 30, f"{alone} to lose quorum")
        lab.cut("db1", "svc")
        stays(lambda: lab.node("db1").state() == "running" and protected.granted_tickets(alone) == set(),
              "db1 neither isolated nor taken over", seconds=12)
        pid = protected.run("cat", PID_FILE, host=alone).stdout.strip()
        protected.run("kill", "-0", pid, host=alone)    # it did run
        for host in lost:
            lab.boot(host)
        protected.wait_taken_over("db1", timeout_s=180)
    finally:
        protected.run("pcs", "property", "unset", "no-quorum-policy")


# --- isolation ----------------------------------------------------------------------------

@CAMPAIGN
def test_no_takeover_before_isolation_has_succeeded(protected):
    lab = protected.lab
    with tuned(protected, "db1", isolate_timeout="10s"):
        lab.service("bmc", "stop", "db1")
        try:
            lab.crash("db1")
            protected.wait_verdict("db1", "isolating")
            wait_until(lambda: "not isolated" in protected.server("db1")["reason"], 60, "status to say why",
                       poll_s=0.5)
            assert "powered off" in protected.server("db1")["reason"]
            stays(lambda: protected.granted_tickets() == set() and protected.verdict("db1") == "isolating",
                  "no ticket while it is not isolated", seconds=15)
            assert protected.domain_hosts("db1") == []
        finally:
            lab.service("bmc", "start", "db1")
        protected.wait_taken_over("db1")


def test_an_operator_takes_over_and_releases(protected):
    protected.understudy("takeover", "db1")
    protected.wait_taken_over("db1")
    assert protected.lab.node("db1").state() == "crashed", "the original still has power while its image runs"
    protected.lab.boot("db1")
    protected.understudy("release", "db1", check=False)     # it may be returning by itself already
    protected.wait_returned("db1")


# --- put aside by an operator ----------------------------------------------------------------

def is_paused(protected, server):
    return any(pair.get("name") == "paused_until" for primitive in protected.cib().iter("primitive")
               if primitive.get("id") == f"standby-{server}" for pair in primitive.iter("nvpair"))


def pause_that_is_replaced(protected):
    """What a pause says that waits for a leader who can't answer, while somebody writes another; its exit status."""
    asked = other_hosts(protected, leader(protected))[0]
    with leader_replaced(protected):
        pause = protected.lab.popen(asked, "understudy", "pause", "db1", "--until", "3h", stderr=subprocess.PIPE, text=True)
        wait_until(lambda: is_paused(protected, "db1"), 20, "the first pause to be written")
        protected.run("pcs", "resource", "update", "standby-db1", "paused_until=2036-01-31T18:00:00Z", host=asked)
        said = pause.communicate(timeout=60)[1]
    return said, pause.returncode


@CAMPAIGN
def test_nothing_is_done_to_a_server_that_an_operator_has_put_aside(protected):
    """Its service stops for a moment: a reboot of it, or an update."""
    lab = protected.lab

    def is_left_alone(why):
        wait_until(lambda: protected.verdict("db1") == "doubted" and why in protected.server("db1")["reason"], 60,
                   f"status to say {why!r}")
        stays(lambda: protected.verdict("db1") == "doubted" and lab.node("db1").state() == "running",
              "db1 doubted and left alone", seconds=5)

    try:
        said, status = pause_that_is_replaced(protected)
        assert status != 0 and "another command has replaced this pause" in said
        protected.understudy("pause", "db1", "--until", "1h")
        done = protected.understudy("takeover", "db1", check=False)
        assert done.returncode != 0 and "understudy resume db1" in done.stderr
        lab.service("db1", "stop", "postgresql")
        is_left_alone("paused")
        for host in protected.hosts:        # it outlives them
            kill_observer(protected, host)
        is_left_alone("paused")
        # Put aside with Pacemaker's own means: its image would not be started.
        protected.run("pcs", "resource", "disable", "standby-db1")
        # A shorter pause instead, which ends by itself, whoever leads then.
        protected.understudy("pause", "db1", "--until", "20s")
        kill_observer(protected, leader(protected))
        wait_until(lambda: not is_paused(protected, "db1"), 90, "the pause to be over")
        is_left_alone("disabled")
        done = protected.understudy("takeover", "db1", check=False)
        assert done.returncode != 0 and "disabled" in done.stderr
        # Not put aside, but no host could run its image.
        protected.understudy("adopt", "db1", "--memory-mib", "900000", "--no-store")
        protected.run("pcs", "resource", "enable", "standby-db1")
        is_left_alone("no host can run the image")
        done = protected.understudy("takeover", "db1", check=False)
        assert done.returncode != 0 and "no host can run the image" in done.stderr
    finally:
        lab.service("db1", "start", "postgresql")
        protected.wait_verdict("db1", "healthy")
        protected.run("pcs", "resource", "enable", "standby-db1")
        protected.understudy("adopt", "db1", "--memory-mib", str(IMAGE_MEMORY_MIB), "--no-store")
        protected.understudy("resume", "db1")
    assert protected.granted_tickets() == set()
    assert lab.node("db1").state() == "running"
