# SPDX-License-Identifier: GPL-2.0-or-later
"""The shipped configuration, twenty servers on five hosts: what Pacemaker does, as golden files."""

ALL = [f"s{i:02}" for i in range(1, 21)]


def test_normally_everything_is_stopped(five, golden):
    assert five.images() == {}
    golden("normal", five.picture("Nothing has failed", five.run()))


def test_one_server_fails(five, golden):
    best = five.ranked("s01")[0]
    golden("one-failed", five.picture("s01 fails", five.grant("s01")))
    assert five.images() == {"s01": best}


def test_three_servers_fail_at_once(five, golden):
    golden("three-failed", five.picture("s01, s02 and s03 fail at once", five.grant("s01", "s02", "s03")))
    images = five.images()
    assert set(images) == {"s01", "s02", "s03"}
    assert len(set(images.values())) > 1, "they are not spread"


def test_all_twenty_servers_fail_at_once(five, golden):
    golden("twenty-failed", five.picture("All twenty servers fail at once", five.grant(*ALL)))
    assert set(five.images()) == set(ALL)
    for host in five.hosts:
        for name, used in five.used(host.name).items():
            assert used <= host.capacity()[name], f"{host.name} is given too much: {name}"


def test_a_host_fails_during_a_takeover(five, golden):
    five.grant("s01", "s02", "s03")
    before = five.images()
    lost = before["s01"]
    golden("host-failure", five.picture(f"s01, s02 and s03 run in the cloud; {lost} fails",
                                        five.run("--node-fail", lost)))
    after = five.images()
    assert set(after) == set(before) and lost not in after.values()
    for server, host in before.items():
        if host != lost:
            assert after[server] == host, "an image on another host moved"


def test_a_ticket_is_lost(five, golden):
    five.grant("s01", "s02")
    before = five.images()
    golden("ticket-loss", five.picture("s01 and s02 run in the cloud; s01's ticket is revoked", five.revoke("s01")))
    assert five.images() == {"s02": before["s02"]}


def test_no_host_has_room(five, golden):
    for host in five.hosts:
        five.set_capacity(host.name, hv_memory=1024)
    golden("no-room", five.picture("No host has room for s01, which fails", five.grant("s01")))
    assert five.images() == {}
    assert five.ranked("s01") == []
    five.set_capacity("host3", hv_memory=16384)
    five.run()
    assert five.images() == {"s01": "host3"}


def test_service_network_of_a_host_is_cut(five, golden):
    five.grant("s01")
    first = five.images()["s01"]
    five.set_reach(first, "no-service")
    golden("reach", five.picture(f"s01 runs on {first}, whose service network fails", five.run()))
    assert five.images()["s01"] != first


def test_service_network_of_all_hosts_is_cut(five):
    five.grant("s01")
    before = five.images()
    for host in five.hosts:
        five.set_reach(host.name, "no-store")
    five.run()
    assert five.images() == before, "there is nowhere better to be"
