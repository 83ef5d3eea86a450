# SPDX-License-Identifier: GPL-2.0-or-later
"""A node's life: boot, crash, freeze, and programs run inside it."""

import dataclasses
import json
import os
import shlex
import signal
import subprocess
from pathlib import Path

from lab import net, process
from lab.cgroup import Cgroup
from lab.service import Service
from lab.site import LabError, Site, write_atomically

NODEINIT = Path(__file__).with_name("nodeinit.py")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass
class Plan:
    """What a kind of node is made of; see nodeinit.py for how it is used."""

    services: list[Service] = dataclasses.field(default_factory=list)
    files: dict[str, tuple[str, int]] = dataclasses.field(default_factory=dict)   # path -> (text, mode)
    folders: dict[str, tuple[str, str, int]] = dataclasses.field(default_factory=dict)  # -> (owner, group, mode)
    owners: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)  # of files
    removed: list[str] = dataclasses.field(default_factory=list)                  # files of this machine
    binds: dict[str, str] = dataclasses.field(default_factory=dict)               # source -> target
    cpus: int | None = None
    memory_mib: int | None = None
    realtime: bool = False

    def add(self, other: "Plan") -> None:
        self.services += other.services
        self.removed += other.removed
        for field in ("files", "folders", "owners", "binds"):
            getattr(self, field).update(getattr(other, field))


