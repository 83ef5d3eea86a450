# SPDX-License-Identifier: GPL-2.0-or-later
"""What may befall the host that runs an image, fenced by the store alone; a client commits to the database in it."""

import pytest

from fence_watch import Watch
from fenced_cluster import SERVER, FencedCluster
from ledger import Ledger
from protected import Protected


@pytest.fixture(scope="module")
def fenced(lab):
    """A cluster that fences its hosts by the store alone, with the image of a failed database server running."""
    cluster = FencedCluster(lab)
    cluster.adopt()
    yield cluster
    cluster.settle()
    cluster.forget()
    lab.boot(SERVER)
    lab.wait_database(SERVER)
    Protected(lab).adopt(SERVER)


@pytest.fixture
def ledger(fenced, tmp_path):
    """What a client commits to the image's database."""
    return Ledger(fenced.lab, SERVER, tmp_path / "journal")


@pytest.fixture
def running(fenced, ledger):
    """The image serves on a host, a client commits, and a checker looks for two writers; gives the host."""
    if fenced.online() != set(fenced.hosts):
        fenced.settle()     # what a failed test has left
    host = fenced.take_over()
    watch = Watch(fenced.lab, SERVER)
    try:
        with ledger.kept():
            yield host
    finally:
        watch.end()
    watch.assert_one_writer()


def assert_fenced_and_moved(fenced, host: str) -> str:
    """Where the image is after the host was fenced."""
    there = fenced.wait_serves(not_on=host)
    assert fenced.is_refused(host) and fenced.records() == [host]
    return there


def assert_clean_return(fenced, host: str, there: str) -> None:
    """The host comes back: nothing of its old image is left, nothing moves."""
    qemu = fenced.qemu(there)
    fenced.rejoin(host)
    assert fenced.qemu(host) is None and fenced.domain_state(host) == ""
    assert fenced.where() == there and fenced.qemu(there) == qemu


def test_power_loss(fenced, running):
    fenced.lab.crash(running)
    there = assert_fenced_and_moved(fenced, running)
    assert_clean_return(fenced, running, there)
