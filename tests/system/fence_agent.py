# SPDX-License-Identifier: GPL-2.0-or-later
"""fence_rbd called by hand on a host, as Pacemaker's fencer calls it, and what is seen of it from outside."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.api import Lab, wait_until
from lab.site import CEPHX_USER, POOL, UNFENCE_USER, LabError

AGENT = os.environ.get("UNDERSTUDY_FENCE_AGENT", "/usr/sbin/fence_rbd")
MODULE_DIR = "UNDERSTUDY_MODULE_DIR"
RUN_IMAGE = "run-fencetest-0"
OK, FAILED, OFF = 0, 1, 2
HOST_KEY, RECORD_KEY = "understudy/host/", "understudy/fence/"
# Long enough for a store that is busy, short enough to see that a wait is bounded.
POWER_TIMEOUT_S = 25

# A client that writes a number into the first block of an image again and again, and says how each write went.
WRITER = """
import json, os, sys, time, rados, rbd
cluster = rados.Rados(conffile="/etc/ceph/ceph.conf", name="client." + sys.argv[1])
cluster.connect()
pool = cluster.open_ioctx(sys.argv[2])
pool.set_namespace(sys.argv[4])
image = rbd.Image(pool, sys.argv[3])
for n in range(1 << 30):
    try:
        image.write(b"%-511d" % n, 0)
        print(json.dumps({"at_s": time.monotonic(), "n": n, "ok": True, "pid": os.getpid()}), flush=True)
    except rbd.Error as error:
        print(json.dumps({"at_s": time.monotonic(), "n": n, "ok": False, "errno": error.errno}), flush=True)
    time.sleep(0.05)
"""


@dataclass
class Answer:
    """How an action ended."""

    rc: int
    out: str
    err: str
    seconds: float


def children_of(pid: int) -> list[str]:
    """Those of a process that has entered a node: the program itself."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def read_now(pipe) -> None:
    """All that is in an unbuffered pipe now."""
    os.set_blocking(pipe.fileno(), False)
    pipe.read()
    os.set_blocking(pipe.fileno(), True)


