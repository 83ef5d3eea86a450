# SPDX-License-Identifier: GPL-2.0-or-later
"""What may befall the host that runs an image, fenced by the store alone; a client commits to the database in it."""

import json
import os
import signal
from pathlib import Path

import pytest

from campaign import CAMPAIGN
from documented import command, commands
from fence_watch import Watch, find_violations
from fenced_cluster import DEVICE, RESOURCE, RUN_IMAGE, SERVER, START_TIMEOUT_S, UNFENCE_TIMEOUT_S, FencedCluster
from lab.api import wait_until
from lab.cgroup import Cgroup
from lab.site import CEPHX_USER, POOL
from ledger import Ledger
from protected import Protected, Watcher, stays

# A client that writes what is there into the last block of an image.
INTRUDER = """
import select, sys, rados, rbd
cluster = rados.Rados(conffile="/etc/ceph/ceph.conf", name="client." + sys.argv[1])
cluster.connect()
with rbd.Image(cluster.open_ioctx(sys.argv[2]), sys.argv[3]) as image:
    while not select.select([sys.stdin], [], [], 0.05)[0]:      # each of them takes the lock back for its next write
        image.write(image.read(image.size() - 512, 512), image.size() - 512)
"""


@pytest.fixture(scope="module")
def fenced(lab):
    """A cluster that fences its hosts by the store alone, with the image of a failed database server running."""
    cluster = FencedCluster(lab)
    cluster.settle()
    cluster.adopt()
    yield cluster
    if lab.condemned:
        return
    cluster.settle()
    cluster.forget()
    lab.boot(SERVER)
    lab.wait_database(SERVER)
    Protected(lab).adopt(SERVER)


@pytest.fixture(scope="module")
def ledger(fenced, tmp_path_factory):
    """What a client commits to the image's database, over all that befalls it."""
    return Ledger(fenced.lab, SERVER, tmp_path_factory.mktemp("ledger") / "journal")


@pytest.fixture
def running(fenced, ledger):
    """The image serves on a host, a client commits, and a checker looks for two writers; gives the host."""
    if fenced.online() != set(fenced.hosts):
        fenced.settle()     # what a failed test has left
    host = fenced.take_over()
    fenced.watch = Watch(fenced.lab, SERVER)
    try:
        with ledger.kept():
            yield host
        fenced.watch.wait_seen()
    finally:
        fenced.watch.end()
    fenced.watch.assert_one_writer()


def assert_fenced_and_moved(fenced, host: str) -> str:
    """Where the image is after the host was fenced."""
    there = fenced.wait_serves(not_on=host)
    assert fenced.is_refused(host) and fenced.records() == [host]
    fenced.watch.assert_refused_first(host)
    return there


def assert_undisturbed_return(fenced, host: str, there: str) -> None:
    """The host comes back: nothing of its old image is left, the entry is gone, nothing moves."""
    qemu = fenced.qemu(there)
    fenced.rejoin(host)
    assert fenced.qemu(host) is None and fenced.domain_state(host) == ""
    assert fenced.where() == there and fenced.qemu(there) == qemu


def assert_survivor_returns(fenced, host: str) -> None:
    """The same for a host that went on all the time: before it hears that it was fenced, Pacemaker may see the image on
    two hosts, and starts it again; the checker sees to it that the old one writes nothing."""
    old = fenced.qemu(host)
    fenced.rejoin(host)
    assert old is None or fenced.qemu(host) != old
    there = fenced.wait_serves()
    assert [h for h in fenced.hosts if fenced.qemu(h)] == [there]


def test_power_loss(fenced, running):
    fenced.lab.crash(running)
    there = assert_fenced_and_moved(fenced, running)
    assert_undisturbed_return(fenced, running, there)


def test_frozen_and_thawed_after_the_takeover(fenced, running, ledger):
    """The guest goes on where it was stopped, and the store refuses what it writes."""
    with ledger.haunted():
        fenced.lab.freeze(running)
        assert_fenced_and_moved(fenced, running)
        written = ledger.ghosts()
        fenced.lab.thaw(running)
        wait_until(lambda: "I/O error" in fenced.domain_state(running), 40, "the old guest's writes to be refused")
    assert_survivor_returns(fenced, running)
    assert ledger.ghosts() == written == list(range(1, len(written) + 1))


