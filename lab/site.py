# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lab is called, where it lives, and which addresses its nodes have.

Nothing here touches the machine: names and numbers only. All of them follow
from the lab's name and its address prefix, so that two labs never share one.
"""

import dataclasses
import ipaddress
import json
import re
import uuid
from pathlib import Path

DEFAULT_NAME = "understudy"
DEFAULT_PREFIX = "10.77"
DEFAULT_ROOT = Path("/srv/understudy-lab")

NETWORKS = {"mgmt": 1, "store": 2, "svc": 3}  # name -> third octet
MAX_HOSTS = 39      # .11 ... .49
MAX_SERVERS = 49    # .101 ... .149 on mgmt, their BMCs .151 ... .199

# What each host is given, in turn: (CPUs, MiB of memory). Hosts differ on purpose.
HOST_SIZES = [(2, 4096), (2, 3072), (1, 3072)]

POOL = "vm"                     # run images and recovery images
CEPHX_USER = "understudy"       # client.understudy, the hosts' user
FENCE_USER = "understudy-fence"      # fence_rbd's
UNFENCE_USER = "understudy-unfence"  # fence_rbd's for unfencing
BMC_USER = "lab"
BMC_PASSWORD = "lab-only-secret"
POSTGRES_PORT = 5432

# Folders that nodes get an own copy of; a lab can't live below one of them.
_OVERLAID = ("/etc", "/var/lib", "/var/log", "/var/tmp", "/run", "/tmp", "/dev", "/proc", "/sys")


def numbered_name(name: str, number: int) -> str:
    """The name of the first, second ... of several labs side by side; the first has the name itself."""
    return name if number == 1 else f"{name}-{number}"


class LabError(Exception):
    """Something an operator can mend; the text is a sentence that says how."""


@dataclasses.dataclass(frozen=True)
class Site:
    """A lab's parameters, and all that follows from them."""

    name: str = DEFAULT_NAME
    dir: Path = DEFAULT_ROOT / DEFAULT_NAME
    prefix: str = DEFAULT_PREFIX
    hosts: int = 3
    servers: int = 3

    def __post_init__(self):
        if re.fullmatch(r"[a-z][a-z0-9-]{0,31}", self.name) is None:
            raise LabError(f"'{self.name}' is no name for a lab: use lower-case letters, digits and dashes.")
        try:
            ipaddress.IPv4Address(f"{self.prefix}.0.1")
        except ValueError:
            raise LabError(f"'{self.prefix}' is no prefix: give the first two numbers of an IPv4 address, "
                           "such as 10.77.") from None
        if not 1 <= self.hosts <= MAX_HOSTS:
            raise LabError(f"--hosts must be 1 to {MAX_HOSTS}, not {self.hosts}.")
        if not 0 <= self.servers <= MAX_SERVERS:
            raise LabError(f"--servers must be 0 to {MAX_SERVERS}, not {self.servers}.")
        for parent in _OVERLAID:
            if self.dir == Path(parent) or Path(parent) in self.dir.parents:
                raise LabError(f"The lab's folder {self.dir} is below {parent}, which its nodes replace by their own: "
                               "choose another one with --dir.")

    # --- nodes ---------------------------------------------------------------

    @property
    def host_names(self) -> list[str]:
        return [f"host{i}" for i in range(1, self.hosts + 1)]

    @property
    def server_names(self) -> list[str]:
        return [f"db{k}" for k in range(1, self.servers + 1)]

    @property
    def node_names(self) -> list[str]:
        """All nodes, in the order in which they are shown."""
        return self.host_names + ["store"] + self.server_names + ["client", "bmc"]

    @property
    def powered_names(self) -> list[str]:
        """The nodes that have a power switch (a BMC)."""
        return self.server_names + self.host_names

    def kind(self, node: str) -> str:
        """'host', 'server', 'store', 'client' or 'bmc'; LabError if there is no such node."""
        if node in self.host_names:
            return "host"
        if node in self.server_names:
            return "server"
        if node in ("store", "client", "bmc"):
            return node
        raise LabError(f"There is no node '{node}' in this lab: its nodes are {', '.join(self.node_names)}.")

    def index(self, node: str) -> int:
        """1 for host1 and db1, and so on; 0 for nodes of which there is one."""
        digits = re.search(r"\d+$", node)
        return int(digits.group()) if digits else 0

    def networks(self, node: str) -> list[str]:
        """The networks that a node is plugged into."""
        return {"host": ["mgmt", "store", "svc"], "server": ["mgmt", "store", "svc"],
                "store": ["mgmt", "store"], "client": ["mgmt", "svc"], "bmc": ["mgmt"]}[self.kind(node)]

    def host_size(self, host: str) -> tuple[int, int]:
        """(CPUs, memory in MiB) that a host has and sees."""
        return HOST_SIZES[(self.index(host) - 1) % len(HOST_SIZES)]

    # --- addresses -----------------------------------------------------------

    def subnet(self, network: str) -> str:
        return f"{self.prefix}.{NETWORKS[network]}.0/24"

    def address(self, node: str, network: str) -> str:
        """A node's IPv4 address on a network. For a server on svc that is its service address."""
        kind, index = self.kind(node), self.index(node)
        last = {
            "host": 10 + index,
            "store": 5,
            "client": 250,
            "server": (200 if network == "svc" else 100) + index,
            "bmc": 150,
        }[kind]
        if network not in self.networks(node):
            raise LabError(f"{node} is not on the network '{network}': it has {', '.join(self.networks(node))}.")
        return f"{self.prefix}.{NETWORKS[network]}.{last}"

    def bmc_address(self, node: str) -> str:
        """Where the power switch of a host or server answers, on mgmt, UDP port 623."""
        base = {"server": 150, "host": 200}.get(self.kind(node))
        if base is None:
            raise LabError(f"{node} has no power switch: hosts and servers have.")
        return f"{self.prefix}.{NETWORKS['mgmt']}.{base + self.index(node)}"

    def mac(self, node: str, network: str) -> str:
        """A node's MAC on a network. A server's on svc is its service address's for life: the image has it too."""
        net, last = self.address(node, network).split(".")[2:]
        second = int(self.prefix.split(".")[1])
        return f"52:54:00:{second:02x}:{int(net):02x}:{int(last):02x}"

    def uuid(self, what: str) -> str:
        """A stable UUID for a thing of this lab."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{what}.{self.name}.{self.prefix}.lab"))

    # --- names on this machine -----------------------------------------------

    def netns(self, node: str) -> str:
        """The network namespace of a node, or of 'switch'."""
        return f"{self.name}-{node}"

    @property
    def cgroup(self) -> str:
        """The lab's folder in every cgroup hierarchy."""
        return f"understudy-lab/{self.name}"

    @property
    def lxcfs_dir(self) -> Path:
        return self.dir / "lxcfs"

    def node_dir(self, node: str) -> Path:
        return self.dir / node

    def log_dir(self, node: str) -> Path:
        """Seen by the node as /var/log."""
        return self.dir / node / "log"

    def data_dir(self, server: str) -> Path:
        """A server's own disk: where its PostgreSQL keeps its data."""
        return self.dir / server / "data"

    @property
    def admin_keyring(self) -> Path:
        """client.admin's keyring: for the lab and the tests, not for hosts."""
        return self.dir / "ceph" / "ceph.client.admin.keyring"

    @property
    def ceph_conf(self) -> Path:
        return self.dir / "ceph" / "ceph.conf"

    # --- stored --------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self.dir / "site.json"

    def save(self) -> None:
        self.dir.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file, json.dumps({"name": self.name, "prefix": self.prefix,
                                                 "hosts": self.hosts, "servers": self.servers}) + "\n")

    @classmethod
    def load(cls, name: str = DEFAULT_NAME, folder: Path | None = None) -> "Site":
        """The lab as `up` stored it; LabError when there is none."""
        folder = Path(folder) if folder is not None else DEFAULT_ROOT / name
        try:
            stored = json.loads((folder / "site.json").read_text())
        except FileNotFoundError:
            raise LabError(f"There is no lab in {folder}: bring it up first with 'lab/lab --name {name} up'.") from None
        return cls(dir=folder, **stored)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Writes a file so that a reader, or the next run after a crash, sees all of it or the old one."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text)
    temporary.chmod(mode)
    temporary.replace(path)
