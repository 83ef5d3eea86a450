# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts of the image agent: what is booted, what is refused, and what a killed start leaves."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pytest

from campaign import CAMPAIGN
import ghosts
from fence_agent import FenceAgent, no_decisions
from image_agent import (CLAIM, CLAIM_PLACE, CONFIGURED, DOMAIN, ENDED, GENERIC, INSTALLED, NOT_RUNNING, PERM, RECOVERY, RUN, SERVER,
                         SECOND_POOL, SUCCESS, ImageAgent, holder_end, image, recovery, second_pool)  # noqa: F401
from lab.api import wait_until
from lab.site import POOL

# That this host has published its boot.
REGISTRY_NOTE = "/run/understudy/registry"
A_YEAR = timedelta(days=365)


def test_start_and_stop(image):
    image.start()
    assert image.domains() == [DOMAIN]
    assert image.answers()
    store_ip = image.lab.site.address(image.host, "store")
    assert [w.split(":")[0] for w in image.watchers()] == [store_ip]
    pids = image.qemu_pids()
    assert len(pids) == 1

    image.start()
    assert image.qemu_pids() == pids, "a start of what runs must not touch it"

    image.stop()
    assert image.domains() == []
    assert image.qemu_pids() == []
    assert image.watchers() == []
    assert image.probe().rc == NOT_RUNNING
    image.stop()


def test_what_a_standby_wrote_is_kept(image):
    image.start()
    image.stop()
    image.make_point("point-2")
    try:
        image.start()
        assert image.boots() == ["boot", "clean shutdown", "boot"]
        assert image.parent_point() == "point-1"
    finally:
        image.stop()
        image.remove(RUN)
        image.rbd("snap", "rm", "--no-progress", f"{RECOVERY}@point-2")


def test_the_newest_point_is_booted(image):
    """Also in place of a clone of an older one that nobody has written to."""
    image.rbd("clone", "--rbd-default-clone-format", "2", f"{RECOVERY}@point-1", RUN)
    image.make_point("point-2")
    image.make_point("another-snapshot")
    try:
        image.start()
        assert image.parent_point() == "point-2"
    finally:
        image.stop()
        image.remove(RUN)
        for snap in ("point-2", "another-snapshot"):
            image.rbd("snap", "rm", "--no-progress", f"{RECOVERY}@{snap}")


@CAMPAIGN
def test_what_was_made_later_is_booted(image):
    """Of the original's points and what standbys wrote: whether somebody has seen the standby stop, or its host was fenced."""
    kept = [f"{RUN}.{number}" for number in (1, 2)]

    def original_goes_on(point):
        image.change()
        image.make_point(point)

    def serve():
        answer = image.start(drop=("boot_probe",))
        image.change(RUN)   # as the guest would
        return answer

    def stop():
        image.virsh("destroy", DOMAIN)
        image.stop()

    def power_is_lost():
        image.signal("KILL", *image.qemu_pids())
        wait_until(lambda: image.monitor().rc == NOT_RUNNING, 20, "QEMU to be gone")

    try:
        image.begin_takeover()
        serve()
        stop()
        original_goes_on("point-2")
        image.begin_takeover()
        answer = serve()
        assert image.parent_point() == "point-2" and "point-2 was made later" in answer.log
        assert "is kept as" in answer.log and image.parent_point(kept[0]) == "point-1"
        # Points that are made within a takeover are no reason to drop what the standby has written.
        original_goes_on("point-3")
        power_is_lost()
        serve()
        assert image.parent_point() == "point-2"
        # It runs on; then its host is gone, and the next takeover is another one.
        original_goes_on("point-4")
        assert image.monitor(level=10, timeout_s=30, drop=("boot_probe",)).rc == SUCCESS
        power_is_lost()
        image.begin_takeover()
        answer = serve()
        assert image.parent_point() == "point-2", "nothing is newer than the standby, which was seen to run after point-4"
        assert "nobody has seen" in answer.log
        power_is_lost()
        original_goes_on("point-5")
        image.begin_takeover()
        answer = serve()
        assert image.parent_point() == "point-5" and "point-5 was made later" in answer.log
        stop()
        assert {name.split("/")[1] for name in kept} <= set(image.images()), "what a standby wrote is nobody's to remove"
    finally:
        image.clear()
        image.forget_takeovers()
        for number in range(2, 6):
            image.rbd("snap", "rm", "--no-progress", f"{RECOVERY}@point-{number}", check=False)