def state_of(pid: int) -> str:
    """As /proc has it: T stopped, Z ended; ProcessLookupError: gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None


class FenceAgent:
    """The agent on one host, the store as its administrator sees it, and a host that is fenced."""

    def __init__(self, lab: Lab, host: str = "host1", target: str = "host2"):
        self.lab, self.site, self.host, self.target = lab, lab.site, host, target
        self.target_ip = lab.site.address(target, "store")
        self.entry = f"{self.target_ip}:0/0"
        # start_timeout=0: no start of an image is under way in these tests.
        self._admin = None
        self.options = {"pools": POOL, "unfence_user": UNFENCE_USER, "start_timeout": "0",
                        "power_timeout": str(POWER_TIMEOUT_S)}

    # --- the agent --------------------------------------------------------------------

    def environment(self) -> list[str]:
        """What a build that is not installed needs."""
        return ["env", f"{MODULE_DIR}={os.environ[MODULE_DIR]}"] if MODULE_DIR in os.environ else []

    def run(self, action: str, host: str | None = None, timeout_s: float = 120, plug: str | None = "target",
            **more: str | None) -> Answer:
        """One call with its parameters on standard input; None leaves one out."""
        parameters = {"action": action} | self.options | more
        if plug is not None:
            parameters |= {"nodename": self.target, "plug": self.target} if plug == "target" else {"plug": plug}
        text = "".join(f"{name}={value}\n" for name, value in parameters.items() if value is not None)
        begin = time.monotonic()
        done = self.lab.exec(host or self.host, *self.environment(), AGENT, check=False, stdin=text,
                             timeout_s=timeout_s)
        return Answer(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)

    def argv(self, action: str) -> list[str]:
        """The command line that says the same, and each step."""
        words = [f"--{name.replace('_', '-')}={value}" for name, value in self.options.items()]
        return [*self.environment(), AGENT, "--action", action, "--plug", self.target, "--verbose", *words]

    def off(self, **more: str) -> Answer:
        """Fence the target; must work."""
        answer = self.run("off", **more)
        assert answer.rc == OK, answer.err
        return answer

    def on(self, **more: str) -> Answer:
        """Unfence the target, which has said that nothing is left on it; must work."""
        self.say_empty()
        answer = self.run("on", **more)
        assert answer.rc == OK, answer.err
        return answer

    def run_killed(self, action: str, after_line: str) -> None:
        """Call an action and kill it as soon as it says a line that has this text."""
        with self.lab.popen(self.host, *self.argv(action), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            text=True) as program:
            for line in program.stderr:
                if after_line in line:
                    program.kill()
                    return
            raise AssertionError(f"{action} ended with {program.wait()} without saying '{after_line}'")

    def _popen_frozen(self, action: str, after_line: str) -> tuple[subprocess.Popen, int]:
        """An action that was stopped when it had said a line that has this text, and its pid; None: it has ended."""
        # Unbuffered: what it says later than that line stays in the pipe.
        program = self.lab.popen(self.host, *self.argv(action), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, bufsize=0)
        pid = None
        for line in program.stderr:
            pid = pid or int(children_of(program.pid)[0])
            if after_line in line.decode():
                break
        else:
            raise AssertionError(f"{action} ended with {program.wait()} without saying '{after_line}'")
        try:
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: state_of(pid) in "TZ", 10, f"{action} to stand still", poll_s=0.01)
        except ProcessLookupError:
            return program, None
        read_now(program.stderr)
        return program, pid if state_of(pid) == "T" else None

    @contextlib.contextmanager
    def frozen(self, action: str, after_line: str, prepare):
        """Call an action and stop it as soon as it says a line that has this text. Yields what lets it go on to its end, and
        answers with what it has said from then on.

        One that has ended before it could be stopped is tried again, each time after prepare().
        """
        for _ in range(5):
            prepare()
            program, pid = self._popen_frozen(action, after_line)
            if pid is not None:
                break
            program.communicate(timeout=60)
        else:
            raise AssertionError(f"{action} ends too soon after '{after_line}' to be stopped there")

        def go_on() -> Answer:
            begin = time.monotonic()
            os.kill(pid, signal.SIGCONT)
            while True:
                # Who has entered the node for it stops with it, a moment later maybe.
                program.send_signal(signal.SIGCONT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    text = program.communicate(timeout=1)[1].decode()
                    return Answer(program.returncode, "", text, time.monotonic() - begin)
                assert time.monotonic() - begin < 60, f"{action} does not end"
        try:
            yield go_on
        finally:
            program.kill()
            program.communicate()

    # --- the store, as its administrator sees it ------------------------------------------

    def ceph(self, *words: str, check=True, user: str = "admin", host: str = "store") -> subprocess.CompletedProcess:
        """The ceph command."""
        return self.lab.exec(host, "ceph", "--connect-timeout", "10", "--id", user, *words, check=check, timeout_s=60)

    def ask(self, prefix: str, **arguments):
        """A monitor command, without what the ceph command takes to load; LabError if it is refused."""
        if self._admin is None:
            self._admin = self.lab.store.admin().__enter__()
        return self._admin.ask(prefix, **arguments)

    def close(self) -> None:
        """End the connection to the store."""
        if self._admin is not None:
            self._admin.__exit__()
            self._admin = None

    def blocklist(self) -> set[str]:
        """The entries, by the OSD map."""
        return set(self.ask("osd dump")["blocklist"])

    def target_entries(self) -> set[str]:
        """Those of the target."""
        return {entry for entry in self.blocklist() if entry.startswith(f"{self.target_ip}:")}

    def key(self, key: str) -> dict | None:
        """A value of the config-key store; None if it is not there."""
        return self.ask("config-key get", key=key) if key in self.ask("config-key ls") else None

    def set_key(self, key: str, value: dict | str) -> None:
        """Set one."""
        self.ask("config-key set", key=key, val=value if isinstance(value, str) else json.dumps(value))

    def remove_key(self, key: str) -> None:
        """Remove one, if it is there."""
        self.ask("config-key rm", key=key)

    def records(self, host: str | None = None) -> dict[str, dict]:
        """What fences of a host have recorded, by key, without what a later one has taken in."""
        prefix = RECORD_KEY + (host or self.target)
        found = {key: json.loads(value) for key, value in sorted(self.ask("config-key dump", key=prefix).items())
                 if key == prefix or key.startswith(f"{prefix}/")}
        before = {RECORD_KEY + key for record in found.values() for key in record.get("before", [])}
        return {key: record for key, record in found.items() if key not in before}

    def record(self) -> dict | None:
        """The same in one: the last fence in force, with all entries and clients; None if there is nothing."""
        found = sorted(self.records().values(), key=lambda record: bool(record["entries"]))
        if not found:
            return None
        return found[-1] | {name: [each for record in found for each in record.get(name, [])]
                            for name in ("entries", "clients")}

    def is_let_in(self) -> bool:
        """The target is not refused, and no fence of it is under way; single clients of it may be refused."""
        return self.entry not in self.blocklist() and not (self.record() or {}).get("entries")

    def refused_clients(self) -> set[str]:
        """Entries of single clients of the target that its record keeps."""
        return {client["entry"] for client in (self.record() or {}).get("clients", [])}

    def publish(self, host: str, **more) -> None:
        """A host's entry in the registry as its capacity agent would write it, or not quite so."""
        boot_id = self.lab.exec(host, "cat", "/proc/sys/kernel/random/boot_id").stdout.strip()
        self.set_key(HOST_KEY + host, {"name": host, "store_addresses": [self.site.address(host, "store")],
                                       "boot_id": boot_id, "at": int(time.time())} | more)

    def say_empty(self) -> None:
        """As the target's capacity agent would: no QEMU from before the fence is left on it."""
        entry, ids = self.key(HOST_KEY + self.target), [record["id"] for record in self.records().values()]
        if entry is not None and ids:
            self.set_key(HOST_KEY + self.target, entry | {"empty_fences": ids})

    def watchers(self, image: str = RUN_IMAGE) -> list[str]:
        """Addresses that have an image open."""
        done = self.lab.exec("store", "rbd", "status", f"{POOL}/{image}", "--format", "json")
        return [watcher["address"] for watcher in json.loads(done.stdout)["watchers"]]

    # --- around a test ------------------------------------------------------------------------

    def prepare(self) -> None:
        """Every host registered, nothing fenced."""
        for host in self.site.host_names:
            self.publish(host)
        self.clear()

    def clear(self) -> None:
        """As the administrator: no entry, no range, no record of any host."""
        self.ask("osd blocklist clear")
        for host in self.site.host_names:
            self.clear_records(host)

    def clear_records(self, host: str) -> None:
        """As the administrator: no fence of a host is recorded."""
        for key in self.ask("config-key dump", key=RECORD_KEY + host):
            self.remove_key(key)

    @contextlib.contextmanager
    def writer(self, host: str | None = None, namespace: str = ""):
        """A client on a host that writes to the run image; gives the list of its writes so far."""
        program = self.lab.popen(host or self.target, "/usr/bin/python3", "-c", WRITER, CEPHX_USER, POOL, RUN_IMAGE,
                                 namespace, stdout=subprocess.PIPE, text=True)
        writes = Writes(program)
        try:
            wait_until(lambda: writes.all and writes.all[-1]["ok"], 60, "the writer to write")
            yield writes
        finally:
            program.kill()
            program.wait(20)
            writes.end()


