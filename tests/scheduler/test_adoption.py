# SPDX-License-Identifier: GPL-2.0-or-later
"""adopt looks at the whole site, and Pacemaker does with its work what it says."""

import subprocess

import pytest

from simulation import Host, Server

HOSTS = [Host("host1", 8, 32768), Host("host2", 4, 16384), Host("host3", 2, 8192)]


@pytest.fixture
def site(simulation):
    """One server, three hosts."""
    return simulation(HOSTS, [Server("db1")])


def refused(site, *words: str) -> str:
    """The command ends with an error, which is returned, and changes nothing."""
    before = site.cib.read_bytes()
    done = subprocess.run([site.tools.command, *words], env=site.tools.environment(site.cib), capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 2, done.stdout + done.stderr
    assert site.cib.read_bytes() == before
    return done.stderr


@pytest.mark.parametrize("words, why", [
    (("host1", "--disk", "vm/other"), "is the name of a cluster node"),
    (("HOST1", "--disk", "vm/other"), "is the name of a cluster node"),
    (("db2", "--disk", "vm/db1"), "db1 has the image vm/db1 too"),
    (("db2", "--disk", "vm/run-db1-0"), "named like a run image"),
    (("DB1", "--disk", "vm/other"), "differ in case only"),
    (("db2", "--disk", "vm/db2", "--set", "server=db1"), "does not fit the resource standby-db2"),
    (("db2", "--disk", "vm/db2", "--service-address", "10.0.3.2", "--recover-probe", "icmp:10.0.3.2"),
     "asks the service address"),
    (("db2", "--disk", "vm/db2", "--probe", "tcp:10.0.3.2:22", "--recover-probe", "tcp:10.0.3.2:22"),
     "is one of the probes"),
])
def test_what_does_not_fit_the_site_is_refused(site, words, why):
    assert why in refused(site, "adopt", "--no-store", *words)


@pytest.mark.parametrize("option, value", [("--service-address", "fd00::5"), ("--store-address", "10.0.2.1"),
                                           ("--mac", "52:54:00:00:00:01")])
def test_two_servers_do_not_share_an_address(site, option, value):
    site.adopt(Server("db1"), option, value)
    assert "give each server its own" in refused(site, "adopt", "--no-store", "db2", "--disk", "vm/db2", option, value)


def test_status_names_what_does_not_fit(site):
    site.adopt(Server("db2"))
    cib = site._read()
    cib.find(".//primitive[@id='standby-db2']//nvpair[@name='disks']").set("value", "vm/db1")
    site._write(cib)
    assert "db2 has the image vm/db1 too" in site.status("db1")["reason"]
    assert "db1 has the image vm/db1 too" in site.status("db2")["reason"]
