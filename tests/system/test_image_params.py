# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input to the image agent: the right OCF code, and a sentence that says what to do."""

import pytest

from image_agent import (CONFIGURED, GENERIC, INSTALLED, PERM, REASON_MAX_BYTES, RECOVERY, RUN,
                         SERVER, SUCCESS, image, recovery)  # noqa: F401
from lab.site import POOL

BOOT_CHECK = 20     # OCF_CHECK_LEVEL at which the store alone is asked

# Every parameter, with values that are wrong wherever the image is tried.
WRONG = [
    ("server", "../x"), ("disks", ""), ("disks", "image"), ("disks", "a/b/c/d"), ("disks", f"{POOL}/x@snap"),
    ("template", "domain.xml"), ("vcpus", "0"), ("vcpus", "two"), ("memory_mib", "1"), ("memory_mib", "-5"),
    ("mac", "52:54:00:12:34"), ("mac", "01:00:5e:00:00:01"), ("service_address", "db1.example"),
    ("domain_type", "xen"), ("ceph_conf", "ceph.conf"), ("boot_probe", "ping"), ("boot_probe", "tcp:10.0.0.1"),
    ("boot_probe", "http://10.0.0.1/"), ("store_timeout", "0"), ("store_timeout", "fast"), ("watcher_wait", "-1s"),
    ("probes", "smoke"), ("recover_probe", "smoke"), ("probe_interval", "0"), ("probe_timeout", "1year"),
    ("probe_misses", "0"), ("hold_down", "x"), ("recover_after", "x"), ("isolate", "maybe"),
    ("store_address", "host"), ("isolate_timeout", "0"),
]


def refused(answer, rc, *words):
    """The code, and a sentence that Pacemaker can show whole."""
    assert answer.rc == rc, answer.log
    assert answer.reason
    assert len(answer.reason.encode()) <= REASON_MAX_BYTES, answer.reason
    for word in words:
        assert word in answer.reason, answer.reason


# No action goes by them.
FOR_OBSERVERS = ("probes", "recover_probe", "probe_interval", "probe_timeout", "probe_misses", "hold_down", "recover_after",
                 "store_address", "isolate_timeout")


@pytest.mark.parametrize("name,value", WRONG)
def test_a_wrong_parameter(recovery, name, value):
    for action in ("validate-all",) if name in FOR_OBSERVERS else ("validate-all", "start"):
        refused(recovery.call(action, **{name: value}), CONFIGURED, name)
    # The manager of the cluster has taken the value already: what runs is not stopped for it.
    assert recovery.call("reload-agent", **{name: value}).rc == SUCCESS


@pytest.mark.parametrize("name,value", [pair for pair in WRONG if pair[0] in FOR_OBSERVERS])
def test_a_slip_in_what_only_the_observers_read_keeps_no_image_from_starting(recovery, name, value):
    assert recovery.call("validate-all", level=BOOT_CHECK, **{name: value}).rc == SUCCESS


def test_disks_are_required(recovery):
    refused(recovery.call("start", drop=("disks",)), CONFIGURED, "disks")


def test_good_parameters_pass(recovery):
    assert recovery.call("validate-all").rc == SUCCESS
    assert recovery.call("validate-all", level=10).rc == SUCCESS
    assert recovery.call("reload-agent").rc == SUCCESS


def both(image, rc, *words, **wrong):
    """What the host has to offer is looked at by validate-all at level 10, and by a start."""
    refused(image.call("validate-all", level=10, **wrong), rc, *words)
    refused(image.call("start", **wrong), rc, *words)
    assert image.domains() == []


def unbootable(image, *words, **wrong):
    """Nobody can boot it as the store is now. validate-all says that of every host, without a change; a start fails so that
    Pacemaker tries again by itself once the store is mended."""
    before = image.images(), image.claim()
    for level in (10, BOOT_CHECK):
        refused(image.call("validate-all", level=level, **wrong), CONFIGURED, *words)
    assert (image.images(), image.claim()) == before
    refused(image.call("start", **wrong), GENERIC, *words)
    assert image.domains() == []


def test_image_is_missing(image):
    unbootable(image, f"{POOL}/nothing", disks=f"{POOL}/nothing")


def test_pool_is_missing(image):
    unbootable(image, "nowhere", disks="nowhere/x")
    unbootable(image, "nowhere", run_pool="nowhere")


def test_there_is_no_recovery_point(image):
    empty = f"{POOL}/{SERVER}-empty"
    image.rbd("create", "--size", "8M", empty)
    try:
        unbootable(image, "recovery point", disks=f"{RECOVERY} {empty}")
    finally:
        image.remove(empty)


