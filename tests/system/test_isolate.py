# SPDX-License-Identifier: GPL-2.0-or-later
"""isolate=confirmed and best-effort: what counts when the original can't be powered off, and that it is tried first.
(isolate=required: test_verdict.py.)"""

import contextlib
import json
import time
import xml.etree.ElementTree as ET

import pytest

from campaign import CAMPAIGN
from lab.api import wait_until
from lab.site import POOL, LabError
from protected import stays, tuned

ATTEMPT = "5s"      # one attempt to isolate; the power switch that does not answer takes all of it


@pytest.fixture(autouse=True)
def open_store(protected):
    """No entry of an earlier takeover on the store's blocklist."""
    address = f"{protected.site.address('db1', 'store')}:0/0"
    protected.lab.exec("store", "ceph", "osd", "blocklist", "rm", address, check=False)
    assert not on_blocklist(protected, "db1")


@contextlib.contextmanager
def no_power_switch(protected, server):
    """The server's BMC is without power."""
    protected.lab.service("bmc", "stop", server)
    try:
        yield
    finally:
        protected.lab.service("bmc", "start", server)


def on_blocklist(protected, server) -> bool:
    """The store refuses everything from the server's storage address."""
    done = protected.lab.exec("store", "ceph", "osd", "dump", "--format", "json")
    return f"{protected.site.address(server, 'store')}:0/0" in json.loads(done.stdout)["blocklist"]


def is_being_fenced(protected, server, for_s: float) -> bool:
    """A fencing of the server is under way for that time."""
    try:
        wait_until(lambda: not has_pending_fencing(protected, server), for_s, "it to end", poll_s=0.1)
    except LabError:
        return True
    return False


def has_pending_fencing(protected, server) -> bool:
    """By the history of some host's fencer: each knows of its own."""
    histories = [protected.run("stonith_admin", "--history", server, "--verbose", "--output-as=xml", host=host,
                               check=False).stdout
                 for host in protected.hosts]
    return any(event.get("status") == "pending" for text in histories for event in ET.fromstring(text).iter("fence_event"))


def reason(protected, server) -> str:
    return protected.server(server)["reason"]


@CAMPAIGN
def test_confirmed_takes_over_when_the_power_cut_took_the_switch_along(protected):
    with tuned(protected, "db1", isolate="confirmed", isolate_timeout=ATTEMPT), no_power_switch(protected, "db1"):
        protected.lab.crash("db1")
        protected.wait_verdict("db1", "failed", timeout_s=60)
        assert "confirmed without life on any plane in two rounds" in reason(protected, "db1")
        assert "could not be powered off" in reason(protected, "db1")
        assert on_blocklist(protected, "db1"), "it could wake up and write"
        where = protected.wait_taken_over("db1")
        assert protected.domain_hosts("db1") == [where["db1"]]


def test_confirmed_waits_as_long_as_the_original_shows_life(protected):
    """Its service link is cut, its management address still answers."""
    with tuned(protected, "db1", isolate="confirmed"):
        with no_power_switch(protected, "db1"):
            with tuned(protected, "db1", isolate_timeout=ATTEMPT):
                protected.lab.cut("db1", "svc")
                wait_until(lambda: reason(protected, "db1").startswith("not isolated"), 60, "status to say why",
                           poll_s=0.5)
                # Time for two rounds, a hold-down apart.
                stays(lambda: protected.granted_tickets() == set() and protected.verdict("db1") == "isolating",
                      "no ticket while it shows life", seconds=15)
                assert protected.lab.node("db1").state() == "running"
                assert protected.domain_hosts("db1") == []
            # A short attempt that the switch's return finds under way may do it and have no time to learn of it; a
            # server without life would then be confirmed. So: until one is under way for longer than those last.
            wait_until(lambda: is_being_fenced(protected, "db1", for_s=7), 90, "an attempt with time", poll_s=0.1)
        # The switch is back, and there is time enough: it is isolated as with any other policy.
        protected.wait_taken_over("db1")
        assert protected.lab.node("db1").state() == "crashed"
        assert reason(protected, "db1").startswith("isolated: it is powered off")


