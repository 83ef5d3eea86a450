# SPDX-License-Identifier: GPL-2.0-or-later
"""What may befall the host that runs an image, fenced by the store alone; a client commits to the database in it."""

import pytest

from fence_watch import Watch
from fenced_cluster import SERVER, FencedCluster
from lab.api import wait_until
from ledger import Ledger
from protected import Protected


@pytest.fixture(scope="module")
def fenced(lab):
    """A cluster that fences its hosts by the store alone, with the image of a failed database server running."""
    cluster = FencedCluster(lab)
    cluster.settle()
    cluster.adopt()
    yield cluster
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
    finally:
        fenced.watch.end()
    fenced.watch.assert_one_writer()


def assert_fenced_and_moved(fenced, host: str) -> str:
    """Where the image is after the host was fenced."""
    there = fenced.wait_serves(not_on=host)
    assert fenced.is_refused(host) and fenced.records() == [host]
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


def test_all_networks_cut_and_healed(fenced, running):
    for network in ("mgmt", "store", "svc"):
        fenced.lab.cut(running, network)
    assert_fenced_and_moved(fenced, running)
    assert_survivor_returns(fenced, running)


def test_one_corosync_link_cut_moves_nothing(fenced, running, ledger):
    qemu = fenced.qemu(running)
    fenced.lab.cut(running, "mgmt")
    wait_until(lambda: "disconnected" in fenced.lab.exec(running, "corosync-cfgtool", "-s").stdout, 30,
               "Corosync to notice")
    ledger.wait_commit()
    assert fenced.online() == set(fenced.hosts)
    fenced.lab.heal(running, "mgmt")
    wait_until(lambda: "disconnected" not in fenced.lab.exec(running, "corosync-cfgtool", "-s").stdout, 30,
               "Corosync to notice")
    ledger.wait_commit()
    assert fenced.qemu(running) == qemu and fenced.records() == []


def test_store_network_cut_and_healed_in_time(fenced, running, ledger):
    """The guest's disk stalls, and goes on: it is the same guest."""
    qemu, before = fenced.qemu(running), len(ledger.attempts())
    fenced.lab.cut(running, "store")
    wait_until(lambda: any(not attempt["ok"] for attempt in ledger.attempts()[before:]), 40, "the guest's disk to stall",
               poll_s=0.1)
    fenced.lab.heal(running, "store")
    ledger.wait_commit()
    assert fenced.qemu(running) == qemu and fenced.where() == running and fenced.records() == []


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