def test_whether_the_store_s_images_can_be_booted_is_asked_of_the_store_alone(image):
    """What another host may have, and this one has not, does not count."""
    before = image.images(), image.claim()
    assert image.call("validate-all", level=BOOT_CHECK, bridge="br-nothing").rc == SUCCESS
    assert (image.images(), image.claim()) == before, "it changes nothing"
    refused(image.call("validate-all", level=BOOT_CHECK, ceph_user="nobody"), INSTALLED, "keyring")
    refused(image.call("validate-all", level=BOOT_CHECK, disks="image"), CONFIGURED, "disks")
    image.lab.cut(image.host, "store")
    try:
        answer = image.call("validate-all", level=BOOT_CHECK, timeout_s=5, store_timeout="3s")
        refused(answer, GENERIC, "monitor")
    finally:
        image.lab.heal(image.host, "store")
    image.start()
    image.lever("write")
    image.stop()
    assert image.call("validate-all", level=BOOT_CHECK).rc == SUCCESS
    image.rbd("rename", RECOVERY, f"{RECOVERY}-away")
    try:
        for action, rc in (("validate-all", CONFIGURED), ("start", GENERIC)):
            refused(image.call(action, level=BOOT_CHECK), rc, f"{RECOVERY}-away")
    finally:
        image.rbd("rename", f"{RECOVERY}-away", RECOVERY)
    image.rbd("lock", "add", RUN, "by-hand")
    try:
        refused(image.call("validate-all", level=BOOT_CHECK), CONFIGURED, "rbd lock rm")
    finally:
        image.unlock()
    second = f"{RECOVERY}-data"
    image.rbd("create", "--size", "8M", second)
    image.make_point("point-1", second)
    try:
        refused(image.call("validate-all", level=BOOT_CHECK, disks=f"{RECOVERY} {second}"), CONFIGURED,
                "holds what a standby wrote")
    finally:
        image.remove(second)


def test_keyring_is_missing(image):
    both(image, INSTALLED, "keyring", "client.nobody", ceph_user="nobody")


def test_keyring_is_refused(image):
    path = "/etc/ceph/ceph.client.stranger.keyring"
    text = "[client.stranger]\n\tkey = AQAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAA==\n"
    image.lab.exec(image.host, "tee", path, stdin=text)
    try:
        both(image, PERM, "client.stranger", ceph_user="stranger")
    finally:
        image.lab.exec(image.host, "rm", path)


def test_ceph_conf_is_missing(image):
    both(image, INSTALLED, "/nonexistent.conf", ceph_conf="/nonexistent.conf")


def test_template_is_missing(image):
    both(image, INSTALLED, "/nonexistent.xml", template="/nonexistent.xml")


@pytest.mark.parametrize("text,word", [("<domain", "XML"), ("<pool/>", "<domain>"), ("", "XML")])
def test_template_is_wrong(image, tmp_path, text, word):
    template = tmp_path / "domain.xml"
    template.write_text(text, encoding="utf-8")
    both(image, CONFIGURED, word, template=str(template))


def test_template_has_more_disks_than_images(image, tmp_path):
    template = tmp_path / "domain.xml"
    template.write_text("<domain><devices><disk><target dev='vda'/></disk><disk><target dev='vdb'/></disk></devices>"
                        "</domain>", encoding="utf-8")
    both(image, CONFIGURED, "2 disks", template=str(template))


def test_bridge_is_missing(image):
    both(image, INSTALLED, "br-nothing", bridge="br-nothing")


def test_monitors_are_out_of_reach(image):
    image.lab.cut(image.host, "store")
    try:
        answer = image.call("start", timeout_s=15, store_timeout="3s")
        refused(answer, GENERIC, "monitor")
        refused(image.call("validate-all", level=10, timeout_s=15, store_timeout="3s"), GENERIC, "monitor")
    finally:
        image.lab.heal(image.host, "store")
    image.start()


def test_the_store_has_no_quorum_and_no_osd(image):
    """A monitor that answers and an OSD that does not."""
    image.lab.service("store", "stop", "osd")
    try:
        answer = image.call("start", timeout_s=20, store_timeout="2s")
        assert answer.rc == GENERIC and answer.reason
    finally:
        image.lab.service("store", "start", "osd")
    with image.lab.store.admin() as admin:
        image.lab.store.wait_healthy(admin)
    image.start()