@contextlib.contextmanager
def no_store_address(protected, server):
    """The server has no address on the storage network: power is the only way to isolate it."""
    protected.understudy("adopt", server, "--set", "store_address=", "--no-store")
    try:
        yield
    finally:
        protected.understudy("adopt", server, "--store-address", protected.site.address(server, "store"), "--no-store")


def test_a_server_that_recovers_before_anything_was_done_to_it_is_left_alone(protected):
    """The power switch is away for a while, and so is the service; both come back, the service first."""
    with no_store_address(protected, "db1"), tuned(protected, "db1", isolate_timeout=ATTEMPT):
        with no_power_switch(protected, "db1"):
            protected.lab.service("db1", "stop", "postgresql")
            wait_until(lambda: reason(protected, "db1").startswith("not isolated"), 60, "status to say why", poll_s=0.5)
            # Forgotten now, it could be switched off later, and nothing would take its place.
            done = protected.understudy("forget", "db1", check=False)
            assert done.returncode != 0 and "is being isolated" in done.stderr
            protected.lab.service("db1", "start", "postgresql")
            protected.wait_verdict("db1", "healthy", timeout_s=60)
        stays(lambda: protected.lab.node("db1").state() == "running" and protected.verdict("db1") == "healthy",
              "db1 to be left alone now that the switch answers")
        assert protected.granted_tickets() == set()


def test_best_effort_takes_over_from_an_original_that_still_runs_and_says_so(protected):
    with tuned(protected, "db1", isolate="best-effort", isolate_timeout=ATTEMPT), no_power_switch(protected, "db1"):
        protected.lab.cut("db1", "svc")
        protected.wait_verdict("db1", "failed", timeout_s=60)
        assert protected.lab.node("db1").state() == "running"
        assert reason(protected, "db1").startswith("NOT ISOLATED, taken over all the same")
        assert "could not be powered off" in reason(protected, "db1")
        assert on_blocklist(protected, "db1"), "what can be done was not done"
        protected.wait_taken_over("db1")
        # By hand, as the reason asks for: two must not answer for one address.
        protected.lab.crash("db1")
        # Long enough for three misses of its management address: who was never away does not return.
        stays(lambda: protected.lab.node("db1").state() == "crashed", "db1 off", seconds=6)
    protected.lab.heal("db1", "svc")


@contextlib.contextmanager
def device_kept_from(protected, device, *hosts):
    """A location constraint keeps a fence device from some hosts: the fencers there do not know it."""
    for host in hosts:
        protected.run("pcs", "constraint", "location", "add", f"off-{device}-{host}", device, host, "-INFINITY")
    try:
        for host in hosts:
            wait_until(lambda h=host: device not in protected.run("stonith_admin", "--list-registered", host=h,
                                                                 check=False).stdout, 30, f"{host} to lose {device}")
        yield
    finally:
        for host in hosts:
            protected.run("pcs", "constraint", "location", "remove", f"off-{device}-{host}")


@CAMPAIGN
def test_required_powers_off_whatever_the_leaders_own_fencer_knows(protected):
    """Its service link is cut: it goes on serving in its own eyes."""
    leader = protected.status()["leader"]
    with device_kept_from(protected, "power-db1", leader):
        protected.lab.cut("db1", "svc")
        protected.wait_verdict("db1", "failed", timeout_s=60)
        assert protected.lab.node("db1").state() == "crashed", reason(protected, "db1")
        assert reason(protected, "db1").startswith("isolated: it is powered off")
    protected.lab.heal("db1", "svc")