class Writes:
    """What a writer has said."""

    def __init__(self, program: subprocess.Popen):
        self._stdout, self.all = program.stdout, []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stdout:
            if line.endswith("\n"):
                self.all.append(json.loads(line))

    def end(self) -> None:
        """When the writer has ended."""
        self._thread.join(20)
        self._stdout.close()

    def acknowledged_after(self, at_s: float) -> list[dict]:
        """Writes that the store has accepted after a moment (time.monotonic())."""
        return [write for write in self.all if write["ok"] and write["at_s"] > at_s]

    def wait_refused(self) -> None:
        """Until a write fails."""
        wait_until(lambda: not self.all[-1]["ok"], 20, "a write to be refused")


@contextlib.contextmanager
def no_decisions(lab: Lab):
    """Pacemaker decides nothing: hosts crash, and nobody else shall fence them."""
    lab.exec("host1", "crm_attribute", "--type", "crm_config", "--name", "stonith-enabled", "--update", "false")
    lab.exec("host1", "crm_attribute", "--type", "crm_config", "--name", "maintenance-mode", "--update", "true")
    try:
        yield
    finally:
        lab.exec("host1", "crm_attribute", "--type", "crm_config", "--name", "maintenance-mode", "--delete")
        lab.exec("host1", "crm_attribute", "--type", "crm_config", "--name", "stonith-enabled", "--update", "true")


