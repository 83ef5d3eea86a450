# SPDX-License-Identifier: GPL-2.0-or-later
"""The hosts of the simulated clusters publish what ocf:understudy:capacity would."""

import random
import shlex
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from simulation import FIVE_HOSTS, Host

HERE = Path(__file__).parent
AGENTS = HERE.parents[1] / "agents"
OCF_ROOT = Path("/usr/lib/ocf")


@pytest.fixture(scope="module")
def published(tools, tmp_path_factory):
    """The agent's own code: published(host) is what it gives to a host that it has published nothing of yet."""
    program = tmp_path_factory.mktemp("published") / "published"
    glib = subprocess.run(["pkg-config", "--cflags", "--libs", "glib-2.0"], check=True, capture_output=True, text=True)
    subprocess.run(["cc", "-o", program, HERE / "published.c", AGENTS / "capacity/capacity_logic.c", f"-I{AGENTS}",
                    *shlex.split(glib.stdout), "-lm"], check=True, timeout=60)
    agent = (tools.ocf_root or OCF_ROOT) / "resource.d/understudy/capacity"
    metadata = ET.fromstring(subprocess.run([agent, "meta-data"], check=True, capture_output=True).stdout)
    defaults = {p.get("name"): p.find("content").get("default") for p in metadata.iter("parameter")}
    limits = [defaults[name] for name in ("cpu_reserve", "memory_reserve_mib", "memory_step_mib")]

    def of(host: Host) -> dict[str, int]:
        words = [host.cpus, host.memory_mib, *limits, host.load_cpus, host.load_mib]
        done = subprocess.run([program, *map(str, words)], check=True, capture_output=True, text=True)
        return dict(zip(("cpu", "hv_memory", "headroom"), map(int, done.stdout.split()), strict=True))
    return of


def test_simulated_hosts_publish_what_the_agent_would(published):
    chance = random.Random(1)
    hosts = FIVE_HOSTS + [Host("any", chance.randint(1, 128), chance.randint(512, 1 << 20), chance.random() * 20,
                               chance.randrange(1 << 19)) for _ in range(200)]
    for host in hosts:
        assert host.capacity() == published(host), host
