#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Burns CPU and holds memory, as /run/load.json in its node says. One process per CPU, each on a duty cycle."""

import json
import mmap
import multiprocessing
import os
import signal
import time
from pathlib import Path

PERIOD_S = 0.05
BACKLOG_S = 0.2  # what a starved burner may catch up on


def burn(share: float):
    """Uses share (0 to 1) of one CPU, measured on this process's own CPU clock."""
    os.nice(19)  # behind the node's own services
    owed_s, last_s = 0.0, time.monotonic()
    while True:
        now_s = time.monotonic()
        owed_s = min(owed_s + (now_s - last_s) * share, BACKLOG_S)
        last_s = now_s
        start_s = time.process_time()
        while time.process_time() - start_s < owed_s:
            pass
        owed_s -= time.process_time() - start_s
        time.sleep(PERIOD_S)


def main():
    load = json.loads(Path("/run/load.json").read_text())
    held = None
    if load["memory_mib"] > 0:
        # Private: shared memory would count as cache, which is there to be had.
        held = mmap.mmap(-1, load["memory_mib"] << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for offset in range(0, len(held), mmap.PAGESIZE):
            held[offset] = 1
    os.setpgrp()
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    if load["cpu_percent"] > 0:
        for _ in range(load["cpus"]):
            multiprocessing.Process(target=burn, args=(load["cpu_percent"] / 100,), daemon=True).start()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
