# SPDX-License-Identifier: GPL-2.0-or-later
"""Where images run: on the host with the most room, not where they can't, and they stay where they are."""

import json

import pytest

from campaign import CAMPAIGN
from image_agent import ImageAgent, holder_end
from lab.api import wait_until
from lab.site import POOL
from protected import stays

RUN_IMAGE = "run-db1-0"
CAPACITY_TIMEOUT_S = 120
# Fits on the largest host while it has no load, and nowhere else.
LARGE_MIB = 2560
PREFERENCE = "prefer-another-host"


def available_mib(protected, host):
    """Memory that a host has left."""
    rows = dict(row.split(":") for row in protected.run("cat", "/proc/meminfo", host=host).stdout.splitlines())
    return int(rows["MemAvailable"].split()[0]) // 1024


def test_load_moves_no_running_image_but_the_next_takeover_goes_elsewhere(protected):
    best = protected.ranked_hosts()[0]
    protected.lab.crash("db1")
    assert protected.wait_taken_over("db1") == {"db1": best}
    started = protected.run("virsh", "-c", "qemu:///system", "domid", "standby-db1", host=best).stdout

    free = protected.headroom()[best]
    # To the brim: without what it has promised to its image the host would have room for none.
    protected.lab.load(best, 70, available_mib(protected, best) - 400)
    wait_until(lambda: protected.headroom()[best] < free, CAPACITY_TIMEOUT_S, f"{best} to publish its load", poll_s=1)
    assert protected.ranked_hosts()[0] != best
    assert protected.images_running() == {"db1": best}

    next_best = protected.ranked_hosts()[0]
    protected.lab.crash("db2")
    protected.wait_taken_over("db2")
    assert protected.images_running() == {"db1": best, "db2": next_best}
    now = protected.run("virsh", "-c", "qemu:///system", "domid", "standby-db1", host=best).stdout
    assert now == started, "the image that ran was restarted"


@CAMPAIGN
def test_a_preference_for_another_host_moves_no_running_image(protected):
    """That is resource-stickiness: among hosts that are equal to Pacemaker what runs would stay without it too."""
    protected.lab.crash("db1")
    host = protected.wait_taken_over("db1")["db1"]
    started = protected.run("virsh", "-c", "qemu:///system", "domid", "standby-db1", host=host).stdout
    other = next(name for name in protected.ranked_hosts("db1") if name != host)
    protected.run("pcs", "constraint", "location", "add", PREFERENCE, "standby-db1", other, "500")
    try:
        protected.run("crm_resource", "--wait", "--timeout", "60")  # until Pacemaker has nothing left to do
        assert protected.domain_hosts("db1") == [host]
        now = protected.run("virsh", "-c", "qemu:///system", "domid", "standby-db1", host=host).stdout
        assert now == started, "the image that ran was restarted"
    finally:
        protected.run("pcs", "constraint", "location", "remove", PREFERENCE)


@CAMPAIGN
@pytest.mark.parametrize("away, back", [(("sv", "stop", "libvirtd"), ("sv", "start", "libvirtd")),
                                        (("pkill", "-STOP", "-x", "libvirtd"), ("pkill", "-CONT", "-x", "libvirtd"))])
def test_a_libvirtd_that_does_not_answer_makes_its_host_no_smaller(protected, away, back):
    """What its images use is not known then, and must not be taken for other load."""
    def published():
        host = next(row for row in protected.status()["hosts"] if row["name"] == where)
        return host["capacity"]
    protected.lab.crash("db1")
    where = protected.wait_taken_over("db1")["db1"]
    protected.run("crm_resource", "--wait", "--timeout", "60")
    before = published()
    protected.run(*away, host=where)
    try:
        stays(lambda: published() == before, "the host's capacity", seconds=20)
        failed = [r.get("id") for r in protected.crm_mon().iter("failure") if "capacity" in r.get("op_key", "")]
        assert failed == []
    finally:
        protected.run(*back, host=where)