def test_a_start_that_was_killed_while_it_set_an_image_aside(image):
    """It had decided to; the pool lists the new name, and the old one still opens the image."""
    image.rbd("clone", "--rbd-default-clone-format", "2", f"{RECOVERY}@point-1", RUN)
    image.change(RUN)
    old, new = (f"rbd_id.{name.split('/')[1]}" for name in (RUN, f"{RUN}.1"))
    image.lab.exec("store", "rados", "-p", POOL, "create", CLAIM)
    image.lab.exec("store", "rados", "-p", POOL, "setomapval", CLAIM, "use.run-agenttest-0", "superseded 1 0")
    image.rbd("rename", RUN, f"{RUN}.1")
    image.lab.exec("store", "rados", "-p", POOL, "get", new, "/tmp/id")
    image.lab.exec("store", "rados", "-p", POOL, "put", old, "/tmp/id")
    answer = image.start(drop=("boot_probe",))
    number = {name: json.loads(image.rbd("info", name, "--format", "json").stdout)["id"] for name in (RUN, f"{RUN}.1")}
    assert number[RUN] != number[f"{RUN}.1"] and "about to be kept" in answer.log
    image.virsh("destroy", DOMAIN)
    image.stop()
    assert f"{RUN}.1".split("/")[1] in image.images()


@CAMPAIGN
def test_a_lock_that_somebody_has_set_by_hand(image):
    """With it QEMU would run, and hang at its first write."""
    image.rbd("clone", "--rbd-default-clone-format", "2", f"{RECOVERY}@point-1", RUN)
    image.rbd("lock", "add", RUN, "for repair")
    try:
        answer = image.call("start")
        assert answer.rc == GENERIC and image.domains() == []
        assert f"rbd lock rm {RUN} 'for repair' client." in answer.reason
    finally:
        image.unlock()


def test_a_clone_that_a_ghost_has_open_is_left(image):
    """It can't be removed, and it is not booted: it gives way under another name, until the ghost is gone."""
    kept = f"{RUN}.1"
    image.rbd("create", "--size", "8M", RUN)
    image.rbd("feature", "disable", RUN, "object-map", "fast-diff", check=False)
    found = ghosts.make_ghosts(image.lab, image.host, RUN)
    try:
        image.start(drop=("boot_probe",))
        assert set(found) <= set(image.watchers(kept)) and not set(found) & set(image.watchers())
        image.virsh("destroy", DOMAIN)
        image.stop()
        assert kept.split("/")[1] in image.images()
        ghosts.clear_ghosts(image.lab, kept)
        image.start(drop=("boot_probe",))
        assert kept.split("/")[1] not in image.images()
        image.virsh("destroy", DOMAIN)
        image.stop()
    finally:
        image.clear_blocklist()


@CAMPAIGN
def test_disks_are_told_by_what_they_were_cloned_from(image):
    """In whatever order they are named."""
    second, second_run = f"{RECOVERY}-data", RUN.replace("-0", "-1")
    image.remove(second)
    image.rbd("create", "--size", "8M", second)
    image.make_point("point-1", second)
    for recovery_image, run in ((second, RUN), (RECOVERY, second_run)):
        image.rbd("clone", "--rbd-default-clone-format", "2", f"{recovery_image}@point-1", run)
        image.change(run)
    try:
        image.start(disks=f"{RECOVERY} {second}")
        targets = image.virsh("domblklist", DOMAIN)
        assert f"vda      {second_run}" in targets and f"vdb      {RUN}" in targets
        image.stop(disks=f"{RECOVERY} {second}")
    finally:
        image.clear()
        image.remove(second)


@CAMPAIGN
def test_two_disks_are_of_one_point(image):
    """A clone that a killed start left half-made is made anew."""
    second, second_run = f"{RECOVERY}-data", RUN.replace("-0", "-1")
    image.remove(second)
    image.rbd("create", "--size", "8M", second)
    image.make_point("point-1", second)
    image.make_point("point-9", second)  # on one disk only: committed on none
    image.rbd("create", "--size", "8M", second_run)
    try:
        image.start(disks=f"{RECOVERY} {second}")
        assert image.parent_point(RUN) == image.parent_point(second_run) == "point-1"
        # Each disk is a client of its own, and has no lock before its first write.
        assert set(image.claim_clients()[2:]) == image.writers(RUN) | image.writers(second_run)
        assert len(image.claim_clients()) == 4
        targets = image.virsh("domblklist", DOMAIN)
        assert f"vda      {RUN}" in targets and f"vdb      {second_run}" in targets
        image.stop(disks=f"{RECOVERY} {second}")
        # The system disk was written to, its companion is lost: never boot half of what was there.
        image.remove(second_run)
        answer = image.call("start", disks=f"{RECOVERY} {second}")
        assert answer.rc == GENERIC, "tried again by itself once it is mended"
        assert second_run in answer.reason
        assert RUN.split("/")[1] in image.images()
    finally:
        image.call("stop", disks=f"{RECOVERY} {second}")
        image.remove(second_run)
        image.remove(second)


