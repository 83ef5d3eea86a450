# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab whose servers are protected, seen and handled from outside as an operator and a client do."""

import contextlib
import json
import subprocess
import threading
import xml.etree.ElementTree as ET

from lab.api import Lab, wait_until
from lab.guest import build
from lab.guest.kvm import domain_type
from lab.server import GATE_QUIET
from lab.site import LabError, POOL

# Short, so that the tests are; the order of things does not depend on it.
TIMING = {"probe_interval": "500ms", "probe_timeout": "500ms", "probe_misses": "3", "hold_down": "2s",
          "recover_after": "2s", "gate_quiet": GATE_QUIET}
IMAGE_MEMORY_MIB = 256
# Each monitor is a process that loads a hundred libraries, on every host of every lab.
CAPACITY_INTERVAL = "5s"
WATCH_S = 8     # longer than detection and confirmation together: something that must not happen would have
TAKEOVER_TIMEOUT_S = 90
RETURN_TIMEOUT_S = 90


class Protected:
    """What the system tests do with a lab. Every question is asked of the real thing."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.site = lab.site
        self.servers = lab.site.server_names
        self.hosts = lab.site.host_names
        self.idle: dict[str, int] = {}
        self.at_rest_after: int | None = None   # the number of the test that has left it so

    # --- the product's and the cluster's own words ------------------------------

    def any_host(self) -> str:
        """A host that runs: where commands are typed."""
        for host in self.hosts:
            if self.lab.node(host).state() == "running":
                return host
        raise LabError("No host is running.")

    def run(self, *argv, host: str | None = None, check=True, timeout_s: float = 120) -> subprocess.CompletedProcess:
        """A command on a host."""
        return self.lab.exec(host or self.any_host(), *argv, check=check, timeout_s=timeout_s)

    def understudy(self, *argv, **options) -> subprocess.CompletedProcess:
        """The operator's command."""
        return self.run("understudy", *argv, **options)

    def status(self, host: str | None = None) -> dict:
        """understudy status --json; it says less, and fails, while the cluster does not run"""
        return json.loads(self.understudy("status", "--json", host=host, check=False).stdout)

    def server(self, name: str, host: str | None = None) -> dict:
        """One server of the status; with the verdict "unknown" as long as the cluster does not know it."""
        unknown = {"name": name, "verdict": "unknown", "ticket": False, "reason": "",
                   "votes": {"up": 0, "down": 0, "blind": 0, "unknown": 0}, "probes_seen": None,
                   "image": {"state": "unknown"}}
        return next((s for s in self.status(host)["servers"] if s["name"] == name), unknown)

    def verdict(self, name: str, host: str | None = None) -> str:
        """The verdict on a server."""
        return self.server(name, host)["verdict"]

    def ranked_hosts(self, server: str | None = None) -> list[str]:
        """Hosts that could take any image, or a server's, best first, by understudy hosts."""
        about = ("--for", server) if server is not None else ()
        rows = json.loads(self.understudy("hosts", "--json", *about).stdout)["hosts"]
        return [row["name"] for row in sorted(rows, key=lambda row: row["rank"]) if row["eligible"]]

    def headroom(self) -> dict[str, int]:
        """What each host publishes as its headroom."""
        return {host["name"]: host["headroom"] for host in self.status()["hosts"]}

    def cib(self, host: str | None = None) -> ET.Element:
        """The cluster's configuration and status."""
        return ET.fromstring(self.run("cibadmin", "--query", host=host).stdout)

    def granted_tickets(self, host: str | None = None) -> set[str]:
        """Tickets that stand granted in the CIB."""
        return {t.get("id") for t in self.cib(host).iter("ticket_state") if t.get("granted") == "true"}

    def crm_mon(self, host: str | None = None) -> ET.Element:
        """What crm_mon says."""
        return ET.fromstring(self.run("crm_mon", "-1", "--output-as=xml", host=host).stdout)

    def images_running(self, host: str | None = None) -> dict[str, str]:
        """server -> host where Pacemaker runs its image, by crm_mon."""
        tree = self.crm_mon(host)
        running = {}
        for resource in tree.iter("resource"):
            name = resource.get("id", "")
            if name.startswith("standby-") and resource.get("role") == "Started":
                node = resource.find("node")
                if node is not None:
                    running[name.removeprefix("standby-")] = node.get("name")
        return running

    def domains(self) -> dict[str, list[str]]:
        """host -> names of the domains that libvirt runs there."""
        found = {}
        for host in self.hosts:
            if self.lab.node(host).state() == "running":
                done = self.run("virsh", "-c", "qemu:///system", "list", "--name", host=host, check=False)
                found[host] = done.stdout.split()
        return found

    def domain_hosts(self, server: str) -> list[str]:
        """Every host on which libvirt runs the server's image: at most one, ever."""
        return [host for host, names in self.domains().items() if f"standby-{server}" in names]

    def store_images(self) -> list[str]:
        """Images in the pool, as the store lists them."""
        return json.loads(self.run("rbd", "--id", "understudy", "ls", POOL, "--format", "json").stdout)

    def protected_images(self) -> list[str]:
        """Of the images in the pool, those of the lab's servers: recovery images and run images."""
        return [image for image in self.store_images()
                if image in self.servers or image.rpartition("-")[0].removeprefix("run-") in self.servers]

    def watchers(self, image: str) -> list[str]:
        """Addresses that have an image open."""
        done = self.run("rbd", "--id", "understudy", "status", f"{POOL}/{image}", "--format", "json")
        watchers = json.loads(done.stdout).get("watchers", [])
        return [w["address"] for w in (watchers.values() if isinstance(watchers, dict) else watchers)]

    # --- the client's side ---------------------------------------------------------

    def answering(self, server: str) -> str | None:
        """Who answers on the service address: "server", "image" or nobody (None)."""
        address = self.site.address(server, "svc")
        done = self.lab.exec("client", "curl", "-s", "-m", "2", f"http://{address}:8008/", check=False)
        if done.returncode == 0 and server in done.stdout:
            return "image"
        done = self.lab.exec("client", "/usr/lib/postgresql/15/bin/pg_isready", "-q", "-t", "2", "-h", address,
                             check=False)
        return "server" if done.returncode == 0 else None

    # --- waiting ----------------------------------------------------------------------

    def wait_verdict(self, server: str, *verdicts: str, timeout_s: float = TAKEOVER_TIMEOUT_S) -> None:
        """Until the verdict on a server is one of these."""
        wait_until(lambda: self.verdict(server) in verdicts, timeout_s,
                   f"{server} to be {' or '.join(verdicts)}", poll_s=0.2)

    def wait_taken_over(self, *servers: str, timeout_s: float = TAKEOVER_TIMEOUT_S) -> dict[str, str]:
        """Until the servers' images answer their clients; where each runs."""
        for server in servers:
            wait_until(lambda s=server: self.answering(s) == "image", timeout_s,
                       f"the image of {server} to answer", poll_s=0.3)
        wait_until(lambda: set(servers) <= self.images_running().keys(), 20, "crm_mon to show the images started")
        running = self.images_running()
        return {server: running[server] for server in servers}

    def wait_returned(self, *servers: str, timeout_s: float = RETURN_TIMEOUT_S) -> None:
        """Until the originals serve again and their images are stopped."""
        for server in servers:
            self.wait_verdict(server, "healthy", timeout_s=timeout_s)
            wait_until(lambda s=server: self.answering(s) == "server", 30, f"{server} to answer", poll_s=0.3)

    # --- doing ------------------------------------------------------------------------

    def adopt(self, server: str, *more: str, memory_mib: int = IMAGE_MEMORY_MIB, host: str | None = None) -> subprocess.CompletedProcess:
        """understudy adopt, with the lab's addresses and short times."""
        image = build.make_tiny_image(self.site, server)
        address = self.site.address(server, "svc")
        timing = [word for name, value in TIMING.items() for word in ("--set", f"{name}={value}")]
        return self.understudy(
            "adopt", server, "--disk", f"{POOL}/{server}={image}",
            "--probe", f"tcp:{address}:5432", "--recover-probe", f"tcp:{self.site.address(server, 'mgmt')}:5432",
            "--service-address", address, "--mac", self.site.mac(server, "svc"), "--bridge", "br-svc",
            "--memory-mib", str(memory_mib), "--set", f"domain_type={domain_type()}",
            "--store-address", self.site.address(server, "store"),
            "--reference", f"icmp:{self.site.address('client', 'svc')}", *timing, *more, host=host)

    def adopt_all(self) -> None:
        """Every server of the lab; nothing changes for those that are adopted already."""
        self.mend()
        for server in self.servers:
            self.adopt(server)
        for server in self.servers:
            wait_until(lambda s=server: self.verdict(s) == "healthy" and self.server(s)["probes_seen"] == "yes", 60,
                       f"{server} to be seen up")
        self.quicken()
        self.idle = self.headroom()

    def quicken(self) -> None:
        """Load is published within seconds here, not after the half minute that suits a real site."""
        self.run("pcs", "resource", "update", "understudy-capacity", "settle=1s", "op", "monitor",
                 f"interval={CAPACITY_INTERVAL}")

    def mend(self) -> None:
        """Nodes on, links up, no load, gates and databases started."""
        for node in self.hosts + self.servers:
            state = self.lab.node(node).state()
            if state == "frozen":
                self.lab.thaw(node)
            for network in list(self.lab.node(node).cut):
                self.lab.heal(node, network)
            if state == "crashed":
                self.lab.boot(node)
        for host in self.hosts:
            self.lab.load(host, 0, 0)
        for server in self.servers:     # without waiting for the address: at_rest() below tells when it serves
            self.lab.exec(server, "sv", "up", "gate", "postgresql", check=False)

    def settle(self) -> None:
        """Everything mended, and then: servers healthy, images stopped, hosts with their whole capacity."""
        self.mend()
        wait_until(lambda: self.run("crm_resource", "--cleanup", check=False).returncode == 0, 60, "the cluster to run")
        wait_until(self.is_at_rest, 120 * len(self.servers), f"{', '.join(self.servers)} to be healthy, their images stopped and "
                   "the hosts' whole capacity published", poll_s=0.5)

    def is_at_rest(self) -> bool:
        """All that status shows, asked once, and then the servers; one that a takeover has powered off since is booted."""
        status = self.status()
        rows = {row["name"]: row for row in status["servers"]}
        for server in self.servers:
            if rows.get(server, {}).get("verdict") == "failed" and self.lab.node(server).state() == "crashed":
                self.lab.boot(server)
        now = {host["name"]: host["headroom"] for host in status["hosts"]}
        return (all(server in rows and self._shows_rest(rows[server]) for server in self.servers)
                and all(now.get(host, 0) >= free for host, free in self.idle.items())
                and all(self.answering(server) == "server" for server in self.servers))

    def at_rest(self, server: str) -> bool:
        """Healthy, seen by every host, image stopped, original serves."""
        return self._shows_rest(self.server(server)) and self.answering(server) == "server"

    def _shows_rest(self, row: dict) -> bool:
        return (row["verdict"] == "healthy" and row["votes"]["up"] == len(self.hosts) and not row["ticket"]
                and row["image"]["state"] == "stopped")


@contextlib.contextmanager
def tuned(protected, server, **values):
    """A server with other parameters than usual, and with the usual ones again afterwards."""
    def adopt(settings):
        words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        protected.understudy("adopt", server, *words)
    adopt(values)
    try:
        yield
    finally:
        adopt({name: TIMING.get(name, "") for name in values})


class Watcher:
    """Looks all the time for what must never be: `look` says what it sees of it, if anything; `seen` is all of that."""

    def __init__(self, look):
        self.look, self.looks, self.seen = look, 0, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self._stop.wait(0.2):
            with contextlib.suppress(LabError):     # a node may be on its way down
                found = self.look()
                self.looks += 1
                if found:
                    self.seen.append(found)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def stays(condition, what, seconds=WATCH_S):
    """Holds for the whole time; a wait for its opposite, which must run into its limit."""
    try:
        wait_until(lambda: not condition(), seconds, what, poll_s=0.3)
    except LabError as error:
        if "in vain" not in str(error):
            raise
    assert condition(), what
