#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The first program of a node: makes the machine look like its own, then becomes its PID 1.

Runs in the node's fresh mount, PID, UTS, IPC and network namespaces; called with
the node's plan, a JSON file that lab/node.py writes.
"""

import ctypes
import json
import os
import shutil
import socket
import sys
import uuid
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
MS_BIND, MS_REC = 0x1000, 0x4000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8


def mount(source, target, kind=None, flags=0, data=None):
    result = _libc.mount(*(None if a is None else str(a).encode() for a in (source, target, kind)),
                         ctypes.c_ulong(flags), None if data is None else data.encode())
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{os.strerror(error)} (mount of {kind or source})", str(target))


def bind(source, target):
    mount(source, target, flags=MS_BIND)


def overlay(target: str, store: Path):
    for part in ("upper", "work"):
        (store / part).mkdir(parents=True, exist_ok=True)
    mount("overlay", target, "overlay", 0, f"lowerdir={target},upperdir={store}/upper,workdir={store}/work")


def limit_memory_of_numa_node(memory_mib: int):
    """What libvirt takes the size of a machine from; lxcfs has no such file."""
    shown = Path("/sys/devices/system/node/node0/meminfo")
    if shown.exists():
        own = Path("/run/node0-meminfo")
        own.write_text(f"Node 0 MemTotal: {memory_mib << 10} kB\nNode 0 MemFree: {memory_mib << 10} kB\n")
        bind(own, shown)


def write_files(files: dict):
    for path, (text, mode) in files.items():
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(mode)


def main():
    plan = json.loads(Path(sys.argv[1]).read_text())
    disk = Path(plan["disk"])

    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    cgroups_handle = os.open("/sys/fs/cgroup", os.O_PATH)
    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)  # this network namespace's devices
    mount(f"/proc/self/fd/{cgroups_handle}", "/sys/fs/cgroup", flags=MS_BIND | MS_REC)
    os.close(cgroups_handle)

    for folder in ("/etc", "/var/lib"):
        overlay(folder, disk / folder.strip("/").replace("/", "-"))
    (disk / "log").mkdir(exist_ok=True)
    bind(disk / "log", "/var/log")
    for folder, mode in (("/run", "0755"), ("/dev/shm", "1777"), ("/var/tmp", "1777")):
        mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode}")
    for source, target in plan["binds"].items():
        if Path(source).is_dir():
            Path(target).mkdir(parents=True, exist_ok=True)
        bind(source, target)

    # A power cycle is a new boot, and each node's figures are its own.
    boot_id = Path("/run/boot_id")
    boot_id.write_text(f"{uuid.uuid4()}\n")
    bind(boot_id, "/proc/sys/kernel/random/boot_id")
    if plan["memory_mib"] is not None:
        limit_memory_of_numa_node(plan["memory_mib"])

    socket.sethostname(plan["name"])
    for folder, (owner, group, mode) in plan["folders"].items():
        Path(folder).mkdir(parents=True, exist_ok=True)
        shutil.chown(folder, owner, group)
        os.chmod(folder, mode)
    for path in plan["removed"]:
        Path(path).unlink(missing_ok=True)
    write_files(plan["files"])
    for path, (owner, group) in plan["owners"].items():
        shutil.chown(path, owner, group)
    for service, files in plan["services"].items():
        write_files({f"/run/service/{service}/{name}": (text, 0o755) for name, text in files.items()})
    Path("/run/service").mkdir(exist_ok=True)
    os.utime("/run/service", (0, 0))  # runsvdir waits a second with a folder that has just changed

    os.chdir("/")
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "SVDIR": "/run/service",
                   "LANG": "C.UTF-8"}
    os.execve("/usr/bin/tini", ["tini", "-s", "--", "runsvdir", "-P", "/run/service"], environment)


if __name__ == "__main__":
    main()
