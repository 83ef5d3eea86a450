# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong on the way: the original comes back too early, or not for long; the image itself fails."""

import json

import pytest

from campaign import CAMPAIGN
from lab.api import wait_until
from lab.site import POOL
from protected import Watcher, stays

SERVER = "db1"


def two_hosts(protected):
    """The hosts on which libvirt runs the image, if they are more than one."""
    hosts = protected.domain_hosts(SERVER)
    return hosts if len(hosts) > 1 else None


@pytest.fixture
def watched(protected):
    """The protected site; fails if the image ran twice at any time."""
    with Watcher(lambda: two_hosts(protected)) as watch:
        yield protected
    assert watch.looks > 0 and watch.seen == []


def lever(protected, verb):
    """Does something inside the guest; it may not live to answer."""
    address = protected.site.address(SERVER, "svc")
    protected.lab.exec("client", "curl", "-s", "-m", "5", f"http://{address}:8008/cgi-bin/lever?{verb}", check=False)


def test_the_server_returns_while_its_image_starts(watched):
    watched.lab.crash(SERVER)
    wait_until(lambda: f"takeover-{SERVER}" in watched.granted_tickets(), 60, "the ticket to be granted")
    watched.lab.boot(SERVER)
    watched.wait_returned(SERVER)
    wait_until(lambda: watched.domain_hosts(SERVER) == [], 60, "the image to be stopped")
    assert watched.granted_tickets() == set()


@CAMPAIGN
def test_the_server_fails_again_while_it_returns(watched):
    watched.lab.crash(SERVER)
    watched.wait_taken_over(SERVER)
    watched.lab.boot(SERVER)
    watched.lab.service(SERVER, "stop", "gate")     # it is ready and does not serve yet: that keeps it returning
    watched.wait_verdict(SERVER, "returning")
    # Still under power, and let back already: only a new isolation makes it safe to run the image.
    for network in ("svc", "mgmt"):
        watched.lab.cut(SERVER, network)
    wait_until(lambda: watched.verdict(SERVER) == "failed" and watched.answering(SERVER) == "image", 120,
               "the image to serve again", poll_s=0.3)
    assert len(watched.domain_hosts(SERVER)) == 1
    assert watched.lab.node(SERVER).state() == "crashed", "it was not isolated again"
    # Not at once, for its network may be what is silent; but with the right reason, so that it may return by itself.
    events = json.loads(watched.understudy("history", SERVER, "--json").stdout)["takeovers"][-1]["events"]
    assert "went away again" in next(event["detail"] for event in events if event["event"] == "isolating")


def test_a_server_that_is_repaired_or_held_is_left_alone(watched):
    watched.lab.crash(SERVER)
    watched.wait_taken_over(SERVER)
    watched.understudy("hold", SERVER)
    try:
        watched.lab.boot(SERVER)
        wait_until(lambda: "held" in watched.server(SERVER)["reason"], 20, "status to say that it is held")
        stays(lambda: watched.verdict(SERVER) == "failed" and watched.answering(SERVER) == "image",
              "the image to go on while it is held")
        watched.lab.service(SERVER, "stop", "postgresql")
    finally:
        watched.understudy("hold", SERVER, "--off")
    # The machine is on, and somebody works on it: its service is not ready.
    stays(lambda: watched.verdict(SERVER) == "failed" and watched.answering(SERVER) == "image",
          "the image to go on while the original is not ready")
    assert watched.lab.node(SERVER).state() == "running"
    watched.lab.service(SERVER, "start", "postgresql")
    watched.wait_returned(SERVER)


def test_a_hold_outlives_a_blackout_of_the_site(watched):
    """The tickets are gone with the cluster's status, and the original boots together with the hosts."""
    watched.lab.crash(SERVER)
    watched.wait_taken_over(SERVER)
    watched.understudy("hold", SERVER)
    try:
        for host in watched.hosts:
            watched.lab.crash(host)
        for node in (SERVER, *watched.hosts):
            watched.lab.boot(node)
        watched.wait_taken_over(SERVER, timeout_s=240)
        assert watched.lab.node(SERVER).state() == "crashed", "it was not isolated again"
        assert watched.granted_tickets() == {f"takeover-{SERVER}"}
        watched.lab.boot(SERVER)
        wait_until(lambda: "held" in watched.server(SERVER)["reason"], 30, "status to say that it is held")
        stays(lambda: watched.verdict(SERVER) == "failed" and watched.answering(SERVER) == "image",
              "the image to go on while it is held")
    finally:
        watched.understudy("release", SERVER, "--no-wait", check=False)
        watched.understudy("hold", SERVER, "--off", check=False)
    watched.wait_returned(SERVER)
    assert watched.lab.node(SERVER).state() == "running"


@CAMPAIGN
def test_the_guest_panics_and_serves_again(watched):
    watched.lab.crash(SERVER)
    host = watched.wait_taken_over(SERVER)[SERVER]
    domid = watched.run("virsh", "-c", "qemu:///system", "domid", f"standby-{SERVER}", host=host).stdout
    lever(watched, "panic")

    def another_serves():
        hosts = watched.domain_hosts(SERVER)
        return (len(hosts) == 1 and watched.answering(SERVER) == "image" and (hosts[0] != host or watched.run(
            "virsh", "-c", "qemu:///system", "domid", f"standby-{SERVER}", host=host, check=False).stdout != domid))

    wait_until(another_serves, 90, "the image to be started again", poll_s=0.5)
    assert watched.granted_tickets() == {f"takeover-{SERVER}"}


@CAMPAIGN
def test_a_guest_paused_by_an_io_error_serves_again(watched):
    """Its client goes on the store's blocklist, as if somebody had fenced it: its next write fails."""
    watched.lab.crash(SERVER)
    watched.wait_taken_over(SERVER)
    client = watched.watchers(f"run-{SERVER}-0")[0]
    watched.lab.exec("store", "ceph", "osd", "blocklist", "add", client, "600")

    def another_serves():
        lever(watched, "write")
        now = watched.watchers(f"run-{SERVER}-0")
        return now != [] and client not in now and watched.answering(SERVER) == "image"

    wait_until(another_serves, 120, f"{POOL}/run-{SERVER}-0 to be served by a new client", poll_s=0.5)
    assert len(watched.domain_hosts(SERVER)) == 1
