# SPDX-License-Identifier: GPL-2.0-or-later
"""A checker outside of the cluster: samples who could write to a run image, and finds two at once.

Asked are the store's administrator and the machine that the hosts run on: nothing of what is tested.
"""

import json
import subprocess
import threading
from pathlib import Path

from lab.api import Lab, wait_until
from lab.cgroup import Cgroup
from lab.site import POOL

# Answers each line with the image's watchers and lock owners; the blocklist is read last, so that a client
# that is not on it was accepted when it was seen.
SAMPLER = """
import json, sys, rados, rbd
cluster = rados.Rados(conffile="/etc/ceph/ceph.conf", name="client.admin",
                      conf={"rados_osd_op_timeout": "2", "rados_mon_op_timeout": "2"})
cluster.connect()
pool = cluster.open_ioctx(sys.argv[1])
for line in sys.stdin:
    sample = None
    try:
        with rbd.Image(pool, sys.argv[2], read_only=True) as image:
            sample = {"watchers": [watcher["addr"] for watcher in image.watchers_list()],
                      "owners": [address for _, _, address in dict(image.list_lockers() or {}).get("lockers", [])]}
        code, dump, text = cluster.mon_command(json.dumps({"prefix": "osd dump", "format": "json"}), b"")
        sample["blocklist"] = list(json.loads(dump)["blocklist"])
    except (rados.Error, rbd.Error, ValueError, KeyError):
        sample = None  # the store is ill: nothing can be seen, and nothing be written
    print(json.dumps(sample), flush=True)
"""
INTERVAL_S = 0.1
MIN_SAMPLES = 10


def ip_of(address: str) -> str:
    """10.0.0.11 of 10.0.0.11:0/4711"""
    return address.rpartition(":")[0]


def is_refused(address: str, blocklist: list[str]) -> bool:
    """Whether the store refuses a client."""
    return address in blocklist or f"{ip_of(address)}:0/0" in blocklist


def qemu_pid(lab: Lab, host: str, domain: str) -> int | None:
    """A domain's QEMU on a host, frozen or not, by this machine's own list of processes."""
    for pid in Cgroup(lab.site, host).pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"qemu" in words[0] and any(word.startswith(f"guest={domain},".encode()) for word in words):
            return pid
    return None


def find_violations(samples: list[dict]) -> list[str]:
    """What must never be seen, as sentences; pure.

    samples: {"qemus": {store IP: pid}, "watchers": [address], "owners": [address], "blocklist": [entry]}, in order.
    """
    found, clients, last_owner, before = [], {}, None, []
    for sample in samples:
        blocklist = sample["blocklist"]
        writers = {ip_of(w) for w in sample["watchers"] if not is_refused(w, blocklist)}
        if len(writers) > 1:
            found.append(f"both {' and '.join(sorted(writers))} have the image open, and none is refused: {sample}")

        # Unfencing ends a QEMU before its entry goes: who was refused just before counts as refused.
        for ip, pid in sample["qemus"].items():
            clients.setdefault((ip, pid), set()).update(w for w in sample["watchers"] if ip_of(w) == ip)
        able = sorted(ip for ip, pid in sample["qemus"].items()
                      if not clients[ip, pid] or any(not is_refused(c, blocklist + before) for c in clients[ip, pid]))
        if len(sample["qemus"]) > 1 and len(able) > 1:
            found.append(f"QEMU runs at both {' and '.join(able)}, and none is refused: {sample}")

        for owner in sample["owners"]:
            if last_owner is not None and ip_of(owner) != ip_of(last_owner) and not is_refused(last_owner, blocklist):
                found.append(f"the lock went from {last_owner}, which is not refused, to {owner}: {sample}")
        last_owner = sample["owners"][0] if sample["owners"] else None
        before = blocklist
    return found


def find_early(samples: list[dict], ip: str) -> list[dict]:
    """Samples in which another host has the image, though the store does not refuse that one as a whole; pure."""
    return [sample for sample in samples if f"{ip}:0/0" not in sample["blocklist"]
            and ({*sample["qemus"]} | {ip_of(w) for w in sample["watchers"]}) - {ip}]


class Watch:
    """Samples the run image of a server until it is ended."""

    def __init__(self, lab: Lab, server: str):
        self._lab, self._domain, self.samples = lab, f"standby-{server}", []
        self._expected_from = 0
        self._ips = {host: lab.site.address(host, "store") for host in lab.site.host_names}
        self._program = lab.popen("store", "/usr/bin/python3", "-c", SAMPLER, POOL, f"run-{server}-0", text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            qemus = {ip: qemu_pid(self._lab, host, self._domain) for host, ip in self._ips.items()}
            self._program.stdin.write("\n")
            self._program.stdin.flush()
            answer = json.loads(self._program.stdout.readline() or "null")
            if answer is not None:
                self.samples.append({"qemus": {ip: pid for ip, pid in qemus.items() if pid}, **answer})

    def wait_seen(self) -> None:
        """Until there are samples enough to say anything."""
        wait_until(lambda: len(self.samples) >= MIN_SAMPLES, 20, "the checker to have seen enough", poll_s=0.1)

    def end(self) -> None:
        """No more samples."""
        self._stop.set()
        self._thread.join(20)
        self._program.kill()
        self._program.wait(20)
        self._program.stdin.close()
        self._program.stdout.close()

    def expect_fence(self) -> None:
        """From now on the image moves because its host is fenced; before it may have moved without."""
        self._expected_from = len(self.samples)

    def assert_refused_first(self, host: str) -> None:
        """So far nobody else has had the image before the store refused that host."""
        early = find_early(self.samples[self._expected_from:], self._ips[host])
        assert not early, f"the image is elsewhere, and the store does not refuse {host}: {early[0]}"

    def assert_one_writer(self) -> None:
        """Never two hosts at once; and it did see something."""
        assert len(self.samples) >= MIN_SAMPLES, "the checker has seen nothing"
        assert any(s["watchers"] and s["owners"] and s["qemus"] for s in self.samples), "the checker has seen nobody"
        found = find_violations(self.samples)
        assert not found, "\n".join(found[:3])
