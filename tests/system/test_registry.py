# SPDX-License-Identifier: GPL-2.0-or-later
"""What the capacity agent publishes of its host: fence_rbd goes by nothing else."""

import pytest

from fence_agent import FAILED, HOST_KEY, OK, fence, prepared, quiet_cluster, run_image  # noqa: F401
from image_agent import DEGRADED, ImageAgent
from lab.api import wait_until

RESERVED = "203.0.113.7/32"     # RFC 5737: nobody's


def capacity(fence, action: str, interval_s: int = 0) -> int:
    """The agent on the target, as Pacemaker calls it; its exit code."""
    return ImageAgent(fence.lab, fence.target).capacity(action, interval_s)


@pytest.fixture(autouse=True)
def as_it_was(fence):
    """Where no cluster runs the agent, it is not left running."""
    runs = capacity(fence, "monitor") == OK
    yield
    if not runs:
        capacity(fence, "stop")


def started_anew(fence) -> None:
    """Stopped, if it ran, and started."""
    assert capacity(fence, "stop") == OK
    wait_until(lambda: capacity(fence, "start") == OK, 60, "the cluster on the host to take its figures", poll_s=0.5)


def published(fence) -> dict:
    """The target's entry."""
    return fence.key(HOST_KEY + fence.target) or {}


def boot_id(fence) -> str:
    return fence.lab.exec(fence.target, "cat", "/proc/sys/kernel/random/boot_id").stdout.strip()


def test_a_host_publishes_where_the_store_sees_it_and_its_boot(fence):
    fence.remove_key(HOST_KEY + fence.target)
    started_anew(fence)
    entry = published(fence)
    assert entry["name"] == fence.target and entry["store_addresses"] == [fence.target_ip]
    first = boot_id(fence)
    assert entry["boot_id"] == first

    fence.lab.crash(fence.target)
    fence.lab.boot(fence.target)
    started_anew(fence)
    assert boot_id(fence) != first and published(fence)["boot_id"] == boot_id(fence)


def test_what_it_has_published_is_enough_to_fence_and_unfence_it(fence):
    """And nothing else is: the entry is taken away first."""
    fence.remove_key(HOST_KEY + fence.target)
    assert fence.run("off").rc != OK
    started_anew(fence)
    fence.off()
    fence.lab.crash(fence.target)
    fence.lab.boot(fence.target)
    started_anew(fence)
    assert "booted" in fence.on(libvirt_uri="qemu+tcp://{host}:1/system").err


def test_a_monitor_publishes_again_when_an_address_has_changed(fence):
    """And not otherwise: it costs nothing then."""
    started_anew(fence)
    fence.remove_key(HOST_KEY + fence.target)
    assert capacity(fence, "monitor", 10) == OK
    assert published(fence) == {}, "it asks the store though nothing has changed"
    fence.lab.exec(fence.target, "ip", "address", "add", RESERVED, "dev", "store")
    try:
        assert capacity(fence, "monitor", 10) == OK
        assert published(fence).get("store_addresses") == [fence.target_ip]
    finally:
        fence.lab.exec(fence.target, "ip", "address", "del", RESERVED, "dev", "store")


def test_an_old_name_at_the_same_address_is_said_until_it_is_gone(fence):
    """A host was renamed, or has taken another's place: no fence can tell the two apart, and nobody but an operator knows."""
    old = {"name": "old1", "store_addresses": [fence.target_ip], "boot_id": "x", "at": 1}
    command = f"ceph config-key rm {HOST_KEY}old1"
    fence.set_key(f"{HOST_KEY}old1", old)
    try:
        started_anew(fence)
        assert published(fence)["store_addresses"] == [fence.target_ip]
        assert capacity(fence, "monitor", 10) == DEGRADED
        monitor = fence.run("monitor")
        assert monitor.rc == OK and command in monitor.err, monitor.err
        off = fence.run("off")
        assert off.rc == FAILED and command in off.err and fence.target_entries() == set(), off.err
        assert capacity(fence, "monitor", 10) == DEGRADED
        assert fence.key(f"{HOST_KEY}old1") == old
    finally:
        fence.lab.exec("store", *command.split())
    assert capacity(fence, "monitor", 10) == OK
    assert "old1" not in fence.run("monitor").err
    fence.off()
    fence.on()


def test_a_host_says_that_nothing_is_left_on_it_since_its_fence(fence):
    """A QEMU that libvirt does not know is seen by the host alone: as long as it is there the host stays fenced."""
    started_anew(fence)
    qemu = fence.lab.popen(fence.target, "qemu-system-x86_64", "-name", "guest=standby-lost", "-display", "none", "-S",
                           "-nodefaults", "-m", "16")
    try:
        wait_until(lambda: "standby-lost" in fence.lab.exec(fence.target, "pgrep", "-a", "qemu", check=False).stdout, 30,
                   "the QEMU to show itself")
        fence.off()
        # Called by hand, each call is that of a new executor, which waits to be unfenced.
        assert capacity(fence, "monitor", 10) == OK
        assert fence.run("on").rc != OK and fence.entry in fence.blocklist()
    finally:
        qemu.kill()
        qemu.wait(20)
    wait_until(lambda: fence.lab.exec(fence.target, "pgrep", "qemu", check=False).returncode != 0, 30, "the QEMU to end")
    assert capacity(fence, "monitor", 10) == OK
    assert published(fence)["empty_fence"] == fence.record()["id"]
    assert fence.run("on").rc == OK and fence.is_let_in()
