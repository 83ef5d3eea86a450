# SPDX-License-Identifier: GPL-2.0-or-later
"""Live migration of a standby image from one host to another, as Pacemaker orders it."""

import uuid

from image_agent import (DOMAIN, GENERIC, NOT_RUNNING, SUCCESS, ImageAgent, image, recovery)  # noqa: F401
from lab.api import wait_until


def test_live_migration(image):
    target = ImageAgent(image.lab, "host2")
    image.start()
    uptime = float(image.lever("uptime").split()[0])
    answer = image.call("migrate_to", meta={"migrate_target": "host2", "migrate_source": "host1"}, timeout_s=120)
    assert answer.rc == SUCCESS, answer.log
    # Nobody has called migrate_from yet: a stop at the source must not make the guest's images anybody's.
    clients = image.claim_clients()
    assert clients[clients.index("to") + 1] == "host2"
    stop = image.stop()
    assert "host2 may run the image" in stop.log and image.claim()[0] == "host1"
    third = ImageAgent(image.lab, "host3")
    assert third.call("start", watcher_wait="1s").rc == GENERIC
    assert third.domains() == [] and third.record() == {} and image.claim()[0] == "host1"
    assert target.monitor(level=0).rc == SUCCESS
    answer = target.call("migrate_from", meta={"migrate_target": "host2", "migrate_source": "host1"})
    assert answer.rc == SUCCESS, answer.log
    assert image.claim()[0] == "host2" and "to" not in image.claim_clients()
    image.stop()  # Pacemaker stops it at the source afterwards
    assert image.claim()[0] == "host2"

    assert image.domains() == [] and target.domains() == [DOMAIN]
    assert image.probe().rc == NOT_RUNNING and target.monitor(level=10, timeout_s=30).rc == SUCCESS
    store_ip = image.lab.site.address("host2", "store")
    assert [w.split(":")[0] for w in image.watchers()] == [store_ip]
    # The same guest, not a new boot of it, and it still writes.
    assert float(image.lever("uptime").split()[0]) > uptime
    assert image.boots() == ["boot"]
    assert image.lever("write").strip() == "written"
    target.stop()
    assert target.watchers() == [] and target.claim() == []


def test_a_migration_that_is_not_answered(image):
    """The other end's libvirtd hangs while it makes its QEMU. Pacemaker stops the image at both ends then, and nothing comes
    of it any more."""
    target = ImageAgent(image.lab, "host2")
    target.stop()
    secrets = target.virsh("secret-list")
    image.start()
    hunter = target.hunt_libvirtd("STOP", "made")
    answer = image.call("migrate_to", meta={"migrate_target": "host2", "migrate_source": "host1"}, timeout_s=20)
    pid = int(hunter.stdout.readline())
    try:
        assert answer.rc == GENERIC and answer.reason
        target.stop()
        image.stop()
    finally:
        target.signal("CONT", pid)
        hunter.stdout.close()
        hunter.wait(10)
    assert "host2" in image.claim_clients(), "its libvirtd could not say that the guest does not come any more"
    assert image.claim_ended() == image.claim()[2]
    image.forget_ended()
    wait_until(lambda: image.lab.hypervisor_answers("host2"), 30, "libvirtd on host2")
    target.stop()
    assert "host2" not in image.claim_clients()
    assert target.qemu_pids() == [] and image.qemu_pids() == [] and image.watchers() == []
    target.start()
    assert target.answers()
    target.stop()
    assert target.virsh("secret-list") == secrets


def test_a_failed_migration_leaves_it_running(image):
    image.start()
    answer = image.call("migrate_to", meta={"migrate_target": "192.0.2.1", "migrate_source": "host1"}, timeout_s=30)
    assert answer.rc == GENERIC
    assert answer.reason
    assert image.domains() == [DOMAIN] and image.answers()
    assert ImageAgent(image.lab, "host2").call("migrate_from", timeout_s=10).rc == GENERIC


def test_a_migration_that_is_refused_leaves_no_key(image):
    """The other end has the image's name for something else. What it was given for the migration is taken back."""
    target = ImageAgent(image.lab, "host2")
    target.stop()
    secrets = target.virsh("secret-list")
    image.start()
    image.lab.exec("host2", "virsh", "define", "/dev/stdin", stdin=f"<domain type='qemu'><name>{DOMAIN}</name>"
                   "<memory>1024</memory><os><type>hvm</type></os></domain>")
    try:
        answer = image.call("migrate_to", meta={"migrate_target": "host2", "migrate_source": "host1"}, timeout_s=60)
    finally:
        target.virsh("undefine", DOMAIN)
    assert answer.rc == GENERIC and "already exists" in answer.reason, answer.log
    assert image.domains() == [DOMAIN] and image.answers()
    assert target.virsh("secret-list") == secrets


def test_a_target_that_has_booted(image):
    """Its libvirtd has no key of the migration any more: its capacity says, when it joins, that the guest is not there."""
    target = ImageAgent(image.lab, "host2")
    key, resource = str(uuid.uuid4()), f"<primitive id='{DOMAIN}' class='ocf' provider='understudy' type='image'/>"
    secret = (f"<secret ephemeral='yes' private='yes'><uuid>{key}</uuid><usage type='ceph'><name>of a migration {key}</name>"
              "</usage></secret>")

    def is_named(key_is_there: bool) -> bool:
        if key_is_there:
            image.lab.exec("host2", "virsh", "secret-define", "/dev/stdin", stdin=secret)
        target.capacity("monitor")
        if key_is_there:
            target.virsh("secret-undefine", key)
        return "host2" in image.claim_clients()

    image.start()
    noted = " ".join(image.claim_clients())
    image.set_claim_clients(f"{noted} to host2 {uuid.uuid4()} {key} some 192.0.2.1:0/0")
    image.lab.exec("host1", "crm_attribute", "--type", "crm_config", "--name", "maintenance-mode", "--update", "true")
    image.lab.exec("host1", "cibadmin", "--create", "--scope", "resources", "--xml-text", resource)
    try:
        assert is_named(key_is_there=True), "a migration that is under way was given up"
        assert not is_named(key_is_there=False)
        assert " ".join(image.claim_clients()) == noted
        image.stop()
        assert image.claim() == []
    finally:
        image.lab.exec("host1", "cibadmin", "--delete", "--xml-text", resource)
        image.lab.exec("host1", "crm_resource", "--refresh", "--wait", "--timeout", "60s", check=False)
        image.lab.exec("host1", "crm_attribute", "--type", "crm_config", "--name", "maintenance-mode", "--delete")
