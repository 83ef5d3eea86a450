# SPDX-License-Identifier: GPL-2.0-or-later
"""Stops of the image agent: it really stops, whatever else is broken, and says so when it can't."""

import re
import subprocess

import pytest

from campaign import CAMPAIGN
import ghosts
from image_agent import (BYSTANDER, DEGRADED, DOMAIN, ENDED, GENERIC, NOT_RUNNING, RUN, SUCCESS, ImageAgent, image,
                         recovery)  # noqa: F401
from lab.api import wait_until


def is_gone(image):
    """No domain, no QEMU."""
    return image.qemu_pids() == [] and image.domains() == []


def test_of_what_was_never_started(image):
    image.stop(timeout_s=20)
    assert RUN.split("/")[1] not in image.images()


def test_shuts_the_guest_down_cleanly(image):
    image.start()
    image.stop()
    image.start()
    assert image.boots()[-2:] == ["clean shutdown", "boot"]


def test_a_guest_that_ignores_acpi_is_destroyed_in_time(image):
    image.start()
    image.lever("ignore-acpi")
    image.stop(timeout_s=30)
    assert is_gone(image) and image.watchers() == []


BROKEN = [
    {"disks": "not an image"}, {"drop": ("disks",)}, {"template": "/nonexistent/domain.xml"}, {"template": "relative"},
    {"ceph_conf": "/nonexistent/ceph.conf"}, {"ceph_user": "nobody"}, {"boot_probe": "smoke:signals"},
    {"domain_type": "abacus"}, {"vcpus": "many"}, {"mac": "no"}, {"server": "../../etc"}, {"server": "another"},
    {"store_timeout": "soon"}, {"run_pool": "nonexistent"},
]
ALL_BROKEN = {key: value for broken in BROKEN for key, value in broken.items() if key != "drop"}


@pytest.mark.parametrize("broken", [ALL_BROKEN, *(pytest.param(one, marks=CAMPAIGN) for one in (
    {"drop": ("disks",)}, {"ceph_conf": "/nonexistent/ceph.conf"}, {"template": "/nonexistent/domain.xml"}))])
def test_a_broken_parameter_does_not_keep_it_from_stopping(image, broken):
    image.start()
    for one in BROKEN:
        assert image.probe(**one).rc == SUCCESS, one
    image.stop(**broken)
    assert is_gone(image) and image.watchers() == []
    for one in BROKEN:
        assert image.probe(**one).rc == NOT_RUNNING, one


@CAMPAIGN
def test_libvirtd_is_dead(image):
    image.start()
    image.lab.service(image.host, "stop", "libvirtd")
    image.stop()
    assert image.qemu_pids() == [] and image.watchers() == []
    image.lab.service(image.host, "start", "libvirtd")
    wait_until(lambda: image.lab.hypervisor_answers(image.host), 30, "libvirtd")
    assert is_gone(image)
    image.start()


def test_libvirtd_hangs(image):
    image.start()
    pid = int(image.lab.exec(image.host, "cat", "/run/service/libvirtd/supervise/pid").stdout)
    image.signal("STOP", pid)
    try:
        image.stop()
        assert image.qemu_pids() == [] and image.watchers() == []
    finally:
        image.signal("CONT", pid)


def test_a_qemu_that_libvirt_has_lost(image):
    """Neither libvirt nor its files know of it; it still has the disks."""
    image.start()
    image.libvirt_forgets()
    assert image.domains() == [] and len(image.qemu_pids()) == 1
    assert image.probe().rc == SUCCESS, "Pacemaker would start it a second time"
    answer = image.monitor()
    assert answer.rc == DEGRADED and "libvirt does not know it" in answer.reason
    answer = image.call("start")
    assert answer.rc == GENERIC and str(image.qemu_pids()[0]) in answer.reason
    answer = image.stop()
    assert "libvirt has lost this QEMU" in answer.log, "it was asked to shut down through a libvirt that does not know it"
    assert image.qemu_pids() == [] and image.watchers() == []


def libvirtd_pid(image):
    """As libvirtd has written it down."""
    return int(image.lab.exec(image.host, "cat", "/run/libvirtd.pid").stdout)


