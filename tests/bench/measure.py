#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs commands in turn, A B A B ..., and prints what each run cost as JSON.

    measure.py RUNS < [{"name": ..., "argv": [...], "env": {...}}, ...]

Runs on a node of the lab, so that nothing of the way there is measured.
"""

import json
import os
import sys
import time


def one_run(argv, env):
    """(wall ms, CPU ms of the process and its children, exit code)"""
    begin = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, {**os.environ, **env},
                         file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
                                       (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    wall_ms = (time.monotonic() - begin) * 1000
    return wall_ms, (usage.ru_utime + usage.ru_stime) * 1000, os.waitstatus_to_exitcode(status)


def main():
    """One warm-up, then the counted runs."""
    commands = json.load(sys.stdin)
    results = {command["name"]: {"wall_ms": [], "cpu_ms": [], "rc": []} for command in commands}
    for run in range(int(sys.argv[1]) + 1):
        for command in commands:
            wall_ms, cpu_ms, rc = one_run(command["argv"], command.get("env", {}))
            if run > 0:
                result = results[command["name"]]
                result["wall_ms"].append(wall_ms)
                result["cpu_ms"].append(cpu_ms)
                result["rc"].append(rc)
    json.dump(results, sys.stdout)


main()