@CAMPAIGN
def test_all_networks_cut_and_healed(fenced, running):
    for network in ("mgmt", "store", "svc"):
        fenced.lab.cut(running, network)
    assert_fenced_and_moved(fenced, running)
    assert_survivor_returns(fenced, running)


@CAMPAIGN
def test_one_corosync_link_cut_moves_nothing(fenced, running, ledger):
    qemu = fenced.qemu(running)
    fenced.lab.cut(running, "mgmt")
    wait_until(lambda: "disconnected" in fenced.lab.exec(running, "corosync-cfgtool", "-s").stdout, 30,
               "Corosync to notice")
    stays(lambda: fenced.online() == set(fenced.hosts) and fenced.qemu(running) == qemu, "every host and the image")
    ledger.wait_commit()
    fenced.lab.heal(running, "mgmt")
    wait_until(lambda: "disconnected" not in fenced.lab.exec(running, "corosync-cfgtool", "-s").stdout, 30,
               "Corosync to notice")
    ledger.wait_commit()
    assert fenced.qemu(running) == qemu and fenced.records() == []


@CAMPAIGN
def test_store_network_cut_and_healed_in_time(fenced, running, ledger):
    """The guest's disk stalls, and goes on: it is the same guest."""
    qemu, before = fenced.qemu(running), len(ledger.attempts())
    fenced.lab.cut(running, "store")
    wait_until(lambda: any(not attempt["ok"] for attempt in ledger.attempts()[before:]), 40,
               "the guest's disk to stall", poll_s=0.1)
    fenced.lab.heal(running, "store")
    ledger.wait_commit()
    assert fenced.qemu(running) == qemu and fenced.where() == running and fenced.records() == []


@CAMPAIGN
def test_store_network_cut_for_long(fenced, running):
    """The image moves, though its guest can't be shut down; the host has left nothing but its store, and is not fenced."""
    fenced.lab.cut(running, "store")
    wait_until(lambda: fenced.attribute(running, "understudy-reach") == "no-store", 40, "the observer to notice",
               poll_s=0.3)
    there = fenced.wait_serves(not_on=running)
    hosts = json.loads(fenced.run("understudy", "hosts", "--json").stdout)["hosts"]
    assert "store out of reach" in next(host["reason"] for host in hosts if host["name"] == running)
    fenced.lab.heal(running, "store")
    wait_until(lambda: fenced.attribute(running, "understudy-reach") == "1", 40, "the observer to notice", poll_s=0.3)
    assert fenced.records() == [] and fenced.online() == set(fenced.hosts)
    assert_undisturbed_return(fenced, running, there)


def test_both_corosync_links_cut_while_the_guest_still_writes(fenced, running, ledger):
    with ledger.haunted():
        before = len(ledger.ghosts())
        for network in ("mgmt", "svc"):
            fenced.lab.cut(running, network)
        assert_fenced_and_moved(fenced, running)
        written = ledger.ghosts()
    assert len(written) > before, "the guest did not write: the test shows nothing"
    assert written == list(range(1, len(written) + 1))
    assert_survivor_returns(fenced, running)


@CAMPAIGN
def test_without_quorum_in_the_store_nothing_starts_until_it_is_back(fenced, running):
    fenced.lab.service("store", "stop", "mon")
    fenced.lab.crash(running)
    wait_until(lambda: any(e.get("status") == "failed" for e in fenced.fencings(running)), 60, "the fence to fail",
               poll_s=0.5)
    assert not any(fenced.qemu(host) for host in fenced.hosts)
    assert any("monitor" in trouble for trouble in fenced.troubles())
    fenced.lab.service("store", "start", "mon")
    there = assert_fenced_and_moved(fenced, running)
    assert_undisturbed_return(fenced, running, there)


@CAMPAIGN
def test_osd_lost_together_with_the_host(fenced, running):
    fenced.lab.service("store", "stop", "osd")
    fenced.lab.crash(running)
    wait_until(lambda: fenced.is_refused(running), 60, "the host to be on the blocklist", poll_s=0.3)
    assert not any(fenced.qemu(host) for host in fenced.hosts)
    fenced.lab.service("store", "start", "osd")
    there = assert_fenced_and_moved(fenced, running)
    assert_undisturbed_return(fenced, running, there)


