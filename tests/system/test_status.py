# SPDX-License-Identifier: GPL-2.0-or-later
"""What status, hosts and history say to an operator, also when something is away."""

import json
import time

import pytest

from campaign import CAMPAIGN
from lab.api import wait_until
from lab.site import CEPHX_USER, POOL

STATUS_DEADLINE_S = 20
PHASES = ["detection", "confirmation", "isolation", "placement", "start", "boot"]


def test_status_has_what_is_promised(protected):
    # A change of what a host reaches is kept back for some seconds.
    wait_until(lambda: all(host["reach"] for host in protected.status()["hosts"]), 90, "every host to say what it reaches")
    status = protected.status()
    assert status["quorate"] is True and status["leader"] in protected.hosts and status["troubles"] == []
    assert [server["name"] for server in status["servers"]] == protected.servers
    for server in status["servers"]:
        assert server["verdict"] == "healthy" and server["ticket"] is False
        assert server["votes"] == {"up": len(protected.hosts), "down": 0, "blind": 0, "unknown": 0}
        assert server["image"]["state"] == "stopped" and server["image"]["host"] is None
        assert set(server["image"]) == {"state", "host", "run_image", "point", "kept", "unreturned_bytes"}
        # A healthy server's reason tells at most how it became so.
        assert server["reason"] in ("", "the original serves again") or server["reason"].startswith("recovered: ")
    assert [host["name"] for host in status["hosts"]] == protected.hosts
    for host in status["hosts"]:
        assert host["online"] and host["reach"] is True and host["images"] == []
        assert host["cpu"] > 0 and host["hv_memory"] > 0 and host["headroom"] > 0


def test_the_text_names_every_server_and_host(protected):
    text = protected.understudy("status").stdout
    for name in protected.servers + protected.hosts:
        assert name in text
    one = protected.understudy("status", "db1").stdout
    assert "db1" in one and "db2" not in one


def test_a_server_that_is_not_protected_is_not_found(protected):
    for words in (("status", "nobody"), ("hosts", "--for", "nobody"), ("forget", "nobody")):
        done = protected.understudy(*words, check=False)
        assert done.returncode == 3
        assert "nobody" in done.stderr and done.stderr.count("\n") == 1


def osd_dumps(protected, after=-1):
    """Who of the hosts' user asked the monitors for the whole OSD map, as they have written it down: number, client."""
    log = json.loads(protected.lab.exec("store", "ceph", "log", "last", "500", "debug", "audit", "--format", "json").stdout)
    asked = [(entry["seq"], entry["message"].split("' ")[0]) for entry in log
             if f"entity='client.{CEPHX_USER}'" in entry["message"] and '"osd dump"' in entry["message"]]
    return [entry for entry in asked if entry[0] > after]


def test_why_nothing_can_be_written(protected):
    """A lock by hand on a run image is named; what the store says of its pools is asked once for all of them."""
    images = [f"{POOL}/run-{server}-0" for server in protected.servers[:2]]
    rbd = ("store", "rbd")
    there = protected.store_images()     # an earlier takeover may have left its run image
    made = [name for name in images if name.partition("/")[2] not in there]
    for name in made:
        protected.lab.exec(*rbd, "create", "--size", "8M", name)
    try:
        protected.lab.exec(*rbd, "lock", "add", images[0], "for repair")
        before = max([number for number, _ in osd_dumps(protected)], default=-1)
        servers = {server["name"]: server for server in protected.status()["servers"]}
        assert f"rbd lock rm {images[0]} 'for repair' client." in servers[protected.servers[0]]["reason"]
        assert "locked" not in servers[protected.servers[1]]["reason"]
        wait_until(lambda: osd_dumps(protected, before), 30, "the monitors to write it down")
        clients = [client for _, client in osd_dumps(protected, before)]
        assert len(clients) == len(set(clients)), "one process has asked more than once"
    finally:
        for name in images:
            for lock in json.loads(protected.lab.exec(*rbd, "lock", "ls", name, "--format", "json").stdout):
                protected.lab.exec(*rbd, "lock", "rm", name, lock["id"], lock["locker"])
        for name in made:
            protected.lab.exec(*rbd, "rm", "--no-progress", name)


def test_a_host_that_no_fence_can_tell_from_another_is_named(protected):
    """Long before the fence: it was renamed, and its old name has the address, too."""
    host, command = protected.hosts[1], "ceph config-key rm understudy/host/old1"
    entry = {"name": "old1", "store_addresses": [protected.site.address(host, "store")], "boot_id": "x", "at": 1}
    protected.lab.exec("store", "ceph", "config-key", "set", command.split()[-1], json.dumps(entry))
    try:
        trouble, = [trouble for trouble in protected.status()["troubles"] if "old1" in trouble]
        assert f"of {host}," in trouble and command in trouble
        assert command in protected.understudy("status", check=False).stdout
    finally:
        protected.lab.exec("store", *command.split())
    assert not any("old1" in trouble for trouble in protected.status()["troubles"])


