# SPDX-License-Identifier: GPL-2.0-or-later
"""A node's control groups: its share of CPU and memory, its freezer, and the list of its processes."""

import contextlib
import os
import signal
from pathlib import Path

from lab import process
from lab.site import LabError, Site

ROOT = Path("/sys/fs/cgroup")
# cpuset confines nothing here: lxcfs takes a process's group from there and looks its CPU quota up by that name.
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "freezer")
CPU_PERIOD_US = 100_000
# Of all labs together, against 1024 of each process outside: a build must not look like a fault to the cluster.
CPU_SHARES = 10240
# Corosync runs with real-time priority: what all labs, one lab, and at most one host may use a second.
REALTIME_ALL_US, REALTIME_LAB_US, REALTIME_HOST_US = 900_000, 180_000, 60_000


def check() -> None:
    """LabError if this machine has not what the lab needs."""
    for controller in CONTROLLERS:
        if not (ROOT / controller / "cgroup.procs").exists():
            raise LabError(f"The cgroup v1 hierarchy {ROOT}/{controller} is not mounted: lxcfs needs it to give every "
                           f"host its own CPU use. Mount it with 'mount -t cgroup -o {controller} {controller} "
                           f"{ROOT}/{controller}', or boot with systemd.unified_cgroup_hierarchy=0.")


class Cgroup:
    """The control groups of one node."""

    def __init__(self, site: Site, node: str):
        self.site = site
        self.path = f"{site.cgroup}/{node}"

    def folder(self, controller: str) -> Path:
        return ROOT / controller / self.path

    def create(self, cpus: int | None = None, memory_mib: int | None = None, realtime: bool = False) -> None:
        for controller in CONTROLLERS:
            self.folder(controller).mkdir(parents=True, exist_ok=True)
        self._inherit_cpuset()
        _write(self.folder("cpu").parent.parent / "cpu.shares", CPU_SHARES)
        if cpus is not None:
            _write(self.folder("cpu") / "cpu.cfs_period_us", CPU_PERIOD_US)
            _write(self.folder("cpu") / "cpu.cfs_quota_us", cpus * CPU_PERIOD_US)
        if memory_mib is not None:
            _write(self.folder("memory") / "memory.limit_in_bytes", memory_mib << 20)
        if realtime and (self.folder("cpu") / "cpu.rt_runtime_us").exists():
            lab = ROOT / "cpu" / self.site.cgroup
            own_us = min(REALTIME_HOST_US, REALTIME_LAB_US // self.site.hosts)
            for folder, value_us in ((lab.parent, REALTIME_ALL_US), (lab, REALTIME_LAB_US),
                                     (self.folder("cpu"), own_us)):
                _raise(folder / "cpu.rt_runtime_us", value_us)

    def _inherit_cpuset(self) -> None:
        """A new cpuset is empty and takes no process: gives each level what its parent has."""
        folder = ROOT / "cpuset"
        for part in Path(self.path).parts:
            for name in ("cpuset.cpus", "cpuset.mems"):
                if not (folder / part / name).read_text().strip():
                    _write(folder / part / name, (folder / name).read_text().strip())
            folder /= part

    def enter(self) -> None:
        """Moves the calling process (and what it starts later) into the node's groups."""
        for controller in CONTROLLERS:
            _write(self.folder(controller) / "cgroup.procs", os.getpid())

    def pids(self) -> list[int]:
        try:
            return [int(p) for p in (self.folder("freezer") / "cgroup.procs").read_text().split()]
        except FileNotFoundError:
            return []

    def frozen(self) -> bool:
        try:
            return (self.folder("freezer") / "freezer.state").read_text().strip() != "THAWED"
        except FileNotFoundError:
            return False

    def freeze(self) -> None:
        state = self.folder("freezer") / "freezer.state"
        _write(state, "FROZEN")
        process.wait_until(lambda: state.read_text().strip() == "FROZEN", 10, f"all processes of {self.path} to stop")

    def thaw(self) -> None:
        _write(self.folder("freezer") / "freezer.state", "THAWED")

    def kill(self) -> None:
        """Ends every process of the node, frozen or not, and returns when none is left."""
        def gone():
            pids = self.pids()
            for pid in pids:
                process.kill(pid, signal.SIGKILL)
            if self.frozen():  # a frozen process dies as soon as it is thawed
                self.thaw()
            return not pids
        process.wait_until(gone, 20, f"the processes of {self.path} to die")

    def remove(self) -> None:
        for controller in CONTROLLERS:
            remove_tree(self.folder(controller))


def remove_lab(site: Site) -> None:
    for controller in CONTROLLERS:
        folder = ROOT / controller / site.cgroup
        remove_tree(folder)
        with contextlib.suppress(OSError):  # another lab may be in it
            folder.parent.rmdir()


def remove_tree(folder: Path) -> None:
    """Removes a group and those below it; one that is busy for a moment is tried again."""
    if not folder.is_dir():
        return
    for path, _, _ in os.walk(folder, topdown=False):
        process.wait_until(lambda p=path: _try_rmdir(p), 5, f"the control group {path} to become empty")


def _try_rmdir(path) -> bool:
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def _write(path: Path, value) -> None:
    try:
        path.write_text(f"{value}\n")
    except OSError as error:
        raise LabError(f"{value} can't be written to {path}: {error.strerror}.") from None


def _raise(path: Path, value: int) -> None:
    """Writes a number unless a higher one is there.

    For a moment after a group was removed the kernel still counts what it had. With
    many labs there may be nothing left: then Corosync does without priority.
    """
    def written():
        if int(path.read_text()) < value:
            with contextlib.suppress(OSError):
                path.write_text(f"{value}\n")
        return int(path.read_text()) >= value
    with contextlib.suppress(LabError):
        process.wait_until(written, 2, f"{path} to take {value}")
