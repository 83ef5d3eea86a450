# SPDX-License-Identifier: GPL-2.0-or-later
"""What the observer daemon costs as the number of servers grows, each probed once a second: while the CIB rests, and
while a node attribute changes all the time, as monitoring agents make it."""

import json
import time
import xml.etree.ElementTree as ET

from lab.api import wait_until
from table import print_table

SIZES = (10, 100, 1000)
WINDOW_S = 20
PORT = 7000

# Ten times a second, a little longer than the window.
NOISE = """
import subprocess, time
for count in range(10 * %d):
    begun = time.monotonic()
    subprocess.run(["attrd_updater", "-n", "bench-noise", "-U", str(count)], check=True, stdout=subprocess.DEVNULL)
    time.sleep(max(0, begun + 0.1 - time.monotonic()))
""" % (WINDOW_S + 10)

# Accepts and closes, for as many as come.
LISTENER = """
import asyncio
async def serve():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), port=%d, backlog=1024)
    await server.serve_forever()
asyncio.run(serve())
""" % PORT


def configuration(address: str, hosts: list[str], count: int) -> str:
    """Image resources that Pacemaker leaves alone: only the observers look at them."""
    top = ET.Element("configuration")
    resources, constraints = ET.SubElement(top, "resources"), ET.SubElement(top, "constraints")
    for i in range(count):
        name = f"standby-bench{i}"
        primitive = ET.SubElement(resources, "primitive", id=name, provider="understudy", type="image",
                                  **{"class": "ocf"})
        attributes = ET.SubElement(primitive, "instance_attributes", id=f"{name}-params")
        for key, value in (("disks", f"vm/bench{i}"), ("probes", f"tcp:{address}:{PORT}"), ("probe_interval", "1s")):
            ET.SubElement(attributes, "nvpair", id=f"{name}-{key}", name=key, value=value)
        meta = ET.SubElement(primitive, "meta_attributes", id=f"{name}-meta")
        ET.SubElement(meta, "nvpair", id=f"{name}-role", name="target-role", value="Stopped")
        for host in hosts:
            ET.SubElement(constraints, "rsc_location", id=f"{name}-{host}", rsc=name, node=host, score="-INFINITY",
                          **{"resource-discovery": "never"})
    return ET.tostring(top, encoding="unicode")


def remove(protected) -> None:
    """Takes the resources of the benchmark out again."""
    for path in ("//rsc_location[starts-with(@rsc,'standby-bench')]", "//primitive[starts-with(@id,'standby-bench')]"):
        protected.run("cibadmin", "--delete-all", "--force", "--xpath", path, check=False)


def cpu_ticks(protected, host: str, pid: str) -> int:
    """User and system time of a process, in hundredths of a second."""
    fields = protected.run("cat", f"/proc/{pid}/stat", host=host).stdout.rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def rss_mib(protected, host: str, pid: str) -> float:
    """Resident memory of a process."""
    for line in protected.run("cat", f"/proc/{pid}/status", host=host).stdout.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has no VmRSS")


def percent_of_core(protected, host: str, pid: str) -> float:
    """What a process takes over the window of the measurement, which is not a wait for something."""
    before, begin = cpu_ticks(protected, host, pid), time.monotonic()
    time.sleep(WINDOW_S)
    return (cpu_ticks(protected, host, pid) - before) / (time.monotonic() - begin)


def noisy_percent_of_core(protected, host: str, pid: str) -> float:
    """The same while an attribute of a host changes ten times a second."""
    noise = protected.lab.popen(host, "/usr/bin/python3", "-c", NOISE)
    try:
        return percent_of_core(protected, host, pid)
    finally:
        noise.terminate()
        noise.wait(10)
        protected.run("attrd_updater", "-n", "bench-noise", "-D", host=host)


def measure(protected, host: str, count: int) -> tuple[float, float, float]:
    """(percent of a core, the same with a busy CIB, MiB) with `count` servers more than the lab's own"""
    address = protected.site.address("client", "svc")
    remove(protected)
    protected.lab.exec(host, "cibadmin", "--modify", "--allow-create", "--scope", "configuration", "--xml-pipe",
                       stdin=configuration(address, protected.hosts, count), timeout_s=120)

    def all_seen():
        rows = json.loads(protected.understudy("status", "--json").stdout)["servers"]
        return sum(row["votes"]["up"] == len(protected.hosts) for row in rows) >= count

    wait_until(all_seen, 180, f"{count} servers to be seen", poll_s=2)
    pid = protected.run("cat", "/run/understudy/observer.pid", host=host).stdout.strip()
    return (percent_of_core(protected, host, pid), noisy_percent_of_core(protected, host, pid),
            rss_mib(protected, host, pid))


def run(protected) -> None:
    """Prints cost by number of servers."""
    host = protected.any_host()
    listener = protected.lab.popen("client", "/usr/bin/python3", "-c", LISTENER)
    rows = []
    try:
        for count in SIZES:
            percent, noisy_percent, mib = measure(protected, host, count)
            rows.append([count, f"{percent:.2f}", f"{noisy_percent:.2f}", f"{mib:.1f}"])
    finally:
        listener.terminate()
        listener.wait(10)
        remove(protected)
    print_table("Observer daemon, each server probed once a second",
                ["servers", "% of a core", "% while the CIB changes 10/s", "MiB resident"], rows)
