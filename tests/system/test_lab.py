# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself: its faults are real, and so is what it says about a node."""

import pytest

from campaign import CAMPAIGN
from lab import cluster, server
from lab.api import wait_until
from lab.site import BMC_PASSWORD, BMC_USER, LabError
from documented import command
from protected import stays

OFF_STATE = 2  # a fence agent's exit code for "off"
COROSYNC_COPY = "/run/documented.conf"


def reads(lab, node, path):
    """The text of a file as a node sees it."""
    return lab.exec(node, "cat", path).stdout


def meminfo_mib(lab, node, field):
    """A figure of /proc/meminfo."""
    rows = dict(line.split(":") for line in reads(lab, node, "/proc/meminfo").splitlines())
    return int(rows[field].split()[0]) >> 10


def busy_ticks(lab, node):
    """(busy, total) CPU ticks of a node so far."""
    ticks = [int(t) for t in reads(lab, node, "/proc/stat").splitlines()[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def online(lab, seen_by):
    """The hosts that a host sees online."""
    return cluster.summary(lab.node(seen_by))["online"]


def test_a_daemon_that_ends_well_is_restarted_when_asked(lab):
    def osd():
        """The process of the store's OSD."""
        return reads(lab, "store", "/run/service/osd/supervise/pid").strip()
    before = osd()
    assert lab.service("store", "restart", "osd").returncode == 0
    wait_until(lambda: osd() not in ("", before), 20, "another OSD to run")
    with lab.store.admin() as admin:
        lab.store.wait_healthy(admin)


def pings(lab, node, address):
    """Whether an address answers a node."""
    return lab.exec(node, "ping", "-c1", "-W1", address, check=False).returncode == 0


@pytest.fixture(scope="module", autouse=True)
def no_observers(lab):
    """Servers that another file's tests have adopted would be taken over in the middle of a power cycle."""
    observers = ("crm_resource", "--resource", "understudy-observer-clone", "--meta")
    there = lab.exec("host1", *observers, "--set-parameter", "target-role", "--parameter-value", "Stopped",
                     check=False).returncode == 0
    lab.exec("host1", "crm_resource", "--wait", "--timeout", "60s", timeout_s=90)
    yield
    if there:
        lab.exec("host1", *observers, "--delete-parameter", "target-role")


@pytest.fixture
def all_well(lab):
    """Puts back what a test of the lab may have left."""
    yield
    if lab.condemned:
        return
    for host in lab.site.host_names:
        lab.power(host, True)
        lab.load(host, 0, 0)
    for name in lab.site.server_names:
        lab.power(name, True)
        lab.wait_database(name)
    cluster.wait_ready(lab.site, lab.node("host1"))


def test_each_host_sees_its_own_size(lab):
    for host in lab.site.host_names:
        cpus, memory_mib = lab.site.host_size(host)
        assert reads(lab, host, "/proc/cpuinfo").count("processor\t") == cpus
        assert meminfo_mib(lab, host, "MemTotal") == memory_mib


def busy_shares(lab, *hosts):
    """The share of its CPUs' time that each host is busy, over two seconds of two CPUs of the first."""
    start = {host: busy_ticks(lab, host) for host in hosts}
    wait_until(lambda: busy_ticks(lab, hosts[0])[1] - start[hosts[0]][1] > 400, 20, "two seconds of two CPUs")
    end = {host: busy_ticks(lab, host) for host in hosts}
    return [(end[host][0] - start[host][0]) / (end[host][1] - start[host][1]) for host in hosts]


@CAMPAIGN
def test_load_shows_on_its_host_alone(lab, all_well):
    before_mib = meminfo_mib(lab, "host1", "MemAvailable")
    lab.load("host1", 60, 400)
    wait_until(lambda: meminfo_mib(lab, "host1", "MemAvailable") < before_mib - 350, 20, "the memory to be held")
    shares = []

    def shows():
        shares[:] = busy_shares(lab, "host1", "host2")
        return shares[0] > 0.4
    wait_until(shows, 20, "the CPUs to be taken")  # which the labs beside this one may have for a while
    assert shares[1] < 0.3
    lab.load("host1", 0, 0)
    wait_until(lambda: meminfo_mib(lab, "host1", "MemAvailable") > before_mib - 100, 20, "the memory to be free")


def test_a_power_cycle_is_a_new_boot_from_the_same_disk(lab, all_well):
    client = lab.node("client")
    lab.exec("client", "psql", "-qX", "-h", lab.site.address("db1", "svc"), "-U", "postgres",
             "-c", "create table if not exists kept (n int); insert into kept values (1)")
    boot_id = reads(lab, "db1", "/proc/sys/kernel/random/boot_id")
    lab.crash("db1")
    assert not server.answers(lab.site, client, "db1")
    assert not pings(lab, "client", lab.site.address("db1", "mgmt"))
    with pytest.raises(LabError, match="no power"):
        lab.exec("db1", "true")
    lab.boot("db1")
    lab.wait_database("db1")
    assert reads(lab, "db1", "/proc/sys/kernel/random/boot_id") != boot_id
    rows = lab.exec("client", "psql", "-XtA", "-h", lab.site.address("db1", "svc"), "-U", "postgres",
                    "-c", "select count(*) from kept; drop table kept").stdout
    assert rows.split()[0] == "1"


def test_a_server_waits_while_its_address_is_in_use(lab, all_well):
    address = lab.site.address("db1", "svc")
    log = lab.node("db1").log("gate.log")
    lab.crash("db1")
    lab.exec("client", "ip", "address", "add", f"{address}/32", "dev", "svc")
    try:
        before = len(log.read_text())
        lab.boot("db1")
        wait_until(lambda: "is in use" in log.read_text()[before:], 20, "the server to find its address in use")
        assert f"{address}/" not in lab.exec("db1", "ip", "-o", "address").stdout
    finally:
        lab.exec("client", "ip", "address", "del", f"{address}/32", "dev", "svc")
    lab.wait_database("db1")


def test_pacemaker_switches_a_server_off_by_ipmi(lab, all_well):
    lab.exec("host1", "stonith_admin", "--fence", "db2", "--timeout", "30")
    assert lab.node("db2").state() == "crashed"
    asked = lab.exec("host1", "fence_ipmilan", "-P", "-C", "3", "-a", lab.site.bmc_address("db2"), "-l", BMC_USER,
                     "-p", BMC_PASSWORD, "-o", "status", check=False)
    assert asked.returncode == OFF_STATE
    lab.boot("db2")


@CAMPAIGN
def test_a_frozen_host_is_fenced_and_comes_back(lab, all_well):
    boot_id = reads(lab, "host3", "/proc/sys/kernel/random/boot_id")
    lab.freeze("host3")
    wait_until(lambda: "host3" not in online(lab, "host1"), 30, "host1 to miss host3")
    wait_until(lambda: "host3" in online(lab, "host1"), 90, "host3 to be back")
    assert reads(lab, "host3", "/proc/sys/kernel/random/boot_id") != boot_id


def totem(lab, key):
    """A figure of Corosync's configuration as it runs."""
    return int(lab.exec("host1", "corosync-cmapctl", "-g", f"runtime.config.totem.{key}").stdout.split()[-1])


def test_a_dead_link_is_found_long_before_the_token_is_given_up(lab):
    for link in range(len(cluster.LINKS)):
        assert 4 * totem(lab, f"interface.{link}.knet_ping_timeout") < totem(lab, "token")


def test_one_link_of_two_is_enough_for_the_cluster(lab):
    lab.cut("host3", "mgmt")
    try:
        assert lab.status()["nodes"]["host3"]["links"]["mgmt"] == "cut"
        wait_until(lambda: not pings(lab, "host1", lab.site.address("host3", "mgmt")), 10, "the link to be down")
        assert pings(lab, "host1", lab.site.address("host3", "svc"))
        stays(lambda: "host3" in online(lab, "host1"), "host3 as a member")
    finally:
        lab.heal("host3", "mgmt")
    wait_until(lambda: pings(lab, "host1", lab.site.address("host3", "mgmt")), 20, "the link to be up")


def test_two_links_as_documented(lab):
    lab.exec("host1", *command("install.md", "pcs cluster setup"), "--corosync_conf", COROSYNC_COPY, "--overwrite")
    written = lab.exec("host1", "cat", COROSYNC_COPY).stdout
    for parameter in ("knet_ping_interval: 200", "knet_ping_timeout: 600"):
        assert written.count(parameter) == len(cluster.LINKS)


def test_a_block_is_between_two_nodes_only(lab):
    address = lab.site.address("db1", "mgmt")
    lab.block("host1", "db1")
    try:
        assert not pings(lab, "host1", address)
        assert pings(lab, "host2", address)
    finally:
        lab.unblock("host1", "db1")
    assert pings(lab, "host1", address)
