# SPDX-License-Identifier: GPL-2.0-or-later
"""A node's control groups: its share of CPU and memory, its freezer, and the list of its processes.

A machine has them in one of two layouts: Debian's systemd mounts the hierarchy of v2, others one of v1 per controller.
"""

import contextlib
import errno
import functools
import os
import signal
from pathlib import Path

from lab import process
from lab.site import LabError, Site

ROOT = Path("/sys/fs/cgroup")
CPU_PERIOD_US = 100_000
# Of all labs together, against that of each process (v1) or slice (v2) outside: a build must not look like a fault
# to the cluster.
WEIGHT_FACTOR = 10
# Moves itself into the groups whose lists of processes are the arguments up to "--", and becomes the program after it.
ENTER = 'set -e; until [ "$1" = -- ]; do echo $$ > "$1"; shift; done; shift; exec "$@"'
# Corosync runs with real-time priority: what all labs, one lab, and at most one host may use a second (v1).
REALTIME_ALL_US, REALTIME_LAB_US, REALTIME_HOST_US = 900_000, 180_000, 60_000


class V1:
    """One hierarchy a controller, and a group in each."""

    # cpuset confines nothing here: lxcfs takes a process's group from there and looks its CPU quota up by that name.
    controllers = ("cpu", "cpuacct", "cpuset", "memory", "freezer")
    weight = ("cpu.shares", 1024 * WEIGHT_FACTOR)
    memory_limit = "memory.limit_in_bytes"
    freezer, on, off = "freezer.state", "FROZEN", "THAWED"
    is_stopped = ("freezer.state", "FROZEN")
    shows_cpu_use = True   # to lxcfs

    def folder(self, controller: str, path: str) -> Path:
        return ROOT / controller / path

    def missing(self) -> list[str]:
        return [c for c in self.controllers if not (ROOT / c / "cgroup.procs").exists()]

    def make(self, path: str) -> None:
        for controller in self.controllers:
            self.folder(controller, path).mkdir(parents=True, exist_ok=True)
        folder = ROOT / "cpuset"
        for part in Path(path).parts:  # a new cpuset is empty and takes no process
            for name in ("cpuset.cpus", "cpuset.mems"):
                if not (folder / part / name).read_text().strip():
                    _write(folder / part / name, (folder / name).read_text().strip())
            folder /= part

    def limit_cpus(self, folder: Path, cpus: int) -> None:
        _write(folder / "cpu.cfs_period_us", CPU_PERIOD_US)
        _write(folder / "cpu.cfs_quota_us", cpus * CPU_PERIOD_US)


class V2:
    """One hierarchy for all. Processes are in its leaves alone, those above hand their controllers down.

    The lab's groups are beside systemd's slices, without a unit: a session's end and its limit of tasks do not
    concern them, and a machine without systemd does as well. systemd may want to take a controller away again that
    none of its units needs; the kernel refuses that as long as a group below hands it down, as the lab's does.
    """

    controllers = ("cpu", "cpuset", "memory")
    weight = ("cpu.weight", 100 * WEIGHT_FACTOR)
    memory_limit = "memory.max"
    freezer, on, off = "cgroup.freeze", "1", "0"
    is_stopped = ("cgroup.events", "frozen 1")
    shows_cpu_use = False

    def folder(self, _controller: str, path: str) -> Path:
        return ROOT / path

    def missing(self) -> list[str]:
        there = (ROOT / "cgroup.controllers").read_text().split()
        return [c for c in self.controllers if c not in there]

    def make(self, path: str) -> None:
        folder = ROOT
        for part in Path(path).parts:
            self._hand_down(folder)
            folder /= part
            folder.mkdir(exist_ok=True)

    def _hand_down(self, folder: Path) -> None:
        """Gives the groups below a group its controllers. For the root that stays: others may use it meanwhile."""
        control = folder / "cgroup.subtree_control"
        wanted = " ".join(f"+{c}" for c in self.controllers if c not in control.read_text().split())
        if not wanted:
            return
        try:
            control.write_text(wanted)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise LabError(f"{wanted} can't be written to {control}: {error.strerror}.") from None
            # A container's first group is none of the kernel's root groups: its processes must leave it first.
            _move_processes(folder, folder / "init")
            _write(control, wanted)

    def limit_cpus(self, folder: Path, cpus: int) -> None:
        _write(folder / "cpu.max", f"{cpus * CPU_PERIOD_US} {CPU_PERIOD_US}")