def process_of(fenced, host: str, name: str) -> int | None:
    """The first process of that name on a host, as this machine numbers it."""
    for pid in sorted(Cgroup(fenced.site, host).pids()):
        comm = Path(f"/proc/{pid}/comm")
        if comm.exists() and comm.read_text(encoding="utf-8").strip() == name[:15]:
            return pid
    return None


@CAMPAIGN
def test_fenced_and_unfenced_by_hand(fenced, running):
    """A host that goes on: Pacemaker there is told, the old domain stays until the host is unfenced."""
    other = next(host for host in fenced.hosts if host != running)
    fenced.run("stonith_admin", "--fence", running, "--tolerance", "0", host=other)
    there = assert_fenced_and_moved(fenced, running)
    wait_until(lambda: process_of(fenced, running, "pacemakerd") is None, 40, "Pacemaker there to end", poll_s=0.2)
    # Pacemaker may have asked for its unfencing in the moment for which Corosync still had it.
    assert fenced.qemu(running) is not None or any(event.get("action") == "on" for event in fenced.fencings(running)), \
        "nothing is left over: the test shows nothing"
    qemu = fenced.qemu(there)
    # The domain is ended; but the host must say itself that no other QEMU is left, and without Pacemaker it is silent.
    fenced.run("stonith_admin", "--unfence", running, host=there, check=False)
    assert fenced.qemu(running) is None and fenced.domain_state(running) == ""
    assert fenced.is_refused(running) and fenced.records() == [running]
    with Watcher(lambda: set(fenced.room(running).values()) == {0}) as watch:
        assert_undisturbed_return(fenced, running, there)
    assert watch.seen, "images could have been placed there while the store refused it"
    wait_until(lambda: 0 not in fenced.room(running).values(), 60, "it to publish its room again", poll_s=0.3)
    done = [event.get("action") for event in fenced.fencings(running) if event.get("status") == "success"]
    assert {"off", "on"} <= set(done)
    assert fenced.qemu(there) == qemu


@pytest.fixture
def plugin(fenced, running):
    """cluster-glue's plugin as the only device of every host, configured in crm as documented; undone at the end."""
    words = command("fencing.md", f"crm configure primitive {DEVICE} stonith:rbd")
    words[words.index(DEVICE)] = "plugin-fence"
    words.insert(words.index("meta"), f"start_timeout={START_TIMEOUT_S}")
    fenced.run(*words)
    # A new device makes Pacemaker unfence every host; its fencer may forget a request when devices change meanwhile.
    fenced.run("crm_resource", "--wait", f"--timeout={UNFENCE_TIMEOUT_S}s", timeout_s=UNFENCE_TIMEOUT_S)
    fenced.set_levels("plugin-fence")
    yield
    fenced.set_levels(DEVICE)
    fenced.run("pcs", "stonith", "delete", "plugin-fence")


@CAMPAIGN
def test_the_plugin_as_pacemaker_calls_it(fenced, running, plugin):
    """It takes the host out of the way, and lets it in again when it has booted. While hosts are unfenced for the new
    device, the image may move as on any other day."""
    host = fenced.wait_serves()
    fenced.watch.expect_fence()
    fenced.lab.crash(host)
    there = assert_fenced_and_moved(fenced, host)
    assert_undisturbed_return(fenced, host, there)


@pytest.mark.parametrize("name", ["libvirtd", "qemu-system-x86_64",
                                  *(pytest.param(n, marks=CAMPAIGN) for n in ("understudy-observerd", "pacemakerd"))])
def test_a_process_killed_alone_is_recovered_in_place(fenced, running, ledger, name):
    qemu, victim = fenced.qemu(running), process_of(fenced, running, name)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: process_of(fenced, running, name) not in (None, victim) or fenced.qemu(running) is None, 40,
               f"{name} to be there again", poll_s=0.1)
    fenced.wait_serves()
    ledger.wait_commit()
    wait_until(lambda: process_of(fenced, running, name) not in (None, victim), 40, f"{name} to be there again",
               poll_s=0.1)
    wait_until(lambda: fenced.online() == set(fenced.hosts), 40, "every host to be a member", poll_s=0.3)
    assert fenced.records() == []
    assert (fenced.qemu(running) == qemu) == (name != "qemu-system-x86_64")


