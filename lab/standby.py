# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's servers under Understudy's protection: their images adopted, and what can be asked about them."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import process
from lab.api import Lab
from lab.net import HOST_BRIDGE
from lab.server import GATE_QUIET
from lab.site import POOL, POSTGRES_PORT, LabError

IMAGE_MEMORY_MIB = 256
ADOPT_TIMEOUT_S = 180


def adopt_options(lab: Lab, server: str, domain_type: str) -> list[str]:
    """The options of `understudy adopt` for a server of this lab, all but its disk."""
    site = lab.site
    service, mgmt = site.address(server, "svc"), site.address(server, "mgmt")
    return [
        "--probe", f"'pgsql:host={service} port={POSTGRES_PORT} user=postgres dbname=postgres connect_timeout=2'",
        # The database on the management address shows a server that only lacks its service address.
        "--recover-probe", f"tcp:{mgmt}:{POSTGRES_PORT}",
        "--service-address", service, "--store-address", site.address(server, "store"),
        "--mac", site.mac(server, "svc"), "--bridge", HOST_BRIDGE, "--memory-mib", str(IMAGE_MEMORY_MIB),
        "--reference", f"icmp:{site.address('client', 'svc')}",
        # No boot_probe: Pacemaker lets a start that waits for a guest's boot hold up every start decided on after it.
        "--set", f"domain_type={domain_type}", "--set", f"gate_quiet={GATE_QUIET}",
    ]


def adopt(lab: Lab, server: str, *more: str, host: str | None = None) -> None:
    """Makes the server's image, imports it into the store and puts the server under protection."""
    from lab.guest import build, kvm  # needs packages that other commands do not
    raw = build.make_server_image(lab.site, server)
    try:
        lab.exec(host or a_host(lab), "understudy", "adopt", server, "--disk", f"{POOL}/{server}={raw}",
                 *adopt_options(lab, server, kvm.domain_type()), *more, timeout_s=ADOPT_TIMEOUT_S)
    finally:
        raw.unlink(missing_ok=True)


def adopt_all(lab: Lab) -> None:
    """Every server, one after the other: each adoption changes the CIB."""
    for server in lab.site.server_names:
        adopt(lab, server)


# --- questions ---------------------------------------------------------------

def a_host(lab: Lab) -> str:
    """A host on which programs can be run."""
    for host in lab.site.host_names:
        if lab.node(host).state() == "running":
            return host
    raise LabError("No host is running: boot one first.")


def ask(lab: Lab, *words: str, host: str | None = None, timeout_s: float = 20) -> dict:
    """What an `understudy ... --json` command says, troubles included, with which it exits with 1."""
    done = lab.exec(host or a_host(lab), "understudy", *words, "--json", check=False, timeout_s=timeout_s)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise LabError(f"understudy {' '.join(words)} said: {done.stderr.strip() or 'nothing'}") from None


def server_status(lab: Lab, server: str, host: str | None = None) -> dict:
    """One server's part of `understudy status --json`."""
    for entry in ask(lab, "status", server, host=host)["servers"]:
        if entry["name"] == server:
            return entry
    raise LabError(f"understudy status does not know {server}: adopt it first.")


def domains(lab: Lab) -> dict[str, list[str]]:
    """The names of the libvirt domains that are defined or run on each host that has power."""
    def on(host):
        return lab.exec(host, "virsh", "-q", "list", "--all", "--name").stdout.split()
    hosts = [host for host in lab.site.host_names if lab.node(host).state() == "running"]
    with ThreadPoolExecutor(max(1, len(hosts))) as pool:
        return dict(zip(hosts, pool.map(on, hosts)))


def images(lab: Lab) -> list[str]:
    """The RBD images in the hosts' pool."""
    return json.loads(lab.exec("store", "rbd", "ls", "--format", "json", POOL).stdout)


def watchers(lab: Lab) -> dict[str, list[str]]:
    """The addresses of those that have each RBD image open; images that nobody has open are left out."""
    found = {}
    for image in images(lab):
        done = lab.exec("store", "rbd", "status", "--format", "json", f"{POOL}/{image}", check=False)
        if done.returncode == 0:  # it may have been removed meanwhile
            who = json.loads(done.stdout)["watchers"]
            if who:
                found[image] = [watcher["address"] for watcher in who]
    return found


def tickets(lab: Lab, host: str | None = None) -> dict[str, bool]:
    """The cluster's tickets, and whether each is granted."""
    from lab import cluster
    xml = cluster.crm_mon(lab.node(host or a_host(lab)))
    if xml is None:
        raise LabError("The cluster does not answer: see 'crm_mon -1' on a host.")
    return {ticket.get("id"): ticket.get("status") == "granted" for ticket in xml.iter("ticket")}


def is_idle(lab: Lab) -> list[str]:
    """What there is that should not be while all servers are healthy, as sentences; empty if nothing."""
    found = [f"{host} has the domain {name}" for host, names in domains(lab).items() for name in names]
    found += [f"{image} is open from {', '.join(who)}" for image, who in watchers(lab).items()]
    found += [f"ticket {name} is granted" for name, granted in tickets(lab).items() if granted]
    for server in ask(lab, "status")["servers"]:
        if server["verdict"] != "healthy" or server["image"]["state"] != "stopped" or server["ticket"]:
            found.append(f"{server['name']} is {server['verdict']}, its image {server['image']['state']}")
    return found


def export_image(lab: Lab, image: str, target: Path) -> Path:
    """A copy of an RBD image (POOL/NAME) as a file of this machine."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    lab.exec("store", "rbd", "export", "--no-progress", image, target, timeout_s=120)
    return target


def image_log(lab: Lab, image: str) -> str:
    """PostgreSQL's log inside an RBD image that is not running."""
    from lab.guest import build
    raw = export_image(lab, image, lab.site.dir / "images" / f"{image.replace('/', '-')}.raw")
    try:
        return build.read_postgres_log(raw)
    finally:
        raw.unlink(missing_ok=True)


def client_servers(lab: Lab) -> list[str]:
    """lab/client.py's --server arguments for all servers."""
    return [word for server in lab.site.server_names
            for word in ("--server", f"{server}={lab.site.address(server, 'svc')}:{POSTGRES_PORT}")]


def wait_verdict(lab: Lab, server: str, verdict: str, timeout_s: float) -> dict:
    """Until the observers hold VERDICT true of a server; the status then."""
    def there():
        status = server_status(lab, server)
        return status if status["verdict"] == verdict else None
    return process.wait_until(there, timeout_s, f"{server} to be {verdict}", poll_s=0.2)
