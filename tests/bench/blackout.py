# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client sees of a takeover, split into its phases."""

import json
import statistics
import time

from lab.api import wait_until
from table import print_table

RUNS = 3
# Phase, and the event that ends it; each begins where the one before it ends.
PHASES = (("detection", "suspect"), ("confirmation", "isolating"), ("isolation", "isolated"),
          ("placement", "starting"), ("start", "started"), ("boot", "answering"))


def one_takeover(protected) -> list[float]:
    """Seconds of each phase, then the whole blackout."""
    crashed_s = time.time()
    protected.lab.crash("db1")
    protected.wait_taken_over("db1")
    history = {}

    def complete():
        history.update(json.loads(protected.understudy("history", "db1", "--json").stdout)["takeovers"][-1])
        return any(event["event"] == "answering" for event in history["events"])

    wait_until(complete, 30, "the history to say that the image answers")
    at_s = {event["event"]: event["at_ms"] / 1000 for event in history["events"]}
    marks = [crashed_s] + [at_s[event] for _, event in PHASES]
    return [b - a for a, b in zip(marks, marks[1:])] + [marks[-1] - marks[0]]


def run(protected) -> None:
    """Prints the phases."""
    runs = []
    for _ in range(RUNS):
        protected.settle()
        runs.append(one_takeover(protected))
    protected.settle()
    names = [phase for phase, _ in PHASES] + ["whole blackout"]
    rows = [[name, f"{statistics.median(r[i] for r in runs):.2f}"] for i, name in enumerate(names)]
    print_table("Blackout of a power loss, seconds, median of 3", ["phase", "seconds"], rows)
