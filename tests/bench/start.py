# SPDX-License-Identifier: GPL-2.0-or-later
"""From the failed verdict to a created domain, against a bare `virsh create` of the same XML."""

import json
import statistics
import time
from pathlib import Path

from lab.api import wait_until
from table import print_table

RUNS = 3
VIRSH = ("virsh", "-c", "qemu:///system")


def created_after_verdict_s(protected) -> tuple[float, str, str]:
    """(seconds from the verdict to the end of the start, host, the domain's XML)

    The start's end is a little later than the domain's creation: the agent looks at the store again.
    """
    protected.lab.crash("db1")
    protected.wait_taken_over("db1")
    host = protected.images_running()["db1"]
    xml = protected.run(*VIRSH, "dumpxml", "standby-db1", host=host).stdout
    history = json.loads(protected.understudy("history", "db1", "--json").stdout)
    events = {event["event"]: event["at_ms"] for event in history["takeovers"][-1]["events"]}
    return (events["started"] - events["isolated"]) / 1000, host, xml


def bare_create_s(protected, host: str, xml: str) -> float:
    """The same domain by virsh alone, once the image has stopped."""
    path = Path(protected.site.dir) / "bench-create.xml"
    path.write_text(xml, encoding="utf-8")
    begin = time.monotonic()
    protected.run(*VIRSH, "create", str(path), host=host)
    took_s = time.monotonic() - begin
    protected.run(*VIRSH, "destroy", "standby-db1", host=host)
    wait_until(lambda: not protected.watchers("run-db1-0"), 60, "the watcher to go")
    return took_s


def run(protected) -> None:
    """Prints both and the difference."""
    ours, bare = [], []
    for _ in range(RUNS):
        protected.settle()
        took_s, host, xml = created_after_verdict_s(protected)
        ours.append(took_s)
        protected.settle()
        bare.append(bare_create_s(protected, host, xml))
    print_table("Failed verdict to domain created, seconds, median of 3", ["takeover", "virsh create", "difference"],
                [[f"{statistics.median(ours):.2f}", f"{statistics.median(bare):.2f}",
                  f"{statistics.median(a - b for a, b in zip(ours, bare)):.2f}"]])
