# SPDX-License-Identifier: GPL-2.0-or-later
"""cluster-glue's plugin `rbd` as stonith(8) and crmsh call it: what it says, against what the store does."""

import subprocess

from fence_agent import fence, prepared, quiet_cluster, run_image  # noqa: F401
from lab.api import wait_until
from lab.site import POOL, UNFENCE_USER


def stonith(fence, *words: str, **more: str) -> subprocess.CompletedProcess:
    """stonith(8) with the plugin, by the host that fences."""
    parameters = {"hostlist": "host2 host3", "pools": POOL, "unfence_user": UNFENCE_USER, "start_timeout": "0"} | more
    return fence.lab.exec(fence.host, *fence.environment(), "stonith", "-t", "rbd",
                          *(f"{name}={value}" for name, value in parameters.items()), *words, check=False,
                          timeout_s=90)


def test_crm_and_stonith_know_the_plugin(fence):
    for command in (("stonith", "-t", "rbd", "-m"), ("crm", "ra", "info", "stonith:rbd")):
        told = fence.lab.exec(fence.host, *command).stdout
        assert "hostlist" in told and "unfence_user" in told
    assert stonith(fence, "-l").stdout.split() == ["host2", "host3"]


def test_parameters_from_the_environment(fence):
    """As Pacemaker gives them: the optional ones must arrive, too."""
    def status(pools):
        return fence.lab.exec(fence.host, *fence.environment(), "env", "hostlist=host2 host3", f"pools={pools}", "stonith",
                              "-t", "rbd", "-E", "-S", check=False, timeout_s=90).returncode
    assert status(POOL) == 0
    assert status("nopool") != 0


def test_off_is_refusal_by_the_store_and_on_takes_it_back(fence):
    with fence.writer() as writes:
        assert stonith(fence, "-S").returncode == 0
        assert fence.target_entries() == set(), "status fences nobody"
        done = stonith(fence, "-T", "off", fence.target)
        assert done.returncode == 0, done.stderr
        assert fence.entry in fence.target_entries() and fence.watchers() == []
        writes.wait_refused()
    fence.say_empty()
    done = stonith(fence, "-T", "on", fence.target)
    assert done.returncode == 0, done.stderr
    assert fence.is_let_in()
    with fence.writer():
        pass


def test_what_it_can_not_do_it_does_not_report_as_done(fence):
    """The store boots nobody; a host that is not in hostlist is none of this device's."""
    before = fence.blocklist()
    for words in (("-T", "reset", fence.target), ("-T", "off", "host1")):
        assert stonith(fence, *words).returncode != 0
    assert stonith(fence, "-S", pools="nopool").returncode != 0
    assert stonith(fence, "-S", power_timeout="soon").returncode != 0
    assert fence.blocklist() == before


def test_a_refusal_is_no_success(fence):
    """The core says no: the address is another host's."""
    fence.publish(fence.target, store_addresses=[fence.site.address("host3", "store")])
    before = fence.blocklist()
    assert stonith(fence, "-T", "off", fence.target).returncode != 0
    assert fence.blocklist() == before


def test_status_says_that_the_store_is_away(fence):
    fence.close()
    fence.lab.service("store", "stop", "mon")
    assert stonith(fence, "-S").returncode != 0
    assert stonith(fence, "-T", "off", fence.target).returncode != 0
    fence.lab.service("store", "start", "mon")
    wait_until(lambda: stonith(fence, "-S").returncode == 0, 60, "the store to answer again")