def test_required_does_not_take_the_blocklist_for_power(protected):
    """No host may use the device: the store refuses the server, which serves on all the same."""
    with device_kept_from(protected, "power-db1", *protected.hosts):
        protected.lab.cut("db1", "svc")
        wait_until(lambda: on_blocklist(protected, "db1"), 60, "what can be done to be done")
        wait_until(lambda: "no fence device" in reason(protected, "db1"), 60, "status to say why")
        stays(lambda: protected.verdict("db1") == "isolating" and protected.granted_tickets() == set(),
              "no ticket while it may serve", seconds=5)
        assert protected.lab.node("db1").state() == "running"
    # The device is back: now it is powered off.
    protected.wait_verdict("db1", "failed", timeout_s=60)
    assert protected.lab.node("db1").state() == "crashed"
    protected.lab.heal("db1", "svc")


@contextlib.contextmanager
def device_names_another(protected, device, server):
    """No fence device of the cluster names the server any more."""
    def targets(value):
        protected.run("crm_resource", "--resource", device, "--set-parameter", "pcmk_host_list", "--parameter-value", value)
    targets(f"not-{server}")
    try:
        yield
    finally:
        targets(server)


@CAMPAIGN
def test_required_without_a_way_that_proves_it_touches_nothing(protected):
    """The takeover could never come: the store's entry alone would only harm the server."""
    with device_names_another(protected, "power-db1", "db1"):
        done = protected.understudy("takeover", "db1", check=False)
        assert done.returncode != 0 and "no fence device names it" in done.stderr, done.stderr
        protected.lab.service("db1", "stop", "postgresql")
        wait_until(lambda: protected.verdict("db1") == "doubted" and "no fence device names it" in reason(protected, "db1"),
                   60, "status to say why")
        stays(lambda: protected.verdict("db1") == "doubted" and not on_blocklist(protected, "db1")
              and protected.lab.node("db1").state() == "running", "db1 left alone", seconds=5)
        protected.lab.service("db1", "start", "postgresql")
        protected.wait_verdict("db1", "healthy", timeout_s=30)


@pytest.fixture
def disk_without_the_point(protected):
    """An image that has no recovery point of db1's. What an earlier takeover of db1 wrote is gone."""
    image, name = f"{POOL}/db1-late", "db1-late"
    for run in [image for image in protected.store_images() if image.startswith("run-db1-")]:
        protected.lab.exec("store", "rbd", "rm", "--no-progress", f"{POOL}/{run}")
    protected.lab.exec("store", "rbd", "create", "--size", "8M", image)
    protected.lab.exec("store", "rbd", "snap", "create", "--no-progress", f"{image}@point-of-its-own")
    yield image
    protected.understudy("adopt", "db1", "--disk", f"{POOL}/db1")
    protected.lab.exec("store", "rbd", "snap", "purge", "--no-progress", image)
    protected.lab.exec("store", "rbd", "rm", "--no-progress", image)
    assert name not in protected.store_images()


def disks_of(protected) -> str:
    return protected.run("crm_resource", "--resource", "standby-db1", "--get-parameter", "disks").stdout.strip()


def test_a_server_whose_image_cannot_be_booted_is_left_alone(protected, disk_without_the_point):
    """adopt refuses it. Whoever gets there all the same is told why, and when it is mended the takeover goes on by itself."""
    disks = ["--disk", f"{POOL}/db1", "--disk", disk_without_the_point]
    done = protected.understudy("adopt", "db1", *disks, check=False)
    assert done.returncode != 0 and "there is no recovery point" in done.stderr and "--no-store" in done.stderr, done.stderr
    assert disks_of(protected) == f"{POOL}/db1"

    protected.understudy("adopt", "db1", *disks, "--no-store")
    done = protected.understudy("adopt", "db1", "--set", "probe_misses=2", check=False)
    assert "there is no recovery point" in done.stderr and done.returncode == 0, "what changes no disk is not refused"
    done = protected.understudy("takeover", "db1", check=False)
    assert done.returncode != 0 and "there is no recovery point" in done.stderr, done.stderr
    protected.lab.service("db1", "stop", "postgresql")
    wait_until(lambda: protected.verdict("db1") == "doubted" and "there is no recovery point" in reason(protected, "db1"), 60,
               "status to say why")
    stays(lambda: protected.verdict("db1") == "doubted" and not on_blocklist(protected, "db1")
          and protected.lab.node("db1").state() == "running", "db1 left alone", seconds=5)
    protected.understudy("adopt", "db1", "--disk", f"{POOL}/db1")
    protected.wait_taken_over("db1")