@pytest.fixture
def without_pacemaker(protected):
    """A host on which Pacemaker does not run, away from the DC."""
    dc = protected.run("crmadmin", "--quiet", "--dc_lookup").stdout.strip()
    host = next(h for h in reversed(protected.hosts) if h != dc)
    protected.lab.service(host, "stop", "pacemaker")
    yield protected, host
    protected.lab.service(host, "start", "pacemaker")
    wait_until(lambda: all(h["online"] for h in protected.status(protected.hosts[0])["hosts"]), 60,
               f"{host} to be back in the cluster")


def test_a_host_without_pacemaker_says_so(without_pacemaker):
    protected, host = without_pacemaker
    done = protected.understudy("status", host=host, check=False)
    assert done.returncode == 1
    assert "the cluster does not run on this host" in done.stderr and "start corosync and pacemaker" in done.stderr
    other = next(h for h in protected.hosts if h != host)
    wait_until(lambda: [h["online"] for h in protected.status(other)["hosts"] if h["name"] == host] == [False], 30,
               f"{other} to show {host} as offline")
    rows = json.loads(protected.understudy("hosts", "--json", host=other).stdout)["hosts"]
    gone = next(row for row in rows if row["name"] == host)
    assert not gone["eligible"] and gone["rank"] == 0 and gone["reason"] == "offline"


@pytest.fixture
def without_store(protected):
    """The store's monitor is stopped."""
    protected.lab.service("store", "stop", "mon")
    yield protected
    protected.lab.service("store", "start", "mon")
    wait_until(lambda: protected.status()["troubles"] == [], 90, "the store to answer again")


def test_a_store_that_is_away_is_named_within_the_deadline(without_store):
    began_s = time.monotonic()
    status = without_store.status()
    assert time.monotonic() - began_s < STATUS_DEADLINE_S
    assert len(status["troubles"]) == 1, status["troubles"]
    # The rest is there.
    assert [server["verdict"] for server in status["servers"]] == ["healthy"] * len(without_store.servers)
    assert all(server["image"]["unreturned_bytes"] is None for server in status["servers"])


@CAMPAIGN
def test_a_host_in_standby_is_not_ranked(protected):
    host = protected.ranked_hosts()[0]
    protected.run("crm_attribute", "--node", host, "--name", "standby", "--update", "on")
    try:
        wait_until(lambda: host not in protected.ranked_hosts(), 30, f"{host} to be left out")
        rows = json.loads(protected.understudy("hosts", "--json").stdout)["hosts"]
        assert next(row["reason"] for row in rows if row["name"] == host) == "standby"
    finally:
        protected.run("crm_attribute", "--node", host, "--name", "standby", "--delete")
        wait_until(lambda: host in protected.ranked_hosts(), 60, f"{host} to be ranked again")


@CAMPAIGN
def test_takeover_waits_until_the_image_runs_and_history_has_its_phases(protected):
    best = protected.ranked_hosts()[0]
    done = protected.understudy("takeover", "db1", "--timeout", "90", timeout_s=120)
    assert protected.domain_hosts("db1") == [best]
    assert f"running on {best}" in done.stdout
    refused = protected.understudy("forget", "db1", check=False)
    assert refused.returncode == 4 and "takeover" in refused.stderr
    protected.wait_taken_over("db1")
    wait_until(lambda: "boot" in phases(protected, "db1"), 30, "the image to answer the observers")
    assert [p for p in phases(protected, "db1") if p in PHASES] == PHASES[2:], "a planned one has no detection"
    text = protected.understudy("history", "db1").stdout
    assert "isolation" in text and best in text


def phases(protected, server):
    """The phases of the last takeover, in order."""
    takeovers = json.loads(protected.understudy("history", server, "--json").stdout)["takeovers"]
    return [phase["phase"] for phase in takeovers[-1]["phases"]]


def test_history_has_all_phases_of_a_failure(protected):
    protected.lab.crash("db2")
    protected.wait_taken_over("db2")
    wait_until(lambda: "boot" in phases(protected, "db2"), 30, "the image to answer the observers")
    assert phases(protected, "db2") == PHASES
    takeover = json.loads(protected.understudy("history", "db2", "--json").stdout)["takeovers"][-1]
    assert all(phase["duration_ms"] >= 0 for phase in takeover["phases"])
    assert takeover["host"] in protected.hosts
    times = [event["at_ms"] for event in takeover["events"]]
    assert times == sorted(times)