@CAMPAIGN
def test_libvirtd_dead_on_the_chosen_host_runs_the_image_elsewhere(protected):
    best = protected.ranked_hosts()[0]
    protected.lab.service(best, "stop", "libvirtd")
    try:
        protected.lab.crash("db1")
        where = protected.wait_taken_over("db1")
        assert where["db1"] != best
        failed = protected.run("crm_mon", "-1", "--output-as=xml").stdout
        assert "libvirt" in failed and best in failed, "crm_mon does not say why the start failed"
    finally:
        protected.lab.service(best, "start", "libvirtd")


@pytest.fixture
def large(protected):
    """db1's image asks for so much memory that one host alone has room for it."""
    protected.adopt("db1", memory_mib=LARGE_MIB)
    yield protected
    if not protected.lab.condemned:
        protected.settle()  # nobody changes the memory of an image that runs
        protected.adopt("db1")


def test_no_room_is_said_and_room_is_used_when_it_appears(large):
    protected = large
    largest, = protected.ranked_hosts("db1")
    protected.lab.load(largest, 0, available_mib(protected, largest) - LARGE_MIB)
    wait_until(lambda: protected.ranked_hosts("db1") == [], CAPACITY_TIMEOUT_S, f"{largest} to publish its load")
    protected.lab.crash("db1")
    # Nobody is isolated for an image that would run nowhere.
    wait_until(lambda: "hv_memory" in protected.server("db1")["reason"], 60, "status to say that there is no room")
    assert protected.verdict("db1") == "doubted" and protected.domain_hosts("db1") == []
    protected.lab.load(largest, 0, 0)
    # What is published is frozen for a while: a server in doubt may be about to be taken over.
    assert protected.wait_taken_over("db1", timeout_s=180) == {"db1": largest}


@CAMPAIGN
def test_the_host_with_the_least_load_is_chosen(protected):
    """By the lab's own knowledge: the smallest host, as all others are busy."""
    *busy, idle = sorted(protected.hosts, key=protected.site.host_size, reverse=True)
    free = protected.headroom()
    for host in busy:
        protected.lab.load(host, 95, available_mib(protected, host) // 2)
    wait_until(lambda: all(protected.headroom()[host] < free[idle] for host in busy), CAPACITY_TIMEOUT_S,
               "the load to be published", poll_s=1)
    protected.lab.crash("db1")
    assert protected.wait_taken_over("db1") == {"db1": idle}


@CAMPAIGN
def test_who_has_the_image_open_is_said_and_it_starts_when_he_goes(protected):
    if RUN_IMAGE not in protected.store_images():
        point = json.loads(protected.run("rbd", "--id", "understudy", "snap", "ls", f"{POOL}/db1", "--format",
                                         "json").stdout)[-1]["name"]
        protected.run("rbd", "--id", "understudy", "clone", "--rbd-default-clone-format", "2",
                      f"{POOL}/db1@{point}", f"{POOL}/{RUN_IMAGE}")
    holder = ImageAgent(protected.lab).hold("store", f"{POOL}/{RUN_IMAGE}", "admin")
    try:
        address = protected.watchers(RUN_IMAGE)[0]
        protected.lab.crash("db1")
        wait_until(lambda: address in protected.server("db1")["reason"], 90, "status to name the client", poll_s=0.5)
        assert protected.domain_hosts("db1") == []
        assert protected.watchers(RUN_IMAGE) == [address]
    finally:
        holder_end(holder)
    protected.run("crm_resource", "--cleanup", "--resource", "standby-db1")
    protected.wait_taken_over("db1")


@CAMPAIGN
def test_a_host_whose_service_link_is_cut_is_blind_and_loses_its_images(protected):
    best = protected.ranked_hosts()[0]
    others = [host for host in protected.hosts if host != best]
    protected.lab.crash("db1")
    assert protected.wait_taken_over("db1") == {"db1": best}

    protected.lab.cut(best, "svc")
    wait_until(lambda: protected.images_running(others[0]).get("db1") in others, 120,
               "the image to move to a host that its clients can reach", poll_s=0.5)
    wait_until(lambda: protected.answering("db1") == "image", 60, "the image to answer again", poll_s=0.3)
    # Its votes are blind: the servers that it does not see any more are not taken over.
    for server in ("db2", "db3"):
        row = protected.server(server, others[0])
        assert row["verdict"] == "healthy"
        assert row["votes"]["blind"] == 1 and row["votes"]["down"] == 0
    assert best not in protected.ranked_hosts()[:2]
