# SPDX-License-Identifier: GPL-2.0-or-later
"""Each host's own /proc: the CPUs, the memory and the load of its control group. lxcfs makes it.

Only with v1, though, lxcfs knows a group's CPU use: it takes that from cpuacct, in the same hierarchy as all
the rest (lxcfs 5.0.3, cgfsng.c and proc_stat_read() in proc_fuse.c), and v2 has none. There, cpustat.py writes it.
"""

import json
import os
import subprocess
from pathlib import Path

from lab import cgroup, process
from lab.site import LabError, Site

CPUSTAT = Path(__file__).with_name("cpustat.py")
SHOWN = ("proc/stat", "proc/meminfo", "proc/cpuinfo", "proc/loadavg", "proc/uptime",
         "sys/devices/system/cpu/online")  # the last one is what sysconf() counts CPUs by


def binds(site: Site, host: str) -> dict[str, str]:
    """What a host sees: a file -> the one of its /proc or /sys whose place it takes."""
    files = {f"/{name}": f"{site.lxcfs_dir}/{name}" for name in SHOWN}
    if not cgroup.layout().shows_cpu_use:
        files["/proc/stat"] = str(_stat_file(site, host))
    return {source: target for target, source in files.items()}


def _stat_file(site: Site, host: str) -> Path:
    return site.dir / "stat" / host


def start(site: Site) -> None:
    group = _group(site)
    group.create()
    _start_lxcfs(site, group)
    if not cgroup.layout().shows_cpu_use:
        _start_cpustat(site, group)


def _group(site: Site) -> cgroup.Cgroup:
    return cgroup.Cgroup(site, "lxcfs")


def _start_lxcfs(site: Site, group: cgroup.Cgroup) -> None:
    folder = site.lxcfs_dir
    folder.mkdir(parents=True, exist_ok=True)
    daemon = _popen(site, group, "lxcfs", "-f", "-l", "--enable-cfs", "-p", site.dir / "lxcfs.pid", folder)
    def mounted():
        if daemon.poll() is not None:
            raise LabError(f"lxcfs did not start: see {site.dir}/lxcfs.log.")
        return os.path.ismount(folder)
    process.wait_until(mounted, 20, "lxcfs to mount its folder")


def _start_cpustat(site: Site, group: cgroup.Cgroup) -> None:
    files = {host: _stat_file(site, host) for host in site.host_names}
    next(iter(files.values())).parent.mkdir(exist_ok=True)
    hosts = [{"cpus": site.host_size(host)[0], "group": str(cgroup.Cgroup(site, host).folder("cpu")),
              "file": str(file)} for host, file in files.items()]
    _popen(site, group, "/usr/bin/python3", "-I", CPUSTAT, json.dumps(hosts))
    process.wait_until(lambda: all(file.exists() for file in files.values()), 20,
                       f"the hosts' CPU use to be written: see {site.dir}/lxcfs.log")


def _popen(site: Site, group: cgroup.Cgroup, *argv) -> subprocess.Popen:
    with open(site.dir / "lxcfs.log", "ab") as log:
        return subprocess.Popen(group.entering([str(a) for a in argv]), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True, cwd="/")


def stop(site: Site) -> None:
    _group(site).kill()
    while os.path.ismount(site.lxcfs_dir) or _is_dead_mount(site.lxcfs_dir):
        process.run("umount", "--lazy", site.lxcfs_dir)


def _is_dead_mount(folder: Path) -> bool:
    """A FUSE folder whose daemon is gone: stat fails with ENOTCONN."""
    try:
        folder.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