def test_a_clone_of_another_template_is_made_anew(image):
    """Whatever its name: one that was renamed, and one that is in the trash while a new image has its name."""
    renamed, second, second_run = f"{RECOVERY}-old", f"{RECOVERY}-data", RUN.replace("-0", "-1")
    disks = f"{RECOVERY} {second}"
    try:
        for template, run in ((renamed, RUN), (second, second_run)):
            image.remove(template)
            image.rbd("create", "--size", "8M", template)
            image.make_point("point-1", template)
            image.rbd("clone", "--rbd-default-clone-format", "2", f"{template}@point-1", run)
            image.rbd("image-meta", "set", run, "understudy_clone", f"{template}@point-1")
        image.rbd("trash", "mv", second)
        image.rbd("create", "--size", "8M", second)
        image.make_point("point-1", second)
        image.start(disks=disks)
        parents = [json.loads(image.rbd("info", "--format", "json", run).stdout)["parent"] for run in (RUN, second_run)]
        assert [(parent["image"], parent["trash"]) for parent in parents] == [(RECOVERY.split("/")[1], False),
                                                                              (second.split("/")[1], False)]
    finally:
        image.call("stop", disks=disks)
        image.remove(RUN)
        image.remove(second_run)
        image.remove(second)
        for thrown in json.loads(image.rbd("trash", "ls", POOL, "--format", "json").stdout):
            if thrown["name"] == second.split("/")[1]:
                image.rbd("trash", "restore", "-p", POOL, thrown["id"])
        image.remove(second)
        image.remove(renamed)


def report_in(image, host: str) -> None:
    """A host publishes itself: it is up, and no fencing before this moment counts."""
    entry = {"name": host, "store_addresses": [image.lab.site.address(host, "store")], "boot_id": "x",
             "at": int(time.time())}
    image.lab.exec("store", "ceph", "config-key", "set", f"understudy/host/{host}", json.dumps(entry))


