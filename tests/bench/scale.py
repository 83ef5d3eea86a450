#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How status and hosts grow with the site, against crm_mon on the same CIB: tests/bench/scale.py [COMMAND]

Needs no lab: the CIB is a file. COMMAND is the understudy to measure, /usr/sbin/understudy if it is not given.
"""

import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scheduler")]

from simulation import Host, Server, Simulation, Tools     # noqa: E402
from table import median_ratio, print_table                # noqa: E402

SIZES = ((20, 5), (200, 16), (1000, 32))
ROUNDS = 3
MODEL = "model"
CRM_MON = ["crm_mon", "--one-shot", "--output-as=xml"]
COMMANDS = {"status": ["status", "--json", "--no-store"], "hosts": ["hosts", "--json"]}


def renamed(element: ET.Element, name: str) -> ET.Element:
    """A copy of what belongs to MODEL, for another server."""
    return ET.fromstring(ET.tostring(element, encoding="unicode").replace(MODEL, name))


def fill(cib: ET.Element, names: list[str]) -> None:
    """As many servers as there are names, each as adopt has set up MODEL, and probed on every host."""
    for section in (cib.find("configuration/resources"), cib.find("configuration/constraints")):
        models = [element for element in section if MODEL in ET.tostring(element, encoding="unicode")]
        for name in names:
            section.extend(renamed(element, name) for element in models)
        for element in models:
            section.remove(element)
    for state in cib.find("status"):
        resources = state.find("lrm/lrm_resources")
        model = next(resource for resource in resources if MODEL in resource.get("id"))
        resources.extend(renamed(model, name) for name in names)
        resources.remove(model)


def seconds_of(argv: list[str], environment: dict[str, str]) -> float:
    """How long a command takes."""
    begin = time.monotonic()
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def main() -> int:
    """Prints the table."""
    command = sys.argv[1] if len(sys.argv) > 1 else "/usr/sbin/understudy"
    rows = []
    for servers, hosts in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            site = Simulation(Tools(command, None, Path(folder)), Path(folder),
                              [Host(f"host{n}", 64, 262144) for n in range(1, hosts + 1)], [Server(MODEL)])
            cib = ET.parse(site.cib)
            fill(cib.getroot(), [f"s{n:04}" for n in range(1, servers + 1)])
            cib.write(site.cib)
            environment = site.tools.environment(site.cib)
            took = {name: [] for name in ("crm_mon", *COMMANDS)}
            for _ in range(ROUNDS):
                took["crm_mon"].append(seconds_of(CRM_MON, environment))
                for name, words in COMMANDS.items():
                    took[name].append(seconds_of([command, *words], environment))
        for name in COMMANDS:
            rows.append([f"{servers} x {hosts}", name, statistics.median(took["crm_mon"]), statistics.median(took[name]),
                         1 / median_ratio(took[name], took["crm_mon"])])
    print_table("servers x hosts, seconds, medians", ["site", "command", "crm_mon", "ours", "ours : crm_mon"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
