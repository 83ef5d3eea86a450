# SPDX-License-Identifier: GPL-2.0-or-later
"""The store: one monitor, one manager and one OSD, with cephx, on the storage network."""

import base64
import contextlib
import json
import os
import struct
import time
from subprocess import DEVNULL, PIPE, TimeoutExpired
from pathlib import Path

from lab import process
from lab.node import Node, Plan
from lab.service import Service
from lab.site import CEPHX_USER, FENCE_USER, POOL, UNFENCE_USER, LabError, Site, write_atomically

OSD_BYTES = 8 << 30  # the OSD's file is sparse: this is a limit, not a use
PG_COUNT = 8
HEALTH_TIMEOUT_S = 90

# What any RBD client must see of the monitors, and no more: "allow r" would show the whole config-key store.
MON_READ = "allow service mon r, allow service osd r, allow service pg r"
# The objects that say who has an image open, but not what is in it.
HEADER_PREFIXES = ("rbd_header.", "rbd_id.", "rbd_directory", "rbd_trash", "rbd_info", "rbd_namespace", "rbd_children")
ADMIN_CAPS = {"mon": "allow *", "mgr": "allow *", "osd": "allow *", "mds": "allow *"}


def _blocklist(operation: str, pattern: str) -> str:
    return f'allow command "osd blocklist" with blocklistop={operation} addr regex "{pattern}"'


def _key(command: str, prefix: str) -> str:
    return f'allow command "config-key {command}" with key prefix {prefix}'


def client_caps(site: Site) -> dict[str, dict[str, str]]:
    """cephx user -> its caps. doc/security.md says why each is needed."""
    net = site.subnet("store").rsplit(".", 1)[0].replace(".", "[.]")
    hosts, servers = f"{net}[.][1-4][0-9]", f"{net}[.]1[0-4][0-9]"
    return {
        # A host breaks the lock of a dead client (one nonce), isolates and readmits servers (all of an address),
        # but can't fence another host.
        CEPHX_USER: {
            "mon": ", ".join([MON_READ, _blocklist("add", f"^{hosts}:0/[1-9][0-9]*$"),
                              _blocklist("add", f"^{servers}:0/[0-9]+$"), _blocklist("rm", f"^{servers}:0/[0-9]+$"),
                              *(_key(c, "understudy/") for c in ("get", "exists", "dump")),
                              *(_key(c, f"understudy/{p}/") for p in ("host", "server") for c in ("set", "rm"))]),
            "mgr": "profile rbd",
            "osd": f"profile rbd pool={POOL}",
        },
        FENCE_USER: {
            "mon": ", ".join([MON_READ, _blocklist("add", f"^{hosts}:0/[0-9]+$"), _key("dump", "understudy/"),
                              *(_key(c, "understudy/fence/") for c in ("get", "set"))]),
            "osd": ", ".join(f"allow r class-read pool={POOL} object_prefix {p}" for p in HEADER_PREFIXES),
        },
        UNFENCE_USER: {
            "mon": ", ".join([MON_READ, _blocklist("rm", f"^{hosts}:0/[0-9]+$"), _key("dump", "understudy/"),
                              *(_key(c, "understudy/fence/") for c in ("get", "rm"))]),
        },
    }


def new_key() -> str:
    """A cephx secret: type 1 (AES), time, length, 16 random bytes (Ceph's CryptoKey::encode)."""
    return base64.b64encode(struct.pack("<HIIH", 1, int(time.time()), 0, 16) + os.urandom(16)).decode()


def keyring(entity: str, key: str, caps: dict[str, str] | None = None) -> str:
    lines = [f"[{entity}]", f"\tkey = {key}"]
    for service, text in (caps or {}).items():
        quoted = text.replace('"', '\\"')
        lines.append(f'\tcaps {service} = "{quoted}"')
    return "\n".join(lines) + "\n"