def test_two_starts_at_once(image):
    """Nobody has anything open yet when they look: the claim decides."""
    other = ImageAgent(image.lab, "host2")
    starts = [agent.lab.popen(agent.host, *agent.argv("start"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
              for agent in (image, other)]
    ends = [(start.communicate(timeout=90)[1], start.returncode) for start in starts]
    try:
        codes = [code for _, code in ends]
        assert sorted(codes) == [SUCCESS, GENERIC]
        winner, loser = (image, other) if codes[0] == SUCCESS else (other, image)
        assert f"claimed by {winner.host}" in ends[codes.index(GENERIC)][0]
        assert winner.domains() == [DOMAIN] and loser.domains() == []
        claim = winner.claim()
        assert claim[0] == winner.host
        # What Pacemaker does next where it failed must not take the claim from the other.
        loser.stop()
        assert winner.claim() == claim and winner.domains() == [DOMAIN]
    finally:
        for agent in (image, other):
            agent.stop()
    assert image.claim() == []


@CAMPAIGN
def test_two_starts_at_once_on_one_host(image):
    """As two debug-starts: one after the other, so that the record and the claim are those of the start that runs."""
    image.start()
    image.stop()
    secrets = image.virsh("secret-list")
    holder = image.hold("host2", RUN, "understudy")
    try:
        starts = [image.begin("start", watcher_wait="60s")]
        wait_until(lambda: image.claim() != [], 20, "the first start to have the claim")
        first = image.record()
        starts.append(image.begin("start", watcher_wait="60s"))
        wait_until(lambda: image.under_way("start") == 2, 20, "the second start to be under way")
        # That no QEMU is there yet is not its end.
        assert image.probe().rc == NOT_RUNNING and image.claim()[2] == first["start_id"]
        assert image.record() == first
    finally:
        holder_end(holder)
    assert [start.wait(60) for start in starts] == [SUCCESS, SUCCESS]
    assert image.record()["start_id"] == image.claim()[2] == first["start_id"] and len(image.qemu_pids()) == 1
    image.stop()
    assert image.claim() == [] and image.virsh("secret-list") == secrets


def test_a_stop_goes_before_a_start_that_is_under_way(image):
    """It has its own time, not that of whoever is debugging."""
    image.start()
    image.stop()
    holder = image.hold("host2", RUN, "understudy")
    try:
        start = image.begin("start", watcher_wait="60s")
        wait_until(lambda: image.claim() != [], 20, "the start to have the claim")
        answer = image.stop(timeout_s=9)
        assert "that is under way" in answer.log and image.claim() == []
        assert start.wait(20) != SUCCESS and image.domains() == []
    finally:
        holder_end(holder)


def test_a_claim_is_broken_by_proof_alone(image):
    """Of a start on a host that is up; it has ended by its host's word, or by a later boot of its host."""
    report_in(image, "host2")
    image.set_claim("host2 x first")
    answer = image.call("start", watcher_wait="1s")
    assert answer.rc == GENERIC
    assert "claimed by host2" in answer.reason and f"understudy unclaim {SERVER}" in answer.reason
    assert image.domains() == [] and image.claim() == ["host2", "x", "first"]

    image.lab.exec("host2", "attrd_updater", "-n", ENDED, "-U", "first")
    try:
        image.start()
        assert image.claim()[0] == image.host
        image.stop()
        image.set_claim("host2 x second")
        assert image.call("start", watcher_wait="1s").rc == GENERIC
        image.set_claim("host2 earlier second")
        image.start()
        image.stop()
        # Without proof of what it means, nothing is proved.
        image.set_claim("nonsense")
        assert image.call("start", watcher_wait="1s").rc == GENERIC
    finally:
        image.lab.exec("host2", "attrd_updater", "-n", ENDED, "-D")


def test_who_had_a_claim_that_is_broken_never_writes_again(image):
    """A client that only slept still has the lock, and no watch: librbd would refuse it for an hour."""
    report_in(image, "host2")
    image.start()
    image.stop()
    owner = image.leave_locked("host2", RUN)
    silent = f"{image.lab.site.address('host2', 'store')}:0/4711"    # it has written nothing yet, so it has no lock
    image.set_claim("host2 x first")
    image.set_claim_clients(f"first all {silent}")
    assert image.call("start", watcher_wait="1s").rc == GENERIC
    assert owner not in image.blocklist(), "nobody is put out for a claim that stands"
    image.lab.exec("host2", "attrd_updater", "-n", ENDED, "-U", "first")
    try:
        image.lab.exec("store", "ceph", "osd", "blocklist", "add", owner, "600")
        answer = image.call("start", watcher_wait="1s")
        assert answer.rc == GENERIC and f"ceph osd blocklist rm {owner}" in answer.reason
        assert image.domains() == [] and image.claim() == ["host2", "x", "first"]
        image.lab.exec("store", "ceph", "osd", "blocklist", "rm", owner)
        image.start()
        assert image.lever("write").strip() == "written"    # QEMU has broken the lock
        until = image.refused_until()
        assert min(until[owner], until[silent]) - datetime.now(timezone.utc) > A_YEAR
        # Whoever breaks this start's claim knows its QEMU, too.
        start_id, which, *clients = image.claim_clients()
        assert (start_id, which) == (image.claim()[2], "all") and set(clients) == image.writers()
    finally:
        image.lab.exec("host2", "attrd_updater", "-n", ENDED, "-D")
        image.stop()
        image.clear_blocklist()


def test_a_client_that_is_refused_for_an_hour_keeps_no_image_from_starting(image):
    """Ceph does not extend that. It is enough where nobody can come back when the hour is over."""
    report_in(image, "host2")
    ip = image.lab.site.address("host2", "store")
    image.start()
    image.stop()
    try:
        # Its start has ended, as its host says.
        owner = image.leave_locked("host2", RUN)
        image.set_claim("host2 x first")
        image.set_claim_clients(f"first all {owner}")
        image.lab.exec("host2", "attrd_updater", "-n", ENDED, "-U", "first")
        image.lab.exec("store", "ceph", "osd", "blocklist", "add", owner, "3600")
        image.start()
        assert image.lever("write").strip() == "written"    # QEMU has broken the lock
        image.stop()
        # It is not of the start that has ended, but the store refuses all of its host.
        owner = image.leave_locked("host2", RUN)
        image.set_claim("host2 x second")
        image.set_claim_clients(f"second all {ip}:0/4711")
        image.lab.exec("host2", "attrd_updater", "-n", ENDED, "-U", "second")
        image.lab.exec("store", "ceph", "osd", "blocklist", "add", owner, "3600")
        answer = image.call("start", watcher_wait="1s")
        assert answer.rc == GENERIC and owner in answer.reason and "fence its host" in answer.reason
        image.lab.exec("store", "ceph", "osd", "blocklist", "add", f"{ip}:0/0", "157680000")
        image.start()
        assert image.lever("write").strip() == "written" and image.domains() == [DOMAIN]
    finally:
        image.lab.exec("host2", "attrd_updater", "-n", ENDED, "-D")
        image.stop()
        image.clear_blocklist()


@CAMPAIGN
def test_a_claim_does_not_outlive_its_image(image):
    """The guest ended while nobody managed it: a probe takes the claim back, or the host's capacity agent."""
    other = ImageAgent(image.lab, "host2")
    image.start()
    image.signal("KILL", *image.qemu_pids())
    wait_until(lambda: image.monitor().rc == NOT_RUNNING, 20, "QEMU to be gone")
    assert image.probe().rc == NOT_RUNNING and image.claim() == []
    other.start()
    assert other.claim()[0] == "host2"
    other.signal("KILL", *other.qemu_pids())
    wait_until(lambda: other.monitor().rc == NOT_RUNNING, 20, "QEMU to be gone")
    runs = other.capacity("monitor") == SUCCESS
    if not runs:
        assert other.capacity("start") == SUCCESS
    try:
        assert other.capacity("monitor", 10) == SUCCESS
    finally:
        if not runs:
            other.capacity("stop")
    # The lab's own capacity agent may be at it in the same moment: then this one has left it alone.
    wait_until(lambda: other.claim() == [], 20, "the claim to be taken back")
    image.start()
    other.stop()    # what it does late is not to be this start's end
    assert image.claim()[0] == image.host


def test_an_image_without_a_claim_gets_one(image):
    image.start()
    image.lab.exec("store", "rados", "-p", POOL, "rm", CLAIM)
    assert image.monitor(level=10, timeout_s=30).rc == SUCCESS
    assert image.claim()[0] == image.host
    # Nor one without a record: for whoever starts it where it runs, or looks at it there.
    state = f"/run/understudy/image-{DOMAIN}.state"
    image.lab.exec(image.host, "rm", state)
    image.lab.exec("store", "rados", "-p", POOL, "rm", CLAIM)
    image.start()
    assert image.claim()[2] == image.record()["start_id"]
    image.lab.exec(image.host, "rm", state)
    assert image.monitor(level=10, timeout_s=30).rc == SUCCESS
    assert image.claim()[2] == image.record()["start_id"] and set(image.claim_clients()[2:]) == image.writers()
    image.set_claim("host2 x another")
    answer = image.call("start")
    assert answer.rc == GENERIC and "claimed by host2" in answer.reason
    answer = image.monitor(level=10, timeout_s=30)
    assert answer.rc == GENERIC and "host2" in answer.reason
    image.stop()
    assert image.claim() == ["host2", "x", "another"], "a stop removes its own claim alone"


def test_a_claim_lies_where_other_parameters_have_put_it(image):
    """The run images went to another pool while the image ran: a start elsewhere must not go by the new pool alone."""
    other = ImageAgent(image.lab, "host2")
    with second_pool(image.lab):
        try:
            image.start(run_pool=SECOND_POOL, drop=("boot_probe",))
            start_id = image.claim(SECOND_POOL)[2]
            answer = other.call("start", watcher_wait="1s")
            assert answer.rc == GENERIC and f"in pool {SECOND_POOL} by host1" in answer.reason, answer.log
            assert f"understudy unclaim {SERVER}" in answer.reason
            assert other.domains() == [] and other.claim() == [] and other.record() == {}
            place, = image.claim_places().values()
            assert start_id in place and f" {SECOND_POOL}/run-{SERVER}-0" in place
            assert image.domains() == [DOMAIN]
            # A stop goes by what the start has left.
            image.virsh("destroy", DOMAIN)
            image.stop()
            assert image.claim(SECOND_POOL) == [] and image.claim_places() == {}
        finally:
            image.clear()
    # Gone with its pool: nobody can tell who has it.
    key, place = CLAIM_PLACE.format(SERVER, "first"), f"host9 x first {SECOND_POOL}/run-{SERVER}-0"
    image.lab.exec("store", "ceph", "config-key", "set", key, place)
    answer = image.call("start", watcher_wait="1s")
    assert answer.rc == GENERIC and f"pool {SECOND_POOL}" in answer.reason and image.domains() == []


def test_ceph_files_that_people_have_edited(image):
    """A keyring with comments is read as Ceph reads it; a file at which Ceph's library aborts is looked at first."""
    conf = image.lab.exec(image.host, "cat", "/etc/ceph/ceph.conf").stdout
    keys = image.lab.exec(image.host, "cat", "/etc/ceph/ceph.client.understudy.keyring").stdout
    files = {"/tmp/edited.keyring": "; of this host\n" + re.sub(r"(key = \S+)", r"\1 ; from the vault", keys),
             "/tmp/edited.conf": conf + "keyring = /tmp/edited.keyring\n; grüße\n",
             "/tmp/mark.conf": "\ufeff" + conf, "/tmp/value.conf": conf + "log_file = /var/log/grüße\n"}
    try:
        for path, text in files.items():
            image.lab.exec(image.host, "cp", "/dev/stdin", path, stdin=text)
        for path in ("/tmp/mark.conf", "/tmp/value.conf"):
            answer = image.call("start", ceph_conf=path)
            assert answer.rc == INSTALLED, answer.log
            assert path in answer.reason and "ASCII" in answer.reason
        image.start(ceph_conf="/tmp/edited.conf")
        image.stop()
    finally:
        image.lab.exec(image.host, "rm", "-f", *files)


def test_what_keys_makes_is_enough(image):
    """And less is named: who may use the images alone can't say which boot of the host it was."""
    site, folder, keyring = image.lab.site, "/tmp/agentkeys", "/etc/ceph/ceph.client.agentkeys.keyring"
    hosts = [word for host in site.host_names for word in ("--host", site.address(host, "store"))]
    tool = os.environ.get("UNDERSTUDY_TOOL", "/usr/sbin/understudy")
    image.lab.exec("store", "mkdir", "-p", folder)
    try:
        image.lab.exec("store", tool, "keys", "--apply", "--user", "agentkeys", "--pool", POOL, "--keyring-dir", folder, *hosts)
        text = image.lab.exec("store", "cat", f"{folder}/ceph.client.agentkeys.keyring").stdout
        image.lab.exec(image.host, "cp", "/dev/stdin", keyring, stdin=text)
        image.lab.exec(image.host, "rm", "-f", REGISTRY_NOTE)
        image.start(ceph_user="agentkeys", drop=("boot_probe",))
        assert image.monitor(level=10, timeout_s=30, ceph_user="agentkeys", drop=("boot_probe",)).rc == SUCCESS
        image.virsh("destroy", DOMAIN)
        image.stop()
        assert image.claim() == []
        image.lab.exec("store", "ceph", "auth", "caps", "client.agentkeys", "mon", "profile rbd", "mgr", "profile rbd",
                       "osd", f"profile rbd pool={POOL}")
        image.lab.exec(image.host, "rm", "-f", REGISTRY_NOTE)
        answer = image.call("start", ceph_user="agentkeys")
        assert answer.rc == PERM and "understudy keys" in answer.reason
    finally:
        image.lab.exec(image.host, "rm", "-f", keyring)
        for user in ("agentkeys", "agentkeys-fence", "agentkeys-unfence"):
            image.lab.exec("store", "ceph", "auth", "rm", f"client.{user}", check=False)


@CAMPAIGN
def test_a_ghost_of_another_host(image):
    """Who it was can't be known: the start names the command that ends it, and then the ghost is nobody."""
    report_in(image, "host2")
    image.start()
    image.stop()
    found = ghosts.make_ghosts(image.lab, "host2", RUN)
    try:
        answer = image.call("start")
        assert answer.rc == GENERIC
        listed = image.watchers()
        assert RUN in answer.reason and any(f"ceph osd blocklist add {a}" in answer.reason for a in listed)
        assert image.domains() == []
        for address in listed:
            image.lab.exec("store", "ceph", "osd", "blocklist", "add", address, "600")
        image.start()
        assert set(found) <= set(image.watchers())
        image.stop()
    finally:
        ghosts.clear_ghosts(image.lab, RUN)
        image.clear_blocklist()


def test_a_foreign_client_is_refused_until_it_goes(image):
    """Its host is in the registry, but was not fenced."""
    report_in(image, "host2")
    image.start()
    image.stop()
    holder = image.hold("host2", RUN, "understudy")
    try:
        address = image.watchers()[0]
        answer = image.call("start")
        assert answer.rc == GENERIC
        assert address in answer.reason and RUN in answer.reason
        assert image.domains() == []
        assert image.watchers() == [address]
    finally:
        holder_end(holder)
    image.start()
    assert image.answers()


@CAMPAIGN
def test_a_foreign_client_that_goes_is_waited_for(image):
    image.start()
    image.stop()
    holder = image.hold("host2", RUN, "understudy")
    try:
        start = image.begin("start", watcher_wait="30s")
        with pytest.raises(subprocess.TimeoutExpired):
            start.wait(2)
        assert image.domains() == []
    finally:
        holder_end(holder)
    assert start.wait(60) == SUCCESS
    assert image.answers()


def test_a_client_of_this_host_without_a_qemu_is_put_out(image):
    """Nobody but this resource's QEMU may write to its run image from here."""
    image.start()
    image.stop()
    holder = image.hold(image.host, RUN, "understudy")
    try:
        address = image.watchers()[0]
        image.start()
        assert address in image.blocklist() and address not in image.watchers()
        assert image.answers()
        image.stop()
    finally:
        holder_end(holder)
        image.clear_blocklist()


def test_a_blocklisted_client_is_no_obstacle(image):
    image.start()
    image.stop()
    holder = image.hold("host2", RUN, "understudy")
    try:
        image.lab.exec("store", "ceph", "osd", "blocklist", "add", image.watchers()[0], "60")
        image.start()
        assert image.lever("write").strip() == "written"
    finally:
        image.stop()
        image.clear_blocklist()
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)


@CAMPAIGN
def test_a_killed_qemu_does_not_hold_up_the_next_start(image):
    image.start()
    image.signal("KILL", *image.qemu_pids())
    wait_until(lambda: image.monitor().rc == NOT_RUNNING, 20, "QEMU to be gone")
    dead = image.watchers()
    assert dead != [], "the dead QEMU's watch should still be there"
    image.start()
    assert set(dead) <= image.blocklist()
    assert image.lever("write").strip() == "written"
    assert image.boots() == ["boot", "boot"]


@pytest.mark.parametrize("after_ms", [80, 400, *(pytest.param(ms, marks=CAMPAIGN) for ms in (40, 120, 200, 1000))])
def test_a_start_may_be_killed_at_any_moment(image, after_ms):
    start = image.begin("start")
    try:
        start.wait(after_ms / 1000)
    except Exception:  # still under way, as it should be
        start.kill()
    start.wait(10)
    image.stop()
    assert image.qemu_pids() == []
    assert image.writers() == set()
    image.start()
    assert image.answers()


def test_a_clone_cut_off_at_its_first_step_is_made_anew(image):
    """What is left then is a name in the pool that can't be opened."""
    image.rbd("create", "--size", "8M", RUN)
    number = json.loads(image.rbd("info", RUN, "--format", "json").stdout)["id"]
    image.lab.exec("store", "rados", "-p", POOL, "rm", f"rbd_header.{number}")
    assert image.rbd("info", RUN, check=False).returncode != 0
    image.start()
    assert image.answers()


def test_a_cluster_that_does_not_answer_is_waited_for(image):
    """Whether the image may run can't be asked then: that is neither yes nor no."""
    pid = int(image.lab.exec(image.host, "pgrep", "-x", "pacemaker-contr").stdout)
    image.signal("STOP", pid)
    try:
        start = image.begin("start")
        with pytest.raises(subprocess.TimeoutExpired):
            start.wait(4)
        assert image.domains() == []
    finally:
        image.signal("CONT", pid)
    assert start.wait(60) == SUCCESS
    assert image.answers()


def test_a_store_that_is_away_for_a_while_is_waited_for(image):
    """A start that failed would keep Pacemaker from this host."""
    image.lab.service("store", "stop", "mon")
    try:
        start = image.begin("start", timeout_s=90)
        with pytest.raises(subprocess.TimeoutExpired):
            start.wait(12)      # more than one operation on the store may take
    finally:
        image.lab.service("store", "start", "mon")
    assert start.wait(90) == SUCCESS
    assert image.answers()


@CAMPAIGN
def test_a_store_that_stays_away(image):
    image.lab.service("store", "stop", "mon")
    try:
        answer = image.call("start", timeout_s=15)
        assert answer.rc == GENERIC
        assert "monitor" in answer.reason or "store" in answer.reason.lower()
    finally:
        image.lab.service("store", "start", "mon")
    wait_until(lambda: image.lab.exec("store", "ceph", "-s", check=False, timeout_s=20).returncode == 0, 60, "the store")


def test_libvirtd_is_dead(image):
    image.lab.service(image.host, "stop", "libvirtd")
    answer = image.call("start")
    assert answer.rc == GENERIC
    assert "libvirtd" in answer.reason
    assert image.watchers() == []


@CAMPAIGN
def test_libvirtd_hangs(image):
    pid = image.lab.exec(image.host, "cat", "/run/service/libvirtd/supervise/pid").stdout.strip()
    image.signal("STOP", int(pid))
    try:
        answer = image.call("start", timeout_s=20)
        assert answer.rc == GENERIC
        assert "libvirtd" in answer.reason
    finally:
        image.signal("CONT", int(pid))


def test_a_guest_that_does_not_answer_fails_its_start(image):
    answer = image.call("start", timeout_s=8, boot_probe=f"tcp:{image.address}:81")
    assert answer.rc == GENERIC
    assert f"tcp:{image.address}:81" in answer.reason
    image.stop()


@CAMPAIGN
def test_icmp_boot_probe(image):
    image.start(boot_probe=f"icmp:{image.address}")
    assert image.answers()


def test_template(image, tmp_path):
    template = tmp_path / "domain.xml"
    template.write_text("""<domain type='qemu'><name>x</name><memory unit='MiB'>160</memory><vcpu>1</vcpu>
        <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
        <devices>
          <disk type='file' device='disk'><source file='/nonexistent'/><target dev='vda' bus='virtio'/></disk>
          <interface type='bridge'><source bridge='br-svc'/><model type='virtio'/></interface>
          <serial type='pty'/>
        </devices></domain>""", encoding="utf-8")
    image.start(template=str(template), memory_mib="64")
    xml = image.virsh("dumpxml", DOMAIN)
    assert "163840" in xml and "/nonexistent" not in xml and RUN in xml
    assert image.answers()
    template.unlink()
    image.stop(template=str(template))
    assert image.call("start", template=str(template)).rc == INSTALLED


def test_secret_is_nowhere_to_be_read(image):
    image.start()
    keyring = image.lab.exec(image.host, "cat", "/etc/ceph/ceph.client.understudy.keyring").stdout
    key = keyring.split("key = ")[1].split()[0]
    pid = image.qemu_pids()[0]
    assert key not in image.lab.exec(image.host, "cat", f"/proc/{pid}/cmdline").stdout
    assert key not in image.virsh("dumpxml", "--security-info", DOMAIN)
    done = image.lab.exec(image.host, "sh", "-c", f"grep -rlF '{key}' /run/libvirt /run/understudy /etc/libvirt "
                          "/var/log/libvirt", check=False)
    assert done.stdout == ""
    assert image.call("start").rc == SUCCESS


def test_a_fenced_hosts_watch_is_not_waited_for(image):
    """A power-fenced host has nothing on the blocklist, and its watch stays for 30 s."""
    other = ImageAgent(image.lab, "host2")
    report_in(image, "host2")
    other.start()
    try:
        image.lab.exec("host1", "stonith_admin", "--fence", "host2", "--timeout", "60", timeout_s=90)
        assert image.lab.node("host2").state() == "crashed"
        dead = image.watchers()
        assert dead != [], "the dead host's watch should still be there"
        answer = image.start()
        assert "fenced" in answer.log
        # Should it not be dead after all: a client that the store refuses writes nothing.
        assert set(dead) <= image.blocklist()
        assert image.lever("write").strip() == "written"
    finally:
        image.lab.power("host2", True)
        wait_until(lambda: image.lab.hypervisor_answers("host2"), 60, "libvirtd on host2")
        report_in(image, "host2")   # else its clients would count as those of a fenced host in every later test


@contextlib.contextmanager
def address_taken(image):
    """Somebody else has the image's service address: the client. Its MAC address."""
    device = client_device(image)
    link = json.loads(image.lab.exec("client", "ip", "-json", "link", "show", device).stdout)[0]
    image.lab.exec("client", "ip", "address", "add", f"{image.address}/32", "dev", device)
    try:
        yield link["address"]
    finally:
        image.lab.exec("client", "ip", "address", "del", f"{image.address}/32", "dev", device, check=False)


def test_an_address_that_somebody_answers_for_is_refused(image):
    """Two would serve it. Best effort takes it all the same."""
    with address_taken(image) as mac:
        answer = image.call("start", timeout_s=20)
        assert answer.rc == GENERIC
        assert image.address in answer.reason and mac in answer.reason
        assert image.domains() == [] and image.qemu_pids() == []
        image.stop()
        image.start(isolate="best-effort", drop=("boot_probe",))
        assert image.domains() == [DOMAIN]


@contextlib.contextmanager
def refused_by_the_store(image, host):
    """A host that fence_rbd has fenced: it has its power still."""
    fence = FenceAgent(image.lab, image.host, host)
    report_in(image, host)
    try:
        with no_decisions(image.lab):
            fence.off()
            yield
    finally:
        image.clear_blocklist()
        fence.clear_records(host)
        fence.close()


@CAMPAIGN
def test_a_guest_that_only_the_store_has_stopped(image):
    """It has the address still, and nobody would serve: it is ended, or borne if that can't be; the original is not."""
    other = ImageAgent(image.lab, "host2")
    other.start()
    image.lab.exec("host2", "attrd_updater", "-n", ENDED, "-U", other.claim()[2])
    try:
        with refused_by_the_store(image, "host2"):
            image.lab.service("host2", "stop", "libvirtd")
            answer = image.start(timeout_s=12, drop=("boot_probe",))
            assert "THE IMAGE'S OWN MAC, ANSWERS" in answer.log and "host2" in answer.log
            assert image.domains() == [DOMAIN] and len(other.qemu_pids()) == 1
            image.stop(timeout_s=30)
            with address_taken(image) as mac:
                answer = image.call("start", timeout_s=8)
                assert answer.rc == GENERIC and mac in answer.reason
                image.stop()
            image.lab.service("host2", "start", "libvirtd")
            wait_until(lambda: image.lab.hypervisor_answers("host2"), 30, "libvirtd on host2")
            image.start(drop=("boot_probe",))
            assert image.domains() == [DOMAIN] and other.qemu_pids() == []
    finally:
        image.lab.exec("host2", "attrd_updater", "-n", ENDED, "-D")


@CAMPAIGN
def test_an_address_that_is_let_go_is_waited_for(image):
    """As by a server that is being powered off."""
    with address_taken(image):
        start = image.begin("start")
        with pytest.raises(subprocess.TimeoutExpired):
            start.wait(3)
        assert image.domains() == []
    assert start.wait(60) == SUCCESS
    assert image.answers()


def client_device(image):
    """The client's interface on the service network."""
    links = json.loads(image.lab.exec("client", "ip", "-json", "route", "get", image.address).stdout)
    return links[0]["dev"]


def test_the_service_address_is_announced(image):
    """A client with a stale neighbour entry learns of the image from the host: this guest has nothing to boot."""
    def entry():
        found = json.loads(image.lab.exec("client", "ip", "-json", "neigh", "show", image.address).stdout)
        return found[0].get("lladdr") if found else None

    empty, stale = f"{RECOVERY}-empty", "02:00:00:00:00:99"
    image.remove(empty)
    image.rbd("create", "--size", "8M", empty)
    image.make_point("point-1", empty)
    image.lab.exec("client", "ip", "neigh", "replace", image.address, "lladdr", stale, "dev", client_device(image),
                   "nud", "stale")
    # The kernel takes no new address for an entry that is less than a second old.
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() - begun > 1.5, 3, "the entry to age")
    assert entry() == stale
    try:
        image.start(drop=("boot_probe",), disks=empty)
        mac = image.virsh("dumpxml", DOMAIN).split("<mac address='")[1].split("'")[0]
        assert entry() == mac
        image.stop(timeout_s=30, disks=empty)
    finally:
        image.remove(RUN)
        image.remove(empty)
