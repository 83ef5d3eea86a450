# SPDX-License-Identifier: GPL-2.0-or-later
"""ocf:understudy:image called by hand on a host, as Pacemaker calls it, and what is seen of it from outside."""

import contextlib
import json
import os
import re
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime

import pytest

import ghosts
from lab import process
from lab.api import Lab, wait_until
from lab.guest import build
from lab.guest.kvm import domain_type
from lab.site import CEPHX_USER, POOL

AGENT = os.environ.get("UNDERSTUDY_IMAGE_AGENT", "/usr/lib/ocf/resource.d/understudy/image")
CAPACITY_AGENT = os.path.join(os.path.dirname(AGENT), "capacity")
MODULE_DIR = "UNDERSTUDY_MODULE_DIR"
SERVER = "agenttest"
DOMAIN = f"standby-{SERVER}"
RECOVERY = f"{POOL}/{SERVER}"
RUN = f"{POOL}/run-{SERVER}-0"
CLAIM = f"understudy_claim.{SERVER}"
CLAIM_PLACE = "understudy/server/{}/claim/{}"
SECOND_POOL = "second"
TICKET = f"takeover-{SERVER}"
ENDED = f"understudy-ended-{SERVER}"
BYSTANDER = "bystander"   # another guest of the host
SUCCESS, GENERIC, ARGS, UNIMPLEMENTED, PERM, INSTALLED, CONFIGURED, NOT_RUNNING, DEGRADED = 0, 1, 2, 3, 4, 5, 6, 7, 190
TIMED_OUT = 124   # timeout(1)'s
REASON_MAX_BYTES = 128  # as much as Pacemaker shows
BOOT_TIMEOUT_S = 60
# A client of the store that has an image open for writing until its stdin ends.
HOLDER = """
import sys, rados, rbd
with rados.Rados(conffile="/etc/ceph/ceph.conf", name="client." + sys.argv[1]) as cluster:
    with cluster.open_ioctx(sys.argv[2]) as pool, rbd.Image(pool, sys.argv[3]):
        print("open", flush=True)
        sys.stdin.read()
"""


# Signals libvirtd once it has begun to make the domain: sys.argv[2] is "made" for when QEMU is there, else "begun".
HUNTER = """
import glob, os, shutil, signal, sys
pid = int(open("/run/libvirtd.pid").read())
name, when, number = sys.argv[1], sys.argv[2], getattr(signal, "SIG" + sys.argv[3])
def qemu():
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            if f"\\0guest={name},".encode() in open(path, "rb").read():
                return True
        except OSError:
            pass
    return False
def begun():
    return glob.glob(f"/var/lib/libvirt/qemu/domain-*-{name}") != []
for left in glob.glob(f"/var/lib/libvirt/qemu/domain-*-{name}"):    # by a QEMU that ended without its libvirtd
    shutil.rmtree(left)
print("ready", flush=True)
while not (qemu() if when == "made" else begun()):
    pass
os.kill(pid, number)
print(pid, flush=True)
"""
# Writes another pattern to an image's last bytes each time.
CHANGE = """
import os, sys, rados, rbd
with rados.Rados(conffile="/etc/ceph/ceph.conf", name="client.admin") as cluster:
    with cluster.open_ioctx(sys.argv[1]) as pool, rbd.Image(pool, sys.argv[2]) as image:
        image.write(os.urandom(512), image.size() - 512)
"""
# Removes a claim and the config keys with a prefix; prints which images of the pool begin so.
CLEAR = """
import json, sys, rados, rbd
pool, claim, keys, images = sys.argv[1:]
with rados.Rados(conffile="/etc/ceph/ceph.conf", name="client.admin") as cluster:
    def ask(prefix, **more):
        code, output, text = cluster.mon_command(json.dumps({"prefix": prefix, "format": "json", **more}), b"", timeout=30)
        assert code == 0, text
        return json.loads(output or "{}")
    for key in ask("config-key dump", key=keys):
        ask("config-key rm", key=key)
    with cluster.open_ioctx(pool) as io:
        try:
            io.remove_object(claim)
        except rados.ObjectNotFound:
            pass
        print(*[name for name in rbd.RBD().list(io) if name.startswith(images)])
"""


@dataclass
class Answer:
    """How an action ended."""

    rc: int
    reason: str      # as Pacemaker would show it
    log: str