class Node:
    """One node. Its state is in files, so that every lab command sees the same."""

    def __init__(self, site: Site, name: str):
        site.kind(name)
        self.site = site
        self.name = name
        self.cgroup = Cgroup(site, name)
        self._file = site.dir / "state" / f"{name}.json"

    # --- state ---------------------------------------------------------------

    def _load(self) -> dict:
        try:
            return json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}

    def _save(self, **changes) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file, json.dumps(self._load() | changes) + "\n")

    @property
    def pid(self) -> int | None:
        """The node's PID 1, as this machine numbers it; None when it has no power."""
        state = self._load()
        if state.get("pid") and process.is_alive(state["pid"], state["started"]):
            return state["pid"]
        return None

    @property
    def cut(self) -> list[str]:
        return self._load().get("cut", [])

    def state(self) -> str:
        """'running', 'frozen', 'crashed' (without power) or 'never booted'."""
        if self.pid is None:
            return "crashed" if self._load() else "never booted"
        return "frozen" if self.cgroup.frozen() else "running"

    def locked(self):
        return process.lock(f"{self.site.name}.{self.name}")

    # --- power ---------------------------------------------------------------

    def boot(self, plan: Plan) -> None:
        """Power on. LabError when it is on already."""
        with self.locked():
            if self.pid is not None:
                raise LabError(f"{self.name} is {self.state()} already: crash it first.")
            self._clear()
            net.plug(self.site, self.name, self.cut)
            self.cgroup.create(plan.cpus, plan.memory_mib, plan.realtime)
            self._start(plan)

    def _start(self, plan: Plan) -> None:
        disk = self.site.node_dir(self.name)
        (disk / "log").mkdir(parents=True, exist_ok=True)
        first = {
            "name": self.name, "disk": str(disk),
            "services": {s.name: s.files("/run/service", "/var/log") for s in plan.services},
            "files": self._common_files() | plan.files,
            **{f: getattr(plan, f) for f in ("folders", "owners", "removed", "binds", "memory_mib")},
        }
        plan_file = disk / "plan.json"
        write_atomically(plan_file, json.dumps(first), mode=0o600)
        with open(disk / "log" / "boot.log", "ab") as log:
            outer = subprocess.Popen(
                self.cgroup.entering(["nsenter", f"--net=/run/netns/{self.site.netns(self.name)}",
                                      "unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child",
                                      "/usr/bin/python3", "-I", str(NODEINIT), str(plan_file)]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/")
        pid = process.wait_until(lambda: self._first_process(outer), 20, f"the first process of {self.name}")
        self._save(pid=pid, started=process.start_time(pid))
        # PID 1 is tini only after everything is mounted: then programs can be run inside.
        process.wait_until(lambda: outer.poll() is not None or _comm(pid) == "tini", 30, f"{self.name} to boot")
        if outer.poll() is not None:
            raise LabError(f"{self.name} could not boot: see {disk}/log/boot.log.")
        for service in plan.services:  # each is under supervision before anybody asks for it
            ready = Path(f"/proc/{pid}/root/run/service/{service.name}/supervise/ok")
            process.wait_until(ready.exists, 20, f"{self.name} to look after {service.name}")

    def _first_process(self, outer: subprocess.Popen) -> int | None:
        if outer.poll() is not None:
            raise LabError(f"{self.name} could not boot: see {self.site.log_dir(self.name)}/boot.log.")
        try:
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        except FileNotFoundError:
            return None
        return int(children[0]) if children else None

    def _common_files(self) -> dict:
        hosts = ["127.0.0.1 localhost"]
        hosts += [f"{self.site.address(n, 'mgmt')} {n}" for n in self.site.node_names]
        return {"/etc/hostname": (f"{self.name}\n", 0o644),
                "/etc/hosts": ("\n".join(hosts) + "\n", 0o644),
                "/etc/machine-id": (self.site.uuid(self.name).replace("-", "") + "\n", 0o444)}

    def crash(self) -> None:
        """Loss of power: everything that runs is gone at once and without a word; the disk stays."""
        with self.locked():
            self._clear()

    def _clear(self) -> None:
        net.unplug(self.site, self.name)
        pid = self.pid
        if pid is not None:
            process.kill(pid, signal.SIGKILL)
        self.cgroup.kill()
        net.remove(self.site.netns(self.name))
        if self._load():
            self._save(pid=None, load=None)

    # --- faults --------------------------------------------------------------

    def freeze(self) -> None:
        with self.locked():
            self._need_power("be frozen")
            self.cgroup.freeze()

    def thaw(self) -> None:
        with self.locked():
            self._need_power("be thawed")
            self.cgroup.thaw()

    def service_state(self, service: str) -> str:
        """As its supervisor has written it: "run", "down", "run, want down" ...; "" without power. Starts no program."""
        stat = Path(f"/proc/{self.pid}/root/run/service/{service}/supervise/stat")
        return stat.read_text(encoding="ascii").strip() if self.pid is not None and stat.exists() else ""

    def set_link(self, network: str, up: bool) -> None:
        """Cuts or heals one cable; a cut one stays cut over a power cycle."""
        with self.locked():
            self.site.address(self.name, network)
            cut = set(self.cut)
            self._save(cut=sorted(cut - {network} if up else cut | {network}))
            if self.pid is not None:
                net.set_link(self.site, self.name, network, up)

    def _need_power(self, what: str) -> None:
        if self.pid is None:
            raise LabError(f"{self.name} has no power, so it can't {what}: boot it first.")

    # --- programs inside -----------------------------------------------------

    def command(self, argv, folder: Path = Path("/")) -> list[str]:
        """The argv that runs a program inside the node, in a folder of it and on its own CPU and memory account.

        Killing it kills the program.
        """
        self._need_power("run a program")
        if self.cgroup.frozen():
            raise LabError(f"{self.name} is frozen, so it can't run a program: thaw it first.")
        return self._entering(["--target", str(self.pid), "--mount", "--uts", "--ipc", "--net", "--pid"], argv, folder)

    def _entering(self, namespaces: list[str], argv, folder: Path) -> list[str]:
        where = [f"--wdns={folder}"] if folder != Path("/") else []
        return self.cgroup.entering(["nsenter", *where, *namespaces, "--", "setpriv", "--pdeathsig", "KILL", "--",
                                     *(str(a) for a in argv)])

    def environment(self) -> dict[str, str]:
        kept = {k: os.environ[k] for k in ("TERM", "LANG", "LC_ALL", "COLUMNS") if k in os.environ}
        return {"PATH": PATH, "HOME": "/root", "SVDIR": "/run/service"} | kept

    def popen(self, *argv, **options) -> subprocess.Popen:
        """Starts a program inside."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("env", self.environment() | options.pop("extra_env", {}))
        return subprocess.Popen(self.command(argv), cwd="/", **options)

    def exec(self, *argv, check=True, timeout_s: float = 60, stdin: str | None = None,
             **options) -> subprocess.CompletedProcess:
        """Runs a program inside to its end and captures its output.

        LabError when it fails (unless check is False) or takes longer than timeout_s seconds.
        """
        return process.run(*self.command(argv), check=check, timeout_s=timeout_s, stdin=stdin, cwd="/",
                           shown=f"{self.name}: {shlex.join(str(a) for a in argv)}",
                           env=self.environment() | options.pop("extra_env", {}), **options)

    def log(self, name: str) -> Path:
        return self.site.log_dir(self.name) / name


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except FileNotFoundError:
        return ""
