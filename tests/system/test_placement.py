# SPDX-License-Identifier: GPL-2.0-or-later
"""Where images run: on the host with the most room, not where they can't, and they stay where they are."""

import pytest

from lab.api import wait_until

CAPACITY_TIMEOUT_S = 120


def test_load_moves_no_running_image_but_the_next_takeover_goes_elsewhere(protected):
    best = protected.ranked_hosts()[0]
    protected.lab.crash("db1")
    assert protected.wait_taken_over("db1") == {"db1": best}
    started = protected.run("virsh", "-c", "qemu:///system", "domid", "standby-db1", host=best).stdout

    free = protected.headroom()[best]
    size_mib = protected.site.host_size(best)[1]
    protected.lab.load(best, 70, size_mib * 6 // 10)
    wait_until(lambda: protected.headroom()[best] < free, CAPACITY_TIMEOUT_S, f"{best} to publish its load", poll_s=1)
    assert protected.ranked_hosts()[0] != best
    assert protected.images_running() == {"db1": best}

    next_best = protected.ranked_hosts()[0]
    protected.lab.crash("db2")
    protected.wait_taken_over("db2")
    assert protected.images_running() == {"db1": best, "db2": next_best}
    now = protected.run("virsh", "-c", "qemu:///system", "domid", "standby-db1", host=best).stdout
    assert now == started, "the image that ran was restarted"


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
def too_large(protected):
    """db1's image asks for more memory than any host has."""
    protected.adopt("db1", memory_mib=500000)
    yield protected
    protected.adopt("db1")


def test_no_room_is_said_and_room_is_used_when_it_appears(too_large):
    protected = too_large
    protected.lab.crash("db1")
    protected.wait_verdict("db1", "failed")
    wait_until(lambda: "hv_memory" in protected.server("db1")["reason"], 30, "status to say that there is no room")
    assert protected.domain_hosts("db1") == []
    protected.adopt("db1")
    protected.wait_taken_over("db1")


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
