# SPDX-License-Identifier: GPL-2.0-or-later
"""The host with the lowest real use of CPU and memory wins, what runs stays, and `understudy hosts` agrees."""

import random

import pytest

from simulation import Host, Server

# What is said, the hosts, and who must win.
CASES = {
    "equal hosts, one with CPU load": ([Host("a", 8, 32768, 4), Host("b", 8, 32768), Host("c", 8, 32768, 2)], "b"),
    "equal hosts, one with memory load": ([Host("a", 8, 32768, 0, 16384), Host("b", 8, 32768)], "b"),
    "a large busy host against a small idle one": ([Host("a", 32, 131072, 30, 120000), Host("b", 8, 32768)], "b"),
    "a large half-busy host has more left than a small idle one": (
        [Host("a", 32, 131072, 16, 65536), Host("b", 8, 32768)], "a"),
    "much CPU but hardly any memory against a balanced host": ([Host("a", 64, 8192), Host("b", 8, 32768)], "b"),
    "much memory but hardly any CPU against a balanced host": ([Host("a", 2, 262144), Host("b", 8, 32768)], "b"),
    "load on CPU here, on memory there: the lesser share lost wins": (
        [Host("a", 8, 32768, 6, 0), Host("b", 8, 32768, 0, 12288)], "b"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_least_loaded_host_wins(simulation, case):
    hosts, winner = CASES[case]
    # In both orders, so that a name does not decide.
    for order in (hosts, hosts[::-1]):
        renamed = [Host(f"host{i}", *[getattr(h, f) for f in ("cpus", "memory_mib", "load_cpus", "load_mib")])
                   for i, h in enumerate(order, 1)]
        want = f"host{[h.name for h in order].index(winner) + 1}"
        site = simulation(renamed, [Server("db1")])
        assert site.ranked("db1")[0] == want
        site.grant("db1")
        assert site.images() == {"db1": want}


def test_without_headroom_two_attributes_would_tie(simulation):
    """Why headroom is published: cpu and hv_memory have one vote each, and the name would decide."""
    hosts = [Host("host1", 8, 32768, 6, 0), Host("host2", 8, 32768, 0, 12288)]
    site = simulation(hosts, [Server("db1")])
    for host in hosts:
        site.set_capacity(host.name, headroom=1000)
    site.grant("db1")
    assert site.images() == {"db1": "host1"}


def test_nothing_that_runs_moves_when_capacity_changes(five):
    five.grant("s01", "s02", "s03", "s04", "s05")
    before = five.images()
    for host in five.hosts:
        used = five.used(host.name)
        # Down to what runs there: ocf:understudy:capacity never publishes less.
        five.set_capacity(host.name, cpu=used["cpu"], hv_memory=used["hv_memory"],
                          headroom=sum(max(1, min(100 * s.vcpus, 100 * s.memory_mib // 4096)) for s in five.servers
                                       if before.get(s.name) == host.name))
        five.run()
        assert five.images() == before
    for host in five.hosts:
        five.set_capacity(host.name, **{name: 2 * value for name, value in host.capacity().items()})
        five.run()
        assert five.images() == before


def test_a_preference_for_another_host_moves_nothing_that_runs(five):
    """resource-stickiness: an operator's word counts at the next takeover, and no image is restarted for it."""
    five.grant("s01")
    first = five.images()["s01"]
    other = next(host.name for host in five.hosts if host.name != first)
    five.prefer("s01", other, 500)
    assert "standby-s01" not in five.run()
    assert five.images() == {"s01": first}
    five.revoke("s01")
    five.grant("s01")
    assert five.images() == {"s01": other}


def test_load_sends_the_next_takeover_elsewhere(five):
    first = five.ranked("s01")[0]
    five.grant("s01")
    used = five.used(first)
    five.set_capacity(first, cpu=used["cpu"] + 2, hv_memory=used["hv_memory"] + 8192, headroom=205)
    five.grant("s02")
    images = five.images()
    assert images["s01"] == first and images["s02"] != first


def test_a_host_that_the_store_refuses_gets_no_image_until_it_is_let_in(five):
    """As ocf:understudy:capacity publishes it then; what it has still is not moved for that."""
    first = five.ranked("s01")[0]
    room = next(host.capacity() for host in five.hosts if host.name == first)
    five.set_capacity(first, cpu=0, hv_memory=0, headroom=0)
    assert first not in five.ranked("s01")
    five.prefer("s01", first, 500)
    five.grant("s01")
    elsewhere = five.images()
    assert elsewhere["s01"] != first
    five.set_capacity(first, **room)
    five.run()
    assert five.images() == elsewhere
    five.revoke("s01")
    five.grant("s01")
    assert five.images() == {"s01": first}


def test_one_more_takeover_moves_nobody(five):
    before = {}
    for server in five.servers:
        five.grant(server.name)
        now = five.images()
        assert {s: now.get(s) for s in before} == before
        assert server.name in now
        before = now


@pytest.mark.parametrize("seed", range(12))
def test_hosts_ranks_as_the_scheduler_chooses(simulation, seed):
    """The whole order: the best host is put in standby again and again."""
    chance = random.Random(seed)
    hosts = []
    for i in range(1, chance.randint(3, 6)):
        cpus, memory_mib = chance.choice((2, 4, 8, 16)), chance.choice((4096, 8192, 16384, 32768))
        hosts.append(Host(f"host{i}", cpus, memory_mib, chance.choice((0, 0.3, 1, cpus / 2)),
                          chance.randrange(0, memory_mib // 2), chance.choice(("1", "1", "1", "no-service"))))
    servers = [Server(f"db{i}", chance.choice((1, 2)), chance.choice((512, 1024, 3072))) for i in range(1, 5)]
    site = simulation(hosts, servers)
    site.grant("db1")
    site.grant("db2")
    for host in [host.name for host in hosts]:
        ranked = site.ranked("db3")
        site.grant("db3")
        assert site.images().get("db3") == (ranked[0] if ranked else None)
        site.revoke("db3")
        if not ranked:
            break
        if ranked[0] in site.images().values():
            break   # with it in standby what runs there would move
        site.set_standby(ranked[0])
