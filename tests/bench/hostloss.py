# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client sees when the host that runs an image loses its power, by phase: power fencing against the store's."""

import statistics
import time

from lab.api import wait_until
from lab.site import POOL, UNFENCE_USER
from table import print_table

RUNS = 3
TIMEOUT_S = 120
PHASES = ("membership: host lost", "fencing: host fenced", "start: image started", "boot: image answers")
DEVICE = "store-fence"


def node_is(protected, watched_from: str, host: str, **wanted: str) -> bool:
    """crm_mon's words on a host."""
    node = protected.crm_mon(host=watched_from).find(f"nodes/node[@name='{host}']")
    return node is not None and all(node.get(name) == value for name, value in wanted.items())


def one_loss(protected) -> list[float]:
    """Seconds of each phase, then the whole."""
    protected.settle()
    protected.lab.crash("db1")
    lost = protected.wait_taken_over("db1")["db1"]
    other = next(host for host in protected.hosts if host != lost)
    marks = [time.monotonic()]
    protected.lab.crash(lost)
    for what, done in (
            ("the host to be lost", lambda: node_is(protected, other, lost, online="false")),
            ("the host to be fenced", lambda: node_is(protected, other, lost, online="false", unclean="false")),
            ("the image to be started", lambda: protected.images_running(other).get("db1") not in (None, lost)),
            ("the image to answer", lambda: protected.answering("db1") == "image")):
        wait_until(done, TIMEOUT_S, what, poll_s=0.05)
        marks.append(time.monotonic())
    protected.mend()
    return [b - a for a, b in zip(marks, marks[1:])] + [marks[-1] - marks[0]]


def with_the_store(protected) -> None:
    """Hosts are fenced by fence_rbd alone."""
    protected.run("pcs", "stonith", "create", DEVICE, "fence_rbd", f"pools={POOL}", f"unfence_user={UNFENCE_USER}",
                  f"pcmk_host_list={' '.join(protected.hosts)}", "pcmk_off_timeout=60s", "pcmk_on_timeout=60s",
                  "op", "monitor", "interval=60s", "meta", "provides=unfencing")
    for host in protected.hosts:
        protected.run("pcs", "stonith", "level", "add", "1", host, DEVICE)


def without_the_store(protected) -> None:
    """As before."""
    for host in protected.hosts:
        protected.run("pcs", "stonith", "level", "remove", "1", "target", host, check=False)
    protected.run("pcs", "stonith", "delete", DEVICE, check=False)


def run(protected) -> None:
    """Prints both side by side."""
    power = [one_loss(protected) for _ in range(RUNS)]
    protected.settle()
    with_the_store(protected)
    try:
        store = [one_loss(protected) for _ in range(RUNS)]
        protected.settle()
    finally:
        without_the_store(protected)
    rows = [[phase, *(f"{statistics.median(took[i] for took in runs):.2f}" for runs in (power, store))]
            for i, phase in enumerate((*PHASES, "whole"))]
    print_table(f"Power loss of the host that runs an image, seconds, median of {RUNS}",
                ["phase", "fence_ipmilan", "fence_rbd"], rows)
