# SPDX-License-Identifier: GPL-2.0-or-later
"""Monitors of the image agent: what it makes of a guest that is not well, and of a libvirtd that can't be asked."""

import json
import time

from campaign import CAMPAIGN
from image_agent import (DEGRADED, DOMAIN, GENERIC, NOT_RUNNING, RUN, SUCCESS, image, recovery)  # noqa: F401
from lab.api import wait_until
from lab.site import POOL

DEEP = {"level": 10, "timeout_s": 30}


def test_a_healthy_image(image):
    assert image.probe().rc == NOT_RUNNING
    image.start()
    assert image.probe().rc == SUCCESS
    assert image.monitor().rc == SUCCESS
    assert image.monitor(**DEEP).rc == SUCCESS


def test_it_does_not_load_what_is_heavy(image):
    image.start()
    done = image.lab.exec(image.host, "env", "LD_DEBUG=files", *image.argv("monitor", interval_s=5), check=False)
    assert done.returncode == SUCCESS
    assert "libglib" in done.stderr, "LD_DEBUG should have named the libraries"
    for library in ("librbd", "librados", "libvirt", "libxml2", "libgio"):
        assert library not in done.stderr


@CAMPAIGN
def test_paused_by_hand(image):
    image.start()
    image.virsh("suspend", DOMAIN)
    answer = image.monitor()
    assert answer.rc == DEGRADED
    assert "paused by hand" in answer.reason
    image.virsh("resume", DOMAIN)
    assert image.monitor().rc == SUCCESS


def test_paused_by_an_io_error(image):
    """QEMU's client is put on the blocklist, as by a fence; the guest's next write stops it."""
    image.start()
    image.lab.exec("store", "ceph", "osd", "blocklist", "add", image.watchers()[0], "600")
    try:
        wait_until(lambda: image.lever("write") is not None and "paused" in image.virsh("domstate", DOMAIN), 30,
                   "the guest to be paused")
        assert image.virsh("domstate", "--reason", DOMAIN).strip() == "paused (I/O error)"
        for answer in (image.monitor(), image.monitor(**DEEP), image.probe()):
            assert answer.rc == GENERIC
            assert "I/O error" in answer.reason
        assert image.call("start").rc == GENERIC
        assert "paused and can't shut down" in image.stop().log, "time was lost on asking it to"
        assert image.qemu_pids() == []
        image.start()
        assert image.monitor().rc == SUCCESS
    finally:
        image.clear_blocklist()


def test_blocklisted_while_it_is_idle(image):
    """Running for libvirt, and cut off from its disks: only the store can tell."""
    image.start()
    image.lab.exec("store", "ceph", "osd", "blocklist", "add", image.watchers()[0], "600")
    try:
        wait_until(lambda: image.watchers() == [], 10, "the watch to go")
        answer = image.monitor(**DEEP)
        assert answer.rc == GENERIC
        assert "watch" in answer.reason or "I/O error" in answer.reason
    finally:
        image.clear_blocklist()


@CAMPAIGN
def test_the_guest_crashes(image):
    """pvpanic tells QEMU, which libvirt then ends."""
    image.start()
    image.lever("panic")
    wait_until(lambda: image.monitor().rc != SUCCESS, 30, "the monitor to see it", poll_s=0.2)
    answer = image.monitor()
    assert answer.rc in (NOT_RUNNING, GENERIC)
    assert answer.reason
    image.stop()
    image.start()


@CAMPAIGN
def test_the_guest_shuts_itself_down(image):
    image.start()
    image.lever("poweroff")
    wait_until(lambda: image.domains() == [], 30, "the guest to be down")
    answer = image.monitor()
    assert answer.rc == NOT_RUNNING
    assert "shut down" in answer.reason
    assert image.probe().reason == ""
    image.stop()


@CAMPAIGN
def test_the_guest_reboots(image):
    """That is no failure at any moment of it."""
    image.start()
    uptime = float(image.lever("uptime").split()[0])
    image.virsh("reset", DOMAIN)
    seen = []

    def rebooted():
        seen.append(image.monitor().rc)
        text = image.lever("uptime").split()
        return text and (float(text[0]) < uptime or len(image.boots()) == 2)

    wait_until(rebooted, 60, "the guest to be back")
    assert set(seen) == {SUCCESS}


def test_the_guest_no_longer_answers(image):
    image.start()
    answer = image.monitor(boot_probe=f"tcp:{image.address}:81", **DEEP)
    assert answer.rc == GENERIC
    assert f"{image.address}:81" in answer.reason


