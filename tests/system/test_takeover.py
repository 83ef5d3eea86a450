# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job: at rest nothing runs; a server that fails is taken over, and takes its place again."""

import pytest

from lab.api import wait_until


def assert_at_rest(protected):
    """No ticket, no domain, no watcher on any image."""
    assert protected.granted_tickets() == set()
    assert protected.images_running() == {}
    assert all(names == [] for names in protected.domains().values())
    for image in protected.protected_images():
        assert protected.watchers(image) == [], image


def test_at_rest_every_image_is_stopped(protected):
    assert_at_rest(protected)
    assert {s["verdict"] for s in protected.status()["servers"]} == {"healthy"}


def test_at_rest_after_a_restart_of_the_whole_cluster(protected):
    lab = protected.lab
    for host in protected.hosts:
        lab.crash(host)
    for host in protected.hosts:
        lab.boot(host)
    wait_until(lambda: all(protected.server(s)["votes"]["up"] == len(protected.hosts) for s in protected.servers), 120,
               "all observers to vote up", poll_s=0.5)
    assert_at_rest(protected)


def test_a_server_that_loses_power_is_taken_over_and_takes_its_place_again(protected):
    best = protected.ranked_hosts()[0]
    protected.lab.crash("db1")
    where = protected.wait_taken_over("db1")
    assert where == {"db1": best}
    assert protected.domain_hosts("db1") == [best]
    assert protected.granted_tickets() == {"takeover-db1"}
    assert protected.answering("db2") == "server"

    protected.lab.boot("db1")
    protected.wait_returned("db1")
    assert_at_rest(protected)


def test_a_server_whose_database_dies_is_powered_off_first(protected):
    lab = protected.lab
    lab.service("db1", "stop", "postgresql")
    protected.wait_taken_over("db1")
    assert lab.node("db1").state() == "crashed", "the original still has power while its image runs"


def test_three_at_once_spread_and_nothing_else_moves(protected):
    for server in protected.servers:
        protected.lab.crash(server)
    where = protected.wait_taken_over(*protected.servers)
    assert len(set(where.values())) >= 2, where
    for server, host in where.items():
        assert protected.domain_hosts(server) == [host]

    protected.lab.boot("db2")
    protected.wait_returned("db2")
    still = protected.images_running()
    assert still == {server: host for server, host in where.items() if server != "db2"}


@pytest.mark.parametrize("server", ["db1"])
def test_a_second_takeover_keeps_what_the_first_one_wrote(protected, server):
    protected.lab.crash(server)
    protected.wait_taken_over(server)
    protected.lab.boot(server)
    protected.wait_returned(server)
    run_image = f"run-{server}-0"
    assert run_image in protected.store_images(), "what the standby wrote was dropped"
    assert protected.server(server)["image"]["unreturned_bytes"] > 0
