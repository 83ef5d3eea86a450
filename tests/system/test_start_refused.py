# SPDX-License-Identifier: GPL-2.0-or-later
"""An image is not started without its ticket, whoever asks for it and whatever has become of the constraint."""

from image_agent import CLAIM_PLACE, ImageAgent, holder_end, second_pool
from lab.api import wait_until
from lab.site import POOL

NO_TICKET = "no ticket: "


def failed_start_reasons(protected, server):
    """Exit reasons of the starts of a server's image that Pacemaker has recorded as failed."""
    return [op.get("exit-reason") for op in protected.cib().iter("lrm_rsc_op")
            if op.get("id", "").startswith(f"standby-{server}_last_failure") and op.get("operation") == "start"]


def domains_named(protected, server):
    """Every domain that libvirt has made of a server's image since it started, by its log on the hosts."""
    logs = [protected.run("sh", "-c", f"cat /var/log/libvirt/qemu/standby-{server}.log 2>/dev/null | grep -c starting.up",
                          host=host, check=False).stdout.strip() for host in protected.hosts]
    return sum(int(count or 0) for count in logs)


def test_a_start_by_hand_beside_a_healthy_server(protected):
    """As `pcs resource debug-start` does it: Pacemaker asks nobody then."""
    made = domains_named(protected, "db3")
    done = protected.run("crm_resource", "--force-start", "--resource", "standby-db3", host="host2", check=False,
                         timeout_s=150)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert NO_TICKET in said and "understudy takeover db3" in said, said
    assert domains_named(protected, "db3") == made and protected.answering("db3") == "server"


def test_a_start_without_the_constraint(protected):
    """Somebody has deleted it: Pacemaker wants to run the image beside its server. Mended, it is taken over as ever."""
    made = domains_named(protected, "db3")
    protected.run("pcs", "constraint", "delete", "ticket-standby-db3")
    try:
        wait_until(lambda: any((reason or "").startswith(NO_TICKET) for reason in failed_start_reasons(protected, "db3")),
                   60, "a start to be refused", poll_s=0.3)
        assert domains_named(protected, "db3") == made and protected.domain_hosts("db3") == []
        assert protected.answering("db3") == "server" and protected.verdict("db3") == "healthy"
    finally:
        protected.adopt("db3")
    # No host stays banned for it: the observers have Pacemaker forget it, since the constraint is there again.
    wait_until(lambda: not any((reason or "").startswith(NO_TICKET) for reason in failed_start_reasons(protected, "db3")),
               60, "the refused starts to be forgotten", poll_s=0.5)
    protected.lab.crash("db3")
    assert protected.wait_taken_over("db3").keys() == {"db3"}
    # The claim of an image that runs is nobody's to take away.
    done = protected.understudy("unclaim", "db3", check=False)
    assert done.returncode != 0 and "the image of db3 is running" in done.stderr


def claim_set(protected, server, text, clients="", pool=POOL):
    """A claim as a start would have made it, and what it has said of its clients."""
    for key, value in (("holder", text), ("clients", clients)):
        protected.lab.exec("store", "rados", "-p", pool, "setomapval", f"understudy_claim.{server}", key, value)


def test_a_claim_of_a_host_that_is_no_more_is_taken_away(protected):
    """By the operator alone, and never while somebody may write to the image."""
    run_image = "run-db3-0"
    made = run_image not in protected.store_images()
    if made:
        protected.lab.exec("store", "rbd", "create", "--size", "8M", f"{POOL}/{run_image}")
    host9, silent = "192.0.2.9", f"{protected.lab.site.address('host2', 'store')}:0/4711"
    claim_set(protected, "db3", "host9 boot start", f"start some {host9}:0/4711")
    agent = ImageAgent(protected.lab)
    holder = agent.hold("host2", f"{POOL}/{run_image}", "understudy")
    try:
        writer, = protected.watchers(run_image)
        done = protected.understudy("unclaim", "db3", check=False)
        assert done.returncode != 0 and f"ceph osd blocklist add {writer}" in done.stderr
        protected.lab.exec("store", "ceph", "osd", "blocklist", "add", writer, "600")
        owner = agent.leave_locked("host2", f"{POOL}/{run_image}")
        # Which clients the start has made is not known: nothing of its host may write.
        done = protected.understudy("unclaim", "db3", check=False)
        assert done.returncode != 0 and f"ceph osd blocklist add {host9}'" in done.stderr
        assert owner not in agent.blocklist()
        protected.lab.exec("store", "ceph", "osd", "blocklist", "add", host9)
        assert "db3 was claimed by a start on host9" in protected.understudy("unclaim", "db3").stdout
        assert owner in agent.blocklist(), "who had the image last must not come back"
        claim_set(protected, "db3", "host9 boot other", f"other all {silent}")
        protected.understudy("unclaim", "db3")
        assert silent in agent.blocklist(), "nor who has not written yet"
        assert "nobody has claimed db3" in protected.understudy("unclaim", "db3").stdout
    finally:
        holder_end(holder)
        protected.lab.exec("store", "ceph", "osd", "blocklist", "clear")
        if made:
            wait_until(lambda: protected.lab.exec("store", "rbd", "rm", "--no-progress", f"{POOL}/{run_image}",
                                                  check=False).returncode == 0, 40, f"{run_image} to go", poll_s=1)


def test_a_claim_in_another_pool_is_shown_and_taken_away(protected):
    """Its start had another run_pool than the server's parameters name now."""
    key, silent = CLAIM_PLACE.format("db3", "start"), f"{protected.lab.site.address('host2', 'store')}:0/4712"
    agent = ImageAgent(protected.lab)
    with second_pool(protected.lab) as pool:
        claim_set(protected, "db3", "host9 boot start", f"start all {silent}", pool=pool)
        protected.lab.exec("store", "ceph", "config-key", "set", key, f"host9 boot start {pool}/run-db3-0")
        try:
            assert f"its claim by host9 lies in pool {pool}" in protected.server("db3")["reason"]
            assert f"db3 was claimed by a start on host9 in pool {pool}" in protected.understudy("unclaim", "db3").stdout
            assert silent in agent.blocklist(), "who had it must not come back"
            assert "its claim" not in protected.server("db3")["reason"]
            assert key not in protected.lab.exec("store", "ceph", "config-key", "ls").stdout
            assert "nobody has claimed db3" in protected.understudy("unclaim", "db3").stdout
        finally:
            protected.lab.exec("store", "ceph", "config-key", "rm", key)
            protected.lab.exec("store", "ceph", "osd", "blocklist", "clear")