def test_qemu_is_killed(image):
    image.start()
    image.signal("KILL", *image.qemu_pids())
    # It holds the lock of its pid file until the kernel has put its memory away.
    wait_until(lambda: image.monitor().rc == NOT_RUNNING, 20, "a monitor to see that it is gone")
    assert image.qemu_pids() == []


def test_libvirtd_is_dead(image):
    image.lab.service(image.host, "stop", "libvirtd")
    assert image.probe().rc == NOT_RUNNING
    image.lab.service(image.host, "start", "libvirtd")
    wait_until(lambda: image.lab.hypervisor_answers(image.host), 30, "libvirtd")
    image.start()
    image.lab.service(image.host, "stop", "libvirtd")
    assert image.probe().rc == SUCCESS
    answer = image.monitor()
    assert answer.rc == DEGRADED
    assert "libvirtd" in answer.reason
    image.signal("KILL", *image.qemu_pids())
    wait_until(lambda: image.monitor().rc == NOT_RUNNING, 20, "a monitor to see that it is gone")
    assert image.qemu_pids() == []


@CAMPAIGN
def test_libvirtd_hangs(image):
    image.start()
    pid = int(image.lab.exec(image.host, "cat", "/run/service/libvirtd/supervise/pid").stdout)
    image.signal("STOP", pid)
    try:
        answer = image.monitor(timeout_s=20)
        assert answer.rc == DEGRADED
        assert "libvirtd" in answer.reason
        assert image.probe(timeout_s=20).rc == SUCCESS
    finally:
        image.signal("CONT", pid)
    assert image.monitor().rc == SUCCESS


@CAMPAIGN
def test_libvirtd_is_restarted(image):
    image.start()
    image.lab.service(image.host, "stop", "libvirtd")
    image.lab.service(image.host, "start", "libvirtd")
    deadline = time.monotonic() + 30
    codes = []
    while time.monotonic() < deadline and (not codes or codes[-1] != SUCCESS):
        codes.append(image.monitor().rc)
    assert set(codes) <= {SUCCESS, DEGRADED}
    assert codes[-1] == SUCCESS


def test_the_store_is_out_of_reach(image):
    image.start()
    image.lab.cut(image.host, "store")
    try:
        answer = image.monitor(boot_probe=f"icmp:{image.address}", **DEEP)
        assert answer.rc == DEGRADED
        assert "store" in answer.reason
    finally:
        image.lab.heal(image.host, "store")
    wait_until(lambda: image.monitor(**DEEP).rc == SUCCESS, 30, "the image to be well again")
    assert RUN.split("/")[1] in image.images()


@CAMPAIGN
def test_nothing_can_be_written(image):
    """To a pool that is full, or an image that somebody locks by hand, QEMU's writes wait, and it says nothing of it. A
    recovery would not help: the image is left running. A stop does not wait for a guest that can't write at its end, and a start
    says what is full."""
    image.start()
    (own,) = json.loads(image.rbd("lock", "ls", RUN, "--format", "json").stdout)
    image.rbd("--rbd-blocklist-on-break-lock=false", "lock", "rm", RUN, own["id"], own["locker"])
    image.rbd("lock", "add", RUN, "for repair")
    answer = image.monitor(**DEEP)
    image.unlock()
    assert answer.rc == DEGRADED and f"rbd lock rm {RUN} 'for repair' client." in answer.log
    assert image.monitor(**DEEP).rc == SUCCESS
    image.lab.exec("store", "ceph", "osd", "pool", "set-quota", POOL, "max_objects", "1")
    try:
        wait_until(lambda: image.monitor(**DEEP).rc == DEGRADED, 60, "the monitor to see it", poll_s=1)
        assert f"pool {POOL} is full" in image.monitor(**DEEP).reason and "quota" in image.monitor(**DEEP).reason
        answer = image.stop()
        assert f"pool {POOL} is full" in answer.log and "it can't shut down: destroying it" in answer.log
        answer = image.call("start", timeout_s=20)
        assert answer.rc == GENERIC and f"pool {POOL} is full" in answer.reason and "make room" in answer.reason
    finally:
        image.lab.exec("store", "ceph", "osd", "pool", "set-quota", POOL, "max_objects", "0")
    image.start()
    wait_until(lambda: image.monitor(**DEEP).rc == SUCCESS, 60, "the image to be well again", poll_s=1)