def parameters(lab: Lab) -> dict[str, str]:
    """A good set, for the tiny guest."""
    address = f"{lab.site.prefix}.3.241"
    return {"disks": RECOVERY, "memory_mib": "128", "bridge": "br-svc", "domain_type": domain_type(),
            "service_address": address, "boot_probe": f"tcp:{address}:80",
            "migrate_uri": "qemu+tcp://%s/system"}


class ImageAgent:
    """The agent on one host."""

    def __init__(self, lab: Lab, host: str = "host1"):
        self.lab = lab
        self.host = host
        self.address = parameters(lab)["service_address"]

    # --- calling it --------------------------------------------------------------

    def argv(self, action, timeout_s=60, interval_s=0, level=0, meta=None, drop=(), **params):
        """The agent's command line, with the environment that Pacemaker gives it."""
        values = {k: v for k, v in (parameters(self.lab) | params).items() if k not in drop}
        env = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RA_VERSION_MAJOR": "1", "OCF_RA_VERSION_MINOR": "1",
               "OCF_RESOURCE_INSTANCE": DOMAIN, "OCF_RESOURCE_TYPE": "image", "OCF_RESOURCE_PROVIDER": "understudy",
               "OCF_RESKEY_CRM_meta_timeout": str(int(timeout_s * 1000)), "OCF_CHECK_LEVEL": str(level),
               "OCF_RESKEY_CRM_meta_interval": str(int(interval_s * 1000)),
               "OCF_RESKEY_CRM_meta_on_node": self.host}
        env |= {f"OCF_RESKEY_{k}": v for k, v in values.items()}
        env |= {f"OCF_RESKEY_CRM_meta_{k}": v for k, v in (meta or {}).items()}
        if MODULE_DIR in os.environ:
            env[MODULE_DIR] = os.environ[MODULE_DIR]
        return ["env", *(f"{k}={v}" for k, v in env.items()), AGENT, action]

    def call(self, action, timeout_s=60, **options) -> Answer:
        """One action, to its end; it must end within its timeout, which begins with its process, as Pacemaker counts."""
        done = self.lab.exec(self.host, "timeout", f"{timeout_s}s", *self.argv(action, timeout_s, **options), check=False,
                             timeout_s=timeout_s + 20)
        reasons = re.findall(r"^ocf-exit-reason:(.*)$", done.stderr, re.MULTILINE)
        assert done.returncode != TIMED_OUT, f"{action} did not end within {timeout_s} s: {done.stderr}"
        return Answer(done.returncode, reasons[-1] if reasons else "", done.stderr)

    def start(self, **options) -> Answer:
        """A start that must succeed."""
        answer = self.call("start", **options)
        assert answer.rc == SUCCESS, answer.log
        return answer

    def stop(self, **options) -> Answer:
        """A stop that must succeed, after which nothing may be left."""
        answer = self.call("stop", **options)
        assert answer.rc == SUCCESS, answer.log
        return answer

    def probe(self, **options) -> Answer:
        """monitor, once"""
        return self.call("monitor", **options)

    def monitor(self, **options) -> Answer:
        """monitor, recurring"""
        return self.call("monitor", interval_s=5, **options)

    def record(self) -> dict[str, str]:
        """What a start has left on the host for a stop; empty if nothing."""
        done = self.lab.exec(self.host, "cat", f"/run/understudy/image-{DOMAIN}.state", check=False)
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)

    def under_way(self, action: str) -> int:
        """How many calls of an action of the agent run on the host."""
        return len(self.lab.exec(self.host, "pgrep", "-fx", f"{AGENT} {action}", check=False).stdout.split())

    def begin(self, action, **options) -> subprocess.Popen:
        """An action that is left to itself."""
        return self.lab.popen(self.host, *self.argv(action, **options), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)

    def capacity(self, action: str, interval_s: int = 0) -> int:
        """ocf:understudy:capacity on the host, as Pacemaker calls it; its exit code."""
        env = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": "understudy-capacity",
               "OCF_RESKEY_CRM_meta_timeout": "20000", "OCF_RESKEY_CRM_meta_interval": str(interval_s * 1000),
               "OCF_RESKEY_CRM_meta_on_node": self.host}
        if MODULE_DIR in os.environ:
            env[MODULE_DIR] = os.environ[MODULE_DIR]
        # With a parent on the host, as Pacemaker's executor is.
        words = ["sh", "-c", '"$@"; exit $?', "sh", "env", *(f"{name}={value}" for name, value in env.items()),
                 CAPACITY_AGENT, action]
        return self.lab.exec(self.host, *words, check=False).returncode

    # --- what is seen from outside ---------------------------------------------------

    def domains(self) -> list[str]:
        """Names of the domains that libvirt runs on the host."""
        return self.lab.exec(self.host, "virsh", "list", "--name").stdout.split()

    def qemu_pids(self, name: str = DOMAIN) -> list[int]:
        """QEMU processes of the domain on the host, by this machine's count of processes."""
        inside = self.lab.exec(self.host, "pgrep", "-f", f"guest={name},", check=False).stdout.split()
        return [int(pid) for pid in inside]

    def signal(self, signal: str, *pids: int) -> None:
        """Signals processes of the host."""
        self.lab.exec(self.host, "kill", f"-{signal}", *pids)

    def hunt_libvirtd(self, signal: str, when: str) -> subprocess.Popen:
        """Lies in wait for libvirtd, to signal it while it makes the domain; prints its pid then."""
        hunter = self.lab.popen(self.host, "/usr/bin/python3", "-c", HUNTER, DOMAIN, when, signal,
                                stdout=subprocess.PIPE, text=True)
        assert hunter.stdout.readline() == "ready\n"
        return hunter

    def runs(self, pid: int) -> bool:
        """Whether a process of the host runs, or is stopped."""
        state = self.lab.exec(self.host, "ps", "-o", "stat=", "-p", pid, check=False).stdout.strip()
        return state != "" and not state.startswith("Z")

    def start_bystander(self) -> int:
        """Another guest on the host, that nothing may happen to: the pid of its QEMU."""
        xml = (f"<domain type='{domain_type()}'><name>{BYSTANDER}</name><memory unit='MiB'>16</memory>"
               "<os><type arch='x86_64'>hvm</type></os></domain>")
        self.lab.exec(self.host, "virsh", "create", "/dev/stdin", stdin=xml)
        pids = self.qemu_pids(BYSTANDER)
        assert len(pids) == 1
        return pids[0]

    def libvirt_forgets(self) -> None:
        """libvirtd comes back without what it had written down about the domain: QEMU runs on, unknown to it."""
        self.lab.service(self.host, "stop", "libvirtd")
        self.lab.exec(self.host, "rm", f"/run/libvirt/qemu/{DOMAIN}.xml", f"/run/libvirt/qemu/{DOMAIN}.pid")
        self.lab.service(self.host, "start", "libvirtd")
        wait_until(lambda: self.lab.hypervisor_answers(self.host), 30, f"libvirtd on {self.host}")

    def define_secret(self, uuid: str, usage: str = "by hand") -> None:
        """Gives libvirt the key of the hosts' user, as an operator would."""
        xml = (f"<secret ephemeral='yes' private='yes'><uuid>{uuid}</uuid>"
               f"<usage type='ceph'><name>{usage}</name></usage></secret>")
        key = self.lab.exec("store", "ceph", "auth", "get-key", f"client.{CEPHX_USER}").stdout
        self.lab.exec(self.host, "virsh", "secret-define", "/dev/stdin", stdin=xml)
        self.lab.exec(self.host, "virsh", "secret-set-value", uuid, "--file", "/dev/stdin", stdin=key)

    def virsh(self, *argv) -> str:
        """virsh on the host"""
        return self.lab.exec(self.host, "virsh", *argv).stdout

    def answers(self) -> bool:
        """Whether the guest answers a client over HTTP."""
        done = self.lab.exec("client", "curl", "-s", "-m", "2", f"http://{self.address}/", check=False)
        return SERVER in done.stdout

    def lever(self, verb: str) -> str:
        """Makes the guest do something."""
        url = f"http://{self.address}:8008/cgi-bin/lever?{verb}"
        return self.lab.exec("client", "curl", "-s", "-m", "5", url, check=False).stdout

    def boots(self) -> list[str]:
        """What the guest has written to its disk about its boots and shutdowns."""
        return self.lever("boots").splitlines()

    # --- the store -----------------------------------------------------------------

    def claim(self, pool: str = POOL) -> list[str]:
        """Whose the server is: host, boot id and start id; empty if nobody's."""
        done = self.lab.exec("store", "rados", "-p", pool, "getomapval", CLAIM, "holder", "/dev/stdout", check=False)
        return done.stdout.split() if done.returncode == 0 else []

    def claim_places(self) -> dict[str, str]:
        """Where the claims of its starts lie: key -> claim and run images."""
        return json.loads(self.lab.exec("store", "ceph", "config-key", "dump", CLAIM_PLACE.format(SERVER, "")).stdout)

    def set_claim(self, text: str) -> None:
        """As another start would have claimed it."""
        self.lab.exec("store", "rados", "-p", POOL, "setomapval", CLAIM, "holder", text)

    def claim_clients(self) -> list[str]:
        """As which clients the holder's QEMU may write: start id, "all" or "some", addresses."""
        done = self.lab.exec("store", "rados", "-p", POOL, "getomapval", CLAIM, "clients", "/dev/stdout", check=False)
        return done.stdout.split() if done.returncode == 0 else []

    def claim_ended(self) -> str:
        """The start of which its host says that it has ended although its claim stands."""
        done = self.lab.exec("store", "rados", "-p", POOL, "getomapval", CLAIM, "ended", "/dev/stdout", check=False)
        return done.stdout if done.returncode == 0 else ""

    def forget_ended(self) -> None:
        """What the cluster was told of that is gone, as after a restart of Pacemaker on this host."""
        self.lab.exec(self.host, "attrd_updater", "--delete", "--name", ENDED)

    def set_claim_clients(self, text: str) -> None:
        """As the holder of the claim would have said it."""
        self.lab.exec("store", "rados", "-p", POOL, "setomapval", CLAIM, "clients", text)

    def rbd(self, *argv, check=True) -> subprocess.CompletedProcess:
        """rbd as the store's administrator"""
        return self.lab.exec("store", "rbd", *argv, check=check, timeout_s=120)

    def images(self) -> list[str]:
        """Images in the pool"""
        return json.loads(self.rbd("ls", POOL, "--format", "json").stdout)

    def watchers(self, image: str = RUN) -> list[str]:
        """Addresses that have an image open; empty if it does not exist."""
        return ghosts.watchers(self.lab, image)

    def writers(self, image: str = RUN) -> set[str]:
        """Those who may write: not a client that was killed while it opened the image, which is listed for ever."""
        return set(self.watchers(image)) - self.blocklist()

    def parent_point(self, image: str = RUN) -> str:
        """The recovery point that a run image was cloned from."""
        return json.loads(self.rbd("info", image, "--format", "json").stdout)["parent"]["snapshot"]

    def make_point(self, point: str, image: str = RECOVERY) -> None:
        """Commits a recovery point."""
        self.rbd("snap", "create", "--no-progress", f"{image}@{point}")

    def change(self, image: str = RECOVERY) -> None:
        """The original goes on: its recovery image gets other data, at its very end."""
        pool, name = image.split("/")
        self.lab.exec("store", "/usr/bin/python3", "-c", CHANGE, pool, name)

    def unlock(self, image: str = RUN) -> None:
        """Takes a lock that was set by hand off an image."""
        for lock in json.loads(self.rbd("lock", "ls", image, "--format", "json").stdout):
            self.rbd("lock", "rm", image, lock["id"], lock["locker"], check=False)

    def begin_takeover(self) -> None:
        """As for the observers: the ticket is granted anew, by which one takeover is told from another."""
        def grant():
            self.lab.exec(self.host, "crm_ticket", "--ticket", TICKET, "--revoke", "--force")
            self.lab.exec(self.host, "crm_ticket", "--ticket", TICKET, "--grant", "--force")
            return self.granted_at() != before

        before = self.granted_at()
        wait_until(grant, 10, "another grant than the last one")

    def granted_at(self) -> str:
        """When the ticket was granted last."""
        words = ("crm_ticket", "--ticket", TICKET, "--get-attr", "last-granted", "--quiet")
        return self.lab.exec(self.host, *words, check=False).stdout.strip()

    def forget_takeovers(self) -> None:
        """No ticket, as before the first one."""
        self.lab.exec(self.host, "crm_ticket", "--ticket", TICKET, "--cleanup", "--force", check=False)

    def make_recovery(self, image: str = RECOVERY, point: str | None = "point-1") -> None:
        """A recovery image of the tiny guest."""
        raw = build.make_tiny_image(self.lab.site, "db1", out=self.lab.site.dir / f"images/{SERVER}.raw", name=SERVER,
                                    address=self.address)
        self.rbd("import", "--no-progress", str(raw), image)
        if point is not None:
            self.make_point(point, image)

    def remove(self, image: str) -> None:
        """An image and its snapshots, if it is there."""
        self.rbd("snap", "purge", "--no-progress", image, check=False)
        self.rbd("rm", "--no-progress", image, check=False)

    def hold(self, node: str, image: str, user: str) -> subprocess.Popen:
        """A client on a node that has an image open until its stdin is closed."""
        pool, name = image.split("/")
        holder = self.lab.popen(node, "/usr/bin/python3", "-c", HOLDER, user, pool, name, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        assert holder.stdout.readline() == "open\n"
        return holder

    def leave_locked(self, node: str, image: str) -> str:
        """A client on a node takes the lock of an image that librbd keeps for who writes, and has no watch; its address."""
        pool = image.split("/")[0]
        header = "rbd_header." + json.loads(self.rbd("info", image, "--format", "json").stdout)["id"]
        self.lab.exec(node, "rados", "--id", CEPHX_USER, "-p", pool, "lock", "get", header, "rbd_lock", "--lock-cookie",
                      "auto 1", "--lock-tag", "internal")
        owner, = json.loads(self.rbd("lock", "ls", image, "--format", "json").stdout)
        return owner["address"]

    def refused_until(self) -> dict[str, datetime]:
        """Whom the store refuses, by the OSD map, and until when."""
        dump = json.loads(self.lab.exec("store", "ceph", "osd", "dump", "--format", "json").stdout)
        return {client: datetime.strptime(until, "%Y-%m-%dT%H:%M:%S.%f%z") for client, until in dump["blocklist"].items()}

    def blocklist(self) -> set[str]:
        """Whom the store refuses, by the OSD map."""
        return set(self.refused_until())

    def clear_blocklist(self) -> None:
        """Takes everything off the store's blocklist."""
        self.lab.exec("store", "ceph", "osd", "blocklist", "clear")

    # --- cleaning up -------------------------------------------------------------------

    def clear(self) -> None:
        """As before the first start; whatever a failed test has left."""
        for host in self.lab.site.host_names[:2]:
            self._clear_host(host)
        names = self.lab.exec("store", "/usr/bin/python3", "-c", CLEAR, POOL, CLAIM, CLAIM_PLACE.format(SERVER, ""),
                              f"run-{SERVER}-").stdout.split()
        # A client that was killed would watch for 30 s more, or for ever.
        for name in names:
            ghosts.clear_ghosts(self.lab, f"{POOL}/{name}")
            self.remove(f"{POOL}/{name}")

    def _clear_host(self, host: str) -> None:
        agent = ImageAgent(self.lab, host)
        self.lab.exec(host, "pkill", "-CONT", "-x", "libvirtd", check=False)
        if self.lab.node(host).service_state("libvirtd") != "run":
            self.lab.service(host, "start", "libvirtd")

        def answer():
            done = self.lab.exec(host, "virsh", "list", "--name", check=False)
            return done if done.returncode == 0 else None
        for name in wait_until(answer, 30, f"libvirtd on {host}").stdout.split():
            if SERVER not in name and name != BYSTANDER:
                continue
            self.lab.exec(host, "virsh", "destroy", name, check=False)
        if agent.qemu_pids():   # libvirt has lost it
            agent.signal("KILL", *agent.qemu_pids())
        self.lab.exec(host, "rm", "-f", f"/run/understudy/image-{DOMAIN}.state")


@contextlib.contextmanager
def second_pool(lab: Lab):
    """Another pool for run images, which the hosts' user may use."""
    def ceph(*words):
        return lab.exec("store", "ceph", *words, "--format", "json", timeout_s=60)

    def allow(osd_caps):
        words = [word for service, text in (caps | {"osd": osd_caps}).items() for word in (service, text)]
        ceph("auth", "caps", f"client.{CEPHX_USER}", *words)

    caps = json.loads(ceph("auth", "get", f"client.{CEPHX_USER}").stdout)[0]["caps"]
    ceph("osd", "pool", "create", SECOND_POOL, "1")
    ceph("osd", "pool", "application", "enable", SECOND_POOL, "rbd")
    allow(f"{caps['osd']}, profile rbd pool={SECOND_POOL}")
    try:
        yield SECOND_POOL
    finally:
        allow(caps["osd"])
        ceph("osd", "pool", "rm", SECOND_POOL, SECOND_POOL, "--yes-i-really-really-mean-it")


def holder_end(holder: subprocess.Popen) -> None:
    """Ends a client that has an image open."""
    holder.stdin.close()
    process.wait_until(lambda: holder.poll() is not None, 30, "the client to close the image")
    holder.stdout.close()


@pytest.fixture(scope="module")
def recovery(lab):
    """A recovery image with one recovery point."""
    agent = ImageAgent(lab)
    agent.clear()
    agent.remove(RECOVERY)
    agent.make_recovery()
    yield agent
    agent.remove(RECOVERY)


@pytest.fixture
def image(recovery):
    """The agent on host1, nothing started, no run image."""
    yield recovery
    recovery.clear()