@CAMPAIGN
def test_best_effort_powers_the_original_off_if_it_can(protected):
    with tuned(protected, "db1", isolate="best-effort"):
        protected.lab.cut("db1", "svc")
        protected.wait_verdict("db1", "failed", timeout_s=60)
        assert protected.lab.node("db1").state() == "crashed"
        assert reason(protected, "db1").startswith("isolated: it is powered off")
        assert on_blocklist(protected, "db1")


@CAMPAIGN
def test_a_short_outage_while_the_switch_is_away_does_no_harm(protected):
    """Nothing has touched the server: it is well again, and is not powered off when the switch is back."""
    with tuned(protected, "db1", isolate_timeout=ATTEMPT):
        with no_power_switch(protected, "db1"):
            protected.lab.service("db1", "stop", "postgresql")
            wait_until(lambda: on_blocklist(protected, "db1"), 60, "an attempt")
            protected.lab.service("db1", "start", "postgresql")
            protected.wait_verdict("db1", "healthy", timeout_s=90)
            wait_until(lambda: not on_blocklist(protected, "db1"), 40, "the entry to come off", poll_s=0.5)
        stays(lambda: protected.lab.node("db1").state() == "running" and protected.verdict("db1") == "healthy",
              "db1 on", seconds=5)


def refused(protected) -> dict[str, str]:
    """The blocklist, as the OSD map has it: until when an entry holds."""
    done = protected.lab.exec("store", "ceph", "osd", "dump", "--format", "json")
    return json.loads(done.stdout)["blocklist"]


@contextlib.contextmanager
def bad_record(protected, server):
    """Somebody has spoiled what is recorded of a server's entries."""
    key = f"understudy/server/{server}/blocklist/10.0.0.1"
    protected.lab.exec("store", "ceph", "config-key", "set", key, "no JSON")
    try:
        yield
    finally:
        protected.lab.exec("store", "ceph", "config-key", "rm", key)


def test_a_recovered_servers_addresses_come_off_the_blocklist(protected):
    """An operator's entry of an hour counts for nothing. While the server is failed an entry that somebody takes off is put
    back, and a changed store_address too; all of them come off, whatever is wrong with another server's record."""
    first, second = protected.site.address("db1", "store"), f"{protected.site.prefix}.2.139"
    protected.lab.exec("store", "ceph", "osd", "blocklist", "add", f"{first}:0/0")
    protected.lab.crash("db1")
    protected.wait_taken_over("db1")
    assert int(refused(protected)[f"{first}:0/0"][:4]) > 1 + int(time.strftime("%Y")), "the entry lasts for years"
    protected.lab.exec("store", "ceph", "osd", "blocklist", "rm", f"{first}:0/0")
    wait_until(lambda: on_blocklist(protected, "db1"), 40, "the entry to be put back", poll_s=0.5)
    with tuned(protected, "db1", store_address=second), bad_record(protected, "db2"):
        wait_until(lambda: f"{second}:0/0" in refused(protected), 40, "the new address to be refused", poll_s=0.5)
        assert "db2/blocklist" in reason(protected, "db2")
        protected.lab.boot("db1")
        protected.wait_returned("db1")
        wait_until(lambda: not refused(protected).keys() & {f"{first}:0/0", f"{second}:0/0"}, 40,
                   "the entries to come off", poll_s=0.5)
    protected.adopt("db1")


@CAMPAIGN
def test_a_store_address_that_is_no_servers_is_refused_and_named(protected):
    """Isolation would keep another machine out of the store."""
    others = {"host2": "the host host2", "store": "of the store"}
    for node, whose in others.items():
        done = protected.understudy("adopt", "db1", "--store-address", protected.site.address(node, "store"), check=False)
        assert done.returncode != 0 and "it is the address of" in done.stderr and whose in done.stderr
    set_address = lambda node: protected.run("pcs", "resource", "update", "standby-db1",   # noqa: E731
                                             f"store_address={protected.site.address(node, 'store')}")
    set_address("host2")
    try:
        assert "it is the address of the host host2" in reason(protected, "db1")
    finally:
        set_address("db1")
    assert "store_address" not in reason(protected, "db1")


