# SPDX-License-Identifier: GPL-2.0-or-later
"""Where an image may run, and why it does not, is the scheduler's word, however the operator has written it."""

import pytest

from simulation import Host, Server

HOSTS = [Host("host1", 8, 32768), Host("host2", 4, 16384), Host("host3", 2, 8192)]

BANS = {
    "pattern": '<rsc_location id="ban" rsc-pattern="^standby-.*" node="host1" score="-INFINITY"/>',
    "set": '<rsc_location id="ban" node="host1" score="-INFINITY"><resource_set id="ban-set">'
           '<resource_ref id="standby-db1"/></resource_set></rsc_location>',
    "case": '<rsc_location id="ban" rsc="standby-db1" node="HOST1" score="-INFINITY"/>',
    "role": '<rsc_location id="ban" rsc="standby-db1" role="Started" node="host1" score="-INFINITY"/>',
    "rule": '<rsc_location id="ban" rsc="standby-db1"><rule id="ban-rule" score="-INFINITY">'
            '<expression id="ban-e" attribute="#uname" operation="eq" value="host1"/></rule></rsc_location>',
    "colocation": '<rsc_colocation id="ban" rsc="standby-db1" with-rsc="standby-db2" score="-INFINITY"/>',
}


@pytest.fixture
def site(simulation):
    """Two servers, three hosts; host1 is the best for both."""
    return simulation(HOSTS, [Server("db1"), Server("db2")])


@pytest.mark.parametrize("ban", BANS)
def test_a_ban_counts_however_it_is_written(site, ban):
    assert site.ranked("db1")[0] == "host1"
    site.grant("db2")
    assert site.images() == {"db2": "host1"}
    site.constrain(BANS[ban])
    assert site.ranked("db1") == ["host2", "host3"]
    assert "(ban)" in site.why("db1")["host1"]
    site.grant("db1")
    assert site.images()["db1"] == "host2"


def test_a_further_ticket_is_named(site):
    site.constrain('<rsc_ticket id="room" rsc="standby-db1" ticket="room-a" loss-policy="stop"/>')
    assert site.ranked("db1") == []
    assert "(room)" in site.why("db1")["host1"]
    site.run("--ticket-grant", "room-a")
    assert site.ranked("db1")[0] == "host1"


def test_a_capacity_that_is_not_ours_is_named(site):
    cib = site._read()
    utilization = cib.find(".//primitive[@id='standby-db1']/utilization")
    utilization.append(utilization.makeelement("nvpair", {"id": "licences", "name": "licences", "value": "1"}))
    site._write(cib)
    assert site.ranked("db1") == []
    assert site.why("db1")["host1"] == "no room: the image asks for licences, and the host has none"


def test_a_ban_by_a_tag_counts(site):
    site.constrain('<tag id="all"><obj_ref id="standby-db1"/><obj_ref id="standby-db2"/></tag>')
    site.constrain('<rsc_location id="ban" rsc="all" node="host1" score="-INFINITY"/>')
    assert site.ranked("db1") == ["host2", "host3"]
    assert "(ban)" in site.why("db1")["host1"]


def test_a_host_that_is_not_well_is_named(site):
    site.set_property("node-health-strategy", "migrate-on-red")
    site._set_pairs("host1", "attributes", {"#health-disk": "red"})
    assert site.ranked("db1") == ["host2", "host3"]
    assert "#health-disk is red" in site.why("db1")["host1"]


HOLDS = {
    "stop-all": (lambda site: site.set_property("stop-all-resources", "true"), "stop-all-resources"),
    "maintenance": (lambda site: site.set_property("maintenance-mode", "true"), "maintenance-mode"),
    "unmanaged": (lambda site: site.set_meta("standby-db1", "is-managed", "false"), "is-managed"),
    "its-maintenance": (lambda site: site.set_meta("standby-db1", "maintenance", "true"), "maintenance=false"),
    "disabled": (lambda site: site.set_meta("standby-db1", "target-role", "Stopped"), "target-role"),
}


@pytest.mark.parametrize("hold", HOLDS)
def test_what_holds_a_start_back_is_said_by_name(site, hold):
    act, name = HOLDS[hold]
    act(site)
    site.grant("db1")
    assert site.images() == {}
    assert name in site.status("db1")["reason"]
    assert site.ranked("db1") == []
    assert name in site.why("db1")["host1"]


def test_an_order_that_never_holds_is_named(site):
    site.constrain('<rsc_order id="after" first="standby-db2" then="standby-db1" kind="Mandatory"/>')
    site.grant("db1")
    assert site.images() == {}
    assert "about to begin" not in site.status("db1")["reason"]
    assert "db2" in site.status("db1")["reason"] or "after" in site.status("db1")["reason"]


def test_all_hosts_in_standby_are_named(site):
    for host in HOSTS:
        site.set_standby(host.name)
    site.grant("db1")
    assert "host1: standby" in site.status("db1")["reason"]


def test_a_host_that_will_start_it_is_named(site):
    site.understudy("hosts")
    cib = site._read()
    tickets = cib.find("status").makeelement("tickets", {})
    tickets.append(tickets.makeelement("ticket_state", {"id": "takeover-db1", "granted": "true"}))
    cib.find("status").append(tickets)
    site._write(cib)
    assert site.status("db1")["reason"] == "the start on host1 is about to begin"


def test_asking_the_scheduler_leaves_nothing_behind(site):
    site.why("db1")
    assert not list(site.tools.scratch.iterdir())
