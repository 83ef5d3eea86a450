# SPDX-License-Identifier: GPL-2.0-or-later
"""A cluster that exists only as a CIB: adopt configures it, crm_simulate lets time pass."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

TIMEOUT_S = 120
MEMORY_PER_CPU_MIB = 4096   # how `headroom` weighs memory against CPUs
RESERVE_MIB = 512           # ocf:understudy:capacity keeps so much for the host
STEP_MIB = 256
HEADROOM_ROUNDING = 125     # so that headroom refuses nothing that fits
HEADROOM_STEP = 25


@dataclasses.dataclass(frozen=True)
class Tools:
    """What is run: the command, the OCF root of the agents (None: the installed ones), a folder for scratch."""

    command: str
    ocf_root: Path | None
    scratch: Path

    def environment(self, cib: Path) -> dict[str, str]:
        more = {"CIB_file": str(cib), "CIB_shadow_dir": str(self.scratch), "TMPDIR": str(self.scratch)}
        if self.ocf_root is not None:
            more["OCF_ROOT"] = str(self.ocf_root)
        return os.environ | more


@dataclasses.dataclass(frozen=True)
class Host:
    """A host's size and the load on it that is not ours."""

    name: str
    cpus: int
    memory_mib: int
    load_cpus: float = 0
    load_mib: int = 0
    reach: str = "1"

    def capacity(self) -> dict[str, int]:
        """What ocf:understudy:capacity publishes of it (test_capacity.py)."""
        cpus = self.cpus - self.load_cpus
        memory_mib = self.memory_mib - RESERVE_MIB - self.load_mib
        headroom = HEADROOM_ROUNDING + 100 * max(0, min(cpus, memory_mib / MEMORY_PER_CPU_MIB))
        return {"cpu": max(0, int(cpus + 0.5)), "hv_memory": max(0, memory_mib // STEP_MIB * STEP_MIB),
                "headroom": int(headroom) // HEADROOM_STEP * HEADROOM_STEP}


@dataclasses.dataclass(frozen=True)
class Server:
    """A protected server and the size of its image."""

    name: str
    vcpus: int = 1
    memory_mib: int = 1024


FIVE_HOSTS = [Host("host1", 16, 65536, 1, 4096), Host("host2", 16, 65536, 2, 8192), Host("host3", 8, 32768),
              Host("host4", 12, 49152, 1, 2048), Host("host5", 32, 131072, 20, 81920)]
TWENTY_SERVERS = [Server(f"s{i:02}", vcpus=(1, 2, 2, 4)[i % 4], memory_mib=(2048, 4096, 8192, 8192)[i % 4])
                  for i in range(1, 21)]


def _run(argv: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, f"{' '.join(argv)}: exit code {done.returncode}: {done.stderr}{done.stdout}"
    return done.stdout


class Simulation:
    """The CIB of a site, and what the scheduler makes of it."""

    def __init__(self, tools: Tools, folder: Path, hosts: list[Host], servers: list[Server], new: bool = True):
        self.tools, self.hosts, self.servers = tools, hosts, servers
        self.cib = folder / "cib.xml"
        if new:
            self._write(self._empty())
            for server in servers:
                self.adopt(server)
            self.run()

    def copy(self, folder: Path) -> "Simulation":
        """The same site at the same moment, to be changed on its own."""
        other = Simulation(self.tools, folder, self.hosts, self.servers, new=False)
        shutil.copy(self.cib, other.cib)
        return other

    # --- the CIB -------------------------------------------------------------

    def _empty(self) -> ET.Element:
        cib = ET.Element("cib", {"crm_feature_set": "3.16.1", "validate-with": "pacemaker-3.9", "epoch": "1",
                                 "num_updates": "0", "admin_epoch": "0", "have-quorum": "1", "dc-uuid": "1"})
        configuration = ET.SubElement(cib, "configuration")
        crm_config = ET.SubElement(configuration, "crm_config")
        ET.SubElement(crm_config, "cluster_property_set", id="cib-bootstrap-options")
        nodes = ET.SubElement(configuration, "nodes")
        resources = ET.SubElement(configuration, "resources")
        # Pacemaker starts nothing before it knows how to fence.
        fencing = ET.SubElement(resources, "primitive", {"id": "power", "class": "stonith", "type": "fence_ipmilan"})
        ET.SubElement(fencing, "meta_attributes", id="power-meta_attributes")
        ET.SubElement(configuration, "constraints")
        status = ET.SubElement(cib, "status")
        for number, host in enumerate(self.hosts, 1):
            node = ET.SubElement(nodes, "node", {"id": str(number), "uname": host.name})
            utilization = ET.SubElement(node, "utilization", id=f"nodes-{number}-utilization")
            for name, value in host.capacity().items():
                ET.SubElement(utilization, "nvpair", {"id": f"nodes-{number}-utilization-{name}", "name": name,
                                                      "value": str(value)})
            state = ET.SubElement(status, "node_state", {"id": str(number), "uname": host.name, "in_ccm": "true",
                                                         "crmd": "online", "join": "member", "expected": "member",
                                                         "crm-debug-origin": "test"})
            attributes = ET.SubElement(ET.SubElement(state, "transient_attributes", id=str(number)),
                                       "instance_attributes", id=f"status-{number}")
            ET.SubElement(attributes, "nvpair", {"id": f"status-{number}-reach", "name": "understudy-reach",
                                                 "value": host.reach})
        return cib

    def _read(self) -> ET.Element:
        return ET.parse(self.cib).getroot()

    def _write(self, cib: ET.Element) -> None:
        ET.ElementTree(cib).write(self.cib)

    def _set_pairs(self, host: str, container: str, values: dict[str, object]) -> None:
        cib = self._read()
        number = cib.find(f".//nodes/node[@uname='{host}']").get("id")
        place = {"utilization": f".//nodes/node[@id='{number}']/utilization",
                 "attributes": f".//node_state[@id='{number}']/transient_attributes/instance_attributes"}[container]
        parent = cib.find(place)
        for name, value in values.items():
            pair = parent.find(f"nvpair[@name='{name}']")
            if pair is None:
                pair = ET.SubElement(parent, "nvpair", {"id": f"{parent.get('id')}-{name}", "name": name})
            pair.set("value", str(value))
        self._write(cib)

    def set_capacity(self, host: str, **values: int) -> None:
        """As ocf:understudy:capacity publishes it."""
        self._set_pairs(host, "utilization", values)

    def set_reach(self, host: str, reach: str) -> None:
        """As the host's observer publishes it."""
        self._set_pairs(host, "attributes", {"understudy-reach": reach})

    def set_standby(self, host: str) -> None:
        """As `pcs node standby` does, until the next boot."""
        self._set_pairs(host, "attributes", {"standby": "on"})

    def prefer(self, server: str, host: str, score: int) -> None:
        """As `pcs constraint location ... prefers` does."""
        cib = self._read()
        ET.SubElement(cib.find(".//constraints"), "rsc_location",
                      {"id": f"prefer-{server}-{host}", "rsc": f"standby-{server}", "node": host, "score": str(score)})
        self._write(cib)

    def constrain(self, xml: str) -> None:
        """One constraint, or a tag, as an operator may have written it."""
        cib = self._read()
        element = ET.fromstring(xml)
        section = "tags" if element.tag == "tag" else "constraints"
        parent = cib.find(f"configuration/{section}")
        (parent if parent is not None else ET.SubElement(cib.find("configuration"), section)).append(element)
        self._write(cib)

    def set_property(self, name: str, value: str) -> None:
        """As `pcs property set` does."""
        self._set_first(self._read(), ".//crm_config/cluster_property_set", name, value)

    def set_meta(self, resource: str, name: str, value: str) -> None:
        """As `pcs resource meta` does."""
        self._set_first(self._read(), f".//primitive[@id='{resource}']/meta_attributes", name, value)

    def _set_first(self, cib: ET.Element, path: str, name: str, value: str) -> None:
        parent = cib.find(path)
        pair = parent.find(f"nvpair[@name='{name}']")
        if pair is None:
            pair = ET.SubElement(parent, "nvpair", {"id": f"{parent.get('id')}-{name}", "name": name})
        pair.set("value", value)
        self._write(cib)

    # --- the command ---------------------------------------------------------

    def understudy(self, *words: str) -> str:
        """Runs the command on this CIB."""
        return _run([self.tools.command, *words], self.tools.environment(self.cib))

    def adopt(self, server: Server, *more: str) -> None:
        self.understudy("adopt", server.name, "--no-store", "--disk", f"vm/{server.name}", "--vcpus",
                        str(server.vcpus), "--memory-mib", str(server.memory_mib), *more)

    def ranked(self, server: str | None = None) -> list[str]:
        """The eligible hosts as `understudy hosts` ranks them, best first."""
        words = ["--for", server] if server else []
        hosts = json.loads(self.understudy("hosts", "--json", *words))["hosts"]
        return [host["name"] for host in sorted(hosts, key=lambda h: h["rank"]) if host["eligible"]]

    def why(self, server: str) -> dict[str, str]:
        """host -> what `understudy hosts` says of it."""
        hosts = json.loads(self.understudy("hosts", "--json", "--for", server))["hosts"]
        return {host["name"]: host["reason"] for host in hosts}

    def status(self, server: str) -> dict:
        """What `understudy status` says of a server, as far as the CIB tells it."""
        return json.loads(self.understudy("status", "--json", "--no-store", server))["servers"][0]

    def troubles(self) -> list[str]:
        """The lines of `understudy status` that begin with "!", as far as the CIB tells them."""
        return json.loads(self.understudy("status", "--json", "--no-store"))["troubles"]

    # --- the scheduler -------------------------------------------------------

    def run(self, *events: str) -> str:
        """Lets the scheduler act on what has changed until it is content; returns what it did, as it says it."""
        after = self.cib.with_suffix(".after.xml")
        out = _run(["crm_simulate", "--xml-file", str(self.cib), "--simulate", "--save-output", str(after), *events],
                   self.tools.environment(self.cib))
        after.replace(self.cib)
        summary = re.search(r"^Transition Summary:\n((?:  \* .*\n)*)", out, re.MULTILINE)
        return summary.group(1) if summary else ""

    def grant(self, *servers: str) -> str:
        """All tickets in one change, as the observers' leader does."""
        return self.run(*(word for server in servers for word in ("--ticket-grant", f"takeover-{server}")))

    def revoke(self, *servers: str) -> str:
        return self.run(*(word for server in servers for word in ("--ticket-revoke", f"takeover-{server}")))

    def images(self) -> dict[str, str]:
        """server -> host, of the images that run."""
        out = _run(["crm_mon", "--one-shot", "--output-as=xml", "--include=all"], self.tools.environment(self.cib))
        running = {}
        for resource in ET.fromstring(out).iter("resource"):
            if resource.get("id", "").startswith("standby-") and resource.get("role") == "Started":
                running[resource.get("id").removeprefix("standby-")] = resource.find("node").get("name")
        return running

    def picture(self, title: str, summary: str) -> str:
        """For a golden: what the scheduler did, and where images run then."""
        images = self.images()
        lines = [f"# {title}", "", "What Pacemaker does:", summary.rstrip() or "  nothing", "", "Where images run:"]
        for host in self.hosts:
            here = [server for server, where in sorted(images.items()) if where == host.name]
            lines.append(f"  {host.name}: {' '.join(here) or 'none'}")
        stopped = [server.name for server in self.servers if server.name not in images]
        lines.append(f"  stopped: {' '.join(stopped) or 'none'}")
        return "\n".join(lines) + "\n"

    def used(self, host: str) -> dict[str, int]:
        """What the images on a host take of its capacity."""
        sizes = {server.name: server for server in self.servers}
        here = [sizes[server] for server, where in self.images().items() if where == host]
        return {"cpu": sum(s.vcpus for s in here), "hv_memory": sum(s.memory_mib for s in here)}