@contextlib.contextmanager
def run_image_exists(lab: Lab):
    """An image that writers write to."""
    lab.exec("store", "rbd", "create", "--size", "8M", f"{POOL}/{RUN_IMAGE}", check=False)
    try:
        yield
    finally:
        wait_until(lambda: lab.exec("store", "rbd", "rm", "--no-progress", f"{POOL}/{RUN_IMAGE}",
                                    check=False).returncode == 0, 40, "the last writer's watch to end", poll_s=1)


@pytest.fixture(scope="module")
def run_image(lab):
    """For the tests of a file."""
    with run_image_exists(lab):
        yield


@pytest.fixture(scope="module")
def quiet_cluster(lab):
    """For the tests of a file."""
    with no_decisions(lab):
        yield


@pytest.fixture(scope="module")
def prepared(lab, quiet_cluster, run_image):  # pylint: disable=unused-argument
    """Every host is registered, and nothing fenced."""
    agent = FenceAgent(lab)
    agent.prepare()
    agent.close()


SERVICES = {"store": ("mon", "osd"), "host": ("corosync", "pacemaker", "libvirtd")}


def mend(lab: Lab) -> None:
    """Power, cables and daemons as they were; asks no program about what is as it was."""
    for node in ("store", *lab.site.host_names):
        if lab.node(node).state() == "frozen":
            lab.thaw(node)
        for network in list(lab.node(node).cut):
            lab.heal(node, network)
        booted = lab.node(node).state() == "crashed"
        if booted:
            lab.boot(node)
        for service in SERVICES[lab.site.kind(node)]:
            if lab.node(node).service_state(service) != "run":
                lab.service(node, "start", service)
                booted = True
        if booted and node != "store":
            wait_until(lambda h=node: lab.hypervisor_answers(h), 60, f"libvirtd on {node}", poll_s=0.2)


@pytest.fixture
def fence(lab, prepared):  # pylint: disable=unused-argument
    """The agent on host1, with host2 as the target and nothing fenced before and after."""
    agent = FenceAgent(lab)
    yield agent
    mend(lab)
    wait_until(lambda: lab.store.health() == "HEALTH_OK", 60, "the store to be healthy", poll_s=0.2)
    agent.prepare()
    agent.close()


@pytest.fixture
def resting(lab, prepared):  # pylint: disable=unused-argument
    """As `fence`, for a test that stops, cuts and fences nothing: nothing is mended afterwards."""
    agent = FenceAgent(lab)
    yield agent
    agent.close()


__all__ = ["AGENT", "FAILED", "FenceAgent", "OFF", "OK", "POWER_TIMEOUT_S", "RUN_IMAGE", "fence", "no_decisions",
           "prepared", "quiet_cluster", "resting", "run_image", "run_image_exists"]