@functools.cache
def layout() -> V1 | V2:
    """How this machine has its control groups."""
    return V2() if (ROOT / "cgroup.controllers").exists() else V1()


def check() -> None:
    """LabError if this machine has not what the lab needs."""
    missing = layout().missing()
    if not missing:
        return
    if isinstance(layout(), V2):
        raise LabError(f"The cgroup v2 hierarchy {ROOT} lacks {', '.join(missing)}: unmount the v1 hierarchies that "
                       "have them, boot without cgroup_disable=, or, in a container, give it what is missing.")
    raise LabError(f"{ROOT} is no cgroup v2 hierarchy, and the v1 hierarchies of {', '.join(missing)} are not mounted "
                   f"below it. Mount the former with 'mount -t cgroup2 cgroup2 {ROOT}', or each of the latter with "
                   f"'mount -t cgroup -o NAME NAME {ROOT}/NAME'.")


class Cgroup:
    """The control groups of one node."""

    def __init__(self, site: Site, node: str):
        self.site = site
        self.path = f"{site.cgroup}/{node}"

    def folder(self, controller: str) -> Path:
        return layout().folder(controller, self.path)

    def create(self, cpus: int | None = None, memory_mib: int | None = None, realtime: bool = False) -> None:
        with process.lock(process.ALL_LABS):
            layout().make(self.path)
        name, value = layout().weight
        _write(self.folder("cpu").parent.parent / name, value)
        if cpus is not None:
            layout().limit_cpus(self.folder("cpu"), cpus)
        if memory_mib is not None:
            _write(self.folder("memory") / layout().memory_limit, memory_mib << 20)
        # v2 has no such share, and Debian's kernel needs none (it is without CONFIG_RT_GROUP_SCHED).
        if realtime and (self.folder("cpu") / "cpu.rt_runtime_us").exists():
            lab = self.folder("cpu").parent
            own_us = min(REALTIME_HOST_US, REALTIME_LAB_US // self.site.hosts)
            for folder, value_us in ((lab.parent, REALTIME_ALL_US), (lab, REALTIME_LAB_US),
                                     (self.folder("cpu"), own_us)):
                _raise(folder / "cpu.rt_runtime_us", value_us)

    def entering(self, argv: list[str]) -> list[str]:
        """The argv that runs a program (and what it starts later) in the node's groups.

        A shell enters them, not a function between fork and exec: for that Python would copy itself for each program, which
        takes longer than most of them.
        """
        lists = sorted({str(self.folder(controller) / "cgroup.procs") for controller in layout().controllers})
        return ["/bin/sh", "-c", ENTER, "sh", *lists, "--", *argv]

    def pids(self) -> list[int]:
        """Of all processes, those in groups that a program made below included."""
        result = []
        for path, _, _ in os.walk(self.folder("freezer")):
            with contextlib.suppress(FileNotFoundError):
                result += [int(p) for p in Path(path, "cgroup.procs").read_text().split()]
        return result

    def frozen(self) -> bool:
        try:
            return (self.folder("freezer") / layout().freezer).read_text().strip() != layout().off
        except FileNotFoundError:
            return False

    def freeze(self) -> None:
        _write(self.folder("freezer") / layout().freezer, layout().on)
        name, line = layout().is_stopped
        state = self.folder("freezer") / name
        process.wait_until(lambda: line in state.read_text().splitlines(), 10, f"all processes of {self.path} to stop")

    def thaw(self) -> None:
        _write(self.folder("freezer") / layout().freezer, layout().off)

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


def remove_lab(site: Site) -> None:
    for controller in layout().controllers:
        folder = layout().folder(controller, site.cgroup)
        remove_tree(folder)
        with process.lock(process.ALL_LABS), contextlib.suppress(OSError):  # another lab may be in it
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


def _move_processes(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for pid in (source / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            (target / "cgroup.procs").write_text(pid)


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