def unanswered_start(image, signal, when, timeout_s=15):
    """A start during which libvirtd is signalled; the pid of that libvirtd."""
    hunter = image.hunt_libvirtd(signal, when)
    answer = image.call("start", timeout_s=timeout_s)
    assert answer.rc == GENERIC and "libvirt" in answer.reason
    # One that is back already may say that it runs.
    assert image.probe().rc != NOT_RUNNING, "Pacemaker would start it elsewhere, while libvirtd may still carry it out"
    assert image.claim() != [], "Somebody else could take it"
    pid = int(hunter.stdout.readline())
    assert hunter.wait(10) == 0
    hunter.stdout.close()
    return pid


def test_a_create_that_libvirtd_has_not_answered(image):
    """libvirtd hangs while it makes the domain. It would go on long after the image runs elsewhere."""
    bystander = image.start_bystander()
    pid = unanswered_start(image, "STOP", "begun")
    try:
        answer = image.call("start", timeout_s=15)
        assert answer.rc == GENERIC
        image.stop()
        assert not image.runs(pid), "libvirtd can still make its QEMU"
    finally:
        image.lab.exec(image.host, "kill", "-CONT", pid, check=False)
    image.lab.service(image.host, "start", "libvirtd")
    wait_until(lambda: image.lab.hypervisor_answers(image.host), 30, "libvirtd")
    assert image.qemu_pids() == [] and image.writers() == set()
    assert image.domains() == [BYSTANDER] and image.qemu_pids(BYSTANDER) == [bystander]
    assert image.probe().rc == NOT_RUNNING
    image.start()
    assert image.answers()


@CAMPAIGN
def test_a_silent_libvirtd_that_migrates_another_guest(image):
    """To end it would break that migration: the stop fails, so that the host is fenced."""
    other = ImageAgent(image.lab, "host2")
    image.start_bystander()
    there = libvirtd_pid(other)
    other.signal("STOP", there)
    # -k 0: no keepalive, by which virsh would give up.
    migration = image.lab.popen(image.host, "virsh", "-k", "0", "migrate", "--live", "--p2p", BYSTANDER,
                                "qemu+tcp://host2/system", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: "async='migration out'" in image.lab.exec(
            image.host, "cat", f"/run/libvirt/qemu/{BYSTANDER}.xml").stdout, 20, "the migration to be under way")
        here = unanswered_start(image, "STOP", "begun", timeout_s=8)
        answer = image.call("stop", timeout_s=15)
        assert answer.rc == GENERIC and f"the migration of {BYSTANDER}" in answer.reason
        assert image.runs(here) and image.claim() != []
        image.signal("CONT", here)
    finally:
        other.signal("CONT", there)
    assert migration.wait(60) == 0, migration.stderr.read()
    migration.stderr.close()
    assert BYSTANDER in other.domains()
    image.stop()
    assert is_gone(image) and libvirtd_pid(image) == here


@CAMPAIGN
def test_a_create_that_libvirtd_answers_late(image):
    """libvirtd goes on while the stop waits: it is left alone, and nothing is left of what it makes."""
    pid = unanswered_start(image, "STOP", "begun")
    stop = image.begin("stop")
    try:
        wait_until(lambda: image.lab.exec(image.host, "pgrep", "-f", "understudy/image stop", check=False).returncode == 0,
                   10, "the stop to be under way")
    finally:
        image.signal("CONT", pid)
    assert stop.wait(60) == SUCCESS
    assert is_gone(image) and image.writers() == set()
    assert libvirtd_pid(image) == pid, "libvirtd was ended, although it answers"
    image.start()
    assert image.answers()


def test_a_half_made_qemu_whose_libvirtd_has_died(image):
    unanswered_start(image, "KILL", "made")
    image.stop()
    assert image.qemu_pids() == [] and image.writers() == set()
    image.lab.service(image.host, "start", "libvirtd")
    wait_until(lambda: image.lab.hypervisor_answers(image.host), 30, "libvirtd")
    assert is_gone(image)
    image.start()


@CAMPAIGN
def test_a_guests_secret_goes_with_it(image):
    """Each start has one of its own in libvirt. What an earlier start or a migration has left goes as well, by its usage."""
    image.stop()
    before = image.virsh("secret-list")
    image.define_secret("a3f0c9d2-5b0e-4a71-8f0e-3f7d1c2b9a10", f"understudy {DOMAIN}: left by a migration")
    image.stop()
    assert image.virsh("secret-list") == before
    image.start()
    assert image.virsh("secret-list") != before
    image.stop()
    assert image.virsh("secret-list") == before


@CAMPAIGN
def test_qemu_hangs(image):
    image.start()
    image.signal("STOP", *image.qemu_pids())
    image.stop(timeout_s=40)
    assert is_gone(image) and image.watchers() == []


