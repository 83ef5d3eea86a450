# SPDX-License-Identifier: GPL-2.0-or-later
"""What quickstart needs of a machine, and the Debian packages that it installs there."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

from lab import cgroup
from lab.progress import StepFailed, run_step
from lab.site import LabError

MEMORY_GIB = 8      # one lab and what is built beside it
LABS_MAX = 3        # side by side: what is in them mostly waits, and a half of a CPU does for each
DISK_GIB = 10
# A machine that is sold with 8 GiB shows a little less.
MEMORY_SLACK_GIB = 0.5
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_SAVED = Path("/usr/sbin/policy-rc.d.before-quickstart")
POLICY_TEXT = "#!/bin/sh\n# Made by quickstart while it installs packages: no service starts.\nexit 101\n"


class Unfit(Exception):
    """This machine can't be used; the text says in one sentence what to do."""


def check(top: Path) -> None:
    """Raise Unfit if the machine lacks something that quickstart can't install."""
    for test in (_check_root, _check_debian, _check_namespaces, _check_cgroups, _check_memory,
                 lambda: _check_disk(top)):
        test()


def _check_root() -> None:
    if os.geteuid() != 0:
        raise Unfit("Run this as root, for instance with sudo.")


def _check_debian() -> None:
    release = dict(line.rstrip().split("=", 1) for line in open("/etc/os-release", encoding="utf-8")
                   if "=" in line)
    if (release.get("ID"), release.get("VERSION_ID", "").strip('"')) != ("debian", "12"):
        raise Unfit(f"This is {release.get('PRETTY_NAME', 'an unknown system')}: "
                    "run it on Debian 12 (bookworm), whose packages it is made for.")


def _check_namespaces() -> None:
    done = subprocess.run(["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "ip", "link"]
                          if shutil.which("ip") else ["unshare", "--net", "--mount", "--pid", "--fork", "true"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Unfit("This machine does not let root make namespaces "
                    f"({done.stderr.strip()}): use a virtual or physical machine, or a privileged container.")


def _check_cgroups() -> None:
    try:
        cgroup.check()
    except LabError as error:
        raise Unfit(str(error)) from None


def _check_memory() -> None:
    limit_gib = _memory_bytes() / 2**30
    if limit_gib < MEMORY_GIB - MEMORY_SLACK_GIB:
        raise Unfit(f"There are {limit_gib:.1f} GiB of memory: give the machine at least {MEMORY_GIB} GiB.")


def labs_that_fit() -> int:
    """How many labs may run at once without being in each other's way."""
    cpus = os.cpu_count() or 1
    return max(1, min(LABS_MAX, cpus, int((_memory_bytes() / 2**30 + MEMORY_SLACK_GIB) // MEMORY_GIB)))


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _check_disk(top: Path) -> None:
    for folder in (top, Path("/usr"), Path("/var/cache"), Path("/srv")):
        place = folder if folder.exists() else Path("/")
        free_gib = shutil.disk_usage(place).free / 2**30
        if free_gib < DISK_GIB:
            raise Unfit(f"{free_gib:.1f} GiB are free for {folder}: "
                        f"make room until at least {DISK_GIB} GiB are free there.")


def packages(*lists: Path) -> list[str]:
    """The names in package lists: one a line, # begins a comment."""
    names = {}
    for path in lists:
        for line in path.read_text(encoding="utf-8").splitlines():
            name = line.split("#", 1)[0].strip()
            if name:
                names[name] = None
    return list(names)


def missing(names: list[str]) -> list[str]:
    """Those packages that are not installed."""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Provides}\n"],
                          stdout=subprocess.PIPE, text=True, check=True)
    there = set()
    for line in done.stdout.splitlines():
        status, *words = line.split()
        if status == "installed":
            there.update(word.rstrip(",") for word in words)
    return [name for name in names if name not in there]


def install(names: list[str], log: Path) -> None:
    """Install what is missing, with no service started and none to start at the next boot."""
    wanted = missing(names)
    if not wanted:
        return
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")
    with services_denied(), no_unit_enabled():
        try:
            run_step("reading the package lists", ["apt-get", "-q", "update"], log, env=env, timeout_s=600)
            run_step(f"installing {len(wanted)} packages with what they need",
                     ["apt-get", "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold",
                      "install", *wanted], log, env=env, timeout_s=3600)
        except StepFailed as error:
            raise StepFailed(f"Check the network and /etc/apt/sources.list, then run it again. {error}") from error


@contextmanager
def services_denied():
    """Let no package start its services, as policy-rc.d(8) provides for it."""
    restore_policy()
    if POLICY.exists() or POLICY.is_symlink():
        POLICY.rename(POLICY_SAVED)
    POLICY.write_text(POLICY_TEXT, encoding="ascii")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        restore_policy()


def restore_policy() -> None:
    """Take our policy-rc.d away and bring back what was there; also after a run that was killed."""
    if POLICY.is_file() and POLICY.read_text(encoding="utf-8", errors="replace") == POLICY_TEXT:
        POLICY.unlink()
    if POLICY_SAVED.exists():
        POLICY_SAVED.rename(POLICY)


@contextmanager
def no_unit_enabled():
    """Let no package, nor one that it needs, make systemd start anything at the next boot: the lab starts its own."""
    before = _enabled_units()
    try:
        yield
    finally:
        new = _enabled_units() - before
        if before and new:
            subprocess.run(["systemctl", "--root=/", "--quiet", "disable", *sorted(new)], check=False, timeout=600,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _enabled_units() -> set[str]:
    """With those that have init scripts only; read from the disk, so that systemd need not run. Empty without it."""
    if shutil.which("systemctl") is None:
        return set()
    done = subprocess.run(["systemctl", "--root=/", "--state=enabled", "--output=json", "list-unit-files"],
                          stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    scripts = {f"{link.name[3:]}.service" for link in Path("/etc/rc2.d").glob("S*")}
    return scripts | {unit["unit_file"] for unit in json.loads(done.stdout)}
