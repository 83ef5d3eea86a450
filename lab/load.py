# SPDX-License-Identifier: GPL-2.0-or-later
"""Real load on a node: a service of the node that burns CPU and holds memory on the node's account."""

import json
import os
from pathlib import Path

from lab.node import Node, Plan
from lab.service import Service
from lab.site import LabError

SERVICE = "load"


def plan() -> Plan:
    burner = Path(__file__).with_name("burner.py")
    return Plan(services=[Service(SERVICE, ["/usr/bin/python3", "-I", str(burner)], start=False)])


def set_load(node: Node, cpu_percent: int, memory_mib: int) -> None:
    """Burns cpu_percent of the node's whole CPU capacity and holds memory_mib; 0 and 0 end it."""
    if not 0 <= cpu_percent <= 100 or memory_mib < 0:
        raise LabError("A load is 0 to 100 percent of the node's CPU and 0 or more MiB of memory.")
    cpus, limit_mib = node.site.host_size(node.name) if node.site.kind(node.name) == "host" else (os.cpu_count(), None)
    if limit_mib is not None and memory_mib > limit_mib - 256:
        raise LabError(f"{node.name} has {limit_mib} MiB of memory and needs 256 of it: it can't hold {memory_mib}.")
    node.exec("sv", "force-stop", SERVICE)
    if cpu_percent or memory_mib:
        load = json.dumps({"cpu_percent": cpu_percent, "memory_mib": memory_mib, "cpus": cpus})
        node.exec("tee", "/run/load.json", stdin=load)
        node.exec("sv", "start", SERVICE)