def test_a_server_whose_address_the_store_refuses_is_not_forgotten(protected):
    """Nobody would take the entry off any more."""
    entry = f"{protected.site.address('db1', 'store')}:0/0"
    protected.lab.exec("store", "ceph", "osd", "blocklist", "add", entry)
    try:
        done = protected.understudy("forget", "db1", check=False)
        assert done.returncode != 0
        assert f"ceph osd blocklist rm {entry}" in done.stderr
        assert protected.verdict("db1") == "healthy"
    finally:
        protected.lab.exec("store", "ceph", "osd", "blocklist", "rm", entry)


@CAMPAIGN
def test_an_observer_that_has_lost_the_store_hands_over(protected):
    """It could not close the store to the original."""
    first = protected.status()["leader"]
    other = next(host for host in protected.hosts if host != first)
    protected.lab.cut(first, "store")
    wait_until(lambda: protected.status(other)["leader"] not in (first, None), 60, "another observer to lead", poll_s=0.5)
    protected.lab.crash("db1")
    wait_until(lambda: protected.verdict("db1", host=other) == "failed", 60, "the takeover", poll_s=0.5)
    assert on_blocklist(protected, "db1")


@CAMPAIGN
def test_a_client_that_ceph_refuses_for_an_hour_stays_out_when_the_address_comes_off(protected):
    """A server that was not switched off may have somebody asleep, who would write when the hour is over."""
    ip = f"{protected.site.prefix}.2.138"
    client, key = f"{ip}:0/4711", f"understudy/server/early/blocklist/{ip}"
    store = lambda *words: protected.lab.exec("store", "ceph", *words)     # noqa: E731
    try:
        store("config-key", "set", key, json.dumps({"address": ip, "known": True, "off": False, "clients": [client]}))
        store("osd", "blocklist", "add", f"{ip}:0/0", "157680000")
        store("osd", "blocklist", "add", client, "3600")
        soon = refused(protected)[client]
        protected.run("/usr/libexec/understudy/server-entries", "--ceph-user", "understudy", "--lift", "early")
        entries = refused(protected)
        assert f"{ip}:0/0" not in entries and int(entries[client][:4]) > int(soon[:4]) + 3
    finally:
        for entry in (f"{ip}:0/0", client):
            store("osd", "blocklist", "rm", entry)
        store("config-key", "rm", key)


@CAMPAIGN
def test_an_address_that_another_server_needs_stays_on_the_blocklist(protected):
    """One server's address was given to another, which has failed since, while the first was away. The first is back: its
    record goes, and the entry stays for the other, until that is back too."""
    address = f"{protected.site.prefix}.2.139"
    keys = {name: f"understudy/server/{name}/blocklist/{address}" for name in ("early", "late")}
    store = lambda *words: protected.lab.exec("store", "ceph", *words)     # noqa: E731
    lift = lambda name: protected.run("/usr/libexec/understudy/server-entries", "--ceph-user", "understudy", "--lift", name)  # noqa: E731
    try:
        for key in keys.values():
            store("config-key", "set", key, json.dumps({"address": address, "known": True, "off": True, "clients": []}))
        store("osd", "blocklist", "add", f"{address}:0/0", "157680000")
        said = lift("early").stdout
        assert f"{address} stays on the store's blocklist, for it is late's now" in said
        assert f"{address}:0/0" in refused(protected)
        assert not any(key.endswith(f"early/blocklist/{address}") for key in json.loads(store("config-key", "ls").stdout))
        lift("late")
        assert f"{address}:0/0" not in refused(protected)
    finally:
        store("osd", "blocklist", "rm", f"{address}:0/0")
        for key in keys.values():
            store("config-key", "rm", key)
