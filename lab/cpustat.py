#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes each host's /proc/stat, from what its control group (v2) has used, ten times a second.

As a program: `cpustat.py HOSTS`, a JSON list of {"cpus": 2, "group": FOLDER, "file": PATH}; it ends when it is killed.
"""

import contextlib
import json
import os
import sys
import time
from pathlib import Path

PERIOD_S = 0.1
TICKS_S = os.sysconf("SC_CLK_TCK")
TICK_US = 1_000_000 // TICKS_S


def usage_us(text: str) -> tuple[int, int]:
    """(user, system) in microseconds, from a group's cpu.stat."""
    fields = dict(line.split() for line in text.splitlines())
    return int(fields["user_usec"]), int(fields["system_usec"])


def stat_text(cpus: int, user_us: int, system_us: int, idle_us: int) -> str:
    """The CPU lines of proc(5)'s /proc/stat, always of the same length. CPUs are alike: v2 has no figures of one."""
    each = [us // cpus // TICK_US for us in (user_us, system_us, idle_us)]
    def line(name, user, system, idle):
        return f"{name:<5}{user:>15} 0 {system:>15} {idle:>15} 0 0 0 0 0 0\n"
    return line("cpu", *(ticks * cpus for ticks in each)) + "".join(line(f"cpu{i}", *each) for i in range(cpus))


def machine_lines() -> str:
    """The rest of /proc/stat: the time of the boot is the machine's, the counters stand still."""
    with open("/proc/stat", encoding="ascii") as file:
        return "".join(line for line in file if not line.startswith("cpu"))


class Host:
    """One host's figures. Its clock is that of this program."""

    def __init__(self, cpus: int, group: str, file: str):
        self.cpus = cpus
        self.stat = Path(group, "cpu.stat")
        self.idle_us = 0
        self.rest = machine_lines()
        self.start_us = time.monotonic_ns() // 1000
        # It is mounted into the host: its text can be replaced, itself it can't.
        self.handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o444)

    def write(self) -> None:
        """One write, so that a reader sees figures of one moment."""
        user_us = system_us = 0
        with contextlib.suppress(FileNotFoundError):  # it has not booted yet
            user_us, system_us = usage_us(self.stat.read_text(encoding="ascii"))
        total_us = (time.monotonic_ns() // 1000 - self.start_us) * self.cpus
        self.idle_us = max(self.idle_us, total_us - user_us - system_us)  # counters never go back
        text = stat_text(self.cpus, user_us, system_us, self.idle_us) + self.rest
        os.pwrite(self.handle, text.encode("ascii"), 0)


def main() -> None:
    hosts = [Host(**host) for host in json.loads(sys.argv[1])]
    while True:
        for host in hosts:
            host.write()
        time.sleep(PERIOD_S)


if __name__ == "__main__":
    main()
