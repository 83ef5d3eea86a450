# SPDX-License-Identifier: GPL-2.0-or-later
"""fence_rbd: how long a host's death takes to be certain, and what its actions cost.

Three ways for a host that lost its power while it wrote to an image: wait until the store gives the dead watcher up,
the blocklist by hand, and fence_rbd. Then what Pacemaker calls all the time, against fence_scsi.
"""

import json
import statistics
import subprocess
import time
from pathlib import Path

from fence_agent import AGENT, OK, FenceAgent, no_decisions, run_image_exists
from lab.api import wait_until
from table import median_ratio, print_table

RUNS = 3
CALLS = 20
LINGER_TIMEOUT_S = 60
MEASURE = Path(__file__).parent / "measure.py"
SCSI = "/usr/sbin/fence_scsi"


def crash_while_writing(fence: FenceAgent) -> None:
    """The target loses its power, and the store does not know it yet."""
    with fence.writer():
        fence.lab.crash(fence.target)
    assert fence.watchers() != []


def lingering_s(fence: FenceAgent) -> float:
    """Nobody does anything: until the header lists the dead watcher no more."""
    begin = time.monotonic()
    wait_until(lambda: fence.watchers() == [], LINGER_TIMEOUT_S, "the dead watcher to go", poll_s=0.2)
    return time.monotonic() - begin


def by_hand_s(fence: FenceAgent) -> float:
    """What an operator types: who has it open, keep that address out, who has it open."""
    begin = time.monotonic()
    assert fence.watchers() != []
    fence.ceph("osd", "blocklist", "add", fence.entry)
    wait_until(lambda: fence.watchers() == [], LINGER_TIMEOUT_S, "the refused watcher to go", poll_s=0.1)
    return time.monotonic() - begin


def off_s(fence: FenceAgent) -> tuple[float, float]:
    """(seconds from the entries' being in the OSD map to the end, seconds of the whole action)"""
    begin = time.monotonic()
    with fence.lab.popen(fence.host, *fence.argv("off"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                         text=True) as program:
        said = [(time.monotonic(), line) for line in program.stderr]
    end = time.monotonic()
    assert program.returncode == OK, said
    return end - next(at_s for at_s, line in said if "holds the entries" in line), end - begin


def boot_again(fence: FenceAgent) -> None:
    """The target runs, and nothing of the fence is left."""
    fence.lab.boot(fence.target)
    fence.clear()
    fence.publish(fence.target)


def time_to_certainty(fence: FenceAgent) -> None:
    """Prints the three ways."""
    ways = {"a dead watcher, left alone": [], "blocklist by hand": [], "fence_rbd off, blocklist to confirmed": [],
            "fence_rbd off, whole action": []}
    for _ in range(RUNS):
        for way, measure in zip(list(ways)[:2], (lingering_s, by_hand_s)):
            crash_while_writing(fence)
            ways[way].append(measure(fence))
            boot_again(fence)
        crash_while_writing(fence)
        confirmed_s, whole_s = off_s(fence)
        ways["fence_rbd off, blocklist to confirmed"].append(confirmed_s)
        ways["fence_rbd off, whole action"].append(whole_s)
        boot_again(fence)
    alone = ways["a dead watcher, left alone"]
    print_table(f"Power loss of a writing host to 'it can't write any more', median of {RUNS}",
                ["", "seconds", "times less than left alone"],
                [[way, f"{statistics.median(took):.2f}", median_ratio(took, alone)] for way, took in ways.items()])


def cost_of_calls(fence: FenceAgent) -> None:
    """Prints what a call costs; fence_scsi has no disk here, so its status and monitor end early, with an error."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in fence.options.items()]
    rows = []
    for action in ("status", "monitor", "metadata"):
        ours = {"name": "fence_rbd", "argv": [AGENT, "--action", action, "--plug", fence.target, *options]}
        scsi = {"name": "fence_scsi", "argv": [SCSI, "--action", action, "--plug", fence.target, "--key", "1"]}
        done = fence.lab.exec(fence.host, "/usr/bin/python3", str(MEASURE), str(CALLS), timeout_s=300,
                              stdin=json.dumps([ours, scsi]))
        results = json.loads(done.stdout)
        assert set(results["fence_rbd"]["rc"]) == {OK}, results["fence_rbd"]["rc"]
        rows += [[f"{action}, {unit}", statistics.median(results["fence_rbd"][figure]),
                  statistics.median(results["fence_scsi"][figure]),
                  median_ratio(results["fence_rbd"][figure], results["fence_scsi"][figure])]
                 for figure, unit in (("wall_ms", "wall, ms"), ("cpu_ms", "CPU, ms"))]
    print_table(f"A call of the fence agent, median of {CALLS}", ["", "fence_rbd", "fence_scsi", "times less"], rows)


def run(protected) -> None:
    """Prints both tables."""
    protected.settle()
    with no_decisions(protected.lab), run_image_exists(protected.lab):
        fence = FenceAgent(protected.lab)
        fence.prepare()
        try:
            time_to_certainty(fence)
            cost_of_calls(fence)
        finally:
            fence.clear()
            fence.close()
    protected.settle()

