# SPDX-License-Identifier: GPL-2.0-or-later
"""Running programs, knowing processes again later, locks, and waiting for conditions."""

import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

from lab.site import LabError

LOCK_DIR = Path("/run/lock")
POLL_S = 0.02
# The lock on what is made by the first lab and removed by the last, so that none removes it while another begins to use
# it. In capitals: no lab is called so.
ALL_LABS = "ALL"


def run(*argv, check=True, timeout_s=60, stdin=None, shown=None, **options) -> subprocess.CompletedProcess:
    """Runs a program to its end and captures its text output; errors call it by what is in `shown`.

    Raises LabError with the program's own words when it fails (unless check is
    False) or outlives timeout_s seconds.
    """
    argv = [str(a) for a in argv]
    shown = shown or shlex.join(argv)
    try:
        done = subprocess.run(argv, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                              timeout=timeout_s, **options)
    except FileNotFoundError:
        raise LabError(f"'{shown}' can't be run: {argv[0]} is not installed: "
                       "install the packages in lab/packages.txt.") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"'{shown}' was not done after {timeout_s} s.") from None
    if check and done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip() or "it said nothing")[-2000:]
        raise LabError(f"'{shown}' failed with {done.returncode}: {words}")
    return done


def wait_until(predicate, timeout_s: float, what: str, poll_s: float = POLL_S):
    """Calls predicate until it returns something true, and returns that.

    At most half of the time is spent on looking: what is waited for needs the machine, too.
    Raises LabError, naming what was awaited, after timeout_s seconds.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        begun = time.monotonic()
        result = predicate()
        if result:
            return result
        now = time.monotonic()
        if now >= deadline:
            raise LabError(f"Waited {timeout_s:g} s in vain for {what}.")
        time.sleep(max(poll_s, now - begun))


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since the boot; None if there is none, or a zombie.

    pid and start time together name a process for good: pids are used again.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # proc(5): the name before may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def is_alive(pid: int, started: int) -> bool:
    return start_time(pid) == started


def kill(pid: int, signum=signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)


@contextlib.contextmanager
def lock(name: str, shared=False, timeout_s: float = 180):
    """Holds the named lock; removed when its last exclusive holder is done."""
    LOCK_DIR.mkdir(parents=True, exist_ok=True)
    path = LOCK_DIR / f"understudy-lab.{name}"
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    deadline = time.monotonic() + timeout_s
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            # The holder before may have removed the file that this is a handle of.
            if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
                break
        except BlockingIOError:
            pass
        except FileNotFoundError:
            pass
        os.close(handle)
        if time.monotonic() >= deadline:
            raise LabError(f"Another lab command holds {path} for {timeout_s:g} s already: wait for it to end.")
        time.sleep(POLL_S)
    try:
        yield
    finally:
        if not shared:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        os.close(handle)