# --- together with power ------------------------------------------------------------------


LEVEL_COMMANDS = {"pcs": "pcs stonith level add", "crm": "crm configure fencing_topology"}


@pytest.fixture
def levels(fenced, running):
    """Gives a function that sets the levels of the host that runs the image as documented; undone at the end."""
    def configure(tool: str, kind: str) -> None:
        fenced.clear_levels()
        for words in commands("fencing.md", LEVEL_COMMANDS[tool]):
            if ("," in words[-1]) == (kind == "both"):
                fenced.run(*(word.replace("host1", running) for word in words))
        power = f"power-{running}"
        assert fenced.levels_of(running) == (
            [[power], [DEVICE]] if kind == "first" else [[power, DEVICE]])
    yield configure
    fenced.set_levels(DEVICE)


def assert_comes_back(fenced, host: str, there: str) -> None:
    """The host was switched off and on, boots, and is a member again by itself; nothing moves."""
    qemu = fenced.qemu(there)
    wait_until(lambda: host in fenced.online() and host not in fenced.records() and not fenced.is_refused(host), 90,
               f"{host} to come back by itself", poll_s=0.5)
    assert process_of(fenced, host, "pacemakerd") is not None
    assert fenced.qemu(host) is None and fenced.qemu(there) == qemu


@CAMPAIGN
def test_levels_power_first(fenced, running, levels):
    """The store is not asked; the host boots and is back."""
    levels("pcs", "first")
    fenced.lab.freeze(running)
    there = fenced.wait_serves(not_on=running)
    assert not fenced.is_refused(running) and fenced.records() == []
    assert_comes_back(fenced, running, there)


@CAMPAIGN
def test_levels_power_first_and_its_switch_is_dead(fenced, running, levels):
    """A power cut takes the switch with it: the store alone fences then."""
    levels("crm", "first")
    fenced.lab.service("bmc", "stop", running)
    fenced.lab.crash(running)
    there = assert_fenced_and_moved(fenced, running)
    fenced.lab.service("bmc", "start", running)
    assert_undisturbed_return(fenced, running, there)


@CAMPAIGN
def test_levels_power_and_store(fenced, running, levels):
    """Both at one level: the host goes down, the store refuses it until it has booted."""
    levels("pcs", "both")
    levels("crm", "both")
    fenced.lab.freeze(running)
    there = fenced.wait_serves(not_on=running)
    entry = f"{fenced.site.address(running, 'store')}:0/0"
    assert any(entry in sample["blocklist"] for sample in fenced.watch.samples)
    assert_comes_back(fenced, running, there)


# --- without a fence ---------------------------------------------------------------------------


def test_a_device_that_lies_makes_no_second_writer(fenced, running, ledger):
    """It says that the host is off and does nothing: the image's start has the store refuse the old client alone."""
    with ledger.haunted():
        fenced.set_levels("liar")
        fenced.lab.freeze(running)
        fenced.wait_serves(not_on=running)
        assert not fenced.is_refused(running) and fenced.records() == []
        written = ledger.ghosts()
        fenced.lab.thaw(running)
        wait_until(lambda: "I/O error" in fenced.domain_state(running), 40, "the old guest's writes to be refused")
    fenced.lab.crash(running)
    fenced.set_levels(DEVICE)
    fenced.rejoin(running)
    fenced.wait_serves()
    assert ledger.ghosts() == written


# --- a test of the tests ---------------------------------------------------------------------


def test_the_checker_finds_a_second_writer(fenced):
    """Nobody fences: a second client opens the image and writes, on another host than the first."""
    host = fenced.take_over()
    other = next(h for h in fenced.hosts if h != host)
    watch = Watch(fenced.lab, SERVER)
    program = fenced.lab.popen(other, "/usr/bin/python3", "-c", INTRUDER, CEPHX_USER, POOL, RUN_IMAGE, stdin=-1)
    try:
        wait_until(lambda: len({violation.partition(":")[0] for violation in find_violations(watch.samples)}) >= 2, 30,
                   "the checker to find both the second watcher and the lock that has gone over", poll_s=0.3)
        watch.wait_seen()
    finally:
        program.kill()
        program.wait(20)
        program.stdin.close()
        watch.end()
    with pytest.raises(AssertionError, match="none is refused"):
        watch.assert_one_writer()