@CAMPAIGN
def test_libvirtd_is_dead_and_qemu_hangs(image):
    image.start()
    image.lab.service(image.host, "stop", "libvirtd")
    image.signal("STOP", *image.qemu_pids())
    image.stop(timeout_s=40)
    assert image.qemu_pids() == [] and image.watchers() == []


def test_the_store_is_out_of_reach(image):
    """Then the end of QEMU has to be enough: who does not live does not write."""
    image.start()
    image.lab.cut(image.host, "store")
    try:
        answer = image.stop(timeout_s=60)
        assert is_gone(image)
        assert "disks stall" in answer.log and "can't be told" in answer.log
        # The store can't be told that the start has ended; the cluster is.
        shown = image.lab.exec(image.host, "attrd_updater", "-Q", "-n", ENDED).stdout
        assert image.claim()[2] in shown
    finally:
        image.lab.heal(image.host, "store")
    # The dead QEMU's watch is still there, and known to be ours: it is not waited for.
    dead = image.watchers()
    image.start()
    assert set(dead) <= image.blocklist()


@CAMPAIGN
def test_a_domain_that_somebody_started_by_hand(image):
    """With our UUID under another name, and with our name under another UUID."""
    image.start()
    xml = image.virsh("dumpxml", DOMAIN)
    uuid = image.virsh("domuuid", DOMAIN).strip()
    secret = re.search(r"<secret type='ceph' uuid='([^']+)'", xml)[1]   # goes with the guest that it was made for
    image.stop()
    for old, new in ((f"<name>{DOMAIN}<", f"<name>{DOMAIN}-by-hand<"), (uuid, "11111111-2222-4333-8444-555555555555")):
        name = new.removeprefix("<name>").removesuffix("<") if "name" in new else DOMAIN
        image.define_secret(secret)
        image.lab.exec(image.host, "virsh", "create", "/dev/stdin", stdin=xml.replace(old, new))
        assert image.domains() == [name]
        assert image.probe().rc == SUCCESS
        assert image.monitor().rc == SUCCESS
        image.start()
        assert image.domains() == [name], "a start must not run it twice"
        image.stop()
        assert image.qemu_pids(name) == [] and image.domains() == []
        image.lab.exec(image.host, "virsh", "secret-undefine", secret, check=False)


@CAMPAIGN
def test_a_client_of_this_host_without_a_qemu_is_put_out(image):
    """Whoever it is: nobody of this host may write to the run image of what has stopped here."""
    image.start()
    holder = image.hold(image.host, RUN, "understudy")
    try:
        image.signal("KILL", *image.qemu_pids())
        # A stop takes what its host has open for QEMU's as long as that is there.
        wait_until(lambda: image.monitor().rc == NOT_RUNNING, 20, "QEMU to be gone")
        address = set(image.watchers())
        image.stop()
        assert address <= image.blocklist()
    finally:
        holder.stdin.close()
        holder.wait(30)
        holder.stdout.close()
        image.clear_blocklist()


@CAMPAIGN
def test_a_ghost_of_this_host(image):
    """A client that died while it opened the image is listed for ever: it is refused, and then it is nobody."""
    image.start()
    found = set(ghosts.make_ghosts(image.lab, image.host, RUN))
    try:
        assert image.stop().rc == SUCCESS       # that they are listed yet shows that it has not waited for them
        assert found <= image.blocklist() and found <= set(image.watchers())
        image.start()
        assert image.answers() and image.monitor(level=10, timeout_s=30).rc == SUCCESS
        # The ghost's entry is not taken for one of the QEMU that runs, nor the ghost for that QEMU.
        qemu = set(image.watchers()) - found
        image.lab.exec("store", "ceph", "osd", "blocklist", "add", *qemu, "600")
        wait_until(lambda: set(image.watchers()) == found, 20, "QEMU's watch to go")
        assert image.monitor(level=10, timeout_s=30).rc == 1
        image.stop()
    finally:
        ghosts.clear_ghosts(image.lab, RUN)
        image.clear_blocklist()


def test_it_may_be_killed_at_any_moment(image):
    image.start()
    image.lever("ignore-acpi")
    for after_ms in (20, 100, 300, 1000):
        stop = image.begin("stop", timeout_s=30)
        try:
            stop.wait(after_ms / 1000)
        except Exception:  # still under way, as it should be
            stop.kill()
        stop.wait(10)
    image.stop(timeout_s=30)
    assert is_gone(image) and image.writers() == set()