def ceph_conf(site: Site, fsid: str, daemons: bool) -> str:
    address = site.address("store", "store")
    text = f"""[global]
fsid = {fsid}
mon_host = [v2:{address}:3300,v1:{address}:6789]
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
rbd_default_features = 61
log_to_stderr = false
"""
    if daemons:
        text += f"""mon_initial_members = a
public_addr = {address}
public_network = {site.subnet('store')}
cluster_network = {site.subnet('store')}
ms_bind_ipv6 = false
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_warn_on_pool_no_redundancy = false
mon_data_avail_warn = 2
mon_data_avail_crit = 1
auth_allow_insecure_global_id_reclaim = false
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = {PG_COUNT}
osd_pool_default_pgp_num = {PG_COUNT}
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_memory_target = 939524096
bluestore_block_size = {OSD_BYTES}
bluestore_block_create = true
bluestore_fsck_on_mount = false
mgr_initial_modules =
log_file = /var/log/ceph/$cluster-$name.log
debug_mon = 1/5
"""
    return text


class Store:
    """The store of one lab: its keys and files, and how it is made."""

    def __init__(self, site: Site):
        self.site = site
        self.node = Node(site, "store")
        self.folder = site.dir / "ceph"      # what clients need
        self.data = site.node_dir("store") / "data"   # the daemons' disk, /var/lib/ceph there

    # --- before anything runs ------------------------------------------------

    def prepare(self) -> None:
        """Makes keys and configuration; without a running daemon."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fsid = self.site.uuid("ceph")
        clients = client_caps(self.site)
        keys = {name: new_key() for name in ("mon.", "client.admin", *(f"client.{c}" for c in clients), "mgr.a", "osd.0")}
        caps = {"mon.": {"mon": "allow *"}, "client.admin": ADMIN_CAPS, **{f"client.{c}": clients[c] for c in clients},
                "mgr.a": {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"},
                "osd.0": {"mon": "allow profile osd", "mgr": "allow profile osd", "osd": "allow *"}}
        write_atomically(self.site.ceph_conf, ceph_conf(self.site, fsid, daemons=False))
        write_atomically(self.folder / "daemons.conf", ceph_conf(self.site, fsid, daemons=True))
        write_atomically(self.folder / "all.keyring", "".join(keyring(n, k, caps[n]) for n, k in keys.items()), 0o600)
        for user in ("admin", *clients):
            write_atomically(self.folder / f"ceph.client.{user}.keyring",
                             keyring(f"client.{user}", keys[f"client.{user}"]), 0o600)
        for daemon, entity in (("mgr/ceph-a", "mgr.a"), ("osd/ceph-0", "osd.0")):
            folder = self.data / daemon
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / "keyring", keyring(entity, keys[entity]), 0o600)
        (self.data / "mon").mkdir(parents=True, exist_ok=True)

    def client_files(self, *users: str) -> dict:
        """What a node needs in /etc/ceph to be a client as these users."""
        files = {"/etc/ceph/ceph.conf": (self.site.ceph_conf.read_text(), 0o644)}
        for user in users:
            name = f"ceph.client.{user}.keyring"
            files[f"/etc/ceph/{name}"] = ((self.folder / name).read_text(), 0o600)
        return files

    def plan(self) -> Plan:
        conf = (self.folder / "daemons.conf").read_text()
        osd_exists = (self.data / "osd/ceph-0/ready").exists()
        def daemon(kind, name, **more):
            return Service(kind, [f"ceph-{kind}", "-f", "-i", name], **more)
        return Plan(
            services=[
                daemon("mon", "a", start=osd_exists,
                       check=["timeout", "2", "ceph", "daemon", "mon.a", "mon_status"]),
                daemon("osd", "0", start=osd_exists),
                daemon("mgr", "a", start=osd_exists),
            ],
            files=self.client_files("admin", CEPHX_USER) | {"/etc/ceph/ceph.conf": (conf, 0o644)},
            folders={"/var/log/ceph": ("root", "root", 0o755), "/run/ceph": ("root", "root", 0o755)},
            binds={str(self.data): "/var/lib/ceph"},
        )

    # --- first start ---------------------------------------------------------

    def create(self) -> None:
        """Makes the daemons' stores, starts them, and waits until the store is healthy."""
        node, fsid = self.node, self.site.uuid("ceph")
        osd_uuid = self.site.uuid("osd.0")
        address = self.site.address("store", "store")
        node.exec("monmaptool", "--create", "--fsid", fsid, "--clobber", "--addv", "a",
                  f"[v2:{address}:3300,v1:{address}:6789]", "/run/ceph/monmap")
        write_atomically(self.data / "all.keyring", (self.folder / "all.keyring").read_text(), 0o600)
        with open(node.log("osd-mkfs.log"), "ab") as log:
            osd = node.popen("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd_uuid, "--no-mon-config",
                             "--monmap", "/run/ceph/monmap", stdout=log, stderr=log)
        node.exec("ceph-mon", "--mkfs", "-i", "a", "--monmap", "/run/ceph/monmap",
                  "--keyring", "/var/lib/ceph/all.keyring")
        for keys in (self.data / "all.keyring", self.folder / "all.keyring"):
            keys.unlink()
        node.exec("sv", "up", "mon")
        with self.admin() as admin:
            admin.ask("osd new", uuid=osd_uuid, id=0)
            # The manager would make a pool of its own for device health.
            admin.ask("config set", who="mgr", name="mgr/devicehealth/enable_monitoring", value="false",
                      force=True)
            node.exec("sv", "up", "mgr")
            admin.ask("osd set-require-min-compat-client", version="mimic")
            if osd.wait(timeout=60) != 0:
                raise LabError(f"The store's OSD could not be made: see {node.log('osd-mkfs.log')}.")
            (self.data / "osd/ceph-0/ready").touch()
            node.exec("sv", "up", "osd")
            admin.ask("config set", who="client", name="rbd_default_clone_format", value="2")
            admin.ask("osd pool create", pool=POOL, pg_num=PG_COUNT, pgp_num=PG_COUNT)
            admin.ask("osd pool application enable", pool=POOL, app="rbd")
            self.wait_healthy(admin)

    # --- questions -----------------------------------------------------------

    def admin(self, timeout_s: int = 30) -> "Admin":
        return Admin(self, timeout_s)

    def wait_healthy(self, admin: "Admin", timeout_s: float = HEALTH_TIMEOUT_S) -> None:
        def healthy():
            status = admin.ask("status")
            groups = status["pgmap"]
            clean = sum(s["count"] for s in groups["pgs_by_state"] if s["state_name"] == "active+clean")
            return status["health"]["status"] == "HEALTH_OK" and clean == groups["num_pgs"] >= PG_COUNT
        process.wait_until(healthy, timeout_s, "the store to be healthy: see 'lab/lab exec store ceph status'",
                           poll_s=0.1)

    def health(self) -> str:
        """HEALTH_OK, HEALTH_WARN, HEALTH_ERR, or 'no answer'."""
        try:
            with self.admin(timeout_s=3) as admin:
                return admin.ask("status")["health"]["status"]
        except LabError:
            return "no answer"


class Admin:
    """A connection to the monitor as client.admin, from inside the store's namespaces.

    One Python program that stays: the `ceph` command takes half a second to load, every time.
    """

    def __init__(self, store: Store, timeout_s: int):
        self._store = store
        self._timeout_s = timeout_s

    def __enter__(self):
        program = Path(__file__).with_name("monclient.py")
        self._process = self._store.node.popen("/usr/bin/python3", "-I", str(program), str(self._timeout_s),
                                               stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True)
        return self

    def __exit__(self, *_):
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        try:
            self._process.wait(timeout=5)
        except TimeoutExpired:  # it may hang in librados when the monitor is gone
            self._process.kill()
            self._process.wait()

    def ask(self, prefix: str, **arguments):
        """Runs a monitor command; returns its JSON answer, or None. LabError when the monitor refuses it."""
        try:
            self._process.stdin.write(json.dumps({"prefix": prefix, "format": "json"} | arguments) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise LabError("The store's monitor does not answer: see 'lab/lab exec store sv status mon'.")
        answer = json.loads(line)
        if answer["code"] != 0:
            raise LabError(f"The store refused '{prefix}': {answer['text']}")
        return answer["output"]
